use std::path::PathBuf;

use clap::Subcommand;
use corridor_core::{Digest, PublicKey};

use crate::args::ServiceArgs;
use crate::failure::parse_digest;

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Shows a dataset of this office: its state, and when the service will purge it.
    ///
    /// Example: corridor dataset show DATASET --service service.toml
    Show {
        /// The dataset, as corridor upload says.
        #[arg(value_parser = parse_digest)]
        dataset: Digest,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Has the service purge a dataset of this office, for good, and keeps the certificate.
    ///
    /// The service destroys the dataset's key and removes its bytes, the candidate pairs and links of runs over it, and tables
    /// that were not released. Released tables stay. No other dataset can be uploaded under the same agreement.
    ///
    /// Example: corridor dataset purge DATASET --for-good -o certificate.json --service service.toml
    Purge {
        /// The dataset, as corridor upload says.
        #[arg(value_parser = parse_digest)]
        dataset: Digest,
        /// That it cannot be undone is understood.
        #[arg(long, required = true)]
        for_good: bool,
        /// Where to keep the certificate; standard output when not given.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Fetches the certificate that a dataset of this office was purged.
    ///
    /// Example: corridor dataset certificate DATASET -o certificate.json --service service.toml
    Certificate {
        /// The dataset.
        #[arg(value_parser = parse_digest)]
        dataset: Digest,
        /// Where to keep it; standard output when not given.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Checks a certificate, without a service.
    ///
    /// Example: corridor dataset verify certificate.json --service-key 5f0c…
    Verify {
        /// The certificate.
        certificate: PathBuf,
        /// The service's key for certificates, as its operator gave it to you: 64 hexadecimal digits.
        #[arg(long, value_name = "KEY")]
        service_key: PublicKey,
    },
}
