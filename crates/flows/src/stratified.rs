//! Estimates of the published tables by stratum, thin strata pooled, and added up.

use std::collections::BTreeSet;

use corridor_core::{Corridor, Variable};

use crate::classes::Measure;
use crate::dual_system::{
    DualCounts, DualSystemError, PoolingRule, PopulationEstimate, StratifiedEstimate, Stratum,
    stratified_chapman,
};
use crate::interval::Confidence;
use crate::noise::ClassNoise;
use crate::number::{real, real_len};
use crate::published::{FlowRow, PublishedTable};
use crate::untold::UntoldVariable;

/// The moves of one direction and period, or of all periods, estimated in each group of a table apart and added up
/// ([`stratified_chapman`]): what Chapman's estimate of all of them together is too low by, where who is in one list is likelier in the
/// other in some groups. Made of published counts only.
#[derive(Debug, Clone, PartialEq)]
pub struct StratifiedRow {
    /// From where to where.
    pub corridor: Corridor,
    /// The period; `None` for all of them together.
    pub period: Option<String>,
    /// By which variables the strata are, in the order of [`Variable::ALL`].
    pub variables: Vec<Variable>,
    /// The estimate, or why there is none. Groups without a move in either list are no strata.
    pub outcome: Result<StratifiedEstimate, NotStratified>,
}

/// Why strata cannot be added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStratified {
    /// A count of one of them is suppressed.
    Suppressed,
    /// They are by a variable that one of the registers does not tell.
    OneRegister,
    /// All of them together are too thin by the rule of pooling.
    TooThin,
    /// Counts changed by chance contradict each other: more is matched than a list has.
    Contradiction,
}

impl NotStratified {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suppressed => "suppressed",
            Self::OneRegister => "one_register",
            Self::TooThin => "too_thin",
            Self::Contradiction => "contradiction",
        }
    }
}

impl PublishedTable {
    /// The stratified estimates of each table and margin that tells more than periods apart, by corridor, variables, and period, all
    /// together first.
    /// Strata with fewer matched moves than [`PoolingRule::default`] are pooled by it; the variance has what chance added to the counts.
    /// Nothing is said of a period without moves.
    pub fn stratified(&self) -> Vec<StratifiedRow> {
        let (mut rows, untold) = (Vec::new(), self.untold());
        for corridor in self.corridors() {
            let of_rows = self.rows.iter().map(|row| {
                let variables = row.group.0.keys().copied();
                variables
                    .filter(|variable| *variable != Variable::Period)
                    .collect()
            });
            let tables: BTreeSet<Vec<Variable>> = of_rows
                .filter(|variables: &Vec<_>| !variables.is_empty())
                .collect();
            for variables in tables {
                let periods = self.terms.labels(Variable::Period).into_iter().map(Some);
                for period in std::iter::once(None).chain(periods) {
                    let outcome = self.stratify(&untold, corridor, &variables, period.as_deref());
                    rows.extend(outcome.map(|outcome| StratifiedRow {
                        corridor,
                        period,
                        variables: variables.clone(),
                        outcome,
                    }));
                }
            }
        }
        rows
    }

    fn stratify(
        &self,
        untold: &[UntoldVariable],
        corridor: Corridor,
        variables: &[Variable],
        period: Option<&str>,
    ) -> Option<Result<StratifiedEstimate, NotStratified>> {
        let mut told_apart = variables.to_vec();
        told_apart.extend(period.map(|_| Variable::Period));
        let is_stratum = |row: &&FlowRow| {
            row.corridor == corridor
                && row.group.is_by(&told_apart)
                && row.group.get(Variable::Period) == period
        };
        let rows: Vec<&FlowRow> = self.rows.iter().filter(is_stratum).collect();
        if rows.iter().any(|row| row.is_untold(untold)) {
            return Some(Err(NotStratified::OneRegister));
        }
        let mut strata = Vec::new();
        for row in rows {
            let count = |measure| row.counts.get(measure);
            let shown = (
                count(Measure::Emigrations),
                count(Measure::Immigrations),
                count(Measure::Matched),
            );
            let (Some(n1), Some(n2), Some(matched)) = shown else {
                return Some(Err(NotStratified::Suppressed));
            };
            if n1 == 0 && n2 == 0 {
                continue;
            }
            let labels = variables
                .iter()
                .map(|variable| row.group.get(*variable).unwrap_or_default());
            let Ok(counts) = DualCounts::try_new(n1, n2, matched) else {
                return Some(Err(NotStratified::Contradiction));
            };
            strata.push(Stratum {
                label: labels.collect::<Vec<_>>().join(" "),
                counts,
            });
        }
        if strata.is_empty() {
            return None;
        }
        let rule = PoolingRule::default();
        Some(match stratified_chapman(&strata, rule, Confidence::default()) {
            Ok(stratified) => Ok(self.with_noise(stratified)),
            Err(DualSystemError::StrataTooThin { .. }) => Err(NotStratified::TooThin),
            Err(_) => Err(NotStratified::Contradiction),
        })
    }

    /// The same with what chance added to the counts in the variances: to those of a pooled stratum as often as it has rows.
    fn with_noise(&self, mut stratified: StratifiedEstimate) -> StratifiedEstimate {
        let noise = ClassNoise::of(&self.terms.disclosure);
        let confidence = Confidence::default();
        let widened = |estimate: &PopulationEstimate, added: f64, rows: f64| {
            let floor = estimate.at_least - confidence.z() * (noise.of_seen() * rows).sqrt();
            estimate
                .clone()
                .with_variance(estimate.variance + added, floor.max(0.0), confidence)
        };
        let (mut added, mut rows) = (0.0, 0.0);
        for stratum in &mut stratified.strata {
            let lists = (real(stratum.counts.n1()), real(stratum.counts.n2()));
            let of_stratum = real_len(stratum.labels.len());
            let of_noise = of_stratum * noise.variance(lists, 1.0, stratum.estimate.point);
            if of_noise > 0.0 {
                stratum.estimate = widened(&stratum.estimate, of_noise, of_stratum);
            }
            added += of_noise;
            rows += of_stratum;
        }
        if added > 0.0 {
            stratified.total = widened(&stratified.total, added, rows);
        }
        stratified
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::protect;
    use crate::perturb::PerturbationSecret;
    use crate::reconcile::MovePair;
    use crate::reconcile::tests::{event_in, table, terms};
    use corridor_core::{Direction, DisclosureMethod, MigrationEvent, Sex};

    /// Of each sex: emigrations, immigrations and how many of them are the same.
    fn shown(groups: &[(Sex, u32, u32, u32)], method: DisclosureMethod) -> PublishedTable {
        let mut terms = terms();
        terms.disclosure.method = method;
        terms.disclosure.minimum_count = 1;
        terms.statistics.tables = vec![vec![Variable::Period, Variable::Sex]];
        let (mut origin, mut destination, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        let of_sex = |sex, direction| MigrationEvent {
            sex,
            direction,
            ..event_in(2022)
        };
        for &(sex, n1, n2, both) in groups {
            let next = |list: &[MigrationEvent]| u32::try_from(list.len()).unwrap();
            let (first, second) = (next(&origin), next(&destination));
            pairs.extend((0..both).map(|index| MovePair {
                emigration: first + index,
                immigration: second + index,
            }));
            origin.extend((0..n1).map(|_| of_sex(sex, Direction::Emigration)));
            destination.extend((0..n2).map(|_| of_sex(sex, Direction::Immigration)));
        }
        let made = table(&terms, &origin, &destination, &pairs);
        protect(made, &PerturbationSecret::new([1; 32]), &[])
            .unwrap()
            .into_published()
    }

    fn of_2022(table: &PublishedTable) -> Result<StratifiedEstimate, NotStratified> {
        let rows = table.stratified();
        let is_it = |row: &&StratifiedRow| {
            row.corridor == table.terms.corridor && row.period.as_deref() == Some("2022")
        };
        rows.iter().find(is_it).unwrap().outcome.clone()
    }

    #[test]
    fn the_published_strata_come_out() {
        // (100, 200) × (100, 500) × (10, 10): 10,080, variance 6,513,699.
        let table = shown(
            &[(Sex::Female, 100, 100, 10), (Sex::Male, 200, 500, 10)],
            DisclosureMethod::Suppression,
        );
        let estimate = of_2022(&table).unwrap();
        assert!((estimate.total.point - 10_080.0).abs() < 0.5, "{estimate:?}");
        assert!(
            (estimate.total.variance - 6_513_699.0).abs() < 1.0,
            "{estimate:?}"
        );
        assert_eq!(estimate.thin, []);
    }

    #[test]
    fn thin_strata_are_pooled_and_named_and_noise_widens() {
        let groups = [
            (Sex::Female, 90, 81, 60),
            (Sex::Male, 9, 12, 3),
            (Sex::Unknown, 6, 9, 6),
        ];
        let exact = of_2022(&shown(&groups, DisclosureMethod::Suppression)).unwrap();
        let labels: Vec<&str> = exact.thin.iter().map(|thin| thin.label.as_str()).collect();
        assert_eq!(labels, ["male", "unknown"]);
        assert_eq!(exact.strata.len(), 2);
        // What rounding by chance leaves as it is, and is not known to.
        let rounded = of_2022(&shown(&groups, DisclosureMethod::RandomRounding)).unwrap();
        assert!(
            (rounded.total.point - exact.total.point).abs() < 1e-9,
            "{rounded:?}"
        );
        assert!(rounded.total.variance > exact.total.variance);
    }

    #[test]
    fn what_cannot_be_added_up_says_why() {
        let outcome = |groups: &[(Sex, u32, u32, u32)]| {
            of_2022(&shown(groups, DisclosureMethod::Suppression)).map(drop)
        };
        assert_eq!(
            outcome(&[(Sex::Female, 5, 5, 2), (Sex::Male, 9, 12, 3)]),
            Err(NotStratified::TooThin)
        );
        assert_eq!(
            outcome(&[(Sex::Unknown, 50, 0, 0), (Sex::Male, 0, 60, 0)]),
            Err(NotStratified::OneRegister)
        );
        let mut table = shown(&[(Sex::Female, 90, 81, 60)], DisclosureMethod::Suppression);
        let at = table
            .rows
            .iter()
            .position(|row| row.group.get(Variable::Sex) == Some("female"));
        table.rows[at.unwrap()].counts = crate::published::FlowCounts::default();
        let rows = table.stratified();
        assert!(
            rows.iter()
                .any(|row| row.outcome == Err(NotStratified::Suppressed))
        );
    }
}
