use std::path::Path;

use bytes::Bytes;
use corridor_core::{DatasetDeclaration, DatasetStatus, Digest, SignedAgreement};
use corridor_store::parse_dataset;

use crate::args::UploadArgs;
use crate::client::{Client, connect};
use crate::commands::encode::read_agreement;
use crate::failure::input_error;
use crate::output::{progress, talk};

pub(crate) async fn run(args: UploadArgs) -> anyhow::Result<()> {
    let signed = read_agreement(&args.agreement)?;
    let (declaration, bytes) = read_dataset(&args.dataset, &signed)?;
    let client = connect(&args.service.service).await?;
    let status = upload(&client, &declaration, &bytes).await?;
    talk(&format!(
        "uploaded and sealed: {} records, dataset {}",
        status.declaration.record_count, status.id
    ));
    talk("next: when both offices have uploaded, corridor run start DIGEST");
    Ok(())
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

/// Reads a dataset file, finds any altered byte, and checks that it belongs to the agreement.
pub(crate) fn read_dataset(
    path: &Path,
    signed: &SignedAgreement,
) -> anyhow::Result<(DatasetDeclaration, Bytes)> {
    let name = path.display();
    let bytes = std::fs::read(path).map(Bytes::from).map_err(|error| {
        input_error(
            format!("cannot read {name}: {error}"),
            "check the path and the permissions",
        )
    })?;
    let dataset = parse_dataset(bytes.clone())
        .map_err(|error| anyhow::Error::from(error).context(format!("{name}")))?;
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
