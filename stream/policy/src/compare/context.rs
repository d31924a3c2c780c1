//! The last dimension: the request context, as far as conditions look at it.
//!
//! Each key is judged alone and exactly: its values fall into classes that the conditions on it tell apart, and
//! one specimen of each class is tried, and the missing key. Keys are taken as independent of each other, which
//! can only find too much. Where the values of a key cannot be listed (policy variables, operators of different
//! kinds on one key, many values at once), a condition that is not implied by the base counts as free to fail.

use std::net::IpAddr;
use std::ops::ControlFlow;

use super::cover::{Outcome, Question, Search};
use super::glob::{Scratch, steps_of};
use super::values::{Family, family, holds_when_missing, implies, number};
use super::{Reason, SUITABLE_VALUE, Witness};
use crate::automaton::{Automaton, Budget, Explored, Step, unnamed_letter};
use crate::condition::{holds, network};
use crate::document::{Condition, Quantifier, Test};
use crate::request::Context;
use crate::time::seconds_of;

/// Combinations of key values one question may try: 2 to the 12th.
const MAX_ASSIGNMENTS: u32 = 4_096;
/// Specimens of a key from which sets of several values are formed.
const MAX_SET_SPECIMENS: usize = 8;
/// Patterns on one key that the automaton may look at together.
const MAX_KEY_PATTERNS: usize = 256;
/// Memory of the context search.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    automaton: Automaton,
}

/// What a key may be, and which statements cannot apply then.
#[derive(Debug, Clone)]
struct State {
    values: Values,
    fails: Vec<bool>,
}

#[derive(Debug, Clone)]
enum Values {
    Missing,
    Are(Vec<String>),
    /// There is such a value, but it was not worked out.
    Some,
}

/// One key with the states that let the base apply, none of which is worse than another.
#[derive(Debug)]
struct Key<'p> {
    condition: &'p Condition,
    states: Vec<State>,
}

impl Search {
    /// Looks for a context in which the base applies and none of `members` does.
    pub(super) fn cover_contexts(&mut self, question: Question<'_, '_>, members: &[u32]) -> Outcome {
        let others = || members.iter().filter_map(|&member| question.others.get(member as usize).copied());
        if others().any(|statement| statement.conditions.is_empty()) {
            return Outcome::Covered;
        }
        let base = || question.base.iter().flat_map(|statement| &statement.conditions);
        let fails_when_missing = |conditions: &[Condition]| conditions.iter().any(|one| !holds_when_missing(one));
        if base().all(holds_when_missing) && others().all(|statement| fails_when_missing(&statement.conditions)) {
            let guarded = base().next().is_some() || !members.is_empty();
            let mut witness = self.witness(question);
            witness.condition = guarded.then(|| "none of the keys in the conditions is set".to_owned());
            return Outcome::Found(Box::new(witness));
        }
        let base: Vec<&Condition> = base().collect();
        let mut clauses: Vec<Vec<&Condition>> = Vec::with_capacity(members.len());
        for statement in others() {
            if !self.spend(base.len() * statement.conditions.len()) {
                return Outcome::Unknown(Reason::Size);
            }
            let scratch = &mut self.scratch;
            let mut open = |one: &&Condition| !base.iter().any(|own| implies(own, one, scratch));
            let clause: Vec<&Condition> = statement.conditions.iter().filter(&mut open).collect();
            if clause.is_empty() {
                return Outcome::Covered;
            }
            clauses.push(clause);
        }
        let Some(keys) = self.keys(&base, &clauses) else {
            return Outcome::Covered;
        };
        self.choose(question, &keys, clauses.len())
    }

    /// All keys with their states; none when the base can never apply.
    fn keys<'p>(&mut self, base: &[&'p Condition], clauses: &[Vec<&'p Condition>]) -> Option<Vec<Key<'p>>> {
        let mut keys: Vec<Key<'p>> = Vec::new();
        for condition in base.iter().chain(clauses.iter().flatten()).copied() {
            if keys.iter().any(|key| key.condition.key == condition.key) {
                continue;
            }
            let on_key = |one: &&&Condition| one.key == condition.key;
            let own: Vec<&Condition> = base.iter().filter(on_key).copied().collect();
            let theirs: Vec<Vec<&Condition>> =
                clauses.iter().map(|clause| clause.iter().filter(on_key).copied().collect()).collect();
            let states = self.states(&own, &theirs);
            if states.is_empty() {
                return None;
            }
            keys.push(Key { condition, states });
        }
        Some(keys)
    }

    fn states(&mut self, own: &[&Condition], theirs: &[Vec<&Condition>]) -> Vec<State> {
        let all: Vec<&Condition> = own.iter().chain(theirs.iter().flatten()).copied().collect();
        let mut states = Vec::new();
        if own.iter().all(|one| holds_when_missing(one)) {
            let fails = theirs.iter().map(|clause| clause.iter().any(|one| !holds_when_missing(one))).collect();
            add_state(&mut states, State { values: Values::Missing, fails });
        }
        let specimens = self.contexts.specimens(&all, &mut self.budget, &mut self.scratch);
        let sets = specimens.and_then(|specimens| value_sets(&all, specimens));
        let Some(sets) = sets else {
            let fails = theirs.iter().map(|clause| !clause.is_empty()).collect();
            return vec![State { values: Values::Some, fails }];
        };
        for values in sets {
            let key = all.first().map_or("", |one| &one.key);
            let context: Context = values.iter().map(|value| (key, value)).collect();
            if own.iter().all(|one| holds(one, &context)) {
                let fails = theirs.iter().map(|clause| clause.iter().any(|one| !holds(one, &context))).collect();
                add_state(&mut states, State { values: Values::Are(values), fails });
            }
        }
        states
    }

    /// Picks one state for each key so that every clause fails.
    fn choose(&self, question: Question<'_, '_>, keys: &[Key<'_>], clauses: usize) -> Outcome {
        let mut tries = MAX_ASSIGNMENTS;
        let mut chosen = Vec::with_capacity(keys.len());
        match pick(keys, &vec![false; clauses], &mut chosen, &mut tries) {
            None => Outcome::Unknown(Reason::Conditions),
            Some(false) => Outcome::Covered,
            Some(true) => {
                let mut witness = self.witness(question);
                describe(keys, &chosen, &mut witness);
                Outcome::Found(Box::new(witness))
            }
        }
    }
}

/// Keeps the states in which the most statements fail.
fn add_state(states: &mut Vec<State>, state: State) {
    let at_least = |a: &State, b: &State| a.fails.iter().zip(&b.fails).all(|(a, b)| *a || !*b);
    if !states.iter().any(|known| at_least(known, &state)) {
        states.retain(|known| !at_least(&state, known));
        states.push(state);
    }
}

/// Depth-first choice of a state per key; `None` when there were too many tries. The depth is the number of
/// keys, of which a choice of one state only costs no try.
fn pick<'s>(keys: &'s [Key<'_>], failed: &[bool], chosen: &mut Vec<&'s State>, tries: &mut u32) -> Option<bool> {
    let Some((key, rest)) = keys.split_first() else {
        return Some(failed.iter().all(|failed| *failed));
    };
    let hopeless = failed.iter().enumerate().any(|(clause, failed)| {
        !failed && !keys.iter().flat_map(|key| &key.states).any(|state| state.fails.get(clause) == Some(&true))
    });
    if hopeless {
        return Some(false);
    }
    for state in &key.states {
        *tries = tries.checked_sub(u32::from(key.states.len() > 1))?;
        let failed: Vec<bool> = failed.iter().zip(&state.fails).map(|(a, b)| *a || *b).collect();
        chosen.push(state);
        if pick(rest, &failed, chosen, tries)? {
            return Some(true);
        }
        chosen.pop();
    }
    Some(false)
}

fn describe(keys: &[Key<'_>], chosen: &[&State], witness: &mut Witness) {
    let mut parts = Vec::new();
    for (key, state) in keys.iter().zip(chosen) {
        let name = &key.condition.key_as_written;
        match &state.values {
            Values::Missing => parts.push(format!("{name} is not set")),
            Values::Some => parts.push(format!("{name} {SUITABLE_VALUE}")),
            Values::Are(values) => {
                parts.push(format!("{name} is {}", values.join(" and ")));
                witness.context.push((key.condition.key.to_string(), values.clone()));
            }
        }
    }
    witness.condition = (!parts.is_empty()).then(|| parts.join("; "));
}

/// The sets of values to try: one value at a time, and several where an operator asks for sets.
fn value_sets(conditions: &[&Condition], specimens: Vec<String>) -> Option<Vec<Vec<String>>> {
    if conditions.iter().all(|one| one.operator.quantifier == Quantifier::Single) {
        return Some(specimens.into_iter().map(|one| vec![one]).collect());
    }
    if specimens.len() > MAX_SET_SPECIMENS {
        return None;
    }
    let picked = |set: u32| {
        let wanted = |(number, _): &(usize, &String)| set & (1 << number) != 0;
        specimens.iter().enumerate().filter(wanted).map(|(_, specimen)| specimen.clone()).collect()
    };
    let mut sets: Vec<Vec<String>> = (1..1u32 << specimens.len()).map(picked).collect();
    sets.sort_by_key(Vec::len);
    Some(sets)
}

impl Contexts {
    /// One value for each class that the conditions on a key tell apart; `None` when they cannot be listed.
    fn specimens(
        &mut self,
        conditions: &[&Condition],
        budget: &mut Budget,
        scratch: &mut Scratch,
    ) -> Option<Vec<String>> {
        let mut kind = Family::Presence;
        for condition in conditions {
            let own = family(condition.operator.test);
            if own != Family::Presence {
                if kind != Family::Presence && kind != own {
                    return None;
                }
                kind = own;
            }
        }
        let values = conditions.iter().filter(|one| one.operator.test != Test::Null);
        let mut sources = values.flat_map(|one| one.values.iter().map(|value| value.source()));
        match kind {
            Family::Presence => Some(vec!["anything".to_owned()]),
            Family::Bool => Some(vec!["true".to_owned(), "false".to_owned()]),
            Family::Number => sources.map(number).collect::<Option<Vec<f64>>>().and_then(around),
            Family::Date => sources.map(seconds_of).collect::<Option<Vec<f64>>>().and_then(around),
            Family::Address => addresses(&mut sources),
            Family::Text => self.texts(conditions, budget, scratch),
        }
    }

    fn texts(&mut self, conditions: &[&Condition], budget: &mut Budget, scratch: &mut Scratch) -> Option<Vec<String>> {
        let texts = || conditions.iter().filter(|one| one.operator.test != Test::Null);
        let patterns = || texts().flat_map(|one| one.values.iter().map(|value| (one.operator.test, value)));
        if patterns().count() > MAX_KEY_PATTERNS || patterns().any(|(_, value)| value.has_variable()) {
            return None;
        }
        let folds = |test| test == Test::StringEqualsIgnoreCase;
        let mixed = patterns().any(|(test, _)| folds(test)) && patterns().any(|(test, _)| !folds(test));
        let simple = |(_, value): (Test, &crate::Pattern)| {
            value.is_any() || value.as_literal().is_some() || value.as_prefix().is_some()
        };
        if !mixed && patterns().all(simple) {
            let named = |letter: char| [letter, letter.to_ascii_uppercase()];
            let other = unnamed_letter(|letter| patterns().any(|(_, value)| value.source().contains(named(letter))));
            let mut specimens = vec![other.to_string()];
            for (_, value) in patterns() {
                specimens.extend(value.as_literal().map(str::to_owned));
                specimens.extend(value.as_prefix().map(|prefix| format!("{prefix}{other}")));
            }
            specimens.sort();
            specimens.dedup();
            return Some(specimens);
        }
        let steps: Vec<Vec<Step>> = patterns()
            .map(|(test, value)| {
                let mut steps = Vec::new();
                steps_of(value, folds(test), &mut scratch.names, &mut steps);
                steps
            })
            .collect();
        let steps: Vec<&[Step]> = steps.iter().map(Vec::as_slice).collect();
        let mut specimens = Vec::new();
        let explored = self.automaton.explore(&steps, 0, budget, &mut |found| {
            specimens.push(found.text());
            ControlFlow::Continue(())
        });
        (explored == Explored::All).then_some(specimens)
    }
}

/// The numbers, one between each two neighbours, and one on either side.
fn around(mut numbers: Vec<f64>) -> Option<Vec<String>> {
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    let mut all = vec![first - 1.0];
    for pair in numbers.windows(2) {
        if let [low, high] = pair {
            all.extend([*low, low + (high - low) / 2.0]);
        }
    }
    all.extend([last, last + 1.0]);
    // Beyond 2^53 neighbours fall together, and then the list would not be complete.
    let distinct = all.windows(2).all(|pair| matches!(pair, [low, high] if low < high));
    distinct.then(|| all.iter().map(f64::to_string).collect())
}

/// The first address of each range and the first one behind it, and the first of either version.
fn addresses(sources: &mut dyn Iterator<Item = &str>) -> Option<Vec<String>> {
    let mut starts: Vec<IpAddr> = vec![IpAddr::from([0u8; 4]), IpAddr::from([0u16; 8])];
    for source in sources {
        let range = network(source)?;
        starts.push(range.network());
        starts.extend(match range.broadcast() {
            IpAddr::V4(last) => u32::from(last).checked_add(1).map(|next| IpAddr::V4(next.into())),
            IpAddr::V6(last) => u128::from(last).checked_add(1).map(|next| IpAddr::V6(next.into())),
        });
    }
    starts.sort_unstable();
    starts.dedup();
    Some(starts.iter().map(IpAddr::to_string).collect())
}
