use std::path::Path;

use corridor_core::{DatasetStatus, SignedCertificate};
use serde_json::json;

use crate::args::DatasetCommand;
use crate::client::connect;
use crate::failure::input_error;
use crate::output::{self, data, read_text, talk};

pub(crate) async fn run(command: DatasetCommand) -> anyhow::Result<()> {
    match command {
        DatasetCommand::Show {
            dataset,
            json,
            service,
        } => {
            let client = connect(&service.service).await?;
            show(&client.dataset(dataset).await?, json)
        }
        DatasetCommand::Purge {
            dataset,
            for_good: _,
            output,
            service,
        } => {
            let client = connect(&service.service).await?;
            let certificate = client.purge_dataset(dataset).await?;
            keep(&certificate, output.as_deref())?;
            talk("purged; keep the certificate");
            Ok(())
        }
        DatasetCommand::Certificate {
            dataset,
            output,
            service,
        } => {
            let client = connect(&service.service).await?;
            keep(&client.deletion_certificate(dataset).await?, output.as_deref())
        }
        DatasetCommand::Verify {
            certificate,
            service_key,
        } => {
            let file = certificate.display().to_string();
            let signed = SignedCertificate::from_file(&read_text(&certificate)?).map_err(|error| {
                input_error(
                    format!("{file}: {error}"),
                    "fetch it again with corridor dataset certificate",
                )
            })?;
            if signed.signing_key() != service_key {
                return Err(input_error(
                    format!("{file} is signed by {}, another key", signed.signing_key()),
                    "ask the service's operator for its key for certificates",
                ));
            }
            describe(&signed)
        }
    }
}

fn show(status: &DatasetStatus, as_json: bool) -> anyhow::Result<()> {
    let declaration = &status.declaration;
    if as_json {
        return output::json(&json!({
            "dataset": status.id,
            "agreement": declaration.agreement,
            "office": declaration.office,
            "state": status.state.as_str(),
            "records": declaration.record_count,
            "bytes": declaration.total_bytes,
            "acknowledged_bytes": status.acknowledged_bytes,
            "purge_at": status.purge_at.map(|at| at.to_string()),
        }));
    }
    let mut page = format!(
        "dataset    {}\nagreement  {}\nstate      {}\nrecords    {}\n",
        status.id,
        declaration.agreement,
        status.state.as_str(),
        declaration.record_count
    );
    page += &format!(
        "bytes      {} of {} stored\n",
        status.acknowledged_bytes, declaration.total_bytes
    );
    if let Some(at) = status.purge_at {
        page += &format!("purge at   {at}\n");
    }
    data(&page)
}

fn keep(certificate: &SignedCertificate, output: Option<&Path>) -> anyhow::Result<()> {
    match output {
        Some(path) => output::write_file(path, certificate.to_file().as_bytes()),
        None => data(&certificate.to_file()),
    }
}

fn describe(signed: &SignedCertificate) -> anyhow::Result<()> {
    let certificate = signed.certificate();
    data(&format!(
        "sound: signed by the service\ndataset    {}\ncontent    {}\noffice     {}\nagreement  {}\nrecords    {}\n\
         purged at  {}\nreason     {}\nkey        {} destroyed\nruns       {}\n",
        certificate.dataset,
        certificate.content,
        certificate.office,
        certificate.agreement,
        certificate.record_count,
        certificate.purged_at,
        certificate.reason.as_str(),
        certificate.destroyed_key,
        certificate.purged_runs.len()
    ))
}
