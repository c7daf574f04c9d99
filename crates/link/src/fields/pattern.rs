/// Levels of agreement of a field, from the best down; one more stands for a field that is missing on a side.
///
/// A level holds the pairs that meet its condition and no better one's.
pub const LEVELS: usize = 8;

/// What parts of a field must have in common for each level.
const CONDITIONS: [Condition; LEVELS] = [
    Condition::Dice(100),
    Condition::Dice(90),
    Condition::Dice(80),
    Condition::Within(95),
    Condition::Dice(70),
    Condition::Dice(55),
    Condition::Dice(40),
    Condition::Dice(0),
];

/// In hundredths. The best Dice similarity is agreement in every bit; the steps between are close enough that a misspelling, a
/// missing name and a stranger's namesake fall on different ones.
#[derive(Debug, Clone, Copy)]
enum Condition {
    /// At least this Dice similarity.
    Dice(u32),
    /// At least this share of the bits of the part that has fewer: it says the same, only less, as a date of which only the year is
    /// known, or a name without the second surname.
    Within(u32),
}

/// The level of a field that is missing on a side.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a small constant"
)]
pub(crate) const MISSING: u8 = LEVELS as u8;

/// Which part of a filter is which field's: parts of one length, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldParts {
    names: Vec<String>,
    words_per_field: usize,
}

/// The agreement of two records: a level for each field, four bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pattern(u64);

impl Pattern {
    /// The level of field `field`; [`MISSING`] where it is missing.
    pub(crate) const fn level(self, field: usize) -> u8 {
        (self.0 >> (4 * field) & 15) as u8
    }

    /// A pattern of these levels.
    #[cfg(test)]
    pub(crate) fn from_levels(levels: &[u8]) -> Self {
        let shifted = levels
            .iter()
            .enumerate()
            .map(|(field, level)| u64::from(*level) << (4 * field));
        Self(shifted.fold(0, |pattern, level| pattern | level))
    }
}

impl FieldParts {
    /// Fields a pattern holds at most; a filter of 4,096 bits has no more parts of 256.
    pub const MOST: usize = 16;

    /// Parts of `bits_per_field` bits for each of `names`, in their order in the filter.
    ///
    /// # Panics
    /// When there are none, or more than [`FieldParts::MOST`], or `bits_per_field` is no positive multiple of 64, which a
    /// profile never gives.
    pub fn new(names: Vec<String>, bits_per_field: u32) -> Self {
        assert!(
            (1..=Self::MOST).contains(&names.len())
                && bits_per_field > 0
                && bits_per_field.is_multiple_of(64),
            "parts of a filter"
        );
        Self {
            names,
            words_per_field: usize::try_from(bits_per_field / 64).expect("a few words"),
        }
    }

    /// The fields, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Words of a whole filter.
    pub fn words(&self) -> usize {
        self.names.len() * self.words_per_field
    }

    /// The part of field `field` in a filter.
    pub(crate) fn part<'a>(&self, filter: &'a [u64], field: usize) -> &'a [u64] {
        &filter[field * self.words_per_field..(field + 1) * self.words_per_field]
    }

    /// Compares two filters field by field, in one pass over their words.
    pub(crate) fn compare(&self, left: &[u64], right: &[u64]) -> Pattern {
        let parts = left
            .chunks_exact(self.words_per_field)
            .zip(right.chunks_exact(self.words_per_field));
        let mut pattern = 0;
        for (field, (left, right)) in parts.enumerate() {
            pattern |= u64::from(level(left, right)) << (4 * field);
        }
        Pattern(pattern)
    }
}

/// The level of agreement of two parts. Decided in integers, so that every machine agrees.
fn level(left: &[u64], right: &[u64]) -> u8 {
    let (mut common, mut left_ones, mut right_ones) = (0, 0, 0);
    for (left, right) in left.iter().zip(right) {
        common += (left & right).count_ones();
        left_ones += left.count_ones();
        right_ones += right.count_ones();
    }
    if left_ones == 0 || right_ones == 0 {
        return MISSING;
    }
    let is_met = |condition: &Condition| match condition {
        Condition::Dice(floor) => 200 * common >= floor * (left_ones + right_ones),
        Condition::Within(floor) => 100 * common >= floor * left_ones.min(right_ones),
    };
    let level = CONDITIONS
        .iter()
        .position(is_met)
        .expect("the last condition is always met");
    u8::try_from(level).expect("a few levels")
}

/// The condition of level `level` in words: the least Dice similarity, or that one part is within the other.
pub(crate) fn level_name(level: usize) -> String {
    let share = |hundredths: u32| f64::from(hundredths) / 100.0;
    match CONDITIONS[level] {
        Condition::Dice(floor) => format!("dice {}", share(floor)),
        Condition::Within(floor) => format!("within {}", share(floor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts() -> FieldParts {
        FieldParts::new(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], 64)
    }

    #[test]
    fn levels_are_the_floors_of_dice() {
        // 10 ones each; c in common give Dice c/10.
        for (common, expected) in [
            (10, 0),
            (9, 1),
            (8, 2),
            (7, 4),
            (6, 5),
            (5, 6),
            (4, 6),
            (3, 7),
            (0, 7),
        ] {
            let left = 0x3ff_u64;
            let right = left << (10 - common);
            assert_eq!((left & right).count_ones(), common);
            assert_eq!(level(&[left], &[right]), expected, "{common} of 10 in common");
        }
    }

    #[test]
    fn a_part_within_the_other_is_a_level_of_its_own() {
        assert_eq!(level(&[0xffff], &[0xff]), 3, "Dice 2/3");
        assert_eq!(level(&[0xffff_ffff], &[0xff]), 3, "Dice 2/5");
        assert_eq!(level(&[0xffff], &[0x100ff]), 5, "8 of 9");
        assert_eq!(level(&[0xf_ffff], &[0xf_ffff >> 1 | 1 << 40]), 1);
    }

    #[test]
    fn an_empty_part_is_missing_and_neither_agrees_nor_disagrees() {
        let pattern = parts().compare(&[1, 0, 0], &[1, 1, 0]);
        assert_eq!(
            [pattern.level(0), pattern.level(1), pattern.level(2)],
            [0, MISSING, MISSING]
        );
    }

    proptest! {
        #[test]
        fn a_pattern_is_its_fields_alone_and_the_same_both_ways(left in any::<[u64; 3]>(), right in any::<[u64; 3]>()) {
            let pattern = parts().compare(&left, &right);
            prop_assert_eq!(pattern, parts().compare(&right, &left));
            for field in 0..3 {
                prop_assert_eq!(pattern.level(field), level(&left[field..=field], &right[field..=field]));
            }
            let same = parts().compare(&left, &left);
            for (field, part) in left.iter().enumerate() {
                prop_assert_eq!(same.level(field), if *part == 0 { MISSING } else { 0 });
            }
        }
    }
}
