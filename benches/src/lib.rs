//! What the benchmarks share: the bundled registers, encoded.

use std::path::{Path, PathBuf};

use corridor_core::{AgeBands, Digest, Filters, Profile};
use corridor_encode::{EncodeTerms, EncodingSchema, Mapping, ProjectSecret, RefusalLimit, encode_register};

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
    let fields = mappings[0].match_fields();
    let schema = EncodingSchema::try_new(profile, &fields).expect("a sound schema");
    let agreement = Digest::of(b"benchmark");
    let key = ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&agreement);
    let office = "BENCH".parse().expect("an office id");
    let age_bands = AgeBands::try_from(vec![0]).expect("one band");
    let registers = [("a.csv", &mappings[0]), ("b.csv", &mappings[1])];
    registers.map(|(name, mapping)| {
        let terms = EncodeTerms {
            agreement,
            office: &office,
            partner: "IT".parse().expect("a country"),
            schema: &schema,
            key: &key,
            age_bands: &age_bands,
        };
        let encoded = encode_register(&fixture(name), mapping, &terms, RefusalLimit::NONE, &|_| {});
        encoded
            .expect("the bundled registers can be encoded")
            .dataset
            .filters
    })
}
