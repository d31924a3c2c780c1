//! `notification-config.yaml`: what Slack is told, where, and in which colours.
//!
//! Every fault is reported with its line, all in one pass. Files of the older, simple form (`severity_colors`,
//! `emoji_mapping`, `slack_config`) load unchanged; what they set and we no longer use is a warning.

use std::collections::BTreeMap;

use chrono::{Duration, FixedOffset, NaiveTime};
use detection::yaml::{At, Fault, Faults, Fields, Node, Text, parse};
use schemas::Severity;

use super::fields::Field;

/// Individual messages a channel may get in one window, unless the file says otherwise.
const DEFAULT_MESSAGES: u32 = 20;
/// Most routes of a file; each is looked at for each event.
const MAX_ROUTES: usize = 500;
/// Longest window, minutes; a storm is told at its end.
const MAX_WINDOW_MINUTES: u64 = 24 * 60;
/// Most messages of one kind in a window; Slack takes one a second.
const MAX_MESSAGES: u64 = 1000;
/// Fields of a message: five blocks of ten.
const MAX_FIELDS: usize = 20;
/// Slack's longest header is 150; the severity stands before the title.
const MAX_TITLE: usize = 100;

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct SlackConfig {
    /// Words before the rule name in a violation message; `None`: only the rule name.
    pub title: Option<String>,
    /// Lines of a message.
    pub fields: Vec<Field>,
    /// Look of each severity.
    pub looks: BTreeMap<Severity, Look>,
    /// Less severe events are not sent; they stay in the lake.
    pub min_severity: Severity,
    /// Channel when no route and no severity names one; `None`: the webhook's own.
    pub channel: Option<String>,
    /// First match wins.
    pub routes: Vec<Route>,
    /// How many messages a root cause and a channel get.
    pub storm: Storm,
    /// When people sleep.
    pub quiet: Option<Quiet>,
}

/// Look of a severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Colour of the bar beside the message, `#RRGGBB`.
    pub color: String,
    /// Sign before the title.
    pub emoji: String,
    /// Channel of this severity.
    pub channel: Option<String>,
}

/// Where certain events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Rules, `*` at the end stands for any rest; empty: any.
    pub rules: Vec<String>,
    /// Accounts, likewise.
    pub accounts: Vec<String>,
    /// Severities; empty: any.
    pub severities: Vec<Severity>,
    /// Where to.
    pub to: Destination,
    /// Least severity for what this route takes; `None`: that of the file.
    pub min_severity: Option<Severity>,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A channel.
    Channel(String),
    /// Nowhere: the lake only.
    Nowhere,
}

/// Limits that keep a channel readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// Events with the same root cause inside this time belong together.
    pub window: Duration,
    /// How many of them are sent one by one before the rest is summed up.
    pub individual: u32,
    /// Individual messages of a channel in a window, over all root causes.
    pub messages: u32,
    /// Root causes with a message of their own at the end of the window; the others share a digest.
    pub summaries: u32,
}

impl Storm {
    /// Most messages a channel gets in a window, whatever happens.
    pub fn most_messages(&self) -> u32 {
        self.messages + self.summaries + 1
    }
}

/// A time of day in which only the worst is sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Start, local time.
    pub from: NaiveTime,
    /// End, local time; before `from` when the night lies between.
    pub to: NaiveTime,
    /// Difference of local time to UTC.
    pub offset: FixedOffset,
    /// This severity and worse is sent at any time.
    pub except: Severity,
}

impl Default for SlackConfig {
    fn default() -> SlackConfig {
        let looks = [
            (Severity::Critical, "#E01E5A", "\u{1F6A8}"),
            (Severity::High, "#FF5733", "\u{26A0}"),
            (Severity::Medium, "#FFCC00", "\u{1F4CB}"),
            (Severity::Low, "#36C5F0", "\u{1F4C4}"),
        ];
        let look = |color: &str, emoji: &str| Look { color: color.to_owned(), emoji: emoji.to_owned(), channel: None };
        SlackConfig {
            title: None,
            fields: Field::DEFAULT.to_vec(),
            looks: looks.into_iter().map(|(severity, color, emoji)| (severity, look(color, emoji))).collect(),
            min_severity: Severity::Low,
            channel: None,
            routes: Vec::new(),
            storm: Storm { window: Duration::minutes(10), individual: 1, messages: DEFAULT_MESSAGES, summaries: 5 },
            quiet: None,
        }
    }
}

/// Reads a file. With errors among the faults there is no configuration.
pub fn read(file: &str, text: &str) -> (Option<SlackConfig>, Vec<Fault>) {
    let mut faults = Faults::of(file);
    let config = parse(text, &mut faults).and_then(|root| checked(&root, &mut faults));
    let config = config.filter(|_| !faults.has_errors());
    (config, faults.into_sorted())
}

const SEVERITIES: [(&str, Severity); 4] =
    [("LOW", Severity::Low), ("MEDIUM", Severity::Medium), ("HIGH", Severity::High), ("CRITICAL", Severity::Critical)];
const TOP: [&str; 7] =
    ["slack", "severity_colors", "status_colors", "event_status_mapping", "emoji_mapping", "slack_config", "version"];

fn checked(root: &Node, faults: &mut Faults) -> Option<SlackConfig> {
    let mut config = SlackConfig::default();
    // An empty file is a file in which nothing was changed.
    if root.is_null() {
        return Some(config);
    }
    let top = Fields::of(root, "the file", &TOP, faults)?;
    older(&top, &mut config, faults);
    let Some(node) = top.node("slack") else { return Some(config) };
    let known = ["title", "fields", "min_severity", "channel", "severities", "routes", "storm", "quiet_hours"];
    let slack = Fields::of(node, "slack", &known, faults)?;
    if let Some(title) = slack.text("title", faults) {
        config.title = checked_title(title, faults);
    }
    if let Some(names) = slack.texts("fields", faults) {
        config.fields = fields(&names, slack.at("fields"), faults);
    }
    config.min_severity = slack.choice("min_severity", &SEVERITIES, faults).unwrap_or(config.min_severity);
    config.channel = slack.text("channel", faults).and_then(|text| channel(text, faults));
    if let Some(node) = slack.node("severities") {
        severities(node, &mut config, faults);
    }
    config.routes = routes(&slack, faults);
    if let Some(node) = slack.node("storm") {
        config.storm = storm(node, config.storm, faults);
    }
    config.quiet = slack.node("quiet_hours").and_then(|node| quiet(node, faults));
    Some(config)
}

/// The simple form that exists at users.
fn older(top: &Fields<'_>, config: &mut SlackConfig, faults: &mut Faults) {
    for (key, is_color) in [("severity_colors", true), ("emoji_mapping", false)] {
        for entry in top.node(key).and_then(Node::entries).unwrap_or_default() {
            let Some(severity) = SEVERITIES.iter().find(|(name, _)| *name == entry.key).map(|(_, it)| *it) else {
                // INFO and the like: there was no such severity, the files have it all the same.
                faults.warning(entry.at, format!("{} in {key} is no severity and has no effect", entry.key));
                continue;
            };
            let Some(text) = entry.value.text() else { continue };
            let text = Text { at: entry.value.at, text };
            let Some(look) = config.looks.get_mut(&severity) else { continue };
            if is_color {
                look.color = color(text, faults).unwrap_or_else(|| look.color.clone());
            } else {
                look.emoji = emoji(text, faults).unwrap_or_else(|| look.emoji.clone());
            }
        }
    }
    for key in ["status_colors", "event_status_mapping"] {
        if top.node(key).is_some_and(|node| node.entries().is_none_or(|entries| !entries.is_empty())) {
            faults.warning(top.at(key), format!("{key} has no effect: the severity decides the colour"));
        }
    }
    let Some(node) = top.node("slack_config") else { return };
    let Some(entries) = node.entries() else {
        return faults.error(node.at, format!("slack_config must be a map, found {}", node.kind()));
    };
    for entry in entries
        .iter()
        .filter(|entry| !["message_title", "message_fields", "min_severity", "channel"].contains(&entry.key.as_str()))
    {
        faults.warning(entry.at, format!("{} in slack_config has no effect", entry.key));
    }
    let known: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let Some(simple) = Fields::of(node, "slack_config", &known, faults) else { return };
    if let Some(title) = simple.text("message_title", faults) {
        config.title = checked_title(title, faults);
    }
    config.min_severity = simple.choice("min_severity", &SEVERITIES, faults).unwrap_or(config.min_severity);
    config.channel = simple.text("channel", faults).and_then(|text| channel(text, faults));
    if let Some(names) = simple.texts("message_fields", faults) {
        let mut chosen = Vec::new();
        for name in &names {
            match Field::named(&name.text) {
                Some(field) if !chosen.contains(&field) => chosen.push(field),
                Some(_) => {}
                None => faults.warning(name.at, format!("{:?} is not shown; known are {}", name.text, Field::names())),
            }
        }
        if !chosen.is_empty() {
            config.fields = chosen;
        }
    }
}

fn fields(names: &[Text], at: At, faults: &mut Faults) -> Vec<Field> {
    let mut chosen = Vec::new();
    for name in names {
        match Field::named(&name.text) {
            Some(field) if chosen.contains(&field) => {
                faults.error(name.at, format!("field {} is given twice", name.text))
            }
            Some(field) => chosen.push(field),
            None => faults.error(name.at, format!("no field is called {:?}; known are {}", name.text, Field::names())),
        }
    }
    if chosen.len() > MAX_FIELDS {
        faults.error(at, format!("{} fields are too many for a message; at most {MAX_FIELDS}", chosen.len()));
    }
    chosen
}

fn severities(node: &Node, config: &mut SlackConfig, faults: &mut Faults) {
    let names: Vec<&str> = SEVERITIES.iter().map(|(name, _)| *name).collect();
    let Some(map) = Fields::of(node, "severities", &names, faults) else { return };
    for (name, severity) in SEVERITIES {
        let Some(node) = map.node(name) else { continue };
        let Some(given) = Fields::of(node, name, &["color", "emoji", "channel"], faults) else { continue };
        let Some(look) = config.looks.get_mut(&severity) else { continue };
        look.color = given.text("color", faults).and_then(|it| color(it, faults)).unwrap_or_else(|| look.color.clone());
        look.emoji = given.text("emoji", faults).and_then(|it| emoji(it, faults)).unwrap_or_else(|| look.emoji.clone());
        look.channel = given.text("channel", faults).and_then(|text| channel(text, faults));
    }
}

fn routes(slack: &Fields<'_>, faults: &mut Faults) -> Vec<Route> {
    let nodes = slack.list("routes", faults).unwrap_or_default();
    if nodes.len() > MAX_ROUTES {
        faults.error(slack.at("routes"), format!("{} routes are too many; at most {MAX_ROUTES}", nodes.len()));
    }
    nodes.iter().take(MAX_ROUTES).filter_map(|node| route(node, faults)).collect()
}

fn route(node: &Node, faults: &mut Faults) -> Option<Route> {
    let known = ["rules", "accounts", "severities", "channel", "send", "min_severity"];
    let given = Fields::of(node, "a route", &known, faults)?;
    let patterns = |key: &str, faults: &mut Faults| -> Vec<String> {
        let texts = given.texts(key, faults).unwrap_or_default();
        for text in texts.iter().filter(|text| text.text.trim_end_matches('*').contains('*')) {
            faults.error(text.at, format!("{:?}: * may stand at the end only", text.text));
        }
        texts.into_iter().map(|text| text.text).collect()
    };
    let rules = patterns("rules", faults);
    let accounts = patterns("accounts", faults);
    let mut severities = Vec::new();
    for text in given.texts("severities", faults).unwrap_or_default() {
        match SEVERITIES.iter().find(|(name, _)| *name == text.text) {
            Some((_, severity)) => severities.push(*severity),
            None => faults.error(text.at, format!("{:?} is no severity; use LOW, MEDIUM, HIGH or CRITICAL", text.text)),
        }
    }
    let to = match (given.text("channel", faults), given.flag("send", faults)) {
        (Some(name), None | Some(true)) => Destination::Channel(channel(name, faults)?),
        (None, Some(false)) => Destination::Nowhere,
        (Some(_), Some(false)) | (None, _) => {
            faults.error(given.at, "a route needs either channel or send: false");
            return None;
        }
    };
    let min_severity = given.choice("min_severity", &SEVERITIES, faults);
    Some(Route { rules, accounts, severities, to, min_severity })
}

fn storm(node: &Node, default: Storm, faults: &mut Faults) -> Storm {
    let known = ["window_minutes", "individual", "messages", "summaries"];
    let Some(given) = Fields::of(node, "storm", &known, faults) else { return default };
    let mut number = |key: &str, least: u64, most: u64| -> Option<u32> {
        let text = given.text(key, faults)?;
        match text.text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => u32::try_from(number).ok(),
            _ => {
                faults.error(text.at, format!("{key} must be a number from {least} to {most}, found {:?}", text.text));
                None
            }
        }
    };
    let window = number("window_minutes", 1, MAX_WINDOW_MINUTES).map(|it| Duration::minutes(it.into()));
    Storm {
        window: window.unwrap_or(default.window),
        individual: number("individual", 0, MAX_MESSAGES).unwrap_or(default.individual),
        messages: number("messages", 0, MAX_MESSAGES).unwrap_or(default.messages),
        summaries: number("summaries", 0, MAX_MESSAGES).unwrap_or(default.summaries),
    }
}

fn quiet(node: &Node, faults: &mut Faults) -> Option<Quiet> {
    let given = Fields::of(node, "quiet_hours", &["from", "to", "utc_offset", "except"], faults)?;
    let mut time = |key: &str| -> Option<NaiveTime> {
        let node = given.required(key, faults)?;
        let time = node.text().and_then(|text| NaiveTime::parse_from_str(&text, "%H:%M").ok());
        if time.is_none() {
            faults.error(node.at, format!("{key} must be a time in quotes such as \"22:00\""));
        }
        time
    };
    let (from, to) = (time("from"), time("to"));
    let offset = match given.text("utc_offset", faults) {
        None => FixedOffset::east_opt(0),
        Some(text) => {
            let offset = text.text.parse::<FixedOffset>().ok();
            if offset.is_none() {
                faults.error(text.at, format!("utc_offset must look like \"+01:00\", found {:?}", text.text));
            }
            offset
        }
    };
    let except = given.choice("except", &SEVERITIES, faults).unwrap_or(Severity::Critical);
    let (from, to, offset) = (from?, to?, offset?);
    if from == to {
        faults.error(given.at("to"), "quiet_hours from and to are the same; remove quiet_hours, or leave a gap");
        return None;
    }
    Some(Quiet { from, to, offset, except })
}

fn checked_title(title: Text, faults: &mut Faults) -> Option<String> {
    if title.text.chars().count() > MAX_TITLE {
        faults.error(title.at, format!("the title is longer than {MAX_TITLE} characters"));
        return None;
    }
    Some(title.text)
}

fn channel(text: Text, faults: &mut Faults) -> Option<String> {
    let name = text.text.strip_prefix(['#', '@']).unwrap_or(&text.text);
    let fine = (1..=80).contains(&name.len())
        && !name
            .contains(|c: char| c.is_whitespace() || c.is_control() || c.is_uppercase() && text.text.starts_with('#'));
    if fine {
        return Some(text.text);
    }
    faults.error(
        text.at,
        format!("{:?} is no channel; write \"#name\" in quotes, lower case, or a channel id", text.text),
    );
    None
}

fn color(text: Text, faults: &mut Faults) -> Option<String> {
    let digits = text.text.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Some(text.text);
    }
    faults.error(text.at, format!("{:?} is no colour; write \"#RRGGBB\" in quotes", text.text));
    None
}

fn emoji(text: Text, faults: &mut Faults) -> Option<String> {
    if text.text.chars().count() <= 30 && !text.text.contains(['<', '>', '&', '`', '*', '\n']) {
        return Some(text.text);
    }
    faults.error(text.at, format!("{:?} is no sign; write one emoji or its :name:", text.text));
    None
}
