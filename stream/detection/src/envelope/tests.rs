use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::*;
use crate::limits::RATIO_FLOOR_BYTES;

const EVENT: &str = r#"{"eventVersion":"1.08","eventName":"PutUserPolicy","eventSource":"iam.amazonaws.com","eventTime":"2024-01-01T00:00:00Z","eventID":"one"}"#;

/// The pieces of a record, each as `event NAME`, `skip`, the other's name or `CODE at PATH`.
fn pieces_of(record: &[u8], limits: &Limits) -> Vec<String> {
    let mut pieces = Vec::new();
    // Not the first record of this opener: what came before must not matter.
    let mut opener = Opener::default();
    opener.open(&gzip(EVENT.repeat(50)), &Opening { limits, interest: None, arrival: None }, &mut |_| {});
    opener.open(record, &Opening { limits, interest: None, arrival: None }, &mut |piece| {
        pieces.push(match piece {
            Piece::Event(event) => format!("event {}", event.event_name),
            Piece::NotOfInterest => "skip".to_owned(),
            Piece::Other(other) => other.as_str().to_owned(),
            Piece::Unreadable(part) => {
                assert_eq!(part.index, pieces.len());
                format!("{} at {}", part.reason.code(), part.path)
            }
        });
    });
    pieces
}

fn pieces(record: impl AsRef<[u8]>) -> Vec<String> {
    pieces_of(record.as_ref(), &Limits::default())
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn sealed(message: &[u8]) -> Vec<u8> {
    [kpl::MAGIC, message, Md5::digest(message).as_slice()].concat()
}

fn aggregate<'d>(parts: impl IntoIterator<Item = &'d [u8]>) -> Vec<u8> {
    let records = parts.into_iter().map(|data| kpl::Part { data: data.to_vec() }).collect();
    sealed(&kpl::Aggregate { records }.encode_to_vec())
}

#[test]
fn what_is_no_event_is_recognised_or_says_why_it_cannot_be_read() {
    let insight = r#"{"eventVersion":"1.07","eventType":"AwsCloudTrailInsight","eventTime":"2024-01-01T00:00:00Z","insightDetails":{"eventName":"X"}}"#;
    let digest = r#"{"awsAccountId":"1","digestStartTime":"2024-01-01T00:00:00Z","logFiles":[]}"#;
    let aggregated = r#"{"eventVersion":"1.11","eventId":"1","accountId":"1","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent"}"#;
    let control = r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (b"".to_vec(), &["empty at "]),
        (b" \n".to_vec(), &["empty at "]),
        (insight.into(), &["insight"]),
        (format!(r#"{{"detail-type":"AWS Insight via CloudTrail","detail":{insight}}}"#).into(), &["insight"]),
        (digest.into(), &["digest"]),
        (aggregated.into(), &["aggregated"]),
        (gzip(control), &["control_message"]),
        (
            br#"{"detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","detail":{"state":"x"}}"#
                .to_vec(),
            &["bus_event"],
        ),
        (format!(r#"{{"detail-type":"renamed","detail":{EVENT}}}"#).into(), &["event PutUserPolicy"]),
        (br#"{"detail-type":"AWS API Call via CloudTrail","detail":{"a":1}}"#.to_vec(), &["not_cloudtrail at detail"]),
        (br#"{"Records":[]}"#.to_vec(), &[]),
        (aggregate([]), &[]),
        (br#"{"a":1}"#.to_vec(), &["not_cloudtrail at "]),
        (b"null".to_vec(), &["not_recognised at "]),
        (b"[ERROR] no such file".to_vec(), &["not_recognised at "]),
        (b"{]".to_vec(), &["not_json at [0]"]),
        (b"\xFF\xFE\x00".to_vec(), &["not_recognised at "]),
        (br#"{"awslogs":{"data":"%%%"}}"#.to_vec(), &["not_base64 at awslogs"]),
        (br#"{"awslogs":{"data":7}}"#.to_vec(), &["not_cloudtrail at awslogs"]),
        (br#"{"eventName":"X","eventSource":"s"}"#.to_vec(), &["no_event_time at "]),
        (br#"{"eventName":"aws:kinesis:record","eventSource":"aws:kinesis"}"#.to_vec(), &["not_cloudtrail at "]),
        (gzip(b""), &["empty at "]),
        (b"{\"eventName\":\"X\",\"userAgent\":\"\xFF\"}".to_vec(), &["not_utf8 at [0]"]),
    ];
    for (record, expected) in cases {
        assert_eq!(pieces(&record), expected, "{}", String::from_utf8_lossy(&record));
    }
}

#[test]
fn one_damaged_part_does_not_hide_the_others() {
    let lines = format!("{EVENT}\n{{\"eventName\":\"cut off\n{EVENT}\nwords\n{EVENT}");
    assert_eq!(
        pieces(&lines),
        [
            "event PutUserPolicy",
            "not_json at [1]",
            "event PutUserPolicy",
            "not_recognised at [3]",
            "event PutUserPolicy"
        ]
    );

    let list = format!(r#"{{"Records":[{EVENT},{{"a":1}},7,{EVENT}]}}"#);
    assert_eq!(
        pieces(&list),
        ["event PutUserPolicy", "not_cloudtrail at Records[1]", "not_recognised at Records[2]", "event PutUserPolicy"]
    );

    let cut = &list[..list.len() - 20];
    assert_eq!(pieces(cut)[0], "event PutUserPolicy");
    assert_eq!(pieces(cut).last().unwrap(), "truncated at [3]");

    let aggregate = aggregate([EVENT.as_bytes(), b"", b"x", EVENT.as_bytes()]);
    assert_eq!(
        pieces(aggregate),
        ["event PutUserPolicy", "empty at kpl[1]", "not_recognised at kpl[2]", "event PutUserPolicy"]
    );

    let messages = json!({"messageType": "DATA_MESSAGE", "logEvents": [{"timestamp": 1, "message": EVENT}, {"timestamp": 1}, {"message": "words"}]});
    assert_eq!(
        pieces(gzip(messages.to_string())),
        ["event PutUserPolicy", "not_cloudtrail at gzip/logEvents[1]", "not_recognised at gzip/logEvents[2]"]
    );
}

#[test]
fn a_damaged_gzip_stream_gives_what_it_still_holds() {
    let noise: String = (0..2_000_u32).map(|number| format!("{:x}", number.wrapping_mul(2_654_435_761))).collect();
    let whole = gzip(format!("{EVENT}\n{EVENT}\n{{\"eventName\":\"{noise}\"}}"));
    let found = pieces(&whole[..whole.len() - 4_000]);
    assert_eq!(found[..2], ["event PutUserPolicy", "event PutUserPolicy"]);
    assert_eq!(found.last().unwrap(), "gzip_damaged at ");

    let padded = [gzip(EVENT), vec![0; 8], b"\n".to_vec()].concat();
    assert_eq!(pieces(padded), ["event PutUserPolicy"]);
    let followed = [gzip(EVENT), b"words".to_vec()].concat();
    assert_eq!(pieces(followed), ["event PutUserPolicy", "gzip_damaged at "]);
    assert_eq!(pieces([0x1F, 0x8B, 8]), ["gzip_damaged at "]);
}

#[test]
fn d14_a_damaged_aggregate_says_how_it_is_damaged() {
    let good = aggregate([EVENT.as_bytes()]);
    let mut wrong_sum = good.clone();
    *wrong_sum.last_mut().unwrap() ^= 1;
    assert_eq!(pieces(&wrong_sum), ["kpl_checksum at "]);
    assert_eq!(pieces(kpl::MAGIC), ["kpl_checksum at "]);
    // Plain data that begins with the magic by chance.
    assert_eq!(pieces([kpl::MAGIC, b"plain data of some length"].concat()), ["kpl_checksum at "]);
    assert_eq!(pieces(sealed(&[0x1A, 0xFF, 0xFF])), ["kpl_damaged at "]);
    // The index of a partition key points nowhere: nothing here needs the key.
    let inner = [&[0x08, 0x7F, 0x1A, 0x02][..], b"{}"].concat();
    let message = [&[0x1A, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
    assert_eq!(pieces(sealed(&message)), ["not_cloudtrail at kpl[0]"]);
}

#[test]
fn envelopes_are_opened_to_the_limit_and_not_one_deeper() {
    let limits = Limits { max_nesting: 3, ..Limits::default() };
    let nested = |levels: usize| (0..levels).fold(EVENT.to_owned(), |inner, _| format!(r#"{{"event":{inner}}}"#));
    assert_eq!(pieces_of(nested(3).as_bytes(), &limits), ["event PutUserPolicy"]);
    assert_eq!(pieces_of(nested(4).as_bytes(), &limits), ["nested_too_deep at event/event/event"]);
    let zipped = |levels: usize| (0..levels).fold(EVENT.as_bytes().to_vec(), |inner, _| gzip(inner));
    assert_eq!(pieces_of(&zipped(3), &limits), ["event PutUserPolicy"]);
    assert_eq!(pieces_of(&zipped(4), &limits), ["nested_too_deep at gzip/gzip/gzip/gzip"]);
    let lists = format!("{}{EVENT}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(pieces_of(lists.as_bytes(), &limits).len(), 1);
    let quoted = (0..12).fold(EVENT.to_owned(), |inner, _| json!(inner).to_string());
    assert!(pieces(&quoted)[0].starts_with("nested_too_deep"));
}

#[test]
fn a_record_inflates_to_the_limit_and_not_one_byte_more() {
    let text = format!("{EVENT}{}", " ".repeat(500));
    let at = |limit: usize| Limits { max_inflated_bytes: limit, ..Limits::default() };
    assert_eq!(pieces_of(&gzip(&text), &at(text.len())), ["event PutUserPolicy"]);
    assert_eq!(pieces_of(&gzip(&text), &at(text.len() - 1)), ["inflates_too_large at "]);
    // All parts of a record share one allowance.
    let (one, two) = (gzip(&text), gzip(&text));
    let both = aggregate([one.as_slice(), two.as_slice()]);
    assert_eq!(pieces_of(&both, &at(2 * text.len())).len(), 2);
    assert_eq!(pieces_of(&both, &at(2 * text.len() - 1)), ["event PutUserPolicy", "inflates_too_large at kpl[1]"]);
}

#[test]
fn a_stream_grows_to_the_ratio_and_not_one_byte_more() {
    let text = format!("{EVENT}{}", " ".repeat(2 * RATIO_FLOOR_BYTES));
    let bomb = gzip(&text);
    let ratio = text.len().div_ceil(bomb.len());
    let at = |ratio: usize| Limits { max_gzip_ratio: ratio, ..Limits::default() };
    assert_eq!(pieces_of(&bomb, &at(ratio)), ["event PutUserPolicy"]);
    assert_eq!(pieces_of(&bomb, &at(ratio - 1)), ["gzip_ratio at "]);
    let harmless = gzip(format!("{EVENT}{}", " ".repeat(RATIO_FLOOR_BYTES - EVENT.len())));
    assert_eq!(pieces_of(&harmless, &at(1)), ["event PutUserPolicy"]);
}

#[test]
fn a_record_holds_events_to_the_limit_and_the_next_is_refused_once() {
    let limits = Limits { max_events: 3, ..Limits::default() };
    let list = |count: usize| format!(r#"{{"Records":[{}]}}"#, vec![EVENT; count].join(","));
    let lines = |count: usize| vec![EVENT; count].join("\n");
    for make in [&list as &dyn Fn(usize) -> String, &lines] {
        assert_eq!(pieces_of(make(3).as_bytes(), &limits), ["event PutUserPolicy"; 3]);
        for count in [4, 9] {
            let found = pieces_of(make(count).as_bytes(), &limits);
            assert_eq!(found.len(), 4);
            assert!(found[3].starts_with("too_many_events"), "{found:?}");
        }
    }
}

#[test]
fn d17_the_largest_record_that_kinesis_takes_is_read_whole() {
    const LARGEST: usize = 10 * 1024 * 1024;
    let count = LARGEST / (EVENT.len() + 1);
    let found = pieces(vec![EVENT; count].join("\n"));
    assert_eq!(found.len(), count);
    assert!(found.iter().all(|piece| piece == "event PutUserPolicy"));
    let padded =
        EVENT.replace("PutUserPolicy\"", &format!("PutUserPolicy\",\"userAgent\":\"{}\"", "x".repeat(LARGEST - 400)));
    assert_eq!(pieces(padded), ["event PutUserPolicy"]);
}

#[test]
fn an_event_is_as_large_as_the_limit_and_not_one_byte_more() {
    let at = |limit: usize| Limits { max_event_bytes: limit, ..Limits::default() };
    assert_eq!(pieces_of(EVENT.as_bytes(), &at(EVENT.len())), ["event PutUserPolicy"]);
    assert_eq!(pieces_of(EVENT.as_bytes(), &at(EVENT.len() - 1)), ["event_too_large at "]);
}

#[test]
fn an_event_without_a_time_takes_that_of_its_envelope() {
    let timeless = r#"{"eventName":"X","eventSource":"s"}"#;
    let message = json!({"messageType": "DATA_MESSAGE", "logEvents": [{"timestamp": 1_704_067_200_500_i64, "message": timeless}]}).to_string();
    let cases = [
        (
            format!(
                r#"{{"detail-type":"AWS API Call via CloudTrail","time":"2024-01-01T00:00:00Z","detail":{timeless}}}"#
            ),
            "2024-01-01T00:00:00Z",
        ),
        (message, "2024-01-01T00:00:00.5Z"),
        (format!(r#"{{"@timestamp":"2024-01-01T00:00:00Z","message":{timeless}}}"#), "2024-01-01T00:00:00Z"),
        (timeless.to_owned(), "2020-02-02T00:00:00Z"),
    ];
    for (record, expected) in cases {
        let arrival = Some("2020-02-02T00:00:00Z".parse().unwrap());
        let mut found = None;
        open(record.as_bytes(), &Opening { limits: &Limits::default(), interest: None, arrival }, &mut |piece| {
            let Piece::Event(event) = piece else { panic!("{piece:?}") };
            found = Some(event.event_time);
        });
        assert_eq!(found, Some(expected.parse().unwrap()), "{record}");
    }
}

#[test]
fn half_a_surrogate_pair_does_not_cost_the_record() {
    let cases = [
        (r"Mozilla \ud83d", "Mozilla \u{fffd}"),
        (r"\udc00\ud83d\ude00\\ud83d", "\u{fffd}\u{1f600}\\ud83d"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
        (r"\u00e9", "\u{e9}"),
    ];
    for (written, expected) in cases {
        let record = format!(r#"{{"eventName":"X","eventTime":"2024-01-01T00:00:00Z","userAgent":"{written}"}}"#);
        open(record.as_bytes(), &Opening { limits: &Limits::default(), interest: None, arrival: None }, &mut |piece| {
            let Piece::Event(event) = piece else { panic!("{piece:?}") };
            assert_eq!(event.user_agent.as_deref(), Some(expected));
            assert!(serde_json::from_str::<serde_json::Value>(event.raw).is_ok());
        });
    }
}

#[test]
fn events_that_no_rule_names_are_counted_and_not_given() {
    let interest = Interest::in_names(["PutUserPolicy"]);
    let other = EVENT.replace("PutUserPolicy", "ListUsers");
    let record = format!(r#"{{"Records":[{other},{EVENT},{other}]}}"#);
    let mut names = Vec::new();
    open(
        record.as_bytes(),
        &Opening { limits: &Limits::default(), interest: Some(&interest), arrival: None },
        &mut |piece| {
            names.push(match piece {
                Piece::Event(event) => event.event_name.into_owned(),
                piece => format!("{piece:?}"),
            });
        },
    );
    assert_eq!(names, ["NotOfInterest", "PutUserPolicy", "NotOfInterest"]);
}

proptest! {
    #[test]
    fn nothing_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!pieces(&bytes).is_empty());
        let _ = pieces(gzip(&bytes));
        let _ = pieces(sealed(&bytes));
    }

    #[test]
    fn nothing_panics_and_no_bound_breaks_on_damaged_records(
        position in 0_usize..1_000, byte in any::<u8>(), cut in 0_usize..1_000, shape in 0_usize..6,
    ) {
        let limits = Limits { max_events: 5, max_nesting: 4, ..Limits::default() };
        let list = format!(r#"{{"Records":[{EVENT},{EVENT}]}}"#);
        let mut record = match shape {
            0 => list.into_bytes(),
            1 => gzip(list),
            2 => aggregate([list.as_bytes(), EVENT.as_bytes()]),
            3 => gzip(json!({"messageType": "DATA_MESSAGE", "logEvents": [{"timestamp": 1, "message": EVENT}]}).to_string()),
            4 => format!("{EVENT}\n{EVENT}\n").into_bytes(),
            _ => json!({"message": list}).to_string().into_bytes(),
        };
        let length = record.len();
        record[position % length] = byte;
        record.truncate(length - cut % length);
        let found = pieces_of(&record, &limits);
        prop_assert!(found.len() <= 6, "{found:?}");
    }
}
