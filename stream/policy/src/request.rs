//! A request to be decided: who does what to what, and the context keys that go with it.

use std::collections::HashMap;

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The action, such as `s3:GetObject`; case is ignored.
    pub action: &'r str,
    /// ARN of the resource, or `*` for actions that have none.
    pub resource: &'r str,
    /// Who asks. With `None` every `Principal` element is taken to fit.
    pub caller: Option<Caller<'r>>,
    /// Context keys and their values.
    pub context: &'r Context,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller<'r> {
    /// Nobody in particular: no credentials.
    Anonymous,
    /// A user, role or session, by ARN.
    Arn(&'r str),
    /// A service, such as `lambda.amazonaws.com`.
    Service(&'r str),
    /// An identity provider.
    Federated(&'r str),
}

/// Context keys of a request. Names ignore case; a key has one or more values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    values: HashMap<Box<str>, Vec<Box<str>>>,
}

impl Context {
    /// A context without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value to a key.
    pub fn add(&mut self, key: &str, value: &str) {
        self.values.entry(key.to_ascii_lowercase().into()).or_default().push(value.into());
    }

    /// The values of a key whose name is already in lower case.
    pub(crate) fn values(&self, folded_key: &str) -> Option<&[Box<str>]> {
        self.values.get(folded_key).map(Vec::as_slice).filter(|values| !values.is_empty())
    }

    /// The only value of a key; variables are replaced by it.
    pub(crate) fn single(&self, folded_key: &str) -> Option<&str> {
        match self.values(folded_key) {
            Some([only]) => Some(only),
            _ => None,
        }
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Context {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let mut context = Self::new();
        for (key, value) in pairs {
            context.add(key.as_ref(), value.as_ref());
        }
        context
    }
}
