//! An agreement between two made-up offices, and an encoded dataset of each, of random bits.

use bytes::Bytes;
use corridor_core::{
    AGREEMENT_VERSION, AgeBand, AgeBands, Agreement, Assignment, BlockColumn, BlockKey, Corridor,
    Counterpart, DatasetDeclaration, DatasetManifest, DatePrecision, Destination, Digest, Direction,
    DisclosureMethod, DisclosureRule, EncodedDataset, EncodingTerms, Entropy, EventDate, FilterLen,
    FilterShape, Filters, GateTerms, LinkageTerms, MigrationEvent, MoverFacts, Office, Origin, Output,
    Period, Profile, Pseudonym, Reader, Role, RuleFlag, SeededEntropy, Sex, Signature, SigningPurpose,
    StatisticsTerms, StayFlags, ThresholdPolicy, fill,
};
use corridor_encode::{EncodingSchema, Identity, MatchField, write_dataset};

/// Id of the office of the origin.
pub const ORIGIN: &str = "AAA";
/// Id of the office of the destination.
pub const DESTINATION: &str = "BBB";

/// Records of each dataset: enough for three frames.
const RECORDS: usize = 8000;

/// What a sample is made of.
#[derive(Debug, Clone, Copy)]
pub struct SampleTerms {
    /// Records of each dataset, each of a person of its own.
    pub records: usize,
    /// What the filters are.
    pub filters: SampleFilters,
    /// Where the threshold comes from.
    pub threshold: ThresholdPolicy,
    /// How links are assigned.
    pub assignment: Assignment,
    /// Passes of block keys; in each, all of a group of [`SampleFilters::Groups`] and of some others share one, and every tenth
    /// record has none.
    pub passes: usize,
    /// Makes filters and agreement other ones.
    pub seed: u64,
    /// Who else may read, by party.
    pub readers: &'static [(&'static str, Role)],
    /// What is agreed of the gate: that any filters pass, unless a test is about it.
    pub gate: GateTerms,
}

/// What the filters of a sample are.
#[derive(Debug, Clone, Copy)]
pub enum SampleFilters {
    /// Random bits: nobody resembles anybody.
    Random,
    /// So many records of each office resemble each other and as many of the other office, with ρ around 0.77, and nobody else.
    Groups(usize),
    /// All are equal.
    Equal,
    /// All of the destination are equal, and so is one of the origin; the others of the origin resemble nobody.
    OneLikeAll,
}

impl Default for SampleTerms {
    fn default() -> Self {
        Self {
            records: RECORDS,
            filters: SampleFilters::Random,
            threshold: ThresholdPolicy::Estimated,
            assignment: Assignment::Greedy,
            passes: 0,
            seed: 1,
            readers: &[],
            gate: GateTerms {
                minimum_stratum: None,
                small_strata_per_thousand: Some(1000),
                duplicates_per_thousand: Some(1000),
                near_duplicates_per_thousand: Some(1000),
                drift_per_thousand: Some(1000),
                shape: FilterShape::Any,
            },
        }
    }
}

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
        Self::make(&SampleTerms::default(), key_checks)
    }

    /// One made to order.
    ///
    /// # Panics
    /// As [`Sample::new`].
    pub fn of(terms: &SampleTerms) -> Self {
        Self::make(terms, [b"the key both hold", b"the key both hold"])
    }

    fn make(terms: &SampleTerms, key_checks: [&[u8]; 2]) -> Self {
        let identity = |office: &str, seed| {
            let office = office.parse().expect("an office id");
            Identity::generate(office, &mut SeededEntropy::new(seed, "sample"))
        };
        let identities = [identity(ORIGIN, 1), identity(DESTINATION, 2)];
        let agreement = agreement(&identities, terms);
        let datasets = [(ORIGIN, key_checks[0]), (DESTINATION, key_checks[1])]
            .map(|(office, key_check)| dataset(office, Digest::of(key_check), &agreement, terms));
        Self {
            identities,
            agreement,
            datasets,
        }
    }

    /// Another dataset of the origin's under the same agreement, made to order.
    ///
    /// # Panics
    /// As [`Sample::new`].
    pub fn origin_dataset(&self, terms: &SampleTerms) -> (DatasetDeclaration, Bytes) {
        dataset(ORIGIN, Digest::of(b"the key both hold"), &self.agreement, terms)
    }

    /// Both offices' signatures of something.
    pub fn sign(&self, purpose: SigningPurpose, content: &[u8]) -> [(&'static str, Signature); 2] {
        let [origin, destination] = &self.identities;
        [
            (ORIGIN, origin.sign(purpose, content)),
            (DESTINATION, destination.sign(purpose, content)),
        ]
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

impl Sample {
    /// Both offices' signatures to release a result.
    pub fn release_signatures(&self, result: Digest) -> [(&'static str, Signature); 2] {
        let sign = |identity: &Identity| identity.sign(SigningPurpose::Release, result.as_bytes());
        [
            (ORIGIN, sign(&self.identities[0])),
            (DESTINATION, sign(&self.identities[1])),
        ]
    }
}

fn agreement(identities: &[Identity; 2], terms: &SampleTerms) -> Agreement {
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
            block_passes: Vec::new(),
        },
        linkage: LinkageTerms {
            threshold: terms.threshold,
            assignment: terms.assignment,
            event_window_days: 365,
            seed: terms.seed,
            value_frequencies: Vec::new(),
            lsh_recall: None,
        },
        age_bands: AgeBands::try_from(vec![0, 30]).expect("two bands"),
        statistics: StatisticsTerms::default(),
        definitions: None,
        status: corridor_core::ReleaseStatus::Final,
        revises: None,
        // Filters of random bits, and of one stratum.
        gate: terms.gate,
        outputs: vec![Output::FlowTable],
        disclosure: DisclosureRule {
            minimum_count: 10,
            method: DisclosureMethod::Suppression,
        },
        retention_days: 30,
        readers: terms
            .readers
            .iter()
            .map(|(party, role)| Reader {
                party: party.parse().expect("a short name"),
                role: *role,
            })
            .collect(),
    }
}

fn make_filters(
    terms: &SampleTerms,
    is_origin: bool,
    filter_len: FilterLen,
    entropy: &mut dyn Entropy,
) -> Filters {
    let mut filters = Filters::with_capacity(filter_len, terms.records);
    let draw = |entropy: &mut dyn Entropy| -> Vec<u64> {
        let mut bytes = vec![0; filter_len.to_bytes()];
        fill(entropy, &mut bytes);
        bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")))
            .collect()
    };
    // What both offices know of, so that it is drawn alike for both.
    let mut shared = SeededEntropy::new(terms.seed, "people");
    match terms.filters {
        SampleFilters::Random => (0..terms.records).for_each(|_| filters.push(&draw(entropy))),
        SampleFilters::Equal => {
            let one = draw(&mut shared);
            (0..terms.records).for_each(|_| filters.push(&one));
        }
        SampleFilters::OneLikeAll => {
            let one = draw(&mut shared);
            for record in 0..terms.records {
                if is_origin && record > 0 {
                    filters.push(&draw(entropy));
                } else {
                    filters.push(&one);
                }
            }
        }
        SampleFilters::Groups(size) => {
            let groups: Vec<Vec<u64>> = (0..terms.records.div_ceil(size))
                .map(|_| draw(&mut shared))
                .collect();
            for record in 0..terms.records {
                // Each bit differs from the group's with a probability of 1/16.
                let noise: Vec<Vec<u64>> = (0..4).map(|_| draw(entropy)).collect();
                let filter: Vec<u64> = groups[record % groups.len()]
                    .iter()
                    .enumerate()
                    .map(|(word, bits)| bits ^ noise.iter().fold(u64::MAX, |all, noise| all & noise[word]))
                    .collect();
                filters.push(&filter);
            }
        }
    }
    filters
}

/// Keys of nine bits in each pass, of the record's group in another order.
fn make_blocks(terms: &SampleTerms) -> Vec<BlockColumn> {
    let groups = match terms.filters {
        SampleFilters::Groups(size) => terms.records.div_ceil(size),
        SampleFilters::Random | SampleFilters::Equal | SampleFilters::OneLikeAll => terms.records,
    };
    (0..terms.passes)
        .map(|pass| BlockColumn {
            pass: format!("pass_{pass}"),
            keys: (0..terms.records)
                .map(|record| {
                    let group = u128::try_from(record % groups).expect("an index");
                    let mixed = group
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15 + 2 * u128::try_from(pass).expect("few"))
                        << 64;
                    ((record + pass) % 10 > 0).then(|| BlockKey::new(mixed.to_be_bytes(), 9))
                })
                .collect(),
        })
        .collect()
}

fn dataset(
    office: &str,
    key_check: Digest,
    agreement: &Agreement,
    terms: &SampleTerms,
) -> (DatasetDeclaration, Bytes) {
    let mut entropy = SeededEntropy::new(6 + terms.seed, office);
    let mut records: Vec<Pseudonym> = (0..terms.records)
        .map(|_| {
            let mut bytes = [0; 16];
            fill(&mut entropy, &mut bytes);
            Pseudonym::from_bytes(bytes)
        })
        .collect();
    records.sort_unstable();
    let filter_len = agreement.encoding.filter_bits;
    let filters = make_filters(terms, office == ORIGIN, filter_len, &mut entropy);
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
        facts: MoverFacts {
            stay: StayFlags {
                own: RuleFlag::Yes,
                ..StayFlags::default()
            },
            ..MoverFacts::default()
        },
    };
    let dataset = EncodedDataset {
        manifest: DatasetManifest {
            agreement: agreement.digest(),
            schema: agreement.encoding.schema,
            office: office.parse().expect("an office id"),
            measure: agreement.encoding.profile.measure(),
            record_count: u64::try_from(terms.records).expect("a count"),
            key_check,
        },
        persons: records.clone(),
        records,
        filters,
        blocks: make_blocks(terms),
        events: Some(vec![event; terms.records]),
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
