//! Plans of runs, and runs that would need more than they may have.

use corridor_cli::{Client, ClientError};
use corridor_core::{RunState, RunStatus, ThresholdPolicy};
use corridor_engine::RunLimit;
use corridor_server::LimitsConfig;
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use corridor_wire::v1;
use corridor_wire::v1::run_service_client::RunServiceClient;

use crate::service::Service;

/// The sample's agreement, signed by both offices.
async fn agree(service: &Service, sample: &Sample) {
    let origin = service.client(sample::ORIGIN).await;
    let canonical = sample.agreement.to_canonical_bytes();
    origin.propose_agreement(canonical).await.unwrap();
    for (office, signature) in sample.signatures() {
        let client = service.client(office).await;
        client
            .sign_agreement(sample.agreement.digest(), &signature)
            .await
            .unwrap();
    }
}

async fn upload(service: &Service, sample: &Sample) {
    for ((declaration, bytes), office) in sample.datasets.iter().zip([sample::ORIGIN, sample::DESTINATION]) {
        let client = service.client(office).await;
        client.upload(declaration, bytes, &|_| {}).await.unwrap();
    }
}

async fn run_to_its_end(client: &Client, sample: &Sample) -> RunStatus {
    let run = client.start_run(sample.agreement.digest()).await.unwrap();
    client.watch_run(run.id, &|_| {}).await.unwrap()
}

fn reason(error: &ClientError) -> &str {
    error.reason().unwrap_or("none")
}

fn fixed(threshold: &str) -> ThresholdPolicy {
    ThresholdPolicy::Fixed(threshold.parse().unwrap())
}

/// 3,000 records of each office, 50 of each alike: 150,000 candidates at 0.5.
fn groups(threshold: &str) -> SampleTerms {
    SampleTerms {
        records: 3000,
        filters: SampleFilters::Groups(50),
        threshold: fixed(threshold),
        ..SampleTerms::default()
    }
}

#[tokio::test]
async fn both_offices_get_a_plan_of_sealed_datasets_and_nobody_else_does() {
    let (service, sample) = (Service::start().await, Sample::of(&groups("0.5")));
    agree(&service, &sample).await;
    let digest = sample.agreement.digest();
    let clients = [
        service.client(sample::ORIGIN).await,
        service.client(sample::DESTINATION).await,
    ];
    let error = clients[0].plan_run(digest).await.unwrap_err();
    assert_eq!(reason(&error), "DATASETS_MISSING");
    upload(&service, &sample).await;
    for client in &clients {
        let plan = client.plan_run(digest).await.unwrap();
        assert_eq!(
            (plan.origin_records, plan.destination_records, plan.origin_persons),
            (3000, 3000, 3000)
        );
        assert_eq!((plan.pairs, plan.reduction_ratio), (9_000_000, 0.0));
        assert_eq!(plan.level.to_string(), "0.5");
        // 150,000, told to two digits.
        assert_eq!((plan.candidates, plan.candidates_few), (150_000, false));
        assert!(plan.candidates_low <= 150_000 && plan.candidates_high >= 150_000);
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        assert!(plan.memory_bytes > 2 * 3000 * 256 && plan.memory_bytes < 200 << 20);
        assert_eq!(plan.threads, 2);
    }
    let mut runs = RunServiceClient::new(service.channel(sample::ORIGIN).await);
    let listed = runs
        .list_runs(v1::ListRunsRequest {
            agreement_digest: digest.as_bytes().to_vec(),
        })
        .await
        .unwrap();
    assert!(listed.into_inner().runs.is_empty(), "a plan is no run");
    let third = service.client("THIRD").await;
    let error = third.plan_run(digest).await.unwrap_err();
    assert_eq!(reason(&error), "NOT_FOUND");
    service.stop().await;
}

#[tokio::test]
async fn candidates_that_would_tell_how_many_are_known_to_both_are_not_told() {
    // Nobody has a partner, and everybody has one.
    let mut told = Vec::new();
    for filters in [SampleFilters::Random, SampleFilters::Groups(1)] {
        let service = Service::start().await;
        let sample = Sample::of(&SampleTerms {
            records: 3000,
            filters,
            threshold: fixed("0.5"),
            ..SampleTerms::default()
        });
        agree(&service, &sample).await;
        upload(&service, &sample).await;
        let client = service.client(sample::ORIGIN).await;
        let mut plan = client.plan_run(sample.agreement.digest()).await.unwrap();
        plan.seconds = None;
        told.push(plan);
        service.stop().await;
    }
    assert!(told[0].candidates_few && told[0].candidates == 18_000);
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn a_run_beyond_its_limit_is_refused_as_planned_and_goes_on_when_it_is_raised() {
    let limits = LimitsConfig {
        max_run_candidates: 100_000,
        ..LimitsConfig::default()
    };
    let (service, sample) = (Service::start_with(limits).await, Sample::of(&groups("0.5")));
    agree(&service, &sample).await;
    upload(&service, &sample).await;
    let client = service.client(sample::ORIGIN).await;
    let plan = client.plan_run(sample.agreement.digest()).await.unwrap();
    let [refusal] = &plan.refusals[..] else {
        panic!("one limit is passed: {:?}", plan.refusals);
    };
    assert_eq!(refusal.limit, RunLimit::Candidates);
    assert_eq!(
        refusal.reason,
        "About 150,000 candidate pairs are expected at the threshold 0.5, more than the 100,000 a run may have."
    );
    let proposals = &refusal.proposals;
    assert!(
        proposals[0].contains("fixed threshold raised from 0.5 to 0."),
        "{proposals:?}"
    );
    assert!(
        proposals.last().unwrap().contains("limits.max_run_candidates to"),
        "{proposals:?}"
    );

    let run = run_to_its_end(&client, &sample).await;
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(
        run.reason,
        refusal.to_sentences(),
        "the run is refused as it was planned"
    );
    assert_eq!((run.tiles_done, run.result), (0, None));
    assert!(
        !service.folder.path().join("objects/runs").exists(),
        "nothing is left"
    );

    // The threshold it proposes is one that is taken.
    let words: Vec<&str> = proposals[0].split(' ').collect();
    let proposed = words.iter().skip_while(|word| **word != "to").nth(1).unwrap();
    let another = Sample::of(&groups(proposed.trim_end_matches(',')));
    agree(&service, &another).await;
    upload(&service, &another).await;
    let plan = client.plan_run(another.agreement.digest()).await.unwrap();
    assert!(plan.refusals.is_empty(), "{proposed}: {:?}", plan.refusals);

    let service = service.restart().await;
    let client = service.client(sample::ORIGIN).await;
    let again = run_to_its_end(&client, &sample).await;
    assert_eq!(
        (again.id, again.state),
        (run.id, RunState::Reconciled),
        "{}",
        again.reason
    );
    service.stop().await;
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused_with_its_largest_part() {
    let limits = LimitsConfig {
        max_run_memory_bytes: 36 << 20,
        ..LimitsConfig::default()
    };
    let (service, sample) = (Service::start_with(limits).await, Sample::of(&groups("0.5")));
    agree(&service, &sample).await;
    upload(&service, &sample).await;
    let client = service.client(sample::DESTINATION).await;
    let plan = client.plan_run(sample.agreement.digest()).await.unwrap();
    let [refusal] = &plan.refusals[..] else {
        panic!("one limit is passed: {:?}", plan.refusals);
    };
    assert_eq!(refusal.limit, RunLimit::Memory);
    assert!(
        refusal.reason.contains("more than the 36 MiB a run may have"),
        "{}",
        refusal.reason
    );
    let run = run_to_its_end(&client, &sample).await;
    assert_eq!(
        (run.state, run.reason),
        (RunState::Failed, refusal.to_sentences())
    );
    service.stop().await;

    // Not even read, where the files alone are too large.
    let limits = LimitsConfig {
        max_run_memory_bytes: 1 << 20,
        ..LimitsConfig::default()
    };
    let service = Service::start_with(limits).await;
    agree(&service, &sample).await;
    upload(&service, &sample).await;
    let client = service.client(sample::ORIGIN).await;
    let error = client.plan_run(sample.agreement.digest()).await.unwrap_err();
    assert_eq!(reason(&error), "RUN_REFUSED");
    let run = run_to_its_end(&client, &sample).await;
    assert!(error.to_string().contains(&run.reason), "{error}: {}", run.reason);
    service.stop().await;
}

#[tokio::test]
async fn records_that_are_all_alike_end_refused_and_not_in_a_full_memory() {
    let sample = Sample::of(&SampleTerms {
        records: 20_000,
        filters: SampleFilters::Equal,
        threshold: fixed("0.9"),
        ..SampleTerms::default()
    });
    let service = Service::start().await;
    agree(&service, &sample).await;
    upload(&service, &sample).await;
    let client = service.client(sample::ORIGIN).await;
    let run = run_to_its_end(&client, &sample).await;
    assert_eq!(run.state, RunState::Failed);
    for words in [
        "About 400 million candidate pairs are expected at the threshold 0.9",
        "no threshold tells their records apart",
    ] {
        assert!(run.reason.contains(words), "{}", run.reason);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_run_that_finds_more_than_was_foreseen_is_stopped_and_goes_on_when_there_is_room() {
    // One record of 20,000 has all candidates, and the sample of 2,000 misses it.
    let sample = Sample::of(&SampleTerms {
        records: 20_000,
        filters: SampleFilters::OneLikeAll,
        threshold: fixed("0.9"),
        ..SampleTerms::default()
    });
    let limits = LimitsConfig {
        max_run_candidates: 10_000,
        ..LimitsConfig::default()
    };
    let service = Service::start_with(limits).await;
    agree(&service, &sample).await;
    upload(&service, &sample).await;
    let client = service.client(sample::DESTINATION).await;
    let plan = client.plan_run(sample.agreement.digest()).await.unwrap();
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let run = run_to_its_end(&client, &sample).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(
        run.reason.starts_with(
            "More than the 10,000 candidate pairs a run may have were found at the threshold 0.9"
        ),
        "{}",
        run.reason
    );
    assert!(run.tiles_done < run.tiles_total, "{run:?}");
    assert_eq!(run.result, None);

    let service = service.restart().await;
    let client = service.client(sample::ORIGIN).await;
    let again = run_to_its_end(&client, &sample).await;
    assert_eq!(
        (again.id, again.state),
        (run.id, RunState::Reconciled),
        "{}",
        again.reason
    );
    service.stop().await;
}
