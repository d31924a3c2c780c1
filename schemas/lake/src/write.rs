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

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
        PutOptions, PutResult, Result,
    };

    use super::*;

    /// A bucket where another writer is busy with the same object and gives up after some offers.
    #[derive(Debug)]
    struct Contended {
        inner: InMemory,
        refusals: AtomicUsize,
    }

    impl fmt::Display for Contended {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("contended")
        }
    }

    #[async_trait]
    impl ObjectStore for Contended {
        async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
            let left = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            match left {
                Ok(_) => Err(StoreError::AlreadyExists { path: path.to_string(), source: "409 Conflict".into() }),
                Err(_) => self.inner.put_opts(path, payload, options).await,
            }
        }

        async fn put_multipart_opts(
            &self,
            path: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.inner.put_multipart_opts(path, options).await
        }

        async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
            self.inner.get_opts(path, options).await
        }

        fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            self.inner.delete_stream(paths)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.inner.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }

    fn contended(refusals: usize) -> Lake {
        let store = Contended { inner: InMemory::new(), refusals: AtomicUsize::new(refusals) };
        Lake::new("memory://", Arc::new(store), "memory:///", Path::default()).expect("lake")
    }

    #[tokio::test]
    async fn an_object_said_to_exist_but_not_to_be_seen_is_offered_again() {
        let lake = contended(OFFERS - 1);
        assert_eq!(lake.create("key", Bytes::from_static(b"rows")).await.expect("created"), (4, true));
        assert_eq!(lake.create("key", Bytes::from_static(b"rows")).await.expect("there"), (4, false));
    }

    #[tokio::test]
    async fn an_object_never_seen_is_not_called_written() {
        let error = contended(OFFERS).create("key", Bytes::from_static(b"rows")).await.expect_err("never stored");
        assert!(matches!(error, LakeError::Write { .. }), "{error}");
    }
}
