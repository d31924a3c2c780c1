//! Metrics of the detector and the compactor: their names, and their way to CloudWatch.

use std::io::Write;
use std::time::SystemTime;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::DisplayErrorContext;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use serde_json::{Map, Value, json};
use tracing::warn;

/// Metrics of one call (PutMetricData).
const MAX_PER_CALL: usize = 1000;

/// Violations found, suppressed ones included; also by severity.
pub const VIOLATION_COUNT: &str = "ViolationCount";
/// Events put before the rules.
pub const EVENT_PROCESSED: &str = "EventProcessed";
/// Entries that the bus, or the way around it, took.
pub const PUBLISH_SUCCESS: &str = "EventBridgePublishSuccess";
/// Tries of entries that the bus did not take.
pub const PUBLISH_FAILURE: &str = "EventBridgePublishFailure";
/// Entries that went to SNS and SQS as the bus was down.
pub const PUBLISH_DIRECT: &str = "DirectPublishSuccess";
/// Records of the batch that were dealt with.
pub const RECORDS_IN: &str = "RecordsIn";
/// Of these, read to the last byte.
pub const RECORDS_READ: &str = "RecordsRead";
/// Of these, unreadable in some part.
pub const DEAD_LETTERS: &str = "DeadLetters";
/// Records handed back to be delivered again.
pub const RECORDS_HANDED_BACK: &str = "RecordsHandedBack";
/// Events found in the records.
pub const EVENTS_IN: &str = "EventsIn";
/// Events met before.
pub const DUPLICATES: &str = "Duplicates";
/// Events that no rule names.
pub const NOT_OF_INTEREST: &str = "NotOfInterest";
/// Violations that no suppression held back.
pub const REPORTED: &str = "ViolationsReported";
/// Violations held back by a suppression.
pub const SUPPRESSED: &str = "ViolationsSuppressed";
/// Rows of `violations` that are in the lake.
pub const VIOLATION_ROWS: &str = "ViolationRowsWritten";
/// Rows of `iam_events` that are in the lake: one for each event that was judged.
pub const EVENT_ROWS: &str = "EventRowsWritten";
/// Rules that failed on an event. Alarm on any.
pub const RULE_ERRORS: &str = "RuleErrors";
/// Rules that could not be decided as a policy was not visible.
pub const UNDECIDED: &str = "RulesUndecided";
/// Policies that could not be looked up for now; their events are kept for `replay`.
pub const LOOK_UPS_FAILED: &str = "LookUpsFailed";
/// New configurations that were refused.
pub const CONFIG_REJECTED: &str = "ConfigRejected";
/// Batches whose books did not balance: a fault of this program. Alarm on any.
pub const BOOKS_UNBALANCED: &str = "BooksUnbalanced";
/// Age of the oldest record of the batch when the batch came in, milliseconds.
pub const ITERATOR_LAG: &str = "IteratorLag";
/// Time for the batch, milliseconds.
pub const BATCH_DURATION: &str = "BatchDuration";

/// Violations of the rule [`schemas::CANARY_RULE`]: records that were put into the stream to come back.
pub const CANARIES: &str = "Canaries";
/// Files that the compactor merged into others.
pub const COMPACTION_FILES_MERGED: &str = "CompactionFilesMerged";
/// Files that it removed after an hour beside the merged one.
pub const COMPACTION_FILES_REMOVED: &str = "CompactionFilesRemoved";
/// Files that it could not merge. Alarm on any.
pub const COMPACTION_LEFT_OUT: &str = "CompactionLeftOut";
/// Runs that were stopped by their deadline. Alarm when it happens day after day.
pub const COMPACTION_UNFINISHED: &str = "CompactionUnfinished";

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its name.
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// Milliseconds, else a count.
    pub is_time: bool,
    /// Name and value of a dimension.
    pub dimension: Option<(&'static str, &'static str)>,
}

impl Point {
    /// A count.
    pub fn count(name: &'static str, count: u64) -> Point {
        // A count beyond 2^53 would lose its last digits.
        Point { name, value: count as f64, is_time: false, dimension: None }
    }

    /// A time in milliseconds.
    pub fn millis(name: &'static str, millis: f64) -> Point {
        Point { name, value: millis, is_time: true, dimension: None }
    }

    /// The same, by a dimension.
    pub fn by(self, name: &'static str, value: &'static str) -> Point {
        Point { dimension: Some((name, value)), ..self }
    }

    fn datum(&self, at: DateTime) -> MetricDatum {
        let unit = if self.is_time { StandardUnit::Milliseconds } else { StandardUnit::Count };
        let dimension = self.dimension.map(|(name, value)| Dimension::builder().name(name).value(value).build());
        MetricDatum::builder()
            .metric_name(self.name)
            .value(self.value)
            .unit(unit)
            .timestamp(at)
            .set_dimensions(dimension.map(|dimension| vec![dimension]))
            .build()
    }
}

/// CloudWatch metrics in one namespace.
#[derive(Debug, Clone)]
pub struct Metrics {
    client: Client,
    namespace: String,
}

impl Metrics {
    /// Metrics in a namespace.
    pub fn new(config: &aws_config::SdkConfig, namespace: &str) -> Metrics {
        Metrics { client: Client::new(config), namespace: namespace.to_owned() }
    }

    /// Sends all points. When CloudWatch does not take them they are written to standard output in the embedded metric
    /// format, which CloudWatch reads from the log: a batch whose work is done must not be redone for its metrics.
    pub async fn publish(&self, points: &[Point]) {
        let now = SystemTime::now();
        for part in points.chunks(MAX_PER_CALL) {
            let data = part.iter().map(|point| point.datum(DateTime::from(now))).collect();
            let call = self.client.put_metric_data().namespace(&self.namespace).set_metric_data(Some(data));
            if let Err(error) = call.send().await {
                let reason = DisplayErrorContext(&error).to_string();
                warn!(reason, points = part.len(), "CloudWatch did not take the metrics, they are in the log");
                self.write_embedded(part, now);
            }
        }
    }

    fn write_embedded(&self, points: &[Point], now: SystemTime) {
        let mut out = std::io::stdout().lock();
        for line in embedded(&self.namespace, points, chrono::DateTime::<chrono::Utc>::from(now).timestamp_millis()) {
            // Without standard output there is no way left.
            let _ = writeln!(out, "{line}");
        }
    }
}

/// Points as lines in the embedded metric format: one for all points without a dimension, one for each other.
fn embedded(namespace: &str, points: &[Point], millis: i64) -> Vec<Value> {
    let (plain, by): (Vec<&Point>, Vec<&Point>) = points.iter().partition(|point| point.dimension.is_none());
    let groups = std::iter::once(plain).chain(by.into_iter().map(|point| vec![point]));
    let line = |group: Vec<&Point>| {
        let dimension = group.first().and_then(|point| point.dimension);
        let unit = |point: &Point| if point.is_time { "Milliseconds" } else { "Count" };
        let metrics: Vec<Value> = group.iter().map(|point| json!({"Name": point.name, "Unit": unit(point)})).collect();
        let dimensions: Vec<&str> = dimension.iter().map(|(name, _)| *name).collect();
        let directive = json!({"Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics});
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({"Timestamp": millis, "CloudWatchMetrics": [directive]}));
        line.extend(dimension.map(|(name, value)| (name.to_owned(), json!(value))));
        line.extend(group.iter().map(|point| (point.name.to_owned(), json!(point.value))));
        Value::Object(line)
    };
    groups.filter(|group| !group.is_empty()).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_form_names_each_metric_once_with_its_unit_and_dimension() {
        let points = [
            Point::count(RECORDS_IN, 7),
            Point::millis(ITERATOR_LAG, 1.5),
            Point::count(VIOLATION_COUNT, 2).by("Severity", "HIGH"),
        ];
        let lines = embedded("Space", &points, 1_700_000_000_000);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["RecordsIn"], 7.0);
        assert_eq!(
            lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"][1],
            json!({"Name": "IteratorLag", "Unit": "Milliseconds"})
        );
        assert_eq!(lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Severity"]]));
        assert_eq!((lines[1]["Severity"].clone(), lines[1]["ViolationCount"].clone()), (json!("HIGH"), json!(2.0)));
    }
}
