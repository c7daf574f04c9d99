//! A register of any bytes is read to its end or refused, and every row is a record or counted.
#![no_main]

use std::io::Write as _;
use std::sync::LazyLock;

use corridor_encode::{ExtractReader, Mapping};
use libfuzzer_sys::fuzz_target;

/// Mappings of the same columns: the first byte of an input chooses one.
static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let columns = r#"
        [columns]
        record_id = "id"
        given_names = ["given"]
        family_names = ["family"]
        birth_date = "born"
        sex = "sex"
        citizenship = "nat"
        event_date = "moved"
        [codes.sex]
        female = ["F"]
        male = ["M"]
        [constants]
        direction = "emigration"
        counterpart = "IT"
    "#;
    ["", "delimiter = \";\"", "delimiter = \"\\t\"", "multiline = true"]
        .iter()
        .map(|file| {
            let mapping: Mapping =
                toml::from_str(&format!("version = 1\n[file]\n{file}\n{columns}")).expect("a mapping");
            mapping.validate().expect("a sound mapping");
            mapping
        })
        .collect()
});

/// Panics inside the Parquet reader are caught by whoever calls it; all others are findings.
fn let_the_parquet_reader_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_readers = |file: &str| ["/parquet-", "/arrow-"].iter().any(|name| file.contains(name));
        if !panic
            .location()
            .is_some_and(|location| is_readers(location.file()))
        {
            report(panic);
        }
    }));
}

fuzz_target!(init: let_the_parquet_reader_panic(), |input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    let mapping = &MAPPINGS[usize::from(choice) % MAPPINGS.len()];
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room");
    let Ok(mut reader) = ExtractReader::open(file.path(), mapping) else {
        return;
    };
    let mut usable = 0;
    loop {
        match reader.read_chunk(100) {
            Ok(Some(records)) => usable += records.len() as u64,
            Ok(None) => break,
            Err(_) => return,
        }
    }
    if let Ok(report) = reader.finish() {
        assert_eq!(report.rows_read, usable + report.rows_refused);
    }
});
