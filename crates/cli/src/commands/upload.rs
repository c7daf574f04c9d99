use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use corridor_core::{DatasetDeclaration, DatasetStatus, Digest, SignedAgreement};
use corridor_encode::{DecryptFileError, DecryptedReader, is_encrypted};
use corridor_store::parse_dataset;

use crate::args::{PassphraseArgs, UploadArgs};
use crate::client::{Client, ClientError, Violation, connect};
use crate::commands::encode::read_agreement;
use crate::commands::{gate, passphrase};
use crate::failure::input_error;
use crate::output::{progress, talk};

pub(crate) async fn run(args: UploadArgs) -> anyhow::Result<()> {
    let signed = read_agreement(&args.agreement)?;
    let bytes = read_file(&args.dataset, &args.passphrase)?;
    let (declaration, bytes) = check_dataset(bytes, &args.dataset.display().to_string(), &signed)?;
    let client = connect(&args.service.service).await?;
    let status = match upload(&client, &declaration, &bytes).await {
        Ok(status) => status,
        Err(error) => {
            if let Some(ClientError::Refused { violations, .. }) = error.downcast_ref::<ClientError>() {
                talk_of_violations(violations);
            }
            return Err(error);
        }
    };
    if let Some(report) = client.gate_report(status.id).await? {
        talk(gate::to_table(&report).trim_end());
    }
    talk(&format!(
        "uploaded and sealed: {} records, dataset {}",
        status.declaration.record_count, status.id
    ));
    talk("next: when both offices have uploaded, corridor run start DIGEST");
    Ok(())
}

/// What the gate found wrong, a line each.
fn talk_of_violations(violations: &[Violation]) {
    for violation in violations {
        talk(&format!(
            "{} {}: {}",
            violation.check, violation.figure, violation.meaning
        ));
    }
}

/// Uploads with a progress bar.
pub(crate) async fn upload(
    client: &Client,
    declaration: &DatasetDeclaration,
    bytes: &Bytes,
) -> anyhow::Result<DatasetStatus> {
    let bar = progress(declaration.total_bytes, "uploading");
    let status = client
        .upload(declaration, bytes, &|acknowledged| bar.set_position(acknowledged))
        .await?;
    bar.finish_and_clear();
    Ok(status)
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
