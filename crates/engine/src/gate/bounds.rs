use corridor_core::{Construction, GateTerms, Measure, Profile, Threshold};

/// Similarity from which on two filters are nearly equal: far above what people with a name or a date in common have, and below
/// what one person spelt in two ways has.
pub(super) fn near_level(measure: Measure) -> Threshold {
    let level = match measure {
        Measure::Rho => NEAR_RHO,
        Measure::Dice => NEAR_DICE,
    };
    let level = std::env::var(if measure == Measure::Rho { "NEAR_RHO" } else { "NEAR_DICE" }).map_or(level, |t| t.parse().unwrap());
    Threshold::try_floor(level).expect("between 0 and 1")
}

const NEAR_RHO: f64 = 0.2;
const NEAR_DICE: f64 = 0.85;

/// Persons below which shares and spreads are told and not judged.
pub(super) const LEAST_JUDGED: u64 = 100;

/// Persons below which repetitions are told and not judged: somebody may upload the spellings of one person.
pub(super) const LEAST_FOR_REPETITIONS: u64 = 10;

/// What a file under a profile looks like. A bound is `None` where a profile says nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) fill: (f64, f64),
    pub(super) weight_spread: (f64, f64),
    pub(super) column_gini: Option<f64>,
    pub(super) similarity_spread: f64,
    pub(super) exposure: Option<(f64, f64)>,
    pub(super) duplicates: f64,
    pub(super) near: f64,
    pub(super) drift: f64,
}

/// Filters without a set bit, or with all: a record with too few tokens is refused before it is encoded.
pub(super) const MOST_EMPTY: f64 = 0.001;

/// Persons with many different filters.
pub(super) const MOST_WITH_MANY_FILTERS: f64 = 0.01;

/// Records in strata that are too small, where nothing was agreed and the register is large enough for its strata.
pub(super) const MOST_IN_SMALL_STRATA: f64 = 0.25;

/// Records an agreed stratum has on average, in units of the least, from which on strata bind where nothing was agreed.
pub(super) const RECORDS_PER_STRATUM: u64 = 2;

impl Bounds {
    /// Of a profile, with what was agreed in its place.
    pub(super) fn of(profile: Profile, terms: &GateTerms) -> Self {
        let own = Self::of_profile(profile);
        let agreed = |own: f64, agreed: Option<u32>| agreed.map_or(own, |share| f64::from(share) / 1000.0);
        Self {
            duplicates: agreed(own.duplicates, terms.duplicates_per_thousand),
            near: agreed(own.near, terms.near_duplicates_per_thousand),
            drift: agreed(own.drift, terms.drift_per_thousand),
            ..own
        }
    }

    fn of_profile(profile: Profile) -> Self {
        match profile.construction() {
            Construction::Majority {
                salted_by_birth_year, ..
            } => Self {
                fill: (0.48, 0.52),
                weight_spread: (0.8, 1.25),
                column_gini: Some(0.03),
                similarity_spread: if salted_by_birth_year { 1.01 } else { 1.05 },
                exposure: Some((0.15, 0.02)),
                duplicates: 0.02,
                near: 0.1,
                drift: 0.8,
            },
            Construction::Bloom { .. } | Construction::FieldBloom { .. } => Self {
                fill: (0.05, 0.75),
                weight_spread: (0.0, 10.0),
                column_gini: None,
                similarity_spread: 1.2,
                exposure: None,
                duplicates: 0.02,
                near: 0.1,
                drift: 0.8,
            },
        }
    }
}
