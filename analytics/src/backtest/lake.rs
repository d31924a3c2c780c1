//! One day of the lake: the events that were judged, and the violations that were found in them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use detection::CloudTrailEvent;
use schemas::Severity;
use serde::Deserialize;

use super::tally::{Tally, Verdict, Verdicts};
use crate::error::AnalyticsError;
use crate::queries::fill;
use crate::span::Span;
use crate::tables::Tables;

#[derive(Deserialize)]
struct StoredEvent {
    event_id: String,
    event_time: DateTime<Utc>,
    account_id: String,
    event: String,
}

#[derive(Deserialize)]
struct StoredViolation {
    event_id: String,
    account_id: String,
    rule_name: String,
    severity: String,
    suppressed: bool,
    remediation_action: Option<String>,
}

/// Judges the events of one day.
pub(super) async fn day(tables: &mut Tables, tally: &mut Tally<'_>, day: Span) -> Result<(), AnalyticsError> {
    let of_day = |query: &str| fill(query, |_| day.condition());
    let events: Vec<StoredEvent> = tables.rows(&of_day(include_str!("../queries/backtest/events.sql"))).await?;
    let mut before = None;
    if tally.compares_with_lake() {
        let found = tables.rows(&of_day(include_str!("../queries/backtest/violations.sql"))).await?;
        before = Some(by_event(found));
    }
    for stored in events {
        let known = before.as_mut().map(|before: &mut BTreeMap<_, _>| {
            before.remove(&(stored.account_id.clone(), stored.event_id.clone())).unwrap_or_default()
        });
        match CloudTrailEvent::parse(&stored.event, Some(stored.event_time)) {
            Ok(mut event) => {
                // An id that was derived from the whole record cannot be derived from the stored one again.
                event.sent_event_id = Some(stored.event_id.clone().into());
                tally.event(&event, known);
            }
            Err(reason) => tally.unreadable(&format!("event {}: {reason}", stored.event_id)),
        }
    }
    let rest = before.into_iter().flatten().flat_map(|(_, verdicts)| verdicts.by_rule);
    tally.not_stored(rest.filter(|(_, verdict)| verdict.reported).count());
    Ok(())
}

fn by_event(found: Vec<StoredViolation>) -> BTreeMap<(String, String), Verdicts> {
    let mut by_event: BTreeMap<(String, String), Verdicts> = BTreeMap::new();
    for violation in found {
        let severity = Severity::ALL.into_iter().find(|severity| severity.as_str() == violation.severity);
        let verdict = Verdict {
            severity: severity.unwrap_or(Severity::Low),
            reported: !violation.suppressed,
            repair: violation.remediation_action,
            evidence: None,
        };
        let verdicts = by_event.entry((violation.account_id, violation.event_id)).or_default();
        verdicts.by_rule.insert(violation.rule_name, verdict);
    }
    by_event
}
