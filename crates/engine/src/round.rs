//! Figures as offices read them: to two significant digits, so that no count of the other office shows exactly.

/// The nearest number of two significant digits.
pub(crate) fn nearest(count: u64) -> u64 {
    let unit = unit_of(count);
    (count + unit / 2) / unit * unit
}

/// The next number of two significant digits that is not below.
pub(crate) fn up(count: u64) -> u64 {
    let unit = unit_of(count);
    count.div_ceil(unit).saturating_mul(unit)
}

/// The last number of two significant digits that is not above.
pub(crate) fn down(count: u64) -> u64 {
    let unit = unit_of(count);
    count / unit * unit
}

const fn unit_of(count: u64) -> u64 {
    let mut unit = 1;
    while count / unit >= 100 {
        unit *= 10;
    }
    unit
}

/// A number as people read it, from 10,000 up with two significant digits: `48,000`, `16 million`.
pub fn count_in_words(count: u64) -> String {
    let count = if count < 10_000 { count } else { nearest(count) };
    for (unit, word) in [
        (1_000_000_000_000, "trillion"),
        (1_000_000_000, "billion"),
        (1_000_000, "million"),
    ] {
        if count >= unit {
            return format!("{} {word}", with_tenths(count, unit));
        }
    }
    if count < 1000 {
        return count.to_string();
    }
    format!("{},{:03}", count / 1000, count % 1000)
}

/// Bytes, as people read them: `1.5 GiB`.
pub fn bytes_in_words(bytes: u64) -> String {
    for (shift, word) in [(40_u32, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >> shift > 0 {
            return format!("{} {word}", with_tenths(bytes, 1 << shift));
        }
    }
    format!("{bytes} bytes")
}

/// In units: with one decimal below 10, without one from there on.
fn with_tenths(count: u64, unit: u64) -> String {
    let tenths = (u128::from(count) * 10 + u128::from(unit) / 2) / u128::from(unit);
    if tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        ((tenths + 5) / 10).to_string()
    }
}

/// Seconds, as people read them: `40 s`, `25 min`, `3.5 h`.
pub fn seconds_in_words(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{} s", to_two_digits(seconds))
    } else if seconds < 7200.0 {
        format!("{} min", to_two_digits(seconds / 60.0))
    } else {
        format!("{} h", to_two_digits(seconds / 3600.0))
    }
}

/// A positive number to two significant digits.
pub(crate) fn to_two_digits(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    if unit >= 1.0 {
        (value / unit).round() * unit
    } else {
        // Divided by a power of ten, which is exact, so that no digits hang on.
        let inverse = unit.recip().round();
        (value * inverse).round() / inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_two_digits() {
        assert_eq!(
            [0, 7, 42, 99, 104, 105, 4_349, 996].map(nearest),
            [0, 7, 42, 99, 100, 110, 4_300, 1000]
        );
        assert_eq!([0, 7, 101, 4_301, u64::MAX].map(up), [0, 7, 110, 4_400, u64::MAX]);
        assert_eq!([0, 7, 109, 4_399].map(down), [0, 7, 100, 4_300]);
        for value in [0.004_3, 0.43, 4.3, 43.0, 430.0, 43_000.0] {
            assert_eq!(to_two_digits(value * 1.001).to_string(), value.to_string());
        }
        assert_eq!(to_two_digits(0.0).to_string(), "0");
    }

    #[test]
    fn figures_are_read_by_people() {
        assert_eq!(
            [
                999,
                48_000,
                1_000_000,
                15_900_000,
                1_500_000_000,
                1_000_000_000_000
            ]
            .map(count_in_words),
            [
                "999",
                "48,000",
                "1 million",
                "16 million",
                "1.5 billion",
                "1 trillion"
            ]
        );
        assert_eq!(
            [100, 3 << 19, 16 << 30].map(bytes_in_words),
            ["100 bytes", "1.5 MiB", "16 GiB"]
        );
        assert_eq!(
            [0.5, 42.4, 300.0, 36_000.0].map(seconds_in_words),
            ["0.5 s", "42 s", "5 min", "10 h"]
        );
    }
}
