//! JSON that is safe to look at on a terminal.

use serde::Serialize;

use schemas::is_deceptive;

/// The value as indented JSON with a line feed at its end.
///
/// Characters that act on a terminal and that JSON would leave as they are become `\u` escapes; a parser gives them back.
pub(crate) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let raw = serde_json::to_string_pretty(value)?;
    let mut text = String::with_capacity(raw.len() + 1);
    for c in raw.chars() {
        // Control characters below U+0020 are escaped by the writer already; its own line feeds stay.
        if c != '\n' && is_deceptive(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_comes_back_from_a_parser() {
        let name = "a\u{1b}[2J\u{9b}\u{202e}\u{e0041}\n\"é";
        let text = json(&name).unwrap();
        assert_eq!(text, "\"a\\u001b[2J\\u009b\\u202e\\udb40\\udc41\\n\\\"é\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}
