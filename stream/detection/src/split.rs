//! Cuts a stream of bytes into the records of a file: JSON lines, `{"Records": [...]}` and arrays element by element,
//! documents printed over many lines or set one after the other.
//!
//! Only brackets, quotes and line ends are looked at: whether a slice is JSON is for its reader to find out. A document
//! that breaks off is cut at the point where it cannot go on as JSON, so that what follows is read.
//! Memory: what is pushed at once, and one record.

mod scan;

use std::mem;

use memchr::{memchr, memchr3};

use scan::{Found, Scan, is_space};

/// White space and line ends between `{`, `"Records"`, `:` and `[` may be this long; beyond, the document is no stream.
const MAX_HEAD_BYTES: usize = 4096;

/// One part of the stream. Offsets count bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A whole record, or what stands where one should be.
    Record {
        /// Where it starts.
        offset: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A record over the limit: passed over, not kept.
    TooLarge {
        /// Where it starts.
        offset: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// The stream ended inside a record or list; everything before it was delivered.
    Truncated {
        /// Where the unfinished record starts.
        offset: u64,
        /// What there is of it; empty when the list ended between two records.
        bytes: &'a [u8],
    },
}

/// Takes a stream in pieces of any size and gives its records. Push everything, then call [`Splitter::finish`].
#[derive(Debug)]
pub struct Splitter {
    max_record_bytes: usize,
    lines: Lines,
    buffer: Vec<u8>,
    cut: Cut,
}

/// Whether a line may be taken for a record without a look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// A line from `{` to `}` before another such line is one record.
    AreRecords,
    /// Every bracket is counted.
    AreSpace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between documents.
    Top,
    /// In the list of a `{"Records": [...]}` document.
    Records,
    /// In a list at the top.
    List,
    /// After the list of a `{"Records": [...]}` document.
    Tail,
}

/// What is going on at the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Looking,
    Scanning,
    /// Passing over bytes that start no record, up to a line that does.
    Rubbish,
}

#[derive(Debug)]
struct Cut {
    place: Place,
    doing: Doing,
    scan: Scan,
    /// Offset in the stream of the first byte at hand.
    base: u64,
    /// Offset of the record being scanned.
    record: u64,
    /// Whether that record is over the limit and no longer kept.
    dropped: bool,
    /// Index at hand where work goes on.
    at: usize,
    /// No line ends before this offset.
    no_line_end_before: u64,
}

/// What a step wants: to go on, or more bytes (and from where on they must be kept).
enum Next {
    Go,
    More { keep: usize },
}

/// What the splitter sees at one time.
struct Input<'i> {
    bytes: &'i [u8],
    is_last: bool,
    max_record_bytes: usize,
    lines: Lines,
}

type Sink<'s> = &'s mut dyn FnMut(Part<'_>);

impl Splitter {
    /// A splitter that passes over records of more than `max_record_bytes`.
    pub fn new(max_record_bytes: usize) -> Splitter {
        Splitter { max_record_bytes, lines: Lines::AreRecords, buffer: Vec::new(), cut: Cut::new() }
    }

    /// Takes the next bytes of the stream and gives every record that is complete.
    pub fn push(&mut self, chunk: &[u8], sink: &mut dyn FnMut(Part<'_>)) {
        self.buffer.extend_from_slice(chunk);
        self.run(false, sink);
    }

    /// Ends the stream: gives what is left. The splitter is ready for another stream then.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Part<'_>)) {
        self.run(true, sink);
        self.buffer.clear();
        self.cut = Cut::new();
    }

    fn run(&mut self, is_last: bool, sink: &mut dyn FnMut(Part<'_>)) {
        let mut buffer = mem::take(&mut self.buffer);
        let input = Input { bytes: &buffer, is_last, max_record_bytes: self.max_record_bytes, lines: self.lines };
        let keep = self.cut.run(&input, sink);
        buffer.drain(..keep.min(buffer.len()));
        self.buffer = buffer;
    }
}

/// Cuts bytes that are all here, counting every bracket.
pub(crate) fn split(bytes: &[u8], max_record_bytes: usize, sink: &mut dyn FnMut(Part<'_>)) {
    Cut::new().run(&Input { bytes, is_last: true, max_record_bytes, lines: Lines::AreSpace }, sink);
}

/// Whether a key of the outermost object would stand right after `text`, which starts at the object's bracket.
pub(crate) fn is_at_first_level(text: &[u8]) -> bool {
    scan::ends_before_key(text)
}

impl Cut {
    fn new() -> Cut {
        Cut {
            place: Place::Top,
            doing: Doing::Looking,
            scan: Scan::default(),
            base: 0,
            record: 0,
            dropped: false,
            at: 0,
            no_line_end_before: 0,
        }
    }

    /// Works through the bytes at hand and answers how many of them are done with.
    fn run(&mut self, input: &Input<'_>, sink: Sink<'_>) -> usize {
        loop {
            let next = match (self.doing, self.place) {
                (Doing::Scanning, _) => self.go_on(input, sink),
                (Doing::Rubbish, _) => self.pass_rubbish(input, sink),
                (Doing::Looking, Place::Top) => self.look(input, sink),
                (Doing::Looking, Place::Records | Place::List) => self.next_element(input, sink),
                (Doing::Looking, Place::Tail) => self.tail(input, sink),
            };
            if let Next::More { keep } = next {
                self.at = self.at.saturating_sub(keep);
                self.base += keep as u64;
                return keep;
            }
        }
    }

    fn skip(&mut self, input: &Input<'_>, skips: impl Fn(u8) -> bool) -> Option<u8> {
        let rest = input.bytes.get(self.at..).unwrap_or_default();
        let skipped = rest.iter().position(|byte| !skips(*byte)).unwrap_or(rest.len());
        self.at += skipped;
        rest.get(skipped).copied()
    }

    /// Between documents: what starts here?
    fn look(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        // A byte order mark is skipped wherever a document may start; files joined together have several.
        let Some(first) = self.skip(input, |byte| is_space(byte) || matches!(byte, b',' | 0xEF | 0xBB | 0xBF)) else {
            return Next::More { keep: self.at };
        };
        let rest = input.bytes.get(self.at..).unwrap_or_default();
        match first {
            b'{' => match records_head(rest) {
                Head::List(length) => {
                    self.place = Place::Records;
                    self.at += length;
                    Next::Go
                }
                Head::Unclear if !input.is_last => Next::More { keep: self.at },
                Head::Unclear | Head::Other => self.take_line(input, rest, sink),
            },
            b'[' => {
                self.place = Place::List;
                self.at += 1;
                Next::Go
            }
            b'"' => self.start_scan(),
            _ => self.word(input, rest, sink),
        }
    }

    /// A line from `{` to `}` is a record if the next line starts a document too: inside a document that goes on, a
    /// closing bracket is never followed by an opening one.
    fn take_line(&mut self, input: &Input<'_>, rest: &[u8], sink: Sink<'_>) -> Next {
        if input.lines == Lines::AreSpace || self.base + (self.at as u64) < self.no_line_end_before {
            return self.start_scan();
        }
        let Some(end) = memchr(b'\n', rest) else {
            self.no_line_end_before = self.base + input.bytes.len() as u64;
            return self.start_scan();
        };
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        let line = line.trim_ascii_end();
        let follows = after.iter().find(|byte| !is_space(**byte));
        let is_whole = match follows {
            Some(byte) => matches!(byte, b'{' | b'['),
            None => input.is_last,
        };
        if !is_whole || !line.ends_with(b"}") {
            return self.start_scan();
        }
        self.record = self.base + self.at as u64;
        self.emit(input, self.at + line.len(), sink);
        self.at += end;
        Next::Go
    }

    fn start_scan(&mut self) -> Next {
        self.record = self.base + self.at as u64;
        self.scan = Scan::default();
        self.doing = Doing::Scanning;
        Next::Go
    }

    fn go_on(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        let rest = input.bytes.get(self.at..).unwrap_or_default();
        match self.scan.run(rest) {
            Found::End(length) => {
                self.at += length;
                self.emit(input, self.at, sink);
                if self.place == Place::Tail {
                    self.place = Place::Top;
                }
            }
            Found::Break(length) => {
                self.at += length;
                self.emit(input, self.at, sink);
                self.place = Place::Top;
            }
            Found::Nothing => {
                self.at = input.bytes.len();
                return self.wait(input, sink);
            }
        }
        self.doing = Doing::Looking;
        Next::Go
    }

    /// All bytes at hand belong to the record: keep them, or drop them if the record is over the limit.
    fn wait(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        if input.is_last {
            let start = usize::try_from(self.record.saturating_sub(self.base)).unwrap_or(usize::MAX);
            let length = self.base + input.bytes.len() as u64 - self.record;
            sink(match input.bytes.get(start..) {
                Some(bytes) if !self.is_over(input, length) => Part::Truncated { offset: self.record, bytes },
                _ => Part::TooLarge { offset: self.record, length },
            });
            return Next::More { keep: input.bytes.len() };
        }
        self.dropped = self.is_over(input, self.base + input.bytes.len() as u64 - self.record);
        if self.dropped {
            return Next::More { keep: input.bytes.len() };
        }
        Next::More { keep: usize::try_from(self.record.saturating_sub(self.base)).unwrap_or(0) }
    }

    fn is_over(&self, input: &Input<'_>, length: u64) -> bool {
        self.dropped || length > input.max_record_bytes as u64
    }

    /// Gives the record that ends before index `end`.
    fn emit(&mut self, input: &Input<'_>, end: usize, sink: Sink<'_>) {
        let length = self.base + end as u64 - self.record;
        let start = usize::try_from(self.record.saturating_sub(self.base)).unwrap_or(usize::MAX);
        sink(match input.bytes.get(start..end) {
            Some(bytes) if !self.is_over(input, length) => Part::Record { offset: self.record, bytes },
            _ => Part::TooLarge { offset: self.record, length },
        });
        self.dropped = false;
    }

    fn next_element(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        match self.skip(input, |byte| is_space(byte) || byte == b',') {
            None => self.unfinished(input, sink),
            Some(b']') => {
                self.at += 1;
                self.place = if self.place == Place::Records { Place::Tail } else { Place::Top };
                Next::Go
            }
            Some(b'{' | b'[' | b'"') => self.start_scan(),
            Some(_) => {
                let rest = input.bytes.get(self.at..).unwrap_or_default();
                self.record = self.base + self.at as u64;
                match memchr3(b',', b']', b'\n', rest) {
                    Some(length) => self.at += length,
                    None if input.is_last => self.at = input.bytes.len(),
                    None if rest.len() <= input.max_record_bytes => return Next::More { keep: self.at },
                    None => return self.start_rubbish(),
                }
                self.emit(input, self.at, sink);
                Next::Go
            }
        }
    }

    /// What follows the list of records inside its document: nothing, or members nobody knows, given as they stand.
    fn tail(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        match self.skip(input, is_space) {
            None => self.unfinished(input, sink),
            Some(b'}') => {
                self.at += 1;
                self.place = Place::Top;
                Next::Go
            }
            Some(_) => {
                let next = self.start_scan();
                self.scan = Scan::inside();
                next
            }
        }
    }

    fn unfinished(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        if input.is_last {
            sink(Part::Truncated { offset: self.base + self.at as u64, bytes: &[] });
        }
        Next::More { keep: self.at }
    }

    /// A line that starts neither with a bracket nor with a quote: base64, or rubbish.
    fn word(&mut self, input: &Input<'_>, rest: &[u8], sink: Sink<'_>) -> Next {
        let line = match memchr(b'\n', rest) {
            Some(end) => rest.get(..end).unwrap_or(rest),
            None if input.is_last => rest,
            None if rest.len() <= input.max_record_bytes => return Next::More { keep: self.at },
            None => return self.start_rubbish(),
        };
        self.record = self.base + self.at as u64;
        let word = line.trim_ascii_end();
        if !word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')) {
            return self.start_rubbish();
        }
        self.emit(input, self.at + word.len(), sink);
        self.at += line.len();
        Next::Go
    }

    fn start_rubbish(&mut self) -> Next {
        self.record = self.base + self.at as u64;
        self.doing = Doing::Rubbish;
        Next::Go
    }

    /// Rubbish is one record however many lines it has: a binary file is one unreadable thing, not a million.
    fn pass_rubbish(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        let rest = input.bytes.get(self.at..).unwrap_or_default();
        let mut searched = 0;
        while let Some(end) = memchr(b'\n', rest.get(searched..).unwrap_or_default()) {
            let line_end = searched + end;
            match rest.get(line_end + 1) {
                Some(b'{' | b'[' | b'"') => return self.end_rubbish(input, self.at + line_end, sink),
                // The byte that decides is not here yet.
                None if !input.is_last => {
                    self.at += line_end;
                    let keep = self.wait(input, sink);
                    return match keep {
                        Next::More { keep } => Next::More { keep: keep.min(self.at) },
                        Next::Go => Next::Go,
                    };
                }
                _ => searched = line_end + 1,
            }
        }
        if input.is_last {
            return self.end_rubbish(input, input.bytes.len(), sink);
        }
        self.at = input.bytes.len();
        self.wait(input, sink)
    }

    fn end_rubbish(&mut self, input: &Input<'_>, end: usize, sink: Sink<'_>) -> Next {
        self.emit(input, end, sink);
        self.at = end;
        self.place = Place::Top;
        self.doing = Doing::Looking;
        Next::Go
    }
}

enum Head {
    List(usize),
    Unclear,
    Other,
}

/// How long `{ "Records" : [` is, if the document starts with it.
fn records_head(bytes: &[u8]) -> Head {
    let bytes = bytes.get(..MAX_HEAD_BYTES).unwrap_or(bytes);
    let mut at = 0;
    for word in [&b"{"[..], b"\"Records\"", b":", b"["] {
        let rest = bytes.get(at..).unwrap_or_default();
        let rest_trimmed = rest.trim_ascii_start();
        at += rest.len() - rest_trimmed.len();
        if rest_trimmed.len() < word.len() {
            let may_become = word.starts_with(rest_trimmed) && bytes.len() < MAX_HEAD_BYTES;
            return if may_become { Head::Unclear } else { Head::Other };
        }
        if !rest_trimmed.starts_with(word) {
            return Head::Other;
        }
        at += word.len();
    }
    Head::List(at)
}

#[cfg(test)]
mod tests;
