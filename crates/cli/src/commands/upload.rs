use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use corridor_core::{DatasetDeclaration, DatasetStatus, Digest, OsEntropy, SignedAgreement};
use corridor_encode::{DecryptFileError, DecryptedReader, is_encrypted};
use corridor_store::parse_dataset;

use crate::args::{PassphraseArgs, UploadArgs};
use crate::client::{Client, connect};
use crate::commands::encode::read_agreement;
use crate::commands::passphrase;
use crate::failure::{Exit, input_error};
use crate::output::{progress, talk};
use crate::patience::LineTerms;
use crate::uploading::UploadEvent;

pub(crate) async fn run(args: UploadArgs) -> anyhow::Result<()> {
    let signed = read_agreement(&args.agreement)?;
    let bytes = read_file(&args.dataset, &args.passphrase)?;
    let (declaration, bytes) = check_dataset(bytes, &args.dataset.display().to_string(), &signed)?;
    let client = connect(&args.service.service).await?;
    let line = LineTerms {
        give_up_after: Duration::from_secs(args.give_up_after.into()),
        stalled_after: Duration::from_secs(args.stalled_after.into()),
    };
    let (status, cuts) = upload(&client, (&declaration, &bytes), line).await?;
    talk(&format!(
        "uploaded and sealed: {} records, dataset {}",
        status.declaration.record_count, status.id
    ));
    match cuts {
        0 => {}
        1 => talk("the line was cut once; what was acknowledged was not sent again"),
        cuts => talk(&format!(
            "the line was cut {cuts} times; what was acknowledged was not sent again"
        )),
    }
    talk("next: when both offices have uploaded, corridor run start DIGEST");
    Ok(())
}

/// Uploads with a progress bar, and tells of cuts. Gives also how many there were.
pub(crate) async fn upload(
    client: &Client,
    (declaration, bytes): (&DatasetDeclaration, &Bytes),
    line: LineTerms,
) -> anyhow::Result<(DatasetStatus, u32)> {
    let bar = progress(declaration.total_bytes, "uploading");
    let mut cuts = 0;
    let tell = &mut |event: UploadEvent<'_>| match event {
        UploadEvent::Acknowledged(bytes) => bar.set_position(bytes),
        UploadEvent::Interrupted {
            error,
            acknowledged,
            wait,
        } => {
            cuts += u32::from(error.exit() == Exit::Unreachable);
            bar.suspend(|| {
                talk(&format!(
                    "{error}, with {acknowledged} of {} bytes acknowledged; going on from there in {:.1} s",
                    declaration.total_bytes,
                    wait.as_secs_f64()
                ));
            });
        }
    };
    let outcome = client
        .upload_patiently((declaration, bytes), line, &mut OsEntropy::default(), tell)
        .await;
    bar.finish_and_clear();
    let status = outcome.map_err(|error| match error.exit() {
        Exit::Unreachable => anyhow::Error::from(error).context(format!(
            "given up: no byte more was acknowledged for {} s",
            line.give_up_after.as_secs()
        )),
        Exit::Ok | Exit::Failed | Exit::Usage | Exit::Input | Exit::Refused => error.into(),
    })?;
    Ok((status, cuts))
}

/// The bytes of a dataset file, decrypted where it is encrypted.
pub(crate) fn read_file(path: &Path, passphrase: &PassphraseArgs) -> anyhow::Result<Bytes> {
    let bytes = read_bytes(path)?;
    if !is_encrypted(&bytes) {
        return Ok(bytes.into());
    }
    let cannot_decrypt = |source| DecryptFileError::Decrypt {
        file: path.display().to_string(),
        source,
    };
    let passphrase = passphrase::read(passphrase)?;
    let mut reader = DecryptedReader::new(bytes.as_slice(), passphrase.as_bytes()).map_err(cannot_decrypt)?;
    let mut content = Vec::with_capacity(bytes.len());
    reader
        .read_to_end(&mut content)
        .map_err(|error| cannot_decrypt(error.into()))?;
    Ok(content.into())
}

pub(crate) fn read_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        input_error(
            format!("cannot read {}: {error}", path.display()),
            "check the path and the permissions",
        )
    })
}

/// Finds any altered byte of a dataset file, and checks that it belongs to the agreement. `name` is for errors.
pub(crate) fn check_dataset(
    bytes: Bytes,
    name: &str,
    signed: &SignedAgreement,
) -> anyhow::Result<(DatasetDeclaration, Bytes)> {
    let dataset =
        parse_dataset(bytes.clone()).map_err(|error| anyhow::Error::from(error).context(name.to_owned()))?;
    let manifest = dataset.manifest;
    let again = "encode the register again under this agreement";
    if manifest.agreement != signed.agreement.digest() {
        return Err(input_error(
            format!("{name} was encoded under another agreement"),
            again,
        ));
    }
    if manifest.schema != signed.agreement.encoding.schema {
        return Err(input_error(
            format!("{name} was encoded with another schema than agreed"),
            again,
        ));
    }
    let declaration = DatasetDeclaration {
        agreement: manifest.agreement,
        office: manifest.office,
        schema: manifest.schema,
        key_check: manifest.key_check,
        record_count: manifest.record_count,
        total_bytes: u64::try_from(bytes.len()).expect("a length fits"),
        content: Digest::of(&bytes),
    };
    Ok((declaration, bytes))
}
