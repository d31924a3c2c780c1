//! Cuts a stream of bytes into the records of a file: JSON lines, `{"Records": [...]}` and arrays element by element,
//! documents printed over many lines or set one after the other.
//!
//! Only brackets, quotes and line ends are looked at: whether a slice is JSON is for its reader to find out. A document
//! that breaks off is cut at the point where it cannot go on as JSON, so that what follows is read.
//! Memory: what is pushed at once, and one record.

mod cut;
mod scan;

use std::mem;

use cut::{Cut, Input, Lines};

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

#[cfg(test)]
mod tests;
