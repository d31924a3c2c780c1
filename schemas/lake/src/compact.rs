//! Compaction: the small files of a partition become one sorted file without repeats.
//!
//! ```text
//! violations/year=2024/month=01/day=05/20240105T120000Z-<hash of the input names>-merged.parquet   1. the merged file
//! compaction/violations/20240105T120000Z-<the same>.json                                           2. its manifest
//!                                                                                                  3. grace period
//! the inputs are deleted, then the manifest                                                        4. removal
//! ```
//!
//! Why a reader sees every row once at every instant, and after a crash at any of them:
//!
//! - The views show one copy of each row, and the merged file holds the copy that they show. So a merged file beside its
//!   inputs changes nothing.
//! - An input is deleted only while a readable merged file with its rows is there, and that file in turn is deleted only
//!   when a later one holds its rows. Whoever repeats a step, or does it late, finds it done.
//! - Who listed the inputs before the merged file was there can read them until the grace period is over.
//! - A crash before step 2 leaves a file of repeats, which the next run merges away; a crash later leaves a manifest, and
//!   the next run goes on from there.
//! - Two runs at once may both merge; the same inputs give the same name and bytes, others give repeats for the next run.
//!
//! Late events are files that came later, merged by the next run. A file of a good size stays as it is: a repeat of its
//! rows in a small file is dropped by the views, as before.

mod manifest;
mod merge;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt};
use schemas::Table;

use crate::error::{LakeError, advice};
use crate::list::Within;
use crate::location::Lake;
use manifest::Manifest;
use merge::Group;

/// A file of this many bytes is not merged again: Athena reads best from about 64 MB.
pub const GOOD_BYTES: u64 = 64 << 20;
/// How long the inputs stay beside the merged file unless the caller says otherwise: twice what Athena lets a query run.
pub const GRACE: TimeDelta = TimeDelta::minutes(60);

/// The small files of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Key of its folder, such as `violations/year=2024/month=01/day=05`.
    pub folder: String,
    /// At least two files, by path.
    pub files: Vec<ObjectMeta>,
}

/// What merging one partition gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Files read into merged ones.
    pub inputs: usize,
    /// Their size in bytes.
    pub input_bytes: u64,
    /// Their rows, repeats included.
    pub input_rows: usize,
    /// Merged files.
    pub outputs: usize,
    /// Their size in bytes.
    pub output_bytes: u64,
    /// Their rows.
    pub output_rows: usize,
    /// Files that stay as they are: key and reason.
    pub left_out: Vec<(String, String)>,
}

impl Merged {
    /// Counts what another partition gave, too.
    pub fn add(&mut self, other: Merged) {
        self.inputs += other.inputs;
        self.input_bytes += other.input_bytes;
        self.input_rows += other.input_rows;
        self.outputs += other.outputs;
        self.output_bytes += other.output_bytes;
        self.output_rows += other.output_rows;
        self.left_out.extend(other.left_out);
    }
}

/// What removing inputs gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Inputs deleted.
    pub files: usize,
    /// Inputs whose grace period is not over.
    pub waiting: usize,
    /// When the last of these may be removed.
    pub until: Option<DateTime<Utc>>,
    /// Manifests put aside because their merged file is gone or not whole: the inputs stay and are merged again.
    pub refused: Vec<(String, String)>,
}

impl Lake {
    /// The partitions of a table that have small files to merge. Inputs of earlier merges that only wait for their
    /// removal are not among them. A table without a view has none: its readers would count the repeats.
    pub async fn partitions_to_merge(
        &self,
        table: &'static Table,
        within: Within,
    ) -> Result<Vec<Partition>, LakeError> {
        if schemas::athena_view(table).is_none() {
            return Ok(Vec::new());
        }
        let mut done: Vec<String> = self.manifests(table).await?.into_iter().flat_map(|(_, m)| m.inputs).collect();
        done.sort_unstable();
        let mut partitions: Vec<Partition> = Vec::new();
        for file in self.list_parquet(table, within).await? {
            let key = self.key(&file);
            let Some(folder) = partition_of(table, &key) else { continue };
            if file.size >= GOOD_BYTES || file.size == 0 || done.binary_search(&key).is_ok() {
                continue;
            }
            match partitions.last_mut() {
                Some(last) if last.folder == folder => last.files.push(file),
                _ => partitions.push(Partition { folder: folder.to_owned(), files: vec![file] }),
            }
        }
        partitions.retain(|partition| partition.files.len() > 1);
        Ok(partitions)
    }

    /// Writes the merged files of a partition, each with its manifest. Deletes nothing.
    ///
    /// `now` begins the grace period. At most 128 MB of decoded rows and one file more are in memory;
    /// when a partition has more, it gets several merged files.
    pub async fn merge_partition(
        &self,
        table: &'static Table,
        partition: &Partition,
        now: DateTime<Utc>,
    ) -> Result<Merged, LakeError> {
        let mut merged = Merged::default();
        let mut group = Group::new(table);
        for file in &partition.files {
            let key = self.key(file);
            // Another run was faster.
            let Some(bytes) = self.object(&key).await? else { continue };
            match merge::rows_of(table, bytes) {
                Ok(rows) => {
                    if group.is_full(&rows) {
                        self.write_group(std::mem::replace(&mut group, Group::new(table)), partition, now, &mut merged)
                            .await?;
                    }
                    group.push(key, file.size, rows);
                }
                Err(reason) => merged.left_out.push((key, reason)),
            }
        }
        self.write_group(group, partition, now, &mut merged).await?;
        Ok(merged)
    }

    /// Deletes the inputs of merged files whose grace period is over.
    pub async fn remove_merged(
        &self,
        table: &'static Table,
        now: DateTime<Utc>,
        grace: TimeDelta,
    ) -> Result<Removed, LakeError> {
        let mut removed = Removed::default();
        for (key, manifest) in self.manifests(table).await? {
            let until = manifest.merged_at + grace;
            if until > now {
                removed.waiting += manifest.inputs.len();
                removed.until = removed.until.max(Some(until));
                continue;
            }
            match self.fault_of(&manifest).await? {
                None => {
                    for input in &manifest.inputs {
                        removed.files += usize::from(self.delete(input).await?);
                    }
                }
                Some(reason) => removed.refused.push((key.clone(), reason)),
            }
            self.delete(&key).await?;
        }
        Ok(removed)
    }

    async fn write_group(
        &self,
        group: Group,
        partition: &Partition,
        now: DateTime<Utc>,
        merged: &mut Merged,
    ) -> Result<(), LakeError> {
        if group.inputs.len() < 2 {
            return Ok(());
        }
        let (inputs, input_bytes, input_rows) = (group.inputs.clone(), group.bytes, group.rows);
        let file = group.merge()?;
        let output = format!("{}/{}.parquet", partition.folder, file.name);
        let (output_bytes, _) = self.create(&output, file.bytes).await?;
        let count = inputs.len();
        let manifest = Manifest { output, inputs, rows: file.rows, merged_at: now };
        self.write_manifest(&file.name, &manifest).await?;
        merged.inputs += count;
        merged.input_bytes += input_bytes;
        merged.input_rows += input_rows;
        merged.outputs += 1;
        merged.output_bytes += output_bytes;
        merged.output_rows += file.rows;
        Ok(())
    }

    /// Why the inputs of a manifest must stay.
    async fn fault_of(&self, manifest: &Manifest) -> Result<Option<String>, LakeError> {
        let Some(bytes) = self.object(&manifest.output).await? else {
            return Ok(Some(format!("{} is gone", manifest.output)));
        };
        Ok(match merge::row_count(bytes) {
            Ok(rows) if rows == manifest.rows => None,
            Ok(rows) => Some(format!("{} has {rows} rows instead of {}", manifest.output, manifest.rows)),
            Err(reason) => Some(format!("{}: {reason}", manifest.output)),
        })
    }

    /// The key inside the lake of a listed object.
    fn key(&self, file: &ObjectMeta) -> String {
        let parts = file.location.parts().skip(self.root().parts().count());
        parts.collect::<object_store::path::Path>().to_string()
    }

    /// An object whole; none when it is not there.
    async fn object(&self, key: &str) -> Result<Option<Bytes>, LakeError> {
        let read = async { self.store().get(&self.path(key)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(LakeError::Read {
                location: self.location().to_owned(),
                key: key.to_owned(),
                advice: advice(&error),
                source: Box::new(error),
            }),
        }
    }

    /// Deletes an object. False when it was not there.
    async fn delete(&self, key: &str) -> Result<bool, LakeError> {
        match self.store().delete(&self.path(key)).await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(LakeError::Write {
                location: self.location().to_owned(),
                key: key.to_owned(),
                advice: advice(&error),
                source: Box::new(error),
            }),
        }
    }
}

/// The folder of a file that is in a partition, and nowhere else below the table.
fn partition_of<'a>(table: &Table, key: &'a str) -> Option<&'a str> {
    let (folder, _) = key.rsplit_once('/')?;
    let parts: Vec<&str> = folder.split('/').collect();
    let [name, year, month, day] = parts.as_slice() else { return None };
    let fits = |part: &str, key: &str, digits: usize| {
        part.strip_prefix(key).is_some_and(|value| value.len() == digits && value.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_partition =
        *name == table.name && fits(year, "year=", 4) && fits(month, "month=", 2) && fits(day, "day=", 2);
    is_partition.then_some(folder)
}

#[cfg(test)]
mod tests;
