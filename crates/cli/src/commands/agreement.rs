use std::fmt::Write as _;

use corridor_core::{Side, SignedAgreement, SigningPurpose, ThresholdPolicy};
use corridor_encode::Identity;

use crate::args::AgreementCommand;
use crate::client::connect;
use crate::commands::{passphrase, terms};
use crate::failure::input_error;
use crate::output::{data, json, talk, write_file};

pub(crate) async fn run(command: AgreementCommand) -> anyhow::Result<()> {
    match command {
        AgreementCommand::Template => data(terms::TEMPLATE),
        AgreementCommand::Propose {
            terms,
            output,
            service,
        } => {
            let agreement = terms::read(&terms)?;
            let client = connect(&service.service).await?;
            let signed = client.propose_agreement(agreement.to_canonical_bytes()).await?;
            if let Some(path) = output {
                save(&signed, &path)?;
            }
            talk(
                "proposed; next: both offices read it (corridor agreement show) and sign it (corridor agreement sign)",
            );
            data(&format!("{}\n", signed.agreement.digest()))
        }
        AgreementCommand::Sign {
            digest,
            identity,
            passphrase,
            service,
        } => {
            let passphrase = passphrase::read(&passphrase)?;
            let identity = Identity::load(&identity, passphrase.as_bytes())?;
            let client = connect(&service.service).await?;
            // The client has checked that the content has this digest.
            let signed = client.agreement(digest).await?;
            let side = signed.agreement.side_of(identity.office());
            if side.is_none_or(|side| {
                signed.agreement.office(side).signing_key != identity.to_public().signing_key
            }) {
                return Err(input_error(
                    "the agreement does not name this identity's office with this identity's key",
                    "propose an agreement with the public identity that belongs to this one",
                ));
            }
            let signature = identity.sign(SigningPurpose::Agreement, digest.as_bytes());
            let signed = client.sign_agreement(digest, &signature).await?;
            if signed.is_in_force() {
                talk("signed; both offices have, so the agreement is in force");
                talk("next: corridor agreement show DIGEST -o agreement.json, then corridor encode");
            } else {
                talk("signed; the other office has not yet");
            }
            Ok(())
        }
        AgreementCommand::Show {
            digest,
            output,
            json: as_json,
            service,
        } => {
            let client = connect(&service.service).await?;
            let agreements = match digest {
                Some(digest) => vec![client.agreement(digest).await?],
                None => client.list_agreements().await?,
            };
            if let (Some(path), Some(signed)) = (output, agreements.first()) {
                save(signed, &path)?;
            }
            if as_json {
                return json(&agreements);
            }
            let pages: Vec<String> = agreements.iter().map(to_page).collect();
            data(&pages.join("\n"))
        }
    }
}

fn save(signed: &SignedAgreement, path: &std::path::Path) -> anyhow::Result<()> {
    write_file(path, (serde_json::to_string_pretty(signed)? + "\n").as_bytes())?;
    talk(&format!("saved to {}", path.display()));
    Ok(())
}

/// An agreement as a page to read before signing.
pub(crate) fn to_page(signed: &SignedAgreement) -> String {
    let agreement = &signed.agreement;
    let threshold = match agreement.linkage.threshold {
        ThresholdPolicy::Estimated => "estimated without truth".to_owned(),
        ThresholdPolicy::Fixed(threshold) => threshold.to_string(),
    };
    let bands: Vec<u8> = agreement.age_bands.clone().into();
    let bands: Vec<String> = bands.iter().map(u8::to_string).collect();
    let outputs: Vec<&str> = agreement
        .outputs
        .iter()
        .map(|output| match output {
            corridor_core::Output::FlowTable => "flow tables",
            corridor_core::Output::LinkList => {
                "LINK LISTS (each office learns which of its people the other knows)"
            }
        })
        .collect();
    let signed_by = |side: Side| {
        if signed.signature(side).is_some() {
            "signed"
        } else {
            "not signed"
        }
    };
    let lsh_recall = agreement.linkage.lsh_recall.map_or_else(
        || "none".to_owned(),
        |recall| format!("to find {recall} of the pairs at the threshold"),
    );
    let trust = if agreement.encoding.profile.needs_trusted_unit() {
        " (ONLY FOR A SERVICE TRUSTED WITH A LIST OF THE PEOPLE)"
    } else {
        ""
    };
    let mut rows = vec![
        ("digest", agreement.digest().to_string()),
        ("corridor", agreement.corridor.to_string()),
        (
            "period",
            format!("{} to {}", agreement.period.first, agreement.period.last),
        ),
    ];
    for side in [Side::Origin, Side::Destination] {
        let office = agreement.office(side);
        rows.push((
            side.as_str(),
            format!("{}, key {}, {}", office.id, office.signing_key, signed_by(side)),
        ));
    }
    rows.extend([
        ("profile", format!("{}{trust}", agreement.encoding.profile)),
        ("match fields", agreement.encoding.match_fields.join(", ")),
        ("threshold", threshold),
        ("keys of bits", lsh_recall),
        ("assignment", agreement.linkage.assignment.to_string()),
        (
            "event window",
            format!("{} days", agreement.linkage.event_window_days),
        ),
        ("age bands from", bands.join(", ")),
        ("may leave", outputs.join(", ")),
        ("suppressed below", agreement.disclosure.minimum_count.to_string()),
        ("to be purged", format!("after {} days", agreement.retention_days)),
    ]);
    let mut page = String::new();
    for (name, value) in rows {
        writeln!(page, "{name:<17} {value}").expect("writing to a String");
    }
    page
}
