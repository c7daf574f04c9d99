//! What is said of quality without truth, beside the truth.

use corridor_tests::corridor;
use serde_json::Value;

/// Corridors with people of different names, and what each run is linked under.
const CORRIDORS: [&str; 5] = ["SN-FR", "MA-ES", "DZ-FR", "NG-IT", "ER-DE"];
const PROFILES: [&str; 2] = ["saul-3-2048", "clk-1024"];
const RUNS: usize = 50;

struct Run {
    what: String,
    /// Whether the true share lies in the interval.
    precision: bool,
    recall: bool,
}

fn rehearse(seed: usize) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (name, profile) = (CORRIDORS[seed % CORRIDORS.len()], PROFILES[seed % PROFILES.len()]);
    let seed = seed.to_string();
    let synth = [
        "synth",
        "--corridor",
        name,
        "--records",
        "1200",
        "--seed",
        &seed,
        "--out",
        "people",
    ];
    corridor(folder.path(), &synth).succeeded();
    let rehearse = [
        "rehearse",
        "--left",
        "people/a.csv",
        "--right",
        "people/b.csv",
        "--left-mapping",
        "people/left.toml",
        "--right-mapping",
        "people/right.toml",
        "--truth",
        "people/persons.csv",
        "--profile",
        profile,
        "--seed",
        &seed,
        "--threads",
        "1",
        "--out",
        "out",
    ];
    corridor(folder.path(), &rehearse).succeeded();
    let read = |file: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out").join(file)).unwrap()).unwrap()
    };
    let (quality, report) = (read("quality.json"), read("report.json"));
    let estimators = &report["linkage"]["estimators"];
    let is_inside = |share: &str| {
        let end = |end: &str| estimators[format!("{share}_{end}")].as_f64().unwrap();
        (end("low")..=end("high")).contains(&quality[share].as_f64().unwrap())
    };
    Run {
        what: format!("{name} {profile} {seed}: {quality} {estimators}"),
        precision: is_inside("precision"),
        recall: is_inside("recall"),
    }
}

#[test]
fn true_precision_and_recall_lie_in_their_intervals() {
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let half =
            |first: usize| scope.spawn(move || (first..=RUNS).step_by(2).map(rehearse).collect::<Vec<_>>());
        let halves = [half(1), half(2)];
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    for (share, is_inside) in [
        ("precision", (|run| run.precision) as fn(&Run) -> bool),
        ("recall", |run| run.recall),
    ] {
        let outside: Vec<&str> = runs
            .iter()
            .filter(|run| !is_inside(run))
            .map(|run| run.what.as_str())
            .collect();
        assert!(
            runs.len() == RUNS && 10 * outside.len() <= RUNS,
            "{share}: {outside:#?}"
        );
    }
}
