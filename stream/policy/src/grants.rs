//! Set questions: does the document grant an action on at least one resource?
//!
//! Every answer has two bounds. **may**: an Allow counts when its conditions can be met, a Deny only when
//! nothing can switch it off. **must**: an Allow counts only when nothing guards it, and every Deny counts.
//! Where a search gives up, *may* holds and *must* does not: a limit never hides a grant.

use std::borrow::Cow;

use crate::automaton::overlaps;
use crate::document::{Effect, Policy, Scope, Statement};
use crate::guard::Guard;
use crate::pattern::{Pattern, Token, Variable};
use crate::targets::{self, Form, Target};
use crate::witness::{Effort, Search, example, example_action, for_people, own_text, steps};

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

    /// What one Allow grants of the actions asked for.
    pub(crate) fn granted_by_statement<'p>(
        &'p self,
        statement: &'p Statement,
        ask: &Pattern,
        bound: Certainty,
        effort: &mut Effort,
    ) -> Option<Reached<'p>> {
        Question { policy: self, ask, target: None }.by_statement(statement, bound, effort)
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

fn counts(statement: &Statement, effect: Effect, bound: Certainty) -> bool {
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
            if !(self.ask.is_any() || pattern.is_any() || overlaps(&asked, &steps(pattern))) {
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
        patterns.extend(excepted.iter().map(steps));
        let denied = self.policy.denies(bound).flat_map(|deny| deny.actions.entries());
        patterns.extend(denied.take(if affordable { usize::MAX } else { 0 }).map(steps));
        let mut sorts = Vec::new();
        let outcome = effort.search(&patterns, required, |accepts, text| {
            if !(0..excepted.len()).any(|at| accepts(required + at)) {
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

/// A resource of the target on which the statement grants the action (in lower case) and no Deny that counts
/// takes it away.
pub(crate) fn resource_for(
    policy: &Policy,
    statement: &Statement,
    (action, target): (&str, &Target),
    bound: Certainty,
    effort: &mut Effort,
) -> Option<String> {
    if !effort.take(policy.statements.len()) {
        let form = target.forms.first().map_or_else(|| "*".to_owned(), |form| form.example.clone());
        return (bound == Certainty::May).then_some(form);
    }
    let denies: Vec<&Statement> =
        policy.denies(bound).filter(|deny| deny.actions.contains(|pattern| pattern.matches(action))).collect();
    let refused: Vec<Scope<Cow<'_, Pattern>>> = denies.iter().map(|deny| denied_resources(deny, bound)).collect();
    let everything = [Pattern::any()];
    let (offered, excepted): (&[Pattern], &[Pattern]) = match &statement.resources {
        Scope::Only(patterns) => (patterns, &[]),
        Scope::AllExcept(patterns) => (&everything, patterns),
    };
    let excepted: Vec<Cow<'_, Pattern>> =
        excepted.iter().map(|pattern| bound_as(pattern, bound == Certainty::Must)).collect();
    let place = Place { target, excepted: &excepted, refused: &refused, bound };
    for pattern in offered {
        let (reading, certain) = offered_as(pattern);
        if !certain && bound == Certainty::Must {
            continue;
        }
        if let Some(resource) = place.within(&reading, effort) {
            return Some(resource);
        }
    }
    None
}

/// What an entry of an Allow offers, and whether it does so for every principal. The variables that name the
/// caller itself stand for themselves, the others (tags, say) may hold any text, or none.
fn offered_as(pattern: &Pattern) -> (Cow<'_, Pattern>, bool) {
    const THE_CALLER: [&str; 5] =
        ["aws:username", "aws:userid", "aws:principalaccount", "aws:principalarn", "aws:principaltype"];
    let names_caller = |variable: &Variable| THE_CALLER.contains(&&*variable.name);
    if pattern.variables().all(names_caller) {
        return (Cow::Borrowed(pattern), true);
    }
    let certain = pattern.variables().all(|variable| names_caller(variable) || variable.default.is_some());
    let any_text = |variable: &Variable| {
        if names_caller(variable) { Token::Variable(variable.clone()) } else { Token::Run }
    };
    (Cow::Owned(pattern.with_variables_as(any_text)), certain)
}

/// A pattern with its variables read wide (any text) or narrow (a text of their own).
fn bound_as(pattern: &Pattern, wide: bool) -> Cow<'_, Pattern> {
    if wide && pattern.has_variable() {
        Cow::Owned(pattern.with_variables_as(|_| Token::Run))
    } else {
        Cow::Borrowed(pattern)
    }
}

fn denied_resources(deny: &Statement, bound: Certainty) -> Scope<Cow<'_, Pattern>> {
    let must = bound == Certainty::Must;
    match &deny.resources {
        Scope::Only(patterns) => Scope::Only(patterns.iter().map(|pattern| bound_as(pattern, must)).collect()),
        Scope::AllExcept(patterns) => {
            Scope::AllExcept(patterns.iter().map(|pattern| bound_as(pattern, !must)).collect())
        }
    }
}

/// Where a resource is looked for.
struct Place<'q> {
    target: &'q Target,
    excepted: &'q [Cow<'q, Pattern>],
    refused: &'q [Scope<Cow<'q, Pattern>>],
    bound: Certainty,
}

impl Place<'_> {
    fn within(&self, offered: &Pattern, effort: &mut Effort) -> Option<String> {
        if self.target.forms.is_empty() {
            let mut candidates = vec![example(offered)];
            if offered.is_any() {
                candidates.insert(0, "*".to_owned());
            }
            return self.pick(&candidates, effort).or_else(|| self.search(offered, None, effort));
        }
        for form in &self.target.forms {
            if !may_meet(offered, form) {
                continue;
            }
            let mut candidates = Vec::with_capacity(2);
            for candidate in [form.example.clone(), example(offered)] {
                if accepts(&form.pattern, &candidate) && accepts(offered, &candidate) {
                    candidates.push(candidate);
                }
            }
            let found = self.pick(&candidates, effort).or_else(|| self.search(offered, Some(&form.pattern), effort));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn pick(&self, candidates: &[String], effort: &mut Effort) -> Option<String> {
        candidates.iter().find(|candidate| effort.take(self.patterns()) && self.free(candidate)).cloned()
    }

    fn patterns(&self) -> usize {
        self.excepted.len() + self.refused.iter().map(|scope| scope.entries().len() + 1).sum::<usize>()
    }

    /// Neither excepted by the Allow or the target, nor denied.
    fn free(&self, resource: &str) -> bool {
        let excepted = self.excepted.iter().map(|pattern| &**pattern).chain(&self.target.except);
        !excepted.into_iter().any(|pattern| accepts(pattern, resource))
            && !self.refused.iter().any(|scope| scope.contains(|pattern| accepts(pattern, resource)))
    }

    fn search(&self, offered: &Pattern, form: Option<&Pattern>, effort: &mut Effort) -> Option<String> {
        let mut patterns: Vec<_> = [Some(offered), form].into_iter().flatten().map(steps).collect();
        let required = patterns.len();
        if !effort.take(self.patterns()) {
            return self.given_up(offered, form);
        }
        let excepted = self.excepted.iter().map(|pattern| &**pattern).chain(&self.target.except);
        patterns.extend(excepted.map(steps));
        let refused_from = patterns.len();
        patterns.extend(self.refused.iter().flat_map(Scope::entries).map(|pattern| steps(pattern)));
        let outcome = effort.search(&patterns, required, |accepts, text| {
            let mut next = refused_from;
            let denied = self.refused.iter().any(|scope| {
                let entries = next..next + scope.entries().len();
                next = entries.end;
                entries.into_iter().any(accepts) != scope.is_negated()
            });
            !denied && !(required..refused_from).any(accepts) && !text().is_empty()
        });
        match outcome {
            Search::Found(text) => Some(text),
            Search::Nothing => None,
            Search::GaveUp => self.given_up(offered, form),
        }
    }

    fn given_up(&self, offered: &Pattern, form: Option<&Pattern>) -> Option<String> {
        (self.bound == Certainty::May).then(|| example(form.unwrap_or(offered)))
    }
}

/// Whether some ARN of the form may match what is offered.
fn may_meet(offered: &Pattern, form: &Form) -> bool {
    if offered.is_any() {
        return true;
    }
    if let Some(literal) = offered.as_literal() {
        return form.pattern.matches(literal);
    }
    // A star that ends a segment may run over colons, but no service has ARNs that contain another's.
    let other_service = match (offered.arn_service(), form.pattern.arn_service()) {
        (Some(offered), Some(wanted)) => offered != wanted,
        _ => false,
    };
    !other_service && overlaps(&steps(offered), &form.steps)
}

/// Matches with each variable standing for its own text.
fn accepts(pattern: &Pattern, text: &str) -> bool {
    if pattern.has_variable() {
        let own = |variable: &Variable| Token::Literal(own_text(variable).into());
        return pattern.with_variables_as(own).matches(text);
    }
    pattern.matches(text)
}
