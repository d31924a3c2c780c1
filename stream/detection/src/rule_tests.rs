//! Tests written beside a rule: a partial event, completed with documented defaults, and what the rule must say to it.
//!
//! | key | meaning |
//! |---|---|
//! | `name` | what the test shows |
//! | `event` | what differs from the default event; `eventName` at least |
//! | `expect` | `match` or `no_match` |
//! | `severity`, `evidence` | optional: the severity, and a part of the evidence, of the match |
//! | `document` | optional: the policy document that the event names and does not carry |
//! | `document_before` | optional: the document in force before; without a value, there was none |
//!
//! Documents are text, or YAML that is written out as JSON. One that is not given is not visible.

mod complete;

use crate::change::change;
use crate::event::CloudTrailEvent;
use crate::rules::{Documents, Evaluation, Explained, Rule, RuleSet, SEVERITIES, Truth};
use crate::yaml::{At, Faults, Fields, Node};
pub use complete::{DEFAULT_ACCOUNT, DEFAULT_TIME, DEFAULT_USER, complete};
use schemas::Severity;
use serde_json::Value;

const TEST_KEYS: [&str; 7] = ["name", "event", "expect", "severity", "evidence", "document", "document_before"];

/// One test of a rule.
#[derive(Debug, Clone)]
pub struct RuleTest {
    name: String,
    at: At,
    event: Value,
    expect_match: bool,
    severity: Option<Severity>,
    /// Part of the evidence sentences.
    evidence: Option<String>,
    document: Given,
    document_before: Given,
}

/// A document handed to a test because the event does not carry it.
#[derive(Debug, Clone, PartialEq)]
enum Given {
    /// Not visible.
    Unknown,
    /// It is known that there was none.
    Nothing,
    Text(String),
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Name of the rule.
    pub rule: String,
    /// Name of the test.
    pub test: String,
    /// Where the test stands in the file.
    pub at: At,
    /// Why it failed; `None` when it passed.
    pub failure: Option<String>,
}

impl RuleTest {
    /// Name, unique within its rule or not.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the rule must match.
    pub fn expects_match(&self) -> bool {
        self.expect_match
    }
}

/// Reads the tests of a rule.
pub(crate) fn read_tests(rule: Fields<'_>, faults: &mut Faults) -> Vec<RuleTest> {
    let nodes = rule.list("tests", faults).unwrap_or_default();
    nodes.iter().filter_map(|node| read_test(node, faults)).collect()
}

fn read_test(node: &Node, faults: &mut Faults) -> Option<RuleTest> {
    let fields = Fields::of(node, "a test", &TEST_KEYS, faults)?;
    for key in ["event", "expect"] {
        fields.required(key, faults);
    }
    let event = fields.node("event");
    if let Some(event) = event.filter(|event| event.get("eventName").and_then(Node::text).is_none()) {
        faults.error(event.at, "event has no eventName; write at least that");
    }
    let expect_match = fields.choice("expect", &[("match", true), ("no_match", false)], faults);
    let severity = fields.choice("severity", &SEVERITIES, faults);
    let evidence = fields.text("evidence", faults).map(|text| text.text);
    let name = fields.text("name", faults).map(|text| text.text);
    Some(RuleTest {
        name: name.unwrap_or_else(|| format!("test in line {}", fields.at.line)),
        at: fields.at,
        event: event?.to_json(),
        expect_match: expect_match?,
        severity,
        evidence,
        document: given(fields, "document"),
        document_before: given(fields, "document_before"),
    })
}

/// A document as text or written out in YAML; an empty key says that there was none.
fn given(fields: Fields<'_>, key: &str) -> Given {
    match fields.node(key) {
        Some(node) => Given::Text(node.text().unwrap_or_else(|| node.to_json().to_string())),
        None if fields.has(key) => Given::Nothing,
        None => Given::Unknown,
    }
}

/// Runs the tests of all rules, each against its own rule alone.
pub fn run_tests(rules: &RuleSet) -> Vec<TestResult> {
    let tests = rules.rules().iter().flat_map(|rule| rule.tests().iter().map(move |test| (rule, test)));
    tests
        .map(|(rule, test)| TestResult {
            rule: rule.name().to_owned(),
            test: test.name.clone(),
            at: test.at,
            failure: run(rules, rule, test).err(),
        })
        .collect()
}

fn run(rules: &RuleSet, rule: &Rule, test: &RuleTest) -> Result<(), String> {
    let text = complete(&test.event, &rules.sources_of(rule, &test.event))?;
    let event = CloudTrailEvent::parse(&text, None).map_err(|error| format!("the event cannot be read: {error}"))?;
    let change = change(&event);
    let mut documents = Documents::none();
    for (given, request) in [
        (&test.document, change.as_ref().and_then(|change| crate::rules::judged_request(&event, change))),
        (&test.document_before, change.as_ref().and_then(|change| crate::rules::before_request(&event, change))),
    ] {
        match (given, request) {
            (Given::Unknown, _) => {}
            (_, None) => {
                return Err("a document is given, but this event asks for none; put it into the event".to_owned());
            }
            (Given::Nothing, Some(request)) => documents.insert(request, None),
            (Given::Text(text), Some(request)) => documents.insert(request, Some(text.clone())),
        }
    }
    let evaluation = rules.evaluate(&event, change.as_ref(), &documents);
    let explained = || rule.explain(&event, change.as_ref(), &documents);
    compare(rule, test, &evaluation, &explained)
}

fn compare(
    rule: &Rule,
    test: &RuleTest,
    evaluation: &Evaluation<'_>,
    explained: &dyn Fn() -> Vec<Explained>,
) -> Result<(), String> {
    if let Some(error) = evaluation.errors.iter().find(|error| error.rule == rule.name()) {
        return Err(error.to_string());
    }
    let matched = evaluation.matches.iter().find(|matched| matched.rule.name() == rule.name());
    let undecided = evaluation.undecided.iter().any(|undecided| undecided.name() == rule.name());
    match (matched, test.expect_match) {
        (None, true) if undecided => {
            Err("expected a match, but a document is not visible; give it under document or document_before".to_owned())
        }
        (None, true) => Err(format!("expected a match, but {}", not_held(&explained()))),
        (None, false) => Ok(()),
        (Some(_), false) => Err(format!("expected no match, but every condition holds: {}", held(&explained()))),
        (Some(matched), true) => {
            let sentences: Vec<&str> = matched.evidence.iter().map(|evidence| evidence.sentence.as_str()).collect();
            let sentences = sentences.join("; ");
            match (&test.severity, &test.evidence) {
                (Some(severity), _) if *severity != rule.severity() => {
                    Err(format!("expected severity {}, found {}", severity.as_str(), rule.severity().as_str()))
                }
                (_, Some(part)) if !sentences.contains(part.as_str()) => {
                    Err(format!("expected evidence with {part:?}, found {sentences:?}"))
                }
                _ => Ok(()),
            }
        }
    }
}

fn not_held(explained: &[Explained]) -> String {
    let failed = explained.iter().filter(|condition| !condition.truth.holds());
    let lines = failed.map(|condition| {
        let Explained { condition: name, wanted, found, truth } = condition;
        format!("{name} {}: wanted {wanted}, found {found}", truth.as_str())
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        "the rule is not asked: its event_sources exclude the event".to_owned()
    } else {
        lines.join("; ")
    }
}

fn held(explained: &[Explained]) -> String {
    let lines = explained.iter().filter(|condition| condition.truth != Truth::No);
    lines.map(|condition| format!("{}: {}", condition.condition, condition.found)).collect::<Vec<_>>().join("; ")
}
