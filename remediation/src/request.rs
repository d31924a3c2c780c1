//! What the remediator is asked, read once at the door: a bus event or the direct form, with what it is to repair.

use detection::{Remediation, UNKNOWN_ACCOUNT};
use schemas::{Violation, derived_id};
use serde::Deserialize;
use serde_json::Value;
use stream::notify::event::{BusEvent, Subject};
use uuid::Uuid;

use crate::step::{Holder, HolderKind};

/// Largest message that is read, bytes: the limit of SQS.
pub(crate) const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// One repair that is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The violation; its `original_event` is filled from the message.
    pub violation: Violation,
    /// The repair; `None` when the word is none of ours.
    pub action: Option<Remediation>,
    /// The repair as it was written.
    pub action_word: String,
    /// What it is to change.
    pub target: Target,
    /// Key of the violation's Parquet object, where the message told it.
    pub lake_key: String,
}

/// What a repair changes, as far as the event tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A managed policy attached to somebody.
    Attachment {
        /// To whom.
        holder: Holder,
        /// ARN of the policy.
        policy_arn: String,
    },
    /// A managed policy as such.
    Policy {
        /// Its ARN.
        arn: String,
    },
    /// An inline policy.
    Inline {
        /// Of whom.
        holder: Holder,
        /// Its name.
        name: String,
    },
    /// The trust policy of a role.
    Trust {
        /// Name of the role.
        role: String,
    },
    /// The permissions boundary of a user or role.
    Boundary {
        /// Whose.
        holder: Holder,
    },
    /// An access key.
    Key {
        /// Whose.
        user: String,
        /// Its id.
        key_id: String,
    },
    /// A user in a group.
    Membership {
        /// Who.
        user: String,
        /// In which group.
        group: String,
    },
    /// Nothing to change, or the event does not tell what.
    Nothing,
}

/// Why a message is none of ours. It goes to the dead letters with this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or too large.
    #[error("the message is not readable as JSON: {0}")]
    Json(String),
    /// JSON of another shape.
    #[error("the message has neither the shape of a bus event nor {{violation, event, remediation_action}}: {0}")]
    Shape(String),
}

impl RequestError {
    /// Short name of the reason, for dead letters.
    pub fn code(&self) -> &'static str {
        match self {
            RequestError::Json(_) => "MalformedJson",
            RequestError::Shape(_) => "WrongShape",
        }
    }
}

impl Request {
    /// Reads the body of an SQS message, in either form.
    pub fn read(body: &str) -> Result<Request, RequestError> {
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(RequestError::Json(format!("it has more than {MAX_MESSAGE_BYTES} bytes")));
        }
        let message: Value = serde_json::from_str(body).map_err(|error| RequestError::Json(error.to_string()))?;
        let (violation, event, word) = if message.get("detail").is_some() { bus(&message)? } else { direct(&message)? };
        Ok(Request::new(violation, &event, word))
    }

    /// A request made of its parts: the violation, the CloudTrail event or where it is, the repair as written.
    fn new(mut violation: Violation, event: &Value, action_word: String) -> Request {
        let lake_key = event.get("lake").and_then(Value::as_str).unwrap_or_default().to_owned();
        if violation.original_event.is_none() && event.is_object() && event.get("omitted").is_none() {
            violation.original_event = Some(event.to_string());
        }
        let action = Remediation::ALL.into_iter().find(|action| action.as_str() == action_word);
        let target = action.and_then(|action| target(action, &violation)).unwrap_or(Target::Nothing);
        Request { violation, action, action_word, target, lake_key }
    }

    /// A request as a snapshot kept it.
    pub(crate) fn restored(violation: Violation, action_word: String, lake_key: String) -> Request {
        Request { lake_key, ..Request::new(violation, &Value::Null, action_word) }
    }

    /// The account of the target; `None` when the event does not tell it.
    pub fn known_account(&self) -> Option<&str> {
        let account = self.violation.account_id.as_str();
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (is_account && account != UNKNOWN_ACCOUNT).then_some(account)
    }

    /// The account as written, for messages.
    pub fn account_id(&self) -> &str {
        &self.violation.account_id
    }

    /// The id of this repair: the same for each delivery of the same violation and action.
    pub fn repair_id(&self) -> Uuid {
        derived_id(&["repair", &self.violation.violation_id.to_string(), &self.action_word])
    }

    /// The id of one attempt, from 1: the column `remediation_id`.
    pub fn attempt_id(&self, attempt: u32) -> Uuid {
        derived_id(&[&self.violation.violation_id.to_string(), &self.action_word, &attempt.to_string()])
    }

    /// What comes back when somebody repeats a change that was repaired: account, repair and target.
    pub fn change_key(&self) -> String {
        let document = self.violation.policy_name.as_deref().or(self.violation.policy_arn.as_deref());
        let target = self.violation.target_arn.as_deref().or(self.violation.target_name.as_deref());
        let parts = [self.account_id(), &self.action_word, target.unwrap_or_default(), document.unwrap_or_default()];
        derived_id(&parts).to_string()
    }
}

type Parts = (Violation, Value, String);

fn bus(message: &Value) -> Result<Parts, RequestError> {
    let event = BusEvent::read(message).map_err(|error| RequestError::Shape(error.to_string()))?;
    let Subject::Violation(violation) = event.subject else {
        return Err(RequestError::Shape(format!("{:?} is no violation", event.detail_type)));
    };
    let original = event.detail.get("originalEvent").cloned().unwrap_or_default();
    let word = violation.remediation_action.clone().unwrap_or_else(|| Remediation::LogOnly.as_str().to_owned());
    Ok((*violation, original, word))
}

fn direct(message: &Value) -> Result<Parts, RequestError> {
    let given = message.get("violation").ok_or_else(|| RequestError::Shape("violation is missing".to_owned()))?;
    let violation =
        Violation::deserialize(given).map_err(|error| RequestError::Shape(format!("violation: {error}")))?;
    let event = match message.get("event") {
        Some(event @ (Value::Object(_) | Value::Null)) => event.clone(),
        None => Value::Null,
        Some(_) => return Err(RequestError::Shape("event is no object".to_owned())),
    };
    let word = match message.get("remediation_action") {
        Some(Value::String(word)) => word.clone(),
        None | Some(Value::Null) => {
            violation.remediation_action.clone().unwrap_or_else(|| Remediation::LogOnly.as_str().to_owned())
        }
        Some(_) => return Err(RequestError::Shape("remediation_action is no text".to_owned())),
    };
    Ok((violation, event, word))
}

/// What the action is to change; `None` when the event does not tell.
fn target(action: Remediation, violation: &Violation) -> Option<Target> {
    let parameters: Value =
        violation.request_parameters.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let parameter = |name: &str| parameters.get(name).and_then(Value::as_str).map(str::to_owned);
    let target = match action {
        Remediation::DetachPolicy => {
            Target::Attachment { holder: holder(violation)?, policy_arn: violation.policy_arn.clone()? }
        }
        Remediation::DeletePolicy | Remediation::QuarantinePolicy | Remediation::RevertPolicyVersion => {
            Target::Policy { arn: policy_arn(violation, &parameters)? }
        }
        Remediation::DeleteInlinePolicy => {
            Target::Inline { holder: holder(violation)?, name: violation.policy_name.clone()? }
        }
        Remediation::RestoreTrustPolicy => match holder(violation)? {
            Holder { kind: HolderKind::Role, name } => Target::Trust { role: name },
            _ => return None,
        },
        Remediation::RestoreBoundary => match holder(violation)? {
            Holder { kind: HolderKind::Group, .. } => return None,
            holder => Target::Boundary { holder },
        },
        Remediation::DeactivateAccessKey => key(violation, &parameters)?,
        Remediation::RemoveFromGroup => {
            Target::Membership { user: parameter("userName")?, group: parameter("groupName")? }
        }
        Remediation::LogOnly => Target::Nothing,
    };
    Some(target)
}

fn holder(violation: &Violation) -> Option<Holder> {
    let kind = HolderKind::from_word(violation.target_type.as_deref()?)?;
    let name = violation.target_name.clone().filter(|name| !name.is_empty())?;
    Some(Holder { kind, name })
}

/// CreatePolicy names the policy by its parts when the answer of the call is not in the event.
fn policy_arn(violation: &Violation, parameters: &Value) -> Option<String> {
    let is_policy = |arn: &String| arn.contains(":policy/");
    let known =
        violation.policy_arn.clone().filter(is_policy).or_else(|| violation.target_arn.clone().filter(is_policy));
    known.or_else(|| {
        let name = parameters.get("policyName").and_then(Value::as_str)?;
        let path = parameters.get("path").and_then(Value::as_str).unwrap_or("/");
        let made = format!("arn:aws:iam::{}:policy{path}{name}", violation.account_id);
        (violation.event_name == "CreatePolicy").then_some(made)
    })
}

fn key(violation: &Violation, parameters: &Value) -> Option<Target> {
    let event: Value =
        violation.original_event.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let made = event.pointer("/responseElements/accessKey");
    let of = |value: Option<&Value>, name: &str| value?.get(name)?.as_str().map(str::to_owned);
    let key_id = of(made, "accessKeyId").or_else(|| of(Some(parameters), "accessKeyId"))?;
    // Without a user name the call was about the caller's own key.
    let user = of(made, "userName")
        .or_else(|| of(Some(parameters), "userName"))
        .or_else(|| holder(violation).filter(|holder| holder.kind == HolderKind::User).map(|holder| holder.name))?;
    Some(Target::Key { user, key_id })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples::inline;

    fn sample() -> Value {
        serde_json::from_str(include_str!("sample.json")).unwrap()
    }

    #[test]
    fn both_forms_give_the_same_request_and_the_same_repair() {
        let direct = sample();
        let detail = json!({
            "eventId": direct["violation"]["violation_id"], "timestamp": "2024-01-05T12:00:00Z", "correlationId": "c",
            "violation": direct["violation"], "originalEvent": direct["event"],
        });
        let bus = json!({"source": "iam.policy.monitor", "detail-type": "IAM Policy Violation", "detail": detail});
        let [direct, bus] = [direct, bus].map(|message| Request::read(&message.to_string()).unwrap());
        assert_eq!((direct.violation.clone(), direct.target.clone()), (bus.violation.clone(), bus.target.clone()));
        assert_eq!((direct.repair_id(), direct.action), (bus.repair_id(), bus.action));
        assert!(direct.violation.original_event.is_some());
    }

    #[test]
    fn an_event_that_was_left_out_tells_where_it_is() {
        let mut message = sample();
        message["event"] = json!({"omitted": true, "lake": "violations/x.parquet"});
        let request = Request::read(&message.to_string()).unwrap();
        assert_eq!((request.lake_key.as_str(), request.violation.original_event), ("violations/x.parquet", None));
    }

    #[test]
    fn what_has_another_shape_is_refused_with_the_field() {
        let refused = |turn: fn(&mut Value)| {
            let mut message = sample();
            turn(&mut message);
            Request::read(&message.to_string()).unwrap_err().to_string()
        };
        assert!(refused(|message| message["violation"] = json!({})).contains("violation"));
        assert!(refused(|message| message["event"] = json!("text")).contains("event is no object"));
        assert!(refused(|message| message["remediation_action"] = json!(7)).contains("remediation_action"));
        assert!(refused(|message| message["detail"] = json!({})).contains("source"));
        assert!(refused(|message| *message = json!([])).contains("violation is missing"));
        assert!(Request::read("{").unwrap_err().to_string().contains("JSON"));
    }

    #[test]
    fn a_message_at_the_limit_is_read_and_one_past_it_is_not() {
        let text = sample().to_string();
        let padded = |bytes: usize| format!("{text}{}", " ".repeat(bytes - text.len()));
        assert!(Request::read(&padded(MAX_MESSAGE_BYTES)).is_ok());
        assert!(Request::read(&padded(MAX_MESSAGE_BYTES + 1)).is_err());
    }

    #[test]
    fn ids_differ_by_attempt_and_action_and_not_by_delivery() {
        let one = inline();
        let other = Request { action_word: "detach_policy".to_owned(), ..one.clone() };
        assert_ne!(one.attempt_id(1), one.attempt_id(2));
        assert_ne!(one.repair_id(), other.repair_id());
        assert_eq!(one.repair_id(), inline().repair_id());
    }
}
