//! Keys of bits against a look at every pair.

use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{
    BlockColumn, BlockKey, Entropy, FilterLen, Filters, Measure, Pseudonym, Recall, SeededEntropy, Threshold,
    ThresholdPolicy,
};
use proptest::prelude::*;

use crate::lsh::key_of;
use crate::lsh_index::to_hash_bits;
use crate::null::below;
use crate::{
    BlockJoin, Blocks, CandidatePair, ComparePlan, Comparison, LinkError, LinkSide, LshTables, Tile,
    plan_neighbour_tiles, plan_tiles,
};

/// Records of a side.
struct Records {
    filters: Filters,
    persons: Vec<Pseudonym>,
}

impl Records {
    fn new(filters: &[Vec<u64>]) -> Self {
        let bits = u32::try_from(filters[0].len() * 64).unwrap();
        let mut all = Filters::with_capacity(FilterLen::try_from(bits).unwrap(), filters.len());
        filters.iter().for_each(|filter| all.push(filter));
        let persons = (0..filters.len() as u128)
            .map(|person| Pseudonym::from_bytes(person.to_le_bytes()))
            .collect();
        Self {
            filters: all,
            persons,
        }
    }

    fn side(&self) -> LinkSide<'_> {
        LinkSide::from_parts(&self.filters, &self.persons).unwrap()
    }
}

fn set(filter: &mut [u64], bit: usize) {
    filter[bit / 64] |= 1 << (bit % 64);
}

fn flip(filter: &mut [u64], bit: usize) {
    filter[bit / 64] ^= 1 << (bit % 64);
}

/// Filters of 1,024 bits as the names and dates of people give them: tokens of a vocabulary, of which some are common, with ten
/// bits each. Some bits are of no token, and some of one that everybody has.
fn people(count: usize, seed: u64) -> Vec<Vec<u64>> {
    let vocabulary: &mut dyn Entropy = &mut SeededEntropy::new(1, "vocabulary");
    let tokens: Vec<Vec<usize>> = (0..300)
        .map(|_| (0..10).map(|_| below(vocabulary, 900)).collect())
        .collect();
    let entropy: &mut dyn Entropy = &mut SeededEntropy::new(seed, "people");
    (0..count)
        .map(|_| {
            let mut filter = vec![0; 16];
            (900..930).for_each(|bit| set(&mut filter, bit));
            for _ in 0..30 + below(entropy, 10) {
                let rank = below(entropy, 300) * below(entropy, 300) / 300;
                tokens[rank].iter().for_each(|&bit| set(&mut filter, bit));
            }
            filter
        })
        .collect()
}

fn dice(a: &[u64], b: &[u64]) -> f64 {
    let count = |words: &mut dyn Iterator<Item = u64>| -> u32 { words.map(u64::count_ones).sum() };
    let both = count(&mut a.iter().zip(b).map(|(a, b)| a & b));
    let ones = count(&mut a.iter().copied()) + count(&mut b.iter().copied());
    2.0 * f64::from(both) / f64::from(ones)
}

/// Each filter with as many bits changed, of those below `positions`, as leave it at the threshold or just above.
fn at_threshold(filters: &[Vec<u64>], threshold: f64, positions: usize, seed: u64) -> Vec<Vec<u64>> {
    let entropy: &mut dyn Entropy = &mut SeededEntropy::new(seed, "changes");
    filters
        .iter()
        .map(|filter| {
            let (mut changed, mut done) = (filter.clone(), BTreeSet::new());
            loop {
                let bit = below(entropy, positions);
                if !done.insert(bit) {
                    continue;
                }
                flip(&mut changed, bit);
                if dice(filter, &changed) < threshold {
                    flip(&mut changed, bit);
                    return changed;
                }
            }
        })
        .collect()
}

fn derive(left: &LinkSide<'_>, right: &LinkSide<'_>, threshold: &str, recall: &str, seed: u64) -> LshTables {
    let asked: (Threshold, Recall) = (threshold.parse().unwrap(), recall.parse().unwrap());
    LshTables::derive(left, right, Measure::Dice, asked, seed).unwrap()
}

/// Share of the pairs (i, i) of the first `records` that meet.
fn measured_recall(tables: &LshTables, left: &LinkSide<'_>, right: &LinkSide<'_>, records: u32) -> f64 {
    let found = (0..records).filter(|&record| tables.meet((left, record), (right, record)));
    found.count() as f64 / f64::from(records)
}

#[test]
fn of_pairs_at_the_threshold_the_recall_asked_for_is_found() {
    // Of 4,000 pairs a share of 0.9 is found with a standard error of 0.005 where each pair is on its own; that all see the
    // same tables makes it a little more. Four of them are let pass.
    const TOLERANCE: f64 = 0.02;
    for (threshold, recall) in [("0.8", "0.9"), ("0.88", "0.98")] {
        for seed in 1..=3 {
            // Beside them people without a partner, so many that keys of several bits pay.
            let persons = people(16_000, seed);
            let left = Records::new(&persons);
            let strangers = people(12_000, seed + 100);
            // Changes anywhere, and changes where people differ only.
            for positions in [1024, 900] {
                let mut others = at_threshold(&persons[..4000], threshold.parse().unwrap(), positions, seed);
                others.extend_from_slice(&strangers);
                let right = Records::new(&others);
                let (left, right) = (left.side(), right.side());
                let tables = derive(&left, &right, threshold, recall, seed);
                assert!(tables.key_bits() > 4 && tables.table_count() > 1, "{tables:?}");
                let found = measured_recall(&tables, &left, &right, 4000);
                assert!(
                    found > recall.parse::<f64>().unwrap() - TOLERANCE,
                    "{threshold} {recall} {seed} {positions}: {found} by {} tables of {} bits",
                    tables.table_count(),
                    tables.key_bits()
                );
            }
        }
    }
}

#[test]
fn of_pairs_at_the_threshold_not_many_more_are_found_where_all_filters_are_as_full() {
    // All bits are as informative and all filters as full, so that nothing is on the safe side: what was asked for, no less
    // than by chance, and no more than the last table adds.
    let entropy: &mut dyn Entropy = &mut SeededEntropy::new(1, "filters");
    let persons: Vec<Vec<u64>> = (0..8000)
        .map(|_| (0..16).map(|_| entropy.next_u64() & entropy.next_u64()).collect())
        .collect();
    let others = at_threshold(&persons, 0.8, 1024, 2);
    let (left, right) = (Records::new(&persons), Records::new(&others));
    let (left, right) = (left.side(), right.side());
    for seed in 1..=4 {
        let tables = derive(&left, &right, "0.8", "0.9", seed);
        let found = measured_recall(&tables, &left, &right, 8000);
        assert!((0.89..0.95).contains(&found), "{found}");
    }
}

#[test]
fn constant_bits_are_not_drawn() {
    let (left, right) = (Records::new(&people(12_000, 1)), Records::new(&people(12_000, 2)));
    let tables = derive(&left.side(), &right.side(), "0.85", "0.95", 1);
    let drawn: BTreeSet<u16> = tables.tables.concat().into_iter().collect();
    assert!(
        drawn.len() > 30 && drawn.iter().all(|&bit| bit < 900),
        "{drawn:?}"
    );
}

#[test]
fn expected_pairs_are_about_those_that_meet() {
    let (left, right) = (Records::new(&people(3000, 1)), Records::new(&people(5000, 2)));
    let (left, right) = (left.side(), right.side());
    let tables = derive(&left, &right, "0.8", "0.9", 1);
    let (expected, found) = (
        tables.expected_pairs() as f64,
        tables.pair_count(&left, &right) as f64,
    );
    assert!(found > 1000.0 && found < 0.5 * 15_000_000.0, "{found}");
    assert!((0.5..2.0).contains(&(expected / found)), "{expected} {found}");
}

/// Filters of two words in which a few patterns come again with noise, and every now and then an empty one.
fn patterned(count: usize, seed: u64) -> Vec<Vec<u64>> {
    let patterns: &mut dyn Entropy = &mut SeededEntropy::new(1, "patterns");
    let patterns: Vec<[u64; 2]> = (0..20)
        .map(|_| [patterns.next_u64(), patterns.next_u64()])
        .collect();
    let entropy: &mut dyn Entropy = &mut SeededEntropy::new(seed, "records");
    (0..count)
        .map(|_| {
            let [first, second] = patterns[below(entropy, 20)];
            let noise = entropy.next_u64() & entropy.next_u64() & entropy.next_u64();
            if below(entropy, 15) == 0 {
                vec![0, 0]
            } else {
                vec![first ^ noise, second]
            }
        })
        .collect()
}

/// Keys of one pass; some records have none, and keys have two lengths.
fn block_keys(filters: &[Vec<u64>], seed: u64) -> Vec<BlockColumn> {
    let entropy: &mut dyn Entropy = &mut SeededEntropy::new(seed, "keys");
    let keys = filters.iter().map(|filter| {
        let draw = below(entropy, 30);
        let hash = (u128::from(filter[0]) << 64).to_be_bytes();
        (draw > 2).then(|| BlockKey::new(hash, if draw.is_multiple_of(3) { 5 } else { 8 }))
    });
    vec![BlockColumn {
        pass: "one".to_owned(),
        keys: keys.collect(),
    }]
}

fn tables_of(positions: &[Vec<u16>], right_len: usize) -> LshTables {
    LshTables {
        threshold: "0.8".parse().unwrap(),
        recall: "0.9".parse().unwrap(),
        tables: positions.to_vec(),
        hash_bits: to_hash_bits(right_len),
        expected_pairs: 0,
    }
}

/// All pairs of all tiles, as often as they are found.
fn compare_all(comparison: &Comparison<'_>, tiles: &[Tile]) -> Vec<CandidatePair> {
    tiles.iter().flat_map(|tile| comparison.compare(tile)).collect()
}

fn by_records(pairs: &[CandidatePair]) -> BTreeMap<(u32, u32), usize> {
    let mut counts = BTreeMap::new();
    for pair in pairs {
        *counts.entry((pair.left, pair.right)).or_default() += 1;
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_pair_that_agrees_in_a_key_or_a_block_is_found_once(
        positions in (0_usize..9).prop_flat_map(|bits| {
            prop::collection::vec(prop::collection::vec(0_u16..128, bits), 1..6)
        }),
        (left_len, right_len) in (1_usize..400, 1_usize..400),
        seed in any::<u64>(),
        with_blocks in any::<bool>(),
    ) {
        let (left_filters, right_filters) = (patterned(left_len, seed), patterned(right_len, seed ^ 1));
        let columns = (block_keys(&left_filters, seed), block_keys(&right_filters, seed ^ 2));
        let blocks = Blocks::of_columns(&columns.0, &columns.1, BlockJoin::SemiJoin)
            .filter(|_| with_blocks);
        let (left, right) = (Records::new(&left_filters), Records::new(&right_filters));
        let (left, right) = (left.side(), right.side());
        let tables = tables_of(&positions, right_len);
        let floor = "0.4".parse().unwrap();
        let comparison =
            Comparison::of_neighbours(&left, &right, Measure::Dice, floor, &tables, blocks.as_ref());
        let tiles = plan_neighbour_tiles(blocks.as_ref(), left_len);
        prop_assert!(tiles.iter().enumerate().all(|(position, tile)| tile.index == position));
        let found = by_records(&compare_all(&comparison, &tiles));

        let mut by_chance = 0;
        for (l, a) in left_filters.iter().enumerate() {
            for (r, b) in right_filters.iter().enumerate() {
                let in_block = with_blocks
                    && columns.0[0].keys[l].zip(columns.1[0].keys[r]).is_some_and(|(a, b)| a.meets(&b));
                let agrees = positions.iter().any(|positions| key_of(a, positions) == key_of(b, positions));
                let alike = a.iter().chain(b).any(|word| *word != 0) && dice(a, b) >= 0.4;
                let count = found.get(&(l as u32, r as u32)).copied().unwrap_or(0);
                let meets = tables.meet((&left, l as u32), (&right, r as u32));
                prop_assert!(!agrees || meets || a == &[0, 0] || b == &[0, 0]);
                prop_assert_eq!(count, usize::from(alike && (in_block || meets)), "{} and {}", l, r);
                by_chance += usize::from(meets && !agrees);
            }
        }
        // Hashes of 9 bits and more of keys of few bits: an eighth of the pairs would be much.
        prop_assert!(8 * by_chance <= left_len * right_len, "{} pairs by chance", by_chance);
    }

    #[test]
    fn a_semi_join_loses_no_pair(
        left in keys(0..60),
        right in keys(0..60),
    ) {
        let column = |keys: &[Option<(u16, u8)>]| {
            let keys = keys.iter().map(|key| {
                let (hash, bits) = (*key)?;
                Some(BlockKey::new((u128::from(hash) << 112).to_be_bytes(), bits))
            });
            vec![BlockColumn { pass: "one".to_owned(), keys: keys.collect() }]
        };
        let (left, right) = (column(&left), column(&right));
        let pairs = |join| {
            let blocks = Blocks::of_columns(&left, &right, join).unwrap();
            let mut pairs = Vec::new();
            for piece in blocks.all_pieces() {
                let (lefts, rights) = blocks.records(piece);
                pairs.extend(lefts.iter().flat_map(|l| rights.iter().map(move |r| (*l, *r))));
            }
            (pairs, blocks.plan_tiles())
        };
        let plain = pairs(BlockJoin::Plain);
        prop_assert_eq!(&pairs(BlockJoin::SemiJoin), &plain);
        prop_assert_eq!(&pairs(BlockJoin::WhereItPays), &plain);
    }
}

/// Keys of all lengths up to 16 bits, many the beginning of others; sides of any two sizes.
fn keys(records: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Option<(u16, u8)>>> {
    let hash = prop_oneof![any::<u16>(), 0_u16..4, Just(0xff00_u16)];
    prop::collection::vec(prop::option::weighted(0.9, (hash, 0_u8..17)), records)
}

#[test]
fn tables_and_pairs_are_the_same_on_any_number_of_threads() {
    let persons = people(8000, 1);
    let mut others = at_threshold(&persons[..1000], 0.82, 1024, 1);
    others.extend(people(5000, 2));
    let (left, right) = (Records::new(&persons), Records::new(&others));
    let on = |threads: usize, policy| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let (left, right) = (left.side(), right.side());
            let plan = ComparePlan::new(&left, &right, Measure::Dice, policy, None, 7).unwrap();
            let recall = "0.9".parse().unwrap();
            let plan = plan.with_lsh(&left, &right, Measure::Dice, recall, 7).unwrap();
            let tables = plan.lsh().unwrap();
            let comparison =
                Comparison::of_neighbours(&left, &right, Measure::Dice, plan.floor(), tables, None);
            let pairs = compare_all(&comparison, &plan_neighbour_tiles(None, left.len()));
            (tables.clone(), tables.pair_count(&left, &right), pairs)
        })
    };
    let fixed = ThresholdPolicy::Fixed("0.8".parse().unwrap());
    for policy in [fixed, ThresholdPolicy::Estimated] {
        let (one, two, eight) = (on(1, policy), on(2, policy), on(8, policy));
        assert_eq!(one, two);
        assert_eq!(one, eight);
        // One table with no bits would be the same of any seed.
        assert!(
            policy == ThresholdPolicy::Estimated || one.0.key_bits() > 1,
            "{:?}",
            one.0
        );
        assert!(!one.2.is_empty(), "{policy:?} {:?} {}", one.0, one.1);
    }
    let other_seed = derive(&left.side(), &right.side(), "0.8", "0.9", 8);
    assert_ne!(on(1, fixed).0.tables, other_seed.tables);
}

#[test]
fn keys_of_bits_are_refused_for_majorities() {
    let records = Records::new(&people(20, 1));
    let side = records.side();
    let asked = ("0.2".parse().unwrap(), "0.9".parse().unwrap());
    let refused = LshTables::derive(&side, &side, Measure::Rho, asked, 1);
    assert!(
        matches!(refused, Err(LinkError::LshNeedsBloomFilters)),
        "{refused:?}"
    );
}

#[test]
fn where_all_records_are_equal_all_pairs_are_compared_once_and_held_once() {
    let filter = people(1, 1).remove(0);
    let (left, right) = (
        Records::new(&vec![filter.clone(); 300]),
        Records::new(&vec![filter; 2000]),
    );
    let (left, right) = (left.side(), right.side());
    let tables = derive(&left, &right, "0.8", "0.95", 1);
    assert_eq!((tables.table_count(), tables.key_bits()), (1, 0));
    assert_eq!(tables.expected_pairs(), 600_000);

    // Tables that do not help, as for data that are otherwise than their sample.
    let tables = tables_of(&vec![vec![1, 2, 3]; 30], right.len());
    let comparison = Comparison::of_neighbours(
        &left,
        &right,
        Measure::Dice,
        "0.9".parse().unwrap(),
        &tables,
        None,
    );
    for tile in plan_neighbour_tiles(None, left.len()) {
        let pairs = comparison.compare(&tile);
        assert!(
            pairs.capacity() <= 4 * pairs.len() + (1 << 20),
            "room for {} pairs",
            pairs.capacity()
        );
    }
    let pairs = compare_all(&comparison, &plan_neighbour_tiles(None, left.len()));
    assert_eq!(pairs.len(), 600_000);
}

#[test]
fn one_giant_block_of_different_people_gives_the_pairs_of_the_whole() {
    // More than are copied at a time.
    let (mut left_filters, mut right_filters) = (people(700, 1), people(9000, 2));
    for filter in left_filters.iter_mut().chain(&mut right_filters) {
        (0..3).for_each(|bit| set(filter, bit));
    }
    let (left, right) = (Records::new(&left_filters), Records::new(&right_filters));
    let (left, right) = (left.side(), right.side());
    let tables = tables_of(&[vec![0, 1, 2]], right.len());
    let floor = "0.62".parse().unwrap();
    let comparison = Comparison::of_neighbours(&left, &right, Measure::Dice, floor, &tables, None);
    let found = compare_all(&comparison, &plan_neighbour_tiles(None, left.len()));
    let whole = Comparison::new(&left, &right, Measure::Dice, floor);
    let expected = compare_all(&whole, &plan_tiles(left.len(), right.len()));
    assert!(found.len() > 100, "{} pairs", found.len());
    assert_eq!(found, expected);
}

#[test]
fn filters_without_a_bit_have_no_key() {
    let mut filters = people(50, 1);
    filters[7] = vec![0; 16];
    let (left, right) = (Records::new(&filters), Records::new(&vec![vec![0; 16]; 3]));
    let (left, right) = (left.side(), right.side());
    for (one, other) in [(&left, &right), (&right, &left), (&right, &right)] {
        let tables = derive(one, other, "0.8", "0.9", 1);
        assert_eq!(tables.pair_count(one, other), 0);
        assert!(!tables.meet((one, 0), (other, 0)));
        let comparison =
            Comparison::of_neighbours(one, other, Measure::Dice, "0.1".parse().unwrap(), &tables, None);
        assert_eq!(
            compare_all(&comparison, &plan_neighbour_tiles(None, one.len())),
            []
        );
    }
    let tables = derive(&left, &left, "0.8", "0.9", 1);
    assert!(!tables.meet((&left, 7), (&left, 7)) && tables.meet((&left, 8), (&left, 8)));
}

#[test]
fn tables_are_for_the_given_threshold_or_for_where_chance_ends() {
    let (left, right) = (Records::new(&people(2500, 1)), Records::new(&people(2000, 2)));
    let (left, right) = (left.side(), right.side());
    let planned = |policy| {
        let plan = ComparePlan::new(&left, &right, Measure::Dice, policy, None, 1).unwrap();
        let plan = plan.with_lsh(&left, &right, Measure::Dice, "0.9".parse().unwrap(), 1);
        plan.unwrap().lsh().unwrap().threshold()
    };
    let fixed = "0.83".parse().unwrap();
    assert_eq!(planned(ThresholdPolicy::Fixed(fixed)), fixed);
    let level = planned(ThresholdPolicy::Estimated);
    let whole = Comparison::new(&left, &right, Measure::Dice, level);
    let above = compare_all(&whole, &plan_tiles(left.len(), right.len())).len();
    // The people of the two sides are as alike as those of one, and none is on both: 2,000 are expected.
    assert!((1000..4000).contains(&above), "{above} pairs from {level} on");
}
