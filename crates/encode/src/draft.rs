//! A mapping to start from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::extract::ExtractError;
use crate::mapping::FileKind;

mod codes;
mod dates;
mod sample;
mod words;

use codes::to_list;
use sample::Sample;
use words::KEYS;

/// Drafts a mapping file from the header and first rows of a file, for a person to correct: what was
/// guessed says so, what could not be guessed is left open. Codes of sex, direction and country, which are
/// the same for many people, are shown; nothing else of the file is.
///
/// Of a text file encoding and delimiter are guessed too, of a workbook the first sheet is read.
///
/// # Errors
/// When the file cannot be read or is no register.
pub fn draft_mapping(path: &Path) -> Result<String, ExtractError> {
    let sample = Sample::read(path)?;
    let mut columns: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut unused = Vec::new();
    for (position, name) in sample.header.iter().enumerate() {
        match find_key(name) {
            Some(key) => columns.entry(key).or_default().push(position),
            None => unused.push(name.as_str()),
        }
    }
    // Without any word that is known, line 1 may be a row: nothing of it is shown.
    if columns.is_empty() {
        return Err(ExtractError::NotText {
            file: path.display().to_string(),
            line: 1,
            problem: "no column name is recognised; add a header, or write the mapping by hand".to_owned(),
        });
    }
    Ok(sample.to_toml(&columns, &unused))
}

/// The mapping key a column's name stands for.
fn find_key(column: &str) -> Option<&'static str> {
    let own = column.trim().to_lowercase().replace([' ', '-', '\''], "_");
    // Words of Latin letters without their marks, those of other scripts as they are.
    let plain = any_ascii::any_ascii(&own);
    KEYS.iter()
        .find(|(_, words)| words.contains(&plain.as_str()) || words.contains(&own.as_str()))
        .map(|(key, _)| *key)
}

/// A text as TOML writes it.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Keys that hold several columns.
const LISTS: [&str; 6] = [
    "given_names",
    "family_names",
    "full_name",
    "father_name",
    "grandfather_name",
    "address",
];

/// Keys that cannot stand beside others, which are taken first.
const INSTEAD_OF: [(&str, &[&str]); 7] = [
    ("full_name", &["given_names", "family_names"]),
    ("birth_year", &["birth_date"]),
    ("birth_month", &["birth_date"]),
    ("birth_day", &["birth_date"]),
    ("event_year", &["event_date"]),
    ("event_month", &["event_date"]),
    ("event_day", &["event_date"]),
];

/// Keys whose codes nobody but the office can explain, with what they may mean.
const OPEN_CODES: [(&str, &[&str]); 3] = [
    ("counted", &["yes", "no", "unknown"]),
    (
        "migratory_status",
        &[
            "returning_citizen",
            "foreign_born_citizen",
            "foreign_citizen",
            "unknown",
        ],
    ),
    (
        "reason",
        &[
            "work",
            "family",
            "study",
            "protection",
            "return",
            "other",
            "unknown",
        ],
    ),
];

impl Sample {
    fn to_toml(&self, columns: &BTreeMap<&str, Vec<usize>>, unused: &[&str]) -> String {
        let mut out = String::from(
            "# Drafted from the header. Check every line: a wrong mapping gives wrong numbers.\nversion = 1\n",
        );
        let has_events = columns.contains_key("event_date") || columns.contains_key("event_year");
        if has_events {
            out.push_str(
                "# reporter = \"\"  # needed for flow tables: the country whose office keeps this register\n",
            );
        }
        let mut lines = self.file_lines();
        lines.extend(self.column_lines(columns, unused));
        lines.push("\n[dates]".to_owned());
        for key in ["birth_date", "event_date"] {
            if let Some(positions) = columns.get(key) {
                lines.extend(self.date_lines(key, positions[0]));
            }
        }
        if let Some(positions) = columns.get("sex") {
            lines.extend(self.sex_codes(positions[0]));
        }
        if let Some(positions) = columns.get("direction") {
            lines.extend(self.direction_codes(positions[0]));
        }
        if let Some(positions) = columns.get("birth_quality") {
            lines.extend(self.quality_codes(positions[0]));
        }
        for (key, meanings) in OPEN_CODES {
            if let Some(positions) = columns.get(key) {
                lines.extend(self.open_codes(key, positions[0], meanings));
            }
        }
        let country_columns: Vec<usize> = ["citizenship", "birth_country", "counterpart"]
            .iter()
            .filter_map(|key| columns.get(key))
            .map(|positions| positions[0])
            .collect();
        lines.extend(self.country_codes(&country_columns));
        if columns.contains_key("next_event_date") {
            lines.push("\n[stay]".to_owned());
            lines.push(
                "# observed_until = 2025-12-31  # last day of the register: who has no next move by then was still there"
                    .to_owned(),
            );
        }
        if has_events {
            lines.extend(constant_lines(columns));
        }
        for line in lines {
            writeln!(out, "{line}").expect("writing to a String");
        }
        out
    }

    fn file_lines(&self) -> Vec<String> {
        let mut lines = vec!["\n[file]".to_owned()];
        match self.kind {
            FileKind::Csv => lines.push(format!(
                "delimiter = {}",
                quote(&self.format.delimiter.to_string())
            )),
            FileKind::Parquet => lines.push("format = \"parquet\"".to_owned()),
            FileKind::Xlsx => {
                lines.push("format = \"xlsx\"".to_owned());
                lines.push("# sheet = \"\"  # the first when not said".to_owned());
            }
        }
        if let Some(encoding) = self.format.encoding {
            lines.push(format!(
                "encoding = {}  # guessed: the file is not UTF-8; do names look right in mapping check --show-values?",
                quote(encoding.as_str())
            ));
        }
        if self.format.multiline {
            lines.push("multiline = true  # some values hold line breaks".to_owned());
        }
        if !self.missing().is_empty() {
            lines.push(format!(
                "missing = {}  # guessed: words that stand for no value",
                to_list(self.missing())
            ));
        }
        lines
    }

    fn column_lines(&self, columns: &BTreeMap<&str, Vec<usize>>, unused: &[&str]) -> Vec<String> {
        let mut lines = vec!["\n[columns]".to_owned()];
        for (key, _) in KEYS {
            let Some(positions) = columns.get(key) else {
                continue;
            };
            let names: Vec<String> = positions.iter().map(|&p| quote(&self.header[p])).collect();
            let stands_instead = INSTEAD_OF
                .iter()
                .any(|(own, others)| own == key && others.iter().any(|other| columns.contains_key(other)));
            let (mark, note) = if stands_instead {
                ("# ", "  # or this instead of what is above?")
            } else {
                ("", "")
            };
            if LISTS.contains(key) {
                lines.push(format!("{mark}{key} = [{}]{note}", names.join(", ")));
            } else {
                lines.push(format!("{mark}{key} = {}{note}", names[0]));
                for other in &names[1..] {
                    lines.push(format!("# {key} = {other}  # or this one?"));
                }
            }
        }
        if !columns.contains_key("record_id") {
            lines.push("record_id = \"\"  # name the column with the office's own id of the row".to_owned());
        }
        if !unused.is_empty() {
            let names: Vec<String> = unused.iter().map(|name| quote(name)).collect();
            lines.push(format!("# not used: {}", names.join(", ")));
        }
        lines
    }
}

fn constant_lines(columns: &BTreeMap<&str, Vec<usize>>) -> Vec<String> {
    let mut lines = Vec::new();
    let missing: Vec<&str> = ["direction", "counterpart"]
        .into_iter()
        .filter(|key| !columns.contains_key(key))
        .collect();
    if !missing.is_empty() {
        lines.push("\n[constants]  # the same for every row".to_owned());
    }
    if missing.contains(&"direction") {
        lines.push("direction = \"emigration\"  # or \"immigration\", seen from the reporter".to_owned());
    }
    if missing.contains(&"counterpart") {
        lines.push("counterpart = \"\"  # the other country".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::birth::DateOrder;
    use crate::mapping::{Mapping, TextEncoding};

    fn draft(content: impl AsRef<[u8]>) -> String {
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

    fn draft_mapping_of(content: impl AsRef<[u8]>) -> Mapping {
        let text = draft(content);
        let mapping: Mapping = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        mapping.validate().unwrap();
        mapping
    }

    #[test]
    fn encoding_and_delimiter_are_guessed() {
        let arabic = encoding_rs::WINDOWS_1256
            .encode("id;nom;prenom\n1;محمد;بن صالح\n")
            .0
            .into_owned();
        let mapping = draft_mapping_of(arabic);
        assert_eq!(
            (mapping.file.encoding, mapping.file.delimiter),
            (Some(TextEncoding::Windows1256), ';')
        );
        let mapping = draft_mapping_of(b"id\tnom\tpr\xe9nom\n1\tM\xfcller\tZo\xe9\n");
        assert_eq!(
            (mapping.file.encoding, mapping.file.delimiter),
            (Some(TextEncoding::Windows1252), '\t')
        );
        assert_eq!(mapping.columns.given_names, ["prénom"]);
        let unicode = "\u{feff}id\tnom\n1\tSá\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>();
        let mapping = draft_mapping_of(unicode);
        assert_eq!((mapping.file.encoding, mapping.file.delimiter), (None, '\t'));
        assert_eq!(draft_mapping_of("id,nom\n1,Sá\n").file.encoding, None);
    }

    #[test]
    fn a_workbook_is_drafted_as_its_text_is() {
        let mut workbook = rust_xlsxwriter::Workbook::new();
        let sheet = workbook.add_worksheet();
        for (row, line) in (0..).zip(["id,name,father,sex", "1,Abebe,Bikila,M", "2,Almaz,NULL,F"]) {
            for (column, value) in (0..).zip(line.split(',')) {
                sheet.write_string(row, column, value).unwrap();
            }
        }
        let mapping = draft_mapping_of(workbook.save_to_buffer().unwrap());
        assert_eq!(mapping.file.format, Some(FileKind::Xlsx));
        assert_eq!(mapping.file.missing, ["NULL"]);
        assert_eq!(
            (mapping.columns.full_name, mapping.columns.father_name),
            (vec!["name".into()], vec!["father".into()])
        );
    }

    #[test]
    fn suspicions_about_dates_are_comments() {
        let column = |dates: &[&str]| {
            let rows: String = dates.iter().map(|date| format!("1,A,{date}\n")).collect();
            let text = draft(format!("id,nom,dob\n{rows}"));
            toml::from_str::<Mapping>(&text).unwrap().validate().unwrap();
            text
        };
        let text = column(&["01/02/1990", "03/04/1991"]);
        assert!(
            text.contains("birth_date = \"day-month-year\"  # reads 2 of 2"),
            "{text}"
        );
        assert!(
            text.contains("# birth_date = \"month-day-year\"  # reads as many"),
            "{text}"
        );
        let text = column(&["1410-05-17", "1415-01-30"]);
        assert!(text.contains("# birth_calendar = \"hijri-umalqura\""), "{text}");
        let text = column(&["1985-13-05", "1985-02-30", "1990-01-01"]);
        assert!(text.contains("# birth_calendar = \"ethiopian\""), "{text}");
        let text = column(&["31/12/89", "30/11/90"]);
        assert!(
            text.contains("# two_digit_pivot = 1926  # with birth_date = \"day-month-year\""),
            "{text}"
        );
        let text = column(&["1990-01-01", "1991-03-04"]);
        assert!(
            text.contains("# 1 of 2 are on 1 January") && !text.contains("calendar"),
            "{text}"
        );
    }

    #[test]
    fn columns_that_say_the_same_are_offered_and_not_both_taken() {
        let text = draft("id,nom,full_name,dob,yob\n1,A,A B,1990-01-02,1990\n");
        toml::from_str::<Mapping>(&text).unwrap().validate().unwrap();
        assert!(
            text.contains("# full_name = [\"full_name\"]") && text.contains("# birth_year = \"yob\""),
            "{text}"
        );
    }
}
