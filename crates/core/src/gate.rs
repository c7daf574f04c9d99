//! What an encoded dataset must look like before it is sealed: the terms of an agreement, and the report of one dataset.

use serde::{Deserialize, Serialize};

use crate::{AgreementError, DisclosureRule};

/// Whether filters must look as their profile makes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterShape {
    /// Density and similarities must be what the profile gives.
    #[default]
    Profile,
    /// Any bits are taken: for schemas of which nothing is known beforehand. Density and similarities are told, not judged.
    Any,
}

/// What two offices agree of the gate where they want something else than the profile's own bounds. Shares are in thousandths, so
/// that the canonical bytes hold whole numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateTerms {
    /// Records that a stratum in clear and a block have at least. Where given it binds every register; where not, it is the least
    /// count of the disclosure rule, and strata bind only registers that are large enough for their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_stratum: Option<u32>,
    /// Most records, in thousandths, that may be in smaller strata: none where [`GateTerms::minimum_stratum`] is given and this is
    /// not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub small_strata_per_thousand: Option<u32>,
    /// Most records, in thousandths, whose filter another person has, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates_per_thousand: Option<u32>,
    /// Most records, in thousandths, whose filter nearly is that of another person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicates_per_thousand: Option<u32>,
    /// Most distance, in thousandths, between the two offices' bit frequencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_per_thousand: Option<u32>,
    /// Whether filters must look as their profile makes them.
    #[serde(skip_serializing_if = "is_of_profile")]
    pub shape: FilterShape,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_of_profile(shape: &FilterShape) -> bool {
    *shape == FilterShape::Profile
}

impl GateTerms {
    /// Whether the profile's own bounds hold throughout.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Records that a stratum in clear and a block have at least.
    pub fn stratum_minimum(&self, disclosure: &DisclosureRule) -> u32 {
        self.minimum_stratum.unwrap_or(disclosure.minimum_count)
    }

    /// Checks what the types cannot express.
    ///
    /// # Errors
    /// The first rule broken, with the field that breaks it.
    pub fn validate(&self) -> Result<(), AgreementError> {
        let fail = |field, problem: &str| {
            Err(AgreementError {
                field,
                problem: problem.to_owned(),
            })
        };
        if self
            .minimum_stratum
            .is_some_and(|least| !(2..=1000).contains(&least))
        {
            return fail("gate.minimum_stratum", "must be from 2 to 1000");
        }
        for (field, share) in [
            ("gate.small_strata_per_thousand", self.small_strata_per_thousand),
            ("gate.duplicates_per_thousand", self.duplicates_per_thousand),
            (
                "gate.near_duplicates_per_thousand",
                self.near_duplicates_per_thousand,
            ),
            ("gate.drift_per_thousand", self.drift_per_thousand),
        ] {
            if share.is_some_and(|share| share > 1000) {
                return fail(field, "must be from 0 to 1000, in thousandths");
            }
        }
        Ok(())
    }
}

/// One thing the gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateCheckName {
    /// Bits of a filter.
    FilterLength,
    /// Records.
    RecordCount,
    /// Share of bits set.
    Fill,
    /// Standard deviation of the bits set per record, over what independent bits of that fill would have.
    WeightSpread,
    /// Standard deviation of the fill of columns over its mean.
    ColumnVariation,
    /// Gini coefficient of the fill of columns.
    ColumnGini,
    /// Jensen–Shannon distance of the set bits' distribution over columns from the uniform one.
    ColumnJensenShannon,
    /// Variance of the distances between records over what independent bits of these columns would have.
    SimilaritySpread,
    /// Share of filters with no bit set, or all.
    EmptyFilters,
    /// Share of filters that are another person's, too.
    DuplicateFilters,
    /// Share of sampled records that nearly equal a later one of another person, in the whole file.
    NearDuplicates,
    /// Share of sampled records with a neighbour among the sample, above ρ = 5/√m.
    #[serde(rename = "exposure_1")]
    Exposure1,
    /// Share of sampled records with three neighbours.
    #[serde(rename = "exposure_3")]
    Exposure3,
    /// Share of persons with many different filters.
    FiltersPerPerson,
    /// Share of records in strata in clear that are smaller than agreed.
    SmallStrata,
    /// Share of records in blocks that are smaller than agreed, in the worst pass.
    SmallBlocks,
    /// Distance between the bit frequencies of this dataset and the other office's.
    Drift,
}

impl GateCheckName {
    /// Every check, in the order of reports.
    pub const ALL: [Self; 17] = [
        Self::FilterLength,
        Self::RecordCount,
        Self::Fill,
        Self::WeightSpread,
        Self::ColumnVariation,
        Self::ColumnGini,
        Self::ColumnJensenShannon,
        Self::SimilaritySpread,
        Self::EmptyFilters,
        Self::DuplicateFilters,
        Self::NearDuplicates,
        Self::Exposure1,
        Self::Exposure3,
        Self::FiltersPerPerson,
        Self::SmallStrata,
        Self::SmallBlocks,
        Self::Drift,
    ];

    /// The word in reports, messages and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FilterLength => "filter_length",
            Self::RecordCount => "record_count",
            Self::Fill => "fill",
            Self::WeightSpread => "weight_spread",
            Self::ColumnVariation => "column_variation",
            Self::ColumnGini => "column_gini",
            Self::ColumnJensenShannon => "column_jensen_shannon",
            Self::SimilaritySpread => "similarity_spread",
            Self::EmptyFilters => "empty_filters",
            Self::DuplicateFilters => "duplicate_filters",
            Self::NearDuplicates => "near_duplicates",
            Self::Exposure1 => "exposure_1",
            Self::Exposure3 => "exposure_3",
            Self::FiltersPerPerson => "filters_per_person",
            Self::SmallStrata => "small_strata",
            Self::SmallBlocks => "small_blocks",
            Self::Drift => "drift",
        }
    }

    /// The check of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == word)
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// Within the bounds.
    Passed,
    /// Outside. The dataset is refused.
    Failed,
    /// Told and not judged: nothing was agreed of it, or the register is too small for it.
    Noted,
}

impl GateOutcome {
    /// The word in reports and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Noted => "noted",
        }
    }
}

/// One check of one dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateCheck {
    /// What was looked at.
    pub name: GateCheckName,
    /// What was measured, to four decimals.
    pub figure: f64,
    /// The least it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// The most it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
    /// What came of it.
    pub outcome: GateOutcome,
    /// What it means, and where it failed what to do.
    pub meaning: String,
}

/// What the gate found in one dataset. For the office it is of, and nobody else.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateReport {
    /// Every check that could be made, in the order of [`GateCheckName::ALL`].
    pub checks: Vec<GateCheck>,
}

impl GateReport {
    /// Whether no check failed.
    pub fn is_passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &GateCheck> {
        self.checks
            .iter()
            .filter(|check| check.outcome == GateOutcome::Failed)
    }

    /// Names of the checks that failed, for a log or a message.
    pub fn failed_names(&self) -> String {
        let names: Vec<_> = self.failed().map(|check| check.name.as_str()).collect();
        names.join(", ")
    }

    /// The check of that name, if it was made.
    pub fn check(&self, name: GateCheckName) -> Option<&GateCheck> {
        self.checks.iter().find(|check| check.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_are_those_of_the_json() {
        for name in GateCheckName::ALL {
            assert_eq!(GateCheckName::from_word(name.as_str()), Some(name));
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(json, format!("\"{}\"", name.as_str()));
        }
        assert!(GateCheckName::ALL.is_sorted(), "reports are in this order");
        assert_eq!(GateCheckName::from_word("exposure"), None);
    }

    #[test]
    fn each_term_out_of_range_is_named() {
        let with = |change: fn(&mut GateTerms)| {
            let mut terms = GateTerms::default();
            change(&mut terms);
            terms.validate()
        };
        assert_eq!(with(|_| ()), Ok(()));
        type Change = fn(&mut GateTerms);
        let refused: [(Change, &str); 3] = [
            (|terms| terms.minimum_stratum = Some(1), "gate.minimum_stratum"),
            (
                |terms| terms.near_duplicates_per_thousand = Some(1001),
                "gate.near_duplicates_per_thousand",
            ),
            (
                |terms| terms.drift_per_thousand = Some(2000),
                "gate.drift_per_thousand",
            ),
        ];
        for (change, field) in refused {
            assert_eq!(with(change).unwrap_err().field, field);
        }
    }
}
