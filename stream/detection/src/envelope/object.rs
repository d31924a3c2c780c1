//! One JSON object: a CloudTrail event, or an envelope known by its members.

use std::borrow::Cow;

use chrono::{DateTime, TimeZone, Utc};
use serde_json::value::RawValue;

use super::Walk;
use super::piece::{Other, Reason, Step};
use super::text::may_hold;
use crate::event::{CloudTrailEvent, time};
use crate::members::{Members, filled};

/// What CloudTrail's own events have beside `eventName`; one of these tells them from other programs' events.
const MARKS_OF_AN_EVENT: [&str; 4] = ["eventSource", "eventVersion", "userIdentity", "eventTime"];

/// Lists of records: S3 files and Lambda's triggers, Firehose, the output of `aws cloudtrail lookup-events`.
const LISTS: [&str; 3] = ["Records", "records", "Events"];

/// Where log shippers and queues put the text or the object they carry, in the order of trust.
const WRAPPERS: [&str; 10] =
    ["CloudTrailEvent", "_raw", "original", "Message", "message", "event", "payload", "log", "body", "detail"];

impl Walk<'_> {
    pub(super) fn object(&mut self, text: &str, members: &Members<'_>, time: Option<DateTime<Utc>>) {
        if is_event(members) {
            return self.record(text, members, time);
        }
        if let Some(other) = other(members) {
            return self.other(other, text.as_bytes());
        }
        if self.path.envelopes() >= self.opening.limits.max_nesting {
            let limit = self.opening.limits.max_nesting;
            return self.unreadable(Reason::NestedTooDeep { limit }, text.as_bytes());
        }
        if members.text("messageType").is_some() && self.log_events(text, members, time) {
            return;
        }
        if members.has("detail-type") {
            return self.bus_event(text, members, time);
        }
        if self.trigger(members, time) {
            return;
        }
        for key in LISTS {
            if let Some(list) = members.get(key).filter(|list| list.get().starts_with('[')) {
                return self.within(Step::Into(key), |walk| walk.list(list, |walk, entry| walk.value(entry, time)));
            }
        }
        self.wrapper(text, members, time);
    }

    /// A CloudTrail event, unless it is one of those that report on others.
    fn record(&mut self, text: &str, members: &Members<'_>, time: Option<DateTime<Utc>>) {
        let limit = self.opening.limits.max_event_bytes;
        if let Some(other) = report(members) {
            self.other(other, text.as_bytes());
        } else if text.len() > limit {
            self.unreadable(Reason::EventTooLarge { limit }, text.as_bytes());
        } else {
            match without_lone_surrogates(text) {
                Cow::Borrowed(text) => self.event(CloudTrailEvent::from_members(text, members, time), text),
                Cow::Owned(repaired) => self.event(CloudTrailEvent::parse(&repaired, time), &repaired),
            }
        }
    }

    /// A CloudWatch Logs subscription. Source: CloudWatch Logs user guide, "Log group-level subscription filters".
    fn log_events(&mut self, text: &str, members: &Members<'_>, envelope: Option<DateTime<Utc>>) -> bool {
        if members.text("messageType").as_deref() == Some("CONTROL_MESSAGE") {
            self.other(Other::ControlMessage, text.as_bytes());
            return true;
        }
        let Some(list) = members.get("logEvents").filter(|list| list.get().starts_with('[')) else { return false };
        self.within(Step::Into("logEvents"), |walk| {
            walk.list(list, |walk, entry| {
                let members = Members::of(entry);
                let written = members.get("timestamp").and_then(epoch_millis).or(envelope);
                match members.get("message") {
                    Some(message) => walk.value(message, written),
                    None => walk.unreadable(Reason::NotCloudTrail, entry.get().as_bytes()),
                }
            });
        });
        true
    }

    /// An event of EventBridge. What CloudTrail sends says so in `detail-type`; another bus may have renamed that, so a
    /// `detail` that is a CloudTrail record counts, too.
    fn bus_event(&mut self, text: &str, members: &Members<'_>, envelope: Option<DateTime<Utc>>) {
        let is_cloudtrail = members.text("detail-type").is_some_and(|kind| kind.ends_with("via CloudTrail"));
        match members.get("detail") {
            Some(detail) if is_cloudtrail || is_event(&Members::of(detail)) => {
                let sent = members.get("time").and_then(time).or(envelope);
                self.within(Step::Into("detail"), |walk| walk.value(detail, sent));
            }
            _ => self.other(Other::BusEvent, text.as_bytes()),
        }
    }

    /// What Lambda hands to a function: Kinesis and CloudWatch Logs data, SNS messages; and a record of Firehose.
    /// Source: Lambda developer guide, the event of each trigger.
    fn trigger(&mut self, members: &Members<'_>, envelope: Option<DateTime<Utc>>) -> bool {
        let inside = |key: &str, inner: &str| Members::of(members.get(key)?).get(inner);
        if let Some(data) = inside("kinesis", "data") {
            let arrival = inside("kinesis", "approximateArrivalTimestamp").and_then(epoch_seconds).or(envelope);
            self.within(Step::Into("kinesis"), |walk| walk.base64(data, arrival));
        } else if let Some(data) = inside("awslogs", "data") {
            self.within(Step::Into("awslogs"), |walk| walk.base64(data, envelope));
        } else if let Some(message) = inside("Sns", "Message") {
            self.within(Step::Into("Sns"), |walk| walk.value(message, envelope));
        } else if let Some(data) = members.get("data").filter(|_| members.has("recordId")) {
            self.within(Step::Into("data"), |walk| walk.base64(data, envelope));
        } else {
            return false;
        }
        true
    }

    /// What a log shipper or a queue wrapped around a record: the first member that can hold one.
    fn wrapper(&mut self, text: &str, members: &Members<'_>, envelope: Option<DateTime<Utc>>) {
        let sent = ["EventTime", "@timestamp"].into_iter().find_map(|key| members.get(key).and_then(time)).or(envelope);
        let found = WRAPPERS.into_iter().find_map(|key| Some((key, members.get(key).filter(|raw| may_hold(raw))?)));
        match found {
            Some((key, raw)) => self.within(Step::Into(key), |walk| walk.value(raw, sent)),
            None => self.unreadable(Reason::NotCloudTrail, text.as_bytes()),
        }
    }
}

/// Whether the object is a CloudTrail record. Lambda's triggers have `eventName`, too; their source is `aws:…`.
fn is_event(members: &Members<'_>) -> bool {
    members.get("eventName").and_then(filled).is_some()
        && MARKS_OF_AN_EVENT.iter().any(|key| members.has(key))
        && !members.text("eventSource").is_some_and(|source| source.starts_with("aws:"))
}

/// Events about events: Insights and aggregates. Source: CloudTrail user guide, "CloudTrail record contents".
fn report(members: &Members<'_>) -> Option<Other> {
    match (members.text("eventCategory").as_deref(), members.text("eventType").as_deref()) {
        (Some("Insight"), _) | (_, Some("AwsCloudTrailInsight")) => Some(Other::Insight),
        (Some("Aggregated"), _) | (_, Some("AwsAggregatedEvent")) => Some(Other::Aggregated),
        _ => None,
    }
}

/// What is known and is no event. Source of the digest: CloudTrail user guide, "CloudTrail digest file structure".
fn other(members: &Members<'_>) -> Option<Other> {
    if members.has("digestStartTime") && members.has("logFiles") {
        return Some(Other::Digest);
    }
    report(members)
}

fn epoch_millis(raw: &RawValue) -> Option<DateTime<Utc>> {
    Utc.timestamp_millis_opt(raw.get().parse().ok()?).single()
}

/// Lambda gives Kinesis' arrival time in seconds with a fraction.
fn epoch_seconds(raw: &RawValue) -> Option<DateTime<Utc>> {
    let seconds: f64 = raw.get().parse().ok()?;
    // A cast of a float saturates; times out of range have no date.
    Utc.timestamp_millis_opt((seconds * 1000.0).round() as i64).single()
}

/// Replaces halves of surrogate pairs by U+FFFD. CloudTrail cuts long text (`userAgent`, `errorMessage`) and may cut
/// such a pair; strict parsers refuse the whole record for it.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut repaired = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest.as_bytes())) {
        at += found;
        match (unit(text, at), unit(text, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                repaired.push_str(text.get(copied..at).unwrap_or_default());
                repaired.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            (Some(_), _) => at += 6,
            // An escape of two bytes.
            (None, _) => at += 2,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    repaired.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(repaired)
}

/// The UTF-16 unit written as `\uXXXX` at `at`.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}
