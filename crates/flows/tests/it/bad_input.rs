//! Numbers from which nothing can be estimated are refused by name.

use corridor_core::SeededEntropy;
use corridor_flows::{
    Confidence, DualCounts, DualSystemError, IncompleteCells, LinkageErrorRates, LinkageErrors, LinkedCounts,
    LinkedStratum, PersonOutcome, PoolingRule, RecaptureMatrix, Stratum, Trimming, bootstrap_over_persons,
    parametric_bootstrap, stratified_chapman, stratified_corrected, to_count, trimmed,
};

const KNOWN: LinkageErrorRates = LinkageErrorRates {
    alpha: 0.95,
    beta: 0.02,
    var_alpha: 0.0,
    var_beta: 0.0,
};

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, DualSystemError>, message: &str) {
    assert_eq!(outcome.unwrap_err().to_string(), message);
}

fn stratum(label: &str, n1: u64, n2: u64, m: u64) -> Stratum {
    Stratum {
        label: label.to_owned(),
        counts: DualCounts::try_new(n1, n2, m).unwrap(),
    }
}

#[test]
fn fractions_and_negative_numbers_are_no_counts() {
    for value in [-1.0, 10.5, f64::NAN, f64::INFINITY, 1e18] {
        assert_refused(
            to_count("n1", value),
            &format!("n1 is {value}, which is no count: a whole number from 0 to 2^53 is needed"),
        );
    }
    assert!(DualCounts::try_new(u64::MAX, 1, 1).is_err());
}

#[test]
fn more_matched_than_listed_is_refused() {
    assert_refused(
        DualCounts::try_new(10, 40, 20),
        "m is 20, more than n1, which is 10",
    );
    assert_refused(
        DualCounts::try_new(40, 10, 20),
        "m is 20, more than n2, which is 10",
    );
    let errors = LinkageErrors::try_from(KNOWN).unwrap();
    assert_refused(
        LinkedCounts::try_new(10, 40, 20, errors),
        "links is 20, more than n1, which is 10",
    );
}

#[test]
fn nothing_is_estimated_without_a_match() {
    let counts = DualCounts::try_new(50, 40, 0).unwrap();
    let confidence = Confidence::default();
    for estimate in [
        counts.petersen(confidence),
        counts.chapman(confidence),
        counts.bailey(confidence),
    ] {
        assert_eq!(
            estimate.unwrap_err(),
            DualSystemError::NothingMatched { n1: 50, n2: 40 }
        );
    }
}

#[test]
fn rates_that_cannot_be_corrected_for_are_refused() {
    let with = |change: fn(&mut LinkageErrorRates)| {
        let mut rates = KNOWN;
        change(&mut rates);
        LinkageErrors::try_from(rates)
    };
    assert_refused(with(|r| r.alpha = 1.5), "alpha is 1.5; it is a share from 0 to 1");
    assert_refused(with(|r| r.beta = -0.1), "beta is -0.1; it is a share from 0 to 1");
    assert_refused(
        with(|r| r.alpha = f64::NAN),
        "alpha is NaN; it is a share from 0 to 1",
    );
    assert_refused(
        with(|r| r.alpha = 0.02),
        "alpha is 0.02 and beta 0.02: links say something of matches only if alpha is above beta",
    );
    assert_refused(
        with(|r| r.var_alpha = 0.5),
        "var_alpha is 0.5; the variance of a share p lies from 0 to p(1 - p)",
    );
    assert_refused(
        with(|r| r.var_beta = -1e-9),
        "var_beta is -0.000000001; the variance of a share p lies from 0 to p(1 - p)",
    );
}

#[test]
fn links_that_contradict_the_rates_are_refused() {
    let errors = LinkageErrors::try_from(KNOWN).unwrap();
    assert_refused(
        LinkedCounts::try_new(8000, 6000, 120, errors),
        "120 links are no more than the 120 false ones that beta = 0.02 makes expected of n2 = 6000",
    );
    assert!(LinkedCounts::try_new(8000, 6000, 0, LinkageErrors::NONE).is_err());
    let error = LinkedCounts::try_new(100, 100, 99, errors)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the number of matches after correction is 104.3"),
        "{error}"
    );
}

#[test]
fn strata_without_moves_or_names_are_refused_and_thin_ones_marked() {
    let (rule, confidence) = (PoolingRule::default(), Confidence::default());
    assert_refused(stratified_chapman(&[], rule, confidence), "there are no strata");
    let empty = [stratum("men", 100, 90, 50), stratum("women", 0, 0, 0)];
    assert_refused(
        stratified_chapman(&empty, rule, confidence),
        "stratum women is empty: no move in either list",
    );
    let twice = [stratum("men", 100, 90, 50), stratum("men", 10, 10, 9)];
    assert_refused(
        stratified_chapman(&twice, rule, confidence),
        "two strata have the label men",
    );
    let thin = [stratum("men", 100, 90, 4), stratum("women", 10, 10, 2)];
    assert_refused(
        stratified_chapman(&thin, rule, confidence),
        "all strata together have 6 matched moves; 7 are needed to estimate",
    );
    let one_sided = [
        stratum("0-14", 30, 0, 0),
        stratum("15-29", 300, 200, 120),
        stratum("30-44", 200, 150, 90),
        stratum("65+", 12, 9, 3),
    ];
    let estimate = stratified_chapman(&one_sided, rule, confidence).unwrap();
    let thin: Vec<(&str, bool)> = estimate
        .thin
        .iter()
        .map(|stratum| (stratum.label.as_str(), stratum.in_one_list_only))
        .collect();
    assert_eq!(thin, [("0-14", true), ("65+", false)]);
    // The two thin ones have 3 matched moves, so the next thinnest joins them.
    let pooled: Vec<String> = estimate.strata.iter().map(|s| s.labels.join(" + ")).collect();
    assert_eq!(pooled, ["0-14 + 30-44 + 65+", "15-29"]);
}

#[test]
fn strata_of_different_rates_are_not_pooled() {
    let linked = |label: &str, links, alpha| LinkedStratum {
        label: label.to_owned(),
        linked: DualCounts::try_new(100, 90, links).unwrap(),
        errors: LinkageErrors::try_from(LinkageErrorRates { alpha, ..KNOWN }).unwrap(),
    };
    let (rule, confidence) = (PoolingRule::default(), Confidence::default());
    let error = stratified_corrected(
        &[linked("men", 4, 0.9), linked("women", 50, 0.8)],
        rule,
        confidence,
    );
    assert_refused(
        error,
        "stratum men + women: too thin to estimate apart, and not to be pooled, since their linkage error rates differ",
    );
    let strata = [linked("men", 4, 0.9), linked("women", 50, 0.9)];
    let pooled = stratified_corrected(&strata, rule, confidence).unwrap();
    assert_eq!(pooled.strata.len(), 1);
}

#[test]
fn recapture_matrices_that_are_none_are_refused() {
    let matrix = |n1: &[u64], matched: Vec<Vec<u64>>| {
        RecaptureMatrix::try_new(n1.to_vec(), vec![20, 20], matched).and_then(|matrix| matrix.consistency())
    };
    assert_refused(
        matrix(&[20, 5], vec![vec![1, 2], vec![3, 4]]),
        "row 2 of the recapture matrix adds up to 7, more than its 5 moves",
    );
    assert_refused(
        matrix(&[20, 20], vec![vec![1, 2], vec![3]]),
        "row 2 of the recapture matrix has 1 numbers where 2 are needed",
    );
    assert_refused(
        matrix(&[20, 20], vec![vec![0, 0], vec![0, 0]]),
        "the test of complete mixing cannot be made: a row or column of its table is all zero",
    );
    assert!(matrix(&[20], vec![vec![1, 2]]).is_err());
    assert!(matrix(&[20, 20], vec![vec![u64::MAX, 1], vec![1, 1]]).is_err());
}

#[test]
fn more_cannot_be_trimmed_than_there_is() {
    let counts = DualCounts::try_new(100, 90, 50).unwrap();
    for (records, matched) in [(101, 10), (10, 11), (60, 50), (60, 5)] {
        let outcome = trimmed(counts, Trimming { records, matched }, Confidence::default());
        assert!(
            matches!(outcome, Err(DualSystemError::TrimmedAway { .. })),
            "{outcome:?}"
        );
    }
}

#[test]
fn tables_of_covariates_that_identify_nothing_are_refused() {
    let cells = IncompleteCells::try_new;
    assert_refused(
        cells(vec![vec![5, 6], vec![0, 0]], vec![10, 3], vec![1, 2]),
        "nobody in both lists has level 2 of X1, but 3 in one list have: how many of them are missing cannot be told; \
         join the level with another",
    );
    assert_refused(
        cells(vec![vec![5, 6], vec![1]], vec![10, 3], vec![1, 2]),
        "row 2 of both lists has 1 numbers where 2 are needed",
    );
    assert!(cells(vec![vec![0, 0], vec![0, 0]], vec![10, 3], vec![1, 2]).is_err());
    assert!(cells(vec![], vec![], vec![]).is_err());
}

#[test]
fn a_combination_nobody_has_is_fitted_as_empty_and_not_as_nan() {
    let cells =
        IncompleteCells::try_new(vec![vec![40, 0], vec![12, 30]], vec![300, 150], vec![44, 18]).unwrap();
    let estimate = cells.estimate(corridor_flows::LoglinearTerms::MAXIMAL, Confidence::default());
    assert!(estimate.point.is_finite() && estimate.point > 594.0);
    assert!(estimate.cells.neither[0][1].abs() < 1e-9);
    assert_eq!(estimate.odds_ratio_x1_x2, None);
    assert_eq!(
        estimate
            .coverage_1
            .concat()
            .iter()
            .flatten()
            .filter(|c| c.is_nan())
            .count(),
        0
    );
}

#[test]
fn bootstraps_that_have_no_upper_end_say_so() {
    let errors = LinkageErrors::try_from(KNOWN).unwrap();
    let mut entropy = SeededEntropy::new(1, "bad input");
    // Two true links where twelve false ones are expected.
    let counts = LinkedCounts::try_new(800, 600, 14, errors).unwrap();
    let outcome = parametric_bootstrap(&counts, 200, Confidence::default(), &mut entropy);
    assert!(
        matches!(outcome, Err(DualSystemError::BootstrapUnbounded { .. })),
        "{outcome:?}"
    );
    let counts = LinkedCounts::try_new(800, 600, 400, errors).unwrap();
    assert!(parametric_bootstrap(&counts, 0, Confidence::default(), &mut entropy).is_err());
    let person = PersonOutcome {
        in_1: 1,
        in_2: 1,
        links: 2,
    };
    assert_refused(
        bootstrap_over_persons(&[(person, 9)], errors, 200, Confidence::default(), &mut entropy),
        "links of a person is 2, more than in_1, which is 1",
    );
    assert_refused(
        bootstrap_over_persons(&[], errors, 200, Confidence::default(), &mut entropy),
        "there are no persons",
    );
}
