//! Finds the end of one JSON value by its brackets and quotes; stops and goes on at any byte.

use memchr::memchr3;

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

/// Whether a key of the outermost object would stand right after `text`, which starts at the object's bracket.
pub(super) fn ends_before_key(text: &[u8]) -> bool {
    let mut scan = Scan::default();
    scan.run(text) == Found::Nothing && scan.depth == 1 && !scan.in_string && matches!(scan.last, b'{' | b',')
}
