//! What was measured, and the settings that Terraform deploys. To measure again, run the benchmark that stands beside a rate.

/// Seconds of one full core for an event that arrives alone in a gzip CloudWatch Logs message, the dearest envelope.
/// `cargo bench -p stream --bench batch`, `subscription`: 51.7 ms for 10,000 records.
pub(super) const CORE_SECONDS_PER_EVENT: f64 = 5.17e-6;
/// Bytes of an event as JSON. `detector scan testdata/cloudtrail/invictus-stratus-2023/files`: 3.7 MB, 2,900 events.
pub(super) const EVENT_BYTES: u32 = 1_280;
/// Percent of events that a rule names. The same scan: 79 of 2,900. It is an attack rehearsal: others have fewer.
pub(super) const JUDGED_PERCENT: f64 = 2.7;
/// Percent of events that are a violation. The same scan: 32 of 2,900.
pub(super) const VIOLATION_PERCENT: f64 = 1.1;
/// Bytes of a stored event and of a violation in Parquet. The same scan: 19.6 kB for 79 rows, 32.4 kB for 32 rows.
pub(super) const STORED_EVENT_BYTES: f64 = 248.0;
/// See [`STORED_EVENT_BYTES`].
pub(super) const VIOLATION_BYTES: f64 = 1_013.0;

/// Assumed, not measured: seconds in which a batch waits for S3, EventBridge and CloudWatch.
pub(super) const WAIT_SECONDS_PER_BATCH: f64 = 0.2;
/// Assumed: no resource is planned for more than this share of what it can do.
pub(super) const USED: f64 = 0.7;
/// Assumed: bytes of the log line of a batch, as CloudWatch counts it.
pub(super) const LOG_BYTES_PER_BATCH: f64 = 900.0;

/// What a shard takes in a second (Kinesis Data Streams quotas).
pub(super) const SHARD_RECORDS: f64 = 1_000.0;
/// See [`SHARD_RECORDS`]; megabytes.
pub(super) const SHARD_MEGABYTES: f64 = 1.0;
/// Memory of the detector in GB, and the share of a core that goes with it: Lambda gives one for 1,769 MB.
pub(super) const MEMORY_GB: f64 = 1.0;
/// See [`MEMORY_GB`].
pub(super) const CORE_SHARE: f64 = 1_024.0 / 1_769.0;
/// Batches of one shard at once (`detector.parallelization_factor` in terraform/variables.tf).
pub(super) const BATCHES_PER_SHARD: f64 = 2.0;
/// Most records of a batch (`detector.batch_size`).
pub(super) const BATCH_RECORDS: f64 = 1_000.0;
/// Longest wait for a batch to fill, seconds (`detector.batching_window_seconds`).
pub(super) const WINDOW_SECONDS: f64 = 5.0;
/// Accounts, and rules, with metrics of their own (`METRICS_MAX_DIMENSION_VALUES`).
pub(super) const MOST_METRIC_ACCOUNTS: u64 = 500;
/// Metrics that do not depend on accounts: those of the detector, by severity, by action, and one for each shipped rule.
pub(super) const FIXED_METRICS: u64 = 130;
/// Severities an account may have metrics for.
pub(super) const SEVERITIES: u64 = 4;
/// Queues behind the bus (SNS, Slack, metrics, audit log), each with a send, a receive and a delete.
pub(super) const QUEUE_CALLS_PER_VIOLATION: f64 = 12.0;
/// What Firehose counts at least for a record, bytes.
pub(super) const FIREHOSE_BYTES: f64 = 5_120.0;
