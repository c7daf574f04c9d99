//! Keys: what the spellings of one name have in common.

use rphonetic::{DoubleMetaphone, Encoder};

use super::spelling::{after_article, fold_spelling, local_form};

/// The consonants of a word, with its first letter when that is a vowel (any vowel is `a`): what is left when a
/// script without vowels is transliterated, and what clerks agree on most. The article is left out, and `p` and
/// `v`, which Arabic script does not have, are `b` and `f`.
///
/// `word` is one of [`words`](super::words); the key is ASCII, no longer than the word and a few letters, and
/// never empty for a non-empty word.
pub(crate) fn skeleton(word: &str) -> String {
    let folded = fold_spelling(stem(word));
    let mut key = String::with_capacity(folded.len());
    for (at, letter) in folded.chars().enumerate() {
        match letter {
            'a' | 'e' | 'i' | 'o' | 'u' if at == 0 => key.push('a'),
            'a' | 'e' | 'i' | 'o' | 'u' => {}
            'h' if at > 0 => {}
            'p' => key.push('b'),
            'v' => key.push('f'),
            _ => key.push(letter),
        }
    }
    key
}

/// A key by sound: Double Metaphone (Philips 2000), at most [`PHONETIC_LEN`] letters, of the folded word.
///
/// It is coarser than [`skeleton`]: voiced and voiceless consonants are one (`d` `t`, `b` `p`), and so are `g`,
/// `j` and `k` (Egyptian Gamal is Jamal, Maghrebi Gasmi is Kasmi). A first vowel before three consonants
/// (`Ibrahim`, `Brahim`), the `l` of an article grown into the name (`Larbi`, `El Arbi`), the Arabic feminine ending
/// that West Africa writes out (`Fatima`, `Fatimatou`; `Najwa`, `Najwat`) and a stop after a last `n` (`Raymond`) do not
/// count. Vowels are all put as `a`, so that no rule of English spelling acts on them.
///
/// The key is ASCII and never empty for a non-empty word.
pub(crate) fn phonetic(word: &str) -> String {
    let folded = fold_spelling(stem(word));
    let heard = heard(&folded);
    let mut plain = String::with_capacity(heard.len() + 4);
    for (at, letter) in heard.chars().enumerate() {
        match letter {
            'a' | 'e' | 'i' | 'o' | 'u' => plain.push('a'),
            'g' | 'j' => plain.push('k'),
            'h' if at > 0 => {}
            'x' => plain.push_str("sh"),
            _ => plain.push(letter),
        }
    }
    let key = DoubleMetaphone::new(Some(PHONETIC_LEN)).encode(&plain);
    // Digits have no sound.
    if key.is_empty() {
        plain
    } else {
        key.to_ascii_lowercase()
    }
}

/// Length of the longest phonetic key.
pub(crate) const PHONETIC_LEN: usize = 8;

/// Without the article, which one office writes and the other does not.
fn stem(word: &str) -> &str {
    let word = local_form(word);
    if let Some(name) = after_article(word) {
        return name;
    }
    match word.strip_prefix("el") {
        Some(name) if name.len() > 3 && name.starts_with(['a', 'i', 'o', 'u']) => name,
        _ => word,
    }
}

/// The part of a folded word that the phonetic key is made of.
fn heard(folded: &str) -> &str {
    let mut rest = folded;
    if let Some(name) = folded.strip_prefix('l')
        && name.starts_with('a')
        && !name[1..].starts_with(VOWELS)
        && consonants(name) > 1
    {
        rest = name;
    }
    if consonants(rest) > 2 {
        rest = rest.trim_start_matches(VOWELS);
    }
    let feminine = FEMININE
        .iter()
        .find_map(|ending| rest.strip_suffix(ending))
        .filter(|name| name.len() > 1 && consonants(name) > 0);
    if let Some(name) = feminine {
        rest = name;
    }
    if rest.ends_with("nd") || rest.ends_with("nt") {
        rest = &rest[..rest.len() - 1];
    }
    rest
}

/// The feminine ending of Arabic where its `t` is written.
const FEMININE: [&str; 3] = ["at", "ata", "atu"];

const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];

fn consonants(word: &str) -> usize {
    word.chars()
        .filter(|letter| !VOWELS.contains(letter) && *letter != 'h')
        .count()
}
