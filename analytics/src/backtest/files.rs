//! CloudTrail files: found, inflated, cut into records, opened.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use detection::{EventKey, Interest, Limits, Opening, Part, Piece, Splitter};
use flate2::read::MultiGzDecoder;
use walkdir::WalkDir;

use super::tally::Tally;
use crate::span::Span;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 18;
/// A gzip file may inflate to this size whatever its ratio; above, real logs stay far below this many times its size.
const INFLATED_FREE_BYTES: u64 = 256 << 20;
const MAX_RATIO: u64 = 500;
/// Names that a folder is searched for, with or without `.gz`.
const ENDINGS: [&str; 4] = ["json", "jsonl", "ndjson", "log"];

/// Judges every event of the files and folders, each once, that lies in the period.
pub(super) fn read(paths: &[PathBuf], span: Option<Span>, tally: &mut Tally<'_>) {
    let limits = Limits::default();
    let interest = Interest::in_names(tally.config().event_names());
    let mut seen = HashSet::new();
    for path in found(paths, tally) {
        let name = path.display().to_string();
        let mut splitter = Splitter::new(limits.max_event_bytes);
        let mut reading = Reading { limits, interest: &interest, span, seen: &mut seen, tally, name: &name };
        let done = pieces(&path, &mut |piece| splitter.push(piece, &mut |part| reading.part(part)));
        splitter.finish(&mut |part| reading.part(part));
        if let Err(reason) = done {
            reading.tally.unreadable(&format!("{name}: {reason}"));
        }
    }
}

/// The files in the order of their names.
fn found(paths: &[PathBuf], tally: &mut Tally<'_>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if entry.depth() == 0 || is_log(entry.path()) => files.push(entry.into_path()),
                Ok(_) => {}
                Err(error) => tally.problem(error.to_string()),
            }
        }
        if files.len() == before {
            tally.problem(format!(
                "{}: no file to read (looked for names ending in {})",
                path.display(),
                ENDINGS.join(", ")
            ));
        }
    }
    files
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// Hands over the bytes of a file, inflated when they are gzip. What was handed over before an error stays valid.
fn pieces(path: &Path, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(PIECE_BYTES, file);
    let is_gzip = io::BufRead::fill_buf(&mut reader)?.starts_with(&[0x1f, 0x8b]);
    if !is_gzip {
        return copy(reader, u64::MAX, take);
    }
    let most = INFLATED_FREE_BYTES.max(size.saturating_mul(MAX_RATIO));
    copy(MultiGzDecoder::new(reader), most, take)
}

fn copy(mut reader: impl Read, most: u64, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut total = 0;
    loop {
        let count = match reader.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if count == 0 {
            return Ok(());
        }
        total += count as u64;
        if total > most {
            return Err(io::Error::other(format!(
                "inflates to more than {most} bytes: not a log, the rest was not read"
            )));
        }
        take(piece.get(..count).unwrap_or_default());
    }
}

struct Reading<'r, 'c> {
    limits: Limits,
    interest: &'r Interest,
    span: Option<Span>,
    seen: &'r mut HashSet<EventKey>,
    tally: &'r mut Tally<'c>,
    name: &'r str,
}

impl Reading<'_, '_> {
    fn part(&mut self, part: Part<'_>) {
        let bytes = match part {
            Part::Record { bytes, .. } => bytes,
            Part::TooLarge { length, .. } => {
                return self.tally.unreadable(&format!("{}: a record of {length} bytes is too large", self.name));
            }
            Part::Truncated { .. } => {
                return self.tally.unreadable(&format!("{}: the file ends inside a record", self.name));
            }
        };
        if self.interest.surely_not(bytes) {
            return;
        }
        let opening = Opening { limits: &self.limits, interest: Some(self.interest), arrival: None };
        let Reading { span, seen, tally, name, .. } = self;
        detection::open(bytes, &opening, &mut |piece| match piece {
            Piece::Event(event) => {
                let day = event.event_time.date_naive();
                let is_asked = span.is_none_or(|span| (span.first_day()..=span.last_day()).contains(&day));
                if is_asked && EventKey::of(&event).is_none_or(|key| seen.insert(key)) {
                    tally.event(&event, None);
                }
            }
            Piece::NotOfInterest | Piece::Other(_) => {}
            Piece::Unreadable(part) => tally.unreadable(&format!("{name}: {}", part.reason)),
        });
    }
}
