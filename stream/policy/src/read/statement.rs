//! One statement: its elements, in the dangerous reading where they are ambiguous.

use std::borrow::Cow;

use super::json::Node;
use super::{Reader, Seen, quoted, shortened};
use crate::document::{Condition, Effect, Kind, Principal, Scope, Service, Statement};
use crate::guard::guard;
use crate::malformed::Fault;
use crate::pattern::{MAX_PATTERN_BYTES, Pattern};

const ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// The values given for each element, in document order: more than one when a key is repeated.
#[derive(Default)]
struct Elements<'n, 't> {
    given: Vec<(&'static str, &'n Node<'t>)>,
    seen: Seen,
}

impl<'n, 't> Elements<'n, 't> {
    fn of(&self, name: &'static str) -> impl Iterator<Item = &'n Node<'t>> {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, node)| *node)
    }

    fn has(&self, name: &'static str) -> bool {
        self.seen.has(name)
    }
}

/// The statement being read: where it is, and whether a fault changed what it means.
pub(super) struct Place<'p> {
    pub(super) index: usize,
    pub(super) path: &'p str,
    pub(super) uncertain: bool,
}

impl Place<'_> {
    fn at(&self, element: &str) -> String {
        if self.path.is_empty() { element.to_owned() } else { format!("{}.{element}", self.path) }
    }
}

impl Reader<'_> {
    /// Adds a fault that changes what the statement means.
    pub(super) fn doubt(&mut self, place: &mut Place<'_>, element: &str, fault: Fault) {
        place.uncertain = true;
        self.faults.add(Some(place.index), place.at(element), fault);
    }

    /// Adds a fault that leaves the meaning clear.
    pub(super) fn note(&mut self, place: &Place<'_>, element: &str, fault: Fault) {
        self.faults.add(Some(place.index), place.at(element), fault);
    }

    pub(super) fn statement(
        &mut self,
        index: usize,
        path: &str,
        entries: &[(Cow<'_, str>, Node<'_>)],
        statements: &mut Vec<Statement>,
    ) {
        let mut place = Place { index, path, uncertain: false };
        let elements = self.elements(&mut place, entries);
        let sid = self.sid(&place, &elements);
        let effect = self.effect(&mut place, &elements);
        let principals = self.principals(&mut place, &elements);
        let actions = self.scope(&mut place, &elements, ("Action", "NotAction"));
        let resources = self.resources(&mut place, &elements);
        let conditions = self.conditions(&mut place, &elements);
        if effect == Some(Effect::Deny) && place.uncertain || effect.is_none() {
            self.note(&place, "Effect", Fault::DenyNotCounted);
            return;
        }
        let effect = effect.unwrap_or(Effect::Allow);
        let guard = guard(effect, &conditions);
        statements.push(Statement { index, sid, effect, principals, actions, resources, conditions, guard });
    }

    fn elements<'n, 't>(&mut self, place: &mut Place<'_>, entries: &'n [(Cow<'t, str>, Node<'t>)]) -> Elements<'n, 't> {
        let mut elements = Elements::default();
        for (key, node) in entries {
            if let Some(name) = ELEMENTS.into_iter().find(|name| name == key) {
                if elements.seen.again(name) {
                    self.doubt(place, name, Fault::RepeatedKey(name.to_owned()));
                }
                elements.given.push((name, node));
                continue;
            }
            self.doubt(place, &shortened(key), Fault::UnknownElement(shortened(key)));
            // Wrong case, but the sense is plain. `condition` and `notresource` would only narrow
            // the statement, so these two are not believed.
            let meant = ELEMENTS.into_iter().find(|name| name.eq_ignore_ascii_case(key));
            if let Some(name) = meant.filter(|name| !matches!(*name, "Condition" | "NotResource")) {
                elements.seen.again(name);
                elements.given.push((name, node));
            }
        }
        elements
    }

    fn sid(&mut self, place: &Place<'_>, elements: &Elements<'_, '_>) -> Option<Box<str>> {
        let mut sid = None;
        for node in elements.of("Sid") {
            match node {
                Node::Text(text) => sid = Some(text.as_ref().into()),
                _ => self.note(place, "Sid", Fault::WrongType("text")),
            }
        }
        sid
    }

    /// `None` for a Deny written wrongly: it protects nothing, and it is no Allow either.
    fn effect(&mut self, place: &mut Place<'_>, elements: &Elements<'_, '_>) -> Option<Effect> {
        let (mut allow, mut deny) = (false, false);
        for node in elements.of("Effect") {
            match node {
                Node::Text(text) if text == "Allow" => allow = true,
                Node::Text(text) if text == "Deny" => deny = true,
                other => {
                    let value = quoted(other);
                    if value.trim().eq_ignore_ascii_case("deny") {
                        deny = true;
                    } else {
                        allow = true;
                    }
                    self.doubt(place, "Effect", Fault::WrongValue { element: "Effect", value });
                }
            }
        }
        if !allow && !deny {
            self.doubt(place, "Effect", Fault::Missing("Effect"));
        }
        match (allow, deny) {
            (false, true) if place.uncertain => None,
            (false, true) => Some(Effect::Deny),
            _ => Some(Effect::Allow),
        }
    }

    fn principals(&mut self, place: &mut Place<'_>, elements: &Elements<'_, '_>) -> Option<Scope<Principal>> {
        let named = elements.has("Principal");
        let excepted = elements.has("NotPrincipal");
        if named && excepted {
            self.doubt(place, "Principal", Fault::Both("Principal", "NotPrincipal"));
        }
        if !named && !excepted {
            if !self.kind.names_principals() {
                return None;
            }
            self.doubt(place, "Principal", Fault::Missing("Principal"));
            return Some(Scope::Only(vec![Principal::Everyone]));
        }
        if !self.kind.names_principals() && self.kind != Kind::Scp {
            self.note(place, "Principal", Fault::NotAllowed("Principal"));
        }
        let (mut only, mut except) = (Vec::new(), Vec::new());
        for node in elements.of("Principal") {
            self.principal(place, "Principal", node, &mut only);
        }
        for node in elements.of("NotPrincipal") {
            self.principal(place, "NotPrincipal", node, &mut except);
        }
        // Both at once: the union is unknown, and the wider side is everybody.
        Some(match (named, excepted) {
            (true, true) => Scope::Only(vec![Principal::Everyone]),
            (false, _) => Scope::AllExcept(except),
            (true, false) => Scope::Only(only),
        })
    }

    fn resources(&mut self, place: &mut Place<'_>, elements: &Elements<'_, '_>) -> Scope<Pattern> {
        let given = elements.has("Resource") || elements.has("NotResource");
        if given && self.kind == Kind::Trust {
            self.note(place, "Resource", Fault::NotAllowed("Resource"));
        }
        let optional = matches!(self.kind, Kind::Trust | Kind::Resource(Service::Other));
        if !given && optional {
            return Scope::Only(vec![Pattern::any()]);
        }
        self.scope(place, elements, ("Resource", "NotResource"))
    }

    /// `Action`/`NotAction` or `Resource`/`NotResource`.
    fn scope(
        &mut self,
        place: &mut Place<'_>,
        elements: &Elements<'_, '_>,
        (plain, negated): (&'static str, &'static str),
    ) -> Scope<Pattern> {
        let (mut only, mut except) = (Vec::new(), Vec::new());
        for node in elements.of(plain) {
            self.patterns(place, plain, node, &mut only);
        }
        for node in elements.of(negated) {
            self.patterns(place, negated, node, &mut except);
        }
        match (elements.has(plain), elements.has(negated)) {
            (true, true) => self.doubt(place, plain, Fault::Both(plain, negated)),
            (false, false) => self.doubt(place, plain, Fault::Missing(plain)),
            // An empty list grants nothing, an unreadable one may have held anything.
            (true, false) => {
                if only.is_empty() && !elements.of(plain).any(is_empty_list) {
                    only.push(Pattern::any());
                }
                return Scope::Only(only);
            }
            (false, true) => {
                // Two lists of exceptions: only what stands in both is surely excepted.
                if elements.of(negated).count() > 1 {
                    except.clear();
                }
                return Scope::AllExcept(except);
            }
        }
        Scope::Only(vec![Pattern::any()])
    }

    fn patterns(&mut self, place: &mut Place<'_>, element: &'static str, node: &Node<'_>, patterns: &mut Vec<Pattern>) {
        match node {
            Node::Text(text) => {
                let pattern = self.pattern(place, element, text);
                patterns.extend(pattern);
            }
            Node::Array(items) => {
                if items.is_empty() {
                    let fault = Fault::WrongValue { element, value: "an empty list".to_owned() };
                    self.doubt(place, element, fault);
                }
                for item in items {
                    if matches!(item, Node::Array(_)) {
                        self.doubt(place, element, Fault::WrongType("text"));
                    }
                    self.patterns(place, element, item, patterns);
                }
            }
            _ => self.doubt(place, element, Fault::WrongType("text or a list of text")),
        }
    }

    fn pattern(&mut self, place: &mut Place<'_>, element: &'static str, text: &str) -> Option<Pattern> {
        let negated = element.starts_with("Not");
        if text.len() > MAX_PATTERN_BYTES {
            self.doubt(place, element, Fault::TooLong { limit: MAX_PATTERN_BYTES });
            return (!negated).then(Pattern::any);
        }
        if element.ends_with("Resource") {
            return Some(Pattern::resource(text, self.variables_live()));
        }
        if text.chars().filter(|letter| *letter == ':').count() != 1 && text != "*" {
            self.doubt(place, element, Fault::WrongValue { element, value: shortened(text) });
        }
        Some(Pattern::action(text))
    }

    fn conditions(&mut self, place: &mut Place<'_>, elements: &Elements<'_, '_>) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let mut blocks = elements.of("Condition");
        if let (Some(first), None) = (blocks.next(), blocks.next()) {
            self.condition_block(place, first, &mut conditions);
        }
        // With two blocks nobody knows which one counts: for an Allow, none does.
        conditions
    }
}

fn is_empty_list(node: &Node<'_>) -> bool {
    matches!(node, Node::Array(items) if items.is_empty())
}
