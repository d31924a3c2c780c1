//! Slack as a channel: routes, rations and posts. Each step is in its own module; this one puts them in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use lake::{Claim, Lake};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::blocks;
use super::config::SlackConfig;
use super::ledger::Ledger;
use super::limits;
use super::route::{Routed, route};
use super::send::{SendError, Sender};
use super::source::ConfigSource;
use super::storm::{Member, Place, closing_messages, short};
use super::webhook::WebhookParameter;
use crate::backoff::Deadline;
use crate::metrics::{CONFIG_REJECTED, Point};
use crate::notify::event::BusEvent;
use crate::notify::run::{Channel, Moment, Outcome, SLACK_NOTIFICATIONS_SENT};

/// How long a message of a closed window is claimed: longer than one Lambda lives.
const HOLDING: TimeDelta = TimeDelta::minutes(16);
/// Events entered into the record at the same time.
const AT_ONCE: usize = 16;
/// How often a full second is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Posts to Slack.
#[derive(Debug)]
pub struct Slack {
    lake: Lake,
    ledger: Ledger,
    config: ConfigSource,
    webhooks: WebhookParameter,
    sender: Sender,
    /// Nothing is posted before this time: Slack asked for it, and the next message would be refused, too.
    wait_until: Mutex<Option<DateTime<Utc>>>,
}

impl Slack {
    /// Slack with its record in `lake`.
    pub fn new(lake: Lake, config: ConfigSource, webhooks: WebhookParameter) -> anyhow::Result<Slack> {
        let sender = Sender::new().context("making the HTTP client")?;
        let ledger = Ledger::new(lake.clone());
        Ok(Slack { lake, ledger, config, webhooks, sender, wait_until: Mutex::new(None) })
    }

    /// Routes an event and enters it into the record: what became of it, or the message to post.
    async fn admit(&self, event: &BusEvent, config: &SlackConfig, at: Moment) -> Step {
        let (channel, quiet_until) = match route(event, config, at.now) {
            Routed::To { channel, until } => (channel, until),
            Routed::Unwanted(why) => return Step::Settled(Outcome::Unwanted(why)),
        };
        let (Some(member), Some(message)) =
            (Member::of(event, channel.as_deref()), blocks::message(event, config, channel.as_deref()))
        else {
            return Step::Settled(Outcome::Unwanted("kept in the audit log only"));
        };
        match self.ledger.admit(&member, at.now, quiet_until, &config.storm).await {
            Ok((Place::Collected, _)) => Step::Settled(Outcome::Collected),
            Ok((Place::Individual, _)) => Step::Post(channel, message),
            Err(error) => Step::Settled(Outcome::Later(error.to_string())),
        }
    }

    /// Posts when it is this channel's turn.
    async fn post(&self, channel: Option<&str>, message: &Value, deadline: Deadline) -> Result<(), Unsent> {
        let problems = limits::problems(message);
        if !problems.is_empty() {
            return Err(Unsent::Never(format!("over Slack's limits: {}", problems.join("; "))));
        }
        let mut read_again = false;
        loop {
            self.turn(channel, deadline).await?;
            let webhooks = self.webhooks.get(read_again).await.map_err(later)?;
            let webhook = webhooks.of(channel).map_err(later)?;
            match Box::pin(self.sender.post(webhook, message, deadline)).await {
                Ok(()) => return Ok(()),
                // It may have been rotated: once more with what SSM holds now.
                Err(SendError::Webhook { .. }) if !read_again => read_again = true,
                Err(SendError::Message { status, answer }) => {
                    return Err(Unsent::Never(SendError::Message { status, answer }.to_string()));
                }
                Err(SendError::Wait(time)) => {
                    let until = Utc::now() + TimeDelta::from_std(time).unwrap_or(TimeDelta::hours(1));
                    *self.wait_until.lock().await = Some(until);
                    return Err(later(SendError::Wait(time)));
                }
                Err(error @ (SendError::Unavailable(_) | SendError::Webhook { .. })) => {
                    error!(reason = error.to_string(), "message could not be posted");
                    return Err(later(error));
                }
            }
        }
    }

    /// Waits for a second in which nobody else posts to this channel, in any process.
    async fn turn(&self, channel: Option<&str>, deadline: Deadline) -> Result<(), Unsent> {
        let channel = short(&[channel.unwrap_or_default()]);
        loop {
            let now = Utc::now();
            let wait = self.wait_until.lock().await.map_or(TimeDelta::zero(), |until| until - now);
            if wait.to_std().is_ok_and(|wait| wait >= deadline.remaining()) {
                return Err(Unsent::Later("slack asked to wait beyond the deadline".to_owned()));
            }
            if wait <= TimeDelta::zero() {
                let second = format!("{channel}-{}", now.timestamp());
                let slot = self.lake.take_slot("slack-windows/second", &second, 1).await.map_err(later)?;
                if slot.is_some() {
                    return Ok(());
                }
            }
            if deadline.remaining() <= LOOK_AGAIN {
                return Err(Unsent::Later("no second was free before the deadline".to_owned()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Sends what a closed window has to tell. Each message is claimed, so that none is sent twice.
    async fn close(&self, end: DateTime<Utc>, config: &SlackConfig, at: Moment) -> anyhow::Result<u64> {
        let manifest = self.ledger.seal(end).await?;
        let mut sent = 0;
        for closing in closing_messages(&manifest, config) {
            // Held by the wall clock: a tick may carry another time.
            let held = match self.lake.claim("slack-closing", &closing.id, Utc::now(), HOLDING).await? {
                Claim::Done(_) => continue,
                Claim::InProgress { .. } => anyhow::bail!("another process sends {}", closing.id),
                Claim::Held(held) => held,
            };
            match Box::pin(self.post(closing.channel.as_deref(), &closing.message, at.deadline)).await {
                Ok(()) => {
                    sent += 1;
                    held.done(json!("sent")).await?;
                }
                Err(Unsent::Later(reason)) => {
                    held.release().await?;
                    anyhow::bail!("{}: {reason}", closing.id);
                }
                Err(Unsent::Never(reason)) => {
                    error!(id = closing.id, reason, "a summary is refused; its events are in the lake");
                    held.done(json!(reason)).await?;
                }
            }
        }
        self.ledger.close(end).await?;
        let groups = manifest.groups.len();
        info!(end = end.to_rfc3339(), groups, sent, "window closed");
        Ok(sent)
    }
}

impl Channel for Slack {
    const NAME: &'static str = "slack_handler";
    const METRIC: &'static str = SLACK_NOTIFICATIONS_SENT;

    fn key(event: &BusEvent, now: DateTime<Utc>) -> Uuid {
        event.told_once(now).unwrap_or(event.key)
    }

    async fn deliver(&self, events: &[BusEvent], at: Moment) -> Vec<Outcome> {
        let config = match self.config.current().await {
            Ok(config) => config,
            Err(error) => return vec![Outcome::Later(error.to_string()); events.len()],
        };
        let steps: Vec<_> = events.iter().map(|event| self.admit(event, &config, at)).collect();
        let steps: Vec<Step> = futures::stream::iter(steps).buffered(AT_ONCE).collect().await;
        let mut outcomes = Vec::with_capacity(events.len());
        for step in steps {
            outcomes.push(match step {
                Step::Settled(outcome) => outcome,
                // What there is no time for goes back to the queue.
                Step::Post(..) if at.deadline.has_passed() => Outcome::Later("no time is left".to_owned()),
                Step::Post(channel, message) => {
                    match Box::pin(self.post(channel.as_deref(), &message, at.deadline)).await {
                        Ok(()) => Outcome::Delivered,
                        Err(Unsent::Later(reason)) => Outcome::Later(reason),
                        Err(Unsent::Never(reason)) => Outcome::Refused(reason),
                    }
                }
            });
        }
        outcomes
    }

    fn notices(&self) -> Vec<Point> {
        match self.config.take_rejected() {
            0 => Vec::new(),
            rejected => vec![Point::count(CONFIG_REJECTED, rejected)],
        }
    }

    async fn tick(&self, at: Moment) -> anyhow::Result<u64> {
        let config: Arc<SlackConfig> = self.config.current().await?;
        let mut sent = 0;
        let mut failed = None;
        for end in self.ledger.due(at.now).await? {
            match self.close(end, &config, at).await {
                Ok(number) => sent += number,
                Err(error) => {
                    warn!(end = end.to_rfc3339(), reason = format!("{error:#}"), "window not closed yet");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(sent), Err)
    }
}

/// How far an event is.
#[derive(Debug)]
enum Step {
    Settled(Outcome),
    Post(Option<String>, Value),
}

/// Why a message was not posted.
#[derive(Debug)]
enum Unsent {
    Later(String),
    Never(String),
}

fn later(error: impl std::fmt::Display) -> Unsent {
    Unsent::Later(error.to_string())
}
