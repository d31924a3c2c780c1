//! The JSON-lines interface: one request line in, one answer line out, for other programs.
//!
//! A line that cannot be understood gets an answer too, with `error`; reading goes on.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::compare::{Answer, compare};
use crate::decide::decide;
use crate::document::{Kind, Policy};
use crate::exposure::Surroundings;
use crate::grants::{Certainty, Finding};
use crate::methods::MethodSet;
use crate::request::{Caller, Context, Request};

/// Longest request line, in bytes.
pub const MAX_LINE_BYTES: usize = 32 << 20;
/// Actions probed by one request.
const MAX_PROBES: usize = 10_000;

/// One request; which answer it asks for is told by its fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked<'l> {
    id: Option<Value>,
    #[serde(borrow)]
    policy: Option<&'l RawValue>,
    kind: Option<String>,
    account: Option<Value>,
    org_id: Option<String>,
    trusted_accounts: Vec<Value>,
    probe: Vec<String>,
    action: Option<String>,
    resource: Option<String>,
    context: Map<String, Value>,
    #[serde(borrow)]
    old: Option<&'l RawValue>,
    #[serde(borrow)]
    new: Option<&'l RawValue>,
}

/// Answers one line: a JSON object in one line, without the line feed. Never fails; a bad line gives
/// `{"id", "error"}`.
///
/// Requests with `event` are not for this crate: they need the tables of CloudTrail events.
pub fn answer(line: &str) -> String {
    let (id, fields) = match parsed(line) {
        Ok(asked) => (asked.id.clone(), respond(&asked)),
        Err((id, reason)) => (id, Err(reason)),
    };
    let mut reply = Map::new();
    reply.insert("id".to_owned(), id.unwrap_or(Value::Null));
    match fields {
        Ok(fields) => reply.extend(fields),
        Err(reason) => {
            reply.insert("error".to_owned(), Value::String(reason));
        }
    }
    Value::Object(reply).to_string()
}

fn parsed(line: &str) -> Result<Asked<'_>, (Option<Value>, String)> {
    if line.len() > MAX_LINE_BYTES {
        return Err((None, format!("line is longer than {MAX_LINE_BYTES} bytes")));
    }
    serde_json::from_str(line).map_err(|error| {
        // The id may still be readable where another field is wrong.
        #[derive(Deserialize)]
        struct Id {
            id: Option<Value>,
        }
        let id = serde_json::from_str::<Id>(line).ok().and_then(|with| with.id);
        (id, format!("request cannot be read: {error}"))
    })
}

fn respond(asked: &Asked<'_>) -> Result<Map<String, Value>, String> {
    let kind = asked.kind.as_deref().map_or(Kind::Identity, Kind::from_word);
    if let (Some(old), Some(new)) = (asked.old, asked.new) {
        return Ok(compared(&Policy::parse(old.get(), kind), &Policy::parse(new.get(), kind)));
    }
    let Some(document) = asked.policy else {
        return Err("request has neither policy, nor old and new, nor event".to_owned());
    };
    let policy = Policy::parse(document.get(), kind);
    match (&asked.action, &asked.resource) {
        (Some(action), resource) => Ok(decided(&policy, action, resource.as_deref().unwrap_or("*"), &asked.context)),
        (None, Some(_)) => Err("request has a resource but no action".to_owned()),
        (None, None) => judged(&policy, asked),
    }
}

fn compared(old: &Policy, new: &Policy) -> Map<String, Value> {
    let change = compare(old, new);
    let (mut fields, mut witnesses) = (Map::new(), Map::new());
    for (name, answer) in [("new_access", &change.new_access), ("lost_access", &change.lost_access)] {
        let word = match answer {
            Answer::Yes(witness) => {
                witnesses.insert(name.to_owned(), json!({"action": witness.action, "resource": witness.resource}));
                json!(true)
            }
            Answer::No => json!(false),
            Answer::Unknown(_) => json!("unknown"),
        };
        fields.insert(name.to_owned(), word);
    }
    fields.insert("witness".to_owned(), Value::Object(witnesses));
    fields
}

fn decided(policy: &Policy, action: &str, resource: &str, context: &Map<String, Value>) -> Map<String, Value> {
    let context = context_of(context);
    let caller = context.single("aws:principalarn").map(str::to_owned);
    let caller = caller.as_deref().map(Caller::Arn);
    let request = Request { action, resource, caller, context: &context };
    let mut fields = Map::new();
    fields.insert("decision".to_owned(), json!(decide(policy, &request).word()));
    if !policy.malformed.is_empty() {
        fields.insert("malformed".to_owned(), reasons(policy));
    }
    fields
}

/// Context values may be text, numbers, booleans or lists of these.
fn context_of(given: &Map<String, Value>) -> Context {
    let mut context = Context::new();
    for (key, value) in given {
        match value {
            Value::Array(items) => items.iter().for_each(|item| add(&mut context, key, item)),
            single => add(&mut context, key, single),
        }
    }
    context
}

fn add(context: &mut Context, key: &str, value: &Value) {
    match value {
        Value::String(text) => context.add(key, text),
        Value::Bool(_) | Value::Number(_) => context.add(key, &value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
}

fn judged(policy: &Policy, asked: &Asked<'_>) -> Result<Map<String, Value>, String> {
    if asked.probe.len() > MAX_PROBES {
        return Err(format!("more than {MAX_PROBES} actions to probe"));
    }
    let escalations = policy.escalations();
    let must = |finding: Option<Finding>| finding.is_some_and(|finding| finding.certainty == Certainty::Must);
    let ids = |set: MethodSet| -> Vec<&str> { set.iter().map(|method| method.id.as_str()).collect() };
    let services: Vec<String> = policy.wildcard_services().into_iter().map(|(service, _)| service).collect();
    let grants: Map<String, Value> =
        asked.probe.iter().map(|action| (action.clone(), probed(policy, action))).collect();
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("full_admin", json!(must(policy.full_admin())));
    put("effective_admin", json!(must(policy.effective_admin_given(&escalations))));
    put("privilege_escalation", json!({"may": ids(escalations.may), "must": ids(escalations.must)}));
    put("wildcard_service", json!(services));
    put("malformed", reasons(policy));
    put("grants", Value::Object(grants));
    if policy.kind.names_principals() {
        let exposure = policy.exposure(&surroundings(asked));
        let accounts: Vec<&str> = exposure.cross_account.iter().map(|(account, _)| account.as_str()).collect();
        put("public", json!(exposure.public.is_some()));
        put("cross_account", json!(accounts));
        put("external_id_missing", json!(exposure.external_id_missing.is_some()));
        put("oidc_unrestricted", json!(exposure.oidc_unrestricted.is_some()));
        put("confused_deputy", json!(exposure.confused_deputy.is_some()));
    }
    Ok(fields)
}

fn probed(policy: &Policy, action: &str) -> Value {
    let certainty = policy.grants(action).map(|finding| finding.certainty);
    json!({"may": certainty.is_some(), "must": certainty == Some(Certainty::Must)})
}

fn reasons(policy: &Policy) -> Value {
    Value::Array(policy.malformed.iter().map(|fault| Value::String(fault.to_string())).collect())
}

fn surroundings(asked: &Asked<'_>) -> Surroundings {
    Surroundings {
        account: asked.account.as_ref().and_then(account_text),
        organization: asked.org_id.clone(),
        trusted_accounts: asked.trusted_accounts.iter().filter_map(account_text).collect(),
    }
}

/// An account number as text; one written as a JSON number gets its leading zeros back.
fn account_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(format!("{:0>12}", number.to_string())),
        _ => None,
    }
}
