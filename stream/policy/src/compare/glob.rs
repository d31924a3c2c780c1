//! Patterns of a document as the automaton reads them, and the quick answers that need no automaton.

use std::borrow::Cow;

use crate::automaton::{Step, covers};
use crate::document::Statement;
use crate::pattern::{Pattern, Token, Variable};
use crate::{Scope, automaton};

/// Text that stands for "anything else" in a witness. No pattern is expected to name it; if one does, the
/// comparison notices and asks the automaton.
const ANYTHING: &str = "anything";

/// Pairs of steps that take as long as one pair of simple patterns.
const STEPS_PER_UNIT: u64 = 4;

/// Actions or resources: the two dimensions made of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Action,
    Resource,
}

/// Requests name one service and one action in it.
const ACTION_FORM: [Step; 5] =
    [Step::AnyInSegment, Step::RunInSegment, Step::One(':'), Step::AnyInSegment, Step::RunInSegment];
/// Requests name some resource.
const RESOURCE_FORM: [Step; 2] = [Step::Any, Step::Run];

impl Dimension {
    /// This dimension of a statement.
    pub(super) fn of(self, statement: &Statement) -> &Scope<Pattern> {
        match self {
            Dimension::Action => &statement.actions,
            Dimension::Resource => &statement.resources,
        }
    }

    /// What every text of this dimension looks like.
    pub(super) fn form(self) -> &'static [Step] {
        match self {
            Dimension::Action => &ACTION_FORM,
            Dimension::Resource => &RESOURCE_FORM,
        }
    }

    /// Whether a pattern takes every text of this dimension.
    pub(super) fn is_everything(self, pattern: &Pattern) -> bool {
        pattern.is_any() || (self == Dimension::Action && pattern.is_every_action())
    }

    /// Writes a text that matches the pattern, and as few others as possible. False when no request can match.
    pub(super) fn specimen(self, pattern: &Pattern, names: &mut Vec<Variable>, text: &mut String) -> bool {
        text.clear();
        let mut colon_wanted = false;
        if self == Dimension::Action {
            let colons = pattern.tokens().iter().map(|token| match token {
                Token::Literal(literal) => literal.matches(':').count(),
                _ => 0,
            });
            match colons.sum() {
                0 => colon_wanted = true,
                1 => {}
                _ => return false,
            }
        } else if pattern.is_any() {
            // Only a grant on everything covers requests that name no resource.
            text.push('*');
            return true;
        }
        for token in pattern.tokens() {
            match token {
                Token::Literal(literal) => text.push_str(literal),
                Token::One | Token::OneInSegment => text.push('x'),
                Token::Run | Token::RunInSegment => {
                    text.push_str(ANYTHING);
                    if std::mem::take(&mut colon_wanted) {
                        text.push(':');
                        text.push_str(ANYTHING);
                    }
                }
                Token::Variable(variable) => text.extend(placeholder(variable, names)),
            }
        }
        !colon_wanted
    }
}

/// Number of a variable in this comparison.
fn number_of(variable: &Variable, names: &mut Vec<Variable>) -> u16 {
    let known = names.iter().position(|name| name == variable);
    let number = known.unwrap_or_else(|| {
        names.push(variable.clone());
        names.len() - 1
    });
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// The character that stands for the value of a variable in the texts of this comparison: the same for every
/// variable of one name, whatever its default.
fn placeholder(variable: &Variable, names: &mut Vec<Variable>) -> Option<char> {
    let own = number_of(variable, names);
    let first = names.iter().position(|name| name.name == variable.name);
    automaton::placeholder(first.and_then(|first| u16::try_from(first).ok()).unwrap_or(own))
}

/// Whether a pattern with variables matches a text in which placeholders stand for their values.
pub(super) fn matches_placeholders(pattern: &Pattern, text: &str, names: &mut Vec<Variable>) -> bool {
    for variable in pattern.variables() {
        number_of(variable, names);
    }
    let value = |name: &str| {
        let number = names.iter().position(|known| &*known.name == name)?;
        let letter = automaton::placeholder(u16::try_from(number).ok()?)?;
        Some(Cow::Owned(letter.to_string()))
    };
    pattern.bind(value).is_some_and(|bound| bound.matches(text))
}

/// Adds the steps of a pattern.
pub(super) fn steps_of(pattern: &Pattern, fold: bool, names: &mut Vec<Variable>, steps: &mut Vec<Step>) {
    for token in pattern.tokens() {
        match token {
            Token::Literal(literal) if fold => {
                let fold =
                    |letter: char| if letter.is_ascii_lowercase() { Step::Fold(letter) } else { Step::One(letter) };
                steps.extend(literal.chars().map(fold));
            }
            Token::Literal(literal) => steps.extend(literal.chars().map(Step::One)),
            Token::One => steps.push(Step::Any),
            Token::OneInSegment => steps.push(Step::AnyInSegment),
            Token::Run => steps.push(Step::Run),
            Token::RunInSegment => steps.push(Step::RunInSegment),
            Token::Variable(variable) => steps.push(Step::Variable(number_of(variable, names))),
        }
    }
}

/// Two buffers for the slow part of [`covers_pattern`].
#[derive(Debug, Default)]
pub(super) struct Scratch {
    outer: Vec<Step>,
    inner: Vec<Step>,
    /// What long patterns cost beyond the pair they are counted as, in the same unit.
    pub(super) work: u64,
    /// The variables met in this comparison; their index is their number.
    pub(super) names: Vec<Variable>,
}

/// True when every text `inner` matches is matched by `outer`. Never wrongly true; exact unless `outer`
/// has one-character wildcards.
pub(super) fn covers_pattern(outer: &Pattern, inner: &Pattern, scratch: &mut Scratch) -> bool {
    if outer.is_any() {
        return true;
    }
    if let Some(text) = outer.as_literal() {
        return inner.as_literal() == Some(text);
    }
    let head = inner.leading_text();
    if let Some(prefix) = outer.as_prefix() {
        return head.starts_with(prefix);
    }
    if !head.starts_with(outer.leading_text()) {
        return false;
    }
    if outer == inner {
        return true;
    }
    scratch.outer.clear();
    scratch.inner.clear();
    steps_of(outer, false, &mut scratch.names, &mut scratch.outer);
    steps_of(inner, false, &mut scratch.names, &mut scratch.inner);
    scratch.work += (scratch.outer.len() * scratch.inner.len()) as u64 / STEPS_PER_UNIT;
    covers(&scratch.outer, &scratch.inner)
}

/// True when some text may match both. Variables count as wildcards.
pub(super) fn overlaps(a: &Pattern, b: &Pattern, scratch: &mut Scratch) -> bool {
    if a.starts_apart(b) {
        return false;
    }
    if let Some(text) = a.as_literal() {
        return b.has_variable() || b.matches(text);
    }
    if let Some(text) = b.as_literal() {
        return a.has_variable() || a.matches(text);
    }
    if a.as_prefix().is_some() && b.as_prefix().is_some() {
        return true;
    }
    scratch.outer.clear();
    scratch.inner.clear();
    steps_of(a, false, &mut scratch.names, &mut scratch.outer);
    steps_of(b, false, &mut scratch.names, &mut scratch.inner);
    scratch.work += (scratch.outer.len() * scratch.inner.len()) as u64 / STEPS_PER_UNIT;
    automaton::overlaps(&scratch.outer, &scratch.inner)
}
