//! One principal to read on a terminal or on paper, at most 100 columns wide.

use comfy_table::Cell;

use super::text::{Page, Paint, Row, WIDTH, count, severity};
use crate::plain::{fit, wrap};
use crate::principal::{MOST_ROWS, PrincipalStory, Repair, Seen};
use crate::report::Serious;

/// Violations and repairs described in full; the JSON has more.
const DESCRIBED: usize = 10;

/// The story of a principal as text.
pub(crate) fn principal(story: &PrincipalStory, paint: Paint) -> String {
    let mut page = Page { out: String::new(), paint };
    for (place, line) in wrap(&format!("Principal {}", story.principal), WIDTH, 8).iter().enumerate() {
        let line = if place == 0 { page.bold(line) } else { line.clone() };
        page.line(&line);
    }
    let period = story.period.as_ref().map_or_else(|| "all its time".to_owned(), |period| fit(period, 40));
    page.line(&format!("Lake {}, {period}", fit(&story.lake, 50)));
    if story.is_empty() {
        page.line("");
        page.line(
            "Nothing is recorded about it. Is the ARN exact? For a role, give the ARN of the role, not of a session.",
        );
    }
    page.activity(story);
    for (title, values) in [
        ("Accounts", &story.accounts),
        ("Regions", &story.regions),
        ("Acted as", &story.identities),
        ("Source addresses", &story.source_addresses),
        ("Programs", &story.user_agents),
        ("Access keys", &story.access_keys),
    ] {
        page.seen(title, values);
    }
    page.calls(story);
    page.broken(story);
    page.described("Its latest violations", &story.violations);
    page.described("Done to it by others", &story.done_to_it);
    page.repairs(&story.repairs);
    page.left_out(&story.left_out);
    page.out
}

impl Page {
    fn activity(&mut self, story: &PrincipalStory) {
        let Some(totals) = &story.totals else { return };
        self.line("");
        let times = format!("first seen {}, last seen {}", time(&totals.first_seen), time(&totals.last_seen));
        self.line(&format!("  {times}"));
        self.line(&format!(
            "  {} changes, of which {} failed; {} violations of {} rules",
            totals.changes,
            totals.failed,
            totals.violations,
            story.rules.len()
        ));
        if story.cut {
            self.line(&format!("  there are more: only the latest {MOST_ROWS} are counted"));
        }
    }

    fn seen(&mut self, title: &str, values: &[Seen]) {
        if values.is_empty() {
            return;
        }
        self.heading(title, "");
        let row = |seen: &Seen| -> Row {
            let cells = [fit(&seen.value, 46), seen.changes.to_string(), time(&seen.first_seen), time(&seen.last_seen)];
            cells.into_iter().map(Cell::new).collect()
        };
        self.table(&["", "Changes", "First seen", "Last seen"], &[0, 2, 3], values.iter().map(row).collect());
    }

    fn calls(&mut self, story: &PrincipalStory) {
        if story.calls.is_empty() {
            return;
        }
        self.heading("Changes", "by API call");
        let rows = story.calls.iter().map(|call| {
            let service = call.event_source.strip_suffix(".amazonaws.com").unwrap_or(&call.event_source);
            let mut row = vec![Cell::new(fit(&format!("{service}:{}", call.event_name), 40))];
            row.extend([call.changes, call.failed, call.violations].map(count));
            row.push(Cell::new(time(&call.last_seen)));
            row
        });
        self.table(&["", "Changes", "Failed", "Violations", "Last seen"], &[0, 4], rows.collect());
    }

    fn broken(&mut self, story: &PrincipalStory) {
        if story.rules.is_empty() {
            return;
        }
        self.heading("Rules it broke", "");
        let rows = story.rules.iter().map(|rule| {
            let mut row = vec![severity(&rule.severity), Cell::new(fit(&rule.rule_name, 30))];
            row.extend([rule.reported, rule.suppressed, rule.attempts, rule.new_access].map(count));
            row.push(Cell::new(time(&rule.last_seen)));
            row
        });
        let header = ["Severity", "Rule", "Reported", "Suppr.", "Attempts", "Access", "Last seen"];
        self.table(&header, &[0, 1, 6], rows.collect());
    }

    fn described(&mut self, title: &str, violations: &[Serious]) {
        if violations.is_empty() {
            return;
        }
        let shown = violations.len().min(DESCRIBED);
        self.heading(title, &format!("{shown} shown, the latest first; --format json has up to 50"));
        for violation in violations.iter().take(DESCRIBED) {
            self.line("");
            self.violation(violation);
        }
    }

    fn repairs(&mut self, repairs: &[Repair]) {
        if repairs.is_empty() {
            return;
        }
        self.heading("Repairs", "of what it did, and on itself, the latest first");
        for repair in repairs.iter().take(DESCRIBED) {
            self.line("");
            let what = format!(
                "{}  {}  {}",
                time(&repair.ended),
                fit(&repair.status, 10),
                fit(&repair.remediation_action, 30)
            );
            self.line(&format!("  {what}  {}", fit(&repair.rule_name, 30)));
            let target = repair.target.as_deref().unwrap_or("(not given)");
            let kind = repair.target_type.as_deref().map(|kind| format!("{kind} ")).unwrap_or_default();
            self.detail("on", &format!("{kind}{target}"), None);
            for (name, text) in [("why", &repair.reason), ("error", &repair.error)] {
                if let Some(text) = text {
                    self.detail(name, text, None);
                }
            }
        }
    }
}

/// `2024-01-05 12:00:01`, without the fractions of a second.
fn time(rfc3339: &str) -> String {
    fit(&rfc3339.replace('T', " ").replace('Z', ""), 19)
}
