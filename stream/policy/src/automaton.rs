//! Which sets of wildcard patterns can match one and the same string?
//!
//! All patterns run side by side as one automaton whose state is a bitset, one bit for each position in each
//! pattern. A step is an `and`, a shift and an `or`. From the start state every reachable state is visited in
//! breadth-first order, so the string that leads to a state is a shortest one. From a state only the letters
//! that its live positions name can make a difference, and one letter for all others.
//!
//! The number of states is small for patterns people write and exponential for hostile ones: [`Budget`] ends it.

mod step;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use hashbrown::HashTable;

pub(crate) use step::{Step, covers, overlaps, placeholder, variable_number};

/// States one comparison may explore, over all its automata, before it answers "unknown".
pub(crate) const MAX_STATES: u32 = 20_000;
/// 64-bit words one comparison may touch while it explores, before it answers "unknown".
pub(crate) const MAX_WORDS: u64 = 8_000_000;
/// Size of each letter table, in 64-bit words.
const MAX_TABLE_WORDS: usize = 1 << 18;
/// Witnesses spell "any other character" with the first of these that no pattern names.
const OTHERS: &str = "xyzqkwvjbnmdx0123456789";

/// How much one comparison may still explore.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    states: u32,
    words: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { states: MAX_STATES, words: MAX_WORDS }
    }
}

impl Budget {
    /// Takes one state of this many words, expanded over this many letters; false when the budget is spent.
    fn take(&mut self, words: usize, letters: usize) -> bool {
        let cost = (words * letters) as u64;
        match (self.states.checked_sub(1), self.words.checked_sub(cost)) {
            (Some(states), Some(words)) => {
                *self = Budget { states, words };
                true
            }
            _ => {
                *self = Budget { states: 0, words: 0 };
                false
            }
        }
    }

    fn is_spent(&self) -> bool {
        self.states == 0 || self.words == 0
    }

    /// Goes on with what is left of both.
    pub(crate) fn keep_smaller(&mut self, other: Budget) {
        self.states = self.states.min(other.states);
        self.words = self.words.min(other.words);
    }
}

/// How an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Explored {
    /// Every reachable state was seen.
    All,
    /// The visitor had seen enough.
    Stopped,
    /// The budget ran out first.
    Capped,
}

/// Bitset automaton over a few patterns. Its memory is kept from one use to the next.
#[derive(Debug, Default)]
pub(crate) struct Automaton {
    words: usize,
    /// Letters that some pattern names; row `n + 1` of the tables is letter `n`, row 0 is every other letter.
    letters: Vec<char>,
    /// Rows: positions that take the letter and move on; positions that take it and stay.
    eat: Vec<u64>,
    stay: Vec<u64>,
    /// Rows: positions for which the letter differs from "any other".
    cares: Vec<u64>,
    run: Vec<u64>,
    accept: Vec<u64>,
    accept_at: Vec<usize>,
    /// One row for each pattern that must match: while none of its positions is live the state is dead.
    required: Vec<u64>,
    states: Vec<u64>,
    /// The state and the letter row each state was first reached from.
    came_from: Vec<(u32, u32)>,
    known: HashTable<u32>,
    shown: HashTable<u32>,
    next: Vec<u64>,
}

/// A reachable state: which patterns match, and a shortest text that shows it.
pub(crate) struct Found<'a> {
    automaton: &'a Automaton,
    state: u32,
}

impl Found<'_> {
    /// Whether the pattern with this number matches.
    pub(crate) fn matches(&self, pattern: usize) -> bool {
        let Some(&bit) = self.automaton.accept_at.get(pattern) else {
            return false;
        };
        is_set(self.automaton.state(self.state), bit)
    }

    /// A shortest text with these matches.
    pub(crate) fn text(&self) -> String {
        let automaton = self.automaton;
        let other = automaton.other_letter();
        let mut text = Vec::new();
        let mut at = self.state;
        while let Some(&(before, row)) = automaton.came_from.get(at as usize)
            && before != at
        {
            let named = (row as usize).checked_sub(1).and_then(|row| automaton.letters.get(row));
            text.push(named.copied().unwrap_or(other));
            at = before;
        }
        text.iter().rev().collect()
    }
}

impl Automaton {
    /// Visits every set of patterns that can match one text, each set once, provided the first `required`
    /// patterns match; stops when the visitor breaks or the budget ends.
    pub(crate) fn explore(
        &mut self,
        patterns: &[&[Step]],
        required: usize,
        budget: &mut Budget,
        visit: &mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
    ) -> Explored {
        if budget.is_spent() || !self.load(patterns, required) || !budget.take(self.eat.len(), 1) {
            return Explored::Capped;
        }
        self.start(patterns);
        let mut at = 0u32;
        while (at as usize) < self.came_from.len() {
            if !budget.take(self.words, self.letters.len() + 1) {
                return Explored::Capped;
            }
            if self.is_new_answer(at, required) && visit(&Found { automaton: self, state: at }).is_break() {
                return Explored::Stopped;
            }
            self.expand(at);
            at += 1;
        }
        Explored::All
    }

    /// Fills the tables for these patterns; false when they would be too large.
    fn load(&mut self, patterns: &[&[Step]], required: usize) -> bool {
        self.letters.clear();
        self.letters.push(':');
        for step in patterns.iter().flat_map(|pattern| pattern.iter()) {
            self.letters.extend(step.named());
            if let Step::Fold(letter) = step {
                self.letters.push(letter.to_ascii_uppercase());
            }
        }
        self.letters.sort_unstable();
        self.letters.dedup();
        let positions: usize = patterns.iter().map(|pattern| pattern.len() + 1).sum();
        self.words = positions.div_ceil(64).max(1);
        let rows = self.words * (self.letters.len() + 1);
        if rows > MAX_TABLE_WORDS {
            return false;
        }
        for table in [&mut self.eat, &mut self.stay, &mut self.cares] {
            table.clear();
            table.resize(rows, 0);
        }
        for row in [&mut self.run, &mut self.accept, &mut self.next] {
            row.clear();
            row.resize(self.words, 0);
        }
        self.required.clear();
        self.required.resize(self.words * required, 0);
        self.accept_at.clear();
        let mut bit = 0;
        for (number, pattern) in patterns.iter().enumerate() {
            for position in bit..=bit + pattern.len() {
                set(&mut self.required, number * self.words * 64 + position);
            }
            for step in *pattern {
                self.load_step(*step, bit);
                bit += 1;
            }
            set(&mut self.accept, bit);
            self.accept_at.push(bit);
            bit += 1;
        }
        true
    }

    fn load_step(&mut self, step: Step, bit: usize) {
        if step.is_run() {
            set(&mut self.run, bit);
        }
        let any_other = step.takes(None);
        let row = |letter: char| self.letters.binary_search(&letter).map_or(0, |row| row + 1);
        // A step that names its letter has a place in one row, or in two; the others in nearly all rows.
        let rows = match step {
            Step::Fold(letter) => vec![row(letter), row(letter.to_ascii_uppercase())],
            _ => match step.named() {
                Some(letter) => vec![row(letter)],
                None => (0..=self.letters.len()).collect(),
            },
        };
        for row in rows {
            let letter = row.checked_sub(1).and_then(|row| self.letters.get(row)).copied();
            let takes = step.takes(letter);
            let at = row * self.words * 64 + bit;
            if takes {
                set(if step.is_run() { &mut self.stay } else { &mut self.eat }, at);
            }
            if takes != any_other {
                set(&mut self.cares, at);
            }
        }
    }

    fn start(&mut self, patterns: &[&[Step]]) {
        self.states.clear();
        self.came_from.clear();
        self.known.clear();
        self.shown.clear();
        let mut bit = 0;
        for pattern in patterns {
            set(&mut self.next, bit);
            bit += pattern.len() + 1;
        }
        self.skip_runs();
        self.keep_next(0, 0);
    }

    /// Adds the states that one letter leads to.
    fn expand(&mut self, at: u32) {
        for row in 0..=self.letters.len() {
            let span = row * self.words..(row + 1) * self.words;
            let current = self.state(at);
            let cares = self.cares.get(span.clone()).unwrap_or_default();
            if row > 0 && !current.iter().zip(cares).any(|(live, cares)| live & cares != 0) {
                continue;
            }
            let eat = self.eat.get(span.clone()).unwrap_or_default();
            let stay = self.stay.get(span).unwrap_or_default();
            let from = at as usize * self.words;
            let current = self.states.get(from..from + self.words).unwrap_or_default();
            let mut carry = 0;
            for ((next, live), (eat, stay)) in self.next.iter_mut().zip(current).zip(eat.iter().zip(stay)) {
                let moved = live & eat;
                *next = (moved << 1) | carry | (live & stay);
                carry = moved >> 63;
            }
            self.skip_runs();
            self.keep_next(at, row as u32);
        }
    }

    /// A run may match nothing. One pass is enough: the builder of patterns joins neighbouring runs.
    fn skip_runs(&mut self) {
        let mut carry = 0;
        for (next, run) in self.next.iter_mut().zip(&self.run) {
            let with_carry = *next | carry;
            let moved = with_carry & run;
            *next = with_carry | (moved << 1);
            carry = moved >> 63;
        }
    }

    /// Remembers the state in `next` unless it is known or can no longer match what is required.
    fn keep_next(&mut self, from: u32, row: u32) {
        let dead = |required: &[u64]| !self.next.iter().zip(required).any(|(live, own)| live & own != 0);
        if self.required.chunks(self.words).any(dead) {
            return;
        }
        let (words, states, next) = (self.words, &self.states, &self.next);
        let same = |&other: &u32| row_of(states, words, other) == next.as_slice();
        let hash = hash(next.iter().copied());
        if self.known.find(hash, same).is_some() {
            return;
        }
        let number = self.came_from.len() as u32;
        self.states.extend_from_slice(&self.next);
        self.came_from.push((if number == 0 { 0 } else { from }, row));
        let states = &self.states;
        self.known
            .insert_unique(hash, number, |&other| super::automaton::hash(row_of(states, words, other).iter().copied()));
    }

    /// Whether all required patterns match in this state and no earlier state had the same matches.
    fn is_new_answer(&mut self, at: u32, required: usize) -> bool {
        let (words, states, accept) = (self.words, &self.states, &self.accept);
        let answer = |state: u32| row_of(states, words, state).iter().zip(accept).map(|(live, end)| live & end);
        let own = row_of(states, words, at);
        if !self.accept_at.iter().take(required).all(|&bit| is_set(own, bit)) {
            return false;
        }
        let hash = hash(answer(at));
        if self.shown.find(hash, |&other| answer(other).eq(answer(at))).is_some() {
            return false;
        }
        self.shown.insert_unique(hash, at, |&other| super::automaton::hash(answer(other)));
        true
    }

    fn state(&self, number: u32) -> &[u64] {
        row_of(&self.states, self.words, number)
    }

    fn other_letter(&self) -> char {
        unnamed_letter(|letter| self.letters.binary_search(&letter).is_ok())
    }
}

/// A letter that is not named, readable if possible.
pub(crate) fn unnamed_letter(is_named: impl Fn(char) -> bool) -> char {
    let spare = || (0xE000..0xF8FF).filter_map(char::from_u32).find(|letter| !is_named(*letter));
    OTHERS.chars().find(|letter| !is_named(*letter)).or_else(spare).unwrap_or('\u{F8FF}')
}

fn row_of(states: &[u64], words: usize, number: u32) -> &[u64] {
    let from = number as usize * words;
    states.get(from..from + words).unwrap_or_default()
}

fn set(bits: &mut [u64], bit: usize) {
    if let Some(word) = bits.get_mut(bit / 64) {
        *word |= 1 << (bit % 64);
    }
}

fn is_set(bits: &[u64], bit: usize) -> bool {
    bits.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
}

fn hash(words: impl Iterator<Item = u64>) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = words.fold(0u64, |sum, word| (sum.rotate_left(5) ^ word).wrapping_mul(ODD));
    mixed ^ (mixed >> 29)
}
