//! How wide texts are.

/// Widths of the letters from U+0020 to U+007E in DejaVu Sans 2.37, in thousandths of the size.
const ASCII: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636,
    636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295,
    295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838,
    500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521,
    392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];

/// The same from U+00A0 to U+00FF.
const LATIN_1: [u16; 96] = [
    318, 401, 636, 636, 636, 636, 337, 500, 500, 1000, 471, 612, 838, 361, 1000, 500, 500, 838, 401, 401,
    500, 636, 636, 318, 500, 401, 471, 612, 969, 969, 969, 531, 684, 684, 684, 684, 684, 684, 974, 698, 632,
    632, 632, 632, 295, 295, 295, 295, 775, 748, 787, 787, 787, 787, 787, 838, 787, 732, 732, 732, 732, 611,
    605, 630, 613, 613, 613, 613, 613, 613, 982, 550, 615, 615, 615, 615, 278, 278, 278, 278, 612, 634, 612,
    612, 612, 612, 612, 838, 612, 634, 634, 634, 634, 592, 635, 592,
];

/// Width of a text of a size. Letters without an entry are taken for the widest.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let thousandths: u32 = text.chars().map(letter).sum();
    f64::from(thousandths) * size / 1000.0
}

fn letter(letter: char) -> u32 {
    let code = usize::try_from(u32::from(letter)).unwrap_or(usize::MAX);
    let at = |table: &[u16], first: usize| {
        code.checked_sub(first)
            .and_then(|place| table.get(place).copied())
    };
    let known = at(&ASCII, 0x20).or_else(|| at(&LATIN_1, 0xa0));
    known.map_or_else(
        || match letter {
            '\u{302}' => 0,
            '\u{202f}' => 200,
            '–' => 500,
            '’' => 318,
            '→' | '−' | '≥' | '≤' => 838,
            _ => 1024,
        },
        u32::from,
    )
}

#[cfg(test)]
mod tests {
    use super::width;

    #[test]
    fn widths_are_those_of_the_font() {
        for (text, expected) in [
            ("", 0.0),
            ("A", 6.84),
            ("é", 6.15),
            ("N\u{302}", 7.48),
            ("1\u{202f}0", 14.72),
        ] {
            assert!((width(text, 10.0) - expected).abs() < 1e-9, "{text}");
        }
    }
}
