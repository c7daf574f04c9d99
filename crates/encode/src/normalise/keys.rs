//! Keys: what the spellings of one name have in common.

use rphonetic::{DoubleMetaphone, Encoder};

use super::spelling::{after_article, fold_spelling, local_form};

/// The consonants of a word after [`fold_spelling`], with its first letter when that is a vowel: what is
/// left when scripts without vowels are transliterated, and what clerks agree on most.
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

/// A key by sound.
pub(crate) fn phonetic(word: &str) -> String {
    let folded = fold_spelling(stem(word));
    let mut plain = String::with_capacity(folded.len() + 4);
    let mut letters = folded.as_str();
    if folded.starts_with("la")
        && consonants(&letters[1..]) > 1
        && !letters[2..].starts_with(['a', 'e', 'i', 'o', 'u'])
    {
        letters = &letters[1..];
    }
    if consonants(letters) > 2 {
        letters = letters.trim_start_matches(['a', 'e', 'i', 'o', 'u']);
    }
    for end in ["at", "atu", "ata", "ato", "et", "etu"] {
        if let Some(s) = letters.strip_suffix(end)
            && consonants(s) > 0
            && s.len() > 1
        {
            letters = s;
            break;
        }
    }
    if letters.ends_with("nd") || letters.ends_with("nt") {
        letters = &letters[..letters.len() - 1];
    }
    for (at, letter) in letters.chars().enumerate() {
        match letter {
            'x' => plain.push_str("sh"),
            'h' if at > 0 => {}
            'a' | 'e' | 'i' | 'o' | 'u' => plain.push('a'),
            'g' | 'j' => plain.push('k'),
            _ => plain.push(letter),
        }
    }
    let key = DoubleMetaphone::new(Some(8)).encode(&plain);
    if key.is_empty() { plain } else { key }
}

fn consonants(word: &str) -> usize {
    word.chars()
        .filter(|c| !matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'h'))
        .count()
}
