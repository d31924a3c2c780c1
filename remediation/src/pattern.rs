//! Patterns of the configuration: a part of the text, or with `*` the whole text; case does not matter.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// Lower case, split at `*`.
    parts: Vec<String>,
    is_whole: bool,
}

impl Pattern {
    /// A pattern that matches anywhere, unless it has a `*`: then it must match the whole text.
    pub fn part(text: &str) -> Result<Pattern, String> {
        let is_whole = text.contains('*');
        Pattern::new(text, is_whole)
    }

    /// A pattern that must match the whole text.
    pub fn whole(text: &str) -> Result<Pattern, String> {
        Pattern::new(text, true)
    }

    fn new(text: &str, is_whole: bool) -> Result<Pattern, String> {
        if text.trim().is_empty() {
            return Err("an entry is empty; it would match everything".to_owned());
        }
        // None of these can be in an ARN; who writes them means something that would silently never match.
        if text.contains(['^', '$', '(', ')', '[', ']', '{', '}', '|', '\\']) || text.contains(".*") {
            return Err(format!("{text:?} looks like a regular expression; write * for any text"));
        }
        let parts = text.to_lowercase().split('*').map(str::to_owned).collect();
        Ok(Pattern { text: text.to_owned(), parts, is_whole })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let (Some(first), Some(last)) = (self.parts.first(), self.parts.last()) else { return false };
        if !self.is_whole {
            return text.contains(first.as_str());
        }
        if self.parts.len() == 1 {
            return text == *first;
        }
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for part in self.parts.iter().skip(1).take(self.parts.len().saturating_sub(2)) {
            match rest.split_once(part.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_pattern_matches_a_part_and_one_with_a_star_the_whole() {
        for (pattern, text, matches) in [
            ("break-glass", "arn:aws:iam::1:user/Break-Glass-1", true),
            ("break-glass", "arn:aws:iam::1:user/breakglass", false),
            ("*break-glass", "arn:aws:iam::1:user/break-glass", true),
            ("*break-glass", "arn:aws:iam::1:user/break-glass-1", false),
            ("arn:*:user/a*z", "arn:aws:iam::1:user/abcz", true),
            ("arn:*:user/a*z", "arn:aws:iam::1:user/abc", false),
            ("a*a", "a", false),
            ("a*b*c", "a-c-b-c", true),
            ("a*b*c", "a-c-c", false),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::part(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_whole_pattern_without_a_star_is_the_text_itself() {
        let pattern = Pattern::whole("111111111111").unwrap();
        assert!(pattern.matches("111111111111") && !pattern.matches("1111111111112"));
    }
}
