//! A bucket as object store, with credentials and region from the AWS SDK's default chain.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::{ClientConfigKey, CredentialProvider, RetryConfig};
use tokio::sync::Mutex;
use url::{Host, Url};

use crate::error::LakeError;

/// Credentials are renewed this long before they expire.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// A request is tried again this often, so that a wrong endpoint is known within a minute.
const RETRIES: usize = 5;
/// A request is not tried again after this long.
const RETRY_FOR: Duration = Duration::from_secs(45);

/// The store of a bucket. `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_S3` are honoured, path style; plain http only on
/// this machine, elsewhere with `AWS_ALLOW_HTTP=true`.
pub(crate) async fn connect(location: &str, bucket: &str) -> Result<AmazonS3, LakeError> {
    let refused = |reason: String| LakeError::Location { location: location.to_owned(), reason };
    if bucket.is_empty() {
        return Err(refused("the bucket is missing: write s3://bucket/prefix".to_owned()));
    }
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await;
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
        ..RetryConfig::default()
    });
    if let Some(region) = config.region() {
        builder = builder.with_region(region.as_ref());
    }
    let set = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).filter(|value| !value.is_empty());
    let endpoint = set(&builder, AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| set(&builder, AmazonS3ConfigKey::Endpoint))
        .or_else(|| config.endpoint_url().map(str::to_owned));
    if let Some(endpoint) = endpoint {
        let url = Url::parse(&endpoint).map_err(|error| refused(format!("endpoint {endpoint}: {error}")))?;
        let allowed = set(&builder, AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)).as_deref() == Some("true");
        if url.scheme() == "http" && !allowed && !is_loopback(&url) {
            return Err(refused(format!("endpoint {endpoint} is plain http: use https, or set AWS_ALLOW_HTTP=true")));
        }
        builder = builder.with_endpoint(&endpoint).with_allow_http(url.scheme() == "http");
    }
    if set(&builder, AmazonS3ConfigKey::SkipSignature).as_deref() != Some("true") {
        let chain = Chain::new(config.credentials_provider());
        let credentials = |error| LakeError::Credentials { location: location.to_owned(), source: Box::new(error) };
        chain.get_credential().await.map_err(credentials)?;
        builder = builder.with_credentials(Arc::new(chain));
    }
    builder.build().map_err(|error| refused(error.to_string()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The SDK's chain (environment, profiles, SSO, roles) for `object_store`, asked once and again before expiry.
#[derive(Debug)]
struct Chain {
    provider: Option<SharedCredentialsProvider>,
    current: Mutex<Option<Current>>,
}

#[derive(Debug, Clone)]
struct Current {
    credential: Arc<AwsCredential>,
    expiry: Option<SystemTime>,
}

impl Current {
    fn lasts_beyond(&self, time: SystemTime) -> bool {
        self.expiry.is_none_or(|expiry| expiry > time)
    }
}

impl Chain {
    fn new(provider: Option<SharedCredentialsProvider>) -> Chain {
        Chain { provider, current: Mutex::new(None) }
    }

    async fn load(&self) -> object_store::Result<Current> {
        let failed = |source| object_store::Error::Generic { store: "AWS credentials", source };
        let provider = self.provider.as_ref().ok_or_else(|| failed("no provider is configured".into()))?;
        let loaded: Credentials = provider.provide_credentials().await.map_err(|error| failed(error.into()))?;
        let credential = AwsCredential {
            key_id: loaded.access_key_id().to_owned(),
            secret_key: loaded.secret_access_key().to_owned(),
            token: loaded.session_token().map(str::to_owned),
        };
        Ok(Current { credential: Arc::new(credential), expiry: loaded.expiry() })
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        // Held while asking, so that many requests at once ask once.
        let mut current = self.current.lock().await;
        let now = SystemTime::now();
        if let Some(known) = current.as_ref().filter(|known| known.lasts_beyond(now + RENEW_BEFORE)) {
            return Ok(known.credential.clone());
        }
        match (self.load().await, current.as_ref()) {
            (Ok(loaded), _) => Ok(current.insert(loaded).credential.clone()),
            // Renewal failed early: what is known is still good for this request.
            (Err(_), Some(known)) if known.lasts_beyond(now) => Ok(known.credential.clone()),
            (Err(error), _) => Err(error),
        }
    }
}
