//! Published tables as the files offices pass on: CSV, SDMX-CSV, Parquet. Every file says how its figures were made, by which
//! definitions, and from which agreement and run.

use corridor_core::{Corridor, CountryCode, CountryCoding, DurationRule, RuleFlag, Variable};

use crate::carried::{CarriedError, NotCorrected};
use crate::classes::Measure;
use crate::number::real;
use crate::provenance::Provenance;
use crate::published::{ALL, EstimateRemark, FlowRow, PublishedTable, RECONCILIATION, SUPPRESSED};

mod sdmx;

pub use sdmx::SDMX_STRUCTURE;

/// A table with what goes with it into every file, and the system its countries are coded in.
#[derive(Debug, Clone)]
pub struct Export<'a> {
    table: &'a PublishedTable,
    provenance: &'a Provenance,
    coding: CountryCoding,
}

/// A table that cannot be written in the codes asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no code in the system of country codes asked for")]
pub struct CodingError(CountryCode);

impl<'a> Export<'a> {
    /// A table to be written.
    ///
    /// # Errors
    /// When a country of it has no code in `coding`.
    pub fn try_new(
        table: &'a PublishedTable,
        provenance: &'a Provenance,
        coding: CountryCoding,
    ) -> Result<Self, CodingError> {
        let corridor = table.terms.corridor;
        let groups = table.terms.statistics.country_groups.0.iter();
        let named = groups.flat_map(|group| &group.countries).copied();
        let countries = [corridor.origin().0, corridor.destination().0]
            .into_iter()
            .chain(named);
        for country in countries {
            country.to_coding(coding).ok_or(CodingError(country))?;
        }
        Ok(Self {
            table,
            provenance,
            coding,
        })
    }

    /// The table as a Parquet file, with the countries as ISO codes; what goes with it stands in the metadata.
    pub fn to_parquet(&self) -> Vec<u8> {
        let mut metadata = vec![
            ("corridor.method", self.table.terms.method()),
            ("corridor.definitions", self.table.terms.definition_reference()),
        ];
        let [(_, agreement), (_, run), (_, result)] = self.provenance.entries();
        metadata.extend([
            ("corridor.agreement", agreement),
            ("corridor.run", run),
            ("corridor.result", result),
        ]);
        self.table.to_parquet_with(&metadata)
    }

    fn to_code(&self, country: CountryCode) -> String {
        country
            .to_coding(self.coding)
            .unwrap_or_else(|| country.to_string())
    }

    fn to_corridor(&self, corridor: &Corridor) -> [String; 2] {
        [
            self.to_code(corridor.origin().0),
            self.to_code(corridor.destination().0),
        ]
    }
}

impl Export<'_> {
    /// The rows as CSV: `all` for groups taken together, `suppressed` for what must not be seen, an empty
    /// text where nothing can be said, and why in `estimate_remark` (`suppressed`, `no_match`, `one_register`, or `thin` beside an estimate),
    /// `not_corrected` and, of classes, `classes_not_corrected`. Figures have the fewest digits that give the same number back.
    pub fn rows_to_csv(&self) -> String {
        let variables = self.table.terms.statistics.variables();
        let mut header = vec!["origin", "destination"];
        header.extend(
            variables
                .iter()
                .map(|variable| self.table.terms.column(*variable)),
        );
        header.extend(Measure::ALL.map(Measure::as_str));
        header.extend(FlowRow::FIGURES);
        header.push("estimate_remark");
        header.extend(["quality_of", "not_corrected", "classes_not_corrected"]);
        header.extend(CarriedError::FIGURES);
        let untold = self.table.untold();
        let records = self.table.rows.iter().map(|row| {
            let mut record = self.to_corridor(&row.corridor).to_vec();
            let label = |variable: &Variable| row.group.get(*variable).unwrap_or(ALL).to_owned();
            record.extend(variables.iter().map(label));
            record.extend(row.counts.as_array().map(|count| to_text(count, SUPPRESSED)));
            record.extend(row.figure_values().map(|figure| to_text(figure, "")));
            let quality_of = row
                .corrected
                .as_ref()
                .map(|corrected| corrected.quality_of.clone());
            let remark = row.estimate_remark(&untold).map(EstimateRemark::as_str);
            record.push(remark.unwrap_or_default().to_owned());
            record.push(quality_of.unwrap_or_default());
            let not_corrected = row.not_corrected.map(NotCorrected::as_str);
            record.push(not_corrected.unwrap_or_default().to_owned());
            let of_classes = row
                .corrected
                .as_ref()
                .and_then(|corrected| corrected.classes_remark(&row.counts));
            record.push(of_classes.map_or_else(String::new, |reason| reason.as_str().to_owned()));
            let corrected = row.corrected.as_ref().map(CarriedError::figure_values);
            record.extend(corrected.unwrap_or_default().map(|figure| to_text(figure, "")));
            record
        });
        self.to_csv(&header, records)
    }

    /// Why each office's own count of a period differs, as CSV, written as [`Export::rows_to_csv`].
    pub fn years_to_csv(&self) -> String {
        let mut header = vec!["origin", "destination", self.table.terms.column(Variable::Period)];
        header.extend(RECONCILIATION.map(|measure| {
            let is_own = measure == Measure::EmigrationsOwn;
            if is_own { Measure::Emigrations } else { measure }.as_str()
        }));
        let periods = self
            .table
            .rows
            .iter()
            .filter(|row| row.group.is_by(&[Variable::Period]));
        let records = periods.map(|row| {
            let mut record = self.to_corridor(&row.corridor).to_vec();
            record.extend(row.group.get(Variable::Period).map(str::to_owned));
            record.extend(RECONCILIATION.map(|measure| to_text(row.counts.get(measure), SUPPRESSED)));
            record
        });
        self.to_csv(&header, records)
    }

    /// The days between the two dates of a move, as CSV.
    pub fn lags_to_csv(&self) -> String {
        let records = self.table.lags.iter().map(|row| {
            let mut record = self.to_corridor(&row.corridor).to_vec();
            record.push(row.days.clone());
            record.push(to_text(row.moves, SUPPRESSED));
            record
        });
        self.to_csv(&["origin", "destination", "days", "moves"], records)
    }

    /// How many moves count under which rule, as CSV.
    pub fn stays_to_csv(&self) -> String {
        let records = self.table.stays.iter().map(|row| {
            let mut record = self.to_corridor(&row.corridor).to_vec();
            record.push(row.period.clone());
            record.extend([row.side.as_str(), row.rule.as_str(), row.counts.as_str()].map(str::to_owned));
            record.push(to_text(row.moves, SUPPRESSED));
            record
        });
        let period = self.table.terms.column(Variable::Period);
        self.to_csv(
            &["origin", "destination", period, "list", "rule", "counts", "moves"],
            records,
        )
    }

    /// Counts under shorter minimum stays, made such of twelve months, as CSV: estimates, each with the factor it is made by and where that is
    /// from; `not_converted` says why there is none (`suppressed`, or `rule_unknown` of some moves). Of linked stays it says how many there
    /// were, how many ended, and the rate at which they do, with its interval.
    pub fn durations_to_csv(&self) -> String {
        let period = self.table.terms.column(Variable::Period);
        let header = [
            "origin",
            "destination",
            period,
            "list",
            "from_months",
            "to_months",
            "moves",
            "factor",
            "moves_converted",
            "not_converted",
            "status",
            "source",
            "stays",
            "stays_ended",
            "ended_a_year",
            "ended_a_year_ci95_low",
            "ended_a_year_ci95_high",
        ];
        let mut records = Vec::new();
        for factor in self.table.stay_factors() {
            let rule = if factor.from_months == 3 {
                DurationRule::Months3
            } else {
                DurationRule::Months6
            };
            let mut lengths = self.table.lengths_of_stay.iter();
            let length = lengths.find(|length| length.corridor == factor.corridor);
            let of_rule =
                self.table.stays.iter().filter(|row| {
                    (row.corridor, row.rule, row.counts) == (factor.corridor, rule, RuleFlag::Yes)
                });
            for row in of_rule {
                let unknown = self.table.stays.iter().find(|other| {
                    (other.corridor, other.side, other.rule, other.counts)
                        == (row.corridor, row.side, rule, RuleFlag::Unknown)
                        && other.period == row.period
                });
                let unknown = unknown.map_or(Some(0), |unknown| unknown.moves);
                // Where it is not known of some whether the rule counts them, those it is known to count are not the count.
                let (converted, why_not) = match (row.moves, unknown) {
                    (Some(moves), Some(0)) => (Some(real(moves) * factor.factor), ""),
                    (_, Some(1..)) => (None, "rule_unknown"),
                    (None, _) | (_, None) => (None, SUPPRESSED),
                };
                let mut record = self.to_corridor(&row.corridor).to_vec();
                record.extend([row.period.clone(), row.side.as_str().to_owned()]);
                record.extend([factor.from_months.to_string(), "12".to_owned()]);
                record.push(to_text(row.moves, SUPPRESSED));
                record.push(factor.factor.to_string());
                record.extend([to_text(converted, ""), why_not.to_owned()]);
                record.extend(["estimated".to_owned(), factor.source.as_str().to_owned()]);
                record.push(to_text(length.map(|length| length.stays), ""));
                record.push(to_text(length.map(|length| length.ended), ""));
                let rates = length.map(|length| [length.per_year, length.low, length.high]);
                record.extend(
                    rates
                        .map_or([const { None }; 3], |rates| rates.map(Some))
                        .map(|rate| to_text(rate, "")),
                );
                records.push(record);
            }
        }
        self.to_csv(&header, records.into_iter())
    }

    /// The estimates by stratum, added up, as CSV: how many strata there are, which were too thin and are pooled, and why there is no
    /// estimate where there is none.
    pub fn strata_to_csv(&self) -> String {
        let period = self.table.terms.column(Variable::Period);
        let header = [
            "origin",
            "destination",
            period,
            "strata_by",
            "strata",
            "pooled",
            "estimate",
            "standard_error",
            "ci95_low",
            "ci95_high",
            "not_stratified",
        ];
        let records = self.table.stratified().into_iter().map(|row| {
            let mut record = self.to_corridor(&row.corridor).to_vec();
            record.push(row.period.unwrap_or_else(|| ALL.to_owned()));
            let by = row
                .variables
                .iter()
                .map(|variable| self.table.terms.column(*variable));
            record.push(by.collect::<Vec<_>>().join(" "));
            match row.outcome {
                Ok(made) => {
                    let pooled = made.strata.iter().filter(|stratum| stratum.labels.len() > 1);
                    let labels: Vec<&str> = pooled
                        .flat_map(|stratum| &stratum.labels)
                        .map(String::as_str)
                        .collect();
                    let strata: usize = made.strata.iter().map(|stratum| stratum.labels.len()).sum();
                    let total = &made.total;
                    record.extend([strata.to_string(), labels.join("; ")]);
                    let figures = [
                        total.point,
                        total.standard_error,
                        total.log_normal.low,
                        total.log_normal.high,
                    ];
                    record.extend(figures.map(|figure| figure.to_string()));
                    record.push(String::new());
                }
                Err(reason) => {
                    record.extend(std::iter::repeat_n(String::new(), 6));
                    record.push(reason.as_str().to_owned());
                }
            }
            record
        });
        self.to_csv(&header, records)
    }

    /// Writes a header and records, each with how and by which definitions it was made, and from which agreement and run.
    fn to_csv(&self, header: &[&str], records: impl Iterator<Item = Vec<String>>) -> String {
        let references = [
            ("method", self.table.terms.method()),
            ("definitions", self.table.terms.definition_reference()),
        ]
        .into_iter()
        .chain(self.provenance.entries());
        let (names, texts): (Vec<&str>, Vec<String>) = references.unzip();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer
            .write_record(header.iter().chain(&names))
            .expect("writing to memory");
        for record in records {
            writer
                .write_record(record.iter().chain(&texts))
                .expect("writing to memory");
        }
        let bytes = writer.into_inner().expect("writing to memory");
        String::from_utf8(bytes).expect("made of texts")
    }
}

fn to_text<T: ToString>(value: Option<T>, blank: &str) -> String {
    value.map_or_else(|| blank.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
