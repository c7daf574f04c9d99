//! Decimal fractions held exactly, in millionths.

use std::fmt;

/// Millionths in 1.
pub(crate) const DENOMINATOR: u32 = 1_000_000;

/// The millionths a decimal text of at most six places stands for; `None` when it is none, or too large to hold.
pub(crate) fn parse_millionths(text: &str) -> Option<u32> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || places.len() > 6 || !digits(whole) || !digits(places) {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let places: u32 = format!("{places:0<6}").parse().ok()?;
    whole.checked_mul(DENOMINATOR)?.checked_add(places)
}

/// Writes the shortest decimal text of so many millionths.
pub(crate) fn write_millionths(millionths: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = format!("{}.{:06}", millionths / DENOMINATOR, millionths % DENOMINATOR);
    f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
}
