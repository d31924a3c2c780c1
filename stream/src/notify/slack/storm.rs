//! Many events with one root cause become few messages, and no event is lost from the count: pure part.
//!
//! Every event that is to be told is a *member* of a window of time and of a group. The first of a group is sent by
//! itself; at the end of the window the rest is told in a summary of the group, or in one digest for all that is over.
//! Counts come from the names of the member objects, one for each event, so they are exact.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, DurationRound, Utc};
use schemas::{Severity, Violation, derived_id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::blocks::{context, envelope, header, look, plain};
use super::config::{SlackConfig, Storm};
use crate::notify::event::{BusEvent, Subject};
use crate::notify::text::{UNKNOWN, code, visible};
use crate::notify::wording;

/// Lines of a digest; the rest is one line with its sum.
const MAX_LINES: usize = 20;
/// Accounts named in a summary; the others are counted.
const MAX_ACCOUNTS: usize = 10;
/// Rules named in a summary.
const MAX_RULES: usize = 5;
/// Longest part of a line that a stranger chose.
const MAX_NAME: usize = 160;

/// What the summary needs of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Id of the event, unique among all.
    pub key: String,
    /// Group it belongs to: one root cause in one channel.
    pub group: String,
    /// Channel of the group; `None`: the webhook's own.
    pub channel: Option<String>,
    /// Rule that matched.
    pub rule_name: String,
    /// Its severity.
    pub severity: Severity,
    /// Account, as far as it is known.
    pub account_id: String,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub change: String,
}

impl Member {
    /// The member an event is; `None` for events that are kept in the audit log only.
    pub fn of(event: &BusEvent, channel: Option<&str>) -> Option<Member> {
        let (actor, change) = match &event.subject {
            Subject::Violation(violation) => (wording::actor(violation), wording::change(violation)),
            Subject::Remediation(repair) => {
                ("the remediator".to_owned(), format!("{}: {}", repair.action, repair.status.as_str()))
            }
            Subject::Fault(fault) => ("IAM Policy Monitor".to_owned(), wording::fault_title(fault)),
            Subject::Other => return None,
        };
        let account = event.violation().map_or(UNKNOWN, |violation| &violation.account_id);
        Some(Member {
            key: event.key.to_string(),
            group: group(event, channel)?,
            channel: channel.map(str::to_owned),
            rule_name: visible(event.rule_name().unwrap_or(&event.detail_type), MAX_NAME),
            severity: event.severity()?,
            account_id: visible(account, MAX_NAME),
            actor: visible(&actor, MAX_NAME),
            change: visible(&change, MAX_NAME),
        })
    }

    /// Name of the member's object inside its window: all that is counted stands in it.
    pub fn name(&self) -> String {
        let account: String = self.account_id.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let severity = self.severity.as_str();
        format!("{}/{}.{severity}.{account}.{}", self.group, short(&[&self.rule_name]), self.key)
    }
}

/// What the name of a member object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName {
    /// Group it belongs to.
    pub group: String,
    /// Stands for the rule.
    pub rule: String,
    /// Severity.
    pub severity: Severity,
    /// Account.
    pub account_id: String,
    /// Id of the event.
    pub key: String,
}

impl MemberName {
    /// Reads the last two parts of an object's name; `None` when it is no member's.
    pub fn read(group: &str, file: &str) -> Option<MemberName> {
        let mut parts = file.splitn(4, '.');
        let (rule, severity, account, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let severity = serde_json::from_value(json!(severity)).ok()?;
        Some(MemberName {
            group: group.to_owned(),
            rule: rule.to_owned(),
            severity,
            account_id: account.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// Everything that a window held when it was sealed. Written once; who is not in it belongs to a later window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// End of the window.
    pub end: DateTime<Utc>,
    /// Its groups.
    pub groups: Vec<Group>,
}

/// One root cause in one channel and window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub group: String,
    /// One of its members.
    pub sample: Member,
    /// Events that were sent by themselves.
    pub individual: BTreeSet<String>,
    /// Events that were not.
    pub collected: BTreeSet<String>,
    /// Events by account.
    pub accounts: BTreeMap<String, usize>,
    /// Events by severity.
    pub severities: BTreeMap<Severity, usize>,
    /// Events by rule name.
    pub rules: BTreeMap<String, usize>,
}

impl Manifest {
    /// Counts a window. `individual` holds the ids that were sent by themselves; `samples` a member for each group and
    /// rule.
    pub fn count(
        end: DateTime<Utc>,
        names: &[MemberName],
        individual: &BTreeSet<String>,
        samples: &HashMap<(String, String), Member>,
    ) -> Manifest {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for name in names {
            let Some(sample) = samples.get(&(name.group.clone(), name.rule.clone())) else { continue };
            if !seen.insert(&name.key) {
                continue;
            }
            let group = groups.entry(&name.group).or_insert_with(|| Group::of(sample));
            let told = individual.contains(&name.key);
            if told { &mut group.individual } else { &mut group.collected }.insert(name.key.clone());
            *group.accounts.entry(name.account_id.clone()).or_default() += 1;
            *group.severities.entry(name.severity).or_default() += 1;
            *group.rules.entry(sample.rule_name.clone()).or_default() += 1;
        }
        Manifest { end, groups: groups.into_values().collect() }
    }

    /// Whether an event was counted, and if so whether it is sent by itself.
    pub fn place_of(&self, key: &str) -> Option<Place> {
        self.groups.iter().find_map(|group| match (group.individual.contains(key), group.collected.contains(key)) {
            (true, _) => Some(Place::Individual),
            (_, true) => Some(Place::Collected),
            _ => None,
        })
    }
}

/// How an event is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a message of its own.
    Individual,
    /// In the summary of its group, or the digest.
    Collected,
}

impl Group {
    fn of(sample: &Member) -> Group {
        Group {
            group: sample.group.clone(),
            sample: sample.clone(),
            individual: BTreeSet::new(),
            collected: BTreeSet::new(),
            accounts: BTreeMap::new(),
            severities: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }

    fn events(&self) -> usize {
        self.individual.len() + self.collected.len()
    }

    fn worst(&self) -> Severity {
        self.severities.keys().max().copied().unwrap_or(Severity::Low)
    }
}

/// A message of the end of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Closing {
    /// The same however often the window is closed.
    pub id: String,
    /// Where to.
    pub channel: Option<String>,
    /// The message.
    pub message: Value,
}

/// End of the window that `now` lies in.
pub fn window_end(now: DateTime<Utc>, storm: &Storm) -> DateTime<Utc> {
    let start = now.duration_trunc(storm.window).unwrap_or(now);
    start + storm.window
}

/// What is told at the end of a window: the same for the same manifest and configuration.
pub fn closing_messages(manifest: &Manifest, config: &SlackConfig) -> Vec<Closing> {
    let mut channels: BTreeMap<Option<String>, Vec<&Group>> = BTreeMap::new();
    for group in manifest.groups.iter().filter(|group| !group.collected.is_empty()) {
        channels.entry(group.sample.channel.clone()).or_default().push(group);
    }
    let mut messages = Vec::new();
    for (channel, mut groups) in channels {
        groups.sort_by_key(|group| std::cmp::Reverse((group.worst(), group.collected.len(), group.group.clone())));
        // A summary for a single event says no more than a line of the digest does.
        let (many, single): (Vec<&Group>, Vec<&Group>) = groups.into_iter().partition(|group| group.events() > 1);
        let own = many.len().min(config.storm.summaries as usize);
        let (own, over) = many.split_at(own);
        let end = manifest.end;
        for group in own {
            let id = format!("storm-{}-{}", end.timestamp(), group.group);
            let message = summary(group, end, config);
            messages.push(Closing { id, channel: channel.clone(), message });
        }
        let rest: Vec<&Group> = over.iter().copied().chain(single).collect();
        if !rest.is_empty() {
            let id = format!("digest-{}-{}", end.timestamp(), short(&[channel.as_deref().unwrap_or_default()]));
            let message = digest(&rest, end, channel.as_deref(), config);
            messages.push(Closing { id, channel, message });
        }
    }
    messages
}

fn summary(group: &Group, end: DateTime<Utc>, config: &SlackConfig) -> Value {
    let worst = group.worst();
    let (color, emoji) = look(config, worst);
    let (events, accounts) = (thousands(group.events()), group.accounts.len());
    let rule = group.rules.iter().max_by_key(|(_, count)| **count).map_or(UNKNOWN, |(rule, _)| rule);
    let story = format!(
        "{} {}. This and {} more like it in {} account{}: one actor, one change.",
        group.sample.actor,
        group.sample.change,
        thousands(group.events() - 1),
        thousands(accounts),
        plural(accounts)
    );
    let told = thousands(group.individual.len());
    let counts =
        format!("{events} events, of which {told} told before. By severity: {}.", severities(&group.severities));
    let blocks = vec![
        header(&format!("{emoji} {} storm, {events} events: {rule}", worst.as_str())),
        plain("", &story),
        plain("Counts: ", &counts),
        plain("Rules: ", &listed(&group.rules, MAX_RULES)),
        plain("Accounts: ", &listed(&group.accounts, MAX_ACCOUNTS)),
        context(&format!("until {}  ·  all of them are in the table {}", when(end), code("violations", 20))),
    ];
    envelope(&format!("{}: {events} times: {story}", worst.as_str()), &color, blocks, group.sample.channel.as_deref())
}

fn digest(groups: &[&Group], end: DateTime<Utc>, channel: Option<&str>, config: &SlackConfig) -> Value {
    let worst = groups.iter().map(|group| group.worst()).max().unwrap_or(Severity::Low);
    let (color, _) = look(config, worst);
    let total: usize = groups.iter().map(|group| group.events()).sum();
    let told: usize = groups.iter().map(|group| group.individual.len()).sum();
    let mut by_severity: BTreeMap<Severity, usize> = BTreeMap::new();
    for (severity, count) in groups.iter().flat_map(|group| &group.severities) {
        *by_severity.entry(*severity).or_default() += count;
    }
    let title = format!("Digest: {} events of {} root causes", thousands(total), thousands(groups.len()));
    let mut blocks = vec![header(&title)];
    for group in groups.iter().take(MAX_LINES) {
        let accounts = group.accounts.len();
        let line = format!(
            "{} {} × {}: {} {} ({} account{})",
            group.worst().as_str(),
            thousands(group.events()),
            group.sample.rule_name,
            group.sample.actor,
            group.sample.change,
            thousands(accounts),
            plural(accounts)
        );
        blocks.push(plain("", &line));
    }
    let over = groups.get(MAX_LINES..).unwrap_or_default();
    if !over.is_empty() {
        let events: usize = over.iter().map(|group| group.events()).sum();
        blocks.push(plain(
            "",
            &format!("and {} events of {} more root causes", thousands(events), thousands(over.len())),
        ));
    }
    let counted = format!("{}, {} of them told before", severities(&by_severity), thousands(told));
    blocks.push(context(&format!(
        "{counted}  ·  until {}  ·  all are in the table {}",
        when(end),
        code("violations", 20)
    )));
    envelope(&title, &color, blocks, channel)
}

/// Same actor and same change, wherever it happened: the account in ARNs of the same account does not count.
fn group(event: &BusEvent, channel: Option<&str>) -> Option<String> {
    let channel = channel.unwrap_or_default();
    Some(match &event.subject {
        Subject::Violation(violation) => {
            let parts = actor_key(violation).into_iter().chain(change_key(violation));
            let parts: Vec<String> = parts.chain([channel.to_owned()]).collect();
            short(&parts.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Subject::Remediation(repair) => {
            short(&["remediation", &repair.action, repair.status.as_str(), &repair.rule_name, channel])
        }
        Subject::Fault(fault) => short(&["fault", &wording::fault(fault), channel]),
        Subject::Other => return None,
    })
}

fn actor_key(violation: &Violation) -> [String; 2] {
    let kind = violation.principal_type.clone().unwrap_or_default();
    let arn = violation.principal_arn.as_deref().or(violation.invoked_by.as_deref()).unwrap_or_default();
    // Root users of two accounts are two people.
    let name = if kind == "Root" { arn.to_owned() } else { arn.replace(&violation.account_id, "") };
    [kind, name]
}

fn change_key(violation: &Violation) -> [String; 4] {
    let policy = violation.policy_arn.as_deref().or(violation.policy_name.as_deref()).unwrap_or_default();
    [
        violation.event_source.clone(),
        violation.event_name.clone(),
        format!("{:?}", violation.outcome),
        policy.replace(&violation.account_id, ""),
    ]
}

/// Sixteen hexadecimal digits that stand for the parts.
pub(super) fn short(parts: &[&str]) -> String {
    derived_id(parts).simple().to_string().chars().take(16).collect()
}

fn severities(counts: &BTreeMap<Severity, usize>) -> String {
    let parts: Vec<String> =
        counts.iter().rev().map(|(severity, count)| format!("{} {}", severity.as_str(), thousands(*count))).collect();
    parts.join(", ")
}

/// `a 3, b 2, and 7 in 4 more`, the largest first.
fn listed(counts: &BTreeMap<String, usize>, most: usize) -> String {
    let mut sorted: Vec<(&String, &usize)> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    let mut parts: Vec<String> =
        sorted.iter().take(most).map(|(name, count)| format!("{name} {}", thousands(**count))).collect();
    let over = sorted.get(most..).unwrap_or_default();
    if !over.is_empty() {
        let events: usize = over.iter().map(|(_, count)| **count).sum();
        parts.push(format!("and {} in {} more", thousands(events), thousands(over.len())));
    }
    parts.join(", ")
}

/// `1,234,567`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}

fn when(end: DateTime<Utc>) -> String {
    end.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let shown: Vec<String> = [0, 7, 999, 1000, 12_345, 1_000_000].map(thousands).to_vec();
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
    }

    #[test]
    fn the_name_of_a_member_says_all_that_is_counted() {
        let member = Member {
            key: "k".to_owned(),
            group: "g".to_owned(),
            channel: None,
            rule_name: "R.1/../x".to_owned(),
            severity: Severity::High,
            account_id: "11/../1".to_owned(),
            actor: String::new(),
            change: String::new(),
        };
        let name = member.name();
        let (group, file) = name.split_once('/').unwrap();
        let read = MemberName::read(group, file).unwrap();
        assert_eq!((read.key.as_str(), read.severity, read.account_id.as_str()), ("k", Severity::High, "111"));
    }

    #[test]
    fn a_window_ends_after_its_last_moment() {
        let storm = SlackConfig::default().storm;
        let end = |now: &str| window_end(now.parse().unwrap(), &storm).to_rfc3339();
        assert_eq!(end("2024-01-01T12:00:00Z"), "2024-01-01T12:10:00+00:00");
        assert_eq!(end("2024-01-01T12:09:59.999Z"), "2024-01-01T12:10:00+00:00");
    }
}
