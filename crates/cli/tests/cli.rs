//! What the command line says, word for word: `tests/cmd` holds commands and their output. After a wanted change,
//! `TRYCMD=overwrite cargo test -p corridor-cli --test cli` writes them again; read the difference.

#[test]
fn commands_say_what_is_written_down() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        .case("tests/cmd/*.toml");
}
