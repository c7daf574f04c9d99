//! A short campaign of faults against real services; `cargo run --release -p corridor-tests --bin faults` plays a long one.

use corridor_tests::{CampaignTerms, ClockSteps, run_campaign};

#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_killed_at_any_point_lose_nothing_and_count_nothing_twice() {
    let terms = CampaignTerms {
        seed: 20,
        kills: 10,
        records: 2000,
        upload_mb: 0,
        sabotage: false,
        clock_steps: ClockSteps::find(),
    };
    let report = run_campaign(&terms, &mut |line| println!("{line}")).await;
    println!("{report}");
    assert!(report.broken.is_empty(), "{report}");
    assert_eq!(report.kill_count(), 10, "{report}");
    assert!(report.checks >= 10 && report.results_compared >= 1, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_loses_acknowledged_bytes_is_found_out() {
    let terms = CampaignTerms {
        seed: 1,
        kills: 1,
        records: 10_000,
        upload_mb: 0,
        sabotage: true,
        clock_steps: ClockSteps::default(),
    };
    let report = run_campaign(&terms, &mut |line| println!("{line}")).await;
    assert_eq!(report.broken.len(), 1, "{report}");
    assert!(report.broken[0].contains("uploads: the service"), "{report}");
}
