//! How much one record may ask of this program. Everything here is tested at the limit and one past it.

/// Bounds on one record from outside (a Kinesis record, a line or document of a file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that all compressed parts of one record may inflate to, together. A Kinesis record holds at most 10 MiB,
    /// and CloudTrail text shrinks about tenfold.
    pub max_inflated_bytes: usize,
    /// How many times larger than its compressed form a part may become, once it is past [`RATIO_FLOOR_BYTES`].
    /// CloudTrail text reaches about 40; a bomb about 1,000.
    pub max_gzip_ratio: usize,
    /// How many envelopes may lie inside one another.
    pub max_nesting: usize,
    /// Events, readable or not, in one record.
    pub max_events: usize,
    /// Bytes of one event. CloudTrail itself stays below 1 MiB; others who write this format may not.
    pub max_event_bytes: usize,
}

/// Output up to this size is harmless whatever the ratio.
pub const RATIO_FLOOR_BYTES: usize = 1024 * 1024;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_inflated_bytes: 128 * 1024 * 1024,
            max_gzip_ratio: 200,
            max_nesting: 8,
            max_events: 200_000,
            max_event_bytes: 16 * 1024 * 1024,
        }
    }
}
