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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::future;

    use super::*;

    /// Hands out numbered keys, each valid for some time; fails after the second.
    #[derive(Debug)]
    struct Numbered {
        asked: AtomicUsize,
        valid_for: Duration,
    }

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            let expiry = Some(SystemTime::now() + self.valid_for);
            future::ProvideCredentials::ready(match number {
                1 | 2 => Ok(Credentials::new(format!("key-{number}"), "secret", None, expiry, "numbered")),
                _ => Err(aws_credential_types::provider::error::CredentialsError::provider_error("gone")),
            })
        }
    }

    async fn three_keys(valid_for: Duration) -> Vec<Option<String>> {
        let provider = Numbered { asked: AtomicUsize::new(0), valid_for };
        let chain = Chain::new(Some(SharedCredentialsProvider::new(provider)));
        let mut keys = Vec::new();
        for _ in 0..3 {
            keys.push(chain.get_credential().await.ok().map(|credential| credential.key_id.clone()));
        }
        keys
    }

    #[tokio::test]
    async fn credentials_are_asked_for_once_while_they_last() {
        let first = Some("key-1".to_owned());
        assert_eq!(three_keys(Duration::from_secs(3600)).await, [first.clone(), first.clone(), first]);
    }

    #[tokio::test]
    async fn credentials_are_renewed_before_they_expire_and_used_until_then() {
        let keys = three_keys(RENEW_BEFORE - Duration::from_secs(60)).await;
        assert_eq!(keys, [Some("key-1".to_owned()), Some("key-2".to_owned()), Some("key-2".to_owned())]);
    }

    #[tokio::test]
    async fn expired_credentials_that_cannot_be_renewed_are_an_error() {
        let keys = three_keys(Duration::ZERO).await;
        assert_eq!(keys, [Some("key-1".to_owned()), Some("key-2".to_owned()), None]);
    }

    #[test]
    fn only_this_machine_is_reached_without_tls() {
        for (url, loopback) in [
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://localhost", true),
            ("http://s3.localhost:4566", true),
            ("http://minio:9000", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).expect(url)), loopback, "{url}");
        }
    }
}
