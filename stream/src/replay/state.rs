//! What was fed already: the object and the place in it, in a small file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    source: String,
    stream: String,
    /// The last object, in the order of their names.
    object: String,
    /// Items of it that were fed; nothing when all were.
    items: Option<usize>,
}

/// Progress of a replay. Without a file it is forgotten.
#[derive(Debug)]
pub(super) struct State {
    file: Option<PathBuf>,
    document: Document,
}

impl State {
    pub(super) fn load(file: Option<&Path>, source: &str, stream: &str) -> anyhow::Result<State> {
        let fresh =
            Document { source: source.to_owned(), stream: stream.to_owned(), object: String::new(), items: Some(0) };
        let document = match file.map(fs::read_to_string) {
            None => fresh,
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => fresh,
            Some(text) => {
                let name = file.map(|file| file.display().to_string()).unwrap_or_default();
                let text = text.with_context(|| format!("reading {name}"))?;
                let known: Document =
                    serde_json::from_str(&text).with_context(|| format!("{name} is no state file"))?;
                let is_same = known.source == fresh.source && known.stream == fresh.stream;
                ensure!(is_same, "{name} is of a replay of {} to {}: name another file", known.source, known.stream);
                known
            }
        };
        Ok(State { file: file.map(Path::to_path_buf), document })
    }

    /// The first item of an object that was not fed; `None` when all were.
    pub(super) fn first_of(&self, object: &str) -> Option<usize> {
        match object.cmp(self.document.object.as_str()) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => self.document.items,
            std::cmp::Ordering::Greater => Some(0),
        }
    }

    pub(super) fn note(&mut self, object: &str, items: usize) -> anyhow::Result<()> {
        self.write(object, Some(items))
    }

    pub(super) fn note_whole(&mut self, object: &str) -> anyhow::Result<()> {
        self.write(object, None)
    }

    fn write(&mut self, object: &str, items: Option<usize>) -> anyhow::Result<()> {
        object.clone_into(&mut self.document.object);
        self.document.items = items;
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_string(&self.document).context("writing the state as JSON")?;
        let beside = file.with_extension("new");
        let write = || {
            fs::write(&beside, text)?;
            fs::rename(&beside, file)
        };
        write().with_context(|| format!("writing {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_goes_on_after_the_last_item_that_was_fed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        let mut state = State::load(Some(&file), "lake", "s").unwrap();
        assert_eq!((state.first_of("a"), state.first_of("b")), (Some(0), Some(0)));
        state.note("b", 7).unwrap();
        let mut state = State::load(Some(&file), "lake", "s").unwrap();
        assert_eq!((state.first_of("a"), state.first_of("b"), state.first_of("c")), (None, Some(7), Some(0)));
        state.note_whole("b").unwrap();
        assert_eq!((state.first_of("b"), state.first_of("c")), (None, Some(0)));
        assert!(State::load(Some(&file), "other", "s").is_err());
    }
}
