//! Candidate pairs on disk give what those in memory give; and a disk that fails gives an error, whenever it does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corridor_core::{
    Assignment, Entropy, Filters, Measure, Pseudonym, Scratch, ScratchRoom, SeededEntropy, Stop,
    ThresholdPolicy,
};

use crate::fields::tests::{SHARED, linked_within, registers, terms};
use crate::pairs::PersonPairs as _;
use crate::{
    CandidateMemory, CandidatePair, Candidates, ComparePlan, Comparison, LinkError, LinkSet, LinkSide,
    decide, plan_tiles,
};

/// Blocks in memory. So many are taken, until there is no room; so many are given back, and then one is not.
#[derive(Debug)]
struct Room {
    takes: Arc<AtomicUsize>,
    gives: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Blocks {
    blocks: Vec<Vec<u8>>,
    takes: Arc<AtomicUsize>,
    gives: Arc<AtomicUsize>,
}

const ENDLESS: usize = usize::MAX / 2;

impl Room {
    fn new(takes: usize, gives: usize) -> Arc<Self> {
        Arc::new(Self {
            takes: Arc::new(AtomicUsize::new(takes)),
            gives: Arc::new(AtomicUsize::new(gives)),
        })
    }

    fn given(&self) -> usize {
        ENDLESS - self.gives.load(Ordering::Relaxed)
    }

    fn taken(&self) -> usize {
        ENDLESS - self.takes.load(Ordering::Relaxed)
    }
}

impl ScratchRoom for Room {
    fn open(&self) -> io::Result<Box<dyn Scratch>> {
        Ok(Box::new(Blocks {
            blocks: Vec::new(),
            takes: Arc::clone(&self.takes),
            gives: Arc::clone(&self.gives),
        }))
    }
}

impl Scratch for Blocks {
    fn append(&mut self, block: &[u8]) -> io::Result<()> {
        let has_room = |left: usize| left.checked_sub(1);
        if self
            .takes
            .try_update(Ordering::Relaxed, Ordering::Relaxed, has_room)
            .is_err()
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.blocks.push(block.to_vec());
        Ok(())
    }

    fn read(&self, index: usize, block: &mut Vec<u8>) -> io::Result<()> {
        // Once, and never again: who does not look that time finds nothing wrong.
        if self.gives.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        block.clear();
        block.extend_from_slice(&self.blocks[index]);
        Ok(())
    }
}

/// Two registers in which some persons have several records, and those are alike.
fn registers_of_moves(shared: usize, seed: u64) -> [(Filters, Vec<Pseudonym>); 2] {
    registers(shared, seed).map(|(filters, mut persons)| {
        let mut with_moves = Filters::with_capacity(filters.filter_len(), 0);
        let mut of_moves = Vec::new();
        let entropy: &mut dyn Entropy = &mut SeededEntropy::new(seed, "moves");
        for (row, person) in persons.drain(..).enumerate() {
            for _ in 0..=(entropy.next_u64() % 8 / 6) {
                let mut words = filters.row(row).to_vec();
                words[1] ^= 1 << (entropy.next_u64() % 64);
                with_moves.push(&words);
                of_moves.push(person);
            }
        }
        (with_moves, of_moves)
    })
}

fn linked(
    registers: &[(Filters, Vec<Pseudonym>); 2],
    (policy, assignment): (ThresholdPolicy, Assignment),
    memory: &CandidateMemory,
) -> Result<LinkSet, LinkError> {
    let left = LinkSide::from_parts(&registers[0].0, &registers[0].1)?;
    let right = LinkSide::from_parts(&registers[1].0, &registers[1].1)?;
    let plan = ComparePlan::new(&left, &right, Measure::Dice, policy, None, 1)?;
    let comparison = Comparison::new(&left, &right, Measure::Dice, plan.floor());
    let mut candidates = Candidates::new(&left, &right, memory, 0);
    for tile in plan_tiles(left.len(), right.len()) {
        candidates.add(comparison.compare(&tile))?;
    }
    decide(&plan, assignment, candidates)
}

fn policies() -> Vec<(ThresholdPolicy, Assignment)> {
    let given = ThresholdPolicy::Fixed("0.6".parse().unwrap());
    let of_given = Assignment::ALL.map(|assignment| (given, assignment));
    let one_to_one = [Assignment::Greedy, Assignment::Optimal, Assignment::MutualBest];
    let estimated = one_to_one.map(|assignment| (ThresholdPolicy::Estimated, assignment));
    of_given.into_iter().chain(estimated).collect()
}

fn assert_same(a: &LinkSet, b: &LinkSet, what: &str) {
    assert_eq!(a.links, b.links, "{what}");
    assert_eq!(a.decision, b.decision, "{what}");
    // What is left for groups, to the last bit.
    let group = |record: u32| record.is_multiple_of(3);
    assert_eq!(
        format!("{:?}", a.expect_among(&group)),
        format!("{:?}", b.expect_among(&group)),
        "{what}"
    );
}

#[test]
fn candidates_on_disk_give_the_links_of_those_in_memory() {
    for seed in 1..=2 {
        let registers = registers_of_moves(SHARED, seed);
        for policy in policies() {
            let what = format!("seed {seed}, {policy:?}");
            let in_memory = linked(&registers, policy, &CandidateMemory::unbounded()).unwrap();
            assert!(in_memory.links.len() > 300, "{what}: {}", in_memory.links.len());
            for most in [64, 1000] {
                let room = Room::new(ENDLESS, ENDLESS);
                let on_disk = linked(&registers, policy, &CandidateMemory::tiny(most, room.clone())).unwrap();
                assert_same(&in_memory, &on_disk, &what);
                assert!(room.taken() > 2 && room.given() > room.taken(), "{what}: on disk");
            }
        }
    }
}

#[test]
fn fields_decide_on_disk_as_they_do_in_memory() {
    let registers = registers_of_moves(SHARED, 3);
    let (mut known, mut by_model) = (0, 0);
    for (policy, assignment) in policies() {
        let what = format!("{policy:?} {assignment:?}");
        let terms = (&terms(policy, vec![1]), assignment);
        let in_memory = linked_within(&registers, terms, &CandidateMemory::unbounded()).unwrap();
        let room = Room::new(ENDLESS, ENDLESS);
        let on_disk = linked_within(&registers, terms, &CandidateMemory::tiny(200, room.clone())).unwrap();
        assert_same(&in_memory, &on_disk, &what);
        let [a, b] = [&in_memory, &on_disk].map(|links| links.fields.as_ref().unwrap());
        assert_eq!(a.report, b.report, "{what}");
        assert_eq!(a.evidence, b.evidence, "{what}");
        assert!(room.taken() > 2, "{what}: on disk");
        // Of the same two records the model says the same, however links are made.
        if let ThresholdPolicy::Fixed(_) = policy {
            let greedy = (terms.0, Assignment::Greedy);
            let greedy = linked_within(&registers, greedy, &CandidateMemory::unbounded()).unwrap();
            for link in &in_memory.links {
                assert!(link.probability.is_some(), "{what}");
                let same = |other: &&crate::Link| (other.left, other.right) == (link.left, link.right);
                if let Some(other) = greedy.links.iter().find(same) {
                    assert_eq!(link.probability, other.probability, "{what}");
                    known += 1;
                }
                by_model += 1;
            }
        }
    }
    assert!(known > 1000 && by_model >= known, "{known} of {by_model}");
}

/// Two dozen numbers below `end`, from the first to the last.
fn some_of(end: usize) -> impl Iterator<Item = usize> {
    let count = end.min(24);
    (0..count).map(move |position| position * (end - 1) / (count - 1).max(1))
}

type Linking<'a> = Box<dyn Fn(&CandidateMemory) -> Result<LinkSet, LinkError> + 'a>;

#[test]
fn a_disk_that_fails_gives_an_error_whenever_it_does() {
    let registers = &registers_of_moves(400, 4);
    let terms = terms(ThresholdPolicy::Estimated, Vec::new());
    let mut runs: Vec<Linking<'_>> = Vec::new();
    for policy in policies() {
        runs.push(Box::new(move |memory| linked(registers, policy, memory)));
    }
    let terms = (&terms, Assignment::Greedy);
    runs.push(Box::new(move |memory| linked_within(registers, terms, memory)));
    for (number, run) in runs.iter().enumerate() {
        let room = Room::new(ENDLESS, ENDLESS);
        let whole = run(&CandidateMemory::tiny(700, room.clone())).unwrap();
        let (taken, given) = (room.taken(), room.given());
        assert!(taken > 2 && given > 20, "{number}: {taken} {given}");
        let fails = |takes, gives, kind: io::ErrorKind| {
            let failed = run(&CandidateMemory::tiny(700, Room::new(takes, gives)));
            assert!(
                matches!(&failed, Err(LinkError::Scratch(error)) if error.kind() == kind),
                "run {number}, {takes} blocks taken and {gives} given back: {:?}",
                failed.map(|links| links.links.len())
            );
        };
        for takes in some_of(taken) {
            fails(takes, ENDLESS, io::ErrorKind::StorageFull);
        }
        for gives in some_of(given) {
            fails(ENDLESS, gives, io::ErrorKind::InvalidData);
        }
        let enough = run(&CandidateMemory::tiny(700, Room::new(taken, given))).unwrap();
        assert_same(&whole, &enough, "with just enough");
    }
}

#[test]
fn a_block_that_is_cut_off_is_noticed() {
    #[derive(Debug)]
    struct Cutting(Vec<Vec<u8>>);
    #[derive(Debug)]
    struct CuttingRoom;
    impl ScratchRoom for CuttingRoom {
        fn open(&self) -> io::Result<Box<dyn Scratch>> {
            Ok(Box::new(Cutting(Vec::new())))
        }
    }
    impl Scratch for Cutting {
        fn append(&mut self, block: &[u8]) -> io::Result<()> {
            self.0.push(block[..block.len() - 1].to_vec());
            Ok(())
        }
        fn read(&self, index: usize, block: &mut Vec<u8>) -> io::Result<()> {
            block.clone_from(&self.0[index]);
            Ok(())
        }
    }
    let registers = registers_of_moves(400, 5);
    let memory = CandidateMemory::tiny(100, Arc::new(CuttingRoom));
    let failed = linked(&registers, policies()[0], &memory);
    assert!(matches!(failed, Err(LinkError::Scratch(_))));
}

#[test]
fn pairs_of_the_same_two_persons_are_one_in_memory_and_on_disk() {
    let (filters, persons) = &registers_of_moves(400, 6)[0];
    let side = LinkSide::from_parts(filters, persons).unwrap();
    let records = u32::try_from(side.len()).unwrap();
    let of_first: Vec<u32> = (0..records)
        .filter(|&record| side.person_of(record) < 40)
        .collect();
    let pairs = |memory: &CandidateMemory| {
        let mut candidates = Candidates::new(&side, &side, memory, 0);
        for (&left, &right) in of_first
            .iter()
            .flat_map(|left| of_first.iter().map(move |right| (left, right)))
        {
            // The pair of the last records of both persons is the most alike.
            let similarity = 0.5 + f64::from(left + right) / f64::from(records) / 8.0;
            candidates
                .add([CandidatePair {
                    left,
                    right,
                    similarity,
                }])
                .unwrap();
        }
        let given = ThresholdPolicy::Fixed("0.5".parse().unwrap());
        let plan = ComparePlan::new(&side, &side, Measure::Dice, given, None, 1).unwrap();
        decide(&plan, Assignment::OneToMany, candidates).unwrap()
    };
    let in_memory = pairs(&CandidateMemory::unbounded());
    assert_eq!(in_memory.links.len(), 40, "each person of the right once");
    let last = *of_first.last().unwrap();
    assert!(in_memory.links.iter().all(|link| link.left == last));
    let on_disk = pairs(&CandidateMemory::tiny(50, Room::new(ENDLESS, ENDLESS)));
    assert_same(&in_memory, &on_disk, "persons");
}

#[test]
fn a_walk_ends_soon_after_the_work_is_stopped() {
    let (filters, persons) = &registers(SHARED, 7)[0];
    for memory in [
        CandidateMemory::unbounded(),
        CandidateMemory::tiny(100_000, Room::new(ENDLESS, ENDLESS)),
    ] {
        let stop = Stop::default();
        let side = LinkSide::from_parts(filters, persons).unwrap().stopped_by(&stop);
        let records = u32::try_from(side.len()).unwrap();
        let pair = |(left, right)| CandidatePair {
            left,
            right,
            similarity: 0.5,
        };
        let all = (0..records).flat_map(|left| (0..records).map(move |right| (left, right)));
        let mut candidates = Candidates::new(&side, &side, &memory, 0);
        candidates.add(all.take(300_000).map(pair)).unwrap();
        let mut more = Candidates::new(&side, &side, &memory, 0);
        let (pairs, _) = candidates.into_pairs().unwrap();
        assert_eq!(pairs.walk().count(), 300_000);
        assert!(pairs.check().is_ok());

        let mut walk = pairs.walk();
        assert!(walk.next().is_some());
        stop.set();
        assert!(walk.count() < 100_000);
        assert_eq!(pairs.walk().count(), 0, "nor does another begin");
        assert!(matches!(pairs.check(), Err(LinkError::Stopped(_))));
        assert!(matches!(more.add([pair((0, 0))]), Err(LinkError::Stopped(_))));
    }
}
