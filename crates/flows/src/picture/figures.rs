//! Numbers as they are written in a language.

use crate::number::real;
use crate::picture::words::Language;

/// A whole number with its thousands set apart.
pub(super) fn count(value: u64, language: Language) -> String {
    group(&value.to_string(), language)
}

/// The same with its sign, also where it is positive; 0 has none.
pub(super) fn difference(value: i128, language: Language) -> String {
    let sign = match value {
        1.. => "+",
        0 => "",
        _ => "−",
    };
    format!("{sign}{}", group(&value.unsigned_abs().to_string(), language))
}

/// A real number to the nearest whole one; with a power of ten where it would have more digits than anybody reads.
pub(super) fn rounded(value: f64, language: Language) -> String {
    if value.is_finite() && value.abs() < 1e15 {
        // Never -0.
        let sign = if value <= -0.5 { "−" } else { "" };
        format!("{sign}{}", group(&format!("{:.0}", value.abs()), language))
    } else {
        format!("{value:.3e}")
    }
}

/// A difference as a real number; exact where both counts are such.
pub(super) fn to_real(value: i128) -> f64 {
    let size = real(u64::try_from(value.unsigned_abs()).unwrap_or(u64::MAX));
    if value < 0 { -size } else { size }
}

fn group(digits: &str, language: Language) -> String {
    let mark = language.thousands_mark();
    let mut text = String::with_capacity(2 * digits.len());
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart_as_the_language_does() {
        assert_eq!(count(1_234_567, Language::English), "1,234,567");
        assert_eq!(count(1_234_567, Language::French), "1\u{202f}234\u{202f}567");
        assert_eq!(count(999, Language::English), "999");
        assert_eq!(difference(-1200, Language::English), "−1,200");
        assert_eq!(difference(12, Language::French), "+12");
        assert_eq!(difference(0, Language::French), "0");
        assert_eq!(rounded(5423.4, Language::English), "5,423");
        assert_eq!(rounded(-0.2, Language::English), "0");
        assert_eq!(rounded(1e300, Language::English), "1.000e300");
    }
}
