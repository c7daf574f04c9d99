//! Reports of how links were decided, as messages.

use corridor_engine::{FieldReport, LevelReport, LinkageReport, StratumReport};
use corridor_wire::v1;

fn to_field_report(report: &FieldReport) -> v1::FieldReport {
    let to_level = |level: &LevelReport| v1::FieldLevel {
        level: level.level.clone(),
        m: level.m,
        u: level.u,
        bits: level.bits,
    };
    v1::FieldReport {
        match_share: report.match_share,
        rounds: report.rounds,
        starts_agree: report.starts_agree,
        expected_precision: report.expected_precision,
        expected_recall: report.expected_recall,
        weight_at_threshold: report.weight_at_threshold,
        fields: report
            .fields
            .iter()
            .map(|field| v1::FieldEvidence {
                name: field.name.clone(),
                missing: field.missing,
                weighed_by_frequency: field.weighed_by_frequency,
                levels: field.levels.iter().map(to_level).collect(),
                bits_by_tenth: field.bits_by_tenth.clone(),
            })
            .collect(),
    }
}

fn to_stratum(stratum: &StratumReport) -> v1::StratumReport {
    v1::StratumReport {
        variable: stratum.variable.clone(),
        value: stratum.value.clone(),
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

pub(crate) fn to_report(report: &LinkageReport) -> v1::LinkageReport {
    v1::LinkageReport {
        ambiguous_links: report.ambiguous_links,
        greedy_components: report.greedy_components,
        threshold: report.threshold.to_string(),
        threshold_policy: report.threshold_policy.clone(),
        expected_precision: report.expected_precision,
        expected_recall: report.expected_recall,
        expected_f1: report.expected_f1,
        link_count_precision: report.link_count_precision,
        link_count_low: report.link_count_low,
        link_count_high: report.link_count_high,
        estimators: report.estimators.as_ref().map(|estimators| v1::EstimatorReport {
            decided_by: estimators.decided_by.clone(),
            threshold_by_registers: estimators.threshold_by_registers.to_string(),
            agree: estimators.agree,
            precision_low: estimators.precision_low,
            precision_high: estimators.precision_high,
            recall_low: estimators.recall_low,
            recall_high: estimators.recall_high,
        }),
        blocking: report.blocking.as_ref().map(|blocking| v1::BlockingReport {
            passes: blocking.passes.clone(),
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
            lsh: blocking.lsh.as_ref().map(|lsh| v1::LshReport {
                tables: lsh.tables,
                key_bits: lsh.key_bits,
                threshold: lsh.threshold.to_string(),
                recall: lsh.recall.to_string(),
                expected_pairs: lsh.expected_pairs,
            }),
        }),
        fields: report.fields.as_ref().map(to_field_report),
        strata: report.strata.iter().map(to_stratum).collect(),
    }
}
