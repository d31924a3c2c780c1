//! What other rules would change: to read on a terminal, and as Markdown for a pull request.

use comfy_table::Cell;

use super::markdown::text as md;
use super::text::{Page, Paint, WIDTH, count};
use crate::backtest::{Account, Backtest, Changes, Example, Kind, RuleChanges};
use crate::plain::{fit, wrap};

/// Examples shown; the JSON has three of each kind for each rule.
const EXAMPLES: usize = 12;
/// Names of rules listed in one note.
const NAMED: usize = 12;

/// As text, at most 100 columns wide.
pub(crate) fn text(found: &Backtest, paint: Paint) -> String {
    let mut page = Page { out: String::new(), paint };
    let title = page.bold(&format!("{} tried on past events", fit(&found.rules, 60)));
    page.line(&title);
    for line in wrap(&about(found), WIDTH, 3) {
        page.line(&line);
    }
    page.line("");
    page.line(&summary(&found.totals));
    let changed: Vec<&RuleChanges> = found.by_rule.iter().filter(|rule| !rule.changes.is_none()).collect();
    if !changed.is_empty() {
        let same = found.by_rule.len() - changed.len();
        page.heading("By rule", &format!("{same} more rules report what they did before"));
        let header = ["Rule", "Severity", "Before", "After", "Appear", "Vanish", "Raised", "Lowered", "Repair"];
        let rows = changed.iter().map(|rule| {
            let mut row = vec![Cell::new(fit(&rule.rule_name, 26)), Cell::new(severities(rule))];
            row.extend(cells(&rule.changes).map(|value| count(value.try_into().unwrap_or(i64::MAX))));
            row
        });
        page.table(&header, &[0, 1], rows.collect());
        accounts(&mut page, found);
        examples(&mut page, found);
    }
    let notes = notes(found);
    if !notes.is_empty() {
        page.heading("Mind", "");
        for note in notes {
            for (place, line) in wrap(&note, WIDTH - 4, 8).iter().enumerate() {
                page.line(&format!("  {} {line}", if place == 0 { "-" } else { " " }));
            }
        }
    }
    page.left_out(&found.left_out);
    page.out
}

fn accounts(page: &mut Page, found: &Backtest) {
    let changed: Vec<&Account> = found.by_account.iter().filter(|account| !account.changes.is_none()).collect();
    page.heading("By account", "");
    let header = ["Account", "Before", "After", "Appear", "Vanish", "Raised", "Lowered", "Repair"];
    let rows = changed.iter().map(|account| {
        let mut row = vec![Cell::new(fit(&account.account_id, 16))];
        row.extend(cells(&account.changes).map(|value| count(value.try_into().unwrap_or(i64::MAX))));
        row
    });
    page.table(&header, &[0], rows.collect());
}

fn examples(page: &mut Page, found: &Backtest) {
    page.heading("For example", "");
    for example in found.examples.iter().take(EXAMPLES) {
        page.line("");
        let time = example.event_time.replace('T', " ").replace('Z', "");
        let (rule, account) = (fit(&example.rule_name, 40), fit(&example.account_id, 14));
        page.line(&format!("  {:<9} {}  {rule}  account {account}", kind(example.kind), fit(&time, 19)));
        page.detail("who", &example.principal, None);
        let repair = example.remediation_action.as_deref().map(|repair| format!("(asks for {repair})"));
        page.detail("what", &example.event_name, repair);
        if let Some(evidence) = &example.evidence {
            page.detail("why", evidence, None);
        }
    }
    if found.examples.len() > EXAMPLES {
        page.line("");
        page.line(&format!("  … and {} more: --format json has them", found.examples.len() - EXAMPLES));
    }
}

/// As Markdown.
pub(crate) fn markdown(found: &Backtest) -> String {
    let mut page =
        format!("## Rules tried on past events\n\n{}\n\n**{}**\n", md(&about(found)), summary(&found.totals));
    let changed: Vec<&RuleChanges> = found.by_rule.iter().filter(|rule| !rule.changes.is_none()).collect();
    if !changed.is_empty() {
        page.push_str("\n| Rule | Severity | Before | After | Appear | Vanish | Raised | Lowered | Repair |\n");
        page.push_str("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for rule in &changed {
            page.push_str(&format!("| {} | {} |{}\n", md(&rule.rule_name), md(&severities(rule)), row(&rule.changes)));
        }
        page.push_str("\n| Account | Before | After | Appear | Vanish | Raised | Lowered | Repair |\n");
        page.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for account in found.by_account.iter().filter(|account| !account.changes.is_none()) {
            page.push_str(&format!("| {} |{}\n", md(&account.account_id), row(&account.changes)));
        }
        page.push_str("\n<details><summary>Examples</summary>\n\n");
        for example in found.examples.iter().take(EXAMPLES) {
            page.push_str(&format!("- {}\n", md(&sentence(example))));
        }
        page.push_str("\n</details>\n");
    }
    let notes = notes(found);
    if !notes.is_empty() {
        page.push_str("\nMind:\n\n");
        notes.iter().for_each(|note| page.push_str(&format!("- {}\n", md(note))));
    }
    for left_out in &found.left_out {
        page.push_str(&format!("- left out {}: {}\n", md(&left_out.file), md(&left_out.reason)));
    }
    page
}

fn row(changes: &Changes) -> String {
    cells(changes).map(|value| format!(" {value} |")).concat()
}

fn cells(changes: &Changes) -> [u64; 7] {
    let Changes { before, after, appear, vanish, raised, lowered, repair, .. } = *changes;
    [before, after, appear, vanish, raised, lowered, repair]
}

fn about(found: &Backtest) -> String {
    let period = found.period.as_ref().map(|period| format!(" of {period}")).unwrap_or_default();
    format!("{} events{period} from {}, compared with {}.", found.events, found.source, found.against)
}

fn summary(totals: &Changes) -> String {
    if totals.is_none() {
        return format!("Nothing would be different: {} reported violations before and after.", totals.after);
    }
    let Changes { before, after, appear, vanish, held_back, undecided, raised, lowered, repair, no_repair } = *totals;
    let mut text = format!("{before} reported violations before, {after} after: {appear} appear, {vanish} vanish");
    let more = [
        (held_back, "of these held back by a suppression"),
        (undecided, "cannot be told"),
        (raised, "with a higher severity"),
        (lowered, "with a lower severity"),
        (repair, "more ask for a repair"),
        (no_repair, "no longer ask for one"),
    ];
    for (count, what) in more.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {count} {what}"));
    }
    text + "."
}

fn severities(rule: &RuleChanges) -> String {
    match (rule.severity_before, rule.severity_after) {
        (Some(before), Some(after)) if before != after => format!("{before}→{after}"),
        (before, after) => after.or(before).unwrap_or_default().to_owned(),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Appears => "appears",
        Kind::Vanishes => "vanishes",
        Kind::Severity => "severity",
        Kind::Repair => "repair",
        Kind::NoRepair => "no repair",
        Kind::Undecided => "untold",
    }
}

fn sentence(example: &Example) -> String {
    let evidence = example.evidence.as_ref().map(|evidence| format!(": {evidence}")).unwrap_or_default();
    let Example { rule_name, account_id, event_name, event_time, principal, .. } = example;
    let kind = kind(example.kind);
    format!("{kind}: {rule_name}, {event_name} by {principal} in account {account_id} at {event_time}{evidence}")
}

/// What the numbers do not say.
fn notes(found: &Backtest) -> Vec<String> {
    let mut notes = Vec::new();
    if !found.undecided.is_empty() {
        let names: Vec<String> =
            found.undecided.iter().map(|undecided| format!("{} ({})", undecided.rule_name, undecided.events)).collect();
        notes.push(format!(
            "These rules could not be decided on so many events, as a policy they need is not visible here (policies in \
             IAM are not looked up): {}.",
            listed(&names)
        ));
    }
    if !found.untried_rules.is_empty() {
        notes.push(format!(
            "{} rules met no event that they name, so nothing is known of them: {}. The lake has the events that some \
             rule named when they came.",
            found.untried_rules.len(),
            listed(&found.untried_rules)
        ));
    }
    if found.not_stored > 0 {
        notes.push(format!(
            "{} reported violations of the period were not compared: their events are not in iam_events.",
            found.not_stored
        ));
    }
    if found.unreadable > 0 {
        notes.push(format!("{} events or records could not be read.", found.unreadable));
    }
    notes.extend(found.rule_errors.iter().cloned());
    notes.extend(found.problems.iter().cloned());
    notes
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
