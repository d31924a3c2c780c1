//! Is every request that one or two statements speak of also spoken of by some of the others?

use super::context::Contexts;
use super::glob::{Dimension, Scratch};
use super::who::name_of;
use super::{Answer, Reason, Witness, allows};
use crate::automaton::{Automaton, Budget, unnamed_letter, variable_number};
use crate::document::{Principal, Statement};

/// Pairs of patterns one direction of a comparison may look at before it answers "unknown".
pub(super) const MAX_PATTERN_PAIRS: u64 = 20_000_000;
/// Sets of statements remembered as sufficient cover, per dimension.
const MAX_REMEMBERED: usize = 64;

/// One question: the requests that all of `base` speak of, against those that any of `others` speaks of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'q, 'p> {
    /// One Allow; or an Allow and the Deny that used to cut it.
    pub(super) base: &'q [&'p Statement],
    pub(super) others: &'q [&'p Statement],
}

/// What became of a question.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This request is outside.
    Found(Box<Witness>),
    /// There is none.
    Covered,
    /// A limit was reached.
    Unknown(Reason),
}

/// Collects outcomes: the first request found wins, and one doubt outweighs any number of proofs.
#[derive(Debug, Default)]
pub(super) struct Tally(Option<Reason>);

impl Tally {
    /// Notes an outcome and hands back a request that was found.
    pub(super) fn add(&mut self, outcome: Outcome) -> Option<Box<Witness>> {
        match outcome {
            Outcome::Found(witness) => return Some(witness),
            Outcome::Unknown(reason) => self.0 = Some(reason),
            Outcome::Covered => {}
        }
        None
    }

    /// The outcome when nothing was found.
    pub(super) fn outcome(self) -> Outcome {
        self.0.map_or(Outcome::Covered, Outcome::Unknown)
    }
}

/// The search and its memory, which is kept from one comparison to the next.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) budget: Budget,
    pub(super) pairs: u64,
    pub(super) scratch: Scratch,
    pub(super) automata: [Automaton; 2],
    pub(super) contexts: Contexts,
    /// The action and the resource of the request being looked at.
    pub(super) texts: [String; 2],
    pub(super) principal: Option<Principal>,
    /// Per dimension: sets of statements that together covered all that follows.
    remembered: [Vec<Vec<u32>>; 2],
    spare: Vec<Vec<u32>>,
}

impl Search {
    /// Forgets the last comparison; the memory stays.
    pub(super) fn reset(&mut self) {
        self.budget = Budget::default();
        self.scratch.names.clear();
    }

    /// Does `new` grant a request that `old` does not? The `only` lists hold what the other has not.
    pub(super) fn gained<'p>(
        &mut self,
        old: &'p [Statement],
        only_old: &[&'p Statement],
        new: &'p [Statement],
        only_new: &[&'p Statement],
    ) -> Answer {
        self.pairs = MAX_PATTERN_PAIRS;
        self.scratch.work = 0;
        let mut tally = Tally::default();
        if only_new.iter().any(|statement| allows(statement)) {
            let old_allows = old.iter().filter(|statement| allows(statement));
            let others: Vec<_> = old_allows.chain(new.iter().filter(|statement| !allows(statement))).collect();
            for allow in only_new.iter().filter(|statement| allows(statement)) {
                let outcome = self.cover(Question { base: &[allow], others: &others });
                if let Some(witness) = tally.add(outcome) {
                    return Answer::Yes(witness);
                }
            }
        }
        if only_old.iter().any(|statement| !allows(statement)) {
            let others: Vec<_> = new.iter().filter(|statement| !allows(statement)).collect();
            for deny in only_old.iter().filter(|statement| !allows(statement)) {
                for allow in new.iter().filter(|statement| allows(statement)) {
                    let outcome = self.cover(Question { base: &[allow, deny], others: &others });
                    if let Some(witness) = tally.add(outcome) {
                        return Answer::Yes(witness);
                    }
                }
            }
        }
        match tally.outcome() {
            Outcome::Unknown(reason) => Answer::Unknown(reason),
            _ => Answer::No,
        }
    }

    fn cover(&mut self, question: Question<'_, '_>) -> Outcome {
        for remembered in &mut self.remembered {
            self.spare.append(remembered);
        }
        self.principal = None;
        let mut members = self.take_list();
        members.extend((0u32..).take(question.others.len()));
        let outcome = self.cover_patterns(question, Dimension::Action, &members);
        self.spare.push(members);
        outcome
    }

    /// Goes on with the next dimension for the requests that only `members` can still cover.
    pub(super) fn descend(&mut self, question: Question<'_, '_>, done: Dimension, members: &[u32]) -> Outcome {
        if self.is_known_cover(done, members) {
            return Outcome::Covered;
        }
        let outcome = match done {
            Dimension::Action => self.cover_patterns(question, Dimension::Resource, members),
            Dimension::Resource => self.cover_principals(question, members),
        };
        if matches!(outcome, Outcome::Covered) {
            self.remember(done, members);
        }
        outcome
    }

    /// Cover only grows with more statements: a superset of a known cover is one.
    fn is_known_cover(&self, done: Dimension, members: &[u32]) -> bool {
        let Some(known) = self.remembered.get(done as usize) else {
            return false;
        };
        known.iter().any(|set| set.iter().all(|member| members.binary_search(member).is_ok()))
    }

    fn remember(&mut self, done: Dimension, members: &[u32]) {
        let mut list = self.take_list();
        list.extend_from_slice(members);
        match self.remembered.get_mut(done as usize) {
            Some(known) if known.len() < MAX_REMEMBERED => known.push(list),
            _ => self.spare.push(list),
        }
    }

    /// An empty list, with memory if there is some to spare.
    pub(super) fn take_list(&mut self) -> Vec<u32> {
        let mut list = self.spare.pop().unwrap_or_default();
        list.clear();
        list
    }

    /// Gives a list back.
    pub(super) fn give_back(&mut self, list: Vec<u32>) {
        self.spare.push(list);
    }

    /// Whether policy variables were met since the last reset.
    pub(super) fn met_variables(&self) -> bool {
        !self.scratch.names.is_empty()
    }

    /// Whether long patterns have used up what is left before it was counted.
    pub(super) fn is_spent(&self) -> bool {
        self.scratch.work > self.pairs
    }

    /// Counts pairs of patterns; false when there have been too many.
    pub(super) fn spend(&mut self, pairs: usize) -> bool {
        let left = self.pairs.checked_sub(pairs as u64 + std::mem::take(&mut self.scratch.work));
        self.pairs = left.unwrap_or(0);
        left.is_some()
    }

    /// The request as it stands, with the action spelled as in the document if it is written out there, and with
    /// readable values in place of the variables.
    pub(super) fn witness(&self, question: Question<'_, '_>) -> Witness {
        let [action, resource] = &self.texts;
        let mut entries = question.base.iter().flat_map(|statement| statement.actions.entries());
        let written = entries.find(|entry| entry.as_literal() == Some(action)).map(|entry| entry.source());
        let mut witness = Witness {
            action: written.unwrap_or(action).to_owned(),
            resource: resource.clone(),
            principal: self.principal.as_ref().map(name_of),
            named_as: self.principal.clone(),
            ..Witness::default()
        };
        if resource.chars().any(|letter| variable_number(letter).is_some()) {
            witness.resource = self.spell_variables(question, &mut witness.context);
        }
        witness
    }

    /// Gives each variable in the resource a value of its own: one letter that no pattern names.
    fn spell_variables(&self, question: Question<'_, '_>, context: &mut Vec<(String, Vec<String>)>) -> String {
        let [_, resource] = &self.texts;
        let mut values: Vec<(&str, char)> = Vec::new();
        let mut spelled = String::new();
        for letter in resource.chars() {
            let number = variable_number(letter);
            let Some(variable) = number.and_then(|number| self.scratch.names.get(usize::from(number))) else {
                spelled.push(letter);
                continue;
            };
            let known = values.iter().find(|(name, _)| *name == &*variable.name).map(|(_, value)| *value);
            let value = known.unwrap_or_else(|| {
                let statements = || question.base.iter().chain(question.others);
                let value = unnamed_letter(|letter| {
                    values.iter().any(|(_, value)| *value == letter)
                        || resource.contains(letter)
                        || statements().any(|one| one.resources.entries().iter().any(|e| e.source().contains(letter)))
                });
                values.push((&variable.name, value));
                value
            });
            spelled.push(value);
        }
        context.extend(values.into_iter().map(|(name, value)| (name.to_owned(), vec![value.to_string()])));
        spelled
    }
}
