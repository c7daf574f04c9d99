//! Mappings that cannot be used, or do not fit the register: refused by key, or checked before anything is encoded.

use std::fs;

use corridor_tests::corridor;
use serde_json::Value;

use crate::bad_input::{HEADER, MAPPING, folder, inspect, problems, row, rows};

#[test]
fn a_file_that_is_not_what_the_mapping_says_is_refused() {
    let register = format!("{HEADER}\n{}", rows(1..6));
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(register.encode_utf16().flat_map(u16::to_le_bytes));
    for (register, lines, words) in [
        (
            register.clone().into_bytes(),
            "format = \"xlsx\"",
            vec!["the file is CSV", "file.format is XLSX"],
        ),
        (
            register.clone().into_bytes(),
            "sheet = \"Moves\"",
            vec!["the file is CSV", "sheet"],
        ),
        (
            register.clone().into_bytes(),
            "encoding = \"utf-16\"",
            vec!["no mark of UTF-16"],
        ),
        (
            register.clone().into_bytes(),
            "encoding = \"koi8-r\"",
            vec!["mapping.toml", "koi8-r"],
        ),
        (
            utf16.clone(),
            "encoding = \"latin-1\"",
            vec!["mark of UTF-16", "latin-1"],
        ),
    ] {
        let folder = folder(register, &format!("{MAPPING}[file]\n{lines}\n"));
        inspect(folder.path()).failed(3, &words);
    }
    // With its mark it is read as it is.
    let folder = folder(utf16, MAPPING);
    assert!(problems(&inspect(folder.path()).succeeded()).is_empty());
}

#[test]
fn a_mapping_is_checked_without_a_value_of_a_person() {
    let bad = row("R9").replace(",M,", ",H,");
    let folder = folder(
        format!("{HEADER}\n{}{bad}\n{}", rows(1..3), rows(10..20)),
        MAPPING,
    );
    let check = |more: &[&str]| {
        let mut arguments = vec!["mapping", "check", "register.csv", "--mapping", "mapping.toml"];
        arguments.extend(more);
        // The page is what was asked for, and the exit code says that it is no good news.
        let checked = corridor(folder.path(), &arguments);
        assert_eq!(checked.code, Some(3), "{}", checked.stderr);
        for words in ["1 of 13 rows would be refused", "\nhint: ", "--max-refused"] {
            assert!(checked.stderr.contains(words), "{}", checked.stderr);
        }
        checked
    };
    let page = check(&[]).stdout;
    for words in [
        "9999-99-99 → year, month and day",
        "\"M\" → male",
        "2 words, Latin, 11 letters",
    ] {
        assert!(page.contains(words), "{page}");
    }
    assert!(
        page.contains("line 4: refused") && page.contains("sex is not declared (first on line 4"),
        "{page}"
    );
    for value in ["Mohamed", "Salah", "1990", "R9"] {
        assert!(!page.contains(value), "{value} in {page}");
    }
    assert!(check(&["--show-values"]).stdout.contains("Mohamed Aziz"));
    let json: Value = serde_json::from_str(&check(&["--json", "--rows", "2"]).stdout).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), 2);
    assert_eq!(json["read"]["rows_refused"], 1);
}

#[test]
fn mappings_that_cannot_be_used_are_refused_by_key() {
    let register = format!("{HEADER}\n{}", rows(1..6));
    for (from, to, words) in [
        ("version = 1", "version = 2", vec!["version"]),
        (
            "birth_date",
            "birthdate",
            vec!["mapping.toml", "birthdate", "line"],
        ),
        ("record_id = \"id\"", "", vec!["mapping.toml", "record_id"]),
        (
            "male = [\"M\"]",
            "male = [\"M\", \"f\"]",
            vec!["codes.sex", "twice"],
        ),
        ("female = [\"F\"]", "", vec!["codes.sex"]),
        ("direction = \"dir\"\n", "", vec!["columns.direction"]),
        ("version = 1", "version = ", vec!["mapping.toml"]),
        (
            "reporter = \"TN\"",
            "reporter = \"Tunisie\"",
            vec!["mapping.toml", "country code"],
        ),
    ] {
        let mapping = MAPPING.replacen(from, to, 1);
        assert_ne!(mapping, MAPPING);
        let folder = folder(&register, &mapping);
        inspect(folder.path()).failed(3, &words);
    }
    let folder = folder(&register, MAPPING);
    fs::remove_file(folder.path().join("mapping.toml")).unwrap();
    inspect(folder.path()).failed(3, &["cannot read mapping", "mapping.toml"]);
}
