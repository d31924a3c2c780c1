//! One input of `parse`: any bytes. What is not a clean policy says so, and the limits of reading hold.

use policy::{Kind, Policy, Service};

/// What reading keeps of the faults of one document: a hundred, one more that says so, and "not UTF-8".
const MAX_FAULTS: usize = 102;

/// Runs one input. Panics when something that must hold does not.
pub(crate) fn run(data: &[u8]) {
    for kind in [Kind::Identity, Kind::Trust, Kind::Resource(Service::Sns)] {
        let policy = Policy::parse_bytes(data, kind);
        assert!(!policy.statements.is_empty() || !policy.malformed.is_empty(), "neither policy nor fault");
        assert!(policy.malformed.len() <= MAX_FAULTS, "{} faults", policy.malformed.len());
        assert!(policy.malformed.iter().all(|fault| !fault.to_string().is_empty()));
    }
}
