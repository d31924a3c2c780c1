//! The work of the splitter: what starts at a byte, and where it ends.

use memchr::{memchr, memchr3};

use super::Part;
use super::scan::{Found, Scan, is_space};

/// White space and line ends between `{`, `"Records"`, `:` and `[` may be this long; beyond, the document is no stream.
const MAX_HEAD_BYTES: usize = 4096;

/// A line up to this length may be taken for a record by its first and last byte; in longer ones brackets are counted.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Whether a line may be taken for a record without a look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
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
pub(super) struct Cut {
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
    /// From where we are, no line ends before this offset.
    no_line_end_before: u64,
}

/// What a step wants: to go on, or more bytes (and from where on they must be kept).
enum Next {
    Go,
    More { keep: usize },
}

/// What the splitter sees at one time.
pub(super) struct Input<'i> {
    pub(super) bytes: &'i [u8],
    pub(super) is_last: bool,
    pub(super) max_record_bytes: usize,
    pub(super) lines: Lines,
}

impl Input<'_> {
    /// What can be a record from `at` on: one byte more than the limit, if there are as many.
    fn window(&self, at: usize) -> &[u8] {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.get(..=self.max_record_bytes).unwrap_or(rest)
    }
}

type Sink<'s> = &'s mut dyn FnMut(Part<'_>);

impl Cut {
    pub(super) fn new() -> Cut {
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
    pub(super) fn run(&mut self, input: &Input<'_>, sink: Sink<'_>) -> usize {
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
            _ => self.word(input, sink),
        }
    }

    /// A line from `{` to `}` is a record if the next line starts a document too: inside a document that goes on, a
    /// closing bracket is never followed by an opening one.
    fn take_line(&mut self, input: &Input<'_>, rest: &[u8], sink: Sink<'_>) -> Next {
        if input.lines == Lines::AreSpace {
            return self.start_scan();
        }
        // What is decided here depends on the bytes alone, never on where the pieces of the stream end.
        let window = rest.get(..MAX_LINE_BYTES).unwrap_or(rest);
        let may_grow = window.len() < MAX_LINE_BYTES && !input.is_last;
        let here = self.base + self.at as u64;
        let searched = usize::try_from(self.no_line_end_before.saturating_sub(here)).unwrap_or(0).min(window.len());
        let Some(end) = memchr(b'\n', window.get(searched..).unwrap_or_default()).map(|end| searched + end) else {
            self.no_line_end_before = here + window.len() as u64;
            return if may_grow { Next::More { keep: self.at } } else { self.start_scan() };
        };
        let (line, after) = window.split_at_checked(end).unwrap_or((window, &[]));
        let line = line.trim_ascii_end();
        let is_whole = match after.iter().find(|byte| !is_space(**byte)) {
            Some(byte) => matches!(byte, b'{' | b'['),
            None if may_grow => return Next::More { keep: self.at },
            None => rest.len() == window.len(),
        };
        if !is_whole || !line.ends_with(b"}") {
            return self.start_scan();
        }
        self.record = here;
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

    /// What was looked at belongs to the record: keep it, or drop it if the record is over the limit.
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
        self.dropped = self.is_over(input, self.base + self.at as u64 - self.record);
        if self.dropped {
            return Next::More { keep: self.at };
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
                let rest = input.window(self.at);
                self.record = self.base + self.at as u64;
                match memchr3(b',', b']', b'\n', rest) {
                    Some(length) => self.at += length,
                    None if rest.len() > input.max_record_bytes => return self.start_rubbish(),
                    None if input.is_last => self.at = input.bytes.len(),
                    None => return Next::More { keep: self.at },
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
    fn word(&mut self, input: &Input<'_>, sink: Sink<'_>) -> Next {
        let rest = input.window(self.at);
        let line = match memchr(b'\n', rest) {
            Some(end) => rest.get(..end).unwrap_or(rest),
            None if rest.len() > input.max_record_bytes => return self.start_rubbish(),
            None if input.is_last => rest,
            None => return Next::More { keep: self.at },
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
                    return self.wait(input, sink);
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
