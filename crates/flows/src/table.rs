use std::collections::BTreeMap;

use corridor_core::{AgeBand, MigrationEvent, Sex};

use crate::reconcile::{Counts, FlowError, FlowTerms, MovePair, Reconciliation, YearClasses, reconcile};

/// The moves of both directions of a corridor, reconciled and counted. Its counts cannot be read: only
/// [`crate::protect`] turns them into something that may leave.
///
/// ```compile_fail
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<corridor_flows::FlowTable>();
/// ```
#[derive(Debug, Clone)]
pub struct FlowTable {
    pub(crate) corridors: Vec<CorridorTable>,
}

/// One direction, as a tree: all → years → sexes → age bands. Every count is the sum of those below it.
#[derive(Debug, Clone)]
pub(crate) struct CorridorTable {
    pub(crate) terms: FlowTerms,
    pub(crate) root: Node,
    pub(crate) years: BTreeMap<i16, YearClasses>,
}

/// What a node of the tree stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    All,
    Year(i16),
    Sex(Sex),
    AgeBand(Option<AgeBand>),
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) group: Group,
    pub(crate) counts: Counts,
    pub(crate) children: Vec<Node>,
}

/// The events of the two offices and which of them are the same move.
#[derive(Debug, Clone, Copy)]
pub struct FlowInput<'a> {
    /// The corridor as agreed, and its reference period.
    pub terms: FlowTerms,
    /// Events of the office of the origin.
    pub origin: &'a [MigrationEvent],
    /// Events of the office of the destination.
    pub destination: &'a [MigrationEvent],
    /// Pairs (origin's event, destination's event), each event at most once, of either direction.
    pub pairs: &'a [(u32, u32)],
}

impl FlowTable {
    /// Reconciles the corridor and, from the same lists, its reverse: those who return.
    ///
    /// # Errors
    /// When the pairs are no one-to-one pairing of an emigration with an immigration.
    pub fn reconcile(input: &FlowInput<'_>) -> Result<Self, FlowError> {
        let mut outward = Vec::new();
        let mut back = Vec::new();
        for &(origin, destination) in input.pairs {
            let event = usize::try_from(origin)
                .ok()
                .and_then(|index| input.origin.get(index))
                .ok_or(FlowError::EventOutOfRange)?;
            match event.direction {
                corridor_core::Direction::Emigration => outward.push(MovePair {
                    emigration: origin,
                    immigration: destination,
                }),
                corridor_core::Direction::Immigration => back.push(MovePair {
                    emigration: destination,
                    immigration: origin,
                }),
            }
        }
        let reverse = FlowTerms {
            corridor: input.terms.corridor.to_reverse(),
            ..input.terms
        };
        let corridors = vec![
            reconcile(input.terms, input.origin, input.destination, &outward)?.into(),
            reconcile(reverse, input.destination, input.origin, &back)?.into(),
        ];
        Ok(Self { corridors })
    }
}

impl From<Reconciliation> for CorridorTable {
    fn from(reconciliation: Reconciliation) -> Self {
        let mut years: Vec<Node> = reconciliation
            .years
            .keys()
            .map(|&year| Node::empty(Group::Year(year)))
            .collect();
        for (stratum, counts) in &reconciliation.strata {
            let year = child(&mut years, Group::Year(stratum.year));
            let sex = child(&mut year.children, Group::Sex(stratum.sex));
            child(&mut sex.children, Group::AgeBand(stratum.age_band)).counts = *counts;
        }
        let mut root = Node {
            children: years,
            ..Node::empty(Group::All)
        };
        root.add_up();
        Self {
            terms: reconciliation.terms,
            root,
            years: reconciliation.years,
        }
    }
}

impl Node {
    const fn empty(group: Group) -> Self {
        Self {
            group,
            counts: Counts {
                matched: 0,
                only_origin: 0,
                only_destination: 0,
            },
            children: Vec::new(),
        }
    }

    fn add_up(&mut self) {
        if self.children.is_empty() {
            return;
        }
        let mut total = Counts::default();
        for child in &mut self.children {
            child.add_up();
            total.add(&child.counts);
        }
        self.counts = total;
    }
}

/// The child of that group, made when it is not there. Strata come in order, so children do too.
fn child(children: &mut Vec<Node>, group: Group) -> &mut Node {
    let position = children
        .iter()
        .position(|node| node.group == group)
        .unwrap_or_else(|| {
            children.push(Node::empty(group));
            children.len() - 1
        });
    &mut children[position]
}
