//! Finds a text that some patterns accept and others do not: the witness of a grant.
//!
//! Plausible examples are tried first, because people read them; the automaton decides what they leave open.

use std::ops::ControlFlow;

use crate::automaton::{Automaton, Budget, Explored, Step};
use crate::pattern::{Pattern, Token, Variable};

/// Patterns one search runs side by side; with more the answer is [`Search::GaveUp`].
const MAX_PATTERNS: usize = 256;

/// Work that one set question may do on one document.
pub(crate) struct Effort {
    automaton: Automaton,
    budget: Budget,
    matches_left: u32,
}

/// Single pattern matches one question may make against the Denies of a document.
const MAX_MATCHES: u32 = 500_000;

impl Default for Effort {
    fn default() -> Self {
        Self { automaton: Automaton::default(), budget: Budget::default(), matches_left: MAX_MATCHES }
    }
}

impl Effort {
    /// Takes some matches; false when the question has used up its share.
    pub(crate) fn take(&mut self, matches: usize) -> bool {
        let taken = u32::try_from(matches).ok().and_then(|taken| self.matches_left.checked_sub(taken));
        self.matches_left = taken.unwrap_or(0);
        taken.is_some()
    }

    /// Looks for a text that the first `required` patterns accept and that `fits`, told which of all patterns
    /// accept it. `fits` may be called several times, with a shortest text for each combination.
    pub(crate) fn search(
        &mut self,
        patterns: &[Vec<Step>],
        required: usize,
        mut fits: impl FnMut(&dyn Fn(usize) -> bool, &dyn Fn() -> String) -> bool,
    ) -> Search {
        if patterns.len() > MAX_PATTERNS {
            return Search::GaveUp;
        }
        let patterns: Vec<&[Step]> = patterns.iter().map(Vec::as_slice).collect();
        let mut found = None;
        let explored = self.automaton.explore(&patterns, required, &mut self.budget, &mut |state| {
            if fits(&|pattern| state.matches(pattern), &|| state.text()) {
                found = Some(state.text());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match (found, explored) {
            (Some(text), _) => Search::Found(text),
            (None, Explored::Capped) => Search::GaveUp,
            (None, _) => Search::Nothing,
        }
    }
}

/// Outcome of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Search {
    /// This text.
    Found(String),
    /// There is none.
    Nothing,
    /// The limits ended the search.
    GaveUp,
}

/// The pattern as the automaton reads it. A variable stands for its own text, which nothing else equals.
pub(crate) fn steps(pattern: &Pattern) -> Vec<Step> {
    let mut steps = Vec::new();
    for token in pattern.tokens() {
        match token {
            Token::Literal(text) => steps.extend(text.chars().map(Step::One)),
            Token::One => steps.push(Step::Any),
            Token::OneInSegment => steps.push(Step::AnyInSegment),
            Token::Run => steps.push(Step::Run),
            Token::RunInSegment => steps.push(Step::RunInSegment),
            Token::Variable(variable) => steps.extend(own_text(variable).chars().map(Step::One)),
        }
    }
    steps
}

/// Written for the colon in the name of a variable, so that it does not end a segment of an ARN.
const INNER_COLON: char = '\u{A789}';

/// The text that stands for the value of a variable: nothing else equals it.
pub(crate) fn own_text(variable: &Variable) -> String {
    format!("${{{}}}", variable.name.replace(':', INNER_COLON.encode_utf8(&mut [0; 4])))
}

/// A witness as people know it: variables as IAM writes them.
pub(crate) fn for_people(text: &str) -> String {
    text.replace(INNER_COLON, ":")
}

/// Account number used in examples; AWS uses it in its own.
const ACCOUNT: &str = "111122223333";

/// A text the pattern accepts and a person recognises: `arn:*:iam::*:role/*` gives
/// `arn:aws:iam::111122223333:role/example`.
pub(crate) fn example(pattern: &Pattern) -> String {
    let mut text = String::new();
    let mut tokens = pattern.tokens().iter().peekable();
    while let Some(token) = tokens.next() {
        let wild = match token {
            Token::Literal(literal) => {
                text.push_str(literal);
                continue;
            }
            Token::Variable(variable) => {
                text.push_str(&own_text(variable));
                continue;
            }
            wild => wild,
        };
        if matches!(wild, Token::One | Token::OneInSegment) {
            text.push(if in_account(&text) { '1' } else { 'x' });
            continue;
        }
        // A star beside other text of its segment adds nothing; alone it needs a likely value.
        let alone = text.is_empty() || text.ends_with([':', '/']);
        let last = tokens.peek().is_none();
        match (alone, text.starts_with("arn:"), text.matches(':').count()) {
            (true, true, 1) => text.push_str("aws"),
            (true, true, 3) => text.push_str("us-east-1"),
            (true, true, 4) => text.push_str(ACCOUNT),
            (true, _, _) if text.is_empty() && !last => text.push_str("arn"),
            (true, _, _) | (false, _, _) if alone || last => text.push_str("example"),
            _ => {}
        }
    }
    text
}

fn in_account(text: &str) -> bool {
    text.starts_with("arn:") && text.matches(':').count() == 4
}

/// An action the pattern accepts: `s3:Get*` gives `s3:getexample`.
pub(crate) fn example_action(pattern: &Pattern) -> String {
    let mut text = String::new();
    for token in pattern.tokens() {
        match token {
            Token::Literal(literal) => text.push_str(literal),
            Token::One | Token::OneInSegment => text.push('x'),
            _ => text.push_str("example"),
        }
    }
    if !text.contains(':') {
        text.push_str(":example");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{example, example_action};
    use crate::pattern::Pattern;

    #[test]
    fn examples_match_their_pattern_and_look_real() {
        let cases = [
            ("arn:*:iam::*:role/*", "arn:aws:iam::111122223333:role/example"),
            ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/example"),
            ("arn:aws:lambda:*:*:function:*", "arn:aws:lambda:us-east-1:111122223333:function:example"),
            ("arn:aws:iam::????????????:user/ops-*", "arn:aws:iam::111111111111:user/ops-example"),
            ("arn:aws:iam::*", "arn:aws:iam::111122223333:example"),
            ("*", "example"),
        ];
        for (source, expected) in cases {
            let pattern = Pattern::resource(source, true);
            assert_eq!(example(&pattern), expected);
            assert!(pattern.matches(expected), "{source}");
        }
        assert_eq!(example_action(&Pattern::action("s3:Get*")), "s3:getexample");
        assert_eq!(example_action(&Pattern::action("*")), "example:example");
    }
}
