//! The lines a Slack message may show: a closed list, so that nothing of the original event gets out unseen.

use schemas::Violation;

/// A line of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Rule that matched.
    Rule,
    /// Severity.
    Severity,
    /// What the rule detects.
    Description,
    /// The API call.
    Event,
    /// Kind of privilege change.
    EventKind,
    /// ARN of the caller.
    Actor,
    /// Name of the caller.
    ActorName,
    /// ARN of what was changed, else its name.
    Target,
    /// The policy involved.
    Policy,
    /// Account.
    Account,
    /// Region.
    Region,
    /// Address the call came from.
    SourceIp,
    /// Program that made the call.
    UserAgent,
    /// Whether a second factor was given.
    Mfa,
    /// Time of the event.
    Time,
    /// Why the rule matched.
    Evidence,
    /// Escalation methods the change opens.
    Escalation,
    /// ATT&CK techniques.
    Mitre,
    /// Owner of the rule.
    Owner,
    /// The repair asked for.
    Remediation,
    /// eventID of the CloudTrail event.
    EventId,
}

/// Field, label, and the names a configuration may use: ours first, then CloudTrail's and those of older files.
const FIELDS: [(Field, &str, &[&str]); 21] = [
    (Field::Rule, "Rule", &["rule", "rule_name"]),
    (Field::Severity, "Severity", &["severity"]),
    (Field::Description, "Description", &["description"]),
    (Field::Event, "Call", &["event", "event_name", "eventName"]),
    (Field::EventKind, "Kind", &["event_kind"]),
    (Field::Actor, "Who", &["actor", "principal_arn", "userIdentity.arn", "user_identity.arn", "user_arn"]),
    (
        Field::ActorName,
        "User",
        &["actor_name", "principal_name", "userIdentity.userName", "user_identity.userName", "user_name", "userName"],
    ),
    (
        Field::Target,
        "On",
        &[
            "target",
            "target_arn",
            "target_name",
            "requestParameters.userName",
            "requestParameters.roleName",
            "requestParameters.groupName",
        ],
    ),
    (
        Field::Policy,
        "Policy",
        &["policy", "policy_arn", "policy_name", "requestParameters.policyArn", "requestParameters.policyName"],
    ),
    (Field::Account, "Account", &["account", "account_id", "recipientAccountId", "userIdentity.accountId"]),
    (Field::Region, "Region", &["region", "aws_region", "awsRegion"]),
    (Field::SourceIp, "From", &["source_ip", "source_ip_address", "sourceIPAddress"]),
    (Field::UserAgent, "With", &["user_agent", "userAgent"]),
    (Field::Mfa, "MFA", &["mfa", "mfa_authenticated"]),
    (Field::Time, "When", &["time", "event_time", "eventTime"]),
    (Field::Evidence, "Evidence", &["evidence"]),
    (Field::Escalation, "Escalation", &["escalation", "escalation_methods"]),
    (Field::Mitre, "ATT&CK", &["mitre"]),
    (Field::Owner, "Owner", &["owner"]),
    (Field::Remediation, "Repair", &["remediation", "remediation_action", "action"]),
    (Field::EventId, "CloudTrail id", &["event_id", "eventID"]),
];

impl Field {
    /// What a message shows when the file does not say.
    pub const DEFAULT: [Field; 8] = [
        Field::Actor,
        Field::Target,
        Field::Policy,
        Field::Account,
        Field::SourceIp,
        Field::UserAgent,
        Field::Mfa,
        Field::Time,
    ];

    /// The field of a name in a configuration.
    pub fn named(name: &str) -> Option<Field> {
        FIELDS.iter().find(|(_, _, names)| names.contains(&name)).map(|(field, ..)| *field)
    }

    /// The names a new file should use.
    pub fn names() -> String {
        let names: Vec<&str> = FIELDS.iter().filter_map(|(_, _, names)| names.first().copied()).collect();
        names.join(", ")
    }

    /// Word before the value.
    pub fn label(self) -> &'static str {
        FIELDS.iter().find(|(field, ..)| *field == self).map_or("", |(_, label, _)| label)
    }

    /// The value for a violation; `None` where the event does not say.
    pub fn value(self, violation: &Violation) -> Option<String> {
        let own = |text: &str| Some(text.to_owned());
        match self {
            Field::Rule => own(&violation.rule_name),
            Field::Severity => own(violation.severity.as_str()),
            Field::Description => own(&violation.description),
            Field::Event => own(&violation.event_name),
            Field::EventKind => violation.event_kind.clone(),
            Field::Actor => violation.principal_arn.clone().or_else(|| violation.invoked_by.clone()),
            Field::ActorName => violation.principal_name.clone(),
            Field::Target => violation.target_arn.clone().or_else(|| violation.target_name.clone()),
            Field::Policy => violation.policy_arn.clone().or_else(|| violation.policy_name.clone()),
            Field::Account => own(&violation.account_id),
            Field::Region => violation.aws_region.clone(),
            Field::SourceIp => violation.source_ip_address.clone(),
            Field::UserAgent => violation.user_agent.clone(),
            Field::Mfa => violation.mfa_authenticated.map(|given| if given { "yes" } else { "no" }.to_owned()),
            Field::Time => Some(violation.event_time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            Field::Evidence => own(&violation.evidence),
            Field::Escalation => violation.escalation_methods.as_deref().map(joined),
            Field::Mitre => violation.mitre.as_deref().map(joined),
            Field::Owner => violation.owner.clone(),
            Field::Remediation => violation.remediation_action.clone(),
            Field::EventId => own(&violation.event_id),
        }
    }
}

/// A JSON list of texts as `a, b`.
fn joined(json: &str) -> String {
    serde_json::from_str::<Vec<String>>(json).map_or_else(|_| json.to_owned(), |items| items.join(", "))
}
