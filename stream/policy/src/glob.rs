//! Matching a text with the tokens of a pattern, in bounded time.

use crate::pattern::Token;

/// Greedy matching with one step back to the last star: enough while every star takes any character.
pub(crate) fn matches_wild(tokens: &[Token], text: &str) -> bool {
    let (mut at, mut rest) = (0, text);
    let mut retry: Option<(usize, &str)> = None;
    loop {
        match tokens.get(at) {
            Some(Token::Run) => {
                at += 1;
                if at == tokens.len() {
                    return true;
                }
                retry = Some((at, rest));
                continue;
            }
            Some(token) => {
                if let Some(after) = step(token, rest) {
                    (at, rest) = (at + 1, after);
                    continue;
                }
            }
            None if rest.is_empty() => return true,
            None => {}
        }
        let Some((star, from)) = retry else { return false };
        let Some(next) = skip_one(from) else { return false };
        retry = Some((star, next));
        (at, rest) = (star, next);
    }
}

fn step<'t>(token: &Token, text: &'t str) -> Option<&'t str> {
    match token {
        Token::Literal(literal) => text.strip_prefix(&**literal),
        Token::One => skip_one(text),
        Token::OneInSegment => skip_one(text).filter(|_| !text.starts_with(':')),
        Token::Run | Token::RunInSegment | Token::Variable(_) => None,
    }
}

fn skip_one(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    text.get(first.len_utf8()..)
}

/// Matching with both kinds of star: one row of reachable token positions per position of the text.
/// `reached` holds, for each token, the text offsets still to be tried, so the work is bounded by
/// `tokens x text length`.
pub(crate) fn matches_segmented(tokens: &[Token], text: &str) -> bool {
    let mut reached = vec![false; text.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    let mut next = vec![false; text.len() + 1];
    for token in tokens {
        next.fill(false);
        advance(token, text, &reached, &mut next);
        std::mem::swap(&mut reached, &mut next);
    }
    reached.last().copied().unwrap_or(false)
}

/// Text offsets reachable after `token`, from the offsets reachable before it.
fn advance(token: &Token, text: &str, before: &[bool], after: &mut [bool]) {
    let bytes = text.as_bytes();
    let mut running = false;
    for (at, &here) in before.iter().enumerate() {
        match token {
            Token::Run | Token::RunInSegment => {
                if at > 0 && *token == Token::RunInSegment && bytes.get(at - 1) == Some(&b':') {
                    running = false;
                }
                running |= here;
                if let Some(cell) = after.get_mut(at) {
                    *cell = running;
                }
            }
            _ if here => {
                let rest = text.get(at..).unwrap_or_default();
                if let Some(left) = step(token, rest)
                    && let Some(cell) = after.get_mut(text.len() - left.len())
                {
                    *cell = true;
                }
            }
            _ => {}
        }
    }
}
