//! Attacks on encodings, as someone **without the key** runs them: what an office can do to its own filters before it
//! signs that another party may hold them.
//!
//! The attacker has the bits of a file ([`Filters`](corridor_core::Filters)), the public parameters of its encoding
//! ([`Scheme`]) and a list of people in plain words ([`PlainList`]), whose records it turns into tokens as the public
//! schema says and encodes under a key of its own. Nothing here sees a linkage key or shares code with the offices'
//! encoder. The truth, where it is given, only judges.
//!
//! # The attacks
//! - **Landmark graph matching** ([`GraphMatching::attack`]). The same people are alike in the same way under every key,
//!   so two files can be laid over one another by similarities alone:
//!   (a) both matrices of similarities are computed;
//!   (b) a record is described by quantiles, mean and spread of its similarities, by two similarity-weighted averages
//!   of these over its neighbours, and all that whitened: a first guess;
//!   (c) in about 25 rounds, pairs that are each other's best, most confident first, become landmarks, and every record
//!   is described by its double-centred similarities to them, and paired with the record it correlates with best;
//!   (d) the margin over the best other pair of both records is the confidence.
//!   People known beforehand are landmarks throughout.
//! - **Adaptive** ([`GraphMatching::attack_adaptively`]): the same through the [`Lens`] under which two pairings
//!   by different landmarks agree most.
//! - **Known pairs** ([`attack_by_known_pairs`]): ridge regression of bits on the tokens of people whose filters are
//!   known, then a dictionary of everybody's predicted filter. Besides the linear kernel there is that of majority
//!   schemes ([`TokenKernel::Majority`]), which predicts them several times better.
//! - **Relinking** of one file under two keys: graph matching, with the second file in the place of the list.
//! - **Frequency** ([`attack_by_frequency`]): in files with filters per field, the commonest filter is the commonest value.
//!
//! [`Rehearsal::run`] runs the [`Attack`]s of the gates on an encoding, and on classic Bloom filters (CLK) of the same
//! people as a positive control: an attack that leaves these standing shows nothing, and its row is
//! [`Verdict::Inconclusive`]. [`FilterMetrics`] measures what a file exposes without knowing anyone in it.
//!
//! ```
//! use corridor_core::{FilterLen, SeededEntropy};
//! use corridor_redteam::{FilterMetrics, GraphMatching, PlainList, Scheme, Score};
//!
//! // Three hundred people with eight tokens each, common ones and rare ones; all are in the file, under another key.
//! let mut list = PlainList::new();
//! for person in 0_u32..300 {
//!     let draw = |token: u32| (person * 8 + token + 1).wrapping_mul(0x9e37_79b1).wrapping_pow(3) >> 8;
//!     let common = |token| draw(token) % 40 * (draw(token) / 64 % 40) / 40;
//!     list.push("", (0..8).map(|token| (format!("names\u{1f}{}", common(token)), 16)));
//! }
//! let truth: Vec<_> = (0..300).map(Some).collect();
//! let filter_len = FilterLen::try_from(1024)?;
//! let named = |scheme: Scheme, list: &PlainList| {
//!     let target = scheme.encode(list, &mut SeededEntropy::new(1, "the offices' key"));
//!     let own = scheme.encode(list, &mut SeededEntropy::new(2, "the attacker's key"));
//!     let guesses = GraphMatching::default().attack(&target, &own, scheme.measure(), &[]);
//!     Score::of(&guesses, &truth, &[]).top1
//! };
//! assert!(named(Scheme::Bloom { filter_len }, &list) > 0.9);
//! # Ok::<(), corridor_core::FilterLenError>(())
//! ```
//!
//! # What they find
//! On an invented corridor Tunisia → Italy (4,019 and 4,349 records, 2,875 in both; the worst of three seeds), the
//! attacker holding the other register: share of people named right. Graphs are matched on 2,309 and 2,500 of these.
//!
//! | attack | CLK, 1,024 bits | majority 3 × 2,048 |
//! |---|---|---|
//! | graph matching | 96 % | 0.1 % |
//! | the same with 1 % / 5 % known, also adaptive | 96 / 96 % | 0.2 / 0.3 % |
//! | 50 / 200 / 800 known pairs, linear kernel | 93 / 97 / 99 % | 0.4 / 2.2 / 10 % |
//! | 50 / 200 / 800 known pairs, kernel of majorities | 93 / 97 / 99 % | 0.6 / 4.3 / 28 % |
//! | same file, two keys | 100 % | 0.2 % |
//!
//! The last but one is a finding: filters of hundreds of known people must not get about. With 1,024 bits a filter it
//! is 0.2 / 1.4 / 10 %.
//!
//! # Units and order
//! Records are counted from 0 in the order given; shares are in \[0, 1\]; bits of a filter as in
//! [`Filters`](corridor_core::Filters). A seed fixes every draw, and sums are taken in an order that does not depend on
//! the number of threads: the same input gives the same bytes on one machine.
//!
//! # Cost
//! Memory and time of graph matching grow with the product of the two files: with 2,500 records a side, some hundred
//! megabytes and some seconds on two cores for an attack.
//!
//! # Errors
//! A rehearsal whose parts do not belong together is a [`RehearsalError`]; the attacks alone have no errors.
//!
//! # Panics
//! When an index given names a record that is not there.
//!
//! # What it does not show
//! That an attack fails is no proof. These are the strongest attacks known to us on files of thousands; the default
//! scheme rests on one paper. With the key, a dictionary names everybody in every encoding.
//!
//! # References
//! Vidanage, Christen, Ranbaduge & Schnell 2020, "A graph matching attack on privacy-preserving record linkage" (CIKM);
//! Schäfer, Armknecht & Heng 2024, "R+R: revisiting graph matching attacks on privacy-preserving record linkage" (ACSAC);
//! Armknecht & Schäfer 2026, "Breaking BAD? Better call SAUL!" (PoPETs 2026(2)); Christen, Ranbaduge & Schnell 2020,
//! *Linking Sensitive Data*, chapter 9 (frequency attacks); Schnell, Bachteler & Reiher 2009 (Bloom filters).

mod adaptive;
mod dense;
mod draw;
mod fingerprint;
mod frequency;
mod gate;
mod guess;
mod known_pairs;
mod landmarks;
mod metrics;
mod plain;
mod rehearsal;
mod report;
mod scheme;
mod similarity;

pub use adaptive::Lens;
pub use frequency::{FieldGuesses, FrequencyScore, attack_by_frequency};
pub use gate::{Attack, Gate, Verdict};
pub use guess::{Guess, Score};
pub use known_pairs::{TokenKernel, attack_by_known_pairs};
pub use landmarks::GraphMatching;
pub use metrics::{FilterMetrics, GraphExposure, NEIGHBOUR_SIGMAS};
pub use plain::{FIELD_MARK, PlainList};
pub use rehearsal::{Rehearsal, RehearsalError, Scope};
pub use report::{GateReport, GateRow};
pub use scheme::{Scheme, Segment};
