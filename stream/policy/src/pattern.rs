//! Patterns: the text with `*` and `?` that actions, resources and condition values are written in.
//!
//! A pattern is cut into [`Token`]s once, when the document is read. Everything later (matching a
//! name, comparing two documents) works on the tokens. Matching never takes more than
//! `pattern length x text length` steps, however many stars an attacker writes.

use std::borrow::Cow;

use crate::glob::{matches_segmented, matches_wild};

/// Longest pattern that is read, in bytes. IAM's own limit for an ARN is 2,048 characters.
pub const MAX_PATTERN_BYTES: usize = 4_096;

/// One piece of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Token {
    /// This text, exactly (already folded to lower case where the pattern ignores case).
    Literal(Box<str>),
    /// `?`: exactly one character.
    One,
    /// `?` inside one of the first five segments of an ARN: one character that is not a colon.
    OneInSegment,
    /// `*`: any run of characters, also none.
    Run,
    /// `*` inside one of the first five segments of an ARN, not ending it: a run without colons.
    RunInSegment,
    /// `${name}` or `${name, 'default'}`: the value of a key of the request.
    Variable(Variable),
}

/// A policy variable such as `${aws:username}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variable {
    /// Name of the context key, folded to lower case.
    pub name: Box<str>,
    /// Text used when the request has no such key.
    pub default: Option<Box<str>>,
}

/// How a pattern is matched: most are literals or prefixes and need no search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    Any,
    Literal,
    Prefix,
    Wild,
    Segmented,
    Variable,
}

/// A compiled pattern. Two patterns are equal when they accept the same texts token by token.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: Box<str>,
    tokens: Box<[Token]>,
    shape: Shape,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.tokens == other.tokens
    }
}

impl Eq for Pattern {}

impl std::hash::Hash for Pattern {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.tokens.hash(state);
    }
}

/// Which characters of the source have a meaning of their own.
#[derive(Debug, Clone, Copy)]
struct Reading {
    wildcards: bool,
    variables: bool,
    fold: bool,
}

impl Pattern {
    /// Pattern of an `Action` entry: case is ignored, `*` and `?` are live everywhere, also in the service.
    ///
    /// Names have exactly one colon, so matching the whole text is the same as matching service and
    /// name apart. The subject of [`matches`](Self::matches) must be folded to ASCII lower case.
    pub fn action(source: &str) -> Self {
        let reading = Reading { wildcards: true, variables: false, fold: true };
        Self::from_tokens(source, tokenize(source, reading))
    }

    /// Pattern of a `Resource` entry: an ARN matched segment by segment, completed with `*`.
    ///
    /// `variables` is false for documents of version 2008-10-17, where `${...}` is plain text.
    pub fn resource(source: &str, variables: bool) -> Self {
        let reading = Reading { wildcards: true, variables, fold: false };
        Self::from_tokens(source, segmented(source, reading, true))
    }

    /// Form of the ARNs of a resource type, all six segments written out: wildcards in the first five never
    /// leave their segment; nor do those of the sixth, unless names of this type may have `colons`.
    pub(crate) fn arn_form(source: &str, colons: bool) -> Self {
        let reading = Reading { wildcards: true, variables: true, fold: false };
        let mut tokens = Vec::new();
        for (position, segment) in split_arn(source, true).into_iter().enumerate() {
            let mut own = Vec::new();
            tokenize_into(&mut own, segment, reading, position < 5);
            if position > 0 {
                push(&mut tokens, Token::Literal(":".into()));
            }
            for token in own {
                let leaves = token == Token::Run && !(position == 5 && colons);
                push(&mut tokens, if leaves { Token::RunInSegment } else { token });
            }
        }
        Self::from_tokens(source, tokens)
    }

    /// Value of an ARN condition: segments as in [`resource`](Self::resource), but never completed.
    pub fn arn_value(source: &str, variables: bool) -> Self {
        let reading = Reading { wildcards: true, variables, fold: false };
        Self::from_tokens(source, segmented(source, reading, false))
    }

    /// Value of `StringLike`: `*` and `?` are live.
    pub fn like_value(source: &str, variables: bool) -> Self {
        let reading = Reading { wildcards: true, variables, fold: false };
        Self::from_tokens(source, tokenize(source, reading))
    }

    /// Value of `StringEquals`: wildcards are plain text, variables are not.
    pub fn exact_value(source: &str, variables: bool) -> Self {
        let reading = Reading { wildcards: false, variables, fold: false };
        Self::from_tokens(source, tokenize(source, reading))
    }

    /// Value of `StringEqualsIgnoreCase`. The subject must be folded to ASCII lower case.
    pub fn folded_value(source: &str, variables: bool) -> Self {
        let reading = Reading { wildcards: false, variables, fold: true };
        Self::from_tokens(source, tokenize(source, reading))
    }

    /// The pattern that accepts every text.
    pub fn any() -> Self {
        Self::from_tokens("*", vec![Token::Run])
    }

    /// The text as it stands in the document.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The pieces, adjacent literals and adjacent stars merged.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Accepts every text.
    pub fn is_any(&self) -> bool {
        self.shape == Shape::Any
    }

    /// `*` or `*:*`: accepts every action.
    pub(crate) fn is_every_action(&self) -> bool {
        match &*self.tokens {
            [Token::Run] => true,
            [Token::Run, Token::Literal(colon), Token::Run] => **colon == *":",
            _ => false,
        }
    }

    /// The one text this pattern accepts, when it has neither wildcard nor variable.
    pub fn as_literal(&self) -> Option<&str> {
        match (self.shape, self.tokens.first()) {
            (Shape::Literal, Some(Token::Literal(text))) => Some(text),
            (Shape::Literal, None) => Some(""),
            _ => None,
        }
    }

    /// The literal part, when the pattern is one literal followed by one star.
    pub fn as_prefix(&self) -> Option<&str> {
        match (self.shape, self.tokens.first()) {
            (Shape::Prefix, Some(Token::Literal(text))) => Some(text),
            _ => None,
        }
    }

    /// The service segment, when the pattern is a whole ARN (six segments) that fixes it.
    pub(crate) fn arn_service(&self) -> Option<&str> {
        let mut segments = self.source.split(':');
        let service = segments.by_ref().nth(2)?;
        let fixed = !service.is_empty() && !service.contains(['*', '?', '$']);
        (fixed && segments.nth(2).is_some()).then_some(service)
    }

    /// The text every match begins with.
    pub(crate) fn leading_text(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Literal(text)) => text,
            _ => "",
        }
    }

    /// True when the fixed beginnings of the two tell that no text matches both.
    pub(crate) fn starts_apart(&self, other: &Self) -> bool {
        let (own, other) = (self.leading_text(), other.leading_text());
        !own.starts_with(other) && !other.starts_with(own)
    }

    /// True when the pattern contains a policy variable.
    pub fn has_variable(&self) -> bool {
        self.shape == Shape::Variable
    }

    /// The variables in the pattern, in order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Variable(variable) => Some(variable),
            _ => None,
        })
    }

    /// Whether the text is accepted. A pattern with a variable accepts nothing here: see [`bind`](Self::bind).
    pub fn matches(&self, text: &str) -> bool {
        match self.shape {
            Shape::Any => true,
            Shape::Literal => self.as_literal() == Some(text),
            Shape::Prefix => self.as_prefix().is_some_and(|prefix| text.starts_with(prefix)),
            Shape::Wild => matches_wild(&self.tokens, text),
            Shape::Segmented => matches_segmented(&self.tokens, text),
            Shape::Variable => false,
        }
    }

    /// The pattern with every variable replaced by `value_of(name)`; `None` when one has no value,
    /// and then the entry matches nothing. Replaced text is literal: a `*` in it is a star character.
    pub fn bind<'v>(&self, mut value_of: impl FnMut(&str) -> Option<Cow<'v, str>>) -> Option<Self> {
        let mut tokens = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            match token {
                Token::Variable(variable) => {
                    let value = match value_of(&variable.name) {
                        Some(value) => value,
                        None => Cow::Owned(variable.default.as_deref()?.to_owned()),
                    };
                    push(&mut tokens, Token::Literal(value.into_owned().into_boxed_str()));
                }
                other => push(&mut tokens, other.clone()),
            }
        }
        Some(Self::from_tokens(&self.source, tokens))
    }

    /// The pattern with every variable replaced by the given token.
    pub(crate) fn with_variables_as(&self, mut replacement: impl FnMut(&Variable) -> Token) -> Self {
        let mut tokens = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            match token {
                Token::Variable(variable) => push(&mut tokens, replacement(variable)),
                other => push(&mut tokens, other.clone()),
            }
        }
        Self::from_tokens(&self.source, tokens)
    }

    fn from_tokens(source: &str, tokens: Vec<Token>) -> Self {
        let tokens = tokens.into_boxed_slice();
        Self { source: source.into(), shape: shape_of(&tokens), tokens }
    }
}

fn shape_of(tokens: &[Token]) -> Shape {
    match tokens {
        [] | [Token::Literal(_)] => return Shape::Literal,
        [Token::Run] => return Shape::Any,
        [Token::Literal(_), Token::Run] => return Shape::Prefix,
        _ => {}
    }
    if tokens.iter().any(|token| matches!(token, Token::Variable(_))) {
        Shape::Variable
    } else if tokens.iter().any(|t| matches!(t, Token::OneInSegment | Token::RunInSegment)) {
        Shape::Segmented
    } else {
        Shape::Wild
    }
}

/// Adds a token; adjacent literals and adjacent stars of one kind become one.
fn push(tokens: &mut Vec<Token>, token: Token) {
    match (tokens.last_mut(), token) {
        (_, Token::Literal(new)) if new.is_empty() => {}
        (Some(Token::Literal(old)), Token::Literal(new)) => {
            let mut joined = std::mem::take(old).into_string();
            joined.push_str(&new);
            *old = joined.into_boxed_str();
        }
        (Some(Token::Run), Token::Run | Token::RunInSegment) | (Some(Token::RunInSegment), Token::RunInSegment) => {}
        (Some(last @ Token::RunInSegment), Token::Run) => *last = Token::Run,
        (_, token) => tokens.push(token),
    }
}

fn tokenize(source: &str, reading: Reading) -> Vec<Token> {
    let mut tokens = Vec::new();
    tokenize_into(&mut tokens, source, reading, false);
    tokens
}

/// Reads one ARN segment, or a whole text, and adds its tokens. In a segment, wildcards stop at
/// colons; a star that ends the segment may run over them.
fn tokenize_into(tokens: &mut Vec<Token>, source: &str, reading: Reading, in_segment: bool) {
    let mut literal = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if reading.variables
            && let Some((token, after)) = variable_at(rest)
        {
            flush(tokens, &mut literal, reading.fold);
            push(tokens, token);
            rest = after;
            continue;
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
        match first {
            '*' if reading.wildcards => {
                flush(tokens, &mut literal, reading.fold);
                let crosses = !in_segment || rest.is_empty();
                push(tokens, if crosses { Token::Run } else { Token::RunInSegment });
            }
            '?' if reading.wildcards => {
                flush(tokens, &mut literal, reading.fold);
                push(tokens, if in_segment { Token::OneInSegment } else { Token::One });
            }
            other => literal.push(other),
        }
    }
    flush(tokens, &mut literal, reading.fold);
}

fn flush(tokens: &mut Vec<Token>, literal: &mut String, fold: bool) {
    if fold {
        literal.make_ascii_lowercase();
    }
    push(tokens, Token::Literal(std::mem::take(literal).into_boxed_str()));
}

/// A variable (or one of the three escapes) at the start of the text, and what follows it.
fn variable_at(text: &str) -> Option<(Token, &str)> {
    let (inside, after) = text.strip_prefix("${")?.split_once('}')?;
    if matches!(inside, "*" | "?" | "$") {
        return Some((Token::Literal(inside.into()), after));
    }
    let (name, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((name, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|d| d.strip_suffix('\''));
            (name, Some(quoted.unwrap_or_else(|| default.trim()).into()))
        }
    };
    let name = name.trim().to_ascii_lowercase().into_boxed_str();
    Some((Token::Variable(Variable { name, default }), after))
}

/// Cuts an ARN at its first five colons (colons inside `${...}` do not count) and reads each segment.
fn segmented(source: &str, reading: Reading, complete: bool) -> Vec<Token> {
    let segments = split_arn(source, reading.variables);
    let is_arn = segments.first().is_some_and(|first| *first == "arn" || first.contains('*'));
    if source == "*" || !is_arn || segments.len() == 1 {
        return tokenize(source, reading);
    }
    let mut tokens = Vec::new();
    let last = segments.len() - 1;
    for (position, segment) in segments.iter().enumerate() {
        if position > 0 {
            push(&mut tokens, Token::Literal(":".into()));
        }
        // The sixth segment is the resource itself: a colon in it is an ordinary character.
        tokenize_into(&mut tokens, segment, reading, position < 5);
        if position == last && last < 5 && complete {
            for _ in last..5 {
                push(&mut tokens, Token::Literal(":".into()));
                push(&mut tokens, Token::Run);
            }
        }
    }
    tokens
}

fn split_arn(source: &str, variables: bool) -> Vec<&str> {
    let mut segments = Vec::with_capacity(6);
    let (mut start, mut depth) = (0, 0_u32);
    let mut previous = ' ';
    for (at, letter) in source.char_indices() {
        match letter {
            '{' if variables && previous == '$' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ':' if depth == 0 && segments.len() < 5 => {
                segments.push(source.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        previous = letter;
    }
    segments.push(source.get(start..).unwrap_or_default());
    segments
}
