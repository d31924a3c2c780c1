//! Folders and memory as lakes: names, repeats, failures.
#![allow(clippy::expect_used, clippy::indexing_slicing)] // helpers of tests, which clippy.toml does not cover

#[path = "../../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lake::{DeadLetter, Lake, LakeError, MAX_RAW_BYTES, Source, Within, Written};
use object_store::ObjectStoreExt;
use schemas::{IAM_EVENTS, IamEvent, VIOLATIONS, Violation};
use serde_json::{Value, json};
use support::violation;
use url::Url;

/// Two rows on one day and one on the next.
fn rows() -> Vec<Violation> {
    vec![
        violation("c", "2024-01-06T00:00:00Z"),
        violation("a", "2024-01-05T23:59:59.999Z"),
        violation("b", "2024-01-05T12:00:00Z"),
    ]
}

/// An event of that id in that account.
fn event(id: &str, account_id: &str) -> IamEvent {
    IamEvent {
        event_id: id.to_owned(),
        event_time: "2024-01-05T12:00:00Z".parse().expect("a time"),
        account_id: account_id.to_owned(),
        aws_region: None,
        event_source: "iam.amazonaws.com".to_owned(),
        event_name: "CreateUser".to_owned(),
        principal_arn: None,
        error_code: None,
        event: "{}".to_owned(),
    }
}

#[tokio::test]
async fn an_event_id_in_two_accounts_is_two_events_and_the_same_events_have_the_same_name() {
    let lake = Lake::open("memory://").await.expect("lake");
    let (a, b) = (event("a", "111122223333"), event("a", "444455556666"));
    let written = lake.write_rows(&IAM_EVENTS, &[a.clone(), b.clone(), a.clone()]).await.expect("written");
    assert_eq!(written.iter().map(|object| object.rows).collect::<Vec<_>>(), [2]);
    assert!(written[0].key.starts_with("iam_events/year=2024/month=01/day=05/20240105T120000Z-"), "{written:?}");
    let again = lake.write_rows(&IAM_EVENTS, &[b, a.clone()]).await.expect("written");
    assert_eq!((keys(&again), again[0].new), (keys(&written), false));
    let one = lake.write_rows(&IAM_EVENTS, &[a]).await.expect("written");
    assert_ne!(keys(&one), keys(&written));
    // What stays apart when written stays apart when merged.
    let within = Within::All;
    let partitions = lake.partitions_to_merge(&IAM_EVENTS, within).await.expect("partitions");
    let merged = lake.merge_partition(&IAM_EVENTS, &partitions[0], chrono::Utc::now()).await.expect("merged");
    assert_eq!((merged.input_rows, merged.output_rows), (3, 2));
}

fn keys(written: &[Written]) -> Vec<&str> {
    written.iter().map(|object| object.key.as_str()).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("entry").path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

async fn content(lake: &Lake, key: &str) -> Vec<u8> {
    lake.store().get(&lake.path(key)).await.expect(key).bytes().await.expect(key).to_vec()
}

#[tokio::test]
async fn rows_are_partitioned_by_the_day_of_their_event() {
    let lake = Lake::open("memory://").await.expect("lake");
    let written = lake.write_rows(&VIOLATIONS, &rows()).await.expect("written");
    let expected = [
        "violations/year=2024/month=01/day=05/20240105T120000Z-",
        "violations/year=2024/month=01/day=06/20240106T000000Z-",
    ];
    for (object, start) in written.iter().zip(expected) {
        let hash = object.key.strip_prefix(start).and_then(|rest| rest.strip_suffix(".parquet")).expect(&object.key);
        assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    }
    assert_eq!(written.iter().map(|object| (object.rows, object.new)).collect::<Vec<_>>(), [(2, true), (1, true)]);
}

#[tokio::test]
async fn the_same_rows_again_change_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("UTF-8")).await.expect("lake");
    let first = lake.write_rows(&VIOLATIONS, &rows()).await.expect("first");
    let before: Vec<Vec<u8>> = files(folder.path()).iter().map(|file| fs::read(file).expect("file")).collect();

    let mut again = rows();
    again.reverse();
    let second = lake.write_rows(&VIOLATIONS, &again).await.expect("second");
    assert_eq!(keys(&first), keys(&second));
    assert!(first.iter().all(|object| object.new) && second.iter().all(|object| !object.new));
    assert_eq!(first[0].bytes, second[0].bytes);
    let after: Vec<Vec<u8>> = files(folder.path()).iter().map(|file| fs::read(file).expect("file")).collect();
    assert_eq!(before, after);

    let memory = Lake::open("memory://audit/lake").await.expect("memory");
    let there = memory.write_rows(&VIOLATIONS, &rows()).await.expect("memory");
    assert_eq!(keys(&there), keys(&first));
    assert_eq!(content(&memory, &there[0].key).await, content(&lake, &first[0].key).await);
}

#[tokio::test]
async fn other_rows_have_another_name() {
    let lake = Lake::open("memory://").await.expect("lake");
    let all = lake.write_rows(&VIOLATIONS, &rows()).await.expect("all");
    let one = lake.write_rows(&VIOLATIONS, &rows()[2..]).await.expect("one");
    assert_ne!(all[0].key, one[0].key);
    assert_eq!(one[0].key.split_once('-').map(|(time, _)| time), all[0].key.split_once('-').map(|(time, _)| time));
}

#[tokio::test]
async fn the_first_and_the_last_year_have_partitions_and_the_year_zero_has_none() {
    let lake = Lake::open("memory://").await.expect("lake");
    let rows = [violation("old", "0001-01-01T00:00:00Z"), violation("new", "9999-12-31T23:59:59.999Z")];
    let written = lake.write_rows(&VIOLATIONS, &rows).await.expect("written");
    assert!(written[0].key.starts_with("violations/year=0001/month=01/day=01/00010101T000000Z-"), "{written:?}");
    assert!(written[1].key.starts_with("violations/year=9999/month=12/day=31/99991231T235959Z-"), "{written:?}");

    let error = lake.write_rows(&VIOLATIONS, &[violation("zero", "0000-12-31T23:59:59Z")]).await.expect_err("year 0");
    assert!(matches!(error, LakeError::Time { millis: -62_135_596_801_000, .. }), "{error}");
    assert_eq!(lake.list_parquet(&VIOLATIONS, Within::All).await.expect("list").len(), 2);
}

#[tokio::test]
async fn no_rows_write_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("UTF-8")).await.expect("lake");
    assert_eq!(lake.write_rows(&VIOLATIONS, &[] as &[Violation]).await.expect("written"), []);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_is_made_by_the_first_write_only() {
    let folder = tempfile::tempdir().expect("folder");
    let audit = folder.path().join("not yet/audit ü%20");
    let lake = Lake::open(audit.to_str().expect("UTF-8")).await.expect("lake");
    assert_eq!(lake.list_parquet(&VIOLATIONS, Within::All).await.expect("list"), []);
    assert!(!folder.path().join("not yet").exists());
    let written = lake.write_rows(&VIOLATIONS, &rows()).await.expect("written");
    let expected: Vec<_> =
        written.iter().map(|object| audit.join(&object.key).to_string_lossy().into_owned()).collect();
    assert_eq!(files(folder.path()), expected);
    let url = Url::parse(&lake.table_url("violations")).expect("URL");
    let table = object_store::path::Path::from_url_path(url.path()).expect("path");
    assert_eq!(table, lake.path("violations"), "what a query engine makes of the URL");
    assert_eq!(lake.list_parquet(&VIOLATIONS, Within::All).await.expect("list").len(), 2);
}

#[tokio::test]
async fn one_folder_is_the_same_lake_however_it_is_written() {
    let folder = tempfile::tempdir().expect("folder");
    let plain = folder.path().canonicalize().expect("path").join("audit");
    let plain = plain.to_str().expect("UTF-8");
    for other in [format!("file://{plain}"), format!("{plain}/"), format!("{plain}/../audit"), format!("{plain}/.")] {
        let lake = Lake::open(&other).await.expect(&other);
        assert_eq!(lake.root(), Lake::open(plain).await.expect(plain).root());
        assert_eq!(lake.location(), other);
        assert_eq!(lake.table_url("violations"), format!("file://{plain}/violations/"));
    }
}

#[tokio::test]
async fn lists_are_sorted_and_kept_to_the_month_or_year_asked_for() {
    let lake = Lake::open("memory://prefix").await.expect("lake");
    for time in ["2024-01-05T12:00:00Z", "2024-01-31T23:59:59Z", "2024-02-01T00:00:00Z", "2025-01-01T00:00:00Z"] {
        lake.write_rows(&VIOLATIONS, &[violation("e", time)]).await.expect("written");
    }
    lake.store().put(&lake.path("violations/year=2024/month=01/notes.txt"), "".into()).await.expect("put");
    let month = |year, month| Within::Month { year, month };
    for (within, count) in
        [(Within::All, 4), (Within::Year(2024), 3), (month(2024, 1), 2), (month(2024, 3), 0), (month(24, 1), 0)]
    {
        let found = lake.list_parquet(&VIOLATIONS, within).await.expect("list");
        assert_eq!(found.len(), count, "{within:?}");
        assert!(found.is_sorted_by_key(|object| object.location.clone()));
    }
}

#[tokio::test]
async fn what_cannot_be_a_lake_is_refused_with_a_remedy() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let file = file.path().to_str().expect("UTF-8");
    for (location, remedy) in [
        (file, "give a folder"),
        ("", "give a folder"),
        ("s3://", "s3://bucket/prefix"),
        ("s3:///prefix", "s3://bucket/prefix"),
        ("gs://bucket/prefix", "s3://bucket/prefix"),
        ("file://host/audit", "without a host"),
    ] {
        let error = Lake::open(location).await.expect_err(location).to_string();
        assert!(error.contains(location) && error.contains(remedy), "{error}");
    }
}

#[tokio::test]
async fn a_failed_write_names_place_and_remedy_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("audit"), "a file").expect("file");
    let location = folder.path().join("audit/lake");
    let lake = Lake::open(location.to_str().expect("UTF-8")).await.expect("lake");
    let error = lake.write_rows(&VIOLATIONS, &rows()).await.expect_err("a file is in the way");
    let text = error.to_string();
    assert!(text.contains(lake.location()) && text.contains("violations/year=2024"), "{text}");
    assert!(text.contains("choose a folder"), "{text}");
    assert!(error.source().is_some());
    assert_eq!(files(folder.path()), [folder.path().join("audit").to_string_lossy()]);
}

#[tokio::test]
async fn writers_at_the_same_time_make_one_object() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("UTF-8")).await.expect("lake");
    let rows = rows();
    let writers = (0..8).map(|_| lake.write_rows(&VIOLATIONS, &rows));
    let written = futures::future::try_join_all(writers).await.expect("written");
    let new = written.iter().flatten().filter(|object| object.new).count();
    assert_eq!((new, files(folder.path()).len()), (2, 2));
}

fn letter() -> DeadLetter {
    DeadLetter {
        attempts_made: 1,
        arrival: Some("2024-01-05T12:00:00Z".parse().expect("time")),
        error_code: "MalformedJson".to_owned(),
        error_message: "expected value at line 1 column 1".to_owned(),
        raw: b"\x00not json".to_vec(),
        sequence_number: Some("4959".to_owned()),
        ..DeadLetter::default()
    }
}

#[tokio::test]
async fn a_dead_letter_keeps_bytes_and_reason_in_firehose_words() {
    let lake = Lake::open("memory://").await.expect("lake");
    let written = lake.write_dead_letter(&letter()).await.expect("written");
    assert!(written.key.starts_with("dead-letters/2024-01-05/") && written.key.ends_with(".json"), "{}", written.key);
    let document: Value = serde_json::from_slice(&content(&lake, &written.key).await).expect("JSON");
    let expected = json!({
        "attemptsMade": 1, "arrivalTimestamp": "2024-01-05T12:00:00.000Z", "lastErrorCode": "MalformedJson",
        "lastErrorMessage": "expected value at line 1 column 1", "rawData": "AG5vdCBqc29u", "rawLength": 9,
        "truncated": false, "shardId": null, "sequenceNumber": "4959", "subSequenceNumber": null, "source": null,
    });
    assert_eq!(document, expected);
}

#[tokio::test]
async fn a_dead_letter_tried_again_is_the_same_object_and_another_place_is_another() {
    let lake = Lake::open("memory://").await.expect("lake");
    let first = lake.write_dead_letter(&letter()).await.expect("first");
    let again = DeadLetter { attempts_made: 2, error_message: "said otherwise".to_owned(), ..letter() };
    let again = lake.write_dead_letter(&again).await.expect("again");
    assert_eq!((again.key.as_str(), again.new), (first.key.as_str(), false));

    let place = |offset| Some(Source { file: "log.json".to_owned(), offset, length: 9 });
    let mut names = std::collections::BTreeSet::from([first.key]);
    for other in [
        DeadLetter { sequence_number: Some("4960".to_owned()), ..letter() },
        DeadLetter { sub_sequence_number: Some(0), ..letter() },
        DeadLetter { source: place(0), ..letter() },
        DeadLetter { source: place(9), ..letter() },
        DeadLetter { raw: b"other".to_vec(), ..letter() },
        DeadLetter { error_code: "TooLarge".to_owned(), ..letter() },
    ] {
        assert!(names.insert(lake.write_dead_letter(&other).await.expect("written").key));
    }
    let undated = lake.write_dead_letter(&DeadLetter { arrival: None, ..letter() }).await.expect("undated");
    assert!(undated.key.starts_with("dead-letters/undated/"), "{}", undated.key);
}

#[tokio::test]
async fn a_dead_letter_is_whole_at_the_limit_and_cut_one_byte_past_it() {
    let lake = Lake::open("memory://").await.expect("lake");
    for (length, truncated) in [(MAX_RAW_BYTES, false), (MAX_RAW_BYTES + 1, true)] {
        let written = lake.write_dead_letter(&DeadLetter { raw: vec![b'x'; length], ..letter() }).await.expect("put");
        let document: Value = serde_json::from_slice(&content(&lake, &written.key).await).expect("JSON");
        assert_eq!((&document["rawLength"], &document["truncated"]), (&json!(length), &json!(truncated)));
        let kept = BASE64_STANDARD.decode(document["rawData"].as_str().expect("text")).expect("base64");
        assert_eq!(kept.len(), MAX_RAW_BYTES);
    }
    let beginning = DeadLetter { raw_length: Some(20 << 20), ..letter() };
    let written = lake.write_dead_letter(&beginning).await.expect("put");
    let document: Value = serde_json::from_slice(&content(&lake, &written.key).await).expect("JSON");
    assert_eq!((&document["rawLength"], &document["truncated"]), (&json!(20 << 20), &json!(true)));
}
