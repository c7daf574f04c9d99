//! What left before, and what it means for another table of the same moves.

use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{DurationRule, RuleFlag, Side, Variable};

use super::{StayPlace, to_group};
use crate::classes::Measure;
use crate::published::{Group, PublishedTable};
use crate::table::{CorridorTable, TableRow};
use crate::terms::{ALL_CATEGORIES, FlowTerms};

/// In what two tables put the same moves into groups that differ by a few of them.
pub(super) fn other_groups(terms: &FlowTerms, before: &FlowTerms) -> Option<&'static str> {
    let (now, then) = (&terms.statistics, &before.statistics);
    let both_name = |variable| now.names(variable) && then.names(variable);
    let ages = |names: &dyn Fn(Variable) -> bool| [Variable::Age, Variable::AgeReached].map(names);
    let (ages_now, ages_then) = (ages(&|age| now.names(age)), ages(&|age| then.names(age)));
    let have_ages = ages_now.contains(&true) && ages_then.contains(&true);
    if now.period_unit != then.period_unit {
        Some("periods")
    } else if have_ages && terms.age_bands != before.age_bands {
        Some("age bands")
    } else if have_ages && !both_name(Variable::Age) && !both_name(Variable::AgeReached) {
        Some("definitions of age")
    } else if (both_name(Variable::Citizenship) || both_name(Variable::BirthCountry))
        && now.country_groups != then.country_groups
    {
        Some("groups of countries")
    } else {
        None
    }
}

/// What was told of one direction before, by the group and measure of a count.
pub(super) struct Released<'a> {
    told: BTreeMap<(Group, usize), Vec<u64>>,
    left_out: BTreeSet<(Group, usize)>,
    /// By step of days; of tables of the same years.
    lags: BTreeMap<&'a str, Vec<Option<u64>>>,
    /// By period, list, rule and flag.
    stays: BTreeMap<(&'a str, Side, DurationRule, RuleFlag), Vec<Option<u64>>>,
    terms: &'a FlowTerms,
    /// Whether a table of other years left: sums over all periods less its own would be those of the years not in both.
    has_other_years: bool,
}

/// What earlier tables mean for a count of this one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// It was shown already, and must not be taken for unknown.
    pub(super) is_same: bool,
    /// Of the other figures that were shown in its place, the nearest.
    pub(super) moved_from: Option<u64>,
    /// It was left out: it must not be shown, nor be computed.
    pub(super) was_left_out: bool,
    /// It is a sum over all periods, and sums of other years were shown: it must not be shown.
    pub(super) is_of_other_years: bool,
}

impl Told {
    pub(super) const fn is_hidden(self) -> bool {
        self.was_left_out || self.is_of_other_years
    }

    /// Whether it may be told again.
    pub(super) const fn is_known(self) -> bool {
        self.is_same && !self.is_hidden()
    }
}

impl<'a> Released<'a> {
    pub(super) fn of(corridor: &CorridorTable, terms: &'a FlowTerms, released: &'a [PublishedTable]) -> Self {
        let (mut told, mut left_out) = (BTreeMap::new(), BTreeSet::new());
        let (mut lags, mut stays) = (BTreeMap::new(), BTreeMap::new());
        let mut has_other_years = false;
        let mut add = |place: (Group, usize), count: Option<u64>| match count {
            Some(count) => told.entry(place).or_insert_with(Vec::new).push(count),
            None => {
                left_out.insert(place);
            }
        };
        for table in released {
            let other_years = table.terms.period != terms.period;
            has_other_years |= other_years;
            for row in table.lags.iter().filter(|row| row.corridor == corridor.corridor) {
                lags.entry(row.days.as_str())
                    .or_insert_with(Vec::new)
                    .push(row.moves.filter(|_| !other_years));
            }
            for row in table.stays.iter().filter(|row| row.corridor == corridor.corridor) {
                stays
                    .entry((row.period.as_str(), row.side, row.rule, row.counts))
                    .or_insert_with(Vec::new)
                    .push(row.moves);
                // Moves that count under the rule of this table are an office's own count of the period.
                if row.rule == terms.statistics.duration_rule && row.counts == RuleFlag::Yes {
                    let own = match row.side {
                        Side::Origin => Measure::EmigrationsOwn,
                        Side::Destination => Measure::Immigrations,
                    };
                    let of_period = Group(BTreeMap::from([(Variable::Period, row.period.clone())]));
                    add((of_period, own.index()), row.moves);
                }
            }
            for row in &table.rows {
                let is_of_all = row.group.get(Variable::Period).is_none();
                if row.corridor != corridor.corridor || (is_of_all && other_years) {
                    continue;
                }
                for (measure, count) in row.counts.as_array().iter().enumerate() {
                    add((row.group.clone(), measure), *count);
                }
            }
        }
        Self {
            told,
            left_out,
            lags,
            stays,
            terms,
            has_other_years,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty() && self.left_out.is_empty() && !self.has_other_years
    }

    /// Of counts that are told again only where every table told the same.
    fn again(before: Option<&Vec<Option<u64>>>, moves: Option<u64>) -> Option<u64> {
        moves.filter(|_| before.is_none_or(|told| told.iter().all(|told| *told == moves)))
    }

    /// What may be told of a step of days, which the table itself would tell.
    pub(super) fn lag(&self, days: &str, moves: Option<u64>) -> Option<u64> {
        Self::again(self.lags.get(days), moves)
    }

    /// The same of a count of the table of stays.
    pub(super) fn stay(&self, (period, side, rule, flag): StayPlace, moves: Option<u64>) -> Option<u64> {
        let period = self.terms.label(Variable::Period, period).unwrap_or_default();
        Self::again(self.stays.get(&(period.as_str(), side, rule, flag)), moves)
    }

    pub(super) fn get(&self, row: &TableRow, measure: Measure) -> Told {
        if self.is_empty() {
            return Told::default();
        }
        let group = to_group(self.terms, &row.key);
        let count = row.account.measure(measure);
        let mut found = Told {
            was_left_out: self.left_out.contains(&(group.clone(), measure.index())),
            is_of_other_years: row.key[0] == ALL_CATEGORIES && self.has_other_years,
            ..Told::default()
        };
        for &told in self.told.get(&(group, measure.index())).into_iter().flatten() {
            if told == count {
                found.is_same = true;
            } else if found
                .moved_from
                .is_none_or(|nearest| told.abs_diff(count) < nearest.abs_diff(count))
            {
                found.moved_from = Some(told);
            }
        }
        if found.is_same {
            // It is known already: to show it again tells nothing of what it was before that.
            found.moved_from = None;
        }
        found
    }
}

#[cfg(test)]
mod tests;
