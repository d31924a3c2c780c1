//! Cuts a stream of bytes into the records of a file: JSON lines, `{"Records": [...]}` and arrays element by element,
//! documents printed over many lines or set one after the other.
//!
//! Only brackets, quotes and line ends are looked at: whether a slice is JSON is for its reader to find out. A document
//! that breaks off is cut at the point where it cannot go on as JSON, so that what follows is read.
//! Memory: what is pushed at once, and one record.

mod cut;
mod marks;
mod scan;

use std::mem;

use cut::{Cut, Input, Lines};
pub(crate) use marks::{Quotes, escaped_length};

/// How much of a chunk is copied to a record that broke off before it, at a time.
const JOINED_BYTES: usize = 16 * 1024;

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
        let mut chunk = chunk;
        // Only the record that the last chunk broke off in is put together in memory of its own.
        while !self.buffer.is_empty() && !chunk.is_empty() {
            let kept = self.buffer.len();
            let (head, rest) = chunk.split_at(chunk.len().min(JOINED_BYTES));
            self.buffer.extend_from_slice(head);
            match self.run(false, sink).checked_sub(kept) {
                // All that was kept is done with: what is not lies in the chunk.
                Some(done) => {
                    self.buffer.clear();
                    chunk = chunk.get(done..).unwrap_or_default();
                    break;
                }
                None => chunk = rest,
            }
        }
        if !chunk.is_empty() {
            let done = self.cut.run(&self.input(chunk, false), sink);
            self.buffer.extend_from_slice(chunk.get(done..).unwrap_or_default());
        }
    }

    /// Ends the stream: gives what is left. The splitter is ready for another stream then.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Part<'_>)) {
        self.run(true, sink);
        self.buffer.clear();
        self.cut = Cut::new();
    }

    /// Works on the buffer, drops what is done with and answers how much that was.
    fn run(&mut self, is_last: bool, sink: &mut dyn FnMut(Part<'_>)) -> usize {
        let mut buffer = mem::take(&mut self.buffer);
        let done = self.cut.run(&self.input(&buffer, is_last), sink);
        buffer.drain(..done.min(buffer.len()));
        self.buffer = buffer;
        done
    }

    fn input<'i>(&self, bytes: &'i [u8], is_last: bool) -> Input<'i> {
        Input { bytes, is_last, max_record_bytes: self.max_record_bytes, lines: self.lines }
    }
}

/// Cuts bytes that are all here, counting every bracket.
pub(crate) fn split(bytes: &[u8], max_record_bytes: usize, sink: &mut dyn FnMut(Part<'_>)) {
    Cut::new().run(&Input { bytes, is_last: true, max_record_bytes, lines: Lines::AreSpace }, sink);
}

/// Whether a key of the outermost object would stand right after `text`, which starts at the object's bracket.
pub(crate) fn is_at_first_level(text: &[u8], quotes: Quotes) -> bool {
    scan::ends_before_key(text, quotes)
}

/// How long the object or list at the start of `text` is, told by its brackets.
pub(crate) fn value_length(text: &[u8]) -> Option<usize> {
    match scan::Scan::default().run(text) {
        scan::Found::End(length) => Some(length),
        scan::Found::Break(_) | scan::Found::Nothing => None,
    }
}

#[cfg(test)]
mod tests;
