//! Released tables as messages.

use corridor_engine::{CarriedError, Estimate, FlowRow, Measure, PublishedTable, ResultPart};
use corridor_wire::{FieldViolation, Reason, v1};

/// Rows of a page at most, and when none are asked for.
const LARGEST_PAGE: u32 = 1000;

/// Rows of a message of a stream.
pub(crate) const ROWS_PER_MESSAGE: usize = 500;

/// Which rows a page holds.
pub(crate) struct Page {
    first: usize,
    size: usize,
}

impl Page {
    /// Reads what a page is asked for by.
    pub(crate) fn new(page_size: u32, page_token: &str) -> Result<Self, FieldViolation> {
        let violation = |field: &str, expected: String| FieldViolation {
            field: field.to_owned(),
            expected,
            reason: Reason::Value,
        };
        if page_size > LARGEST_PAGE {
            return Err(violation("page_size", format!("expected at most {LARGEST_PAGE}")));
        }
        let first = match page_token {
            "" => 0,
            token => token
                .parse()
                .map_err(|_| violation("page_token", "expected the token of the page before".to_owned()))?,
        };
        let size = if page_size == 0 { LARGEST_PAGE } else { page_size };
        Ok(Self {
            first,
            size: usize::try_from(size).unwrap_or(usize::MAX),
        })
    }

    /// What it is of a result.
    pub(crate) const fn to_part(&self) -> ResultPart {
        ResultPart::Rows {
            first: self.first,
            count: self.size,
        }
    }

    /// The rows of the page, and the token of the next, empty after the last.
    pub(crate) fn of<'a, T>(&self, rows: &'a [T]) -> (&'a [T], String) {
        let first = self.first.min(rows.len());
        let end = first.saturating_add(self.size).min(rows.len());
        let next = if end < rows.len() {
            end.to_string()
        } else {
            String::new()
        };
        (&rows[first..end], next)
    }
}

pub(crate) fn to_flow_table(table: &PublishedTable) -> v1::FlowTable {
    let lags = table.lags.iter().map(|row| v1::LagRow {
        origin: row.corridor.origin().0.to_string(),
        destination: row.corridor.destination().0.to_string(),
        days: row.days.clone(),
        moves: row.moves,
    });
    let stays = table.stays.iter().map(|row| v1::StayRow {
        origin: row.corridor.origin().0.to_string(),
        destination: row.corridor.destination().0.to_string(),
        period: row.period.clone(),
        list: row.side.as_str().to_owned(),
        rule: row.rule.as_str().to_owned(),
        counts: row.counts.as_str().to_owned(),
        moves: row.moves,
    });
    v1::FlowTable {
        terms: serde_json::to_string(&table.terms).expect("terms have a JSON form"),
        row_count: u64::try_from(table.rows.len()).unwrap_or(u64::MAX),
        lags: lags.collect(),
        stays: stays.collect(),
        lengths_of_stay: table
            .lengths_of_stay
            .iter()
            .map(|length| v1::LengthOfStay {
                origin: length.corridor.origin().0.to_string(),
                destination: length.corridor.destination().0.to_string(),
                stays: length.stays,
                ended: length.ended,
                per_year: length.per_year,
                low: length.low,
                high: length.high,
                from_3_to_12_months: length.from_3_to_12_months,
                from_6_to_12_months: length.from_6_to_12_months,
            })
            .collect(),
        left_out: table
            .left_out
            .iter()
            .map(|row| v1::LeftOutRow {
                origin: row.corridor.origin().0.to_string(),
                destination: row.corridor.destination().0.to_string(),
                list: row.side.as_str().to_owned(),
                reason: row.reason.as_str().to_owned(),
                moves: row.moves,
            })
            .collect(),
        held_against: table
            .held_against
            .iter()
            .map(|digest| digest.as_bytes().to_vec())
            .collect(),
    }
}

pub(crate) fn to_flow_row(row: &FlowRow) -> v1::FlowRow {
    let count = |measure| row.counts.get(measure);
    v1::FlowRow {
        origin: row.corridor.origin().0.to_string(),
        destination: row.corridor.destination().0.to_string(),
        group: row
            .group
            .0
            .iter()
            .map(|(variable, label)| v1::GroupLabel {
                variable: variable.as_str().to_owned(),
                label: label.clone(),
            })
            .collect(),
        counts: Some(v1::FlowCounts {
            emigrations: count(Measure::Emigrations),
            immigrations: count(Measure::Immigrations),
            matched: count(Measure::Matched),
            only_origin: count(Measure::OnlyOrigin),
            only_destination: count(Measure::OnlyDestination),
            emigrations_own: count(Measure::EmigrationsOwn),
            agree: count(Measure::Agree),
            timing_origin: count(Measure::TimingOrigin),
            timing_destination: count(Measure::TimingDestination),
            definition_origin: count(Measure::DefinitionOrigin),
            definition_destination: count(Measure::DefinitionDestination),
            partner_origin: count(Measure::PartnerOrigin),
            partner_destination: count(Measure::PartnerDestination),
            unmatched_origin: count(Measure::UnmatchedOrigin),
            unmatched_destination: count(Measure::UnmatchedDestination),
        }),
        estimate: row.estimate.as_ref().map(to_estimate),
        corrected: row.corrected.as_ref().map(to_corrected),
        not_corrected: row.not_corrected.map(|reason| reason.as_str().to_owned()),
    }
}

fn to_estimate(estimate: &Estimate) -> v1::FlowEstimate {
    v1::FlowEstimate {
        coverage_origin: estimate.coverage_origin,
        coverage_destination: estimate.coverage_destination,
        point: estimate.point,
        standard_error: estimate.standard_error,
        low: estimate.low,
        high: estimate.high,
        if_odds_ratio_two_thirds: estimate.if_odds_ratio_two_thirds,
        if_odds_ratio_three_halves: estimate.if_odds_ratio_three_halves,
    }
}

fn to_corrected(corrected: &CarriedError) -> v1::CorrectedFigures {
    v1::CorrectedFigures {
        quality_of: corrected.quality_of.clone(),
        precision_low: corrected.quality.precision.low,
        precision_high: corrected.quality.precision.high,
        recall_low: corrected.quality.recall.low,
        recall_high: corrected.quality.recall.high,
        matched: corrected.matched,
        naive: corrected.naive,
        estimate: corrected.estimate,
        standard_error: corrected.standard_error,
        low: corrected.interval.low,
        high: corrected.interval.high,
        coverage_origin: corrected.coverage_origin,
        coverage_destination: corrected.coverage_destination,
        classes: corrected.classes.map(|classes| v1::CorrectedClasses {
            agree: classes.agree,
            timing_origin: classes.timing_origin,
            timing_destination: classes.timing_destination,
            definition_origin: classes.definition_origin,
            definition_destination: classes.definition_destination,
            partner_origin: classes.partner_origin,
            partner_destination: classes.partner_destination,
            unmatched_origin: classes.unmatched_origin,
            unmatched_destination: classes.unmatched_destination,
        }),
        precision: corrected.precision,
        recall: corrected.recall,
        if_odds_ratio_two_thirds: corrected.if_odds_ratio_two_thirds,
        if_odds_ratio_three_halves: corrected.if_odds_ratio_three_halves,
    }
}
