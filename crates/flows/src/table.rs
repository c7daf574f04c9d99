use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use corridor_core::{Corridor, Direction, MigrationEvent, Stop, Variable};

use crate::classes::Account;
use crate::reconcile::{
    FlowError, LagCounts, LeftOut, MoveList, MovePair, Reconciliation, StayCounts, reconcile,
};
use crate::terms::{ALL_CATEGORIES, Category, CellKey, FlowTerms};

/// The moves of both directions of a corridor, reconciled and counted. Its counts cannot be read: only
/// [`crate::protect`] turns them into something that may leave.
///
/// ```compile_fail
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<corridor_flows::FlowTable>();
/// ```
#[derive(Clone)]
pub struct FlowTable {
    pub(crate) terms: FlowTerms,
    pub(crate) corridors: Vec<CorridorTable>,
    pub(crate) stop: Stop,
}

impl fmt::Debug for FlowTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlowTable(..)")
    }
}

/// One direction: the finest cells, and the rows of the tables, each the sum of some of these.
#[derive(Debug, Clone)]
pub(crate) struct CorridorTable {
    pub(crate) corridor: Corridor,
    /// The finest cells in which there are moves, in order.
    pub(crate) cells: Vec<(CellKey, Account)>,
    /// Rows of all tables and their margins, each once, totals first.
    pub(crate) rows: Vec<TableRow>,
    pub(crate) lags: LagCounts,
    pub(crate) stays: BTreeMap<(Category, corridor_core::Side), StayCounts>,
    pub(crate) left_out: BTreeMap<(corridor_core::Side, LeftOut), u64>,
}

/// A row: what it stands for and which of the finest cells it is made of.
#[derive(Debug, Clone)]
pub(crate) struct TableRow {
    pub(crate) key: CellKey,
    /// Positions in [`CorridorTable::cells`], ascending.
    pub(crate) cells: Vec<u32>,
    pub(crate) account: Account,
}

/// The events of the two offices and which of them are the same move.
#[derive(Clone, Copy)]
pub struct FlowInput<'a> {
    /// What the tables are made for.
    pub terms: &'a FlowTerms,
    /// Events of the office of the origin.
    pub origin: &'a [MigrationEvent],
    /// Events of the office of the destination.
    pub destination: &'a [MigrationEvent],
    /// Pairs (origin's event, destination's event), each event at most once, of either direction.
    pub pairs: &'a [(u32, u32)],
    /// For the cell key method: a number of each of the origin's events, uniform in 64 bits and known to no office; empty where
    /// another method is agreed.
    pub origin_record_keys: &'a [u64],
    /// The same of the destination's.
    pub destination_record_keys: &'a [u64],
}

impl fmt::Debug for FlowInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlowInput(..)")
    }
}

impl FlowTable {
    /// The same table, whose protection ends when `stop` is set: [`crate::protect`] then gives [`DisclosureError::Stopped`](crate::DisclosureError).
    pub fn stopped_by(self, stop: &Stop) -> Self {
        Self {
            stop: stop.clone(),
            ..self
        }
    }

    /// Reconciles the corridor and, from the same lists, its reverse: those who return.
    ///
    /// # Errors
    /// When the pairs are no one-to-one pairing of an emigration with an immigration, or record keys are given for some events only.
    pub fn reconcile(input: &FlowInput<'_>) -> Result<Self, FlowError> {
        let mut outward = Vec::new();
        let mut back = Vec::new();
        for &(origin, destination) in input.pairs {
            let event = usize::try_from(origin)
                .ok()
                .and_then(|index| input.origin.get(index))
                .ok_or(FlowError::EventOutOfRange)?;
            match event.direction {
                Direction::Emigration => outward.push(MovePair {
                    emigration: origin,
                    immigration: destination,
                }),
                Direction::Immigration => back.push(MovePair {
                    emigration: destination,
                    immigration: origin,
                }),
            }
        }
        let origin = to_list(input.origin, input.origin_record_keys)?;
        let destination = to_list(input.destination, input.destination_record_keys)?;
        let corridor = input.terms.corridor;
        let there = reconcile(input.terms, corridor, (origin, destination), &outward)?;
        let and_back = reconcile(input.terms, corridor.to_reverse(), (destination, origin), &back)?;
        Ok(Self {
            terms: input.terms.clone(),
            corridors: vec![
                CorridorTable::new(input.terms, there),
                CorridorTable::new(input.terms, and_back),
            ],
            stop: Stop::default(),
        })
    }
}

fn to_list<'a>(events: &'a [MigrationEvent], record_keys: &'a [u64]) -> Result<MoveList<'a>, FlowError> {
    if !record_keys.is_empty() && record_keys.len() != events.len() {
        return Err(FlowError::RecordKeys {
            keys: record_keys.len(),
            events: events.len(),
        });
    }
    Ok(MoveList { events, record_keys })
}

impl CorridorTable {
    fn new(terms: &FlowTerms, reconciliation: Reconciliation) -> Self {
        let cells: Vec<(CellKey, Account)> = reconciliation.cells.into_iter().collect();
        let margins = margins(&terms.statistics.tables);
        let mut rows: BTreeMap<CellKey, TableRow> = BTreeMap::new();
        // The total and every period stand in the table, moves or none.
        let total = [ALL_CATEGORIES; Variable::ALL.len()];
        let periods = terms.periods().into_iter().map(|period| {
            let mut key = total;
            key[0] = period;
            key
        });
        for key in std::iter::once(total).chain(periods) {
            rows.insert(key, TableRow::empty(key));
        }
        for (position, (key, account)) in cells.iter().enumerate() {
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            for margin in &margins {
                let key: CellKey = std::array::from_fn(|variable| {
                    if margin[variable] {
                        key[variable]
                    } else {
                        ALL_CATEGORIES
                    }
                });
                let row = rows.entry(key).or_insert_with(|| TableRow::empty(key));
                row.cells.push(position);
                row.account.add(account);
            }
        }
        Self {
            corridor: reconciliation.corridor,
            cells,
            rows: rows.into_values().collect(),
            lags: reconciliation.lags,
            stays: reconciliation.stays,
            left_out: reconciliation.left_out,
        }
    }
}

impl TableRow {
    const fn empty(key: CellKey) -> Self {
        Self {
            key,
            cells: Vec::new(),
            account: Account {
                counts: [0; 9],
                keys: [0; 9],
            },
        }
    }
}

/// Which variables each margin of the tables tells apart, each once: every subset of the variables of a table.
fn margins(tables: &[Vec<Variable>]) -> BTreeSet<[bool; Variable::ALL.len()]> {
    let mut margins = BTreeSet::new();
    for table in tables {
        for subset in 0..1_u32 << table.len() {
            margins.insert(Variable::ALL.map(|variable| {
                table
                    .iter()
                    .position(|named| *named == variable)
                    .is_some_and(|position| subset >> position & 1 == 1)
            }));
        }
    }
    margins
}
