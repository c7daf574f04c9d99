use std::path::{Path, PathBuf};

use anyhow::Context as _;
use corridor_core::{OfficeId, OsEntropy};
use corridor_encode::{
    ExchangeMessage, ExchangeStep, Identity, PendingExchange, ProjectKey, PublicIdentity, accept_offer,
};

use crate::args::{KeysCommand, PassphraseArgs};
use crate::commands::passphrase;
use crate::failure::input_error;
use crate::output::{data, read_text, talk, write_file};

pub(crate) fn run(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Init {
            office,
            dir,
            passphrase,
        } => init(office, &dir, &passphrase),
        KeysCommand::Fingerprint { file } => {
            let identity = read_public(&file)?;
            talk(&format!(
                "{}: read these words to the other office over the telephone; they must read the same to you.",
                identity.office
            ));
            data(&format!("{}\n", identity.to_fingerprint()))
        }
        KeysCommand::Exchange {
            identity,
            peer,
            message,
            out,
            project,
            pending,
            passphrase,
        } => exchange(&ExchangeFiles {
            identity,
            peer,
            message,
            out,
            project,
            pending,
            passphrase,
        }),
    }
}

pub(crate) fn read_public(path: &Path) -> anyhow::Result<PublicIdentity> {
    let name = path.display().to_string();
    PublicIdentity::from_json(&read_text(path)?, &name).map_err(|error| {
        input_error(
            error.to_string(),
            "ask the other office for its identity.pub again, and compare fingerprints by telephone",
        )
    })
}

fn init(office: OfficeId, dir: &Path, args: &PassphraseArgs) -> anyhow::Result<()> {
    let passphrase = passphrase::read_new(args)?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut entropy = OsEntropy::default();
    let identity = Identity::generate(office, &mut entropy);
    let (private, public) = (dir.join("identity.key"), dir.join("identity.pub"));
    if public.exists() {
        return Err(input_error(
            format!("{} exists already", public.display()),
            "name another folder; the old keys may still be needed",
        ));
    }
    identity.save(&private, passphrase.as_bytes(), &mut entropy)?;
    write_file(&public, identity.to_public().to_json().as_bytes())?;
    talk(&format!(
        "wrote {} (secret: stays here) and {} (send it to the other office)",
        private.display(),
        public.display()
    ));
    talk("next: exchange identity.pub with the other office, then compare fingerprints by telephone:");
    talk("      corridor keys fingerprint identity.pub");
    data(&format!("{}\n", identity.to_public().to_fingerprint()))
}

struct ExchangeFiles {
    identity: PathBuf,
    peer: PathBuf,
    message: Option<PathBuf>,
    out: Option<PathBuf>,
    project: PathBuf,
    pending: PathBuf,
    passphrase: PassphraseArgs,
}

fn exchange(files: &ExchangeFiles) -> anyhow::Result<()> {
    let passphrase = passphrase::read(&files.passphrase)?;
    let identity = Identity::load(&files.identity, passphrase.as_bytes())?;
    let peer = read_public(&files.peer)?;
    let out = || {
        files.out.as_deref().ok_or_else(|| {
            input_error(
                "this step writes a message, and --out does not say where",
                "add --out FILE",
            )
        })
    };
    let mut entropy = OsEntropy::default();
    let Some(message) = &files.message else {
        let out = out()?;
        refuse_existing(&[out])?;
        let (pending, offer) = PendingExchange::offer(&identity, &peer, &mut entropy);
        pending.save(&files.pending, passphrase.as_bytes(), &mut entropy)?;
        write_or_undo(out, &offer.to_json(), &files.pending)?;
        talk(&format!(
            "step 1 of 3: wrote {} for office {}",
            out.display(),
            peer.office
        ));
        talk(&to_comparison(&identity.to_public(), &peer));
        talk(
            "next: send it; the other office runs corridor keys exchange --message on it and sends its reply",
        );
        return Ok(());
    };
    let name = message.display().to_string();
    let message = ExchangeMessage::from_json(&read_text(message)?, &name)?;
    match message.step {
        ExchangeStep::Offer => {
            let out = out()?;
            refuse_existing(&[out, &files.project])?;
            let (secret, reply) = accept_offer(&identity, &peer, &message, &mut entropy)?;
            let key = ProjectKey::new(secret, &identity.to_public(), &peer);
            key.save(&files.project, passphrase.as_bytes(), &mut entropy)?;
            write_or_undo(out, &reply.to_json(), &files.project)?;
            talk(&format!(
                "step 2 of 3: wrote the project key to {} and a reply for office {} to {}",
                files.project.display(),
                peer.office,
                out.display()
            ));
            talk(&to_comparison(&identity.to_public(), &peer));
            talk("next: send the reply; the other office runs corridor keys exchange --message on it");
        }
        ExchangeStep::Reply => {
            let pending = PendingExchange::load(&files.pending, passphrase.as_bytes())?;
            let secret = pending.finish(&identity, &peer, &message)?;
            let key = ProjectKey::new(secret, &identity.to_public(), &peer);
            key.save(&files.project, passphrase.as_bytes(), &mut entropy)?;
            // An offer is answered once: a second reply to it would make a second key.
            std::fs::remove_file(&files.pending)
                .with_context(|| format!("cannot remove {}", files.pending.display()))?;
            talk(&format!(
                "step 3 of 3: wrote the project key to {}, and removed {}, which it replaces",
                files.project.display(),
                files.pending.display()
            ));
            talk(&to_comparison(&identity.to_public(), &peer));
            talk("next: agree with the other office (corridor agreement)");
        }
    }
    Ok(())
}

/// What the two offices read to each other: a key exchanged with somebody else's identity protects nothing.
fn to_comparison(own: &PublicIdentity, peer: &PublicIdentity) -> String {
    format!(
        "compare over the telephone, unless you have: both offices must see these words. Where they differ, remove what \
         was written and find out who sent the identity\n      {}: {}\n      {}: {}",
        own.office,
        own.to_fingerprint(),
        peer.office,
        peer.to_fingerprint(),
    )
}

/// Writes a message; where that fails, the key that belongs to it goes, so that the step can be done again.
fn write_or_undo(path: &Path, text: &str, key: &Path) -> anyhow::Result<()> {
    write_file(path, text.as_bytes()).inspect_err(|_| {
        // The key was made a moment ago and is of no use to anybody.
        drop(std::fs::remove_file(key));
    })
}

fn refuse_existing(paths: &[&Path]) -> anyhow::Result<()> {
    match paths.iter().find(|path| path.exists()) {
        Some(path) => Err(input_error(
            format!("{} exists already", path.display()),
            "name another file, or move the old one away",
        )),
        None => Ok(()),
    }
}
