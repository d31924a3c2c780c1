//! Exact comparison of two documents: does the new one grant a request that the old one did not?
//!
//! A request is a point: an action, a resource, a principal and a context. New access is every point that
//! `new` grants and `old` does not. With statements present in both documents set aside, such a point lies
//!
//! - in an Allow that only `new` has, outside every Allow of `old` and every Deny of `new`; or
//! - in a Deny that only `old` has and in an Allow of `new`, outside every Deny of `new`.
//!
//! So the work is driven by what changed, and each question has one form: is this box (one or two statements)
//! covered by those statements? [`cover`] answers it one dimension after the other: actions and resources in
//! [`classes`], principals in [`who`], contexts in [`context`]. A "yes" always carries a request that shows it,
//! a "no" is proved, and where a limit ends the search the answer is "unknown", to be treated as new access.
//!
//! Lost access is the same question with the documents exchanged.

mod classes;
mod context;
mod cover;
mod glob;
mod values;
mod who;

use std::fmt;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::decide::{Decision, decide};
use crate::document::{Condition, Effect, Policy, Principal, Scope, Statement};
use crate::malformed::Fault;
use crate::request::{Caller, Context, Request};
use cover::Search;

/// Up to this many pairs of changed statements are compared one by one; beyond, by hash.
const MAX_PAIRS: usize = 1_024;

/// What changed between two documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// Does the new document grant a request that the old one did not?
    pub new_access: Answer,
    /// Did the old document grant a request that the new one does not?
    pub lost_access: Answer,
}

/// Answer to one direction of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes, and this request shows it.
    Yes(Box<Witness>),
    /// No: proved.
    No,
    /// The search ended at a limit. Treat as yes.
    Unknown(Reason),
}

impl Answer {
    /// True unless it is proved that there is no such request: the safe reading for an alarm.
    pub fn is_possible(&self) -> bool {
        *self != Answer::No
    }

    /// The request that shows a "yes".
    pub fn witness(&self) -> Option<&Witness> {
        match self {
            Answer::Yes(witness) => Some(witness),
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The patterns have more combinations than may be explored.
    States,
    /// The conditions have more combinations than may be tried.
    Conditions,
    /// The documents have more pairs of patterns than may be compared.
    Size,
    /// A policy variable meets other wildcards in a way that depends on its value.
    Variables,
    /// The document compared with could not be read with certainty and may grant less than was read.
    Malformed,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Reason::States => "the wildcards have too many combinations",
            Reason::Conditions => "the conditions have too many combinations",
            Reason::Size => "the documents are too large to compare",
            Reason::Variables => "it depends on the value of a policy variable",
            Reason::Malformed => "a document could not be read with certainty",
        })
    }
}

/// A request that one document grants and the other does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witness {
    /// The action, such as `iam:CreateUser`, in lower case where it comes from a wildcard.
    pub action: String,
    /// The resource: an ARN, or `*` where the grant on everything is what is new.
    pub resource: String,
    /// Who asks, for documents that name principals: an ARN, a service, a provider; `*` for somebody not named.
    pub principal: Option<String>,
    /// Keys the request context must carry, with their values. Keys not listed must be missing, but for those
    /// that `condition` says have a suitable value: it depends on a policy variable, or was too long to work out.
    pub context: Vec<(String, Vec<String>)>,
    /// One sentence on the context when a condition plays a part.
    pub condition: Option<String>,
    /// The entry of the document that `principal` comes from.
    named_as: Option<Principal>,
}

/// Begins what `Witness::condition` says of a key whose value was not worked out.
pub(crate) const SUITABLE_VALUE: &str = "has a suitable value";

impl Witness {
    /// The principal as a request names it. None for documents that name nobody, and for names that no request
    /// carries: unique ids, canonical users, text that has no such form.
    pub fn caller(&self) -> Option<Caller<'_>> {
        let name = self.principal.as_deref()?;
        match self.named_as.as_ref()? {
            Principal::Everyone => Some(Caller::Anonymous),
            Principal::Account(_) | Principal::Arn(_) => Some(Caller::Arn(name)),
            Principal::Service(_) => Some(Caller::Service(name)),
            Principal::Federated(_) => Some(Caller::Federated(name)),
            Principal::UniqueId(_) | Principal::CanonicalUser(_) | Principal::Unreadable(_) => None,
        }
    }

    /// Whether this is all the request needs, with nothing left open: neither who asks nor a value of a key.
    pub fn is_complete(&self) -> bool {
        let is_open = self.condition.as_deref().is_some_and(|text| text.contains(SUITABLE_VALUE));
        !is_open && (self.principal.is_none() || self.caller().is_some())
    }

    /// Whether the document grants this request, asked of [`decide`]. Nothing is proved by a witness that is
    /// not [complete](Self::is_complete).
    pub fn is_granted_by(&self, document: &Policy) -> bool {
        let pairs = self.context.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
        let context: Context = pairs.collect();
        let request =
            Request { action: &self.action, resource: &self.resource, caller: self.caller(), context: &context };
        decide(document, &request) == Decision::Allow
    }

    fn shows(&self, old: &Policy, new: &Policy) -> bool {
        !self.is_complete() || (self.is_granted_by(new) && !self.is_granted_by(old))
    }
}

/// The two answers as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Both grant the same requests.
    Equal,
    /// The new document grants everything the old one did, and more.
    More,
    /// The new document grants less and nothing new.
    Less,
    /// Something was gained and something was lost.
    Incomparable,
    /// A limit was reached.
    Unknown,
}

impl AccessChange {
    /// The two answers as one word.
    pub fn relation(&self) -> Relation {
        match (&self.new_access, &self.lost_access) {
            (Answer::Unknown(_), _) | (_, Answer::Unknown(_)) => Relation::Unknown,
            (Answer::No, Answer::No) => Relation::Equal,
            (Answer::Yes(_), Answer::No) => Relation::More,
            (Answer::No, Answer::Yes(_)) => Relation::Less,
            (Answer::Yes(_), Answer::Yes(_)) => Relation::Incomparable,
        }
    }
}

/// Compares two documents. For many comparisons keep a [`Comparer`].
pub fn compare(old: &Policy, new: &Policy) -> AccessChange {
    Comparer::default().compare(old, new)
}

/// Compares documents and keeps its memory from one comparison to the next.
#[derive(Debug, Default)]
pub struct Comparer {
    search: Search,
    unknown: u64,
}

impl Comparer {
    /// Compares two documents.
    pub fn compare(&mut self, old: &Policy, new: &Policy) -> AccessChange {
        let (only_old, only_new) = changed(&old.statements, &new.statements);
        if only_old.is_empty() && only_new.is_empty() {
            return AccessChange { new_access: Answer::No, lost_access: Answer::No };
        }
        self.search.reset();
        let new_access = self.gained(old, &only_old, new, &only_new);
        let lost_access = self.gained(new, &only_new, old, &only_old);
        AccessChange { new_access, lost_access }
    }

    /// Answers that were "unknown" since this comparer was made: a number to publish.
    pub fn unknown_answers(&self) -> u64 {
        self.unknown
    }

    fn gained<'p>(
        &mut self,
        old: &'p Policy,
        only_old: &[&'p Statement],
        new: &'p Policy,
        only_new: &[&'p Statement],
    ) -> Answer {
        let answer = match self.search.gained(&old.statements, only_old, &new.statements, only_new) {
            Answer::No if is_doubtful(old) => Answer::Unknown(Reason::Malformed),
            // A request with variables depends on their values: it must hold with those chosen for it.
            Answer::Yes(witness) if self.search.met_variables() && !witness.shows(old, new) => {
                Answer::Unknown(Reason::Variables)
            }
            answer => answer,
        };
        if matches!(answer, Answer::Unknown(_)) {
            self.unknown += 1;
        }
        answer
    }
}

/// Whether the reader had to guess what the document grants. It guesses upwards, which is wrong for the
/// document that is compared with.
fn is_doubtful(policy: &Policy) -> bool {
    let harmless = |fault: &Fault| matches!(fault, Fault::NotAllowed(_) | Fault::Missing(_));
    policy.malformed.iter().any(|malformed| !harmless(&malformed.fault))
}

/// The statements of each document that the other does not have.
fn changed<'p>(old: &'p [Statement], new: &'p [Statement]) -> (Vec<&'p Statement>, Vec<&'p Statement>) {
    let same_head = old.iter().zip(new).take_while(|(a, b)| is_same(a, b)).count();
    let old = old.get(same_head..).unwrap_or_default();
    let new = new.get(same_head..).unwrap_or_default();
    let same_tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| is_same(a, b)).count();
    let old = old.get(..old.len() - same_tail).unwrap_or_default();
    let new = new.get(..new.len() - same_tail).unwrap_or_default();
    if old.len() * new.len() <= MAX_PAIRS {
        let missing_in = |others: &'p [Statement], own: &'p [Statement]| {
            own.iter().filter(|own| !others.iter().any(|other| is_same(own, other))).collect()
        };
        return (missing_in(new, old), missing_in(old, new));
    }
    (missing_by_hash(new, old), missing_by_hash(old, new))
}

fn missing_by_hash<'p>(others: &'p [Statement], own: &'p [Statement]) -> Vec<&'p Statement> {
    let hasher = DefaultHashBuilder::default();
    let hash = |statement: &Statement| hasher.hash_one((statement.effect, &statement.actions, &statement.resources));
    let mut table: HashTable<&Statement> = HashTable::with_capacity(others.len());
    for other in others {
        table.insert_unique(hash(other), other, |entry| hash(entry));
    }
    own.iter().filter(|own| table.find(hash(own), |other| is_same(own, other)).is_none()).collect()
}

/// Whether two statements say the same. Position and `Sid` do not matter.
fn is_same(a: &Statement, b: &Statement) -> bool {
    a.effect == b.effect
        && a.actions == b.actions
        && a.resources == b.resources
        && a.principals == b.principals
        && a.conditions.len() == b.conditions.len()
        && a.conditions.iter().zip(&b.conditions).all(|(a, b)| is_same_condition(a, b))
}

fn is_same_condition(a: &Condition, b: &Condition) -> bool {
    a.operator == b.operator && a.key == b.key && a.values == b.values
}

fn allows(statement: &Statement) -> bool {
    statement.effect == Effect::Allow
}

/// The list of a `Not...` scope; empty for the other form.
fn exceptions<T>(scope: &Scope<T>) -> &[T] {
    match scope {
        Scope::Only(_) => &[],
        Scope::AllExcept(entries) => entries,
    }
}
