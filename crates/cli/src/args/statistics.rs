use clap::{Args, ValueEnum};
use corridor_core::{
    CountryGroups, DisclosureMethod, DurationRule, NamedCountries, PeriodUnit, StatisticsTerms, Variable,
};

use crate::failure::input_error;

/// What flow tables count, and by what.
#[derive(Debug, Args)]
pub(crate) struct StatisticsArgs {
    /// A flow table by these variables (period first, by comma): period, sex, age, age_reached, citizenship, birth_country,
    /// migratory_status, reason. May be given several times; period,sex,age when it is not.
    #[arg(long = "table", value_name = "VARIABLES")]
    tables: Vec<String>,
    /// A group of countries that tables by citizenship or birth_country tell apart, as in maghreb=DZ,MA,TN. May be given several
    /// times; all other countries are one.
    #[arg(long = "country-group", value_name = "NAME=CODES")]
    country_groups: Vec<String>,
    /// How long a period of the tables is.
    #[arg(long, value_name = "UNIT", default_value = "year")]
    period_unit: PeriodUnitArg,
    /// The rule of minimum stay under which a move counts: own is each office's.
    #[arg(long, value_name = "RULE", default_value = "own")]
    duration_rule: DurationRuleArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PeriodUnitArg {
    Year,
    Quarter,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DurationRuleArg {
    Own,
    #[value(name = "12-months")]
    Months12,
    #[value(name = "6-months")]
    Months6,
    #[value(name = "3-months")]
    Months3,
    HalfYear,
}

/// How counts are kept from telling of few people.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DisclosureArg {
    /// Small counts are left out, and others with them.
    Suppression,
    /// Counts become multiples of 3 near them, by chance.
    RandomRounding,
    /// Counts are changed by a little, the same moves always by the same.
    CellKey,
}

impl From<DisclosureArg> for DisclosureMethod {
    fn from(method: DisclosureArg) -> Self {
        match method {
            DisclosureArg::Suppression => Self::Suppression,
            DisclosureArg::RandomRounding => Self::RandomRounding,
            DisclosureArg::CellKey => Self::CellKey,
        }
    }
}

impl StatisticsArgs {
    /// The terms these ask for, checked.
    pub(crate) fn to_terms(&self) -> anyhow::Result<StatisticsTerms> {
        let mut terms = StatisticsTerms {
            period_unit: match self.period_unit {
                PeriodUnitArg::Year => PeriodUnit::Year,
                PeriodUnitArg::Quarter => PeriodUnit::Quarter,
            },
            duration_rule: match self.duration_rule {
                DurationRuleArg::Own => DurationRule::Own,
                DurationRuleArg::Months12 => DurationRule::Months12,
                DurationRuleArg::Months6 => DurationRule::Months6,
                DurationRuleArg::Months3 => DurationRule::Months3,
                DurationRuleArg::HalfYear => DurationRule::HalfYear,
            },
            ..StatisticsTerms::default()
        };
        if !self.tables.is_empty() {
            let tables = self.tables.iter().map(|table| to_table(table));
            terms.tables = tables.collect::<anyhow::Result<_>>()?;
        }
        let groups = self.country_groups.iter().map(|group| to_group(group));
        terms.country_groups = CountryGroups(groups.collect::<anyhow::Result<_>>()?);
        terms
            .validate()
            .map_err(|error| input_error(error.to_string(), "correct --table or --country-group"))?;
        Ok(terms)
    }
}

fn to_table(text: &str) -> anyhow::Result<Vec<Variable>> {
    text.split(',')
        .map(|word| {
            Variable::from_word(&word.trim().replace('-', "_")).ok_or_else(|| {
                input_error(
                    format!("--table: {:?} is no variable", word.trim()),
                    format!("variables are {}", Variable::ALL.map(Variable::as_str).join(", ")),
                )
            })
        })
        .collect()
}

fn to_group(text: &str) -> anyhow::Result<NamedCountries> {
    let hint = "write it as in maghreb=DZ,MA,TN";
    let (name, codes) = text
        .split_once('=')
        .ok_or_else(|| input_error(format!("--country-group: {text:?} has no ="), hint))?;
    let countries = codes.split(',').map(|code| {
        code.trim().parse().map_err(|error| {
            input_error(
                format!("--country-group {name}: {:?}: {error}", code.trim()),
                hint,
            )
        })
    });
    Ok(NamedCountries {
        name: name.trim().to_owned(),
        countries: countries.collect::<anyhow::Result<_>>()?,
    })
}
