//! The forms of `Principal`.

use std::collections::HashSet;

use super::json::Node;
use super::statement::Place;
use super::{Reader, quoted, shortened};
use crate::document::Principal;
use crate::malformed::Fault;
use crate::restriction::is_account;

impl Reader<'_> {
    pub(super) fn principal(
        &mut self,
        place: &mut Place<'_>,
        element: &'static str,
        node: &Node<'_>,
        principals: &mut Vec<Principal>,
    ) {
        match node {
            Node::Text(text) if text == "*" => principals.push(Principal::Everyone),
            Node::Text(text) => {
                self.doubt(place, element, Fault::WrongValue { element, value: shortened(text) });
                principals.push(aws_principal(text));
            }
            Node::Object(entries) => {
                let mut seen: HashSet<&str> = HashSet::new();
                for (kind, values) in entries {
                    if !seen.insert(kind) {
                        self.doubt(place, element, Fault::RepeatedKey(shortened(kind)));
                    }
                    self.principals_of_kind(place, (element, kind), values, principals);
                }
            }
            other => {
                let fault = Fault::WrongValue { element, value: quoted(other) };
                self.doubt(place, element, fault);
                if element == "Principal" {
                    principals.push(Principal::Everyone);
                }
            }
        }
    }

    fn principals_of_kind(
        &mut self,
        place: &mut Place<'_>,
        (element, kind): (&'static str, &str),
        node: &Node<'_>,
        principals: &mut Vec<Principal>,
    ) {
        let text = match node {
            Node::Text(text) => text,
            Node::Array(items) => {
                for item in items {
                    if matches!(item, Node::Array(_)) {
                        self.doubt(place, element, Fault::WrongType("text"));
                    }
                    self.principals_of_kind(place, (element, kind), item, principals);
                }
                return;
            }
            other => {
                let fault = Fault::WrongValue { element, value: quoted(other) };
                return self.doubt(place, element, fault);
            }
        };
        let read = match kind {
            "AWS" => aws_principal(text),
            "Service" => Principal::Service(text.as_ref().into()),
            "Federated" => Principal::Federated(text.as_ref().into()),
            "CanonicalUser" => Principal::CanonicalUser(text.as_ref().into()),
            _ => {
                self.doubt(place, element, Fault::UnknownElement(shortened(kind)));
                if text == "*" { Principal::Everyone } else { Principal::Unreadable(text.as_ref().into()) }
            }
        };
        let partial_wildcard = kind == "AWS" && text != "*" && text.contains(['*', '?']);
        if partial_wildcard {
            self.doubt(place, element, Fault::WrongValue { element, value: shortened(text) });
        }
        principals.push(read);
    }
}

/// The value of `{"AWS": ...}`.
fn aws_principal(text: &str) -> Principal {
    if text == "*" {
        return Principal::Everyone;
    }
    if is_account(text) {
        return Principal::Account(text.into());
    }
    if text.starts_with("arn:") {
        let mut parts = text.splitn(6, ':').skip(4);
        return match (parts.next(), parts.next()) {
            (Some(account), Some("root")) if is_account(account) => Principal::Account(account.into()),
            // No service accepts a wildcard account; if one did, it would mean everybody.
            (Some(account), Some(_)) if account.contains('*') => Principal::Everyone,
            _ => Principal::Arn(text.into()),
        };
    }
    let unique = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if unique && text.starts_with('A') { Principal::UniqueId(text.into()) } else { Principal::Unreadable(text.into()) }
}
