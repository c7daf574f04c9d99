use corridor_core::SigningPurpose;
use corridor_encode::Identity;
use corridor_flows::Export;

use crate::args::{ExportFormat, FlowsCommand, FormatArg, LanguageArg, PlotArgs};
use crate::client::connect;
use crate::commands::passphrase;
use crate::commands::pictures::{Drawn, PICTURES_FOLDER, add_pictures};
use crate::commands::results::{
    FlowResult, add_csv, add_json, to_blocking_lines, to_field_lines, to_page, to_strata_lines, to_xlsx,
};
use crate::failure::input_error;
use crate::output::{FileSet, data, json, talk};

/// Every format, in the order in which files are written.
const ALL_FORMATS: [ExportFormat; 6] = [
    ExportFormat::Csv,
    ExportFormat::Json,
    ExportFormat::Parquet,
    ExportFormat::Xlsx,
    ExportFormat::Sdmx,
    ExportFormat::Pictures,
];

pub(crate) async fn run(command: FlowsCommand) -> anyhow::Result<()> {
    match command {
        FlowsCommand::Release {
            run,
            identity,
            passphrase,
            service,
        } => {
            let passphrase = passphrase::read(&passphrase)?;
            let identity = Identity::load(&identity, passphrase.as_bytes())?;
            let client = connect(&service.service).await?;
            let result = client.run(run).await?.result.ok_or_else(|| {
                input_error("the run has no result yet", "wait for it with corridor run watch")
            })?;
            let signature = identity.sign(SigningPurpose::Release, result.as_bytes());
            let released = client.release(run, &signature).await?;
            talk(match released {
                (true, true) => "released by both offices; next: corridor flows show, corridor flows export",
                _ => "released for this office; the other office has not yet",
            });
            Ok(())
        }
        FlowsCommand::Show(args) => {
            let client = connect(&args.service.service).await?;
            let result = FlowResult::fetch(&client, args.run).await?;
            if args.json {
                return json(&result.to_document());
            }
            if let Some(blocking) = &result.report.blocking {
                talk(&to_blocking_lines(blocking));
            }
            if !result.report.strata.is_empty() {
                talk(&to_strata_lines(&result.report.strata));
            }
            if let Some(fields) = &result.report.fields {
                talk(&to_field_lines(fields));
            }
            data(&to_page(&result))
        }
        FlowsCommand::Export(args) => {
            let result = match (&args.from, args.run) {
                (Some(file), _) => FlowResult::load(file)?,
                (None, Some(run)) => {
                    let client = connect(&args.service.service).await?;
                    FlowResult::fetch(&client, run).await?
                }
                (None, None) => {
                    return Err(input_error(
                        "no run is named",
                        "give its id, or --from flows.json",
                    ));
                }
            };
            let export = Export::try_new(&result.table, &result.provenance, args.country_codes.into())
                .map_err(|error| input_error(error.to_string(), "choose other --country-codes"))?;
            let mut files = FileSet::new(&args.out)?;
            let mut missing = Vec::new();
            for format in ALL_FORMATS
                .into_iter()
                .filter(|format| args.format.contains(format))
            {
                match format {
                    ExportFormat::Csv => add_csv(&mut files, &export)?,
                    ExportFormat::Json => add_json(&mut files, &result)?,
                    ExportFormat::Parquet => {
                        files.add_with("flows.parquet", |out| out.write_all(&export.to_parquet()))?;
                    }
                    ExportFormat::Xlsx => {
                        let bytes = to_xlsx(&result, &export)?;
                        files.add_with("flows.xlsx", |out| out.write_all(&bytes))?;
                    }
                    ExportFormat::Sdmx => files.add("flows.sdmx.csv", &export.to_sdmx_csv())?,
                    ExportFormat::Pictures => {
                        let drawn = Drawn {
                            languages: LanguageArg::Both.languages(),
                            format: FormatArg::Both,
                            below: PICTURES_FOLDER,
                        };
                        missing = add_pictures(&mut files, &result.table, &result.provenance, drawn)?;
                    }
                }
            }
            let count = files.len();
            files.write_new()?;
            talk(&format!("wrote {count} files to {}", args.out.display()));
            tell_missing(&missing);
            Ok(())
        }
        FlowsCommand::Plot(args) => plot(&args).await,
    }
}

async fn plot(args: &PlotArgs) -> anyhow::Result<()> {
    let FlowResult {
        table, provenance, ..
    } = match (&args.from, args.run) {
        (Some(path), _) => FlowResult::load(path)?,
        (None, Some(run)) => {
            let client = connect(&args.service.service).await?;
            FlowResult::fetch(&client, run).await?
        }
        (None, None) => {
            return Err(input_error(
                "there is neither a run nor a table",
                "name a run, or a file with --from flows.json",
            ));
        }
    };
    if table.corridors().is_empty() {
        return Err(input_error(
            "there is nothing to draw: the table has no row",
            "give one that flows export, rehearse or demo wrote",
        ));
    }
    let mut files = FileSet::new(&args.out)?;
    let drawn = Drawn {
        languages: args.language.languages(),
        format: args.format,
        below: "",
    };
    let missing = add_pictures(&mut files, &table, &provenance, drawn)?;
    let count = files.len();
    files.write_new()?;
    talk(&format!("drew {count} pictures to {}", args.out.display()));
    tell_missing(&missing);
    Ok(())
}

fn tell_missing(missing: &[String]) {
    for line in missing {
        talk(line);
    }
}
