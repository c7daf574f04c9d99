//! What the service answers, in our own words.

use corridor_engine::{
    BlockingReport, EstimatorReport, FieldEvidence, FieldReport, LevelReport, LinkageReport, LshReport,
    MemoryPart, PublicPlan, Refusal, RunLimit, StratumReport,
};
use corridor_wire::{FieldViolation, v1};

pub(crate) fn to_report(message: v1::LinkageReport) -> Result<LinkageReport, FieldViolation> {
    let threshold = |text: &str, field| text.parse().map_err(|_| violation(field, "expected a threshold"));
    let estimators = message.estimators.map(|estimators| {
        Ok(EstimatorReport {
            decided_by: estimators.decided_by,
            threshold_by_registers: threshold(&estimators.threshold_by_registers, "threshold_by_registers")?,
            agree: estimators.agree,
            precision_low: estimators.precision_low,
            precision_high: estimators.precision_high,
            recall_low: estimators.recall_low,
            recall_high: estimators.recall_high,
        })
    });
    Ok(LinkageReport {
        threshold: threshold(&message.threshold, "threshold")?,
        threshold_policy: message.threshold_policy,
        expected_precision: message.expected_precision,
        expected_recall: message.expected_recall,
        expected_f1: message.expected_f1,
        link_count_precision: message.link_count_precision,
        link_count_low: message.link_count_low,
        link_count_high: message.link_count_high,
        estimators: estimators.transpose()?,
        blocking: message.blocking.map(to_blocking).transpose()?,
        fields: message.fields.map(to_field_report),
        strata: message.strata.into_iter().map(to_stratum).collect(),
        ambiguous_links: message.ambiguous_links,
        greedy_components: message.greedy_components,
    })
}

fn to_stratum(stratum: v1::StratumReport) -> StratumReport {
    StratumReport {
        variable: stratum.variable,
        value: stratum.value,
        precision: stratum.precision,
        precision_low: stratum.precision_low,
        precision_high: stratum.precision_high,
        recall: stratum.recall,
        recall_low: stratum.recall_low,
        recall_high: stratum.recall_high,
        link_count_precision: stratum.link_count_precision,
        link_count_low: stratum.link_count_low,
        link_count_high: stratum.link_count_high,
    }
}

fn to_field_report(message: v1::FieldReport) -> FieldReport {
    let to_level = |level: v1::FieldLevel| LevelReport {
        level: level.level,
        m: level.m,
        u: level.u,
        bits: level.bits,
    };
    FieldReport {
        match_share: message.match_share,
        rounds: message.rounds,
        starts_agree: message.starts_agree,
        expected_precision: message.expected_precision,
        expected_recall: message.expected_recall,
        weight_at_threshold: message.weight_at_threshold,
        fields: message
            .fields
            .into_iter()
            .map(|field| FieldEvidence {
                name: field.name,
                missing: field.missing,
                weighed_by_frequency: field.weighed_by_frequency,
                levels: field.levels.into_iter().map(to_level).collect(),
                bits_by_tenth: field.bits_by_tenth,
            })
            .collect(),
    }
}

pub(crate) fn to_plan(message: v1::RunPlan) -> Result<PublicPlan, FieldViolation> {
    let refusals = message.refusals.into_iter().map(|refusal| {
        let limit = match refusal.limit() {
            v1::RunLimit::Memory => RunLimit::Memory,
            v1::RunLimit::Candidates => RunLimit::Candidates,
            v1::RunLimit::Seconds => RunLimit::Seconds,
            v1::RunLimit::Unspecified => return Err(violation("limit", "expected a known limit")),
        };
        Ok(Refusal {
            limit,
            reason: refusal.reason,
            proposals: refusal.proposals,
        })
    });
    let refusals = refusals.collect::<Result<_, FieldViolation>>()?;
    let memory = message.memory.into_iter().map(|part| MemoryPart {
        what: part.what,
        bytes: part.bytes,
    });
    Ok(PublicPlan {
        origin_records: message.origin_records,
        origin_persons: message.origin_persons,
        destination_records: message.destination_records,
        destination_persons: message.destination_persons,
        block_passes: message.block_passes,
        pairs: message.pairs,
        reduction_ratio: message.reduction_ratio,
        threshold_policy: message.threshold_policy,
        level: message
            .level
            .parse()
            .map_err(|_| violation("level", "expected a threshold"))?,
        candidates: message.candidates,
        candidates_low: message.candidates_low,
        candidates_high: message.candidates_high,
        candidates_few: message.candidates_few,
        tiles: message.tiles,
        memory_bytes: message.memory_bytes,
        memory: memory.collect(),
        seconds: message.seconds,
        threads: message.threads,
        kernel: message.kernel,
        refusals,
    })
}

fn to_blocking(blocking: v1::BlockingReport) -> Result<BlockingReport, FieldViolation> {
    let lsh = blocking.lsh.map(|lsh| {
        Ok(LshReport {
            tables: lsh.tables,
            key_bits: lsh.key_bits,
            threshold: lsh
                .threshold
                .parse()
                .map_err(|_| violation("lsh.threshold", "expected a threshold"))?,
            recall: lsh
                .recall
                .parse()
                .map_err(|_| violation("lsh.recall", "expected a recall"))?,
            expected_pairs: lsh.expected_pairs,
        })
    });
    Ok(BlockingReport {
        passes: blocking.passes,
        pairs_compared: blocking.pairs_compared,
        distinct_pairs: blocking.distinct_pairs,
        largest_block_origin: blocking.largest_block_origin,
        largest_block_destination: blocking.largest_block_destination,
        reduction_ratio: blocking.reduction_ratio,
        origin_in_none: blocking.origin_in_none,
        destination_in_none: blocking.destination_in_none,
        records_sampled: blocking.records_sampled,
        completeness: blocking.completeness,
        completeness_low: blocking.completeness_low,
        completeness_high: blocking.completeness_high,
        lsh: lsh.transpose()?,
    })
}

pub(crate) fn violation(field: &str, expected: &str) -> FieldViolation {
    FieldViolation {
        field: field.to_owned(),
        expected: expected.to_owned(),
        reason: corridor_wire::Reason::Value,
    }
}

/// The message of a field that must be there.
pub(crate) fn given<T>(message: Option<T>, field: &str) -> Result<T, FieldViolation> {
    message.ok_or_else(|| violation(field, "must be set"))
}
