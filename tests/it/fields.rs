//! A job under a profile that keeps fields apart: the evidence of each field decides, and is told.

use corridor_tests::{Job, Terms, corridor, fixture};
use serde_json::Value;

fn read_json(path: std::path::PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Rows of a CSV file without quotes as numbers of the columns whose name begins so.
fn numbers(csv: &str, prefix: &str) -> Vec<Vec<f64>> {
    let mut lines = csv.lines();
    let is_wanted: Vec<bool> = lines
        .next()
        .unwrap()
        .split(',')
        .map(|name| name.starts_with(prefix))
        .collect();
    let to_numbers = |line: &str| {
        let cells = line.split(',').zip(&is_wanted).filter(|(_, wanted)| **wanted);
        cells.map(|(cell, _)| cell.parse().unwrap()).collect()
    };
    lines.map(to_numbers).collect()
}

#[test]
fn the_evidence_of_each_field_comes_with_the_links_and_the_report() {
    let job = Job::start();
    let agreement = job.agree(&Terms {
        profile: "fields-512",
        outputs: r#"["flow_table", "link_list"]"#,
        ..Terms::default()
    });
    for office in ["tn", "it"] {
        job.encode(office, "project.key", "dataset.parquet").succeeded();
        job.upload(office, "dataset.parquet").succeeded();
    }
    let run = job
        .run("tn", &["run", "start", &agreement])
        .succeeded()
        .line()
        .to_owned();
    job.run("it", &["run", "watch", &run]).succeeded();
    for office in ["tn", "it"] {
        job.release(office, &run).succeeded();
    }
    let shown = job.run("it", &["flows", "show", &run]).succeeded();
    for words in ["fields decided", "birth_date", "weakest tenth"] {
        assert!(shown.stderr.contains(words), "{}", shown.stderr);
    }
    job.run("tn", &["flows", "export", &run, "--out", "tables"])
        .succeeded();
    let fields = read_json(job.path("tn").join("tables/flows.json"))["linkage"]["fields"].clone();
    let names: Vec<&str> = fields["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert!(fields["expected_precision"].as_f64().unwrap() > 0.95, "{fields}");
    job.run("tn", &["run", "links", &run, "-o", "links.csv"])
        .succeeded();
    let links = std::fs::read_to_string(job.path("tn").join("links.csv")).unwrap();
    let header = links.lines().next().unwrap();
    for name in names {
        assert!(header.contains(&format!("bits_{name}")), "{header}");
    }
    let totals: Vec<f64> = numbers(&links, "bits_")
        .iter()
        .map(|bits| bits.iter().sum())
        .collect();
    assert!(
        totals.len() > 2000 && totals.is_sorted_by(|a, b| *a >= b - 0.01),
        "{} links",
        totals.len()
    );
    let weakest = fields["weight_at_threshold"].as_f64().unwrap();
    assert!(totals.iter().all(|total| *total >= weakest - 0.05), "{weakest}");
}

/// The registers of the demonstration with their truth, which the linkage does not see.
#[test]
fn fields_find_who_is_who_and_say_how_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| fixture(name).display().to_string();
    let (left, right, truth) = (path("a.csv"), path("b.csv"), path("truth.csv"));
    let (left_mapping, right_mapping) = (path("left.toml"), path("right.toml"));
    let arguments = [
        "rehearse",
        "--left",
        &left,
        "--right",
        &right,
        "--left-mapping",
        &left_mapping,
        "--right-mapping",
        &right_mapping,
        "--truth",
        &truth,
        "--profile",
        "fields-512",
        "--value-frequencies",
        "names",
        "--out",
        "out",
    ];
    corridor(folder.path(), &arguments).succeeded();
    let quality = read_json(folder.path().join("out/quality.json"));
    let number = |key: &str| quality[key].as_f64().unwrap();
    assert!(number("f1") >= 0.98, "{quality}");
    assert!(
        (number("expected_precision") - number("precision")).abs() < 0.015,
        "{quality}"
    );
    let by_model = read_json(folder.path().join("out/report.json"))["linkage"]["fields"].clone();
    let by_model = by_model["expected_precision"].as_f64().unwrap();
    assert!(
        (by_model - number("precision")).abs() < 0.03,
        "{by_model} {quality}"
    );
}

/// Moves both registers have, by the truth, beside those matched and what is made of them.
#[test]
fn linkage_error_taken_out_brings_matched_moves_within_one_per_cent_of_the_truth() {
    for profile in ["saul-3-2048", "clk-1024", "fields-512"] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| fixture(name).display().to_string();
        let (left, right, truth) = (path("a.csv"), path("b.csv"), path("truth.csv"));
        let (left_mapping, right_mapping) = (path("left.toml"), path("right.toml"));
        let arguments = [
            "rehearse",
            "--left",
            &left,
            "--right",
            &right,
            "--left-mapping",
            &left_mapping,
            "--right-mapping",
            &right_mapping,
            "--profile",
            profile,
            "--out",
            "out",
        ];
        corridor(folder.path(), &arguments).succeeded();
        let document = read_json(folder.path().join("out/flows.json"));
        let totals: Vec<&Value> = document["table"]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["group"].as_object().unwrap().is_empty())
            .collect();
        assert_eq!(totals.len(), 2, "both directions");
        let sum = |part: &str| {
            totals
                .iter()
                .map(|row| row[part]["matched"].as_f64().unwrap())
                .sum::<f64>()
        };
        // The table leaves a few matched moves out, whose arrival is outside its period.
        let moves = std::fs::read_to_string(folder.path().join("out/moves.csv"))
            .unwrap()
            .lines()
            .count()
            - 1;
        let true_moves = std::fs::read_to_string(&truth).unwrap().lines().count() - 1;
        let corrected = moves as f64 * sum("corrected") / sum("counts");
        assert!(
            (corrected / true_moves as f64 - 1.0).abs() < 0.01,
            "{profile}: {corrected} of {true_moves}"
        );
    }
}

#[test]
fn values_are_weighed_only_where_fields_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| fixture(name).display().to_string();
    let (left, right, left_mapping, right_mapping) = (
        path("a.csv"),
        path("b.csv"),
        path("left.toml"),
        path("right.toml"),
    );
    let with = |profile: &str, fields: &str| {
        let arguments = [
            "rehearse",
            "--left",
            &left,
            "--right",
            &right,
            "--left-mapping",
            &left_mapping,
            "--right-mapping",
            &right_mapping,
            "--profile",
            profile,
            "--value-frequencies",
            fields,
            "--out",
            "out",
        ];
        corridor(folder.path(), &arguments)
    };
    with("clk-1024", "names").failed(3, &["does not keep fields apart", "fields-512"]);
    with("fields-512", "surname").failed(3, &["is not a match field", "names"]);
    assert!(!folder.path().join("out").exists());
}
