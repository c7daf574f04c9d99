use corridor_engine::{PublicPlan, RunLimit};
use corridor_wire::v1;

/// A plan as a message.
pub(crate) fn to_plan(plan: &PublicPlan) -> v1::RunPlan {
    v1::RunPlan {
        origin_records: plan.origin_records,
        origin_persons: plan.origin_persons,
        destination_records: plan.destination_records,
        destination_persons: plan.destination_persons,
        block_passes: plan.block_passes.clone(),
        pairs: plan.pairs,
        reduction_ratio: plan.reduction_ratio,
        threshold_policy: plan.threshold_policy.clone(),
        level: plan.level.to_string(),
        candidates: plan.candidates,
        candidates_low: plan.candidates_low,
        candidates_high: plan.candidates_high,
        candidates_few: plan.candidates_few,
        tiles: plan.tiles,
        memory_bytes: plan.memory_bytes,
        memory: plan
            .memory
            .iter()
            .map(|part| v1::MemoryPart {
                what: part.what.clone(),
                bytes: part.bytes,
            })
            .collect(),
        seconds: plan.seconds,
        threads: plan.threads,
        kernel: plan.kernel.clone(),
        refusals: plan
            .refusals
            .iter()
            .map(|refusal| v1::RunRefusal {
                limit: match refusal.limit {
                    RunLimit::Memory => v1::RunLimit::Memory,
                    RunLimit::Candidates => v1::RunLimit::Candidates,
                    RunLimit::Seconds => v1::RunLimit::Seconds,
                }
                .into(),
                reason: refusal.reason.clone(),
                proposals: refusal.proposals.clone(),
            })
            .collect(),
    }
}
