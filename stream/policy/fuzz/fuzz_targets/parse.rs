//! Any bytes: reading and every set question end, and what is not a clean policy says so.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Kind, Policy, Surroundings, answer, explain};

fuzz_target!(|data: &[u8]| {
    for kind in [Kind::Identity, Kind::Trust, Kind::Resource(policy::Service::Sns)] {
        let policy = Policy::parse_bytes(data, kind);
        assert!(!policy.statements.is_empty() || !policy.malformed.is_empty());
        let escalations = policy.escalations();
        assert_eq!(escalations.may.and(escalations.must), escalations.must);
        assert!(!explain(&policy, &Surroundings::default()).is_empty());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(answer(text).starts_with("{\"id\":"));
    }
});
