//! The same random requests decided by this crate and by the crate iam-rs 0.8.0 (MIT), an independent reader
//! of the same language. Deterministic: the seed is fixed.
//!
//! Known faults of iam-rs 0.8.0 are not generated. By name: documents without `Version` are not parsed;
//! numbers and booleans as condition values are ignored; ARNs of fewer than six segments are rejected; a Deny
//! whose service segment is a wildcard is ignored; a principal map with two keys is not parsed; a star in the value of a
//! variable works as a wildcard; variables in condition values are not replaced; a star that ends a segment never runs over a colon.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test may fail loudly"
)]

use policy::{Context, Decision, Kind, Policy, Request, decide};
use serde_json::{Value, json};

/// Documents, and requests for each of them.
const DOCUMENTS: usize = 4_000;
const REQUESTS: usize = 30;

/// A small generator (splitmix64): the test must be the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.below(values.len())]
    }

    fn some(&mut self, values: &[&str], most: usize) -> Value {
        let count = 1 + self.below(most);
        if count == 1 && self.one_in(2) {
            return json!(self.pick(values));
        }
        Value::Array((0..count).map(|_| json!(self.pick(values))).collect())
    }
}

const ACTION_PATTERNS: [&str; 14] = [
    "*",
    "s3:*",
    "s3:Get*",
    "S3:getobject",
    "s3:?etObject",
    "s3:PutObject",
    "iam:*",
    "iam:Pass*",
    "iam:*Role*",
    "iam:CreateUser",
    "ec2:Describe*",
    "ec2:Run?nstances",
    "s3:*Object",
    "IAM:PASSROLE",
];
const ACTIONS: [&str; 9] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "iam:PassRole",
    "iam:CreateUser",
    "iam:UpdateAssumeRolePolicy",
    "ec2:RunInstances",
    "ec2:DescribeInstances",
    "s3:getobject",
];
const RESOURCE_PATTERNS: [&str; 14] = [
    "*",
    "arn:aws:s3:::bucket/*",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b?cket/*.txt",
    "arn:aws:iam::123456789012:role/*",
    "arn:aws:iam::123456789012:role/app-?",
    "arn:aws:iam::123456789012:user/${aws:username}",
    "arn:aws:s3:::bucket/${aws:username}/*",
    "arn:aws:iam::*:role/app*",
    "arn:aws:ec2:*:123456789012:instance/*",
    "arn:aws:s3:::${aws:PrincipalTag/team}/*",
    "arn:aws:s3:::other/a*b*c",
    "arn:aws:iam::123456789012:user/A*",
];
const RESOURCES: [&str; 12] = [
    "arn:aws:s3:::bucket/alice/x.txt",
    "arn:aws:s3:::bucket/x.txt",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::red/x",
    "arn:aws:iam::123456789012:role/app-1",
    "arn:aws:iam::123456789012:role/ops",
    "arn:aws:iam::999999999999:role/app-1",
    "arn:aws:iam::123456789012:user/alice",
    "arn:aws:iam::123456789012:user/Alice",
    "arn:aws:ec2:eu-west-1:123456789012:instance/i-1",
    "arn:aws:s3:::other/aXbYc",
    "arn:aws:s3:::other/abcd",
];
/// Operator, key, values the document may ask for, values the request may have.
const CONDITIONS: [(&str, &str, &[&str], &[&str]); 17] = [
    ("StringEquals", "aws:PrincipalTag/team", &["red", "blue", "r*"], &["red", "blue", "Red"]),
    ("StringNotEquals", "aws:PrincipalTag/team", &["red", "blue"], &["red", "blue", "green"]),
    ("StringEqualsIgnoreCase", "aws:PrincipalTag/team", &["RED", "blue"], &["red", "blue", "green"]),
    ("StringLike", "s3:prefix", &["home/*", "h?me/x", "*"], &["home/x", "home/alice/x", "tmp", ""]),
    ("StringNotLike", "s3:prefix", &["home/*", "tmp*"], &["home/x", "tmp", "var"]),
    ("StringEqualsIfExists", "aws:PrincipalTag/team", &["red"], &["red", "blue"]),
    ("StringLikeIfExists", "s3:prefix", &["home/*"], &["home/x", "tmp"]),
    ("NumericLessThan", "s3:max-keys", &["10", "5.5"], &["3", "10", "5.5", "11"]),
    ("NumericGreaterThanEquals", "s3:max-keys", &["10"], &["9", "10", "11"]),
    ("NumericEquals", "s3:max-keys", &["10"], &["10", "10.0", "11"]),
    (
        "DateGreaterThan",
        "aws:CurrentTime",
        &["2024-01-01T00:00:00Z"],
        &["2023-12-31T23:59:59Z", "2024-06-01T00:00:00Z"],
    ),
    ("DateLessThan", "aws:CurrentTime", &["2024-01-01T00:00:00Z"], &["2023-12-31T23:59:59Z", "2024-06-01T00:00:00Z"]),
    ("IpAddress", "aws:SourceIp", &["10.0.0.0/8", "192.0.2.1/32"], &["10.1.2.3", "192.0.2.1", "192.0.2.2"]),
    ("NotIpAddress", "aws:SourceIp", &["10.0.0.0/8", "192.0.2.1/32"], &["10.1.2.3", "192.0.2.1", "192.0.2.2"]),
    (
        "ArnLike",
        "aws:PrincipalArn",
        &["arn:aws:iam::123456789012:role/*", "arn:aws:iam::*:user/alice"],
        &["arn:aws:iam::123456789012:role/x", "arn:aws:iam::1:user/alice", "arn:aws:iam::1:user/bob"],
    ),
    (
        "ArnNotLike",
        "aws:PrincipalArn",
        &["arn:aws:iam::123456789012:role/*"],
        &["arn:aws:iam::123456789012:role/x", "arn:aws:iam::1:user/bob"],
    ),
    ("Bool", "aws:SecureTransport", &["true", "false"], &["true", "false"]),
];

fn document(random: &mut Random) -> Value {
    let statements: Vec<Value> = (0..1 + random.below(4))
        .map(|_| {
            let mut statement = json!({"Effect": if random.one_in(3) { "Deny" } else { "Allow" }});
            let action = if random.one_in(6) { "NotAction" } else { "Action" };
            let resource = if random.one_in(6) { "NotResource" } else { "Resource" };
            statement[action] = random.some(&ACTION_PATTERNS, 3);
            statement[resource] = random.some(&RESOURCE_PATTERNS, 3);
            for _ in 0..random.below(3) {
                let (operator, key, values, _) = random.pick(&CONDITIONS);
                statement["Condition"][operator][key] = random.some(values, 2);
            }
            statement
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn context(random: &mut Random) -> Vec<(&'static str, &'static str)> {
    let mut context = Vec::new();
    if !random.one_in(4) {
        context.push(("aws:username", *random.pick(&["alice", "bob"])));
    }
    for (_, key, _, values) in CONDITIONS {
        if random.one_in(2) && !context.iter().any(|(known, _)| *known == key) {
            context.push((key, *random.pick(values)));
        }
    }
    context
}

fn by_peer(policy: &iam_rs::IAMPolicy, action: &str, resource: &str, context: &[(&str, &str)]) -> Option<Decision> {
    let mut peer_context = iam_rs::Context::new();
    for (key, value) in context {
        peer_context = match *key {
            "s3:max-keys" => peer_context.with_number(*key, value.parse().unwrap()),
            "aws:SecureTransport" => peer_context.with_boolean(*key, *value == "true"),
            _ => peer_context.with_string(*key, *value),
        };
    }
    let caller = iam_rs::Principal::Aws(iam_rs::PrincipalId::String("arn:aws:iam::123456789012:user/alice".to_owned()));
    let arn = iam_rs::Arn::parse(resource).unwrap();
    let request = iam_rs::IAMRequest::new_with_context(caller, action, arn, peer_context);
    Some(match iam_rs::evaluate_policy(policy, &request).ok()? {
        iam_rs::Decision::Allow => Decision::Allow,
        iam_rs::Decision::Deny => Decision::ExplicitDeny,
        iam_rs::Decision::NotApplicable => Decision::ImplicitDeny,
    })
}

#[test]
fn a_hundred_thousand_random_requests_are_decided_as_by_an_independent_crate() {
    let mut random = Random(2024);
    let (mut compared, mut refused, mut allowed) = (0_usize, 0_usize, 0_usize);
    let mut differences = Vec::new();
    for _ in 0..DOCUMENTS {
        let text = document(&mut random).to_string();
        let policy = Policy::parse(&text, Kind::Identity);
        assert_eq!(policy.malformed, [], "{text}");
        let peer: iam_rs::IAMPolicy = serde_json::from_str(&text).unwrap();
        for _ in 0..REQUESTS {
            let (action, resource) = (*random.pick(&ACTIONS), *random.pick(&RESOURCES));
            let pairs = context(&mut random);
            let Some(theirs) = by_peer(&peer, action, resource, &pairs) else {
                refused += 1;
                continue;
            };
            let context: Context = pairs.iter().copied().collect();
            let ours = decide(&policy, &Request { action, resource, caller: None, context: &context });
            compared += 1;
            allowed += usize::from(ours == Decision::Allow);
            if ours != theirs {
                differences.push(format!("{action} {resource} {pairs:?}\nours {ours:?}, theirs {theirs:?}\n{text}"));
            }
        }
    }
    println!("{compared} compared ({allowed} allowed), {refused} refused by iam-rs, {} differ", differences.len());
    assert!(
        differences.is_empty(),
        "{} differences, the first:\n{}",
        differences.len(),
        differences[..differences.len().min(4)].join("\n\n")
    );
    assert!(compared >= 100_000 && allowed > 10_000, "{compared} compared, {allowed} allowed");
}
