use std::path::{Path, PathBuf};

use anyhow::Context as _;
use corridor_core::{OsEntropy, SeededEntropy, Side, SignedAgreement, Stopwatch, SystemClock};
use corridor_encode::{
    BlockReport, EncodeReport, EncodeTerms, EncodedRegister, Encryption, Mapping, NewFiles, ProjectKey,
    RefusalLimit, Scratch, encode_register, encode_to_files,
};
use corridor_engine::Compute;
use corridor_redteam::FilterMetrics;
use serde::Serialize;

use crate::args::EncodeArgs;
use crate::commands::inspect::to_problem_lines;
use crate::commands::schema::schema_of;
use crate::commands::{clkhash, passphrase};
use crate::failure::input_error;
use crate::output::{json, peak_memory_mb, progress, read_text, talk};

pub(crate) fn run(args: &EncodeArgs) -> anyhow::Result<()> {
    if let Some(schema) = &args.clk.clkhash_schema {
        return clkhash::run(args, schema);
    }
    let pseudonyms = given(&args.pseudonyms, "--pseudonyms")?;
    let mapping = Mapping::load(given(&args.mapping, "--mapping")?)?;
    let signed = read_agreement(given(&args.agreement, "--agreement")?)?;
    let agreement = &signed.agreement;
    let side = side_of(args, &mapping, &signed)?;
    for path in [&args.output, pseudonyms] {
        if path.exists() {
            return Err(input_error(
                format!("{} exists already", path.display()),
                "name another file, or move the old one away",
            ));
        }
    }
    let schema = schema_of(&signed, args.schema.schema.as_deref())?;
    let passphrase = passphrase::read(&args.passphrase)?;
    let digest = agreement.digest();
    let project = ProjectKey::load(given(&args.key, "--key")?, passphrase.as_bytes())?;
    project.check(agreement)?;
    if project.own().id != agreement.office(side).id {
        return Err(input_error(
            format!(
                "the project key is of office {}, and the register of {}",
                project.own().id,
                agreement.office(side).id
            ),
            "give the mapping, the register and the key of one office",
        ));
    }
    let key = project.secret().to_linkage_key(&digest);
    let terms = EncodeTerms {
        agreement: digest,
        office: &agreement.office(side).id,
        partner: agreement.country(side.to_other()),
        schema: &schema,
        key: &key,
        age_bands: &agreement.age_bands,
        statistics: &agreement.statistics,
    };
    let limit = RefusalLimit::try_new(args.max_refused).unwrap_or(RefusalLimit::NONE);
    let bar = progress(0, "encoding");
    let compute = Compute::new(args.threads)?;
    let watch = Stopwatch::start(&SystemClock);
    let folder = args
        .output
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let scratch = Scratch::new(folder.unwrap_or(Path::new(".")), &mut OsEntropy::default());
    let encryption = || Encryption::new(passphrase.as_bytes(), &mut OsEntropy::default());
    let encryption = args.encrypt.then(|| [encryption(), encryption()]);
    let encoded = compute.run_blocking(|| {
        encode_to_files(
            &args.input,
            &mapping,
            &terms,
            limit,
            NewFiles {
                dataset: &args.output,
                pseudonyms,
                encryption,
            },
            &scratch,
            &|rows| {
                bar.set_length(rows);
                bar.set_position(rows);
            },
        )
    });
    bar.finish_and_clear();
    let encoded = encoded.with_context(|| format!("cannot encode {}", args.input.display()))?;
    let seconds = watch.elapsed_s();
    let report = &encoded.report;
    let privacy = compute.run_blocking(|| {
        FilterMetrics::of(
            &encoded.sample,
            EXPOSURE_SAMPLE,
            &mut SeededEntropy::new(1, "graph exposure"),
        )
    });
    talk(&format!(
        "{} rows read, {} encoded as {} for office {} ({}), {} refused",
        report.read.rows_read,
        report.records_encoded,
        report.profile,
        agreement.office(side).id,
        side.as_str(),
        report.read.rows_refused
    ));
    talk(to_problem_lines(&report.read).trim_end());
    if report.needs_trusted_unit {
        talk("note: this profile withstands only a linkage unit that has no list of the people");
    }
    talk(&to_privacy_lines(&privacy, report.needs_trusted_unit));
    for blocks in &report.blocks {
        talk(&to_block_line(blocks));
    }
    talk(&format!(
        "{seconds:.1} s, {:.0} records a second{}",
        to_rate(report.read.rows_read, seconds),
        peak_memory_mb().map_or_else(String::new, |mb| format!(", {mb:.0} MB of memory at most")),
    ));
    let encrypted = if args.encrypt { ", encrypted" } else { "" };
    talk(&format!(
        "dataset {} to {}{encrypted}",
        encoded.digest.to_short(),
        args.output.display()
    ));
    talk(&format!(
        "pseudonym list to {}{encrypted}: it stays here",
        pseudonyms.display()
    ));
    if args.json {
        json(&FullReport {
            report,
            privacy,
            seconds,
            peak_memory_mb: peak_memory_mb(),
        })?;
    }
    Ok(())
}

/// Records whose neighbours are looked for among those sampled.
const EXPOSURE_SAMPLE: usize = 500;

/// What an encoding job did and what its filters expose. Nothing in it identifies a person.
#[derive(Serialize)]
struct FullReport<'a> {
    #[serde(flatten)]
    report: &'a EncodeReport,
    /// Of the first records of the dataset, which are a random sample.
    privacy: FilterMetrics,
    seconds: f64,
    peak_memory_mb: Option<f64>,
}

/// What the filters of a profile that withstands graph matching look like: fill, Gini coefficient of columns, and records with
/// one and with three neighbours.
const USUAL_FILL: std::ops::RangeInclusive<f64> = 0.48..=0.52;
const MOST_GINI: f64 = 0.03;
const MOST_EXPOSURE: (f64, f64) = (0.15, 0.02);

fn to_privacy_lines(privacy: &FilterMetrics, needs_trusted_unit: bool) -> String {
    let exposure = &privacy.exposure;
    let mut lines = format!(
        "of {} filters: {:.3} of the bits set, Gini of columns {:.3}, {:.2} % duplicates, {:.1} % with a near neighbour, {:.1} % \
         with three",
        privacy.record_count,
        privacy.fill,
        privacy.column_gini,
        100.0 * privacy.duplicates,
        100.0 * exposure.exp1,
        100.0 * exposure.exp3
    );
    let usual = USUAL_FILL.contains(&privacy.fill)
        && privacy.column_gini <= MOST_GINI
        && exposure.exp1 <= MOST_EXPOSURE.0
        && exposure.exp3 <= MOST_EXPOSURE.1;
    if !needs_trusted_unit && !usual {
        lines += "\ncaution: more than usual can be seen in these filters (usual: 0.48 to 0.52 set, Gini up to 0.03, up to 15 % with a \
                  near neighbour, up to 2 % with three). A few names or dates that dominate do that, or one person in many rows; \
                  corridor rehearse --attack shows what somebody would learn";
    }
    lines
}

fn to_block_line(blocks: &BlockReport) -> String {
    format!(
        "blocks by {}: {} of {} to {} records (median {}), {} records in none; {:.2} % of all pairs are left to compare",
        blocks.pass.as_str(),
        blocks.blocks,
        blocks.smallest,
        blocks.largest,
        blocks.median,
        blocks.records_without_key,
        100.0 * blocks.same_block_share
    )
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn to_rate(rows: u64, seconds: f64) -> f64 {
    rows as f64 / seconds.max(1e-9)
}

/// An argument that only encoding as clkhash does is without.
fn given<'a>(path: &'a Option<PathBuf>, name: &str) -> anyhow::Result<&'a PathBuf> {
    path.as_ref()
        .ok_or_else(|| input_error(format!("{name} is missing"), "give it, or --clkhash-schema"))
}

/// Encodes on a pool of its own, so that the number of threads is the one asked for.
pub(crate) fn encode_register_on(
    compute: &Compute,
    input: &Path,
    mapping: &Mapping,
    terms: &EncodeTerms<'_>,
    limit: RefusalLimit,
    on_rows: &(dyn Fn(u64) + Sync),
) -> anyhow::Result<EncodedRegister> {
    let register =
        compute.run_blocking(|| encode_register(input, mapping, terms, limit, &|rows| on_rows(rows)));
    register.with_context(|| format!("cannot encode {}", input.display()))
}

/// Reads an agreement file and checks that it is in force.
pub(crate) fn read_agreement(path: &Path) -> anyhow::Result<SignedAgreement> {
    let refuse = |problem: String| {
        input_error(
            format!("{}: {problem}", path.display()),
            "save it again with corridor agreement show DIGEST -o FILE, when both offices have signed",
        )
    };
    let signed: SignedAgreement = serde_json::from_str(&read_text(path)?)
        .map_err(|error| refuse(format!("not an agreement: {error}")))?;
    signed
        .agreement
        .validate()
        .map_err(|error| refuse(error.to_string()))?;
    signed.verify().map_err(|error| refuse(error.to_string()))?;
    if !signed.is_in_force() {
        return Err(refuse("not both offices have signed this agreement".to_owned()));
    }
    Ok(signed)
}

/// Which end of the corridor this office stands at: as the mapping's reporter or --office says.
fn side_of(args: &EncodeArgs, mapping: &Mapping, signed: &SignedAgreement) -> anyhow::Result<Side> {
    let agreement = &signed.agreement;
    let by_reporter = mapping.reporter.map(|reporter| {
        [Side::Origin, Side::Destination]
            .into_iter()
            .find(|&side| agreement.country(side) == reporter)
            .ok_or_else(|| {
                input_error(
                    format!(
                        "the mapping's reporter {reporter} is no country of the agreement's corridor {}",
                        agreement.corridor
                    ),
                    "check that mapping and agreement belong together",
                )
            })
    });
    let by_office = args.office.as_ref().map(|office| {
        agreement.side_of(office).ok_or_else(|| {
            input_error(
                format!("office {office} is no party of the agreement"),
                "corridor agreement show names the two offices",
            )
        })
    });
    match (by_reporter.transpose()?, by_office.transpose()?) {
        (Some(reporter), Some(office)) if reporter != office => Err(input_error(
            "the mapping's reporter and --office are at different ends of the corridor",
            "correct one of the two",
        )),
        (Some(side), _) | (None, Some(side)) => Ok(side),
        (None, None) => Err(input_error(
            "neither the mapping's reporter nor --office says which office this is",
            "set reporter in the mapping, as in reporter = \"TN\"",
        )),
    }
}
