//! The gates on a corridor in files, for measuring:
//! `gates FOLDER SCHEME MAX_RECORDS SEEDS`, with a folder of `a.csv`, `b.csv` and `truth.csv`; a scheme `clk`,
//! `saul-3-2048`, `saul-3-1024` or `saul-2-1024-year`; and seeds separated by commas. JSON to standard output, words to
//! standard error.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;

use corridor_core::{FilterLen, SeededEntropy};
use corridor_redteam::{FilterMetrics, PlainList, Rehearsal, Scheme, Scope};
use tokens::tokens;

#[path = "../tests/people/tokens.rs"]
mod tokens;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, scheme, max_records, seeds] = arguments.as_slice() else {
        return Err("gates FOLDER SCHEME MAX_RECORDS SEEDS".into());
    };
    let (scheme, salted, weight) = match scheme.as_str() {
        "clk" => (
            Scheme::Bloom {
                filter_len: FilterLen::try_from(1024)?,
            },
            false,
            10,
        ),
        "saul-3-2048" => (
            Scheme::Majority {
                layers: 3,
                filter_len: FilterLen::try_from(2048)?,
            },
            false,
            1,
        ),
        "saul-3-1024" => (
            Scheme::Majority {
                layers: 3,
                filter_len: FilterLen::try_from(1024)?,
            },
            false,
            1,
        ),
        "saul-2-1024-year" => (
            Scheme::Majority {
                layers: 2,
                filter_len: FilterLen::try_from(1024)?,
            },
            true,
            1,
        ),
        _ => return Err("unknown scheme".into()),
    };
    let corridor = read_corridor(folder.as_ref(), salted, weight)?;
    let target = scheme.encode(&corridor.left, &mut SeededEntropy::new(1, "office"));
    let metrics = FilterMetrics::of(&target, 5000, &mut SeededEntropy::new(1, "exposure"));
    let rehearsal = Rehearsal {
        scheme: &scheme,
        target: &target,
        target_list: &corridor.left,
        list: &corridor.right,
        truth: &corridor.truth,
    };
    let scope = Scope {
        max_records: max_records.parse()?,
        seeds: seeds.split(',').map(str::parse).collect::<Result<_, _>>()?,
        ..Scope::default()
    };
    let report = rehearsal.run(&scope)?;
    serde_json::to_writer(std::io::stdout(), &(&metrics, &report))?;
    let mut talk = std::io::stderr();
    writeln!(talk, "{metrics:#?}")?;
    for line in report.to_words() {
        writeln!(talk, "{line}")?;
    }
    Ok(())
}

/// Two registers and who is who.
struct Corridor {
    left: PlainList,
    right: PlainList,
    truth: Vec<Option<usize>>,
}

/// Reads `a.csv`, `b.csv` and `truth.csv` of a folder.
fn read_corridor(folder: &Path, salted: bool, weight: u32) -> Result<Corridor, Box<dyn Error>> {
    let (left, left_ids) = read_register(&folder.join("a.csv"), salted, weight)?;
    let (right, right_ids) = read_register(&folder.join("b.csv"), salted, weight)?;
    let mut truth = vec![None; left.len()];
    for row in csv::Reader::from_path(folder.join("truth.csv"))?.records() {
        let row = row?;
        if let (Some(&left), Some(&right)) = (left_ids.get(&row[0]), right_ids.get(&row[1])) {
            truth[left] = Some(right);
        }
    }
    Ok(Corridor { left, right, truth })
}

fn read_register(
    path: &Path,
    salted: bool,
    weight: u32,
) -> Result<(PlainList, HashMap<String, usize>), Box<dyn Error>> {
    let mut list = PlainList::new();
    let mut ids = HashMap::new();
    for row in csv::Reader::from_path(path)?.records() {
        let row = row?;
        ids.insert(row[0].to_owned(), list.len());
        let (salt, tokens) = tokens([&row[1], &row[2], &row[3], &row[4], &row[6]], salted);
        list.push(&salt, tokens.into_iter().map(|token| (token, weight)));
    }
    Ok((list, ids))
}
