//! Minimum stays: published coefficients, the spline, and fitted rates.

use corridor_core::SeededEntropy;
use corridor_flows::{
    Confidence, DurationConversion, DurationError, EXPERT_WILLEKENS_2019, IMEM_2013, MIXTURE_WILLEKENS_2019,
    POISSON_WILLEKENS_2019, Stay, Stays,
};
use rand_distr::{Distribution as _, Exp};
use serde::Deserialize;

use crate::support::{REL_TOL, assert_close, assert_published, csv};

#[derive(Deserialize)]
struct Coefficients {
    months: f64,
    imem_2013: f64,
    expert_willekens_2019: f64,
    poisson_willekens_2019: f64,
    mixture_willekens_2019: f64,
}

#[test]
fn published_coefficients_come_out_at_their_months() {
    let rows: Vec<Coefficients> = csv("duration_coefficients.csv");
    assert_eq!(rows.len(), 5);
    let poisson = DurationConversion::exponential(POISSON_WILLEKENS_2019).unwrap();
    for row in &rows {
        let factor = poisson.factor(row.months, 12.0).unwrap();
        assert_published(factor, row.poisson_willekens_2019, 2);
        for (table, published) in [
            (IMEM_2013, row.imem_2013),
            (EXPERT_WILLEKENS_2019, row.expert_willekens_2019),
            (MIXTURE_WILLEKENS_2019, row.mixture_willekens_2019),
        ] {
            let factor = DurationConversion::table(&table)
                .unwrap()
                .factor(row.months, 12.0);
            assert_close(factor.unwrap(), published, REL_TOL);
        }
    }
}

#[derive(Deserialize)]
struct SplineValue {
    months: f64,
    imem_fmm_cubic_spline: f64,
}

#[test]
fn the_spline_between_them_is_that_of_r() {
    let values: Vec<SplineValue> = csv("duration_spline_expected.csv");
    assert_eq!(values.len(), 2);
    let imem = DurationConversion::table(&IMEM_2013).unwrap();
    for value in values {
        let factor = imem.factor(value.months, 12.0).unwrap();
        assert_published(factor, value.imem_fmm_cubic_spline, 7);
    }
}

#[test]
fn there_and_back_is_the_same_count() {
    for conversion in [
        DurationConversion::exponential(0.3).unwrap(),
        DurationConversion::table(&IMEM_2013).unwrap(),
    ] {
        let there = conversion.convert(1000.0, 3.0, 9.0).unwrap();
        assert!(there.estimated && there.method.is_some());
        let back = conversion.convert(there.value, 9.0, 3.0).unwrap();
        assert_close(back.value, 1000.0, REL_TOL);
        let same = conversion.convert(1000.0, 6.0, 6.0).unwrap();
        assert!(!same.estimated);
        assert_close(same.value, 1000.0, 0.0);
    }
}

/// Remission times in weeks of 21 patients under 6-MP (Freireich et al. 1963), the field's textbook example; `true`:
/// relapsed.
const REMISSIONS: [(u32, bool); 21] = [
    (6, true),
    (6, true),
    (6, true),
    (6, false),
    (7, true),
    (9, false),
    (10, true),
    (10, false),
    (11, false),
    (13, true),
    (16, true),
    (17, false),
    (19, false),
    (20, false),
    (22, true),
    (23, true),
    (25, false),
    (32, false),
    (32, false),
    (34, false),
    (35, false),
];

#[test]
fn kaplan_meier_gives_the_textbook_curve() {
    let stays = REMISSIONS
        .iter()
        .map(|&(until, ended)| Stay {
            from_years: 0.0,
            until_years: f64::from(until),
            ended,
        })
        .collect();
    let stays = Stays::try_new(stays).unwrap();
    let curve = stays.kaplan_meier().unwrap();
    let published = [
        (6.0, 21, 3, 0.857, 0.0764),
        (7.0, 17, 1, 0.807, 0.0869),
        (10.0, 15, 1, 0.753, 0.0963),
        (13.0, 12, 1, 0.690, 0.1068),
        (16.0, 11, 1, 0.627, 0.1141),
        (22.0, 7, 1, 0.538, 0.1282),
        (23.0, 6, 1, 0.448, 0.1346),
    ];
    assert_eq!(curve.steps.len(), published.len());
    for (step, (time, at_risk, ended, survival, standard_error)) in curve.steps.iter().zip(published) {
        assert_close(step.years, time, 0.0);
        assert_eq!((step.at_risk, step.ended), (at_risk, ended));
        assert_published(step.survival, survival, 3);
        assert_published(step.variance.sqrt(), standard_error, 4);
    }
    // The longest was seen for 35 weeks, and lasted: of more nothing is known.
    assert_close(curve.survival(35.0).unwrap(), curve.survival(23.0).unwrap(), 0.0);
    assert_eq!(curve.survival(35.1), None);
    assert!(curve.rate_between(6.0, 35.0).is_ok() && curve.rate_between(6.0, 36.0).is_err());
    let conversion = DurationConversion::kaplan_meier(curve);
    assert!(conversion.factor(12.0, 12.0 * 35.0).is_ok());
    assert_eq!(
        conversion.factor(12.0, 12.0 * 36.0),
        Err(DurationError::BeyondSeen {
            months: 432.0,
            seen: 420.0
        })
    );
    // Nine relapses in 359 weeks.
    let rate = stays.exponential(Confidence::default()).unwrap();
    assert_close(rate.per_year, 9.0 / 359.0, REL_TOL);
    assert!(rate.interval.contains(rate.per_year));
}

/// λ̂ from 4,000 stays against the truth: three standard errors and a bit.
const RATE_TOL: f64 = 0.06;

#[test]
fn the_rate_comes_back_from_stays_that_a_register_sees_from_three_months_on() {
    let truth = 0.24;
    let mut entropy = SeededEntropy::new(5, "stays");
    let length = Exp::new(truth).unwrap();
    let stays: Vec<Stay> = (0..)
        .map(|_| -> f64 { length.sample(&mut entropy) })
        .filter(|&years| years > 0.25)
        .take(4000)
        .map(|years| Stay {
            from_years: 0.25,
            until_years: years.min(6.0),
            ended: years <= 6.0,
        })
        .collect();
    let stays = Stays::try_new(stays).unwrap();
    assert_close(
        stays.exponential(Confidence::default()).unwrap().per_year,
        truth,
        RATE_TOL,
    );
    let curve = stays.kaplan_meier().unwrap();
    assert_close(curve.rate_between(0.25, 5.0).unwrap(), truth, RATE_TOL);
    let converted = DurationConversion::kaplan_meier(curve).factor(3.0, 12.0).unwrap();
    let expected = DurationConversion::exponential(truth)
        .unwrap()
        .factor(3.0, 12.0)
        .unwrap();
    assert_close(converted, expected, RATE_TOL);
}

#[test]
fn durations_that_say_nothing_are_refused() {
    let imem = DurationConversion::table(&IMEM_2013).unwrap();
    assert_eq!(
        imem.factor(61.0, 12.0).unwrap_err().to_string(),
        "a minimum stay of 61 months is not in the table, which goes from 0 to 60 months"
    );
    assert!(imem.factor(-1.0, 12.0).is_err() && imem.factor(f64::NAN, 12.0).is_err());
    assert!(imem.convert(f64::NAN, 3.0, 12.0).is_err() && imem.convert(-5.0, 3.0, 12.0).is_err());
    assert!(imem.convert(5.0, -3.0, -3.0).is_err());
    assert!(DurationConversion::exponential(f64::NAN).is_err());
    assert!(DurationConversion::table(&[(0.0, 1.0)]).is_err());
    assert!(DurationConversion::table(&[(3.0, 1.0), (3.0, 2.0)]).is_err());
    assert!(DurationConversion::table(&[(3.0, 0.0), (6.0, 2.0)]).is_err());
    assert_eq!(Stays::try_new(Vec::new()), Err(DurationError::NoStays));
    let stay = |until_years, ended| Stay {
        from_years: 1.0,
        until_years,
        ended,
    };
    assert!(Stays::try_new(vec![stay(0.5, true)]).is_err());
    let lasting = Stays::try_new(vec![stay(2.0, false)]).unwrap();
    assert_eq!(
        lasting.exponential(Confidence::default()),
        Err(DurationError::NoEnds)
    );
    let all_ended = Stays::try_new(vec![stay(2.0, true)])
        .unwrap()
        .kaplan_meier()
        .unwrap();
    assert_eq!(
        DurationConversion::kaplan_meier(all_ended).factor(3.0, 36.0),
        Err(DurationError::NobodyStays { months: 36.0 })
    );
}
