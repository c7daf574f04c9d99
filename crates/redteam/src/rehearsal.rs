//! All attacks of the gates on one encoding, with a control that must fall.

use corridor_core::{Filters, Profile, SeededEntropy};

use crate::draw::{sample, shuffled};
use crate::frequency::attack_by_frequency;
use crate::gate::Attack;
use crate::guess::Score;
use crate::known_pairs::{TokenKernel, attack_by_known_pairs};
use crate::landmarks::GraphMatching;
use crate::plain::PlainList;
use crate::report::{GateReport, GateRow};
use crate::scheme::Scheme;

/// What is attacked, by whom, and the truth by which attacks are judged.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal<'a> {
    /// The public parameters of `target`.
    pub scheme: &'a Scheme,
    /// The filters attacked, as the office's own encoder made them.
    pub target: &'a Filters,
    /// What the target records say, in the order of `target`. No attack on `target` reads it as such: it makes the
    /// control, the second key, and the lists that share 100, 50 and 20 % of the people.
    pub target_list: &'a PlainList,
    /// The attacker's own list, say the other office's register or a population list. It is also the dictionary.
    pub list: &'a PlainList,
    /// For every target record its record in `list`, if it is in it.
    pub truth: &'a [Option<usize>],
}

/// How much is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Records of each side that graphs are matched on at most; larger files are sampled, keeping their overlap.
    pub max_records: usize,
    /// The same for known pairs, whose dictionary costs less, and whose gates were set on files of four thousand:
    /// the smaller the dictionary, the more is guessed right.
    pub max_dictionary_records: usize,
    /// One run of every attack for each; the report has the worst of them.
    pub seeds: Vec<u64>,
    /// Settings of graph matching.
    pub graph_matching: GraphMatching,
}

impl Default for Scope {
    /// 2,500 records a side, 5,000 for known pairs; one seed.
    fn default() -> Self {
        Self {
            max_records: 2500,
            max_dictionary_records: 5000,
            seeds: vec![1],
            graph_matching: GraphMatching::default(),
        }
    }
}

/// A rehearsal that cannot be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// Filters of another length than the scheme's.
    #[error("the scheme has filters of {expected} bits, the target of {got}")]
    FilterLength {
        /// By the scheme, bits.
        expected: u32,
        /// Of the target, bits.
        got: u32,
    },
    /// No seed to run with.
    #[error("a rehearsal needs at least one seed")]
    NoSeeds,
    /// Filters, plain records and truth are not of the same records.
    #[error("{filters} filters, {plain} plain records and a truth of {truth} records do not belong together")]
    RecordCounts {
        /// Filters of the target.
        filters: usize,
        /// Records of the target's list.
        plain: usize,
        /// Records of the truth.
        truth: usize,
    },
    /// So few common records that one guess by chance weighs as much as a gate allows.
    #[error("{got} records are in both files, of which a rehearsal needs {needed}")]
    TooFewCommon {
        /// Records in both files.
        got: usize,
        /// Needed.
        needed: usize,
    },
    /// A truth that names a record which is not in the list, or names one twice.
    #[error("record {record} of the list, of {count} records, is named in error by the truth")]
    Truth {
        /// Record named.
        record: usize,
        /// Records of the list.
        count: usize,
    },
}

/// Common records without which a share says nothing: at 200, a gate of 1 % is two right guesses.
const COMMON_NEEDED: usize = 200;
/// Bits each token of the control sets, of 1,024: the classic record-level filter of the literature.
const CONTROL_POSITIONS: u32 = 10;

impl Rehearsal<'_> {
    /// Runs all attacks, on the target and on the control: classic Bloom filters (CLK) of the same people. Attacks on
    /// more known people than half of the common records are left out.
    ///
    /// The time is minutes for files of thousands, and grows with the squares of `max_records` and `max_dictionary_records`. Runs on the current
    /// rayon pool; the report depends on the seeds, and not on the pool's size.
    ///
    /// # Errors
    /// When the parts do not belong together, there is no seed, or fewer than 200 records are in both files.
    pub fn run(&self, scope: &Scope) -> Result<GateReport, RehearsalError> {
        self.check(scope)?;
        let control_scheme =
            Scheme::of(Profile::Clk1024, std::iter::empty()).expect("a length every kernel compares");
        let control_target_list = self.target_list.with_weight(CONTROL_POSITIONS);
        let control_list = self.list.with_weight(CONTROL_POSITIONS);
        let mut rows: Vec<GateRow> = Vec::new();
        for &seed in &scope.seeds {
            let control_target =
                control_scheme.encode(&control_target_list, &mut entropy(seed, "control key"));
            let control = Rehearsal {
                scheme: &control_scheme,
                target: &control_target,
                target_list: &control_target_list,
                list: &control_list,
                truth: self.truth,
            };
            let mut place = 0;
            for attack in Attack::ALL {
                let (Some(trial), Some(control)) = (
                    self.trial(attack, scope, seed),
                    control.trial(attack, scope, seed),
                ) else {
                    continue;
                };
                let row = GateRow::new(
                    attack,
                    (trial.target_count, trial.list_count),
                    trial.score,
                    control.score,
                );
                match rows.get_mut(place) {
                    Some(worst) => worst.worsen(&row),
                    None => rows.push(row),
                }
                place += 1;
            }
        }
        let fields = match self.scheme {
            Scheme::Fields { segments, .. } => segments
                .iter()
                .map(|segment| attack_by_frequency(self.target, segment, self.list).score(self.target_list))
                .collect(),
            Scheme::Bloom { .. } | Scheme::Majority { .. } => Vec::new(),
        };
        Ok(GateReport {
            scheme: self.scheme.clone(),
            seeds: scope.seeds.clone(),
            target_count: self.target.len(),
            list_count: self.list.len(),
            common_count: self.truth.iter().flatten().count(),
            rows,
            fields,
        })
    }

    fn check(&self, scope: &Scope) -> Result<(), RehearsalError> {
        let (expected, got) = (
            self.scheme.filter_len().to_bits(),
            self.target.filter_len().to_bits(),
        );
        if expected != got {
            return Err(RehearsalError::FilterLength { expected, got });
        }
        if scope.seeds.is_empty() {
            return Err(RehearsalError::NoSeeds);
        }
        let (filters, plain, truth) = (self.target.len(), self.target_list.len(), self.truth.len());
        if filters != plain || filters != truth {
            return Err(RehearsalError::RecordCounts {
                filters,
                plain,
                truth,
            });
        }
        let mut named = vec![false; self.list.len()];
        for &record in self.truth.iter().flatten() {
            match named.get_mut(record) {
                Some(seen) if !*seen => *seen = true,
                _ => {
                    return Err(RehearsalError::Truth {
                        record,
                        count: self.list.len(),
                    });
                }
            }
        }
        let common = self.common_sampled(scope);
        if common < COMMON_NEEDED {
            return Err(RehearsalError::TooFewCommon {
                got: common,
                needed: COMMON_NEEDED,
            });
        }
        Ok(())
    }

    /// One attack with one seed; none where too few records are there for it.
    fn trial(&self, attack: Attack, scope: &Scope, seed: u64) -> Option<Trial> {
        let graph = scope.graph_matching;
        let measure = self.scheme.measure();
        match attack {
            Attack::Overlap { percent } => {
                let case = self.own_people(percent, scope, (seed, "own people"));
                let list = self.encode_own(&case.list, (seed, "attacker's key"));
                let guesses = graph.attack(&case.target, &list, measure, &[]);
                Some(case.trial(&guesses, &[]))
            }
            Attack::TwoKeys => {
                let case = self.own_people(100, scope, (seed, "people of two projects"));
                let list = self.encode_own(&case.list, (seed, "second key"));
                let guesses = graph.attack(&case.target, &list, measure, &[]);
                Some(case.trial(&guesses, &[]))
            }
            Attack::OwnList => {
                let case = self.own_list(scope.max_records, seed);
                let list = self.encode_own(&case.list, (seed, "attacker's key"));
                let guesses = graph.attack(&case.target, &list, measure, &[]);
                Some(case.trial(&guesses, &[]))
            }
            Attack::Seeded { percent, adaptive } => {
                let case = self.own_list(scope.max_records, seed);
                let common = case.truth.iter().flatten().count();
                let seeds = case.known((common * percent as usize).div_ceil(100), seed);
                let list = self.encode_own(&case.list, (seed, "attacker's key"));
                let guesses = if adaptive {
                    graph.attack_adaptively(&case.target, &list, measure, &seeds).0
                } else {
                    graph.attack(&case.target, &list, measure, &seeds)
                };
                Some(case.trial(&guesses, &seeds))
            }
            Attack::KnownPairs { count, matched } => {
                let case = self.own_list(scope.max_dictionary_records, seed);
                if 2 * count > case.truth.iter().flatten().count() {
                    return None;
                }
                let known = case.known(count, seed);
                let kernels = if matched {
                    &TokenKernel::ALL
                } else {
                    &TokenKernel::ALL[..1]
                };
                let guesses = attack_by_known_pairs(&case.target, &case.list, &known, kernels);
                Some(case.trial(&guesses, &known))
            }
        }
    }

    /// Filters of a list under another key than the target's.
    fn encode_own(&self, list: &PlainList, (seed, purpose): (u64, &str)) -> Filters {
        self.scheme.encode(list, &mut entropy(seed, purpose))
    }

    /// A sample of the target, and a list as long of which `percent` are the same people and the rest others of the
    /// target's. Shorter where the target has not people enough.
    fn own_people(&self, percent: u32, scope: &Scope, (seed, purpose): (u64, &str)) -> Case {
        let percent = percent as usize;
        let count = scope.max_records.min(self.target.len() * 100 / (200 - percent));
        let common = count * percent / 100;
        let order = shuffled(self.target.len(), &mut entropy(seed, purpose));
        let mut listed: Vec<usize> = order[..common]
            .iter()
            .chain(&order[count..2 * count - common])
            .copied()
            .collect();
        let shuffle = shuffled(listed.len(), &mut entropy(seed, "order of the list"));
        listed = shuffle.iter().map(|&place| listed[place]).collect();
        let mut place_of = vec![None; self.target.len()];
        for (place, &record) in listed.iter().enumerate() {
            place_of[record] = Some(place);
        }
        Case {
            target: select(self.target, &order[..count]),
            list: self.target_list.select(&listed),
            truth: order[..count].iter().map(|&record| place_of[record]).collect(),
        }
    }

    fn common_sampled(&self, scope: &Scope) -> usize {
        let common = self.truth.iter().flatten().count();
        let largest = self.target.len().max(self.list.len()).max(1);
        common.min(common * scope.max_records / largest)
    }

    /// The target and the attacker's list, or samples of both with the same shares of common records.
    fn own_list(&self, max_records: usize, seed: u64) -> Case {
        let largest = self.target.len().max(self.list.len()).max(1);
        let scaled = |count: usize| count.min(count * max_records / largest);
        let mut entropy = entropy(seed, "own list");
        let mut draw = |from: &[usize]| -> Vec<usize> {
            let drawn = sample(from.len(), scaled(from.len()), &mut entropy);
            drawn.into_iter().map(|place| from[place]).collect()
        };
        let (linked, alone): (Vec<usize>, Vec<usize>) =
            (0..self.target.len()).partition(|&record| self.truth[record].is_some());
        let mut is_linked = vec![false; self.list.len()];
        self.truth
            .iter()
            .flatten()
            .for_each(|&record| is_linked[record] = true);
        let others: Vec<usize> = (0..self.list.len())
            .filter(|&record| !is_linked[record])
            .collect();
        let linked = draw(&linked);
        let mut targets: Vec<usize> = linked.iter().copied().chain(draw(&alone)).collect();
        targets.sort_unstable();
        let mut listed: Vec<usize> = linked
            .iter()
            .filter_map(|&record| self.truth[record])
            .chain(draw(&others))
            .collect();
        listed.sort_unstable();
        Case {
            target: select(self.target, &targets),
            list: self.list.select(&listed),
            truth: targets
                .iter()
                .map(|&record| self.truth[record].and_then(|named| listed.binary_search(&named).ok()))
                .collect(),
        }
    }
}

/// Files of one attack.
struct Case {
    target: Filters,
    list: PlainList,
    truth: Vec<Option<usize>>,
}

struct Trial {
    target_count: usize,
    list_count: usize,
    score: Score,
}

impl Case {
    /// `count` pairs that the attacker knows.
    fn known(&self, count: usize, seed: u64) -> Vec<(usize, usize)> {
        let pairs: Vec<(usize, usize)> = (0..self.truth.len())
            .filter_map(|target| self.truth[target].map(|record| (target, record)))
            .collect();
        let drawn = sample(pairs.len(), count, &mut entropy(seed, "known pairs"));
        drawn.into_iter().map(|place| pairs[place]).collect()
    }

    fn trial(&self, guesses: &[crate::Guess], seeds: &[(usize, usize)]) -> Trial {
        Trial {
            target_count: self.target.len(),
            list_count: self.list.len(),
            score: Score::of(guesses, &self.truth, seeds),
        }
    }
}

fn select(filters: &Filters, records: &[usize]) -> Filters {
    let mut selected = Filters::with_capacity(filters.filter_len(), records.len());
    for &record in records {
        selected.push(filters.row(record));
    }
    selected
}

fn entropy(seed: u64, purpose: &str) -> SeededEntropy {
    SeededEntropy::new(seed, &format!("red team/{purpose}"))
}
