//! The known ways to raise one's own privilege, all judged together in one pass over a document.
//!
//! Each action a method needs is one bit. A statement turns into a bit set (which of these actions its
//! patterns name), the document into the set of actions it grants, and a method holds when its bits are in it.

use std::sync::LazyLock;

use crate::document::{Effect, Kind, Policy, Statement};
use crate::grants::{Certainty, Finding, counts};
use crate::guard::Guard;
use crate::names::ActionNames;
use crate::pattern::Pattern;
use crate::reach::resource_for;
use crate::targets::{self, Target};
use crate::witness::Effort;

const TABLE: &str = include_str!("../data/escalation-methods.tsv");

/// One way to raise privilege.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Name, such as `iam-001` (pathfinding.cloud) or `rhino-02`.
    pub id: String,
    /// Actions that are all needed, as IAM writes them.
    pub actions: Vec<String>,
    /// `self-escalation`, `principal-access`, `new-passrole` or `existing-passrole`.
    pub category: String,
    position: u32,
    needs: u128,
}

/// Actions as bits; the table has 110 of them.
type Actions = u128;

struct Table {
    methods: Vec<Method>,
    actions: ActionNames,
    targets: Vec<Target>,
}

static METHODS: LazyLock<Table> = LazyLock::new(|| {
    let lines = || TABLE.lines().filter(|line| !line.starts_with('#'));
    let needed = lines().filter_map(|line| line.split('\t').nth(1)).flat_map(|actions| actions.split(','));
    let actions = ActionNames::new(needed);
    let mut methods = Vec::new();
    for (position, line) in (0..).zip(lines()) {
        let mut columns = line.split('\t');
        let (Some(id), Some(needed), Some(category)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let needed: Vec<String> = needed.split(',').map(str::to_owned).collect();
        let bits = needed.iter().filter_map(|name| actions.position(&name.to_ascii_lowercase()));
        let needs = bits.fold(0, |needs, position| needs | bit(position));
        methods.push(Method { id: id.to_owned(), actions: needed, category: category.to_owned(), position, needs });
    }
    let targets = (0..actions.len()).filter_map(|at| actions.get(at)).map(targets::of_method_action);
    let targets = targets.collect();
    Table { methods, actions, targets }
});

fn bit(position: usize) -> Actions {
    1_u128.checked_shl(u32::try_from(position).unwrap_or(u32::MAX)).unwrap_or(0)
}

/// All known methods, in the order of the table.
pub fn methods() -> &'static [Method] {
    &METHODS.methods
}

/// The method with this id.
pub fn method(id: &str) -> Option<&'static Method> {
    METHODS.methods.iter().find(|method| method.id == id)
}

/// A set of [`Method`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct MethodSet(u128);

impl MethodSet {
    /// The set of these methods; unknown ids are given back.
    pub fn from_ids<'i>(ids: impl IntoIterator<Item = &'i str>) -> Result<Self, Vec<&'i str>> {
        let (mut set, mut unknown) = (Self::default(), Vec::new());
        for id in ids {
            match method(id) {
                Some(method) => set.0 |= bit(method.position as usize),
                None => unknown.push(id),
            }
        }
        if unknown.is_empty() { Ok(set) } else { Err(unknown) }
    }

    /// Whether the method is in the set.
    pub fn contains(self, method: &Method) -> bool {
        self.0 & bit(method.position as usize) != 0
    }

    /// True without any method.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of methods.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Methods that are in both sets.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The methods, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = &'static Method> {
        methods().iter().filter(move |method| self.contains(method))
    }
}

/// The methods a document makes possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Escalations {
    /// Those that hold if conditions are met. Contains all of `must`.
    pub may: MethodSet,
    /// Those that hold whatever the conditions.
    pub must: MethodSet,
}

impl Policy {
    /// All methods this document makes possible. Only identity policies can: the others do not speak of
    /// what their holder may do, or grant nothing.
    pub fn escalations(&self) -> Escalations {
        if self.kind != Kind::Identity {
            return Escalations::default();
        }
        let (named, mut effort) = (self.statements.iter().map(named_actions).collect::<Vec<_>>(), Effort::default());
        let may = self.possible(Certainty::May, &named, &mut effort);
        if may.is_empty() {
            return Escalations::default();
        }
        let guarded =
            self.statements.iter().any(|statement| statement.guard != Guard::Open || statement.effect == Effect::Deny)
                || self.has_variables();
        let must = if guarded { self.possible(Certainty::Must, &named, &mut effort) } else { may };
        Escalations { may, must: must.and(may) }
    }

    /// Why a method holds: one finding for each of its actions. `None` when it does not even may hold.
    pub fn escalation_evidence(&self, method: &Method) -> Option<(Certainty, Vec<Finding>)> {
        self.evidence_within(method, &mut Effort::default())
    }

    /// [`escalation_evidence`](Self::escalation_evidence) with a share of the caller's effort.
    pub(crate) fn evidence_within(&self, method: &Method, effort: &mut Effort) -> Option<(Certainty, Vec<Finding>)> {
        if self.kind != Kind::Identity {
            return None;
        }
        let findings: Option<Vec<Finding>> = method.actions.iter().map(|action| self.serves(action, effort)).collect();
        let findings = findings?;
        let certainty = findings.iter().map(|finding| finding.certainty).min()?;
        Some((certainty, findings))
    }

    fn serves(&self, action: &str, effort: &mut Effort) -> Option<Finding> {
        let ask = Pattern::action(action);
        self.grants_pattern(&ask, Some(target_of(&ask)?), effort)
    }

    /// The grant, by this one Allow, of an action on a resource that serves a method.
    pub(crate) fn serves_by(&self, allow: &Statement, action: &str, effort: &mut Effort) -> Option<Finding> {
        let ask = Pattern::action(action);
        self.granted_by(allow, &ask, Some(target_of(&ask)?), effort)
    }

    fn has_variables(&self) -> bool {
        let variable = |statement: &Statement| statement.resources.entries().iter().any(|p| p.has_variable());
        self.statements.iter().any(variable)
    }

    fn possible(&self, bound: Certainty, named: &[Actions], effort: &mut Effort) -> MethodSet {
        let granted = self.granted_actions(bound, named, effort);
        let held = methods().iter().filter(|method| method.needs & !granted == 0);
        MethodSet(held.fold(0, |set, method| set | bit(method.position as usize)))
    }

    /// Which of the actions of the table are granted on a resource of their type.
    fn granted_actions(&self, bound: Certainty, named: &[Actions], effort: &mut Effort) -> Actions {
        let (mut touched, mut denied, mut granted) = (0, 0, 0);
        let with_names = || self.statements.iter().zip(named.iter().copied());
        for (deny, actions) in with_names().filter(|(statement, _)| counts(statement, Effect::Deny, bound)) {
            touched |= actions;
            if deny.covers_every_resource() {
                denied |= actions;
            }
        }
        let allows = || with_names().filter(|(statement, _)| counts(statement, Effect::Allow, bound));
        // First what needs no search: everything, and no Deny that says a word about it.
        for (_, actions) in allows().filter(|(allow, _)| allow.covers_every_resource()) {
            granted |= actions & !touched;
        }
        for (allow, actions) in allows() {
            let mut open = actions & !granted & !denied;
            while open != 0 {
                let position = open.trailing_zeros() as usize;
                open &= open - 1;
                if reachable(self, allow, position, bound, effort) {
                    granted |= bit(position);
                }
            }
        }
        granted
    }
}

/// The actions of the table that the statement speaks of.
fn named_actions(statement: &Statement) -> Actions {
    let table = &METHODS.actions;
    let all = if table.len() >= 128 { u128::MAX } else { bit(table.len()) - 1 };
    let mut named = 0;
    for pattern in statement.actions.entries() {
        if pattern.is_any() {
            named = all;
            break;
        }
        for position in table.matching(pattern) {
            named |= bit(position);
        }
    }
    if statement.actions.is_negated() { all & !named } else { named }
}

/// The resources on which an action of the table serves a method.
fn target_of(action: &Pattern) -> Option<&'static Target> {
    METHODS.targets.get(METHODS.actions.position(action.as_literal()?)?)
}

/// Whether this Allow grants the action at a position of the table on a resource of its type.
fn reachable(policy: &Policy, allow: &Statement, position: usize, bound: Certainty, effort: &mut Effort) -> bool {
    let (Some(action), Some(target)) = (METHODS.actions.get(position), METHODS.targets.get(position)) else {
        return false;
    };
    resource_for(policy, allow, (action, target), bound, effort).is_some()
}

#[cfg(test)]
mod tests {
    use super::{METHODS, methods};

    #[test]
    fn every_method_has_its_actions_as_bits_and_fits_the_set() {
        assert_eq!(methods().len(), 89);
        assert!(METHODS.actions.len() <= 128);
        for method in methods() {
            assert_eq!(method.needs.count_ones() as usize, method.actions.len(), "{}", method.id);
        }
        for (position, target) in METHODS.targets.iter().enumerate() {
            assert!(!target.forms.is_empty(), "{:?} has no resource form", METHODS.actions.get(position));
        }
    }
}
