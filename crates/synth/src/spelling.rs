//! How clerks of one language write a name they hear or read in another.

use crate::draw::Draw;

/// The language of an office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Dutch,
    English,
    French,
    German,
    Italian,
    Portuguese,
    Spanish,
}

impl Language {
    /// Letters as others write them → letters this language has for the sound.
    const fn sounds(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Dutch => &[("ou", "oe"), ("sh", "sj"), ("y", "j"), ("gh", "g"), ("c", "k")],
            Self::English => &[
                ("dj", "j"),
                ("ch", "sh"),
                ("oua", "wa"),
                ("ou", "u"),
                ("gu", "g"),
                ("ph", "f"),
            ],
            Self::French => &[
                ("sh", "ch"),
                ("oo", "ou"),
                ("u", "ou"),
                ("j", "dj"),
                ("w", "ou"),
                ("ee", "i"),
            ],
            Self::German => &[
                ("sh", "sch"),
                ("ch", "sch"),
                ("ou", "u"),
                ("y", "j"),
                ("ts", "z"),
                ("gh", "g"),
            ],
            Self::Italian => &[
                ("ou", "u"),
                ("ge", "ghe"),
                ("gi", "ghi"),
                ("k", "ch"),
                ("y", "i"),
                ("w", "v"),
            ],
            Self::Portuguese => &[
                ("ou", "u"),
                ("z", "s"),
                ("s", "z"),
                ("y", "i"),
                ("k", "c"),
                ("w", "u"),
            ],
            Self::Spanish => &[
                ("dj", "y"),
                ("kh", "j"),
                ("ou", "u"),
                ("ss", "s"),
                ("w", "u"),
                ("k", "c"),
            ],
        }
    }
}

/// `text` as a clerk of `language` may write it: one sound, wherever it stands after the first letter; the same when
/// the clerk hears nothing to change.
pub(crate) fn respell(text: &str, language: Language, draw: &mut Draw) -> String {
    let sounds = language.sounds();
    let first_len = text.chars().next().map_or(0, char::len_utf8);
    let (first, rest) = text.split_at(first_len);
    let start = draw.position(sounds.len());
    for turn in 0..sounds.len() {
        let (theirs, ours) = sounds[(start + turn) % sounds.len()];
        // Where the name has this language's letters already, there is nothing to hear.
        let is_ours = ours.contains(theirs) && rest.contains(ours);
        if rest.contains(theirs) && !is_ours {
            return format!("{first}{}", rest.replace(theirs, ours));
        }
    }
    // The first letters of names are the last that clerks change; Ouattara and Watara are the exception.
    for (theirs, ours) in [
        ("Oua", "Wa"),
        ("Dj", "J"),
        ("Yo", "Jo"),
        ("Gh", "G"),
        ("Ch", "Sh"),
    ] {
        if let Some(end) = text.strip_prefix(theirs) {
            return format!("{ours}{end}");
        }
    }
    text.to_owned()
}

/// `text` with its particle or compound joined where it was split, or split where it was joined; `None` when it has
/// none.
pub(crate) fn rejoin(text: &str, draw: &mut Draw) -> Option<String> {
    if let Some((first, rest)) = text.split_once([' ', '-']) {
        // Hyphen, blank or nothing: whichever it was not.
        return Some(match draw.below(3) {
            0 if text.contains(' ') => format!("{first}-{rest}"),
            0 => format!("{first} {rest}"),
            _ => format!("{first}{}", rest.to_lowercase()),
        });
    }
    let prefix = PREFIXES.iter().find(|prefix| {
        text.strip_prefix(**prefix)
            .is_some_and(|rest| rest.chars().count() >= 4 && rest.starts_with(|c: char| c.is_lowercase()))
    })?;
    let mut rest = text[prefix.len()..].chars();
    let capital: String = rest.next()?.to_uppercase().collect();
    Some(format!("{prefix} {capital}{}", rest.as_str()))
}

/// What begins compound names: Arabic particles and Tigrinya and Amharic first parts.
const PREFIXES: &[&str] = &[
    "Abdel", "Abdoul", "Abdul", "Abder", "Ben", "Bou", "Bel", "Ghebre", "Gebre", "Haile", "Habte", "Tekle",
    "Tesfa", "Wolde", "Welde", "Kifle", "Zer", "El", "Ait",
];

/// `text` with one slip of a hand on a keyboard: a letter left out, doubled, exchanged with the next, or its neighbour.
/// Names of fewer than three letters are left alone.
pub(crate) fn mistype(text: &str, draw: &mut Draw) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 3 {
        return text.to_owned();
    }
    let at = 1 + draw.position(letters.len() - 1);
    match draw.below(4) {
        0 => {
            letters.remove(at);
        }
        1 => letters.insert(at, letters[at]),
        2 if at + 1 < letters.len() => letters.swap(at, at + 1),
        _ => {
            let row = KEY_ROWS.iter().find_map(|row| {
                let place = row
                    .iter()
                    .position(|&key| key == letters[at].to_ascii_lowercase())?;
                Some(row[if place == 0 { 1 } else { place - 1 }])
            });
            letters[at] = row.unwrap_or('e');
        }
    }
    letters.into_iter().collect()
}

const KEY_ROWS: &[&[char]] = &[
    &['q', 'w', 'e', 'r', 't', 'y', 'u', 'i', 'o', 'p'],
    &['a', 's', 'd', 'f', 'g', 'h', 'j', 'k', 'l'],
    &['z', 'x', 'c', 'v', 'b', 'n', 'm'],
];

/// `text` as a scanner misreads it in one place; the same when nothing in it is easily misread.
pub(crate) fn misread(text: &str, draw: &mut Draw) -> String {
    let start = draw.position(SCANNED.len());
    (0..SCANNED.len())
        .map(|turn| SCANNED[(start + turn) % SCANNED.len()])
        .find(|(read, _)| text.contains(read))
        .map_or_else(
            || text.to_owned(),
            |(read, as_this)| text.replacen(read, as_this, 1),
        )
}

/// What optical character recognition confuses (of the list in gecko's data package, MIT).
const SCANNED: &[(&str, &str)] = &[
    ("m", "rn"),
    ("d", "cl"),
    ("w", "vv"),
    ("n", "ri"),
    ("b", "lo"),
    ("k", "lc"),
    ("h", "b"),
    ("v", "y"),
    ("u", "v"),
    ("g", "q"),
    ("o", "0"),
    ("l", "1"),
    ("s", "5"),
    ("i", "l"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clerks_hear_the_same_name_differently() {
        let spellings = |text, language| -> std::collections::BTreeSet<String> {
            let mut draw = Draw::new(1, "respell");
            (0..40).map(|_| respell(text, language, &mut draw)).collect()
        };
        assert!(spellings("Youssef", Language::English).contains("Yussef"));
        assert!(spellings("Gebremedhin", Language::Italian).contains("Gebremedhin"));
        assert!(spellings("Ouattara", Language::Spanish).contains("Wattara"));
        assert!(spellings("Yusuf", Language::French).contains("Yousouf"));
        assert_eq!(spellings("Youcef", Language::French).len(), 1);
        assert!(spellings("Ali", Language::French).contains("Ali"));
    }

    #[test]
    fn particles_are_joined_and_split() {
        let forms = |text| -> std::collections::BTreeSet<String> {
            let mut draw = Draw::new(1, "rejoin");
            (0..20).filter_map(|_| rejoin(text, &mut draw)).collect()
        };
        assert!(forms("Ben Ali").contains("Benali") && forms("Ben Ali").contains("Ben-Ali"));
        assert!(forms("Benjelloun").contains("Ben Jelloun"));
        assert!(forms("Gebremedhin").contains("Gebre Medhin"));
        assert!(forms("Benali").is_empty() && forms("Diop").is_empty());
    }

    #[test]
    fn slips_change_one_place_and_leave_a_name() {
        let mut draw = Draw::new(1, "slips");
        for name in ["Ba", "Sow", "Fatoumata", "N'Diaye", "Évora"] {
            for _ in 0..50 {
                for slipped in [mistype(name, &mut draw), misread(name, &mut draw)] {
                    assert!(slipped.chars().any(char::is_alphabetic), "{name} → {slipped}");
                    assert!(slipped.chars().count().abs_diff(name.chars().count()) <= 1);
                }
            }
        }
        assert_eq!(mistype("Ba", &mut draw), "Ba");
    }
}
