//! What a rehearsal and a demonstration do with two registers before and after the linkage.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use corridor_core::{
    AgeBands, Construction, Corridor, Destination, DisclosureRule, EncodingTerms, LinkageTerms, Origin,
    Period, Profile, ReleaseStatus, StatisticsTerms, ThresholdPolicy,
};
use corridor_encode::{EncodingSchema, Mapping, MatchField, RefusalLimit, inspect, read_persons};
use corridor_engine::{FlowTerms, LinkageReport};
use corridor_link::LinkageQuality;
use serde::Serialize;

use crate::args::PipelineArgs;
use crate::commands::schema;
use crate::commands::terms::to_encoding_terms;
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
    pub(crate) encoding: EncodingTerms,
    /// What the linkage is done under.
    pub(crate) linkage: LinkageTerms,
    /// What a flow table is made under, or why there is none.
    pub(crate) flows: Result<FlowTerms, String>,
    pub(crate) age_bands: AgeBands,
    /// What leaves the office of moves, and what tables count.
    pub(crate) statistics: StatisticsTerms,
    pub(crate) limit: RefusalLimit,
}

/// Days two events of one move can be apart, unless an agreement says otherwise.
pub(crate) const EVENT_WINDOW_DAYS: u32 = 365;

impl Registers {
    pub(crate) fn new(left: Register, right: Register, args: &PipelineArgs) -> anyhow::Result<Self> {
        let schema = schema_for(&[&left.mapping, &right.mapping], args)?;
        let age_bands = AgeBands::try_from(args.age_bands.clone())
            .map_err(|error| input_error(error.to_string(), "correct --age-bands"))?;
        let statistics = args.statistics.to_terms()?;
        let flows = corridor_and_period(&left, &right, args)?.map(|(corridor, period)| FlowTerms {
            corridor,
            period,
            age_bands: age_bands.clone(),
            statistics: statistics.clone(),
            disclosure: DisclosureRule {
                minimum_count: args.minimum_count,
                method: args.disclosure.into(),
            },
            definitions: None,
            status: ReleaseStatus::Final,
        });
        let encoding = to_encoding_terms(&schema);
        let mut value_frequencies = args.value_frequencies.clone();
        value_frequencies.sort_by_key(|name| encoding.match_fields.iter().position(|field| field == name));
        value_frequencies.dedup();
        encoding
            .check_value_frequencies(&value_frequencies)
            .map_err(|problem| input_error(format!("--value-frequencies: {problem}"), "correct it"))?;
        let linkage = LinkageTerms {
            threshold: args
                .threshold
                .map_or(ThresholdPolicy::Estimated, ThresholdPolicy::Fixed),
            assignment: args.assignment,
            event_window_days: EVENT_WINDOW_DAYS,
            seed: args.seed,
            value_frequencies,
            lsh_recall: args.lsh_recall,
        };
        linkage.validate_for(schema.profile()).map_err(|error| {
            let (option, hint) = if error.field == "linkage.assignment" {
                ("--assignment", "do as it says, or leave --assignment out")
            } else {
                ("--lsh-recall", "corridor schema list has the profiles")
            };
            input_error(format!("{option}: {}", error.problem), hint)
        })?;
        Ok(Self {
            schema,
            encoding,
            linkage,
            age_bands,
            statistics,
            flows,
            limit: RefusalLimit::try_new(args.max_refused).unwrap_or(RefusalLimit::NONE),
            left,
            right,
        })
    }
}

/// The schema asked for, or one of the fields asked for, or of the fields that serve best of those every mapping has.
pub(crate) fn schema_for(mappings: &[&Mapping], args: &PipelineArgs) -> anyhow::Result<EncodingSchema> {
    if let Some(reference) = &args.schema {
        return schema::resolve(reference, args.profile, Path::new(""));
    }
    let profile = args.profile.unwrap_or(Profile::Saul3x2048);
    let fields = match_fields(mappings, &args.match_fields, profile)?;
    EncodingSchema::try_new(profile, &fields)
        .map_err(|error| input_error(error.to_string(), "correct --match-fields or --profile"))
}

/// The fields asked for, or those of all that every mapping has which serve best on registers like these.
fn match_fields(
    mappings: &[&Mapping],
    asked: &[String],
    profile: Profile,
) -> anyhow::Result<Vec<MatchField>> {
    let common: Vec<MatchField> = MatchField::ALL
        .into_iter()
        .filter(|field| {
            mappings
                .iter()
                .all(|mapping| mapping.match_fields().contains(field))
        })
        .collect();
    if asked.is_empty() {
        let of_moves = mappings.iter().any(|mapping| mapping.has_events());
        let serves = |field: &MatchField| match field {
            MatchField::Names
            | MatchField::BirthDate
            | MatchField::Sex
            | MatchField::Citizenship
            | MatchField::BirthCountry => true,
            // On nine pairs of registers keys beside the names took weight from birth date and sex under majorities; in
            // Bloom filters, where every field has its own number of bits, the key by sound added. Fields that are kept apart
            // are taken to agree independently of each other, which a name and its sound do not.
            MatchField::Phonetic => matches!(profile.construction(), Construction::Bloom { .. }),
            MatchField::NameKeys => false,
            // Whoever moves has another address afterwards.
            MatchField::Address | MatchField::Postcode => !of_moves,
        };
        return Ok(common.into_iter().filter(serves).collect());
    }
    let known = common
        .iter()
        .map(|field| field.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    asked
        .iter()
        .map(|name| {
            MatchField::from_name(name.trim())
                .filter(|field| common.contains(field))
                .ok_or_else(|| {
                    input_error(
                        format!("match field {name:?} is not one every mapping has a column for"),
                        format!("they have: {known}"),
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
        (Ok(first), Ok(last)) if first <= last && (Period { first, last }).years().count() <= 50 => {
            Ok(Ok((corridor, Period { first, last })))
        }
        _ => Err(input_error(
            "the flow table's first year is after its last, or more than 50 years before it",
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
    let (left_persons, right_persons) = (persons_of(registers.0)?, persons_of(registers.1)?);
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

/// The pairs of records a truth file names; of persons with several records, every one of them.
pub(crate) fn pairs_of_records(
    truth: &Path,
    registers: (&Register, &Register),
) -> anyhow::Result<Vec<IdPair>> {
    let mut pairs: Vec<IdPair> = match read_truth(truth)? {
        Truth::Records(pairs) => pairs.into_iter().collect(),
        Truth::Persons(pairs) => {
            let records_of = |register| -> anyhow::Result<HashMap<String, Vec<String>>> {
                let mut records: HashMap<String, Vec<String>> = HashMap::new();
                for (record, person) in persons_of(register)? {
                    records.entry(person).or_default().push(record);
                }
                Ok(records)
            };
            let (left, right) = (records_of(registers.0)?, records_of(registers.1)?);
            let mut of_records = Vec::new();
            for (left_person, right_person) in pairs {
                for left in left.get(&left_person).into_iter().flatten() {
                    for right in right.get(&right_person).into_iter().flatten() {
                        of_records.push((left.clone(), right.clone()));
                    }
                }
            }
            of_records
        }
    };
    pairs.sort_unstable();
    Ok(pairs)
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
    if let Ok(rows) = read_columns(path, &["person_a", "person_b"]) {
        return Ok(Truth::Persons(to_pairs(rows)));
    }
    read_columns(path, &["id_a", "id_b"]).map(|rows| Truth::Records(to_pairs(rows)))
}

/// Person of every record of a register, also of rows that cannot be used.
fn persons_of(register: &Register) -> anyhow::Result<HashMap<String, String>> {
    let persons = read_persons(&register.path, &register.mapping)?;
    Ok(persons.into_iter().collect())
}

/// Some columns of a CSV file, trimmed.
fn read_columns(path: &Path, columns: &[&str]) -> anyhow::Result<Vec<Vec<String>>> {
    let name = path.display();
    let refuse = |problem: String| {
        input_error(
            format!("{name}: {problem}"),
            "save it as CSV in UTF-8 with a header",
        )
    };
    let bytes = std::fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
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

/// A link as a row of links.csv.
pub(crate) struct LinkRow<'a> {
    pub(crate) left: &'a str,
    pub(crate) right: &'a str,
    pub(crate) similarity: f64,
    pub(crate) probability: Option<f64>,
    /// Bits of each match field; empty where fields did not decide.
    pub(crate) evidence: &'a [f64],
}

/// Links as CSV: left_id, right_id, similarity, probability and, where fields decided, the bits of evidence of
/// each of `fields` in a column of its own.
pub(crate) fn links_to_csv<'a>(
    links: impl Iterator<Item = LinkRow<'a>>,
    fields: &[String],
) -> anyhow::Result<String> {
    let mut links = links.peekable();
    let has_evidence = links.peek().is_some_and(|link| !link.evidence.is_empty());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = ["left_id", "right_id", "similarity", "probability"]
        .map(str::to_owned)
        .to_vec();
    if has_evidence {
        header.extend(fields.iter().map(|field| format!("bits_{field}")));
    }
    writer.write_record(&header)?;
    for link in links {
        let mut row = vec![
            link.left.to_owned(),
            link.right.to_owned(),
            link.similarity.to_string(),
            link.probability.map_or_else(String::new, |p| p.to_string()),
        ];
        row.extend(link.evidence.iter().map(|bits| format!("{bits:.3}")));
        writer.write_record(&row)?;
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
