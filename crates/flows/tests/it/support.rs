//! Reading the published figures and comparing with them.

use corridor_flows::{MirrorCell, ReportBasis, Reported};
use serde::de::DeserializeOwned;

/// Relative tolerance for figures that both sides compute in double precision.
pub(crate) const REL_TOL: f64 = 1e-9;

fn text(name: &str) -> String {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn csv<T: DeserializeOwned>(name: &str) -> Vec<T> {
    csv::Reader::from_reader(text(name).as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .unwrap()
}

pub(crate) fn json<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&text(name)).unwrap()
}

/// Equal to a relative tolerance.
#[track_caller]
pub(crate) fn assert_close(value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value - expected).abs() <= tolerance * expected.abs(),
        "{value} is not {expected} to {tolerance}"
    );
}

/// Equal when rounded to as many decimals as were published.
#[track_caller]
pub(crate) fn assert_published(value: f64, published: f64, decimals: i32) {
    // Half a unit of the last digit, and a hair for ties.
    let half = 0.5 * 10_f64.powi(-decimals) * (1.0 + 1e-6);
    assert!(
        (value - published).abs() <= half,
        "{value} is not {published} to {decimals} decimals"
    );
}

/// A flow of 2020, as both sides report it under one rule.
pub(crate) fn mirror_cell(
    origin: &str,
    destination: &str,
    by_origin: Option<f64>,
    by_destination: Option<f64>,
) -> MirrorCell {
    let report = |moves| Reported {
        moves,
        basis: ReportBasis::Counted,
    };
    MirrorCell {
        origin: origin.to_owned(),
        destination: destination.to_owned(),
        year: 2020,
        reported_by_origin: by_origin.map(report),
        reported_by_destination: by_destination.map(report),
    }
}
