//! Makes text from outside safe to show.
//!
//! Names of users, roles and policies are chosen by whoever can call IAM, an intruder included. A control character
//! in a name could move the cursor or recolour the terminal, and a bidirectional override could show another name than
//! the one stored. Here such characters become visible escapes such as `\n` or `\u{202e}`.

use std::borrow::Cow;

use schemas::is_deceptive;
use unicode_width::UnicodeWidthChar;

/// Characters kept for each cell of width: marks that combine have no width, and a name may hold thousands of them.
const CHARS_PER_CELL: usize = 4;

/// The text with every character that is not plainly visible written as an escape.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::with_capacity(text.len() + 16), |mut out, c| {
        if is_deceptive(c) {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    });
    Cow::Owned(escaped)
}

/// Width of the text on a terminal, in cells.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text made plain and cut to at most `cells`, the cut shown by `…`.
pub(crate) fn fit(text: &str, cells: usize) -> String {
    let mut whole = String::new();
    let mut cut = 0;
    let mut used = 0;
    let most = cells.saturating_mul(CHARS_PER_CELL);
    for (count, c) in text.chars().enumerate() {
        // One character at a time: a name may be megabytes long, and only its start is looked at.
        let piece = if is_deceptive(c) { c.escape_default().collect() } else { String::from(c) };
        used += width(&piece);
        if used > cells || count >= most {
            whole.truncate(cut);
            whole.push('…');
            return whole;
        }
        whole.push_str(&piece);
        if used < cells {
            cut = whole.len();
        }
    }
    whole
}

/// The text made plain and broken into at most `lines` lines of at most `cells`, at spaces where there are any.
pub(crate) fn wrap(text: &str, cells: usize, lines: usize) -> Vec<String> {
    // Room for every line plus the word that may run over.
    let text = fit(text, cells.saturating_mul(lines + 1));
    let mut wrapped = vec![String::new()];
    for word in text.split(' ') {
        for piece in pieces(word, cells) {
            let Some(line) = wrapped.last_mut() else { break };
            if line.is_empty() {
                line.push_str(&piece);
            } else if width(line) + 1 + width(&piece) <= cells {
                line.push(' ');
                line.push_str(&piece);
            } else {
                wrapped.push(piece);
            }
        }
    }
    if wrapped.len() > lines {
        let rest = wrapped.split_off(lines.saturating_sub(1)).join(" ");
        wrapped.push(fit(&rest, cells));
    }
    wrapped
}

/// A word broken into pieces no wider than a line.
fn pieces(word: &str, cells: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in word.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > cells {
            pieces.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_act_on_a_terminal_become_visible() {
        assert_eq!(plain("a\u{1b}[31mred"), "a\\u{1b}[31mred");
        assert_eq!(plain("two\nlines\r"), "two\\nlines\\r");
        assert_eq!(
            plain("\u{9b}2J \u{202e}gpj.exe \u{2066}x\u{200d}"),
            "\\u{9b}2J \\u{202e}gpj.exe \\u{2066}x\\u{200d}"
        );
        assert_eq!(plain("Zoë 東京 שלום"), "Zoë 東京 שלום");
    }

    #[test]
    fn a_text_is_cut_by_cells_and_the_cut_is_shown() {
        assert_eq!(fit("exact", 5), "exact");
        assert_eq!(fit("longer", 5), "long…");
        assert_eq!(fit("東京都", 5), "東京…");
        assert_eq!(width(&fit("東京都", 4)), 3);
        assert_eq!(fit("ab\n", 3), "ab…");
    }

    #[test]
    fn thousands_of_combining_marks_do_not_make_a_long_line() {
        let zalgo = format!("a{}", "\u{301}".repeat(10_000));
        assert!(fit(&zalgo, 10).chars().count() <= 41);
    }

    #[test]
    fn wrapped_lines_are_never_wider_or_more_than_asked() {
        let text = format!("one two {} three", "x".repeat(500));
        for cells in [2, 7, 40] {
            for lines in [1, 3] {
                let wrapped = wrap(&text, cells, lines);
                assert!(wrapped.len() <= lines, "{cells} {lines} {wrapped:?}");
                assert!(wrapped.iter().all(|line| width(line) <= cells), "{cells} {lines} {wrapped:?}");
            }
        }
        assert_eq!(wrap("a short sentence", 9, 3), ["a short", "sentence"]);
    }
}
