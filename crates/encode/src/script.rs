//! What a text is made of: scripts, and characters that a name should not have.

use serde::Serialize;

/// The script of a text's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// Latin.
    Latin,
    /// Arabic.
    Arabic,
    /// Ge'ez, in which Amharic and Tigrinya are written.
    Geez,
    /// Greek.
    Greek,
    /// Cyrillic.
    Cyrillic,
    /// Any other.
    Other,
    /// Letters of several.
    Mixed,
}

impl Script {
    /// The script's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latin => "Latin",
            Self::Arabic => "Arabic",
            Self::Geez => "Ge'ez",
            Self::Greek => "Greek",
            Self::Cyrillic => "Cyrillic",
            Self::Other => "other",
            Self::Mixed => "mixed",
        }
    }

    /// The script of a letter; `None` for what is no letter, or one of none.
    fn of(character: char) -> Option<Self> {
        if !character.is_alphabetic() {
            return None;
        }
        match u32::from(character) {
            // Letters that stand for an apostrophe belong to no script.
            0x02b0..=0x02ff | 0xa788..=0xa78c => None,
            ..=0x02af
            | 0x1d00..=0x1eff
            | 0x2c60..=0x2c7f
            | 0xa720..=0xa7ff
            | 0xab30..=0xab6f
            | 0xff21..=0xff5a => Some(Self::Latin),
            0x0370..=0x03ff | 0x1f00..=0x1fff => Some(Self::Greek),
            0x0400..=0x052f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Some(Self::Cyrillic),
            0x0600..=0x06ff | 0x0750..=0x077f | 0x0870..=0x08ff | 0xfb50..=0xfdff | 0xfe70..=0xfeff => {
                Some(Self::Arabic)
            }
            0x1200..=0x139f | 0x2d80..=0x2ddf | 0xab00..=0xab2f | 0x1e7e0..=0x1e7ff => Some(Self::Geez),
            _ => Some(Self::Other),
        }
    }
}

/// What a text is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TextTraits {
    /// Characters.
    pub(crate) len: usize,
    /// Letters among them.
    pub(crate) letters: usize,
    /// Words: what blanks divide.
    pub(crate) words: usize,
    /// The script of all letters.
    pub(crate) script: Option<Script>,
    pub(crate) has_digit: bool,
    /// A control character, or the sign for one that could not be read.
    pub(crate) has_control: bool,
    /// A mark that cannot be seen: of direction or joining, or a soft hyphen.
    pub(crate) has_invisible: bool,
    /// A word of letters of several scripts.
    pub(crate) has_mixed_word: bool,
    /// Two characters that come of text encoded twice, as é becomes Ã©.
    pub(crate) is_encoded_twice: bool,
}

impl TextTraits {
    /// Looks at a text.
    pub(crate) fn of(text: &str) -> Self {
        let mut traits = Self::default();
        let (mut word_script, mut in_word, mut before) = (None, false, '\0');
        for character in text.chars() {
            traits.len += 1;
            if character.is_whitespace() || matches!(character, '-' | '\'' | '.' | ',' | '’') {
                word_script = None;
            }
            in_word = if character.is_whitespace() {
                false
            } else {
                traits.words += usize::from(!in_word);
                true
            };
            if let Some(script) = Script::of(character) {
                traits.letters += 1;
                traits.has_mixed_word |= word_script.is_some_and(|before| before != script);
                word_script = Some(script);
                traits.script = match traits.script {
                    Some(before) if before != script => Some(Script::Mixed),
                    _ => Some(script),
                };
            } else if !character.is_ascii_punctuation() {
                traits.has_digit |= character.is_numeric();
                traits.has_control |= character.is_control() || character == '\u{fffd}';
                traits.has_invisible |= is_invisible(character);
            }
            traits.is_encoded_twice |=
                matches!(before, 'Ã' | 'Â' | 'Ø' | 'Ù') && matches!(character, '\u{80}'..='\u{bf}');
            before = character;
        }
        traits
    }
}

const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_by_letters_alone() {
        for (text, script) in [
            ("N'Diaye-Sow 2", Some(Script::Latin)),
            ("Þórʿ", Some(Script::Latin)),
            ("محمد بن", Some(Script::Arabic)),
            ("አበበ", Some(Script::Geez)),
            ("Ωμέγα", Some(Script::Greek)),
            ("Иван", Some(Script::Cyrillic)),
            ("ⴰⵎⴰⵣⵉⵖ", Some(Script::Other)),
            ("Ali محمد", Some(Script::Mixed)),
            ("12 - '", None),
            ("", None),
        ] {
            assert_eq!(TextTraits::of(text).script, script, "{text}");
        }
    }

    #[test]
    fn words_of_two_scripts_are_not_names_in_two_scripts() {
        // The first letter is Cyrillic.
        assert!(TextTraits::of("Аli").has_mixed_word);
        assert!(!TextTraits::of("Ali محمد").has_mixed_word);
        assert!(!TextTraits::of("Ali-محمد").has_mixed_word);
    }

    #[test]
    fn what_a_name_should_not_have_is_seen() {
        assert!(TextTraits::of("Ali2").has_digit && TextTraits::of("علي٢").has_digit);
        assert!(TextTraits::of("A\0li").has_control && TextTraits::of("A\u{fffd}li").has_control);
        assert!(TextTraits::of("\u{200f}علي").has_invisible);
        assert!(TextTraits::of("JosÃ©").is_encoded_twice && !TextTraits::of("Ãgueda Ø").is_encoded_twice);
        let plain = TextTraits::of("  Zoé  N'Diaye ");
        assert_eq!((plain.words, plain.letters), (2, 9));
        assert!(!plain.has_digit && !plain.has_control && !plain.has_invisible && !plain.has_mixed_word);
    }
}
