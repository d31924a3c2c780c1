//! Clients of AWS, made once at the start. Region, endpoints and credentials come from the SDK's default chain.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// A connection stands within this time or is tried again.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// One try of one call.
const TRY_WITHIN: Duration = Duration::from_secs(10);
/// A call with all of its tries.
const CALL_WITHIN: Duration = Duration::from_secs(25);

/// Configuration of every client: bounded times, three tries.
pub async fn config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .load()
        .await
}

/// The same for calls that our own code tries again entry by entry.
pub fn without_retries(config: &SdkConfig) -> SdkConfig {
    config.to_builder().retry_config(RetryConfig::disabled()).build()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_WITHIN)
        .operation_attempt_timeout(TRY_WITHIN)
        .operation_timeout(CALL_WITHIN)
        .build()
}
