//! What an office's figures mean, described once, and how two descriptions differ before any record moves.
//!
//! A [`DefinitionManifest`] says of an office's moves how long a stay must be, what the dates are, who is covered, how moves come
//! to be registered and how the other country is known. [`DefinitionManifest::compare`] holds the origin's rules of emigration
//! against the destination's rules of immigration, and lists what differs with a [`ReasonCode`]. What an office does not say is
//! listed too, and never taken for agreement. [`RegisterCheck`] holds a manifest against the records it describes.

mod check;
mod compare;
mod contradiction;
mod coverage;
mod difference;
mod direction;
mod duration;
mod error;
mod frame;
mod indicative;
mod prefill;
mod reason;
mod stated;
mod statements;
mod template;
#[cfg(test)]
mod tests;
mod validate;

pub use check::{BirthKnowledge, ObservedMove, RegisterCheck, SeenBefore};
pub use contradiction::{Finding, FindingKind, Severity};
pub use coverage::{Coverage, FormerStates, PartTreatment, PopulationBase, Territory, Treatment};
pub use difference::{
    AlikeRemark, DefinitionDifference, DifferenceKind, Indicative, ManifestComparison, Tendency,
};
pub use direction::{
    DateBasis, DateRule, FlowDefinition, PartnerBasis, PartnerRule, RegistrationRule, StatedPrecision,
    Strength, Undercount, UnknownPartner,
};
pub use duration::{DurationBasis, DurationRule, MinimumStay, Months, MonthsError};
pub use error::ManifestError;
pub use frame::{
    AgeDefinition, AgeRule, BirthDates, Cleaning, DescribedOffice, Identification, NameScript, OverCoverage,
    PersonKey, Perturbation, Population, Published, Reference, RepeatedMoves, SeriesBreak, Source,
    SourceKind,
};
pub use reason::ReasonCode;
pub use stated::{Answer, Quantity, Stated, Text, TextError};
pub use template::{ManifestTemplate, manifest_template};

use corridor_core::{Digest, Direction};
use serde::{Deserialize, Serialize};

/// The only [`DefinitionManifest::version`] there is.
pub const MANIFEST_VERSION: u32 = 1;

/// What one office's figures of moves mean.
///
/// Read from TOML or JSON; unknown keys are errors, and a key that is left out means `unknown`. `corridor manifest init` writes one
/// to fill in, with every key explained.
///
/// ```
/// use corridor_flows::{DefinitionManifest, ReasonCode, Tendency};
///
/// let origin = DefinitionManifest::from_text(
///     "version = 1\noffice.country = \"TN\"\n[emigration.duration]\nminimum_stay = { months = 3 }",
/// )?;
/// let destination = DefinitionManifest::from_text(
///     "version = 1\noffice.country = \"IT\"\n[immigration.duration]\nminimum_stay = { months = 12 }",
/// )?;
/// let comparison = DefinitionManifest::compare(&origin, &destination)?;
/// let difference = &comparison.differences[0];
/// assert_eq!(difference.reason, ReasonCode::Duration);
/// assert_eq!(difference.tendency, Tendency::TowardEmigrations);
/// let indicative = difference.indicative.as_ref().unwrap();
/// assert_eq!((indicative.ratio * 100.0).round(), 159.0); // 1 / 0.63, IMEM 2013
/// # Ok::<(), corridor_flows::ManifestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionManifest {
    /// Version of this form, 1.
    pub version: u32,
    /// Whose data it describes.
    pub office: DescribedOffice,
    /// From what source.
    #[serde(default)]
    pub source: Source,
    /// Of what time.
    #[serde(default)]
    pub reference: Reference,
    /// Of what population.
    #[serde(default)]
    pub population: Population,
    /// What ages are.
    #[serde(default)]
    pub age: AgeRule,
    /// Who is in it.
    #[serde(default)]
    pub coverage: Coverage,
    /// What belongs to a country.
    #[serde(default)]
    pub territory: Territory,
    /// Emigrations; `None` when the office counts none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emigration: Option<FlowDefinition>,
    /// Immigrations; `None` when the office counts none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immigration: Option<FlowDefinition>,
    /// Records too many.
    #[serde(default)]
    pub over_coverage: OverCoverage,
    /// By what people are known again.
    #[serde(default)]
    pub identification: Identification,
    /// What is done to figures before they are published.
    #[serde(default)]
    pub published: Published,
    /// Breaks in the series, in order of their dates.
    #[serde(default)]
    pub breaks: Vec<SeriesBreak>,
}

impl DefinitionManifest {
    /// Reads a manifest from TOML, or from JSON when the text begins with `{`, and checks it.
    ///
    /// # Errors
    /// When it is neither, has a key or a value that is not known, or contradicts itself. The message has the path of the key.
    pub fn from_text(text: &str) -> Result<Self, ManifestError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let manifest: Self = if text.trim_start().starts_with('{') {
            let mut json = serde_json::Deserializer::from_str(text);
            let manifest = serde_path_to_error::deserialize(&mut json).map_err(|error| {
                let syntax = error.inner().is_syntax() || error.inner().is_eof();
                read_error("JSON", syntax, &error.path().to_string(), error.inner())
            })?;
            json.end().map_err(|error| read_error("JSON", true, "", &error))?;
            manifest
        } else {
            let toml =
                toml::Deserializer::parse(text).map_err(|error| read_error("TOML", true, "", &error))?;
            serde_path_to_error::deserialize(toml)
                .map_err(|error| read_error("TOML", false, &error.path().to_string(), error.inner()))?
        };
        manifest.validate()?;
        Ok(manifest)
    }

    /// The bytes that stand for this manifest: JSON without spaces, keys in the order of this structure, every key that is not said
    /// as `unknown`.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every field has a JSON form")
    }

    /// Digest of the canonical bytes. Two manifests have the same one exactly when they say the same.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_canonical_bytes())
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// When they are no manifest, break a rule, or are not in canonical form, since then their digest would not be the one that
    /// results name.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(bytes).map_err(|error| read_error("JSON", true, "", &error))?;
        let manifest = Self::from_text(text)?;
        if manifest.to_canonical_bytes() != bytes {
            return Err(ManifestError::NotCanonical);
        }
        Ok(manifest)
    }

    /// What it says of one direction.
    pub const fn direction(&self, direction: Direction) -> Option<&FlowDefinition> {
        match direction {
            Direction::Emigration => self.emigration.as_ref(),
            Direction::Immigration => self.immigration.as_ref(),
        }
    }

    /// Paths of the keys that are not said, by name, and how many keys could be said.
    pub fn unknowns(&self) -> (Vec<String>, usize) {
        let (mut unknown, mut count) = (Vec::new(), 0);
        if let Ok(value) = serde_json::to_value(self) {
            walk(&value, String::new(), &mut |path, value| {
                count += 1;
                if value.as_str() == Some(stated::UNKNOWN) {
                    unknown.push(path);
                }
            });
        }
        (unknown, count)
    }
}

/// Keys of tables that are values.
const VALUES: [&str; 3] = ["months", "days", "from_months"];

/// Visits every leaf of a value with its path.
fn walk(value: &serde_json::Value, path: String, visit: &mut impl FnMut(String, &serde_json::Value)) {
    // A minimum stay or a treatment may be a table, and is one value all the same.
    let is_value = |table: &&serde_json::Map<_, _>| !VALUES.iter().any(|key| table.contains_key(*key));
    if let Some(table) = value.as_object().filter(is_value) {
        for (key, value) in table {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            walk(value, path, visit);
        }
    } else {
        visit(path, value);
    }
}

fn read_error(
    form: &'static str,
    is_syntax: bool,
    path: &str,
    problem: &impl std::fmt::Display,
) -> ManifestError {
    let problem = showable(problem.to_string().trim_end());
    if is_syntax || path.is_empty() || path == "." {
        ManifestError::Syntax { form, problem }
    } else {
        ManifestError::Key {
            key: showable(path),
            problem,
        }
    }
}

/// Characters of a line of a message.
const MOST_LINE: usize = 200;

/// A message that quotes a text, with its lines cut and without what would do something to a terminal.
fn showable(message: &str) -> String {
    let lines = message.split('\n').map(|line| {
        let mut shown: String = line
            .chars()
            .take(MOST_LINE)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        if line.chars().nth(MOST_LINE).is_some() {
            shown.push('…');
        }
        shown
    });
    lines.collect::<Vec<_>>().join("\n")
}
