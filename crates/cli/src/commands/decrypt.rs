use corridor_encode::decrypt_file;

use crate::args::DecryptArgs;
use crate::commands::passphrase;
use crate::output::talk;

pub(crate) fn run(args: &DecryptArgs) -> anyhow::Result<()> {
    let passphrase = passphrase::read(&args.passphrase)?;
    let bytes = decrypt_file(&args.file, &args.output, passphrase.as_bytes())?;
    talk(&format!(
        "{bytes} bytes to {}; anyone who gets hold of it can read it now",
        args.output.display()
    ));
    Ok(())
}
