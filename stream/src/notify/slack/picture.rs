//! A Slack message drawn as text: for the command line and the documentation.

use serde_json::Value;

/// Columns inside the frame.
const WIDTH: usize = 88;

/// Draws a message the way Slack shows it: a bar at the left, a bold header, fields in two columns.
pub fn picture(message: &Value) -> String {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut out = String::new();
    let channel = text(message, "channel");
    let place = if channel.is_empty() { "the channel of the webhook".to_owned() } else { channel };
    let frame = "─".repeat(WIDTH + 2);
    out.push_str(&format!("┌{frame}┐\n"));
    line(&mut out, &format!("IAM Policy Monitor  APP   to {place}"));
    for attachment in list(message, "attachments") {
        line(&mut out, "");
        for block in list(&attachment, "blocks") {
            for shown in draw(&block) {
                line(&mut out, &format!("▌ {shown}"));
            }
        }
        line(&mut out, &format!("  (bar: {})", text(&attachment, "color")));
    }
    out.push_str(&format!("└{frame}┘\n"));
    out
}

fn draw(block: &Value) -> Vec<String> {
    let own = block.get("text").map(shown).unwrap_or_default();
    match block.get("type").and_then(Value::as_str).unwrap_or_default() {
        "header" => wrap(&own, WIDTH - 2).into_iter().chain([String::new()]).collect(),
        "context" => {
            let texts: Vec<String> = list(block, "elements").iter().map(shown).collect();
            wrap(&texts.join("  "), WIDTH - 2)
        }
        _ => {
            let mut lines = if own.is_empty() { Vec::new() } else { wrap(&own, WIDTH - 2) };
            for pair in list(block, "fields").chunks(2) {
                let columns: Vec<Vec<String>> = pair.iter().map(|field| wrap(&shown(field), WIDTH / 2 - 3)).collect();
                let height = columns.iter().map(Vec::len).max().unwrap_or(0);
                for row in 0..height {
                    let cell = |column: &Vec<String>| column.get(row).cloned().unwrap_or_default();
                    let cells: Vec<String> = columns.iter().map(|column| pad(&cell(column), WIDTH / 2 - 2)).collect();
                    lines.push(cells.concat().trim_end().to_owned());
                }
            }
            lines.push(String::new());
            lines
        }
    }
}

/// A text object as it looks: bold and code marks gone, escapes read.
fn shown(text: &Value) -> String {
    let raw = text.get("text").and_then(Value::as_str).unwrap_or_default();
    if text.get("type").and_then(Value::as_str) == Some("plain_text") {
        return raw.to_owned();
    }
    let label = raw.split_once('\n').map(|(label, value)| format!("{}\n{value}", label.trim_matches('*')));
    let plain = label.unwrap_or_else(|| raw.to_owned()).replace('`', "");
    plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn line(out: &mut String, text: &str) {
    out.push_str(&format!("│ {} │\n", pad(text, WIDTH)));
}

fn pad(text: &str, width: usize) -> String {
    // Signs of the higher planes, and a few older ones, are two columns wide.
    let wide = |c: &char| *c >= '\u{1F300}' || matches!(c, '\u{2705}' | '\u{274C}' | '\u{23E9}'..='\u{23F3}');
    let missing = width.saturating_sub(text.chars().count() + text.chars().filter(wide).count());
    format!("{text}{}", " ".repeat(missing))
}

/// Breaks text into lines, between words where that is possible.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut current = String::new();
        for word in paragraph.split(' ') {
            let mut word: Vec<char> = word.chars().collect();
            if !current.is_empty() && current.chars().count() + 1 + word.len() > width {
                lines.push(std::mem::take(&mut current));
            }
            while word.len() > width {
                let rest = word.split_off(width);
                lines.push(word.into_iter().collect());
                word = rest;
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.extend(word);
        }
        lines.push(current);
    }
    lines
}
