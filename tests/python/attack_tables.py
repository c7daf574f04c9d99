"""Attacks tables of sums as an outsider would, with another solver than the program's: by linear programmes over everything published.

Reads JSON on standard input: `minimum` and `tables`, each with `atoms` (how many) and `cells`, of which each has `atoms` (the numbers
of those it adds up), `value`, `seen` (whether it is published) and `attacked` (whether nobody may narrow it). Says of each table how
many of these could be narrowed: told not to be 0 from the published sums, or, knowing also that
nothing that is not seen is 0, told to be below the minimum.
"""

import json
import sys

import highspy
import numpy as np

TOLERANCE = 1e-6


def model_of(table, filled):
    """A programme over the atoms: sums that are seen are what they are; of `filled`, sums that are not are 1 or more."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    count = table["atoms"]
    free = np.full(count, highspy.kHighsInf)
    highs.addVars(count, np.zeros(count), free)
    for cell in table["cells"]:
        atoms = np.array(cell["atoms"], dtype=np.int32)
        ones = np.ones(len(atoms))
        if cell["seen"]:
            highs.addRow(float(cell["value"]), float(cell["value"]), len(atoms), atoms, ones)
        elif filled and cell["value"] > 0:
            highs.addRow(1.0, highspy.kHighsInf, len(atoms), atoms, ones)
    return highs


def end(highs, cell, sense):
    """The least or the most that a cell can be; each programme starts where the last ended."""
    atoms = np.array(cell["atoms"], dtype=np.int32)
    highs.changeObjectiveSense(sense)
    highs.changeColsCost(len(atoms), atoms, np.ones(len(atoms)))
    highs.run()
    status = highs.getModelStatus()
    value = highs.getInfo().objective_function_value
    highs.changeColsCost(len(atoms), atoms, np.zeros(len(atoms)))
    if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return np.inf
    assert status == highspy.HighsModelStatus.kOptimal, status
    return value


def main():
    given = json.load(sys.stdin)
    for table in given["tables"]:
        outsider, knowing_zeros = model_of(table, False), model_of(table, True)
        attacked = [cell for cell in table["cells"] if cell["attacked"]]
        narrowed = 0
        for cell in attacked:
            least = end(outsider, cell, highspy.ObjSense.kMinimize)
            most = end(knowing_zeros, cell, highspy.ObjSense.kMaximize)
            narrowed += least > TOLERANCE or most < given["minimum"] - TOLERANCE
        print(f"narrowed: {narrowed}", flush=True)


main()
