//! A client made for the published protocol goes on working.

use std::collections::BTreeSet;
use std::fs;

use corridor_tests::{breaking_changes, is_published, read_baseline, read_descriptors, workspace_root};

#[test]
fn the_protocol_breaks_no_client_of_its_baseline() {
    let before = read_baseline().unwrap();
    let now = read_descriptors(corridor_wire::DESCRIPTOR_SET).unwrap();
    let found = breaking_changes(&before, &now);
    assert!(
        found.is_empty(),
        "{}\nundo it; as long as no version 1.0.0 is published, it may also be taken over with \
         cargo run -p corridor-tests --bin baseline -- --before-publication",
        found.join("\n")
    );
    assert!(
        !is_published() || before == now,
        "what was added must be kept from now on; run: cargo run -p corridor-tests --bin baseline"
    );
}

#[test]
fn the_check_sees_the_protocol_of_the_service() {
    // The same protocol without the fields and methods of each kind in turn: everything that is there is looked at.
    let now = read_descriptors(corridor_wire::DESCRIPTOR_SET).unwrap();
    let mut without = now.clone();
    let (mut members, mut parts) = (0, 0);
    for file in &mut without.file {
        for message in &mut file.message_type {
            members += message.field.len();
            message.field.clear();
        }
        for service in &mut file.service {
            members += service.method.len();
            service.method.clear();
        }
        for values in &mut file.enum_type {
            // The first cannot go: it stands for "not given".
            members += values.value.len() - 1;
            values.value.truncate(1);
        }
        parts += file.message_type.len() + file.service.len() + file.enum_type.len();
    }
    assert!(members > 100, "{members} fields, values and methods");
    assert_eq!(breaking_changes(&now, &without).len(), members);
    for file in &mut without.file {
        file.message_type.clear();
        file.service.clear();
        file.enum_type.clear();
    }
    assert_eq!(breaking_changes(&now, &without).len(), parts);
}

/// Words of capitals and underscores in quotes or backticks.
fn reasons(text: &str, mark: char) -> BTreeSet<String> {
    text.split(mark)
        .filter(|word| {
            word.len() > 4
                && word
                    .chars()
                    .all(|letter| letter.is_ascii_uppercase() || letter == '_')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_reason_of_an_error_is_told_to_those_who_write_clients() {
    let page = fs::read_to_string(workspace_root().join("proto/README.md")).unwrap();
    let told: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| reasons(line.split('|').nth(1).unwrap(), '`'))
        .collect();
    let mut given = BTreeSet::new();
    for file in ["crates/server/src/status.rs", "crates/wire/src/field.rs"] {
        let text = fs::read_to_string(workspace_root().join(file)).unwrap();
        // The names of codes are words of the same kind.
        let (before, names) = text.split_once("const fn code_name").unwrap_or((&text, ""));
        let after = names.split_once("\n}\n").map_or("", |(_, after)| after);
        given.extend(reasons(before, '"'));
        given.extend(reasons(after, '"'));
    }
    assert!(given.len() > 30, "{given:?}");
    assert_eq!(
        given.symmetric_difference(&told).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}
