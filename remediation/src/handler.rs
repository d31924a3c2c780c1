//! `remediator` as a Lambda on an SQS queue, with partial batch response.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use lake::{DeadLetter, Lake};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stream::backoff::Deadline;
use stream::bus::Bus;
use stream::lambda::Handler;
use stream::metrics::{Metrics, Point};
use stream::settings::Settings;
use tracing::{error, info, warn};

use crate::accounts::Accounts;
use crate::remediator::{ConfigSource, Disposition, Remediator, Switches};
use crate::request::Request;
use crate::settings::OwnSettings;
use crate::tell::{REMEDIATION_DEAD_LETTERS, REMEDIATION_DELAYED, Teller};

/// Requests at the same time.
const AT_ONCE: usize = 4;
/// Less time than this is not enough for a repair: the message is handed back.
const TIME_FOR_ONE: std::time::Duration = std::time::Duration::from_secs(3);
/// Longest delay of a message (SQS).
const MAX_DELAY_SECONDS: i64 = 900;
/// Messages that wait for the same window come back spread over so long.
const SPREAD_SECONDS: i64 = 45;

/// A batch as Lambda hands it over. An event without `Records` is one message, for a call by hand.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Batch {
    /// Messages of a queue.
    Queue {
        /// The messages.
        #[serde(rename = "Records")]
        records: Vec<Message>,
    },
    /// One message.
    One(Value),
}

/// One message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub message_id: String,
    /// Its text.
    #[serde(default)]
    pub body: String,
    /// Among others how often it was received.
    #[serde(default)]
    pub attributes: Value,
}

/// The messages that must be delivered again.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// One for each.
    pub batch_item_failures: Vec<Failed>,
}

/// A message that must be delivered again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// Its id.
    pub item_identifier: String,
}

/// The program.
#[derive(Debug)]
pub struct Program {
    remediator: Remediator,
    /// Where messages wait: a new one with a delay, as each receipt of the old one counts towards the dead-letter queue.
    queue: Option<(aws_sdk_sqs::Client, String)>,
}

impl Program {
    /// Opens everything that the settings name.
    pub async fn start(settings: Settings) -> anyhow::Result<Program> {
        let own = OwnSettings::from_env();
        let (remediator, config) = open(&settings, &own).await?;
        let queue = settings.sqs_queue_url.clone().map(|url| (aws_sdk_sqs::Client::new(&config), url));
        if queue.is_none() {
            warn!("SQS_QUEUE_URL is not set: repairs beyond the budget use up the receipts of their message");
        }
        Ok(Program { remediator, queue })
    }

    /// Deals with a batch. Answers for each message; a message without an id cannot be handed back alone.
    pub async fn handle_messages(&self, messages: &[Message], deadline: Deadline) -> Answer {
        let dealt = futures::stream::iter(messages).map(|message| self.one(message, deadline)).buffered(AT_ONCE);
        let outcomes: Vec<bool> = dealt.collect().await;
        let failed = messages.iter().zip(&outcomes).filter(|(_, is_done)| !**is_done);
        let batch_item_failures: Vec<Failed> =
            failed.map(|(message, _)| Failed { item_identifier: message.message_id.clone() }).collect();
        info!(messages = messages.len(), handed_back = batch_item_failures.len(), "batch done");
        Answer { batch_item_failures }
    }

    /// Whether the message may be deleted.
    async fn one(&self, message: &Message, deadline: Deadline) -> bool {
        if deadline.remaining() < TIME_FOR_ONE {
            return false;
        }
        let request = match Request::read(&message.body) {
            Ok(request) => request,
            Err(reason) => {
                self.bury(message, &reason).await;
                // Handed back: after its last receipt the queue puts it among its dead letters.
                return false;
            }
        };
        match self.remediator.handle(&request, deadline).await {
            Disposition::Done(_) | Disposition::Repeated => true,
            Disposition::Again(reason) => {
                warn!(message_id = message.message_id, reason, "message is handed back");
                false
            }
            Disposition::NotBefore(until, reason) => {
                info!(message_id = message.message_id, reason, %until, "repair waits");
                self.remediator.teller.send(&[Point::count(REMEDIATION_DELAYED, 1)]).await;
                self.wait(message, until).await
            }
        }
    }

    /// Puts the message back with a delay. When that fails it is handed back as it is.
    async fn wait(&self, message: &Message, until: DateTime<Utc>) -> bool {
        let Some((client, url)) = &self.queue else { return false };
        let spread = message.message_id.bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % SPREAD_SECONDS);
        let delay = ((until - Utc::now()).num_seconds() + 1 + spread).clamp(1, MAX_DELAY_SECONDS);
        let delay = i32::try_from(delay).unwrap_or(1);
        let call = client.send_message().queue_url(url).message_body(&message.body).delay_seconds(delay);
        match call.send().await {
            Ok(_) => true,
            Err(error) => {
                let reason = aws_sdk_sqs::error::DisplayErrorContext(&error).to_string();
                warn!(message_id = message.message_id, reason, "message could not be put back with a delay");
                false
            }
        }
    }

    async fn bury(&self, message: &Message, reason: &crate::request::RequestError) {
        let receipts = message.attributes.get("ApproximateReceiveCount").and_then(Value::as_str);
        let sent = message.attributes.get("SentTimestamp").and_then(Value::as_str);
        let arrival = sent.and_then(|millis| millis.parse().ok()).and_then(DateTime::from_timestamp_millis);
        let letter = DeadLetter {
            // The first of each message makes the object; the content must not differ later.
            attempts_made: 1,
            arrival,
            error_code: reason.code().to_owned(),
            error_message: reason.to_string(),
            raw: message.body.clone().into_bytes(),
            ..DeadLetter::default()
        };
        error!(message_id = message.message_id, %reason, receipts, "message cannot be read");
        if receipts.is_none_or(|count| count == "1") {
            self.remediator.teller.send(&[Point::count(REMEDIATION_DEAD_LETTERS, 1)]).await;
        }
        if let Err(error) = self.remediator.lake.write_dead_letter(&letter).await {
            error!(%error, "the dead letter could not be stored, the message stays in the queue");
        }
    }
}

/// A remediator with everything that the settings name, on AWS.
pub(crate) async fn open(
    settings: &Settings,
    own: &OwnSettings,
) -> anyhow::Result<(Remediator, aws_config::SdkConfig)> {
    let audit = settings.audit_location.as_deref().context("AUDIT_BUCKET is not set: name the bucket of the lake")?;
    let config = stream::aws::config().await;
    let lake = Lake::open(audit).await.context("opening AUDIT_BUCKET")?;
    let snapshots = match own.snapshot_location.as_deref() {
        Some(location) => Lake::open(location).await.context("opening SNAPSHOT_BUCKET")?,
        None => lake.clone(),
    };
    let source = match settings.rules_location.as_deref() {
        Some(location) => {
            let lake = Lake::open(location).await.context("opening RULES_BUCKET")?;
            ConfigSource::Object { lake, key: own.config_key.clone() }
        }
        None => ConfigSource::Missing("RULES_BUCKET is not set".to_owned()),
    };
    let bus = Some(Bus::new(settings, &config)?);
    let metrics = Some(Metrics::new(&config, &settings.metrics_namespace));
    let remediator = Remediator {
        lake,
        snapshots,
        config: source,
        switches: switches(settings, own),
        accounts: Some(Accounts::new(own, config.clone())),
        teller: Teller { bus, metrics },
    };
    Ok((remediator, config))
}

/// What the settings switch.
pub(crate) fn switches(settings: &Settings, own: &OwnSettings) -> Switches {
    Switches {
        enabled: settings.enable_remediation,
        dry_run: settings.dry_run,
        allowed_actions: settings.allowed_actions.clone(),
        own_roles: own
            .role_name
            .iter()
            .chain(&own.own_account_role_name)
            .chain(&settings.read_role_name)
            .cloned()
            .collect(),
    }
}

/// The handler that Lambda calls.
#[derive(Debug)]
pub struct Remediate(Arc<Program>);

impl Remediate {
    /// Opens everything that the settings name.
    pub async fn start(settings: Settings) -> anyhow::Result<Remediate> {
        Ok(Remediate(Arc::new(Program::start(settings).await?)))
    }
}

impl Handler for Remediate {
    type Event = Batch;
    type Answer = Answer;

    async fn handle(&self, event: Batch, deadline: Deadline) -> anyhow::Result<Answer> {
        match event {
            Batch::Queue { records } => Ok(self.0.handle_messages(&records, deadline).await),
            Batch::One(value) => {
                let message =
                    Message { message_id: "direct".to_owned(), body: value.to_string(), attributes: Value::Null };
                let answer = self.0.handle_messages(std::slice::from_ref(&message), deadline).await;
                // There is no queue to hand it back to: the caller must know.
                anyhow::ensure!(answer.batch_item_failures.is_empty(), "the request is not done, send it again");
                Ok(answer)
            }
        }
    }
}
