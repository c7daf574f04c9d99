//! A module is one idea: hardly ever over 600 lines.

use corridor_tests::{rust_files, workspace_root};

/// Lines of code a module may have, besides its tests.
const MOST_LINES: usize = 600;

#[test]
fn no_module_has_more_than_600_lines() {
    let mut checked = 0;
    for file in rust_files() {
        if file.starts_with(workspace_root().join("crates/wire/src/generated")) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .count();
        assert!(
            lines <= MOST_LINES,
            "{} has {lines} lines; it is more than one idea",
            file.display()
        );
        checked += 1;
    }
    assert!(checked > 50, "the modules are found");
}
