//! Which crate may depend on which. The missing arrow from the service to `encode` is the privacy claim: nothing
//! `corridor-server` is built from can hold a linkage key or turn a name into a filter.

use std::collections::{BTreeMap, BTreeSet};

use corridor_tests::workspace_root;

/// What each crate may depend on, of ours. `testkit` stands for dev-dependencies only and is not listed.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("kernel", &[]),
    ("encode", &["core"]),
    ("synth", &["core"]),
    ("redteam", &["core"]),
    ("link", &["core", "kernel"]),
    ("flows", &["core"]),
    ("store", &["core"]),
    ("wire", &["core"]),
    ("engine", &["core", "link", "flows", "store"]),
    ("server", &["core", "engine", "store", "wire"]),
    ("testkit", &["core", "synth"]),
];

/// Libraries that may be used by some crates only.
const CONFINED: &[(&str, &[&str])] = &[
    ("tonic", &["wire", "server", "cli"]),
    ("tonic-prost", &["wire"]),
    ("prost", &["wire"]),
    ("hmac", &["encode"]),
    ("hkdf", &["encode"]),
    ("hpke", &["encode"]),
    ("sqlx", &["store"]),
    ("object_store", &["store"]),
];

struct Manifest {
    ours: BTreeSet<String>,
    all: BTreeSet<String>,
}

/// The crates below `crates/` with the names of what they depend on outside tests.
fn manifests() -> BTreeMap<String, Manifest> {
    let mut manifests = BTreeMap::new();
    for entry in std::fs::read_dir(workspace_root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(folder.join("Cargo.toml")) else {
            continue;
        };
        let manifest: toml::Table = text.parse().unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            manifest["package"]["name"].as_str(),
            Some(format!("corridor-{name}").as_str()),
            "the folder has the package's name"
        );
        let mut all = BTreeSet::new();
        let mut add = |table: Option<&toml::Value>| {
            if let Some(table) = table.and_then(toml::Value::as_table) {
                all.extend(table.keys().cloned());
            }
        };
        add(manifest.get("dependencies"));
        add(manifest.get("build-dependencies"));
        for target in manifest
            .get("target")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flat_map(toml::Table::values)
        {
            add(target.get("dependencies"));
            add(target.get("build-dependencies"));
        }
        let ours = all
            .iter()
            .filter_map(|dependency| dependency.strip_prefix("corridor-"))
            .map(str::to_owned)
            .collect();
        manifests.insert(name, Manifest { ours, all });
    }
    assert!(manifests.len() >= 10, "the crates are found");
    manifests
}

#[test]
fn crates_depend_on_what_they_may_only() {
    for (name, manifest) in manifests() {
        if name == "cli" {
            assert!(!manifest.ours.contains("testkit"), "cli depends on testkit");
            continue;
        }
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("crate {name} has no arrow"));
        for dependency in &manifest.ours {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}"
            );
        }
    }
}

#[test]
fn the_service_cannot_reach_the_linkage_key() {
    let manifests = manifests();
    let mut reached = BTreeSet::from(["server".to_owned()]);
    let mut open = vec!["server".to_owned()];
    while let Some(name) = open.pop() {
        for dependency in &manifests[&name].ours {
            if reached.insert(dependency.clone()) {
                open.push(dependency.clone());
            }
        }
    }
    assert!(reached.contains("engine"), "the walk follows dependencies");
    assert!(!reached.contains("encode"), "{reached:?}");
}

#[test]
fn libraries_stay_where_they_belong() {
    let manifests = manifests();
    for (library, crates) in CONFINED {
        for (name, manifest) in &manifests {
            if manifest.all.contains(*library) {
                assert!(crates.contains(&name.as_str()), "{name} uses {library}");
            }
        }
    }
}

#[test]
fn unsafe_code_is_in_the_kernel_only() {
    let text = std::fs::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let lints = &manifest["workspace"]["lints"]["rust"];
    assert_eq!(lints["unsafe_code"].as_str(), Some("deny"));
    for file in corridor_tests::rust_files() {
        if file.starts_with(workspace_root().join("crates/kernel")) || file.ends_with("it/arrows.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            !text.contains("(unsafe_code"),
            "{} lifts the ban on unsafe code",
            file.display()
        );
    }
}
