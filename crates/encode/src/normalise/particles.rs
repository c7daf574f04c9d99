//! Particles, articles, initials and titles: one form whether they are joined, hyphenated or set apart.

use super::letters::Part;

/// From runs of letters to words.
///
/// * A particle or an assimilated article is joined to the word after it (`Bin Saleh`, `Ben-Saleh` → `bensaleh`;
///   `Er Rachid` → `errachid`), and `eddine`, `allah` to the word before them.
/// * A lone `N`, `M`, `D`, `L` or `O` without a full stop is the elided start of the next word
///   (`N Diaye`, `D Amico`, `O Brien`); with one it is an initial and stays a word.
/// * `G/`, `H/`, `K/`, `T/` and `W/` are the Ethiopian short forms of Gebre, Haile, Kidane, Tekle and Wolde.
/// * `e` and `y` between two surnames, marks of marriage and forms of address are no part of a name.
pub(super) fn join(parts: Vec<Part>) -> Vec<String> {
    if let [only] = parts.as_slice() {
        return vec![only.text.clone()];
    }
    let parts = without_titles(parts);
    let mut words: Vec<String> = Vec::with_capacity(parts.len());
    let mut pending = String::new();
    let mut pending_parts = 0;
    for at in 0..parts.len() {
        let part = &parts[at];
        if let Some(next) = parts.get(at + 1) {
            if let Some(full) = short_form(part) {
                pending.push_str(full);
                continue;
            }
            if is_connective(at, &parts) {
                continue;
            }
            if pending_parts < 3
                && let Some(joined) = particle(part, &next.text)
            {
                pending.push_str(joined);
                pending_parts += 1;
                continue;
            }
        }
        pending.push_str(&part.text);
        let word = std::mem::take(&mut pending);
        pending_parts = 0;
        match words.last_mut() {
            Some(before) if SUFFIXES.contains(&word.as_str()) => before.push_str(&word),
            _ => words.push(word),
        }
    }
    words
}

/// The form in which `part` begins the word after it, if it does.
fn particle(part: &Part, next: &str) -> Option<&'static str> {
    let text = part.text.as_str();
    let vowel_next = next.starts_with(['a', 'e', 'i', 'o', 'u', 'h']);
    let found = PARTICLES.binary_search_by_key(&text, |(spelling, _)| spelling);
    match text.len() {
        1 if part.end == '.' || next.len() < 3 => None,
        1 => match text {
            "n" if !vowel_next => Some("n"),
            "m" if !vowel_next || next.starts_with('h') => Some("m"),
            "o" if !vowel_next => Some("o"),
            "d" if vowel_next => Some("d"),
            "l" if vowel_next => Some("l"),
            _ => None,
        },
        _ => match found {
            Ok(index) => Some(PARTICLES[index].1),
            Err(_) => assimilated_article(text, next),
        },
    }
}

/// `Ech-Cherif`, `As Sayed`, `Er-Rachid`: a vowel and the consonant the next word begins with.
fn assimilated_article(text: &str, next: &str) -> Option<&'static str> {
    let sun = text.strip_prefix(['a', 'e', 'u'])?;
    let article = match sun {
        "ch" => "ech",
        "d" => "ed",
        "dh" => "edh",
        "n" => "en",
        "r" => "er",
        "s" => "es",
        "sh" => "esh",
        "t" => "et",
        "th" => "eth",
        "z" => "ez",
        _ => return None,
    };
    // `An Nguyen` is no article.
    (next.len() > sun.len() + 1 && next.starts_with(sun) && !next.starts_with("ng")).then_some(article)
}

fn short_form(part: &Part) -> Option<&'static str> {
    if part.end != '/' {
        return None;
    }
    match part.text.as_str() {
        "g" => Some("gebre"),
        "h" => Some("haile"),
        "k" => Some("kidane"),
        "t" => Some("tekle"),
        "w" => Some("wolde"),
        _ => None,
    }
}

/// Whether the part is the `e` of `Sousa e Silva` or the `y` of `Ortega y Gasset`.
fn is_connective(at: usize, parts: &[Part]) -> bool {
    let part = &parts[at];
    matches!(part.text.as_str(), "e" | "y")
        && part.end == ' '
        && at > 0
        && parts[at - 1].text.len() > 2
        && parts.get(at + 1).is_some_and(|next| next.text.len() > 1)
}

/// Without forms of address and marks of marriage, as long as two words remain.
fn without_titles(parts: Vec<Part>) -> Vec<Part> {
    let is_title = |part: &Part| TITLES.binary_search(&part.text.as_str()).is_ok();
    let titles = parts.iter().filter(|part| is_title(part)).count();
    if titles == 0 || parts.len() - titles < 2 {
        return parts;
    }
    parts.into_iter().filter(|part| !is_title(part)).collect()
}

/// Forms of address, marks of generation and of marriage; sorted. Words that are given names somewhere
/// (Cheikh, Sidi, Hadj, Moulay, Junior, Neto) are not among them.
const TITLES: &[&str] = &[
    "dr", "ep", "epouse", "epse", "jr", "mlle", "mme", "mr", "mrs", "nee", "prof", "sr", "veuve", "vve",
];

/// What joins the word before it.
const SUFFIXES: &[&str] = &[
    "alah", "aldeen", "aldin", "allah", "deen", "eddin", "eddine", "edin", "edine", "eldeen", "eldin",
    "eldine", "ellah", "oddin", "oullah", "uddin", "ullah",
];

/// Particles that begin the word after them, with the spelling used for all of their spellings; sorted.
const PARTICLES: &[(&str, &str)] = &[
    ("abd", "abd"),
    ("abdal", "abdel"),
    ("abdel", "abdel"),
    ("abdoul", "abdel"),
    ("abdul", "abdel"),
    ("abi", "abi"),
    ("abo", "abu"),
    ("abou", "abu"),
    ("aboul", "abuel"),
    ("abu", "abu"),
    ("abul", "abuel"),
    ("ait", "ait"),
    ("al", "el"),
    ("bani", "beni"),
    ("ben", "ben"),
    ("beni", "beni"),
    ("bent", "bint"),
    ("bin", "ben"),
    ("bint", "bint"),
    ("bni", "beni"),
    ("bou", "bu"),
    ("bu", "bu"),
    ("da", "da"),
    ("dal", "dal"),
    ("das", "das"),
    ("de", "de"),
    ("degli", "degli"),
    ("dei", "dei"),
    ("del", "del"),
    ("della", "della"),
    ("delle", "delle"),
    ("den", "den"),
    ("der", "der"),
    ("des", "des"),
    ("di", "di"),
    ("do", "do"),
    ("dos", "dos"),
    ("du", "du"),
    ("el", "el"),
    ("ibn", "ben"),
    ("la", "la"),
    ("las", "las"),
    ("le", "le"),
    ("los", "los"),
    ("mac", "mac"),
    ("mc", "mac"),
    ("mint", "mint"),
    ("oulad", "uled"),
    ("ould", "uld"),
    ("ouled", "uled"),
    ("oum", "um"),
    ("saint", "saint"),
    ("sainte", "santa"),
    ("san", "san"),
    ("santa", "santa"),
    ("st", "saint"),
    ("ste", "santa"),
    ("ter", "ter"),
    ("uld", "uld"),
    ("umm", "um"),
    ("van", "van"),
    ("von", "von"),
    ("wuld", "uld"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(PARTICLES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(TITLES.is_sorted());
    }
}
