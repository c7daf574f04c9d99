use std::path::Path;

use corridor_core::Stop;
use corridor_engine::{ReplayInputs, RunManifest, replay};
use corridor_flows::PublishedTable;
use serde_json::json;

use crate::args::ReplayArgs;
use crate::commands::encode::read_agreement;
use crate::commands::results::FlowResult;
use crate::commands::upload::{read_bytes, read_file};
use crate::failure::input_error;
use crate::output::{self, data};

/// Makes a result again and compares.
pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let manifest = RunManifest::from_bytes(&read_bytes(&args.manifest)?).map_err(|error| {
        input_error(
            format!("{}: {error}", args.manifest.display()),
            "give one that corridor run manifest wrote",
        )
    })?;
    let inputs = ReplayInputs {
        agreement: read_agreement(&args.agreement)?.agreement,
        origin: read_file(&args.origin, &args.passphrase)?,
        destination: read_file(&args.destination, &args.passphrase)?,
        released: args
            .released
            .iter()
            .map(|path| read_table(path))
            .collect::<anyhow::Result<_>>()?,
    };
    let folder = args.manifest.parent().filter(|folder| folder.is_dir());
    let memory = args.candidates.memory(folder.unwrap_or(Path::new(".")));
    let replayed = replay(&manifest, inputs, &memory, &Stop::default())?;
    let differences: Vec<String> = replayed.differences.iter().map(ToString::to_string).collect();
    if args.json {
        output::json(&json!({
            "run": manifest.run,
            "same": replayed.is_same(),
            "result": replayed.result,
            "differences": differences,
        }))?;
    }
    if !replayed.is_same() {
        anyhow::bail!("not the same: {}", differences.join("; "));
    }
    if args.json {
        return Ok(());
    }
    data(&format!("same bytes: {}\n", manifest.result))
}

/// A released table, by what its file holds.
fn read_table(path: &Path) -> anyhow::Result<PublishedTable> {
    let bytes = read_bytes(path)?;
    if !bytes.starts_with(b"PAR1") {
        return Ok(FlowResult::load(path)?.table);
    }
    PublishedTable::from_parquet(bytes).map_err(|error| {
        input_error(
            format!("{}: {error}", path.display()),
            "give a flows.json or flows.parquet that corridor flows export wrote",
        )
    })
}
