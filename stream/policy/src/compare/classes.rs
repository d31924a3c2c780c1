//! The dimensions made of patterns: actions and resources.
//!
//! A pattern of the base is cut into classes, texts that the same statements speak of. With a letter that no
//! pattern names, one specimen stands for all of `a*b`: a pattern that matches `a<anything>b` matches every text
//! of `a*b`, so every other text of it is spoken of by at least the same statements. Only the entries of
//! `NotAction` and `NotResource` lists, where matching means *not* speaking of it, add classes of their own.
//! When that argument does not hold (`?`, entries that cross each other) the automaton lists the classes.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use super::cover::{Outcome, Question, Search, Tally};
use super::glob::{Dimension, covers_pattern, matches_placeholders, overlaps, steps_of};
use super::{Reason, exceptions};
use crate::automaton::{Explored, Found, Step};
use crate::document::Scope;
use crate::pattern::Pattern;

/// Pairs of bytes, of a wildcard pattern and a text, that take as long as one pair of simple patterns.
const BYTES_PER_UNIT: u64 = 64;
/// What it costs to give a pattern to the automaton, in pairs of simple patterns.
const TABLE_ENTRY_COST: usize = 256;

static EVERYTHING: LazyLock<Pattern> = LazyLock::new(Pattern::any);

/// A part of the base: the texts that `first` matches, and `second` if there is one, but none of `except`.
#[derive(Debug, Clone, Copy)]
struct Cell<'p> {
    dimension: Dimension,
    first: &'p Pattern,
    second: Option<&'p Pattern>,
    except: [&'p [Pattern]; 2],
}

impl<'p> Cell<'p> {
    fn exceptions(self) -> impl Iterator<Item = &'p Pattern> {
        self.except.into_iter().flatten()
    }
}

/// A text that stands for all texts of a pattern, as long as `exact` holds.
struct Specimen<'p> {
    dimension: Dimension,
    pattern: &'p Pattern,
    text: String,
    exact: bool,
}

impl Search {
    /// Looks for a text of this dimension, and all that follows, that `members` do not cover.
    pub(super) fn cover_patterns(
        &mut self,
        question: Question<'_, '_>,
        dimension: Dimension,
        members: &[u32],
    ) -> Outcome {
        let mut tally = Tally::default();
        let mut scopes = question.base.iter().map(|statement| dimension.of(statement));
        let (Some(first), second) = (scopes.next(), scopes.next()) else {
            return Outcome::Covered;
        };
        let except = [exceptions(first), second.map(exceptions).unwrap_or_default()];
        let seconds = second.map_or(std::slice::from_ref(&*EVERYTHING), listed);
        for first in listed(first) {
            for second in seconds {
                if !self.spend(1) {
                    return Outcome::Unknown(Reason::Size);
                }
                let cell = Cell { dimension, first, second: None, except };
                let Some(cell) = self.meet(cell, second) else { continue };
                let outcome = self.cover_cell(question, members, cell);
                if let Some(witness) = tally.add(outcome) {
                    return Outcome::Found(witness);
                }
            }
        }
        tally.outcome()
    }

    /// The texts of the cell that another pattern matches too.
    fn meet<'p>(&mut self, cell: Cell<'p>, other: &'p Pattern) -> Option<Cell<'p>> {
        if covers_pattern(other, cell.first, &mut self.scratch) {
            Some(cell)
        } else if covers_pattern(cell.first, other, &mut self.scratch) {
            Some(Cell { first: other, ..cell })
        } else if overlaps(cell.first, other, &mut self.scratch) {
            Some(Cell { second: Some(other), ..cell })
        } else {
            None
        }
    }

    fn cover_cell<'p>(&mut self, question: Question<'_, 'p>, members: &[u32], cell: Cell<'p>) -> Outcome {
        if cell.second.is_some() {
            return self.explore_cell(question, members, cell);
        }
        let mut tally = Tally::default();
        let mut exact = true;
        if cell.dimension == Dimension::Resource && cell.first.is_any() {
            // A request with an ARN says more to people than `*`, if one shows the same.
            let outcome = self.try_plain_arn(question, members, cell);
            if let Some(witness) = tally.add(outcome) {
                return Outcome::Found(witness);
            }
        }
        let outcome = self.cover_class(question, members, cell, &mut exact);
        if let Some(witness) = tally.add(outcome) {
            return Outcome::Found(witness);
        }
        let Some(inside) = self.listed_inside(question, members, cell, &mut exact) else {
            return Outcome::Unknown(Reason::Size);
        };
        for entry in inside {
            let class = Cell { first: entry, ..cell };
            let outcome = self.cover_class(question, members, class, &mut exact);
            if let Some(witness) = tally.add(outcome) {
                return Outcome::Found(witness);
            }
        }
        if exact { tally.outcome() } else { self.explore_cell(question, members, cell) }
    }

    /// Entries of `Not...` lists that lie inside the cell. Clears `exact` when they cross it or each other.
    /// `None` when there are too many.
    fn listed_inside<'p>(
        &mut self,
        question: Question<'_, 'p>,
        members: &[u32],
        cell: Cell<'p>,
        exact: &mut bool,
    ) -> Option<Vec<&'p Pattern>> {
        let mut inside: Vec<&Pattern> = Vec::new();
        let lists = members.iter().filter_map(|&member| question.others.get(member as usize));
        for entry in lists.flat_map(|statement| exceptions(cell.dimension.of(statement))) {
            if !self.spend(1 + inside.len()) {
                return None;
            }
            if !overlaps(entry, cell.first, &mut self.scratch)
                || inside.contains(&entry)
                || self.is_outside(entry, cell)
            {
                continue;
            }
            if covers_pattern(cell.first, entry, &mut self.scratch) {
                // What a literal covers is the literal.
                if cell.first.as_literal().is_none() {
                    inside.push(entry);
                }
            } else if !covers_pattern(entry, cell.first, &mut self.scratch) {
                *exact = false;
            }
        }
        let is_simple = |entry: &Pattern| entry.as_literal().is_some() || entry.as_prefix().is_some();
        for (number, entry) in inside.iter().enumerate().filter(|(_, entry)| !is_simple(entry)) {
            if !self.spend(inside.len()) {
                return None;
            }
            for (_, other) in inside.iter().enumerate().filter(|(other, _)| *other != number) {
                *exact &= !overlaps(entry, other, &mut self.scratch)
                    || covers_pattern(entry, other, &mut self.scratch)
                    || covers_pattern(other, entry, &mut self.scratch);
            }
        }
        Some(inside)
    }

    /// Whether the exceptions of the cell take away everything an entry matches.
    fn is_outside(&mut self, entry: &Pattern, cell: Cell<'_>) -> bool {
        cell.exceptions().any(|except| covers_pattern(except, entry, &mut self.scratch))
    }

    /// Follows the specimen of `cell.first`. Clears `exact` when the specimen does not stand for all of it.
    fn cover_class(
        &mut self,
        question: Question<'_, '_>,
        members: &[u32],
        cell: Cell<'_>,
        exact: &mut bool,
    ) -> Outcome {
        let dimension = cell.dimension;
        let mut text = self.take_text(dimension);
        if !dimension.specimen(cell.first, &mut self.scratch.names, &mut text) {
            self.put_text(dimension, text);
            return Outcome::Covered;
        }
        let mut specimen = Specimen { dimension, pattern: cell.first, text, exact: true };
        let mut left = self.take_list();
        let mut touched = 0;
        let is_excepted = cell.exceptions().any(|entry| self.speaks_of(entry, &mut specimen));
        if !is_excepted {
            for &member in members {
                let Some(statement) = question.others.get(member as usize) else { continue };
                let scope = dimension.of(statement);
                touched += scope.entries().len();
                if self.any_speaks_of(scope.entries(), &mut specimen) != scope.is_negated() {
                    left.push(member);
                }
            }
        }
        *exact &= specimen.exact;
        self.put_text(dimension, specimen.text);
        let outcome = if is_excepted {
            Outcome::Covered
        } else if !self.spend(touched) {
            Outcome::Unknown(Reason::Size)
        } else {
            self.descend(question, dimension, &left)
        };
        self.give_back(left);
        outcome
    }

    /// A request on an ordinary ARN that no pattern is expected to name. Finds, but proves nothing.
    fn try_plain_arn(&mut self, question: Question<'_, '_>, members: &[u32], cell: Cell<'_>) -> Outcome {
        let [action, resource] = &mut self.texts;
        let service = action.split(':').next().unwrap_or_default();
        resource.clear();
        for part in ["arn:aws:", service, ":us-east-1:111122223333:anything/anything"] {
            resource.push_str(part);
        }
        if cell.exceptions().any(|entry| entry.matches(resource)) {
            return Outcome::Covered;
        }
        let text = std::mem::take(resource);
        let mut left = self.take_list();
        left.extend(members.iter().filter(|&&member| {
            let statement = question.others.get(member as usize);
            statement.is_some_and(|statement| statement.resources.contains(|entry| entry.matches(&text)))
        }));
        self.put_text(Dimension::Resource, text);
        let outcome = match self.cover_principals(question, &left) {
            Outcome::Found(witness) => Outcome::Found(witness),
            Outcome::Covered | Outcome::Unknown(_) => Outcome::Covered,
        };
        self.give_back(left);
        outcome
    }

    /// Whether one of the entries matches the specimen; one that matches its whole pattern settles it.
    fn any_speaks_of(&mut self, entries: &[Pattern], specimen: &mut Specimen<'_>) -> bool {
        let before = specimen.exact;
        let mut hit = false;
        for entry in entries {
            if self.is_spent() {
                break;
            }
            specimen.exact = true;
            if self.speaks_of(entry, specimen) {
                if specimen.exact {
                    specimen.exact = before;
                    return true;
                }
                hit = true;
            }
        }
        specimen.exact = before && !hit;
        hit
    }

    /// Whether `entry` matches the specimen. It is no longer exact if `entry` matches only some of its pattern.
    fn speaks_of(&mut self, entry: &Pattern, specimen: &mut Specimen<'_>) -> bool {
        if entry.as_literal().is_none() && entry.as_prefix().is_none() {
            self.scratch.work += (entry.source().len() * specimen.text.len()) as u64 / BYTES_PER_UNIT;
        }
        let hit = if entry.has_variable() {
            matches_placeholders(entry, &specimen.text, &mut self.scratch.names)
        } else {
            entry.matches(&specimen.text)
        };
        if !hit {
            return false;
        }
        let all = specimen.pattern.as_literal().is_some()
            || specimen.dimension.is_everything(entry)
            || covers_pattern(entry, specimen.pattern, &mut self.scratch);
        specimen.exact &= all;
        true
    }

    /// Lists every class of the cell with the automaton.
    fn explore_cell<'p>(&mut self, question: Question<'_, 'p>, members: &[u32], cell: Cell<'p>) -> Outcome {
        let dimension = cell.dimension;
        let mut table = Table::default();
        table.required(cell, self);
        let excepted: Vec<usize> = cell.exceptions().filter_map(|entry| table.entry(cell, entry, self)).collect();
        let mut lists: Vec<(u32, bool, Vec<usize>)> = Vec::with_capacity(members.len());
        for &member in members {
            let Some(statement) = question.others.get(member as usize) else { continue };
            let scope = dimension.of(statement);
            if !self.spend(scope.entries().len() * TABLE_ENTRY_COST) {
                return Outcome::Unknown(Reason::Size);
            }
            let live = |entry: &&Pattern| !scope.is_negated() || !self.is_outside(entry, cell);
            let entries: Vec<&Pattern> = scope.entries().iter().filter(live).collect();
            let numbers = entries.into_iter().filter_map(|entry| table.entry(cell, entry, self)).collect();
            lists.push((member, scope.is_negated(), numbers));
        }
        let entries: usize = excepted.len() + lists.iter().map(|(.., numbers)| numbers.len() + 1).sum::<usize>();
        let mut tally = Tally::default();
        let mut witness = None;
        let mut budget = self.budget;
        let mut automaton = self.automata.get_mut(dimension as usize).map(std::mem::take).unwrap_or_default();
        let patterns: Vec<&[Step]> = table.steps.iter().map(Vec::as_slice).collect();
        let mut visit = |found: &Found<'_>| {
            if !self.spend(entries) {
                tally.add(Outcome::Unknown(Reason::Size));
                return ControlFlow::Break(());
            }
            if excepted.iter().any(|&number| found.matches(number)) {
                return ControlFlow::Continue(());
            }
            let mut left = self.take_list();
            let speaks = |numbers: &[usize]| numbers.iter().any(|&number| found.matches(number));
            left.extend(lists.iter().filter(|(_, negated, list)| speaks(list) != *negated).map(|(member, ..)| member));
            self.put_text(dimension, found.text());
            witness = tally.add(self.descend(question, dimension, &left));
            self.give_back(left);
            if witness.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let explored = automaton.explore(&patterns, table.required, &mut budget, &mut visit);
        self.budget.keep_smaller(budget);
        if let Some(slot) = self.automata.get_mut(dimension as usize) {
            *slot = automaton;
        }
        match (witness, explored) {
            (Some(witness), _) => Outcome::Found(witness),
            (None, Explored::Capped) => Outcome::Unknown(Reason::States),
            (None, _) if table.has_variable => Outcome::Unknown(Reason::Variables),
            (None, _) => tally.outcome(),
        }
    }

    fn take_text(&mut self, dimension: Dimension) -> String {
        self.texts.get_mut(dimension as usize).map(std::mem::take).unwrap_or_default()
    }

    fn put_text(&mut self, dimension: Dimension, text: String) {
        if let Some(slot) = self.texts.get_mut(dimension as usize) {
            *slot = text;
        }
    }
}

/// The entries of a scope that names what it is for; everything for the other form.
fn listed(scope: &Scope<Pattern>) -> &[Pattern] {
    match scope {
        Scope::Only(entries) => entries,
        Scope::AllExcept(_) => std::slice::from_ref(&*EVERYTHING),
    }
}

/// The patterns of one exploration, each once.
#[derive(Debug, Default)]
struct Table<'p> {
    numbers: HashMap<&'p Pattern, usize>,
    steps: Vec<Vec<Step>>,
    required: usize,
    has_variable: bool,
}

impl<'p> Table<'p> {
    /// The form of the dimension and the patterns of the cell: all of them must match.
    fn required(&mut self, cell: Cell<'p>, search: &mut Search) {
        self.steps.push(cell.dimension.form().to_vec());
        for pattern in [Some(cell.first), cell.second].into_iter().flatten() {
            self.add(pattern, search);
        }
        self.required = self.steps.len();
    }

    /// The number of another pattern; none if it cannot match inside the cell.
    fn entry(&mut self, cell: Cell<'p>, pattern: &'p Pattern, search: &mut Search) -> Option<usize> {
        let inert = [Some(cell.first), cell.second]
            .into_iter()
            .flatten()
            .any(|own| !overlaps(own, pattern, &mut search.scratch));
        if inert {
            return None;
        }
        let known = self.numbers.get(pattern).copied();
        Some(known.unwrap_or_else(|| self.add(pattern, search)))
    }

    fn add(&mut self, pattern: &'p Pattern, search: &mut Search) -> usize {
        self.numbers.insert(pattern, self.steps.len());
        self.has_variable |= pattern.has_variable();
        let mut steps = Vec::new();
        steps_of(pattern, false, &mut search.scratch.names, &mut steps);
        self.steps.push(steps);
        self.steps.len() - 1
    }
}
