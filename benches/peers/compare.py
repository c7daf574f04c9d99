# Pairs per second of `corridor compare` beside anonlink and faiss, one thread each, in one run: rounds in turn, medians and
# ratios. Needs the folders that benches/peers/run makes.
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import anonlink
import faiss
import numpy as np
import pyarrow.parquet as pq
from bitarray import bitarray

corridor, folder, rounds = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
faiss.omp_set_num_threads(1)


def read(path):
    rows = pq.read_table(path, columns=["filter"])["filter"].to_pylist()
    bits = []
    for row in rows:
        b = bitarray(endian="little")
        b.frombytes(row)
        bits.append(b)
    return bits, np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1)


def ours(left, right, threshold, threads=1):
    with tempfile.TemporaryDirectory() as out:
        command = [corridor, "compare", str(left), str(right), "--threshold", str(threshold), "--threads", str(threads)]
        result = subprocess.run(command + ["--json", "-o", os.path.join(out, "pairs.csv")], capture_output=True, check=True)
    report = json.loads(result.stdout)
    return report["pairs_per_second"], report["pairs_written"], report["kernel"]


def anonlinks(left, right, threshold):
    began = time.perf_counter()
    similarities, _ = anonlink.similarities.dice_coefficient_accelerated([left, right], threshold)
    return len(left) * len(right) / (time.perf_counter() - began), len(similarities)


def faisss(left, right, radius):
    index = faiss.IndexBinaryFlat(right.shape[1] * 8)
    index.add(right)
    began = time.perf_counter()
    limits, _, _ = index.range_search(left, radius)
    return len(left) * len(right) / (time.perf_counter() - began), int(limits[-1])


def show(name, rates, against=None):
    median = statistics.median(rates)
    ratio = "" if against is None else f"   ours is {against / median:.1f} times that"
    print(f"  {name:34} {median / 1e9:7.3f} G pairs/s{ratio}", flush=True)
    return median


for profile, thresholds, dice in (("clk-1024", (0.7, 0.8), True), ("saul-3-2048", (0.11,), False)):
    paths = [folder / profile / f"{side}.parquet" for side in ("left", "right")]
    (left, left_array), (right, right_array) = map(read, paths)
    fill = sum(b.count() for b in left) / len(left) / len(left[0])
    print(f"{profile}: {len(left)} x {len(right)} filters of {len(left[0])} bits, fill {fill:.2f}")
    for threshold in thresholds:
        mine, two, theirs, faiss_rates = [], [], [], []
        radius = int((1 - threshold) * fill * 2 * len(left[0])) if dice else int((1 - threshold) / 2 * len(left[0]))
        for _ in range(rounds):
            rate, found, kernel = ours(*paths, threshold)
            mine.append(rate)
            two.append(ours(*paths, threshold, threads=2)[0])
            rate, others = anonlinks(left, right, threshold if dice else 0.8)
            theirs.append(rate)
            faiss_rates.append(faisss(left_array, right_array, radius)[0])
        if dice and found != others:
            sys.exit(f"corridor found {found} pairs and anonlink {others}")
        print(f" threshold {threshold}: {found} pairs")
        median = show(f"corridor, {kernel}, one thread", mine)
        show("corridor, two threads", two, None)
        show("anonlink" if dice else "anonlink, Dice 0.8, same filters", theirs, median)
        show(f"faiss, Hamming {radius}", faiss_rates, median)
