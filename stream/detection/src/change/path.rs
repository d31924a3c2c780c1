//! Walks a path of the table through the JSON of an event without building values, so that a document that is an object
//! keeps its text: a repeated key in it must reach the policy parser.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::event::CloudTrailEvent;
use crate::members::{Members, present, text};

/// The value at `path` of the event; `a|b` is the first that is there. Empty paths lead nowhere.
pub(super) fn at<'a>(event: &CloudTrailEvent<'a>, path: &str) -> Option<&'a RawValue> {
    path.split('|').filter(|path| !path.is_empty()).find_map(|path| match path.strip_prefix("responseElements.") {
        Some(path) => walk(&Members::of(event.response_elements?), path),
        None => in_request(event, path),
    })
}

/// EC2 wraps some requests in `<Name>Request` and not others: either form is accepted.
fn in_request<'a>(event: &CloudTrailEvent<'a>, path: &str) -> Option<&'a RawValue> {
    let request = event.request_members();
    let direct = walk(request, path);
    if direct.is_some() || event.event_source != "ec2.amazonaws.com" {
        return direct;
    }
    match path.split_once('.') {
        Some((wrapper, inner)) if wrapper.ends_with("Request") => unwrapped(request, inner),
        _ => walk(&Members::of(walk(request, &format!("{}Request", event.event_name))?), path),
    }
}

/// Newer EC2 calls start their names with capitals inside the wrapper, older ones with small letters outside it.
fn unwrapped<'a>(request: &Members<'a>, path: &str) -> Option<&'a RawValue> {
    let small: Vec<String> = path.split('.').map(decapitalised).collect();
    walk(request, path).or_else(|| walk(request, &small.join(".")))
}

fn decapitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// One step per segment; `list[key=word]` is the first entry of `list` whose `key` is `word`.
fn walk<'a>(start: &Members<'a>, path: &str) -> Option<&'a RawValue> {
    let mut segments = path.split('.');
    let mut here = step(start, segments.next()?)?;
    for segment in segments {
        here = step(&Members::of(here), segment)?;
    }
    present(here)
}

fn step<'a>(members: &Members<'a>, segment: &str) -> Option<&'a RawValue> {
    match segment.strip_suffix(']').and_then(|segment| segment.split_once('[')) {
        Some((list, condition)) => entry(members.get(list)?, condition),
        None => members.get(segment),
    }
}

fn entry<'a>(list: &'a RawValue, condition: &str) -> Option<&'a RawValue> {
    let (key, word) = condition.split_once('=')?;
    let entries: Vec<&'a RawValue> = serde_json::from_str(list.get()).ok()?;
    entries.into_iter().find(|entry| Members::of(entry).text(key).as_deref() == Some(word))
}

/// A value as one word: the text itself, the only entry of a list, or the JSON of anything else.
pub(super) fn word(raw: &RawValue) -> Cow<'_, str> {
    if let Some(text) = text(raw) {
        return text;
    }
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()).as_deref() {
        Ok([only]) => text(only).unwrap_or(Cow::Borrowed(only.get())),
        _ => Cow::Borrowed(raw.get()),
    }
}
