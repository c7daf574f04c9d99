use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};
use tempfile::TempDir;

use super::*;
use crate::report::RowProblem;

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

// ---- spreadsheets ----

/// The sheet that is the twin of [`CSV`]: numbers and dates are such.
fn fill(sheet: &mut Worksheet) {
    let date = Format::new().set_num_format("dd/mm/yyyy");
    for (row, line) in (0..).zip(CSV.lines()) {
        for (column, value) in (0..).zip(line.split(',')) {
            let is_date = value.len() == 10 && value.starts_with(['1', '2']);
            match value.parse::<f64>() {
                Ok(number) => sheet.write_number(row, column, number).map(drop),
                Err(_) if is_date => {
                    let value = ExcelDateTime::parse_from_str(value).unwrap();
                    sheet
                        .write_datetime_with_format(row, column, &value, &date)
                        .map(drop)
                }
                Err(_) if value.is_empty() => Ok(()),
                Err(_) => sheet.write_string(row, column, value).map(drop),
            }
            .unwrap();
        }
    }
}

fn save(workbook: &mut Workbook, folder: &Folder) -> PathBuf {
    workbook.save(folder.path("a.xlsx")).unwrap();
    folder.path("a.xlsx")
}

#[test]
fn a_workbook_gives_the_records_of_its_csv_twin_whatever_the_order_of_dates_in_texts() {
    let folder = Folder::new();
    let mut workbook = Workbook::new();
    fill(workbook.add_worksheet());
    let path = save(&mut workbook, &folder);
    for dates in ["year-month-day", "day-month-year"] {
        let text = format!("{MAPPING}[dates]\nbirth_date = \"{dates}\"\nevent_date = \"{dates}\"\n");
        assert_eq!(records(&path, &mapping(&text)), expected(&folder));
    }
    // Lines are the sheet's, as those of the text are the file's.
    let lines: Vec<u64> = read(&path, &mapping(MAPPING))
        .unwrap()
        .0
        .iter()
        .map(|r| r.0)
        .collect();
    assert_eq!(lines, [2, 3, 4]);
}

#[test]
fn sheets_are_chosen_by_name_and_the_first_otherwise() {
    let folder = Folder::new();
    let mut workbook = Workbook::new();
    workbook
        .add_worksheet()
        .set_name("Notes")
        .unwrap()
        .write_string(0, 0, "read me")
        .unwrap();
    fill(workbook.add_worksheet().set_name("Déparʈs").unwrap());
    let path = save(&mut workbook, &folder);
    assert_eq!(
        records(&path, &with_file("sheet = \"Déparʈs\"")),
        expected(&folder)
    );
    let refused = refusal(&path, &mapping(MAPPING));
    assert!(
        refused.contains("is there a header?") && !refused.contains("read me"),
        "{refused}"
    );
    let refused = refusal(&path, &with_file("sheet = \"Arrivals\""));
    assert!(
        refused.contains("no sheet \"Arrivals\"") && refused.contains("Notes, Déparʈs"),
        "{refused}"
    );
}

#[test]
fn formulas_are_their_values_and_errors_refuse_the_row_unless_declared_missing() {
    let folder = Folder::new();
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    fill(sheet);
    // Row 3 has its postcode from a formula that failed, row 4 its given name from one that did not; row 6 stands alone.
    sheet
        .write_formula(2, 6, Formula::new("=VLOOKUP(1,A:B,2)").set_result("#N/A"))
        .unwrap();
    sheet
        .write_formula(3, 1, Formula::new("=\"Mül\"&\"ler\"").set_result("Müller"))
        .unwrap();
    for (column, value) in (0..).zip("1006,A,B,,1,TN,,,OUT,,more".split(',')) {
        sheet.write_string(5, column, value).unwrap();
    }
    let path = save(&mut workbook, &folder);
    let (records, report) = read(&path, &mapping(MAPPING)).unwrap();
    let twin = expected(&folder);
    assert_eq!(
        records.iter().map(|(_, record)| record).collect::<Vec<_>>(),
        [&twin[0], &twin[2]]
    );
    assert_eq!(
        problem(&report, RowProblem::SpreadsheetError),
        (1, Some("post"), &[3][..])
    );
    assert_eq!(problem(&report, RowProblem::FieldCount), (1, None, &[6][..]));
    let (records, _) = read(&path, &with_file("missing = [\"#N/A\"]")).unwrap();
    assert_eq!(records.len(), 3);
    assert_eq!(records[1].1, twin[1]);
}

/// A workbook by hand, as nobody's program writes it.
fn archive(folder: &Folder, sheet: &[u8], strings: &[u8]) -> PathBuf {
    let mut workbook = Workbook::new();
    workbook.add_worksheet().write_string(0, 0, "id").unwrap();
    let bytes = workbook.save_to_buffer().unwrap();
    let mut from = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
    let path = folder.path("made.xlsx");
    let mut to = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for index in 0..from.len() {
        let mut part = from.by_index(index).unwrap();
        let name = part.name().unwrap().into_owned();
        to.start_file(name.as_str(), zip::write::SimpleFileOptions::default())
            .unwrap();
        match name.as_str() {
            "xl/worksheets/sheet1.xml" if !sheet.is_empty() => to.write_all(sheet).unwrap(),
            "xl/sharedStrings.xml" if !strings.is_empty() => to.write_all(strings).unwrap(),
            _ => drop(io::copy(&mut part, &mut to).unwrap()),
        }
    }
    to.finish().unwrap();
    path
}

#[test]
fn workbooks_made_to_fill_memory_are_refused() {
    let folder = Folder::new();
    let long = format!("<sst>{}</sst>", "<si><t>a</t></si>".repeat((256 << 20) / 17 + 1));
    let path = archive(&folder, b"", long.as_bytes());
    assert!(std::fs::metadata(&path).unwrap().len() < 2 << 20, "a small file");
    assert!(refusal(&path, &mapping(MAPPING)).contains("unfolds to more than"));
    let text = format!("<sst><si><t>{}</t></si></sst>", "a".repeat(2 << 20));
    let path = archive(&folder, b"", text.as_bytes());
    assert!(refusal(&path, &mapping(MAPPING)).contains("unfolds to more than"));
    // A cell at the far end of the sheet is a row too long, not a sheet of billions of cells.
    let header: String = CSV
        .lines()
        .next()
        .unwrap()
        .split(',')
        .map(|name| format!("<c t=\"inlineStr\"><is><t>{name}</t></is></c>"))
        .collect();
    let sheet = format!(
        "<worksheet><sheetData><row r=\"1\">{header}</row>\
         <row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row></sheetData></worksheet>"
    );
    let path = archive(&folder, sheet.as_bytes(), b"");
    let (records, report) = read(&path, &mapping(MAPPING)).unwrap();
    assert!(records.is_empty());
    assert_eq!(
        problem(&report, RowProblem::FieldCount),
        (1, None, &[1_048_576][..])
    );
}

#[test]
fn damaged_workbooks_are_refused_without_a_word_of_their_cells() {
    let folder = Folder::new();
    let mut workbook = Workbook::new();
    fill(workbook.add_worksheet());
    let bytes = std::fs::read(save(&mut workbook, &folder)).unwrap();
    for cut in [30, bytes.len() / 2, bytes.len() - 10] {
        let refused = refusal(&folder.write("cut.xlsx", &bytes[..cut]), &mapping(MAPPING));
        assert!(refused.contains("damaged"), "{refused}");
    }
    let mut altered = bytes.clone();
    // Every byte in turn would be better, and slow: these lie in the parts of the sheet and of its texts.
    for position in (100..bytes.len() - 100).step_by(97) {
        altered[position] ^= 0x55;
        if let Err(error) = read(&folder.write("altered.xlsx", &altered), &mapping(MAPPING)) {
            let message = error.to_string();
            assert!(!message.contains("Zo") && !message.contains("Diaye"), "{message}");
        }
        altered[position] ^= 0x55;
    }
    for sheet in [
        "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>77</v></c></row></sheetData></worksheet>",
        "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"e\"><v>Zoe</v></c></row></sheetData></worksheet>",
        "<worksheet><sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c></row>",
        "<worksheet><sheetData><row r=\"2\"><c r=\"A2\"><v>1</v></c></row>\
         <row r=\"1\"><c r=\"A1\"><v>1</v></c></row></sheetData></worksheet>",
    ] {
        let refused = refusal(&archive(&folder, sheet.as_bytes(), b""), &mapping(MAPPING));
        assert!(
            (refused.contains("damaged") || refused.contains("out of order")) && !refused.contains("Zoe"),
            "{refused}"
        );
    }
}

#[test]
fn a_file_that_is_not_what_the_mapping_says_is_refused() {
    let folder = Folder::new();
    let mut workbook = Workbook::new();
    fill(workbook.add_worksheet());
    let path = save(&mut workbook, &folder);
    assert!(refusal(&path, &with_file("format = \"csv\"")).contains("the file is XLSX"));
    let text = folder.write("a.csv", CSV);
    assert!(refusal(&text, &with_file("format = \"xlsx\"")).contains("the file is CSV"));
    assert!(refusal(&text, &with_file("sheet = \"A\"")).contains("names a sheet"));
}

// ---- Parquet ----

fn save_parquet(folder: &Folder, columns: &[(&str, ArrayRef)], compression: Compression) -> PathBuf {
    let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let path = folder.path("a.parquet");
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(2))
        .build();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

/// The columns that are the twin of [`CSV`]: numbers and dates are such.
fn columns() -> Vec<(&'static str, ArrayRef)> {
    let day = |text: &str| {
        let date: jiff::civil::Date = text.parse().unwrap();
        (date - jiff::civil::date(1970, 1, 1)).get_days()
    };
    let event = |text: &str| i64::from(day(text)) * 86_400_000;
    let sex: DictionaryArray<Int8Type> = vec!["2", "1", "1"].into_iter().collect();
    vec![
        ("id", Arc::new(Int64Array::from(vec![1001, 1002, 1003]))),
        (
            "given",
            Arc::new(StringArray::from(vec!["Zoé", "محمد", "Müller"])),
        ),
        (
            "family",
            Arc::new(StringArray::from(vec![Some("N'Diaye"), Some("بن صالح"), None])),
        ),
        (
            "born",
            Arc::new(Date32Array::from(vec![
                Some(day("1990-05-17")),
                Some(day("1985-12-31")),
                None,
            ])),
        ),
        ("sex", Arc::new(sex)),
        (
            "citizen",
            Arc::new(StringArray::from(vec![Some("SN"), Some("TN"), Some("")])),
        ),
        (
            "post",
            Arc::new(
                Decimal128Array::from(vec![Some(750_000), None, Some(1_250)])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        (
            "date",
            Arc::new(TimestampMillisecondArray::from(vec![
                event("2023-02-01"),
                event("2023-02-28"),
                event("2024-02-29"),
            ])),
        ),
        ("dir", Arc::new(StringArray::from(vec!["OUT", "IN", "OUT"]))),
    ]
}

#[test]
fn a_parquet_file_gives_the_records_of_its_csv_twin() {
    let folder = Folder::new();
    // A column nobody names may hold anything.
    let unread: ArrayRef = Arc::new(ListArray::from_iter_primitive::<
        arrow_array::types::Int32Type,
        _,
        _,
    >(vec![Some(vec![Some(1)]), None, Some(vec![])]));
    let mut with_unread = columns();
    with_unread.insert(0, ("unread", unread));
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(parquet::basic::GzipLevel::default()),
    ] {
        let path = save_parquet(&folder, &with_unread, compression);
        for dates in ["year-month-day", "day-month-year"] {
            let text = format!("{MAPPING}[dates]\nbirth_date = \"{dates}\"\nevent_date = \"{dates}\"\n");
            assert_eq!(records(&path, &mapping(&text)), expected(&folder));
        }
    }
    let path = save_parquet(&folder, &columns(), Compression::SNAPPY);
    let lines: Vec<u64> = read(&path, &mapping(MAPPING))
        .unwrap()
        .0
        .iter()
        .map(|r| r.0)
        .collect();
    assert_eq!(lines, [1, 2, 3], "rows are counted");
}

#[test]
fn parquet_that_cannot_be_a_register_is_refused() {
    let folder = Folder::new();
    let good = columns();
    let path = save_parquet(&folder, &good[1..], Compression::SNAPPY);
    assert!(refusal(&path, &mapping(MAPPING)).contains("no column \"id\""));
    let mut nested = columns();
    nested[1].1 = Arc::new(ListArray::from_iter_primitive::<
        arrow_array::types::Int32Type,
        _,
        _,
    >(vec![Some(vec![Some(1)]), None, Some(vec![])]));
    let path = save_parquet(&folder, &nested, Compression::SNAPPY);
    assert!(refusal(&path, &mapping(MAPPING)).contains("column \"given\" cannot be read"));
    let mut zoned = columns();
    zoned[7].1 = Arc::new(TimestampMillisecondArray::from(vec![0, 0, 0]).with_timezone("Africa/Tunis"));
    let path = save_parquet(&folder, &zoned, Compression::SNAPPY);
    assert!(refusal(&path, &mapping(MAPPING)).contains("time zone"));
    let bytes = std::fs::read(save_parquet(&folder, &good, Compression::SNAPPY)).unwrap();
    for cut in [8, bytes.len() / 2, bytes.len() - 5] {
        let refused = refusal(&folder.write("cut.parquet", &bytes[..cut]), &mapping(MAPPING));
        assert!(refused.contains("damaged"), "{refused}");
    }
}
