//! What a flow table is made for, and the categories its moves fall into.

use std::collections::BTreeMap;

use corridor_core::{
    AgeBand, AgeBands, Agreement, Corridor, CountryGroup, DatePrecision, DefinitionDigests, DisclosureRule,
    MigrationEvent, MigratoryStatus, Period, PeriodUnit, Reason, ReleaseStatus, Sex, StatisticsTerms,
    Variable,
};
use serde::{Deserialize, Serialize};

/// What a reconciliation is made for: the part of an agreement that decides what its tables hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowTerms {
    /// From where to where.
    pub corridor: Corridor,
    /// Reference period.
    pub period: Period,
    /// Age bands.
    pub age_bands: AgeBands,
    /// What is counted, and by what.
    #[serde(default)]
    pub statistics: StatisticsTerms,
    /// What must not be seen.
    pub disclosure: DisclosureRule,
    /// What the two offices' figures mean, by digest of their manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definitions: Option<DefinitionDigests>,
    /// Whether the figures may still change.
    #[serde(default)]
    pub status: ReleaseStatus,
}

impl From<&Agreement> for FlowTerms {
    fn from(agreement: &Agreement) -> Self {
        Self {
            corridor: agreement.corridor,
            period: agreement.period,
            age_bands: agreement.age_bands.clone(),
            statistics: agreement.statistics.clone(),
            disclosure: agreement.disclosure,
            definitions: agreement.definitions,
            status: agreement.status,
        }
    }
}

/// A category of a variable, in the order of tables; [`ALL_CATEGORIES`] for all taken together.
pub(crate) type Category = u16;

/// All categories of a variable taken together. The lowest, so that totals stand before what they are made of.
pub(crate) const ALL_CATEGORIES: Category = 0;

/// A cell of the tables before classes: the category of each variable, in the order of [`Variable::ALL`].
pub(crate) type CellKey = [Category; Variable::ALL.len()];

/// Quarters of a year, and those moves of it whose quarter is not known.
const QUARTERS: u16 = 5;

/// Label of a category that is not known.
pub(crate) const UNKNOWN: &str = "unknown";

impl FlowTerms {
    /// The cell of an event, with every variable that no table names taken together.
    pub(crate) fn key(&self, event: &MigrationEvent) -> CellKey {
        Variable::ALL.map(|variable| {
            if self.statistics.names(variable) {
                self.category(variable, event)
            } else {
                ALL_CATEGORIES
            }
        })
    }

    /// Whether two moves are in the same period of the tables. Moves of a year whose quarter is not known have a period of their own.
    pub(crate) fn same_period(&self, left: &MigrationEvent, right: &MigrationEvent) -> bool {
        self.period_of(left) == self.period_of(right)
    }

    /// The categories of the periods, whether or not moves fall into them.
    pub(crate) fn periods(&self) -> Vec<Category> {
        let years = u16::try_from(self.period.years().count()).unwrap_or(u16::MAX);
        match self.statistics.period_unit {
            PeriodUnit::Year => (1..=years).collect(),
            // Moves whose quarter is not known have a category only where there are some.
            PeriodUnit::Quarter => (0..years.saturating_mul(QUARTERS))
                .filter(|period| period % QUARTERS != QUARTERS - 1)
                .map(|period| period + 1)
                .collect(),
        }
    }

    /// The category of the period of an event.
    pub(crate) fn period_category(&self, event: &MigrationEvent) -> Category {
        self.period_of(event) + 1
    }

    /// From 0.
    fn period_of(&self, event: &MigrationEvent) -> u16 {
        let years_after = event.date.year() - self.period.first.year();
        // Moves outside the period are in no table.
        let year = u16::try_from(years_after).unwrap_or(u16::MAX / QUARTERS - 1);
        match self.statistics.period_unit {
            PeriodUnit::Year => year,
            PeriodUnit::Quarter => {
                let quarter = match event.date.precision {
                    DatePrecision::Year => QUARTERS - 1,
                    DatePrecision::Day | DatePrecision::Month => {
                        u16::try_from((event.date.date.month() - 1) / 3).unwrap_or(0)
                    }
                };
                year * QUARTERS + quarter
            }
        }
    }

    /// The categories of a variable in which there are some of these events, in the order of tables: the label of each, and the positions of
    /// its events, ascending.
    pub fn categories_of(&self, variable: Variable, events: &[MigrationEvent]) -> Vec<(String, Vec<u32>)> {
        let mut positions: BTreeMap<Category, Vec<u32>> = BTreeMap::new();
        for (event, position) in events.iter().zip(0..) {
            positions
                .entry(self.category(variable, event))
                .or_default()
                .push(position);
        }
        let labelled = positions.into_iter();
        labelled
            .filter_map(|(category, positions)| Some((self.label(variable, category)?, positions)))
            .collect()
    }

    /// Labels of all categories a variable can have in the tables, in their order.
    pub(crate) fn labels(&self, variable: Variable) -> Vec<String> {
        let categories = match variable {
            Variable::Period if self.statistics.period_unit == PeriodUnit::Quarter => {
                // Those of moves whose quarter is not known, too.
                let years = u16::try_from(self.period.years().count()).unwrap_or(u16::MAX);
                (1..=years.saturating_mul(QUARTERS)).collect()
            }
            Variable::Period => self.periods(),
            Variable::Sex
            | Variable::Age
            | Variable::AgeReached
            | Variable::Citizenship
            | Variable::BirthCountry
            | Variable::MigratoryStatus
            | Variable::Reason => (1..).take(self.known_categories(variable) + 1).collect(),
        };
        let label = |category| self.label(variable, category);
        categories.into_iter().filter_map(label).collect()
    }

    fn category(&self, variable: Variable, event: &MigrationEvent) -> Category {
        let facts = &event.facts;
        let band = |band: Option<AgeBand>| band.map(|band| usize::from(band.0));
        let group = |group: Option<CountryGroup>| group.map(|group| usize::from(group.0));
        let position = match variable {
            Variable::Period => return self.period_category(event),
            Variable::Sex => Sex::ALL.iter().position(|sex| *sex == event.sex),
            Variable::Age => band(event.age_band),
            Variable::AgeReached => band(facts.age_band_reached),
            Variable::Citizenship => group(facts.citizenship),
            Variable::BirthCountry => group(facts.birth_country),
            Variable::MigratoryStatus => MigratoryStatus::ALL
                .iter()
                .position(|status| *status == facts.migratory_status),
            Variable::Reason => Reason::ALL.iter().position(|reason| *reason == facts.reason),
        };
        // What is not known comes last.
        let position = position.unwrap_or_else(|| self.known_categories(variable));
        u16::try_from(position + 1).unwrap_or(u16::MAX)
    }

    /// Categories of a variable that may be not known, that one not among them.
    fn known_categories(&self, variable: Variable) -> usize {
        match variable {
            Variable::Age | Variable::AgeReached => self.age_bands.len(),
            Variable::Citizenship | Variable::BirthCountry => self.statistics.country_groups.len(),
            Variable::Sex => Sex::ALL.len(),
            Variable::MigratoryStatus => MigratoryStatus::ALL.len(),
            Variable::Reason => Reason::ALL.len(),
            Variable::Period => 0,
        }
    }

    /// The text of a category; `None` where all are taken together.
    pub(crate) fn label(&self, variable: Variable, category: Category) -> Option<String> {
        let position = usize::from(category.checked_sub(1)?);
        let byte = u8::try_from(position).unwrap_or(u8::MAX);
        let groups = &self.statistics.country_groups;
        let label = match variable {
            Variable::Period => return Some(self.period_label(category - 1)),
            Variable::Sex => Sex::ALL.get(position).map(|sex| sex.as_str().to_owned()),
            Variable::Age | Variable::AgeReached => self.age_bands.label(AgeBand(byte)),
            Variable::Citizenship | Variable::BirthCountry => {
                groups.label(CountryGroup(byte)).map(str::to_owned)
            }
            Variable::MigratoryStatus => MigratoryStatus::ALL
                .get(position)
                .map(|status| status.as_str().to_owned()),
            Variable::Reason => Reason::ALL.get(position).map(|reason| reason.as_str().to_owned()),
        };
        Some(label.unwrap_or_else(|| UNKNOWN.to_owned()))
    }

    fn period_label(&self, period: u16) -> String {
        let first = i32::from(self.period.first.year());
        match self.statistics.period_unit {
            PeriodUnit::Year => (first + i32::from(period)).to_string(),
            PeriodUnit::Quarter => {
                let year = first + i32::from(period / QUARTERS);
                match period % QUARTERS {
                    quarter if quarter < QUARTERS - 1 => format!("{year}-Q{}", quarter + 1),
                    _ => format!("{year}-unknown"),
                }
            }
        }
    }

    /// Name of the column of a variable in files.
    pub fn column(&self, variable: Variable) -> &'static str {
        match (variable, self.statistics.period_unit) {
            (Variable::Period, PeriodUnit::Year) => "year",
            (Variable::Period, PeriodUnit::Quarter) => "quarter",
            (Variable::Age, _) => "age_band",
            (Variable::AgeReached, _) => "age_band_reached",
            (
                Variable::Sex
                | Variable::Citizenship
                | Variable::BirthCountry
                | Variable::MigratoryStatus
                | Variable::Reason,
                _,
            ) => variable.as_str(),
        }
    }
}
