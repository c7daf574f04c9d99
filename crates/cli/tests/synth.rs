//! Synthetic registers through the binary: every corridor is made, its mappings are understood without a refused row,
//! and its persons can be linked.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use corridor_synth::known_corridors;
use serde_json::Value;

const FILES: [&str; 6] = [
    "a.csv",
    "b.csv",
    "left.toml",
    "persons.csv",
    "right.toml",
    "truth.csv",
];

/// Between these, linking is neither given away nor hopeless; at 1,000 records few namesakes meet.
const PERSONS_F1: std::ops::Range<f64> = 0.90..1.0;

fn corridor(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corridor"))
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap()
}

fn synth(folder: &Path, corridor_name: &str, out: &str) -> Output {
    corridor(
        folder,
        &[
            "synth",
            "--corridor",
            corridor_name,
            "--records",
            "1000",
            "--seed",
            "7",
            "--out",
            out,
        ],
    )
}

fn pairs(path: &Path) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader
        .records()
        .map(|row| row.unwrap())
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect()
}

/// F1 of persons: two records are linked rightly when they are of one person, whichever of their moves they are of.
fn persons_f1(folder: &Path, results: &Path) -> f64 {
    let keys = |file| pairs(&folder.join(file)).into_iter().collect::<HashMap<_, _>>();
    let (left, right) = (keys("a.csv"), keys("b.csv"));
    let truth: HashSet<(String, String)> = pairs(&folder.join("persons.csv")).into_iter().collect();
    let links: HashSet<(String, String)> = pairs(&results.join("links.csv"))
        .into_iter()
        .map(|(a, b)| (left[&a].clone(), right[&b].clone()))
        .collect();
    let count = |len: usize| f64::from(u32::try_from(len).unwrap());
    2.0 * count(links.intersection(&truth).count()) / count(links.len() + truth.len())
}

#[test]
fn every_corridor_is_made_understood_and_linked() {
    let folder = tempfile::tempdir().unwrap();
    for name in known_corridors() {
        let made = synth(folder.path(), name, name);
        assert!(made.status.success(), "{made:?}");
        let registers = folder.path().join(name);
        let mut files: Vec<String> = fs::read_dir(&registers)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort_unstable();
        assert_eq!(files, FILES);
        let results = format!("{name}-results");
        let linked = corridor(
            folder.path(),
            &[
                "rehearse",
                "--json",
                "--max-refused",
                "0",
                "--left",
                &format!("{name}/a.csv"),
                "--left-mapping",
                &format!("{name}/left.toml"),
                "--right",
                &format!("{name}/b.csv"),
                "--right-mapping",
                &format!("{name}/right.toml"),
                "--truth",
                &format!("{name}/truth.csv"),
                "--out",
                &results,
            ],
        );
        assert!(linked.status.success(), "{name}: {linked:?}");
        let document: Value = serde_json::from_slice(&linked.stdout).unwrap();
        for side in ["left", "right"] {
            let problems = &document["report"][side]["read"]["problems"];
            assert_eq!(
                problems.as_object().map(serde_json::Map::len),
                Some(0),
                "{name} {side}: {problems}"
            );
        }
        let (origin, destination) = name.split_once('-').unwrap();
        assert_eq!(
            document["report"]["flow_table"]["corridor"],
            format!("{origin}-{destination}")
        );
        let f1 = persons_f1(&registers, &folder.path().join(&results));
        assert!(PERSONS_F1.contains(&f1), "{name}: F1 of persons {f1}");
    }
}

#[test]
fn the_same_seed_gives_the_same_files_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    for out in ["new", "empty"] {
        assert!(synth(folder.path(), "TN-IT", out).status.success());
    }
    let read = |out: &str, file: &str| fs::read(folder.path().join(out).join(file)).unwrap();
    for file in FILES {
        assert_eq!(read("new", file), read("empty", file), "{file}");
    }
    let before = read("new", "a.csv");
    let again = synth(folder.path(), "SN-FR", "new");
    assert_eq!(again.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&again.stderr).contains("new is not empty"));
    assert_eq!(read("new", "a.csv"), before);
}
