//! What was found out about policy documents, kept for the next event with the same document.
//!
//! An incident, or a roll-out to many accounts, sends one document thousands of times, and nearly every account attaches
//! the same few policies of AWS. Only answers that depend on the document alone are kept, so an event is judged the
//! same with and without a memory.

use super::leaf::Leaf;
use super::policy_answers::Answered;
use hashbrown::HashMap;
use policy::{Escalations, Kind, Policy};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

/// Text of all documents that are kept. Parsed and answered they take about ten times as much. IAM's own limit for a
/// managed policy is 6,144 characters.
const MAX_BYTES: usize = 256 << 10;

/// Documents met by one set of rules.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By text; one text may be read as documents of several kinds.
    documents: RefCell<HashMap<String, Vec<Rc<Studied>>>>,
    bytes: Cell<usize>,
}

/// A document that was read once.
#[derive(Debug)]
pub(crate) struct Studied {
    pub(crate) policy: Policy,
    escalations: OnceCell<Escalations>,
    /// By the address of the leaf: whoever holds the memory borrows the rules, so they stay where they are.
    answers: RefCell<HashMap<usize, Answered>>,
}

impl Memory {
    /// The document, read now or before. When the memory is full it starts anew.
    pub(crate) fn study(&self, text: &str, kind: Kind) -> Rc<Studied> {
        let known = self
            .documents
            .borrow()
            .get(text)
            .and_then(|alike| alike.iter().find(|one| one.policy.kind == kind).cloned());
        if let Some(studied) = known {
            return studied;
        }
        let studied = Rc::new(Studied::new(Policy::parse(text, kind)));
        if self.bytes.get() + text.len() > MAX_BYTES {
            self.documents.borrow_mut().clear();
            self.bytes.set(0);
        }
        if text.len() <= MAX_BYTES {
            self.bytes.set(self.bytes.get() + text.len());
            self.documents.borrow_mut().entry_ref(text).or_default().push(Rc::clone(&studied));
        }
        studied
    }
}

impl Studied {
    fn new(policy: Policy) -> Studied {
        Studied { policy, escalations: OnceCell::new(), answers: RefCell::default() }
    }

    /// Ways in which the document lets its holder raise its privilege.
    pub(crate) fn escalations(&self) -> &Escalations {
        self.escalations.get_or_init(|| self.policy.escalations())
    }

    /// The answer to a leaf that asks for the document alone.
    pub(super) fn answer(&self, leaf: &Leaf, find: impl FnOnce() -> Answered) -> Answered {
        let address = std::ptr::from_ref(leaf).addr();
        if let Some(answered) = self.answers.borrow().get(&address) {
            return answered.clone();
        }
        let answered = find();
        self.answers.borrow_mut().insert(address, answered.clone());
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_once_for_each_kind_until_the_memory_is_full() {
        let memory = Memory::default();
        let first = memory.study("{}", Kind::Identity);
        assert!(Rc::ptr_eq(&first, &memory.study("{}", Kind::Identity)));
        assert!(!Rc::ptr_eq(&first, &memory.study("{}", Kind::Trust)));
        memory.study(&" ".repeat(MAX_BYTES + 1), Kind::Identity);
        assert!(!Rc::ptr_eq(&first, &memory.study("{}", Kind::Identity)));
        assert!(memory.bytes.get() <= MAX_BYTES);
    }
}
