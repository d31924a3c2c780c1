//! Every record of every public set, bare and in every envelope, is read or says why not.

mod common;

use common::{Counts, EVERY_SET, count, files_of, wrappings};
use detection::{Limits, Part, Piece, Splitter};

type Counted = &'static [(&'static str, usize)];

/// Set, events, recognised things that are no events, unreadable parts with their reasons.
const EXPECTED: [(&str, usize, Counted, Counted); 10] = [
    // 21 blocks of the documentation are no JSON, 5 are answers of other APIs.
    ("aws-docs-examples", 29, &[("digest", 2), ("insight", 5)], &[("not_cloudtrail", 26)]),
    ("cribl-pack-sample", 44, &[], &[]),
    // Two payloads of AWS Config; one record without a time.
    ("custodian-cwe", 23, &[("bus_event", 11)], &[("no_event_time", 1), ("not_cloudtrail", 2)]),
    ("identity-variants-handmade", 20, &[], &[]),
    ("invictus-stratus-2023", 2_900, &[], &[]),
    ("otrf-ec2-proxy-s3", 103, &[], &[]),
    ("plaso-lookup-events", 6, &[], &[]),
    ("stratus-detonation", 226, &[], &[]),
    ("traildiscover", 210, &[], &[]),
    // One file is an IAM policy.
    ("trailscraper", 7, &[], &[("not_cloudtrail", 1)]),
];

#[test]
fn every_record_of_every_set_is_read_or_says_why_not() {
    assert_eq!(EXPECTED.map(|(set, ..)| set), EVERY_SET);
    for (set, events, others, unreadable) in EXPECTED {
        let mut counts = Counts::default();
        for (_, bytes) in files_of(set) {
            let mut splitter = Splitter::new(Limits::default().max_event_bytes);
            let mut sink = |part: Part<'_>| match part {
                Part::Record { bytes, .. } => counts.add(bytes, None),
                part => panic!("{set}: {part:?}"),
            };
            for chunk in bytes.chunks(50_000) {
                splitter.push(chunk, &mut sink);
            }
            splitter.finish(&mut sink);
        }
        assert_eq!(counts.summary(), (events, common::map(others), common::map(unreadable)), "{set}");
    }
}

#[test]
fn a_whole_file_opened_at_once_gives_the_same_as_its_records() {
    for (set, events, others, unreadable) in EXPECTED {
        let mut counts = Counts::default();
        for (_, bytes) in files_of(set) {
            counts.add(&bytes, None);
        }
        assert_eq!(counts.summary(), (events, common::map(others), common::map(unreadable)), "{set}");
    }
}

#[test]
fn a_record_is_the_same_event_in_every_envelope() {
    for (set, events, ..) in EXPECTED {
        let mut bare = Vec::new();
        for (_, bytes) in files_of(set) {
            count(&bytes, &mut |piece| {
                if let Piece::Event(event) = piece {
                    bare.push((event.event_id().into_owned(), event.event_time, event.raw.to_owned()));
                }
            });
        }
        assert_eq!(bare.len(), events, "{set}");
        // The big set shows nothing more in its second thousand.
        for part in bare.chunks(100).take(5) {
            let records: Vec<&str> = part.iter().map(|(_, _, raw)| raw.as_str()).collect();
            for (envelope, wrapped) in wrappings(&records) {
                let mut found = Vec::new();
                for record in wrapped {
                    count(&record, &mut |piece| match piece {
                        Piece::Event(event) => {
                            found.push((event.event_id().into_owned(), event.event_time, event.raw.to_owned()))
                        }
                        other => panic!("{set} in {envelope}: {other:?}"),
                    });
                }
                assert_eq!(found, part, "{set} in {envelope}");
            }
        }
    }
}

/// What Lambda's triggers hand over, as AWS documents it: file, events, parts recognised or unreadable.
const TRIGGERS: [(&str, usize, Counted, Counted); 12] = [
    ("example-cloudwatch-cloudtrail-assumed-role.json", 1, &[], &[]),
    ("example-cloudwatch-cloudtrail-unknown-federate.json", 1, &[], &[]),
    ("example-cloudwatch-cloudtrail-unknown-user-auth.json", 1, &[], &[]),
    ("example-cloudwatch_logs-event.json", 0, &[], &[("not_recognised", 2)]),
    ("example-eventbridge-event-obj.json", 0, &[("bus_event", 1)], &[]),
    ("example-eventbridge-schedule.json", 0, &[("bus_event", 1)], &[]),
    ("example-kinesis-event-encrypted.json", 0, &[], &[("not_recognised", 2)]),
    ("example-kinesis-event.json", 0, &[], &[("not_recognised", 2)]),
    ("example-kinesis-firehose-event.json", 0, &[], &[("not_recognised", 2)]),
    ("example-s3-event.json", 0, &[], &[("not_cloudtrail", 1)]),
    ("example-sns-event.json", 0, &[], &[("not_recognised", 1)]),
    ("example-sqs-event.json", 0, &[], &[("not_cloudtrail", 1)]),
];

#[test]
fn what_a_trigger_carries_is_reached_and_words_are_no_records() {
    let folder = common::testdata().join("envelopes/lambda-event-fixtures");
    for (file, events, others, unreadable) in TRIGGERS {
        let mut counts = Counts::default();
        counts.add(&std::fs::read(folder.join(file)).unwrap(), None);
        assert_eq!(counts.summary(), (events, common::map(others), common::map(unreadable)), "{file}");
    }
}
