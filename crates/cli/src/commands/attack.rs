//! What somebody without the key would learn from an office's filters.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use corridor_core::Filters;
use corridor_encode::{EncodedRegister, EncodingSchema, ExtractReader, MatchField, PseudonymList};
use corridor_redteam::{FIELD_MARK, GateReport, PlainList, Rehearsal, Scheme, Scope, Verdict};

use crate::args::AttackArgs;
use crate::commands::registers::{IdPair, Register, pairs_of_records};
use crate::failure::input_error;
use crate::output::to_columns;

/// Attacks the filters of `register`, on the current rayon pool. The attacker has the other register, where the truth says who
/// is in both; otherwise a list of half of the register's people.
pub(crate) fn attack(
    register: &Register,
    encoded: &EncodedRegister,
    other: Option<(&Register, &Path)>,
    schema: &EncodingSchema,
    args: &AttackArgs,
) -> anyhow::Result<GateReport> {
    let scheme = to_scheme(schema)?;
    let target = Plain::read(register, schema, Some(&encoded.pseudonyms))?;
    let (list, truth) = match other {
        Some((other, truth)) => {
            let list = Plain::read(other, schema, None)?;
            let pairs = pairs_of_records(truth, (register, other))?;
            let truth = to_truth(&target, &list, &pairs);
            (list.records, truth)
        }
        None => half_of(&target),
    };
    let encoded = &encoded.dataset.filters;
    let mut filters = Filters::with_capacity(encoded.filter_len(), target.rows.len());
    for &row in &target.rows {
        filters.push(encoded.row(row));
    }
    let rehearsal = Rehearsal {
        scheme: &scheme,
        target: &filters,
        target_list: &target.records,
        list: &list,
        truth: &truth,
    };
    let scope = Scope {
        max_records: args.attack_records,
        seeds: (1..=args.attack_seeds).collect(),
        ..Scope::default()
    };
    rehearsal.run(&scope).map_err(|error| {
        input_error(
            format!("the attack cannot be rehearsed: {error}"),
            "it needs 200 people the attacker knows: give a longer register, or the other register and --truth",
        )
    })
}

/// The public parameters of a schema, as the attacker knows them.
fn to_scheme(schema: &EncodingSchema) -> anyhow::Result<Scheme> {
    if !schema.hardenings().is_empty() {
        return Err(input_error(
            "the attack cannot be rehearsed on a schema with hardenings",
            "leave the hardenings out: what is found then holds with them, too, since they do not protect",
        ));
    }
    let fields: Vec<&str> = schema.fields().map(MatchField::as_str).collect();
    Ok(Scheme::of(schema.profile(), fields.into_iter())?)
}

/// The people of a register as tokens: of each the first record, for the records of one person look alike, a dataset says
/// which they are, and who is named by one of them is named.
struct Plain {
    records: PlainList,
    /// Of each person, which record of the order stands for it.
    rows: Vec<usize>,
    /// Record id → its person's place in `records`.
    places: HashMap<String, usize>,
}

/// What an attacker with the list knows of a record.
struct PlainRecord {
    person: String,
    salt: String,
    tokens: Vec<(String, u32)>,
}

impl Plain {
    /// In the order of `order`, or of the file, without the records that are too short to be encoded.
    fn read(
        register: &Register,
        schema: &EncodingSchema,
        order: Option<&PseudonymList>,
    ) -> anyhow::Result<Self> {
        let mut reader = ExtractReader::open(&register.path, &register.mapping)?;
        let mut read: HashMap<String, PlainRecord> = HashMap::new();
        let mut ids = Vec::new();
        while let Some(records) = reader.read_chunk(8192)? {
            for record in &records {
                let tokens: Vec<(String, u32)> = schema
                    .tokens(record)
                    .into_iter()
                    .map(|(field, token)| {
                        let weight = schema.weights().iter().find(|weight| weight.field == field);
                        let text = format!("{}{FIELD_MARK}{token}", field.as_str());
                        (text, weight.map_or(1, |weight| weight.weight))
                    })
                    .collect();
                if tokens.len() < usize::try_from(schema.minimum_tokens())? {
                    continue;
                }
                let salt = match record.birth.year {
                    Some(year) if schema.profile().is_salted_by_birth_year() => year.to_string(),
                    _ => String::new(),
                };
                ids.push(record.record_id.clone());
                let person = record.person_key.clone();
                read.insert(record.record_id.clone(), PlainRecord { person, salt, tokens });
            }
        }
        if let Some(order) = order {
            ids = order.iter().map(str::to_owned).collect();
        }
        let mut plain = Self {
            records: PlainList::new(),
            rows: Vec::new(),
            places: HashMap::new(),
        };
        let mut persons: HashMap<&str, usize> = HashMap::new();
        for (row, id) in ids.iter().enumerate() {
            let record = read
                .get(id)
                .ok_or_else(|| anyhow::anyhow!("the register was changed while it was read"))?;
            let place = *persons.entry(&record.person).or_insert_with(|| {
                let tokens = record.tokens.iter().map(|(text, weight)| (text, *weight));
                plain.records.push(&record.salt, tokens);
                plain.rows.push(row);
                plain.rows.len() - 1
            });
            plain.places.insert(id.clone(), place);
        }
        Ok(plain)
    }
}

/// Every second of the target's people, who stand in random order.
fn half_of(target: &Plain) -> (PlainList, Vec<Option<usize>>) {
    let people = target.rows.len();
    let listed: Vec<usize> = (0..people).step_by(2).collect();
    let truth = (0..people)
        .map(|person| (person % 2 == 0).then_some(person / 2))
        .collect();
    (target.records.select(&listed), truth)
}

/// For every person of the target its place in the list, each at most once.
fn to_truth(target: &Plain, list: &Plain, pairs: &[IdPair]) -> Vec<Option<usize>> {
    let mut named = HashSet::new();
    let mut truth = vec![None; target.rows.len()];
    for (left, right) in pairs {
        if let (Some(&person), Some(&place)) = (target.places.get(left), list.places.get(right))
            && truth[person].is_none()
            && named.insert(place)
        {
            truth[person] = Some(place);
        }
    }
    truth
}

/// The report as a table and in words.
pub(crate) fn to_page(report: &GateReport) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let rows: Vec<Vec<String>> = report
        .rows
        .iter()
        .map(|row| {
            vec![
                row.attack.to_string(),
                percent(row.top1),
                row.gate.most_top1.map_or_else(|| "no limit".to_owned(), percent),
                percent(row.precision_top5),
                percent(row.control_top1),
                percent(row.gate.control_top1),
                match row.verdict {
                    Verdict::Withstood => "withstood",
                    Verdict::Broken => "BROKEN",
                    Verdict::Inconclusive => "inconclusive",
                    Verdict::NoLimit => "told",
                }
                .to_owned(),
            ]
        })
        .collect();
    let mut page = to_columns(
        &[
            "attack",
            "named",
            "at most",
            "surest 5 %",
            "control",
            "at least",
            "verdict",
        ],
        &rows,
    );
    page.push('\n');
    for line in report.to_words() {
        page += &line;
        page.push('\n');
    }
    page
}
