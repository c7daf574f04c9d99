//! What streams through files is what memory holds, byte for byte, however little memory there is and however many threads.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use corridor_core::{AgeBands, Digest, Profile, SeededEntropy};
use corridor_encode::{
    BlockPass, Blocking, EncodeError, EncodeReport, EncodeTerms, EncodingSchema, Mapping, MatchField,
    NewFiles, ProjectSecret, RefusalLimit, Scratch, encode_register, encode_to_files, write_dataset,
    write_pseudonyms,
};

/// Made-up people: syllables by position, so that some share names and dates.
fn write_register(path: &Path, rows: u32) {
    let syllables = ["ba", "ke", "li", "mo", "nu", "sa", "to", "ré", "dia", "fou"];
    let syllable = |number: u32| syllables[usize::try_from(number % 10).unwrap()];
    let mut csv = String::from("id,given,family,born,sex,moved,way,where\n");
    for row in 0..rows {
        let mixed = row.wrapping_mul(2_654_435_761) >> 8;
        csv += &format!(
            "{row},{}{}wa,{}{}{}ndo,{}-{:02}-{:02},{},2022-{:02}-01,OUT,FR\n",
            syllable(mixed),
            syllable(mixed / 10),
            syllable(mixed / 100),
            syllable(mixed / 1000),
            syllable(mixed / 7),
            1950 + mixed % 50,
            1 + mixed % 12,
            1 + mixed % 28,
            ["M", "F"][usize::try_from(mixed % 2).unwrap()],
            1 + mixed % 12,
        );
    }
    std::fs::write(path, csv).unwrap();
}

fn mapping() -> Mapping {
    let text = r#"
        version = 1
        reporter = "SN"
        [columns]
        record_id = "id"
        given_names = ["given"]
        family_names = ["family"]
        birth_date = "born"
        sex = "sex"
        event_date = "moved"
        direction = "way"
        counterpart = "where"
        [codes.sex]
        female = ["F"]
        male = ["M"]
        [codes.direction]
        emigration = ["OUT"]
        immigration = ["IN"]
    "#;
    toml::from_str(text).unwrap()
}

struct Written {
    dataset: Vec<u8>,
    pseudonyms: Vec<u8>,
    report: EncodeReport,
}

/// Encodes on so many threads; through files of so many bytes of memory, or in memory.
fn encode(register: &Path, profile: Profile, threads: usize, memory: Option<usize>) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let fields = [MatchField::Names, MatchField::BirthDate, MatchField::Sex];
    let blocking = Blocking {
        minimum_size: 10,
        passes: BlockPass::ALL.to_vec(),
    };
    let schema = EncodingSchema::try_new(profile, &fields)
        .unwrap()
        .with_blocking(blocking)
        .unwrap();
    let agreement = Digest::of(b"agreement");
    let key = ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&agreement);
    let (office, age_bands) = ("ANSD".parse().unwrap(), AgeBands::try_from(vec![0, 30]).unwrap());
    let terms = EncodeTerms {
        agreement,
        office: &office,
        partner: "FR".parse().unwrap(),
        schema: &schema,
        key: &key,
        age_bands: &age_bands,
        statistics: &corridor_core::StatisticsTerms::default(),
    };
    let (dataset, list) = (folder.path().join("d.parquet"), folder.path().join("p.csv"));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let report = pool.install(|| match memory {
        Some(bytes) => {
            let scratch = Scratch::new(folder.path(), &mut SeededEntropy::new(1, "test")).with_memory(bytes);
            let files = NewFiles {
                dataset: &dataset,
                pseudonyms: &list,
                encryption: None,
            };
            encode_to_files(
                register,
                &mapping(),
                &terms,
                RefusalLimit::NONE,
                files,
                &scratch,
                &|_| {},
            )
            .unwrap()
            .report
        }
        None => {
            let encoded = encode_register(register, &mapping(), &terms, RefusalLimit::NONE, &|_| {}).unwrap();
            write_dataset(&encoded.dataset, &dataset).unwrap();
            write_pseudonyms(&encoded.dataset, &encoded.pseudonyms, &list).unwrap();
            encoded.report
        }
    });
    Written {
        dataset: std::fs::read(dataset).unwrap(),
        pseudonyms: std::fs::read(list).unwrap(),
        report,
    }
}

#[test]
fn files_are_the_same_bytes_whatever_the_memory_and_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let register = folder.path().join("register.csv");
    // More than one batch and many slabs.
    write_register(&register, 20_000);
    for profile in [Profile::Saul3x2048, Profile::Saul2x1024Year, Profile::Fields256] {
        let expected = encode(&register, profile, 1, None);
        for (threads, memory) in [(1, Some(100_000)), (3, Some(usize::MAX)), (3, None)] {
            let written = encode(&register, profile, threads, memory);
            assert!(
                written.dataset == expected.dataset,
                "{profile}: dataset on {threads} threads"
            );
            assert!(
                written.pseudonyms == expected.pseudonyms,
                "{profile}: list on {threads} threads"
            );
            assert_eq!(written.report, expected.report);
        }
        let report = &expected.report;
        assert_eq!((report.records_encoded, report.persons), (20_000, 20_000));
        assert_eq!(report.blocks.len(), BlockPass::ALL.len());
        for blocks in &report.blocks {
            assert!(blocks.smallest >= 10 && blocks.blocks > 5, "{blocks:?}");
            assert_eq!(blocks.records + blocks.records_without_key, 20_000);
        }
    }
}

#[test]
fn a_record_id_that_stands_twice_is_found_wherever_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let register = folder.path().join("register.csv");
    write_register(&register, 18_000);
    let mut csv = std::fs::read_to_string(&register).unwrap();
    let again = csv.lines().nth(5).unwrap().to_owned();
    csv += &(again + "\n");
    std::fs::write(&register, csv).unwrap();
    let schema =
        EncodingSchema::try_new(Profile::Clk1024, &[MatchField::Names, MatchField::BirthDate]).unwrap();
    let agreement = Digest::of(b"agreement");
    let key = ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&agreement);
    let (office, age_bands) = ("ANSD".parse().unwrap(), AgeBands::try_from(vec![0]).unwrap());
    let terms = EncodeTerms {
        agreement,
        office: &office,
        partner: "FR".parse().unwrap(),
        schema: &schema,
        key: &key,
        age_bands: &age_bands,
        statistics: &corridor_core::StatisticsTerms::default(),
    };
    let (dataset, list) = (folder.path().join("d.parquet"), folder.path().join("p.csv"));
    let scratch = Scratch::new(folder.path(), &mut SeededEntropy::new(1, "test")).with_memory(10_000);
    let error = encode_to_files(
        &register,
        &mapping(),
        &terms,
        RefusalLimit::NONE,
        NewFiles {
            dataset: &dataset,
            pseudonyms: &list,
            encryption: None,
        },
        &scratch,
        &|_| {},
    )
    .unwrap_err();
    let EncodeError::Extract(error) = error else {
        panic!("{error}");
    };
    assert!(
        error
            .to_string()
            .ends_with("line 18002 column \"id\": the record id of line 6 again"),
        "{error}"
    );
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the register");
}
