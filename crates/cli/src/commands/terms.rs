use std::path::{Path, PathBuf};

use corridor_core::{
    AGREEMENT_VERSION, AgeBands, Agreement, Assignment, Corridor, DefinitionDigests, Digest,
    DisclosureMethod, DisclosureRule, EncodingTerms, GateTerms, LinkageTerms, Office, Output, Period,
    Profile, Reader, Recall, ReleaseStatus, StatisticsTerms, ThresholdPolicy,
};
use corridor_encode::{EncodingSchema, PublicIdentity};
use corridor_flows::DefinitionManifest;
use serde::Deserialize;

use crate::commands::keys::read_public;
use crate::commands::schema;
use crate::failure::input_error;
use crate::output::read_text;

/// A terms file to start from. A test reads it.
pub(crate) const TEMPLATE: &str = r#"# What two offices agree on. Paths are relative to this file.

# Public identities, compared by telephone (corridor keys fingerprint).
origin_identity = "ins-tn.pub"
destination_identity = "istat.pub"

# Encoding profile: saul-3-2048, or clk-1024 when the service may be trusted with a list of the people (corridor schema
# list has all). A schema file has its own, and needs none here.
profile = "saul-3-2048"
# A ready-made encoding schema (corridor schema list) or a schema file, which both offices need; or, in its place,
# match_fields = ["names", "birth_date", "sex", "citizenship"], fields both registers have.
schema = "generic"

# "estimated" (without truth, from the similarities of the run) or a number as in "0.12".
threshold = "estimated"
# For Bloom profiles (clk-1024 and others) and large registers: compare only records that share a block key or one of some
# keys of bits drawn from their filters, as many as find this share of the pairs at the threshold. What that missed is
# measured and told with the result. Without it all pairs are compared, or those the schema's blocking passes name.
# lsh_recall = 0.98
# How each person gets at most one partner: "greedy", "mutual_best" or "optimal". Or, with a given threshold, "one_to_many", where a
# person of the origin may have several (a household registered as one), and "many_to_one".
assignment = "greedy"
# Two events of a linked person are the same move when at most this many days apart.
event_window_days = 365
# Seed of samples; fixed, so that a run can be replayed.
seed = 1
# Under fields-256 and fields-512, match fields of which agreement on a rare value counts more than on a common one:
# value_frequencies = ["names"]

# Lower bounds of age bands, in completed years at the move: all that is uploaded of a person's age.
age_bands = [0, 15, 30, 45, 65]
# What the tables count by. Every table begins with period and may have sex, age, age_reached (the age reached in the year),
# citizenship, birth_country, migratory_status and reason, in this order; only what a table names leaves the office. When there is
# no section [statistics], one table by year, sex and age is made. Others need these lines at the end of the file:
# [statistics]
# tables = [["period", "sex", "age"], ["period", "citizenship"]]
# period_unit = "quarter"          # or "year"
# duration_rule = "12_months"      # the stay with which a move counts: own (each office's), 12_months, 6_months, 3_months, half_year
# [[statistics.country_groups]]    # countries of citizenship and birth that are told apart; all others are one group
# name = "maghreb"
# countries = ["DZ", "MA", "TN"]

# The manifests in which both offices say what their figures mean (corridor manifest init); results name them by digest.
# origin_manifest = "tn-manifest.toml"
# destination_manifest = "it-manifest.toml"
# Whether the figures may still change: "provisional" or "final"; and the digest of the agreement whose figures they revise.
status = "final"
# revises = "…"
# What may leave: flow_table, link_list.
outputs = ["flow_table"]
# Counts above 0 and below this are suppressed, and others with them.
minimum_count = 10
# How: "suppression", "random_rounding" (to multiples of 3) or "cell_key" (the same moves always changed by the same).
disclosure_method = "suppression"
# Days after release until the service purges the datasets.
retention_days = 90
# Who else may read, by name and role at the service: a researcher the released tables, an administrator or auditor how the runs
# went and how good their links are.
# readers = [{ party = "UNIV-A", role = "researcher" }]

[corridor]
origin = "TN"
destination = "IT"

# Reference period of the flow tables, both days included.
[period]
first = "2022-01-01"
last = "2024-12-31"

# What an upload must look like before it is sealed. Without this section the bounds of the profile hold; corridor gate shows
# them. Shares are in thousandths.
# [gate]
# minimum_stratum = 10               # nobody in a smaller stratum of what is in clear (sex, age band, year, …), nor in a smaller block
# small_strata_per_thousand = 0      # but for so many records
# duplicates_per_thousand = 20       # filters that are another person's, too
# near_duplicates_per_thousand = 200 # filters that nearly are: somebody may try many spellings to see which is known
# drift_per_thousand = 600           # distance between the two offices' bit frequencies
# shape = "any"                      # takes filters that do not look as the profile makes them; for schemas of your own
"#;

/// The terms file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsFile {
    origin_identity: PathBuf,
    destination_identity: PathBuf,
    profile: Option<Profile>,
    match_fields: Option<Vec<String>>,
    schema: Option<String>,
    threshold: String,
    lsh_recall: Option<f64>,
    assignment: Assignment,
    event_window_days: u32,
    seed: u64,
    #[serde(default)]
    value_frequencies: Vec<String>,
    age_bands: AgeBands,
    outputs: Vec<Output>,
    minimum_count: u32,
    #[serde(default)]
    disclosure_method: DisclosureMethod,
    #[serde(default)]
    statistics: StatisticsTerms,
    origin_manifest: Option<PathBuf>,
    destination_manifest: Option<PathBuf>,
    #[serde(default)]
    status: ReleaseStatus,
    revises: Option<Digest>,
    #[serde(default)]
    gate: GateTerms,
    retention_days: u32,
    #[serde(default)]
    readers: Vec<Reader>,
    corridor: Corridor,
    period: Period,
}

/// Reads a terms file and the identities it names, and makes the agreement of it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Agreement> {
    let file: TermsFile = toml::from_str(&read_text(path)?).map_err(|error| {
        input_error(
            format!(
                "{} is not understood: {}",
                path.display(),
                error.to_string().trim_end()
            ),
            "corridor agreement template writes one to start from",
        )
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let office = |path: &Path| -> anyhow::Result<Office> { Ok(to_office(&read_public(&folder.join(path))?)) };
    let schema = match (&file.schema, &file.match_fields) {
        (Some(reference), None) => schema::resolve(reference, file.profile, folder)?,
        (None, Some(fields)) => {
            EncodingSchema::from_names(file.profile.unwrap_or(Profile::Saul3x2048), fields)
                .map_err(|error| input_error(error.to_string(), "correct match_fields"))?
        }
        _ => {
            return Err(input_error(
                format!("{} needs either schema or match_fields", path.display()),
                "corridor schema list names the ready-made schemas",
            ));
        }
    };
    let threshold = match file.threshold.as_str() {
        "estimated" => ThresholdPolicy::Estimated,
        number => ThresholdPolicy::Fixed(number.parse().map_err(|error| {
            input_error(format!("threshold: {error}"), "write \"estimated\" or \"0.12\"")
        })?),
    };
    // The shortest text of a number in a file is the decimal that was written, unless that has more places than are taken.
    let lsh_recall = file
        .lsh_recall
        .map(|number| number.to_string().parse::<Recall>())
        .transpose()
        .map_err(|error| input_error(format!("lsh_recall: {error}"), "write 0.98, or leave it out"))?;
    let manifest = |path: &Path| crate::commands::manifest::load(&folder.join(path));
    let definitions = match (&file.origin_manifest, &file.destination_manifest) {
        (None, None) => None,
        (Some(origin), Some(destination)) => {
            let (origin, destination) = (manifest(origin)?, manifest(destination)?);
            let hint = "name the manifest of the origin's office as origin_manifest, and that of the destination's as \
                        destination_manifest";
            let comparison = DefinitionManifest::compare(&origin, &destination)
                .map_err(|error| input_error(error.to_string(), hint))?;
            if comparison.corridor != file.corridor {
                return Err(input_error(
                    format!(
                        "the manifests are of {}, and the corridor is {}",
                        comparison.corridor, file.corridor
                    ),
                    hint,
                ));
            }
            Some(DefinitionDigests {
                origin: origin.digest(),
                destination: destination.digest(),
            })
        }
        _ => {
            return Err(input_error(
                "one of origin_manifest and destination_manifest is missing",
                "name the manifests of both offices, or of neither; corridor manifest init drafts one",
            ));
        }
    };
    let mut outputs = file.outputs;
    outputs.sort_unstable();
    outputs.dedup();
    let mut readers = file.readers;
    readers.sort_unstable();
    let agreement = Agreement {
        version: AGREEMENT_VERSION,
        corridor: file.corridor,
        origin_office: office(&file.origin_identity)?,
        destination_office: office(&file.destination_identity)?,
        period: file.period,
        encoding: to_encoding_terms(&schema),
        linkage: LinkageTerms {
            threshold,
            assignment: file.assignment,
            event_window_days: file.event_window_days,
            seed: file.seed,
            value_frequencies: file.value_frequencies,
            lsh_recall,
        },
        age_bands: file.age_bands,
        statistics: file.statistics,
        definitions,
        status: file.status,
        revises: file.revises,
        gate: file.gate,
        outputs,
        disclosure: DisclosureRule {
            minimum_count: file.minimum_count,
            method: file.disclosure_method,
        },
        retention_days: file.retention_days,
        readers,
    };
    agreement
        .validate()
        .map_err(|error| input_error(error.to_string(), "correct the terms file"))?;
    Ok(agreement)
}

pub(crate) fn to_office(identity: &PublicIdentity) -> Office {
    Office {
        id: identity.office.clone(),
        signing_key: identity.signing_key,
    }
}

pub(crate) fn to_encoding_terms(schema: &EncodingSchema) -> EncodingTerms {
    let mut block_passes: Vec<String> = schema
        .block_passes()
        .iter()
        .map(|pass| pass.as_str().to_owned())
        .collect();
    block_passes.sort_unstable();
    EncodingTerms {
        block_passes,
        profile: schema.profile(),
        schema: schema.digest(),
        filter_bits: schema.filter_len(),
        match_fields: schema.fields().map(|field| field.as_str().to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;
    use corridor_encode::Identity;

    #[test]
    fn the_template_is_a_sound_agreement() {
        let folder = tempfile::tempdir().unwrap();
        for (office, file, seed) in [("INS-TN", "ins-tn.pub", 1), ("ISTAT", "istat.pub", 2)] {
            let identity = Identity::generate(office.parse().unwrap(), &mut SeededEntropy::new(seed, "test"));
            std::fs::write(folder.path().join(file), identity.to_public().to_json()).unwrap();
        }
        let path = folder.path().join("terms.toml");
        std::fs::write(&path, TEMPLATE).unwrap();
        let agreement = read(&path).unwrap();
        assert_eq!(agreement.corridor.to_string(), "TN-IT");
        std::fs::write(&path, TEMPLATE.replace("seed = 1", "sede = 1")).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("sede"));

        let with_recall = |profile: &str, recall: &str| {
            let text = TEMPLATE
                .replace("profile = \"saul-3-2048\"", &format!("profile = \"{profile}\""))
                .replace("# lsh_recall = 0.98", &format!("lsh_recall = {recall}"));
            std::fs::write(&path, text).unwrap();
            read(&path)
        };
        let agreement = with_recall("clk-1024", "0.98").unwrap();
        assert_eq!(agreement.linkage.lsh_recall, Some("0.98".parse().unwrap()));
        for (profile, recall, part) in [
            ("clk-1024", "1", "lsh_recall: a recall is"),
            ("clk-1024", "0.1234567", "lsh_recall: a recall is"),
            (
                "saul-3-2048",
                "0.98",
                "linkage.lsh_recall: bits drawn from filters",
            ),
        ] {
            let error = with_recall(profile, recall).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
