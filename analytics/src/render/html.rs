//! The report as one HTML file that needs nothing from anywhere.
//!
//! The page is `templates/report.html`; every text in it is escaped by the template engine. Its content security policy
//! allows no request at all and no script but the one that sorts tables, so that not even a fault of ours would run
//! what somebody wrote into the name of a user.

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::error::AnalyticsError;
use crate::plain::plain;
use crate::report::{Report, Serious};

use super::charts::{Chart, charts};
use super::outline::{Outline, outlines, severity_class, summary};
use super::text::change;

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/sort.js");

/// The report as HTML.
pub(crate) fn html(report: &Report) -> Result<String, AnalyticsError> {
    let page = Page {
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        period: report.span.name(),
        before: report.span.before().name(),
        lake: plain(&report.lake).into_owned(),
        filters: report.filter.described().iter().map(|filter| plain(filter).into_owned()).collect(),
        empty: report.empty,
        months: report.months_in_lake.join(", "),
        tiles: tiles(report),
        charts: charts(report)?,
        serious: report.most_serious.iter().map(Violation::of).collect(),
        reported: report.summary.reported,
        tables: std::iter::once(summary(report)).chain(outlines(report)).collect(),
        left_out: report
            .left_out
            .iter()
            .map(|left_out| (plain(&left_out.file).into_owned(), plain(&left_out.reason).into_owned()))
            .collect(),
    };
    page.render().map_err(|error| AnalyticsError::Page(error.to_string()))
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    policy: String,
    style: &'static str,
    script: &'static str,
    period: String,
    before: String,
    lake: String,
    filters: Vec<String>,
    empty: bool,
    months: String,
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    serious: Vec<Violation>,
    reported: i64,
    tables: Vec<Outline>,
    left_out: Vec<(String, String)>,
}

/// A number to see first.
struct Tile {
    name: &'static str,
    value: i64,
    change: String,
    class: &'static str,
}

/// One violation in words.
struct Violation {
    class: &'static str,
    severity: String,
    rule: String,
    time: String,
    account: String,
    who: String,
    from: String,
    what: String,
    target: String,
    failed: String,
    why: String,
    id: String,
}

fn tiles(report: &Report) -> Vec<Tile> {
    let (now, before) = (&report.summary, &report.summary_before);
    let tile = |(name, class, value, before): (&'static str, &'static str, i64, i64)| {
        let change = match change(value, before).as_str() {
            "·" => "unchanged".to_owned(),
            changed => changed.to_owned(),
        };
        Tile { name, value, change, class }
    };
    let tiles = [
        ("Reported violations", "", now.reported, before.reported),
        ("Critical", "critical", now.critical, before.critical),
        ("High", "high", now.high, before.high),
        ("Granted new access", "", now.new_access, before.new_access),
        ("Failed attempts", "", now.attempts, before.attempts),
        ("Suppressed", "", now.suppressed, before.suppressed),
        ("Accounts concerned", "", now.accounts, before.accounts),
        ("Principals concerned", "", now.principals, before.principals),
    ];
    tiles.into_iter().map(tile).collect()
}

impl Violation {
    fn of(violation: &Serious) -> Violation {
        let shown = |text: &str| plain(text).into_owned();
        let target = violation.target.as_deref().or(violation.policy_arn.as_deref()).unwrap_or_default();
        let kind = violation.target_type.as_deref().map(|kind| format!("{kind} ")).unwrap_or_default();
        let failed = match violation.outcome.as_str() {
            "failure" => violation.error_code.as_deref().unwrap_or("no error code"),
            _ => "",
        };
        let may = if violation.certainty == "may" { " (if its conditions are met)" } else { "" };
        Violation {
            class: severity_class(&violation.severity),
            severity: shown(&violation.severity),
            rule: shown(&violation.rule_name),
            time: shown(&violation.event_time.replace('T', " ").replace('Z', " UTC")),
            account: shown(&violation.account_id),
            who: shown(&violation.principal),
            from: shown(violation.source_ip_address.as_deref().unwrap_or_default()),
            what: shown(&violation.event_name),
            target: if target.is_empty() { String::new() } else { shown(&format!("{kind}{target}")) },
            failed: shown(failed),
            why: shown(&format!("{}{may}", violation.evidence)),
            id: shown(&violation.violation_id),
        }
    }
}

/// Nothing is fetched, and only our own script runs. Charts carry style attributes.
fn policy() -> String {
    let script = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
}
