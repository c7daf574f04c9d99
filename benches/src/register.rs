use std::path::PathBuf;

use corridor_core::{AgeBands, Corridor, Destination, Digest, Origin, Profile, SeededEntropy, Side};
use corridor_encode::{
    EncodeTerms, EncodingSchema, LinkageKey, Mapping, MatchField, NewFiles, ProjectSecret, RefusalLimit,
    Scratch, encode_to_files,
};
use corridor_synth::Population;

/// A synthetic register of moves from Senegal to France, as a file.
#[derive(Debug)]
pub struct SyntheticRegister {
    folder: tempfile::TempDir,
    mapping: Mapping,
    records: u64,
}

impl SyntheticRegister {
    /// The register of the origin when the longer one has so many records.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn new(records: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let country = |code: &str| code.parse().expect("a country");
        let corridor =
            Corridor::try_new(Origin(country("SN")), Destination(country("FR"))).expect("two countries");
        let population = Population::try_new(corridor, 1).expect("a known corridor");
        let registers = population.plan(records, &mut |_| {}).expect("a plan");
        let mut csv = Vec::new();
        registers
            .write_register(Side::Destination, &mut csv, &mut |_| {})
            .expect("writing to memory");
        std::fs::write(folder.path().join("register.csv"), csv).expect("a new file");
        let mapping = folder.path().join("register.toml");
        std::fs::write(&mapping, registers.to_mapping(Side::Destination)).expect("a new file");
        Self {
            mapping: Mapping::load(&mapping).expect("a sound mapping"),
            records: u64::from(registers.record_count(Side::Destination)),
            folder,
        }
    }

    /// How many records it has.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// What encodes it on names, birth date, sex and citizenship, on so many threads.
    ///
    /// # Panics
    /// When there are no threads to be had.
    pub fn encoding(&self, profile: Profile, threads: usize) -> Encoding<'_> {
        let fields = [
            MatchField::Names,
            MatchField::BirthDate,
            MatchField::Sex,
            MatchField::Citizenship,
        ];
        Encoding {
            register: self,
            schema: EncodingSchema::try_new(profile, &fields).expect("a sound schema"),
            key: ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&Digest::of(b"benchmark")),
            threads: rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("threads"),
        }
    }
}

/// A register ready to be encoded.
#[derive(Debug)]
pub struct Encoding<'a> {
    register: &'a SyntheticRegister,
    schema: EncodingSchema,
    key: LinkageKey,
    threads: rayon::ThreadPool,
}

impl Encoding<'_> {
    /// Removes what was encoded before, if anything was.
    pub fn clear(&self) {
        for file in self.files() {
            // It may not be there.
            drop(std::fs::remove_file(file));
        }
    }

    fn files(&self) -> [PathBuf; 2] {
        ["dataset.parquet", "pseudonyms.csv"].map(|name| self.register.folder.path().join(name))
    }

    /// Encodes from file to file.
    ///
    /// # Panics
    /// When the register cannot be encoded, or was before.
    pub fn run(&self) {
        let [dataset, pseudonyms] = self.files();
        let folder = self.register.folder.path();
        let office = "BENCH".parse().expect("an office id");
        let age_bands = AgeBands::try_from(vec![0, 15, 30, 45, 65]).expect("sound bands");
        let terms = EncodeTerms {
            agreement: Digest::of(b"benchmark"),
            office: &office,
            partner: "SN".parse().expect("a country"),
            schema: &self.schema,
            key: &self.key,
            age_bands: &age_bands,
            statistics: &corridor_core::StatisticsTerms::default(),
        };
        let scratch = Scratch::new(folder, &mut SeededEntropy::new(1, "benchmark"));
        self.threads.install(|| {
            encode_to_files(
                &folder.join("register.csv"),
                &self.register.mapping,
                &terms,
                RefusalLimit::try_new(0.01).expect("a share"),
                NewFiles {
                    dataset: &dataset,
                    pseudonyms: &pseudonyms,
                    encryption: None,
                },
                &scratch,
                &|_| {},
            )
            .expect("the register can be encoded")
        });
    }
}
