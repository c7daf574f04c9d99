//! One spelling for the sounds that clerks of different languages write differently.

/// One spelling of a word: `ouattara`, `watara` → `uatara`; `omar`, `oumar`, `umar` → `umar`; `hocine` → `husin`.
///
/// `word` is one of [`words`](super::words); the result is ASCII and never empty for a non-empty word. Letters
/// doubled by habit count once. The rules are read from left to right, the longest first, and look at
/// neighbouring letters only, so that a slip of the pen changes few bigrams.
pub(crate) fn fold_spelling(word: &str) -> String {
    let word = local_form(word);
    let mut folded = Folded(String::with_capacity(word.len()));
    let rest = prefix(word, &mut folded);
    let (rest, suffix) = suffix(rest);
    sounds(rest.as_bytes(), &mut folded);
    folded.trim_silent();
    folded.push_all(suffix);
    folded.0
}

/// Letters without doubles, `o` as `u`: the two are one vowel in Arabic, and clerks take either.
struct Folded(String);

impl Folded {
    fn push(&mut self, letter: u8) {
        let letter = if letter == b'o' { 'u' } else { char::from(letter) };
        if !self.0.ends_with(letter) {
            self.0.push(letter);
        }
    }

    fn push_all(&mut self, letters: &str) {
        letters.bytes().for_each(|letter| self.push(letter));
    }

    /// A final `h` is not heard, nor is a final `e`.
    fn trim_silent(&mut self) {
        if self.0.len() > 2 && self.0.ends_with('h') {
            self.0.pop();
        }
        if self.0.len() > 3 && self.0.ends_with('e') {
            self.0.pop();
        }
    }
}

/// The form nearest to Arabic of names that Somali and Turkish write by rules of their own.
pub(super) fn local_form(word: &str) -> &str {
    LOCAL
        .binary_search_by_key(&word, |(local, _)| local)
        .map_or(word, |index| LOCAL[index].1)
}

/// Somali `x` is ح, `c` is ع; Turkish `c` is ج, and has `h` or nothing for خ; sorted.
const LOCAL: &[(&str, &str)] = &[
    ("axmed", "ahmed"),
    ("ayse", "aisha"),
    ("caasha", "aisha"),
    ("cabdi", "abdi"),
    ("cabdullahi", "abdullahi"),
    ("cali", "ali"),
    ("cumar", "umar"),
    ("cusman", "othman"),
    ("faadumo", "fatuma"),
    ("faical", "faisal"),
    ("faycal", "faisal"),
    ("hatice", "khadija"),
    ("ishag", "isaac"),
    ("ishak", "isaac"),
    ("ishaq", "isaac"),
    ("maxamed", "mohamed"),
    ("maxamud", "mahmud"),
    ("md", "mohamed"),
    ("med", "mohamed"),
    ("mehmet", "mohamed"),
    ("mohd", "mohamed"),
    ("osman", "othman"),
    ("ousman", "othman"),
    ("ousmane", "othman"),
    ("usman", "othman"),
    ("usmanu", "othman"),
    ("xaliimo", "halima"),
    ("xasan", "hasan"),
    ("xuseen", "husen"),
];

/// Writes the article or `abdel` a word begins with in one form, and gives the rest: `al`, `el` before a moon
/// letter are `el`; before a sun letter the article is heard, and often written, as that letter
/// (`Al-Rachid`, `Errachid` → `erachid`; `Abdulrahman`, `Abderrahmane` → `abderahman`).
fn prefix<'a>(word: &'a str, folded: &mut Folded) -> &'a str {
    if let Some(servant) = word.strip_prefix("abd") {
        let rest = servant.trim_start_matches(VOWELS);
        let vowels = servant.len() - rest.len();
        if rest.len() > 2 && (1..=2).contains(&vowels) {
            let name = rest.strip_prefix('l').unwrap_or(rest);
            folded.push_all(if is_sun(name) { "abde" } else { "abdel" });
            return name;
        }
    } else if let Some(name) = word.strip_prefix("mc").filter(|name| name.len() > 2) {
        folded.push_all("mak");
        return name;
    } else if let Some(name) = after_father(word) {
        folded.push_all("abul");
        return name;
    } else if let Some(name) = after_article(word) {
        folded.push_all(if is_sun(name) { "e" } else { "el" });
        return name;
    }
    word
}

/// What follows `abu` and the article in one word: `abuelfath`, `aboulfath`, `abulfath`.
fn after_father(word: &str) -> Option<&str> {
    let name = word.strip_prefix("abou").or_else(|| word.strip_prefix("abu"))?;
    let name = name.strip_prefix(['a', 'e']).unwrap_or(name).strip_prefix('l')?;
    (name.len() > 2).then_some(name)
}

/// The name after the article, when a word seems to begin with one before a consonant: `elkhatib`, `errachid`,
/// `alsayed`. Shorter words (Elsa, Alma, Alves, Essam) do not.
pub(super) fn after_article(word: &str) -> Option<&str> {
    let consonant = |name: &&str| !name.starts_with(VOWELS) && !name.starts_with(['l', 'y']);
    if word.len() < 5 {
        return None;
    }
    if let Some(name) = word.strip_prefix("el") {
        return Some(name).filter(consonant);
    }
    if word.len() < 6 {
        return None;
    }
    if let Some(name) = word.strip_prefix("al") {
        return Some(name).filter(consonant);
    }
    let name = word.strip_prefix('e')?;
    ["d", "n", "r", "s", "t", "z", "ch", "sh"]
        .into_iter()
        .find_map(|sun| name.strip_prefix(sun).filter(|name| name.starts_with(sun)))
}

fn is_sun(name: &str) -> bool {
    name.starts_with(['d', 'l', 'n', 'r', 's', 't', 'x', 'z']) || name.starts_with("ch")
}

const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];

/// Splits off `eddine` in any of its spellings.
fn suffix(word: &str) -> (&str, &'static str) {
    let stem = word.strip_suffix('e').unwrap_or(word);
    let stem = ["in", "een", "yn"].iter().find_map(|end| stem.strip_suffix(end));
    let Some(stem) = stem.and_then(|stem| stem.strip_suffix('d')) else {
        return (word, "");
    };
    let stem = stem.strip_suffix(['d', 'l']).unwrap_or(stem);
    let start = stem.trim_end_matches(VOWELS);
    if start.len() >= 2 && start.len() < stem.len() && stem.len() - start.len() <= 2 {
        (start, "edin")
    } else {
        (word, "")
    }
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y' | b'w')
}

/// The sounds of `word`, added to `folded`.
fn sounds(word: &[u8], folded: &mut Folded) {
    let mut at = 0;
    while let Some(&letter) = word.get(at) {
        let rest = &word[at..];
        let next = rest.get(1).copied().unwrap_or(b' ');
        let third = rest.get(2).copied().unwrap_or(b' ');
        let front = matches!(next, b'e' | b'i' | b'y');
        let first = at == 0;
        // French `Di` before a vowel in Wolof and Mande names is the English and Portuguese J.
        let palatal = matches!(next, b'i' | b'y')
            && matches!(third, b'a' | b'e' | b'o' | b'u')
            && (first || (at == 1 && word[0] == b'n'));
        let (sound, used): (&[u8], usize) = match (letter, next, third) {
            (b'c', b'h', b'a') if rest.get(3) == Some(&b'e') => (b"k", 2),
            (b't', b'c' | b's', b'h') => (b"x", 3),
            (b't', b's', b'c') if rest.get(3) == Some(&b'h') => (b"x", 4),
            (b't', b'h', b'i') if first && rest.get(3).is_some_and(|&c| is_vowel(c)) => (b"x", 3),
            (b's', b'c', b'h') => (b"x", 3),
            (b'c', b'h', b'l') if first => (b"k", 2),
            (b'c', b'h', b'r') if first && matches!(rest.get(4), Some(b's')) => (b"k", 2),
            (b's' | b'c', b'h', _) => (b"x", 2),
            (b'd', b'j', _) => (b"j", 2),
            (b'd', b'i' | b'y', _) if palatal => (b"j", 2),
            (b'd', b'h', _) => (b"d", 2),
            (b't', b'h', _) => (b"t", 2),
            (b't', b's' | b'z', _) => (b"s", 2),
            (b'k', b'h', _) => (b"k", 2),
            (b'k' | b'c', b's', _) => (b"x", 2),
            (b'g', b'h', _) => (b"g", 2),
            (b'g', b'n', _) => (b"n", 2),
            (b'g', b'u', b'e' | b'i' | b'y') => (b"g", 2),
            (b'g', b'i', b'a' | b'o' | b'u') => (b"j", 2),
            (b'p', b'h', _) => (b"f", 2),
            (b'b', b'h', _) => (b"b", 2),
            (b'c', b'k' | b'q', _) => (b"k", 2),
            (b'c', ..) if front => (b"s", 1),
            (b'c', ..) => (b"k", 1),
            (b'q', b'u', _) => (b"k", 2),
            (b'q', ..) => (b"k", 1),
            (b'o', b'u', _) | (b'o', b'o', _) => (b"u", 2),
            (b'o', b'w', _) => (b"o", 2),
            (b'w', ..) => (b"u", 1),
            (b'e', b'e', _) => (b"i", 2),
            (b'u' | b'o', b'e', _) if third != b' ' => (b"u", 2),
            (b'y', ..) => (b"i", 1),
            (b'z', ..) => (b"s", 1),
            (b'h', ..) if at > 0 && matches!(word[at - 1], b'l' | b'n' | b'r' | b'm') => (b"", 1),
            _ => (&rest[..1], 1),
        };
        sound.iter().for_each(|&letter| folded.push(letter));
        at += used;
    }
}
