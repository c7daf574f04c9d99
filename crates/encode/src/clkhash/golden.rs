//! Files that clkhash 0.18.3 encoded: `crates/encode/tests/clkhash`.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::{ClkError, ClkHeader, ClkOptions, ClkReport, ClkSchema, ClkSecret, XorFolds, encode_clks};

#[derive(Deserialize)]
struct Case {
    name: String,
    people: String,
    secret: String,
    header: String,
    validate: bool,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clkhash/0.18.3")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn cases() -> Vec<Case> {
    serde_json::from_str(&read("cases.json")).unwrap()
}

fn encode(case: &Case, folds: XorFolds) -> Result<(String, ClkReport), ClkError> {
    let schema = ClkSchema::from_json(&read(&format!("{}.schema.json", case.name)), folds)?;
    let secret = ClkSecret::from_file_bytes(case.secret.clone().into_bytes())?;
    let options = ClkOptions {
        header: match case.header.as_str() {
            "true" => ClkHeader::Checked,
            "false" => ClkHeader::Absent,
            _ => ClkHeader::Ignored,
        },
        validate: case.validate,
    };
    let mut out = Vec::new();
    let people = fs::File::open(folder().join(&case.people)).unwrap();
    let report = encode_clks(people, &schema, &secret, options, &mut out, &|_| {})?;
    Ok((String::from_utf8(out).unwrap(), report))
}

#[test]
fn encodings_are_those_of_clkhash() {
    let cases = cases();
    assert!(cases.len() >= 18);
    for case in cases {
        let expected = read(&format!("{}.clks.json", case.name));
        let (clks, report) =
            encode(&case, XorFolds::LikeClkhash).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(clks, expected, "{}", case.name);
        assert_eq!(
            report.records_encoded,
            expected.matches("\", \"").count() as u64 + 1,
            "{}",
            case.name
        );
    }
}

#[test]
fn folds_that_clkhash_documents_are_named_and_honoured_when_asked_for() {
    let all = cases();
    let case = |name: &str| all.iter().find(|case| case.name == name).unwrap();
    let documented = case("v3_folds_documented");
    let (_, report) = encode(documented, XorFolds::LikeClkhash).unwrap();
    assert!(
        report.notes.iter().any(|note| note.contains("xorFolds")),
        "{:?}",
        report.notes
    );
    // The same schema with the key that clkhash reads, and another secret.
    let read = Case {
        secret: documented.secret.clone(),
        name: "v3_folds_read".to_owned(),
        people: documented.people.clone(),
        header: documented.header.clone(),
        ..*documented
    };
    let honoured = encode(documented, XorFolds::Honour).unwrap();
    assert_eq!(honoured.0, encode(&read, XorFolds::LikeClkhash).unwrap().0);
    assert!(honoured.1.notes.is_empty(), "{:?}", honoured.1.notes);
    let both = encode(case("v1_folds"), XorFolds::Honour).unwrap_err();
    assert!(both.to_string().contains("different things"), "{both}");
}

#[test]
fn many_rows_are_written_as_one_list_in_their_order() {
    let schema = ClkSchema::from_json(&read("v3_missing.schema.json"), XorFolds::LikeClkhash).unwrap();
    let secret = ClkSecret::from_file_bytes(b"secret".to_vec()).unwrap();
    let encode = |people: &str| {
        let mut out = Vec::new();
        let options = ClkOptions {
            header: ClkHeader::Absent,
            ..ClkOptions::default()
        };
        encode_clks(people.as_bytes(), &schema, &secret, options, &mut out, &|_| {}).unwrap();
        String::from_utf8(out).unwrap()
    };
    let rows: Vec<String> = (0..9000)
        .map(|n| format!("Name {n},{}-01-01\n", 1000 + n))
        .collect();
    let together: serde_json::Value = serde_json::from_str(&encode(&rows.concat())).unwrap();
    let together = together["clks"].as_array().unwrap();
    assert_eq!(together.len(), rows.len());
    for (row, clk) in rows.iter().zip(together).step_by(701) {
        assert_eq!(encode(row), format!("{{\"clks\": [{clk}]}}"), "{row}");
    }
    assert_eq!(encode(""), "{\"clks\": []}");
}

#[test]
fn a_header_with_other_names_is_refused() {
    let schema = ClkSchema::from_json(&read("v3_missing.schema.json"), XorFolds::LikeClkhash).unwrap();
    let secret = ClkSecret::from_file_bytes(b"secret".to_vec()).unwrap();
    for (people, refused) in [
        ("given,born\n", false),
        ("given,date\n", true),
        ("given\n", true),
        ("", true),
    ] {
        let outcome = encode_clks(
            people.as_bytes(),
            &schema,
            &secret,
            ClkOptions::default(),
            Vec::new(),
            &|_| {},
        );
        assert_eq!(outcome.is_err(), refused, "{people:?}");
    }
}
