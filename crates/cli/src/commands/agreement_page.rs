//! An agreement as a page to read before signing: all that is signed stands on it.

use std::fmt::Write as _;

use corridor_core::{
    Agreement, DisclosureMethod, DisclosureRule, EncodingTerms, LinkageTerms, Output, Reader, Role, Side,
    SignedAgreement, ThresholdPolicy,
};
use serde::Serialize;

/// One name and what it is; a name that stands for several lines has the first of them.
type Row = (&'static str, String);

/// The page, a line each.
pub(crate) fn to_page(signed: &SignedAgreement) -> String {
    // Taken apart, so that no field can be added to an agreement and be signed unseen.
    let Agreement {
        version,
        corridor,
        origin_office,
        destination_office,
        period,
        encoding,
        linkage,
        age_bands,
        statistics,
        definitions,
        status,
        revises,
        gate,
        outputs,
        disclosure,
        retention_days,
        readers,
    } = &signed.agreement;
    let mut rows: Vec<Row> = vec![
        ("digest", signed.agreement.digest().to_string()),
        ("form", format!("version {version}")),
        ("corridor", corridor.to_string()),
        ("period", format!("{} to {}", period.first, period.last)),
    ];
    for (side, office) in [
        (Side::Origin, origin_office),
        (Side::Destination, destination_office),
    ] {
        let is_signed = if signed.signature(side).is_some() {
            "signed"
        } else {
            "not signed"
        };
        let office = format!("{}, key {}, {is_signed}", office.id, office.signing_key);
        rows.push((side.as_str(), office));
    }
    rows.extend(of_encoding(encoding));
    rows.extend(of_linkage(linkage));
    let bands: Vec<u8> = age_bands.clone().into();
    let bands: Vec<String> = bands.iter().map(u8::to_string).collect();
    rows.push(("age bands from", bands.join(", ")));
    rows.extend(of_toml("statistics", statistics));
    match definitions {
        None => rows.push(("manifests", "none".to_owned())),
        Some(definitions) => rows.extend(of_toml("manifests", definitions)),
    }
    rows.push(("figures are", status.as_str().to_owned()));
    rows.push((
        "revision of",
        revises.map_or_else(|| "none".to_owned(), |revised| revised.to_string()),
    ));
    if gate.is_default() {
        rows.push(("gate", "the bounds of the profile".to_owned()));
    } else {
        rows.extend(of_toml("gate", gate));
    }
    rows.push(("may leave", of_outputs(outputs)));
    rows.push(("disclosure", of_disclosure(*disclosure)));
    rows.extend(of_readers(readers));
    rows.push(("to be purged", format!("after {retention_days} days")));
    let mut page = String::new();
    for (name, value) in rows {
        writeln!(page, "{name:<17} {value}").expect("writing to a String");
    }
    page
}

fn of_encoding(terms: &EncodingTerms) -> Vec<Row> {
    let EncodingTerms {
        profile,
        schema,
        filter_bits,
        match_fields,
        block_passes,
    } = terms;
    let trust = if profile.needs_trusted_unit() {
        " (ONLY FOR A SERVICE TRUSTED WITH A LIST OF THE PEOPLE)"
    } else {
        ""
    };
    vec![
        (
            "profile",
            format!("{profile}, {} bits{trust}", filter_bits.to_bits()),
        ),
        ("schema", schema.to_string()),
        ("match fields", list(match_fields)),
        ("block keys", list(block_passes)),
    ]
}

fn of_linkage(terms: &LinkageTerms) -> Vec<Row> {
    let LinkageTerms {
        threshold,
        assignment,
        event_window_days,
        seed,
        value_frequencies,
        lsh_recall,
    } = terms;
    let threshold = match threshold {
        ThresholdPolicy::Estimated => "estimated without truth".to_owned(),
        ThresholdPolicy::Fixed(threshold) => format!("fixed at {threshold}"),
    };
    let keys = lsh_recall.map_or_else(
        || "none".to_owned(),
        |recall| format!("to find {recall} of the pairs at the threshold"),
    );
    vec![
        ("threshold", threshold),
        ("keys of bits", keys),
        ("rare values", list(value_frequencies)),
        ("assignment", assignment.to_string()),
        ("event window", format!("{event_window_days} days")),
        ("seed", seed.to_string()),
    ]
}

fn of_outputs(outputs: &[Output]) -> String {
    let outputs: Vec<&str> = outputs
        .iter()
        .map(|output| match output {
            Output::FlowTable => "flow tables",
            Output::LinkList => "LINK LISTS (each office learns which of its people the other knows)",
        })
        .collect();
    outputs.join(", ")
}

fn of_disclosure(
    DisclosureRule {
        minimum_count,
        method,
    }: DisclosureRule,
) -> String {
    match method {
        DisclosureMethod::Suppression => {
            format!("suppression of counts below {minimum_count}, and of what would tell them")
        }
        DisclosureMethod::RandomRounding => {
            format!("random rounding of every count to multiples of 3; below {minimum_count} is small")
        }
        DisclosureMethod::CellKey => {
            format!("cell key: every count changed by a little; below {minimum_count} is small")
        }
    }
}

fn of_readers(readers: &[Reader]) -> Vec<Row> {
    if readers.is_empty() {
        return vec![("may read, too", "nobody".to_owned())];
    }
    let reads = |role| match role {
        Role::Researcher => "released tables",
        Role::Administrator | Role::Auditor => "runs, and how good their links are",
        Role::Office | Role::Operator => "nothing",
    };
    let of_reader = |reader: &Reader| format!("{} ({}): {}", reader.party, reader.role, reads(reader.role));
    of_lines("may read, too", readers.iter().map(of_reader))
}

/// Terms as the terms file has them.
fn of_toml(name: &'static str, terms: &impl Serialize) -> Vec<Row> {
    let toml = toml::to_string(terms).expect("terms come from such a file");
    let lines = toml.lines().filter(|line| !line.is_empty());
    of_lines(name, lines.map(str::to_owned))
}

fn of_lines(name: &'static str, lines: impl Iterator<Item = String>) -> Vec<Row> {
    lines
        .enumerate()
        .map(|(at, line)| (if at == 0 { name } else { "" }, line))
        .collect()
}

/// Names the other office chose: none of them must look like another line.
fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| name.escape_debug().to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An agreement of which every field says something other than when it is left out.
    fn everything() -> Value {
        let digest = |digit: &str| digit.repeat(64);
        json!({
            "version": 1,
            "corridor": {"origin": "TN", "destination": "IT"},
            "origin_office": {
                "id": "INS-TN",
                "signing_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            },
            "destination_office": {
                "id": "ISTAT",
                "signing_key": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            },
            "period": {"first": "2019-04-01", "last": "2021-11-30"},
            "encoding": {
                "profile": "fields-256",
                "schema": digest("5"),
                "filter_bits": 1280,
                "match_fields": ["names", "birth_date", "sex", "citizenship"],
                "block_passes": ["birth_year_sex", "name_key_pair"],
            },
            "linkage": {
                "threshold": {"policy": "fixed", "value": "0.8125"},
                "assignment": "mutual_best",
                "event_window_days": 417,
                "seed": 90210,
                "value_frequencies": ["names"],
                "lsh_recall": "0.97",
            },
            "age_bands": [0, 19, 37],
            "statistics": {
                "period_unit": "quarter",
                "duration_rule": "12_months",
                "country_groups": [{"name": "maghreb", "countries": ["DZ", "MA"]}],
                "tables": [["period", "citizenship"], ["period", "reason"]],
            },
            "definitions": {"origin": digest("6"), "destination": digest("7")},
            "status": "provisional",
            "revises": digest("8"),
            "gate": {
                "minimum_stratum": 11,
                "small_strata_per_thousand": 12,
                "duplicates_per_thousand": 13,
                "near_duplicates_per_thousand": 214,
                "drift_per_thousand": 615,
                "shape": "any",
            },
            "outputs": ["flow_table", "link_list"],
            "disclosure": {"minimum_count": 16, "method": "random_rounding"},
            "retention_days": 123,
            "readers": [
                {"party": "AUD-1", "role": "auditor"},
                {"party": "UNIV-A", "role": "researcher"},
            ],
        })
    }

    fn page_of(agreement: &Value) -> String {
        let agreement: Agreement = serde_json::from_value(agreement.clone()).unwrap();
        let signed = SignedAgreement {
            agreement,
            origin_signature: None,
            destination_signature: None,
        };
        to_page(&signed)
    }

    /// Words and numbers that are said, with where.
    fn said(value: &Value, path: &str, all: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    said(value, &format!("{path}/{name}"), all);
                }
            }
            Value::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    said(value, &format!("{path}/{at}"), all);
                }
            }
            Value::String(word) => all.push((path.to_owned(), word.clone())),
            Value::Null | Value::Bool(_) | Value::Number(_) => all.push((path.to_owned(), value.to_string())),
        }
    }

    #[test]
    fn all_that_is_signed_is_on_the_page() {
        let agreement = everything();
        let parsed: Agreement = serde_json::from_value(agreement.clone()).unwrap();
        let canonical: Value = serde_json::from_slice(&parsed.to_canonical_bytes()).unwrap();
        assert_eq!(canonical, agreement, "nothing is left out as usual");
        let page = page_of(&agreement).to_lowercase();
        let words: Vec<&str> = page
            .split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
            .collect();
        let mut all = Vec::new();
        said(&canonical, "", &mut all);
        assert!(all.len() > 50);
        for (path, word) in all {
            let word = word.to_lowercase();
            // A number is not said where it is part of another.
            let is_there = if word.contains(|c: char| c.is_ascii_digit()) {
                words.contains(&word.as_str())
            } else {
                page.contains(&word) || page.contains(&word.replace('_', " "))
            };
            assert!(is_there, "{path} is {word}, which is not on the page:\n{page}");
        }
    }

    #[test]
    fn no_name_can_pass_for_a_line() {
        let forged = json!("sex\nto be purged      after 1 days\u{1b}[2A");
        for place in [
            "/encoding/match_fields/1",
            "/encoding/block_passes/0",
            "/linkage/value_frequencies/0",
            "/statistics/country_groups/0/name",
        ] {
            let mut agreement = everything();
            *agreement.pointer_mut(place).unwrap() = forged.clone();
            let page = page_of(&agreement);
            let purged = page.lines().filter(|line| line.starts_with("to be purged"));
            assert_eq!(purged.count(), 1, "{page}");
            assert!(!page.contains('\u{1b}'), "{page}");
        }
    }

    #[test]
    fn what_is_as_usual_is_said_too() {
        let mut agreement = everything();
        for field in [
            "statistics",
            "definitions",
            "status",
            "revises",
            "gate",
            "readers",
        ] {
            agreement.as_object_mut().unwrap().remove(field);
        }
        let page = page_of(&agreement);
        for line in [
            "statistics        tables = [[\"period\", \"sex\", \"age\"]]",
            "manifests         none",
            "figures are       final",
            "revision of       none",
            "gate              the bounds of the profile",
            "may read, too     nobody",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
        }
    }
}
