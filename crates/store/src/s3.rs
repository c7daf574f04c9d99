//! Datasets and results in a bucket.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};

use crate::StoreError;

/// A bucket of a service that speaks S3.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Address of the service, as in `https://s3.example`; without TLS for `http://`, as within one machine.
    pub endpoint: String,
    /// The bucket, which is there already.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// What the name of every object begins with; may be empty.
    pub prefix: String,
    /// Who asks.
    pub access_key_id: SecretString,
    /// How it is proven.
    pub secret_access_key: SecretString,
}

/// How long a request may take, and how long it is tried again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
const RETRIES: usize = 5;

pub(crate) fn open_s3(options: &S3Options) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let store = AmazonS3Builder::new()
        .with_endpoint(&options.endpoint)
        .with_bucket_name(&options.bucket)
        .with_region(&options.region)
        .with_access_key_id(options.access_key_id.expose_secret())
        .with_secret_access_key(options.secret_access_key.expose_secret())
        .with_client_options(
            ClientOptions::new()
                .with_allow_http(options.endpoint.starts_with("http://"))
                .with_timeout(REQUEST_TIMEOUT),
        )
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
        })
        .build()?;
    Ok(if options.prefix.is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, options.prefix.as_str()))
    })
}
