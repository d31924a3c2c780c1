//! One input of `decide`, four lines: action, resource, `key=value,...`, and the document. What is decided
//! to be allowed is among what the document may grant.

use policy::{Context, Decision, Kind, Policy, Request, decide};

/// Runs one input; gives the decision when it has four lines. Panics when something that must hold does not.
pub(crate) fn run(data: &[u8]) -> Option<Decision> {
    let mut lines = std::str::from_utf8(data).ok()?.splitn(4, '\n');
    let (action, resource, keys, document) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
    let context: Context = keys.split(',').filter_map(|pair| pair.split_once('=')).collect();
    let policy = Policy::parse(document, Kind::Identity);
    let request = Request { action, resource, caller: None, context: &context };
    let decision = decide(&policy, &request);
    let shouted = Request { action: &action.to_ascii_uppercase(), ..request };
    assert_eq!(decision, decide(&policy, &shouted), "case of the action");
    let plain = !action.contains(['*', '?']) && !resource.contains(['*', '?', '$']) && !document.contains('$');
    // As a pattern an ARN that is cut short means all that begin with it.
    let whole = !resource.starts_with("arn") || resource.matches(':').count() >= 5;
    if decision == Decision::Allow && plain && whole {
        assert!(policy.grants_on(action, resource).is_some(), "{action} on {resource}");
    }
    Some(decision)
}
