use std::collections::{BTreeMap, HashMap};

use corridor_core::{
    AgeBand, Agreement, BlockColumn, Counterpart, CountryGroup, Direction, MigrationEvent, MigratoryStatus,
    Reason, Sex, Variable,
};

use super::repeats::{Kept, fill};

/// What of a move stands in clear and tells who it is of, but for the day. Flags of stay are left out: nobody knows them of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stratum {
    direction: Direction,
    counterpart: Counterpart,
    year: i16,
    sex: Sex,
    age_band: Option<AgeBand>,
    age_band_reached: Option<AgeBand>,
    citizenship: Option<CountryGroup>,
    birth_country: Option<CountryGroup>,
    migratory_status: MigratoryStatus,
    reason: Reason,
}

impl From<&MigrationEvent> for Stratum {
    fn from(event: &MigrationEvent) -> Self {
        let facts = &event.facts;
        Self {
            direction: event.direction,
            counterpart: event.counterpart,
            year: event.date.year(),
            sex: event.sex,
            age_band: event.age_band,
            age_band_reached: facts.age_band_reached,
            citizenship: facts.citizenship,
            birth_country: facts.birth_country,
            migratory_status: facts.migratory_status,
            reason: facts.reason,
        }
    }
}

/// Strata counted; a register with more tells each of its people by the strata alone.
const MOST_STRATA: usize = fill(1 << 20);

/// Blocks of a pass counted at a time.
const MOST_BLOCKS: usize = fill(1 << 17);

/// How many records there are in each stratum in clear, and in each block.
#[derive(Debug)]
pub(super) struct Strata {
    seed: u64,
    strata: HashMap<Stratum, u64>,
    /// Records of strata that there was no room for.
    beyond: u64,
    blocks: BTreeMap<String, Kept<u64>>,
}

/// Records in groups that are smaller than agreed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Small {
    /// Their share.
    pub(super) share: f64,
    /// Records of the smallest group.
    pub(super) smallest: u64,
}

impl Strata {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            strata: HashMap::new(),
            beyond: 0,
            blocks: BTreeMap::new(),
        }
    }

    pub(super) fn observe(&mut self, events: Option<&[MigrationEvent]>, blocks: &[BlockColumn]) {
        for event in events.into_iter().flatten() {
            let stratum = Stratum::from(event);
            if self.strata.len() >= MOST_STRATA && !self.strata.contains_key(&stratum) {
                self.beyond += 1;
            } else {
                *self.strata.entry(stratum).or_default() += 1;
            }
        }
        for column in blocks {
            let counts = self
                .blocks
                .entry(column.pass.clone())
                .or_insert_with(|| Kept::new(MOST_BLOCKS, 0));
            for key in column.keys.iter().flatten() {
                let hash = super::repeats::hash_of(&key.to_bytes(), self.seed);
                if let Some(count) = counts.entry(hash) {
                    *count += 1;
                }
            }
        }
    }

    /// Records in strata of fewer than `least`; `None` for registers of persons only.
    pub(super) fn small_strata(&self, least: u64) -> Option<Small> {
        let small = small(self.strata.values().copied(), self.beyond, least)?;
        Some(small)
    }

    /// The same of the blocks of each pass, by its name. The worst pass decides.
    pub(super) fn small_blocks(&self, least: u64) -> Option<(&str, Small)> {
        self.blocks
            .iter()
            .filter_map(|(pass, blocks)| Some((pass.as_str(), small(blocks.values().copied(), 0, least)?)))
            .max_by(|left, right| left.1.share.total_cmp(&right.1.share))
    }
}

fn small(groups: impl Iterator<Item = u64>, beyond: u64, least: u64) -> Option<Small> {
    let (mut in_small, mut records) = (beyond, beyond);
    let mut smallest = if beyond > 0 { 1 } else { u64::MAX };
    for count in groups {
        records += count;
        smallest = smallest.min(count);
        if count < least {
            in_small += count;
        }
    }
    (records > 0).then(|| Small {
        share: super::share(in_small, records),
        smallest,
    })
}

/// How many strata the agreement makes of the moves of one direction to the partner: years, two sexes, age bands, and the values of
/// whatever else a table counts by.
pub(super) fn agreed_strata(agreement: &Agreement) -> u64 {
    let count = |len: usize| u64::try_from(len).expect("a length fits").max(1);
    let statistics = &agreement.statistics;
    let bands = count(agreement.age_bands.len());
    let groups = count(statistics.country_groups.len());
    let of = |variable: Variable, values: u64| if statistics.names(variable) { values } else { 1 };
    [
        count(agreement.period.years().count()),
        2,
        bands,
        // An age reached in the year is of the band of the age in completed years, or of the next.
        of(Variable::AgeReached, 2),
        of(Variable::Citizenship, groups),
        of(Variable::BirthCountry, groups),
        of(Variable::MigratoryStatus, count(MigratoryStatus::ALL.len()) - 1),
        of(Variable::Reason, count(Reason::ALL.len()) - 1),
    ]
    .iter()
    .fold(1, |product: u64, values| product.saturating_mul(*values))
}
