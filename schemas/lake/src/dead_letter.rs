//! Dead letters: what could not be read, kept with its reason until `replay`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::error::LakeError;
use crate::location::Lake;
use crate::order::short_hash;
use crate::write::Written;

/// Raw bytes kept in a dead letter; what is longer is cut, its length kept. The largest record that Kinesis takes fits.
pub const MAX_RAW_BYTES: usize = 10 * 1024 * 1024;

/// A record that could not be read. Field names in the object are those of Firehose's failed records, so that one
/// reader serves both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// Times the record was tried.
    pub attempts_made: u32,
    /// Arrival in the stream; names the folder of the object.
    pub arrival: Option<DateTime<Utc>>,
    /// Short name of the reason, such as `MalformedJson`.
    pub error_code: String,
    /// The reason in one sentence.
    pub error_message: String,
    /// The bytes, or at least their first [`MAX_RAW_BYTES`].
    pub raw: Vec<u8>,
    /// Length of the whole, when `raw` is only the beginning.
    pub raw_length: Option<u64>,
    /// Kinesis shard.
    pub shard_id: Option<String>,
    /// Kinesis sequence number.
    pub sequence_number: Option<String>,
    /// Position inside an aggregated record.
    pub sub_sequence_number: Option<u64>,
    /// Where in a file it was.
    pub source: Option<Source>,
}

/// A place in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Path as the reader of the file knows it.
    pub file: String,
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    attempts_made: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrival_timestamp: Option<String>,
    last_error_code: &'a str,
    last_error_message: &'a str,
    raw_data: String,
    raw_length: u64,
    truncated: bool,
    shard_id: Option<&'a str>,
    sequence_number: Option<&'a str>,
    sub_sequence_number: Option<u64>,
    source: Option<&'a Source>,
}

impl Lake {
    /// Writes `dead-letters/<day of arrival, or undated>/<16 hex>.json`.
    ///
    /// The name comes from the bytes, the reason's code and the place, so that the same record, tried again, has the
    /// same name; the first document stays.
    pub async fn write_dead_letter(&self, letter: &DeadLetter) -> Result<Written, LakeError> {
        let day = letter.arrival.map(|arrival| arrival.date_naive());
        let folder = day.map_or_else(|| "undated".to_owned(), |day| day.format("%Y-%m-%d").to_string());
        let key = format!("dead-letters/{folder}/{}.json", letter.name());
        let content = serde_json::to_vec(&letter.document()).map_err(LakeError::DeadLetter)?;
        let (bytes, new) = self.create(&key, content.into()).await?;
        Ok(Written { key, day, rows: 1, bytes, new })
    }
}

impl DeadLetter {
    fn kept(&self) -> &[u8] {
        self.raw.get(..MAX_RAW_BYTES).unwrap_or(&self.raw)
    }

    fn length(&self) -> u64 {
        self.raw_length.unwrap_or(0).max(self.raw.len() as u64)
    }

    fn name(&self) -> String {
        let source = self.source.as_ref();
        let place = [
            self.length(),
            self.sub_sequence_number.unwrap_or(u64::MAX),
            source.map_or(0, |source| source.offset),
            source.map_or(0, |source| source.length),
        ]
        .map(u64::to_le_bytes);
        let texts = [
            self.error_code.as_str(),
            self.shard_id.as_deref().unwrap_or_default(),
            self.sequence_number.as_deref().unwrap_or_default(),
            source.map_or("", |source| &source.file),
        ];
        let parts = place.iter().map(<[u8; 8]>::as_slice).chain(texts.iter().map(|text| text.as_bytes()));
        short_hash(parts.chain([self.kept()]))
    }

    fn document(&self) -> Document<'_> {
        Document {
            attempts_made: self.attempts_made,
            arrival_timestamp: self.arrival.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            last_error_code: &self.error_code,
            last_error_message: &self.error_message,
            raw_data: BASE64_STANDARD.encode(self.kept()),
            raw_length: self.length(),
            truncated: self.length() > self.kept().len() as u64,
            shard_id: self.shard_id.as_deref(),
            sequence_number: self.sequence_number.as_deref(),
            sub_sequence_number: self.sub_sequence_number,
            source: self.source.as_ref(),
        }
    }
}
