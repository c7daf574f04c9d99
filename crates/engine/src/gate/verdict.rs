use corridor_core::{FilterShape, GateCheck, GateCheckName, GateOutcome, GateReport, Measure};

use super::bounds::{self, Bounds};
use super::columns::{self, ColumnProfile, column_distance};
use super::meaning::meaning;
use super::{Gate, share, strata, to_f64};

/// What was measured of the filters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    fill: f64,
    weight_spread: f64,
    column_variation: f64,
    column_gini: f64,
    column_jensen_shannon: f64,
    similarity_spread: Option<f64>,
    exposure: Option<(f64, f64)>,
}

/// Similarity, in units of the noise 1/√m, from which on a record counts as a neighbour.
const NEIGHBOUR_SIGMAS: f64 = 5.0;

impl Measured {
    pub(super) fn of(gate: &Gate) -> Self {
        let bits = f64::from(gate.expected_len.to_bits());
        let fills = gate.columns.fills();
        let (fill, deviation) = columns::mean_and_deviation(&fills);
        let records = to_f64(gate.records.max(1));
        let mean_weight = to_f64(gate.weights.total) / records;
        let weight_variance = (to_f64(gate.weights.squares) / records - mean_weight * mean_weight).max(0.0);
        // Of independent bits with these fills.
        let independent: f64 = fills.iter().map(|fill| fill * (1.0 - fill)).sum();
        let limit = bits * (1.0 - NEIGHBOUR_SIGMAS / bits.sqrt()) / 2.0;
        let within = gate.sample.within(to_limit(limit));
        let differing: f64 = fills
            .iter()
            .map(|fill| 2.0 * fill * (1.0 - fill))
            .map(|differ| differ * (1.0 - differ))
            .sum();
        Self {
            fill,
            weight_spread: ratio(weight_variance, independent).sqrt(),
            column_variation: ratio(deviation, fill),
            column_gini: columns::gini(&fills),
            column_jensen_shannon: columns::jensen_shannon_from_uniform(&fills),
            similarity_spread: within.as_ref().map(|within| ratio(within.variance, differing)),
            exposure: within.filter(|_| gate.measure() == Measure::Rho).map(|within| {
                let of_sample = |found| share(found, gate.sample.len());
                (of_sample(within.with_one), of_sample(within.with_three))
            }),
        }
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the bits of a filter"
)]
fn to_limit(bits: f64) -> u32 {
    bits.ceil().max(0.0) as u32
}

/// Every check but the drift.
pub(super) fn judge(gate: &Gate, measured: &Measured) -> GateReport {
    let len = f64::from(gate.expected_len.to_bits());
    let found = gate.other_len.map_or(len, |len| f64::from(len.to_bits()));
    let mut checks = Checks {
        checks: Vec::new(),
        binding: true,
    };
    let declared = to_f64(gate.declared);
    checks.add(GateCheckName::FilterLength, found, Some(len), Some(len), None);
    checks.add(
        GateCheckName::RecordCount,
        to_f64(gate.records),
        Some(declared),
        Some(declared),
        None,
    );
    if gate.other_len.is_some() {
        return checks.into();
    }
    let bounds = Bounds::of(gate.agreement.encoding.profile, &gate.agreement.gate);
    let is_large = gate.columns.persons >= bounds::LEAST_JUDGED;
    checks.binding = is_large && gate.agreement.gate.shape == FilterShape::Profile;
    add_density(gate, measured, &bounds, &mut checks);
    checks.add(
        GateCheckName::EmptyFilters,
        share(gate.weights.constant, gate.records),
        None,
        Some(bounds::MOST_EMPTY),
        None,
    );
    checks.binding = gate.records >= bounds::LEAST_FOR_REPETITIONS;
    let many = |name, figure, most, checks: &mut Checks| checks.add(name, figure, None, Some(most), None);
    many(
        GateCheckName::DuplicateFilters,
        gate.repeats.duplicate_share(),
        bounds.duplicates,
        &mut checks,
    );
    many(
        GateCheckName::NearDuplicates,
        gate.sample.near_share(),
        bounds.near,
        &mut checks,
    );
    checks.binding = is_large && gate.agreement.gate.shape == FilterShape::Profile;
    if let (Some((one, three)), Some((most_one, most_three))) = (measured.exposure, bounds.exposure) {
        many(GateCheckName::Exposure1, one, most_one, &mut checks);
        many(GateCheckName::Exposure3, three, most_three, &mut checks);
    }
    checks.binding = gate.records >= bounds::LEAST_FOR_REPETITIONS;
    many(
        GateCheckName::FiltersPerPerson,
        gate.repeats.many_filters_share(),
        bounds::MOST_WITH_MANY_FILTERS,
        &mut checks,
    );
    add_groups(gate, &mut checks);
    checks.into()
}

fn add_density(gate: &Gate, measured: &Measured, bounds: &Bounds, checks: &mut Checks) {
    let (least, most) = bounds.fill;
    checks.add(GateCheckName::Fill, measured.fill, Some(least), Some(most), None);
    let (least, most) = bounds.weight_spread;
    checks.add(
        GateCheckName::WeightSpread,
        measured.weight_spread,
        Some(least),
        Some(most),
        None,
    );
    // Counting few records adds noise to every column: standard deviation √(p(1 − p)/n), with that of the profile in quadrature.
    // For normal deviations Gini = CV/√π; a small CV gives a Jensen–Shannon distance of CV/√(8 ln 2).
    let persons = to_f64(gate.columns.persons.max(1));
    let noise = ratio(1.0 - measured.fill, measured.fill.max(1e-9)) / persons;
    let variation = bounds
        .column_gini
        .map(|gini| (gini * gini * std::f64::consts::PI + noise).sqrt());
    let to_distance = |variation: f64| variation / (8.0 * std::f64::consts::LN_2).sqrt();
    let to_gini = |variation: f64| variation / std::f64::consts::PI.sqrt();
    // The columns of random bits vary by that noise alone, and its variance by √(2/m) of it.
    let bits = f64::from(gate.expected_len.to_bits());
    let by_records = ratio(1.0 - measured.fill, measured.fill) / to_f64(gate.records.max(1));
    let random = (by_records * (1.0 + RANDOM_ERRORS * (2.0 / bits).sqrt())).sqrt();
    for (name, figure, least, most) in [
        (
            GateCheckName::ColumnVariation,
            measured.column_variation,
            (gate.records >= bounds::LEAST_FOR_COLUMNS).then_some(random),
            variation.map(|most| most * COLUMN_SLACK),
        ),
        (
            GateCheckName::ColumnGini,
            measured.column_gini,
            None,
            variation.map(to_gini),
        ),
        (
            GateCheckName::ColumnJensenShannon,
            measured.column_jensen_shannon,
            None,
            variation.map(|most| to_distance(most) * COLUMN_SLACK),
        ),
    ] {
        checks.add(name, figure, least, most, None);
    }
    if let Some(spread) = measured.similarity_spread {
        let (least, most) = bounds.similarity_spread;
        checks.add(GateCheckName::SimilaritySpread, spread, least, most, None);
    }
}

/// A few columns that many people set weigh more in a variance than in a Gini coefficient, on which the bound was measured.
const COLUMN_SLACK: f64 = 1.25;

/// Standard errors by which the variance of columns must be beyond that of random bits.
const RANDOM_ERRORS: f64 = 4.0;

fn add_groups(gate: &Gate, checks: &mut Checks) {
    let terms = &gate.agreement.gate;
    let least = u64::from(terms.stratum_minimum(&gate.agreement.disclosure));
    let most = match (terms.small_strata_per_thousand, terms.minimum_stratum) {
        (Some(share), _) => f64::from(share) / 1000.0,
        (None, Some(_)) => 0.0,
        (None, None) => bounds::MOST_IN_SMALL_STRATA,
    };
    let needed = strata::agreed_strata(&gate.agreement)
        .saturating_mul(least)
        .saturating_mul(bounds::RECORDS_PER_STRATUM);
    checks.binding = terms.minimum_stratum.is_some() || gate.records >= needed;
    if let Some(small) = gate.strata.small_strata(least) {
        checks.add(
            GateCheckName::SmallStrata,
            small.share,
            None,
            Some(most),
            Some(format!(
                "the smallest stratum has {}, the least agreed is {least}",
                few(small.smallest)
            )),
        );
    }
    checks.binding = true;
    if let Some((pass, small)) = gate.strata.small_blocks(least) {
        // Offices merge smaller blocks before anything is uploaded, so that none is left, unless some were agreed.
        let most = f64::from(terms.small_strata_per_thousand.unwrap_or(0)) / 1000.0;
        checks.add(
            GateCheckName::SmallBlocks,
            small.share,
            None,
            Some(most),
            Some(format!(
                "the smallest block of pass {pass} has {}, the least agreed is {least}",
                few(small.smallest)
            )),
        );
    }
}

fn few(records: u64) -> String {
    if records == 1 {
        "1 record".to_owned()
    } else {
        format!("{records} records")
    }
}

/// How far the columns are from the other office's: the only figure that depends on its dataset, so it is rounded coarsely.
pub(super) fn judge_drift(gate: &Gate, other: &ColumnProfile) -> Option<GateCheck> {
    let apart = column_distance(&gate.columns, other, gate.part_bits())?;
    let bounds = Bounds::of(gate.agreement.encoding.profile, &gate.agreement.gate);
    let rounded = (apart.distance / DRIFT_STEP).round() * DRIFT_STEP;
    let mut checks = Checks {
        checks: Vec::new(),
        binding: apart.error <= MOST_DRIFT_ERROR && gate.agreement.gate.shape == FilterShape::Profile,
    };
    checks.add(GateCheckName::Drift, rounded, None, Some(bounds.drift), None);
    checks.checks.pop()
}

/// A drift is told in steps of this.
const DRIFT_STEP: f64 = 0.05;

/// A drift with a larger standard error says nothing.
const MOST_DRIFT_ERROR: f64 = 0.1;

/// Checks in the making.
struct Checks {
    checks: Vec<GateCheck>,
    /// Whether what is outside its bounds fails, or is noted.
    binding: bool,
}

impl Checks {
    fn add(
        &mut self,
        name: GateCheckName,
        figure: f64,
        least: Option<f64>,
        most: Option<f64>,
        detail: Option<String>,
    ) {
        let [figure, least_rounded, most_rounded] =
            [Some(figure), least, most].map(|value| value.map(|value| (value * 1e4).round() / 1e4));
        let figure = figure.unwrap_or_default();
        let is_within = least_rounded.is_none_or(|least| figure >= least)
            && most_rounded.is_none_or(|most| figure <= most);
        let outcome = match (is_within, self.binding && (least.is_some() || most.is_some())) {
            (_, false) => GateOutcome::Noted,
            (true, true) => GateOutcome::Passed,
            (false, true) => GateOutcome::Failed,
        };
        let detail = detail.map_or_else(String::new, |detail| format!(" ({detail})"));
        self.checks.push(GateCheck {
            name,
            figure,
            least: least_rounded,
            most: most_rounded,
            outcome,
            meaning: format!("{}{detail}", meaning(name, outcome)),
        });
    }
}

impl From<Checks> for GateReport {
    fn from(checks: Checks) -> Self {
        Self {
            checks: checks.checks,
        }
    }
}
