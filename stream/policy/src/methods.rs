//! The known ways to raise one's own privilege, all judged together in one pass over a document.
//!
//! Each action a method needs is one bit. A statement turns into a bit set (which of these actions its
//! patterns name), the document into the set of actions it grants, and a method holds when its bits are in it.

use std::sync::LazyLock;

use crate::document::{Kind, Policy, Scope, Statement};
use crate::grants::{Certainty, Finding, Reached};
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
        let mut effort = Effort::default();
        let may = self.possible(Certainty::May, &mut effort);
        if may.is_empty() {
            return Escalations::default();
        }
        let guarded = self.statements.iter().any(|statement| {
            statement.guard != crate::guard::Guard::Open || statement.effect == crate::document::Effect::Deny
        }) || self.has_variables();
        let must = if guarded { self.possible(Certainty::Must, &mut effort) } else { may };
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

    /// The grant of an action on a resource that serves a method.
    pub(crate) fn serves(&self, action: &str, effort: &mut Effort) -> Option<Finding> {
        let ask = Pattern::action(action);
        let position = METHODS.actions.position(ask.as_literal()?)?;
        self.grants_pattern(&ask, METHODS.targets.get(position), effort)
    }

    fn has_variables(&self) -> bool {
        let variable = |statement: &Statement| statement.resources.entries().iter().any(|p| p.has_variable());
        self.statements.iter().any(variable)
    }

    fn possible(&self, bound: Certainty, effort: &mut Effort) -> MethodSet {
        let granted = self.granted_actions(bound, effort);
        let held = methods().iter().filter(|method| method.needs & !granted == 0);
        MethodSet(held.fold(0, |set, method| set | bit(method.position as usize)))
    }

    /// Which of the actions of the table are granted on a resource of their type.
    fn granted_actions(&self, bound: Certainty, effort: &mut Effort) -> Actions {
        let (mut touched, mut denied) = (0, 0);
        for deny in self.denies(bound) {
            let actions = named_actions(deny);
            touched |= actions;
            if covers_everything(&deny.resources) {
                denied |= actions;
            }
        }
        let mut granted = 0;
        // First what needs no search: everything, and no Deny that says a word about it.
        for allow in self.allows(bound).filter(|allow| covers_everything(&allow.resources)) {
            granted |= named_actions(allow) & !touched;
        }
        for allow in self.allows(bound) {
            let mut open = named_actions(allow) & !granted & !denied;
            while open != 0 {
                let position = open.trailing_zeros() as usize;
                open &= open - 1;
                if reachable(self, allow, position, bound, effort).is_some() {
                    granted |= bit(position);
                }
            }
        }
        granted
    }
}

fn covers_everything(resources: &Scope<Pattern>) -> bool {
    match resources {
        Scope::Only(patterns) => patterns.iter().any(|pattern| pattern.is_any()),
        Scope::AllExcept(patterns) => patterns.is_empty(),
    }
}

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

fn reachable<'p>(
    policy: &'p Policy,
    statement: &'p Statement,
    position: usize,
    bound: Certainty,
    effort: &mut Effort,
) -> Option<Reached<'p>> {
    let action = METHODS.actions.get(position)?;
    let target = METHODS.targets.get(position)?;
    let resource = resource_for(policy, statement, (action, target), bound, effort)?;
    Some(Reached { statement, action: action.to_owned(), resource })
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
