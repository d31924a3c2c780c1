//! The row of a violation, every column filled as far as the event tells.

use super::Arrival;
use super::sentence::sentence;
use crate::change::{Change, Document};
use crate::event::CloudTrailEvent;
use crate::redact::{redact, redact_event};
use crate::rules::{Evaluation, Evidence, Remediation, Rule, RuleMatch, Truth};
use schemas::{Certainty, IamEvent, Outcome, RuleAction, Severity, Violation, violation_id};

/// Longest `original_event` column, bytes; larger parts are replaced as CloudTrail does. CloudTrail's own limit is 256 KB.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// Longest `request_parameters` and `resources` column, bytes. CloudTrail's own limit is 100 KB.
pub const MAX_PARAMETERS_BYTES: usize = 1 << 18;
/// Longest `policy_document` column, bytes; a longer one is left out. IAM's own limit is 131,072 characters.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 18;

/// What all rows of one event have in common, computed once.
pub(super) struct Facts<'e> {
    event: &'e CloudTrailEvent<'e>,
    change: Option<&'e Change<'e>>,
    row: Violation,
}

impl<'e> Facts<'e> {
    pub(super) fn new(
        event: &'e CloudTrailEvent<'e>,
        change: Option<&'e Change<'e>>,
        arrival: Arrival<'_>,
        evaluation: &Evaluation<'_>,
    ) -> Facts<'e> {
        let mut row = blank(event);
        row.detected_at = arrival.detected_at.unwrap_or(event.event_time);
        row.shard_id = arrival.shard_id.map(str::to_owned);
        row.sequence_number = arrival.sequence_number.map(str::to_owned);
        row.new_access = evaluation.new_access;
        fill_caller(&mut row, event);
        if let Some(change) = change {
            fill_change(&mut row, change);
        }
        // Columns of violations alone: the row of the event holds them inside the event.
        if !evaluation.matches.is_empty() {
            row.request_parameters = event.request_parameters.map(|raw| redact(raw.get(), MAX_PARAMETERS_BYTES));
            row.resources = event.resources.map(|raw| redact(raw.get(), MAX_PARAMETERS_BYTES));
        }
        row.original_event = Some(redact_event(event, MAX_EVENT_BYTES));
        Facts { event, change, row }
    }

    /// The row of one matching rule.
    pub(super) fn violation(&self, matched: &RuleMatch<'_>) -> Violation {
        let RuleMatch { rule, truth, evidence } = matched;
        let shown = evidence.iter().find(|evidence| evidence.action.is_some());
        Violation {
            violation_id: violation_id(&self.row.account_id, &self.row.event_id, rule.name()),
            rule_name: rule.name().to_owned(),
            severity: rule.severity(),
            description: rule.description().to_owned(),
            action: rule.action(),
            certainty: if *truth == Truth::Must { Certainty::Must } else { Certainty::May },
            evidence: sentence(self.event, self.change, evidence),
            evidence_detail: json_list(evidence),
            escalation_methods: json_list(&methods(evidence)),
            witness_action: shown.and_then(|evidence| evidence.action.clone()),
            witness_resource: shown.and_then(|evidence| evidence.resource.clone()),
            remediation_action: self.repair(rule).map(|repair| repair.as_str().to_owned()),
            mitre: json_list(rule.mitre()),
            owner: rule.owner().map(str::to_owned),
            ..self.row.clone()
        }
    }

    /// The row of the event itself.
    pub(super) fn into_event(self) -> IamEvent {
        let row = self.row;
        IamEvent {
            event_id: row.event_id,
            event_time: row.event_time,
            account_id: row.account_id,
            aws_region: row.aws_region,
            event_source: row.event_source,
            event_name: row.event_name,
            principal_arn: row.principal_arn,
            error_code: row.error_code,
            event: row.original_event.unwrap_or_default(),
        }
    }

    /// The repair to ask for: the rule's if it undoes this event, else the first that does. A rule may name one repair
    /// and cover events of several kinds.
    fn repair(&self, rule: &Rule) -> Option<Remediation> {
        if rule.action() != RuleAction::Remediate {
            return None;
        }
        let change = self.change.filter(|_| self.row.outcome == Outcome::Success);
        let fitting = change.map_or(&[][..], |change| {
            Remediation::fitting(&self.event.event_source, &self.event.event_name, change.kind)
        });
        match rule.remediation() {
            Some(Remediation::LogOnly) => Some(Remediation::LogOnly),
            Some(repair) if fitting.contains(&repair) => Some(repair),
            _ => Some(fitting.first().copied().unwrap_or(Remediation::LogOnly)),
        }
    }
}

/// A row with the columns that every event fills; those of the rule are set later.
fn blank(event: &CloudTrailEvent<'_>) -> Violation {
    Violation {
        violation_id: uuid::Uuid::nil(),
        event_id: event.event_id().into_owned(),
        event_time: event.event_time,
        detected_at: event.event_time,
        rule_name: String::new(),
        severity: Severity::Low,
        description: String::new(),
        action: RuleAction::Log,
        suppressed: false,
        suppressed_by: None,
        event_source: event.event_source.clone().into_owned(),
        event_name: event.event_name.clone().into_owned(),
        event_kind: None,
        outcome: event.outcome(),
        error_code: event.error_code.clone().map(String::from),
        aws_region: event.aws_region.clone().map(String::from),
        account_id: event.account_id().to_owned(),
        principal_type: None,
        principal_arn: None,
        principal_name: None,
        principal_account_id: None,
        access_key_id: None,
        session_issuer_arn: None,
        invoked_by: None,
        mfa_authenticated: event.mfa_authenticated(),
        source_ip_address: event.source_ip_address.clone().map(String::from),
        user_agent: event.user_agent.clone().map(String::from),
        target_type: None,
        target_name: None,
        target_arn: None,
        policy_arn: None,
        policy_name: None,
        policy_document: None,
        certainty: Certainty::Must,
        evidence: String::new(),
        evidence_detail: None,
        escalation_methods: None,
        new_access: None,
        witness_action: None,
        witness_resource: None,
        remediation_action: None,
        mitre: None,
        owner: None,
        request_parameters: None,
        resources: None,
        shard_id: None,
        sequence_number: None,
        original_event: None,
    }
}

fn fill_caller(row: &mut Violation, event: &CloudTrailEvent<'_>) {
    let identity = &event.user_identity;
    let issuer = identity.session_issuer.as_ref();
    row.principal_type = identity.identity_type.clone().map(String::from);
    row.principal_arn = identity.arn.clone().map(String::from);
    row.principal_name = event.principal_name().map(str::to_owned);
    row.principal_account_id = identity.account().map(str::to_owned);
    row.access_key_id = identity.access_key_id.clone().map(String::from);
    row.session_issuer_arn = issuer.and_then(|issuer| issuer.arn.clone()).map(String::from);
    row.invoked_by = identity.invoked_by.clone().map(String::from);
}

fn fill_change(row: &mut Violation, change: &Change<'_>) {
    row.event_kind = Some(change.kind.as_str().to_owned());
    row.target_type = Some(change.target_type.as_str().to_owned());
    row.target_name = change.target_name.clone().map(String::from);
    row.target_arn = change.target_arn.clone().map(String::from);
    row.policy_arn = change.policy_arn.clone().or_else(|| change.boundary_arn.clone()).map(String::from);
    row.policy_name = change.policy_name.clone().map(String::from);
    row.policy_document = match &change.document {
        Document::Policy(text) if text.len() <= MAX_DOCUMENT_BYTES => Some(text.clone().into_owned()),
        _ => None,
    };
}

fn methods(evidence: &[Evidence]) -> Vec<&str> {
    let mut methods: Vec<&str> = evidence.iter().flat_map(|evidence| &evidence.methods).map(String::as_str).collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// A list as JSON text; nothing for an empty one.
fn json_list<T: serde::Serialize>(items: &[T]) -> Option<String> {
    if items.is_empty() { None } else { serde_json::to_string(items).ok() }
}
