//! Known answers from `tests/vectors/v2/make_vectors.py`, an implementation that shares no code with this one.

use std::collections::BTreeSet;

use corridor_core::{Digest, Filters, Profile, Sex};
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::birth::{BirthDate, DateOrder};
use crate::filters::FilterEncoder;
use crate::key::{KeyUse, LinkageKey, ProjectSecret};
use crate::record::Record;
use crate::schema::{EncodingSchema, MatchField};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../tests/vectors/v2/vectors.json")).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a text"))
}

fn hex32(value: &Value, key: &str) -> [u8; 32] {
    HEXLOWER
        .decode(text(value, key).as_bytes())
        .unwrap()
        .try_into()
        .unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn linkage_key(inputs: &Value) -> LinkageKey {
    let project = ProjectSecret::new(
        &hex32(inputs, "secret"),
        &hex32(inputs, "r_origin"),
        &hex32(inputs, "r_destination"),
    );
    project.to_linkage_key(&Digest::from_bytes(hex32(inputs, "agreement_digest")))
}

#[test]
fn keys_and_key_check_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let inputs = &vectors["inputs"];
    let key = linkage_key(inputs);
    for case in list(&vectors["derive"]) {
        let key_use = match text(case, "use") {
            "check" => KeyUse::Check,
            "encode" => KeyUse::Encode,
            "person" => KeyUse::Person,
            // The other implementation derives keys for uses this program does not have yet.
            _ => continue,
        };
        let derived = key.derive(key_use, text(case, "field"), text(case, "salt"));
        assert_eq!(HEXLOWER.encode(derived.as_slice()), text(case, "key"));
    }
    let check = key.check(
        &Digest::from_bytes(hex32(inputs, "agreement_digest")),
        &Digest::from_bytes(hex32(inputs, "schema_digest")),
    );
    assert_eq!(check.to_string(), text(&vectors, "key_check"));
}

#[test]
fn pseudonyms_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let key = linkage_key(&vectors["inputs"]);
    for case in list(&vectors["pseudonyms"]) {
        let derived = key.derive(KeyUse::Person, text(case, "office"), text(case, "kind"));
        let pseudonym = crate::encoder::pseudonym(&derived, text(case, "id"));
        assert_eq!(pseudonym.to_hex(), text(case, "pseudonym"));
    }
}

#[test]
fn published_names_dates_and_countries_are_those_of_the_other_implementation() {
    let ours = serde_json::to_value(crate::normalisation_vectors()).unwrap();
    let vectors = vectors();
    let theirs = list(&vectors["published"]);
    assert_eq!(list(&ours["vectors"]).len(), theirs.len());
    for (ours, theirs) in list(&ours["vectors"]).iter().zip(theirs) {
        let mut ours = ours.clone();
        let fields = ours.as_object_mut().unwrap();
        // Only this implementation explains, and repeats what was declared.
        fields.remove("problem");
        fields.remove("year_pivot");
        assert_eq!(&ours, theirs);
    }
}

#[test]
fn the_published_digest_changes_only_with_the_version() {
    let published = crate::normalisation_vectors();
    assert_eq!(
        (published.normalisation, published.digest.to_string().as_str()),
        (
            "corridor-2",
            "83666d309b2246b658ca798e1ffe6dc32b3c81452753ad567e841ada5462eb77"
        )
    );
}

fn record(value: &Value) -> Record {
    let optional = |key: &str| value[key].as_str();
    let number = |key: &str| value[key].as_i64();
    let birth = match (number("birth_year"), number("birth_month"), number("birth_day")) {
        (None, ..) => BirthDate::default(),
        (Some(year), month, day) => {
            let written = format!("{year:04}-{:02}-{:02}", month.unwrap_or(0), day.unwrap_or(0));
            DateOrder::YearMonthDay.read(&written).unwrap().into()
        }
    };
    Record {
        line: 2,
        record_id: "1".into(),
        person_key: "1".into(),
        given_names: text(value, "given_names").to_owned(),
        family_names: text(value, "family_names").to_owned(),
        patronymics: String::new(),
        names_divided: true,
        birth_source: None,
        birth,
        sex: match optional("sex") {
            Some("f") => Sex::Female,
            Some("m") => Sex::Male,
            _ => Sex::Unknown,
        },
        citizenship: optional("citizenship").map(|code| code.parse().unwrap()),
        birth_country: optional("birth_country").map(|code| code.parse().unwrap()),
        address: String::new(),
        postcode: String::new(),
        event: None,
    }
}

#[test]
fn tokens_and_filters_are_those_of_the_other_implementation() {
    let vectors = vectors();
    let key = linkage_key(&vectors["inputs"]);
    let fields: Vec<MatchField> = list(&vectors["fields"])
        .iter()
        .map(|field| MatchField::from_name(field.as_str().unwrap()).unwrap())
        .collect();
    for profile in Profile::ALL {
        let schema = EncodingSchema::try_new(profile, &fields).unwrap();
        let mut encoder = FilterEncoder::new(&schema, &key);
        for case in list(&vectors["records"]) {
            let tokens = schema.tokens(&record(&case["record"]));
            let expected: BTreeSet<_> = list(&case["tokens"])
                .iter()
                .map(|pair| {
                    let part = |index: usize| pair[index].as_str().unwrap();
                    (MatchField::from_name(part(0)).unwrap(), part(1).to_owned())
                })
                .collect();
            assert_eq!(tokens, expected);
            let mut filters = Filters::with_capacity(profile.filter_len(), 1);
            filters.push(&encoder.encode(&tokens));
            assert_eq!(
                HEXLOWER.encode(&filters.row_to_bytes(0)),
                text(case, profile.as_str()),
                "{profile}"
            );
        }
    }
}
