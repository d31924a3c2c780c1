//! Envelopes just as AWS writes them, whose events no rule wants: counted without a parse.
//!
//! Every member is known, stands there once and is written without escapes; of the events themselves the name is proved
//! as for a bare record, see [`Interest::surely_not`]. Whatever is not so is left to the parser.

use memchr::memchr2;

use super::Walk;
use crate::interest::Interest;
use crate::split::{escaped_length, value_length};

/// Members of CloudWatch Logs subscriptions and of EventBridge events; each but those with a meaning is text.
const KEYS: [&[u8]; 16] = [
    b"messageType",
    b"logEvents",
    b"detail-type",
    b"detail",
    b"subscriptionFilters",
    b"resources",
    b"owner",
    b"logGroup",
    b"logStream",
    b"version",
    b"id",
    b"source",
    b"account",
    b"time",
    b"region",
    b"policyLevel",
];

/// The members that make a subscription or an event of EventBridge, as bits by their place in [`KEYS`].
const SUBSCRIPTION: u32 = 0b0011;
const BUS_EVENT: u32 = 0b1100;

impl Walk<'_> {
    /// Counts the events of an envelope if for certain no rule wants one of them; else does nothing and says so.
    pub(super) fn skim(&mut self, text: &[u8]) -> bool {
        let limits = self.opening.limits;
        let Some(interest) = self.opening.interest else { return false };
        if self.path.envelopes() >= limits.max_nesting {
            return false;
        }
        let Some(events) = events_of_no_interest(text, interest) else { return false };
        if events > limits.max_events.saturating_sub(self.pieces) {
            return false;
        }
        (0..events).for_each(|_| self.not_of_interest(text));
        true
    }
}

fn events_of_no_interest(text: &[u8], interest: &Interest) -> Option<usize> {
    let mut text = Cursor(text.trim_ascii());
    let (mut seen, mut events) = (0_u32, 0);
    text.members(|key, text| {
        let place = KEYS.iter().position(|known| *known == key)?;
        let bit = 1 << place;
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
        match key {
            b"messageType" => (text.string()? == b"DATA_MESSAGE").then_some(()),
            b"detail-type" => text.string()?.ends_with(b"via CloudTrail").then_some(()),
            b"logEvents" => text.list(|text| {
                events += 1;
                text.log_event(interest)
            }),
            b"detail" => {
                events += 1;
                interest.surely_not(text.object()?).then_some(())
            }
            b"subscriptionFilters" | b"resources" => text.list(|text| text.string().map(drop)),
            _ => text.string().map(drop),
        }
    })?;
    let is_known = matches!(seen & (SUBSCRIPTION | BUS_EVENT), SUBSCRIPTION | BUS_EVENT);
    (is_known && text.0.is_empty()).then_some(events)
}

/// What is left of a text. Each step takes what it names from the front, or gives up.
struct Cursor<'t>(&'t [u8]);

impl<'t> Cursor<'t> {
    fn skip_space(&mut self) {
        let length = self.0.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.0 = self.0.get(length..).unwrap_or_default();
    }

    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.next_is(byte).then_some(())
    }

    fn cut(&mut self, length: usize) -> Option<&'t [u8]> {
        let (cut, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(cut)
    }

    /// A string of plain letters.
    fn string(&mut self) -> Option<&'t [u8]> {
        self.take(b'"')?;
        let length = memchr2(b'"', b'\\', self.0)?;
        let string = self.cut(length)?;
        self.take_quote()?;
        string.iter().all(|byte| matches!(byte, b' '..=b'~')).then_some(string)
    }

    fn take_quote(&mut self) -> Option<()> {
        self.0 = self.0.strip_prefix(b"\"")?;
        Some(())
    }

    fn object(&mut self) -> Option<&'t [u8]> {
        self.skip_space();
        self.cut(value_length(self.0).filter(|_| self.0.starts_with(b"{"))?)
    }

    fn number(&mut self) -> Option<()> {
        self.skip_space();
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.cut(length)?;
        (!digits.is_empty() && (length == 1 || !digits.starts_with(b"0"))).then_some(())
    }

    fn list(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.next_is(b']') {
            return Some(());
        }
        loop {
            each(self)?;
            if !self.next_is(b',') {
                return self.take(b']');
            }
        }
    }

    fn members(&mut self, mut each: impl FnMut(&'t [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        loop {
            let key = self.string()?;
            self.take(b':')?;
            each(key, self)?;
            if !self.next_is(b',') {
                return self.take(b'}');
            }
        }
    }

    /// One entry of a subscription's list, with a message that no rule wants.
    fn log_event(&mut self, interest: &Interest) -> Option<()> {
        let mut seen = (false, false, false);
        self.members(|key, text| {
            let (was_seen, value) = match key {
                b"id" => (&mut seen.0, text.string().map(drop)),
                b"timestamp" => (&mut seen.1, text.number()),
                b"message" => (&mut seen.2, text.message(interest)),
                _ => return None,
            };
            (!std::mem::replace(was_seen, true)).then_some(value?)
        })?;
        seen.2.then_some(())
    }

    fn message(&mut self, interest: &Interest) -> Option<()> {
        self.take(b'"')?;
        let content = self.cut(escaped_length(self.0)?)?;
        self.take_quote()?;
        interest.surely_not_escaped(content).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde::de::IgnoredAny;
    use serde_json::Value;

    use super::*;
    use crate::envelope::{Opening, Piece, open};
    use crate::limits::Limits;

    fn interest() -> Interest {
        Interest::in_names(["PutUserPolicy"])
    }

    const OTHER: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"Root"},"eventTime":"2024-01-01T00:00:00Z","eventSource":"iam.amazonaws.com","eventName":"ListUsers","requestParameters":{"a":[{"b":"}"}]}}"#;

    fn bus_event(detail: &str) -> String {
        format!(
            r#"{{"version":"0","id":"x","detail-type":"AWS API Call via CloudTrail","source":"aws.iam","account":"1","time":"2024-01-05T12:00:00Z","region":"r","resources":["arn:x"],"detail":{detail}}}"#
        )
    }

    fn subscription(messages: &[String]) -> String {
        let entry = |text: &String| {
            format!(r#"{{"id":"1","timestamp":1704456000000,"message":{}}}"#, Value::from(text.as_str()))
        };
        let entries: Vec<String> = messages.iter().map(entry).collect();
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":[{}]}}"#,
            entries.join(",")
        )
    }

    #[test]
    fn what_aws_writes_is_counted_and_what_is_doubtful_is_left_to_the_parser() {
        let wanted = OTHER.replace("ListUsers", "PutUserPolicy");
        let count = |text: &str| events_of_no_interest(text.as_bytes(), &interest());
        assert_eq!(count(&bus_event(OTHER)), Some(1));
        assert_eq!(count(&subscription(&[])), Some(0));
        assert_eq!(count(&subscription(&[OTHER.to_owned(), OTHER.to_owned()])), Some(2));
        let doubtful = [
            bus_event(&wanted),
            bus_event("7"),
            bus_event(OTHER).replace("via CloudTrail", "of another kind"),
            bus_event(OTHER).replace(r#""id":"x""#, r#""id":"\u0078""#),
            bus_event(OTHER).replace(r#""id":"x""#, r#""eventName":"x""#),
            bus_event(OTHER).replace(r#""id":"x""#, r#""detail":{}"#),
            bus_event(OTHER).replace(r#""id":"x""#, r#""messageType":"DATA_MESSAGE""#),
            bus_event(OTHER) + "{}",
            subscription(&[OTHER.to_owned(), wanted]),
            subscription(&[OTHER.replace("Root", "a \\\" quote")]),
            subscription(&[OTHER.replace("Root", "\\u0065")]),
            subscription(&["words".to_owned()]),
            subscription(&[OTHER.to_owned()]).replace("DATA", "CONTROL"),
            subscription(&[OTHER.to_owned()]).replace(r#""id":"1""#, r#""message":"x""#),
            subscription(&[OTHER.to_owned()]).replace("}]}", "}]"),
        ];
        for text in doubtful {
            assert_eq!(count(&text), None, "{text}");
        }
    }

    /// Events to the taste of no rule, of one rule, and made to mislead.
    fn event() -> impl Strategy<Value = String> {
        let old = select(vec!["ListUsers", "Root", "1.08", "}", "eventName", "eventVersion", "\"a\"", ","]);
        let new = select(vec![
            "PutUserPolicy",
            "{",
            "}",
            "\\\"",
            "\\\\",
            "\\u0065",
            "\"eventName\":\"PutUserPolicy\",\"x\"",
            "Aggregated",
            "é",
            " \n",
            "",
        ]);
        proptest::option::of((old, new)).prop_map(|change| match change {
            Some((old, new)) => OTHER.replacen(old, new, 1),
            None => OTHER.to_owned(),
        })
    }

    fn envelope() -> impl Strategy<Value = String> {
        prop_oneof![
            event().prop_map(|event| bus_event(&event)),
            proptest::collection::vec(event(), 0..4).prop_map(|events| subscription(&events)),
        ]
    }

    fn damage() -> impl Strategy<Value = Option<(Index, Index, &'static str)>> {
        let part = select(vec![
            "\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\n",
            "x",
            r#""id":"y","#,
            r#""detail":{},"#,
            r#""logEvents":[],"#,
            "",
        ]);
        proptest::option::of((any::<Index>(), any::<Index>(), part))
    }

    /// Whether the text is JSON, and the messages in it are.
    fn is_sound(text: &str) -> bool {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return false };
        let sound = |entry: &Value| match entry["message"].as_str() {
            Some(message) => serde_json::from_str::<IgnoredAny>(message).is_ok(),
            None => true,
        };
        value["logEvents"].as_array().is_none_or(|entries| entries.iter().all(sound))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8_000))]

        #[test]
        fn skimming_passes_over_no_event_of_interest_and_miscounts_nothing(envelope in envelope(), damage in damage()) {
            let mut text = envelope;
            if let Some((at, length, part)) = damage {
                let at = at.index(text.len());
                let end = at + length.index(4).min(text.len() - at);
                if text.is_char_boundary(at) && text.is_char_boundary(end) {
                    text.replace_range(at..end, part);
                }
            }
            let read = |interest: Option<&Interest>| {
                let (mut wanted, mut parts) = (Vec::new(), Vec::new());
                open(text.as_bytes(), &Opening { limits: &Limits::default(), interest, arrival: None }, &mut |piece| {
                    match piece {
                        Piece::Event(event) if self::interest().wants(&event.event_name) => wanted.push(event.raw.to_owned()),
                        Piece::Event(_) | Piece::NotOfInterest => parts.push("event".to_owned()),
                        Piece::Other(other) => parts.push(other.as_str().to_owned()),
                        Piece::Unreadable(part) => parts.push(format!("{} at {}", part.reason.code(), part.path)),
                    }
                });
                (wanted, parts)
            };
            let (with, without) = (read(Some(&interest())), read(None));
            prop_assert_eq!(&with.0, &without.0, "{}", text);
            if is_sound(&text) {
                prop_assert_eq!(with.1, without.1, "{}", text);
            }
        }
    }
}
