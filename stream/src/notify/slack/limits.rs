//! Slack's limits on a message, checked on every message before it leaves: a message over them is refused as a whole.
//!
//! Sources: docs.slack.dev, "Block Kit: blocks" (50 blocks; header 150; section text 3000; 10 fields of 2000; 10 context
//! elements), "chat.postMessage" (text cut at 40,000; advised 4,000). The sum of all block text fails with
//! `msg_blocks_too_long` near 13,200 characters (slackapi/bolt-js issue 2509, undocumented), so ours stays below 12,000.

use serde_json::Value;

/// Blocks of a message, with those inside attachments.
pub const MAX_BLOCKS: usize = 50;
/// Characters of a header.
pub const MAX_HEADER: usize = 150;
/// Characters of the text of a section.
pub const MAX_SECTION: usize = 3000;
/// Fields of a section.
pub const MAX_FIELDS: usize = 10;
/// Characters of a field.
pub const MAX_FIELD: usize = 2000;
/// Elements of a context block.
pub const MAX_CONTEXT: usize = 10;
/// Characters of all block texts together.
pub const MAX_TOTAL: usize = 12_000;
/// Characters of the text shown in notifications.
pub const MAX_TEXT: usize = 4000;

/// Everything about `message` that Slack would refuse; empty for a message it takes.
pub fn problems(message: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut blocks = list(message, "blocks");
    for attachment in list(message, "attachments") {
        blocks.extend(list(&attachment, "blocks"));
    }
    check(&mut found, "blocks", blocks.len(), 1, MAX_BLOCKS);
    check(&mut found, "text", characters(message.get("text")), 1, MAX_TEXT);
    let mut total = 0;
    for (place, block) in blocks.iter().enumerate() {
        total += check_block(&mut found, place, block);
    }
    check(&mut found, "all block texts", total, 1, MAX_TOTAL);
    found
}

/// Checks a block and returns the characters of its texts.
fn check_block(found: &mut Vec<String>, place: usize, block: &Value) -> usize {
    let list = |key: &str| block.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = block.get("text");
    let length = text.map_or(0, |text| characters(text.get("text")));
    match block.get("type").and_then(Value::as_str) {
        Some("header") => {
            check(found, &format!("block {place}: header"), length, 1, MAX_HEADER);
            if text.and_then(|text| text.get("type")).and_then(Value::as_str) != Some("plain_text") {
                found.push(format!("block {place}: a header must be plain_text"));
            }
            length
        }
        Some("section") => {
            let fields = list("fields");
            if text.is_some() {
                check(found, &format!("block {place}: section"), length, 1, MAX_SECTION);
            } else {
                check(found, &format!("block {place}: fields"), fields.len(), 1, MAX_FIELDS);
            }
            length + check_texts(found, place, &fields, MAX_FIELD)
        }
        Some("context") => {
            let elements = list("elements");
            check(found, &format!("block {place}: elements"), elements.len(), 1, MAX_CONTEXT);
            check_texts(found, place, &elements, MAX_SECTION)
        }
        Some("divider") => 0,
        other => {
            found.push(format!("block {place}: type {other:?} is not used here"));
            0
        }
    }
}

fn check_texts(found: &mut Vec<String>, place: usize, texts: &[Value], most: usize) -> usize {
    let mut total = 0;
    for text in texts {
        let length = characters(text.get("text"));
        check(found, &format!("block {place}: text"), length, 1, most);
        total += length;
    }
    total
}

fn check(found: &mut Vec<String>, what: &str, number: usize, least: usize, most: usize) {
    if !(least..=most).contains(&number) {
        found.push(format!("{what}: {number} is not within {least} and {most}"));
    }
}

fn characters(text: Option<&Value>) -> usize {
    text.and_then(Value::as_str).map_or(0, |text| text.chars().count())
}
