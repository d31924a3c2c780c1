//! How far each shard was read: a small JSON file, replaced whole after every batch.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

/// How far a shard was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// To this record, which is done.
    After(String),
    /// To this record, which is not.
    At(String),
    /// To its end.
    Closed,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    stream: String,
    shards: BTreeMap<String, Place>,
}

/// The file and what it says.
#[derive(Debug)]
pub(super) struct Checkpoint {
    file: PathBuf,
    document: Document,
    is_new: bool,
}

impl Checkpoint {
    /// Reads the file; one that does not exist knows nothing.
    pub(super) fn load(file: &Path, stream: &str) -> anyhow::Result<Checkpoint> {
        let (document, is_new) = match fs::read_to_string(file) {
            Ok(text) => {
                let context = || format!("{} is no checkpoint file: delete it to begin anew", file.display());
                (serde_json::from_str::<Document>(&text).with_context(context)?, false)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                (Document { stream: stream.to_owned(), shards: BTreeMap::new() }, true)
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
        };
        let known = &document.stream;
        ensure!(known == stream, "{} is the checkpoint of {known}: name another file", file.display());
        Ok(Checkpoint { file: file.to_path_buf(), document, is_new })
    }

    /// Whether there was no file at the start.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(super) fn place(&self, shard_id: &str) -> Option<&Place> {
        self.document.shards.get(shard_id)
    }

    pub(super) fn is_closed(&self, shard_id: &str) -> bool {
        self.place(shard_id) == Some(&Place::Closed)
    }

    /// Notes a place and writes the file. A crash leaves the old file or the new one.
    pub(super) fn set(&mut self, shard_id: &str, place: Place) -> anyhow::Result<()> {
        self.document.shards.insert(shard_id.to_owned(), place);
        let text = serde_json::to_string_pretty(&self.document).context("writing the checkpoint as JSON")?;
        let beside = self.file.with_extension("new");
        let write = || {
            fs::write(&beside, text)?;
            fs::rename(&beside, &self.file)
        };
        write().with_context(|| format!("writing {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_after_a_restart_and_another_stream_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.checkpoint.json");
        let mut checkpoint = Checkpoint::load(&file, "s").unwrap();
        assert!(checkpoint.is_new());
        checkpoint.set("shard-1", Place::After("7".to_owned())).unwrap();
        checkpoint.set("shard-0", Place::Closed).unwrap();
        let again = Checkpoint::load(&file, "s").unwrap();
        assert_eq!(again.place("shard-1"), Some(&Place::After("7".to_owned())));
        assert!(again.is_closed("shard-0") && !again.is_closed("shard-1") && !again.is_new());
        assert!(Checkpoint::load(&file, "other").unwrap_err().to_string().contains("checkpoint of s"));
    }

    #[test]
    fn a_damaged_file_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.checkpoint.json");
        fs::write(&file, "{").unwrap();
        assert!(Checkpoint::load(&file, "s").unwrap_err().to_string().contains("delete it"));
    }
}
