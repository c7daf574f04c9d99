use std::collections::HashSet;
use std::path::Path;

use corridor_core::{CountryCode, Digest, Direction, RuleFlag};
use corridor_encode::{ExtractReader, Mapping, ReadReport};
use corridor_flows::{
    BirthKnowledge, DefinitionDifference, DefinitionManifest, Finding, Indicative, ManifestComparison,
    ManifestError, ObservedMove, ReasonCode, RegisterCheck, SeenBefore, Severity, Tendency,
    manifest_template,
};
use serde::Serialize;

use crate::args::ManifestCommand;
use crate::commands::inspect::to_problem_lines;
use crate::failure::input_error;
use crate::output::{data, json, read_text, talk, write_file};

pub(crate) fn run(command: ManifestCommand) -> anyhow::Result<()> {
    match command {
        ManifestCommand::Init { country, output } => init(country, output.as_deref()),
        ManifestCommand::Check {
            file,
            extract,
            mapping,
            json,
        } => check(&file, extract.as_deref().zip(mapping.as_deref()), json),
        ManifestCommand::Diff {
            origin,
            destination,
            json,
        } => diff(&origin, &destination, json),
    }
}

fn init(country: Option<CountryCode>, output: Option<&Path>) -> anyhow::Result<()> {
    let template = manifest_template(country);
    match output {
        Some(path) => {
            write_file(path, template.text.as_bytes())?;
            talk(&format!("wrote {}; fill in what is unknown", path.display()));
        }
        None => data(&template.text)?,
    }
    if let Some(country) = country {
        talk(&match template.filled {
            0 => format!("nothing published is known here of the rules of {country}"),
            filled => format!("{filled} lines are from published sources, some of them old: check each"),
        });
    }
    if let Some(path) = output {
        talk(&format!("next: corridor manifest check {}", path.display()));
    }
    Ok(())
}

/// Reads a manifest.
pub(crate) fn load(path: &Path) -> anyhow::Result<DefinitionManifest> {
    DefinitionManifest::from_text(&read_text(path)?).map_err(|error| {
        let hint = match error {
            ManifestError::Key { .. } => {
                "correct the key there; corridor manifest init explains every key, and \"unknown\" is always an answer"
            }
            ManifestError::Syntax { .. } | ManifestError::NotCanonical | ManifestError::OneCountry(_) => {
                "correct the text there; corridor manifest init writes a manifest to start from"
            }
        };
        input_error(format!("{}: {error}", path.display()), hint)
    })
}

/// A manifest, what it does not say, and what is found against it. Its JSON form is stable: keys may be added under the same version.
#[derive(Serialize)]
struct CheckReport {
    version: u32,
    manifest: String,
    country: CountryCode,
    directions: Vec<&'static str>,
    keys: usize,
    unknown: Vec<String>,
    /// What was read of the register, where one is given.
    read: Option<ReadReport>,
    /// What no column of the register tells, and is taken as the manifest says it.
    not_told: Vec<&'static str>,
    findings: Vec<Finding>,
}

fn check(file: &Path, register: Option<(&Path, &Path)>, as_json: bool) -> anyhow::Result<()> {
    let manifest = load(file)?;
    let (read, not_told, findings) = match register {
        Some((extract, mapping)) => {
            let mapping = Mapping::load(mapping)?;
            let (read, findings) = check_register(&manifest, extract, &mapping)?;
            (Some(read), not_told(&mapping), findings)
        }
        None => (None, Vec::new(), manifest.self_findings()),
    };
    let (unknown, keys) = manifest.unknowns();
    let report = CheckReport {
        version: 1,
        manifest: manifest.digest().to_string(),
        country: manifest.office.country,
        directions: Direction::ALL
            .into_iter()
            .filter(|direction| manifest.direction(*direction).is_some())
            .map(Direction::as_str)
            .collect(),
        keys,
        unknown,
        read,
        not_told,
        findings,
    };
    if as_json {
        json(&report)?;
    } else {
        data(&to_check_page(&report))?;
    }
    let contradictions = count(&report.findings, Severity::Contradiction);
    if contradictions > 0 {
        return Err(input_error(
            format!(
                "{} against {}",
                number_of(contradictions, "contradiction"),
                file.display()
            ),
            "correct the manifest, or the mapping and the register; a definition that the data does not have explains nothing",
        ));
    }
    Ok(())
}

/// What the columns of a register cannot bear out.
fn not_told(mapping: &Mapping) -> Vec<&'static str> {
    let columns = &mapping.columns;
    let stays = [
        &columns.next_event_date,
        &columns.intended_months,
        &columns.days_present,
    ];
    let mut not_told = vec![
        "registration",
        "groups other than nationals, foreigners and students",
    ];
    if stays.iter().all(|column| column.is_none()) && mapping.stay.observed_until.is_none() {
        not_told.push("duration");
    }
    if columns.reason.is_none() {
        not_told.push("students");
    }
    if mapping.columns.citizenship.is_none() {
        not_told.push("nationals and foreigners");
    }
    if mapping.columns.birth().is_none() {
        not_told.push("age definition");
    }
    if mapping.columns.person_key.is_none() {
        not_told.push("persons with several moves");
    }
    not_told
}

/// Records read at a time.
const CHUNK_RECORDS: usize = 8192;

/// Holds the manifest against every usable row, in one pass through the reader that inspect uses.
fn check_register(
    manifest: &DefinitionManifest,
    extract: &Path,
    mapping: &Mapping,
) -> anyhow::Result<(ReadReport, Vec<Finding>)> {
    if !mapping.has_events() {
        return Err(input_error(
            "the mapping names no date of a move, so there are no moves to hold the manifest against",
            "name columns.event_date (or event_year), direction and counterpart in the mapping",
        ));
    }
    let mut reader = ExtractReader::open(extract, mapping)?;
    let mut check = RegisterCheck::new(manifest, mapping.reporter, mapping.stay.own_rule);
    let mut persons = mapping
        .columns
        .person_key
        .as_ref()
        .map(|_| PersonsSeen::default());
    while let Some(records) = reader.read_chunk(CHUNK_RECORDS)? {
        for record in &records {
            let Some(event) = record.event else { continue };
            let birth = match (record.birth.year, record.birth.month_day) {
                (None, _) => BirthKnowledge::None,
                // A first of January is read as a year, and may be a day all the same.
                (Some(_), None) if !record.birth.first_of_january => BirthKnowledge::Year,
                (Some(_), _) => BirthKnowledge::Day,
            };
            check.add(&ObservedMove {
                direction: event.direction,
                date: event.date,
                counterpart: event.counterpart,
                citizenship: record.citizenship,
                birth,
                stay: event.stay,
                reason: event.reason,
                before: persons.as_mut().map_or(SeenBefore::Nothing, |persons| {
                    let is_counted = event.stay.own == RuleFlag::Yes;
                    persons.add(
                        &record.person_key,
                        is_counted.then_some((event.direction, event.date.date.year())),
                    )
                }),
            });
        }
    }
    let read = reader.finish()?;
    if check.moves() == 0 {
        return Err(input_error(
            format!("no row of {} can be used", read.rows_read),
            "check the mapping with corridor inspect; the codes or the order of dates may be wrong",
        ));
    }
    Ok((read, check.finish()))
}

/// Who was seen moving, as digests: keys of persons are not kept beyond their row.
#[derive(Default)]
struct PersonsSeen {
    persons: HashSet<Digest>,
    moves: HashSet<(Digest, Direction, i16)>,
}

impl PersonsSeen {
    /// Adds a move, by direction and year where the office counts it, and says what was seen before of who moved.
    fn add(&mut self, person_key: &str, counted: Option<(Direction, i16)>) -> SeenBefore {
        let person = Digest::of(person_key.as_bytes());
        let is_new = self.persons.insert(person);
        let is_new_move =
            counted.is_none_or(|(direction, year)| self.moves.insert((person, direction, year)));
        match (is_new, is_new_move) {
            (true, _) => SeenBefore::Nothing,
            (false, true) => SeenBefore::Person,
            (false, false) => SeenBefore::MoveOfYear,
        }
    }
}

fn to_check_page(report: &CheckReport) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        page += &text;
        page.push('\n');
    };
    line(format!(
        "manifest of {}, {}s",
        report.country,
        report.directions.join("s and ")
    ));
    line(format!("digest {}", report.manifest));
    line(format!(
        "{} of {} keys are unknown{}",
        report.unknown.len(),
        report.keys,
        if report.unknown.is_empty() { "" } else { ":" }
    ));
    for group in groups(&report.unknown) {
        line(format!("  {group}"));
    }
    if let Some(read) = &report.read {
        line(String::new());
        line(format!(
            "{} rows read, {} refused",
            read.rows_read, read.rows_refused
        ));
        for problem in to_problem_lines(read).lines() {
            line(problem.to_owned());
        }
        line(format!(
            "no column tells, and so taken as said: {}",
            report.not_told.join("; ")
        ));
    }
    for (severity, title) in [
        (Severity::Contradiction, "contradictions"),
        (Severity::Doubt, "doubts"),
    ] {
        if count(&report.findings, severity) == 0 {
            continue;
        }
        line(String::new());
        line(format!("{title}:"));
        for found in report.findings.iter().filter(|found| found.severity == severity) {
            line(format!("  {} ({})", found.kind.as_str(), found.key));
            line(format!("    {}", found.sentence));
        }
    }
    if report.findings.is_empty() {
        line(String::new());
        line(match report.read {
            Some(_) => "nothing in the register contradicts the manifest".to_owned(),
            None => "the manifest does not contradict itself; with --extract and --mapping it is held against a register".to_owned(),
        });
    }
    page
}

/// Keys of one table on a line: `coverage: students, refugees`.
fn groups(keys: &[String]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for key in keys {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        match groups.last_mut().filter(|(last, _)| *last == table) {
            Some((_, names)) => names.push(name),
            None => groups.push((table, vec![name])),
        }
    }
    groups
        .into_iter()
        .map(|(table, names)| format!("{table}: {}", names.join(", ")))
        .collect()
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|found| found.severity == severity).count()
}

fn number_of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn diff(origin: &Path, destination: &Path, as_json: bool) -> anyhow::Result<()> {
    let (left, right) = (load(origin)?, load(destination)?);
    let comparison = DefinitionManifest::compare(&left, &right).map_err(|error| {
        input_error(
            error.to_string(),
            "give the origin's manifest, then the destination's",
        )
    })?;
    if as_json {
        json(&comparison)
    } else {
        data(&to_diff_page(&comparison))
    }
}

fn to_diff_page(comparison: &ManifestComparison) -> String {
    let (origin, destination) = (
        comparison.corridor.origin().0,
        comparison.corridor.destination().0,
    );
    let (stated, silent): (Vec<_>, Vec<_>) = comparison
        .differences
        .iter()
        .partition(|found| found.kind.is_stated());
    let mut page = format!(
        "{origin} → {destination}: emigrations as {origin} counts them, immigrations as {destination} does\n\
         manifests {} and {}\n\n",
        comparison.origin_manifest.to_short(),
        comparison.destination_manifest.to_short()
    );
    let mut line = |text: String| {
        page += &text;
        page.push('\n');
    };
    line(match stated.len() {
        0 => "nothing that both say differs".to_owned(),
        count => format!("{} between what both say:", number_of(count, "difference")),
    });
    let mut reason: Option<ReasonCode> = None;
    for found in &stated {
        if reason.replace(found.reason) != Some(found.reason) {
            line(String::new());
            line(format!("{}  {}", found.letter, found.reason.as_str()));
        }
        for text in to_difference_lines(found, origin, destination) {
            line(format!("   {text}"));
        }
    }
    if !silent.is_empty() {
        line(String::new());
        line("not said by one or both, and so perhaps another difference:".to_owned());
        for reason in ReasonCode::ALL {
            let fields: Vec<String> = silent
                .iter()
                .filter(|found| found.reason == reason)
                .map(|found| format!("{} ({})", found.field, to_silent(found, origin, destination)))
                .collect();
            if !fields.is_empty() {
                line(format!("{}  {}", reason.letter(), fields.join(", ")));
            }
        }
    }
    line(String::new());
    line(format!(
        "alike in {}{}",
        number_of(comparison.alike.len(), "key"),
        if comparison.alike.is_empty() { "" } else { ":" }
    ));
    if !comparison.alike.is_empty() {
        line(format!("   {}", comparison.alike.join(", ")));
    }
    for remark in &comparison.remarks {
        line(format!("   {}", remark.sentence));
        line(format!("     {}", to_indicative(&remark.indicative)));
    }
    page
}

fn to_difference_lines(
    found: &DefinitionDifference,
    origin: CountryCode,
    destination: CountryCode,
) -> Vec<String> {
    let tendency = match found.tendency {
        Tendency::TowardEmigrations => "toward emigrations",
        Tendency::TowardImmigrations => "toward immigrations",
        Tendency::Either => "either way",
        Tendency::Unknown => "not to be told",
    };
    let mut lines = vec![
        format!(
            "{}: {origin} {} | {destination} {} | {tendency}",
            found.field, found.origin, found.destination
        ),
        format!("  {}", found.sentence),
    ];
    lines.extend(
        found
            .indicative
            .as_ref()
            .map(|indicative| format!("  {}", to_indicative(indicative))),
    );
    lines
}

fn to_indicative(indicative: &Indicative) -> String {
    format!(
        "Indicative: alone it would make emigrations {:.2} times immigrations ({:.2} to {:.2}; {}).",
        indicative.ratio, indicative.low, indicative.high, indicative.source
    )
}

/// Who does not say.
fn to_silent(found: &DefinitionDifference, origin: CountryCode, destination: CountryCode) -> String {
    use corridor_flows::DifferenceKind as Kind;
    match found.kind {
        Kind::OriginSilent => format!("{origin}; {destination} says {}", found.destination),
        Kind::DestinationSilent => format!("{destination}; {origin} says {}", found.origin),
        Kind::BothSilent | Kind::Differs => "both".to_owned(),
    }
}
