//! The bytes that matter in 64 bytes of JSON, one bit each; the lowest bit is the first byte.

use wide::u8x16;

/// Bytes looked at together.
pub(super) const BLOCK: usize = 64;

/// Lower-case twins of the brackets: `[` and `{` differ in one bit, and so do `]` and `}`.
const BRACKET_BIT: u8 = b'{' ^ b'[';

/// How the quotes around the strings of a text are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// `"`: JSON.
    Plain,
    /// `\"`, and no other backslash stands in the text: JSON inside a JSON string.
    Escaped,
}

/// Where the brackets outside strings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Brackets that are no letters of a string.
    pub(super) brackets: u64,
    /// Whether the block ends inside a string.
    pub(super) in_string: bool,
    /// Whether the first byte after the block is escaped.
    pub(super) escaped: bool,
}

impl Marks {
    /// Marks of a block that starts inside a string or not, and with an escaped byte or not. `None` if it has a line end
    /// inside a string or a backslash outside: that is no JSON, and has to be read byte by byte.
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK], starts_in_string: bool, starts_escaped: bool) -> Option<Marks> {
        let seen = Seen::in_block(block);
        if !starts_escaped && !seen.has_odd {
            return Some(seen.marks(0, starts_in_string, false));
        }
        let backslashes = positions(block, b'\\');
        let (escaped, runs_on) = escapes(backslashes, starts_escaped);
        let inside = seen.inside(escaped, starts_in_string);
        let is_json = (positions(block, b'\n') & inside) | (backslashes & !inside) == 0;
        is_json.then(|| seen.marks(escaped, starts_in_string, runs_on))
    }

    /// The same for a text whose quotes are all written `\"`: a backslash means nothing by itself.
    #[inline]
    pub(super) fn of_escaped(block: &[u8; BLOCK], starts_in_string: bool) -> Marks {
        Seen::in_block(block).marks(0, starts_in_string, false)
    }
}

/// What stands in a block.
struct Seen {
    quotes: u64,
    brackets: u64,
    /// A backslash or a line end.
    has_odd: bool,
}

impl Seen {
    #[inline]
    fn in_block(block: &[u8; BLOCK]) -> Seen {
        let (chunks, _) = block.as_chunks::<16>();
        let [mut quotes, mut brackets] = [0_u64; 2];
        let mut odd = u8x16::ZERO;
        for (lane, number) in chunks.iter().map(|chunk| u8x16::new(*chunk)).zip(0_u32..) {
            let upper = lane | u8x16::splat(BRACKET_BIT);
            let bracket = upper.simd_eq(u8x16::splat(b'{')) | upper.simd_eq(u8x16::splat(b'}'));
            quotes |= bits(lane.simd_eq(u8x16::splat(b'"')), number);
            brackets |= bits(bracket, number);
            odd |= lane.simd_eq(u8x16::splat(b'\\')) | lane.simd_eq(u8x16::splat(b'\n'));
        }
        Seen { quotes, brackets, has_odd: odd.any() }
    }

    /// The bytes inside strings, with the opening quote and without the closing one.
    #[inline]
    fn inside(&self, escaped: u64, starts_in_string: bool) -> u64 {
        parity(self.quotes & !escaped) ^ if starts_in_string { u64::MAX } else { 0 }
    }

    #[inline]
    fn marks(&self, escaped: u64, starts_in_string: bool, runs_on: bool) -> Marks {
        let inside = self.inside(escaped, starts_in_string);
        Marks { brackets: self.brackets & !inside, in_string: inside >> (BLOCK - 1) == 1, escaped: runs_on }
    }
}

/// How long the content of a JSON string is of which `text` is what follows the opening quote, if every quote in it is
/// escaped, and nothing else is. `None` says that it has to be read byte by byte.
pub(crate) fn escaped_length(text: &[u8]) -> Option<usize> {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut end = [b' '; BLOCK];
    end.iter_mut().zip(rest).for_each(|(byte, letter)| *byte = *letter);
    let mut follows_on = 0;
    for (block, number) in blocks.iter().chain([&end]).zip(0..) {
        let (quotes, backslashes) = (positions(block, b'"'), positions(block, b'\\'));
        let follows = backslashes << 1 | follows_on;
        let closing = quotes & !follows;
        let before = closing.wrapping_sub(1) & !closing;
        if ((follows & !quotes) | controls(block)) & before != 0 {
            return None;
        }
        if closing != 0 {
            return Some(number * BLOCK + closing.trailing_zeros() as usize);
        }
        follows_on = backslashes >> (BLOCK - 1);
    }
    None
}

/// Where control characters are, which no JSON string holds.
fn controls(block: &[u8; BLOCK]) -> u64 {
    let (chunks, _) = block.as_chunks::<16>();
    let last = u8x16::splat(0x1F);
    let lanes = chunks.iter().map(|chunk| u8x16::new(*chunk).max(last).simd_eq(last));
    lanes.zip(0_u32..).fold(0, |found, (mask, number)| found | bits(mask, number))
}

#[inline]
fn bits(mask: u8x16, lane: u32) -> u64 {
    u64::from(mask.to_bitmask()) << (lane * 16)
}

fn positions(block: &[u8; BLOCK], byte: u8) -> u64 {
    let (chunks, _) = block.as_chunks::<16>();
    let lanes = chunks.iter().map(|chunk| u8x16::new(*chunk).simd_eq(u8x16::splat(byte)));
    lanes.zip(0_u32..).fold(0, |found, (mask, number)| found | bits(mask, number))
}

/// For each byte, whether an odd number of marks stands up to and with it.
#[inline]
fn parity(marks: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(marks, |parity, shift| parity ^ (parity << shift))
}

/// Which bytes lose their meaning to a backslash before them, and whether the one after the block does.
fn escapes(backslashes: u64, starts_escaped: bool) -> (u64, bool) {
    let mut escaped = u64::from(starts_escaped);
    let mut left = backslashes & !escaped;
    while left != 0 {
        let first = left.trailing_zeros();
        if first as usize == BLOCK - 1 {
            return (escaped, true);
        }
        escaped |= 2 << first;
        // What is escaped escapes nothing, be it a backslash.
        left &= !(3 << first);
    }
    (escaped, false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_end_of_a_string_is_found_as_a_loop_over_bytes_finds_it(
            parts in proptest::collection::vec(prop_oneof![
                6 => "[a-zé{}]{0,40}".boxed(), 6 => Just("\\\"".to_owned()).boxed(), 1 => Just("\"".to_owned()).boxed(),
                1 => Just("\\\\".to_owned()).boxed(), 1 => Just("\\n".to_owned()).boxed(), 1 => Just("\t".to_owned()).boxed(),
            ], 0..30),
        ) {
            let text = parts.concat();
            let mut bytes = text.bytes().enumerate();
            let slow = loop {
                match bytes.next() {
                    Some((at, b'"')) => break Some(at),
                    Some((_, b'\\')) if bytes.next().is_some_and(|(_, next)| next == b'"') => {}
                    Some((_, b'\\' | 0..0x20)) | None => break None,
                    Some(_) => {}
                }
            };
            prop_assert_eq!(escaped_length(text.as_bytes()), slow, "{:?}", text);
        }
    }
}
