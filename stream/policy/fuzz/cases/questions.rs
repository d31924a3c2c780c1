//! One input of `questions`: any bytes, read as each kind of document and asked everything.

use policy::{Kind, Policy, Service, Surroundings, answer, explain};

/// Runs one input. Panics when something that must hold does not.
pub(crate) fn run(data: &[u8]) {
    for kind in [Kind::Identity, Kind::Trust, Kind::Resource(Service::Sns)] {
        let policy = Policy::parse_bytes(data, kind);
        let escalations = policy.escalations();
        assert_eq!(escalations.may.and(escalations.must), escalations.must, "must without may");
        assert!(!explain(&policy, &Surroundings::default()).is_empty());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(answer(text).starts_with("{\"id\":"));
    }
}
