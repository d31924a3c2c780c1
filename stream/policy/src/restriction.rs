//! Which conditions really tie a statement to somebody, and which only look so.

use crate::document::{Condition, Effect, Operator, Principal, Quantifier, Scope, Statement, Test};
use crate::guard::Guard;
use crate::pattern::Pattern;

/// Keys whose fixed value ties a request to an account, an organization, a principal or a network.
///
/// Source: "The meaning of public" in the S3 user guide, and the service guides of KMS, SNS, EFS and Lambda.
const CALLER_KEYS: [&str; 24] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
    "elasticfilesystem:accessedviamounttarget",
    "kms:calleraccount",
    "lambda:sourcefunctionarn",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Keys that say for whom a service acts.
const SOURCE_KEYS: [&str; 5] =
    ["aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner"];

/// The widest network that still counts as somebody's own.
const MIN_PREFIX_V4: u8 = 8;
const MIN_PREFIX_V6: u8 = 16;

/// The condition admits only callers, accounts or networks that it names.
pub(crate) fn restricts_callers(condition: &Condition) -> bool {
    CALLER_KEYS.contains(&&*condition.key) && demands_named_values(condition)
}

/// The condition says for whom a service may act.
pub(crate) fn names_source(condition: &Condition) -> bool {
    // CloudTrail uses a key for the trail named in the encryption context, by ARN with its account.
    let by_context = condition.key.starts_with("kms:encryptioncontext:aws:");
    (by_context || SOURCE_KEYS.contains(&&*condition.key)) && demands_named_values(condition)
}

/// The condition demands an external id.
pub(crate) fn restricts_to_external_id(condition: &Condition) -> bool {
    &*condition.key == "sts:externalid" && demands_named_values(condition)
}

/// True when the key must be there and every accepted value is fixed in what matters.
pub(crate) fn demands_named_values(condition: &Condition) -> bool {
    let Operator { test, negated, if_exists, quantifier } = condition.operator;
    if negated || if_exists || quantifier == Quantifier::AllValues || condition.values.is_empty() {
        return false;
    }
    condition.values.iter().all(|value| match test {
        Test::StringEquals | Test::StringEqualsIgnoreCase | Test::Binary => !value.source().is_empty(),
        Test::StringLike | Test::Arn => is_fixed(&condition.key, value),
        Test::IpAddress => is_own_network(value.source()),
        Test::Bool => value.source().eq_ignore_ascii_case("true"),
        Test::Numeric(_) | Test::Date(_) | Test::Null => false,
    })
}

/// A pattern is fixed when it names an account (in an ARN), or has text before its first star.
fn is_fixed(key: &str, value: &Pattern) -> bool {
    if !value.source().contains(['*', '?']) {
        return !value.source().is_empty();
    }
    if key.ends_with("arn") || value.source().starts_with("arn:") {
        let mut parts = value.source().splitn(6, ':').skip(4);
        let account = parts.next().unwrap_or_default();
        let resource = parts.next().unwrap_or_default();
        // Buckets have no account in their ARN: the name must be fixed then.
        let named = |text: &str| !text.is_empty() && !text.starts_with(['*', '?']);
        return if account.is_empty() { named(resource) } else { !account.contains(['*', '?']) };
    }
    !value.source().starts_with(['*', '?'])
}

fn is_own_network(text: &str) -> bool {
    match crate::condition::network(text) {
        Some(ipnet::IpNet::V4(network)) => network.prefix_len() >= MIN_PREFIX_V4,
        Some(ipnet::IpNet::V6(network)) => network.prefix_len() >= MIN_PREFIX_V6,
        None => false,
    }
}

/// A Deny for everybody who is not named: no condition, or "not from here" on a caller key.
pub(crate) fn denies_the_rest(deny: &Statement) -> bool {
    let everybody = match &deny.principals {
        Some(Scope::Only(principals)) => principals.contains(&Principal::Everyone),
        Some(Scope::AllExcept(_)) => true,
        None => false,
    };
    let excludes_strangers = |condition: &Condition| {
        let plain = Operator { negated: false, if_exists: false, ..condition.operator };
        condition.operator.negated
            && condition.operator.quantifier == Quantifier::Single
            && restricts_callers(&Condition { operator: plain, ..condition.clone() })
    };
    // `aws:PrincipalIsAWSService: false` and the like only let services through: strangers stay out.
    let spares_services =
        |condition: &Condition| &*condition.key == "aws:principalisawsservice" && condition.operator.test == Test::Bool;
    let strict = deny.conditions.iter().all(|c| excludes_strangers(c) || spares_services(c));
    deny.effect == Effect::Deny && everybody && deny.guard != Guard::Never && strict
}

/// Accounts that a condition narrows everybody down to.
pub(crate) fn names_accounts(condition: &Condition) -> Vec<String> {
    const KEYS: [&str; 4] = ["aws:principalaccount", "aws:sourceaccount", "aws:sourceowner", "kms:calleraccount"];
    const ARN_KEYS: [&str; 2] = ["aws:principalarn", "aws:sourcearn"];
    if condition.operator.negated {
        return Vec::new();
    }
    let values = condition.values.iter().map(Pattern::source);
    if KEYS.contains(&&*condition.key) {
        values.filter(|value| is_account(value)).map(str::to_owned).collect()
    } else if ARN_KEYS.contains(&&*condition.key) {
        values.filter_map(account_of_arn).map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}

/// The account in the fifth segment of an ARN, if it is one.
pub(crate) fn account_of_arn(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    is_account(account).then_some(account)
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
