//! The audit log as a channel: Firehose in AWS, a folder or bucket without it.

use aws_sdk_firehose::Client;
use aws_sdk_firehose::error::{DisplayErrorContext, SdkError};
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{PutRecordBatchResponseEntry, Record};
use lake::Lake;
use object_store::{Error as StoreError, ObjectStore, PutMode, PutPayload};

use super::{AuditRow, Entry, entry};
use crate::backoff::Backoff;
use crate::notify::batches::{Answer, Batches};
use crate::notify::event::BusEvent;
use crate::notify::run::{AUDIT_LOGS_WRITTEN, Channel, Moment, Outcome};

const BACKOFF: Backoff =
    Backoff { tries: 5, first: std::time::Duration::from_millis(200), longest: std::time::Duration::from_secs(4) };

/// Where rows go.
#[derive(Debug)]
pub enum Sink {
    /// A Firehose stream; the client should make no retries of its own.
    Firehose {
        /// The client.
        client: Client,
        /// Name of the stream.
        stream: String,
    },
    /// The table `audit_log` of the lake, written directly.
    Lake,
}

/// Writes every event down.
#[derive(Debug)]
pub struct AuditLog {
    sink: Sink,
    lake: Lake,
}

impl AuditLog {
    /// Rows go to `sink`, details that are too large for a row to `lake`.
    pub fn new(sink: Sink, lake: Lake) -> AuditLog {
        AuditLog { sink, lake }
    }

    /// Stores a detail that is too large for its row. The same detail again changes nothing.
    async fn store_oversize(&self, entry: &Entry) -> Result<(), StoreError> {
        let Some((key, detail)) = &entry.oversize else { return Ok(()) };
        let payload = PutPayload::from(detail.clone().into_bytes());
        match self.lake.store().put_opts(&self.lake.path(key), payload, PutMode::Create.into()).await {
            Ok(_) | Err(StoreError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// One stream.
struct Stream<'s> {
    client: &'s Client,
    name: &'s str,
}

impl Batches for Stream<'_> {
    type Item = Vec<u8>;
    const SERVICE: &'static str = "Firehose";
    const MAX_ITEMS: usize = 500;
    /// Below the 4 MiB of PutRecordBatch.
    const MAX_BYTES: usize = 3_500_000;

    fn bytes(line: &Vec<u8>) -> usize {
        line.len()
    }

    async fn call(&self, lines: &[&Vec<u8>]) -> Result<Vec<Answer>, String> {
        let record = |line: &&Vec<u8>| Record::builder().data(Blob::new(line.as_slice())).build();
        let records: Result<Vec<Record>, _> = lines.iter().map(record).collect();
        let records = records.map_err(|error| error.to_string())?;
        let call = self.client.put_record_batch().delivery_stream_name(self.name).set_records(Some(records));
        let output = call.send().await.map_err(|error| match &error {
            SdkError::ServiceError(_) => DisplayErrorContext(&error).to_string(),
            _ => "no answer".to_owned(),
        })?;
        // The answers are in the order of the records.
        let answer = |entry: &PutRecordBatchResponseEntry| {
            entry.error_code().map_or(Answer::Taken, |code| Answer::Again(code.to_owned()))
        };
        Ok(output.request_responses().iter().map(answer).collect())
    }
}

impl Channel for AuditLog {
    const NAME: &'static str = "audit_logger";
    const METRIC: &'static str = AUDIT_LOGS_WRITTEN;

    async fn deliver(&self, events: &[BusEvent], at: Moment) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Later("it was not reached".to_owned()); events.len()];
        let mut rows = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let entry = entry(event);
            match self.store_oversize(&entry).await {
                Ok(()) => rows.push((place, entry.row)),
                Err(error) => {
                    if let Some(slot) = outcomes.get_mut(place) {
                        *slot = Outcome::Later(format!("audit-oversize: {error}"));
                    }
                }
            }
        }
        let written = match &self.sink {
            Sink::Firehose { client, stream } => {
                let lines = rows.iter().filter_map(|(place, row)| Some((*place, line(row)?)));
                let (places, lines): (Vec<usize>, Vec<Vec<u8>>) = lines.unzip();
                let told = Stream { client, name: stream }.send(&lines, BACKOFF, at.deadline).await;
                places.into_iter().zip(told).collect()
            }
            Sink::Lake => {
                let plain: Vec<&AuditRow> = rows.iter().map(|(_, row)| row).collect();
                let written = self.lake.write_rows(&schemas::AUDIT_LOG, &plain).await;
                let outcome = match written {
                    Ok(_) => Outcome::Delivered,
                    Err(error) => Outcome::Later(error.to_string()),
                };
                rows.iter().map(|(place, _)| (*place, outcome.clone())).collect::<Vec<_>>()
            }
        };
        for (place, outcome) in written {
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = outcome;
            }
        }
        outcomes
    }
}

/// A row as the JSON line Firehose converts by the Glue table.
fn line(row: &AuditRow) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(row).ok()?;
    line.push(b'\n');
    Some(line)
}
