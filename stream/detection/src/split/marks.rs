//! The bytes that matter in 64 bytes of JSON, one bit each; the lowest bit is the first byte.

use wide::{CmpEq, u8x16};

/// Bytes looked at together.
pub(super) const BLOCK: usize = 64;

/// Lower-case twins of the brackets: `[` and `{` differ in one bit, and so do `]` and `}`.
const BRACKET_BIT: u8 = b'{' ^ b'[';

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
    pub(super) fn of(block: &[u8; BLOCK], starts_in_string: bool, starts_escaped: bool) -> Option<Marks> {
        let (chunks, _) = block.as_chunks::<16>();
        let lanes = chunks.iter().map(|chunk| u8x16::new(*chunk));
        let [mut quotes, mut brackets] = [0_u64; 2];
        let mut odd = u8x16::ZERO;
        for (lane, number) in lanes.zip(0_u32..) {
            let upper = lane | u8x16::splat(BRACKET_BIT);
            let bracket = upper.simd_eq(u8x16::splat(b'{')) | upper.simd_eq(u8x16::splat(b'}'));
            quotes |= bits(lane.simd_eq(u8x16::splat(b'"')), number);
            brackets |= bits(bracket, number);
            odd |= lane.simd_eq(u8x16::splat(b'\\')) | lane.simd_eq(u8x16::splat(b'\n'));
        }
        let (escaped_letters, escaped) = match (starts_escaped, odd.any()) {
            (false, false) => (0, false),
            _ => escapes(positions(block, b'\\'), starts_escaped),
        };
        let inside = parity(quotes & !escaped_letters) ^ if starts_in_string { u64::MAX } else { 0 };
        if odd.any() && positions(block, b'\n') & inside | positions(block, b'\\') & !inside != 0 {
            return None;
        }
        Some(Marks { brackets: brackets & !inside, in_string: inside >> (BLOCK - 1) == 1, escaped })
    }
}

fn bits(mask: u8x16, lane: u32) -> u64 {
    u64::from(mask.to_bitmask()) << (lane * 16)
}

fn positions(block: &[u8; BLOCK], byte: u8) -> u64 {
    let (chunks, _) = block.as_chunks::<16>();
    let lanes = chunks.iter().map(|chunk| u8x16::new(*chunk).simd_eq(u8x16::splat(byte)));
    lanes.zip(0_u32..).fold(0, |found, (mask, number)| found | bits(mask, number))
}

/// For each byte, whether an odd number of marks stands up to and with it.
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
