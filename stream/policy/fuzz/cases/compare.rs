//! One input of `compare`: two documents, compared, and everything checked that must hold.

use std::sync::LazyLock;

use policy::{Answer, Comparer, Context, Decision, Kind, Policy, Relation, Request, decide};

/// Entries the grammar chooses from: few, so that they meet.
const ACTIONS: [&str; 12] = [
    "*",
    "*:*",
    "s3:*",
    "s3:Get*",
    "s3:GetObject",
    "s3:?et*",
    "*:Get*",
    "iam:*",
    "s3:*t*",
    "s3:PutObject",
    "S3:get?*",
    "?*:*b*",
];
const RESOURCES: [&str; 14] = [
    "*",
    "arn:*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::*b",
    "arn:aws:s3:::a*b",
    "arn:aws:s3:::a?",
    "arn:aws:s3:::?b*",
    "arn:aws:s3:::ab",
    "arn:aws:s3*:*:*:a",
    "arn:aws:*:*:1*2:a/*",
    "arn:aws:s3:::${aws:username}/*",
    "arn:aws:s3:::*${aws:username}",
    "arn:aws:*3:::*a*b*",
];
const CONDITIONS: [&str; 10] = [
    r#""StringEquals":{"x:k":["a","b"]}"#,
    r#""StringLike":{"x:k":"a*"}"#,
    r#""StringNotLike":{"x:k":["a*","*b"]}"#,
    r#""StringEqualsIfExists":{"x:k":"a"}"#,
    r#""Null":{"x:k":"true"}"#,
    r#""ForAllValues:StringEquals":{"x:k":["a","b"]}"#,
    r#""NumericLessThan":{"x:n":"10"}"#,
    r#""NumericGreaterThanEquals":{"x:n":"10"}"#,
    r#""IpAddress":{"x:i":"10.0.0.0/8"}"#,
    r#""StringLike":{"x:k":"${aws:username}*"}"#,
];
/// Statements in one generated document.
const MAX_STATEMENTS: u8 = 5;

/// The texts of the two documents of an input: cut at the first zero byte, or built by the grammar.
pub(crate) fn documents(data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let Some((mode, data)) = data.split_first() else {
        return (Vec::new(), Vec::new());
    };
    if mode % 2 == 0 {
        let cut = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
        let (old, new) = data.split_at(cut);
        (old.to_vec(), new.get(1..).unwrap_or_default().to_vec())
    } else {
        let mut bytes = data.iter().copied();
        (document(&mut bytes).into_bytes(), document(&mut bytes).into_bytes())
    }
}

/// Runs one input. Panics when something that must hold does not.
pub(crate) fn run(data: &[u8]) {
    let (old, new) = documents(data);
    let (old, new) = (Policy::parse_bytes(&old, Kind::Identity), Policy::parse_bytes(&new, Kind::Identity));
    let mut comparer = Comparer::default();
    assert_eq!(comparer.compare(&old, &old).relation(), Relation::Equal);
    let change = comparer.compare(&old, &new);
    let back = comparer.compare(&new, &old);
    assert_eq!(change.new_access, back.lost_access, "the other way round");
    check(&change.new_access, &old, &new);
    check(&change.lost_access, &new, &old);
}

fn check(answer: &Answer, less: &Policy, more: &Policy) {
    match answer {
        Answer::Yes(witness) => {
            let open = !witness.is_complete();
            if !open {
                assert!(witness.is_granted_by(more), "not granted: {witness:?}");
                assert!(!witness.is_granted_by(less), "not new: {witness:?}");
            }
        }
        Answer::No => {
            for action in ["s3:GetObject", "s3:PutObject", "s3:GetB", "iam:GetUser", "b:b", "s3:x"] {
                for resource in [
                    "*",
                    "arn:aws:s3:::ab",
                    "arn:aws:s3:::a",
                    "arn:aws:s3:::axb",
                    "arn:aws:s3:r:1:a",
                    "arn:aws:s3:::bob/b",
                ] {
                    for context in &*CONTEXTS {
                        let request = Request { action, resource, caller: None, context };
                        let granted = |document| decide(document, &request) == Decision::Allow;
                        assert!(!granted(more) || granted(less), "missed {action} on {resource}");
                    }
                }
            }
        }
        Answer::Unknown(_) => {}
    }
}

static CONTEXTS: LazyLock<[Context; 5]> = LazyLock::new(|| {
    let from = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Context>();
    [
        Context::new(),
        from(&[("x:k", "a"), ("aws:username", "bob")]),
        from(&[("x:k", "ab"), ("x:n", "10"), ("aws:username", "a")]),
        from(&[("x:k", "b"), ("x:n", "3"), ("x:i", "10.1.1.1")]),
        from(&[("x:k", "z"), ("x:i", "192.0.2.1"), ("aws:username", "ab")]),
    ]
});

/// A document of the grammar; bytes that run out count as 0.
fn document(bytes: &mut dyn Iterator<Item = u8>) -> String {
    let count = bytes.next().unwrap_or(0) % (MAX_STATEMENTS + 1);
    let statements: Vec<String> = (0..count).map(|_| statement(bytes)).collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn statement(bytes: &mut dyn Iterator<Item = u8>) -> String {
    let shape = bytes.next().unwrap_or(0);
    let bit = |number: u8| shape & (1 << number) != 0;
    let mut list = |from: &[&str], more: bool| {
        let mut pick = || from.get(usize::from(bytes.next().unwrap_or(0)) % from.len()).copied().unwrap_or_default();
        if more { format!("[\"{}\",\"{}\"]", pick(), pick()) } else { format!("\"{}\"", pick()) }
    };
    let effect = if bit(0) && bit(1) { "Deny" } else { "Allow" };
    let action = if bit(2) && bit(3) { "NotAction" } else { "Action" };
    let resource = if bit(4) && bit(5) { "NotResource" } else { "Resource" };
    let (actions, resources) = (list(&ACTIONS, bit(6)), list(&RESOURCES, bit(5)));
    let condition = if bit(7) {
        let pick = usize::from(bytes.next().unwrap_or(0)) % CONDITIONS.len();
        CONDITIONS.get(pick).map(|text| format!(",\"Condition\":{{{text}}}"))
    } else {
        None
    };
    format!(r#"{{"Effect":"{effect}","{action}":{actions},"{resource}":{resources}{}}}"#, condition.unwrap_or_default())
}
