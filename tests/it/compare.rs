//! `corridor compare` against anonlink 0.15.3 on filters of clkhash 0.18.3 (see `tests/vectors/compare`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use corridor_tests::{corridor, workspace_root};
use serde_json::Value;

fn compare(folder: &Path, more: &[&str]) -> (Value, String) {
    let vectors = workspace_root().join("tests/vectors/compare/v1");
    let (left, right) = (vectors.join("left.json"), vectors.join("right.json"));
    let mut arguments = vec!["compare", left.to_str().unwrap(), right.to_str().unwrap()];
    arguments.extend(["--json", "-o", "pairs.csv"]);
    arguments.extend(more);
    let outcome = corridor(folder, &arguments).succeeded();
    let pairs = fs::read_to_string(folder.join("pairs.csv")).unwrap();
    fs::remove_file(folder.join("pairs.csv")).unwrap();
    (serde_json::from_str(&outcome.stdout).unwrap(), pairs)
}

fn to_pairs(csv: &str) -> Vec<(u64, u64, f64)> {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("left,right,similarity"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (
                cells[0].parse().unwrap(),
                cells[1].parse().unwrap(),
                cells[2].parse().unwrap(),
            )
        })
        .collect()
}

fn expected(threshold: &str) -> Value {
    let path = workspace_root().join(format!("tests/vectors/compare/v1/pairs-{threshold}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn pairs_similarities_and_order_are_those_of_anonlink() {
    let folder = tempfile::tempdir().unwrap();
    for threshold in ["0.5", "0.8"] {
        let (report, csv) = compare(folder.path(), &["--threshold", threshold]);
        let pairs = to_pairs(&csv);
        let expected: Vec<(u64, u64, f64)> = expected(threshold)["pairs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                (
                    pair[0].as_u64().unwrap(),
                    pair[1].as_u64().unwrap(),
                    pair[2].as_f64().unwrap(),
                )
            })
            .collect();
        assert_eq!(pairs, expected, "threshold {threshold}");
        assert_eq!(report["pairs_compared"], 100 * 100);
        assert_eq!(
            report["pairs_written"].as_u64().unwrap(),
            u64::try_from(expected.len()).unwrap()
        );
        assert!(report["kernel"].is_string() && report["seconds_comparing"].is_number());
    }
}

#[test]
fn one_to_one_links_are_those_of_anonlinks_greedy_solver() {
    let folder = tempfile::tempdir().unwrap();
    for threshold in ["0.5", "0.8"] {
        let (_, csv) = compare(folder.path(), &["--threshold", threshold, "--one-to-one"]);
        let links: BTreeSet<(u64, u64)> = to_pairs(&csv).iter().map(|pair| (pair.0, pair.1)).collect();
        let expected: BTreeSet<(u64, u64)> = expected(threshold)["greedy"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap()))
            .collect();
        assert_eq!(links, expected, "threshold {threshold}");
    }
}

#[test]
fn the_most_similar_of_each_row_are_the_best_of_all_its_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let all = to_pairs(&compare(folder.path(), &["--threshold", "0.4"]).1);
    let top = to_pairs(&compare(folder.path(), &["--threshold", "0.4", "--top-k", "3"]).1);
    for row in 0..100 {
        // Pairs come by similarity, then right: the first three of a row are its best.
        let best: Vec<_> = all.iter().filter(|pair| pair.0 == row).take(3).collect();
        let found: Vec<_> = top.iter().filter(|pair| pair.0 == row).collect();
        assert_eq!(found, best, "row {row}");
    }
}

#[test]
fn a_filter_of_ones_alone_takes_nobodys_place_and_counts_for_no_pair() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, filters: &[&str]| {
        let document = serde_json::json!({ "clks": filters });
        fs::write(folder.path().join(name), document.to_string()).unwrap();
    };
    // Half of the left's bits are the second's, all are among the first's: Dice 0.5 and 0.67.
    write("left.json", &["/////wAAAAA="]);
    write("right.json", &["//////////8=", "AAD/////AAA="]);
    for more in [&["--top-k", "1"][..], &["--max-pairs", "1"][..]] {
        let arguments = [
            "compare",
            "left.json",
            "right.json",
            "--threshold",
            "0.4",
            "-o",
            "pairs.csv",
        ];
        let said = corridor(folder.path(), &[&arguments, more].concat())
            .succeeded()
            .stderr;
        assert!(
            said.contains("1 filters of the right side have no bit set, or all"),
            "{said}"
        );
        let pairs = fs::read_to_string(folder.path().join("pairs.csv")).unwrap();
        assert_eq!(to_pairs(&pairs), [(0, 1, 0.5)], "{more:?}");
        fs::remove_file(folder.path().join("pairs.csv")).unwrap();
    }
}

#[test]
fn a_stated_miss_bound_finds_the_same_pairs_here_whatever_the_order_of_bits() {
    let folder = tempfile::tempdir().unwrap();
    let exact = compare(folder.path(), &["--threshold", "0.85"]).1;
    for seed in ["1", "2", "3"] {
        let arguments = ["--threshold", "0.85", "--miss-bound", "1e-9", "--seed", seed];
        let (report, statistical) = compare(folder.path(), &arguments);
        assert_eq!(statistical, exact, "seed {seed}");
        assert!(report["screened_by_words"].is_u64());
    }
}

#[test]
fn threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = compare(folder.path(), &["--threshold", "0.4", "--threads", "1"]).1;
    let two = compare(folder.path(), &["--threshold", "0.4", "--threads", "2"]).1;
    assert!(one == two && one.lines().count() > 5000);
}

#[test]
fn too_many_pairs_are_refused_with_their_number_and_a_threshold_that_has_fewer() {
    let folder = tempfile::tempdir().unwrap();
    let vectors = workspace_root().join("tests/vectors/compare/v1");
    let (left, right) = (vectors.join("left.json"), vectors.join("right.json"));
    let call = |threshold: &str, more: &[&str]| {
        let files = [left.to_str().unwrap(), right.to_str().unwrap()];
        let arguments = [
            &["compare"],
            &files[..],
            &["--threshold", threshold, "-o", "pairs.csv"],
            more,
        ];
        corridor(folder.path(), &arguments.concat())
    };
    let all = expected("0.5")["pairs"].as_array().unwrap().len();
    let most = (all / 2).to_string();
    let refused = call("0.5", &["--max-pairs", &most]).failed(
        3,
        &[
            "pairs reach the threshold 0.5",
            "are expected to",
            "hint: give --threshold 0.",
        ],
    );
    assert!(!folder.path().join("pairs.csv").exists());
    let (_, hint) = refused.stderr.split_once("give --threshold ").unwrap();
    let (proposed, _) = hint.split_once(',').unwrap();
    call(proposed, &["--max-pairs", &most]).succeeded();
    // A number of pairs no memory holds is no more than there are.
    fs::remove_file(folder.path().join("pairs.csv")).unwrap();
    call("0.5", &["--top-k", "4294967295"]).succeeded();
    // A file that is there is noticed before anything is compared.
    call("0.5", &["--top-k", "9", "--max-pairs", "10"]).failed(3, &["exists already"]);
    fs::remove_file(folder.path().join("pairs.csv")).unwrap();
    call("0.5", &["--top-k", "9", "--max-pairs", "10"])
        .failed(3, &["up to 9 pairs for each", "smaller --top-k"]);
}
