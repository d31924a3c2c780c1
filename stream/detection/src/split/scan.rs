//! Finds the end of one JSON value by its brackets and quotes; stops and goes on at any byte.

use memchr::memchr3;

use super::marks::{BLOCK, Marks, Quotes};

/// JSON's white space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[derive(Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last byte outside strings that is no white space.
    last: u8,
}

/// How a scan ended, with the number of bytes that belong to the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The value is complete.
    End(usize),
    /// The value cannot go on as JSON: a line end inside a string, or an opening bracket where none can stand.
    /// Something broke off there, and what follows belongs to something else.
    Break(usize),
    /// The bytes ran out.
    Nothing,
}

impl Scan {
    /// A scan that starts inside an object, to find its end.
    pub(super) fn inside() -> Scan {
        Scan { depth: 1, last: b',', ..Scan::default() }
    }

    pub(super) fn run(&mut self, bytes: &[u8]) -> Found {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (found, length) = match rest.first_chunk::<BLOCK>() {
                Some(block) => (self.block(block), BLOCK),
                None => (self.run_bytes(rest), rest.len()),
            };
            match found {
                Found::Nothing => at += length,
                Found::Break(length) => return Found::Break(at + length),
                Found::End(length) => return Found::End(at + length),
            }
        }
        Found::Nothing
    }

    /// A block inside an object or list, or at its start, at once; everything else byte by byte.
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK]) -> Found {
        let is_inside = self.depth > 0 || (!self.in_string && matches!(block.first(), Some(b'{' | b'[')));
        let marks = if is_inside { Marks::of(block, self.in_string, self.escaped) } else { None };
        match marks {
            Some(marks) => self.follow(block, marks),
            None => self.run_bytes(block),
        }
    }

    #[inline]
    fn follow(&mut self, block: &[u8; BLOCK], marks: Marks) -> Found {
        let mut brackets = marks.brackets;
        while brackets != 0 {
            let at = brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            match block.get(at) {
                Some(b'}' | b']') if self.depth <= 1 => return Found::End(at + 1),
                Some(b'}' | b']') => self.depth -= 1,
                Some(b'{') if self.depth > 0 && !self.may_open(block.get(..at).unwrap_or_default()) => {
                    return Found::Break(at);
                }
                _ => self.depth += 1,
            }
        }
        if !marks.in_string {
            self.last = last_letter(block).unwrap_or(self.last);
        }
        (self.in_string, self.escaped) = (marks.in_string, marks.escaped);
        Found::Nothing
    }

    /// Whether an object may start after these bytes and what came before.
    fn may_open(&self, before: &[u8]) -> bool {
        matches!(last_letter(before).unwrap_or(self.last), b'[' | b',' | b':')
    }

    /// What [`Scan::run`] does, byte by byte.
    fn run_bytes(&mut self, bytes: &[u8]) -> Found {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let step = if self.in_string { self.string(rest) } else { self.structure(rest) };
            match step {
                Found::Nothing => return Found::Nothing,
                Found::Break(length) => return Found::Break(at + length),
                Found::End(length) => at += length,
            }
            if self.depth == 0 && !self.in_string {
                return Found::End(at);
            }
        }
        Found::Nothing
    }

    /// To the end of the string, which is `End` here.
    fn string(&mut self, bytes: &[u8]) -> Found {
        let mut at = usize::from(self.escaped);
        self.escaped = false;
        while let Some(found) = memchr3(b'"', b'\\', b'\n', bytes.get(at..).unwrap_or_default()) {
            at += found;
            match bytes.get(at) {
                Some(b'"') => {
                    self.in_string = false;
                    self.last = b'"';
                    return Found::End(at + 1);
                }
                Some(b'\n') => return Found::Break(at),
                _ => at += 2,
            }
        }
        // An escape at the very end takes its letter from the next bytes.
        self.escaped = at > bytes.len();
        Found::Nothing
    }

    /// To the next string, or to the bracket that closes the value: both are `End` here.
    fn structure(&mut self, bytes: &[u8]) -> Found {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => continue,
                b'"' => {
                    self.in_string = true;
                    return Found::End(at + 1);
                }
                b'{' if self.depth > 0 && !matches!(self.last, b'[' | b',' | b':') => return Found::Break(at),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.last = *byte;
                        return Found::End(at + 1);
                    }
                }
                _ => {}
            }
            self.last = *byte;
        }
        Found::Nothing
    }
}

#[inline]
fn last_letter(bytes: &[u8]) -> Option<u8> {
    bytes.iter().rev().copied().find(|byte| !is_space(*byte))
}

/// Whether a key of the outermost object would stand right after `text`, which starts at the object's bracket.
pub(super) fn ends_before_key(text: &[u8], quotes: Quotes) -> bool {
    let mut scan = Scan::default();
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    // Spaces after the text change nothing, and make its end a block like the others.
    let mut end = [b' '; BLOCK];
    end.iter_mut().zip(rest).for_each(|(byte, letter)| *byte = *letter);
    let mut step = |block| match quotes {
        Quotes::Plain => scan.block(block),
        Quotes::Escaped => scan.follow(block, Marks::of_escaped(block, scan.in_string)),
    };
    blocks.iter().chain([&end]).all(|block| step(block) == Found::Nothing)
        && (scan.depth == 1 && !scan.in_string && matches!(scan.last, b'{' | b','))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// JSON and what looks like it, dense in what matters, with runs longer than a block.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => Just("{".to_owned()), 4 => Just("}".to_owned()), 2 => Just("[".to_owned()), 2 => Just("]".to_owned()),
            6 => Just("\"".to_owned()), 3 => Just("\\".to_owned()), 2 => Just("\\\"".to_owned()), 3 => Just(",".to_owned()),
            3 => Just(":".to_owned()), 1 => Just("\n".to_owned()), 2 => " {0,70}", 3 => "[a-z]{0,70}", 1 => "\\\\{0,70}",
            3 => Just(r#"{"a":"b\"{","c":[{"d":1}, {}]}"#.to_owned()), 1 => any::<char>().prop_map(String::from),
        ];
        (prop_oneof![Just("{"), Just("["), Just("\""), Just("")], proptest::collection::vec(part, 0..40))
            .prop_map(|(start, parts)| format!("{start}{}", parts.concat()).into_bytes())
    }

    fn state(scan: &Scan) -> (usize, bool, bool, u8) {
        // Inside a string the letter before it no longer matters.
        (scan.depth, scan.in_string, scan.escaped, if scan.in_string { b'"' } else { scan.last })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn blocks_find_what_single_bytes_find(text in text(), depth in 0_usize..3, cut in 0_usize..200) {
            let (mut blocks, mut bytes) = (Scan { depth, ..Scan::default() }, Scan { depth, ..Scan::default() });
            let (first, second) = text.split_at(cut.min(text.len()));
            for part in [first, second] {
                let found = blocks.run(part);
                prop_assert_eq!(&found, &bytes.run_bytes(part), "{}", String::from_utf8_lossy(&text));
                if found != Found::Nothing {
                    break;
                }
                prop_assert_eq!(state(&blocks), state(&bytes), "{}", String::from_utf8_lossy(&text));
            }
        }
    }
}
