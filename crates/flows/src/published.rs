use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use corridor_core::{Corridor, Digest, DisclosureMethod, DurationRule, RuleFlag, Side, Variable};
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::carried::{CarriedError, NotCorrected};
use crate::classes::{Class, Measure};
use crate::dual_system::PoolingRule;
use crate::estimate::{Estimate, chapman};
use crate::length_of_stay::LengthOfStay;
use crate::noise::ClassNoise;
use crate::number::LARGEST_COUNT;
use crate::reconcile::{LAG_STEPS, LAG_UNKNOWN, LeftOut};
use crate::terms::FlowTerms;
use crate::untold::UntoldVariable;

/// Tables after disclosure control, as they leave, are stored and are read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedTable {
    /// What they were made for.
    pub terms: FlowTerms,
    /// Moves by group: by corridor, then by the categories of the variables, totals before what they are made of.
    pub rows: Vec<FlowRow>,
    /// Days between the two dates of a move, by corridor, then in the order of days.
    pub lags: Vec<LagRow>,
    /// How many moves count under which rule of minimum stay, by corridor, period, side, rule and flag.
    pub stays: Vec<StayRow>,
    /// How long those who arrived stayed, by corridor, where enough is known of it.
    pub lengths_of_stay: Vec<LengthOfStay>,
    /// How many moves of each list are in no table and why, by corridor, side and reason. Empty in results of before it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutRow>,
    /// Digests of the results released before of which these tables give nothing away by subtraction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_against: Vec<Digest>,
}

impl PublishedTable {
    /// Checks what a table that was read from a file must hold: terms that can be, a row at least, and counts that fit each other, and
    /// rows their totals, where they are shown. Whether its figures are those of its counts, [`PublishedTable::estimates_fit`] and
    /// [`PublishedTable::is_corrected_by`] say.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.terms.statistics.validate().is_err() || self.terms.period.last < self.terms.period.first {
            return Err("its terms are none that an agreement can have");
        }
        if self.rows.is_empty() {
            return Err("it has no row");
        }
        for row in &self.rows {
            let classes = Class::ALL.map(|class| {
                let of_class = |measure: &Measure| measure.classes() == [class].as_slice();
                Measure::ALL
                    .into_iter()
                    .find(of_class)
                    .and_then(|measure| row.counts.get(measure))
            });
            for measure in Measure::ALL {
                let parts = measure.classes().iter().map(|class| classes[class.index()]);
                let shown = row.counts.get(measure);
                if shown.is_some_and(|count| count > LARGEST_COUNT)
                    || shown.is_some_and(|count| !adds_up(count, parts))
                {
                    return Err("its counts do not add up");
                }
            }
            let count = |measure| row.counts.get(measure);
            let both = [
                (Measure::Emigrations, Measure::OnlyOrigin),
                (Measure::Immigrations, Measure::OnlyDestination),
            ];
            for (list, only) in both {
                let parts = [count(Measure::Matched), count(only)];
                if count(list).is_some_and(|list| !adds_up(list, parts.into_iter())) {
                    return Err("its counts do not add up");
                }
            }
            if !row.corrected.as_ref().is_none_or(CarriedError::can_be) {
                return Err("a figure corrected for linkage error is none that can be");
            }
        }
        let mut places = BTreeSet::new();
        if !self
            .rows
            .iter()
            .all(|row| places.insert((row.corridor, &row.group)))
        {
            return Err("it has two rows of the same group");
        }
        if !self.lengths_of_stay.iter().all(LengthOfStay::can_be) {
            return Err("a length of stay is none that can be");
        }
        if !self.labels_are_of_terms() {
            return Err("it names a period, group or direction that its terms do not have");
        }
        if self.terms.disclosure.method == DisclosureMethod::Suppression {
            if !self.rows_add_up() {
                return Err("its rows do not add up to their totals");
            }
            if !self.stays_add_up() || !self.lags_add_up() {
                return Err("its days between dates, or rules of stay, do not add up to its rows");
            }
        }
        Ok(())
    }

    /// Whether every row is of the corridor or its reverse, and tells apart what the terms do.
    fn labels_are_of_terms(&self) -> bool {
        let corridors = [self.terms.corridor, self.terms.corridor.to_reverse()];
        let labels: HashMap<Variable, BTreeSet<String>> = Variable::ALL
            .into_iter()
            .map(|variable| (variable, self.terms.labels(variable).into_iter().collect()))
            .collect();
        let periods = &labels[&Variable::Period];
        self.rows.iter().all(|row| {
            let mut told_apart = row.group.0.iter();
            corridors.contains(&row.corridor)
                && told_apart.all(|(variable, label)| {
                    self.terms.statistics.names(*variable) && labels[variable].contains(label)
                })
        }) && self
            .stays
            .iter()
            .all(|row| corridors.contains(&row.corridor) && periods.contains(&row.period))
            && self.lags.iter().all(|row| {
                let steps = LAG_STEPS.iter().map(|(_, _, label)| *label);
                corridors.contains(&row.corridor) && steps.chain([LAG_UNKNOWN]).any(|step| step == row.days)
            })
            && self
                .lengths_of_stay
                .iter()
                .all(|row| corridors.contains(&row.corridor))
            && self.left_out.iter().all(|row| corridors.contains(&row.corridor))
    }

    /// Whether the moves of a list and period are as many under every rule, and those that the tables' rule counts are those of the rows,
    /// as far as they are shown.
    fn stays_add_up(&self) -> bool {
        type Shown = [Option<u64>; RuleFlag::ALL.len()];
        let mut lists: HashMap<(Corridor, &str, Side), HashMap<DurationRule, Shown>> = HashMap::new();
        for row in &self.stays {
            let list = lists.entry((row.corridor, &row.period, row.side)).or_default();
            let shown = list.entry(row.rule).or_default();
            if let Some(place) = RuleFlag::ALL.iter().position(|flag| *flag == row.counts) {
                shown[place] = row.moves;
            }
        }
        let counted = RuleFlag::ALL.iter().position(|flag| *flag == RuleFlag::Yes);
        lists.into_iter().all(|((corridor, period, side), rules)| {
            let whole = |shown: &Shown| shown.iter().copied().sum::<Option<u64>>();
            let mut totals = rules.values().filter_map(whole);
            let first = totals.next();
            let of_rows = self.rows.iter().find(|row| {
                row.corridor == corridor
                    && row.group.is_by(&[Variable::Period])
                    && row.group.get(Variable::Period) == Some(period)
            });
            let own = match side {
                Side::Origin => Measure::EmigrationsOwn,
                Side::Destination => Measure::Immigrations,
            };
            let by_rule = rules.get(&self.terms.statistics.duration_rule);
            let told = by_rule.zip(counted).and_then(|(shown, place)| shown[place]);
            let reported = of_rows.and_then(|row| row.counts.get(own));
            totals.all(|total| Some(total) == first)
                && told.zip(reported).is_none_or(|(told, reported)| told == reported)
        })
    }

    /// Whether the steps of days add up to the matched moves of a direction, as far as they are shown.
    fn lags_add_up(&self) -> bool {
        self.rows.iter().filter(|row| row.group.0.is_empty()).all(|row| {
            let steps: Vec<Option<u64>> = self
                .lags
                .iter()
                .filter(|lag| lag.corridor == row.corridor)
                .map(|lag| lag.moves)
                .collect();
            let matched = row.counts.get(Measure::Matched);
            steps.is_empty() || matched.is_none_or(|matched| adds_up(matched, steps.into_iter()))
        })
    }

    /// Whether the estimate of each row is the one its counts make, and there is none where they are suppressed, or the row is by a variable
    /// that a list does not tell. Of tables that other versions of this program made it need not be.
    pub fn estimates_fit(&self) -> bool {
        let untold = self.untold();
        let has_none = |row: &FlowRow| row.estimate.is_none() && row.corrected.is_none();
        let fits = |row: &FlowRow| {
            if row.is_untold(&untold) {
                has_none(row)
            } else {
                self.estimate_fits(row)
            }
        };
        self.rows.iter().all(fits)
    }

    fn estimate_fits(&self, row: &FlowRow) -> bool {
        let count = |measure| row.counts.get(measure);
        let shown = (
            count(Measure::Emigrations),
            count(Measure::Immigrations),
            count(Measure::Matched),
        );
        let made = match shown {
            (Some(n1), Some(n2), Some(m)) => chapman(n1, n2, m, ClassNoise::of(&self.terms.disclosure)),
            _ => None,
        };
        match (&row.estimate, &made) {
            (None, None) => true,
            // Not to the last digit: the file may come from another machine.
            (Some(_), Some(made)) => {
                let made = FlowRow::figures_of(made);
                row.figure_values()
                    .iter()
                    .zip(made)
                    .all(|(told, made)| are_near(*told, made))
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Whether the rows that tell one variable more apart than another add up to it, as far as they are shown. Counts changed by chance
    /// do not.
    fn rows_add_up(&self) -> bool {
        let totals: HashMap<(Corridor, &Group), &FlowRow> = self
            .rows
            .iter()
            .map(|row| ((row.corridor, &row.group), row))
            .collect();
        // By total and variable: the sum of what is shown, and whether all of it is.
        let mut sums: HashMap<(Corridor, Group, Variable), [(u64, bool); Measure::ALL.len()]> =
            HashMap::new();
        for row in &self.rows {
            for variable in row.group.0.keys() {
                let mut total = row.group.clone();
                total.0.remove(variable);
                let sums = sums
                    .entry((row.corridor, total, *variable))
                    .or_insert([(0, true); Measure::ALL.len()]);
                for ((sum, is_whole), count) in sums.iter_mut().zip(row.counts.as_array()) {
                    *sum = sum.saturating_add(count.unwrap_or(0));
                    *is_whole &= count.is_some();
                }
            }
        }
        sums.iter().all(|((corridor, group, _), sums)| {
            totals.get(&(*corridor, group)).is_none_or(|total| {
                let counts = total.counts.as_array().iter().zip(sums);
                counts
                    .filter_map(|(count, sum)| Some((count.as_ref()?, sum)))
                    .all(|(count, (sum, is_whole))| if *is_whole { sum == count } else { sum <= count })
            })
        })
    }
}

/// Whether two figures are the same but for rounding.
pub(crate) fn are_near(told: Option<f64>, made: Option<f64>) -> bool {
    match (told, made) {
        (Some(told), Some(made)) => (told - made).abs() <= 1e-9 * made.abs().max(1.0),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Whether a sum can be of these parts, some of which are not shown.
fn adds_up(sum: u64, parts: impl Iterator<Item = Option<u64>>) -> bool {
    let (mut shown, mut is_whole) = (0_u64, true);
    for part in parts {
        shown = shown.saturating_add(part.unwrap_or(0));
        is_whole &= part.is_some();
    }
    if is_whole { shown == sum } else { shown <= sum }
}

/// Moves of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRow {
    /// From where to where.
    pub corridor: Corridor,
    /// Which moves.
    pub group: Group,
    /// The counts.
    pub counts: FlowCounts,
    /// The estimate; `None` when a count it is made of is suppressed, or when nothing can be said.
    pub estimate: Option<Estimate>,
    /// The same with linkage error taken out; `None` as well where too little is known of the links.
    pub corrected: Option<CarriedError>,
    /// Why it is not there. `None` where it is, and in results of before reasons were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_corrected: Option<NotCorrected>,
}

/// What must be known of the estimate of a row, or of why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EstimateRemark {
    /// There is none: a count it is made of is suppressed.
    Suppressed,
    /// There is none: nothing is matched, or one of the lists has no move.
    NoMatch,
    /// There is none: the row is by a variable that one of the registers does not tell ([`UntoldVariable`]).
    OneRegister,
    /// Too thin: fewer than seven are matched, and Chapman's estimate may be biased (Robson and Regier 1964). Take it together with
    /// other rows.
    Thin,
}

impl EstimateRemark {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suppressed => "suppressed",
            Self::NoMatch => "no_match",
            Self::OneRegister => "one_register",
            Self::Thin => "thin",
        }
    }
}

/// Which moves a row counts: the label of each variable it tells apart; all categories of the others are taken together.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(pub BTreeMap<Variable, String>);

impl Group {
    /// The label of a variable; `None` where all its categories are taken together.
    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.0.get(&variable).map(String::as_str)
    }

    /// Whether exactly these variables are told apart.
    pub fn is_by(&self, variables: &[Variable]) -> bool {
        self.0.len() == variables.len() && variables.iter().all(|variable| self.0.contains_key(variable))
    }
}

/// The counts of a row, each `None` when it is suppressed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FlowCounts([Option<u64>; Measure::ALL.len()]);

impl FlowCounts {
    /// Counts in the order of [`Measure::ALL`].
    pub const fn from_array(counts: [Option<u64>; Measure::ALL.len()]) -> Self {
        Self(counts)
    }

    /// The counts in the order of [`Measure::ALL`].
    pub const fn as_array(&self) -> &[Option<u64>; Measure::ALL.len()] {
        &self.0
    }

    /// A count; `None` when it is suppressed.
    pub fn get(&self, measure: Measure) -> Option<u64> {
        self.0[measure.index()]
    }
}

impl fmt::Debug for FlowCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Measure::ALL.iter().zip(&self.0)).finish()
    }
}

impl Serialize for FlowCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (measure, count) in Measure::ALL.iter().zip(&self.0) {
            map.serialize_entry(measure.as_str(), count)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for FlowCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<Measure, Option<u64>>::deserialize(deserializer)?;
        let mut counts = Self::default();
        for (measure, count) in counts.0.iter_mut().enumerate() {
            *count = *map
                .get(&Measure::ALL[measure])
                .ok_or_else(|| D::Error::custom(format!("no count {}", Measure::ALL[measure])))?;
        }
        Ok(counts)
    }
}

/// Moves both offices have, by the days from the origin's date to the destination's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LagRow {
    /// From where to where.
    pub corridor: Corridor,
    /// Days: below 0 where the destination has the move before the origin.
    pub days: String,
    /// How many; `None` when suppressed.
    pub moves: Option<u64>,
}

/// Moves of one office's list, counted or not, by whether they count under a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StayRow {
    /// From where to where.
    pub corridor: Corridor,
    /// The period of the tables.
    pub period: String,
    /// Whose list.
    pub side: Side,
    /// The rule.
    pub rule: DurationRule,
    /// Whether it counts them.
    pub counts: RuleFlag,
    /// How many; `None` when suppressed.
    pub moves: Option<u64>,
}

/// Moves of one office's list in one direction that are in no table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOutRow {
    /// From where to where.
    pub corridor: Corridor,
    /// Whose list.
    pub side: Side,
    /// Why.
    pub reason: LeftOut,
    /// How many, to the nearest ten, or multiple of the minimum where that is more; `None` when suppressed.
    pub moves: Option<u64>,
}

impl FlowRow {
    /// What must be known of its estimate; `None` where there is nothing to say but the estimate. `untold` are the variables of its table that
    /// a list does not tell.
    pub fn estimate_remark(&self, untold: &[UntoldVariable]) -> Option<EstimateRemark> {
        if self.estimate.is_none() {
            let made_of = [Measure::Emigrations, Measure::Immigrations, Measure::Matched];
            let is_hidden = made_of
                .into_iter()
                .any(|measure| self.counts.get(measure).is_none());
            return Some(match (self.is_untold(untold), is_hidden) {
                (true, _) => EstimateRemark::OneRegister,
                (false, true) => EstimateRemark::Suppressed,
                (false, false) => EstimateRemark::NoMatch,
            });
        }
        let matched = self.counts.get(Measure::Matched)?;
        (matched < PoolingRule::default().minimum_matched).then_some(EstimateRemark::Thin)
    }

    /// The figures of the estimate in the order of [`FlowRow::FIGURES`].
    pub fn figure_values(&self) -> [Option<f64>; 8] {
        self.estimate.as_ref().map_or([None; 8], Self::figures_of)
    }

    fn figures_of(estimate: &Estimate) -> [Option<f64>; 8] {
        [
            estimate.coverage_origin,
            estimate.coverage_destination,
            estimate.point,
            estimate.standard_error,
            estimate.low,
            estimate.high,
            estimate.if_odds_ratio_two_thirds,
            estimate.if_odds_ratio_three_halves,
        ]
        .map(Some)
    }

    /// An estimate from figures in the order of [`FlowRow::FIGURES`], when all are there.
    pub fn estimate_from_values(values: [Option<f64>; 8]) -> Option<Estimate> {
        Some(Estimate {
            coverage_origin: values[0]?,
            coverage_destination: values[1]?,
            point: values[2]?,
            standard_error: values[3]?,
            low: values[4]?,
            high: values[5]?,
            if_odds_ratio_two_thirds: values[6]?,
            if_odds_ratio_three_halves: values[7]?,
        })
    }

    /// Names of the figures of the estimate.
    pub const FIGURES: [&'static str; 8] = [
        "coverage_origin",
        "coverage_destination",
        "estimate",
        "standard_error",
        "ci95_low",
        "ci95_high",
        "estimate_odds_ratio_0_67",
        "estimate_odds_ratio_1_5",
    ];
}

/// What stands in a table in place of a suppressed value.
pub const SUPPRESSED: &str = "suppressed";
/// What stands in a table where all groups are taken together.
pub const ALL: &str = "all";

/// Measures that say why the two offices' own counts of a period differ, in the order of columns.
pub const RECONCILIATION: [Measure; 11] = [
    Measure::EmigrationsOwn,
    Measure::Immigrations,
    Measure::Agree,
    Measure::TimingOrigin,
    Measure::TimingDestination,
    Measure::DefinitionOrigin,
    Measure::DefinitionDestination,
    Measure::PartnerOrigin,
    Measure::PartnerDestination,
    Measure::UnmatchedOrigin,
    Measure::UnmatchedDestination,
];
