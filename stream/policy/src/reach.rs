//! Is there a resource on which an Allow still grants an action, once every Deny that counts is taken away?

use std::borrow::Cow;

use crate::automaton::overlaps;
use crate::document::{Policy, Scope, Statement};
use crate::grants::Certainty;
use crate::pattern::{Pattern, Token, Variable};
use crate::targets::{Form, Target};
use crate::witness::{Effort, Search, example, own_text, steps};

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
