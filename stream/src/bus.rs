//! The bus: entries go to EventBridge, those that fail are sent again, and when the bus stays down they go the direct way,
//! to SNS and SQS. Only what neither took is left to the caller.

mod batches;
mod direct;

use std::collections::BTreeMap;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::DisplayErrorContext;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures::{StreamExt, stream};
use schemas::bus::{BusEntry, VIOLATION_SOURCE};
use serde_json::json;
use tracing::warn;

use crate::backoff::{Backoff, Deadline};
use crate::settings::Settings;
pub use batches::{MAX_BATCH, batches};
pub use direct::Direct;

/// Calls at the same time.
const CALLS_AT_ONCE: usize = 4;
/// Between two tries of an entry.
const BACKOFF: Backoff =
    Backoff { tries: 5, first: std::time::Duration::from_millis(100), longest: std::time::Duration::from_secs(3) };

/// `detail-type` of a rule that could not be evaluated.
pub const RULE_ERROR_DETAIL_TYPE: &str = "IAM Policy Rule Error";
/// `detail-type` of a configuration that was refused; the last good one stays in force.
pub const CONFIG_REJECTED_DETAIL_TYPE: &str = "ConfigRejected";

/// Where entries go.
#[derive(Debug, Clone)]
pub struct Bus {
    events: Option<(Client, String)>,
    direct: Direct,
    cap: usize,
    backoff: Backoff,
}

/// An entry and what the direct way needs to know of it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The entry.
    pub entry: BusEntry,
    /// It asks for a repair, so the remediator's queue must have it.
    pub is_remediation: bool,
}

/// What became of the entries.
#[derive(Debug, Default)]
pub struct Sent {
    /// Entries the bus took.
    pub on_bus: u64,
    /// Entries that went the direct way.
    pub direct: u64,
    /// Tries of entries that the bus did not take.
    pub failures: u64,
    /// Entries that are not delivered, by their place.
    pub unsent: BTreeMap<usize, Unsent>,
}

/// Why an entry is not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// It may be taken later: throttled, down, out of time.
    Later(String),
    /// It will never be taken.
    Refused(String),
}

/// The settings lead nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// No bus.
    #[error("EVENTBRIDGE_BUS_NAME is not set: name the bus, or set USE_EVENTBRIDGE=false for SNS and SQS alone")]
    NoBus,
    /// No bus and no direct way.
    #[error("USE_EVENTBRIDGE=false needs SNS_TOPIC_ARN or SQS_QUEUE_URL: nobody would hear of a violation")]
    NoWay,
}

impl Bus {
    /// The bus that the settings name.
    pub fn new(settings: &Settings, config: &aws_config::SdkConfig) -> Result<Bus, BusError> {
        // Tries are made here, entry by entry.
        let config = crate::aws::without_retries(config);
        let direct = Direct::new(settings, &config);
        let events = match (&settings.bus_name, settings.use_eventbridge) {
            (_, false) if !direct.leads_somewhere() => return Err(BusError::NoWay),
            (_, false) => None,
            (None, true) => return Err(BusError::NoBus),
            (Some(name), true) => Some((Client::new(&config), name.clone())),
        };
        Ok(Bus { events, direct, cap: settings.bus_entry_cap, backoff: BACKOFF })
    }

    /// Largest entry, bytes as EventBridge counts them.
    pub fn cap(&self) -> usize {
        self.cap
    }

    /// Delivers the entries, in no order. Entries that are larger than [`Bus::cap`] are refused.
    pub async fn publish(&self, outgoing: &[Outgoing], deadline: Deadline) -> Sent {
        let mut sent = Sent::default();
        let mut rest: Vec<usize> = (0..outgoing.len()).collect();
        rest.retain(|place| {
            let fits = outgoing.get(*place).is_some_and(|outgoing| outgoing.entry.size() <= self.cap);
            if !fits {
                sent.unsent.insert(*place, Unsent::Refused("entry_too_large".to_owned()));
            }
            fits
        });
        if self.events.is_some() {
            rest = Box::pin(self.put_events(outgoing, rest, &mut sent, deadline)).await;
        }
        if !rest.is_empty() && self.direct.leads_somewhere() {
            let is_fallback = self.events.is_some();
            if is_fallback {
                warn!(entries = rest.len(), "bus is down, entries go to SNS and SQS");
            }
            for (place, failure) in Box::pin(self.direct.send(outgoing, &rest, is_fallback, self.cap)).await {
                match failure {
                    None => {
                        sent.unsent.remove(&place);
                        sent.direct += 1;
                    }
                    Some(failure) => {
                        sent.unsent.insert(place, failure);
                    }
                }
            }
        }
        sent
    }

    /// Sends until all is taken or the tries or the time are used up. Returns what was not taken, whose reasons are in
    /// `sent.unsent`.
    async fn put_events(
        &self,
        outgoing: &[Outgoing],
        mut waiting: Vec<usize>,
        sent: &mut Sent,
        deadline: Deadline,
    ) -> Vec<usize> {
        let Some((client, name)) = &self.events else { return waiting };
        let mut left = Vec::new();
        let mut failed_tries = 0;
        loop {
            let size = |place: &usize| outgoing.get(*place).map_or(0, |outgoing| outgoing.entry.size());
            let parts: Vec<Vec<usize>> = batches(&waiting, MAX_BATCH, self.cap, size);
            let calls = parts.iter().map(|part| put(client, name, outgoing, part));
            let results: Vec<_> = stream::iter(calls).buffered(CALLS_AT_ONCE).collect().await;
            waiting.clear();
            for (place, failure) in results.into_iter().flatten() {
                match failure {
                    None => {
                        sent.unsent.remove(&place);
                        sent.on_bus += 1;
                        continue;
                    }
                    Some(later @ Unsent::Later(_)) => {
                        sent.unsent.insert(place, later);
                        waiting.push(place);
                    }
                    Some(refused @ Unsent::Refused(_)) => {
                        sent.unsent.insert(place, refused);
                        left.push(place);
                    }
                }
                sent.failures += 1;
            }
            failed_tries += 1;
            match self.backoff.pause(failed_tries) {
                Some(pause) if !waiting.is_empty() && pause < deadline.remaining() => tokio::time::sleep(pause).await,
                _ => break,
            }
        }
        left.append(&mut waiting);
        left.sort_unstable();
        left
    }
}

/// What came of each entry of one call; nothing for those that were taken.
type Outcomes = Vec<(usize, Option<Unsent>)>;

async fn put(client: &Client, name: &str, outgoing: &[Outgoing], part: &[usize]) -> Outcomes {
    let entries = part.iter().filter_map(|place| outgoing.get(*place)).map(|outgoing| {
        PutEventsRequestEntry::builder()
            .event_bus_name(name)
            .source(outgoing.entry.source)
            .detail_type(outgoing.entry.detail_type)
            .detail(&outgoing.entry.detail)
            .build()
    });
    let reply = client.put_events().set_entries(Some(entries.collect())).send().await;
    let results = match reply {
        Ok(reply) => reply.entries.unwrap_or_default(),
        Err(error) => {
            let reason = DisplayErrorContext(&error).to_string();
            return part.iter().map(|place| (*place, Some(Unsent::Later(reason.clone())))).collect();
        }
    };
    let outcome = |(number, place): (usize, &usize)| {
        let failure = match results.get(number).map(|entry| entry.error_code.as_deref()) {
            Some(None) => None,
            // Codes that name a fault of the entry itself; every other one may pass (PutEventsResultEntry).
            Some(Some(code @ ("MalformedDetail" | "InvalidArgument" | "NotAuthorizedForSourceException"))) => {
                Some(Unsent::Refused(code.to_owned()))
            }
            Some(Some(code)) => Some(Unsent::Later(code.to_owned())),
            None => Some(Unsent::Later("no result for this entry".to_owned())),
        };
        (*place, failure)
    };
    part.iter().enumerate().map(outcome).collect()
}

/// Tells that a rule could not be evaluated on an event; the same for every delivery of the event.
pub fn rule_error_entry(error: &detection::RuleError, timestamp: &str) -> BusEntry {
    let event_id = schemas::derived_id(&["rule-error", &error.event_id, &error.rule]);
    let detail = json!({
        "eventId": event_id,
        "timestamp": timestamp,
        "correlationId": error.event_id,
        "ruleError": {"rule_name": error.rule, "reason": error.reason},
    });
    BusEntry { source: VIOLATION_SOURCE, detail_type: RULE_ERROR_DETAIL_TYPE, detail: detail.to_string() }
}

/// Tells that a new configuration was refused; the same for every detector that sees the same files.
pub fn config_rejected_entry(files: &str, versions: &str, faults: &[String], timestamp: &str) -> BusEntry {
    let detail = json!({
        "eventId": schemas::derived_id(&["config-rejected", files, versions]),
        "timestamp": timestamp,
        "correlationId": versions,
        "configRejected": {"files": files, "faults": faults, "inForce": "the last good configuration"},
    });
    BusEntry { source: VIOLATION_SOURCE, detail_type: CONFIG_REJECTED_DETAIL_TYPE, detail: detail.to_string() }
}
