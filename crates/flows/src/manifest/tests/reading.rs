//! What is read, refused, written and filled in.

use std::collections::BTreeSet;

use corridor_core::CountryCode;

use super::super::prefill::{published_countries, published_rules, tables};
use super::super::*;
use super::{FULL, full as full_manifest};

fn refused(text: &str) -> (String, String) {
    match DefinitionManifest::from_text(text).unwrap_err() {
        ManifestError::Key { key, problem } => (key, problem),
        other @ (ManifestError::Syntax { .. }
        | ManifestError::NotCanonical
        | ManifestError::OneCountry(_)) => {
            panic!("{other}")
        }
    }
}

#[test]
fn toml_json_and_canonical_bytes_say_the_same() {
    let manifest = full_manifest();
    let json = serde_json::to_string_pretty(&manifest).unwrap();
    assert_eq!(DefinitionManifest::from_text(&json).unwrap(), manifest);
    let toml = toml::to_string(&manifest).unwrap();
    assert_eq!(DefinitionManifest::from_text(&toml).unwrap(), manifest);
    let bytes = manifest.to_canonical_bytes();
    assert_eq!(
        DefinitionManifest::from_canonical_bytes(&bytes).unwrap(),
        manifest
    );
    assert_eq!(
        DefinitionManifest::from_canonical_bytes(json.as_bytes()),
        Err(ManifestError::NotCanonical)
    );
}

#[test]
fn the_digest_is_of_what_is_said_and_not_of_how_it_is_written() {
    let short = "version = 1\noffice.country = \"UK\"\nimmigration = {}";
    let long = "version = 1\nage.definition = \"unknown\"\n[office]\ncountry = \"GB\"\nid = \"unknown\"\n[immigration]";
    let [short, long] = [short, long].map(|text| DefinitionManifest::from_text(text).unwrap());
    assert_eq!(short.digest(), long.digest());
    assert_ne!(short.digest(), full_manifest().digest());
    // Fixed: results name manifests by it.
    assert_eq!(short.digest().to_short(), "993328d6d1f0");
}

#[test]
fn mistakes_name_the_path_of_the_key() {
    let cases = [
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = { month = 12 }",
            "emigration.duration.minimum_stay",
        ),
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = { months = 0 }",
            "emigration.duration.minimum_stay",
        ),
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = { months = 1.123 }",
            "emigration.duration.minimum_stay",
        ),
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = { months = nan }",
            "emigration.duration.minimum_stay",
        ),
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = { days = 400, within_months = 12 }",
            "minimum_stay",
        ),
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = { days = 184 }",
            "minimum_stay",
        ),
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = 12",
            "minimum_stay",
        ),
        (
            "minimum_stay = { months = 12 }",
            "minimum_stay = \"long\"",
            "minimum_stay",
        ),
        (
            "students = \"included\"",
            "students = \"yes\"",
            "coverage.students",
        ),
        (
            "students = \"included\"",
            "students = { from_months = 0 }",
            "coverage.students",
        ),
        (
            "students = \"included\"",
            "student = \"included\"",
            "coverage.student",
        ),
        ("first = \"2022-01-01\"", "first = 2022-01-01", "reference.first"),
        (
            "first = \"2022-01-01\"",
            "first = \"2022-02-30\"",
            "reference.first",
        ),
        (
            "first = \"2022-01-01\"",
            "first = \"0022-01-01\"",
            "reference.first",
        ),
        ("last = \"2024-12-31\"", "last = \"2021-12-31\"", "reference.last"),
        (
            "extracted = \"2025-06-30\"",
            "extracted = \"2024-06-30\"",
            "reference.extracted",
        ),
        (
            "foreigners = \"included\"",
            "foreigners = \"unknown\"\nbogus = 1",
            "coverage.bogus",
        ),
        (
            "days_allowed = 30",
            "days_allowed = -1",
            "emigration.registration.days_allowed",
        ),
        (
            "days_allowed = 30",
            "days_allowed = 99999999999",
            "emigration.registration.days_allowed",
        ),
        (
            "days_allowed = 30",
            "days_allowed = 4000",
            "emigration.registration.days_allowed",
        ),
        (
            "days_allowed = 30",
            "days_allowed = \"soon\"",
            "emigration.registration.days_allowed",
        ),
        (
            "unknown_percent = 5",
            "unknown_percent = 101",
            "emigration.partner.unknown_percent",
        ),
        (
            "rounding_base = \"none\"",
            "rounding_base = 1",
            "published.rounding_base",
        ),
        (
            "basis = \"move\"",
            "basis = \"permit_issue\"",
            "emigration.date.basis",
        ),
        ("version = 1", "version = 2", "version"),
        ("country = \"TN\"", "country = \"\"", "office.country"),
        ("country = \"TN\"", "", "office"),
        ("id = \"INS-TN\"", "id = \"ins tn\"", "office.id"),
        ("name = \"register\"", "name = \"a\\u001b[31mb\"", "source.name"),
        (
            "RE = \"included\"",
            "RE = \"included\"\n\" RE\" = \"excluded\"",
            "territory.parts",
        ),
        ("changed = \"coverage\"", "changed = \"C\"", "breaks[0].changed"),
        ("date = \"2023-01-01\"", "date = \"1023-01-01\"", "breaks[0].date"),
    ];
    for (old, new, expected) in cases {
        assert!(FULL.contains(old), "{old}");
        let (key, problem) = refused(&FULL.replacen(old, new, 1));
        assert!(key.contains(expected), "{new}: {key}: {problem}");
    }
    let everybody = FULL
        .replace("nationals = \"included\"", "nationals = \"excluded\"")
        .replace("foreigners = \"included\"", "foreigners = \"excluded\"");
    assert_eq!(refused(&everybody).0, "coverage.foreigners");
    let nobody_must = FULL
        .replacen("obligation = \"yes\"", "obligation = \"no\"", 1)
        .replacen(
            "obligation_third_country = \"yes\"",
            "obligation_third_country = \"no\"",
            1,
        );
    assert_eq!(refused(&nobody_must).0, "emigration.registration.days_allowed");
    assert_eq!(refused("version = 1\noffice.country = \"TN\"").0, "emigration");
    let unordered = format!("{FULL}[[breaks]]\ndate = \"2022-07-01\"\nchanged = \"basis\"\nwhat = \"x\"");
    assert_eq!(refused(&unordered).0, "breaks[1].date");
    let twice = format!("{FULL}[[breaks]]\ndate = \"2023-01-01\"\nchanged = \"coverage\"\nwhat = \"x\"");
    assert_eq!(refused(&twice).0, "breaks[1].date");
}

#[test]
fn what_is_no_toml_and_no_json_says_where() {
    for (text, form) in [
        ("version = ", "TOML"),
        ("{\"version\": 1", "JSON"),
        ("{} {}", "JSON"),
        ("\0", "TOML"),
    ] {
        let error = DefinitionManifest::from_text(text).unwrap_err().to_string();
        assert!(error.contains(form) || error.contains("key"), "{text}: {error}");
    }
}

#[test]
fn messages_do_nothing_to_a_terminal_and_are_short() {
    let long = format!("version = 1\noffice = {}", "[".repeat(100_000));
    let field = "{\"version\": 1, \"\\u001b[2J\": 1}";
    let raw = "version = 1\nx\u{1b}[2J = 1";
    for text in [long.as_str(), field, raw] {
        let message = DefinitionManifest::from_text(text).unwrap_err().to_string();
        assert!(message.len() < 1500, "{}", message.len());
        assert!(!message.contains('\u{1b}'), "{message:?}");
    }
}

#[test]
fn the_bare_template_lacks_the_country_only() {
    let template = manifest_template(None);
    assert_eq!(template.filled, 0);
    assert_eq!(refused(&template.text).0, "office.country");
    let filled = manifest_template("TN".parse().ok());
    assert_eq!(filled.filled, 0, "nothing is published");
    let manifest = DefinitionManifest::from_text(&filled.text).unwrap_or_else(|error| panic!("{error}"));
    let (unknown, of) = manifest.unknowns();
    assert_eq!(of - unknown.len(), 3, "version, country and breaks: {unknown:?}");
    // The template has every key there is.
    let full: BTreeSet<String> = keys(&full_manifest());
    let template: BTreeSet<String> = keys(&manifest);
    let missing: Vec<_> = full
        .difference(&template)
        .filter(|key| !key.starts_with("territory.parts"))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
    for key in &template {
        let name = key.rsplit('.').next().unwrap();
        assert!(
            filled.text.contains(&format!("\n{name} = ")) || key == "breaks",
            "{key}"
        );
    }
}

fn keys(manifest: &DefinitionManifest) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    walk(
        &serde_json::to_value(manifest).unwrap(),
        String::new(),
        &mut |path, _| {
            let path = path.trim_end_matches(".months").trim_end_matches(".from_months");
            keys.insert(path.to_owned());
        },
    );
    keys
}

#[test]
fn every_published_prefill_is_a_manifest_and_says_what_is_published() {
    for (table, columns) in tables() {
        assert!(table.lines().all(|line| line.split(',').count() == columns));
    }
    let countries = published_countries();
    assert_eq!(countries.len(), 32);
    for &country in &countries {
        let template = manifest_template(Some(country));
        let manifest = DefinitionManifest::from_text(&template.text)
            .unwrap_or_else(|error| panic!("{country}: {error}\n{}", template.text));
        assert_eq!(manifest.office.country, country);
        let rules = published_rules(country);
        assert_eq!(
            template.filled,
            rules.len(),
            "{country}: every published rule has its key"
        );
        assert!(template.filled >= 4, "{country}: {}", template.filled);
        let marked = template
            .text
            .lines()
            .filter(|line| line.contains("  # check this; "))
            .count();
        assert_eq!(marked, template.filled);
    }
    let of = |code: &str| DefinitionManifest::from_text(&manifest_template(code.parse().ok()).text).unwrap();
    let germany = of("DE");
    let immigration = germany.immigration.unwrap();
    assert_eq!(immigration.registration.days_allowed, Quantity::Is(90));
    assert_eq!(immigration.duration.minimum_stay.to_string(), "1.25 months");
    let emigration = germany.emigration.unwrap();
    assert_eq!(emigration.duration.minimum_stay, MinimumStay::None);
    assert_eq!(emigration.registration.obligation, Answer::Yes);
    assert_eq!(emigration.registration.corrected_by_office, Answer::Yes);
    assert_eq!(emigration.registration.expected_undercount, Undercount::Low);
    let slovakia = of("SK").emigration.unwrap();
    assert_eq!(slovakia.duration.minimum_stay, MinimumStay::Permanent);
    let bulgaria = of("BG").immigration.unwrap();
    assert_eq!(bulgaria.registration.days_allowed, Quantity::Is(0), "at arrival");
    assert_eq!(
        of("ES").immigration.unwrap().registration.days_allowed,
        Quantity::None
    );
    assert_eq!(of("EL").office.country, "GR".parse::<CountryCode>().unwrap());
}
