//! What a program is handed, taken apart into single bus events: one event, a list, JSON lines, a batch of SQS messages
//! (also with an SNS envelope inside), or the tick of a schedule.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::event::{BusEvent, EventError};

/// Events of one input; more than fit into any Lambda payload (6 MB).
pub const MAX_EVENTS: usize = 20_000;
/// Envelopes inside one another: SQS, SNS, list.
const MAX_DEPTH: usize = 4;
/// Characters of a message id that are looked at; SQS gives 36.
const MAX_ID: usize = 100;

/// One event as it arrived.
#[derive(Debug)]
pub struct Arrival {
    /// SQS message it came in; `None` when it was handed over directly.
    pub message_id: Option<String>,
    /// The event, or why it is none.
    pub event: Result<BusEvent, EventError>,
    /// The bytes, for a dead letter.
    pub raw: Vec<u8>,
}

/// Everything of one input.
#[derive(Debug, Default)]
pub struct Intake {
    /// Events in the order they came.
    pub arrivals: Vec<Arrival>,
    /// A schedule asks for what is due at this time.
    pub tick: Option<DateTime<Utc>>,
    /// The input is a batch of SQS messages, which wants an answer for each.
    pub batch: bool,
}

/// Takes apart what the Lambda service hands over.
pub fn open(payload: &Value) -> Intake {
    let mut intake = Intake { batch: payload.get("Records").is_some(), ..Intake::default() };
    intake.open_value(payload, None, 0);
    intake
}

/// Takes apart a file: one JSON document or JSON lines, as the local bus writes them.
pub fn open_text(text: &str) -> Intake {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return open(&value);
    }
    let mut intake = Intake::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        intake.open_json(line, None, 0);
    }
    intake
}

impl Intake {
    fn open_json(&mut self, json: &str, message_id: Option<&str>, depth: usize) {
        match serde_json::from_str::<Value>(json) {
            Ok(value) => self.open_value(&value, message_id, depth),
            Err(error) => self.refuse(EventError::Json(error.to_string()), message_id, json.as_bytes().to_vec()),
        }
    }

    fn open_value(&mut self, value: &Value, message_id: Option<&str>, depth: usize) {
        if depth > MAX_DEPTH {
            let reason = format!("is inside more than {MAX_DEPTH} envelopes");
            return self.refuse(EventError::Shape { field: "event", reason }, message_id, bytes(value));
        }
        if let Value::Array(items) = value {
            return items.iter().for_each(|item| self.open_value(item, message_id, depth + 1));
        }
        if let Some(Value::Array(records)) = value.get("Records") {
            return records.iter().for_each(|record| self.open_record(record, message_id, depth + 1));
        }
        // SNS wraps its message like this when it delivers to SQS without raw delivery.
        if let (Some("Notification"), Some(Value::String(message))) =
            (value.get("Type").and_then(Value::as_str), value.get("Message"))
        {
            return self.open_json(message, message_id, depth + 1);
        }
        if value.get("source").and_then(Value::as_str) == Some("aws.events") {
            let time = value.get("time").and_then(Value::as_str).and_then(|text| text.parse().ok());
            self.tick = Some(time.unwrap_or(DateTime::UNIX_EPOCH));
            return;
        }
        match BusEvent::read(value) {
            Ok(event) => {
                self.arrive(Arrival { message_id: message_id.map(str::to_owned), event: Ok(event), raw: bytes(value) })
            }
            Err(error) => self.refuse(error, message_id, bytes(value)),
        }
    }

    fn open_record(&mut self, record: &Value, outer: Option<&str>, depth: usize) {
        let id = record.get("messageId").and_then(Value::as_str).filter(|id| id.len() <= MAX_ID).or(outer);
        match (record.get("body"), record.get("Sns").and_then(|sns| sns.get("Message"))) {
            (Some(Value::String(body)), _) | (None, Some(Value::String(body))) => self.open_json(body, id, depth),
            _ => {
                let reason = "is no SQS message with a body".to_owned();
                self.refuse(EventError::Shape { field: "Records", reason }, id, bytes(record));
            }
        }
    }

    fn refuse(&mut self, error: EventError, message_id: Option<&str>, raw: Vec<u8>) {
        self.arrive(Arrival { message_id: message_id.map(str::to_owned), event: Err(error), raw });
    }

    fn arrive(&mut self, arrival: Arrival) {
        if self.arrivals.len() < MAX_EVENTS {
            return self.arrivals.push(arrival);
        }
        // Beyond the limit everything is one refused arrival more, so that the input does not pass as done.
        if self.arrivals.len() == MAX_EVENTS {
            let reason = format!("is one of more than {MAX_EVENTS} in one input; cut the input");
            let event = Err(EventError::Shape { field: "event", reason });
            self.arrivals.push(Arrival { message_id: arrival.message_id, event, raw: arrival.raw });
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::sample;
    use serde_json::json;

    fn event() -> Value {
        serde_json::from_str(sample::EVENTS.lines().next().unwrap_or_default()).unwrap()
    }

    fn read(payload: &Value) -> (usize, usize, Vec<Option<String>>) {
        let intake = open(payload);
        let good = intake.arrivals.iter().filter(|arrival| arrival.event.is_ok()).count();
        let ids = intake.arrivals.iter().map(|arrival| arrival.message_id.clone()).collect();
        (good, intake.arrivals.len() - good, ids)
    }

    #[test]
    fn an_event_is_found_direct_in_a_list_in_sqs_and_in_sns_within_sqs() {
        let sns = json!({"Type": "Notification", "Message": event().to_string()});
        let record = |body: &Value| json!({"messageId": "m", "body": body.to_string()});
        let m = || Some("m".to_owned());
        assert_eq!(read(&event()), (1, 0, vec![None]));
        assert_eq!(read(&json!([event(), event()])), (2, 0, vec![None, None]));
        assert_eq!(read(&json!({"Records": [record(&event())]})), (1, 0, vec![m()]));
        assert_eq!(read(&json!({"Records": [record(&sns)]})), (1, 0, vec![m()]));
        assert_eq!(read(&json!({"Records": [record(&json!([event(), 7]))]})), (1, 1, vec![m(), m()]));
        assert_eq!(read(&json!({"Records": [{"Sns": {"Message": event().to_string()}}]})), (1, 0, vec![None]));
        assert_eq!(read(&json!({"Records": [{"messageId": "m"}]})), (0, 1, vec![m()]));
    }

    #[test]
    fn a_put_events_entry_with_its_detail_as_text_is_read_too() {
        let mut entry = event();
        entry["detail"] = json!(entry["detail"].to_string());
        assert_eq!(read(&entry).0, 1);
    }

    #[test]
    fn envelopes_at_the_limit_are_opened_and_one_more_is_not() {
        let nested = |depth: usize| (0..depth).fold(event(), |inner, _| json!([inner]));
        assert_eq!(read(&nested(MAX_DEPTH)).0, 1);
        assert_eq!(read(&nested(MAX_DEPTH + 1)).0, 0);
    }

    #[test]
    fn events_at_the_limit_are_taken_and_what_is_over_does_not_pass_as_done() {
        let small = json!({"source": "iam.policy.monitor", "detail-type": "Other", "time": "2024-01-01T00:00:00Z", "detail": {}});
        assert_eq!(read(&json!(vec![small.clone(); MAX_EVENTS])).0, MAX_EVENTS);
        let (good, refused, _) = read(&json!(vec![small; MAX_EVENTS + 5]));
        assert_eq!((good, refused), (MAX_EVENTS, 1));
    }
}
