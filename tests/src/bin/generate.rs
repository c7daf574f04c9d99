//! Writes the generated code of `corridor-wire` after a change of `proto/`.

fn main() -> std::io::Result<()> {
    corridor_tests::generate(&corridor_tests::workspace_root().join("crates/wire/src/generated"))
}
