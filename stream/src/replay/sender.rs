//! Records into the stream: full calls, failed ones again, never faster than asked.

use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::DisplayErrorContext;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tokio::time::Instant;
use tracing::warn;

use super::sources::Item;
use crate::backoff::Backoff;
use crate::bus::batches;

/// Records of one call (PutRecords).
const MAX_RECORDS: usize = 500;
/// Bytes of one call; the limit is 10 MiB, and half of that leaves the shards their share.
const MAX_BYTES: usize = 5 * 1024 * 1024;
/// Between two tries of a record that the stream did not take.
const BACKOFF: Backoff = Backoff { tries: 10, first: Duration::from_millis(200), longest: Duration::from_secs(5) };

/// Feeds one stream.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    stream: String,
    rate: NonZeroU32,
    /// When the next call may go out.
    free_at: Instant,
}

impl Sender {
    pub(super) fn new(client: Client, stream: &str, rate: NonZeroU32) -> Sender {
        Sender { client, stream: stream.to_owned(), rate, free_at: Instant::now() }
    }

    /// Sends all items; after each call whose records are all taken `done` hears how many items are.
    pub(super) async fn send(
        &mut self,
        items: &[Item],
        mut done: impl FnMut(usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let most = MAX_RECORDS.min(self.rate.get() as usize);
        let places: Vec<&Item> = items.iter().collect();
        let mut sent = 0;
        for part in batches(&places, most, MAX_BYTES, |item| item.data.len() + item.partition_key.len()) {
            self.put(&part).await?;
            sent += part.len();
            done(sent)?;
        }
        Ok(())
    }

    async fn put(&mut self, part: &[&Item]) -> anyhow::Result<()> {
        let mut waiting = part.to_vec();
        let mut failed_tries = 0;
        loop {
            self.keep_pace(waiting.len()).await;
            let mut entries = Vec::with_capacity(waiting.len());
            for item in &waiting {
                let entry = PutRecordsRequestEntry::builder().partition_key(&item.partition_key);
                entries.push(entry.data(Blob::new(item.data.clone())).build().context("building a record")?);
            }
            let reply = self.client.put_records().stream_name(&self.stream).set_records(Some(entries)).send().await;
            let reason = match reply {
                Ok(reply) => {
                    let results = reply.records();
                    let failed: Vec<&Item> = waiting
                        .iter()
                        .enumerate()
                        .filter(|(place, _)| results.get(*place).is_none_or(|result| result.error_code().is_some()))
                        .map(|(_, item)| *item)
                        .collect();
                    let first = results.iter().find_map(|result| result.error_code()).unwrap_or_default().to_owned();
                    waiting = failed;
                    first
                }
                Err(error) => DisplayErrorContext(&error).to_string(),
            };
            if waiting.is_empty() {
                return Ok(());
            }
            failed_tries += 1;
            let Some(pause) = BACKOFF.pause(failed_tries) else {
                bail!("stream {} did not take {} records: {reason}", self.stream, waiting.len());
            };
            warn!(records = waiting.len(), reason, "records are sent again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn keep_pace(&mut self, records: usize) {
        tokio::time::sleep_until(self.free_at).await;
        let takes = Duration::from_secs_f64(records as f64 / f64::from(self.rate.get()));
        self.free_at = Instant::now() + takes;
    }
}
