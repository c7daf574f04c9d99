//! Tables by what an agreement asks for: variables, rules of stay, methods of disclosure control, files, revisions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use corridor_tests::{Job, Terms, corridor, fixture};

type Line = BTreeMap<String, String>;

fn read_csv(path: &Path) -> Vec<Line> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// A bundled register with three more columns for each row, by its number and its date.
fn with_columns(from: &str, to: &Path, more: &dyn Fn(usize, &str) -> [String; 3]) {
    let mut reader = csv::Reader::from_path(fixture(from)).unwrap();
    let mut header = reader.headers().unwrap().clone();
    let date = header.iter().position(|name| name == "event_date").unwrap();
    let mut writer = csv::Writer::from_path(to).unwrap();
    header.extend(["stay_end", "motive", "in_figures"]);
    writer.write_record(&header).unwrap();
    for (number, record) in reader.records().enumerate() {
        let mut record = record.unwrap();
        let columns = more(number, &record[date]);
        record.extend(columns.iter().map(String::as_str));
        writer.write_record(&record).unwrap();
    }
    writer.flush().unwrap();
}

/// A mapping of a bundled register that names the three columns.
fn with_facts(mapping: &Path) {
    let text = fs::read_to_string(mapping)
        .unwrap()
        .replace(
            "counterpart = \"other_country\"",
            "counterpart = \"other_country\"\nnext_event_date = \"stay_end\"\nreason = \"motive\"\ncounted = \"in_figures\"",
        )
        + "\n[codes.reason]\nwork = [\"W\"]\nfamily = [\"F\"]\n\
           [codes.counted]\nyes = [\"1\"]\nno = [\"0\"]\n\
           [stay]\nobserved_until = \"2026-06-30\"\n";
    fs::write(mapping, text).unwrap();
}

/// Every fourth stay ends in the year after the move, early; every second move is for work; of the destination's moves, every
/// fifth is not counted.
fn prepare(job: &Job) {
    let columns = |number: usize, date: &str, counts: bool| {
        let year: i32 = date[..4].parse().unwrap();
        let end = if number.is_multiple_of(4) {
            format!("{}-01-15", year + 1)
        } else {
            String::new()
        };
        let motive = if number.is_multiple_of(2) { "W" } else { "F" };
        let counted = if counts { "1" } else { "0" };
        [end, motive.to_owned(), counted.to_owned()]
    };
    with_columns("a.csv", &job.path("tn").join("register.csv"), &|number, date| {
        columns(number, date, true)
    });
    with_columns("b.csv", &job.path("it").join("register.csv"), &|number, date| {
        columns(number, date, number % 5 > 0)
    });
    for office in ["tn", "it"] {
        with_facts(&job.path(office).join("mapping.toml"));
    }
}

const STATISTICS: &str = r#"
[statistics]
tables = [["period", "sex", "age_reached"], ["period", "citizenship", "reason"]]
[[statistics.country_groups]]
name = "tunisia"
countries = ["TN"]
"#;

/// A released run under terms; gives its id.
fn release_run(job: &Job, terms: &Terms<'_>) -> (String, String) {
    let agreement = job.agree(terms);
    for office in ["tn", "it"] {
        let dataset = format!("{}.parquet", &agreement[..8]);
        job.encode(office, "project.key", &dataset).succeeded();
        job.upload(office, &dataset).succeeded();
    }
    let run = job
        .run("tn", &["run", "start", &agreement])
        .succeeded()
        .line()
        .to_owned();
    job.run("it", &["run", "watch", &run]).succeeded();
    (agreement, run)
}

fn count(line: &Line, name: &str) -> Option<i64> {
    line[name].parse().ok()
}

#[test]
fn tables_are_by_what_the_agreement_names_and_every_file_says_the_same() {
    let job = Job::start();
    prepare(&job);
    let (agreement, run) = release_run(
        &job,
        &Terms {
            statistics: STATISTICS,
            ..Terms::default()
        },
    );
    for office in ["tn", "it"] {
        job.release(office, &run).succeeded();
    }
    let page = job.run("it", &["flows", "show", &run]).succeeded().stdout;
    for words in [
        "moves by year, sex and age reached in the year",
        "moves by year, citizenship and reason",
        "tunisia",
        "defin. I",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    job.run("it", &["flows", "export", &run, "--out", "tables"])
        .succeeded();
    let tables = job.path("it").join("tables");
    let rows = read_csv(&tables.join("flows.csv"));
    let header: Vec<&String> = rows[0].keys().collect();
    for name in ["year", "sex", "age_band_reached", "citizenship", "reason"] {
        assert!(header.iter().any(|column| *column == name), "{name}");
    }
    assert!(!header.iter().any(|column| *column == "age_band"));
    assert!(
        rows.iter()
            .all(|row| row["agreement"] == agreement && row["run"] == run)
    );
    let mut definitions = 0;
    for row in &rows {
        let parts = ["timing", "definition", "partner", "unmatched"].map(|class| {
            Some(count(row, &format!("{class}_destination"))? - count(row, &format!("{class}_origin"))?)
        });
        let all: Option<i64> = parts.into_iter().sum();
        let counts = (count(row, "immigrations"), count(row, "emigrations_own"), all);
        if let (Some(immigrations), Some(emigrations), Some(parts)) = counts {
            assert_eq!(immigrations - emigrations, parts);
        }
        if let (Some(all), Some(matched), Some(only)) = (
            count(row, "immigrations"),
            count(row, "matched"),
            count(row, "only_destination"),
        ) {
            assert_eq!(all, matched + only);
        }
        definitions += count(row, "definition_origin").unwrap_or(0);
    }
    // A fifth of what the destination has it does not count.
    assert!(definitions > 300, "{definitions}");

    // The stays of each register's moves for this corridor: where they are shown, they are these.
    let stays = read_csv(&tables.join("stays.csv"));
    let mut compared = 0;
    for (office, direction, other, list) in [("tn", "OUT", "IT", "origin"), ("it", "IN", "TN", "destination")]
    {
        let register = read_csv(&job.path(office).join("register.csv"));
        for year in ["2022", "2023", "2024"] {
            let short = register.iter().filter(|line| {
                line["direction"] == direction
                    && line["other_country"] == other
                    && line["event_date"].starts_with(year)
                    && !line["stay_end"].is_empty()
                    && line["event_date"].as_str() > format!("{year}-01-15").as_str()
            });
            let no = stays.iter().find(|line| {
                line["origin"] == "TN"
                    && line["year"] == year
                    && line["list"] == list
                    && line["rule"] == "12_months"
                    && line["counts"] == "no"
            });
            if let Some(shown) = count(no.unwrap(), "moves") {
                let expected = i64::try_from(short.count()).unwrap();
                // One record of the destination is too short to be encoded.
                assert!(
                    (0..=1).contains(&(expected - shown)),
                    "{list} {year}: {shown} of {expected}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 0, "some are shown");

    // The same from the JSON document, without the service.
    corridor(
        &tables,
        &["flows", "export", "--from", "flows.json", "--out", "again"],
    )
    .succeeded();
    for name in [
        "flows.csv",
        "stays.csv",
        "flows.json",
        "flows.parquet",
        "flows.xlsx",
        "flows.sdmx.csv",
    ] {
        let (first, again) = (
            fs::read(tables.join(name)).unwrap(),
            fs::read(tables.join("again").join(name)).unwrap(),
        );
        assert!(first == again, "{name}");
    }
}

#[test]
fn a_revision_is_held_against_what_was_released_and_one_overtaken_is_not_released() {
    let job = Job::start();
    let provisional = Terms {
        status: "status = \"provisional\"",
        ..Terms::default()
    };
    let (first, run) = release_run(&job, &provisional);
    // Made before the first is released, and so not held against it.
    let (_, overtaken) = release_run(&job, &Terms::default());
    for office in ["tn", "it"] {
        job.release(office, &run).succeeded();
    }
    job.release("tn", &overtaken)
        .failed(4, &["released since this one was made", "revises"]);

    // One emigration less.
    let register = job.path("tn").join("register.csv");
    let text = fs::read_to_string(&register).unwrap();
    let one = text
        .lines()
        .position(|line| line.contains(",2023-") && line.contains(",OUT,IT"))
        .unwrap();
    let less: Vec<&str> = text
        .lines()
        .enumerate()
        .filter(|(number, _)| *number != one)
        .map(|(_, line)| line)
        .collect();
    fs::write(&register, less.join("\n") + "\n").unwrap();
    let status = format!("status = \"final\"\nrevises = \"{first}\"");
    let (_, revised) = release_run(
        &job,
        &Terms {
            status: &status,
            ..Terms::default()
        },
    );
    for office in ["tn", "it"] {
        job.release(office, &revised).succeeded();
    }
    let years = |run: &str, out: &str| {
        job.run("tn", &["flows", "export", run, "--out", out]).succeeded();
        let lines = read_csv(&job.path("tn").join(out).join("years.csv"));
        let line = lines
            .into_iter()
            .find(|line| line["origin"] == "TN" && line["year"] == "2023");
        line.unwrap()
    };
    let (before, after) = (years(&run, "first"), years(&revised, "second"));
    // What goes along with a small count depends on the keys; both would tell of one.
    let both = (before["emigrations"].as_str(), after["emigrations"].as_str());
    assert!(both.0 == "1236" || both.0 == "suppressed", "{both:?}");
    assert!(both.0 == "suppressed" || both.1 == "suppressed", "{both:?}");
    assert!(before["method"].ends_with("provisional") && after["method"].ends_with("final"));
    // By quarters, a year less three of them would tell of the fourth: said when it is planned, and not after a comparison.
    let by_quarter = job.agree(&Terms {
        status: &status,
        statistics: "[statistics]\nperiod_unit = \"quarter\"\n",
        ..Terms::default()
    });
    for office in ["tn", "it"] {
        job.encode(office, "project.key", "quarters.parquet").succeeded();
        job.upload(office, "quarters.parquet").succeeded();
    }
    job.run("tn", &["run", "plan", &by_quarter])
        .failed(4, &["released before by other periods"]);
    let unknown = job.run("tn", &["agreement", "propose", "terms.toml"]);
    unknown.succeeded();
    let elsewhere = fs::read_to_string(job.path("tn").join("terms.toml"))
        .unwrap()
        .replace(&first, &"ab".repeat(32));
    fs::write(job.path("tn").join("terms.toml"), elsewhere).unwrap();
    job.run("tn", &["agreement", "propose", "terms.toml"])
        .failed(4, &["revises", "no agreement of these two offices"]);
}

#[test]
fn manifests_of_other_countries_are_not_agreed() {
    let job = Job::start();
    job.agree(&Terms::default());
    let folder = job.path("tn");
    for country in ["TN", "IT", "SE"] {
        let manifest = job
            .run("tn", &["manifest", "init", "--country", country])
            .succeeded()
            .stdout;
        fs::write(folder.join(format!("{country}.toml")), manifest).unwrap();
    }
    let terms = fs::read_to_string(folder.join("terms.toml")).unwrap();
    let propose = |origin: &str, destination: &str| {
        let named =
            format!("origin_manifest = \"{origin}.toml\"\ndestination_manifest = \"{destination}.toml\"\n");
        fs::write(folder.join("terms.toml"), named + &terms).unwrap();
        job.run("tn", &["agreement", "propose", "terms.toml"])
    };
    propose("TN", "IT").succeeded();
    propose("IT", "SE").failed(3, &["IT-SE", "TN-IT"]);
    propose("IT", "TN").failed(3, &["IT-TN", "TN-IT"]);
}

#[test]
fn methods_that_perturb_show_every_count_and_what_cannot_be_asked_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.csv", "b.csv", "left.toml", "right.toml"].map(|name| fixture(name).display().to_string());
    let [left, right, left_mapping, right_mapping] = &paths;
    let common = [
        "rehearse",
        "--left",
        left,
        "--right",
        right,
        "--left-mapping",
        left_mapping,
        "--right-mapping",
        right_mapping,
    ];
    let rehearse = |more: &[&str]| corridor(folder.path(), &[&common[..], more].concat());
    for method in ["random-rounding", "cell-key"] {
        rehearse(&[
            "--disclosure",
            method,
            "--period-unit",
            "quarter",
            "--out",
            method,
        ])
        .succeeded();
        let rows = read_csv(&folder.path().join(method).join("flows.csv"));
        assert!(rows.iter().any(|row| row["quarter"] == "2023-Q3"));
        let counts: Vec<i64> = rows.iter().filter_map(|row| count(row, "matched")).collect();
        assert_eq!(counts.len(), rows.len(), "nothing is suppressed");
        let are_threes = counts.iter().all(|count| count % 3 == 0);
        assert_eq!(are_threes, method == "random-rounding");
    }
    for (more, words) in [
        (&["--table", "sex,age"][..], "begins with period"),
        (&["--table", "period,age,age_reached"], "two definitions"),
        (&["--table", "period,shoe"], "is no variable"),
        (
            &[
                "--table",
                "period,citizenship",
                "--country-group",
                "x=TN,Atlantis",
            ],
            "Atlantis",
        ),
        (&["--country-group", "x=TN"], "no table counts by citizenship"),
    ] {
        let arguments = [more, &["--out", "refused"]].concat();
        rehearse(&arguments).failed(3, &[words]);
    }
}
