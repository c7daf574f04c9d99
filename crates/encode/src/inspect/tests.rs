use super::*;

const MAPPING: &str = r#"
version = 1
[columns]
record_id = "id"
given_names = ["given"]
family_names = ["family"]
birth_date = "born"
birth_quality = "quality"
event_date = "date"
[codes.birth_quality]
documented = ["D"]
imputed = ["I"]
[constants]
direction = "emigration"
counterpart = "IT"
"#;

fn inspect_rows(rows: &str) -> Inspection {
    let mapping: Mapping = toml::from_str(MAPPING).unwrap();
    mapping.validate().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    std::fs::write(&path, format!("id,given,family,born,quality,date\n{rows}")).unwrap();
    inspect(&path, &mapping).unwrap()
}

fn field<'i>(inspection: &'i Inspection, name: &str) -> &'i FieldInspection {
    inspection
        .fields
        .iter()
        .find(|field| field.field == name)
        .unwrap()
}

#[test]
fn what_is_hard_to_believe_is_counted_by_field_reason_and_line() {
    let inspection = inspect_rows(
        "1,Ali,Sow,1990-05-17,,2023-02-01\n\
         2,Ali2,...,2024-05-17,,2023-02-01\n\
         3,B,B,1890-05-17,,2023-02-01\n\
         4,А\u{6c}i,A\0l,2023-02-02,,2023-02-01\n\
         5,JosÃ©,\u{200f}علي,2023-02-01,,2023-02-01\n",
    );
    let found = |name: &str| -> Vec<(Implausibility, u64, Vec<u64>)> {
        field(&inspection, name)
            .implausible
            .iter()
            .map(|(problem, found)| (*problem, found.count, found.first_lines.clone()))
            .collect()
    };
    assert_eq!(
        found("given_names"),
        [
            (Implausibility::DigitsInName, 1, vec![3]),
            (Implausibility::EncodedTwice, 1, vec![6]),
            (Implausibility::MixedScripts, 1, vec![5]),
            (Implausibility::NamesEqual, 1, vec![4]),
            (Implausibility::OneLetterName, 1, vec![4]),
        ]
    );
    assert_eq!(
        found("family_names"),
        [
            (Implausibility::ControlCharacters, 1, vec![5]),
            (Implausibility::InvisibleMarks, 1, vec![6]),
            (Implausibility::NoLetterInName, 1, vec![3]),
            (Implausibility::OneLetterName, 1, vec![4]),
        ]
    );
    assert_eq!(
        found("birth_date"),
        [
            (Implausibility::AgeAbove110, 1, vec![4]),
            (Implausibility::BornAfterMove, 2, vec![3, 5]),
        ]
    );
    assert!(found("record_id").is_empty() && found("event_date").is_empty());
    let scripts: Vec<_> = field(&inspection, "family_names")
        .scripts
        .iter()
        .map(|(s, n)| (*s, *n))
        .collect();
    assert_eq!(scripts, [(Script::Latin, 3), (Script::Arabic, 1)]);
    assert_eq!(
        field(&inspection, "record_id").lengths,
        [LengthCount {
            characters: 1,
            count: 5
        }]
    );
}

#[test]
fn days_that_stand_for_not_known_are_set_against_ordinary_days() {
    let rows = [
        ("1990-01-01", ""),
        ("1990-03-01", ""),
        ("1990-03-15", "D"),
        ("1991-07-01", "I"),
        ("1992", ""),
        ("", ""),
    ];
    let rows: String = (1..)
        .zip(rows)
        .map(|(id, (born, quality))| format!("{id},Ali,Sow,{born},{quality},2023-02-01\n"))
        .collect();
    let inspection = inspect_rows(&rows);
    let first = inspection.first_of_january.unwrap();
    assert_eq!(first.count, 1);
    let days = inspection.birth_days.unwrap();
    assert_eq!(
        (
            days.full_dates,
            days.first_of_month.count,
            days.fifteenth_of_month.count
        ),
        (3, 2, 1)
    );
    assert!((days.most_frequent_year_share - 0.6).abs() < 1e-9);
    let birth = field(&inspection, "birth_date");
    assert_eq!(
        (birth.filled, birth.defaulted),
        (5, 2),
        "1 January, and the imputed one"
    );
    assert_eq!(field(&inspection, "birth_quality").distinct, 2);
}

#[test]
fn frequent_names_and_late_moves_are_found_among_many() {
    let rows: String = (0..1_000)
        .map(|id| {
            let given = if id % 4 == 0 {
                "Inconnu".to_owned()
            } else {
                format!("N{}", "x".repeat(id % 97))
            };
            let year = if id == 500 { 2099 } else { 2020 + id % 3 };
            format!(
                "{id},{given},F{},1990-05-17,,{year}-02-01\n",
                "y".repeat(id % 400)
            )
        })
        .collect();
    let inspection = inspect_rows(&rows);
    assert_eq!(field(&inspection, "given_names").most_frequent_share, Some(0.25));
    assert_eq!(
        field(&inspection, "family_names").most_frequent_share,
        None,
        "0.3 %"
    );
    let late = &field(&inspection, "event_date").implausible[&Implausibility::MoveAfterAllOthers];
    assert_eq!((late.count, &late.first_lines[..]), (1, &[502][..]));
}

#[test]
fn no_value_of_a_person_is_in_the_json_and_its_keys_stay() {
    let inspection = inspect_rows("R1x,Zoé,Sow,1990-05-17,D,2023-02-01\n");
    let json = serde_json::to_value(&inspection).unwrap();
    let text = json.to_string();
    for value in ["R1x", "Zoé", "Sow", "1990"] {
        assert!(!text.contains(value), "{text}");
    }
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        keys(&json),
        "birth_days fields first_of_january moves read version"
    );
    assert_eq!(
        keys(&json["fields"][0]),
        "defaulted distinct distinct_is_estimate field filled filled_share implausible lengths most_frequent_share scripts"
    );
    assert_eq!(
        keys(&json["birth_days"]),
        "fifteenth_of_month first_of_month full_dates most_frequent_year_share"
    );
    assert_eq!(keys(&json["read"]), "problems rows_read rows_refused");
    assert_eq!(json["fields"][1]["scripts"]["latin"], 1);
}
