//! A workbook against the CSV it is the twin of, and workbooks that cannot be read.

use std::io::Write as _;

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};

use super::*;

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
