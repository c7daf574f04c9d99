use std::fmt::Write as _;

use corridor_engine::{PublicPlan, bytes_in_words, count_in_words, seconds_in_words};

/// A plan for people.
pub(crate) fn to_plan_page(plan: &PublicPlan) -> String {
    let side = |records: u64, persons: u64| {
        if records == persons {
            count_in_words(records)
        } else {
            format!(
                "{} of {} persons",
                count_in_words(records),
                count_in_words(persons)
            )
        }
    };
    let mut page = format!(
        "records     origin {}, destination {}\n",
        side(plan.origin_records, plan.origin_persons),
        side(plan.destination_records, plan.destination_persons)
    );
    page += &format!("pairs       {}, ", count_in_words(plan.pairs));
    page += &if plan.block_passes.is_empty() {
        "every record with every one of the other side\n".to_owned()
    } else {
        format!(
            "in blocks of {}; reduction ratio {}\n",
            plan.block_passes.join(", "),
            plan.reduction_ratio
        )
    };
    page += &format!("threshold   {}", plan.threshold_policy);
    page += &if plan.threshold_policy == "fixed" {
        format!(" at {}\n", plan.level)
    } else {
        format!("; pairs are looked at from about {} up\n", plan.level)
    };
    page += &if plan.candidates_few {
        format!(
            "candidates  at most {}; fewer are not told\n",
            count_in_words(plan.candidates_high)
        )
    } else {
        format!(
            "candidates  about {}; 99 % interval {} to {}\n",
            count_in_words(plan.candidates),
            count_in_words(plan.candidates_low),
            count_in_words(plan.candidates_high)
        )
    };
    page += &format!("tiles       {}\n", count_in_words(plan.tiles));
    page += &format!("memory      at most {}\n", bytes_in_words(plan.memory_bytes));
    for part in &plan.memory {
        // Writing to a string does not fail.
        writeln!(
            page,
            "            {:>9}  {}",
            bytes_in_words(part.bytes),
            part.what
        )
        .ok();
    }
    if let Some(seconds) = plan.seconds {
        page += &format!(
            "time        about {} on {} threads ({}), as busy as the service is now\n",
            seconds_in_words(seconds),
            plan.threads,
            plan.kernel
        );
    }
    page += if plan.refusals.is_empty() {
        "taken       yes\n"
    } else {
        "taken       no\n"
    };
    for refusal in &plan.refusals {
        page += &format!("\n{}\n", refusal.reason);
        for proposal in &refusal.proposals {
            page += &format!("  {proposal}\n");
        }
    }
    page
}
