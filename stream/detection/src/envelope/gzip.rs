//! Gzip, of one member or several, inflated within bounds.

use std::io::{self, Read};

use chrono::{DateTime, Utc};
use flate2::bufread::GzDecoder;

use super::Walk;
use super::piece::{Reason, Step};
use crate::limits::RATIO_FLOOR_BYTES;

/// The first bytes of a gzip member. Source: RFC 1952, section 2.3.1.
pub(super) const MAGIC: &[u8] = &[0x1F, 0x8B];

impl Walk<'_> {
    pub(super) fn gzip(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        let limits = self.opening.limits;
        let left = limits.max_inflated_bytes.saturating_sub(self.inflated);
        let by_ratio = bytes.len().saturating_mul(limits.max_gzip_ratio).max(RATIO_FLOOR_BYTES);
        if self.gunzip(bytes, left.min(by_ratio), time) {
            return;
        }
        let (text, fault) = inflate(bytes, left.min(by_ratio));
        self.inflated = self.inflated.saturating_add(text.len());
        if text.len() > left {
            self.unreadable(Reason::InflatesTooLarge { limit: limits.max_inflated_bytes }, bytes);
            return;
        }
        if text.len() > by_ratio {
            self.unreadable(Reason::GzipRatio { limit: limits.max_gzip_ratio }, bytes);
            return;
        }
        if !text.is_empty() {
            self.within(Step::Into("gzip"), |walk| walk.bytes(&text, time));
        }
        match fault {
            Some(error) => self.unreadable(Reason::GzipDamaged(error.to_string()), bytes),
            None if text.is_empty() => self.unreadable(Reason::Empty, bytes),
            None => {}
        }
    }

    /// Reads what one faultless member holds; answers whether it was that. Gzip inside gzip takes the longer way.
    fn gunzip(&mut self, bytes: &[u8], limit: usize, time: Option<DateTime<Utc>>) -> bool {
        let Some(gunzip) = self.gunzip.take() else { return false };
        let text = gunzip.get_or_insert_default().text(bytes, limit).filter(|text| !text.is_empty());
        if let Some(text) = text {
            self.inflated = self.inflated.saturating_add(text.len());
            self.within(Step::Into("gzip"), |walk| walk.bytes(text, time));
        }
        let is_done = text.is_some();
        self.gunzip = Some(gunzip);
        is_done
    }
}

/// What the members inflate to, at most one byte more than `limit`, and the fault that ended it. White space and zeros
/// after the last member are padding.
fn inflate(bytes: &[u8], limit: usize) -> (Vec<u8>, Option<io::Error>) {
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(4).min(limit));
    let mut rest = bytes;
    while !rest.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
        let left = limit.saturating_add(1).saturating_sub(text.len());
        let mut member = GzDecoder::new(rest).take(u64::try_from(left).unwrap_or(u64::MAX));
        if let Err(error) = member.read_to_end(&mut text) {
            return (text, Some(error));
        }
        if text.len() > limit {
            break;
        }
        rest = member.into_inner().into_inner();
    }
    (text, None)
}
