//! Which files a scan reads, in an order that depends on their names alone.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use walkdir::WalkDir;

/// Plain JSON-lines files above this size are read in ranges of this size, so that one large file keeps all cores busy.
pub const RANGE_BYTES: u64 = 16 << 20;

/// Small files are handed to a worker together, up to about this size on disk and this many.
const GROUP_BYTES: u64 = 1 << 20;
const GROUP_FILES: usize = 64;

/// File names a folder walk takes; a trailing `.gz` is ignored first. A file named on the command line is always taken.
const ENDINGS: [&str; 4] = ["json", "jsonl", "ndjson", "log"];

/// A file, or a range of a large JSON-lines file, that one worker reads from start to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Where the bytes are.
    pub path: PathBuf,
    /// Size on disk of what this unit reads, for the progress bar.
    pub bytes: u64,
    /// Byte range of the lines that belong to this unit: those that start inside it. `None`: the whole file.
    pub range: Option<Range<u64>>,
}

/// What the paths of the command line came to.
#[derive(Debug, Default)]
pub struct Inputs {
    /// What to read, in order.
    pub units: Vec<Unit>,
    /// Files found, each counted once however many units it has.
    pub files: u64,
    /// Files in the folders that do not look like logs, and so are not read.
    pub passed_over: u64,
    /// Paths that do not exist, cannot be listed or hold nothing to read, with the reason.
    pub problems: Vec<(PathBuf, String)>,
}

impl Inputs {
    /// Size on disk of everything that will be read.
    pub fn bytes(&self) -> u64 {
        self.units.iter().map(|unit| unit.bytes).sum()
    }

    /// The units in order, those put together that one worker reads before it asks for more: handing over costs more
    /// than reading a small file.
    pub fn groups(&self) -> Vec<&[Unit]> {
        let (mut bytes, mut files) = (0, 0);
        let groups = self.units.chunk_by(|unit, _| {
            bytes += unit.bytes;
            files += 1;
            let goes_on = bytes < GROUP_BYTES && files < GROUP_FILES;
            if !goes_on {
                (bytes, files) = (0, 0);
            }
            goes_on
        });
        groups.collect()
    }
}

/// Looks up every path: a file is taken as it is, a folder is walked with its sub-folders.
pub fn find(paths: &[PathBuf]) -> Inputs {
    let mut inputs = Inputs::default();
    for path in paths {
        match fs::metadata(path) {
            Err(error) => inputs.problems.push((path.clone(), describe(&error))),
            Ok(metadata) if metadata.is_dir() => add_folder(path, &mut inputs),
            Ok(metadata) => add_file(path, metadata.len(), &mut inputs),
        }
    }
    inputs
}

fn add_folder(folder: &Path, inputs: &mut Inputs) {
    let before = inputs.files;
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_path_buf();
                let reason = error.io_error().map_or_else(|| error.to_string(), describe);
                inputs.problems.push((path, reason));
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        if !looks_like_a_log(entry.path()) {
            inputs.passed_over += 1;
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => add_file(entry.path(), metadata.len(), inputs),
            Err(error) => inputs.problems.push((entry.path().to_path_buf(), error.to_string())),
        }
    }
    if inputs.files == before {
        let reason = format!("no file to read in this folder (looked for names ending in {})", ENDINGS.join(", "));
        inputs.problems.push((folder.to_path_buf(), reason));
    }
}

fn add_file(path: &Path, bytes: u64, inputs: &mut Inputs) {
    inputs.files += 1;
    if bytes <= RANGE_BYTES || !super::source::holds_plain_lines(path) {
        inputs.units.push(Unit { path: path.to_path_buf(), bytes, range: None });
        return;
    }
    let mut start = 0;
    while start < bytes {
        let end = (start + RANGE_BYTES).min(bytes);
        inputs.units.push(Unit { path: path.to_path_buf(), bytes: end - start, range: Some(start..end) });
        start = end;
    }
}

fn looks_like_a_log(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// The reason an operating system gives, in words a user can act on.
pub fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied: make it readable for this user".to_owned(),
        _ => error.to_string(),
    }
}
