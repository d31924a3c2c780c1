//! The fuzz corpus, replayed without a fuzzer: what the targets assert holds for every kept input.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test may fail loudly"
)]

use std::path::Path;

use policy::{Context, Decision, Kind, Policy, Request, Service, Surroundings, answer, decide, explain};

fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn kept_inputs_are_read_and_judged() {
    let inputs = inputs("parse");
    assert!(inputs.len() >= 12);
    for data in inputs {
        for kind in [Kind::Identity, Kind::Trust, Kind::Resource(Service::Sns)] {
            let policy = Policy::parse_bytes(&data, kind);
            assert!(!policy.statements.is_empty() || !policy.malformed.is_empty());
            let escalations = policy.escalations();
            assert_eq!(escalations.may.and(escalations.must), escalations.must);
            assert!(!explain(&policy, &Surroundings::default()).is_empty());
        }
        if let Ok(text) = std::str::from_utf8(&data) {
            assert!(answer(text).starts_with("{\"id\":"));
        }
    }
}

#[test]
fn what_is_allowed_in_kept_inputs_is_granted() {
    let (mut read, mut allowed) = (0, 0);
    for data in inputs("decide") {
        let Ok(text) = std::str::from_utf8(&data) else { continue };
        let mut lines = text.splitn(4, '\n');
        let (Some(action), Some(resource), Some(keys), Some(document)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            continue;
        };
        read += 1;
        let context: Context = keys.split(',').filter_map(|pair| pair.split_once('=')).collect();
        let policy = Policy::parse(document, Kind::Identity);
        let decision = decide(&policy, &Request { action, resource, caller: None, context: &context });
        let plain = !action.contains(['*', '?']) && !resource.contains(['*', '?', '$']) && !document.contains('$');
        if decision == Decision::Allow && plain {
            allowed += 1;
            assert!(policy.grants_on(action, resource).is_some(), "{text}");
        }
    }
    assert!(read >= 12 && allowed >= 4, "{read} read, {allowed} allowed");
}
