use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use corridor_core::CountryCode;

use crate::birth::DateOrder;
use crate::extract::ExtractError;

/// Bytes of a file a draft looks at.
const SAMPLE_BYTES: u64 = 1 << 20;

/// Most different values a column of codes can have.
const MAX_CODES: usize = 20;

/// Header words → mapping key, longest match first within a header; a person corrects what is wrong.
const KEYS: &[(&str, &[&str])] = &[
    (
        "record_id",
        &[
            "record_id",
            "rec_id",
            "recid",
            "recordid",
            "id",
            "row_id",
            "numero",
            "identifiant",
        ],
    ),
    (
        "person_key",
        &["person_key", "person_id", "personid", "nin", "national_id"],
    ),
    (
        "given_names",
        &[
            "given_names",
            "given_name",
            "givenname",
            "first_name",
            "firstname",
            "forename",
            "forenames",
            "prenom",
            "prenoms",
            "nome",
            "nombre",
            "middle_name",
            "middle_initial",
            "second_name",
        ],
    ),
    (
        "family_names",
        &[
            "family_names",
            "family_name",
            "surname",
            "last_name",
            "lastname",
            "nom",
            "cognome",
            "apellido",
            "apellidos",
            "apelido",
            "father_name",
            "grandfather_name",
            "second_surname",
        ],
    ),
    (
        "birth_date",
        &[
            "birth_date",
            "birthdate",
            "date_of_birth",
            "dateofbirth",
            "dob",
            "date_naissance",
            "data_nascita",
            "fecha_nacimiento",
            "data_nascimento",
        ],
    ),
    ("sex", &["sex", "gender", "sexe", "sesso", "sexo"]),
    (
        "citizenship",
        &[
            "citizenship",
            "nationality",
            "nationalite",
            "cittadinanza",
            "nacionalidad",
            "nacionalidade",
        ],
    ),
    (
        "birth_country",
        &[
            "birth_country",
            "country_of_birth",
            "pays_naissance",
            "paese_nascita",
            "pais_nacimiento",
        ],
    ),
    (
        "address",
        &[
            "address",
            "street_number",
            "address_1",
            "address_2",
            "street",
            "street_name",
            "suburb",
            "city",
            "state",
        ],
    ),
    (
        "postcode",
        &["postcode", "zipcode", "zip", "postal_code", "code_postal", "cap"],
    ),
    (
        "event_date",
        &[
            "event_date",
            "date_of_move",
            "move_date",
            "date_evenement",
            "date_event",
            "registration_date",
        ],
    ),
    ("direction", &["direction", "flow", "event_type", "sens"]),
    (
        "counterpart",
        &[
            "counterpart",
            "other_country",
            "country_of_next_residence",
            "country_of_previous_residence",
            "destination",
            "origin",
            "partner_country",
            "autre_pays",
        ],
    ),
];

const FEMALE: &[&str] = &[
    "f", "female", "femme", "femmina", "femenino", "feminino", "w", "2", "mujer", "mulher",
];
const MALE: &[&str] = &[
    "m",
    "male",
    "homme",
    "maschio",
    "masculino",
    "h",
    "1",
    "hombre",
    "homem",
];
const UNKNOWN_SEX: &[&str] = &["u", "unknown", "0", "9", "x", "n", "na", "inconnu"];
const EMIGRATION: &[&str] = &[
    "out",
    "emigration",
    "e",
    "exit",
    "departure",
    "sortie",
    "emigrazione",
];
const IMMIGRATION: &[&str] = &[
    "in",
    "immigration",
    "i",
    "entry",
    "arrival",
    "entree",
    "immigrazione",
];

/// Drafts a mapping file from the header and first rows of a CSV file, for a person to correct: what was
/// guessed says so, what could not be guessed is left open. Codes of sex, direction and country, which are
/// the same for many people, are shown; nothing else of the file is.
///
/// # Errors
/// When the file cannot be read or is no CSV.
pub fn draft_mapping(path: &Path) -> Result<String, ExtractError> {
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|input| input.take(SAMPLE_BYTES).read_to_end(&mut bytes))
        .map_err(|source| ExtractError::Read {
            file: file.clone(),
            source,
        })?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let first_line = text.lines().next().unwrap_or_default();
    if first_line.trim().is_empty() {
        return Err(ExtractError::Empty {
            file,
            problem: "it is empty",
        });
    }
    let delimiter = [',', ';', '\t', '|']
        .into_iter()
        .max_by_key(|&candidate| first_line.matches(candidate).count())
        .expect("four candidates");
    let table = Sample::read(text, delimiter);
    let mut columns: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut unused = Vec::new();
    for (position, name) in table.header.iter().enumerate() {
        let plain: String = any_ascii::any_ascii(name)
            .trim()
            .to_lowercase()
            .replace([' ', '-'], "_");
        match KEYS.iter().find(|(_, words)| words.contains(&plain.as_str())) {
            Some((key, _)) => columns.entry(key).or_default().push(position),
            None => unused.push(name.as_str()),
        }
    }
    // Without any word that is known, line 1 may be a row: nothing of it is shown.
    if columns.is_empty() {
        return Err(ExtractError::NotText {
            file,
            line: 1,
            problem: "no column name is recognised; add a header, or write the mapping by hand".to_owned(),
        });
    }
    Ok(table.to_toml(delimiter, &columns, &unused))
}

struct Sample {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sample {
    fn read(text: &str, delimiter: char) -> Self {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(u8::try_from(delimiter).unwrap_or(b','))
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut rows = reader
            .records()
            .filter_map(Result::ok)
            .map(|row| row.iter().map(|value| value.trim().to_owned()).collect());
        Self {
            header: rows.next().unwrap_or_default(),
            rows: rows.collect(),
        }
    }

    fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows
            .iter()
            .filter_map(move |row| row.get(column))
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Different values of a column of codes; `None` when it has too many to be one.
    fn codes(&self, column: usize) -> Option<Vec<&str>> {
        let mut codes: Vec<&str> = Vec::new();
        for value in self.values(column) {
            if !codes.contains(&value) {
                codes.push(value);
            }
            if codes.len() > MAX_CODES {
                return None;
            }
        }
        codes.sort_unstable();
        Some(codes)
    }

    fn to_toml(&self, delimiter: char, columns: &BTreeMap<&str, Vec<usize>>, unused: &[&str]) -> String {
        let mut out = String::from(
            "# Drafted from the header. Check every line: a wrong mapping gives wrong numbers.\nversion = 1\n",
        );
        if columns.contains_key("event_date") {
            out.push_str(
                "# reporter = \"\"  # needed for flow tables: the country whose office keeps this register\n",
            );
        }
        out.push_str("\n[file]\n");
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut line = |text: String| writeln!(out, "{text}").expect("writing to a String");
        line(format!(
            "delimiter = {}\n\n[columns]",
            quote(&delimiter.to_string())
        ));
        for (key, _) in KEYS {
            let Some(positions) = columns.get(key) else {
                continue;
            };
            let names: Vec<String> = positions.iter().map(|&p| quote(&self.header[p])).collect();
            if matches!(*key, "given_names" | "family_names" | "address") {
                line(format!("{key} = [{}]", names.join(", ")));
            } else {
                line(format!("{key} = {}", names[0]));
                for other in &names[1..] {
                    line(format!("# {key} = {other}  # or this one?"));
                }
            }
        }
        if !columns.contains_key("record_id") {
            line("record_id = \"\"  # name the column with the office's own id of the row".to_owned());
        }
        if !unused.is_empty() {
            let names: Vec<String> = unused.iter().map(|name| quote(name)).collect();
            line(format!("# not used: {}", names.join(", ")));
        }
        line("\n[dates]".to_owned());
        for key in ["birth_date", "event_date"] {
            if let Some(positions) = columns.get(key) {
                line(self.date_line(key, positions[0]));
            }
        }
        if let Some(positions) = columns.get("sex") {
            self.sex_codes(positions[0]).into_iter().for_each(&mut line);
        }
        if let Some(positions) = columns.get("direction") {
            self.direction_codes(positions[0]).into_iter().for_each(&mut line);
        }
        let country_columns = ["citizenship", "birth_country", "counterpart"];
        let unknown: std::collections::BTreeSet<&str> = country_columns
            .iter()
            .filter_map(|key| columns.get(key))
            .filter_map(|positions| self.codes(positions[0]))
            .flatten()
            .filter(|code| code.parse::<CountryCode>().is_err())
            .collect();
        if !unknown.is_empty() {
            line("\n[codes.country]  # say which country each is, or \"\" for not known".to_owned());
            for code in unknown {
                line(format!("{} = \"\"", quote(code)));
            }
        }
        if columns.contains_key("event_date") {
            let missing: Vec<&str> = ["direction", "counterpart"]
                .into_iter()
                .filter(|key| !columns.contains_key(key))
                .collect();
            if !missing.is_empty() {
                line("\n[constants]  # the same for every row".to_owned());
            }
            if missing.contains(&"direction") {
                line("direction = \"emigration\"  # or \"immigration\", seen from the reporter".to_owned());
            }
            if missing.contains(&"counterpart") {
                line("counterpart = \"\"  # the other country".to_owned());
            }
        }
        out
    }

    fn date_line(&self, key: &str, column: usize) -> String {
        let orders = [
            (DateOrder::YearMonthDay, "year-month-day"),
            (DateOrder::DayMonthYear, "day-month-year"),
            (DateOrder::MonthDayYear, "month-day-year"),
        ];
        let readable = |order: DateOrder| {
            self.values(column)
                .filter(|text| order.read(text).is_some())
                .count()
        };
        let total = self.values(column).count();
        let (mut best, mut best_count) = ("year-month-day", 0);
        for (order, name) in orders {
            let count = readable(order);
            if count > best_count {
                (best, best_count) = (name, count);
            }
        }
        format!("{key} = \"{best}\"  # reads {best_count} of {total} dates")
    }

    fn sex_codes(&self, column: usize) -> Vec<String> {
        let codes = self.codes(column).unwrap_or_default();
        // In Spanish and Portuguese registers H is male and M female.
        let has_h = codes.iter().any(|code| code.eq_ignore_ascii_case("h"));
        let (mut female, mut male, mut unknown, mut open) = (vec![], vec![], vec![], vec![]);
        for code in codes {
            let lower = code.to_lowercase();
            let group = if has_h && lower == "m" || FEMALE.contains(&lower.as_str()) {
                &mut female
            } else if MALE.contains(&lower.as_str()) {
                &mut male
            } else if UNKNOWN_SEX.contains(&lower.as_str()) {
                &mut unknown
            } else {
                &mut open
            };
            group.push(code);
        }
        let mut lines = vec![
            "\n[codes.sex]  # guessed: in Spanish and Portuguese registers H is male and M female".to_owned(),
            format!("female = {}", to_list(&female)),
            format!("male = {}", to_list(&male)),
            format!("unknown = {}", to_list(&unknown)),
        ];
        if !open.is_empty() {
            lines.push(format!("# not understood: {}", to_list(&open)));
        }
        lines
    }

    fn direction_codes(&self, column: usize) -> Vec<String> {
        let (mut emigration, mut immigration, mut open) = (vec![], vec![], vec![]);
        for code in self.codes(column).unwrap_or_default() {
            let lower = code.to_lowercase();
            if EMIGRATION.contains(&lower.as_str()) {
                emigration.push(code);
            } else if IMMIGRATION.contains(&lower.as_str()) {
                immigration.push(code);
            } else {
                open.push(code);
            }
        }
        let mut lines = vec![
            "\n[codes.direction]  # guessed; seen from the office that reports".to_owned(),
            format!("emigration = {}", to_list(&emigration)),
            format!("immigration = {}", to_list(&immigration)),
        ];
        if !open.is_empty() {
            lines.push(format!("# not understood: {}", to_list(&open)));
        }
        lines
    }
}

fn to_list(codes: &[&str]) -> String {
    let quoted: Vec<String> = codes
        .iter()
        .map(|code| toml::Value::String((*code).to_owned()).to_string())
        .collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    fn draft(content: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, content).unwrap();
        draft_mapping(&path).unwrap()
    }

    #[test]
    fn a_plain_register_is_drafted_ready_to_use() {
        let text = draft(
            "rec_id;given_names;surname;date_of_birth;sex;nationality;event_date;direction;other_country\n\
             1;Ana;Sá;31/12/1990;M;PT;2022-05-01;OUT;CV\n2;Rui;Sá;01/02/1991;H;PT;2022-05-02;IN;CV\n",
        );
        let mapping: Mapping = toml::from_str(&text).unwrap();
        mapping.validate().unwrap();
        assert_eq!(mapping.file.delimiter, ';');
        assert_eq!(mapping.columns.family_names, ["surname"]);
        assert_eq!(mapping.dates.birth_date, DateOrder::DayMonthYear);
        assert_eq!(
            (mapping.codes.sex.female, mapping.codes.sex.male),
            (vec!["M".into()], vec!["H".into()])
        );
        assert_eq!(mapping.columns.counterpart.as_deref(), Some("other_country"));
        assert!(
            !text.contains("Ana") && !text.contains("1990"),
            "no value of a person is shown"
        );
    }

    #[test]
    fn a_header_may_hold_numbers() {
        let text = draft("id,nom,status_2023\n1,A,x\n");
        assert!(text.contains("status_2023"), "{text}");
    }

    #[test]
    fn what_cannot_be_guessed_is_left_open() {
        let text = draft("key,nom,prenom,sexe,event_date\n1,A,B,?,2020-01-01\n");
        assert!(text.contains("record_id = \"\""));
        assert!(text.contains("# not understood: [\"?\"]"));
        assert!(text.contains("[constants]"));
    }
}
