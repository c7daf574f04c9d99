//! From Unicode to lower-case ASCII, a run of letters at a time.

use unicode_normalization::UnicodeNormalization;

use super::{MAX_LETTERS, arabic, ethiopic, slavic_greek};

/// A run of letters and digits, and what stood between it and the next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Lower-case ASCII letters and digits, never empty.
    pub(super) text: String,
    /// The first character after the run; a blank at the end.
    pub(super) end: char,
}

/// Cuts a name at whatever is neither letter nor digit. Apostrophes, and marks that are not seen, are
/// neither part of a word nor its end.
pub(super) fn parts(name: &str) -> Vec<Part> {
    let mut parts = Vec::with_capacity(4);
    if name.is_ascii() {
        let mut text = String::with_capacity(12);
        for letter in name.chars().take(MAX_LETTERS) {
            if letter.is_ascii_alphanumeric() {
                text.push(letter.to_ascii_lowercase());
            } else if !is_joining(letter) {
                close(&mut text, letter, &mut parts);
            }
        }
        close(&mut text, ' ', &mut parts);
        return parts;
    }
    let mut run = Vec::with_capacity(16);
    for letter in name.nfkc().take(MAX_LETTERS) {
        if letter.is_alphanumeric() || unicode_normalization::char::is_combining_mark(letter) {
            if !is_dropped_mark(letter) {
                run.push(letter);
            }
        } else if !is_joining(letter) {
            close(&mut to_latin(&mut run), letter, &mut parts);
        }
    }
    close(&mut to_latin(&mut run), ' ', &mut parts);
    parts
}

fn close(text: &mut String, end: char, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part {
            text: std::mem::take(text),
            end,
        });
    } else if let Some(last) = parts.last_mut() {
        // `J. Diop`: of several separators the one that is no blank says more.
        if last.end == ' ' {
            last.end = end;
        }
    }
}

/// Apostrophes, and characters that are not seen.
fn is_joining(letter: char) -> bool {
    matches!(
        letter,
        '\'' | '`' | '´' | '‘' | '’' | '‛' | '′' | '＇' | '\u{2b9}'..='\u{2c1}' | '\u{2c8}' | '\u{2ee}' | '\u{55a}'
            | '\u{a78b}' | '\u{a78c}' | 'ـ' | '\0' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// Vowel points of Arabic and Hebrew, which one clerk writes and the next does not, tatweel, modifier letters
/// that stand for an apostrophe, and variation selectors.
fn is_dropped_mark(letter: char) -> bool {
    is_joining(letter)
        || matches!(letter, '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Arabic,
    Ethiopic,
    Other,
}

fn script(letter: char) -> Script {
    match letter {
        'a'..='z'
        | 'A'..='Z'
        | 'ª'
        | 'º'
        | '\u{c0}'..='\u{2af}'
        | '\u{1d00}'..='\u{1dbf}'
        | '\u{1e00}'..='\u{1eff}'
        | '\u{2c60}'..='\u{2c7f}'
        | '\u{a722}'..='\u{a7ff}'
        | '\u{ab30}'..='\u{ab6f}' => Script::Latin,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Script::Greek,
        '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' => Script::Cyrillic,
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{870}'..='\u{8ff}' => Script::Arabic,
        '\u{1200}'..='\u{1368}'
        | '\u{1380}'..='\u{139f}'
        | '\u{2d80}'..='\u{2ddf}'
        | '\u{ab00}'..='\u{ab2f}' => Script::Ethiopic,
        _ => Script::Other,
    }
}

/// Empties `run` into lower-case ASCII.
fn to_latin(run: &mut Vec<char>) -> String {
    one_script(run);
    let mut latin = String::with_capacity(run.len() + 4);
    for stretch in run.chunk_by(|&a, &b| script(a) == script(b)) {
        match script(stretch[0]) {
            Script::Arabic => arabic::spell(stretch, &mut latin),
            Script::Ethiopic => ethiopic::spell(stretch, &mut latin),
            Script::Greek => slavic_greek::spell_greek(stretch, &mut latin),
            Script::Cyrillic => slavic_greek::spell_cyrillic(stretch, &mut latin),
            Script::Latin | Script::Other => {
                for &letter in stretch {
                    push_letter(letter, &mut latin);
                }
            }
        }
    }
    run.clear();
    latin
}

/// One letter by its common Latin form, as any_ascii has it, but for the letters of African alphabets.
pub(super) fn push_letter(letter: char, latin: &mut String) {
    if letter.is_ascii() {
        latin.extend(Some(letter.to_ascii_lowercase()).filter(char::is_ascii_alphanumeric));
        return;
    }
    let known = match letter {
        'ŋ' | 'Ŋ' => "ng",
        'ɲ' | 'Ɲ' => "ny",
        'ɓ' | 'Ɓ' => "b",
        'ɗ' | 'Ɗ' | 'ɖ' | 'Ɖ' => "d",
        'ƒ' | 'Ƒ' => "f",
        'ɠ' | 'Ɠ' => "g",
        'ɣ' | 'Ɣ' => "gh",
        'ƙ' | 'Ƙ' => "k",
        'ƴ' | 'Ƴ' => "y",
        'ʋ' | 'Ʋ' => "v",
        'ʃ' | 'Ʃ' => "sh",
        'ʒ' | 'Ʒ' => "j",
        'ɛ' | 'Ɛ' | 'ə' | 'Ə' | 'ǝ' | 'Ǝ' => "e",
        'ɔ' | 'Ɔ' => "o",
        'ɩ' | 'Ɩ' | 'ɪ' => "i",
        'ʊ' | 'Ʊ' => "u",
        'þ' | 'Þ' => "th",
        _ => any_ascii::any_ascii_char(letter),
    };
    latin.extend(
        known
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase()),
    );
}

/// In a word that mixes Latin with Greek or Cyrillic, letters of the rarer script become the letters of
/// the other that look the same.
fn one_script(run: &mut [char]) {
    let (mut latin, mut other) = (0_usize, 0_usize);
    for &letter in run.iter() {
        match script(letter) {
            Script::Latin => latin += 1,
            Script::Greek | Script::Cyrillic => other += 1,
            Script::Arabic | Script::Ethiopic | Script::Other => {}
        }
    }
    if latin == 0 || other == 0 {
        return;
    }
    let greek = run.iter().any(|&letter| script(letter) == Script::Greek);
    for letter in run {
        let twin = |find: &dyn Fn(&(char, char, char)) -> bool| LOOK_ALIKES.iter().find(|row| find(row));
        if latin >= other {
            if let Some(row) = twin(&|row| row.1 == *letter || row.2 == *letter) {
                *letter = row.0;
            }
        } else if let Some(row) = twin(&|row| row.0 == *letter) {
            let same = if greek { row.2 } else { row.1 };
            if same != ' ' {
                *letter = same;
            }
        }
    }
}

/// Latin, Cyrillic and Greek letters of one shape; a blank where a script has none.
const LOOK_ALIKES: &[(char, char, char)] = &[
    ('A', 'А', 'Α'),
    ('B', 'В', 'Β'),
    ('C', 'С', ' '),
    ('E', 'Е', 'Ε'),
    ('H', 'Н', 'Η'),
    ('I', 'І', 'Ι'),
    ('J', 'Ј', ' '),
    ('K', 'К', 'Κ'),
    ('M', 'М', 'Μ'),
    ('N', ' ', 'Ν'),
    ('O', 'О', 'Ο'),
    ('P', 'Р', 'Ρ'),
    ('S', 'Ѕ', ' '),
    ('T', 'Т', 'Τ'),
    ('X', 'Х', 'Χ'),
    ('Y', 'У', 'Υ'),
    ('Z', ' ', 'Ζ'),
    ('a', 'а', 'α'),
    ('c', 'с', ' '),
    ('e', 'е', ' '),
    ('i', 'і', 'ι'),
    ('j', 'ј', ' '),
    ('k', 'к', 'κ'),
    ('m', 'м', ' '),
    ('o', 'о', 'ο'),
    ('p', 'р', 'ρ'),
    ('s', 'ѕ', ' '),
    ('t', 'т', 'τ'),
    ('u', ' ', 'υ'),
    ('v', ' ', 'ν'),
    ('x', 'х', 'χ'),
    ('y', 'у', 'γ'),
];
