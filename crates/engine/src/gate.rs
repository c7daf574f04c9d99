//! The gate before sealing: whether an encoded dataset is what the agreement and its profile say, measured on the filters and on
//! what stands in clear.
//!
//! A [`Gate`] is fed a dataset in pieces, once, and holds what does not grow with it: counts of columns, a sample, and of filters
//! and persons as many as fit (about 50 MB whatever the size of the file, and as much again where it tells as many strata and
//! blocks apart as there is room for). It sees no key and no name. What it stands against: filters that are no encodings of the
//! agreed profile, a register encoded in another way than its partner's, and **dictionary probing**, in which an office uploads
//! many spellings of the same people to read from the result whom the other office knows.

use corridor_core::{Agreement, Construction, Digest, EncodedDataset, FilterLen, GateReport, Measure};

mod bounds;
mod columns;
mod meaning;
mod repeats;
mod sample;
mod strata;
#[cfg(test)]
mod tests;
mod verdict;

pub use columns::ColumnProfile;

use repeats::Repeats;
use sample::Sample;
use strata::Strata;
use verdict::Measured;

/// Looks at a dataset piece by piece.
#[derive(Debug)]
pub struct Gate {
    agreement: Agreement,
    declared: u64,
    expected_len: FilterLen,
    /// Filters of another length than agreed were met; nothing else is looked at.
    other_len: Option<FilterLen>,
    records: u64,
    columns: ColumnProfile,
    weights: Weights,
    repeats: Repeats,
    sample: Sample,
    strata: Strata,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    /// Every check. For the dataset's own office and nobody else.
    pub report: GateReport,
    /// What is kept for the comparison with the other office's dataset.
    pub columns: ColumnProfile,
}

/// Bits set per record.
#[derive(Debug, Clone, Copy, Default)]
struct Weights {
    total: u64,
    squares: u64,
    /// Filters with no bit set, or all.
    constant: u64,
}

impl Gate {
    /// A gate for a dataset declared to have so many records. `content` is the digest of the file: which records are looked at
    /// more closely follows from it, so that the same file gives the same report and nobody can choose them.
    pub fn new(agreement: &Agreement, declared: u64, content: Digest) -> Self {
        let encoding = &agreement.encoding;
        let seed = u64::from_le_bytes(content.as_bytes()[..8].try_into().expect("eight bytes"));
        let len = encoding.filter_bits;
        Self {
            agreement: agreement.clone(),
            declared,
            expected_len: len,
            other_len: None,
            records: 0,
            columns: ColumnProfile::new(len.to_words() * 64),
            weights: Weights::default(),
            repeats: Repeats::new(seed, declared),
            sample: Sample::new(
                len,
                declared,
                seed,
                encoding.profile.measure(),
                bounds::near_level(encoding.profile.measure()),
            ),
            strata: Strata::new(seed),
        }
    }

    /// Looks at the next records of the dataset, in their order. Runs on the current rayon pool; neither its size nor how the
    /// dataset is cut changes the report.
    pub fn observe(&mut self, piece: &EncodedDataset) {
        let len = piece.filters.filter_len();
        if len != self.expected_len {
            self.other_len = Some(len);
        }
        let start = self.records;
        self.records += count(piece.filters.len());
        if self.other_len.is_some() || piece.filters.is_empty() {
            return;
        }
        self.columns.observe(&piece.filters);
        for (row, person) in piece.persons.iter().enumerate() {
            let filter = piece.filters.row(row);
            self.weights.add(filter);
            self.repeats.observe(filter, person);
        }
        self.sample.observe(piece, start);
        self.strata.observe(piece.events.as_deref(), &piece.blocks);
    }

    /// What it found. `other` is the column profile of the other office's sealed dataset, where there is one.
    pub fn finish(mut self, other: Option<&ColumnProfile>) -> GateResult {
        self.columns.persons = self.repeats.persons().min(self.records);
        let measured = Measured::of(&self);
        let mut report = verdict::judge(&self, &measured);
        if let Some(other) = other
            && self.other_len.is_none()
        {
            report.checks.extend(verdict::judge_drift(&self, other));
        }
        GateResult {
            report,
            columns: self.columns,
        }
    }

    /// Bits of a part of a filter: a field's, where fields are kept apart, or all.
    fn part_bits(&self) -> usize {
        let bits = self.expected_len.to_words() * 64;
        match self.agreement.encoding.profile.construction() {
            Construction::FieldBloom { bits: part } => {
                // A hardened filter may have another length than its parts have together.
                let part = usize::try_from(part).unwrap_or(bits);
                if bits == part * self.agreement.encoding.match_fields.len() {
                    part
                } else {
                    bits
                }
            }
            Construction::Majority { .. } | Construction::Bloom { .. } => bits,
        }
    }

    const fn measure(&self) -> Measure {
        self.agreement.encoding.profile.measure()
    }
}

impl Weights {
    fn add(&mut self, filter: &[u64]) {
        let ones: u64 = filter.iter().map(|word| u64::from(word.count_ones())).sum();
        self.total += ones;
        self.squares += ones * ones;
        self.constant += u64::from(ones == 0 || ones == count(filter.len()) * 64);
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

#[expect(clippy::cast_precision_loss, reason = "counts, as shares for people to read")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        to_f64(part) / to_f64(whole)
    }
}
