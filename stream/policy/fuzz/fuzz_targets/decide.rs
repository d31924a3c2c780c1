//! Four lines: action, resource, `key=value,...`, and the document. A decision never panics, and what is
//! decided to be allowed is among what the document may grant.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Context, Decision, Kind, Policy, Request, decide};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(4, '\n');
    let (Some(action), Some(resource), Some(keys), Some(document)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return;
    };
    let context: Context = keys.split(',').filter_map(|pair| pair.split_once('=')).collect();
    let policy = Policy::parse(document, Kind::Identity);
    let request = Request { action, resource, caller: None, context: &context };
    let decision = decide(&policy, &request);
    assert_eq!(decision, decide(&policy, &Request { action: &action.to_ascii_uppercase(), ..request.clone() }));
    let plain = !action.contains(['*', '?']) && !resource.contains(['*', '?', '$', '\n']);
    if decision == Decision::Allow && plain && !document.contains('$') {
        assert!(policy.grants_on(action, resource).is_some(), "{action} on {resource}");
    }
});
