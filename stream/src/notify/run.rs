//! What the four programs share: take the input apart, claim each event, deliver, answer for each message.
//!
//! ```text
//! events in = delivered + collected + repeated + unwanted + dead letters + handed back
//! ```

use std::collections::{BTreeMap, HashMap};
use std::future::Future;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use lake::{Claim, DeadLetter, Held, Lake};
use serde_json::{Value, json};
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use super::event::BusEvent;
use super::intake::{Arrival, Intake, open};
use crate::backoff::Deadline;
use crate::lambda::Handler;
use crate::metrics::{Metrics, Point};

/// Messages that SNS took.
pub const SNS_ALERTS_PUBLISHED: &str = "SNSAlertsPublished";
/// Messages that Slack took: for single events, root causes and digests.
pub const SLACK_NOTIFICATIONS_SENT: &str = "SlackNotificationsSent";
/// Events that Firehose, or the folder, took.
pub const AUDIT_LOGS_WRITTEN: &str = "AuditLogsWritten";
/// Events that were counted in metrics.
pub const METRICS_PUBLISHED: &str = "MetricsPublished";
/// Events that could not be read or delivered, ever, and were stored with the reason. Alarm on any.
pub const NOTIFY_DEAD_LETTERS: &str = "NotificationDeadLetters";
/// Events handed back to be delivered again.
pub const NOTIFY_HANDED_BACK: &str = "NotificationsHandedBack";

/// Claims looked up at the same time.
const AT_ONCE: usize = 16;
/// Held longer than the invocation lasts, so that no second process begins while the first may still be sending.
const HOLD_BEYOND: TimeDelta = TimeDelta::seconds(5);

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent or written.
    Delivered,
    /// It will be told with others, later.
    Collected,
    /// It was dealt with before.
    Repeated,
    /// This program has nothing to tell of it; why.
    Unwanted(&'static str),
    /// Not now: it must be delivered again.
    Later(String),
    /// Never: it is stored with the reason.
    Refused(String),
}

/// Time of an invocation.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The present.
    pub now: DateTime<Utc>,
    /// When the work must be done.
    pub deadline: Deadline,
}

/// One way of telling: SNS, Slack, CloudWatch, Firehose.
pub trait Channel: Send + Sync + 'static {
    /// Name of the program; claims of different programs are apart.
    const NAME: &'static str;
    /// The metric that counts what was delivered.
    const METRIC: &'static str;

    /// What an event is claimed by. Events with the same key are told once.
    fn key(event: &BusEvent, now: DateTime<Utc>) -> Uuid {
        let _ = now;
        event.key
    }

    /// Delivers events, each to be delivered once; one outcome for each, in order.
    fn deliver(&self, events: &[BusEvent], at: Moment) -> impl Future<Output = Vec<Outcome>> + Send;

    /// Metrics of the channel itself since they were asked for last.
    fn notices(&self) -> Vec<Point> {
        Vec::new()
    }

    /// Does what is due by itself, such as a digest. Returns the number of messages sent.
    fn tick(&self, at: Moment) -> impl Future<Output = anyhow::Result<u64>> + Send {
        let _ = at;
        async { Ok(0) }
    }
}

/// A program: its channel, and where claims and dead letters are.
#[derive(Debug)]
pub struct Program<C> {
    channel: C,
    lake: Lake,
    metrics: Option<Metrics>,
}

/// The sum of an input.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Events and what passed for them.
    pub events_in: u64,
    /// How many had each outcome.
    pub counts: BTreeMap<&'static str, u64>,
    /// Messages that are due by themselves.
    pub ticked: u64,
    /// SQS messages to be delivered again.
    pub failed_messages: Vec<String>,
    /// Why something is to be delivered again; the first reason.
    pub reason: Option<String>,
}

impl Report {
    /// Events with an outcome.
    pub fn count(&self, outcome: &str) -> u64 {
        self.counts.get(outcome).copied().unwrap_or(0)
    }
}

impl<C: Channel> Program<C> {
    /// A program; without metrics it tells of itself in the log only.
    pub fn new(channel: C, lake: Lake, metrics: Option<Metrics>) -> Program<C> {
        Program { channel, lake, metrics }
    }

    /// The channel.
    pub fn channel(&self) -> &C {
        &self.channel
    }

    /// Delivers events as they are, without claims: for a command line, which has no redelivery.
    pub async fn write(&self, events: &[BusEvent], at: Moment) -> Vec<Outcome> {
        self.channel.deliver(events, at).await
    }

    /// Deals with an input as a whole.
    pub async fn run(&self, intake: Intake, at: Moment) -> Report {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; intake.arrivals.len()];
        let events = self.claimed(&intake.arrivals, at, &mut outcomes).await;
        let (places, held): (Vec<usize>, Vec<Held>) = events.into_iter().unzip();
        let told: Vec<BusEvent> =
            places.iter().filter_map(|place| intake.arrivals.get(*place)?.event.as_ref().ok().cloned()).collect();
        let results = if told.is_empty() { Vec::new() } else { Box::pin(self.channel.deliver(&told, at)).await };
        let mut results = results.into_iter();
        for (place, held) in places.into_iter().zip(held) {
            let outcome = results.next().unwrap_or_else(|| Outcome::Later("the channel gave no answer".to_owned()));
            let arrival = intake.arrivals.get(place);
            let outcome = self.settle(outcome, held, arrival, at).await;
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = Some(outcome);
            }
        }
        self.share(&intake.arrivals, at.now, &mut outcomes);
        let ticked = self.tick(intake.tick, at).await;
        let report = self.report(&intake, outcomes, ticked);
        self.tell(&report).await;
        report
    }

    /// Claims every readable event, and stores the unreadable ones. Places and claims of what is to be delivered.
    async fn claimed(&self, arrivals: &[Arrival], at: Moment, outcomes: &mut [Option<Outcome>]) -> Vec<(usize, Held)> {
        let mut first: HashMap<Uuid, usize> = HashMap::new();
        let mut wanted = Vec::new();
        for (place, arrival) in arrivals.iter().enumerate() {
            match &arrival.event {
                // A second copy in the same input shares what becomes of the first.
                Ok(event) => {
                    let key = C::key(event, at.now);
                    first.entry(key).or_insert_with(|| {
                        wanted.push((place, key));
                        place
                    });
                }
                Err(reason) => {
                    let outcome = self.bury(arrival, reason.code(), &reason.to_string(), at).await;
                    if let Some(slot) = outcomes.get_mut(place) {
                        *slot = Some(outcome);
                    }
                }
            }
        }
        let holding = TimeDelta::from_std(at.deadline.remaining()).unwrap_or(TimeDelta::MAX / 2) + HOLD_BEYOND;
        let holding = holding.min(TimeDelta::minutes(20));
        let claims = futures::stream::iter(wanted).map(|(place, key)| async move {
            (place, self.lake.claim(C::NAME, &key.to_string(), at.now, holding).await)
        });
        let claims: Vec<_> = claims.buffered(AT_ONCE).collect().await;
        let mut held = Vec::new();
        for (place, claim) in claims {
            let outcome = match claim {
                Ok(Claim::Held(claim)) => {
                    held.push((place, claim));
                    continue;
                }
                Ok(Claim::Done(_)) => Outcome::Repeated,
                Ok(Claim::InProgress { .. }) => Outcome::Later("another process is delivering it".to_owned()),
                Err(error) => Outcome::Later(format!("claim: {error}")),
            };
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = Some(outcome);
            }
        }
        held
    }

    /// Notes what became of an event, so that it is not done again, or may be.
    async fn settle(&self, outcome: Outcome, held: Held, arrival: Option<&Arrival>, at: Moment) -> Outcome {
        let outcome = match (outcome, arrival) {
            (Outcome::Refused(reason), Some(arrival)) => self.bury(arrival, "NotDeliverable", &reason, at).await,
            (outcome, _) => outcome,
        };
        let noted = match &outcome {
            Outcome::Later(_) => held.release().await,
            _ => held.done(json!(name(&outcome))).await,
        };
        if let Some(Arrival { event: Ok(event), .. }) = arrival {
            debug!(event_id = event.key.to_string(), outcome = name(&outcome), "event settled");
        }
        if let Err(error) = noted {
            // It was sent; not to hand it back is the lesser evil, another delivery of the bus may repeat it.
            warn!(reason = error.to_string(), outcome = name(&outcome), "outcome could not be noted");
        }
        outcome
    }

    /// Stores what cannot be read or delivered.
    async fn bury(&self, arrival: &Arrival, code: &str, reason: &str, at: Moment) -> Outcome {
        let letter = DeadLetter {
            attempts_made: 1,
            arrival: Some(at.now),
            error_code: code.to_owned(),
            error_message: format!("{}: {reason}", C::NAME),
            raw: arrival.raw.clone(),
            sequence_number: arrival.message_id.clone(),
            ..DeadLetter::default()
        };
        match self.lake.write_dead_letter(&letter).await {
            Ok(written) => {
                error!(code, reason, key = written.key, "event is a dead letter");
                Outcome::Refused(reason.to_owned())
            }
            Err(error) => Outcome::Later(format!("dead letter: {error}")),
        }
    }

    /// Copies of an event in one input: they are repeated if the first was dealt with, and come again with it if not.
    fn share(&self, arrivals: &[Arrival], now: DateTime<Utc>, outcomes: &mut [Option<Outcome>]) {
        let mut first: HashMap<Uuid, Outcome> = HashMap::new();
        for (arrival, outcome) in arrivals.iter().zip(outcomes) {
            let Ok(event) = &arrival.event else { continue };
            match outcome {
                Some(outcome) => {
                    first.insert(C::key(event, now), outcome.clone());
                }
                None => {
                    *outcome = Some(match first.get(&C::key(event, now)) {
                        Some(Outcome::Later(reason)) => Outcome::Later(reason.clone()),
                        Some(_) => Outcome::Repeated,
                        None => Outcome::Later("it was not reached".to_owned()),
                    });
                }
            }
        }
    }

    /// Does what is due. The clock of the schedule counts where it is ahead of ours.
    async fn tick(&self, schedule: Option<DateTime<Utc>>, at: Moment) -> Result<u64, String> {
        let asked = schedule.is_some();
        let at = Moment { now: schedule.map_or(at.now, |time| time.max(at.now)), ..at };
        if at.deadline.has_passed() {
            return if asked { Err("no time is left".to_owned()) } else { Ok(0) };
        }
        match Box::pin(self.channel.tick(at)).await {
            Ok(sent) => Ok(sent),
            Err(error) => {
                let reason = format!("{error:#}");
                warn!(reason, "what is due could not be sent");
                // Unasked, it was an attempt only: the next input tries again.
                if asked { Err(reason) } else { Ok(0) }
            }
        }
    }

    fn report(&self, intake: &Intake, outcomes: Vec<Option<Outcome>>, ticked: Result<u64, String>) -> Report {
        let mut report = Report { events_in: outcomes.len() as u64, ..Report::default() };
        for (arrival, outcome) in intake.arrivals.iter().zip(outcomes) {
            let outcome = outcome.unwrap_or_else(|| Outcome::Later("it was not reached".to_owned()));
            *report.counts.entry(name(&outcome)).or_default() += 1;
            let Outcome::Later(reason) = outcome else { continue };
            report.reason.get_or_insert(reason);
            if let Some(id) = arrival.message_id.as_ref().filter(|id| !report.failed_messages.contains(id)) {
                report.failed_messages.push(id.clone());
            }
        }
        match ticked {
            Ok(sent) => report.ticked = sent,
            Err(reason) => report.reason = report.reason.or(Some(reason)),
        }
        report
    }

    /// One log line and the metrics of an input.
    async fn tell(&self, report: &Report) {
        let counts = json!(report.counts).to_string();
        let (events_in, ticked, handed_back) = (report.events_in, report.ticked, report.count("handed_back"));
        let reason = report.reason.as_deref();
        info!(program = C::NAME, events_in, counts, ticked, handed_back, reason, "input done");
        let delivered = report.count("delivered") + ticked;
        let points = [
            (C::METRIC, delivered),
            (NOTIFY_DEAD_LETTERS, report.count("dead_letter")),
            (NOTIFY_HANDED_BACK, handed_back),
        ];
        let points: Vec<Point> = points
            .into_iter()
            .filter(|(name, count)| *count > 0 || *name == C::METRIC && report.events_in > 0)
            .map(|(name, count)| Point::count(name, count))
            .chain(self.channel.notices())
            .collect();
        if let (Some(metrics), false) = (&self.metrics, points.is_empty()) {
            metrics.publish(&points).await;
        }
    }
}

impl<C: Channel> Handler for Program<C> {
    type Event = Value;
    type Answer = Value;

    /// For a batch of SQS messages the answer names those to deliver again; for a direct event that would be lost in an
    /// answer, so the invocation fails and Lambda, or the bus, tries again and then uses its dead-letter queue.
    async fn handle(&self, event: Value, deadline: Deadline) -> anyhow::Result<Value> {
        let intake = open(&event);
        let is_batch = intake.batch;
        // Boxed, as is the channel's work: the compiler gives up on futures nested too deep.
        let report = Box::pin(self.run(intake, Moment { now: Utc::now(), deadline })).await;
        if let (false, Some(reason)) = (is_batch, &report.reason) {
            anyhow::bail!("{} of {} events handed back: {reason}", report.count("handed_back"), report.events_in);
        }
        let failures: Vec<Value> = report.failed_messages.iter().map(|id| json!({"itemIdentifier": id})).collect();
        Ok(json!({"batchItemFailures": failures}))
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Collected => "collected",
        Outcome::Repeated => "repeated",
        Outcome::Unwanted(_) => "unwanted",
        Outcome::Later(_) => "handed_back",
        Outcome::Refused(_) => "dead_letter",
    }
}
