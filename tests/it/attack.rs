//! What an office is told about attacks on its own filters.

use std::fs;

use corridor_tests::{corridor, fixture};
use serde_json::Value;

/// Attacks the first rows of the bundled origin's register; gives the page, everything said, and the report.
fn attacked(profile: &str) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let register = fs::read_to_string(fixture("a.csv")).unwrap();
    let some: Vec<&str> = register.lines().take(1 + 900).collect();
    fs::write(folder.path().join("register.csv"), some.join("\n") + "\n").unwrap();
    fs::copy(fixture("left.toml"), folder.path().join("mapping.toml")).unwrap();
    let arguments = [
        "rehearse",
        "--attack",
        "--left",
        "register.csv",
        "--left-mapping",
        "mapping.toml",
        "--profile",
        profile,
        "--attack-records",
        "900",
        "--out",
        "out",
    ];
    let outcome = corridor(folder.path(), &arguments).succeeded();
    let report = fs::read_to_string(folder.path().join("out/attack.json")).unwrap();
    for name in register
        .lines()
        .skip(1)
        .take(20)
        .filter_map(|row| row.split(',').nth(2))
    {
        assert!(
            !report.contains(name) && !outcome.stdout.contains(name),
            "a name is told"
        );
    }
    (outcome.stdout, serde_json::from_str(&report).unwrap())
}

/// Verdict and share named of graph matching with a list of all, and of the same file under two keys.
fn graph_matching(report: &Value) -> [(String, f64); 2] {
    let rows = report["rows"].as_array().unwrap();
    let found = |wanted: &dyn Fn(&Value) -> bool| {
        let row = rows.iter().find(|row| wanted(row)).unwrap();
        (
            row["verdict"].as_str().unwrap().to_owned(),
            row["top1"].as_f64().unwrap(),
        )
    };
    [
        found(&|row| row["attack"] == "overlap" && row["percent"] == 100),
        found(&|row| row["attack"] == "two_keys"),
    ]
}

#[test]
fn classic_filters_fall_and_the_default_withstands_on_an_offices_own_register() {
    let (page, report) = attacked("clk-1024");
    for (verdict, named) in graph_matching(&report) {
        assert!(verdict == "broken" && named > 0.9, "{verdict} {named}");
    }
    assert!(page.contains("BROKEN") && page.contains("Someone with a list of half of your people"));
    let (page, report) = attacked("saul-3-2048");
    for (verdict, named) in graph_matching(&report) {
        assert!(verdict == "withstood" && named <= 0.01, "{verdict} {named}");
    }
    assert!(page.contains("a dictionary names everybody"));
}
