//! The bytes of one unit, inflated when they are gzip, in pieces of bounded size.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use detection::Gunzip;
use flate2::bufread::MultiGzDecoder;

use super::in_order::Flow;
use super::inputs::{Unit, describe};

/// Bytes of a file read at a time, and of text handed on at a time when it is a stream: what fits a core's cache.
const PIECE_BYTES: usize = 256 << 10;
/// A gzip file that fits one piece is inflated at once, if its text is not larger than this.
const MAX_TEXT_BYTES: usize = 4 << 20;
/// How much of a file is looked at to tell JSON lines from one document.
const SNIFF_BYTES: u64 = 256 << 10;
/// A gzip file may inflate to this size whatever its ratio.
const INFLATED_FREE_BYTES: u64 = 256 << 20;
/// Above that, the ratio it may have. Real logs stay under 30, the same event over and over reaches 300, deflate ends at 1,032.
const MAX_RATIO: u64 = 500;

/// Why the rest of a unit could not be read. What was handed on before stays valid.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file could not be opened.
    #[error("cannot open: {}", describe(.0))]
    Open(io::Error),
    /// The file system failed in the middle.
    #[error("cannot read on: {}", describe(.0))]
    Read(io::Error),
    /// The gzip stream ends before its end mark: the file was cut off.
    #[error("the gzip stream ends early: fetch the file again, it was cut off")]
    Truncated,
    /// Not a valid gzip stream, or other bytes after it.
    #[error("the gzip stream is damaged ({0}): fetch the file again")]
    Corrupt(String),
    /// A decompression bomb.
    #[error(
        "inflates to more than {MAX_RATIO} times its size after {inflated} bytes: not a log, the rest was not read"
    )]
    Bomb {
        /// Bytes inflated so far.
        inflated: u64,
    },
}

impl SourceError {
    /// Stable code for dead letters and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            SourceError::Open(_) => "FileNotOpened",
            SourceError::Read(_) => "FileNotRead",
            SourceError::Truncated => "GzipTruncated",
            SourceError::Corrupt(_) => "GzipDamaged",
            SourceError::Bomb { .. } => "GzipBomb",
        }
    }
}

/// Reads units one after the other into the same memory.
#[derive(Debug, Default)]
pub struct Reader {
    piece: Vec<u8>,
    text: Vec<u8>,
    gunzip: Gunzip,
}

impl Reader {
    /// Hands the unit's bytes to `take`, in order; adds what was read from disk to `progress`.
    ///
    /// For a range, hands over exactly the lines that start inside it.
    pub fn read(
        &mut self,
        unit: &Unit,
        progress: &AtomicU64,
        mut take: impl FnMut(&[u8]) -> Flow,
    ) -> Result<(), SourceError> {
        let file = File::open(&unit.path).map_err(SourceError::Open)?;
        let consumed = Rc::new(Cell::new(0));
        let mut file = Counted { inner: file, consumed: Rc::clone(&consumed), progress };
        if let Some(range) = &unit.range {
            return read_lines(&mut BufReader::with_capacity(PIECE_BYTES, file), range, take);
        }
        self.piece.resize(PIECE_BYTES, 0);
        let (start, fault) = match fill(&mut file, &mut self.piece) {
            Ok(start) => (start, None),
            Err((before, error)) => (before, Some(error)),
        };
        if !start.starts_with(&[0x1f, 0x8b]) {
            return match (take(start), fault) {
                (_, Some(error)) => Err(SourceError::Read(error)),
                (Flow::Stop, None) => Ok(()),
                (Flow::Continue, None) => read_plain(file, &mut self.piece, take),
            };
        }
        if start.len() < PIECE_BYTES
            && let Some(text) = self.gunzip.text(start, MAX_TEXT_BYTES)
        {
            take(text);
            return Ok(());
        }
        self.text.resize(PIECE_BYTES, 0);
        read_gzip(BufReader::with_capacity(PIECE_BYTES, start.chain(file)), &mut self.text, &consumed, take)
    }
}

/// Offset of the first byte that [`Reader::read`] hands over for this unit.
pub fn first_offset(unit: &Unit) -> io::Result<u64> {
    let Some(range) = unit.range.as_ref().filter(|range| range.start > 0) else { return Ok(0) };
    let mut reader = BufReader::new(File::open(&unit.path)?);
    reader.seek(SeekFrom::Start(range.start - 1))?;
    Ok(range.start - 1 + reader.skip_until(b'\n')? as u64)
}

/// Whether the file is uncompressed JSON lines: its first line is a whole object and is not the only one.
pub fn holds_plain_lines(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut start = Vec::new();
    if file.take(SNIFF_BYTES).read_to_end(&mut start).is_err() {
        return false;
    }
    let Some(end) = memchr::memchr(b'\n', &start) else { return false };
    let line = start.get(..end).unwrap_or_default();
    line.starts_with(b"{") && line.trim_ascii_end().ends_with(b"}")
}

fn read_plain(mut reader: impl Read, piece: &mut [u8], mut take: impl FnMut(&[u8]) -> Flow) -> Result<(), SourceError> {
    loop {
        let filled = fill(&mut reader, piece).map_err(|(_, error)| SourceError::Read(error))?;
        if filled.is_empty() || take(filled) == Flow::Stop {
            return Ok(());
        }
    }
}

fn read_gzip(
    reader: impl BufRead,
    piece: &mut [u8],
    consumed: &Cell<u64>,
    mut take: impl FnMut(&[u8]) -> Flow,
) -> Result<(), SourceError> {
    let mut inflater = MultiGzDecoder::new(reader);
    let mut inflated = 0;
    loop {
        let filled = match fill(&mut inflater, piece) {
            Ok(filled) => filled,
            Err((before, error)) => {
                take(before);
                return Err(gzip_error(error));
            }
        };
        inflated += filled.len() as u64;
        if filled.is_empty() || take(filled) == Flow::Stop {
            return Ok(());
        }
        if inflated > INFLATED_FREE_BYTES && inflated > consumed.get().saturating_mul(MAX_RATIO) {
            return Err(SourceError::Bomb { inflated });
        }
    }
}

fn gzip_error(error: io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SourceError::Truncated,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => SourceError::Corrupt(error.to_string()),
        _ => SourceError::Read(error),
    }
}

/// Fills the piece as far as the reader goes. With an error comes what had arrived before it.
fn fill<'p>(reader: &mut impl Read, piece: &'p mut [u8]) -> Result<&'p [u8], (&'p [u8], io::Error)> {
    let mut filled = 0;
    let failure = loop {
        match reader.read(piece.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break None,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    let filled = piece.get(..filled).unwrap_or_default();
    match failure {
        None => Ok(filled),
        Some(error) => Err((filled, error)),
    }
}

fn read_lines(
    reader: &mut (impl BufRead + Seek),
    range: &Range<u64>,
    mut take: impl FnMut(&[u8]) -> Flow,
) -> Result<(), SourceError> {
    // The line that contains the byte before the range started earlier and belongs to the unit before.
    let mut offset = range.start.saturating_sub(1);
    reader.seek(SeekFrom::Start(offset)).map_err(SourceError::Read)?;
    if range.start > 0 {
        offset += reader.skip_until(b'\n').map_err(SourceError::Read)? as u64;
    }
    while offset < range.end {
        let piece = reader.fill_buf().map_err(SourceError::Read)?;
        if piece.is_empty() {
            return Ok(());
        }
        // Up to the end of the range freely, from its last byte on only to the end of that line.
        let free = usize::try_from(range.end - offset - 1).unwrap_or(usize::MAX);
        let cut = match piece.get(free..).and_then(|tail| memchr::memchr(b'\n', tail)) {
            Some(newline) => free + newline + 1,
            None => piece.len(),
        };
        let last = cut > free && piece.get(cut - 1) == Some(&b'\n');
        let flow = take(piece.get(..cut).unwrap_or_default());
        reader.consume(cut);
        if flow == Flow::Stop || last {
            return Ok(());
        }
        // Inside the last line the offset stands still at its start, so that the next newline ends the unit.
        offset = (offset + cut as u64).min(range.end - 1);
    }
    Ok(())
}

/// Counts what is read from disk, for the bomb guard and the progress bar.
struct Counted<'p> {
    inner: File,
    consumed: Rc<Cell<u64>>,
    progress: &'p AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.consumed.set(self.consumed.get() + read as u64);
        self.progress.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn bytes_of(unit: &Unit) -> (Vec<u8>, Result<(), SourceError>) {
        let mut all = Vec::new();
        let result = Reader::default().read(unit, &AtomicU64::new(0), |piece| {
            all.extend_from_slice(piece);
            Flow::Continue
        });
        (all, result)
    }

    fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn ranges_hand_over_every_line_once_wherever_they_are_cut() {
        let text: String = (0..40).map(|n| format!("{{\"n\":{}}}\n", "7".repeat(n % 9))).collect();
        let file = file_of(text.as_bytes());
        let size = text.len() as u64;
        for width in 1..=size {
            let mut joined = Vec::new();
            let mut start = 0;
            while start < size {
                let end = (start + width).min(size);
                let unit = Unit { path: file.path().to_path_buf(), bytes: end - start, range: Some(start..end) };
                let (part, result) = bytes_of(&unit);
                assert!(result.is_ok());
                if !part.is_empty() {
                    assert_eq!(first_offset(&unit).unwrap(), joined.len() as u64);
                }
                joined.extend(part);
                start = end;
            }
            assert_eq!(String::from_utf8(joined).unwrap(), text, "ranges of {width} bytes");
        }
    }

    #[test]
    fn a_truncated_gzip_file_still_yields_what_came_before_the_cut() {
        let text: Vec<u8> = (0..40_000u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let packed = gzip(&text);
        let file = file_of(&packed[..packed.len() / 2]);
        let (all, result) =
            bytes_of(&Unit { path: file.path().to_path_buf(), bytes: packed.len() as u64 / 2, range: None });
        assert!(matches!(result, Err(SourceError::Truncated)), "{result:?}");
        assert!(all.len() > 1000 && text.starts_with(&all));
    }

    #[test]
    fn a_gzip_bomb_ends_with_an_error_and_a_large_honest_file_does_not() {
        let zeros = vec![b' '; 64 << 20];
        let member = gzip(&zeros);
        let bomb = file_of(&member.repeat(6));
        let (_, result) = bytes_of(&Unit { path: bomb.path().to_path_buf(), bytes: 0, range: None });
        assert!(matches!(result, Err(SourceError::Bomb { .. })), "{result:?}");

        let small = file_of(&gzip(&zeros[..(INFLATED_FREE_BYTES / 8) as usize]));
        let (all, result) = bytes_of(&Unit { path: small.path().to_path_buf(), bytes: 0, range: None });
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(all.len() as u64, INFLATED_FREE_BYTES / 8);
    }

    #[test]
    fn several_gzip_members_are_one_stream_and_rubbish_after_them_is_reported() {
        let mut packed = gzip(b"one\n");
        packed.extend(gzip(b"two\n"));
        let file = file_of(&packed);
        let (all, result) = bytes_of(&Unit { path: file.path().to_path_buf(), bytes: 0, range: None });
        assert!(result.is_ok());
        assert_eq!(all, b"one\ntwo\n");
        packed.extend(b"rubbish");
        let file = file_of(&packed);
        let (all, result) = bytes_of(&Unit { path: file.path().to_path_buf(), bytes: 0, range: None });
        assert_eq!(all, b"one\ntwo\n");
        assert!(matches!(result, Err(SourceError::Corrupt(_) | SourceError::Truncated)), "{result:?}");
    }
}
