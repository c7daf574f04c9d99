//! Greek and Cyrillic.

use super::letters::push_letter;

/// Spells Greek as passports do (ELOT 743): digraphs first, then letter by letter.
pub(super) fn spell_greek(run: &[char], latin: &mut String) {
    let letters: Vec<char> = run.iter().map(|&letter| plain_greek(letter)).collect();
    let mut at = 0;
    while at < letters.len() {
        let next = letters.get(at + 1).copied().unwrap_or(' ');
        let voiceless = |letter: Option<&char>| {
            letter.is_none_or(|c| matches!(c, 'θ' | 'κ' | 'ξ' | 'π' | 'σ' | 'τ' | 'φ' | 'χ' | 'ψ'))
        };
        let f_or_v = if voiceless(letters.get(at + 2)) { "f" } else { "v" };
        let (spelt, used) = match (letters[at], next) {
            ('ο', 'υ') => ("ou", 2),
            ('α', 'υ') => (if f_or_v == "f" { "af" } else { "av" }, 2),
            ('ε', 'υ') => (if f_or_v == "f" { "ef" } else { "ev" }, 2),
            ('γ', 'γ') => ("ng", 2),
            ('γ', 'ξ') => ("nx", 2),
            ('γ', 'χ') => ("nch", 2),
            ('μ', 'π') if at == 0 || at + 2 == letters.len() => ("b", 2),
            ('α', _) => ("a", 1),
            ('β', _) => ("v", 1),
            ('γ', _) => ("g", 1),
            ('δ', _) => ("d", 1),
            ('ε', _) => ("e", 1),
            ('ζ', _) => ("z", 1),
            ('η' | 'ι', _) => ("i", 1),
            ('θ', _) => ("th", 1),
            ('κ', _) => ("k", 1),
            ('λ', _) => ("l", 1),
            ('μ', _) => ("m", 1),
            ('ν', _) => ("n", 1),
            ('ξ', _) => ("x", 1),
            ('ο' | 'ω', _) => ("o", 1),
            ('π', _) => ("p", 1),
            ('ρ', _) => ("r", 1),
            ('σ', _) => ("s", 1),
            ('τ', _) => ("t", 1),
            ('υ', _) => ("y", 1),
            ('φ', _) => ("f", 1),
            ('χ', _) => ("ch", 1),
            ('ψ', _) => ("ps", 1),
            (other, _) => {
                push_letter(other, latin);
                ("", 1)
            }
        };
        latin.push_str(spelt);
        at += used;
    }
}

/// Lower case, without accent, the final sigma like the others. A diaeresis keeps its vowel apart, and so
/// gives the letter of that sound alone.
fn plain_greek(letter: char) -> char {
    use unicode_normalization::UnicodeNormalization;
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    match lower {
        'ς' => 'σ',
        'ϋ' | 'ΰ' => 'ι',
        _ => std::iter::once(lower).nfd().next().unwrap_or(lower),
    }
}

/// Spells Russian, Ukrainian, Bulgarian and Serbian as passports do, one table for all four.
pub(super) fn spell_cyrillic(run: &[char], latin: &mut String) {
    let lower = |letter: char| letter.to_lowercase().next().unwrap_or(letter);
    for (at, &letter) in run.iter().enumerate() {
        let soft_next = run
            .get(at + 1)
            .is_some_and(|&next| matches!(lower(next), 'е' | 'ё' | 'ю' | 'я' | 'є' | 'ї'));
        let spelt = match lower(letter) {
            'а' => "a",
            'б' => "b",
            'в' => "v",
            'г' | 'ґ' | 'ѓ' => "g",
            'д' => "d",
            'ђ' => "dj",
            'е' | 'э' => "e",
            'ё' => "yo",
            'є' => "ye",
            'ж' => "zh",
            'з' => "z",
            'ѕ' => "dz",
            'и' | 'і' | 'ѝ' => "i",
            'ї' => "yi",
            'й' | 'ы' => "y",
            'ј' => "j",
            'к' | 'ќ' => "k",
            'л' => "l",
            'љ' => "lj",
            'м' => "m",
            'н' => "n",
            'њ' => "nj",
            'о' => "o",
            'п' => "p",
            'р' => "r",
            'с' => "s",
            'т' => "t",
            'ћ' => "c",
            'у' | 'ў' => "u",
            'ф' => "f",
            'х' => "kh",
            'ц' => "ts",
            'ч' => "ch",
            'џ' => "dz",
            'ш' => "sh",
            'щ' => "shch",
            'ю' => "yu",
            'я' => "ya",
            'ь' => "",
            // Bulgarian has a vowel here, Russian only a pause before a soft vowel.
            'ъ' if soft_next => "",
            'ъ' => "a",
            other => {
                push_letter(other, latin);
                ""
            }
        };
        latin.push_str(spelt);
    }
}
