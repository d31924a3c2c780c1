//! A violation with every column set.

use chrono::{DateTime, Utc};
use schemas::{
    Certainty, Outcome, RemediationLog, RemediationStatus, RuleAction, Severity, Violation, derived_id, violation_id,
};

pub(crate) fn violation(event_id: &str, time: &str) -> Violation {
    let time: DateTime<Utc> = time.parse().expect("RFC 3339");
    let text = |text: &str| Some(text.to_owned());
    Violation {
        violation_id: violation_id("111122223333", event_id, "AdminPolicyAttachment"),
        event_id: event_id.to_owned(),
        event_time: time,
        detected_at: time,
        rule_name: "AdminPolicyAttachment".to_owned(),
        severity: Severity::High,
        description: "Administrator access attached to a user, role or group".to_owned(),
        action: RuleAction::Remediate,
        suppressed: true,
        suppressed_by: text("break glass"),
        event_source: "iam.amazonaws.com".to_owned(),
        event_name: "AttachUserPolicy".to_owned(),
        event_kind: text("managed_policy_attach"),
        outcome: Outcome::Success,
        error_code: text("none"),
        aws_region: text("us-east-1"),
        account_id: "111122223333".to_owned(),
        principal_type: text("IAMUser"),
        principal_arn: text("arn:aws:iam::111122223333:user/alice"),
        principal_name: text("alice"),
        principal_account_id: text("111122223333"),
        access_key_id: text("AKIAIOSFODNN7EXAMPLE"),
        session_issuer_arn: text("arn:aws:iam::111122223333:role/ops"),
        invoked_by: text("cloudformation.amazonaws.com"),
        mfa_authenticated: Some(false),
        source_ip_address: text("203.0.113.7"),
        user_agent: text("aws-cli/2.15"),
        target_type: text("user"),
        target_name: text("bob"),
        target_arn: text("arn:aws:iam::111122223333:user/bob"),
        policy_arn: text("arn:aws:iam::aws:policy/AdministratorAccess"),
        policy_name: text("AdministratorAccess"),
        policy_document: text(r#"{"Version":"2012-10-17","Statement":[]}"#),
        certainty: Certainty::Must,
        evidence: "Statement 1 allows * on *".to_owned(),
        evidence_detail: text("[]"),
        escalation_methods: text("[]"),
        new_access: Some(true),
        witness_action: text("iam:CreateUser"),
        witness_resource: text("*"),
        remediation_action: text("detach_policy"),
        mitre: text(r#"["T1098.003"]"#),
        owner: text("platform-security"),
        request_parameters: text(r#"{"userName":"bob"}"#),
        resources: text("[]"),
        shard_id: text("shardId-000000000000"),
        sequence_number: text("49590338271490256608559692538361571095921575989136588898"),
        original_event: Some(format!(r#"{{"eventID":"{event_id}","eventName":"AttachUserPolicy"}}"#)),
    }
}

/// An attempt to repair it, with every column set.
#[allow(dead_code)] // not every test binary asks for it
pub(crate) fn remediation_log(violation: &Violation) -> RemediationLog {
    let text = |text: &str| Some(text.to_owned());
    RemediationLog {
        remediation_id: derived_id(&[&violation.violation_id.to_string(), "detach_policy", "1"]),
        violation_id: violation.violation_id,
        event_id: violation.event_id.clone(),
        timestamp: violation.event_time,
        event_time: violation.event_time,
        remediation_action: "detach_policy".to_owned(),
        success: true,
        status: RemediationStatus::Success,
        reason: text("none"),
        error: text("none"),
        dry_run: false,
        rule_name: violation.rule_name.clone(),
        severity: violation.severity,
        account_id: violation.account_id.clone(),
        principal_arn: violation.principal_arn.clone(),
        target_type: violation.target_type.clone(),
        target_name: violation.target_name.clone(),
        target_arn: violation.target_arn.clone(),
        policy_arn: violation.policy_arn.clone(),
        policy_name: violation.policy_name.clone(),
        details: text(r#"{"steps":["detach"]}"#),
        snapshot_key: text("snapshots/1.json"),
        duration_ms: Some(12),
        attempt: 1,
    }
}
