//! The audit lake: a folder, a bucket or memory that holds Parquet files in event-time partitions, and dead letters.
//!
//! Names come from the content, and an object is only ever created, never overwritten: writing the same rows again
//! changes nothing. Nothing here decides what is written. Read [`Lake`] first, then [`encode`].
//!
//! ```text
//! violations/year=2024/month=01/day=05/20240105T120000Z-0123456789abcdef.parquet
//! dead-letters/2024-01-05/0123456789abcdef.json
//! ```

mod claims;
mod compact;
mod dead_letter;
mod encode;
mod error;
mod list;
mod location;
mod order;
mod s3;
mod write;

pub use claims::{Claim, Held, MAX_TRIES, minute_window};
pub use compact::{GOOD_BYTES, GRACE, Merged, Partition, Removed};
pub use dead_letter::{DeadLetter, MAX_RAW_BYTES, Source};
pub use encode::encode;
pub use error::LakeError;
pub use list::Within;
pub use location::{Lake, resolve};
pub use write::Written;
