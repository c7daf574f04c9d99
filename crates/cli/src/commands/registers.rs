//! What a rehearsal and a demonstration do with two registers before and after the linkage.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use corridor_core::{
    AgeBands, Corridor, Destination, DisclosureRule, LinkageTerms, Origin, Period, ThresholdPolicy,
};
use corridor_encode::{EncodingSchema, Mapping, MatchField, RefusalLimit, inspect};
use corridor_engine::{FlowTableTerms, LinkageReport};
use corridor_link::LinkageQuality;
use serde::Serialize;

use crate::args::PipelineArgs;
use crate::failure::input_error;

/// A register and what its columns are.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) path: PathBuf,
    pub(crate) mapping: Mapping,
}

/// Two registers and what they are linked with.
#[derive(Debug)]
pub(crate) struct Registers {
    pub(crate) left: Register,
    pub(crate) right: Register,
    pub(crate) schema: EncodingSchema,
    /// What the linkage is done under.
    pub(crate) linkage: LinkageTerms,
    /// What a flow table is made under, or why there is none.
    pub(crate) flows: Result<FlowTableTerms, String>,
    pub(crate) age_bands: AgeBands,
    pub(crate) limit: RefusalLimit,
}

/// Days two events of one move can be apart, unless an agreement says otherwise.
pub(crate) const EVENT_WINDOW_DAYS: u32 = 365;

impl Registers {
    pub(crate) fn new(left: Register, right: Register, args: &PipelineArgs) -> anyhow::Result<Self> {
        let fields = match_fields(&left.mapping, &right.mapping, &args.match_fields)?;
        let schema = EncodingSchema::try_new(args.profile, &fields)
            .map_err(|error| input_error(error.to_string(), "add names to --match-fields"))?;
        let age_bands = AgeBands::try_from(args.age_bands.clone())
            .map_err(|error| input_error(error.to_string(), "correct --age-bands"))?;
        let flows = corridor_and_period(&left, &right, args)?.map(|(corridor, period)| FlowTableTerms {
            corridor,
            period,
            age_bands: age_bands.clone(),
            disclosure: DisclosureRule {
                minimum_count: args.minimum_count,
            },
        });
        Ok(Self {
            schema,
            linkage: LinkageTerms {
                threshold: args
                    .threshold
                    .map_or(ThresholdPolicy::Estimated, ThresholdPolicy::Fixed),
                assignment: args.assignment,
                event_window_days: EVENT_WINDOW_DAYS,
                seed: args.seed,
            },
            age_bands,
            flows,
            limit: RefusalLimit::try_new(args.max_refused).unwrap_or(RefusalLimit::NONE),
            left,
            right,
        })
    }
}

/// The fields asked for, or all that both mappings have but the second key of the name: one key adds to the
/// names, a second takes weight from the rest.
fn match_fields(left: &Mapping, right: &Mapping, asked: &[String]) -> anyhow::Result<Vec<MatchField>> {
    let right_fields = right.match_fields();
    let both: Vec<MatchField> = left
        .match_fields()
        .into_iter()
        .filter(|field| right_fields.contains(field))
        .collect();
    if asked.is_empty() {
        let first_choice = both.into_iter().filter(|field| *field != MatchField::Phonetic);
        return Ok(first_choice.collect());
    }
    let known = both
        .iter()
        .map(|field| field.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    asked
        .iter()
        .map(|name| {
            MatchField::from_name(name.trim())
                .filter(|field| both.contains(field))
                .ok_or_else(|| {
                    input_error(
                        format!("match field {name:?} is not one both mappings have a column for"),
                        format!("both have: {known}"),
                    )
                })
        })
        .collect()
}

type CorridorAndPeriod = Result<(Corridor, Period), String>;

/// Where and when the moves are, or why there is no flow table.
fn corridor_and_period(
    left: &Register,
    right: &Register,
    args: &PipelineArgs,
) -> anyhow::Result<CorridorAndPeriod> {
    if !left.mapping.has_events() || !right.mapping.has_events() {
        return Ok(Err(
            "the registers hold persons only (no event_date in a mapping)".to_owned(),
        ));
    }
    let (Some(origin), Some(destination)) = (left.mapping.reporter, right.mapping.reporter) else {
        return Ok(Err(
            "a mapping does not say its reporter, as in reporter = \"TN\"".to_owned(),
        ));
    };
    let corridor = Corridor::try_new(Origin(origin), Destination(destination))
        .map_err(|error| input_error(error.to_string(), "correct reporter in one of the mappings"))?;
    let (first_covered, last_covered) = match (args.from_year, args.to_year) {
        (Some(first), Some(last)) => (first, last),
        _ => match covered_years(left, right)? {
            Some(years) => years,
            None => return Ok(Err("the two registers have no year in common".to_owned())),
        },
    };
    let (first, last) = (
        args.from_year.unwrap_or(first_covered),
        args.to_year.unwrap_or(last_covered),
    );
    let day = |year: i16, month_day: &str| format!("{year:04}-{month_day}").parse();
    match (day(first, "01-01"), day(last, "12-31")) {
        (Ok(first), Ok(last)) if first <= last => Ok(Ok((corridor, Period { first, last }))),
        _ => Err(input_error(
            "the flow table's first year is after its last",
            "correct --from-year and --to-year",
        )),
    }
}

/// First and last year that hold at least a twentieth of the moves of either register.
fn covered_years(left: &Register, right: &Register) -> anyhow::Result<Option<(i16, i16)>> {
    let mut covered: Option<Vec<i16>> = None;
    for register in [left, right] {
        let mut by_year: BTreeMap<i16, u64> = BTreeMap::new();
        for moves in inspect(&register.path, &register.mapping)?.moves {
            *by_year.entry(moves.year).or_default() += moves.count;
        }
        let total: u64 = by_year.values().sum();
        let years: Vec<i16> = by_year
            .into_iter()
            .filter(|(_, count)| 20 * count >= total)
            .map(|(year, _)| year)
            .collect();
        covered = Some(match covered {
            None => years,
            Some(before) => before.into_iter().filter(|year| years.contains(year)).collect(),
        });
    }
    let covered = covered.unwrap_or_default();
    Ok(covered.first().copied().zip(covered.last().copied()))
}

/// The quality of links against a truth.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct QualityReport {
    pub(crate) precision: Option<f64>,
    pub(crate) recall: Option<f64>,
    pub(crate) f1: Option<f64>,
    pub(crate) threshold: String,
    /// How the threshold was chosen.
    pub(crate) threshold_chosen: String,
    pub(crate) true_links: u64,
    pub(crate) false_links: u64,
    pub(crate) missed_matches: u64,
    /// True pairs of persons of the two registers (of records, where the mappings name no person_key).
    pub(crate) true_pairs: u64,
    /// Pairs of the truth file that name a record of neither; not counted.
    pub(crate) true_pairs_outside: u64,
    pub(crate) expected_precision: Option<f64>,
    pub(crate) expected_recall: Option<f64>,
    pub(crate) expected_f1: Option<f64>,
}

/// A pair of record ids, left and right.
pub(crate) type IdPair = (String, String);

/// Measures links against the truth file. Where the mappings name a person_key, pairs of records count as the pairs of
/// persons they are of: a link is of persons, and any of their moves may stand for it.
pub(crate) fn measure_quality(
    links: &HashSet<IdPair>,
    truth: &Path,
    registers: (&Register, &Register),
    report: &LinkageReport,
) -> anyhow::Result<QualityReport> {
    let (left_persons, right_persons) = (read_persons(registers.0)?, read_persons(registers.1)?);
    let to_persons = |(left, right): &IdPair| -> Option<IdPair> {
        Some((left_persons.get(left)?.clone(), right_persons.get(right)?.clone()))
    };
    let (outside, inside): (usize, HashSet<IdPair>) = match read_truth(truth)? {
        Truth::Records(pairs) => (
            pairs.iter().filter(|pair| to_persons(pair).is_none()).count(),
            pairs.iter().filter_map(to_persons).collect(),
        ),
        Truth::Persons(pairs) => {
            let known = |persons: &HashMap<String, String>| -> HashSet<String> {
                persons.values().cloned().collect()
            };
            let (left, right) = (known(&left_persons), known(&right_persons));
            let (inside, outside): (HashSet<IdPair>, HashSet<IdPair>) = pairs
                .into_iter()
                .partition(|pair| left.contains(&pair.0) && right.contains(&pair.1));
            (outside.len(), inside)
        }
    };
    let links: HashSet<IdPair> = links.iter().filter_map(to_persons).collect();
    if inside.is_empty() {
        return Err(input_error(
            format!(
                "{} names no pair of records of the two registers",
                truth.display()
            ),
            "id_a is a record id of the left register, id_b of the right",
        ));
    }
    let quality = LinkageQuality::measure(&links, &inside);
    let to_count = |len: usize| u64::try_from(len).expect("a length fits");
    let chosen = if report.threshold_policy == "fixed" {
        "given on the command line"
    } else {
        "estimated without truth: highest expected F1, where false links are expected from whom almost certainly \
         linked persons would have been linked to otherwise, and from records of one register compared with each \
         other"
    };
    Ok(QualityReport {
        precision: quality.precision,
        recall: quality.recall,
        f1: quality.f1,
        threshold: report.threshold.to_string(),
        threshold_chosen: chosen.to_owned(),
        true_links: quality.true_links,
        false_links: quality.false_links,
        missed_matches: quality.missed_matches,
        true_pairs: to_count(inside.len()),
        true_pairs_outside: to_count(outside),
        expected_precision: report.expected_precision,
        expected_recall: report.expected_recall,
        expected_f1: report.expected_f1,
    })
}

/// What a truth file says.
enum Truth {
    /// Pairs of record ids: `id_a`, `id_b`.
    Records(HashSet<IdPair>),
    /// Pairs of person keys: `person_a`, `person_b`.
    Persons(HashSet<IdPair>),
}

fn read_truth(path: &Path) -> anyhow::Result<Truth> {
    let to_pairs = |rows: Vec<Vec<String>>| {
        rows.into_iter()
            .map(|mut row| {
                let right = row.pop().unwrap_or_default();
                (row.pop().unwrap_or_default(), right)
            })
            .collect()
    };
    if let Ok(rows) = read_columns(path, b',', &["person_a", "person_b"]) {
        return Ok(Truth::Persons(to_pairs(rows)));
    }
    read_columns(path, b',', &["id_a", "id_b"]).map(|rows| Truth::Records(to_pairs(rows)))
}

/// Person of every record of a register, also of rows that cannot be used: the person key, or the record id where there is
/// none.
fn read_persons(register: &Register) -> anyhow::Result<HashMap<String, String>> {
    let delimiter = u8::try_from(register.mapping.file.delimiter).unwrap_or(b',');
    let columns = &register.mapping.columns;
    let mut names = vec![columns.record_id.as_str()];
    names.extend(columns.person_key.as_deref());
    let rows = read_columns(&register.path, delimiter, &names)?;
    Ok(rows
        .into_iter()
        .filter_map(|mut row| {
            let id = row.first()?.clone();
            let person = row.pop().filter(|person| !person.is_empty());
            Some((id.clone(), person.unwrap_or(id)))
        })
        .collect())
}

/// Some columns of a CSV file, trimmed.
fn read_columns(path: &Path, delimiter: u8, columns: &[&str]) -> anyhow::Result<Vec<Vec<String>>> {
    let name = path.display();
    let refuse = |problem: String| {
        input_error(
            format!("{name}: {problem}"),
            "save it as CSV in UTF-8 with a header",
        )
    };
    let bytes = std::fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(bytes);
    let header = reader
        .headers()
        .map_err(|error| refuse(error.to_string()))?
        .clone();
    let positions: Vec<usize> = columns
        .iter()
        .map(|column| {
            header
                .iter()
                .position(|name| name.trim() == *column)
                .ok_or_else(|| refuse(format!("line 1: no column {column:?}")))
        })
        .collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for row in reader.byte_records() {
        let row = row.map_err(|error| refuse(error.to_string()))?;
        let cell = |&position: &usize| {
            String::from_utf8_lossy(row.get(position).unwrap_or_default())
                .trim()
                .to_owned()
        };
        rows.push(positions.iter().map(cell).collect());
    }
    Ok(rows)
}

/// Links as CSV: left_id, right_id, similarity, probability.
pub(crate) fn links_to_csv<'a>(
    links: impl Iterator<Item = (&'a str, &'a str, f64, Option<f64>)>,
) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["left_id", "right_id", "similarity", "probability"])?;
    for (left, right, similarity, probability) in links {
        writer.write_record([
            left,
            right,
            &similarity.to_string(),
            &probability.map_or_else(String::new, |p| p.to_string()),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The quality as a line.
pub(crate) fn to_quality_line(quality: &QualityReport) -> String {
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
    format!(
        "precision {}, recall {}, F1 {} at threshold {} ({})",
        percent(quality.precision),
        percent(quality.recall),
        percent(quality.f1),
        quality.threshold,
        if quality.threshold_chosen.starts_with("estimated") {
            "estimated without the truth"
        } else {
            "given"
        }
    )
}
