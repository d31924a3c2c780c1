//! Writing: an object is created once, under a name that comes from its content.

use bytes::Bytes;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutPayload};
use schemas::{Table, record_batch};
use serde::Serialize;

use crate::encode::encode_ordered;
use crate::error::{LakeError, advice};
use crate::location::Lake;
use crate::order::{Day, days, ordered};

/// Objects written at the same time; a backlog may span many days.
const WRITES_AT_ONCE: usize = 8;
/// Times an object is offered when the store says it exists and then that it does not.
const OFFERS: usize = 3;

/// An object that is now in the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Key inside the lake, such as `violations/year=2024/month=01/day=05/….parquet`; see [`Lake::path`].
    pub key: String,
    /// Day of its rows, UTC; of a dead letter its arrival, if known.
    pub day: Option<NaiveDate>,
    /// Rows in it.
    pub rows: usize,
    /// Size in bytes.
    pub bytes: u64,
    /// False when it was there already.
    pub new: bool,
}

impl Lake {
    /// Writes rows, one object for each day of event time, and returns when all are durable.
    ///
    /// Objects are named after their first time and a hash of their row ids. The same rows give the same names, and an
    /// object that is there already stays as it is. Repeats of an id are dropped, the earliest row kept. All rows are
    /// held in memory; cut a large input into batches.
    pub async fn write_rows(
        &self,
        table: &'static Table,
        rows: &[impl Serialize + Sync],
    ) -> Result<Vec<Written>, LakeError> {
        let batch = ordered(table, &record_batch(table, rows)?)?;
        let days = days(table, &batch)?;
        stream::iter(days).map(|day| self.write_day(table, day)).buffered(WRITES_AT_ONCE).try_collect().await
    }

    async fn write_day(&self, table: &'static Table, day: Day) -> Result<Written, LakeError> {
        let bytes = encode_ordered(table, &day.rows)?;
        let rows = day.rows.num_rows();
        let (bytes, new) = self.create(&day.key, bytes).await?;
        Ok(Written { key: day.key, day: Some(day.date), rows, bytes, new })
    }

    /// Creates an object unless it is there. Returns its size and whether it is new.
    pub(crate) async fn create(&self, key: &str, content: Bytes) -> Result<(u64, bool), LakeError> {
        let path = self.path(key);
        let store = self.store();
        let failed = |error| LakeError::Write {
            location: self.location().to_owned(),
            key: key.to_owned(),
            advice: advice(&error),
            source: Box::new(error),
        };
        let size = content.len() as u64;
        let mut offers = OFFERS;
        loop {
            offers -= 1;
            let put = store.put_opts(&path, PutPayload::from(content.clone()), PutMode::Create.into()).await;
            let exists = match put {
                Ok(_) => return Ok((size, true)),
                Err(exists @ StoreError::AlreadyExists { .. }) => exists,
                Err(error) => return Err(failed(error)),
            };
            // S3 answers the same while another writer is at it, and that one may yet fail: only what can be seen counts.
            match store.head(&path).await {
                Ok(found) => return Ok((found.size, false)),
                Err(StoreError::NotFound { .. }) if offers > 0 => {}
                Err(StoreError::NotFound { .. }) => return Err(failed(exists)),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}
