//! Documents that others have labelled, judged by this crate. Each test prints its score and asserts every
//! single disagreement, so that it fails when the score changes in either direction. LABELS.md gives the
//! reason of each disagreement.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test may fail loudly"
)]

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

use policy::{Certainty, Kind, Policy};
use serde::Deserialize;
use serde_json::Value;

fn lines<T: for<'l> Deserialize<'l>>(name: &str) -> Vec<T> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let bytes = std::fs::read(&path).unwrap();
    let mut text = String::new();
    if name.ends_with(".gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn parse(document: &Value) -> Policy {
    Policy::parse(&document.to_string(), Kind::Identity)
}

fn granting(actions: &[String]) -> Policy {
    let statement = serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    parse(&serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}))
}

/// Prints the score; the disagreements must be exactly the known ones.
fn score(set: &str, cases: usize, disagreements: &[String], known: &[&str]) {
    println!("{set}: {} of {cases} agree", cases - disagreements.len());
    let found: BTreeSet<&str> = disagreements.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = known.iter().copied().collect();
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "{set}: new disagreements {new:#?}, no longer there {gone:#?}");
}

#[derive(Deserialize)]
struct Parliament {
    case_id: String,
    expected_findings: Vec<String>,
    policy_text: String,
}

#[test]
fn parliament_labels_of_malformed_documents_are_met() {
    let cases: Vec<Parliament> = lines("parliament/cases.jsonl");
    assert_eq!(cases.len(), 26);
    let mut disagreements = Vec::new();
    for case in &cases {
        // Its other findings are advice about style or key types, or are asked of `resource_wildcard_on`.
        let labelled = case.expected_findings.iter().any(|finding| finding.starts_with("MALFORMED"));
        let kind = if case.policy_text.contains("\"Principal\"") { Kind::from_word("s3") } else { Kind::Identity };
        let policy = Policy::parse(&case.policy_text, kind);
        if labelled == policy.malformed.is_empty() {
            disagreements.push(case.case_id.clone());
        }
    }
    score("parliament, malformed", cases.len(), &disagreements, &[]);
}

#[test]
fn parliament_labels_of_star_resources_are_met() {
    let cases: Vec<Parliament> = lines("parliament/cases.jsonl");
    let mut disagreements = Vec::new();
    for case in &cases {
        let labelled = case.expected_findings.iter().any(|finding| finding == "RESOURCE_STAR");
        let policy = Policy::parse(&case.policy_text, Kind::Identity);
        let well_formed = policy.malformed.is_empty();
        if labelled != (well_formed && policy.resource_wildcard_on("*").is_some()) {
            disagreements.push(case.case_id.clone());
        }
    }
    score("parliament, star resource", cases.len(), &disagreements, &PARLIAMENT_STAR);
}

/// Actions that take no resource need `*` (parliament knows the catalogue); a Condition of MFA is no limit of resources.
const PARLIAMENT_STAR: [&str; 3] = [
    "parliament:formatting.test_analyze_policy_string_correct_multiple_statements_and_actions#0",
    "parliament:formatting.test_priv_that_requires_star_resource#0",
    "parliament:patterns.test_bad_mfa_condition#0",
];

#[derive(Deserialize)]
struct Path {
    case_id: String,
    required_permissions: Vec<String>,
    synthetic_policy: Option<Value>,
}

#[test]
fn every_pathfinding_path_is_found_by_its_id() {
    let cases: Vec<Path> = lines("pathfinding/paths.jsonl");
    assert_eq!(cases.len(), 20);
    let mut disagreements = Vec::new();
    for case in &cases {
        let policy = parse(case.synthetic_policy.as_ref().unwrap());
        let id = case.case_id.trim_start_matches("pathfinding:");
        let method = policy::method(id).unwrap();
        if !policy.escalations().must.contains(method) {
            disagreements.push(case.case_id.clone());
        }
    }
    score("pathfinding", cases.len(), &disagreements, &[]);
}

#[test]
fn every_pathfinding_path_breaks_when_one_permission_is_missing() {
    for case in lines::<Path>("pathfinding/paths.jsonl") {
        let method = policy::method(case.case_id.trim_start_matches("pathfinding:")).unwrap();
        for missing in &case.required_permissions {
            let rest: Vec<String> = case.required_permissions.iter().filter(|a| *a != missing).cloned().collect();
            let policy = if rest.is_empty() { granting(&["s3:ListAllMyBuckets".to_owned()]) } else { granting(&rest) };
            assert!(!policy.escalations().may.contains(method), "{} without {missing}", case.case_id);
        }
    }
}

#[test]
fn rhino_methods_are_escalations() {
    let cases: Vec<Path> = lines("rhino-21/cases.jsonl");
    assert_eq!(cases.len(), 28);
    let found = |case: &Path| !granting(&case.required_permissions).escalations().must.is_empty();
    let disagreements: Vec<String> = cases.iter().filter(|case| !found(case)).map(|c| c.case_id.clone()).collect();
    score("rhino", cases.len(), &disagreements, &["rhino:22", "rhino:23", "rhino:24", "rhino:25"]);
}

#[derive(Deserialize)]
struct Vulnerable {
    case_id: String,
    exploitable: bool,
    policies: Vec<Attached>,
}

#[derive(Deserialize)]
struct Attached {
    document: Value,
}

#[test]
fn iam_vulnerable_policies_are_judged_as_labelled() {
    let cases: Vec<Vulnerable> = lines("iam-vulnerable/cases.jsonl");
    assert_eq!(cases.len(), 21);
    let mut disagreements = Vec::new();
    for case in &cases {
        let escalates = case.policies.iter().any(|attached| !parse(&attached.document).escalations().must.is_empty());
        if escalates != case.exploitable {
            disagreements.push(case.case_id.clone());
        }
    }
    score("iam-vulnerable", cases.len(), &disagreements, &[]);
}

#[derive(Deserialize)]
struct Managed {
    name: String,
    privesc_actions: BTreeSet<String>,
    document: Value,
}

/// The actions that the labels call escalating; the labels weigh neither Resource, Condition nor Deny.
fn labelled_actions(cases: &[Managed]) -> BTreeSet<String> {
    cases.iter().flat_map(|case| case.privesc_actions.iter().cloned()).collect()
}

#[test]
fn aws_managed_policies_grant_the_escalating_actions_their_labels_name() {
    let cases: Vec<Managed> = lines("aws-managed/cases.jsonl.gz");
    assert_eq!(cases.len(), 1_063);
    let actions = labelled_actions(&cases);
    assert_eq!(actions.len(), 26);
    let mut disagreements = Vec::new();
    for case in &cases {
        let policy = parse(&case.document);
        for action in &actions {
            if policy.grants(action).is_some() != case.privesc_actions.contains(action) {
                disagreements.push(format!("{} {action}", case.name));
            }
        }
    }
    let known = ["AmazonDataZoneProjectRolePermissionsBoundary glue:UpdateDevEndpoint"];
    score("aws-managed, actions", cases.len() * actions.len(), &disagreements, &known);
}

#[test]
fn aws_managed_policies_are_all_well_formed() {
    let cases: Vec<Managed> = lines("aws-managed/cases.jsonl.gz");
    let odd: Vec<_> = cases.iter().map(|case| (&case.name, parse(&case.document).malformed)).collect();
    let odd: Vec<_> = odd.iter().filter(|(_, malformed)| !malformed.is_empty()).collect();
    assert!(odd.is_empty(), "{odd:#?}");
}

#[test]
fn aws_managed_policies_escalate_as_counted() {
    let cases: Vec<Managed> = lines("aws-managed/cases.jsonl.gz");
    let (mut both, mut label_only, mut ours_only, mut must) = (0, 0, 0, 0);
    let mut disagreements = String::from("policy\tonly\twhy\n");
    for case in &cases {
        let escalations = parse(&case.document).escalations();
        match (!escalations.may.is_empty(), !case.privesc_actions.is_empty()) {
            (true, true) => both += 1,
            (true, false) => {
                ours_only += 1;
                let methods: Vec<&str> = escalations.may.iter().map(|method| method.id.as_str()).collect();
                disagreements += &format!("{}\tfound\t{}\n", case.name, methods.join(" "));
            }
            (false, true) => {
                label_only += 1;
                let actions: Vec<&str> = case.privesc_actions.iter().map(String::as_str).collect();
                disagreements += &format!("{}\tlabelled\t{}\n", case.name, actions.join(" "));
            }
            (false, false) => {}
        }
        must += usize::from(!escalations.must.is_empty());
    }
    println!("aws-managed: both {both}, label only {label_only}, ours only {ours_only}, must {must}");
    if std::env::var_os("UPDATE_LABELS").is_some() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/aws-managed/disagreements.tsv");
        std::fs::write(path, &disagreements).unwrap();
    }
    assert_eq!((both, label_only, ours_only, must), MANAGED_COUNTS);
    assert_eq!(disagreements, include_str!("data/aws-managed/disagreements.tsv"), "UPDATE_LABELS=1 rewrites the list");
}

/// Labelled and found, labelled only, found only; found whatever the conditions.
const MANAGED_COUNTS: (usize, usize, usize, usize) = (122, 145, 32, 93);

#[test]
fn administrators_among_the_managed_policies_are_known_by_name() {
    let cases: Vec<Managed> = lines("aws-managed/cases.jsonl.gz");
    let must = |finding: Option<policy::Finding>| finding.is_some_and(|f| f.certainty == Certainty::Must);
    let names = |test: &dyn Fn(&Policy) -> bool| -> Vec<&str> {
        cases.iter().filter(|case| test(&parse(&case.document))).map(|case| case.name.as_str()).collect()
    };
    assert_eq!(names(&|policy| must(policy.full_admin())), Vec::<&str>::new());
    assert_eq!(
        names(&|policy| must(policy.effective_admin())),
        ["AWSManagedAccountManagementAccess", "AdministratorAccess-Amplify", "IAMFullAccess"]
    );
}
