//! The report to read on a terminal or on paper, at most 100 columns wide.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::month::Month;
use crate::plain::{fit, plain, width, wrap};
use crate::report::{Novelty, Report, Serious};

/// Widest line, in cells.
const WIDTH: usize = 100;
/// Rows of a section before the rest is only counted; the other formats have all of them.
const ROWS: usize = 20;
/// Violations described in full.
const DESCRIBED: usize = 10;
/// Cells of the longest bar.
const BAR: usize = 30;

/// Whether the text may carry colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Text only, for files and pipes.
    Plain,
    /// ANSI colours, for a terminal.
    Colour,
}

/// The report as text. `month` is the month of the report.
pub(crate) fn text(report: &Report, month: Month, paint: Paint) -> String {
    let mut page = Page { out: String::new(), paint };
    page.title(report, month);
    if report.empty {
        page.nothing(report, month);
    } else {
        page.summary(report, month);
        page.days(report, month);
        page.most_serious(report);
        page.rules(report, month);
        page.accounts(report, month);
        page.principals(report, month);
        page.suppressions(report, month);
        page.remediation(report);
    }
    page.left_out(report);
    page.out
}

struct Page {
    out: String,
    paint: Paint,
}

/// A line of a table: cells, the first aligned left, numbers right.
type Row = Vec<Cell>;

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn bold(&self, text: &str) -> String {
        match self.paint {
            Paint::Plain => text.to_owned(),
            Paint::Colour => format!("\u{1b}[1m{text}\u{1b}[0m"),
        }
    }

    fn heading(&mut self, title: &str, note: &str) {
        let title = self.bold(title);
        self.line("");
        self.line(&format!("{title}  {note}"));
    }

    /// A table of at most [`ROWS`] rows, indented. `left` names the columns aligned left.
    fn table(&mut self, header: &[&str], left: &[usize], mut rows: Vec<Row>) {
        let more = rows.len().saturating_sub(ROWS);
        rows.truncate(ROWS);
        self.whole_table(header, left, rows);
        if more > 0 {
            self.line(&format!("  … and {more} more: --format json or csv has all of them"));
        }
    }

    fn whole_table(&mut self, header: &[&str], left: &[usize], rows: Vec<Row>) {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        match self.paint {
            Paint::Plain => table.force_no_tty(),
            Paint::Colour => table.enforce_styling(),
        };
        table.add_row(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Dim)).collect::<Row>());
        for row in rows {
            table.add_row(row);
        }
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            let align = if left.contains(&place) { CellAlignment::Left } else { CellAlignment::Right };
            column.set_cell_alignment(align);
        }
        for line in table.lines() {
            self.line(&format!("  {line}"));
        }
    }

    fn title(&mut self, report: &Report, month: Month) {
        let title = self.bold(&format!("IAM policy violations in {}", month.name()));
        self.line(&title);
        self.line(&format!("Lake {}, compared with {}", fit(&report.lake, 60), month.before().name()));
    }

    fn nothing(&mut self, report: &Report, month: Month) {
        self.line("");
        self.line(&format!("Nothing is recorded for {}: no violation and no repair.", month.name()));
        match report.months_in_lake.as_slice() {
            [] => self
                .line("This lake holds no month at all. Is it the right folder, and has the detector written to it?"),
            months => {
                for line in wrap(&format!("Months in this lake: {}.", months.join(", ")), WIDTH, ROWS) {
                    self.line(&line);
                }
            }
        }
    }

    fn summary(&mut self, report: &Report, month: Month) {
        let (now, before) = (&report.summary, &report.summary_before);
        let lines = [
            ("Violations", now.violations, before.violations),
            ("  reported", now.reported, before.reported),
            ("    CRITICAL", now.critical, before.critical),
            ("    HIGH", now.high, before.high),
            ("    MEDIUM", now.medium, before.medium),
            ("    LOW", now.low, before.low),
            ("    of these, attempts (the call failed)", now.attempts, before.attempts),
            ("    of these, changes that granted new access", now.new_access, before.new_access),
            ("  suppressed", now.suppressed, before.suppressed),
            ("Rules that matched", now.rules, before.rules),
            ("Accounts concerned", now.accounts, before.accounts),
            ("Principals concerned", now.principals, before.principals),
        ];
        let row = |(name, now, before): (&str, i64, i64)| {
            vec![Cell::new(name), Cell::new(now), Cell::new(before), Cell::new(change(now, before))]
        };
        self.heading("Summary", "");
        let header = ["", &month.short_name(), &month.before().short_name(), "Change"];
        self.table(&header, &[0], lines.into_iter().map(row).collect());
    }

    fn days(&mut self, report: &Report, month: Month) {
        let most = report.by_day.iter().map(|day| day.violations).max().unwrap_or(0);
        if most == 0 {
            return;
        }
        self.heading("By day", "days without a reported violation are left out");
        let rows = report.by_day.iter().map(|day| {
            let weekday = month.weekday(&day.day).map(|weekday| weekday.to_string()).unwrap_or_default();
            let counts = [day.violations, day.critical, day.high, day.medium, day.low];
            let date = format!("{weekday} {}-{}", report.month, fit(&day.day, 2));
            let mut row = vec![Cell::new(date)];
            row.extend(counts.into_iter().map(count));
            row.push(Cell::new(bar(day.violations, most)).fg(Color::Blue));
            row
        });
        let header = ["Day", "Total", "Critical", "High", "Medium", "Low", ""];
        // A month has at most 31 days: all of them are shown.
        self.whole_table(&header, &[0, 6], rows.collect());
    }

    fn most_serious(&mut self, report: &Report) {
        if report.most_serious.is_empty() {
            return;
        }
        let shown = report.most_serious.len().min(DESCRIBED);
        self.heading(
            "Look at these first",
            &format!("{shown} of {} reported, at most three for each rule", report.summary.reported),
        );
        for violation in report.most_serious.iter().take(DESCRIBED) {
            self.line("");
            self.violation(violation);
        }
    }

    fn violation(&mut self, violation: &Serious) {
        let severity = self.severity_text(&violation.severity);
        let time = violation.event_time.replace('T', " ").replace('Z', "");
        let account = fit(&violation.account_id, 14);
        self.line(&format!("  {severity}  {}  {}  account {account}", fit(&time, 23), fit(&violation.rule_name, 44)));
        let from = violation.source_ip_address.as_deref().map(|address| format!(" from {}", fit(address, 40)));
        let from = from.unwrap_or_default();
        let room = WIDTH - 18 - width(&from);
        self.line(&format!("            who   {}{from}", fit(&violation.principal, room)));
        let target_type =
            violation.target_type.as_deref().map(|kind| format!("{} ", fit(kind, 16))).unwrap_or_default();
        let target = violation.target.as_deref().or(violation.policy_arn.as_deref());
        let target = target.map(|target| format!(" on {target_type}{}", plain(target))).unwrap_or_default();
        let failed = match (violation.outcome.as_str(), violation.error_code.as_deref()) {
            ("failure", Some(code)) => format!(" (failed: {})", fit(code, 24)),
            ("failure", None) => " (failed)".to_owned(),
            _ => String::new(),
        };
        let what = format!("{}{target}", violation.event_name);
        self.line(&format!("            what  {}{failed}", fit(&what, WIDTH - 18 - width(&failed))));
        let may = if violation.certainty == "may" { " (if its conditions are met)" } else { "" };
        for (place, line) in wrap(&format!("{}{may}", violation.evidence), WIDTH - 18, 3).iter().enumerate() {
            let name = if place == 0 { "why" } else { "" };
            self.line(&format!("            {name:<6}{line}"));
        }
    }

    /// The severity in eight cells.
    fn severity_text(&self, severity: &str) -> String {
        let text = format!("{:<8}", fit(severity, 8));
        match (self.paint, severity) {
            (Paint::Colour, "CRITICAL") => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
            (Paint::Colour, "HIGH") => format!("\u{1b}[31m{text}\u{1b}[0m"),
            (Paint::Colour, "MEDIUM") => format!("\u{1b}[33m{text}\u{1b}[0m"),
            _ => text,
        }
    }

    fn rules(&mut self, report: &Report, month: Month) {
        self.heading("By rule", "");
        let rows = report.by_rule.iter().map(|rule| {
            let mark = match rule.novelty {
                Some(Novelty::New) => "new",
                Some(Novelty::Vanished) => "vanished",
                None => "",
            };
            vec![
                severity(&rule.severity),
                Cell::new(fit(&rule.rule_name, 36)),
                Cell::new(rule.violations),
                Cell::new(rule.violations_before),
                count(rule.attempts),
                count(rule.suppressed),
                count(rule.accounts),
                Cell::new(mark).fg(Color::Cyan),
            ]
        });
        let before = month.before().short_name();
        let header = ["Severity", "Rule", "Reported", &before, "Attempts", "Suppr.", "Accts", ""];
        self.table(&header, &[0, 1, 7], rows.collect());
    }

    fn accounts(&mut self, report: &Report, month: Month) {
        if report.by_account.is_empty() {
            return;
        }
        self.heading("By account", "");
        let rows = report.by_account.iter().map(|account| {
            let mut row = vec![
                Cell::new(fit(&account.account_id, 16)),
                Cell::new(account.violations),
                Cell::new(account.violations_before),
            ];
            row.extend([account.critical, account.high, account.medium, account.low, account.principals].map(count));
            row
        });
        let before = month.before().short_name();
        let header = ["Account", "Reported", &before, "Critical", "High", "Medium", "Low", "Principals"];
        self.table(&header, &[0], rows.collect());
    }

    fn principals(&mut self, report: &Report, month: Month) {
        if report.high_risk_principals.is_empty() {
            return;
        }
        self.heading("High-risk principals", "more than 3 reported violations or more than 2 rules");
        let rows = report.high_risk_principals.iter().map(|principal| {
            let mut row = vec![severity(&principal.severity), Cell::new(fit(&principal.principal, 44))];
            row.push(Cell::new(principal.violations));
            row.push(Cell::new(principal.violations_before));
            row.extend([principal.attempts, principal.rules, principal.source_addresses].map(count));
            row
        });
        let before = month.before().short_name();
        let header = ["Severity", "Principal", "Reported", &before, "Attempts", "Rules", "Addr."];
        self.table(&header, &[0, 1], rows.collect());
    }

    fn suppressions(&mut self, report: &Report, month: Month) {
        if report.suppressions.is_empty() {
            return;
        }
        self.heading("Suppressions", "violations they held back");
        let rows = report.suppressions.iter().map(|suppression| {
            let name = Cell::new(fit(&suppression.suppressed_by, 50));
            let counts = [suppression.violations, suppression.violations_before, suppression.rules];
            std::iter::once(name).chain(counts.map(Cell::new)).collect()
        });
        self.table(&["Suppression", &month.short_name(), &month.before().short_name(), "Rules"], &[0], rows.collect());
    }

    fn remediation(&mut self, report: &Report) {
        if report.remediation.is_empty() {
            return;
        }
        self.heading("Repairs", "success counts repairs, dry runs and undone repairs");
        let rows = report.remediation.iter().map(|action| {
            let mut row = vec![Cell::new(fit(&action.remediation_action, 24)), Cell::new(action.total_attempts)];
            row.push(Cell::new(format!("{:.1} %", action.success_rate)));
            row.extend([action.repaired, action.dry_runs, action.undone, action.skipped, action.failed].map(count));
            row.push(Cell::new(action.mean_seconds_to_repair.map(duration).unwrap_or_default()));
            row
        });
        let header =
            ["Action", "Attempts", "Success", "Repaired", "Dry run", "Undone", "Skipped", "Failed", "Mean time"];
        self.table(&header, &[0], rows.collect());
    }

    fn left_out(&mut self, report: &Report) {
        if report.left_out.is_empty() {
            return;
        }
        let note = format!("{} not part of any number above", report.left_out.len());
        self.heading("Files left out", &note);
        for left_out in &report.left_out {
            for line in wrap(&format!("{}: {}", left_out.file, left_out.reason), WIDTH - 2, 4) {
                self.line(&format!("  {line}"));
            }
        }
    }
}

fn severity(severity: &str) -> Cell {
    let cell = Cell::new(fit(severity, 8));
    match severity {
        "CRITICAL" => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        "HIGH" => cell.fg(Color::Red),
        "MEDIUM" => cell.fg(Color::Yellow),
        _ => cell,
    }
}

/// A count that leaves the eye alone when it is zero.
fn count(count: i64) -> Cell {
    if count == 0 { Cell::new("·").add_attribute(Attribute::Dim) } else { Cell::new(count) }
}

fn change(now: i64, before: i64) -> String {
    match now - before {
        0 => "·".to_owned(),
        change if before == 0 => format!("{change:+}"),
        change => format!("{change:+} ({:+.0} %)", change as f64 * 100.0 / before as f64),
    }
}

/// A bar in eighths of a cell, at least one eighth for any count above zero.
fn bar(count: i64, most: i64) -> String {
    let eighths = (count as f64 / most.max(1) as f64 * (BAR * 8) as f64).round().max(1.0) as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat((eighths / 8).min(BAR)))
}

/// Seconds in the two largest units that matter.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as i64;
    match whole {
        ..60 => format!("{seconds:.1} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_given_in_numbers_and_percent_of_the_month_before() {
        assert_eq!(change(12, 10), "+2 (+20 %)");
        assert_eq!(change(5, 10), "-5 (-50 %)");
        assert_eq!(change(7, 0), "+7");
        assert_eq!(change(7, 7), "·");
    }

    #[test]
    fn the_longest_bar_is_full_and_the_shortest_is_seen() {
        assert_eq!(bar(10, 10), "█".repeat(BAR));
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(5, 10).chars().count(), BAR / 2);
    }

    #[test]
    fn a_duration_is_given_in_two_units() {
        assert_eq!(duration(2.25), "2.2 s");
        assert_eq!(duration(61.0), "1 min 1 s");
        assert_eq!(duration(7_260.0), "2 h 1 min");
        assert_eq!(duration(90_000.0), "1 d 1 h");
    }
}
