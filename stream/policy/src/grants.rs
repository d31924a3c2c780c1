//! Set questions: does the document grant an action on at least one resource?
//!
//! Every answer has two bounds. **may**: an Allow counts when its conditions can be met, a Deny only when
//! nothing can switch it off. **must**: an Allow counts only when nothing guards it, and every Deny counts.
//! Where a search gives up, *may* holds and *must* does not: a limit never hides a grant.

use std::borrow::Cow;

use crate::automaton::overlaps;
use crate::document::{Effect, Policy, Scope, Statement};
use crate::guard::Guard;
use crate::pattern::Pattern;
use crate::reach::resource_for;
use crate::targets::{self, Target};
use crate::witness::{Effort, Search, example_action, for_people, steps};

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Holds for requests that meet conditions of the document.
    May,
    /// Holds whatever the conditions.
    Must,
}

/// What a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The statement that grants, from 0.
    pub statement: usize,
    /// Its Sid.
    pub sid: Option<String>,
    /// The entry of `Action` (or, as `NotAction [...]`, the whole list) that grants.
    pub pattern: String,
    /// An action it grants, in lower case where the document has only a pattern.
    pub action: String,
    /// A resource it grants the action on.
    pub resource: String,
    /// What keeps the finding from being certain: conditions of the Allow, or the Denies in its way.
    pub unless: Vec<String>,
}

/// A true answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `Must` or only `May`.
    pub certainty: Certainty,
    /// Why.
    pub evidence: Evidence,
}

/// A statement that grants, and on what.
#[derive(Debug, Clone)]
pub(crate) struct Reached<'p> {
    pub(crate) statement: &'p Statement,
    pub(crate) action: String,
    pub(crate) resource: String,
}

impl Policy {
    /// Whether an action that the pattern means is granted on some resource of its type.
    pub fn grants(&self, action: &str) -> Option<Finding> {
        self.grants_pattern(&Pattern::action(action), None, &mut Effort::default())
    }

    /// Whether an action that the pattern means is granted on some resource that the other pattern means.
    pub fn grants_on(&self, action: &str, resource: &str) -> Option<Finding> {
        let target = Target::within(Pattern::resource(resource, false));
        self.grants_pattern(&Pattern::action(action), Some(&target), &mut Effort::default())
    }

    /// Whether any of these actions is granted, for lists such as "all actions that manage permissions".
    pub fn grants_any_of(&self, names: &crate::names::ActionNames) -> Option<Finding> {
        let (mut best, mut effort): (Option<Finding>, _) = (None, Effort::default());
        for statement in self.allows(Certainty::May) {
            for position in positions(statement, names) {
                let Some(name) = names.get(position) else { continue };
                best = stronger(best, self.grants_pattern(&Pattern::action(name), None, &mut effort));
                if best.as_ref().is_some_and(|finding| finding.certainty == Certainty::Must) {
                    return best;
                }
            }
        }
        best
    }

    /// The grant of an action that `ask` means, on a resource of the target (or of the action's own type).
    pub(crate) fn grants_pattern(
        &self,
        ask: &Pattern,
        target: Option<&Target>,
        effort: &mut Effort,
    ) -> Option<Finding> {
        let question = Question { policy: self, ask, target };
        if let Some(reached) = question.first(Certainty::Must, effort) {
            return Some(self.finding(Certainty::Must, &reached));
        }
        let reached = question.first(Certainty::May, effort)?;
        Some(self.finding(Certainty::May, &reached))
    }

    /// The Allow statements that count for a bound. Boundaries and organization policies have none.
    pub(crate) fn allows(&self, bound: Certainty) -> impl Iterator<Item = &Statement> {
        let none = self.kind.only_limits();
        self.stated_allows(bound).filter(move |_| !none)
    }

    /// The Allow statements that count for a bound, in a document of any kind.
    pub(crate) fn stated_allows(&self, bound: Certainty) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |statement| counts(statement, Effect::Allow, bound))
    }

    /// The Deny statements that count for a bound.
    pub(crate) fn denies(&self, bound: Certainty) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |statement| counts(statement, Effect::Deny, bound))
    }

    /// What this one Allow grants of the actions asked for, after the Denies of the document.
    pub(crate) fn granted_by(
        &self,
        statement: &Statement,
        ask: &Pattern,
        target: Option<&Target>,
        effort: &mut Effort,
    ) -> Option<Finding> {
        let question = Question { policy: self, ask, target };
        [Certainty::Must, Certainty::May].into_iter().find_map(|bound| {
            let reached =
                counts(statement, Effect::Allow, bound).then(|| question.by_statement(statement, bound, effort))??;
            Some(self.finding(bound, &reached))
        })
    }

    /// Puts a finding into words.
    pub(crate) fn finding(&self, certainty: Certainty, reached: &Reached<'_>) -> Finding {
        let statement = reached.statement;
        let evidence = Evidence {
            statement: statement.index,
            sid: statement.sid.as_deref().map(str::to_owned),
            pattern: pattern_in_words(statement, &reached.action),
            action: action_as_written(statement, &reached.action),
            resource: for_people(&reached.resource),
            unless: if certainty == Certainty::May { self.in_the_way(reached) } else { Vec::new() },
        };
        Finding { certainty, evidence }
    }

    /// The conditions of the Allow, and the Denies that may take the grant away.
    fn in_the_way(&self, reached: &Reached<'_>) -> Vec<String> {
        let mut words: Vec<String> = conditions_in_words(reached.statement);
        let action = reached.action.to_ascii_lowercase();
        for deny in self.denies(Certainty::Must).filter(|deny| deny.actions.contains(|p| p.matches(&action))) {
            let conditions = conditions_in_words(deny);
            let when = if conditions.is_empty() { "some resources".to_owned() } else { conditions.join(" and ") };
            words.push(format!("denied by statement {} for {when}", deny.index + 1));
            if words.len() > MAX_REASONS {
                break;
            }
        }
        words
    }
}

/// The conditions of a statement, as many as people read.
pub(crate) fn conditions_in_words(statement: &Statement) -> Vec<String> {
    statement.conditions.iter().take(MAX_REASONS).map(ToString::to_string).collect()
}

/// Reasons listed in [`Evidence::unless`].
const MAX_REASONS: usize = 8;

/// Keeps the more certain of two findings.
pub(crate) fn stronger(one: Option<Finding>, other: Option<Finding>) -> Option<Finding> {
    let rank = |finding: &Option<Finding>| finding.as_ref().map(|finding| finding.certainty);
    if rank(&other) > rank(&one) { other } else { one }
}

/// Whether a statement has this effect and counts for a bound.
pub(crate) fn counts(statement: &Statement, effect: Effect, bound: Certainty) -> bool {
    statement.effect == effect
        && match (effect, bound) {
            (Effect::Allow, Certainty::May) | (Effect::Deny, Certainty::Must) => statement.guard != Guard::Never,
            (Effect::Allow, Certainty::Must) | (Effect::Deny, Certainty::May) => statement.guard == Guard::Open,
        }
}

fn positions(statement: &Statement, names: &crate::names::ActionNames) -> Vec<usize> {
    let listed = statement.actions.entries().iter().flat_map(|pattern| names.matching(pattern));
    match &statement.actions {
        Scope::Only(_) => listed.collect(),
        Scope::AllExcept(_) => {
            let listed: std::collections::HashSet<usize> = listed.collect();
            (0..names.len()).filter(|position| !listed.contains(position)).collect()
        }
    }
}

fn pattern_in_words(statement: &Statement, action: &str) -> String {
    match &statement.actions {
        Scope::Only(patterns) => {
            let action = action.to_ascii_lowercase();
            let matching = patterns.iter().find(|pattern| pattern.matches(&action));
            matching.map(|pattern| pattern.source().to_owned()).unwrap_or_default()
        }
        Scope::AllExcept(patterns) => {
            let listed: Vec<&str> = patterns.iter().take(MAX_REASONS).map(Pattern::source).collect();
            format!("NotAction [{}]", listed.join(", "))
        }
    }
}

/// The document's own spelling where it names the action itself.
fn action_as_written(statement: &Statement, action: &str) -> String {
    let spelled = statement.actions.entries().iter().find(|pattern| pattern.as_literal() == Some(action));
    spelled.map_or_else(|| action.to_owned(), |pattern| pattern.source().to_owned())
}

/// One question to one document.
struct Question<'q, 'p> {
    policy: &'p Policy,
    ask: &'q Pattern,
    target: Option<&'q Target>,
}

impl<'p> Question<'_, 'p> {
    fn first(&self, bound: Certainty, effort: &mut Effort) -> Option<Reached<'p>> {
        for statement in self.policy.allows(bound) {
            if let Some(reached) = self.by_statement(statement, bound, effort) {
                return Some(reached);
            }
        }
        None
    }

    fn by_statement(&self, statement: &'p Statement, bound: Certainty, effort: &mut Effort) -> Option<Reached<'p>> {
        if let Some(action) = self.ask.as_literal() {
            let granted = statement.actions.contains(|pattern| pattern.matches(action));
            return if granted { self.on_action(statement, action, bound, effort) } else { None };
        }
        let everything = [Pattern::any()];
        let (offered, excepted): (&[Pattern], &[Pattern]) = match &statement.actions {
            Scope::Only(patterns) => (patterns, &[]),
            Scope::AllExcept(patterns) => (&everything, patterns),
        };
        let asked = steps(self.ask);
        for pattern in offered {
            let certain = self.ask.is_any() || pattern.is_any();
            if !certain && (self.ask.starts_apart(pattern) || !overlaps(&asked, &steps(pattern))) {
                continue;
            }
            for candidate in [example_action(pattern), example_action(self.ask)] {
                let fits = self.ask.matches(&candidate)
                    && pattern.matches(&candidate)
                    && !excepted.iter().any(|pattern| pattern.matches(&candidate));
                if fits && let Some(reached) = self.on_action(statement, &candidate, bound, effort) {
                    return Some(reached);
                }
            }
            if let Some(reached) = self.by_search(statement, (pattern, excepted), bound, effort) {
                return Some(reached);
            }
        }
        None
    }

    /// Actions that differ in which entries of the document match them, one of each sort.
    fn by_search(
        &self,
        statement: &'p Statement,
        (offered, excepted): (&Pattern, &[Pattern]),
        bound: Certainty,
        effort: &mut Effort,
    ) -> Option<Reached<'p>> {
        let affordable = effort.take(self.policy.statements.len());
        let mut patterns = vec![steps(&Pattern::action("?*:?*")), steps(self.ask), steps(offered)];
        let required = patterns.len();
        let meets = |entry: &&Pattern| !self.ask.starts_apart(entry) && !offered.starts_apart(entry);
        patterns.extend(excepted.iter().filter(meets).map(steps));
        let denied_from = patterns.len();
        let denied = self.policy.denies(bound).flat_map(|deny| deny.actions.entries());
        patterns.extend(denied.take(if affordable { usize::MAX } else { 0 }).filter(meets).map(steps));
        let mut sorts = Vec::new();
        let outcome = effort.search(&patterns, required, |accepts, text| {
            if !(required..denied_from).any(accepts) {
                sorts.push(text());
            }
            sorts.len() >= MAX_SORTS
        });
        for action in &sorts {
            if let Some(reached) = self.on_action(statement, action, bound, effort) {
                return Some(reached);
            }
        }
        let unknown = !affordable || outcome == Search::GaveUp || sorts.len() >= MAX_SORTS;
        (unknown && bound == Certainty::May).then(|| Reached {
            statement,
            action: example_action(offered),
            resource: "*".to_owned(),
        })
    }

    fn on_action(
        &self,
        statement: &'p Statement,
        action: &str,
        bound: Certainty,
        effort: &mut Effort,
    ) -> Option<Reached<'p>> {
        let target = match self.target {
            Some(target) => Cow::Borrowed(target),
            None => targets::of_action(action),
        };
        let resource = resource_for(self.policy, statement, (action, &target), bound, effort)?;
        Some(Reached { statement, action: action.to_owned(), resource })
    }
}

/// Sorts of actions tried for one pattern that is asked for.
const MAX_SORTS: usize = 64;
