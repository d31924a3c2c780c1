//! Takes secrets out of JSON before it leaves the detector: on the bus, in the lake, in messages.
//!
//! A secret is known by its key wherever it stands, or by its own look (private keys, webhook addresses, signatures in
//! addresses). JSON inside text is looked through, too. The same input gives the same text.

mod copy;

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::{memchr, memmem::Finder};
use serde_json::{Map, Value, json};

use crate::event::CloudTrailEvent;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// JSON in text in JSON is looked through this deep. AWS itself writes one level (policies, statements, bodies).
pub const MAX_SECRET_DEPTH: usize = 3;

/// Keys whose text is secret, in small letters and without `-`, `_` and `.`; a longer key that ends in one of them counts,
/// too (`masterUserPassword`). Numbers and booleans stay: `allowUsersToChangePassword` is a setting.
/// Not listed, because they are no secrets: `accessKeyId`, `clientToken` (idempotency), `nextToken` (paging).
pub const SECRET_KEYS: [&str; 31] = [
    // temporary and long-lived credentials of AWS
    "secretaccesskey",
    "sessiontoken",
    "securitytoken",
    "secretkey",
    "signintoken",
    "logintoken",
    "amzsignature",
    "serviceapikeyvalue",
    "servicecredentialsecret",
    // what a federated caller shows
    "samlassertion",
    "webidentitytoken",
    "assertion",
    "idtoken",
    "accesstoken",
    "refreshtoken",
    "bearertoken",
    "authtoken",
    "authorizationcode",
    "clientsecret",
    // passwords and second factors
    "password",
    "passphrase",
    "authenticationcode1",
    "authenticationcode2",
    "base32stringseed",
    "qrcodepng",
    // keys and stored secrets
    "privatekey",
    "keymaterial",
    "secretstring",
    "secretbinary",
    "apikey",
    // addresses that need no password
    "webhookurl",
];

/// Keys of what names the value beside it.
const NAMES: [&str; 6] = ["name", "key", "parameterKey", "parameterName", "Name", "Key"];

/// The whole record of `event` without secrets, at most `max_bytes` long.
pub fn redact_event(event: &CloudTrailEvent<'_>, max_bytes: usize) -> String {
    redact(event.raw, max_bytes)
}

/// `json` without secrets as compact JSON text. If that is longer than `max_bytes`, its largest members are replaced, one
/// by one, by what CloudTrail itself writes in such a case: `{"omitted":true,"originalSize":…}`.
pub fn redact(json: &str, max_bytes: usize) -> String {
    match copy::copy(json, MAX_SECRET_DEPTH) {
        Some(text) if text.len() <= max_bytes => text,
        _ => rewrite(json, max_bytes),
    }
}

fn rewrite(json: &str, max_bytes: usize) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(json) else {
        return omitted(json.len(), "not readable as JSON").to_string();
    };
    clean(&mut value, MAX_SECRET_DEPTH);
    let text = value.to_string();
    if text.len() <= max_bytes { text } else { shorten(value, text.len(), max_bytes) }
}

fn shorten(value: Value, length: usize, max_bytes: usize) -> String {
    let reason = "record too large";
    let Value::Object(mut members) = value else { return omitted(length, reason).to_string() };
    let mut sizes: Vec<(usize, String)> =
        members.iter().map(|(key, value)| (value.to_string().len(), key.clone())).collect();
    sizes.sort_by(|one, two| two.cmp(one));
    let mut length = length;
    for (size, key) in sizes {
        let marker = omitted(size, reason);
        let marker_length = marker.to_string().len();
        if marker_length < size {
            length -= size - marker_length;
            members.insert(key, marker);
        }
        if length <= max_bytes {
            return Value::Object(members).to_string();
        }
    }
    omitted(length, reason).to_string()
}

fn omitted(size: usize, reason: &str) -> Value {
    json!({ "omitted": true, "originalSize": size, "reason": reason })
}

fn clean(value: &mut Value, depth: usize) {
    match value {
        Value::Object(members) => clean_members(members, depth),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| clean(entry, depth)),
        Value::String(text) => {
            if let Cow::Owned(cleaned) = clean_text(text, depth) {
                *text = cleaned;
            }
        }
        _ => {}
    }
}

fn clean_members(members: &mut Map<String, Value>, depth: usize) {
    // `{"name": "password", "value": "…"}`: parameters of services that take pairs.
    let names_a_secret = NAMES.iter().any(|key| members.get(*key).and_then(Value::as_str).is_some_and(is_secret));
    for (key, value) in members.iter_mut() {
        let holds_the_named = names_a_secret && key.to_ascii_lowercase().ends_with("value");
        if holds_the_named || is_secret(key) { hide(value) } else { clean(value, depth) }
    }
}

/// Hides every text below a secret key.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) if !text.is_empty() => REDACTED.clone_into(text),
        Value::Array(entries) => entries.iter_mut().for_each(hide),
        Value::Object(members) => members.iter_mut().for_each(|(_, value)| hide(value)),
        _ => {}
    }
}

/// [`SECRET_KEYS`] by their last two letters, at [`place`]: that tells nearly every key apart.
static BY_ENDING: LazyLock<Vec<Vec<&str>>> = LazyLock::new(|| {
    let ending_at = |wanted| SECRET_KEYS.into_iter().filter(|key| place(key.as_bytes()) == wanted).collect();
    (0..1 << 10).map(ending_at).collect()
});

/// Of the last two bytes, in five bits each: small and large letters are alike in them.
fn place(key: &[u8]) -> usize {
    let bits = |from_end: usize| key.iter().rev().nth(from_end).map_or(0, |letter| usize::from(letter & 31));
    (bits(1) << 5) | bits(0)
}

fn is_secret(key: &str) -> bool {
    let letters = || key.bytes().rev().filter(u8::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    let is = |secret: &&str| letters().take(secret.len()).eq(secret.bytes().rev());
    if key.bytes().rev().take(2).all(|letter| letter.is_ascii_alphanumeric()) {
        return BY_ENDING.get(place(key.as_bytes())).is_some_and(|alike| alike.iter().any(is));
    }
    SECRET_KEYS.iter().any(is)
}

/// Searchers made once: making one costs more than looking through a short text.
static PRIVATE_KEY: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("PRIVATE KEY-----"));
static WEBHOOK: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("hooks.slack.com/"));
static SCHEME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("://"));

/// Text that is a secret by its look, or JSON with secrets in it. Other text, policies above all, stays as it is.
fn clean_text(text: &str, depth: usize) -> Cow<'_, str> {
    // One byte that the marks cannot be without is found at a fraction of the cost, and most text lacks it.
    let has = |byte| memchr(byte, text.as_bytes()).is_some();
    let is_key = has(b' ') && PRIVATE_KEY.find(text.as_bytes()).is_some();
    if is_key || has(b'/') && (WEBHOOK.find(text.as_bytes()).is_some() || has_signature(text)) {
        return Cow::Owned(REDACTED.to_owned());
    }
    let start = text.trim_start();
    if depth == 0 || !start.starts_with(['{', '[']) {
        return Cow::Borrowed(text);
    }
    if copy::copy(text, depth - 1).is_some() {
        return Cow::Borrowed(text);
    }
    let Ok(inner) = serde_json::from_str::<Value>(text) else { return Cow::Borrowed(text) };
    let mut cleaned = inner.clone();
    clean(&mut cleaned, depth - 1);
    if cleaned == inner { Cow::Borrowed(text) } else { Cow::Owned(cleaned.to_string()) }
}

/// An address that carries its own credentials. Source: Signature Version 4, query parameters.
fn has_signature(text: &str) -> bool {
    SCHEME.find(text.as_bytes()).is_some()
        && ["X-Amz-Signature=", "X-Amz-Security-Token=", "SigninToken="].iter().any(|key| text.contains(key))
}

#[cfg(test)]
mod tests;
