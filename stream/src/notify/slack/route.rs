//! Where an event goes, and whether now: pure, from the configuration and the time.

use chrono::{DateTime, Days, NaiveTime, TimeZone, Utc};
use schemas::Severity;

use super::config::{Destination, Quiet, SlackConfig};
use crate::notify::event::{BusEvent, Subject};

/// What to do with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routed {
    /// Tell this channel (`None`: the webhook's own).
    To {
        /// The channel.
        channel: Option<String>,
        /// When people sleep and this can wait: told in the digest of that time.
        until: Option<DateTime<Utc>>,
    },
    /// Not sent; why.
    Unwanted(&'static str),
}

/// Decides for an event that is handled at `now`.
pub fn route(event: &BusEvent, config: &SlackConfig, now: DateTime<Utc>) -> Routed {
    let Some(severity) = event.severity() else {
        return Routed::Unwanted("kept in the audit log only");
    };
    // A rejected configuration is about no rule: only routes that name none take it.
    let rule = event.rule_name().unwrap_or("");
    if matches!(&event.subject, Subject::Violation(violation) if violation.suppressed) {
        return Routed::Unwanted("suppressed");
    }
    let account = event.violation().map_or("", |violation| &violation.account_id);
    let matching = |patterns: &[String], text: &str| {
        patterns.is_empty()
            || patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => text.starts_with(start),
                None => text == pattern,
            })
    };
    let chosen = config.routes.iter().find(|route| {
        matching(&route.rules, rule)
            && matching(&route.accounts, account)
            && (route.severities.is_empty() || route.severities.contains(&severity))
    });
    let least = chosen.and_then(|route| route.min_severity).unwrap_or(config.min_severity);
    if severity < least {
        return Routed::Unwanted("below the minimum severity");
    }
    let channel = match chosen.map(|route| &route.to) {
        Some(Destination::Nowhere) => return Routed::Unwanted("a route sends it nowhere"),
        Some(Destination::Channel(channel)) => Some(channel.clone()),
        None => config.looks.get(&severity).and_then(|look| look.channel.clone()).or_else(|| config.channel.clone()),
    };
    let until = config.quiet.and_then(|quiet| quiet_until(&quiet, severity, now));
    Routed::To { channel, until }
}

/// End of the quiet hours that `now` lies in; `None` outside of them and for what may wake people.
fn quiet_until(quiet: &Quiet, severity: Severity, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if severity >= quiet.except {
        return None;
    }
    let local = now.with_timezone(&quiet.offset);
    let time = local.time();
    let over_midnight = quiet.from > quiet.to;
    let inside =
        if over_midnight { time >= quiet.from || time < quiet.to } else { time >= quiet.from && time < quiet.to };
    if !inside {
        return None;
    }
    let ends_tomorrow = over_midnight && time >= quiet.from;
    let day = if ends_tomorrow { local.date_naive().checked_add_days(Days::new(1))? } else { local.date_naive() };
    at(quiet, day.and_time(whole_minute(quiet.to)))
}

fn at(quiet: &Quiet, local: chrono::NaiveDateTime) -> Option<DateTime<Utc>> {
    quiet.offset.from_local_datetime(&local).single().map(|time| time.with_timezone(&Utc))
}

fn whole_minute(time: NaiveTime) -> NaiveTime {
    use chrono::Timelike;
    time.with_second(0).and_then(|time| time.with_nanosecond(0)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(from: &str, to: &str, offset: &str) -> Quiet {
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
        Quiet { from: time(from), to: time(to), offset: offset.parse().unwrap(), except: Severity::Critical }
    }

    #[test]
    fn a_night_ends_in_the_morning_of_the_place_where_people_sleep() {
        let night = quiet("22:00", "07:00", "+02:00");
        let end = |now: &str| {
            let until = quiet_until(&night, Severity::High, now.parse().unwrap());
            until.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        };
        assert_eq!(end("2024-01-01T19:59:59Z"), None);
        assert_eq!(end("2024-01-01T20:00:00Z").as_deref(), Some("2024-01-02T05:00:00Z"));
        assert_eq!(end("2024-01-02T04:59:59Z").as_deref(), Some("2024-01-02T05:00:00Z"));
        assert_eq!(end("2024-01-02T05:00:00Z"), None);
        assert_eq!(quiet_until(&night, Severity::Critical, "2024-01-01T22:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn a_quiet_noon_lies_within_one_day() {
        let noon = quiet("12:00", "13:00", "+00:00");
        let end = |now: &str| quiet_until(&noon, Severity::High, now.parse().unwrap());
        assert_eq!(end("2024-01-01T12:30:00Z"), Some("2024-01-01T13:00:00Z".parse().unwrap()));
        assert_eq!(end("2024-01-01T13:00:00Z"), None);
    }
}
