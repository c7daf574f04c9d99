//! What a mirror table says of reports that are estimates, under no known rule, or tied to nothing.

use corridor_flows::{
    Confidence, FactorPin, MirrorCell, MirrorError, MirrorTable, ReportBasis, Reported, ReportedFlow, Totals,
    Weighting,
};

use crate::support::mirror_cell;

#[test]
fn ratios_and_factors_say_which_reports_are_estimates_and_which_have_no_known_rule() {
    let cell = |origin: &str, destination: &str, of_origin, of_destination| MirrorCell {
        origin: origin.to_owned(),
        destination: destination.to_owned(),
        year: 2020,
        reported_by_origin: Some(Reported {
            moves: 900.0,
            basis: of_origin,
        }),
        reported_by_destination: Some(Reported {
            moves: 1000.0,
            basis: of_destination,
        }),
    };
    use ReportBasis::{Converted, Counted, RuleUnknown};
    let table = MirrorTable::try_new(vec![
        cell("TN", "IT", RuleUnknown, Counted),
        cell("TN", "FR", Counted, Converted),
        cell("IT", "FR", Counted, Counted),
    ])
    .unwrap();
    let reference = ["IT".to_owned(), "FR".to_owned()];
    let confidence = Confidence::default();
    let ratios = table
        .office_ratios(&reference, Totals::Unknown, confidence)
        .unwrap();
    let marked = |office: &str, flow| {
        let row = ratios
            .iter()
            .find(|row| row.office == office && row.flow == flow)
            .unwrap();
        (row.estimated, row.rule_unknown)
    };
    assert_eq!(marked("TN", ReportedFlow::Emigration), (true, true));
    assert_eq!(marked("IT", ReportedFlow::Emigration), (false, false));
    let fitted = table
        .adjustment_factors(None, None, Weighting::Equal, confidence)
        .unwrap();
    let marks: Vec<_> = fitted
        .factors
        .iter()
        .map(|row| (row.office.as_str(), row.flow, row.estimated, row.rule_unknown))
        .collect();
    assert_eq!(
        marks,
        [
            ("FR", ReportedFlow::Immigration, 1, 0),
            ("IT", ReportedFlow::Emigration, 0, 0),
            ("IT", ReportedFlow::Immigration, 0, 1),
            ("TN", ReportedFlow::Emigration, 1, 1),
        ]
    );
}

#[test]
fn a_report_in_no_flow_of_both_sides_is_there_and_not_identified() {
    let table = MirrorTable::try_new(vec![
        mirror_cell("TN", "IT", Some(900.0), Some(1000.0)),
        mirror_cell("DE", "IT", None, Some(50.0)),
        mirror_cell("TN", "DE", None, Some(40.0)),
        mirror_cell("TN", "PL", Some(30.0), Some(0.0)),
    ])
    .unwrap();
    let fit = |pin| table.adjustment_factors(None, pin, Weighting::Equal, Confidence::default());
    let fitted = fit(None).unwrap();
    let unidentified: Vec<(&str, ReportedFlow, u32)> = fitted
        .factors
        .iter()
        .filter(|row| row.factor.is_none())
        .map(|row| (row.office.as_str(), row.flow, row.cells))
        .collect();
    assert_eq!(
        unidentified,
        [
            ("DE", ReportedFlow::Immigration, 0),
            ("PL", ReportedFlow::Immigration, 0)
        ]
    );
    assert_eq!(
        fitted
            .components
            .iter()
            .filter(|component| component.identified)
            .count(),
        1
    );
    assert_eq!(fitted.components.len(), 3);
    // Nothing can be measured by such a report.
    let pin = FactorPin {
        office: "DE".to_owned(),
        flow: ReportedFlow::Immigration,
    };
    assert!(matches!(fit(Some(pin)), Err(MirrorError::PinMissing { .. })));
}
