//! Registers, mappings and files that cannot be used: a clear error that names file, line and column, and nothing
//! written; rows that cannot be used are counted by reason, never dropped in silence.

use std::fs;
use std::path::Path;

use corridor_tests::{Outcome, command, corridor, fixture};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const HEADER: &str = "id,given,family,born,sex,citizen,date,dir,other";

pub(crate) const MAPPING: &str = r#"
version = 1
reporter = "TN"
[columns]
record_id = "id"
given_names = ["given"]
family_names = ["family"]
birth_date = "born"
sex = "sex"
citizenship = "citizen"
event_date = "date"
direction = "dir"
counterpart = "other"
[codes.sex]
female = ["F"]
male = ["M"]
[codes.direction]
emigration = ["OUT"]
immigration = ["IN"]
"#;

/// A row no one objects to.
pub(crate) fn row(id: &str) -> String {
    format!("{id},Mohamed Aziz,Ben Salah,1990-05-17,M,TN,2023-02-01,OUT,IT")
}

pub(crate) fn rows(ids: std::ops::Range<u32>) -> String {
    ids.map(|id| row(&format!("R{id}")) + "\n").collect()
}

/// A folder with `register.csv` and `mapping.toml`.
pub(crate) fn folder(register: impl AsRef<[u8]>, mapping: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("register.csv"), register).unwrap();
    fs::write(folder.path().join("mapping.toml"), mapping).unwrap();
    let theirs = mapping.replace("reporter = \"TN\"", "reporter = \"IT\"");
    fs::write(folder.path().join("theirs.toml"), theirs).unwrap();
    folder
}

pub(crate) fn inspect(folder: &Path) -> Outcome {
    corridor(
        folder,
        &["inspect", "register.csv", "--mapping", "mapping.toml", "--json"],
    )
}

/// Links the register with itself.
fn rehearse(folder: &Path, more: &[&str]) -> Outcome {
    let mut arguments = vec![
        "rehearse",
        "--left",
        "register.csv",
        "--left-mapping",
        "mapping.toml",
    ];
    arguments.extend([
        "--right",
        "register.csv",
        "--right-mapping",
        "theirs.toml",
        "--out",
        "out",
    ]);
    arguments.extend(more);
    corridor(folder, &arguments)
}

#[test]
fn files_that_are_no_register_are_refused_by_name_and_line() {
    let good = format!("{HEADER}\n{}", rows(1..6));
    let long = format!("{HEADER}\n{}\n{}", row("R1"), "x".repeat(10 << 20));
    let open_quote = format!("{HEADER}\n{}R9,\"Mohamed,Ben,,,,,,\n{}", rows(1..3), rows(10..60));
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bad_header = HEADER.as_bytes().to_vec();
    bad_header[0] = 0xe9;
    let cases: Vec<(&str, Vec<u8>, Vec<&str>)> = vec![
        ("an empty file", vec![], vec!["register.csv", "empty"]),
        (
            "a header only",
            HEADER.into(),
            vec!["register.csv", "header only"],
        ),
        (
            "a header only, with its line's end",
            format!("{HEADER}\n").into(),
            vec!["register.csv", "header only"],
        ),
        (
            "a column missing",
            good.replace("born", "birthday").into(),
            vec![
                "register.csv line 1",
                "\"born\"",
                "columns.birth_date",
                "birthday",
            ],
        ),
        (
            "semicolons",
            good.replace(',', ";").into(),
            vec!["register.csv line 1", "no column \"id\"", "file.delimiter"],
        ),
        (
            "a column twice",
            good.replace("given,family", "given,given").into(),
            vec!["register.csv line 1", "\"given\"", "twice"],
        ),
        (
            "a line of 10 MB",
            long.into(),
            vec!["register.csv line 3", "longer than"],
        ),
        (
            "a quote never closed",
            open_quote.into(),
            vec!["register.csv line 4", "quote not closed"],
        ),
        (
            "a record id twice",
            format!("{good}{}\n", row("R2")).into(),
            vec!["register.csv line 7", "\"id\"", "the record id of line 3 again"],
        ),
        (
            "UTF-16 without its mark",
            utf16,
            vec!["register.csv line 1", "UTF-16"],
        ),
        (
            "a workbook cut off",
            b"PK\x03\x04rest".to_vec(),
            vec!["register.csv line 1", "damaged or cut XLSX"],
        ),
        (
            "Parquet cut off",
            b"PAR1rest".to_vec(),
            vec!["register.csv line 1", "the Parquet file is damaged"],
        ),
        (
            "a workbook of old Excel",
            b"\xd0\xcf\x11\xe0rest".to_vec(),
            vec!["register.csv line 1", "old Excel", "XLSX"],
        ),
        (
            "a compressed file",
            b"\x1f\x8brest".to_vec(),
            vec!["register.csv line 1", "unpack"],
        ),
        (
            "a header in Latin-1",
            bad_header,
            vec!["register.csv line 1", "UTF-8", "file.encoding"],
        ),
    ];
    for (what, register, words) in cases {
        let folder = folder(register, MAPPING);
        eprintln!("case: {what}");
        inspect(folder.path()).failed(3, &words);
        rehearse(folder.path(), &[]).failed(3, &words);
        let written = fs::read_dir(folder.path().join("out")).map_or(0, Iterator::count);
        assert_eq!(written, 0, "{what}: something was written");
    }
    let nowhere = tempfile::tempdir().unwrap();
    fs::write(nowhere.path().join("mapping.toml"), MAPPING).unwrap();
    inspect(nowhere.path()).failed(3, &["cannot read register.csv"]);
}

/// The problems of an inspection: reason → (count, column, first lines).
pub(crate) fn problems(inspection: &Outcome) -> Vec<(String, u64, Option<String>, Vec<u64>)> {
    let report: Value = serde_json::from_str(&inspection.stdout).unwrap();
    let problems = report["read"]["problems"].as_object().unwrap();
    problems
        .iter()
        .map(|(reason, occurrences)| {
            (
                reason.clone(),
                occurrences["count"].as_u64().unwrap(),
                occurrences["column"].as_str().map(str::to_owned),
                occurrences["first_lines"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|l| l.as_u64().unwrap())
                    .collect(),
            )
        })
        .collect()
}

#[test]
fn rows_that_cannot_be_used_are_counted_by_reason_line_and_column() {
    let row = "Mohamed Aziz,Ben Salah,1990-05-17,M,TN,2023-02-01,OUT,IT";
    let cases: &[(&str, String, &str, Option<&str>, bool)] = &[
        (
            "an unknown sex",
            row.replace(",M,", ",H,"),
            "sex_undeclared",
            Some("sex"),
            true,
        ),
        (
            "an unknown direction",
            row.replace("OUT", "GONE"),
            "direction_undeclared",
            Some("dir"),
            true,
        ),
        (
            "an unknown country",
            row.replace(",IT", ",Italia"),
            "counterpart_undeclared",
            Some("other"),
            true,
        ),
        (
            "an impossible event date",
            row.replace("2023-02-01", "2023-02-30"),
            "event_date_impossible",
            Some("date"),
            true,
        ),
        (
            "no event date",
            row.replace("2023-02-01", ""),
            "event_date_impossible",
            Some("date"),
            true,
        ),
        (
            "too few columns",
            row.replace(",IT", ""),
            "field_count",
            None,
            true,
        ),
        (
            "too many columns",
            format!("{row},more"),
            "field_count",
            None,
            true,
        ),
        (
            "an impossible birth date",
            row.replace("1990-05-17", "1990-02-30"),
            "birth_date_impossible",
            Some("born"),
            false,
        ),
        (
            "an unknown citizenship",
            row.replace(",TN,", ",XYZ,"),
            "citizenship_unknown",
            Some("citizen"),
            false,
        ),
        (
            "no name and no birth date",
            row.replace("Mohamed Aziz,Ben Salah,1990-05-17", "...,',"),
            "too_few_tokens",
            None,
            true,
        ),
    ];
    for (what, bad, reason, column, refused) in cases {
        let register = format!("{HEADER}\n{}BAD,{bad}\n{}", rows(1..4), rows(4..200));
        let folder = folder(register, MAPPING);
        let rehearsed = rehearse(folder.path(), &["--json", "--threshold", "0.9"]).succeeded();
        let summary: Value = serde_json::from_str(&rehearsed.stdout).unwrap();
        let read = &summary["report"]["left"]["read"];
        let problem = &read["problems"][reason];
        assert_eq!(problem["count"], 1, "{what}: {read}");
        assert_eq!(problem["first_lines"], serde_json::json!([5]), "{what}");
        assert_eq!(problem["column"].as_str(), *column, "{what}");
        assert_eq!(read["rows_refused"], u64::from(*refused), "{what}");
        assert_eq!(
            summary["report"]["left"]["records_encoded"].as_u64().unwrap()
                + read["rows_refused"].as_u64().unwrap(),
            read["rows_read"].as_u64().unwrap(),
            "{what}: every row is encoded or counted"
        );
        if *refused {
            let strict =
                rehearse(folder.path(), &["--max-refused", "0"]).failed(3, &["register.csv", "line 5"]);
            if let Some(column) = column {
                assert!(
                    strict.stderr.contains(&format!("column {column:?}")),
                    "{what}: {}",
                    strict.stderr
                );
            }
            assert!(!strict.stderr.contains("Salah"), "{what}: an error shows a value");
        }
    }
}

#[test]
fn a_file_without_a_header_shows_no_person() {
    // Also where no cell of the first row holds a number.
    let first = "Mohamed,Mohamed,Salah,,M,TN,,OUT,IT\n".to_owned();
    let folder = folder(first + &rows(1..30), MAPPING);
    for arguments in [
        vec!["inspect", "register.csv", "--mapping", "mapping.toml"],
        vec!["mapping", "init", "register.csv", "-o", "drafted.toml"],
    ] {
        let refused = corridor(folder.path(), &arguments).failed(3, &["register.csv line 1"]);
        for value in ["Mohamed", "Salah", "1990", "R1"] {
            assert!(!refused.stderr.contains(value), "{value} in {}", refused.stderr);
        }
    }
    assert!(!folder.path().join("drafted.toml").exists());
}

#[test]
fn quotes_astray_swallow_no_row() {
    let stray = |id: &str| row(id).replace("Mohamed", "\"Mohamed");
    let register = format!(
        "{HEADER}\n{}{}\n{}{}\n{}",
        rows(1..5),
        stray("S1"),
        rows(5..9),
        stray("S2"),
        rows(9..40)
    );
    let folder_astray = folder(&register, MAPPING);
    inspect(folder_astray.path()).failed(3, &["register.csv line 6", "quote not closed"]);
    // Declared line breaks are read.
    let register = format!(
        "{HEADER}\n{}\n{}",
        row("R1").replace("Ben Salah", "\"Ben\nSalah\""),
        rows(2..30)
    );
    let mapping = format!("{MAPPING}[file]\nmultiline = true\n");
    let folder_multiline = folder(&register, &mapping);
    assert!(problems(&inspect(folder_multiline.path()).succeeded()).is_empty());
    let folder_undeclared = folder(register, MAPPING);
    inspect(folder_undeclared.path()).failed(3, &["register.csv line 2", "quote not closed"]);
}

#[test]
fn a_wrong_order_of_dates_is_not_taken_for_missing_dates() {
    let register = format!("{HEADER}\n{}", rows(1..100)).replace("1990-05-17", "17/05/1990");
    let folder = folder(register, MAPPING);
    let refused = rehearse(folder.path(), &["--threshold", "0.9"]).failed(3, &["99 of 99 rows", "line 2"]);
    assert!(refused.stderr.contains("order of dates"), "{}", refused.stderr);
}

#[test]
fn lines_are_counted_alike_with_either_line_end() {
    for end in ["\n", "\r\n"] {
        let register = format!("{HEADER}\n{}{}\n", rows(1..10), row("R4")).replace('\n', end);
        let folder = folder(register, MAPPING);
        inspect(folder.path()).failed(3, &["register.csv line 11", "the record id of line 5 again"]);
    }
}

#[test]
fn results_of_somebody_else_are_not_replaced() {
    let folder = folder(format!("{HEADER}\n{}", rows(1..50)), MAPPING);
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/links.csv"), "mine").unwrap();
    rehearse(folder.path(), &["--threshold", "0.9"]).failed(3, &["out/links.csv exists already"]);
    assert_eq!(
        fs::read_to_string(folder.path().join("out/links.csv")).unwrap(),
        "mine"
    );
    fs::remove_file(folder.path().join("out/links.csv")).unwrap();
    for _ in 0..2 {
        rehearse(folder.path(), &["--threshold", "0.9"]).succeeded();
    }
}

#[test]
fn invalid_utf8_in_one_row_loses_that_row_only() {
    let mut register = format!("{HEADER}\n{}", rows(1..4)).into_bytes();
    register.extend(b"R4,Mohamed,Ben Sal\xe9h,1990-05-17,M,TN,2023-02-01,OUT,IT\n");
    register.extend(rows(5..200).into_bytes());
    let folder = folder(register, MAPPING);
    let inspected = inspect(folder.path()).succeeded();
    assert_eq!(
        problems(&inspected),
        [("invalid_utf8".to_owned(), 1, None, vec![5])]
    );
    let report: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(
        (
            report["read"]["rows_read"].as_u64(),
            report["read"]["rows_refused"].as_u64()
        ),
        (Some(199), Some(1))
    );
}

#[test]
fn a_byte_order_mark_and_declared_semicolons_are_read() {
    let register = format!("\u{feff}{HEADER}\n{}", rows(1..20));
    let folder_bom = folder(&register, MAPPING);
    assert!(problems(&inspect(folder_bom.path()).succeeded()).is_empty());
    let mapping = format!("{MAPPING}[file]\ndelimiter = \";\"\n");
    let folder_semicolons = folder(register.replace(',', ";").replace('\n', "\r\n"), &mapping);
    assert!(problems(&inspect(folder_semicolons.path()).succeeded()).is_empty());
}

#[test]
fn a_dataset_cut_or_altered_anywhere_is_found() {
    // `compare` reads datasets as the service does.
    let folder = tempfile::tempdir().unwrap();
    let sample = corridor_tests::sample::Sample::new();
    let bytes = &sample.datasets[0].1;
    fs::write(folder.path().join("good.parquet"), bytes).unwrap();
    let compare = |file: &str| {
        let arguments = [
            "compare",
            "good.parquet",
            file,
            "--threshold",
            "0.9",
            "-o",
            "pairs.csv",
        ];
        corridor(folder.path(), &arguments)
    };
    let len = bytes.len();
    for position in [4, 100, len / 3, len / 2, len - 400, len - 40, len - 9, len - 1] {
        let mut altered = bytes.to_vec();
        altered[position] ^= 0x10;
        fs::write(folder.path().join("bad.parquet"), altered).unwrap();
        compare("bad.parquet").failed(3, &["bad.parquet", "altered or cut off"]);
    }
    for cut in [len - 1, len - 8, len / 2, 100] {
        fs::write(folder.path().join("bad.parquet"), &bytes[..cut]).unwrap();
        compare("bad.parquet").failed(3, &["bad.parquet", "altered or cut off"]);
    }
    fs::write(folder.path().join("bad.parquet"), [bytes.as_ref(), b"x"].concat()).unwrap();
    compare("bad.parquet").failed(3, &["bad.parquet", "altered or cut off"]);
    assert!(!folder.path().join("pairs.csv").exists());
}

#[test]
fn what_compare_cannot_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    // 8 bytes of ones in base64, and 16.
    write("good.json", r#"{"clks": ["//////////8=", "AAAAAAAAAAA="]}"#);
    write("longer.json", r#"{"clks": ["/////////////////////w=="]}"#);
    write("uneven.json", r#"{"clks": ["//////////8=", "AAA="]}"#);
    write("no-base64.json", r#"{"clks": ["//////////8=", "?"]}"#);
    write("none.json", r#"{"clks": []}"#);
    write("other.json", r#"{"filters": []}"#);
    write("text.txt", "hello");
    let compare = |right: &str, threshold: &str| {
        let arguments = [
            "compare",
            "good.json",
            right,
            "--threshold",
            threshold,
            "-o",
            "pairs.csv",
        ];
        corridor(folder.path(), &arguments)
    };
    compare("longer.json", "0.8").failed(3, &["64 bits", "128 bits"]);
    compare("uneven.json", "0.8").failed(3, &["uneven.json", "filter 1 has 2 bytes"]);
    compare("no-base64.json", "0.8").failed(3, &["no-base64.json", "filter 1"]);
    compare("none.json", "0.8").failed(3, &["none.json", "no filters"]);
    compare("other.json", "0.8").failed(3, &["other.json", "neither a dataset nor clkhash's JSON"]);
    compare("text.txt", "0.8").failed(3, &["text.txt"]);
    compare("nowhere.json", "0.8").failed(3, &["nowhere.json"]);
    for threshold in ["0", "1.1", "-1", "NaN", "high"] {
        let refused = compare("good.json", threshold);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains("threshold"), "{}", refused.stderr);
    }
    assert!(!folder.path().join("pairs.csv").exists());
    // A filter without any bit, or with all, says nothing of anybody, though it is like itself.
    let compared = compare("good.json", "0.8");
    assert!(
        compared
            .stderr
            .contains("2 filters of the left side have no bit set, or all"),
        "{}",
        compared.stderr
    );
    compared.succeeded();
    let pairs = fs::read_to_string(folder.path().join("pairs.csv")).unwrap();
    assert_eq!(pairs, "left,right,similarity\n");
    compare("good.json", "0.8").failed(3, &["pairs.csv exists already"]);
}

#[test]
fn truth_that_does_not_fit_is_refused() {
    let register = format!("{HEADER}\n{}", rows(1..50));
    let folder = folder(register, MAPPING);
    for (truth, words) in [
        ("left,right\nR1,R1\n", vec!["truth.csv", "no column \"id_a\""]),
        (
            "id_a,id_b\nX1,Y1\n",
            vec!["truth.csv", "names no pair of records"],
        ),
    ] {
        fs::write(folder.path().join("truth.csv"), truth).unwrap();
        rehearse(folder.path(), &["--truth", "truth.csv", "--threshold", "0.9"]).failed(3, &words);
    }
}

#[test]
fn people_nobody_can_tell_apart_give_no_links_but_a_reason() {
    let register = format!("{HEADER}\n{}", rows(1..300));
    let folder = folder(register, MAPPING);
    let refused = rehearse(folder.path(), &[]).failed(1, &["told apart"]);
    assert!(!refused.stderr.contains("Mohamed"));
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv", "b.csv", "left.toml", "right.toml"] {
        fs::copy(fixture(name), folder.path().join(name)).unwrap();
    }
    fs::create_dir(folder.path().join("small")).unwrap();
    // A file system of 64 KiB, seen by this command alone.
    let mut limited = std::process::Command::new("unshare");
    limited
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(
            "mount -t tmpfs -o size=64k none small || exit 77
             \"$0\" \"$@\"; code=$?; find small -type f; exit $code",
        )
        .arg(command(folder.path(), &[""]).get_program())
        .args([
            "rehearse",
            "--left",
            "a.csv",
            "--right",
            "b.csv",
            "--left-mapping",
            "left.toml",
        ])
        .args([
            "--right-mapping",
            "right.toml",
            "--threshold",
            "0.2",
            "--out",
            "small",
        ])
        .current_dir(folder.path());
    let outcome = Outcome::from(limited.output().expect("unshare runs (package util-linux)"));
    assert_ne!(
        outcome.code,
        Some(77),
        "no file system could be mounted: {}",
        outcome.stderr
    );
    outcome.failed(
        1,
        &["cannot write small/", "make room", "No space left on device"],
    );
}

#[test]
fn people_who_are_all_alike_are_refused_with_what_would_help() {
    let folder = folder(format!("{HEADER}\n{}", rows(0..300)), MAPPING);
    let arguments = ["--threshold", "0.9", "--max-candidates", "10000"];
    let refused = rehearse(folder.path(), &arguments).failed(
        1,
        &[
            "90,000 candidate pairs are expected at the threshold 0.9",
            "more than the 10,000",
            "no threshold tells their records apart",
            "--max-candidates",
        ],
    );
    assert!(refused.stderr.contains("hint:"), "{}", refused.stderr);
    assert!(!folder.path().join("out/links.csv").exists());
}
