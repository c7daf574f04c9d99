use std::collections::BTreeSet;

use serde::Serialize;

use super::{MirrorCell, MirrorError, MirrorTable, ReportBasis, Reported, ReportedFlow};
use crate::interval::{Confidence, Interval};

/// Moves, and all the moves they are part of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counted {
    /// Moves.
    pub moves: f64,
    /// What they are part of; `None` where not known, as if they were a small part.
    pub of: Option<f64>,
}

/// Whether a table says of how many moves a count is a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Totals {
    /// It holds every flow of its offices: totals are sums of the table.
    InTable,
    /// It holds some flows only. Counts are taken as small parts of unknown totals, which makes intervals wider, not
    /// narrower.
    Unknown,
}

/// What one side reports over what the other does. Below 1 the first side has fewer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BilateralRatio {
    /// U = numerator / denominator.
    pub ratio: f64,
    /// exp(ln U ± z·√((1−p₁)/x + (1−p₂)/y)), p the share each count is of its total.
    pub interval: Interval,
    /// Moves the office reports.
    pub numerator: Counted,
    /// Moves the other side reports.
    pub denominator: Counted,
}

/// The ratio of an office in a year against a reference set, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfficeRatio {
    /// The office.
    pub office: String,
    /// Year.
    pub year: i16,
    /// Which of its flows is set against its mirror.
    pub flow: ReportedFlow,
    /// Flows with reference offices that both sides report.
    pub cells: u32,
    /// What the office reports of these, moves.
    pub reported: f64,
    /// What the reference offices do.
    pub reported_by_reference: f64,
    /// The ratio.
    pub ratio: Option<BilateralRatio>,
    /// Why there is none; `None` where there is.
    pub no_ratio: Option<NoRatio>,
    /// Whether a count in it was converted to another minimum stay.
    pub estimated: bool,
    /// Whether a count in it is under a minimum stay that is not known, and compared as it is.
    pub rule_unknown: bool,
}

/// Why there is no ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoRatio {
    /// No flow with a reference office is reported by both sides.
    NotReportedByBoth,
    /// One side reports 0 moves, or both do: that has no ratio with an interval.
    Zero,
}

impl NoRatio {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReportedByBoth => "not_reported_by_both",
            Self::Zero => "zero",
        }
    }
}

/// The ratio of two counts of what should be the same moves, each a part of a larger count (ratio of two binomial
/// proportions, Katz et al. 1978).
///
/// # Errors
/// A count of 0 or no number, or above its total.
pub fn bilateral_ratio(
    numerator: Counted,
    denominator: Counted,
    confidence: Confidence,
) -> Result<BilateralRatio, MirrorError> {
    let (x, y) = (numerator.moves, denominator.moves);
    if !(x > 0.0 && y > 0.0 && x.is_finite() && y.is_finite()) {
        return Err(MirrorError::RatioOfNothing {
            numerator: x,
            denominator: y,
        });
    }
    let part = |counted: Counted| match counted.of {
        None => Ok(1.0 / counted.moves),
        Some(of) if of >= counted.moves => Ok((1.0 - counted.moves / of) / counted.moves),
        Some(of) => Err(MirrorError::CountAboveTotal {
            count: counted.moves,
            of,
        }),
    };
    let factor = (confidence.z() * (part(numerator)? + part(denominator)?).sqrt()).exp();
    let ratio = x / y;
    Ok(BilateralRatio {
        ratio,
        interval: Interval {
            low: ratio / factor,
            high: ratio * factor,
        },
        numerator,
        denominator,
    })
}

impl MirrorTable {
    /// For each office, year and flow: what it reports of its moves to and from the reference set, over what the
    /// reference offices report of the same moves. Flows that one side does not report are left out on both.
    ///
    /// The totals behind the interval are what the office, and the reference offices, report in the whole table, where
    /// that holds them. Sorted by office, then flow, then year.
    ///
    /// # Errors
    /// A reference office that is not in the table, or sums too large for a number.
    pub fn office_ratios(
        &self,
        reference: &[String],
        totals: Totals,
        confidence: Confidence,
    ) -> Result<Vec<OfficeRatio>, MirrorError> {
        let offices = self.offices();
        for office in reference {
            if !offices.contains(&office.as_str()) {
                return Err(MirrorError::OfficeUnknown {
                    office: office.clone(),
                });
            }
        }
        let reference: BTreeSet<&str> = reference.iter().map(String::as_str).collect();
        let mut ratios = Vec::new();
        for office in offices {
            for flow in [ReportedFlow::Emigration, ReportedFlow::Immigration] {
                for year in self.years() {
                    let of_year: Vec<Entry<'_>> = self
                        .cells()
                        .iter()
                        .filter(|cell| cell.year == year)
                        .map(|cell| Entry::new(cell, flow))
                        .collect();
                    let sums = sums(office, &of_year, &reference);
                    let [own, mirror] = sums.counts.map(|(moves, of)| Counted {
                        moves,
                        // Sums in another order may come out a hair smaller.
                        of: (totals == Totals::InTable).then_some(of.max(moves)),
                    });
                    let (ratio, no_ratio) = match (sums.cells, own.moves.min(mirror.moves) > 0.0) {
                        (0, _) => (None, Some(NoRatio::NotReportedByBoth)),
                        (_, false) => (None, Some(NoRatio::Zero)),
                        (_, true) => (Some(bilateral_ratio(own, mirror, confidence)?), None),
                    };
                    ratios.push(OfficeRatio {
                        office: office.to_owned(),
                        year,
                        flow,
                        cells: sums.cells,
                        reported: own.moves,
                        reported_by_reference: mirror.moves,
                        ratio,
                        no_ratio,
                        estimated: sums.has(ReportBasis::Converted),
                        rule_unknown: sums.has(ReportBasis::RuleUnknown),
                    });
                }
            }
        }
        Ok(ratios)
    }
}

/// A cell seen from the office whose flow it is.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    office: &'a str,
    partner: &'a str,
    own: Option<Reported>,
    mirror: Option<Reported>,
}

impl<'a> Entry<'a> {
    fn new(cell: &'a MirrorCell, flow: ReportedFlow) -> Self {
        match flow {
            ReportedFlow::Emigration => Self {
                office: &cell.origin,
                partner: &cell.destination,
                own: cell.reported_by_origin,
                mirror: cell.reported_by_destination,
            },
            ReportedFlow::Immigration => Self {
                office: &cell.destination,
                partner: &cell.origin,
                own: cell.reported_by_destination,
                mirror: cell.reported_by_origin,
            },
        }
    }
}

/// What is summed of the flows of an office that both sides report.
#[derive(Debug)]
struct Sums {
    /// Moves and totals, of the office and of its mirror.
    counts: [(f64, f64); 2],
    /// Flows.
    cells: u32,
    /// Of each report.
    bases: Vec<ReportBasis>,
}

impl Sums {
    fn has(&self, basis: ReportBasis) -> bool {
        self.bases.contains(&basis)
    }
}

fn sums(office: &str, entries: &[Entry<'_>], reference: &BTreeSet<&str>) -> Sums {
    let (mut own, mut mirror, mut own_total, mut mirror_total) = (0.0, 0.0, 0.0, 0.0);
    let (mut cells, mut bases) = (0, Vec::new());
    for entry in entries {
        if entry.office == office {
            own_total += entry.own.map_or(0.0, |report| report.moves);
        }
        if reference.contains(entry.partner) && entry.partner != office {
            mirror_total += entry.mirror.map_or(0.0, |report| report.moves);
            if let (true, Some(a), Some(b)) = (entry.office == office, entry.own, entry.mirror) {
                own += a.moves;
                mirror += b.moves;
                cells += 1;
                bases.extend([a.basis, b.basis]);
            }
        }
    }
    Sums {
        counts: [(own, own_total), (mirror, mirror_total)],
        cells,
        bases,
    }
}
