//! Which events are the same one.

use crate::event::CloudTrailEvent;

/// Identity of an event: its account and eventID, 128 bits of a hash.
///
/// Two trails deliver one event twice with the same eventID: one key. The two sides of a call across accounts have
/// eventIDs and accounts of their own: two keys. Source: CloudTrail user guide, `eventID` and `sharedEventID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(pub u128);

impl EventKey {
    /// The key; `None` for a record with `addendum`, which corrects an earlier one and is never a duplicate.
    pub fn of(event: &CloudTrailEvent<'_>) -> Option<EventKey> {
        if event.addendum.is_some() {
            return None;
        }
        Some(EventKey(schemas::derived_id(&[event.account_id(), &event.event_id()]).as_u128()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(json: &str) -> Option<EventKey> {
        EventKey::of(&CloudTrailEvent::parse(json, Some(chrono::DateTime::UNIX_EPOCH)).unwrap())
    }

    #[test]
    fn d24_an_event_of_two_trails_is_one_and_the_two_sides_of_a_call_across_accounts_are_two() {
        let by_trail_1 =
            r#"{"eventName":"AssumeRole","eventID":"a","recipientAccountId":"111122223333","sharedEventID":"s"}"#;
        let by_trail_2 =
            r#"{"eventID":"a","eventName":"AssumeRole","sharedEventID":"s","recipientAccountId":"111122223333"}"#;
        let other_side =
            r#"{"eventName":"AssumeRole","eventID":"b","recipientAccountId":"444455556666","sharedEventID":"s"}"#;
        let same_id_elsewhere = r#"{"eventName":"AssumeRole","eventID":"a","recipientAccountId":"444455556666"}"#;
        assert!(key(by_trail_1).is_some());
        assert_eq!(key(by_trail_1), key(by_trail_2));
        assert_ne!(key(by_trail_1), key(other_side));
        assert_ne!(key(by_trail_1), key(same_id_elsewhere));
    }

    #[test]
    fn d25_an_addendum_is_never_a_duplicate() {
        let update = r#"{"eventName":"AssumeRole","eventID":"a","recipientAccountId":"111122223333",
            "addendum":{"reason":"UPDATED_DATA","originalEventID":"a"}}"#;
        assert_eq!(key(update), None);
    }
}
