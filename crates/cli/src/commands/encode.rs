use std::path::{Path, PathBuf};

use anyhow::Context as _;
use corridor_core::{Side, SignedAgreement};
use corridor_encode::{
    EncodeTerms, EncodedRegister, EncodingSchema, Mapping, ProjectKey, RefusalLimit, encode_register,
    write_dataset, write_pseudonyms,
};
use corridor_engine::Compute;

use crate::args::EncodeArgs;
use crate::commands::inspect::to_problem_lines;
use crate::commands::{clkhash, passphrase};
use crate::failure::input_error;
use crate::output::{json, progress, read_text, talk};

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
    let schema = schema_of(&signed)?;
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
    };
    let limit = RefusalLimit::try_new(args.max_refused).unwrap_or(RefusalLimit::NONE);
    let bar = progress(0, "encoding");
    let compute = Compute::new(args.threads)?;
    let register = encode_register_on(&compute, &args.input, &mapping, &terms, limit, &|rows| {
        bar.set_length(rows);
        bar.set_position(rows);
    })?;
    bar.finish_and_clear();
    write_pseudonyms(&register.dataset, &register.pseudonyms, pseudonyms)?;
    let content = write_dataset(&register.dataset, &args.output).inspect_err(|_| {
        // Half of the result is no result.
        drop(std::fs::remove_file(pseudonyms));
    })?;
    let report = &register.report;
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
    talk(&format!(
        "dataset {} to {}",
        content.to_short(),
        args.output.display()
    ));
    talk(&format!(
        "pseudonym list to {}: it stays here",
        pseudonyms.display()
    ));
    if args.json {
        json(report)?;
    }
    Ok(())
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

/// The schema an agreement names, when this program has it.
pub(crate) fn schema_of(signed: &SignedAgreement) -> anyhow::Result<EncodingSchema> {
    let encoding = &signed.agreement.encoding;
    let schema = EncodingSchema::from_names(encoding.profile, &encoding.match_fields)
        .map_err(|error| input_error(error.to_string(), "it needs a new agreement"))?;
    if schema.digest() != encoding.schema {
        return Err(input_error(
            "the agreement names an encoding schema that this program does not have",
            "both offices need the version of this program the agreement was made with, or a new agreement",
        ));
    }
    Ok(schema)
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
