//! What the benchmarks share: the bundled registers, encoded.

mod register;

use std::path::{Path, PathBuf};

use corridor_core::{AgeBands, Digest, EncodedDataset, Filters, Profile};
use corridor_encode::{
    EncodeTerms, EncodedRegister, EncodingSchema, Mapping, MatchField, ProjectSecret, RefusalLimit,
    encode_register,
};

pub use register::{Encoding, SyntheticRegister};

/// The bundled registers.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the benchmarks are in the workspace")
        .join("crates/cli/fixtures/corridor_tn_it")
        .join(name)
}

/// Filters of both bundled registers, on all fields they share.
///
/// # Panics
/// When the registers cannot be encoded, which the tests would have found.
pub fn bundled_filters(profile: Profile) -> [Filters; 2] {
    let mappings =
        ["left.toml", "right.toml"].map(|name| Mapping::load(&fixture(name)).expect("a sound mapping"));
    encode(profile, &[fixture("a.csv"), fixture("b.csv")], &mappings).map(|dataset| dataset.filters)
}

/// Two registers, encoded on all fields they share under a key that protects nothing.
///
/// # Panics
/// When a register cannot be encoded.
pub fn encode(profile: Profile, registers: &[PathBuf; 2], mappings: &[Mapping; 2]) -> [EncodedDataset; 2] {
    let fields: Vec<MatchField> = mappings[0]
        .match_fields()
        .into_iter()
        .filter(|field| mappings[1].match_fields().contains(field))
        .collect();
    let schema = EncodingSchema::try_new(profile, &fields).expect("a sound schema");
    encode_by(&schema, registers, mappings).map(|encoded| encoded.dataset)
}

/// The same by a schema.
///
/// # Panics
/// As [`encode`].
pub fn encode_by(
    schema: &EncodingSchema,
    registers: &[PathBuf; 2],
    mappings: &[Mapping; 2],
) -> [EncodedRegister; 2] {
    let agreement = Digest::of(b"benchmark");
    let key = ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&agreement);
    let office = "BENCH".parse().expect("an office id");
    let age_bands = AgeBands::try_from(vec![0]).expect("one band");
    [0, 1].map(|side| {
        let terms = EncodeTerms {
            agreement,
            office: &office,
            partner: "IT".parse().expect("a country"),
            schema,
            key: &key,
            age_bands: &age_bands,
            statistics: &corridor_core::StatisticsTerms::default(),
        };
        let limit = RefusalLimit::try_new(0.01).expect("a share");
        encode_register(&registers[side], &mappings[side], &terms, limit, &|_| {})
            .expect("the register can be encoded")
    })
}
