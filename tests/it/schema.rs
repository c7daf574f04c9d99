//! Schema files and the JSON Schema that says what they may hold agree, by a validator that is not ours.

use std::fs;
use std::process::Command;

use corridor_tests::{corridor, workspace_root};

/// Exit code 0 when every file is valid, 3 when every file is not, 1 when they differ.
const VALIDATE: &str = "
import json, sys, jsonschema
validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
validator.check_schema(validator.schema)
valid = {validator.is_valid(json.load(open(path))) for path in sys.argv[2:]}
sys.exit({(True,): 0, (False,): 3}.get(tuple(valid), 1))
";

#[test]
fn what_the_json_schema_says_is_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name);
    let said = corridor(folder.path(), &["schema", "json-schema"]).succeeded();
    fs::write(in_folder("json-schema.json"), said.stdout).unwrap();
    let code_of = |names: &[String]| {
        let mut command = Command::new(workspace_root().join("target/python/bin/python"));
        command
            .args(["-c", VALIDATE, "json-schema.json"])
            .args(names)
            .current_dir(folder.path());
        command.output().unwrap().status.code()
    };

    let mut good = Vec::new();
    for profile in ["saul-3-2048", "saul-2-1024-year", "clk-2048", "fields-256"] {
        for name in ["generic", "west-african"] {
            let shown = corridor(folder.path(), &["schema", "show", name, "--profile", profile]).succeeded();
            good.push(format!("{name}-{profile}.json"));
            fs::write(in_folder(&good[good.len() - 1]), shown.stdout).unwrap();
        }
    }
    let full = r#"{"version": 1, "name": "ours", "normalisation": "corridor-2", "profile": "clk-1024", "minimum_tokens": 9,
        "fields": [{"field": "names", "weight": 10}, {"field": "phonetic"}],
        "hardenings": [{"kind": "balance"}, {"kind": "rule_90"}, {"kind": "blip", "epsilon": 3.5}],
        "blocking": {"minimum_size": 10, "passes": ["birth_year_sex"]}}"#;
    fs::write(in_folder("full.json"), full).unwrap();
    good.push("full.json".to_owned());
    assert_eq!(code_of(&good), Some(0));
    for name in &good {
        corridor(folder.path(), &["schema", "check", name]).succeeded();
    }

    let mut bad = Vec::new();
    for (from, to, said) in [
        ("\"version\": 1", "\"version\": 2", "version"),
        ("corridor-2", "corridor-0", "normalisation"),
        ("clk-1024", "clk-1000", "clk-1000"),
        ("\"weight\": 10", "\"weight\": 0", "fields[0].weight"),
        ("\"weight\"", "\"wait\"", "wait"),
        ("\"phonetic\"", "\"shoe_size\"", "shoe_size"),
        ("\"minimum_tokens\": 9", "\"minimum_tokens\": 7", "minimum_tokens"),
        ("3.5", "0", "hardenings[2]"),
        ("\"balance\"", "\"magic\"", "magic"),
        (
            "\"minimum_size\": 10",
            "\"minimum_size\": 1",
            "blocking.minimum_size",
        ),
        ("\"birth_year_sex\"", "", "blocking.passes"),
    ] {
        let name = format!("bad-{}.json", bad.len());
        fs::write(in_folder(&name), full.replacen(from, to, 1)).unwrap();
        corridor(folder.path(), &["schema", "check", &name]).failed(3, &[&name, said]);
        bad.push(name);
    }
    assert_eq!(code_of(&bad), Some(3));
}
