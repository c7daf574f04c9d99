use corridor_core::{Construction, GateTerms, Measure, Profile, Threshold};

/// Similarity from which on two filters are nearly equal: above what relatives and namesakes have, and below what one person has who
/// is spelt in two ways that differ in a letter or a date each. With the file grows the share of honest records that reach it: up to
/// 1.2 % of 5,000, 2.3 % of 50,000 and 3.3 % of 200,000, against 44 % of a list of every person in two spellings and 71 % in five.
pub(super) fn near_level(measure: Measure) -> Threshold {
    let level = match measure {
        Measure::Rho => NEAR_RHO,
        Measure::Dice => NEAR_DICE,
    };
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
    pub(super) similarity_spread: (Option<f64>, Option<f64>),
    pub(super) exposure: Option<(f64, f64)>,
    pub(super) duplicates: f64,
    pub(super) near: f64,
    pub(super) drift: f64,
}

/// Filters without a set bit, or with all: a record with too few tokens is refused before it is encoded.
pub(super) const MOST_EMPTY: f64 = 0.001;

/// Records of persons with many different filters.
pub(super) const MOST_WITH_MANY_FILTERS: f64 = 0.02;

/// Records in strata that are too small, where nothing was agreed and the register is large enough for its strata: 23 % at most in
/// honest ones of 2,000 records in 30 strata, 4 % of 4,000.
pub(super) const MOST_IN_SMALL_STRATA: f64 = 0.4;

/// Records an agreed stratum has on average, in units of the least, from which on strata bind where nothing was agreed.
pub(super) const RECORDS_PER_STRATUM: u64 = 5;

/// Records from which on the columns of an honest register vary visibly more than those of random bits.
pub(super) const LEAST_FOR_COLUMNS: u64 = 1000;

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
            // A bit is one with probability ½ over keys; what is seen over columns is what a few frequent tokens leave of bias
            // after three layers. Measured on honest registers of 100 to 5,000 records: fill .497 to .503, weight spread .85 to
            // 1.11, Gini beyond noise up to .044, exposure up to .13 and .03. Bloom filters taken for these have a Gini above .18
            // and similarities spread by 3 and more.
            Construction::Majority { bits, .. } => Self {
                fill: (0.48, 0.52),
                weight_spread: (0.7, 1.5),
                column_gini: Some(0.06),
                similarity_spread: (None, Some(1.0 + f64::from(bits) / 1024.0)),
                exposure: Some((0.3, 0.1)),
                duplicates: 0.02,
                near: 0.2,
                drift: 0.6,
            },
            // Weights and fields are the schema's, and hardenings change what fill and weights are: wide. Measured: fill .16 to
            // .40, similarities spread by 2.5 and more.
            Construction::Bloom { .. } | Construction::FieldBloom { .. } => Self {
                fill: (0.02, 0.75),
                weight_spread: (0.0, 20.0),
                column_gini: None,
                similarity_spread: (Some(1.2), None),
                exposure: None,
                duplicates: 0.02,
                near: 0.2,
                drift: 0.6,
            },
        }
    }
}
