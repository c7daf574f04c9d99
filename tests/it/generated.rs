//! The committed generated code is what the proto files give.

use corridor_tests::{GENERATED_FILES, generate, workspace_root};

#[test]
fn generated_code_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path()).unwrap();
    for file in GENERATED_FILES {
        let committed = std::fs::read(workspace_root().join("crates/wire/src/generated").join(file)).unwrap();
        let fresh = std::fs::read(folder.path().join(file)).unwrap();
        assert!(
            committed == fresh,
            "{file} is not what proto/ gives; run: cargo run -p corridor-tests --bin generate"
        );
    }
}
