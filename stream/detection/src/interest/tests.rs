use chrono::{TimeZone, Utc};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::envelope::{Opening, Piece, open};
use crate::limits::Limits;

fn interest() -> Interest {
    Interest::in_names(["PutUserPolicy", "AddPermission"])
}

#[test]
fn a_record_is_passed_over_only_when_its_own_name_is_certain() {
    let cases = [
        (r#"{"eventVersion":"1.08","userIdentity":{"a":1},"eventName":"ListUsers","x":"y"}"#, true),
        ("{\n \"eventVersion\" : \"1.08\",\n \"eventName\"\t:\n \"ListUsers\"\n}\r\n", true),
        (r#"{"eventVersion":"1.08","eventName":"PutUserPolicy"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":"AddPermission20150331v2"}"#, false),
        // The name of something else, before the event's own or in place of it.
        (r#"{"eventVersion":"1.08","requestParameters":{"eventName":"ListUsers"},"eventName":"PutUserPolicy"}"#, false),
        (r#"{"eventVersion":"1.08","requestParameters":{"eventName":"ListUsers"}}"#, false),
        (r#"{"eventVersion":"1.08","x":"eventName","eventName":"PutUserPolicy"}"#, false),
        // Said twice: the last one counts.
        (r#"{"eventVersion":"1.08","eventName":"ListUsers","eventName":"PutUserPolicy"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":"ListUsers","event\u004eame":"PutUserPolicy"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":"ListUsers","\u0065ventName":"PutUserPolicy"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":"ListUsers","url":"a\u003db\u0026c"}"#, true),
        (r#"{"eventVersion":"1.08","eventName":"ListUsers","bad":"\u00zz"}"#, false),
        // Names written oddly.
        (r#"{"eventVersion":"1.08","eventName":"Put\u0055serPolicy"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":"ObjectCreated:Put"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":""}"#, false),
        (r#"{"eventVersion":"1.08","eventName":7}"#, false),
        // Not one record of CloudTrail's own order.
        (r#"{"eventName":"ListUsers","eventVersion":"1.08"}"#, false),
        (r#"{"Records":[{"eventVersion":"1.08","eventName":"ListUsers"}]}"#, false),
        (r#"{"eventVersion":"1.08"}{"eventName":"ListUsers"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":"ListUsers"}{"eventName":"PutUserPolicy"}"#, false),
        (r#"{"eventVersion":"1.08","eventName":"ListUsers""#, false),
        (r#"{"eventVersion":"1.08","eventName":"ListUsers","eventCategory":"Aggregated"}"#, false),
    ];
    for (record, expected) in cases {
        assert_eq!(interest().surely_not(record.as_bytes()), expected, "{record}");
        assert!(!Interest::in_all().surely_not(record.as_bytes()));
    }
}

/// A member of a record made to mislead: names of interest and others, plain, escaped, nested, repeated, as text.
fn member() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        4 => Just(r#""eventName""#), 1 => Just(r#""event\u004eame""#), 1 => Just(r#""\u0065ventName""#), 1 => Just(r#""eventname""#),
        2 => Just(r#""userAgent""#), 1 => Just(r#""x\"eventName""#), 1 => Just(r#""eventName\\""#),
    ];
    let name = prop_oneof![
        3 => Just(r#""ListUsers""#), 2 => Just(r#""PutUserPolicy""#), 1 => Just(r#""Put\u0055serPolicy""#),
        1 => Just(r#""AddPermission20150331v2""#), 1 => Just("null"), 1 => Just("7"), 1 => Just(r#""eventName""#),
        1 => Just(r#""\"eventName\":\"ListUsers\"""#), 1 => Just(r#""a\\""#), 1 => Just(r#""{""#), 1 => Just(r#""}""#),
    ];
    let space = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n\t")];
    let plain = (key, space, name).prop_map(|(key, space, value)| format!("{key}{space}:{space}{value}"));
    plain.prop_recursive(3, 8, 3, |inner| {
        let list = proptest::collection::vec(inner, 1..3).prop_map(|members| members.join(","));
        prop_oneof![
            list.clone().prop_map(|members| format!(r#""requestParameters":{{{members}}}"#)),
            list.clone().prop_map(|members| format!(r#""list":[{{{members}}},[]]"#)),
            list.prop_map(|members| format!(r#""text":{}"#, Value::String(format!("{{{members}}}")))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_event_of_interest_is_ever_passed_over(
        members in proptest::collection::vec(member(), 0..5), tail in prop_oneof![Just(""), Just(" "), Just("\n")],
    ) {
        let record = format!(r#"{{"eventVersion":"1.08",{}}}{tail}"#, members.join(",")).replace(",}", "}");
        let value: Value = serde_json::from_str(&record).unwrap();
        let name = value["eventName"].as_str().unwrap_or_default();
        if interest().surely_not(record.as_bytes()) {
            prop_assert!(!interest().wants(name), "{record}");
            prop_assert!(!name.is_empty(), "{record}");
        }
        // As the content of a JSON string it is judged alike, if only its quotes are escaped there.
        let content = Value::from(record.as_str()).to_string();
        if crate::split::escaped_length(&content.as_bytes()[1..]) == Some(content.len() - 2) {
            let content = &content.as_bytes()[1..content.len() - 1];
            prop_assert_eq!(interest().surely_not_escaped(content), interest().surely_not(record.as_bytes()), "{}", record);
        } else {
            prop_assert!(record.contains(['\\', '\n', '\t']), "{record}");
        }
        // With and without interest the same events come out, and nothing is miscounted.
        let arrival = Utc.timestamp_opt(0, 0).single();
        let count = |interest: Option<&Interest>| {
            let (mut wanted, mut parts) = (Vec::new(), 0);
            open(record.as_bytes(), &Opening { limits: &Limits::default(), interest, arrival }, &mut |piece| {
                parts += 1;
                if let Piece::Event(event) = piece && self::interest().wants(&event.event_name) {
                    wanted.push(event.raw.to_owned());
                }
            });
            (wanted, parts)
        };
        prop_assert_eq!(count(Some(&interest())), count(None), "{}", record);
    }
}
