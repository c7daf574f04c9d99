use corridor_core::{Corridor, Sex};
use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;

/// A table after disclosure control, as it leaves, is stored and is read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedTable {
    /// Moves, by corridor; then all, then by year, each followed by its sexes, each followed by its age bands.
    pub rows: Vec<FlowRow>,
    /// Why the two counts of a year differ, by corridor, then year.
    pub years: Vec<YearRow>,
}

/// Moves of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRow {
    /// From where to where.
    pub corridor: Corridor,
    /// Year; `None` for all years.
    pub year: Option<i16>,
    /// Sex; `None` for all.
    pub sex: Option<Sex>,
    /// Age band; `None` for all, `unknown` when the age is not known.
    pub age_band: Option<String>,
    /// The counts; `None` when suppressed.
    pub counts: Option<FlowCounts>,
    /// The estimate; `None` when suppressed or when nothing can be said.
    pub estimate: Option<Estimate>,
}

/// Counts of one group. A move both offices have counts in the year, sex and age band the destination gives
/// it, so that emigrations = matched + only_origin and immigrations = matched + only_destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowCounts {
    /// Emigrations reported by the origin.
    pub emigrations: u64,
    /// Immigrations reported by the destination.
    pub immigrations: u64,
    /// Moves both report.
    pub matched: u64,
    /// Moves the origin alone reports.
    pub only_origin: u64,
    /// Moves the destination alone reports.
    pub only_destination: u64,
}

/// Why emigrations and immigrations of a year differ, as each office counts them; `None` is suppressed.
///
/// Exactly: immigrations − emigrations = (timing_destination − timing_origin) + (partner_destination −
/// partner_origin) + (unmatched_destination − unmatched_origin).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearRow {
    /// From where to where.
    pub corridor: Corridor,
    /// Year.
    pub year: i16,
    /// Emigrations in the origin's own year.
    pub emigrations: Option<u64>,
    /// Immigrations in the destination's own year.
    pub immigrations: Option<u64>,
    /// The same move on both sides, in the same year.
    pub agree: Option<u64>,
    /// The destination has the move in another year.
    pub timing_origin: Option<u64>,
    /// The origin has the move in another year.
    pub timing_destination: Option<u64>,
    /// The destination has the move, and names another country or none.
    pub partner_origin: Option<u64>,
    /// The origin has the move, and names another country or none.
    pub partner_destination: Option<u64>,
    /// The destination does not have the move.
    pub unmatched_origin: Option<u64>,
    /// The origin does not have the move.
    pub unmatched_destination: Option<u64>,
}

impl YearRow {
    pub(crate) const fn suppressed(corridor: Corridor, year: i16) -> Self {
        Self {
            corridor,
            year,
            emigrations: None,
            immigrations: None,
            agree: None,
            timing_origin: None,
            timing_destination: None,
            partner_origin: None,
            partner_destination: None,
            unmatched_origin: None,
            unmatched_destination: None,
        }
    }

    /// The counts in the order of [`YearRow::COLUMNS`].
    pub const fn counts(&self) -> [Option<u64>; 9] {
        [
            self.emigrations,
            self.immigrations,
            self.agree,
            self.timing_origin,
            self.timing_destination,
            self.partner_origin,
            self.partner_destination,
            self.unmatched_origin,
            self.unmatched_destination,
        ]
    }

    /// A row from counts in the order of [`YearRow::COLUMNS`].
    pub const fn from_counts(corridor: Corridor, year: i16, counts: [Option<u64>; 9]) -> Self {
        Self {
            corridor,
            year,
            emigrations: counts[0],
            immigrations: counts[1],
            agree: counts[2],
            timing_origin: counts[3],
            timing_destination: counts[4],
            partner_origin: counts[5],
            partner_destination: counts[6],
            unmatched_origin: counts[7],
            unmatched_destination: counts[8],
        }
    }

    /// Names of the counts.
    pub const COLUMNS: [&'static str; 9] = [
        "emigrations",
        "immigrations",
        "agree",
        "timing_origin",
        "timing_destination",
        "partner_origin",
        "partner_destination",
        "unmatched_origin",
        "unmatched_destination",
    ];
}

impl FlowRow {
    /// The counts in the order of [`FlowRow::COUNTS`]; `None` when suppressed.
    pub fn count_values(&self) -> [Option<u64>; 5] {
        let value = |get: fn(&FlowCounts) -> u64| self.counts.as_ref().map(get);
        [
            value(|c| c.emigrations),
            value(|c| c.immigrations),
            value(|c| c.matched),
            value(|c| c.only_origin),
            value(|c| c.only_destination),
        ]
    }

    /// The figures of the estimate in the order of [`FlowRow::FIGURES`].
    pub fn figure_values(&self) -> [Option<f64>; 8] {
        let value = |get: fn(&Estimate) -> f64| self.estimate.as_ref().map(get);
        [
            value(|e| e.coverage_origin),
            value(|e| e.coverage_destination),
            value(|e| e.point),
            value(|e| e.standard_error),
            value(|e| e.low),
            value(|e| e.high),
            value(|e| e.if_odds_ratio_two_thirds),
            value(|e| e.if_odds_ratio_three_halves),
        ]
    }

    /// Counts in the order of [`FlowRow::COUNTS`], when all are there.
    pub fn counts_from_values(values: [Option<u64>; 5]) -> Option<FlowCounts> {
        Some(FlowCounts {
            emigrations: values[0]?,
            immigrations: values[1]?,
            matched: values[2]?,
            only_origin: values[3]?,
            only_destination: values[4]?,
        })
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

    /// Names of the counts.
    pub const COUNTS: [&'static str; 5] = [
        "emigrations",
        "immigrations",
        "matched",
        "only_origin",
        "only_destination",
    ];

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

impl PublishedTable {
    /// The rows as CSV: `all` for groups taken together, `suppressed` for what must not be seen, an empty
    /// text where nothing can be said. Figures have the fewest digits that give the same number back.
    pub fn rows_to_csv(&self) -> String {
        let mut header = vec!["origin", "destination", "year", "sex", "age_band"];
        header.extend(FlowRow::COUNTS);
        header.extend(FlowRow::FIGURES);
        let records = self.rows.iter().map(|row| {
            let hidden = row.counts.is_none();
            let mut record = vec![
                row.corridor.origin().0.to_string(),
                row.corridor.destination().0.to_string(),
                row.year.map_or_else(|| ALL.to_owned(), |year| year.to_string()),
                row.sex.map_or(ALL, Sex::as_str).to_owned(),
                row.age_band.clone().unwrap_or_else(|| ALL.to_owned()),
            ];
            let blank = if hidden { SUPPRESSED } else { "" };
            record.extend(row.count_values().map(|count| to_text(count, SUPPRESSED)));
            record.extend(row.figure_values().map(|figure| to_text(figure, blank)));
            record
        });
        to_csv(&header, records)
    }

    /// The yearly classes as CSV, written as [`PublishedTable::rows_to_csv`].
    pub fn years_to_csv(&self) -> String {
        let mut header = vec!["origin", "destination", "year"];
        header.extend(YearRow::COLUMNS);
        let records = self.years.iter().map(|row| {
            let mut record = vec![
                row.corridor.origin().0.to_string(),
                row.corridor.destination().0.to_string(),
                row.year.to_string(),
            ];
            record.extend(row.counts().map(|count| to_text(count, SUPPRESSED)));
            record
        });
        to_csv(&header, records)
    }
}

fn to_text<T: ToString>(value: Option<T>, blank: &str) -> String {
    value.map_or_else(|| blank.to_owned(), |value| value.to_string())
}

fn to_csv(header: &[&str], records: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).expect("writing to memory");
    for record in records {
        writer.write_record(record).expect("writing to memory");
    }
    let bytes = writer.into_inner().expect("writing to memory");
    String::from_utf8(bytes).expect("made of texts")
}
