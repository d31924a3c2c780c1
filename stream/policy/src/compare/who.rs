//! The dimension of principals: a short list of names, and everybody else.

use super::cover::{Outcome, Question, Search, Tally};
use super::{Reason, exceptions};
use crate::decide::is_session_of;
use crate::document::{Principal, Scope, Statement};

static EVERYONE: [Principal; 1] = [Principal::Everyone];

impl Search {
    /// Looks for a principal, and all that follows, that `members` do not cover.
    pub(super) fn cover_principals(&mut self, question: Question<'_, '_>, members: &[u32]) -> Outcome {
        let other = |member: &u32| question.others.get(*member as usize).copied();
        let mut all = question.base.iter().copied().chain(members.iter().filter_map(other));
        if all.all(|statement| statement.principals.is_none()) {
            self.principal = None;
            return self.cover_contexts(question, members);
        }
        let mut tally = Tally::default();
        let listed = members.iter().filter_map(other).flat_map(listed_exceptions);
        let listed: Vec<&Principal> = listed.collect();
        let mut bases = question.base.iter().map(|statement| names_of(statement));
        let first = bases.next().unwrap_or_default();
        let second = bases.next().unwrap_or(&EVERYONE);
        for class in first.iter().flat_map(|a| second.iter().filter_map(move |b| meet(a, b))) {
            let inside = listed.iter().copied().filter(|entry| *entry != class && speaks_of(class, entry));
            for who in std::iter::once(class).chain(inside) {
                if !self.spend(members.len() + 1) {
                    return Outcome::Unknown(Reason::Size);
                }
                if question.base.iter().any(|statement| listed_exceptions(statement).any(|entry| speaks_of(entry, who)))
                {
                    continue;
                }
                if let Some(witness) = tally.add(self.cover_principal(question, members, who)) {
                    return Outcome::Found(witness);
                }
            }
        }
        tally.outcome()
    }

    fn cover_principal(&mut self, question: Question<'_, '_>, members: &[u32], who: &Principal) -> Outcome {
        let mut left = self.take_list();
        left.extend(members.iter().filter(|&&member| {
            let statement = question.others.get(member as usize);
            statement.is_some_and(|statement| match &statement.principals {
                None => true,
                Some(scope) => scope.contains(|entry| speaks_of(entry, who)),
            })
        }));
        self.principal = Some(who.clone());
        let outcome = self.cover_contexts(question, &left);
        self.give_back(left);
        outcome
    }
}

/// The names a statement is for; everybody when it names none or only exceptions.
fn names_of(statement: &Statement) -> &[Principal] {
    match &statement.principals {
        Some(Scope::Only(entries)) => entries,
        Some(Scope::AllExcept(_)) | None => &EVERYONE,
    }
}

fn listed_exceptions(statement: &Statement) -> impl Iterator<Item = &Principal> {
    statement.principals.iter().flat_map(exceptions)
}

/// Who is meant by both: names are nested or disjoint.
fn meet<'p>(a: &'p Principal, b: &'p Principal) -> Option<&'p Principal> {
    if speaks_of(b, a) {
        Some(a)
    } else if speaks_of(a, b) {
        Some(b)
    } else {
        None
    }
}

/// True when everybody that `inner` names is named by `outer`.
fn speaks_of(outer: &Principal, inner: &Principal) -> bool {
    match (outer, inner) {
        (Principal::Everyone, _) => true,
        (Principal::Account(account), Principal::Arn(arn)) => arn.split(':').nth(4) == Some(&**account),
        (Principal::Arn(role), Principal::Arn(arn)) => role == arn || is_session_of(arn, role),
        (Principal::Service(name), Principal::Service(_)) if &**name == "*" => true,
        (Principal::Federated(name), Principal::Federated(_)) if &**name == "*" => true,
        (outer, inner) => outer == inner,
    }
}

/// One of those that are meant, in the form a request names them.
pub(super) fn name_of(principal: &Principal) -> String {
    match principal {
        Principal::Everyone => "*".to_owned(),
        Principal::Account(account) => format!("arn:aws:iam::{account}:user/anything"),
        Principal::Arn(text)
        | Principal::UniqueId(text)
        | Principal::Service(text)
        | Principal::Federated(text)
        | Principal::CanonicalUser(text)
        | Principal::Unreadable(text) => text.to_string(),
    }
}
