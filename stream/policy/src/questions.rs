//! Questions about the shape of what a document grants: everything, a whole service, everything but.

use std::collections::BTreeMap;
use std::ops::Not;

use crate::document::{Effect, Kind, Policy, Scope, Statement};
use crate::grants::{Certainty, Finding, Reached, stronger};
use crate::guard::Guard;
use crate::methods::{Escalations, MethodSet};
use crate::pattern::Pattern;
use crate::witness::{Effort, Search, steps};

/// Methods whose holder makes itself administrator with nobody's help, as Principal Mapper defines them.
const ADMIN_METHODS: [&str; 7] = ["iam-001", "iam-005", "iam-007", "iam-008", "iam-009", "iam-010", "iam-011"];

impl Policy {
    /// Every action on every resource. *must*: no Deny and no Condition. *may*: conditions, or a Deny that
    /// conditions can switch off, stand in the way. Identity policies only.
    pub fn full_admin(&self) -> Option<Finding> {
        if self.kind == Kind::Identity { self.everything() } else { None }
    }

    /// [`full_admin`](Self::full_admin) for a document of any kind, as if it granted what it allows: a
    /// boundary that limits nothing is a boundary removed.
    pub fn allows_everything(&self) -> Option<Finding> {
        self.everything()
    }

    fn everything(&self) -> Option<Finding> {
        [Certainty::Must, Certainty::May].into_iter().find_map(|bound| self.everything_within(bound))
    }

    fn everything_within(&self, bound: Certainty) -> Option<Finding> {
        if self.denies(bound).next().is_some() {
            return None;
        }
        let broad: Vec<&Statement> = self.stated_allows(bound).filter(|allow| allow.covers_every_resource()).collect();
        let whole = broad.iter().copied().find(|allow| is_every_action(&allow.actions));
        let statement = match whole {
            Some(statement) => statement,
            // Only patterns that leave the service open can add up to everything.
            None => {
                let odd = broad.iter().copied().find(|allow| allow.actions.contains(|p| p.matches(ODD_ACTION)))?;
                every_action_named(&broad).then_some(odd)?
            }
        };
        let reached = Reached { statement, action: ANY.to_owned(), resource: ANY.to_owned() };
        Some(self.finding(bound, &reached))
    }

    /// The holder can make itself full admin: it is, or it can change its own policies without limit.
    pub fn effective_admin(&self) -> Option<Finding> {
        self.effective_admin_given(&self.escalations())
    }

    /// [`effective_admin`](Self::effective_admin) for a caller that has the escalations already.
    pub fn effective_admin_given(&self, escalations: &Escalations) -> Option<Finding> {
        let admin = self.full_admin();
        if admin.as_ref().is_some_and(|finding| finding.certainty == Certainty::Must) {
            return admin;
        }
        let ways = MethodSet::from_ids(ADMIN_METHODS).unwrap_or_default().and(escalations.may);
        let (mut best, mut effort) = (admin, Effort::default());
        for action in ways.iter().filter_map(|way| way.actions.first()) {
            for statement in self.allows(Certainty::May) {
                let finding = self.serves_by(statement, action, &mut effort);
                best = stronger(best, finding.map(|finding| on_whom(statement, finding)));
                if best.as_ref().is_some_and(|finding| finding.certainty == Certainty::Must) {
                    return best;
                }
            }
        }
        best
    }

    /// Services whose every action is granted by an entry `service:*`; `*` stands for all services at once.
    ///
    /// Sorted by name; at most the first thousand entries of a document are looked at.
    pub fn wildcard_services(&self) -> Vec<(String, Finding)> {
        let mut services: BTreeMap<String, Option<Finding>> = BTreeMap::new();
        let mut effort = Effort::default();
        let listed = self.allows(Certainty::May).filter(|statement| !statement.actions.is_negated());
        let entries = listed.flat_map(|statement| statement.actions.entries().iter().map(move |p| (statement, p)));
        let whole = entries.filter_map(|(statement, pattern)| Some((statement, pattern, whole_service(pattern)?)));
        for (statement, pattern, service) in whole.take(MAX_SERVICE_ENTRIES) {
            let best = services.entry(service).or_default();
            if best.as_ref().is_none_or(|finding| finding.certainty == Certainty::May) {
                *best = stronger(best.take(), self.granted_by(statement, pattern, None, &mut effort));
            }
        }
        services.into_iter().filter_map(|(service, finding)| Some((service, finding?))).collect()
    }

    /// An Allow of `Action: *` (or `*:*`), on whatever resource.
    pub fn wildcard_action(&self) -> Option<Finding> {
        self.by_shape(|statement| match &statement.actions {
            Scope::Only(patterns) => patterns.iter().find(|pattern| pattern.is_every_action()).cloned(),
            Scope::AllExcept(_) => None,
        })
    }

    /// An Allow with `NotAction`: everything but a list, and everything AWS adds later.
    pub fn not_action_allow(&self) -> Option<Finding> {
        self.by_shape(|statement| statement.actions.is_negated().then(Pattern::any))
    }

    /// An Allow with `NotResource`.
    pub fn not_resource_allow(&self) -> Option<Finding> {
        self.by_shape(|statement| statement.resources.is_negated().then(Pattern::any))
    }

    /// One of these actions is granted on every resource (`Resource: *`), or on all but a list.
    pub fn resource_wildcard_on(&self, action: &str) -> Option<Finding> {
        let ask = Pattern::action(action);
        self.by_shape(|statement| {
            let wide = statement.covers_every_resource() || statement.resources.is_negated();
            wide.then(|| ask.clone())
        })
    }

    /// The strongest grant by a statement that has a shape; the shape gives the actions that matter.
    fn by_shape(&self, shape: impl Fn(&Statement) -> Option<Pattern>) -> Option<Finding> {
        let (mut best, mut effort) = (None, Effort::default());
        for statement in self.allows(Certainty::May) {
            let Some(ask) = shape(statement) else { continue };
            best = stronger(best, self.granted_by(statement, &ask, None, &mut effort));
            if best.as_ref().is_some_and(|finding| finding.certainty == Certainty::Must) {
                break;
            }
        }
        best
    }

    /// What is denied whatever the conditions, as patterns of the Deny statements.
    pub fn lasting_denies(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.effect == Effect::Deny && statement.guard == Guard::Open)
    }
}

/// A grant on one named user, role or policy raises the holder only if that is its own: *may*.
fn on_whom(statement: &Statement, mut finding: Finding) -> Finding {
    let open = match &statement.resources {
        Scope::AllExcept(_) => true,
        Scope::Only(patterns) => patterns.iter().any(|pattern| pattern.as_literal().is_none()),
    };
    if !open && finding.certainty == Certainty::Must {
        finding.certainty = Certainty::May;
        finding.evidence.unless.push(format!("only if {} is the holder's own", finding.evidence.resource));
    }
    finding
}

const ANY: &str = "*";
/// An action no pattern is likely to name.
const ODD_ACTION: &str = "~:~";
/// Entries looked at by [`Policy::wildcard_services`].
const MAX_SERVICE_ENTRIES: usize = 1_000;

fn is_every_action(actions: &Scope<Pattern>) -> bool {
    match actions {
        Scope::Only(patterns) => patterns.iter().any(Pattern::is_every_action),
        Scope::AllExcept(patterns) => patterns.is_empty(),
    }
}

/// Whether these statements together leave no action out.
fn every_action_named(statements: &[&Statement]) -> bool {
    let mut patterns = vec![steps(&Pattern::action("?*:?*"))];
    let required = patterns.len();
    patterns.extend(statements.iter().flat_map(|statement| statement.actions.entries()).map(steps));
    let left_out = Effort::default().search(&patterns, required, |accepts, _| {
        let mut next = required;
        statements
            .iter()
            .any(|statement| {
                let entries = next..next + statement.actions.entries().len();
                next = entries.end;
                entries.into_iter().any(accepts) != statement.actions.is_negated()
            })
            .not()
    });
    left_out == Search::Nothing
}

/// The service of an entry `service:*`; `*` for every service.
fn whole_service(pattern: &Pattern) -> Option<String> {
    if pattern.is_every_action() {
        return Some(ANY.to_owned());
    }
    let source = pattern.source();
    if !source.ends_with('*') {
        return None;
    }
    let (service, name) = source.split_once(':')?;
    let all = !name.is_empty() && name.bytes().all(|letter| letter == b'*');
    all.then(|| service.to_ascii_lowercase())
}
