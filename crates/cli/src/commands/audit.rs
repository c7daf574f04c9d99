use std::path::Path;

use anyhow::bail;
use corridor_core::Digest;
use corridor_core::audit::{
    AuditExport, AuditFinding, Disclosure, EarlierLog, LogKey, SignedCheckpoint, Texts, Verified,
    verify_consistency, verify_export,
};
use serde_json::json;

use crate::args::AuditCommand;
use crate::client::{Client, connect};
use crate::commands::block_on;
use crate::failure::input_error;
use crate::output::{self, data, read_text, refuse_existing, talk, to_columns, write_file};

pub(crate) fn run(command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Checkpoint {
            out,
            earlier,
            key,
            service,
        } => block_on(async move {
            if let Some(out) = &out {
                refuse_existing(out)?;
            }
            let client = connect(&service.service).await?;
            let (checkpoint, key) = fetch_checkpoint(&client, key).await?;
            for path in &earlier {
                continue_from(&client, path, &checkpoint, &key).await?;
            }
            let (size, time) = (checkpoint.unverified().size, checkpoint.unverified().time);
            match &out {
                Some(out) => write_file(out, checkpoint.to_string().as_bytes())?,
                None => data(&checkpoint.to_string())?,
            }
            talk(&format!(
                "{size} entries, signed at {time}; it continues {} earlier checkpoints",
                earlier.len()
            ));
            Ok(())
        }),
        AuditCommand::Export { out, key, service } => block_on(async move {
            refuse_existing(&out)?;
            let client = connect(&service.service).await?;
            let (checkpoint, key) = fetch_checkpoint(&client, key).await?;
            let leaves = client.audit_leaves(checkpoint.unverified().size).await?;
            let export = AuditExport {
                key: key.clone(),
                checkpoint,
                leaves,
            };
            // What came is checked as whoever reads the file will check it.
            let text = export.to_string();
            let verified = check(&text, Some(&key), &[])?;
            write_file(&out, text.as_bytes())?;
            talk(&format!(
                "{} entries to {}, {} of them readable; keep it",
                verified.size,
                out.display(),
                verified.readable
            ));
            Ok(())
        }),
        AuditCommand::Verify {
            file,
            checkpoint,
            complete,
            key,
            json,
        } => {
            let texts = if complete { Texts::All } else { Texts::OfParty };
            verify(&file, &checkpoint, texts, key.as_ref(), json)
        }
        AuditCommand::Disclosures {
            agreement,
            json,
            service,
        } => block_on(async move {
            let disclosures = connect(&service.service).await?.disclosures(agreement).await?;
            show(&disclosures, json)
        }),
    }
}

/// A checkpoint that was signed by the key written down or, where none was, by the key the service shows.
async fn fetch_checkpoint(
    client: &Client,
    key: Option<LogKey>,
) -> anyhow::Result<(SignedCheckpoint, LogKey)> {
    let (checkpoint, shown) = client.audit_checkpoint().await?;
    if key.is_none() {
        talk(&format!(
            "the key is the one the service shows; compare it by telephone, and give it with --key: {shown}"
        ));
    }
    let key = key.unwrap_or(shown);
    checkpoint.verify(&key)?;
    Ok((checkpoint, key))
}

/// Checks that the log of a checkpoint begins with that of an earlier one.
async fn continue_from(
    client: &Client,
    path: &Path,
    checkpoint: &SignedCheckpoint,
    key: &LogKey,
) -> anyhow::Result<()> {
    let name = path.display();
    let earlier: SignedCheckpoint = read_text(path)?.parse().map_err(|error| {
        input_error(
            format!("{name}: {error}"),
            "give one that corridor audit checkpoint wrote",
        )
    })?;
    let earlier = earlier.verify(key)?;
    let now = checkpoint.verify(key)?;
    if earlier.size == 0 {
        return Ok(());
    }
    if earlier.size > now.size {
        bail!(
            "the service\u{2019}s log has {} entries, but {} were signed at {} ({name}): entries were taken back; keep both \
             checkpoints, they prove it",
            now.size,
            earlier.size,
            earlier.time
        );
    }
    let proof = client.audit_growth(earlier.size, now.size).await?;
    if verify_consistency((earlier.size, &earlier.root), (now.size, &now.root), &proof).is_err() {
        bail!(
            "the service\u{2019}s log does not begin with the {} entries signed at {} ({name}): it was rewritten, or shows each \
             party another history; keep both checkpoints, they prove it",
            earlier.size,
            earlier.time
        );
    }
    Ok(())
}

/// Checks the text of an export.
fn check(text: &str, key: Option<&LogKey>, earlier: &[EarlierLog]) -> anyhow::Result<Verified> {
    findings(text, key, earlier, Texts::OfParty).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the audit log does not hold: {}", findings.join("; "))
    })
}

fn findings(
    text: &str,
    key: Option<&LogKey>,
    earlier: &[EarlierLog],
    texts: Texts,
) -> Result<Verified, Vec<AuditFinding>> {
    let export: AuditExport = text.parse().map_err(|finding| vec![finding])?;
    verify_export(&export, key.unwrap_or(&export.key), earlier, texts)
}

fn verify(
    file: &Path,
    earlier: &[std::path::PathBuf],
    texts: Texts,
    key: Option<&LogKey>,
    as_json: bool,
) -> anyhow::Result<()> {
    let text = read_text(file)?;
    let mut kept = Vec::new();
    for path in earlier {
        let name = path.display().to_string();
        kept.push(EarlierLog::read(&name, &read_text(path)?).map_err(|finding| {
            input_error(
                format!("{name} cannot be held against: {finding}"),
                "give a checkpoint or an export as it was written",
            )
        })?);
    }
    let found = findings(&text, key, &kept, texts);
    if as_json {
        output::json(&match &found {
            Ok(verified) => json!({
                "holds": true,
                "entries": verified.size,
                "readable": verified.readable,
                "root": verified.root,
                "signed_at": verified.time,
                "earlier": verified.earlier,
                "key_given": key.is_some(),
            }),
            Err(findings) => json!({
                "holds": false,
                "findings": findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
        })?;
    }
    let verified = found.map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the audit log does not hold: {}", findings.join("; "))
    })?;
    if key.is_none() {
        talk("the key is the export\u{2019}s own: without --key nothing says that the service signed it");
    }
    if as_json {
        return Ok(());
    }
    data(&format!(
        "holds: {} entries, {} of them readable, signed at {}; continues {} earlier checkpoints\nroot  {}\n",
        verified.size, verified.readable, verified.time, verified.earlier, verified.root
    ))
}

fn show(disclosures: &[Disclosure], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let list: Vec<_> = disclosures
            .iter()
            .map(|disclosure| {
                json!({
                    "sequence": disclosure.sequence,
                    "time": disclosure.time,
                    "agreement": disclosure.agreement,
                    "run": disclosure.run,
                    "result": disclosure.result,
                    "party": disclosure.party,
                    "role": disclosure.role,
                    "part": disclosure.part.as_str(),
                    "rows": disclosure.part.rows(),
                    "method": disclosure.method,
                    "minimum_count": disclosure.minimum_count,
                    "rule": disclosure.rule,
                })
            })
            .collect();
        return output::json(&list);
    }
    let short = |digest: Digest| digest.to_short();
    let rows: Vec<Vec<String>> = disclosures
        .iter()
        .map(|disclosure| {
            vec![
                disclosure.time.to_string(),
                disclosure.party.to_string(),
                disclosure.role.to_string(),
                disclosure.part.to_string(),
                short(disclosure.run),
                short(disclosure.result),
                format!(
                    "{} below {}",
                    disclosure.method.as_str(),
                    disclosure.minimum_count
                ),
                disclosure.sequence.to_string(),
            ]
        })
        .collect();
    data(&to_columns(
        &["time", "party", "role", "part", "run", "result", "rule", "entry"],
        &rows,
    ))
}
