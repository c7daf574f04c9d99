use std::io::IsTerminal as _;

use zeroize::Zeroizing;

use crate::args::PassphraseArgs;
use crate::failure::input_error;
use crate::output::read_text;

/// Shortest passphrase taken for a new key file.
const MINIMUM_CHARS: usize = 12;

/// The passphrase of existing key files.
pub(crate) fn read(args: &PassphraseArgs) -> anyhow::Result<Zeroizing<String>> {
    match &args.passphrase_file {
        Some(path) => {
            refuse_if_readable_by_others(path)?;
            let text = Zeroizing::new(read_text(path)?);
            Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
        }
        None if std::io::stdin().is_terminal() => Ok(Zeroizing::new(rpassword::prompt_password(
            "Passphrase of the key files: ",
        )?)),
        None => Err(input_error(
            "there is no terminal to ask for the passphrase on",
            "give --passphrase-file; a passphrase is never taken from the command line or the environment",
        )),
    }
}

/// A passphrase or a secret others can read protects nothing.
pub(crate) fn refuse_if_readable_by_others(path: &std::path::Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if metadata.is_file() && mode & 0o077 != 0 {
            return Err(input_error(
                format!("{} can be read by others (mode {mode:o})", path.display()),
                "chmod 600 the file, and think about who may have read it",
            ));
        }
    }
    Ok(())
}

/// The passphrase of a new key file.
pub(crate) fn read_new(args: &PassphraseArgs) -> anyhow::Result<Zeroizing<String>> {
    let passphrase = read(args)?;
    if passphrase.chars().count() < MINIMUM_CHARS {
        return Err(input_error(
            format!("the passphrase is shorter than {MINIMUM_CHARS} characters"),
            "take a few unrelated words",
        ));
    }
    if args.passphrase_file.is_none() {
        let again = Zeroizing::new(rpassword::prompt_password("Again: ")?);
        if *again != *passphrase {
            return Err(input_error("the two passphrases differ", "run the command again"));
        }
    }
    Ok(passphrase)
}
