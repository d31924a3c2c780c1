//! Which files a scan reads, in an order that depends on their names alone.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io, slice};

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

/// What the paths came to so far.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to read, each counted once however many units it has.
    pub files: u64,
    /// Files in the folders that do not look like logs, and so are not read.
    pub passed_over: u64,
    /// Paths that do not exist, cannot be listed or hold nothing to read, with the reason.
    pub problems: Vec<(PathBuf, String)>,
}

/// The units of some paths in groups, found as they are asked for: nobody holds the names of a million files. A file
/// is taken as it is, a folder is walked with its sub-folders.
///
/// A group is what one worker reads before it asks for more: handing over costs more than reading a small file.
#[derive(Debug)]
pub struct Inputs<'p> {
    paths: slice::Iter<'p, PathBuf>,
    folder: Option<Folder<'p>>,
    /// A large file of which ranges are left.
    large: Option<Large>,
    found: Found,
}

#[derive(Debug)]
struct Folder<'p> {
    path: &'p Path,
    entries: walkdir::IntoIter,
    /// Files found before it.
    files_before: u64,
}

#[derive(Debug)]
struct Large {
    path: PathBuf,
    bytes: u64,
    /// Where the next range starts.
    start: u64,
}

impl<'p> Inputs<'p> {
    /// The inputs that these paths name.
    pub fn of(paths: &'p [PathBuf]) -> Inputs<'p> {
        Inputs { paths: paths.iter(), folder: None, large: None, found: Found::default() }
    }

    /// What was found; complete when there are no more groups.
    pub fn into_found(self) -> Found {
        self.found
    }

    fn unit(&mut self) -> Option<Unit> {
        loop {
            if let Some(unit) = self.range() {
                return Some(unit);
            }
            let unit = match &self.folder {
                Some(_) => self.next_in_folder(),
                None => self.next_path()?,
            };
            if unit.is_some() {
                return unit;
            }
        }
    }

    /// `None` at the end of the command line, `Some(None)` for a path that is no file to read.
    fn next_path(&mut self) -> Option<Option<Unit>> {
        let path = self.paths.next()?;
        match fs::metadata(path) {
            Err(error) => self.found.problems.push((path.clone(), describe(&error))),
            Ok(metadata) if metadata.is_dir() => {
                let entries = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
                self.folder = Some(Folder { path, entries, files_before: self.found.files });
            }
            Ok(metadata) => return Some(self.file(path.clone(), metadata.len())),
        }
        Some(None)
    }

    fn next_in_folder(&mut self) -> Option<Unit> {
        let folder = self.folder.as_mut()?;
        let entry = match folder.entries.next() {
            Some(Ok(entry)) => entry,
            Some(Err(error)) => {
                let path = error.path().unwrap_or(folder.path).to_path_buf();
                let reason = error.io_error().map_or_else(|| error.to_string(), describe);
                self.found.problems.push((path, reason));
                return None;
            }
            None => {
                if self.found.files == folder.files_before {
                    let endings = ENDINGS.join(", ");
                    let reason = format!("no file to read in this folder (looked for names ending in {endings})");
                    self.found.problems.push((folder.path.to_path_buf(), reason));
                }
                self.folder = None;
                return None;
            }
        };
        if entry.file_type().is_dir() {
            return None;
        }
        if !looks_like_a_log(entry.path()) {
            self.found.passed_over += 1;
            return None;
        }
        match entry.metadata() {
            Ok(metadata) => self.file(entry.into_path(), metadata.len()),
            Err(error) => {
                self.found.problems.push((entry.path().to_path_buf(), error.to_string()));
                None
            }
        }
    }

    /// The file as one unit; nothing yet for one that is read in ranges.
    fn file(&mut self, path: PathBuf, bytes: u64) -> Option<Unit> {
        self.found.files += 1;
        if bytes <= RANGE_BYTES || !super::source::holds_plain_lines(&path) {
            return Some(Unit { path, bytes, range: None });
        }
        self.large = Some(Large { path, bytes, start: 0 });
        None
    }

    fn range(&mut self) -> Option<Unit> {
        let large = self.large.as_mut()?;
        let (start, end) = (large.start, (large.start + RANGE_BYTES).min(large.bytes));
        if start == end {
            self.large = None;
            return None;
        }
        large.start = end;
        Some(Unit { path: large.path.clone(), bytes: end - start, range: Some(start..end) })
    }
}

impl Iterator for Inputs<'_> {
    type Item = Vec<Unit>;

    fn next(&mut self) -> Option<Vec<Unit>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < GROUP_BYTES && group.len() < GROUP_FILES {
            let Some(unit) = self.unit() else { break };
            bytes += unit.bytes;
            group.push(unit);
        }
        (!group.is_empty()).then_some(group)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_names_and_sizes_and_a_large_file_comes_in_ranges() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: usize| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}\n".repeat(bytes / 3)).unwrap();
        };
        write("b/large.jsonl", (RANGE_BYTES as usize) * 2 + 300);
        (0..GROUP_FILES + 1).for_each(|number| write(&format!("a/{number:03}.json"), 3));
        write("c/notes.txt", 3);
        let paths = [folder.path().to_path_buf(), folder.path().join("gone"), folder.path().join("c")];
        let mut inputs = Inputs::of(&paths);
        let groups: Vec<Vec<Unit>> = inputs.by_ref().collect();
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        // The second group takes the last small file and the first range: it is full only then.
        assert_eq!(sizes, [GROUP_FILES, 2, 1, 1]);
        let ranges: Vec<Range<u64>> = groups.iter().flatten().filter_map(|unit| unit.range.clone()).collect();
        assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(
            (ranges.len(), ranges[2].end),
            (3, fs::metadata(folder.path().join("b/large.jsonl")).unwrap().len())
        );
        let found = inputs.into_found();
        assert_eq!((found.files, found.passed_over), (GROUP_FILES as u64 + 2, 2));
        let problems: Vec<&str> = found.problems.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[0], "no such file or folder");
        assert!(problems[1].starts_with("no file to read in this folder"));
    }
}
