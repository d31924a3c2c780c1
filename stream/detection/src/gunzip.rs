//! Gzip that is all here, inflated in one go: much faster than as a stream, above all for small files and records.

use std::fmt;

use libdeflater::Decompressor;
use memchr::memmem::Finder;

/// What every member of a gzip stream starts with. Source: RFC 1952, section 2.3.1: magic, and the only method there is.
const MEMBER: [u8; 3] = [0x1F, 0x8B, 8];

/// Memory kept from one text to the next; a larger one gets its own for as long as it is read.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// Inflates one text after the other into the same memory.
pub struct Gunzip {
    inflater: Decompressor,
    member: Finder<'static>,
    text: Vec<u8>,
}

impl Default for Gunzip {
    fn default() -> Gunzip {
        Gunzip { inflater: Decompressor::new(), member: Finder::new(&MEMBER), text: Vec::new() }
    }
}

impl fmt::Debug for Gunzip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gunzip").field("text_bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Gunzip {
    /// The text of `packed` if that is one whole member without a fault, of at most `limit` bytes. `None` says nothing
    /// about it: several members, padding, damage, too much text. Whoever reads it as a stream then will find out.
    pub fn text(&mut self, packed: &[u8], limit: usize) -> Option<&[u8]> {
        // The last four bytes of a member are the length of its text, see RFC 1952. They may lie, so no text is taken
        // that does not fill its room to the byte.
        let length = usize::try_from(u32::from_le_bytes(*packed.last_chunk()?)).ok()?;
        let is_one = packed.starts_with(&MEMBER) && self.member.find(packed.get(1..)?).is_none();
        if !is_one || length > limit {
            return None;
        }
        if self.text.len() < length || self.text.len() > KEPT_BYTES.max(length) {
            self.text = vec![0; length.max(KEPT_BYTES.min(length.saturating_mul(2)))];
        }
        let room = self.text.get_mut(..length)?;
        match self.inflater.gzip_decompress(packed, room) {
            Ok(inflated) if inflated == length => Some(room),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::bufread::MultiGzDecoder;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn one_member_is_inflated_up_to_the_limit_and_everything_else_is_left_to_a_stream() {
        let mut gunzip = Gunzip::default();
        let packed = gzip(b"one two three");
        assert_eq!(gunzip.text(&packed, 13), Some(&b"one two three"[..]));
        assert_eq!(gunzip.text(&packed, 12), None);
        assert_eq!(gunzip.text(&gzip(b""), 0), Some(&b""[..]));
        // Two members that are alike: the length at the end fits the first one, too.
        assert_eq!(gunzip.text(&packed.repeat(2), 1000), None);
        assert_eq!(gunzip.text(&[&packed[..], b"\0\0\0\0"].concat(), 1000), None);
        assert_eq!(gunzip.text(&packed[..packed.len() - 1], 1000), None);
        let mut damaged = packed.clone();
        damaged[packed.len() - 6] ^= 1; // in the checksum
        assert_eq!(gunzip.text(&damaged, 1000), None);
        let mut liar = packed.clone();
        for length in [12, 14, u8::MAX] {
            liar[packed.len() - 4] = length;
            assert_eq!(gunzip.text(&liar, 1000), None);
        }
        assert_eq!(gunzip.text(b"", 1000), None);
    }

    proptest! {
        #[test]
        fn what_is_inflated_at_once_is_what_a_stream_gives(
            texts in proptest::collection::vec(proptest::collection::vec(0_u8..4, 0..300), 1..4),
            damage in proptest::option::of((any::<proptest::sample::Index>(), any::<u8>())),
            cut in proptest::option::of(any::<proptest::sample::Index>()),
        ) {
            let mut gunzip = Gunzip::default();
            let mut packed: Vec<u8> = texts.iter().flat_map(|text| gzip(text)).collect();
            if let Some((place, byte)) = damage {
                let place = place.index(packed.len());
                packed[place] = byte;
            }
            packed.truncate(cut.map_or(packed.len(), |cut| cut.index(packed.len())));
            if let Some(text) = gunzip.text(&packed, 10_000) {
                let mut streamed = Vec::new();
                prop_assert!(MultiGzDecoder::new(&packed[..]).read_to_end(&mut streamed).is_ok());
                prop_assert_eq!(text, &streamed[..]);
            }
        }
    }
}
