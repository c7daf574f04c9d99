//! A Parquet file against the CSV it is the twin of, and files that cannot be read.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::*;

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
