//! Ge'ez script (Amharic, Tigrinya): each sign is a consonant with its vowel.

use super::letters::push_letter;
use super::syllables::{self, Sound};

/// Spells a run of Ge'ez signs. Letters that sound alike today are one (ሀ ሐ ኀ; ሰ ሠ; አ ዐ; ጸ ፀ), and the sixth
/// order, a consonant that may stand bare, gets an `i` where a syllable needs one.
pub(super) fn spell(run: &[char], latin: &mut String) {
    let mut sounds = Vec::with_capacity(2 * run.len());
    for &sign in run {
        let code = u32::from(sign);
        let row = ROWS
            .binary_search_by_key(&(code & !7), |row| row.0)
            .map(|index| ROWS[index].1);
        let Ok(consonant) = row else {
            syllables::spell(&sounds, FILLER, latin);
            sounds.clear();
            push_letter(sign, latin);
            continue;
        };
        let order = usize::try_from(code & 7).unwrap_or_default();
        if !consonant.is_empty() {
            sounds.push(Sound::Consonant(consonant));
        }
        match (order, consonant) {
            // The first order of a breath is said like the fourth.
            (0, "" | "h") => sounds.push(Sound::Vowel("a")),
            // A bare glottal stop is heard as the vowel of the sixth order.
            (5, "") => sounds.push(Sound::Vowel("e")),
            (5, _) => {}
            (7, _) => sounds.extend([Sound::Consonant("w"), Sound::Vowel("a")]),
            _ => sounds.push(Sound::Vowel(VOWELS[order])),
        }
    }
    syllables::spell(&sounds, FILLER, latin);
}

const FILLER: &str = "i";

/// Vowels by order; the sixth and the eighth are treated apart.
const VOWELS: [&str; 8] = ["e", "u", "i", "a", "e", "", "o", ""];

/// First sign of each row of eight, in code order, and its consonant.
const ROWS: &[(u32, &str)] = &[
    (0x1200, "h"),
    (0x1208, "l"),
    (0x1210, "h"),
    (0x1218, "m"),
    (0x1220, "s"),
    (0x1228, "r"),
    (0x1230, "s"),
    (0x1238, "sh"),
    (0x1240, "k"),
    (0x1248, "kw"),
    (0x1250, "k"),
    (0x1258, "kw"),
    (0x1260, "b"),
    (0x1268, "v"),
    (0x1270, "t"),
    (0x1278, "ch"),
    (0x1280, "h"),
    (0x1288, "hw"),
    (0x1290, "n"),
    (0x1298, "ny"),
    (0x12a0, ""),
    (0x12a8, "k"),
    (0x12b0, "kw"),
    (0x12b8, "h"),
    (0x12c0, "hw"),
    (0x12c8, "w"),
    (0x12d0, ""),
    (0x12d8, "z"),
    (0x12e0, "zh"),
    (0x12e8, "y"),
    (0x12f0, "d"),
    (0x12f8, "d"),
    (0x1300, "j"),
    (0x1308, "g"),
    (0x1310, "gw"),
    (0x1318, "ng"),
    (0x1320, "t"),
    (0x1328, "ch"),
    (0x1330, "p"),
    (0x1338, "ts"),
    (0x1340, "ts"),
    (0x1348, "f"),
    (0x1350, "p"),
];
