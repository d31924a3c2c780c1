//! Aggregates of the Kinesis Producer Library: several records in one.
//!
//! Source: aggregation-format.md of awslabs/amazon-kinesis-producer: magic, protobuf, MD5 of the protobuf.

use chrono::{DateTime, Utc};
use md5::{Digest, Md5};
use prost::Message;

use super::Walk;
use super::piece::{Reason, Step};

/// The first bytes of an aggregate.
pub(super) const MAGIC: &[u8] = &[0xF3, 0x89, 0x9A, 0xC2];

const MD5_BYTES: usize = 16;

/// `AggregatedRecord` without its tables of partition keys: nothing here needs a key, so a wrong index into them (which
/// makes other readers fail) cannot cost a record.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Aggregate {
    #[prost(message, repeated, tag = "3")]
    pub(super) records: Vec<Part>,
}

/// One record of an aggregate.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Part {
    #[prost(bytes = "vec", tag = "3")]
    pub(super) data: Vec<u8>,
}

impl Walk<'_> {
    pub(super) fn kpl(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        let aggregate = match decode(bytes) {
            Ok(aggregate) => aggregate,
            Err(reason) => return self.unreadable(reason, bytes),
        };
        self.within(Step::Into("kpl"), |walk| {
            for (index, part) in aggregate.records.iter().enumerate() {
                if walk.is_full(&part.data) {
                    return;
                }
                walk.within(Step::Entry(index), |walk| walk.part(&part.data, time));
            }
        });
    }

    fn part(&mut self, data: &[u8], time: Option<DateTime<Utc>>) {
        match data.trim_ascii() {
            [] => self.unreadable(Reason::Empty, data),
            _ => self.bytes(data, time),
        }
    }
}

fn decode(bytes: &[u8]) -> Result<Aggregate, Reason> {
    let body = bytes.strip_prefix(MAGIC).unwrap_or(bytes);
    let Some((message, sum)) = body.len().checked_sub(MD5_BYTES).and_then(|end| body.split_at_checked(end)) else {
        return Err(Reason::KplChecksum);
    };
    if Md5::digest(message).as_slice() != sum {
        return Err(Reason::KplChecksum);
    }
    Aggregate::decode(message).map_err(|error| Reason::KplDamaged(error.to_string()))
}
