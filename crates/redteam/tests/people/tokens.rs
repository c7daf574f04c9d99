//! A small tokenizer of its own, as the public schema would have it.

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
