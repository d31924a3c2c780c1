//! Finding what is in the lake.

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use schemas::Table;

use crate::error::{LakeError, advice};
use crate::location::Lake;

/// Which partitions to look at, by event time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Every partition.
    All,
    /// The partitions of a year.
    Year(i32),
    /// The partitions of a month, 1 to 12.
    Month {
        /// Year of the month.
        year: i32,
        /// 1 for January.
        month: u32,
    },
}

impl Lake {
    /// The Parquet objects of a table, sorted by path. A lake or table that does not exist yet has none.
    pub async fn list_parquet(&self, table: &Table, within: Within) -> Result<Vec<ObjectMeta>, LakeError> {
        let prefix = match within {
            Within::All => table.name.to_owned(),
            Within::Year(year) => format!("{}/year={year:04}", table.name),
            Within::Month { year, month } => format!("{}/year={year:04}/month={month:02}", table.name),
        };
        let failed = |error| LakeError::Read {
            location: self.location().to_owned(),
            key: prefix.clone(),
            advice: advice(&error),
            source: Box::new(error),
        };
        let store = self.store();
        let mut objects: Vec<ObjectMeta> = store.list(Some(&self.path(&prefix))).try_collect().await.map_err(failed)?;
        objects.retain(|object| object.location.extension() == Some("parquet"));
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(objects)
    }
}
