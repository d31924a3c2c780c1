//! What can be fed again, object by object in the order of their names.

use std::fs;

use anyhow::Context as _;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::NaiveDate;
use detection::{Limits, Opening, Piece, open};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use lake::Lake;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;
use walkdir::WalkDir;

use super::What;

/// Largest record of a stream as it is by default, key included (PutRecords).
const MAX_RECORD: usize = 1024 * 1024;
/// Room for the partition key in it.
const KEY_ROOM: usize = 256;

/// A record to feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) partition_key: String,
    pub(super) data: Vec<u8>,
}

/// What one object gave.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) items: Vec<Item>,
    /// Why parts of it cannot be fed.
    pub(super) skipped: Vec<String>,
}

/// Where objects come from.
#[derive(Debug)]
pub(super) enum Source {
    Files(Vec<std::path::PathBuf>),
    DeadLetters { lake: Lake, from: Option<NaiveDate>, to: Option<NaiveDate>, reason: Option<String> },
    Failed(Lake),
}

impl Source {
    pub(super) async fn open(what: What, audit: Option<&str>) -> anyhow::Result<Source> {
        Ok(match what {
            What::Files { paths } => Source::Files(paths),
            What::DeadLetters { audit: named, from, to, reason } => {
                let location = named.as_deref().or(audit).context("name the lake with --audit or AUDIT_BUCKET")?;
                Source::DeadLetters { lake: Lake::open(location).await?, from, to, reason }
            }
            What::Failed { location } => Source::Failed(Lake::open(&location).await?),
        })
    }

    /// Tells this source from others in a state file.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Files(paths) => format!("files {paths:?}"),
            Source::DeadLetters { lake, from, to, reason } => {
                format!("dead letters of {} {from:?} {to:?} {reason:?}", lake.location())
            }
            Source::Failed(lake) => format!("failed batches in {}", lake.location()),
        }
    }

    /// The names of the objects, sorted.
    pub(super) async fn objects(&self) -> anyhow::Result<Vec<String>> {
        let mut names = match self {
            Source::Files(paths) => files(paths)?,
            Source::DeadLetters { lake, from, to, .. } => {
                let mut keys = keys(lake, "dead-letters").await?;
                keys.retain(|key| is_within(key, *from, *to));
                keys
            }
            Source::Failed(lake) => keys(lake, "").await?,
        };
        names.sort_unstable();
        Ok(names)
    }

    /// The records of one object.
    pub(super) async fn read(&self, object: &str) -> anyhow::Result<Read> {
        let lake = match self {
            Source::Files(_) => {
                let bytes = fs::read(object).with_context(|| format!("reading {object}"))?;
                return Ok(events(&bytes));
            }
            Source::DeadLetters { lake, .. } | Source::Failed(lake) => lake,
        };
        let reading = || format!("reading {object}");
        let found = lake.store().get(&object_store::path::Path::from(object)).await.with_context(reading)?;
        let bytes = found.bytes().await.with_context(reading)?;
        let mut read = Read::default();
        match (self, serde_json::from_slice::<Value>(&bytes)) {
            (_, Err(error)) => read.skipped.push(format!("not JSON: {error}")),
            (Source::DeadLetters { reason, .. }, Ok(letter)) => read.letter(object, &letter, reason.as_deref()),
            (_, Ok(document)) => read.failed(&document),
        }
        Ok(read)
    }
}

impl Read {
    fn letter(&mut self, object: &str, letter: &Value, wanted: Option<&str>) {
        let text = |name: &str| letter.get(name).and_then(Value::as_str).unwrap_or_default();
        if wanted.is_some_and(|wanted| wanted != text("lastErrorCode")) {
            return;
        }
        if letter.get("truncated").and_then(Value::as_bool) == Some(true) {
            self.skipped.push("only the beginning was stored".to_owned());
            return;
        }
        match BASE64_STANDARD.decode(text("rawData")) {
            Ok(data) => self.add(object, data),
            Err(error) => self.skipped.push(format!("rawData is not base64: {error}")),
        }
    }

    /// The event of a mapping, as an escaped string in `payload`.
    fn failed(&mut self, document: &Value) {
        let payload = document.get("payload").and_then(Value::as_str);
        let event = payload.and_then(|payload| serde_json::from_str::<Value>(payload).ok());
        let records = event.as_ref().and_then(|event| event.get("Records")).and_then(Value::as_array);
        let Some(records) = records else {
            self.skipped.push("no payload: only an S3 destination has one".to_owned());
            return;
        };
        for record in records {
            let part = |name: &str| record.pointer(&format!("/kinesis/{name}")).and_then(Value::as_str);
            match part("data").map(|data| BASE64_STANDARD.decode(data)) {
                Some(Ok(data)) => self.add(part("partitionKey").unwrap_or("replay"), data),
                _ => self.skipped.push("a record without data".to_owned()),
            }
        }
    }

    /// Adds a record; one that is too large is compressed, which the detector undoes.
    fn add(&mut self, partition_key: &str, data: Vec<u8>) {
        let partition_key: String = partition_key.chars().take(KEY_ROOM / 4).collect();
        let fits = |data: &[u8]| data.len() + KEY_ROOM <= MAX_RECORD;
        let data = if fits(&data) { Some(data) } else { gzip(&data).filter(|packed| fits(packed)) };
        match data {
            Some(data) => self.items.push(Item { partition_key, data }),
            None => self.skipped.push(format!("a record over {MAX_RECORD} bytes even when compressed")),
        }
    }
}

/// Each CloudTrail event of a file as a record of its own.
fn events(file: &[u8]) -> Read {
    let mut read = Read::default();
    let limits = Limits { max_inflated_bytes: 1 << 30, max_events: 10_000_000, ..Limits::default() };
    let opening = Opening { limits: &limits, interest: None, arrival: None };
    open(file, &opening, &mut |piece| match piece {
        Piece::Event(event) => read.add(&event.event_id(), event.raw.as_bytes().to_vec()),
        Piece::Unreadable(unreadable) => read.skipped.push(unreadable.reason.to_string()),
        Piece::NotOfInterest | Piece::Other(_) => {}
    });
    read
}

fn gzip(data: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, data).ok()?;
    encoder.finish().ok()
}

fn files(paths: &[std::path::PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for path in paths {
        for entry in WalkDir::new(path) {
            let entry = entry.with_context(|| format!("looking into {}", path.display()))?;
            if entry.file_type().is_file() {
                let name = entry.path().to_str().with_context(|| format!("{:?} is no UTF-8 name", entry.path()))?;
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

async fn keys(lake: &Lake, prefix: &str) -> anyhow::Result<Vec<String>> {
    let store = lake.store();
    let found: Vec<_> = store
        .list(Some(&lake.path(prefix)))
        .try_collect()
        .await
        .with_context(|| format!("listing {prefix} of {}", lake.location()))?;
    Ok(found.into_iter().map(|object| object.location.to_string()).collect())
}

/// Whether a dead letter arrived in a range of days. Those without a day belong to every range.
fn is_within(key: &str, from: Option<NaiveDate>, to: Option<NaiveDate>) -> bool {
    let day = key.rsplit('/').nth(1).and_then(|folder| folder.parse::<NaiveDate>().ok());
    day.is_none_or(|day| from.is_none_or(|from| day >= from) && to.is_none_or(|to| day <= to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dead_letters_are_chosen_by_day_both_ends_included() {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let key = |folder: &str| format!("prefix/dead-letters/{folder}/0123.json");
        let range = (day("2024-01-05"), day("2024-01-06"));
        for (folder, is_in) in [
            ("2024-01-04", false),
            ("2024-01-05", true),
            ("2024-01-06", true),
            ("2024-01-07", false),
            ("undated", true),
        ] {
            assert_eq!(is_within(&key(folder), range.0, range.1), is_in, "{folder}");
        }
        assert!(is_within(&key("2024-01-04"), None, None));
    }

    #[test]
    fn a_record_of_a_megabyte_is_fed_compressed_and_one_that_cannot_shrink_is_told() {
        let mut read = Read::default();
        read.add("key", vec![b'x'; MAX_RECORD - KEY_ROOM]);
        read.add("key", vec![b'x'; MAX_RECORD - KEY_ROOM + 1]);
        let noise: Vec<u8> = (0..MAX_RECORD as u64 / 4)
            .flat_map(|seed| (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).to_le_bytes())
            .collect();
        read.add("key", noise);
        assert_eq!(read.items.len(), 2);
        assert_eq!(read.items[0].data[0], b'x');
        assert!(read.items[1].data.starts_with(&[0x1F, 0x8B]));
        assert_eq!(read.skipped.len(), 1);
    }

    #[test]
    fn every_event_of_a_file_is_a_record_and_what_is_unreadable_is_told() {
        let event = |id: &str| json!({"eventVersion": "1.08", "eventName": "CreateUser", "eventID": id, "eventSource": "iam.amazonaws.com", "eventTime": "2024-01-05T12:00:00Z"});
        let file = json!({"Records": [event("a"), {"no": "event"}, event("b")]}).to_string();
        let read = events(file.as_bytes());
        let keys: Vec<&str> = read.items.iter().map(|item| item.partition_key.as_str()).collect();
        assert_eq!((keys, read.skipped.len()), (vec!["a", "b"], 1));
    }
}
