use std::collections::{BTreeMap, BTreeSet};

use nalgebra::{Cholesky, DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::{MirrorCell, MirrorError, MirrorTable, ReportBasis, Reported, ReportedFlow};
use crate::interval::{Confidence, Interval};
use crate::number::real_len;

/// How much a flow counts in the fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Each flow the same.
    Equal,
    /// By the inverse variance that ln(I/E) has if both are Poisson counts: 1/(1/E + 1/I).
    Poisson,
}

/// The report whose factor is 1, by which all others are measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactorPin {
    /// Office.
    pub office: String,
    /// Its flow.
    pub flow: ReportedFlow,
}

/// By what to multiply each report so that the two reports of every flow agree as well as they can.
///
/// Factors a of emigration and b of immigration are fitted to ln(I/E) = ln a(origin) − ln b(destination) by least
/// squares on the **log** scale. On the level scale Σ(aE − bI)² has its least value where all factors are 0, and any
/// pin that does not forbid it pulls them there.
///
/// A factor is known only where flows that both sides report tie it to the pinned one: emigration of A, immigration of
/// B, emigration of C, … Two offices alone make two such chains, three make one. What is not tied to the pin has no
/// factor; its component says so.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdjustmentFactors {
    /// The report with factor 1.
    pub pin: FactorPin,
    /// How flows were weighted.
    pub weighting: Weighting,
    /// By office, then flow.
    pub factors: Vec<OfficeFactor>,
    /// Reports that are tied to each other. The first holds the pin.
    pub components: Vec<FactorComponent>,
    /// Flows used: reported by both sides, above 0.
    pub cells_used: u64,
    /// Flows that one side alone reports.
    pub cells_one_sided: u64,
    /// Flows that both report, of which one report is 0, which has no logarithm.
    pub cells_with_a_zero: u64,
    /// Standard deviation of ln(aE/bI) that is left, weighted, in the component of the pin; `None` when it has no more
    /// flows than factors.
    pub residual: Option<f64>,
}

/// The factor of one report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfficeFactor {
    /// Office.
    pub office: String,
    /// Its flow.
    pub flow: ReportedFlow,
    /// What to multiply it with; `None` when it is not identified.
    pub factor: Option<f64>,
    /// Interval of Student's t, from the residual; `None` for the pin, and when there is no residual.
    pub interval: Option<Interval>,
    /// Which component it is in, from 1.
    pub component: u32,
    /// Flows it is fitted to: reported by both sides, above 0; of a report that is in none it is tied to nothing.
    pub cells: u32,
    /// Of these, how many where a count was converted to another minimum stay: estimates.
    pub estimated: u32,
    /// And how many where one is under a minimum stay that is not known, and compared as it is.
    pub rule_unknown: u32,
}

/// Reports tied to each other by flows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FactorComponent {
    /// Its number, from 1.
    pub component: u32,
    /// Whether it holds the pin. If not, its factors are known only up to a common one, and none is given.
    pub identified: bool,
    /// Reports in it.
    pub reports: u32,
    /// Flows in it.
    pub cells: u32,
}

/// A report as a node of the graph that flows span.
type Node<'a> = (&'a str, ReportedFlow);

/// A flow as an edge: ln(I/E) and its weight.
#[derive(Debug, Clone, Copy)]
struct Edge {
    origin: usize,
    destination: usize,
    log_ratio: f64,
    weight: f64,
    bases: [ReportBasis; 2],
}

impl MirrorTable {
    /// Fits factors to the flows of one year, or of all when `year` is `None`. Without a pin, the immigration with the
    /// most flows is pinned, the first by code if several have as many.
    ///
    /// # Errors
    /// No flow that both sides report, or a pin that is in none.
    pub fn adjustment_factors(
        &self,
        year: Option<i16>,
        pin: Option<FactorPin>,
        weighting: Weighting,
        confidence: Confidence,
    ) -> Result<AdjustmentFactors, MirrorError> {
        let cells: Vec<&MirrorCell> = self
            .cells()
            .iter()
            .filter(|cell| year.is_none_or(|year| cell.year == year))
            .collect();
        let two_sided: Vec<(Node<'_>, Node<'_>, Reported, Reported)> = cells
            .iter()
            .filter_map(|cell| {
                Some((
                    (cell.origin.as_str(), ReportedFlow::Emigration),
                    (cell.destination.as_str(), ReportedFlow::Immigration),
                    cell.reported_by_origin?,
                    cell.reported_by_destination?,
                ))
            })
            .collect();
        let used: Vec<&(Node<'_>, Node<'_>, Reported, Reported)> = two_sided
            .iter()
            .filter(|(.., emigration, immigration)| emigration.moves > 0.0 && immigration.moves > 0.0)
            .collect();
        // A report that is in no flow that both sides report is tied to nothing.
        let nodes: Vec<Node<'_>> = cells
            .iter()
            .flat_map(|cell| {
                let origin = (cell.origin.as_str(), ReportedFlow::Emigration);
                let destination = (cell.destination.as_str(), ReportedFlow::Immigration);
                [
                    cell.reported_by_origin.map(|_| origin),
                    cell.reported_by_destination.map(|_| destination),
                ]
            })
            .flatten()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let index: BTreeMap<Node<'_>, usize> = nodes.iter().enumerate().map(|(i, node)| (*node, i)).collect();
        let edges: Vec<Edge> = used
            .iter()
            .map(|(origin, destination, emigration, immigration)| Edge {
                origin: index[origin],
                destination: index[destination],
                log_ratio: (immigration.moves / emigration.moves).ln(),
                weight: match weighting {
                    Weighting::Equal => 1.0,
                    Weighting::Poisson => 1.0 / (1.0 / emigration.moves + 1.0 / immigration.moves),
                },
                bases: [emigration.basis, immigration.basis],
            })
            .collect();
        let pinned = pinned(&nodes, &edges, pin.as_ref())?;
        let component_of = components(nodes.len(), &edges, pinned);
        let fit = fit(&edges, &component_of, pinned);
        let factors = nodes
            .iter()
            .enumerate()
            .map(|(node, &(office, flow))| {
                let log_factor = fit.log_factors.get(&node);
                let interval = log_factor.and_then(|&(log_factor, variance)| {
                    let half = confidence.t(fit.freedom)? * variance?.sqrt();
                    Some(Interval {
                        low: (log_factor - half).exp(),
                        high: (log_factor + half).exp(),
                    })
                });
                let of_basis = |basis: ReportBasis| {
                    let of_node = edges.iter().filter(|edge| edge.touches(node));
                    short(of_node.filter(|edge| edge.bases.contains(&basis)).count())
                };
                OfficeFactor {
                    office: office.to_owned(),
                    flow,
                    factor: log_factor.map(|(log_factor, _)| log_factor.exp()),
                    interval: interval.filter(|_| node != pinned),
                    component: short(component_of[node]) + 1,
                    cells: short(edges.iter().filter(|edge| edge.touches(node)).count()),
                    estimated: of_basis(ReportBasis::Converted),
                    rule_unknown: of_basis(ReportBasis::RuleUnknown),
                }
            })
            .collect();
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let reported =
            |cell: &&&MirrorCell| cell.reported_by_origin.is_some() != cell.reported_by_destination.is_some();
        Ok(AdjustmentFactors {
            pin: FactorPin {
                office: nodes[pinned].0.to_owned(),
                flow: nodes[pinned].1,
            },
            weighting,
            factors,
            components: describe(&component_of, &edges),
            cells_used: count(used.len()),
            cells_one_sided: count(cells.iter().filter(reported).count()),
            cells_with_a_zero: count(two_sided.len() - used.len()),
            residual: fit.residual,
        })
    }
}

impl Edge {
    const fn touches(&self, node: usize) -> bool {
        self.origin == node || self.destination == node
    }
}

/// The node to be pinned.
fn pinned(nodes: &[Node<'_>], edges: &[Edge], pin: Option<&FactorPin>) -> Result<usize, MirrorError> {
    if let Some(pin) = pin {
        return nodes
            .iter()
            .position(|&(office, flow)| office == pin.office && flow == pin.flow)
            .filter(|&node| edges.iter().any(|edge| edge.touches(node)))
            .ok_or_else(|| MirrorError::PinMissing {
                office: pin.office.clone(),
                flow: pin.flow,
            });
    }
    let mut most: Option<(usize, usize)> = None;
    for (node, &(_, flow)) in nodes.iter().enumerate() {
        let cells = edges.iter().filter(|edge| edge.touches(node)).count();
        if flow == ReportedFlow::Immigration && cells > 0 && most.is_none_or(|(_, most)| cells > most) {
            most = Some((node, cells));
        }
    }
    most.map(|(node, _)| node).ok_or(MirrorError::NothingInCommon)
}

/// The component of each node, that of `first` being 0, the others in the order of their first node.
fn components(len: usize, edges: &[Edge], first: usize) -> Vec<usize> {
    let mut component_of: Vec<Option<usize>> = vec![None; len];
    let mut next = 0;
    for start in std::iter::once(first).chain(0..len) {
        if component_of[start].is_some() {
            continue;
        }
        let mut open = vec![start];
        while let Some(node) = open.pop() {
            if component_of[node].replace(next).is_some() {
                continue;
            }
            for edge in edges.iter().filter(|edge| edge.touches(node)) {
                open.extend(
                    [edge.origin, edge.destination]
                        .into_iter()
                        .filter(|&n| component_of[n].is_none()),
                );
            }
        }
        next += 1;
    }
    component_of.into_iter().map(Option::unwrap_or_default).collect()
}

struct Fitted {
    /// ln factor and its variance, by node of the component of the pin.
    log_factors: BTreeMap<usize, (f64, Option<f64>)>,
    residual: Option<f64>,
    /// Pairs of figures more than factors: degrees of freedom of the residual.
    freedom: usize,
}

/// Solves the normal equations of the component of the pin. They are those of a graph's weighted Laplacian without the
/// pinned node, positive definite because the component is connected.
fn fit(edges: &[Edge], component_of: &[usize], pinned: usize) -> Fitted {
    let edges: Vec<&Edge> = edges
        .iter()
        .filter(|edge| component_of[edge.origin] == 0)
        .collect();
    let free: Vec<usize> = (0..component_of.len())
        .filter(|&node| component_of[node] == 0 && node != pinned)
        .collect();
    let row = |node: usize| free.binary_search(&node).ok();
    let mut laplacian = DMatrix::<f64>::zeros(free.len(), free.len());
    let mut right = DVector::<f64>::zeros(free.len());
    for edge in &edges {
        let ends = [(row(edge.origin), 1.0), (row(edge.destination), -1.0)];
        for (a, sign_a) in ends {
            let Some(a) = a else { continue };
            right[a] += sign_a * edge.weight * edge.log_ratio;
            for (b, sign_b) in ends {
                if let Some(b) = b {
                    laplacian[(a, b)] += sign_a * sign_b * edge.weight;
                }
            }
        }
    }
    let mut log_factors = BTreeMap::from([(pinned, (0.0, None))]);
    let Some(cholesky) = Cholesky::new(laplacian) else {
        // Weights so far apart that rounding has cut the graph: only the pin is known.
        return Fitted {
            log_factors,
            residual: None,
            freedom: 0,
        };
    };
    let solution = cholesky.solve(&right);
    let value = |node: usize| row(node).map_or(0.0, |row| solution[row]);
    let squares: f64 = edges
        .iter()
        .map(|edge| {
            let left_over = edge.log_ratio - value(edge.origin) + value(edge.destination);
            edge.weight * left_over * left_over
        })
        .sum();
    let freedom = edges.len().saturating_sub(free.len());
    let dispersion = (freedom > 0).then(|| squares / real_len(freedom));
    let inverse = cholesky.inverse();
    for (row, &node) in free.iter().enumerate() {
        let variance = dispersion.map(|dispersion| dispersion * inverse[(row, row)]);
        log_factors.insert(node, (solution[row], variance));
    }
    let mean_weight = edges.iter().map(|edge| edge.weight).sum::<f64>() / real_len(edges.len());
    Fitted {
        log_factors,
        residual: dispersion.map(|dispersion| (dispersion / mean_weight).sqrt()),
        freedom,
    }
}

fn describe(component_of: &[usize], edges: &[Edge]) -> Vec<FactorComponent> {
    let len = component_of.iter().max().map_or(0, |last| last + 1);
    (0..len)
        .map(|component| FactorComponent {
            component: short(component) + 1,
            identified: component == 0,
            reports: short(component_of.iter().filter(|&&of| of == component).count()),
            cells: short(
                edges
                    .iter()
                    .filter(|edge| component_of[edge.origin] == component)
                    .count(),
            ),
        })
        .collect()
}

fn short(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
