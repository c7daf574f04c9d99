//! People for tests and measurements: a small tokenizer of its own, and corridors read from files.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use corridor_redteam::PlainList;

/// Two registers and who is who.
pub(crate) struct Corridor {
    pub(crate) left: PlainList,
    pub(crate) right: PlainList,
    pub(crate) truth: Vec<Option<usize>>,
}

/// Reads `a.csv`, `b.csv` and `truth.csv` of a folder.
pub(crate) fn read_corridor(folder: &Path, salted: bool, weight: u32) -> Result<Corridor, Box<dyn Error>> {
    let (left, left_ids) = read_register(&folder.join("a.csv"), salted, weight)?;
    let (right, right_ids) = read_register(&folder.join("b.csv"), salted, weight)?;
    let mut truth = vec![None; left.len()];
    for row in csv::Reader::from_path(folder.join("truth.csv"))?.records() {
        let row = row?;
        if let (Some(&left), Some(&right)) = (left_ids.get(&row[0]), right_ids.get(&row[1])) {
            truth[left] = Some(right);
        }
    }
    Ok(Corridor { left, right, truth })
}

fn read_register(
    path: &Path,
    salted: bool,
    weight: u32,
) -> Result<(PlainList, HashMap<String, usize>), Box<dyn Error>> {
    let mut list = PlainList::new();
    let mut ids = HashMap::new();
    for row in csv::Reader::from_path(path)?.records() {
        let row = row?;
        ids.insert(row[0].to_owned(), list.len());
        let (salt, tokens) = tokens([&row[1], &row[2], &row[3], &row[4], &row[6]], salted);
        list.push(&salt, tokens.into_iter().map(|token| (token, weight)));
    }
    Ok((list, ids))
}

/// Tokens of given names, family names, date of birth, sex and citizenship, and the salt: with `salted` the year of
/// birth, which then is in no token.
pub(crate) fn tokens(
    [given, family, birth, sex, citizenship]: [&str; 5],
    salted: bool,
) -> (String, Vec<String>) {
    let mut tokens = Vec::new();
    let name: String = format!("{given} {family}")
        .to_lowercase()
        .chars()
        .map(plain)
        .collect();
    for word in name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let padded = format!(" {word} ");
        tokens.extend((0..padded.len() - 1).map(|at| format!("names\u{1f}{}", &padded[at..at + 2])));
    }
    let mut salt = String::new();
    if let [year, month, day] = birth.split('-').collect::<Vec<_>>().as_slice() {
        let mut date = vec![format!("m{month}"), format!("d{day}"), format!("md{month}{day}")];
        if salted {
            (*year).clone_into(&mut salt);
        } else {
            date.extend([
                format!("y{year}"),
                format!("ym{year}{month}"),
                format!("yd{year}{day}"),
            ]);
        }
        tokens.extend(date.into_iter().map(|part| format!("birth_date\u{1f}{part}")));
    }
    tokens.push(format!("sex\u{1f}{sex}"));
    tokens.push(format!("citizenship\u{1f}{citizenship}"));
    (salt, tokens)
}

fn plain(letter: char) -> char {
    match letter {
        'à' | 'â' | 'á' | 'ä' | 'ã' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'ï' | 'î' | 'í' => 'i',
        'ô' | 'ö' | 'ó' => 'o',
        'ù' | 'û' | 'ü' | 'ú' => 'u',
        'ç' => 'c',
        other => other,
    }
}
