//! List prices. One table, so that one place changes when they do.

/// The month the prices were looked up.
pub(super) const PRICES_OF: &str = "2026-02";
/// Where they hold.
pub(super) const REGION: &str = "us-east-1, on demand, without free tiers";

/// A price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    pub(super) service: &'static str,
    pub(super) unit: &'static str,
    /// US dollars for one unit.
    pub(super) usd: f64,
    pub(super) source: &'static str,
}

const fn price(service: &'static str, unit: &'static str, usd: f64, source: &'static str) -> Price {
    Price { service, unit, usd, source }
}

const KINESIS: &str = "https://aws.amazon.com/kinesis/data-streams/pricing/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const S3: &str = "https://aws.amazon.com/s3/pricing/";
const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";

pub(super) const SHARD_HOUR: Price = price("Kinesis", "shard hour", 0.015, KINESIS);
pub(super) const RETENTION_HOUR: Price = price("Kinesis", "shard hour of retention beyond 24 h", 0.02, KINESIS);
pub(super) const PUT_UNITS: Price = price("Kinesis", "million PUT payload units of 25 KB", 0.014, KINESIS);
pub(super) const LAMBDA_REQUESTS: Price = price("Lambda", "million requests", 0.20, LAMBDA);
pub(super) const LAMBDA_GB_SECONDS: Price = price("Lambda", "GB-second on arm64", 0.000_013_333_4, LAMBDA);
pub(super) const S3_PUTS: Price = price("S3", "thousand PUT requests", 0.005, S3);
pub(super) const S3_STORAGE: Price = price("S3", "GB-month", 0.023, S3);
pub(super) const BUS_EVENTS: Price =
    price("EventBridge", "million custom events", 1.00, "https://aws.amazon.com/eventbridge/pricing/");
pub(super) const QUEUE_CALLS: Price = price("SQS", "million requests", 0.40, "https://aws.amazon.com/sqs/pricing/");
pub(super) const FIREHOSE: Price = price("Firehose", "GB ingested", 0.029, "https://aws.amazon.com/firehose/pricing/");
pub(super) const METRICS: Price = price("CloudWatch", "metric of the first 10,000", 0.30, CLOUDWATCH);
pub(super) const METRIC_CALLS: Price = price("CloudWatch", "thousand PutMetricData requests", 0.01, CLOUDWATCH);
pub(super) const LOGS: Price = price("CloudWatch", "GB of logs ingested", 0.50, CLOUDWATCH);
