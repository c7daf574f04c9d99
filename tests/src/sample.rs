//! An agreement between two made-up offices, and an encoded dataset of each, of random bits.

use bytes::Bytes;
use corridor_core::{
    AGREEMENT_VERSION, AgeBand, AgeBands, Agreement, Assignment, Corridor, Counterpart, DatasetDeclaration,
    DatasetManifest, DatePrecision, Destination, Digest, Direction, DisclosureRule, EncodedDataset,
    EncodingTerms, EventDate, Filters, LinkageTerms, MigrationEvent, Office, Origin, Output, Period, Profile,
    Pseudonym, SeededEntropy, Sex, Signature, SigningPurpose, ThresholdPolicy, fill,
};
use corridor_encode::{EncodingSchema, Identity, MatchField, write_dataset};

/// Id of the office of the origin.
pub const ORIGIN: &str = "AAA";
/// Id of the office of the destination.
pub const DESTINATION: &str = "BBB";

/// Records of each dataset: enough for three frames.
const RECORDS: usize = 8000;

/// Two offices that have agreed and encoded.
#[derive(Debug)]
pub struct Sample {
    identities: [Identity; 2],
    /// What they agreed on.
    pub agreement: Agreement,
    /// What the origin's and the destination's office declare, and the bytes of the file.
    pub datasets: [(DatasetDeclaration, Bytes); 2],
}

impl Sample {
    /// The same every time.
    ///
    /// # Panics
    /// Never, unless this program's own rules changed.
    #[expect(clippy::new_without_default, reason = "it costs a second")]
    pub fn new() -> Self {
        Self::with_key_checks([b"the key both hold", b"the key both hold"])
    }

    /// The same with a key check of each office: different ones as if they held different keys.
    ///
    /// # Panics
    /// As [`Sample::new`].
    pub fn with_key_checks(key_checks: [&[u8]; 2]) -> Self {
        let identity = |office: &str, seed| {
            let office = office.parse().expect("an office id");
            Identity::generate(office, &mut SeededEntropy::new(seed, "sample"))
        };
        let identities = [identity(ORIGIN, 1), identity(DESTINATION, 2)];
        let agreement = agreement(&identities);
        let datasets = [(ORIGIN, key_checks[0]), (DESTINATION, key_checks[1])]
            .map(|(office, key_check)| dataset(office, Digest::of(key_check), &agreement));
        Self {
            identities,
            agreement,
            datasets,
        }
    }

    /// Both offices' signatures of the agreement.
    pub fn signatures(&self) -> [(&'static str, Signature); 2] {
        let digest = self.agreement.digest();
        let sign = |identity: &Identity| identity.sign(SigningPurpose::Agreement, digest.as_bytes());
        [
            (ORIGIN, sign(&self.identities[0])),
            (DESTINATION, sign(&self.identities[1])),
        ]
    }
}

fn agreement(identities: &[Identity; 2]) -> Agreement {
    let schema = EncodingSchema::try_new(Profile::Saul3x2048, &[MatchField::Names, MatchField::BirthDate])
        .expect("a sound schema");
    let office = |identity: &Identity| Office {
        id: identity.office().clone(),
        signing_key: identity.to_public().signing_key,
    };
    let country = |code: &str| code.parse().expect("a country code");
    Agreement {
        version: AGREEMENT_VERSION,
        corridor: Corridor::try_new(Origin(country("SN")), Destination(country("ES")))
            .expect("two countries"),
        origin_office: office(&identities[0]),
        destination_office: office(&identities[1]),
        period: Period {
            first: "2022-01-01".parse().expect("a date"),
            last: "2023-12-31".parse().expect("a date"),
        },
        encoding: EncodingTerms {
            profile: Profile::Saul3x2048,
            schema: schema.digest(),
            filter_bits: schema.filter_len(),
            match_fields: vec!["names".to_owned(), "birth_date".to_owned()],
        },
        linkage: LinkageTerms {
            threshold: ThresholdPolicy::Estimated,
            assignment: Assignment::Greedy,
            event_window_days: 365,
            seed: 1,
            lsh_recall: None,
        },
        age_bands: AgeBands::try_from(vec![0, 30]).expect("two bands"),
        outputs: vec![Output::FlowTable],
        disclosure: DisclosureRule { minimum_count: 10 },
        retention_days: 30,
    }
}

fn dataset(office: &str, key_check: Digest, agreement: &Agreement) -> (DatasetDeclaration, Bytes) {
    let mut entropy = SeededEntropy::new(7, office);
    let mut records: Vec<Pseudonym> = (0..RECORDS)
        .map(|_| {
            let mut bytes = [0; 16];
            fill(&mut entropy, &mut bytes);
            Pseudonym::from_bytes(bytes)
        })
        .collect();
    records.sort_unstable();
    let filter_len = agreement.encoding.filter_bits;
    let mut filters = Filters::with_capacity(filter_len, RECORDS);
    let mut filter = vec![0; filter_len.to_bytes()];
    for _ in 0..RECORDS {
        fill(&mut entropy, &mut filter);
        filters.push_bytes(&filter);
    }
    let direction = if office == ORIGIN {
        Direction::Emigration
    } else {
        Direction::Immigration
    };
    let event = MigrationEvent {
        direction,
        counterpart: Counterpart::Partner,
        date: EventDate {
            date: "2022-06-15".parse().expect("a date"),
            precision: DatePrecision::Day,
        },
        sex: Sex::Female,
        age_band: Some(AgeBand(1)),
    };
    let dataset = EncodedDataset {
        manifest: DatasetManifest {
            agreement: agreement.digest(),
            schema: agreement.encoding.schema,
            office: office.parse().expect("an office id"),
            measure: agreement.encoding.profile.measure(),
            record_count: u64::try_from(RECORDS).expect("a count"),
            key_check,
        },
        persons: records.clone(),
        records,
        filters,
        blocks: Vec::new(),
        events: Some(vec![event; RECORDS]),
    };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("dataset.parquet");
    let content = write_dataset(&dataset, &path).expect("a file can be written");
    let bytes = Bytes::from(std::fs::read(&path).expect("a file can be read"));
    let manifest = dataset.manifest;
    let declaration = DatasetDeclaration {
        agreement: manifest.agreement,
        office: manifest.office,
        schema: manifest.schema,
        key_check: manifest.key_check,
        record_count: manifest.record_count,
        total_bytes: u64::try_from(bytes.len()).expect("a length"),
        content,
    };
    (declaration, bytes)
}
