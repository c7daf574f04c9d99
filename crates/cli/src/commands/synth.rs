use std::path::{Path, PathBuf};

use clap::Args;
use corridor_core::{Corridor, CountryCode, Destination, Origin, Side};
use corridor_synth::{MOST_RECORDS, Population, SynthError, known_corridors};

use crate::failure::input_error;
use crate::output::{FileSet, progress, talk};

#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// Origin and destination: AO-PT, CV-PT, DZ-FR, ER-DE, ER-NL, MA-ES, NG-DE, NG-IT, SN-ES, SN-FR or TN-IT.
    #[arg(long, value_parser = parse_corridor)]
    corridor: Corridor,
    /// Records of the longer register; the other has as many as its office knows of.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_RECORDS)))]
    records: u32,
    /// Seed: another one gives other people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A new folder, or an empty one.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Reads `SN-FR`; refuses a corridor of which there is no profile.
fn parse_corridor(text: &str) -> Result<Corridor, String> {
    let unknown = || {
        SynthError::CorridorUnknown {
            corridor: text.to_owned(),
        }
        .to_string()
    };
    let read = || {
        let (origin, destination) = text.split_once('-')?;
        let country = |code: &str| code.parse::<CountryCode>().ok();
        Corridor::try_new(Origin(country(origin)?), Destination(country(destination)?)).ok()
    };
    read()
        .filter(|corridor| known_corridors().contains(&corridor.to_string().as_str()))
        .ok_or_else(unknown)
}

pub(crate) fn run(args: &SynthArgs) -> anyhow::Result<()> {
    refuse_filled(&args.out)?;
    let population = Population::try_new(args.corridor, args.seed)?;
    let bar = progress(u64::from(args.records), "moving households");
    let registers = population.plan(args.records, &mut |rows| bar.set_position(rows))?;
    bar.finish_and_clear();

    let mut files = FileSet::new(&args.out)?;
    for (side, register, mapping) in [
        (Side::Origin, "a.csv", "left.toml"),
        (Side::Destination, "b.csv", "right.toml"),
    ] {
        let bar = progress(
            u64::from(registers.record_count(side)),
            &format!("writing {register}"),
        );
        files.add_with(register, |out| {
            registers.write_register(side, out, &mut |rows| bar.set_position(rows))
        })?;
        bar.finish_and_clear();
        files.add(mapping, &registers.to_mapping(side))?;
    }
    files.add_with("truth.csv", |out| registers.write_truth(out))?;
    files.add_with("persons.csv", |out| registers.write_persons(out))?;
    files.write_new()?;

    for (side, register) in [(Side::Origin, "a.csv"), (Side::Destination, "b.csv")] {
        talk(&format!(
            "{register}: {} records of {} persons",
            registers.record_count(side),
            registers.person_count(side)
        ));
    }
    talk(&format!(
        "in both: {} moves, {} persons",
        registers.shared_move_count(),
        registers.shared_person_count()
    ));
    let out = args.out.display();
    talk(&format!("wrote to {out}"));
    talk(&format!(
        "next: corridor rehearse --left {out}/a.csv --right {out}/b.csv --left-mapping {out}/left.toml \
         --right-mapping {out}/right.toml --truth {out}/persons.csv --out rehearsal"
    ));
    Ok(())
}

/// Refuses a folder that holds something, so that nothing is overwritten and no file of another seed stands beside.
fn refuse_filled(folder: &Path) -> anyhow::Result<()> {
    let filled = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => {
            return Err(input_error(
                format!("cannot use {} as a folder: {error}", folder.display()),
                "name a new folder with --out",
            ));
        }
    };
    if filled {
        return Err(input_error(
            format!("{} is not empty", folder.display()),
            "name a new folder with --out, or move the old files away",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corridors_are_read_in_any_code_and_unknown_ones_get_the_list() {
        assert_eq!(parse_corridor("sen-FR").unwrap().to_string(), "SN-FR");
        for text in ["FR-SN", "SN", "XX-YY", "FR-FR", ""] {
            let error = parse_corridor(text).unwrap_err();
            assert!(error.contains("AO-PT, CV-PT, DZ-FR"), "{error}");
        }
    }

    #[test]
    fn the_help_page_names_every_corridor() {
        #[derive(Debug, clap::Parser)]
        struct Page {
            #[command(flatten)]
            args: SynthArgs,
        }
        let page = <Page as clap::CommandFactory>::command()
            .render_long_help()
            .to_string();
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        let (last, others) = known_corridors()
            .split_last()
            .map(|(l, o)| (*l, o.join(", ")))
            .unwrap();
        assert!(page.contains(&format!("{others} or {last}")), "{page}");
    }

    #[test]
    fn a_folder_that_holds_something_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        refuse_filled(folder.path()).unwrap();
        refuse_filled(&folder.path().join("new")).unwrap();
        let file = folder.path().join("a.csv");
        std::fs::write(&file, "kept").unwrap();
        assert!(refuse_filled(folder.path()).is_err());
        assert!(refuse_filled(&file).is_err());
    }
}
