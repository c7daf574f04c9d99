//! Short campaigns of faults against real services; `cargo run --release -p corridor-tests --bin faults` plays a long one.

use corridor_tests::{CampaignTerms, ClockSteps, Databases, Phase, Sabotage, run_campaign};

fn terms(seed: u64, kills: u32) -> CampaignTerms {
    CampaignTerms {
        seed,
        kills,
        records: 2000,
        upload_mb: 0,
        databases: Databases::SqliteOnly,
        sabotage: None,
        clock_steps: ClockSteps::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_killed_at_any_point_lose_nothing_and_count_nothing_twice() {
    let terms = CampaignTerms {
        clock_steps: ClockSteps::find(),
        ..terms(20, 10)
    };
    let report = run_campaign(&terms, &mut |line| println!("{line}")).await;
    println!("{report}");
    assert!(report.broken.is_empty(), "{report}");
    assert_eq!(report.kill_count(), 10, "{report}");
    assert!(report.checks >= 10 && report.results_compared >= 1, "{report}");
    let aimed_at_purges =
        |counts: &std::collections::BTreeMap<Phase, u32>| counts.contains_key(&Phase::Purge);
    assert!(
        aimed_at_purges(&report.kills) || aimed_at_purges(&report.late),
        "{report}"
    );
    assert!(report.purges >= 2, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_returns_costs_nothing() {
    let terms = CampaignTerms {
        databases: Databases::PostgresAway { rounds: 1 },
        ..terms(1, 0)
    };
    let report = run_campaign(&terms, &mut |line| println!("{line}")).await;
    println!("{report}");
    assert!(report.broken.is_empty(), "{report}");
    assert_eq!(report.away.len(), 5, "once in each phase: {report}");
    assert_eq!(report.results_compared, 1, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_loses_acknowledged_bytes_is_found_out() {
    let terms = CampaignTerms {
        records: 10_000,
        sabotage: Some(Sabotage::Loss),
        ..terms(1, 1)
    };
    let report = run_campaign(&terms, &mut |line| println!("{line}")).await;
    assert_eq!(report.broken.len(), 1, "{report}");
    assert!(report.broken[0].contains("uploads: the service"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_that_is_there_again_after_its_purge_is_found_out() {
    let terms = CampaignTerms {
        sabotage: Some(Sabotage::Return),
        ..terms(1, 1)
    };
    let report = run_campaign(&terms, &mut |line| println!("{line}")).await;
    assert_eq!(report.broken.len(), 1, "{report}");
    assert!(
        report.broken[0].contains("had its dataset purged, and there is still objects/datasets/"),
        "{report}"
    );
}
