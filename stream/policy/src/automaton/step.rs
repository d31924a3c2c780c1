//! Wildcard patterns as lists of steps, and what can be said of two patterns without an automaton.

/// First character of the private use area that stands for values nobody knows, such as `${aws:username}`.
const FIRST_PRIVATE: u32 = 0xF_0000;

/// One element of a wildcard pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// This character.
    One(char),
    /// This letter, given in lower case, in either ASCII case.
    Fold(char),
    /// Any one character.
    Any,
    /// Any one character but a colon.
    AnyInSegment,
    /// Any text, also none.
    Run,
    /// Any text without a colon, also none.
    RunInSegment,
    /// A text fixed by the request and unknown here: the value of the policy variable with this number.
    Variable(u16),
}

impl Step {
    pub(super) fn is_run(self) -> bool {
        matches!(self, Step::Run | Step::RunInSegment)
    }

    /// The character that stands for this step in a state machine over characters, if it names one.
    pub(super) fn named(self) -> Option<char> {
        match self {
            Step::One(letter) | Step::Fold(letter) => Some(letter),
            Step::Variable(number) => placeholder(number),
            _ => None,
        }
    }

    /// Whether this step takes `letter`; `None` is a letter that no pattern names.
    pub(super) fn takes(self, letter: Option<char>) -> bool {
        match self {
            Step::One(_) | Step::Variable(_) => letter.is_some() && self.named() == letter,
            Step::Fold(own) => letter.is_some_and(|letter| letter.to_ascii_lowercase() == own),
            Step::Any | Step::Run => true,
            Step::AnyInSegment | Step::RunInSegment => letter != Some(':'),
        }
    }

    /// Whether every text that `other` can stand for is taken by this one step, repeated if it is a run.
    fn absorbs(self, other: Step) -> bool {
        match (self, other) {
            (Step::Run, _) => true,
            (_, Step::Run) | (Step::RunInSegment, Step::Variable(_)) => false,
            (Step::RunInSegment, Step::One(letter)) => letter != ':',
            (Step::RunInSegment, other) => other != Step::Any,
            (_, Step::RunInSegment) => false,
            (Step::Any, other) => !matches!(other, Step::Variable(_)),
            (Step::AnyInSegment, Step::One(letter)) => letter != ':',
            (Step::AnyInSegment, other) => matches!(other, Step::Fold(_) | Step::AnyInSegment),
            (Step::Fold(own), Step::One(letter)) => own == letter.to_ascii_lowercase(),
            (own, other) => own == other,
        }
    }
}

/// The character that stands for the value of the variable with this number.
pub(crate) fn placeholder(number: u16) -> Option<char> {
    char::from_u32(FIRST_PRIVATE + u32::from(number))
}

/// The number of the variable that a character stands for.
pub(crate) fn variable_number(letter: char) -> Option<u16> {
    u32::from(letter).checked_sub(FIRST_PRIVATE).and_then(|number| u16::try_from(number).ok())
}

/// True when every text `inner` matches is matched by `outer` too, judged step by step.
///
/// Exact when `outer` has no one-character wildcard; else it may say no for a pattern that is covered.
pub(crate) fn covers(outer: &[Step], inner: &[Step]) -> bool {
    let mut live = vec![false; outer.len() + 1];
    if let Some(first) = live.first_mut() {
        *first = true;
    }
    let mut next = vec![false; outer.len() + 1];
    skip_runs(outer, &mut live);
    for &step in inner {
        next.fill(false);
        for (position, &own) in outer.iter().enumerate() {
            if live.get(position) == Some(&true) && own.absorbs(step) {
                let target = if own.is_run() { position } else { position + 1 };
                if let Some(slot) = next.get_mut(target) {
                    *slot = true;
                }
            }
        }
        skip_runs(outer, &mut next);
        std::mem::swap(&mut live, &mut next);
    }
    live.last() == Some(&true)
}

/// A run may match nothing: whoever stands before it stands behind it too.
fn skip_runs(pattern: &[Step], live: &mut [bool]) {
    for (position, step) in pattern.iter().enumerate() {
        if step.is_run()
            && live.get(position) == Some(&true)
            && let Some(slot) = live.get_mut(position + 1)
        {
            *slot = true;
        }
    }
}

/// True when some text may match both patterns. A variable may have any value.
pub(crate) fn overlaps(a: &[Step], b: &[Step]) -> bool {
    let width = b.len() + 1;
    let mut live = vec![false; width];
    let mut next = vec![false; width];
    if let Some(first) = live.first_mut() {
        *first = true;
    }
    for step in a.iter().map(Some).chain([None]) {
        next.fill(false);
        let loops = step.is_some_and(|step| is_open(*step));
        for at in 0..width {
            if live.get(at) != Some(&true) {
                continue;
            }
            let other = b.get(at);
            let open = other.is_some_and(|other| is_open(*other));
            let meets = matches!((step, other), (Some(step), Some(other)) if meets(*step, *other));
            let stays = open || (loops && meets);
            if stays && let Some(slot) = live.get_mut(at + 1) {
                *slot = true;
            }
            // `a` moves on: past a run for free, past a letter together with `b`.
            let target = if meets && !open { at + 1 } else { at };
            if (loops || meets)
                && let Some(slot) = next.get_mut(if loops { at } else { target })
            {
                *slot = true;
            }
        }
        if step.is_some() {
            std::mem::swap(&mut live, &mut next);
        }
    }
    live.last() == Some(&true)
}

fn is_open(step: Step) -> bool {
    step.is_run() || matches!(step, Step::Variable(_))
}

/// Whether one character can be part of both steps.
fn meets(a: Step, b: Step) -> bool {
    match (a, b) {
        (Step::Variable(_), _) | (_, Step::Variable(_)) => true,
        (Step::One(_) | Step::Fold(_), _) => {
            let letter = a.named();
            b.takes(letter) || (matches!(a, Step::Fold(_)) && b.takes(letter.map(|l| l.to_ascii_uppercase())))
        }
        (_, Step::One(_) | Step::Fold(_)) => meets(b, a),
        _ => true,
    }
}
