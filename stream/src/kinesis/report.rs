//! The books of a batch, as one log line and as metrics.

use std::time::Duration;

use chrono::Utc;
use detection::Books;
use schemas::{CANARY_RULE, Severity, Violation};
use tracing::{error, info};

use super::batch::Record;
use crate::metrics::{self, Point};

/// What is told of a batch.
#[derive(Debug, Default)]
pub(super) struct Report {
    shard_id: String,
    received: u64,
    lag_millis: i64,
    pub(super) books: Books,
    by_severity: [u64; 4],
    canaries: u64,
    pub(super) handed_back: u64,
    pub(super) published: u64,
    pub(super) publish_failures: u64,
    pub(super) direct: u64,
    pub(super) objects: u64,
    pub(super) violation_rows: u64,
    pub(super) event_rows: u64,
    pub(super) look_ups_failed: u64,
    pub(super) config_rejected: u64,
}

const SEVERITIES: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

impl Report {
    pub(super) fn of(records: &[Record]) -> Report {
        let oldest = records.iter().filter_map(|record| record.arrival).min();
        Report {
            shard_id: records.first().map(|record| record.shard_id.clone()).unwrap_or_default(),
            received: records.len() as u64,
            lag_millis: oldest.map_or(0, |oldest| (Utc::now() - oldest).num_milliseconds().max(0)),
            ..Report::default()
        }
    }

    pub(super) fn count_violation(&mut self, violation: &Violation) {
        for (count, severity) in self.by_severity.iter_mut().zip(SEVERITIES) {
            *count += u64::from(violation.severity == severity);
        }
        self.canaries += u64::from(violation.rule_name == CANARY_RULE);
    }

    /// Whether the sums of the design hold, and every record received is dealt with or handed back.
    fn is_balanced(&self) -> bool {
        let records = self.books.records_in + self.handed_back;
        let imbalance = match self.books.balance() {
            Err(imbalance) => imbalance.to_string(),
            Ok(()) if records == self.received => return true,
            Ok(()) => format!("{} records received, {records} dealt with or handed back", self.received),
        };
        error!(imbalance, "the books do not balance: this is a fault of the detector");
        false
    }

    pub(super) fn log(&self, took: Duration) {
        let books = &self.books;
        info!(
            shard_id = self.shard_id,
            records_received = self.received,
            records_in = books.records_in,
            records_read = books.records_read,
            dead_letters = books.dead_letters,
            records_handed_back = self.handed_back,
            events_in = books.events_in,
            duplicates = books.duplicates,
            not_of_interest = books.not_of_interest,
            judged = books.judged,
            attempts = books.attempts,
            recognised = books.recognised.values().sum::<u64>(),
            violations = books.violations,
            reported = books.reported,
            suppressed = books.suppressed,
            rule_errors = books.rule_errors,
            undecided = books.undecided,
            look_ups_failed = self.look_ups_failed,
            published = self.published,
            publish_failures = self.publish_failures,
            direct = self.direct,
            objects = self.objects,
            violation_rows = self.violation_rows,
            event_rows = self.event_rows,
            lag_ms = self.lag_millis,
            took_ms = took.as_secs_f64() * 1000.0,
            "batch done"
        );
    }

    pub(super) fn points(&self, took: Duration) -> Vec<Point> {
        let books = &self.books;
        let counts = [
            (metrics::RECORDS_IN, books.records_in),
            (metrics::RECORDS_READ, books.records_read),
            (metrics::DEAD_LETTERS, books.dead_letters),
            (metrics::RECORDS_HANDED_BACK, self.handed_back),
            (metrics::EVENTS_IN, books.events_in),
            (metrics::DUPLICATES, books.duplicates),
            (metrics::NOT_OF_INTEREST, books.not_of_interest),
            (metrics::EVENT_PROCESSED, books.judged),
            (metrics::VIOLATION_COUNT, books.violations),
            (metrics::CANARIES, self.canaries),
            (metrics::REPORTED, books.reported),
            (metrics::SUPPRESSED, books.suppressed),
            (metrics::RULE_ERRORS, books.rule_errors),
            (metrics::UNDECIDED, books.undecided),
            (metrics::LOOK_UPS_FAILED, self.look_ups_failed),
            (metrics::CONFIG_REJECTED, self.config_rejected),
            (metrics::VIOLATION_ROWS, self.violation_rows),
            (metrics::EVENT_ROWS, self.event_rows),
            (metrics::PUBLISH_SUCCESS, self.published),
            (metrics::PUBLISH_FAILURE, self.publish_failures),
            (metrics::PUBLISH_DIRECT, self.direct),
            (metrics::BOOKS_UNBALANCED, u64::from(!self.is_balanced())),
        ];
        let mut points: Vec<Point> = counts.into_iter().map(|(name, count)| Point::count(name, count)).collect();
        points.push(Point::millis(metrics::ITERATOR_LAG, self.lag_millis as f64));
        points.push(Point::millis(metrics::BATCH_DURATION, took.as_secs_f64() * 1000.0));
        let by_severity = SEVERITIES.into_iter().zip(self.by_severity).filter(|(_, count)| *count > 0);
        points.extend(
            by_severity.map(|(severity, count)| {
                Point::count(metrics::VIOLATION_COUNT, count).by("Severity", severity.as_str())
            }),
        );
        points
    }
}
