//! Every path, at every length, density and alignment, against the definition worked out bit by bit.

use proptest::prelude::*;

use crate::cut::Linear;
use crate::screen::{Part, Screen};
use crate::search::{LogFactorials, statistical_limits};
use crate::{Cut, FilterMatrix, Kernel, Measure, Pair, Search};

const MEASURES: [Measure; 2] = [Measure::Dice, Measure::Rho];

/// Whether a pair is in, bit by bit, in fractions; and its distance.
fn reaches(measure: Measure, a: &[u64], b: &[u64], p: u64, q: u64) -> (bool, u32) {
    let bit = |words: &[u64], j: usize| words[j / 64] >> (j % 64) & 1;
    let (mut both, mut differ, mut ones) = (0_u64, 0_u64, 0_u64);
    for j in 0..a.len() * 64 {
        both += bit(a, j) & bit(b, j);
        differ += bit(a, j) ^ bit(b, j);
        ones += bit(a, j) + bit(b, j);
    }
    let is_in = match measure {
        Measure::Dice => ones > 0 && 2 * both * q >= p * ones,
        Measure::Rho => {
            let m = i128::try_from(a.len() * 64).unwrap();
            i128::from(q) * (m - 2 * i128::from(differ)) >= i128::from(p) * m
        }
    };
    (is_in, u32::try_from(differ).unwrap())
}

fn oracle(measure: Measure, words: usize, left: &[u64], right: &[u64], p: u32, q: u32) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (i, a) in left.chunks(words).enumerate() {
        for (j, b) in right.chunks(words).enumerate() {
            let (is_in, distance) = reaches(measure, a, b, u64::from(p), u64::from(q));
            if is_in {
                pairs.push(Pair {
                    left: u32::try_from(i).unwrap(),
                    right: u32::try_from(j).unwrap(),
                    distance,
                });
            }
        }
    }
    pairs
}

/// SplitMix64 (Steele, Lea & Flood 2014): bits that are the same every time.
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// `records` filters; a bit is set with probability `eighths`/8. Some are copies of others with a few bits changed,
    /// some empty, some full.
    fn filters(&mut self, records: usize, words: usize, eighths: u32) -> Vec<u64> {
        let mut filters: Vec<u64> = Vec::with_capacity(records * words);
        for record in 0..records {
            match self.next() % 8 {
                0 if record > 0 => {
                    let source = usize::try_from(self.next()).unwrap() % record;
                    let copy = filters[source * words..(source + 1) * words].to_vec();
                    filters.extend(
                        copy.iter()
                            .map(|word| word ^ (self.next() & self.next() & self.next() & self.next())),
                    );
                }
                1 if self.next().is_multiple_of(4) => {
                    let whole = if self.next().is_multiple_of(2) {
                        0
                    } else {
                        u64::MAX
                    };
                    filters.extend(std::iter::repeat_n(whole, words));
                }
                _ => {
                    for _ in 0..words {
                        let draws = [self.next(), self.next(), self.next()];
                        filters.push((0..64).fold(0, |word, bit| {
                            let value = draws.iter().fold(0, |v, draw| v << 1 | (draw >> bit & 1));
                            word | u64::from(value < u64::from(eighths)) << bit
                        }));
                    }
                }
            }
        }
        filters
    }
}

fn searches(cut: &Cut, left: &FilterMatrix<'_>, right: &crate::PackedMatrix) -> Vec<Search> {
    let words = left.words_per_filter();
    let mut searches = vec![Search::full(cut.clone()), Search::exact(cut.clone(), left, right)];
    // Whatever would pay: folding changes nothing.
    for folded in [1, words.div_ceil(3), words / 2 + 1, words] {
        let screen = Screen::new(Part::Folded, folded.min(words), words, cut.linear());
        searches.push(Search::screened(cut.clone(), screen));
    }
    searches
}

#[test]
fn every_path_finds_more_pairs_in_a_row_than_it_notes_at_a_time() {
    let mut bits = Bits(9);
    for (words, records) in [(1, 700), (2, 603), (5, 397)] {
        let (left_words, right_words) = (bits.filters(6, words, 3), bits.filters(records, words, 3));
        let left = FilterMatrix::try_new(&left_words, words).unwrap();
        let right = FilterMatrix::try_new(&right_words, words).unwrap().to_packed();
        for p in [0, 40] {
            let expected = oracle(Measure::Dice, words, &left_words, &right_words, p, 100);
            let cut = Cut::new(Measure::Dice, words, p, 100);
            for search in searches(&cut, &left, &right) {
                for kernel in Kernel::available() {
                    let mut found = Vec::new();
                    kernel.pairs_reaching((&left, 0..6), (&right, 0..records), &search, &mut found);
                    assert_eq!(found, expected, "{} {words} words {p} %", kernel.name());
                }
            }
        }
    }
}

#[test]
fn every_path_finds_the_pairs_of_the_definition_at_every_length_and_density() {
    let mut bits = Bits(1);
    for words in 1..=64 {
        for eighths in [1, 3, 4, 7] {
            let (left_words, right_words) =
                (bits.filters(21, words, eighths), bits.filters(43, words, eighths));
            let left = FilterMatrix::try_new(&left_words, words).unwrap();
            let right = FilterMatrix::try_new(&right_words, words).unwrap().to_packed();
            for measure in MEASURES {
                for p in [0, 11, 50, 80, 100] {
                    let expected = oracle(measure, words, &left_words, &right_words, p, 100);
                    let cut = Cut::new(measure, words, p, 100);
                    for search in searches(&cut, &left, &right) {
                        for kernel in Kernel::available() {
                            let mut found = Vec::new();
                            kernel.pairs_reaching(
                                (&left, 0..left.len()),
                                (&right, 0..right.len()),
                                &search,
                                &mut found,
                            );
                            assert_eq!(
                                found,
                                expected,
                                "{} {words} words {measure:?} {p} %",
                                kernel.name()
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_range_of_rows_gives_the_pairs_of_that_range_whatever_its_ends() {
    let mut bits = Bits(2);
    for words in [1, 8, 16, 32] {
        let (left_words, right_words) = (bits.filters(23, words, 4), bits.filters(61, words, 4));
        let left = FilterMatrix::try_new(&left_words, words).unwrap();
        let right = FilterMatrix::try_new(&right_words, words).unwrap().to_packed();
        let all = oracle(Measure::Dice, words, &left_words, &right_words, 55, 100);
        let search = Search::exact(Cut::new(Measure::Dice, words, 55, 100), &left, &right);
        for left_rows in [0..0, 0..1, 3..4, 2..9, 22..23, 0..23] {
            for right_rows in [0..0, 0..1, 7..8, 8..9, 5..30, 16..61, 60..61] {
                let holds =
                    |range: &std::ops::Range<usize>, row: u32| range.contains(&usize::try_from(row).unwrap());
                let expected: Vec<Pair> = all
                    .iter()
                    .filter(|pair| holds(&left_rows, pair.left) && holds(&right_rows, pair.right))
                    .copied()
                    .collect();
                for kernel in Kernel::available() {
                    let mut found = vec![Pair {
                        left: 9,
                        right: 9,
                        distance: 9,
                    }];
                    kernel.pairs_reaching(
                        (&left, left_rows.clone()),
                        (&right, right_rows.clone()),
                        &search,
                        &mut found,
                    );
                    assert_eq!(
                        found[1..],
                        expected,
                        "{} {left_rows:?} {right_rows:?}",
                        kernel.name()
                    );
                }
            }
        }
    }
}

#[test]
fn every_path_counts_the_distances_of_a_row() {
    let mut bits = Bits(3);
    for words in 1..=64 {
        let (row, right_words) = (bits.filters(1, words, 4), bits.filters(19, words, 4));
        let matrix = FilterMatrix::try_new(&right_words, words).unwrap();
        let right = matrix.to_packed();
        let expected: Vec<u32> = right_words
            .chunks(words)
            .map(|b| reaches(Measure::Rho, &row, b, 0, 1).1)
            .collect();
        for kernel in Kernel::available() {
            let mut found = vec![7; 3];
            for rows in [0..19, 0..8, 8..16, 16..19, 3..11, 5..6, 7..7, 19..19] {
                kernel.distances(&row, (&right, rows.clone()), &mut found);
                assert_eq!(found, expected[rows], "{} {words} words", kernel.name());
            }
            let records = [18_u8, 0, 7, 7, 3];
            let chosen = records.map(|record| expected[usize::from(record)]);
            let records = records.map(u32::from);
            kernel.distances_at(&row, &matrix, &records, &mut found);
            assert_eq!(found, chosen, "{} {words} words", kernel.name());
        }
    }
}

#[test]
fn top_k_are_the_most_similar_with_ties_by_right_index() {
    let mut bits = Bits(4);
    for measure in MEASURES {
        let (left_words, right_words) = (bits.filters(9, 2, 4), bits.filters(90, 2, 4));
        let left = FilterMatrix::try_new(&left_words, 2).unwrap();
        let right = FilterMatrix::try_new(&right_words, 2).unwrap().to_packed();
        let cut = Cut::new(measure, 2, 30, 100);
        for k in [0, 1, 3, 1000] {
            let mut expected = Vec::new();
            for row in 0..left.len() {
                let mut pairs: Vec<Pair> = oracle(measure, 2, left.row(row), &right_words, 30, 100);
                pairs
                    .iter_mut()
                    .for_each(|pair| pair.left = u32::try_from(row).unwrap());
                let similarity = |pair: &Pair| {
                    let ones = left.ones(row) + right.ones(usize::try_from(pair.right).unwrap());
                    cut.similarity(pair.distance, ones).unwrap()
                };
                pairs.sort_by(|a, b| {
                    similarity(b)
                        .total_cmp(&similarity(a))
                        .then(a.right.cmp(&b.right))
                });
                expected.extend(pairs.into_iter().take(k));
            }
            for kernel in Kernel::available() {
                let mut found = Vec::new();
                kernel.top_k((&left, 0..left.len()), &right, &cut, k, &mut found);
                assert_eq!(found, expected, "{} {measure:?} {k}", kernel.name());
            }
        }
    }
}

/// Filters as an early exit finds them: strangers far apart, and pairs on both sides of the threshold.
fn strangers_and_pairs(bits: &mut Bits, records: usize) -> (Vec<u64>, Vec<u64>) {
    let left: Vec<u64> = (0..records * 16)
        .map(|_| bits.next() & bits.next() | bits.next() & bits.next())
        .collect();
    let right = left
        .chunks(16)
        .flat_map(|row| {
            // Some partners near the threshold, some far away.
            let near = bits.next().is_multiple_of(2);
            let noise: Vec<u64> = (0..16)
                .map(|_| {
                    let word = bits.next() & bits.next() & bits.next();
                    if near { word } else { bits.next() }
                })
                .collect();
            row.iter()
                .zip(noise)
                .map(|(word, noise)| word ^ noise)
                .collect::<Vec<_>>()
        })
        .collect();
    (left, right)
}

#[test]
fn an_early_exit_is_taken_where_it_pays_and_changes_nothing() {
    let mut bits = Bits(5);
    let (left_words, right_words) = strangers_and_pairs(&mut bits, 400);
    let left = FilterMatrix::try_new(&left_words, 16).unwrap();
    let right = FilterMatrix::try_new(&right_words, 16).unwrap().to_packed();
    let mut missed = 0;
    for p in [70, 80, 84] {
        let cut = Cut::new(Measure::Dice, 16, p, 100);
        let (full, exact) = (
            Search::full(cut.clone()),
            Search::exact(cut.clone(), &left, &right),
        );
        let statistical = Search::statistical(cut.clone(), &left, &right, 1e-9).unwrap();
        let careless = Search::statistical(cut, &left, &right, 0.5).unwrap();
        assert!(
            exact.screen_words().is_some() && exact.is_exact(),
            "an early exit pays"
        );
        assert!(
            statistical.screen_words() <= exact.screen_words(),
            "and more so where some may be missed"
        );
        for kernel in Kernel::available() {
            let pairs = |search: &Search| {
                let mut found = Vec::new();
                kernel.pairs_reaching((&left, 0..400), (&right, 0..400), search, &mut found);
                found
            };
            let expected = pairs(&full);
            assert!(expected.len() > 50);
            assert_eq!(pairs(&exact), expected, "{}", kernel.name());
            assert_eq!(pairs(&statistical), expected, "{}", kernel.name());
            // What is missed with a bound that is none is the same pairs on every path.
            let mut of_oracle = Vec::new();
            Kernel::portable().pairs_reaching((&left, 0..400), (&right, 0..400), &careless, &mut of_oracle);
            assert_eq!(pairs(&careless), of_oracle, "{}", kernel.name());
            missed += expected.len() - of_oracle.len();
        }
    }
    assert!(missed > 0);
    // Near ρ = 0, any pair may still make it to the last word.
    let cut = Cut::new(Measure::Rho, 16, 11, 100);
    assert_eq!(Search::exact(cut, &left, &right).screen_words(), None);
}

/// Pairs of `left` × `right` that `search` finds and those that are in, tile by tile.
fn found_and_in(search: &Search, left: &FilterMatrix<'_>, right: &crate::PackedMatrix) -> (u64, u64) {
    let whole = Search::full(search.cut().clone());
    let (mut found, mut is_in) = (0, 0);
    for start in (0..left.len()).step_by(50) {
        let count = |search: &Search| {
            let (rows, mut pairs) = (start..(start + 50).min(left.len()), Vec::new());
            Kernel::best().pairs_reaching((left, rows), (right, 0..right.len()), search, &mut pairs);
            u64::try_from(pairs.len()).unwrap()
        };
        found += count(search);
        is_in += count(&whole);
    }
    (found, is_in)
}

#[test]
fn a_stated_miss_bound_holds_over_a_hundred_million_pairs_at_the_threshold() {
    let mut bits = Bits(7);
    let records = 10_000;
    let word_of_four = |bits: &mut Bits| bits.next() & bits.next() | bits.next() & bits.next();
    let base: Vec<u64> = (0..16).map(|_| word_of_four(&mut bits)).collect();
    // All of them one filter with some 75 of its bits turned, in places of no order: two of them differ in about as many bits
    // as Dice 0.8 allows.
    let filters = |bits: &mut Bits| -> Vec<u64> {
        let mut words = Vec::with_capacity(records * 16);
        for _ in 0..records {
            let start = words.len();
            words.extend_from_slice(&base);
            for _ in 0..80 {
                let bit = bits.next() % 1024;
                words[start + usize::try_from(bit / 64).unwrap()] ^= 1 << (bit % 64);
            }
        }
        words
    };
    let (left_words, right_words) = (filters(&mut bits), filters(&mut bits));
    let left = FilterMatrix::try_new(&left_words, 16).unwrap();
    let right = FilterMatrix::try_new(&right_words, 16).unwrap().to_packed();
    let cut = Cut::new(Measure::Dice, 16, 8, 10);
    let factorials = LogFactorials::new(1024);
    let typical = usize::try_from(left.ones(0) + right.ones(0)).unwrap();
    let with_bound = |words: usize, bound: f64| {
        let limits = statistical_limits(&cut, words, 16, bound, &factorials);
        let screen = Screen::new(Part::FirstWords, words, 16, Linear::above(&limits, typical));
        found_and_in(&Search::screened(cut.clone(), screen), &left, &right)
    };
    for words in [4, 8] {
        let (found, is_in) = with_bound(words, 1e-9);
        assert!(is_in > 20_000_000, "{is_in} of 10⁸ are in, the others just not");
        assert_eq!(found, is_in, "one in 10⁹ at most may be missed");
    }
    // The bound is one: with a thousandth, some are missed, and no more than that.
    let (found, is_in) = with_bound(4, 1e-3);
    assert!(
        found < is_in && (is_in - found) * 1000 <= is_in,
        "{found} of {is_in}"
    );
}

proptest! {
    #[test]
    fn similarity_is_symmetric_and_1_for_equal_filters(
        a in prop::collection::vec(any::<u64>(), 3),
        b in prop::collection::vec(any::<u64>(), 3),
    ) {
        let (left, right) = (FilterMatrix::try_new(&a, 3).unwrap(), FilterMatrix::try_new(&b, 3).unwrap());
        for measure in MEASURES {
            let cut = Cut::new(measure, 3, 0, 1);
            let similarity = |x: &FilterMatrix<'_>, y: &FilterMatrix<'_>| {
                let mut distances = Vec::new();
                Kernel::best().distances(x.row(0), (&y.to_packed(), 0..1), &mut distances);
                cut.similarity(distances[0], x.ones(0) + y.ones(0))
            };
            prop_assert_eq!(similarity(&left, &right), similarity(&right, &left));
            if left.ones(0) > 0 {
                prop_assert_eq!(similarity(&left, &left), Some(1.0));
            }
        }
    }
}

#[test]
fn a_pair_exactly_at_the_threshold_is_in() {
    let count = |measure, a: u64, b: u64, p, q| oracle_and_kernel(measure, a, b, p, q);
    // Dice 2·2/(3+2) = 0.8; ρ = 1 − 2·8/64 = 0.75.
    assert_eq!(count(Measure::Dice, 0b111, 0b110, 80, 100), 1);
    assert_eq!(count(Measure::Dice, 0b111, 0b110, 801, 1000), 0);
    assert_eq!(count(Measure::Rho, 0, 0xff, 75, 100), 1);
    assert_eq!(count(Measure::Rho, 0, 0xff, 751, 1000), 0);
    // Two empty filters have no Dice similarity.
    assert_eq!(count(Measure::Dice, 0, 0, 0, 1), 0);
    assert_eq!(Cut::new(Measure::Dice, 1, 1, 2).similarity(0, 0), None);
}

fn oracle_and_kernel(measure: Measure, a: u64, b: u64, p: u32, q: u32) -> usize {
    let (left, right) = ([a], [b]);
    let (left, right) = (
        FilterMatrix::try_new(&left, 1).unwrap(),
        FilterMatrix::try_new(&right, 1).unwrap().to_packed(),
    );
    let mut found = Vec::new();
    let search = Search::full(Cut::new(measure, 1, p, q));
    Kernel::best().pairs_reaching((&left, 0..1), (&right, 0..1), &search, &mut found);
    assert_eq!(found, oracle(measure, 1, &[a], &[b], p, q));
    found.len()
}

#[test]
fn bits_in_another_order_have_the_same_distances() {
    let mut bits = Bits(6);
    let words = bits.filters(12, 3, 4);
    let matrix = FilterMatrix::try_new(&words, 3).unwrap();
    // 77 and 192 have no factor in common, so that every bit has a place.
    let order: Vec<u32> = (0..192).map(|j| (j * 77 + 5) % 192).collect();
    let permuted = matrix.to_permuted(&order);
    let bit = |words: &[u64], j: usize| words[j / 64] >> (j % 64) & 1;
    for (row, permuted) in words.chunks(3).zip(permuted.chunks(3)) {
        for (j, &from) in order.iter().enumerate() {
            assert_eq!(bit(permuted, j), bit(row, usize::try_from(from).unwrap()));
        }
    }
    let other = FilterMatrix::try_new(&permuted, 3).unwrap();
    let distances = |matrix: &FilterMatrix<'_>| {
        let mut found = Vec::new();
        Kernel::best().distances(matrix.row(0), (&matrix.to_packed(), 0..matrix.len()), &mut found);
        found
    };
    assert_eq!(distances(&matrix), distances(&other));
}

#[test]
fn refuses_what_is_no_matrix() {
    assert!(FilterMatrix::try_new(&[0; 3], 2).is_err());
    assert!(FilterMatrix::try_new(&[0; 3], 0).is_err());
    assert!(FilterMatrix::try_new(&[0; 65], 65).is_err());
    assert!(FilterMatrix::try_new(&[], 16).unwrap().is_empty());
}
