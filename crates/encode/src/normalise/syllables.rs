//! Vowels that a script leaves out.

/// A sound of a script that writes consonants first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    /// A consonant, by its Latin letters.
    Consonant(&'static str),
    /// A vowel that is written.
    Vowel(&'static str),
}

/// Spells `sounds`, with `filler` where a consonant would stand without a vowel: syllables are a consonant,
/// a vowel and at most one consonant more, cut from left to right (`mhmd` → `mahmad`). A vowel written
/// twice counts once.
pub(super) fn spell(sounds: &[Sound], filler: &str, latin: &mut String) {
    use Sound::{Consonant, Vowel};
    let mut at = 0;
    while let Some(&sound) = sounds.get(at) {
        match sound {
            Vowel(vowel) => {
                if !latin.ends_with(vowel) {
                    latin.push_str(vowel);
                }
                at += 1;
            }
            Consonant(consonant) => {
                latin.push_str(consonant);
                at += 1;
                if let Some(Consonant(_)) = sounds.get(at) {
                    latin.push_str(filler);
                } else if !matches!(sounds.get(at), Some(Vowel(_))) {
                    continue;
                }
                while let Some(Vowel(vowel)) = sounds.get(at) {
                    if !latin.ends_with(vowel) {
                        latin.push_str(vowel);
                    }
                    at += 1;
                }
            }
        }
        if let Some(&Consonant(consonant)) = sounds.get(at)
            && closes(consonant, sounds.get(at + 1).copied())
        {
            latin.push_str(consonant);
            at += 1;
        }
    }
}

/// Whether a consonant closes the syllable: not when the next vowel needs it, and not where the two letters
/// would be read as one (`sh`, `nn`).
fn closes(consonant: &str, next: Option<Sound>) -> bool {
    match next {
        None => true,
        Some(Sound::Vowel(_)) => false,
        Some(Sound::Consonant(next)) => {
            consonant != next && !(next == "h" && consonant.ends_with(['c', 'd', 'g', 'k', 'p', 's', 't']))
        }
    }
}
