//! Telling others: the status event on the bus, the metrics. Without a bus each event is a JSON line.

use std::io::Write;

use detection::Remediation;
use schemas::bus::{DEFAULT_ENTRY_CAP, remediation_entry};
use schemas::{RemediationLog, RemediationStatus};
use serde_json::json;
use stream::backoff::Deadline;
use stream::bus::{Bus, Outgoing, Unsent};
use stream::metrics::{Metrics, Point};

use crate::error::Failure;
use crate::log::sentence;
use crate::request::Request;

/// Repairs made and seen.
pub(crate) const REMEDIATION_SUCCESS: &str = "RemediationSuccess";
/// Attempts that failed. Alarm on any.
pub(crate) const REMEDIATION_FAILURE: &str = "RemediationFailure";
/// Requests after which nothing was changed, rightly.
pub(crate) const REMEDIATION_SKIPPED: &str = "RemediationSkipped";
/// Requests of which it was only said what would be done.
pub(crate) const DRY_RUN_EXECUTIONS: &str = "DryRunExecutions";
/// Repairs taken back.
pub(crate) const REMEDIATION_UNDONE: &str = "RemediationUndone";
/// Every attempt, by action.
pub(crate) const REMEDIATION_ACTION: &str = "RemediationAction";
/// Time from the event to its repair, milliseconds.
pub(crate) const TIME_TO_REPAIR: &str = "TimeToRepair";
/// Requests that wait for a budget or their grace.
pub(crate) const REMEDIATION_DELAYED: &str = "RemediationDelayed";
/// Messages that could not be read. Alarm on any.
pub(crate) const REMEDIATION_DEAD_LETTERS: &str = "RemediationDeadLetters";

/// The ways out.
#[derive(Debug)]
pub struct Teller {
    /// The bus; without one events are printed.
    pub bus: Option<Bus>,
    /// CloudWatch.
    pub metrics: Option<Metrics>,
}

impl Teller {
    /// Publishes the status of an attempt.
    pub async fn publish(&self, row: &RemediationLog, request: &Request, deadline: Deadline) -> Result<(), Failure> {
        let cap = self.bus.as_ref().map_or(DEFAULT_ENTRY_CAP, Bus::cap);
        let entry = remediation_entry(row, &sentence(row), &request.violation, &request.lake_key, cap);
        let entry = entry.map_err(|error| Failure::Never(error.to_string()))?;
        let Some(bus) = &self.bus else {
            let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap_or_default();
            let line = json!({"source": entry.source, "detail-type": entry.detail_type, "detail": detail});
            let written = writeln!(std::io::stdout().lock(), "{line}");
            return written.map_err(|error| Failure::Later(format!("standard output: {error}")));
        };
        let sent = bus.publish(&[Outgoing { entry, is_remediation: false }], deadline).await;
        match sent.unsent.into_values().next() {
            None => Ok(()),
            Some(Unsent::Later(reason) | Unsent::Refused(reason)) => {
                Err(Failure::Later(format!("nobody could be told: {reason}")))
            }
        }
    }

    /// Counts an attempt.
    pub async fn count(&self, row: &RemediationLog, action: Option<Remediation>) {
        let name = match row.status {
            RemediationStatus::Success => REMEDIATION_SUCCESS,
            RemediationStatus::Failed => REMEDIATION_FAILURE,
            RemediationStatus::Skipped => REMEDIATION_SKIPPED,
            RemediationStatus::DryRun => DRY_RUN_EXECUTIONS,
            RemediationStatus::Undone => REMEDIATION_UNDONE,
        };
        let mut points = vec![Point::count(name, 1)];
        let word = action.map_or("unknown", Remediation::as_str);
        points.push(Point::count(REMEDIATION_ACTION, 1).by("Action", word));
        if row.status == RemediationStatus::Success {
            let millis = (row.timestamp - row.event_time).num_milliseconds();
            points.push(Point::millis(TIME_TO_REPAIR, millis as f64));
        }
        self.send(&points).await;
    }

    /// Sends metrics, where there is CloudWatch.
    pub async fn send(&self, points: &[Point]) {
        if let Some(metrics) = &self.metrics {
            metrics.publish(points).await;
        }
    }
}
