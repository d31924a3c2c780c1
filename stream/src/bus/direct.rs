//! The way past the bus: people through SNS, the remediator through its queue.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use schemas::bus::BusEntry;
use serde_json::{Value, json};

use super::batches::{MAX_BATCH, batches};
use super::{Outgoing, Unsent};
use crate::backoff::Backoff;
use crate::notify::event::BusEvent;
use crate::notify::sns::message;
use crate::settings::Settings;

/// Messages and batches of SNS and SQS are at most so long in every region, bytes.
const MAX_MESSAGE: usize = 256 * 1024;
/// Room for what surrounds a body: its id and its subject.
const FRAME: usize = 256;
/// Tries of a message.
const BACKOFF: Backoff =
    Backoff { tries: 3, first: std::time::Duration::from_millis(100), longest: std::time::Duration::from_secs(1) };

/// The topic and the queue of the direct way.
#[derive(Debug, Clone)]
pub struct Direct {
    topic: Option<(aws_sdk_sns::Client, String)>,
    queue: Option<(aws_sdk_sqs::Client, String)>,
}

/// A message to send; `place` is that of its entry.
struct Message {
    place: usize,
    subject: String,
    body: String,
}

/// By the place of the entry; `None` for delivered.
type Outcomes = BTreeMap<usize, Option<Unsent>>;

impl Direct {
    /// The topic and queue that the settings name.
    pub fn new(settings: &Settings, config: &aws_config::SdkConfig) -> Direct {
        Direct {
            topic: settings.sns_topic_arn.clone().map(|arn| (aws_sdk_sns::Client::new(config), arn)),
            queue: settings.sqs_queue_url.clone().map(|url| (aws_sdk_sqs::Client::new(config), url)),
        }
    }

    /// Whether there is any.
    pub fn leads_somewhere(&self) -> bool {
        self.topic.is_some() || self.queue.is_some()
    }

    /// Sends the entries at some places: each to the topic, and repairs to the queue as well. An entry is delivered when
    /// every part of it is. As a fallback for the bus, a repair without a queue is not.
    pub(super) async fn send(
        &self,
        outgoing: &[Outgoing],
        places: &[usize],
        is_fallback: bool,
        cap: usize,
    ) -> Outcomes {
        let mut outcomes: Outcomes = places.iter().map(|place| (*place, None)).collect();
        let (mut notices, mut repairs) = (Vec::new(), Vec::new());
        for place in places {
            let Some(Outgoing { entry, is_remediation }) = outgoing.get(*place) else { continue };
            if self.topic.is_some() {
                notices.push(notice(*place, entry));
            }
            match (&self.queue, is_remediation) {
                (Some(_), true) => repairs.push(repair(*place, entry, cap.min(MAX_MESSAGE))),
                (None, true) if is_fallback => {
                    outcomes.insert(*place, Some(Unsent::Later("SQS_QUEUE_URL is not set".to_owned())));
                }
                // The only way is a queue for repairs, and this is none.
                (Some(_), false) if self.topic.is_none() && is_fallback => {
                    outcomes.insert(*place, Some(Unsent::Later("SNS_TOPIC_ARN is not set".to_owned())));
                }
                _ => {}
            }
        }
        let (notices, repairs) = tokio::join!(self.publish(notices), self.enqueue(repairs));
        for (place, failure) in notices.into_iter().chain(repairs) {
            outcomes.insert(place, Some(failure));
        }
        outcomes
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<(usize, Unsent)> {
        let Some((client, arn)) = &self.topic else { return Vec::new() };
        retrying(messages, async |part: &[&Message]| {
            let entries = part.iter().filter_map(|message| {
                let entry = PublishBatchRequestEntry::builder().id(message.place.to_string()).message(&message.body);
                entry.subject(&message.subject).build().ok()
            });
            let call = client.publish_batch().topic_arn(arn).set_publish_batch_request_entries(Some(entries.collect()));
            match call.send().await {
                Ok(reply) => Ok(reply
                    .failed()
                    .iter()
                    .map(|failed| (failed.id().to_owned(), failed.sender_fault(), failed.code().to_owned()))
                    .collect()),
                Err(error) => Err(aws_sdk_sns::error::DisplayErrorContext(&error).to_string()),
            }
        })
        .await
    }

    async fn enqueue(&self, messages: Vec<Message>) -> Vec<(usize, Unsent)> {
        let Some((client, url)) = &self.queue else { return Vec::new() };
        retrying(messages, async |part: &[&Message]| {
            let entries = part.iter().filter_map(|message| {
                let entry = SendMessageBatchRequestEntry::builder().id(message.place.to_string());
                entry.message_body(&message.body).build().ok()
            });
            let call = client.send_message_batch().queue_url(url).set_entries(Some(entries.collect()));
            match call.send().await {
                Ok(reply) => Ok(reply
                    .failed()
                    .iter()
                    .map(|failed| (failed.id().to_owned(), failed.sender_fault(), failed.code().to_owned()))
                    .collect()),
                Err(error) => Err(aws_sdk_sqs::error::DisplayErrorContext(&error).to_string()),
            }
        })
        .await
    }
}

/// What failed of one call: id, whether the message itself is at fault, code.
type CallResult = Result<Vec<(String, bool, String)>, String>;

/// Sends in batches, what failed again, and returns what failed in the end.
async fn retrying(messages: Vec<Message>, call: impl AsyncFn(&[&Message]) -> CallResult) -> Vec<(usize, Unsent)> {
    let mut failures = Vec::new();
    let mut waiting: Vec<&Message> = messages.iter().collect();
    let mut failed_tries = 0;
    while !waiting.is_empty() {
        let mut again = HashMap::new();
        for part in batches(&waiting, MAX_BATCH, MAX_MESSAGE, |message| message.body.len() + FRAME) {
            match call(&part).await {
                Err(reason) => again.extend(part.iter().map(|message| (message.place, reason.clone()))),
                Ok(failed) => {
                    for (id, is_at_fault, code) in failed {
                        let place = id.parse().unwrap_or(usize::MAX);
                        if is_at_fault {
                            failures.push((place, Unsent::Refused(code)));
                        } else {
                            again.insert(place, code);
                        }
                    }
                }
            }
        }
        waiting.retain(|message| again.contains_key(&message.place));
        failed_tries += 1;
        let Some(pause) = BACKOFF.pause(failed_tries) else {
            failures.extend(again.into_iter().map(|(place, reason)| (place, Unsent::Later(reason))));
            break;
        };
        tokio::time::sleep(pause).await;
    }
    failures
}

/// The message for people; of entries that are none of a violation, the detail itself.
fn notice(place: usize, entry: &BusEntry) -> Message {
    let read = json!({"source": entry.source, "detail-type": entry.detail_type, "detail": entry.detail});
    match BusEvent::read(&read).ok().and_then(|event| message(&event)) {
        Some(message) => Message { place, subject: message.subject, body: message.body },
        None => {
            Message { place, subject: format!("IAM Policy Monitor: {}", entry.detail_type), body: entry.detail.clone() }
        }
    }
}

/// The message for the remediator, in the form that its users know.
fn repair(place: usize, entry: &BusEntry, cap: usize) -> Message {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    let part = |name: &str| detail.get(name).cloned().unwrap_or_default();
    let violation = part("violation");
    let action = violation.get("remediation_action").cloned().unwrap_or_default();
    let body = |event: Value| {
        let body = json!({
            "violation": violation,
            "event": event,
            "remediation_action": action,
            "timestamp": part("timestamp"),
        });
        body.to_string()
    };
    let mut text = body(part("originalEvent"));
    if text.len() + FRAME > cap {
        text = body(json!({"omitted": true, "reason": "message too large"}));
    }
    Message { place, subject: String::new(), body: text }
}
