//! The report to read on a terminal or on paper, at most 100 columns wide.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::buckets::{Buckets, Step};
use crate::plain::{fit, width, wrap};
use crate::report::{Novelty, Report, Serious};
use crate::tables::LeftOut;

/// Widest line, in cells.
pub(super) const WIDTH: usize = 100;
/// Rows of a section before the rest is only counted; the other formats have all of them.
const ROWS: usize = 20;
/// Violations described in full.
const DESCRIBED: usize = 10;
/// Cells of a line that describes a violation, next to its name.
const DETAIL: usize = WIDTH - 18;
/// Callers shown.
const CALLERS: usize = 10;
/// Most characters of a sparkline; of a longer period the end is shown.
const SPARKS: usize = 76;
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

/// The report as text.
pub(crate) fn text(report: &Report, paint: Paint) -> String {
    let mut page = Page { out: String::new(), paint };
    page.title(report);
    if report.empty {
        page.nothing(report);
    } else {
        page.summary(report);
        page.trend(report);
        page.days(report);
        page.most_serious(report);
        page.rules(report);
        page.accounts(report);
        page.callers(report);
        page.principals(report);
        page.attack_patterns(report);
        page.suppressions(report);
        page.remediation(report);
        page.privilege(report);
    }
    page.left_out(&report.left_out);
    page.out
}

/// A page of text under construction.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) paint: Paint,
}

/// A line of a table.
pub(super) type Row = Vec<Cell>;

impl Page {
    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    pub(super) fn bold(&self, text: &str) -> String {
        match self.paint {
            Paint::Plain => text.to_owned(),
            Paint::Colour => format!("\u{1b}[1m{text}\u{1b}[0m"),
        }
    }

    pub(super) fn heading(&mut self, title: &str, note: &str) {
        let title = self.bold(title);
        self.line("");
        self.line(&format!("{title}  {note}"));
    }

    /// A table of at most [`ROWS`] rows, indented. `left` names the columns aligned left.
    pub(super) fn table(&mut self, header: &[&str], left: &[usize], mut rows: Vec<Row>) {
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

    fn title(&mut self, report: &Report) {
        let title = self.bold(&format!("IAM policy violations in {}", report.span.name()));
        self.line(&title);
        self.line(&format!("Lake {}, compared with {}", fit(&report.lake, 50), report.span.before().name()));
        for filter in report.filter.described() {
            for line in wrap(&format!("Only {filter}"), WIDTH, 3) {
                self.line(&line);
            }
        }
    }

    fn nothing(&mut self, report: &Report) {
        self.line("");
        self.line(&format!("Nothing is recorded for {}: no violation and no repair.", report.span.name()));
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

    fn summary(&mut self, report: &Report) {
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
        let header = ["", &report.span.short_name(), &report.span.short_name_before(), "Change"];
        self.table(&header, &[0], lines.into_iter().map(row).collect());
    }

    fn days(&mut self, report: &Report) {
        let buckets = Buckets::of_violations(report);
        let rows = buckets.rows().iter().filter(|(_, counts)| counts.iter().any(|count| *count != 0));
        let rows: Vec<(String, [i64; 4], i64)> =
            rows.map(|(first, counts)| (buckets.name(first), *counts, counts.iter().sum())).collect();
        let most = rows.iter().map(|(_, _, total)| *total).max().unwrap_or(0);
        if most == 0 {
            return;
        }
        let unit = buckets.step().name();
        self.heading(&format!("By {unit}"), &format!("{unit}s without a reported violation are left out"));
        let rows = rows.into_iter().map(|(name, counts, total)| {
            let mut row = vec![Cell::new(fit(&name, 20)), count(total)];
            row.extend(counts.into_iter().map(count));
            row.push(Cell::new(bar(total, most)).fg(Color::Blue));
            row
        });
        let head = match buckets.step() {
            Step::Day => "Day",
            Step::Week => "Week from",
            Step::Month => "Month",
        };
        let header = [head, "Total", "Critical", "High", "Medium", "Low", ""];
        // There are never more than Buckets::MOST of them: all are shown.
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

    pub(super) fn violation(&mut self, violation: &Serious) {
        let severity = self.severity_text(&violation.severity);
        let time = violation.event_time.replace('T', " ").replace('Z', "");
        let account = fit(&violation.account_id, 14);
        self.line(&format!("  {severity}  {}  {}  account {account}", fit(&time, 23), fit(&violation.rule_name, 44)));
        let from = violation.source_ip_address.as_deref().map(|address| format!("from {}", fit(address, DETAIL)));
        self.detail("who", &violation.principal, from);
        let kind = violation.target_type.as_deref().map(|kind| format!("{kind} ")).unwrap_or_default();
        let target = violation.target.as_deref().or(violation.policy_arn.as_deref());
        let target = target.map(|target| format!(" on {kind}{target}")).unwrap_or_default();
        let failed = match (violation.outcome.as_str(), violation.error_code.as_deref()) {
            ("failure", Some(code)) => Some(format!("(failed: {})", fit(code, DETAIL - 10))),
            ("failure", None) => Some("(failed)".to_owned()),
            _ => None,
        };
        self.detail("what", &format!("{}{target}", violation.event_name), failed);
        let may = (violation.certainty == "may").then(|| "(if its conditions are met)".to_owned());
        self.detail("why", &violation.evidence, may);
    }

    /// A named text of at most three lines, then what belongs to it, on the same line where it fits.
    pub(super) fn detail(&mut self, name: &str, text: &str, then: Option<String>) {
        let mut lines = wrap(text, DETAIL, 3);
        if let (Some(then), Some(last)) = (then, lines.last_mut()) {
            if width(last) + 1 + width(&then) <= DETAIL {
                last.push_str(&format!(" {then}"));
            } else {
                lines.push(then);
            }
        }
        for (place, line) in lines.iter().enumerate() {
            let name = if place == 0 { name } else { "" };
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

    fn rules(&mut self, report: &Report) {
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
        let before = report.span.short_name_before();
        let header = ["Severity", "Rule", "Reported", &before, "Attempts", "Suppr.", "Accts", ""];
        self.table(&header, &[0, 1, 7], rows.collect());
    }

    fn accounts(&mut self, report: &Report) {
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
        let before = report.span.short_name_before();
        let header = ["Account", "Reported", &before, "Critical", "High", "Medium", "Low", "Principals"];
        self.table(&header, &[0], rows.collect());
    }

    fn principals(&mut self, report: &Report) {
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
        let before = report.span.short_name_before();
        let header = ["Severity", "Principal", "Reported", &before, "Attempts", "Rules", "Addr."];
        self.table(&header, &[0, 1], rows.collect());
    }

    fn callers(&mut self, report: &Report) {
        if report.by_principal.is_empty() {
            return;
        }
        self.heading("By principal", "the callers with the most reported violations");
        let rows = report.by_principal.iter().take(CALLERS).map(|caller| {
            let mut row = vec![severity(&caller.severity), Cell::new(fit(&caller.principal, 50))];
            row.extend([Cell::new(caller.violations), Cell::new(caller.violations_before)]);
            row.extend([caller.attempts, caller.rules].map(count));
            row
        });
        let before = report.span.short_name_before();
        self.table(&["Severity", "Principal", "Reported", &before, "Attempts", "Rules"], &[0, 1], rows.collect());
    }

    fn attack_patterns(&mut self, report: &Report) {
        if report.attack_patterns.is_empty() {
            return;
        }
        self.heading("Attack patterns", "one principal on one day: 5 changes, 2 addresses or 5 failed calls and more");
        let rows = report.attack_patterns.iter().map(|pattern| {
            let mut row = vec![Cell::new(fit(&pattern.day, 10)), Cell::new(fit(&pattern.principal, 36))];
            let short = pattern.pattern.replace("many changes from several addresses", "changes, addresses");
            row.push(Cell::new(fit(&short, 18)));
            row.extend([pattern.changes, pattern.attempts, pattern.source_addresses].map(count));
            row
        });
        self.table(&["Day", "Principal", "Pattern", "Changes", "Failed", "Addr."], &[0, 1, 2], rows.collect());
    }

    fn suppressions(&mut self, report: &Report) {
        if report.suppressions.is_empty() {
            return;
        }
        let has_file = report.suppressions.iter().any(|suppression| suppression.state.is_some());
        let note = if has_file { "" } else { "; --suppress FILE names unused and expired ones" };
        self.heading("Suppressions", &format!("violations they held back{note}"));
        let rows = report.suppressions.iter().map(|suppression| {
            let name = Cell::new(fit(&suppression.suppressed_by, 44));
            let counts = [suppression.violations, suppression.violations_before, suppression.rules];
            let state = suppression.state.map(|state| state.name()).unwrap_or_default();
            std::iter::once(name).chain(counts.map(Cell::new)).chain([Cell::new(state)]).collect()
        });
        self.table(
            &["Suppression", &report.span.short_name(), &report.span.short_name_before(), "Rules", ""],
            &[0, 4],
            rows.collect(),
        );
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
        if !report.repair_times.is_empty() {
            let times = report.repair_times.iter().map(|time| match time.within.as_str() {
                "longer" => format!("{} longer", time.repairs),
                within => format!("{} within {}", time.repairs, fit(within, 10)),
            });
            self.line(&format!("  Time to repair: {}", times.collect::<Vec<_>>().join(", ")));
        }
    }

    /// Reported violations over the period, one character for each day, week or month.
    fn trend(&mut self, report: &Report) {
        let buckets = Buckets::of_violations(report);
        let rows = buckets.rows();
        let rows = rows.get(rows.len().saturating_sub(SPARKS)..).unwrap_or_default();
        let line = |place: usize| rows.iter().filter_map(move |(_, counts)| counts.get(place).copied()).collect();
        let total = rows.iter().map(|(_, counts)| counts.iter().sum()).collect();
        let lines: [(&str, Vec<i64>); 5] =
            [("all", total), ("CRITICAL", line(0)), ("HIGH", line(1)), ("MEDIUM", line(2)), ("LOW", line(3))];
        self.sparks("Trend", "reported violations", buckets.step(), &lines);
    }

    fn privilege(&mut self, report: &Report) {
        let buckets = Buckets::of_privilege(report);
        let rows = buckets.rows();
        let rows = rows.get(rows.len().saturating_sub(SPARKS)..).unwrap_or_default();
        let net = rows.iter().map(|(_, [granted, taken])| granted - taken).collect();
        let lines = [
            ("granted", rows.iter().map(|(_, [granted, _])| *granted).collect()),
            ("taken back", rows.iter().map(|(_, [_, taken])| *taken).collect()),
            ("net", net),
        ];
        self.sparks("Privilege trend", "changes that granted new access", buckets.step(), &lines);
    }

    fn sparks(&mut self, title: &str, what: &str, step: Step, lines: &[(&str, Vec<i64>)]) {
        let most = lines.iter().flat_map(|(_, values)| values).copied().max().unwrap_or(0);
        if most <= 0 {
            return;
        }
        self.heading(title, &format!("{what}, a character for each {}; the highest is {most}", step.name()));
        for (name, values) in lines.iter().filter(|(_, values)| values.iter().any(|value| *value != 0)) {
            let total: i64 = values.iter().sum();
            self.line(&format!("  {name:<11}{}{total:>9}", spark(values, most)));
        }
    }

    pub(super) fn left_out(&mut self, left_out: &[LeftOut]) {
        if left_out.is_empty() {
            return;
        }
        let note = format!("{} not part of any number above", left_out.len());
        self.heading("Files left out", &note);
        for left_out in left_out {
            for line in wrap(&format!("{}: {}", left_out.file, left_out.reason), WIDTH - 2, 4) {
                self.line(&format!("  {line}"));
            }
        }
    }
}

pub(super) fn severity(severity: &str) -> Cell {
    let cell = Cell::new(fit(severity, 8));
    match severity {
        "CRITICAL" => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        "HIGH" => cell.fg(Color::Red),
        "MEDIUM" => cell.fg(Color::Yellow),
        _ => cell,
    }
}

/// A count that leaves the eye alone when it is zero.
pub(super) fn count(count: i64) -> Cell {
    if count == 0 { Cell::new("·").add_attribute(Attribute::Dim) } else { Cell::new(count) }
}

pub(crate) fn change(now: i64, before: i64) -> String {
    match now - before {
        0 => "·".to_owned(),
        change if before == 0 => format!("{change:+}"),
        change => format!("{change:+} ({:+.0} %)", change as f64 * 100.0 / before as f64),
    }
}

/// One character for each value: a dot for none, else the eighths of the highest.
fn spark(values: &[i64], most: i64) -> String {
    let levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let of = |value: i64| match value {
        ..=0 => '·',
        // At least the lowest, the highest for the highest.
        value => {
            let place = usize::try_from((value.saturating_mul(8) - 1) / most.max(1)).unwrap_or(0).min(7);
            levels.get(place).copied().unwrap_or('█')
        }
    };
    values.iter().map(|value| of(*value)).collect()
}

/// A bar in eighths of a cell, at least one eighth for any count above zero.
fn bar(count: i64, most: i64) -> String {
    let eighths = (count as f64 / most.max(1) as f64 * (BAR * 8) as f64).round().max(1.0) as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat((eighths / 8).min(BAR)))
}

/// Seconds in the two largest units that matter.
pub(crate) fn duration(seconds: f64) -> String {
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
    fn a_change_is_given_in_numbers_and_percent() {
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
    fn a_sparkline_has_a_character_for_each_value_and_shows_the_smallest() {
        assert_eq!(spark(&[0, 1, 50, 100], 100), "·▁▄█");
        assert_eq!(spark(&[0, 1, 2, 3, 4, 5, 6, 7, 8, -1], 8), "·▁▂▃▄▅▆▇█·");
        assert_eq!(spark(&[1, i64::MAX], i64::MAX).chars().count(), 2);
    }

    #[test]
    fn a_duration_is_given_in_two_units() {
        assert_eq!(duration(2.25), "2.2 s");
        assert_eq!(duration(61.0), "1 min 1 s");
        assert_eq!(duration(7_260.0), "2 h 1 min");
        assert_eq!(duration(90_000.0), "1 d 1 h");
    }
}
