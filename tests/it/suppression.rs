//! Suppressed tables attacked from outside, by another solver: HiGHS, from `tests/python/attack_tables.py`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use corridor_core::{Entropy, SeededEntropy, fill};
use corridor_flows::linear::{CellKind, LinearCell, LinearTable, suppress};
use corridor_tests::workspace_root;
use serde_json::{Value, json};

use crate::python::python;

const MINIMUM: u64 = 10;

struct Draw(SeededEntropy);

impl Draw {
    /// From 0 on and below 1.
    fn share(&mut self) -> f64 {
        let mut bytes = [0; 4];
        fill(&mut self.0 as &mut dyn Entropy, &mut bytes);
        f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (0..bound)
            .rev()
            .find(|&value| self.share() * f64::from(value + 1) < 1.0)
            .unwrap_or(0)
    }

    /// A count with this mean, of exponential distribution: many small ones and a long tail.
    fn count(&mut self, mean: f64) -> u64 {
        let bound = -mean * (1.0 - self.share()).ln();
        (0_u32..)
            .find(|&count| f64::from(count + 1) > bound)
            .map(u64::from)
            .unwrap()
    }
}

/// Each category, and all of them.
fn with_total(categories: u32) -> Vec<Vec<u32>> {
    let single = (0..categories).map(|category| vec![category]);
    single.chain([(0..categories).collect()]).collect()
}

/// What is counted of two registers: five classes, and the emigrations, immigrations and matched moves they add up to.
fn classes() -> Vec<Vec<u32>> {
    let single = (0..5).map(|class| vec![class]);
    single.chain([vec![0, 1, 3], vec![0, 2, 4], vec![0, 2]]).collect()
}

/// A table of up to 2,000 cells and four dimensions. Among them some where the last dimension is what is counted, where there are two
/// tables over the same people and not all combinations, and where some cells are not asked for.
fn table(number: u64) -> LinearTable {
    let mut draw = Draw(SeededEntropy::new(number, "a table to attack"));
    let dimensions = 1 + draw.below(4);
    let is_classed = dimensions > 1 && draw.share() < 0.4;
    let is_linked = dimensions > 2 && draw.share() < 0.3;
    let has_hidden = draw.share() < 0.4;
    let mut extents: Vec<Vec<Vec<u32>>> = Vec::new();
    for dimension in 0..dimensions {
        let others: usize = extents.iter().map(Vec::len).product();
        extents.push(if is_classed && dimension + 1 == dimensions {
            classes()
        } else {
            // So that the last dimensions still fit.
            let left = (2000.0 / f64::from(u32::try_from(others).unwrap()))
                .powf(1.0 / f64::from(dimensions - dimension));
            let most = (2_u32..40)
                .take_while(|&size| f64::from(size) < left)
                .last()
                .unwrap_or(2);
            with_total(most - draw.below(most / 2))
        });
    }
    while extents.iter().map(Vec::len).product::<usize>() > 2000 {
        extents.remove(0);
    }
    let sizes: Vec<u32> = extents
        .iter()
        .map(|extents| u32::try_from(extents.iter().filter(|extent| extent.len() == 1).count()).unwrap())
        .collect();
    let mut means = vec![9.0];
    for &size in &sizes {
        let effects: Vec<f64> = (0..size).map(|_| (1.5 * draw.share()).exp() / 2.0).collect();
        means = means
            .iter()
            .flat_map(|mean| effects.iter().map(move |effect| mean * effect))
            .collect();
    }
    let atoms: Vec<u64> = means.iter().map(|&mean| draw.count(mean)).collect();
    let mut cells = Vec::new();
    for number in 0..extents.iter().map(Vec::len).product() {
        let (mut rest, mut members, mut sums) = (number, vec![0_u32], 0);
        for (extents, size) in extents.iter().zip(&sizes) {
            let extent: &Vec<u32> = &extents[rest % extents.len()];
            rest /= extents.len();
            sums += usize::from(extent.len() > 1);
            members = members
                .iter()
                .flat_map(|base| extent.iter().map(move |place| base * size + place))
                .collect();
        }
        if is_linked && sums == 0 {
            continue;
        }
        members.sort_unstable();
        let kind = if has_hidden && draw.share() < 0.1 {
            CellKind::Hidden
        } else {
            CellKind::Wanted
        };
        cells.push(LinearCell {
            atoms: members,
            kind,
            cost: None,
        });
    }
    LinearTable::try_new(atoms, cells).unwrap()
}

fn as_json(table: &LinearTable, suppressed: &[bool]) -> Value {
    let cells: Vec<Value> = table
        .cells()
        .iter()
        .zip(suppressed)
        .map(|(cell, &suppressed)| {
            let value = table.value(cell);
            json!({
                "atoms": cell.atoms,
                "value": value,
                "seen": cell.kind == CellKind::Wanted && !suppressed,
                "attacked": (1..MINIMUM).contains(&value),
            })
        })
        .collect();
    json!({ "atoms": table.atoms().len(), "cells": cells })
}

/// For each table how many of its small cells another solver narrows.
fn narrowed(tables: &[Value]) -> Vec<usize> {
    let mut attack = Command::new(python())
        .arg(workspace_root().join("tests/python/attack_tables.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let given = json!({ "minimum": MINIMUM, "tables": tables }).to_string();
    attack.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = attack.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    // The solver has lines of its own.
    let told = said.lines().filter_map(|line| line.strip_prefix("narrowed: "));
    told.map(|count| count.parse().unwrap()).collect()
}

#[test]
fn no_small_cell_of_tables_of_up_to_2000_cells_can_be_narrowed_by_another_solver() {
    let tables: Vec<LinearTable> = (1..=10).map(table).collect();
    let sizes: Vec<usize> = tables.iter().map(|table| table.cells().len()).collect();
    let large = sizes.iter().filter(|&&size| size > 1000).count();
    assert!(sizes.iter().all(|&size| size <= 2000) && large > 2, "{sizes:?}");
    let attacked: Vec<Value> = tables
        .iter()
        .map(|table| as_json(table, suppress(table, MINIMUM).unwrap().suppressed()))
        .collect();
    assert_eq!(narrowed(&attacked), vec![0; tables.len()]);
}

#[test]
fn where_only_small_cells_are_suppressed_the_solver_narrows_some_of_them() {
    let attacked: Vec<Value> = [1, 4, 8]
        .map(table)
        .iter()
        .map(|table| {
            let is_small = |cell| (1..MINIMUM).contains(&table.value(cell));
            let small: Vec<bool> = table.cells().iter().map(is_small).collect();
            as_json(table, &small)
        })
        .collect();
    let narrowed = narrowed(&attacked);
    assert!(narrowed.iter().sum::<usize>() > 0, "{narrowed:?}");
}
