//! Released tables as the service answers them, in our own words.

use corridor_core::{Corridor, Destination, DurationRule, Origin, RuleFlag, Side, Variable};
use corridor_flows::{
    CarriedError, CorrectedClasses, Estimate, FlowCounts, FlowRow, Group, Interval, LagRow, LeftOut,
    LeftOutRow, LengthOfStay, LinkQuality, Measure, NotCorrected, PublishedTable, StayRow,
};
use corridor_wire::{FieldViolation, to_digest, v1};

use crate::answer::{given, violation};

pub(crate) fn to_table(
    message: v1::FlowTable,
    rows: Vec<v1::FlowRow>,
) -> Result<PublishedTable, FieldViolation> {
    if u64::try_from(rows.len()) != Ok(message.row_count) {
        return Err(violation("row_count", "expected as many rows as were sent"));
    }
    let terms = serde_json::from_str(&message.terms)
        .map_err(|_| violation("terms", "expected terms this program knows"))?;
    let lags = message.lags.into_iter().map(|row| {
        Ok(LagRow {
            corridor: to_corridor(&row.origin, &row.destination)?,
            days: row.days,
            moves: row.moves,
        })
    });
    let stays = message.stays.into_iter().map(|row| {
        Ok(StayRow {
            corridor: to_corridor(&row.origin, &row.destination)?,
            period: row.period,
            side: to_side(&row.list)?,
            rule: DurationRule::from_word(&row.rule)
                .ok_or_else(|| violation("rule", "expected a known rule"))?,
            counts: RuleFlag::from_word(&row.counts)
                .ok_or_else(|| violation("counts", "expected yes, no or unknown"))?,
            moves: row.moves,
        })
    });
    let lengths_of_stay = message.lengths_of_stay.into_iter().map(|length| {
        Ok(LengthOfStay {
            corridor: to_corridor(&length.origin, &length.destination)?,
            stays: length.stays,
            ended: length.ended,
            per_year: length.per_year,
            low: length.low,
            high: length.high,
            from_3_to_12_months: length.from_3_to_12_months,
            from_6_to_12_months: length.from_6_to_12_months,
        })
    });
    Ok(PublishedTable {
        terms,
        rows: rows.into_iter().map(to_row).collect::<Result<_, _>>()?,
        lags: lags.collect::<Result<_, FieldViolation>>()?,
        stays: stays.collect::<Result<_, FieldViolation>>()?,
        lengths_of_stay: lengths_of_stay.collect::<Result<_, FieldViolation>>()?,
        left_out: message
            .left_out
            .into_iter()
            .map(|row| {
                Ok(LeftOutRow {
                    corridor: to_corridor(&row.origin, &row.destination)?,
                    side: to_side(&row.list)?,
                    reason: LeftOut::from_word(&row.reason)
                        .ok_or_else(|| violation("reason", "expected a known reason"))?,
                    moves: row.moves,
                })
            })
            .collect::<Result<_, FieldViolation>>()?,
        held_against: message
            .held_against
            .iter()
            .map(|digest| to_digest(digest, "held_against"))
            .collect::<Result<_, _>>()?,
    })
}

fn to_side(list: &str) -> Result<Side, FieldViolation> {
    match list {
        "origin" => Ok(Side::Origin),
        "destination" => Ok(Side::Destination),
        _ => Err(violation("list", "expected origin or destination")),
    }
}

fn to_row(row: v1::FlowRow) -> Result<FlowRow, FieldViolation> {
    let mut group = Group::default();
    for label in row.group {
        let variable = Variable::from_word(&label.variable)
            .ok_or_else(|| violation("variable", "expected a known variable"))?;
        group.0.insert(variable, label.label);
    }
    Ok(FlowRow {
        corridor: to_corridor(&row.origin, &row.destination)?,
        group,
        counts: to_counts(&given(row.counts, "counts")?),
        estimate: row.estimate.map(to_estimate),
        corrected: row.corrected.map(to_corrected).transpose()?,
        not_corrected: row
            .not_corrected
            .map(|word| {
                NotCorrected::from_word(&word)
                    .ok_or_else(|| violation("not_corrected", "expected a known reason"))
            })
            .transpose()?,
    })
}

fn to_counts(counts: &v1::FlowCounts) -> FlowCounts {
    FlowCounts::from_array(Measure::ALL.map(|measure| match measure {
        Measure::Emigrations => counts.emigrations,
        Measure::Immigrations => counts.immigrations,
        Measure::Matched => counts.matched,
        Measure::OnlyOrigin => counts.only_origin,
        Measure::OnlyDestination => counts.only_destination,
        Measure::EmigrationsOwn => counts.emigrations_own,
        Measure::Agree => counts.agree,
        Measure::TimingOrigin => counts.timing_origin,
        Measure::TimingDestination => counts.timing_destination,
        Measure::DefinitionOrigin => counts.definition_origin,
        Measure::DefinitionDestination => counts.definition_destination,
        Measure::PartnerOrigin => counts.partner_origin,
        Measure::PartnerDestination => counts.partner_destination,
        Measure::UnmatchedOrigin => counts.unmatched_origin,
        Measure::UnmatchedDestination => counts.unmatched_destination,
    }))
}

fn to_estimate(estimate: v1::FlowEstimate) -> Estimate {
    Estimate {
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

fn to_corrected(figures: v1::CorrectedFigures) -> Result<CarriedError, FieldViolation> {
    let interval = |low: f64, high: f64| {
        let is_one = low <= high;
        is_one
            .then_some(Interval { low, high })
            .ok_or_else(|| violation("corrected", "expected an interval whose ends are in order"))
    };
    Ok(CarriedError {
        quality_of: figures.quality_of,
        quality: LinkQuality {
            precision: interval(figures.precision_low, figures.precision_high)?,
            recall: interval(figures.recall_low, figures.recall_high)?,
        },
        matched: figures.matched,
        naive: figures.naive,
        estimate: figures.estimate,
        standard_error: figures.standard_error,
        interval: interval(figures.low, figures.high)?,
        coverage_origin: figures.coverage_origin,
        coverage_destination: figures.coverage_destination,
        classes: figures.classes.map(|classes| CorrectedClasses {
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
        precision: figures.precision,
        recall: figures.recall,
        if_odds_ratio_two_thirds: figures.if_odds_ratio_two_thirds,
        if_odds_ratio_three_halves: figures.if_odds_ratio_three_halves,
    })
}

fn to_corridor(origin: &str, destination: &str) -> Result<Corridor, FieldViolation> {
    let country = |code: &str, field| {
        code.parse()
            .map_err(|_| violation(field, "expected a country code"))
    };
    Corridor::try_new(
        Origin(country(origin, "origin")?),
        Destination(country(destination, "destination")?),
    )
    .map_err(|error| violation("destination", &error.to_string()))
}
