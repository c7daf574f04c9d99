use std::io::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::report::RowProblem;

mod parquet_twin;
mod workbook_twin;

const MAPPING: &str = r#"
version = 1
[columns]
record_id = "id"
given_names = ["given"]
family_names = ["family"]
birth_date = "born"
sex = "sex"
citizenship = "citizen"
postcode = "post"
event_date = "date"
direction = "dir"
[codes.sex]
female = ["2"]
male = ["1"]
[codes.direction]
emigration = ["OUT"]
immigration = ["IN"]
[constants]
counterpart = "IT"
"#;

const CSV: &str = "\
id,given,family,born,sex,citizen,post,date,dir
1001,Zoé,N'Diaye,1990-05-17,2,SN,7500,2023-02-01,OUT
1002,محمد,بن صالح,1985-12-31,1,TN,,2023-02-28,IN
1003,Müller,,,1,,12.5,2024-02-29,OUT
";

fn mapping(text: &str) -> Mapping {
    let mapping: Mapping = toml::from_str(text).unwrap();
    mapping.validate().unwrap();
    mapping
}

/// A mapping with lines of its own under `[file]`.
fn with_file(lines: &str) -> Mapping {
    mapping(&format!("{MAPPING}[file]\n{lines}\n"))
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }
}

/// Everything of a record besides its line, as text.
fn to_text(record: &Record) -> String {
    let birth = (
        record.birth.year,
        record.birth.month_day,
        record.birth.first_of_january,
    );
    let event = record.event.map(|event| {
        (
            event.direction,
            event.counterpart,
            event.date.date,
            event.date.precision,
        )
    });
    format!(
        "{}|{}|{}|{}|{}|{}|{birth:?}|{:?}|{:?}|{:?}|{:?}|{}|{}|{event:?}",
        record.record_id,
        record.person_key,
        record.given_names,
        record.family_names,
        record.patronymics,
        record.names_divided,
        record.birth_source,
        record.sex,
        record.citizenship,
        record.birth_country,
        record.address,
        record.postcode,
    )
}

fn read(path: &Path, mapping: &Mapping) -> Result<(Vec<(u64, String)>, ReadReport), ExtractError> {
    let mut reader = ExtractReader::open(path, mapping)?;
    let mut records = Vec::new();
    while let Some(chunk) = reader.read_chunk(2)? {
        records.extend(chunk.iter().map(|record| (record.line, to_text(record))));
    }
    Ok((records, reader.finish()?))
}

/// The records alone, none of which may have a problem.
fn records(path: &Path, mapping: &Mapping) -> Vec<String> {
    let (records, report) = read(path, mapping).unwrap();
    assert!(report.problems.is_empty(), "{report:?}");
    records.into_iter().map(|(_, record)| record).collect()
}

fn expected(folder: &Folder) -> Vec<String> {
    let path = folder.write("expected.csv", CSV);
    let records = records(&path, &mapping(MAPPING));
    assert_eq!(records.len(), 3);
    records
}

fn refusal(path: &Path, mapping: &Mapping) -> String {
    match read(path, mapping) {
        Err(error) => error.to_string(),
        Ok((_, report)) => panic!("read {report:?}"),
    }
}

/// A problem's count, its column and its first lines.
fn problem(report: &ReadReport, problem: RowProblem) -> (u64, Option<&str>, &[u64]) {
    let found = report
        .problems
        .get(&problem)
        .unwrap_or_else(|| panic!("{report:?}"));
    (found.count, found.column.as_deref(), &found.first_lines)
}

// ---- text ----

#[test]
fn a_file_in_any_declared_encoding_gives_the_records_of_its_utf_8_twin() {
    let folder = Folder::new();
    let arabic = CSV.replace("Zoé", "Zoe").replace("Müller", "Muller");
    let latin = CSV.replace("محمد", "Mañé").replace("بن صالح", "Åström");
    let encoded = |text: &str, encoding: &'static encoding_rs::Encoding| {
        let (bytes, _, lossy) = encoding.encode(text);
        assert!(!lossy);
        bytes.into_owned()
    };
    for (name, text, bytes) in [
        (
            "windows-1256",
            &arabic,
            encoded(&arabic, encoding_rs::WINDOWS_1256),
        ),
        ("windows-1252", &latin, encoded(&latin, encoding_rs::WINDOWS_1252)),
        ("latin-1", &latin, encoded(&latin, encoding_rs::WINDOWS_1252)),
        ("utf-8", &latin, latin.clone().into_bytes()),
    ] {
        let twin = records(&folder.write("utf8.csv", text), &mapping(MAPPING));
        let path = folder.write("encoded.csv", bytes);
        let declared = with_file(&format!("encoding = \"{name}\""));
        assert_eq!(records(&path, &declared), twin, "{name}");
    }
}

#[test]
fn excels_unicode_text_is_read_as_it_is() {
    let folder = Folder::new();
    let text = CSV.replace(',', "\t").replace('\n', "\r\n");
    for (mark, bytes) in [
        (
            [0xff, 0xfe],
            text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        ),
        (
            [0xfe, 0xff],
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    ] {
        let path = folder.write("unicode.txt", [&mark[..], &bytes].concat());
        assert_eq!(
            records(&path, &with_file("delimiter = \"\\t\"")),
            expected(&folder)
        );
    }
}

#[test]
fn bytes_outside_the_encoding_cost_their_row_only() {
    let folder = Folder::new();
    let mut bytes = CSV.replace("محمد", "A").replace("بن صالح", "B").into_bytes();
    bytes.extend(b"1004,Jos\x81,Sal\xe9h,1990-01-02,1,TN,,2023-02-01,OUT\n1005,Jos\xe9,Sal,1990-01-02,1,TN,,2023-02-01,OUT\n");
    let path = folder.write("a.csv", bytes);
    let (records, report) = read(&path, &with_file("encoding = \"windows-1252\"")).unwrap();
    assert_eq!(problem(&report, RowProblem::InvalidUtf8), (1, None, &[5][..]));
    assert_eq!(records.len(), 4);
    assert!(records[3].1.contains("José"), "what follows is read");
}

#[test]
fn quotes_can_be_other_characters_or_none() {
    let folder = Folder::new();
    let row = |given: &str| format!("id,given\n1,{given}\n2,B\n");
    let text = "version = 1\n[columns]\nrecord_id = \"id\"\ngiven_names = [\"given\"]\n[file]\n";
    for (given, quote, name) in [
        ("\"A,B\"", "", "A,B"),
        ("'A,B'", "quote = \"'\"", "A,B"),
        ("\"A", "quote = \"\"", "\"A"),
    ] {
        let path = folder.write("a.csv", row(given));
        let records = records(&path, &mapping(&format!("{text}{quote}")));
        assert!(records[0].contains(&format!("|{name}|")), "{}", records[0]);
    }
    assert!(refusal(&folder.write("a.csv", row("\"A")), &mapping(text)).contains("quote not closed"));
}

#[test]
fn rows_are_read_before_the_file_ends() {
    let folder = Folder::new();
    let pipe = folder.path("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let writing = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut pipe = std::fs::File::create(pipe).unwrap();
            let mut line = 1_u64;
            pipe.write_all(b"id,given,family,born,sex,citizen,post,date,dir\n")
                .unwrap();
            // An endless register, until nobody reads it any more.
            while writeln!(pipe, "{line},A,B,1990-05-17,1,TN,,2023-02-01,OUT").is_ok() {
                line += 1;
            }
            line
        }
    });
    let mapping = mapping(MAPPING);
    let mut reader = ExtractReader::open(&pipe, &mapping).unwrap();
    for _ in 0..10 {
        assert_eq!(reader.read_chunk(1_000).unwrap().unwrap().len(), 1_000);
    }
    drop(reader);
    let written = writing.join().unwrap();
    assert!(written < 30_000, "{written} rows were taken for 10,000");
}

// ---- what columns mean ----

#[test]
fn dates_in_parts_chains_of_names_quality_and_missing_words_are_read() {
    let folder = Folder::new();
    let text = r#"
        version = 1
        [file]
        missing = ["NULL", "-"]
        [columns]
        record_id = "id"
        full_name = ["name"]
        father_name = ["father"]
        grandfather_name = ["grandfather"]
        birth_year = "y"
        birth_month = "m"
        birth_day = "d"
        birth_quality = "q"
        sex = "sex"
        [codes.sex]
        female = ["M"]
        male = ["H"]
        [codes.birth_quality]
        documented = ["D"]
        imputed = ["I"]
        estimated = ["E"]
    "#;
    let path = folder.write(
        "a.csv",
        "id,name,grandfather,father,y,m,d,q,sex\n\
         1,Abebe Bikila,Demissie,Wakjira,1990,5,7,D,H\n\
         2,Almaz,NULL,-,1990,05,NULL,,M\n\
         3,Null,,,1990,6,15,I,\n\
         4,A,,,1990,6,15,E,\n\
         5,A,,,1990,13,15,,\n\
         6,A,,,NULL,1,15,,\n\
         7,A,,,1990,6,15,X,\n\
         8,A,,,1990,6,15,,F\n",
    );
    let (records, report) = read(&path, &mapping(text)).unwrap();
    let start = |index: usize, text: &str| {
        let record = &records[index].1;
        assert!(record.starts_with(text), "{record}\n{text}");
    };
    start(
        0,
        "1|1|Abebe Bikila|Wakjira Demissie|Wakjira Demissie|false|(Some(1990), Some((5, 7)), false)|Some(Documented)|Male",
    );
    start(1, "2|2|Almaz|||false|(Some(1990), None, false)|None|Female");
    start(2, "3|3|Null|||false|(Some(1990), None, false)|Some(Imputed)");
    start(3, "4|4|A|||false|(Some(1990), None, false)|Some(Estimated)");
    start(4, "5|5|A|||false|(None, None, false)|None");
    start(5, "6|6|A|||false|(None, None, false)|None");
    assert_eq!(records.len(), 6);
    assert_eq!(
        problem(&report, RowProblem::BirthDateImpossible),
        (1, Some("y"), &[6][..])
    );
    assert_eq!(
        problem(&report, RowProblem::BirthQualityUndeclared),
        (1, Some("q"), &[8][..])
    );
    assert_eq!(
        problem(&report, RowProblem::SexUndeclared),
        (1, Some("sex"), &[9][..])
    );
}

#[test]
fn declared_calendars_and_two_digit_years_are_converted() {
    let folder = Folder::new();
    let text = format!(
        "{}[dates]\nbirth_calendar = \"ethiopian\"\nevent_calendar = \"hijri-umalqura\"\ntwo_digit_pivot = 1926\n",
        MAPPING.replace(
            "birth_date = \"born\"",
            "birth_year = \"y\"\nbirth_month = \"m\"\nbirth_day = \"d\""
        )
    );
    let path = folder.write(
        "a.csv",
        "id,given,family,y,m,d,sex,citizen,post,date,dir\n\
         1,A,B,2000,1,2,1,ET,,1446-09-01,OUT\n\
         2,A,B,99,13,5,1,ET,,1446-09-01,OUT\n\
         3,A,B,2000,13,7,1,ET,,1446-09-01,OUT\n",
    );
    let (records, report) = read(&path, &mapping(&text)).unwrap();
    assert!(
        records[0].1.contains("(Some(2007), Some((9, 13)), false)"),
        "{}",
        records[0].1
    );
    assert!(records[0].1.contains("2025-03-01"), "{}", records[0].1);
    assert!(
        records[1].1.contains("(Some(2007), Some((9, 10)), false)"),
        "{}",
        records[1].1
    );
    assert_eq!(
        problem(&report, RowProblem::BirthDateImpossible),
        (1, Some("y"), &[4][..])
    );
    let without = text.replace("two_digit_pivot = 1926\n", "");
    let (_, report) = read(&path, &mapping(&without)).unwrap();
    assert_eq!(
        problem(&report, RowProblem::BirthDateImpossible),
        (2, Some("y"), &[3, 4][..])
    );
}
