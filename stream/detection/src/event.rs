//! One CloudTrail event, borrowed from its JSON text.
//!
//! A field of a type nobody expects (a number, an object where text belongs) counts as absent: an odd field must not
//! keep the rest of the record from being judged. Source of the names: CloudTrail user guide, "CloudTrail record
//! contents".

use std::borrow::Cow;
use std::sync::OnceLock;

use chrono::{DateTime, NaiveDateTime, Utc};
use schemas::Outcome;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::identity::{UserIdentity, arn_partition};
use crate::members::{Members, account, boolean, filled, present, text};

/// An event may nest objects and arrays this deep: below what `serde_json` refuses (128), far above what AWS sends.
pub const MAX_EVENT_DEPTH: usize = 100;

/// Account id of an event that names no account at all.
pub const UNKNOWN_ACCOUNT: &str = "unknown";

/// Why a JSON text is no CloudTrail event that can be judged.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or JSON that is no object.
    #[error("not a JSON object: {0}")]
    NotAnObject(#[from] serde_json::Error),
    /// Nested deeper than [`MAX_EVENT_DEPTH`].
    #[error("event is nested deeper than {MAX_EVENT_DEPTH} levels")]
    TooDeep,
    /// `eventName` is missing or not text.
    #[error("event has no eventName")]
    NoEventName,
    /// Neither the event nor its envelope says when it happened.
    #[error("event has no readable eventTime, and its envelope gives no time")]
    NoEventTime,
}

/// A CloudTrail event. Raw members hold JSON text as it stood in the record; `null` counts as absent everywhere.
#[derive(Debug, Clone)]
pub struct CloudTrailEvent<'a> {
    /// The whole record as JSON text.
    pub raw: &'a str,
    /// `eventID` as sent; [`CloudTrailEvent::event_id`] also answers when there is none.
    pub sent_event_id: Option<Cow<'a, str>>,
    /// `eventTime`, else `@timestamp`, else the time of the envelope.
    pub event_time: DateTime<Utc>,
    /// `eventSource`, such as `iam.amazonaws.com`; empty when the record has none.
    pub event_source: Cow<'a, str>,
    /// `eventName`, such as `PutUserPolicy`.
    pub event_name: Cow<'a, str>,
    /// `awsRegion`.
    pub aws_region: Option<Cow<'a, str>>,
    /// `sourceIPAddress`: an address, or the name of the AWS service that made the call.
    pub source_ip_address: Option<Cow<'a, str>>,
    /// `userAgent`.
    pub user_agent: Option<Cow<'a, str>>,
    /// `errorCode`; empty text counts as absent.
    pub error_code: Option<Cow<'a, str>>,
    /// `errorMessage`.
    pub error_message: Option<Cow<'a, str>>,
    /// `userIdentity`.
    pub user_identity: UserIdentity<'a>,
    /// `requestParameters` as JSON; read it with [`CloudTrailEvent::parameters`].
    pub request_parameters: Option<&'a RawValue>,
    /// `responseElements` as JSON; read it with [`CloudTrailEvent::response`].
    pub response_elements: Option<&'a RawValue>,
    /// `additionalEventData` as JSON.
    pub additional_event_data: Option<&'a RawValue>,
    /// `resources` as JSON; read it with [`CloudTrailEvent::resource_list`].
    pub resources: Option<&'a RawValue>,
    /// `addendum` as JSON: this record corrects or completes an earlier one.
    pub addendum: Option<&'a RawValue>,
    /// `recipientAccountId`.
    pub recipient_account_id: Option<Cow<'a, str>>,
    /// `readOnly`, sent as boolean or as text.
    pub read_only: Option<bool>,
    /// `eventType`: `AwsApiCall`, `AwsConsoleSignIn`, ...
    pub event_type: Option<Cow<'a, str>>,
    /// `eventCategory`: `Management`, `Data`, ...
    pub event_category: Option<Cow<'a, str>>,
    /// `sharedEventID`: the same call as seen from another account.
    pub shared_event_id: Option<Cow<'a, str>>,
    parameters: OnceLock<Value>,
    response: OnceLock<Value>,
    request_members: Members<'a>,
}

/// One entry of `resources`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource<'a> {
    /// `ARN`.
    pub arn: Option<Cow<'a, str>>,
    /// `accountId` of the owner.
    pub account_id: Option<Cow<'a, str>>,
    /// `type`, such as `AWS::IAM::User`.
    pub resource_type: Option<Cow<'a, str>>,
}

impl<'a> CloudTrailEvent<'a> {
    /// Reads one event from the text of one JSON object. `envelope_time` is when the envelope says it happened or
    /// arrived; it counts only if the event itself has no readable time.
    pub fn parse(raw: &'a str, envelope_time: Option<DateTime<Utc>>) -> Result<CloudTrailEvent<'a>, EventError> {
        let members = Members::parse(raw)?;
        CloudTrailEvent::from_members(raw, &members, envelope_time)
    }

    pub(crate) fn from_members(
        raw: &'a str,
        members: &Members<'a>,
        envelope_time: Option<DateTime<Utc>>,
    ) -> Result<CloudTrailEvent<'a>, EventError> {
        if nests_deeper(raw, MAX_EVENT_DEPTH) {
            return Err(EventError::TooDeep);
        }
        let event_name = members.get("eventName").and_then(filled).ok_or(EventError::NoEventName)?;
        let event_time = ["eventTime", "@timestamp"]
            .into_iter()
            .find_map(|key| members.get(key).and_then(time))
            .or(envelope_time)
            .ok_or(EventError::NoEventTime)?;
        let mut event = CloudTrailEvent::empty(raw, event_name, event_time);
        for (key, value) in members.iter() {
            event.take(key, value);
        }
        event.request_members = event.request_parameters.map(Members::of).unwrap_or_default();
        Ok(event)
    }

    fn empty(raw: &'a str, event_name: Cow<'a, str>, event_time: DateTime<Utc>) -> CloudTrailEvent<'a> {
        CloudTrailEvent {
            raw,
            sent_event_id: None,
            event_time,
            event_source: Cow::Borrowed(""),
            event_name,
            aws_region: None,
            source_ip_address: None,
            user_agent: None,
            error_code: None,
            error_message: None,
            user_identity: UserIdentity::default(),
            request_parameters: None,
            response_elements: None,
            additional_event_data: None,
            resources: None,
            addendum: None,
            recipient_account_id: None,
            read_only: None,
            event_type: None,
            event_category: None,
            shared_event_id: None,
            parameters: OnceLock::new(),
            response: OnceLock::new(),
            request_members: Members::default(),
        }
    }

    fn take(&mut self, key: &str, value: &'a RawValue) {
        match key {
            "eventID" => self.sent_event_id = filled(value),
            "eventSource" => self.event_source = filled(value).unwrap_or_default(),
            "awsRegion" => self.aws_region = filled(value),
            "sourceIPAddress" => self.source_ip_address = filled(value),
            "userAgent" => self.user_agent = filled(value),
            "errorCode" => self.error_code = filled(value),
            "errorMessage" => self.error_message = filled(value),
            "userIdentity" => self.user_identity = UserIdentity::read(value),
            "requestParameters" => self.request_parameters = present(value),
            "responseElements" => self.response_elements = present(value),
            "additionalEventData" => self.additional_event_data = present(value),
            "resources" => self.resources = present(value),
            "addendum" => self.addendum = present(value),
            "recipientAccountId" => self.recipient_account_id = account(value),
            "readOnly" => self.read_only = boolean(value),
            "eventType" => self.event_type = filled(value),
            "eventCategory" => self.event_category = filled(value),
            "sharedEventID" => self.shared_event_id = filled(value),
            _ => {}
        }
    }

    /// `eventID`, else an id derived from the record's text, so that the same text always has the same id.
    pub fn event_id(&self) -> Cow<'_, str> {
        match &self.sent_event_id {
            Some(id) => Cow::Borrowed(id.as_ref()),
            None => Cow::Owned(schemas::derived_id(&[self.raw]).to_string()),
        }
    }

    /// The account the event happened in: `recipientAccountId`, else the caller's account, else [`UNKNOWN_ACCOUNT`].
    pub fn account_id(&self) -> &str {
        self.recipient_account_id.as_deref().or_else(|| self.user_identity.account()).unwrap_or(UNKNOWN_ACCOUNT)
    }

    /// The partition the event happened in: `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        let region = self.aws_region.as_deref().unwrap_or_default();
        match self.user_identity.arn.as_deref().and_then(arn_partition) {
            Some(partition) => partition,
            None if region.starts_with("cn-") => "aws-cn",
            None if region.starts_with("us-gov-") => "aws-us-gov",
            None => "aws",
        }
    }

    /// Whether the call was carried out. A failed sign-in has no `errorCode`: its response says `Failure`.
    pub fn outcome(&self) -> Outcome {
        let failed_sign_in = || {
            self.event_source == "signin.amazonaws.com"
                && self.response().as_object().is_some_and(|response| {
                    response.get(self.event_name.as_ref()).and_then(Value::as_str) == Some("Failure")
                })
        };
        if self.error_code.is_some() || failed_sign_in() { Outcome::Failure } else { Outcome::Success }
    }

    /// Whether the call worked on data, such as an object of a bucket, and not on the resource itself.
    pub fn is_data_event(&self) -> bool {
        self.event_category.as_deref() == Some("Data")
    }

    /// The caller's name; see [`UserIdentity::principal_name`].
    pub fn principal_name(&self) -> Option<&str> {
        self.user_identity.principal_name()
    }

    /// Whether the caller had signed in with a second factor, if the event says so: the session's attribute, or
    /// `MFAUsed` of a console sign-in.
    pub fn mfa_authenticated(&self) -> Option<bool> {
        self.user_identity.mfa_authenticated.or_else(|| {
            match Members::of(self.additional_event_data?).text("MFAUsed")?.as_ref() {
                "Yes" => Some(true),
                "No" => Some(false),
                _ => None,
            }
        })
    }

    /// `requestParameters` as a value, parsed at the first call; `Value::Null` when absent.
    pub fn parameters(&self) -> &Value {
        self.parameters.get_or_init(|| value(self.request_parameters))
    }

    /// `responseElements` as a value, parsed at the first call; `Value::Null` when absent.
    pub fn response(&self) -> &Value {
        self.response.get_or_init(|| value(self.response_elements))
    }

    /// The members of `requestParameters`; none when it is absent or no object.
    pub(crate) fn request_members(&self) -> &Members<'a> {
        &self.request_members
    }

    /// Whether CloudTrail left the request out because it was too large. What it asked for is then unknown, not empty.
    /// Source: CloudTrail user guide, `requestParameters` (limit 100 KB).
    pub fn request_omitted(&self) -> bool {
        self.request_members().get("omitted").and_then(boolean) == Some(true)
    }

    /// The entries of `resources`. Older records wrote `accountId` and `type`, some `ARN`, a few `arn`.
    pub fn resource_list(&self) -> Vec<Resource<'a>> {
        let entries: Vec<&'a RawValue> =
            self.resources.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let read = |raw: &'a RawValue| {
            let members = Members::of(raw);
            Resource {
                arn: members.get("ARN").or_else(|| members.get("arn")).and_then(filled),
                account_id: members.get("accountId").and_then(account),
                resource_type: members.get("type").and_then(filled),
            }
        };
        entries.into_iter().map(read).collect()
    }
}

/// The API's name without the version that Lambda appends to it:
/// `AddPermission20150331v2` is `AddPermission`. Other names come back as they are.
pub fn base_name(event_name: &str) -> &str {
    if !event_name.ends_with(|letter: char| letter.is_ascii_digit()) {
        return event_name;
    }
    let head = event_name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let without_revision = match head.strip_suffix('v') {
        Some(before) if head.len() < event_name.len() && before.ends_with(|letter: char| letter.is_ascii_digit()) => {
            before
        }
        _ => event_name,
    };
    let name = without_revision.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let date = without_revision.strip_prefix(name).unwrap_or_default();
    if date.len() == 8 && date.starts_with("20") && !name.is_empty() { name } else { event_name }
}

/// A time as CloudTrail, Logstash or LookupEvents write it; text without a zone is UTC.
pub(crate) fn time(raw: &RawValue) -> Option<DateTime<Utc>> {
    let text = text(raw)?;
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Some(time.to_utc());
    }
    NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|time| time.and_utc())
}

fn value(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or(Value::Null)
}

/// Whether objects and arrays nest deeper than `limit`. Text without that many brackets is answered without a walk.
pub(crate) fn nests_deeper(text: &str, limit: usize) -> bool {
    if memchr::memchr2_iter(b'{', b'[', text.as_bytes()).nth(limit).is_none() {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
