//! Between counts and real numbers, in one place.

/// The largest count taken: above it a double cannot hold every whole number.
pub(crate) const LARGEST_COUNT: u64 = 1 << 53;

/// A count as a real number; exact up to [`LARGEST_COUNT`].
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "counts are checked to be at most 2^53, where every whole number is a double"
)]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

/// A length as a real number.
pub(crate) fn real_len(len: usize) -> f64 {
    real(u64::try_from(len).unwrap_or(u64::MAX))
}

/// The count a real number stands for; `None` for fractions, negative numbers, NaN and what is too large.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "kept only where the value is a whole number between 0 and 2^53"
)]
pub(crate) fn whole(value: f64) -> Option<u64> {
    let fits = value.is_finite() && value >= 0.0 && value <= real(LARGEST_COUNT);
    (fits && value.fract() == 0.0).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_from_zero_are_counts() {
        assert_eq!(whole(0.0), Some(0));
        assert_eq!(whole(4584.0), Some(4584));
        assert_eq!(whole(real(LARGEST_COUNT)), Some(LARGEST_COUNT));
        for value in [-1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(whole(value), None, "{value}");
        }
    }
}
