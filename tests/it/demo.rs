//! The demonstration: good enough, light enough, and the same bytes every time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use corridor_tests::{corridor, fixture, workspace_root};
use serde_json::Value;

/// The smallest F1 that is good enough on the bundled registers, without the passport number.
const LEAST_F1: f64 = 0.96;
/// The most memory a demonstration may take.
const MOST_MEMORY_MB: f64 = 500.0;

/// Every file, those of its folders too.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = self::files(&path).into_iter();
            files.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

fn f1(folder: &Path) -> f64 {
    let quality: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("quality.json")).unwrap()).unwrap();
    assert!(
        quality["threshold_chosen"]
            .as_str()
            .unwrap()
            .contains("without truth")
    );
    quality["f1"].as_f64().unwrap()
}

#[test]
fn the_demonstration_links_well_and_gives_the_same_bytes_with_1_and_2_threads() {
    let folder = tempfile::tempdir().unwrap();
    let demo = |out: &str, more: &[&str]| {
        let outcome = corridor(folder.path(), &[&["demo", "--out", out], more].concat()).succeeded();
        (outcome.stdout.replace(out, "OUT"), outcome.stderr)
    };
    let (page, steps) = demo("first", &["--threads", "1"]);
    for words in [
        "TN → IT",
        "IT → TN",
        "95 % interval",
        "··",
        "Linkage quality against the truth",
        "mapping init",
    ] {
        assert!(page.contains(words), "no {words:?} in {page}");
    }
    for step in [
        "keys:",
        "mutual TLS",
        "signed by both",
        "encoded by the origin",
        "uploaded",
        "released",
    ] {
        assert!(steps.contains(step), "no {step:?} in {steps}");
    }
    assert_readme_shows(&page, &steps);
    let memory = steps
        .split_once("peak memory ")
        .and_then(|(_, rest)| rest.split_once(" MB"))
        .unwrap()
        .0;
    assert!(memory.parse::<f64>().unwrap() < MOST_MEMORY_MB, "{memory} MB");
    assert!(f1(&folder.path().join("first")) >= LEAST_F1);

    for (out, threads) in [("second", "2"), ("third", "1")] {
        let (again, _) = demo(out, &["--threads", threads]);
        assert_eq!(again, page, "{threads} threads");
        let (first, again) = (
            files(&folder.path().join("first")),
            files(&folder.path().join(out)),
        );
        assert_eq!(first.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
        assert!(first.contains_key("pictures/pyramid_TN-IT.en.svg"));
        for (name, bytes) in &first {
            assert!(again[name] == *bytes, "{name} differs with {threads} threads");
        }
    }
}

/// The README shows what the demonstration prints, but for times and the port.
fn assert_readme_shows(page: &str, steps: &str) {
    let readme = fs::read_to_string(workspace_root().join("README.md")).unwrap();
    let (_, block) = readme.split_once("```text\n 1. registers").unwrap();
    let shown = format!(" 1. registers{}", block.split_once("```").unwrap().0);
    let plain = |line: &str| {
        let timed = line.ends_with(" s)").then(|| line.rsplit_once(" (")).flatten();
        let line = timed.map_or(line, |(before, _)| before);
        let line = line.split_once(" written to").map_or(line, |(before, _)| before);
        line.split_once("127.0.0.1:")
            .map_or(line, |(before, _)| before)
            .to_owned()
    };
    let printed: Vec<String> = page.lines().chain(steps.lines()).map(plain).collect();
    for line in shown.lines().filter(|line| *line != "…") {
        assert!(
            printed.contains(&plain(line)),
            "the README shows a line that is not printed: {line}"
        );
    }
}

#[test]
fn the_alias_takes_arguments_with_and_without_dashes_before_them() {
    let config = fs::read_to_string(workspace_root().join(".cargo/config.toml")).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let alias = config["alias"]["demo"].as_str().unwrap();
    // What cargo hands on: what stands behind the alias's own dashes, and then what the person typed.
    let (cargo, ours) = alias.split_once(" -- ").unwrap();
    assert!(cargo.contains("--bin corridor") && cargo.contains("--release"));
    let ours: Vec<&str> = ours.split(' ').collect();
    for (typed, out) in [(&["--"][..], "with"), (&[][..], "without")] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = [&ours[..], typed, &["--profile", "clk-1024", "--out", out]].concat();
        let outcome = corridor(folder.path(), &arguments).succeeded();
        assert!(outcome.stderr.contains("profile clk-1024"), "{}", outcome.stderr);
        assert!(folder.path().join(out).join("flows.csv").exists());
    }
}

#[test]
fn every_profile_links_well_on_the_agreed_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| fixture(name).to_str().unwrap().to_owned();
    for profile in ["saul-3-2048", "clk-1024"] {
        for fields in [
            "names,birth_date,sex,citizenship",
            "names,name_keys,birth_date,sex,citizenship",
        ] {
            let arguments = [
                "rehearse",
                "--left",
                &path("a.csv"),
                "--right",
                &path("b.csv"),
                "--left-mapping",
                &path("left.toml"),
                "--right-mapping",
                &path("right.toml"),
                "--truth",
                &path("truth.csv"),
                "--profile",
                profile,
                "--match-fields",
                fields,
                "--out",
                "out",
            ];
            corridor(folder.path(), &arguments).succeeded();
            let f1 = f1(&folder.path().join("out"));
            assert!(f1 >= LEAST_F1, "{profile} {fields}: F1 {f1}");
        }
    }
}

#[test]
fn a_demonstration_on_ones_own_registers_drafts_mappings_and_leaves_nothing_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("a.csv", "my.csv"),
        ("b.csv", "theirs.csv"),
        ("truth.csv", "truth.csv"),
    ] {
        fs::copy(fixture(from), folder.path().join(to)).unwrap();
    }
    for (file, reporter, mapping) in [("my.csv", "TN", "my.toml"), ("theirs.csv", "IT", "theirs.toml")] {
        corridor(folder.path(), &["mapping", "init", file, "-o", mapping]).succeeded();
        let path = folder.path().join(mapping);
        let draft = fs::read_to_string(&path).unwrap();
        // The one thing a header cannot say.
        let whole = draft.replace("# reporter = \"\"", &format!("reporter = \"{reporter}\""));
        assert_ne!(whole, draft);
        fs::write(&path, whole).unwrap();
    }
    let common = [
        "demo",
        "--left",
        "my.csv",
        "--right",
        "theirs.csv",
        "--out",
        "out",
    ];
    let mapped = ["--left-mapping", "my.toml", "--right-mapping", "theirs.toml"];
    let with_truth = [&common[..], &mapped, &["--truth", "truth.csv"]].concat();
    corridor(folder.path(), &with_truth).succeeded();
    assert!(f1(&folder.path().join("out")) >= LEAST_F1);
    corridor(folder.path(), &[&common[..], &mapped].concat()).succeeded();
    assert!(
        !folder.path().join("out/quality.json").exists(),
        "the quality of another demonstration"
    );

    // A drafted mapping that is not whole says what is missing.
    let failed = corridor(folder.path(), &common).failed(3, &["reporter"]);
    assert!(
        failed.stderr.contains("corridor mapping init"),
        "{}",
        failed.stderr
    );
}

#[test]
fn registers_of_persons_are_linked_without_a_flow_table() {
    let folder = tempfile::tempdir().unwrap();
    for (register, mapping, name) in [("a.csv", "left.toml", "a"), ("b.csv", "right.toml", "b")] {
        fs::copy(fixture(register), folder.path().join(register)).unwrap();
        let text = fs::read_to_string(fixture(mapping)).unwrap();
        let persons: String = text
            .replace("event_date = \"year-month-day\"", "")
            .lines()
            .filter(|line| {
                !["event_date", "direction", "counterpart"]
                    .iter()
                    .any(|key| line.starts_with(key))
            })
            .map(|line| line.to_owned() + "\n")
            .collect();
        let persons = persons.split("[codes.direction]").next().unwrap().to_owned();
        fs::write(folder.path().join(format!("{name}.toml")), persons).unwrap();
    }
    fs::copy(fixture("truth.csv"), folder.path().join("truth.csv")).unwrap();
    let arguments = [
        "rehearse",
        "--left",
        "a.csv",
        "--right",
        "b.csv",
        "--left-mapping",
        "a.toml",
        "--right-mapping",
        "b.toml",
        "--truth",
        "truth.csv",
        "--out",
        "out",
    ];
    let outcome = corridor(folder.path(), &arguments).succeeded();
    assert!(
        outcome
            .stderr
            .contains("no flow table: the registers hold persons only"),
        "{}",
        outcome.stderr
    );
    assert!(f1(&folder.path().join("out")) >= LEAST_F1);
    assert!(!folder.path().join("out/flows.csv").exists());
    let links = fs::read_to_string(folder.path().join("out/links.csv")).unwrap();
    assert!(links.starts_with("left_id,right_id,similarity,probability\n"));
}
