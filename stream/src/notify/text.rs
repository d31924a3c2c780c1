//! Text that strangers chose, made safe to show: an attacker names users, roles, sessions and programs as he likes.
//!
//! Nothing is dropped quietly. A character that a reader cannot see, or that turns the line around, is written as its
//! code (`[U+202E]`), and what is cut says how much is missing.

/// What stands for a value that is not known.
pub const UNKNOWN: &str = "unknown";

/// `text` on one line with nothing invisible in it, at most `max` characters long.
///
/// Control characters, line breaks, direction marks, zero-width characters and tags become their code.
pub fn visible(text: &str, max: usize) -> String {
    cut(text, max, |c, out| {
        if schemas::is_deceptive(c) {
            out.push_str(&format!("[U+{:04X}]", u32::from(c)));
        } else {
            out.push(c);
        }
    })
}

/// [`visible`], then in printable ASCII only: everything else becomes `?`.
pub fn ascii(text: &str, max: usize) -> String {
    let shown = visible(text, max);
    let plain: String = shown.chars().map(|c| if c == '…' { '~' } else { c }).collect();
    plain.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// [`visible`] with the three characters escaped that Slack reads as markup of links and mentions.
/// Source: docs.slack.dev, "Formatting message text", escaping text. The limit counts what is sent.
pub fn slack(text: &str, max: usize) -> String {
    let shown = visible(text, max);
    cut(&shown, max, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    })
}

/// [`slack`] as inline code, where neither `*bold*` nor `:emoji:` is read. A back quote would end it and is replaced.
pub fn code(text: &str, max: usize) -> String {
    let inner = slack(text, max.saturating_sub(2)).replace('`', "ˋ");
    let inner = if inner.trim().is_empty() { "(empty)".to_owned() } else { inner };
    format!("`{inner}`")
}

/// Writes each character with `write` until the result would be longer than `max`, and then says how much is left out.
fn cut(text: &str, max: usize, write: impl Fn(char, &mut String)) -> String {
    /// Room for the sentence that says how much is missing: `… (+4294967295 more)`.
    const TAIL: usize = 20;
    let mut out = String::new();
    let mut length = 0;
    let mut shown_at_tail = (0, 0);
    let mut piece = String::new();
    for (index, c) in text.chars().enumerate() {
        piece.clear();
        write(c, &mut piece);
        let grown = length + piece.chars().count();
        if grown > max {
            let (bytes, shown) = shown_at_tail;
            out.truncate(bytes);
            let left = text.chars().count() - shown;
            let tail = format!("… (+{left} more)");
            out.extend(tail.chars().take(max));
            return out;
        }
        out.push_str(&piece);
        length = grown;
        if length + TAIL <= max {
            shown_at_tail = (out.len(), index + 1);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_at_the_limit_is_whole_and_one_more_says_what_is_missing() {
        assert_eq!(visible(&"a".repeat(40), 40), "a".repeat(40));
        assert_eq!(visible(&"a".repeat(41), 40), format!("{}… (+21 more)", "a".repeat(20)));
        assert_eq!(visible(&"a".repeat(10_000), 5), "… (+1");
    }

    #[test]
    fn what_cannot_be_seen_is_written_as_its_code() {
        assert_eq!(visible("ad\u{202E}nim\u{200B}\r\n", 80), "ad[U+202E]nim[U+200B][U+000D][U+000A]");
        assert_eq!(visible("Zoë 管理者", 80), "Zoë 管理者");
    }

    #[test]
    fn slack_sees_no_markup() {
        assert_eq!(slack("<!channel> & <@U1|x>", 80), "&lt;!channel&gt; &amp; &lt;@U1|x&gt;");
        assert_eq!(code("`*a*`", 80), "`ˋ*a*ˋ`");
        assert_eq!(code("", 80), "`(empty)`");
    }

    #[test]
    fn an_escape_is_never_cut_in_half() {
        for max in 0..60 {
            let out = slack(&"<&>".repeat(30), max);
            assert!(out.chars().count() <= max, "{max} {out}");
            for part in out.split('&').skip(1) {
                let whole = ["amp;", "lt;", "gt;"].iter().any(|name| part.starts_with(name));
                assert!(whole, "{max} {out}");
            }
        }
    }
}
