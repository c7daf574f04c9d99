use std::collections::HashSet;
use std::path::Path;

use corridor_core::{
    AgeBands, CountryCode, Digest, OfficeId, SeededEntropy, StatisticsTerms, Stop, Stopwatch, SystemClock,
};
use corridor_encode::{
    EncodeTerms, EncodedRegister, EncodingSchema, LinkageKey, Mapping, ProjectSecret, RefusalLimit,
};
use corridor_engine::{
    CandidateBudget, Compute, EngineError, EventPair, LinkageReport, Pipeline, PlannedDatasets, RunLimits,
    RunPlan,
};
use corridor_flows::{Provenance, check_lists};
use corridor_link::{CandidateMemory, LinkSet};
use serde_json::json;

use crate::args::RehearseArgs;
use crate::commands::attack::{attack, to_page as to_attack_page};
use crate::commands::encode::encode_register_on;
use crate::commands::inspect::to_problem_lines;
use crate::commands::registers::{
    LinkRow, QualityReport, Register, Registers, links_to_csv, measure_quality, schema_for, to_quality_line,
};
use crate::commands::results::{
    FlowResult, add_few_pictures, add_flows, replace_results, to_blocking_lines, to_field_lines, to_page,
    to_strata_lines,
};
use crate::output::{FileSet, data, json, progress, talk};

pub(crate) fn run(args: &RehearseArgs) -> anyhow::Result<()> {
    let left = Register {
        path: args.left.clone(),
        mapping: Mapping::load(&args.left_mapping)?,
    };
    let (Some(right), Some(right_mapping)) = (&args.right, &args.right_mapping) else {
        return attack_alone(&left, args);
    };
    let right = Register {
        path: right.clone(),
        mapping: Mapping::load(right_mapping)?,
    };
    let registers = Registers::new(left, right, &args.pipeline)?;
    let clock = SystemClock;
    let compute = Compute::new(args.pipeline.threads)?;
    let key = seeded_key(args.pipeline.seed, &registers.schema);

    let watch = Stopwatch::start(&clock);
    let left = encode(&compute, &registers, &registers.left, "LEFT", &key)?;
    let right = encode(&compute, &registers, &registers.right, "RIGHT", &key)?;
    let encode_s = watch.elapsed_s();

    let watch = Stopwatch::start(&clock);
    let limits = args.pipeline.candidates.limits(args.pipeline.max_candidates);
    let memory = args.pipeline.candidates.memory(folder_of(&args.out));
    let (links, report, flows) =
        compute.run_blocking(|| link(&registers, (&left, &right), limits, &memory))?;
    let link_s = watch.elapsed_s();

    let id = |register: &EncodedRegister, row: u32| {
        let row = usize::try_from(row).expect("an index of a dataset");
        register.pseudonyms.record_id(row).to_owned()
    };
    let pairs: Vec<(String, String)> = links
        .links
        .iter()
        .map(|link| (id(&left, link.left), id(&right, link.right)))
        .collect();
    let evidence = links.fields.as_ref().map_or(&[][..], |fields| &fields.evidence);
    let rows = pairs
        .iter()
        .zip(&links.links)
        .enumerate()
        .map(|(position, ((left, right), link))| LinkRow {
            left,
            right,
            similarity: link.similarity,
            probability: link.probability,
            evidence: evidence.get(position).map_or(&[], Vec::as_slice),
        });
    let csv = links_to_csv(rows, &registers.encoding.match_fields)?;
    let mut files = FileSet::new(&args.out)?;
    files.add("links.csv", &csv)?;
    let document = json!({
        "left": left.report,
        "right": right.report,
        "linkage": report,
        "links": links.links.len(),
        "candidate_pairs": links.decision.candidate_pairs,
        "assignment": registers.linkage.assignment,
        "greedy_components": links.decision.greedy_components,
        "ambiguous_links": links.decision.ambiguous_links,
        "flow_table": match &registers.flows {
            Ok(terms) => json!({"corridor": terms.corridor.to_string(), "period": terms.period}),
            Err(reason) => json!({"none_because": reason}),
        },
    });
    files.add("report.json", &(serde_json::to_string_pretty(&document)? + "\n"))?;
    let quality = args
        .pipeline
        .truth
        .as_ref()
        .map(|truth| {
            let links: HashSet<_> = pairs.into_iter().collect();
            let quality = measure_quality(&links, truth, (&registers.left, &registers.right), &report)?;
            files.add("quality.json", &(serde_json::to_string_pretty(&quality)? + "\n"))?;
            Ok::<_, anyhow::Error>(quality)
        })
        .transpose()?;
    if let Some((flows, moves)) = &flows {
        add_flows(&mut files, flows)?;
        add_few_pictures(&mut files, flows)?;
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["left_id", "right_id", "days_apart"])?;
        for pair in moves {
            writer.write_record([
                id(&left, pair.left),
                id(&right, pair.right),
                pair.days_apart.to_string(),
            ])?;
        }
        files.add("moves.csv", &String::from_utf8(writer.into_inner()?)?)?;
    }
    let found = if args.attack.attack {
        let other = args
            .pipeline
            .truth
            .as_deref()
            .map(|truth| (&registers.right, truth));
        let found = compute
            .run_blocking(|| attack(&registers.left, &left, other, &registers.schema, &args.attack))?;
        files.add("attack.json", &(serde_json::to_string_pretty(&found)? + "\n"))?;
        Some(found)
    } else {
        None
    };
    replace_results(files)?;

    if args.json {
        return json(&json!({
            "report": document,
            "quality": quality,
            "attack": found,
            "seconds": {"encode": encode_s, "link": link_s},
            "threads": compute.thread_count(),
            "out": args.out,
        }));
    }
    tell(&registers, &left, &right, &links, &report);
    if let Some((flows, _)) = &flows {
        data(&to_page(flows))?;
    }
    tell_quality(quality.as_ref());
    if let Some(found) = &found {
        data(&to_attack_page(found))?;
    }
    talk(&format!("wrote to {}", args.out.display()));
    Ok(())
}

/// Attacks one register's filters, without linking anything.
fn attack_alone(register: &Register, args: &RehearseArgs) -> anyhow::Result<()> {
    let schema = schema_for(&[&register.mapping], &args.pipeline)?;
    let compute = Compute::new(args.pipeline.threads)?;
    let terms = RehearsedTerms {
        schema: &schema,
        age_bands: &AgeBands::try_from(vec![0]).expect("one band"),
        statistics: &StatisticsTerms::default(),
        limit: RefusalLimit::try_new(args.pipeline.max_refused).unwrap_or(RefusalLimit::NONE),
        partner: nowhere(),
    };
    let key = seeded_key(args.pipeline.seed, &schema);
    let encoded = encode_one(&compute, register, "LEFT", &terms, &key)?;
    let found = compute.run_blocking(|| attack(register, &encoded, None, &schema, &args.attack))?;
    let mut files = FileSet::new(&args.out)?;
    files.add("attack.json", &(serde_json::to_string_pretty(&found)? + "\n"))?;
    replace_results(files)?;
    if args.json {
        return json(&json!({ "attack": found, "out": args.out }));
    }
    data(&to_attack_page(&found))?;
    talk(&format!("wrote to {}", args.out.display()));
    Ok(())
}

/// The linkage key of a rehearsal: from the seed, so that it protects nothing and gives the same bytes again.
fn seeded_key(seed: u64, schema: &EncodingSchema) -> LinkageKey {
    let mut entropy = SeededEntropy::new(seed, "rehearsal key");
    let mut draw = || {
        let mut bytes = [0; 32];
        corridor_core::fill(&mut entropy, &mut bytes);
        bytes
    };
    let secret = ProjectSecret::new(&draw(), &draw(), &draw());
    secret.to_linkage_key(&rehearsal_digest(schema))
}

/// What stands in place of an agreement's digest.
fn rehearsal_digest(schema: &EncodingSchema) -> Digest {
    Digest::of_parts(&[b"corridor/v1|rehearsal", schema.digest().as_bytes()])
}

/// A country nobody moves to: without a corridor, nothing is made of the other country.
fn nowhere() -> CountryCode {
    "AQ".parse().expect("a country code")
}

fn encode(
    compute: &Compute,
    registers: &Registers,
    register: &Register,
    office: &str,
    key: &LinkageKey,
) -> anyhow::Result<EncodedRegister> {
    let partner = match &registers.flows {
        Ok(terms) if office == "LEFT" => terms.corridor.destination().0,
        Ok(terms) => terms.corridor.origin().0,
        Err(_) => nowhere(),
    };
    let terms = RehearsedTerms {
        schema: &registers.schema,
        age_bands: &registers.age_bands,
        statistics: &registers.statistics,
        limit: registers.limit,
        partner,
    };
    encode_one(compute, register, office, &terms, key)
}

/// What a register is encoded under, without an agreement.
struct RehearsedTerms<'a> {
    schema: &'a EncodingSchema,
    age_bands: &'a AgeBands,
    statistics: &'a StatisticsTerms,
    limit: RefusalLimit,
    partner: CountryCode,
}

fn encode_one(
    compute: &Compute,
    register: &Register,
    office: &str,
    terms: &RehearsedTerms<'_>,
    key: &LinkageKey,
) -> anyhow::Result<EncodedRegister> {
    let office: OfficeId = office.parse().expect("an office id");
    let encode_terms = EncodeTerms {
        agreement: rehearsal_digest(terms.schema),
        office: &office,
        partner: terms.partner,
        schema: terms.schema,
        key,
        age_bands: terms.age_bands,
        statistics: terms.statistics,
    };
    let bar = progress(0, "encoding");
    let encoded = encode_register_on(
        compute,
        &register.path,
        &register.mapping,
        &encode_terms,
        terms.limit,
        &|rows| {
            bar.set_length(rows);
            bar.set_position(rows);
        },
    )?;
    bar.finish_and_clear();
    Ok(encoded)
}

/// A flow table and the pairs of moves it was made from.
type PairedFlows = (FlowResult, Vec<EventPair>);

/// The folder of the results, or that in which it will be made.
fn folder_of(out: &Path) -> &Path {
    let folder = out.ancestors().find(|folder| folder.is_dir());
    folder.unwrap_or(Path::new("."))
}

/// Links and, for moves, the flow table. Runs on the current rayon pool.
fn link(
    registers: &Registers,
    (left, right): (&EncodedRegister, &EncodedRegister),
    limits: RunLimits,
    memory: &CandidateMemory,
) -> anyhow::Result<(LinkSet, LinkageReport, Option<PairedFlows>)> {
    let datasets = PlannedDatasets {
        origin: &left.dataset,
        destination: &right.dataset,
        file_bytes: [0, 0],
    };
    if let (Ok(terms), Some(left), Some(right)) =
        (&registers.flows, &left.dataset.events, &right.dataset.events)
    {
        check_lists(terms, left, right).map_err(EngineError::from)?;
    }
    // Whoever interrupts the command ends the process.
    let stop = Stop::default();
    let plan = RunPlan::new(
        datasets,
        &registers.linkage,
        &registers.encoding,
        limits,
        None,
        &stop,
    )?;
    plan.check()?;
    let pipeline = Pipeline::new(
        &left.dataset,
        &right.dataset,
        &registers.linkage,
        &registers.encoding,
        &stop,
    )?;
    for (count, register) in pipeline
        .constant_filters()
        .into_iter()
        .zip(["origin's", "destination's"])
    {
        if count > 0 {
            talk(&format!(
                "caution: {count} of the {register} records have a filter without any bit set, or with all: they are linked with nobody"
            ));
        }
    }
    let tiles = pipeline.tiles();
    let bar = progress(u64::try_from(tiles.len()).unwrap_or(0), "comparing");
    let mut candidates = pipeline.candidates(memory, 0);
    let budget = CandidateBudget::new(limits.max_candidates, 0);
    pipeline.compare_into(&tiles, &budget, &mut candidates, &|| bar.inc(1))?;
    bar.finish_and_clear();
    if budget.is_passed() {
        let refusals = vec![plan.refusal_of_found()];
        return Err(EngineError::RunRefused { refusals }.into());
    }
    let links = pipeline.decide(candidates)?;
    let report = pipeline.report(&links, registers.flows.as_ref().ok())?;
    let flows = match &registers.flows {
        Ok(terms) => {
            let moves = pipeline.pair_moves(&links)?;
            let flows = FlowResult {
                table: pipeline.reconcile(&links, &moves, terms, &report, &[])?,
                report: report.clone(),
                provenance: Provenance::default(),
            };
            Some((flows, moves))
        }
        Err(_) => None,
    };
    Ok((links, report, flows))
}

fn tell(
    registers: &Registers,
    left: &EncodedRegister,
    right: &EncodedRegister,
    links: &LinkSet,
    report: &LinkageReport,
) {
    for (name, register) in [("left", left), ("right", right)] {
        let encoded = &register.report;
        talk(&format!(
            "{name}: {} rows read, {} encoded as {}, {} refused",
            encoded.read.rows_read, encoded.records_encoded, encoded.profile, encoded.read.rows_refused
        ));
        let problems = to_problem_lines(&encoded.read);
        if !problems.is_empty() {
            talk(problems.trim_end());
        }
    }
    talk(&format!("match fields: {}", left.report.match_fields.join(", ")));
    talk(&format!(
        "{} links at threshold {} ({}), {} of them with a close rival",
        links.links.len(),
        report.threshold,
        report.threshold_policy,
        links.decision.ambiguous_links
    ));
    if let Some(blocking) = &report.blocking {
        talk(&to_blocking_lines(blocking));
    }
    if !report.strata.is_empty() {
        talk(&to_strata_lines(&report.strata));
    }
    if let Some(fields) = &report.fields {
        talk(&to_field_lines(fields));
    }
    if let Some(components @ 1..) = report.greedy_components {
        talk(&format!(
            "{components} groups of pairs were too large to be assigned optimally, and were assigned greedily"
        ));
    }
    if let (Some(precision), Some(recall)) = (report.expected_precision, report.expected_recall) {
        let among = if report.blocking.is_some() {
            " among those who met"
        } else {
            ""
        };
        talk(&format!(
            "expected without truth: precision {precision:.4}, recall {recall:.4}{among}"
        ));
    }
    match report.estimators.as_ref().map(|estimators| estimators.agree) {
        None | Some(Some(true)) => {}
        Some(Some(false)) => talk(
            "caution: the two ways of estimating the threshold do not agree; see report.json, and do not publish what \
             depends on it",
        ),
        Some(None) => talk(
            "caution: too few links are almost certain for a second estimate of the threshold; nothing confirms the first",
        ),
    }
    if let Err(reason) = &registers.flows {
        talk(&format!("no flow table: {reason}"));
    }
}

fn tell_quality(quality: Option<&QualityReport>) {
    let Some(quality) = quality else { return };
    talk(&format!("against the truth: {}", to_quality_line(quality)));
    if quality.true_pairs_outside > 0 {
        talk(&format!(
            "{} pairs of the truth name records that are in neither register; they do not count",
            quality.true_pairs_outside
        ));
    }
}
