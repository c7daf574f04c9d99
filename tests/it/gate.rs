//! The gate before sealing, as an office meets it: what is honest gets in, and a list of spellings does not.

use std::fmt::Write as _;
use std::fs;

use corridor_tests::{Job, Terms, dataset_files};
use serde_json::Value;

/// Each of the first people of a register in so many spellings, under ids of their own.
fn to_spellings(register: &str, people: usize, spellings: usize) -> String {
    let mut lines = register.lines();
    let mut text = lines.next().unwrap().to_owned() + "\n";
    for (person, line) in lines.take(people).enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, given, family, rest @ ..] = fields.as_slice() else {
            panic!("a register has names");
        };
        for spelling in 0..spellings {
            // A letter doubled at another place each time.
            let place = spelling % given.chars().count().max(1);
            let given: String = given
                .chars()
                .enumerate()
                .flat_map(|(at, letter)| std::iter::repeat_n(letter, if at == place { 2 } else { 1 }))
                .collect();
            writeln!(text, "X{person}-{spelling},{given},{family},{}", rest.join(",")).unwrap();
        }
    }
    text
}

#[test]
fn a_list_of_spellings_is_refused_and_nothing_of_it_stays() {
    let mut job = Job::start();
    job.agree(&Terms::default());
    let register = job.path("tn").join("register.csv");
    let honest = fs::read_to_string(&register).unwrap();
    fs::write(&register, to_spellings(&honest, 200, 10)).unwrap();
    job.encode("tn", "project.key", "spellings.parquet").succeeded();

    let gate = ["gate", "spellings.parquet", "--agreement", "agreement.json"];
    let at_home = job.run("tn", &gate);
    assert_eq!(at_home.code, Some(3), "{}", at_home.stderr);
    assert!(at_home.stderr.contains("near_duplicates: "), "{}", at_home.stderr);
    let refused = job.upload("tn", "spellings.parquet");
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for words in [
        "does not pass the gate",
        "near_duplicates ",
        "many spellings of the same people",
    ] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    let data = job.path("server").join("data");
    assert_eq!(dataset_files(&data), [""; 0]);

    // The office uploads its register in its place; the partner is told nothing of it.
    fs::write(&register, &honest).unwrap();
    job.encode("tn", "project.key", "dataset.parquet").succeeded();
    let gate = [
        "gate",
        "dataset.parquet",
        "--agreement",
        "agreement.json",
        "--json",
    ];
    let at_home: Value = serde_json::from_str(&job.run("tn", &gate).succeeded().stdout).unwrap();
    let uploaded = job.upload("tn", "dataset.parquet").succeeded();
    for check in at_home["checks"].as_array().unwrap() {
        assert_ne!(check["outcome"], "failed", "{check}");
        // The service measures what the office did.
        let name = check["name"].as_str().unwrap();
        let line = uploaded
            .stderr
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap();
        let figure = check["figure"].as_f64().unwrap();
        assert!(
            line.contains(&format!("{figure:.4}")) || line.contains(&format!("{figure:.0}")),
            "{line}: {check}"
        );
    }
    job.encode("it", "project.key", "dataset.parquet").succeeded();
    let uploaded = job.upload("it", "dataset.parquet").succeeded();
    assert!(uploaded.stderr.contains("drift"), "{}", uploaded.stderr);
    let (log, _) = job.terminate_server();
    let (_, refusal) = log.split_once("dataset refused by the gate").unwrap();
    let refusal = refusal.lines().next().unwrap();
    assert!(refusal.contains("near_duplicates"), "{refusal}");
    assert!(!refusal.contains("0."), "a figure is logged: {refusal}");
}
