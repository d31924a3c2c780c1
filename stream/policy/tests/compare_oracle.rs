//! `compare` against a slow oracle: every request of a small world, decided by a separate, naive reading of the
//! language, for many thousands of random pairs of documents.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use policy::{Answer, Comparer, Kind, Policy};

const PAIRS: u64 = 30_000;

/// Operator, key and values of a condition.
type Test = (&'static str, &'static str, Vec<&'static str>);

/// A statement before it is written down: `(list, is the list negated)`.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    allow: bool,
    actions: (Vec<String>, bool),
    resources: (Vec<String>, bool),
    conditions: Vec<Test>,
}

/// Small deterministic random numbers (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }

    fn glob(&mut self, longest: usize) -> String {
        (0..=self.roll(longest)).map(|_| self.pick(&['a', 'b', 'a', 'b', '*', '*', '?'])).collect()
    }

    fn action(&mut self) -> String {
        match self.roll(12) {
            0 => "*".into(),
            1 => "*:*".into(),
            2 => format!("*:{}", self.glob(2)),
            3 => self.pick(&["S:*b", "S:*", "?:a*", "t:*", "?*:b"]).into(),
            _ => format!("s:{}", self.glob(3)),
        }
    }

    fn resource(&mut self) -> String {
        match self.roll(12) {
            0 => "*".into(),
            1 => self.pick(&["arn:*", "arn:aws:x:*", "arn:aws:x:a*:*:b", "arn:*:x:*b::*"]).into(),
            2 | 3 => format!("arn:aws:x:{}::{}", self.glob(1), self.glob(2)),
            _ => format!("arn:aws:x:::{}", self.glob(3)),
        }
    }

    fn list(&mut self, one: fn(&mut Dice) -> String, negated_in: usize) -> (Vec<String>, bool) {
        let count = self.pick(&[1, 1, 2]);
        ((0..count).map(|_| one(self)).collect(), self.roll(negated_in) == 0)
    }

    fn conditions(&mut self) -> Vec<Test> {
        let count = self.pick(&[0, 0, 0, 1, 1, 2]);
        let mut all: Vec<Test> = Vec::new();
        for _ in 0..count {
            let one = match self.roll(4) {
                0 => {
                    let operator =
                        self.pick(&["NumericLessThan", "NumericGreaterThanEquals", "NumericEqualsIfExists", "Null"]);
                    let values = if operator == "Null" { &["true", "false"][..] } else { &["3", "5", "7"] };
                    (operator, "x:number", vec![self.pick(values)])
                }
                1 => (
                    self.pick(&["IpAddress", "NotIpAddress"]),
                    "x:ip",
                    vec![self.pick(&["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0"])],
                ),
                _ => {
                    let operator = self.pick(&[
                        "StringEquals",
                        "StringLike",
                        "StringNotLike",
                        "StringNotEquals",
                        "StringLikeIfExists",
                        "Null",
                        "ForAnyValue:StringLike",
                        "ForAllValues:StringEquals",
                    ]);
                    let values =
                        if operator == "Null" { &["true", "false"][..] } else { &["a", "b", "a*", "*b", "ab"] };
                    let mut list = vec![self.pick(values)];
                    if operator != "Null" && self.roll(3) == 0 {
                        list.push(self.pick(values));
                    }
                    (operator, "x:text", list)
                }
            };
            if !all.iter().any(|(operator, key, _)| *operator == one.0 && *key == one.1) {
                all.push(one);
            }
        }
        all
    }

    fn rule(&mut self, guarded: bool) -> Rule {
        Rule {
            allow: self.roll(10) < 7,
            actions: self.list(Dice::action, 7),
            resources: self.list(Dice::resource, 5),
            conditions: if guarded { self.conditions() } else { Vec::new() },
        }
    }

    fn document(&mut self, guarded: bool) -> Vec<Rule> {
        (0..self.pick(&[1, 2, 2, 3])).map(|_| self.rule(guarded)).collect()
    }

    /// Another document, or a changed one.
    fn next_version(&mut self, old: &[Rule], guarded: bool) -> Vec<Rule> {
        let mut new = old.to_vec();
        let at = self.roll(new.len());
        match self.roll(6) {
            0 => return self.document(guarded),
            1 => new.push(self.rule(guarded)),
            2 => new[at] = self.rule(guarded),
            3 => new[at].actions = self.list(Dice::action, 7),
            4 => new[at].resources = self.list(Dice::resource, 5),
            _ => drop(new.remove(at)),
        }
        new
    }
}

fn written(rules: &[Rule]) -> String {
    let mut statements = Vec::new();
    for rule in rules {
        let not = |negated: bool| if negated { "Not" } else { "" };
        let mut text = format!(
            "{{\"Effect\":\"{}\",\"{}Action\":{:?},\"{}Resource\":{:?}",
            if rule.allow { "Allow" } else { "Deny" },
            not(rule.actions.1),
            rule.actions.0,
            not(rule.resources.1),
            rule.resources.0
        );
        if !rule.conditions.is_empty() {
            let operators: Vec<String> = rule
                .conditions
                .iter()
                .map(|(operator, ..)| *operator)
                .collect::<std::collections::BTreeSet<_>>()
                .iter()
                .map(|operator| {
                    let keys: Vec<String> = rule
                        .conditions
                        .iter()
                        .filter(|(own, ..)| own == operator)
                        .map(|(_, key, values)| format!("{key:?}:{values:?}"))
                        .collect();
                    format!("{operator:?}:{{{}}}", keys.join(","))
                })
                .collect();
            write!(text, ",\"Condition\":{{{}}}", operators.join(",")).unwrap();
        }
        text.push('}');
        statements.push(text);
    }
    format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{}]}}", statements.join(","))
}

/// Plain backtracking. `crosses` tells whether the star at this place of the pattern may pass a colon.
fn glob(pattern: &[char], at: usize, text: &[char], crosses: &dyn Fn(usize) -> bool) -> bool {
    match pattern.get(at) {
        None => text.is_empty(),
        Some('*') => {
            glob(pattern, at + 1, text, crosses)
                || text
                    .first()
                    .is_some_and(|letter| (crosses(at) || *letter != ':') && glob(pattern, at, &text[1..], crosses))
        }
        Some('?') => !text.is_empty() && (crosses(at) || text[0] != ':') && glob(pattern, at + 1, &text[1..], crosses),
        Some(letter) => text.first() == Some(letter) && glob(pattern, at + 1, &text[1..], crosses),
    }
}

fn action_matches(pattern: &str, action: &str) -> bool {
    let letters: Vec<char> = pattern.to_lowercase().chars().collect();
    glob(&letters, 0, &action.chars().collect::<Vec<_>>(), &|_| true)
}

fn resource_matches(pattern: &str, resource: &str) -> bool {
    let mut full = pattern.to_owned();
    while pattern != "*" && full.matches(':').count() < 5 {
        full.push_str(":*");
    }
    let letters: Vec<char> = full.chars().collect();
    let crosses = |at: usize| {
        let segment = letters[..at].iter().filter(|letter| **letter == ':').count();
        let ends = letters.get(at + 1).is_none_or(|next| *next == ':');
        segment >= 5 || (letters[at] == '*' && ends)
    };
    glob(&letters, 0, &resource.chars().collect::<Vec<_>>(), &crosses)
}

/// Texts of up to `longest` letters, shortest first.
fn texts(letters: &[char], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..longest {
        let to = all.len();
        for at in from..to {
            for letter in letters {
                all.push(format!("{}{letter}", all[at]));
            }
        }
        from = to;
    }
    all
}

type Keys = Vec<(&'static str, Vec<&'static str>)>;

/// Every request of the small world, and what each pattern matches in it.
struct World {
    actions: Vec<String>,
    resources: Vec<String>,
    contexts: Vec<Keys>,
    action_bits: HashMap<String, Vec<bool>>,
    resource_bits: HashMap<String, Vec<bool>>,
    condition_bits: HashMap<Test, Vec<bool>>,
}

impl World {
    fn new() -> Self {
        let named: Vec<String> = texts(&['a', 'b', 'z'], 4).into_iter().skip(1).collect();
        let mut actions: Vec<String> = named.iter().map(|name| format!("s:{name}")).collect();
        actions.extend(["t:a", "t:z", "sz:a", "zz:zb"].map(String::from));
        let mut resources: Vec<String> =
            texts(&['a', 'b', 'z'], 4).iter().map(|name| format!("arn:aws:x:::{name}")).collect();
        for region in texts(&['a', 'b', 'z'], 2) {
            for name in texts(&['a', 'b', 'z', ':'], 2) {
                resources.push(format!("arn:aws:x:{region}::{name}"));
            }
        }
        resources.extend(["*", "arn:aws:x:a:z:b", "arn:z:x:zb::z", "arn:aws:x:a:z:z:b"].map(String::from));
        let text: &[&[&str]] = &[
            &[],
            &["a"],
            &["b"],
            &["ab"],
            &["aa"],
            &["z"],
            &["bb"],
            &["zb"],
            &["az"],
            &["a", "b"],
            &["a", "z"],
            &["ab", "z"],
            &["a", "ab"],
            &["a", "b", "z"],
        ];
        let number: &[&[&str]] = &[&[], &["2"], &["3"], &["4"], &["5"], &["6"], &["7"], &["8"]];
        let address: &[&[&str]] = &[&[], &["10.0.0.1"], &["10.1.0.1"], &["192.0.2.1"], &["2001:db8::1"]];
        let mut contexts = Vec::new();
        for text in text {
            for number in number {
                for address in address {
                    let keys = [("x:text", text.to_vec()), ("x:number", number.to_vec()), ("x:ip", address.to_vec())];
                    contexts.push(keys.into_iter().filter(|(_, values)| !values.is_empty()).collect());
                }
            }
        }
        World {
            actions,
            resources,
            contexts,
            action_bits: HashMap::new(),
            resource_bits: HashMap::new(),
            condition_bits: HashMap::new(),
        }
    }

    /// What a pattern matches, worked out once.
    fn bits(
        cache: &mut HashMap<String, Vec<bool>>,
        all: &[String],
        pattern: &str,
        matches: fn(&str, &str) -> bool,
    ) -> Vec<bool> {
        let fresh = || all.iter().map(|text| matches(pattern, text)).collect();
        cache.entry(pattern.to_owned()).or_insert_with(fresh).clone()
    }

    fn in_scope(&mut self, rule: &Rule, of_actions: bool) -> Vec<bool> {
        let (list, all, negated) = if of_actions {
            (&rule.actions.0, &self.actions, rule.actions.1)
        } else {
            (&rule.resources.0, &self.resources, rule.resources.1)
        };
        let mut any = vec![false; all.len()];
        for pattern in list {
            let bits = if of_actions {
                Self::bits(&mut self.action_bits, all, pattern, action_matches)
            } else {
                Self::bits(&mut self.resource_bits, all, pattern, resource_matches)
            };
            any.iter_mut().zip(bits).for_each(|(any, bit)| *any |= bit);
        }
        any.iter().map(|bit| bit != &negated).collect()
    }

    fn in_force(&mut self, rule: &Rule) -> Vec<bool> {
        let mut all = vec![true; self.contexts.len()];
        for condition in &rule.conditions {
            let fresh = || self.contexts.iter().map(|context| condition_holds(condition, context)).collect();
            let bits = self.condition_bits.entry(condition.clone()).or_insert_with(fresh);
            all.iter_mut().zip(bits).for_each(|(all, bit)| *all &= *bit);
        }
        all
    }

    /// A request that `new` grants and `old` does not, if this world has one. Requests that the same
    /// statements speak of are tried once.
    fn gained(&mut self, old: &[Rule], new: &[Rule]) -> Option<(String, String, Keys)> {
        let rules: Vec<&Rule> = old.iter().chain(new).collect();
        let actions = kinds(rules.iter().map(|rule| self.in_scope(rule, true)).collect());
        let resources = kinds(rules.iter().map(|rule| self.in_scope(rule, false)).collect());
        let mut in_force: Vec<Vec<bool>> = rules.iter().map(|rule| self.in_force(rule)).collect();
        // A key has several values only where an operator says so.
        let sets = rules.iter().any(|rule| rule.conditions.iter().any(|(operator, ..)| operator.starts_with("For")));
        let possible = |keys: &Keys| sets || keys.iter().all(|(_, values)| values.len() == 1);
        in_force.push(self.contexts.iter().map(possible).collect());
        let contexts = kinds(in_force).into_iter().filter(|(mask, _)| mask & (1 << rules.len()) != 0);
        let contexts: Vec<(u32, usize)> = contexts.collect();
        let granted = |applies: u32, from: usize, to: usize| {
            let live = |allow: bool| (from..to).any(|at| applies & (1 << at) != 0 && rules[at].allow == allow);
            live(true) && !live(false)
        };
        for (action_mask, action) in &actions {
            for (resource_mask, resource) in &resources {
                for (context_mask, context) in &contexts {
                    let applies = action_mask & resource_mask & context_mask;
                    if granted(applies, old.len(), rules.len()) && !granted(applies, 0, old.len()) {
                        let (action, resource) = (self.actions[*action].clone(), self.resources[*resource].clone());
                        return Some((action, resource, self.contexts[*context].clone()));
                    }
                }
            }
        }
        None
    }
}

/// Columns of a table with one row for each statement, as bits: each different column once, and its place.
fn kinds(rows: Vec<Vec<bool>>) -> Vec<(u32, usize)> {
    let mut seen = BTreeMap::new();
    if let Some(first) = rows.first() {
        for place in 0..first.len() {
            let mask: u32 = rows.iter().enumerate().map(|(row, bits)| u32::from(bits[place]) << row).sum();
            seen.entry(mask).or_insert(place);
        }
    }
    seen.into_iter().collect()
}

/// The rules of missing keys, negation and sets, written out once more.
fn condition_holds((operator, key, wanted): &(&str, &str, Vec<&str>), context: &Keys) -> bool {
    let given = context.iter().find(|(own, _)| own == key).map(|(_, values)| values.clone());
    let like = |value: &str| {
        wanted
            .iter()
            .any(|pattern| glob(&pattern.chars().collect::<Vec<_>>(), 0, &value.chars().collect::<Vec<_>>(), &|_| true))
    };
    let number = |value: &str| value.parse::<f64>().unwrap();
    let inside = |value: &str| match value.parse::<std::net::IpAddr>().unwrap() {
        std::net::IpAddr::V6(_) => false,
        std::net::IpAddr::V4(address) => wanted.iter().any(|range| match *range {
            "10.0.0.0/8" => address.octets()[0] == 10,
            "10.1.0.0/16" => address.octets()[..2] == [10, 1],
            _ => true,
        }),
    };
    let Some(given) = given else {
        return match *operator {
            "Null" => wanted.contains(&"true"),
            "StringNotLike" | "StringNotEquals" | "NotIpAddress" | "ForAllValues:StringEquals" => true,
            name => name.ends_with("IfExists"),
        };
    };
    match *operator {
        "Null" => wanted.contains(&"false"),
        "StringEquals" => given.iter().any(|value| wanted.contains(value)),
        "StringNotEquals" => !given.iter().any(|value| wanted.contains(value)),
        "StringLike" | "StringLikeIfExists" | "ForAnyValue:StringLike" => given.iter().any(|value| like(value)),
        "StringNotLike" => !given.iter().any(|value| like(value)),
        "ForAllValues:StringEquals" => given.iter().all(|value| wanted.contains(value)),
        "NumericLessThan" => given.iter().any(|value| number(value) < number(wanted[0])),
        "NumericGreaterThanEquals" => given.iter().any(|value| number(value) >= number(wanted[0])),
        "NumericEqualsIfExists" => given.iter().any(|value| number(value) == number(wanted[0])),
        "IpAddress" => given.iter().any(|value| inside(value)),
        "NotIpAddress" => !given.iter().any(|value| inside(value)),
        other => panic!("no such operator in the small world: {other}"),
    }
}

/// Runs many pairs; returns how many answers were "yes", "no" and "unknown".
fn run(seed: u64, pairs: u64, guarded: bool) -> [u64; 3] {
    let (mut dice, mut world, mut comparer) = (Dice(seed), World::new(), Comparer::default());
    let mut counts = [0; 3];
    for _ in 0..pairs {
        let old = dice.document(guarded);
        let new = dice.next_version(&old, guarded);
        let (old_text, new_text) = (written(&old), written(&new));
        let old_policy = Policy::parse(&old_text, Kind::Identity);
        let new_policy = Policy::parse(&new_text, Kind::Identity);
        assert!(old_policy.malformed.is_empty(), "{old_text}: {:?}", old_policy.malformed);
        let change = comparer.compare(&old_policy, &new_policy);
        let directions = [
            (&change.new_access, &old, &new, &old_policy, &new_policy),
            (&change.lost_access, &new, &old, &new_policy, &old_policy),
        ];
        for (answer, less, more, less_policy, more_policy) in directions {
            match answer {
                Answer::Yes(witness) => {
                    counts[0] += 1;
                    let say = || format!("{witness:?}\nold {}\nnew {}", written(less), written(more));
                    assert!(witness.is_granted_by(more_policy), "not granted: {}", say());
                    assert!(!witness.is_granted_by(less_policy), "not new: {}", say());
                }
                Answer::No => {
                    counts[1] += 1;
                    let found = world.gained(less, more);
                    assert_eq!(found, None, "missed\nold {}\nnew {}", written(less), written(more));
                }
                Answer::Unknown(_) => counts[2] += 1,
            }
        }
    }
    counts
}

#[test]
fn every_answer_without_conditions_agrees_with_the_oracle() {
    let [yes, no, unknown] = run(0x5EED, PAIRS, false);
    println!("yes {yes}, no {no}, unknown {unknown}");
    assert!(yes > PAIRS / 2 && no > PAIRS / 2);
    assert_eq!(unknown, 0);
}

#[test]
fn every_answer_with_conditions_agrees_with_the_oracle() {
    let [yes, no, unknown] = run(0xC0FFEE, PAIRS / 3, true);
    println!("yes {yes}, no {no}, unknown {unknown}");
    assert!(yes > PAIRS / 6 && no > PAIRS / 6);
    assert_eq!(unknown, 0);
}
