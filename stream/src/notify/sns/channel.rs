//! SNS as a channel: batches of messages, each with its own answer.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::{DisplayErrorContext, SdkError};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{SnsMessage, message};
use crate::backoff::Backoff;
use crate::notify::batches::{Answer, Batches};
use crate::notify::event::BusEvent;
use crate::notify::run::{Channel, Moment, Outcome, SNS_ALERTS_PUBLISHED};

const BACKOFF: Backoff =
    Backoff { tries: 4, first: std::time::Duration::from_millis(200), longest: std::time::Duration::from_secs(3) };

/// Publishes to topics.
#[derive(Debug)]
pub struct Sns {
    client: Client,
    topic: String,
    priority_topic: Option<String>,
    json: bool,
}

impl Sns {
    /// `client` should make no retries of its own. Messages of high priority go to `priority_topic` where there is one;
    /// `json` gives each protocol its own form.
    pub fn new(client: Client, topic: &str, priority_topic: Option<&str>, json: bool) -> Sns {
        Sns { client, topic: topic.to_owned(), priority_topic: priority_topic.map(str::to_owned), json }
    }

    fn topic_of(&self, message: &SnsMessage) -> &str {
        self.priority_topic.as_deref().filter(|_| message.priority).unwrap_or(&self.topic)
    }

    fn entry(&self, place: usize, message: &SnsMessage) -> Result<PublishBatchRequestEntry, String> {
        let mut entry = PublishBatchRequestEntry::builder().id(place.to_string()).subject(&message.subject);
        entry = match self.json {
            true => entry.message(message.structure()).message_structure("json"),
            false => entry.message(&message.body),
        };
        for (name, value) in message.attributes.iter().filter(|(_, value)| !value.is_empty()) {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            entry = entry.message_attributes(*name, value.map_err(|error| error.to_string())?);
        }
        entry.build().map_err(|error| error.to_string())
    }
}

/// One topic.
struct Topic<'s> {
    sns: &'s Sns,
    arn: &'s str,
}

impl Batches for Topic<'_> {
    type Item = SnsMessage;
    const SERVICE: &'static str = "SNS";
    const MAX_ITEMS: usize = 10;
    /// Below the 256 KiB of every topic, with room for attributes.
    const MAX_BYTES: usize = 200 * 1024;

    fn bytes(message: &SnsMessage) -> usize {
        message.body.len() + message.structure().len()
    }

    async fn call(&self, messages: &[&SnsMessage]) -> Result<Vec<Answer>, String> {
        let entries = (0..).zip(messages).map(|(place, message)| self.sns.entry(place, message));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let call = self.sns.client.publish_batch().topic_arn(self.arn).set_publish_batch_request_entries(Some(entries));
        let output = call.send().await.map_err(|error| match &error {
            // Other kinds may hold the request, and so the text of the message.
            SdkError::ServiceError(_) => DisplayErrorContext(&error).to_string(),
            _ => "no answer".to_owned(),
        })?;
        let answer = |place: usize| {
            let id = place.to_string();
            if output.successful().iter().any(|entry| entry.id() == Some(id.as_str())) {
                return Answer::Taken;
            }
            match output.failed().iter().find(|entry| entry.id() == id) {
                Some(entry) if entry.sender_fault() => Answer::Never(entry.code().to_owned()),
                Some(entry) => Answer::Again(entry.code().to_owned()),
                None => Answer::Again("no answer for the message".to_owned()),
            }
        };
        Ok((0..messages.len()).map(answer).collect())
    }
}

impl Channel for Sns {
    const NAME: &'static str = "sns_publisher";
    const METRIC: &'static str = SNS_ALERTS_PUBLISHED;

    fn key(event: &BusEvent, now: DateTime<Utc>) -> Uuid {
        event.told_once(now).unwrap_or(event.key)
    }

    async fn deliver(&self, events: &[BusEvent], at: Moment) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Unwanted("kept in the audit log only"); events.len()];
        let (mut normal, mut priority) = (Vec::new(), Vec::new());
        for (place, message) in events.iter().enumerate().filter_map(|(place, event)| Some((place, message(event)?))) {
            let is_own = self.topic_of(&message) == self.topic;
            if is_own { &mut normal } else { &mut priority }.push((place, message));
        }
        let priority_topic = self.priority_topic.as_deref().unwrap_or(&self.topic);
        for (arn, messages) in [(priority_topic, priority), (&self.topic, normal)] {
            let (places, messages): (Vec<usize>, Vec<SnsMessage>) = messages.into_iter().unzip();
            let told = Topic { sns: self, arn }.send(&messages, BACKOFF, at.deadline).await;
            for (place, outcome) in places.into_iter().zip(told) {
                if let Some(slot) = outcomes.get_mut(place) {
                    *slot = outcome;
                }
            }
        }
        outcomes
    }
}
