//! Two incomplete lists: every published figure, to the digits given.

use corridor_core::SeededEntropy;
use corridor_flows::{
    Confidence, DualCounts, IncompleteCells, IncompleteEstimate, LinkPass, LinkageErrorRates, LinkageErrors,
    LinkedCounts, LoglinearTerms, PoolingRule, RecaptureMatrix, Stratum, Trimming, links_of_passes,
    parametric_bootstrap, stratified_chapman, trimmed,
};
use serde::Deserialize;

use crate::support::{REL_TOL, assert_close, assert_published, csv, json};

#[derive(Deserialize)]
struct ChapmanVector {
    n1: u64,
    n2: u64,
    m: u64,
    petersen: f64,
    petersen_var: f64,
    chapman: f64,
    chapman_var: f64,
    chapman_se: f64,
    bailey: f64,
    ci95_normal_lo: f64,
    ci95_normal_hi: f64,
    ci95_chao_lognormal_lo: f64,
    ci95_chao_lognormal_hi: f64,
}

#[test]
fn petersen_chapman_and_bailey_give_the_published_figures() {
    let confidence = Confidence::default();
    let vectors: Vec<ChapmanVector> = csv("chapman_vectors.csv");
    assert_eq!(vectors.len(), 2);
    for v in &vectors {
        let counts = DualCounts::try_new(v.n1, v.n2, v.m).unwrap();
        let petersen = counts.petersen(confidence).unwrap();
        assert_published(petersen.point, v.petersen, 4);
        assert_published(petersen.variance, v.petersen_var, 3);
        let chapman = counts.chapman(confidence).unwrap();
        assert_published(chapman.point, v.chapman, 4);
        assert_published(chapman.variance, v.chapman_var, 3);
        assert_published(chapman.standard_error, v.chapman_se, 5);
        assert_published(chapman.normal.low, v.ci95_normal_lo, 2);
        assert_published(chapman.normal.high, v.ci95_normal_hi, 2);
        assert_published(chapman.log_normal.low, v.ci95_chao_lognormal_lo, 2);
        assert_published(chapman.log_normal.high, v.ci95_chao_lognormal_hi, 2);
        assert_published(counts.bailey(confidence).unwrap().point, v.bailey, 4);
    }
}

#[derive(Deserialize)]
struct StratifiedVectors {
    stratified_chapman: StratifiedVector,
    consistency_test_equal_recapture: ConsistencyVector,
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the published name")]
struct StratifiedVector {
    n1: Vec<u64>,
    n2: Vec<u64>,
    m: Vec<u64>,
    N: f64,
    var: f64,
    se: f64,
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the published names")]
struct ConsistencyVector {
    n1: Vec<u64>,
    n2: Vec<u64>,
    m_matrix: Vec<Vec<u64>>,
    test1_complete_mixing_X2: f64,
    df1: u32,
    test2_equal_prop_X2: f64,
    df2: u32,
    test3_pooled_capture_X2: f64,
    df3: u32,
}

#[test]
fn strata_add_up_to_the_published_figures() {
    let vector = json::<StratifiedVectors>("stratified_vectors.json").stratified_chapman;
    let strata: Vec<Stratum> = (0..2)
        .map(|i| Stratum {
            label: i.to_string(),
            counts: DualCounts::try_new(vector.n1[i], vector.n2[i], vector.m[i]).unwrap(),
        })
        .collect();
    let estimate = stratified_chapman(&strata, PoolingRule::default(), Confidence::default()).unwrap();
    assert_published(estimate.total.point, vector.N, 0);
    assert_published(estimate.total.variance, vector.var, 0);
    assert_published(estimate.total.standard_error, vector.se, 3);
    assert!(estimate.thin.is_empty());
    assert_eq!(estimate.strata.len(), 2);
}

#[test]
fn consistency_tests_give_the_published_figures() {
    let v = json::<StratifiedVectors>("stratified_vectors.json").consistency_test_equal_recapture;
    let tests = RecaptureMatrix::try_new(v.n1, v.n2, v.m_matrix)
        .unwrap()
        .consistency()
        .unwrap();
    assert_published(tests.complete_mixing.statistic, v.test1_complete_mixing_X2, 5);
    assert_published(tests.equal_proportions.statistic, v.test2_equal_prop_X2, 4);
    assert_published(tests.equal_capture.statistic, v.test3_pooled_capture_X2, 7);
    let freedom = [
        tests.complete_mixing,
        tests.equal_proportions,
        tests.equal_capture,
    ];
    assert_eq!(freedom.map(|test| test.degrees_of_freedom), [v.df1, v.df2, v.df3]);
    // R's pchisq(0.3185941, 1, lower.tail = FALSE).
    assert_published(tests.equal_capture.p_value, 0.572_454, 6);
    assert!(tests.complete_mixing.p_value < 1e-8);
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the published names")]
struct LinkageErrorVector {
    n1: u64,
    n2: u64,
    m_true: f64,
    alpha_link_prob_given_match: f64,
    beta_false_link_prob_given_nonmatch_in_B: f64,
    links: f64,
    naive_petersen: f64,
    corrected: f64,
}

fn errors(alpha: f64, beta: f64) -> LinkageErrors {
    LinkageErrors::try_from(LinkageErrorRates {
        alpha,
        beta,
        var_alpha: 0.0,
        var_beta: 0.0,
    })
    .unwrap()
}

#[test]
fn the_corrected_estimate_is_what_perfect_linkage_would_give() {
    let vectors: Vec<LinkageErrorVector> = csv("linkage_error_dse_vectors.csv");
    assert_eq!(vectors.len(), 2);
    for v in &vectors {
        let rates = errors(
            v.alpha_link_prob_given_match,
            v.beta_false_link_prob_given_nonmatch_in_B,
        );
        let links = corridor_flows::to_count("links", v.links).unwrap();
        let estimate = LinkedCounts::try_new(v.n1, v.n2, links, rates)
            .unwrap()
            .corrected(Confidence::default());
        assert_published(estimate.naive, v.naive_petersen, 3);
        assert_close(estimate.estimate.point, v.corrected, REL_TOL);
        assert_close(estimate.matched, v.m_true, REL_TOL);
    }
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the published name")]
struct MonteCarlo {
    N: f64,
    p1: f64,
    p2: f64,
    alpha: f64,
    beta: f64,
    sd_corrected: f64,
    mean_delta_method_sd: f64,
}

/// The delta method against the spread of simulated estimates.
const DELTA_TOL: f64 = 0.03;
/// Its mean over simulations, of which we have the figure at the expected counts.
const DELTA_MEAN_TOL: f64 = 0.001;

#[test]
fn delta_method_and_bootstrap_spread_as_the_simulation_does() {
    let [mc] = csv::<MonteCarlo>("linkage_error_dse_montecarlo.csv")
        .try_into()
        .ok()
        .unwrap();
    let count = |value: f64| corridor_flows::to_count("expected", value.round()).unwrap();
    let (n1, n2, m) = (mc.N * mc.p1, mc.N * mc.p2, mc.N * mc.p1 * mc.p2);
    let links = m * mc.alpha + (n2 - m) * mc.beta;
    let counts =
        LinkedCounts::try_new(count(n1), count(n2), count(links), errors(mc.alpha, mc.beta)).unwrap();
    let delta = counts.corrected(Confidence::default()).estimate.standard_error;
    assert_close(delta, mc.sd_corrected, DELTA_TOL);
    assert_close(delta, mc.mean_delta_method_sd, DELTA_MEAN_TOL);
    let mut entropy = SeededEntropy::new(1, "bootstrap");
    let bootstrap = parametric_bootstrap(&counts, 4000, Confidence::default(), &mut entropy).unwrap();
    assert_close(bootstrap.standard_error, mc.sd_corrected, DELTA_TOL);
}

#[test]
fn trimming_gives_the_published_figures() {
    let counts = DualCounts::try_new(8800, 6000, 4800).unwrap();
    let trimming = Trimming {
        records: 600,
        matched: 20,
    };
    let estimate = trimmed(counts, trimming, Confidence::default()).unwrap();
    assert_published(estimate.untrimmed, 11_000.0, 1);
    assert_published(estimate.estimate.point, 10_292.9, 1);
    assert!(estimate.effective);
}

#[derive(Deserialize)]
struct Incomplete {
    aii_netherlands: AiiNetherlands,
}

#[derive(Deserialize)]
struct AiiNetherlands {
    n11_x1_x2: Vec<Vec<u64>>,
    n10_x1: Vec<u64>,
    n01_x2: Vec<u64>,
    expected: IncompleteExpected,
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the published names")]
struct IncompleteExpected {
    n10_x1_x2: Vec<Vec<f64>>,
    n01_x1_x2: Vec<Vec<f64>>,
    n00_x1_x2: Vec<Vec<f64>>,
    N_maximal_model: f64,
    m00_maximal: f64,
    N_independence: f64,
    odds_ratio_x1x2: f64,
    odds_ratio_ci95: [f64; 2],
    LR_test_drop_x1x2: f64,
    implied_coverage_A_x00: f64,
    implied_coverage_B_x00: f64,
    sensitivity: Vec<SensitivityRow>,
}

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the published name")]
struct SensitivityRow {
    term: String,
    or: f64,
    m00: f64,
    N: f64,
}

fn netherlands() -> (IncompleteCells, IncompleteExpected) {
    let aii = json::<Incomplete>("dse_incomplete_covariates.json").aii_netherlands;
    let cells = IncompleteCells::try_new(aii.n11_x1_x2, aii.n10_x1, aii.n01_x2).unwrap();
    (cells, aii.expected)
}

/// Half a unit of the last digit, and a little: 4,735.749 and 7,620.251, which add up to 12,356, are printed as 4,735.8
/// and 7,620.3, which do not.
const CELL_TOL: f64 = 0.0515;

#[track_caller]
fn assert_cells(cells: &[Vec<f64>], published: &[Vec<f64>]) {
    for (cell, published) in cells.concat().into_iter().zip(published.concat()) {
        assert!((cell - published).abs() <= CELL_TOL, "{cell} is not {published}");
    }
}

#[test]
fn covariates_of_one_list_give_the_published_figures() {
    let (cells, expected) = netherlands();
    let estimate = cells.estimate(LoglinearTerms::MAXIMAL, Confidence::default());
    assert!(estimate.convergence.converged);
    assert_published(estimate.point, expected.N_maximal_model, 1);
    assert_published(estimate.unseen, expected.m00_maximal, 0);
    // 33,764.295, printed without its last digit.
    assert_published(estimate.independence - 0.05, expected.N_independence, 1);
    assert_cells(&estimate.cells.only_1, &expected.n10_x1_x2);
    assert_cells(&estimate.cells.only_2, &expected.n01_x1_x2);
    assert_cells(&estimate.cells.neither, &expected.n00_x1_x2);
    let odds = estimate.odds_ratio_x1_x2.unwrap();
    assert_published(odds.point, expected.odds_ratio_x1x2, 4);
    assert_published(odds.interval.low, expected.odds_ratio_ci95[0], 4);
    assert_published(odds.interval.high, expected.odds_ratio_ci95[1], 4);
    let test = estimate.association.unwrap().likelihood_ratio;
    assert_published(test.statistic, expected.LR_test_drop_x1x2, 1);
    assert_eq!(test.degrees_of_freedom, 1);
    assert_published(
        estimate.coverage_1[0][0].unwrap(),
        expected.implied_coverage_A_x00,
        3,
    );
    // Printed as 0.057, which is the odds of being in the list, n₁₁/n₁₀; the coverage is n₁₁/(n₁₁+n₁₀) = 0.054.
    let coverage = estimate.coverage_2[0][0].unwrap();
    assert_published(coverage / (1.0 - coverage), expected.implied_coverage_B_x00, 3);
}

#[test]
fn associations_that_cannot_be_told_move_the_estimate_as_published() {
    let (cells, expected) = netherlands();
    let estimate = cells.estimate(LoglinearTerms::MAXIMAL, Confidence::default());
    assert_eq!(expected.sensitivity.len(), 6);
    for published in &expected.sensitivity {
        let term = match published.term.as_str() {
            "AB" => "lists",
            "A.X1" => "list_1_by_x1",
            "B.X2" => "list_2_by_x2",
            other => panic!("{other}"),
        };
        let row = estimate
            .sensitivity
            .iter()
            .find(|row| row.term == term && (row.odds_ratio - published.or).abs() < 1e-6)
            .unwrap();
        assert_published(row.unseen, published.m00, 0);
        assert_published(row.point, published.N, 0);
    }
}

/// What EM leaves to go when its steps have become that small, as a share.
const EM_TOL: f64 = 1e-9;

#[test]
fn exchanging_the_lists_transposes_the_estimate() {
    let (cells, _) = netherlands();
    let confidence = Confidence::default();
    let one = cells.estimate(LoglinearTerms::MAXIMAL, confidence);
    let other = cells
        .to_transposed()
        .estimate(LoglinearTerms::MAXIMAL, confidence);
    assert_close(other.point, one.point, EM_TOL);
    let transposed =
        |cells: &[Vec<f64>]| -> Vec<f64> { vec![cells[0][0], cells[1][0], cells[0][1], cells[1][1]] };
    for (cell, mirrored) in transposed(&one.cells.only_1)
        .into_iter()
        .zip(other.cells.only_2.concat())
    {
        assert_close(cell, mirrored, EM_TOL);
    }
    let unseen = |estimate: &IncompleteEstimate, term: &str| {
        let row = estimate.sensitivity.iter().find(|row| row.term == term);
        row.unwrap().unseen
    };
    assert_close(
        unseen(&other, "list_2_by_x2"),
        unseen(&one, "list_1_by_x1"),
        EM_TOL,
    );
    assert_eq!(cells.to_transposed().to_transposed(), cells);
}

#[test]
fn without_interactions_the_model_is_independence() {
    let (cells, _) = netherlands();
    let none = LoglinearTerms {
        list_1_by_x2: false,
        list_2_by_x1: false,
        x1_by_x2: false,
    };
    let estimate = cells.estimate(none, Confidence::default());
    assert_close(estimate.point, estimate.independence, EM_TOL);
}

#[test]
fn em_finds_the_closed_form_of_the_maximal_model_with_three_levels() {
    // Row and column shares of those in both lists fill those in one: m₁₀ = n₁₀·m₁₁/m₁₊, m₀₁ = n₀₁·m₁₁/m₊₁.
    let both = vec![vec![40, 25, 10], vec![12, 30, 22]];
    let (only_1, only_2) = (vec![300, 150], vec![44, 18, 9]);
    let cells = IncompleteCells::try_new(both.clone(), only_1.clone(), only_2.clone()).unwrap();
    let estimate = cells.estimate(LoglinearTerms::MAXIMAL, Confidence::default());
    assert!(estimate.convergence.converged);
    let mut unseen = 0.0;
    for (row, &n10) in both.iter().zip(&only_1) {
        for (column, &n01) in only_2.iter().enumerate() {
            let sum =
                |cells: &mut dyn Iterator<Item = u64>| f64::from(u32::try_from(cells.sum::<u64>()).unwrap());
            let row_sum = sum(&mut row.iter().copied());
            let column_sum = sum(&mut both.iter().map(|row| row[column]));
            let m11 = sum(&mut [row[column]].into_iter());
            let (n10, n01) = (sum(&mut [n10].into_iter()), sum(&mut [n01].into_iter()));
            unseen += n10 / row_sum * n01 / column_sum * m11;
        }
    }
    assert_close(estimate.unseen, unseen, EM_TOL);
}

#[derive(Deserialize)]
struct Pass {
    links: u64,
    estimated_false_link_rate: f64,
}

#[test]
fn links_of_passes_give_the_published_total_and_false_links() {
    let passes: Vec<LinkPass> = csv::<Pass>("ons_2011_census_patient_register_passes.csv")
        .iter()
        .map(|pass| LinkPass {
            links: pass.links,
            false_link_rate: pass.estimated_false_link_rate,
        })
        .collect();
    let all = links_of_passes(&passes).unwrap();
    assert_eq!(all.links, 50_617_759);
    assert_published(all.expected_false, 127_598.6, 1);
    assert!((all.precision - 0.997_479).abs() < 1e-6, "{all:?}");
    for rate in [-0.1, 1.1, f64::NAN] {
        let pass = LinkPass {
            links: 1,
            false_link_rate: rate,
        };
        assert!(links_of_passes(&[pass]).is_err(), "{rate}");
    }
    assert!(links_of_passes(&[]).is_err());
}
