//! Double-entry tables: published ratios, real disagreement, and factors on tables whose factors are known.

use corridor_flows::{
    AdjustmentFactors, Confidence, Counted, DurationConversion, FactorPin, IMEM_2013, MirrorCell,
    MirrorError, MirrorTable, NoRatio, ReportBasis, Reported, ReportedFlow, Totals, Weighting,
    bilateral_ratio,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::support::{REL_TOL, assert_close, assert_published, csv, mirror_cell};

/// A row of the published ratios: emigration, then immigration.
#[derive(Debug, Deserialize)]
#[expect(non_snake_case, reason = "the published names")]
struct Undercount {
    iso2: String,
    year: i16,
    dur_months_emig: Option<f64>,
    dur_months_immi: Option<f64>,
    EUCn: Option<f64>,
    EUCd: Option<f64>,
    ECn: Option<f64>,
    ECd: Option<f64>,
    EUC: Option<f64>,
    EC: Option<f64>,
    #[serde(rename = "EC_q.lo")]
    EC_lo: Option<f64>,
    #[serde(rename = "EC_q.hi")]
    EC_hi: Option<f64>,
    POPEn: Option<f64>,
    POPEd: Option<f64>,
    IUCn: Option<f64>,
    IUCd: Option<f64>,
    ICn: Option<f64>,
    ICd: Option<f64>,
    IUC: Option<f64>,
    IC: Option<f64>,
    #[serde(rename = "IC_q.lo")]
    IC_lo: Option<f64>,
    #[serde(rename = "IC_q.hi")]
    IC_hi: Option<f64>,
    POPIn: Option<f64>,
    POPId: Option<f64>,
}

/// One published ratio.
struct Ratio {
    place: String,
    months: f64,
    raw: (f64, f64, f64),
    converted: (f64, f64, f64),
    ends: (f64, f64),
    totals: (Option<f64>, Option<f64>),
}

fn ratios() -> Vec<Ratio> {
    let rows: Vec<Undercount> = csv("undercount_ratio_nordic_imem_expected.csv");
    let place = |row: &Undercount, flow: &str| format!("{} {} {flow}", row.iso2, row.year);
    let emigration = rows.iter().filter_map(|row| {
        Some(Ratio {
            place: place(row, "emigration"),
            months: row.dur_months_emig?,
            raw: (row.EUCn?, row.EUCd?, row.EUC?),
            converted: (row.ECn?, row.ECd?, row.EC?),
            ends: (row.EC_lo?, row.EC_hi?),
            totals: (row.POPEn, row.POPEd),
        })
    });
    let immigration = rows.iter().filter_map(|row| {
        Some(Ratio {
            place: place(row, "immigration"),
            months: row.dur_months_immi?,
            raw: (row.IUCn?, row.IUCd?, row.IUC?),
            converted: (row.ICn?, row.ICd?, row.IC?),
            ends: (row.IC_lo?, row.IC_hi?),
            totals: (row.POPIn, row.POPId),
        })
    });
    emigration.chain(immigration).collect()
}

/// The published interval is simulated; ours is its formula.
const INTERVAL_TOL: f64 = 0.006;
/// Counts from which the two are compared.
const ENOUGH: f64 = 500.0;

#[test]
fn undercount_ratios_and_their_intervals_are_the_published_ones() {
    let (mut ratio_count, mut interval_count) = (0, 0);
    for published in ratios() {
        for (x, y, ratio) in [published.raw, published.converted] {
            if x <= 0.0 || y <= 0.0 {
                continue;
            }
            let counted = |moves, of| Counted { moves, of };
            let ours = bilateral_ratio(counted(x, None), counted(y, None), Confidence::default()).unwrap();
            assert_published(ours.ratio, ratio, 6);
            ratio_count += 1;
        }
        let (x, y, _) = published.converted;
        if x >= ENOUGH && y >= ENOUGH {
            let (of_x, of_y) = published.totals;
            let ours = bilateral_ratio(
                Counted { moves: x, of: of_x },
                Counted { moves: y, of: of_y },
                Confidence::default(),
            )
            .unwrap();
            assert_close(ours.interval.low, published.ends.0, INTERVAL_TOL);
            assert_close(ours.interval.high, published.ends.1, INTERVAL_TOL);
            interval_count += 1;
        }
    }
    assert_eq!((ratio_count, interval_count), (RATIOS, INTERVALS));
}

/// 399 ratios, each without and with conversion.
const RATIOS: usize = 798;
const INTERVALS: usize = 282;

/// Converted counts are published to two decimals.
const CONVERTED_DECIMALS: i32 = 2;

#[test]
fn counts_convert_to_twelve_months_as_published_but_for_denmark_before_2008() {
    let imem = DurationConversion::table(&IMEM_2013).unwrap();
    let mut count = 0;
    for published in ratios() {
        // Denmark waited six months, but twelve for moves to Finland and Sweden: its counts are converted by partner.
        let denmark = published.place.starts_with("DK") && published.months < 12.0;
        if denmark {
            continue;
        }
        let converted = imem.convert(published.raw.0, published.months, 12.0).unwrap();
        assert_published(converted.value, published.converted.0, CONVERTED_DECIMALS);
        count += 1;
    }
    assert_eq!(count, CONVERTED);
}

/// All 399 but six Danish ones.
const CONVERTED: usize = 393;

#[derive(Deserialize)]
struct EurostatRow {
    origin: String,
    destination: String,
    year: i16,
    reported_by_origin: Option<f64>,
    reported_by_destination: Option<f64>,
}

fn eurostat() -> MirrorTable {
    let report = |moves: f64| Reported {
        moves,
        basis: ReportBasis::Counted,
    };
    let cells = csv::<EurostatRow>("eurostat_mirror_flows_2010_2019.csv")
        .into_iter()
        .map(|row| MirrorCell {
            origin: row.origin,
            destination: row.destination,
            year: row.year,
            reported_by_origin: row.reported_by_origin.map(report),
            reported_by_destination: row.reported_by_destination.map(report),
        })
        .collect();
    MirrorTable::try_new(cells).unwrap()
}

#[test]
fn two_reports_of_one_european_flow_differ_by_a_factor_of_1_8() {
    let disagreement = eurostat().disagreement();
    assert_eq!(disagreement.compared, 1765);
    assert_published(disagreement.median_factor.unwrap(), 1.80, 2);
    // 27 more have a 0 on a side.
    assert_eq!(
        (disagreement.reported_by_both, disagreement.with_a_zero),
        (1792, 27)
    );
}

#[test]
fn every_european_report_that_is_tied_to_the_pin_has_a_factor() {
    let table = eurostat();
    let pin = FactorPin {
        office: "SE".to_owned(),
        flow: ReportedFlow::Immigration,
    };
    for weighting in [Weighting::Equal, Weighting::Poisson] {
        let fitted = table
            .adjustment_factors(None, Some(pin.clone()), weighting, Confidence::default())
            .unwrap();
        assert_eq!(fitted.cells_used, 1765);
        assert_eq!(fitted.components.len(), 1);
        assert!(
            fitted
                .factors
                .iter()
                .all(|factor| factor.factor.is_some_and(|f| f > 0.2 && f < 20.0))
        );
        // Registers that people leave without saying so miss more emigration than immigration.
        assert_close(
            factor(&fitted, "SE", ReportedFlow::Immigration).unwrap(),
            1.0,
            0.0,
        );
        assert!(factor(&fitted, "SK", ReportedFlow::Emigration).unwrap() > 3.0);
    }
}

fn factor(fitted: &AdjustmentFactors, office: &str, flow: ReportedFlow) -> Option<f64> {
    let found = fitted
        .factors
        .iter()
        .find(|factor| factor.office == office && factor.flow == flow);
    found.unwrap().factor
}

/// A table among `offices` in which each report is the truth divided by its factor.
fn consistent(offices: &[(&str, f64, f64)], truth: impl Fn(usize, usize) -> f64) -> MirrorTable {
    let mut cells = Vec::new();
    for (i, &(origin, emigration, _)) in offices.iter().enumerate() {
        for (j, &(destination, _, immigration)) in offices.iter().enumerate() {
            if i != j {
                let report = |factor: f64| {
                    Some(Reported {
                        moves: truth(i, j) / factor,
                        basis: ReportBasis::Counted,
                    })
                };
                cells.push(MirrorCell {
                    origin: origin.to_owned(),
                    destination: destination.to_owned(),
                    year: 2020,
                    reported_by_origin: report(emigration),
                    reported_by_destination: report(immigration),
                });
            }
        }
    }
    MirrorTable::try_new(cells).unwrap()
}

proptest! {
    #[test]
    fn factors_of_a_consistent_table_are_found_exactly(
        factors in proptest::collection::vec((1.0..8.0_f64, 0.8..3.0_f64), 3..6),
        flows in proptest::collection::vec(10.0..50_000.0_f64, 36),
        poisson in any::<bool>(),
    ) {
        let names = ["A", "B", "C", "D", "E", "F"];
        let offices: Vec<(&str, f64, f64)> =
            names.iter().zip(&factors).map(|(name, &(e, i))| (*name, e, i)).collect();
        let table = consistent(&offices, |i, j| flows[6 * i + j]);
        let pin = FactorPin { office: "B".to_owned(), flow: ReportedFlow::Immigration };
        let weighting = if poisson { Weighting::Poisson } else { Weighting::Equal };
        let fitted = table
            .adjustment_factors(Some(2020), Some(pin), weighting, Confidence::default())
            .unwrap();
        let unit = offices[1].2;
        for &(office, emigration, immigration) in &offices {
            assert_close(factor(&fitted, office, ReportedFlow::Emigration).unwrap(), emigration / unit, 1e-7);
            assert_close(factor(&fitted, office, ReportedFlow::Immigration).unwrap(), immigration / unit, 1e-7);
        }
        prop_assert!(fitted.residual.is_none_or(|residual| residual < 1e-6));
    }
}

#[test]
fn two_offices_alone_do_not_identify_their_factors() {
    let table = consistent(&[("IT", 2.0, 1.0), ("TN", 3.0, 1.5)], |_, _| 1000.0);
    let fitted = table
        .adjustment_factors(None, None, Weighting::Equal, Confidence::default())
        .unwrap();
    assert_eq!(
        (fitted.pin.office.as_str(), fitted.pin.flow),
        ("IT", ReportedFlow::Immigration)
    );
    let identified: Vec<bool> = fitted
        .components
        .iter()
        .map(|component| component.identified)
        .collect();
    assert_eq!(identified, [true, false]);
    assert_close(
        factor(&fitted, "TN", ReportedFlow::Emigration).unwrap(),
        3.0,
        REL_TOL,
    );
    assert_eq!(factor(&fitted, "IT", ReportedFlow::Emigration), None);
    assert_eq!(factor(&fitted, "TN", ReportedFlow::Immigration), None);
    assert_eq!(fitted.residual, None);
}

/// Factors, standard errors and residual of this table by numpy (least squares on the same design), with Student's t of 5 degrees of
/// freedom: 2.570 581 835 636.
#[test]
fn factors_and_intervals_are_those_of_least_squares() {
    let flows = [
        ("A", "B", 120.0, 150.0),
        ("A", "C", 80.0, 130.0),
        ("B", "A", 60.0, 40.0),
        ("B", "C", 200.0, 260.0),
        ("C", "A", 30.0, 28.0),
        ("C", "B", 90.0, 140.0),
        ("D", "A", 55.0, 61.0),
        ("D", "B", 75.0, 88.0),
        ("A", "D", 64.0, 50.0),
        ("B", "D", 33.0, 30.0),
        ("C", "D", 21.0, 40.0),
        ("D", "C", 18.0, 33.0),
    ];
    let report = |moves| {
        Some(Reported {
            moves,
            basis: ReportBasis::Counted,
        })
    };
    let cells = flows.map(|(origin, destination, e, i)| MirrorCell {
        origin: origin.to_owned(),
        destination: destination.to_owned(),
        year: 2020,
        reported_by_origin: report(e),
        reported_by_destination: report(i),
    });
    let table = MirrorTable::try_new(cells.to_vec()).unwrap();
    let pin = FactorPin {
        office: "B".to_owned(),
        flow: ReportedFlow::Immigration,
    };
    let fitted = table
        .adjustment_factors(None, Some(pin), Weighting::Poisson, Confidence::default())
        .unwrap();
    let (out, into) = (ReportedFlow::Emigration, ReportedFlow::Immigration);
    for (office, flow, expected, low, high) in [
        (
            "A",
            out,
            1.148_796_335_493_108,
            0.8575730572055773,
            1.5389161417253188,
        ),
        (
            "B",
            out,
            0.942_618_515_245_313_4,
            0.6289683650005822,
            1.4126778304381917,
        ),
        (
            "C",
            out,
            1.593_297_443_348_719_3,
            1.1556547580008025,
            2.1966739853805044,
        ),
        (
            "D",
            out,
            1.305_287_315_735_171_4,
            0.9166292043398936,
            1.8587395738128318,
        ),
        (
            "A",
            into,
            1.360_871_312_482_847_8,
            0.8891046368632706,
            2.08296150121596,
        ),
        (
            "C",
            into,
            0.719_009_775_960_861_2,
            0.49079518450373855,
            1.0533417487582335,
        ),
        (
            "D",
            into,
            1.167_911_851_324_322,
            0.7546475120143792,
            1.8074903458209706,
        ),
    ] {
        let found = fitted
            .factors
            .iter()
            .find(|f| f.office == office && f.flow == flow)
            .unwrap();
        assert_close(found.factor.unwrap(), expected, REL_TOL);
        let interval = found.interval.unwrap();
        assert_close(interval.low, low, REL_TOL);
        assert_close(interval.high, high, REL_TOL);
    }
    assert_close(fitted.residual.unwrap(), 0.171_111_007_051_715_47, REL_TOL);
}

#[test]
fn tables_that_say_nothing_are_refused() {
    let cell = |origin: &str, destination: &str, moves: f64| MirrorCell {
        origin: origin.to_owned(),
        destination: destination.to_owned(),
        year: 2020,
        reported_by_origin: Some(Reported {
            moves,
            basis: ReportBasis::Counted,
        }),
        reported_by_destination: None,
    };
    let refused = |cells: Vec<MirrorCell>| MirrorTable::try_new(cells).unwrap_err().to_string();
    assert_eq!(refused(Vec::new()), "the table has no cells");
    assert_eq!(
        refused(vec![cell("TN", "IT", 5.0), cell("TN", "IT", 6.0)]),
        "TN to IT in 2020 is there twice"
    );
    assert_eq!(
        refused(vec![cell("IT", "IT", 5.0)]),
        "IT is origin and destination of a flow of 2020"
    );
    assert_eq!(
        refused(vec![cell("TN", " ", 5.0)]),
        "a flow of 2020 has no origin or no destination"
    );
    assert_eq!(
        refused(vec![cell("TN", "IT", -5.0)]),
        "TN to IT in 2020: -5 is no number of moves"
    );
    let one_sided = MirrorTable::try_new(vec![cell("TN", "IT", 5.0)]).unwrap();
    let fit = |pin| one_sided.adjustment_factors(None, pin, Weighting::Equal, Confidence::default());
    assert_eq!(fit(None), Err(MirrorError::NothingInCommon));
    let pin = FactorPin {
        office: "TN".to_owned(),
        flow: ReportedFlow::Emigration,
    };
    assert_eq!(
        fit(Some(pin)).unwrap_err().to_string(),
        "the emigration of TN, which is to be pinned to 1, is in no flow that both sides report"
    );
    assert_eq!(
        one_sided
            .office_ratios(&["FR".to_owned()], Totals::Unknown, Confidence::default())
            .unwrap_err()
            .to_string(),
        "FR is neither an origin nor a destination of the table"
    );
    let ratios = one_sided
        .office_ratios(&["IT".to_owned()], Totals::Unknown, Confidence::default())
        .unwrap();
    assert!(
        ratios
            .iter()
            .all(|ratio| ratio.ratio.is_none() && ratio.no_ratio == Some(NoRatio::NotReportedByBoth))
    );
    let counted = |moves, of| Counted { moves, of };
    let ratio = |x, y| bilateral_ratio(x, y, Confidence::default());
    assert!(ratio(counted(0.0, None), counted(5.0, None)).is_err());
    assert!(ratio(counted(5.0, None), counted(f64::NAN, None)).is_err());
    assert!(ratio(counted(5.0, Some(4.0)), counted(5.0, None)).is_err());
}

#[test]
fn an_office_is_set_against_its_references_by_the_flows_both_report() {
    let table = MirrorTable::try_new(vec![
        mirror_cell("TN", "SE", Some(40.0), Some(90.0)),
        mirror_cell("TN", "DK", Some(20.0), Some(30.0)),
        // Not reported by Tunisia, so no part of its ratio, but of what Finland reports.
        mirror_cell("TN", "FI", None, Some(500.0)),
        // No reference office.
        mirror_cell("TN", "FR", Some(900.0), Some(2000.0)),
        mirror_cell("SE", "DK", Some(300.0), Some(310.0)),
        mirror_cell("MT", "DK", Some(0.0), Some(7.0)),
    ])
    .unwrap();
    let reference = ["SE", "DK", "FI"].map(str::to_owned);
    let ratios = table
        .office_ratios(&reference, Totals::InTable, Confidence::default())
        .unwrap();
    let of = |office: &str, flow| {
        let mut found = ratios
            .iter()
            .filter(|ratio| ratio.office == office && ratio.flow == flow);
        found.next().unwrap()
    };
    let tunisia = of("TN", ReportedFlow::Emigration);
    let ratio = tunisia.ratio.unwrap();
    assert_eq!(tunisia.cells, 2);
    assert_close(ratio.ratio, 60.0 / 120.0, REL_TOL);
    assert_close(ratio.numerator.of.unwrap(), 960.0, REL_TOL);
    assert_close(ratio.denominator.of.unwrap(), 937.0, REL_TOL);
    assert!(ratio.interval.contains(ratio.ratio));
    // Without totals the interval is wider.
    let wider = table
        .office_ratios(&reference, Totals::Unknown, Confidence::default())
        .unwrap();
    let same = wider
        .iter()
        .find(|r| r.office == "TN" && r.ratio.is_some())
        .unwrap();
    assert!(same.ratio.unwrap().interval.high > ratio.interval.high);
    // An office is no reference for itself.
    assert_eq!(of("SE", ReportedFlow::Emigration).cells, 1);
    assert_eq!(of("TN", ReportedFlow::Immigration).ratio, None);
    // Nothing against seven is told as that, and not left blank.
    let malta = of("MT", ReportedFlow::Emigration);
    assert_eq!((malta.ratio, malta.no_ratio), (None, Some(NoRatio::Zero)));
    assert_close(malta.reported_by_reference, 7.0, REL_TOL);
}
