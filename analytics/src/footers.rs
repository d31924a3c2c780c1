//! Footers of Parquet files: read once, looked at before anything else of the file is read, and kept for the queries.
//!
//! Page indexes are left where they are. They are most of what a small file has beside its rows, and say little of files
//! that hold one day, sorted by time: reading them for every file of a month took longer than its rows.

use std::sync::Arc;

use datafusion::datasource::physical_plan::parquet::CachedParquetMetaData;
use datafusion::error::DataFusionError;
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

/// Length of the footer and the mark of the format, at the end of every file.
const MARK_BYTES: usize = 8;

/// Read at once from the end of a file, which is the whole footer of nearly every file of the lake.
const TAIL_BYTES: u64 = 32 << 10;

/// The footers of the files of one lake.
#[derive(Debug, Clone)]
pub(crate) struct Footers {
    store: Arc<dyn ObjectStore>,
    cache: Arc<FileMetadataCache>,
}

impl Footers {
    /// Footers are kept in the cache of the queries.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, cache: Arc<FileMetadataCache>) -> Footers {
        Footers { store, cache }
    }

    /// Where the files are.
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The footer of a file.
    pub(crate) async fn of(&self, file: &ObjectMeta) -> Result<Arc<ParquetMetaData>, DataFusionError> {
        let kept = self.cache.get(&file.location).filter(|kept| kept.is_valid_for(file));
        if let Some(kept) =
            kept.as_ref().and_then(|kept| kept.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>())
        {
            return Ok(Arc::clone(kept.parquet_metadata()));
        }
        let footer = Arc::new(self.read(file).await?);
        let entry =
            CachedFileMetadataEntry::new(file.clone(), Arc::new(CachedParquetMetaData::new(Arc::clone(&footer))));
        self.cache.put(&file.location, entry);
        Ok(footer)
    }

    /// The readers of the library trust the length that the file gives; here it is compared with that of the file.
    async fn read(&self, file: &ObjectMeta) -> Result<ParquetMetaData, DataFusionError> {
        let tail = self.store.get_range(&file.location, file.size.saturating_sub(TAIL_BYTES)..file.size).await?;
        let Some((before, mark)) = tail.split_last_chunk::<MARK_BYTES>() else {
            return Err(ParquetError::General(format!("{} bytes are not enough for a footer", tail.len())).into());
        };
        let length = FooterTail::try_new(mark)?.metadata_length();
        if let Some(begin) = before.len().checked_sub(length) {
            return Ok(ParquetMetaDataReader::decode_metadata(before.get(begin..).unwrap_or_default())?);
        }
        let end = file.size.saturating_sub(MARK_BYTES as u64);
        let Some(begin) = end.checked_sub(length as u64) else {
            return Err(ParquetError::General(format!("a footer of {length} bytes in {} bytes", file.size)).into());
        };
        let footer = self.store.get_range(&file.location, begin..end).await?;
        Ok(ParquetMetaDataReader::decode_metadata(&footer)?)
    }
}
