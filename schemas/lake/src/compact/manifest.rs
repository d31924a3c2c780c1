//! Manifests: which files a merged file stands for.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::ObjectStore;
use schemas::Table;
use serde::{Deserialize, Serialize};

use crate::error::{LakeError, advice};
use crate::location::Lake;

/// One merged file and what may be deleted for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Key of the merged file.
    pub(super) output: String,
    /// Keys of the files it was made of.
    pub(super) inputs: Vec<String>,
    /// Rows in the merged file.
    pub(super) rows: usize,
    /// The grace period begins here.
    pub(super) merged_at: DateTime<Utc>,
}

impl Manifest {
    /// A manifest says what is deleted, so one that names anything but other files of the partition is none.
    fn is_sound(&self, table: &Table) -> bool {
        let folder = super::partition_of(table, &self.output);
        let same = |input: &String| input.ends_with(".parquet") && super::partition_of(table, input) == folder;
        folder.is_some() && self.inputs.iter().all(|input| *input != self.output && same(input))
    }
}

impl Lake {
    /// The manifests of a table with their keys. One that cannot be read is passed over: its inputs stay.
    pub(super) async fn manifests(&self, table: &Table) -> Result<Vec<(String, Manifest)>, LakeError> {
        let folder = format!("compaction/{}", table.name);
        let failed = |error| LakeError::Read {
            location: self.location().to_owned(),
            key: folder.clone(),
            advice: advice(&error),
            source: Box::new(error),
        };
        let store = self.store();
        let listed: Vec<_> = store.list(Some(&self.path(&folder))).try_collect().await.map_err(failed)?;
        let mut keys: Vec<String> = listed.iter().map(|object| self.key(object)).collect();
        keys.sort_unstable();
        let mut manifests = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(bytes) = self.object(&key).await? else { continue };
            let manifest = serde_json::from_slice::<Manifest>(&bytes).ok().filter(|manifest| manifest.is_sound(table));
            manifests.extend(manifest.map(|manifest| (key, manifest)));
        }
        Ok(manifests)
    }

    /// Writes a manifest. One that is there already, of the same inputs, stays.
    pub(super) async fn write_manifest(&self, name: &str, manifest: &Manifest) -> Result<(), LakeError> {
        let table = manifest.output.split('/').next().unwrap_or_default();
        let json = serde_json::to_vec(manifest).map_err(LakeError::DeadLetter)?;
        self.create(&format!("compaction/{table}/{name}.json"), Bytes::from(json)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::VIOLATIONS;

    #[test]
    fn a_manifest_names_other_files_of_its_partition_and_nothing_else() {
        let day = "violations/year=2024/month=01/day=05";
        let sound = |output: &str, input: &str| {
            let inputs = vec![input.to_owned()];
            Manifest { output: output.to_owned(), inputs, rows: 1, merged_at: Utc::now() }.is_sound(&VIOLATIONS)
        };
        let output = format!("{day}/m.parquet");
        assert!(sound(&output, &format!("{day}/a.parquet")));
        for input in [
            output.clone(),
            "violations/year=2024/month=01/day=06/a.parquet".to_owned(),
            format!("{day}/../day=06/a.parquet"),
            "snapshots/a.parquet".to_owned(),
            format!("{day}/a.json"),
        ] {
            assert!(!sound(&output, &input), "{input}");
        }
        assert!(!sound("elsewhere/m.parquet", "elsewhere/a.parquet"));
    }
}
