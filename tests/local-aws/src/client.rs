//! Calls to the stand-in in AWS's protocols, unsigned: it reads only the service and the account from the signature.

use serde_json::{Value, json};

use crate::http::{Message, exchange};
use crate::proxy::Proxy;
use crate::server::{ACCOUNT, LocalAws, REGION};

/// What the stand-in answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body as it came.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text between the first `<tag>` and its end, for answers in XML.
    pub fn tag(&self, tag: &str) -> Option<String> {
        self.tags(tag).into_iter().next()
    }

    /// The text of every `<tag>`, for answers in XML.
    pub fn tags(&self, tag: &str) -> Vec<String> {
        let (text, open, close) = (self.text(), format!("<{tag}>"), format!("</{tag}>"));
        let parts = text.split(&open).skip(1);
        parts.filter_map(|part| part.split_once(&close)).map(|(inside, _)| inside.to_owned()).collect()
    }
}

impl LocalAws {
    /// A call in a JSON protocol, such as `json("Kinesis_20131202.PutRecords", ...)`. Panics unless it succeeds.
    pub fn json(&self, target: &str, body: &Value) -> Value {
        let service = match target.split(['_', '.']).next().unwrap_or_default() {
            "Kinesis" => "kinesis",
            "AWSEvents" => "events",
            "AmazonSQS" => "sqs",
            "AmazonSSM" => "ssm",
            "Firehose" => "firehose",
            "AWSOrganizationsV20161128" => "organizations",
            other => panic!("no service is known for target {other}"),
        };
        let version =
            if matches!(service, "ssm" | "events" | "firehose" | "kinesis" | "organizations") { "1.1" } else { "1.0" };
        let headers =
            [("X-Amz-Target", target.to_owned()), ("Content-Type", format!("application/x-amz-json-{version}"))];
        let reply = self.call((service, ACCOUNT), ("POST", "/"), &headers, body.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{target} {body}: {}", reply.text());
        if reply.body.is_empty() { json!({}) } else { serde_json::from_slice(&reply.body).expect("JSON answer") }
    }

    /// A call in the query protocol (IAM, STS, SNS, CloudWatch) by an account. Panics unless it succeeds.
    pub fn query(&self, service: &str, account: &str, parameters: &[(&str, &str)]) -> Reply {
        let (headers, form) = form(parameters);
        let reply = self.call((service, account), ("POST", "/"), &headers, form.as_bytes());
        assert!(reply.status < 300, "{service} {parameters:?}: {}", reply.text());
        reply
    }

    /// Any call: service and account, method and path, headers, body.
    pub fn call(
        &self,
        (service, account): (&str, &str),
        target: (&str, &str),
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Reply {
        let request = request(&format!("{account}/20260101/{REGION}/{service}"), target, headers, body);
        let answer = exchange(self.address(), &request).expect("the stand-in answers");
        Reply { status: answer.status(), body: answer.body }
    }
}

/// The header and the body of a call in the query protocol.
fn form(parameters: &[(&str, &str)]) -> ([(&'static str, String); 1], String) {
    let pairs: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={}", percent(value, ""))).collect();
    ([("Content-Type", "application/x-www-form-urlencoded".to_owned())], pairs.join("&"))
}

impl Proxy {
    /// A call in the query protocol as a program would make it; status 0 when the connection was closed.
    pub fn query(&self, service: &str, parameters: &[(&str, &str)]) -> Reply {
        let (headers, form) = form(parameters);
        self.send(service, &headers, form.as_bytes())
    }

    /// A call in a JSON protocol as a program would make it; status 0 when the connection was closed.
    pub fn json(&self, service: &str, target: &str, body: &Value) -> Reply {
        let headers = [("X-Amz-Target", target.to_owned()), ("Content-Type", "application/x-amz-json-1.1".to_owned())];
        self.send(service, &headers, body.to_string().as_bytes())
    }

    fn send(&self, service: &str, headers: &[(&str, String)], body: &[u8]) -> Reply {
        let scope = format!("{ACCOUNT}/20260101/{REGION}/{service}");
        let request = request(&scope, ("POST", "/"), headers, body);
        let answer = exchange(self.address(), &request).unwrap_or_default();
        Reply { status: answer.status(), body: answer.body }
    }
}

fn request(scope: &str, (method, path): (&str, &str), headers: &[(&str, String)], body: &[u8]) -> Message {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={scope}/aws4_request, SignedHeaders=host;x-amz-date, Signature=none");
    let mut request = Message { start: format!("{method} {path} HTTP/1.1"), body: body.to_vec(), ..Message::default() };
    // Moto takes the account from a header, MiniStack from the key.
    let account = scope.split('/').next().unwrap_or_default();
    let own = [
        ("Host", "127.0.0.1"),
        ("X-Amz-Date", "20260101T000000Z"),
        ("Authorization", &authorization),
        ("X-Moto-Account-Id", account),
    ];
    request.headers.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    request.headers.extend(headers.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    request
}

/// Percent-encodes everything but letters, digits, `-._~` and the characters of `keep`.
pub(crate) fn percent(text: &str, keep: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
