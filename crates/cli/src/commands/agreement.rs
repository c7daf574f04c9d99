use corridor_core::{SignedAgreement, SigningPurpose};
use corridor_encode::Identity;

use crate::args::AgreementCommand;
use crate::client::connect;
use crate::commands::agreement_page::to_page;
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
