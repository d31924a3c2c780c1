//! The books of a batch or a scan: everything that came in is accounted for, or [`Books::balance`] says where it went missing.
//!
//! A *record* is one outer unit: a Kinesis record; in files one JSON line, one element of a `Records` list, or one whole
//! JSON document. It counts as a dead letter if any part of it could not be read, else as read. The readable events of a
//! dead letter are judged all the same.

use serde::Serialize;
use std::collections::BTreeMap;

/// Counts that must add up. Fields are public: each is published as a metric and in one log line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Outer units taken in.
    pub records_in: u64,
    /// Records that were read to the last byte.
    pub records_read: u64,
    /// Records of which some part could not be read.
    pub dead_letters: u64,
    /// CloudTrail events found in the records.
    pub events_in: u64,
    /// Events met before, by account and eventID.
    pub duplicates: u64,
    /// Events that no rule names.
    pub not_of_interest: u64,
    /// Events put before the rules.
    pub judged: u64,
    /// Judged events whose call had failed: attempts, not changes.
    pub attempts: u64,
    /// Things that are no events but were recognised: control messages, digests, insights, by kind.
    pub recognised: BTreeMap<String, u64>,
    /// Rules that matched an event.
    pub violations: u64,
    /// Violations that no suppression held back.
    pub reported: u64,
    /// Violations held back by a suppression; they are in the lake all the same.
    pub suppressed: u64,
    /// Rules that could not be evaluated on an event because of a fault.
    pub rule_errors: u64,
    /// Rules that could not be decided on an event because a policy document was not visible.
    pub undecided: u64,
}

/// Two sides of a sum that differ. This is a fault of the program, never of its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the books do not balance: {left} is {left_count}, but {right} is {right_count}")]
pub struct Imbalance {
    /// What came in.
    pub left: &'static str,
    /// How much came in.
    pub left_count: u64,
    /// What became of it.
    pub right: &'static str,
    /// How much of it is accounted for.
    pub right_count: u64,
}

impl Books {
    /// Takes in one outer record; `readable` when every part of it could be read.
    pub fn record(&mut self, readable: bool) {
        self.records_in += 1;
        if readable {
            self.records_read += 1;
        } else {
            self.dead_letters += 1;
        }
    }

    /// Notes something that is no event, such as `control_message` or `digest`.
    pub fn recognise(&mut self, kind: &str) {
        *self.recognised.entry(kind.to_owned()).or_default() += 1;
    }

    /// Adds the counts of another part of the same work.
    pub fn merge(&mut self, other: &Books) {
        let pairs = self.counts_mut().into_iter().zip(other.counts());
        for (count, more) in pairs {
            *count += more;
        }
        for (kind, more) in &other.recognised {
            *self.recognised.entry(kind.clone()).or_default() += more;
        }
    }

    /// Whether every sum holds.
    pub fn balance(&self) -> Result<(), Imbalance> {
        let sums = [
            ("records in", self.records_in, "records read + dead letters", self.records_read + self.dead_letters),
            (
                "events in",
                self.events_in,
                "duplicates + not of interest + judged",
                self.duplicates + self.not_of_interest + self.judged,
            ),
            ("violations", self.violations, "reported + suppressed", self.reported + self.suppressed),
        ];
        match sums.into_iter().find(|(_, left_count, _, right_count)| left_count != right_count) {
            Some((left, left_count, right, right_count)) => Err(Imbalance { left, left_count, right, right_count }),
            None => Ok(()),
        }
    }

    fn counts(&self) -> [u64; 13] {
        // Taken apart field by field: a new field that is forgotten here does not compile.
        let Books {
            records_in,
            records_read,
            dead_letters,
            events_in,
            duplicates,
            not_of_interest,
            judged,
            attempts,
            recognised: _,
            violations,
            reported,
            suppressed,
            rule_errors,
            undecided,
        } = self;
        [
            *records_in,
            *records_read,
            *dead_letters,
            *events_in,
            *duplicates,
            *not_of_interest,
            *judged,
            *attempts,
            *violations,
            *reported,
            *suppressed,
            *rule_errors,
            *undecided,
        ]
    }

    fn counts_mut(&mut self) -> [&mut u64; 13] {
        [
            &mut self.records_in,
            &mut self.records_read,
            &mut self.dead_letters,
            &mut self.events_in,
            &mut self.duplicates,
            &mut self.not_of_interest,
            &mut self.judged,
            &mut self.attempts,
            &mut self.violations,
            &mut self.reported,
            &mut self.suppressed,
            &mut self.rule_errors,
            &mut self.undecided,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lost_event_is_told_with_both_sides() {
        let books = Books { events_in: 5, judged: 4, ..Books::default() };
        assert_eq!(
            books.balance().unwrap_err().to_string(),
            "the books do not balance: events in is 5, but duplicates + not of interest + judged is 4"
        );
    }

    #[test]
    fn the_records_of_a_batch_are_read_or_dead_letters() {
        let mut books = Books::default();
        for readable in [true, false, true] {
            books.record(readable);
        }
        assert_eq!((books.records_in, books.records_read, books.dead_letters), (3, 2, 1));
        assert_eq!(books.balance(), Ok(()));
    }

    fn any_books() -> impl Strategy<Value = Books> {
        (proptest::array::uniform13(0_u64..1000), proptest::collection::btree_map("[a-c]", 0_u64..9, 0..3)).prop_map(
            |(counts, recognised)| {
                let mut books = Books { recognised, ..Books::default() };
                for (field, count) in books.counts_mut().into_iter().zip(counts) {
                    *field = count;
                }
                books
            },
        )
    }

    proptest! {
        #[test]
        fn merging_adds_every_count_in_any_order(a in any_books(), b in any_books()) {
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.merge(&b);
            ba.merge(&a);
            prop_assert_eq!(&ab, &ba);
            let sums: Vec<u64> = a.counts().iter().zip(b.counts()).map(|(x, y)| x + y).collect();
            prop_assert_eq!(ab.counts().to_vec(), sums);
        }
    }
}
