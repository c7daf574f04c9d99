//! How often intervals hold the truth, on simulated corridors.

use corridor_core::SeededEntropy;
use corridor_flows::{Confidence, DualCounts, LinkageErrorRates, LinkageErrors, LinkedCounts};
use rand_distr::{Binomial, Distribution as _};

const CORRIDORS: u32 = 1000;
const MOVES: u64 = 10_000;
const CAPTURE_1: f64 = 0.8;
const CAPTURE_2: f64 = 0.6;
const RATES: LinkageErrorRates = LinkageErrorRates {
    alpha: 0.95,
    beta: 0.02,
    var_alpha: 0.0,
    var_beta: 0.0,
};
/// Shares of 1,000 intervals of 95 % that hold the truth: within 1.5 to 3 standard errors of what they should be.
const COVERAGE: std::ops::RangeInclusive<f64> = 0.93..=0.97;
/// n₁n₂/l in expectation, over the truth, less 1.
const NAIVE_BIAS: f64 = 0.0471;
const BIAS_TOL: f64 = 0.001;

/// What two offices and a linkage make of a corridor.
fn simulate(entropy: &mut SeededEntropy) -> (u64, u64, u64) {
    let mut draw = |trials, chance| Binomial::new(trials, chance).unwrap().sample(entropy);
    let n1 = draw(MOVES, CAPTURE_1);
    let both = draw(n1, CAPTURE_2);
    let n2 = both + draw(MOVES - n1, CAPTURE_2);
    let links = draw(both, RATES.alpha) + draw(n2 - both, RATES.beta);
    (n1, n2, links)
}

#[test]
fn the_corrected_interval_holds_the_truth_95_times_in_100_and_the_naive_one_never() {
    let seed = 1;
    println!("seed {seed}");
    let mut entropy = SeededEntropy::new(seed, "coverage");
    let errors = LinkageErrors::try_from(RATES).unwrap();
    let truth = f64::from(u32::try_from(MOVES).unwrap());
    let (mut log_normal, mut normal, mut naive_held) = (0, 0, 0);
    let (mut bias_corrected, mut bias_naive) = (0.0, 0.0);
    for _ in 0..CORRIDORS {
        let (n1, n2, links) = simulate(&mut entropy);
        let corrected = LinkedCounts::try_new(n1, n2, links, errors)
            .unwrap()
            .corrected(Confidence::default());
        log_normal += u32::from(corrected.estimate.log_normal.contains(truth));
        normal += u32::from(corrected.estimate.normal.contains(truth));
        bias_corrected += corrected.estimate.point / truth - 1.0;
        bias_naive += corrected.naive / truth - 1.0;
        let naive = DualCounts::try_new(n1, n2, links)
            .unwrap()
            .chapman(Confidence::default())
            .unwrap();
        naive_held += u32::from(naive.log_normal.contains(truth));
    }
    let share = |count: u32| f64::from(count) / f64::from(CORRIDORS);
    let mean = |sum: f64| sum / f64::from(CORRIDORS);
    println!(
        "corrected: bias {:+.2} %, log-normal interval holds {:.1} %, normal {:.1} %\n\
         naive:     bias {:+.2} %, log-normal interval holds {:.1} %",
        100.0 * mean(bias_corrected),
        100.0 * share(log_normal),
        100.0 * share(normal),
        100.0 * mean(bias_naive),
        100.0 * share(naive_held),
    );
    assert!(COVERAGE.contains(&share(log_normal)), "{log_normal}");
    assert!(COVERAGE.contains(&share(normal)), "{normal}");
    assert!(mean(bias_corrected).abs() < BIAS_TOL);
    assert!((mean(bias_naive) - NAIVE_BIAS).abs() < BIAS_TOL);
    assert_eq!(naive_held, 0);
}
