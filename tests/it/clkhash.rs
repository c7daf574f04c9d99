//! `corridor encode --clkhash-schema` against clkhash 0.18.3 itself, which `tests/run` installs in `target/python`, on random
//! schemas and people, and what it says of files it cannot use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use corridor_tests::{Outcome, command, corridor, workspace_root};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The random cases of `tests/python/clkhash_cases.py`, with what clkhash makes of them.
fn cases(kind: &str, count: u32, rows: u32) -> TempDir {
    let python = workspace_root().join("target/python/bin/python");
    assert!(
        python.exists(),
        "run tests/run, which installs clkhash in target/python"
    );
    let folder = tempfile::tempdir().unwrap();
    // Other seeds than those that were tried while it was built.
    let output = Command::new(python)
        .arg(workspace_root().join("tests/python/clkhash_cases.py"))
        .arg(folder.path())
        .args([kind, "900000", &count.to_string(), &rows.to_string()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    folder
}

/// What became of a case: the same encodings as clkhash's, or neither has any.
#[derive(Default)]
struct Tally {
    encoded: u32,
    refused: u32,
}

fn compare(folder: &Path) -> Tally {
    let mut tally = Tally::default();
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    for case in folders {
        let more: Vec<String> =
            serde_json::from_str(&fs::read_to_string(case.join("arguments.json")).unwrap()).unwrap();
        let mut arguments = vec![
            "encode",
            "--clkhash-schema",
            "schema.json",
            "--secret-file",
            "secret.txt",
        ];
        arguments.extend(["people.csv", "-o", "clks.json"]);
        arguments.extend(more.iter().map(String::as_str));
        let outcome = corridor(&case, &arguments);
        let expected = fs::read_to_string(case.join("expected.json")).unwrap();
        let name = case.file_name().unwrap().display();
        if expected.starts_with("{\"error\"") {
            assert!(
                !case.join("clks.json").exists(),
                "{name}: encoded in spite of {expected}"
            );
            outcome.failed(3, &[]);
            tally.refused += 1;
        } else {
            assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
            assert!(
                fs::read_to_string(case.join("clks.json")).unwrap() == expected,
                "{name}: other encodings than clkhash's"
            );
            tally.encoded += 1;
        }
    }
    tally
}

#[test]
fn random_people_under_random_schemas_have_the_encodings_of_clkhash() {
    let tally = compare(cases("good", 40, 50).path());
    assert!(
        tally.encoded >= 30,
        "{} encoded, {} refused",
        tally.encoded,
        tally.refused
    );
}

#[test]
fn random_values_are_refused_exactly_where_clkhash_refuses_them() {
    let tally = compare(cases("bad", 60, 2).path());
    assert!(
        tally.encoded >= 10 && tally.refused >= 10,
        "{} encoded, {} refused",
        tally.encoded,
        tally.refused
    );
}

#[test]
fn random_schemas_are_refused_exactly_where_clkhash_refuses_them() {
    let tally = compare(cases("schema", 60, 2).path());
    assert!(
        tally.encoded >= 5 && tally.refused >= 20,
        "{} encoded, {} refused",
        tally.encoded,
        tally.refused
    );
}

fn feature(identifier: &str) -> Value {
    json!({
        "identifier": identifier,
        "format": {"type": "string", "encoding": "utf-8"},
        "hashing": {"comparison": {"type": "ngram", "n": 2}, "strategy": {"bitsPerToken": 10}},
    })
}

fn schema() -> Value {
    json!({
        "version": 3,
        "clkConfig": {"l": 256, "kdf": {"type": "HKDF"}},
        "features": [feature("given"), feature("family")],
    })
}

const PEOPLE: &[u8] = b"given,family\nAmina,Trabelsi\nMarco,Rossi\n";

/// A folder with a schema, a secret and people.
fn folder(schema: &[u8], people: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("schema.json"), schema).unwrap();
    fs::write(folder.path().join("people.csv"), people).unwrap();
    write_secret(folder.path(), b"horse stable\n", 0o600);
    folder
}

fn write_secret(folder: &Path, secret: &[u8], mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("secret.txt");
    fs::write(&path, secret).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

const ARGUMENTS: [&str; 8] = [
    "encode",
    "--clkhash-schema",
    "schema.json",
    "--secret-file",
    "secret.txt",
    "people.csv",
    "-o",
    "clks.json",
];

fn encode(folder: &Path, more: &[&str]) -> Outcome {
    let mut arguments = ARGUMENTS.to_vec();
    arguments.extend(more);
    corridor(folder, &arguments)
}

/// Checks that nothing was written, and no part of it left.
fn left_nothing(folder: &Path) {
    let mut left: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["people.csv", "schema.json", "secret.txt"]);
}

#[test]
fn files_of_people_that_cannot_be_used_are_refused_by_line_and_column() {
    let long = format!("given,family\nAmina,{}\n", "x".repeat(200_000));
    let cases: &[(&[u8], &[&str], &[&str])] = &[
        (b"", &[], &["people.csv: line 1", "file is empty"]),
        (
            b"given\nAmina\n",
            &[],
            &["line 1", "header has 1 columns", "2 features"],
        ),
        (
            b"given,surname\nAmina,x\n",
            &[],
            &["line 1, column 2", "'family'"],
        ),
        (
            b"\xef\xbb\xbfgiven,family\nAmina,x\n",
            &[],
            &["line 1, column 1", "byte order mark"],
        ),
        (
            b"given,family\nAmina,Trabelsi\nMarco\n",
            &[],
            &["line 3", "1 columns"],
        ),
        (
            b"given,family\nAmina,Trabelsi\n\nMarco,Rossi\n",
            &[],
            &["line 3", "0 columns"],
        ),
        (
            b"given,family\nAmina,\"Trab\nelsi\"\nMarco,Rossi,x\n",
            &[],
            &["line 4", "3 columns"],
        ),
        (
            b"given,family\nAmina,Tr\xffbelsi\n",
            &[],
            &["line 2, byte 9", "not UTF-8"],
        ),
        (b"g\0i\0v\0e\0n\0,\0", &[], &["line 1", "header"]),
        (
            b"Amina,Trabelsi\nMarco\n",
            &["--no-header"],
            &["line 2", "1 columns"],
        ),
        (long.as_bytes(), &[], &["line 2, column 2", "131072 characters"]),
    ];
    for (people, more, words) in cases {
        let folder = folder(schema().to_string().as_bytes(), people);
        let outcome = encode(folder.path(), more).failed(3, words);
        for value in ["Amina", "surname", "Marco", "horse"] {
            assert!(
                !outcome.stderr.contains(value),
                "a value is named: {}",
                outcome.stderr
            );
        }
        left_nothing(folder.path());
    }
}

#[test]
fn values_that_do_not_fit_are_named_by_place_and_never_shown() {
    let mut schema = schema();
    schema["features"][1]["format"] = json!({"type": "date", "format": "%Y-%m-%d"});
    let folder = folder(
        schema.to_string().as_bytes(),
        b"given,family\nAmina,2001-02-03\nMarco,03/02/2001\n",
    );
    let outcome = encode(folder.path(), &[]).failed(3, &["people.csv: line 3, column 'family'", "date"]);
    assert!(
        !outcome.stderr.contains("Marco") && !outcome.stderr.contains("2001"),
        "{}",
        outcome.stderr
    );
    encode(folder.path(), &["--no-validate"]).failed(3, &["line 3, column 'family'"]);
    left_nothing(folder.path());
}

#[test]
fn schemas_that_cannot_be_used_are_refused_by_their_place() {
    let edits: &[(&str, Value, &[&str])] = &[
        ("/version", json!(4), &["version: it must be 1, 2 or 3"]),
        ("/clkConfig/l", json!(0), &["clkConfig.l: it must be at least 1"]),
        (
            "/clkConfig/l",
            json!(1000),
            &["features[0].hashing.hash", "power of two"],
        ),
        (
            "/clkConfig/kdf",
            json!({"type": "PBKDF2"}),
            &["clkConfig.kdf.type", "HKDF"],
        ),
        (
            "/clkConfig/kdf",
            json!({"type": "HKDF", "keySize": 65}),
            &["clkConfig.kdf.keySize", "64 bytes"],
        ),
        (
            "/clkConfig/kdf",
            json!({"type": "HKDF", "salt": "c2F"}),
            &["clkConfig.kdf.salt", "base64"],
        ),
        ("/features", json!([]), &["features: it must have a feature"]),
        (
            "/features/1/hashing/strategy",
            json!({"bitsPerToken": 0}),
            &["features[1].hashing.strategy.bitsPerToken"],
        ),
        (
            "/features/1/hashing/strategy",
            json!({"bitsPerToken": 2, "bitsPerFeature": 3}),
            &[
                "features[1].hashing.strategy",
                "one of 'bitsPerToken' and 'bitsPerFeature'",
            ],
        ),
        (
            "/features/0/format",
            json!({"type": "string", "pattern": "a", "case": "upper"}),
            &["features[0].format.case"],
        ),
        (
            "/features/0/format",
            json!({"type": "string", "pattern": "(a)\\1"}),
            &["features[0].format.pattern", "reference"],
        ),
        (
            "/features/0/format",
            json!({"type": "date", "format": "%c"}),
            &["features[0].format.format", "%c"],
        ),
        (
            "/features/0/hashing/comparison",
            json!({"type": "numeric", "thresholdDistance": 0.1, "resolution": 2}),
            &[
                "features[0].hashing.comparison.thresholdDistance",
                "fractional_precision",
            ],
        ),
    ];
    for (place, value, words) in edits {
        let mut schema = schema();
        *schema.pointer_mut(place).unwrap() = value.clone();
        let folder = folder(schema.to_string().as_bytes(), PEOPLE);
        encode(folder.path(), &[]).failed(3, words);
        left_nothing(folder.path());
    }
    for (schema, words) in [
        (&b"{\"version\": 3,"[..], "not JSON"),
        (b"[]", "must be an object"),
        (b"{}", "'version' is missing"),
    ] {
        let folder = folder(schema, PEOPLE);
        encode(folder.path(), &[]).failed(3, &["schema.json", words]);
    }
}

#[test]
fn the_secret_must_be_there_and_the_owners_alone() {
    let folder = folder(schema().to_string().as_bytes(), PEOPLE);
    write_secret(folder.path(), b"horse stable\n", 0o644);
    let outcome = encode(folder.path(), &[]).failed(3, &["secret.txt can be read by others (mode 644)"]);
    assert!(!outcome.stderr.contains("horse"));
    write_secret(folder.path(), b"\n", 0o600);
    encode(folder.path(), &[]).failed(3, &["secret.txt", "no secret"]);
    left_nothing(folder.path());
}

#[test]
fn what_is_ignored_and_how_little_it_protects_is_said() {
    let mut schema = schema();
    schema["clkConfig"]["xorFolds"] = json!(1);
    schema["features"][0]["hashing"]["comparison"]["fractionalPrecision"] = json!(2);
    let folder = folder(schema.to_string().as_bytes(), PEOPLE);
    let outcome = encode(folder.path(), &["--json"]).succeeded();
    for note in [
        "note: 'clkConfig.xorFolds' is ignored, as by clkhash 0.18.3",
        "note: 'features[0].hashing.comparison.fractionalPrecision' is ignored",
        "withstands only a linkage unit that has no list of the people",
    ] {
        assert!(outcome.stderr.contains(note), "no {note:?} in {}", outcome.stderr);
    }
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        (&report["records_encoded"], &report["filter_bits"]),
        (&json!(2), &json!(256))
    );
    let like_clkhash = fs::read(folder.path().join("clks.json")).unwrap();
    encode(folder.path(), &[]).failed(3, &["clks.json exists already"]);
    assert_eq!(fs::read(folder.path().join("clks.json")).unwrap(), like_clkhash);
    fs::remove_file(folder.path().join("clks.json")).unwrap();
    let outcome = encode(folder.path(), &["--honour-xor-folds"]).succeeded();
    assert!(!outcome.stderr.contains("xorFolds"), "{}", outcome.stderr);
    assert_ne!(fs::read(folder.path().join("clks.json")).unwrap(), like_clkhash);
}

#[test]
fn threads_and_pieces_change_nothing_and_a_full_disk_leaves_nothing() {
    let mut people = b"given,family\n".to_vec();
    for number in 0..30_000 {
        people.extend(format!("Person {number},\"Family, \"\"{}\"\"\"\n", number % 977).into_bytes());
    }
    let folder = folder(schema().to_string().as_bytes(), &people);
    let mut all = Vec::new();
    for threads in ["1", "2", "5"] {
        encode(folder.path(), &["--threads", threads]).succeeded();
        all.push(fs::read(folder.path().join("clks.json")).unwrap());
        fs::remove_file(folder.path().join("clks.json")).unwrap();
    }
    assert!(all.iter().all(|clks| *clks == all[0]));
    let clks: Value = serde_json::from_slice(&all[0]).unwrap();
    assert_eq!(clks["clks"].as_array().unwrap().len(), 30_000);

    let disk = folder.path().join("disk");
    let mut limited = Command::new("unshare");
    limited.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    limited.arg("mkdir -p disk && mount -t tmpfs -o size=64k none disk && \"$0\" \"$@\"; code=$?; ls -A disk >&2; exit $code");
    let mut arguments = ARGUMENTS.to_vec();
    arguments[7] = "disk/clks.json";
    limited
        .arg(command(folder.path(), &arguments).get_program())
        .args(&arguments);
    let outcome = Outcome::from(limited.current_dir(folder.path()).output().unwrap());
    let outcome = outcome.failed(1, &["room on the disk"]);
    assert!(
        !outcome.stderr.contains(".tmp") && !outcome.stderr.contains("\nclks.json"),
        "{}",
        outcome.stderr
    );
    fs::remove_dir(&disk).unwrap();
}
