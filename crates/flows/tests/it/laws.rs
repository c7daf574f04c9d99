//! Laws that estimates keep, whatever the counts.

use corridor_core::SeededEntropy;
use corridor_flows::{
    Confidence, DualCounts, LinkageErrorRates, LinkageErrors, LinkedCounts, LinkedStratum, PersonOutcome,
    PoolingRule, PopulationEstimate, bootstrap_over_persons, parametric_bootstrap, stratified_bootstrap,
    stratified_corrected,
};
use proptest::prelude::*;

use crate::support::{REL_TOL, assert_close};

/// Counts with at least one match.
fn counts() -> impl Strategy<Value = DualCounts> {
    (1_u64..50_000, 0_u64..50_000, 0_u64..50_000)
        .prop_map(|(m, only_1, only_2)| DualCounts::try_new(m + only_1, m + only_2, m).unwrap())
}

fn rates() -> impl Strategy<Value = LinkageErrorRates> {
    (0.6..1.0_f64, 0.0..0.1_f64, 0.0..0.5_f64, 0.0..0.5_f64).prop_map(|(alpha, beta, a, b)| {
        LinkageErrorRates {
            alpha,
            beta,
            var_alpha: a * a * alpha * (1.0 - alpha),
            var_beta: b * b * beta * (1.0 - beta),
        }
    })
}

fn all_plain(counts: DualCounts) -> [PopulationEstimate; 3] {
    let confidence = Confidence::default();
    [
        counts.petersen(confidence).unwrap(),
        counts.chapman(confidence).unwrap(),
        counts.bailey(confidence).unwrap(),
    ]
}

fn assert_sound(estimate: &PopulationEstimate) {
    for interval in [estimate.normal, estimate.log_normal] {
        assert!(interval.contains(estimate.point), "{estimate:?}");
        assert!(
            interval.low >= estimate.at_least && interval.high.is_finite(),
            "{estimate:?}"
        );
    }
    assert!(estimate.variance >= 0.0 && estimate.standard_error.is_finite());
    let rows = &estimate.dependence.rows;
    assert!(rows.windows(2).all(|pair| pair[0].point <= pair[1].point));
    for row in rows {
        let low = 0.0..=1.0 + REL_TOL;
        assert!(
            low.contains(&row.coverage_1) && low.contains(&row.coverage_2),
            "{row:?}"
        );
    }
}

proptest! {
    #[test]
    fn intervals_hold_the_point_and_are_never_below_what_was_seen(counts in counts()) {
        for estimate in all_plain(counts) {
            assert_sound(&estimate);
        }
    }

    #[test]
    fn petersen_and_chapman_do_not_care_which_list_is_first(counts in counts()) {
        let other = DualCounts::try_new(counts.n2(), counts.n1(), counts.matched()).unwrap();
        let [petersen, chapman, _] = all_plain(counts);
        let [petersen_other, chapman_other, _] = all_plain(other);
        prop_assert_eq!(petersen.point.to_bits(), petersen_other.point.to_bits());
        assert_close(chapman.point, chapman_other.point, REL_TOL);
        assert_close(chapman.variance, chapman_other.variance, REL_TOL);
    }

    #[test]
    fn more_matched_means_fewer_in_truth(counts in counts()) {
        prop_assume!(counts.matched() < counts.n1().min(counts.n2()));
        let more = DualCounts::try_new(counts.n1(), counts.n2(), counts.matched() + 1).unwrap();
        for (estimate, after) in all_plain(counts).into_iter().zip(all_plain(more)) {
            prop_assert!(after.point <= estimate.point);
        }
    }

    #[test]
    fn with_perfect_linkage_the_corrected_estimate_is_petersens(counts in counts()) {
        let linked =
            LinkedCounts::try_new(counts.n1(), counts.n2(), counts.matched(), LinkageErrors::NONE).unwrap();
        let corrected = linked.corrected(Confidence::default());
        let [petersen, ..] = all_plain(counts);
        prop_assert_eq!(corrected.estimate.point.to_bits(), petersen.point.to_bits());
        prop_assert!(corrected.naive_bias.abs() < REL_TOL);
        prop_assert_eq!(corrected.estimate.at_least.to_bits(), petersen.at_least.to_bits());
    }

    #[test]
    fn expected_links_give_back_the_matches(counts in counts(), rates in rates()) {
        let (n1, n2, m) = (counts.n1(), counts.n2(), counts.matched());
        let real = |count: u64| f64::from(u32::try_from(count).unwrap());
        let expected = rates.alpha * real(m) + rates.beta * real(n2 - m);
        let links = corridor_flows::to_count("links", expected.round()).unwrap();
        let errors = LinkageErrors::try_from(rates).unwrap();
        if let Ok(linked) = LinkedCounts::try_new(n1, n2, links, errors) {
            // A link is a whole number: half a link is lost at most.
            let lost = 0.5 / (rates.alpha - rates.beta) * (1.0 + REL_TOL) + REL_TOL * real(n2);
            prop_assert!((linked.matched() - real(m)).abs() <= lost);
            assert_sound(&linked.corrected(Confidence::default()).estimate);
        }
    }

    #[test]
    fn a_wider_confidence_gives_a_wider_interval(counts in counts()) {
        let [narrow, wide] = [0.8, 0.99].map(|level| {
            counts.chapman(Confidence::try_from(level).unwrap()).unwrap().log_normal
        });
        prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
    }
}

#[test]
fn the_same_seed_gives_the_same_interval_and_another_seed_another() {
    let errors = LinkageErrors::try_from(LinkageErrorRates {
        alpha: 0.95,
        beta: 0.02,
        var_alpha: 1e-4,
        var_beta: 1e-5,
    })
    .unwrap();
    let counts = LinkedCounts::try_new(8000, 6000, 4584, errors).unwrap();
    let draw = |seed| {
        parametric_bootstrap(
            &counts,
            300,
            Confidence::default(),
            &mut SeededEntropy::new(seed, "b"),
        )
        .unwrap()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

/// One resampled standard error against another, with 2,000 replicates each.
const BOOTSTRAP_TOL: f64 = 0.06;

#[test]
fn resampling_persons_who_move_once_is_resampling_moves() {
    let outcome = |in_1, in_2, links| PersonOutcome { in_1, in_2, links };
    let persons = [
        (outcome(1, 1, 1), 4800),
        (outcome(1, 0, 0), 3200),
        (outcome(0, 1, 0), 1200),
    ];
    let confidence = Confidence::default();
    let over_persons = |persons: &[(PersonOutcome, u64)]| {
        let mut entropy = SeededEntropy::new(3, "persons");
        bootstrap_over_persons(persons, LinkageErrors::NONE, 2000, confidence, &mut entropy).unwrap()
    };
    let once = over_persons(&persons);
    let counts = LinkedCounts::try_new(8000, 6000, 4800, LinkageErrors::NONE).unwrap();
    let moves = parametric_bootstrap(&counts, 2000, confidence, &mut SeededEntropy::new(4, "moves")).unwrap();
    assert_close(once.standard_error, moves.standard_error, BOOTSTRAP_TOL);
    // Half as many persons who each move twice say less: the spread grows by √2.
    let twice = persons.map(|(person, number)| {
        (
            outcome(2 * person.in_1, 2 * person.in_2, 2 * person.links),
            number / 2,
        )
    });
    let clustered = over_persons(&twice);
    assert_close(
        clustered.standard_error,
        2.0_f64.sqrt() * once.standard_error,
        BOOTSTRAP_TOL,
    );
    // The order in which persons come says nothing.
    let mut reversed = persons;
    reversed.reverse();
    assert_eq!(over_persons(&reversed), once);
}

#[test]
fn uncertain_rates_widen_the_delta_method_as_they_widen_the_bootstrap() {
    let confidence = Confidence::default();
    let spread = |var_alpha, var_beta| {
        let errors = LinkageErrors::try_from(LinkageErrorRates {
            alpha: 0.95,
            beta: 0.02,
            var_alpha,
            var_beta,
        })
        .unwrap();
        let counts = LinkedCounts::try_new(8000, 6000, 4584, errors).unwrap();
        let delta = counts.corrected(confidence).estimate.standard_error;
        let mut entropy = SeededEntropy::new(2, "rates");
        let bootstrap = parametric_bootstrap(&counts, 2000, confidence, &mut entropy).unwrap();
        assert_close(bootstrap.standard_error, delta, BOOTSTRAP_TOL);
        delta
    };
    let known = spread(0.0, 0.0);
    let alpha_uncertain = spread(1e-4, 0.0);
    let beta_uncertain = spread(0.0, 4e-4);
    assert!(alpha_uncertain > 1.5 * known && beta_uncertain > 1.1 * known);
}

#[test]
fn strata_that_share_uncertain_rates_err_together() {
    let errors = LinkageErrors::try_from(LinkageErrorRates {
        alpha: 0.95,
        beta: 0.02,
        var_alpha: 4e-4,
        var_beta: 2e-5,
    })
    .unwrap();
    let stratum = |label: &str, half: u64| LinkedStratum {
        label: label.to_owned(),
        linked: DualCounts::try_new(8000 / half, 6000 / half, 4584 / half).unwrap(),
        errors,
    };
    let halves = [stratum("men", 2), stratum("women", 2)];
    let confidence = Confidence::default();
    let total = stratified_corrected(&halves, PoolingRule::default(), confidence)
        .unwrap()
        .total;
    let whole = LinkedCounts::try_new(8000, 6000, 4584, errors)
        .unwrap()
        .corrected(confidence);
    assert_close(total.point, whole.estimate.point, REL_TOL);
    // The sampling part differs by N − 1 against N − 2 only.
    assert_close(total.variance, whole.estimate.variance, 1e-3);
    // And so they do where they are resampled.
    let resampled = |strata: &[LinkedStratum]| {
        let mut entropy = SeededEntropy::new(3, "strata");
        stratified_bootstrap(strata, PoolingRule::default(), 2000, confidence, &mut entropy).unwrap()
    };
    let together = resampled(&halves);
    assert_close(together.standard_error, total.standard_error, BOOTSTRAP_TOL);
    let [men, mut women] = halves;
    // An estimate of its own, of as good as the same rates.
    women.errors = LinkageErrors::try_from(LinkageErrorRates {
        beta: 0.020_000_01,
        ..errors.rates()
    })
    .unwrap();
    let apart = [men, women];
    let delta = stratified_corrected(&apart, PoolingRule::default(), confidence).unwrap();
    let apart = resampled(&apart);
    assert_close(apart.standard_error, delta.total.standard_error, BOOTSTRAP_TOL);
    assert!(apart.standard_error < 0.85 * together.standard_error);
}
