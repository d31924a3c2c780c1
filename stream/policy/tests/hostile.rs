//! Input made to break the reader: every document ends in a verdict or in a malformed finding, and within the limits.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test may fail loudly"
)]

use policy::{
    Context, Fault, Kind, Limits, MAX_PATTERN_BYTES, Policy, Request, Surroundings, compare, decide, explain,
};

/// Asks everything there is to ask.
fn judge(policy: &Policy) -> Vec<String> {
    let context = Context::new();
    let request =
        Request { action: "iam:PassRole", resource: "arn:aws:iam::1:role/x", caller: None, context: &context };
    decide(policy, &request);
    policy.full_admin();
    policy.effective_admin();
    policy.wildcard_services();
    policy.wildcard_action();
    policy.not_action_allow();
    policy.not_resource_allow();
    policy.resource_wildcard_on("s3:*");
    policy.grants("s3:Get*");
    policy.grants_on("*", "arn:aws:s3:::b/*");
    policy.exposure(&Surroundings::default());
    explain(policy, &Surroundings::default())
}

fn statement_of(actions: &str, resources: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":{resources}}}]}}"#
    )
}

#[test]
fn ten_megabytes_are_read_and_judged() {
    let padding = " ".repeat(10 << 20);
    let text = format!("{padding}{}{padding}", statement_of("\"*\"", "\"*\""));
    let policy = Policy::parse(&text, Kind::Identity);
    assert_eq!(policy.malformed.len(), 1, "too long by both paddings together");
    let text = format!("{padding}{}", statement_of("\"*\"", "\"*\""));
    let policy = Policy::parse(&text, Kind::Identity);
    assert_eq!(policy.malformed, []);
    assert!(policy.full_admin().is_some());
    let actions: Vec<String> = (0..200_000).map(|n| format!("\"service{n}:DoSomethingOfNote{n}\"")).collect();
    let text = statement_of(&format!("[{},\"iam:*\"]", actions.join(",")), "\"*\"");
    let policy = Policy::parse(&text, Kind::Identity);
    assert!(policy.effective_admin().is_some());
    judge(&policy);
}

#[test]
fn the_byte_limit_is_exact() {
    let text = statement_of("\"*\"", "\"*\"");
    let at = Limits { bytes: text.len(), ..Limits::default() };
    assert_eq!(Policy::parse_within(&text, Kind::Identity, &at).malformed, []);
    let below = Limits { bytes: text.len() - 1, ..Limits::default() };
    let policy = Policy::parse_within(&text, Kind::Identity, &below);
    assert!(matches!(policy.malformed[0].fault, Fault::TooLong { .. }));
}

#[test]
fn the_statement_limit_is_exact() {
    let limits = Limits { statements: 3, ..Limits::default() };
    let text = |count: usize| {
        let statement = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, vec![statement; count].join(","))
    };
    assert_eq!(Policy::parse_within(&text(3), Kind::Identity, &limits).malformed, []);
    let policy = Policy::parse_within(&text(4), Kind::Identity, &limits);
    assert_eq!(policy.statements.len(), 3);
    assert!(matches!(policy.malformed[0].fault, Fault::TooMany { what: "statements", limit: 3 }));
}

#[test]
fn the_depth_limit_is_exact() {
    let limits = Limits { depth: 6, ..Limits::default() };
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        statement_of(&format!("{open}\"s3:*\"{close}"), "\"*\"")
    };
    let deep = |policy: &Policy| policy.malformed.iter().any(|m| matches!(m.fault, Fault::TooDeep { .. }));
    // Document, statement list, statement, Action: three levels above the value of Action.
    assert!(!deep(&Policy::parse_within(&nested(3), Kind::Identity, &limits)));
    assert!(deep(&Policy::parse_within(&nested(4), Kind::Identity, &limits)));
}

#[test]
fn the_value_limit_is_exact() {
    let text = statement_of("\"s3:*\"", "\"*\"");
    // The document, Version, Statement, the statement, Effect, Action, Resource.
    let at = Limits { values: 7, ..Limits::default() };
    assert_eq!(Policy::parse_within(&text, Kind::Identity, &at).malformed, []);
    let below = Limits { values: 6, ..Limits::default() };
    let policy = Policy::parse_within(&text, Kind::Identity, &below);
    assert!(policy.malformed.iter().any(|m| matches!(m.fault, Fault::TooMany { what: "values", .. })));
}

#[test]
fn the_pattern_limit_is_exact_and_beyond_it_an_allow_reads_as_everything() {
    let long = |bytes: usize| statement_of(&format!("\"s3:{}\"", "a".repeat(bytes - 3)), "\"*\"");
    assert_eq!(Policy::parse(&long(MAX_PATTERN_BYTES), Kind::Identity).malformed, []);
    let policy = Policy::parse(&long(MAX_PATTERN_BYTES + 1), Kind::Identity);
    assert_eq!(policy.malformed.len(), 1);
    assert!(policy.full_admin().is_some());
}

#[test]
fn a_hundred_thousand_statements_are_judged() {
    let statement = |n: usize| {
        let effect = if n.is_multiple_of(2) { "Allow" } else { "Deny" };
        format!(r#"{{"Effect":"{effect}","Action":"iam:*","Resource":"arn:aws:iam::{n:012}:role/r{n}*"}}"#)
    };
    let statements: Vec<String> = (0..100_000).map(statement).collect();
    let policy = Policy::parse(&format!(r#"{{"Statement":[{}]}}"#, statements.join(",")), Kind::Identity);
    assert_eq!(policy.malformed, []);
    assert_eq!(policy.statements.len(), 100_000);
    assert!(!policy.escalations().may.is_empty());
    judge(&policy);
}

#[test]
fn two_hundred_infix_stars_are_matched_and_judged() {
    let stars = "a*".repeat(200);
    let text = statement_of(
        &format!("\"iam:{stars}b\""),
        &format!("[\"arn:aws:s3:::{stars}b\",\"arn:{stars}:{stars}:{stars}:{stars}:{stars}b\"]"),
    );
    let policy = Policy::parse(&text, Kind::Identity);
    let (context, action) = (Context::new(), format!("iam:{}", "a".repeat(3_000)));
    let resource = format!("arn:{}:{}", "a:".repeat(4), "a".repeat(3_000));
    decide(&policy, &Request { action: &action, resource: &resource, caller: None, context: &context });
    judge(&policy);
    let denied = text.replace("Allow", "Deny");
    judge(&Policy::parse(
        &format!(
            r#"{{"Statement":[{},{{"Effect":"Allow","Action":"iam:*","Resource":"*"}}]}}"#,
            &denied[38..denied.len() - 2]
        ),
        Kind::Identity,
    ));
}

#[test]
fn odd_bytes_and_broken_text_are_malformed_never_clean() {
    let good = statement_of("\"*\"", "\"*\"");
    let deep = "[".repeat(100_000);
    let texts: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\0".to_vec(),
        b"not json".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"\"\"".to_vec(),
        b"{\"Statement\":[]}".to_vec(),
        b"{\"Statement\":null}".to_vec(),
        b"{\"Statement\":[null]}".to_vec(),
        b"[[]]".to_vec(),
        b"%".to_vec(),
        b"%7B".to_vec(),
        b"%zz".to_vec(),
        deep.into_bytes(),
        b"{\"Statement\":{\"Effect\":\"Allow\"".to_vec(),
        good.replace("Allow", "Al\u{0}low").into_bytes(),
        good.replace("Effect", "effect").into_bytes(),
        format!("{good}{good}").into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        [good.as_bytes(), b"\xff\xfe"].concat(),
        good.replace("\"*\",", "\"\u{0}*\",").into_bytes(),
        good.as_bytes()[..good.len() - 1].to_vec(),
    ];
    for text in texts {
        for kind in [Kind::Identity, Kind::Trust, Kind::Scp, Kind::from_word("s3")] {
            let policy = Policy::parse_bytes(&text, kind);
            assert!(!policy.malformed.is_empty(), "{:?}", String::from_utf8_lossy(&text[..text.len().min(80)]));
            assert!(!judge(&policy).is_empty());
            compare(&policy, &Policy::parse(&good, kind));
        }
    }
}

#[test]
fn many_repeated_keys_take_no_more_than_linear_work() {
    let keys: Vec<String> = (0..150_000).map(|n| format!("\"k{n}\":\"v\"")).collect();
    let block = format!("{{\"StringEquals\":{{{}}}}}", keys.join(","));
    let text = format!(r#"{{"Statement":[{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{block}}}]}}"#);
    judge(&Policy::parse(&text, Kind::Identity));
    let same = vec!["\"Action\":\"s3:*\""; 150_000].join(",");
    let text = format!(r#"{{"Statement":[{{"Effect":"Allow",{same},"Resource":"*"}}]}}"#);
    let policy = Policy::parse(&text, Kind::Identity);
    assert!(policy.malformed.len() <= 101);
    judge(&policy);
}

#[test]
fn every_cut_of_a_document_is_malformed_and_keeps_what_came_before() {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{},{}]}}"#,
        r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#, r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#
    );
    let first_ends = text.find("},{").unwrap() + 1;
    for cut in 0..text.len() {
        let policy = Policy::parse(&text[..cut], Kind::Identity);
        assert!(!policy.malformed.is_empty(), "{}", &text[..cut]);
        if cut >= first_ends {
            assert!(policy.effective_admin().is_some(), "{}", &text[..cut]);
        }
    }
}
