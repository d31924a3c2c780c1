//! The report as Markdown (GitHub's dialect), for wikis, tickets and pull requests.

use crate::plain::plain;
use crate::report::{Report, Serious};

use super::outline::{Outline, outlines, summary};

/// Violations described in full.
const DESCRIBED: usize = 10;

/// The report as Markdown. Names from outside stay text: no mark-up, no link, no mention.
pub(crate) fn markdown(report: &Report) -> String {
    let mut page = format!("# IAM policy violations in {}\n\n", report.span.name());
    page.push_str(&format!("Lake {}, compared with {}.\n", text(&report.lake), report.span.before().name()));
    for filter in report.filter.described() {
        page.push_str(&format!("Only {}.\n", text(&filter)));
    }
    if report.empty {
        page.push_str("\nNothing is recorded for this period: no violation and no repair.\n");
        if !report.months_in_lake.is_empty() {
            page.push_str(&format!("Months in this lake: {}.\n", text(&report.months_in_lake.join(", "))));
        }
    } else {
        table(&mut page, &summary(report));
        serious(&mut page, report);
        for outline in outlines(report) {
            table(&mut page, &outline);
        }
    }
    if !report.left_out.is_empty() {
        page.push_str(&format!("\n## Files left out\n\n{} not part of any number above.\n\n", report.left_out.len()));
        for left_out in &report.left_out {
            page.push_str(&format!("- {}: {}\n", text(&left_out.file), text(&left_out.reason)));
        }
    }
    page
}

fn table(page: &mut String, outline: &Outline) {
    page.push_str(&format!("\n## {}\n\n", text(&outline.title)));
    if !outline.note.is_empty() {
        page.push_str(&format!("{}\n\n", text(&outline.note)));
    }
    let names: Vec<String> = outline.columns.iter().map(|column| text(&column.name)).collect();
    let lines: Vec<&str> = outline.columns.iter().map(|column| if column.number { "---:" } else { "---" }).collect();
    page.push_str(&format!("| {} |\n| {} |\n", names.join(" | "), lines.join(" | ")));
    for row in &outline.rows {
        let cells: Vec<String> = row.iter().map(|cell| text(&cell.text)).collect();
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn serious(page: &mut String, report: &Report) {
    if report.most_serious.is_empty() {
        return;
    }
    let shown = report.most_serious.len().min(DESCRIBED);
    page.push_str(&format!(
        "\n## Look at these first\n\n{shown} of {} reported, at most three for each rule.\n",
        report.summary.reported
    ));
    for violation in report.most_serious.iter().take(DESCRIBED) {
        page.push_str(&described(violation));
    }
}

fn described(violation: &Serious) -> String {
    let from = violation.source_ip_address.as_deref().map(|from| format!(" from {}", text(from))).unwrap_or_default();
    let target = violation.target.as_deref().or(violation.policy_arn.as_deref());
    let target = target.map(|target| format!(" on {}", text(target))).unwrap_or_default();
    let failed = if violation.outcome == "failure" {
        format!(", failed: {}", text(violation.error_code.as_deref().unwrap_or("no error code")))
    } else {
        String::new()
    };
    let may = if violation.certainty == "may" { " (if its conditions are met)" } else { "" };
    format!(
        "\n- **{} {}** {}, account {}\n  - who: {}{from}\n  - what: {}{target}{failed}\n  - why: {}{may}\n",
        text(&violation.severity),
        text(&violation.rule_name),
        text(&violation.event_time),
        text(&violation.account_id),
        text(&violation.principal),
        text(&violation.event_name),
        text(&violation.evidence),
    )
}

/// A text from outside in which nothing is mark-up, HTML, a link or a mention.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            // As entities: a back slash would not keep GitHub from making a mention or a link of it.
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_mark_up_no_link_and_no_mention() {
        assert_eq!(text("<img src=x> [a](b) **b** |"), "&lt;img src=x&gt; \\[a\\](b) \\*\\*b\\*\\* \\|");
        assert_eq!(
            text("@octocat #1 https://example.com www.example.com"),
            "&#64;octocat \\#1 https&#58;//example.com www&#46;example.com"
        );
        assert_eq!(text("two\nlines `x`"), "two\\\\nlines \\`x\\`");
        assert_eq!(text("arn:aws:iam::1:user/a-b.c"), "arn:aws:iam::1:user/a-b.c");
    }
}
