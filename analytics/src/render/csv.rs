//! CSV (RFC 4180, lines end with CRLF) that a spreadsheet opens without running anything.

use std::borrow::Cow;

use crate::plain::plain;
use crate::report::{Report, Totals};

/// One value of a record.
pub(crate) enum Cell<'a> {
    /// Text from outside: control characters are escaped, and a start that a spreadsheet takes for a formula is
    /// disarmed with an apostrophe.
    Text(&'a str),
    /// A number, date or boolean of ours, written as it is.
    Plain(String),
    /// No value: an empty field.
    Null,
}

/// Appends one record.
pub(crate) fn record<'a>(out: &mut String, cells: impl IntoIterator<Item = Cell<'a>>) {
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        match cell {
            Cell::Text(text) => field(out, &disarmed(text)),
            Cell::Plain(text) => field(out, &text),
            Cell::Null => {}
        }
    }
    out.push_str("\r\n");
}

fn disarmed(text: &str) -> Cow<'_, str> {
    let text = plain(text);
    // Spreadsheets look past blanks at the start.
    if text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        text
    }
}

fn field(out: &mut String, text: &str) {
    if text.is_empty() || text.contains([',', '"', ';']) {
        // An empty text is quoted, so that it differs from no value.
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}

/// The report as one tidy table: a number for each section, key, severity, measure and month.
pub(crate) fn csv(report: &Report) -> String {
    let mut tidy = Tidy { out: String::new(), now: &report.month, before: &report.month_before };
    record(&mut tidy.out, ["section", "key", "severity", "measure", "month", "value"].map(Cell::Text));
    for (month, totals) in [(tidy.now, &report.summary), (tidy.before, &report.summary_before)] {
        tidy.totals(month, totals);
    }
    tidy.days(report);
    tidy.rules(report);
    tidy.accounts(report);
    tidy.principals(report);
    tidy.callers(report);
    tidy.suppressions(report);
    tidy.remediation(report);
    tidy.privilege(report);
    tidy.out
}

struct Tidy<'a> {
    out: String,
    now: &'a str,
    before: &'a str,
}

impl<'a> Tidy<'a> {
    fn value(&mut self, [section, key, severity, measure, month]: [&str; 5], value: impl ToString) {
        let severity = if severity.is_empty() { Cell::Null } else { Cell::Text(severity) };
        let key = if key.is_empty() { Cell::Null } else { Cell::Text(key) };
        let cells = [
            Cell::Text(section),
            key,
            severity,
            Cell::Text(measure),
            Cell::Text(month),
            Cell::Plain(value.to_string()),
        ];
        record(&mut self.out, cells);
    }

    fn totals(&mut self, month: &'a str, totals: &Totals) {
        let measures = [
            ("", "violations", totals.violations),
            ("", "reported", totals.reported),
            ("", "suppressed", totals.suppressed),
            ("", "attempts", totals.attempts),
            ("", "new_access", totals.new_access),
            ("CRITICAL", "reported", totals.critical),
            ("HIGH", "reported", totals.high),
            ("MEDIUM", "reported", totals.medium),
            ("LOW", "reported", totals.low),
            ("", "rules", totals.rules),
            ("", "accounts", totals.accounts),
            ("", "principals", totals.principals),
        ];
        for (severity, measure, value) in measures {
            self.value(["summary", "", severity, measure, month], value);
        }
    }

    fn days(&mut self, report: &Report) {
        for day in &report.by_day {
            let date = day.day.as_str();
            let counts = [("CRITICAL", day.critical), ("HIGH", day.high), ("MEDIUM", day.medium), ("LOW", day.low)];
            for (severity, value) in counts {
                self.value(["by_day", date, severity, "violations", self.now], value);
            }
        }
    }

    fn rules(&mut self, report: &Report) {
        for rule in &report.by_rule {
            let key = [rule.rule_name.as_str(), rule.severity.as_str()];
            self.value(["by_rule", key[0], key[1], "violations", self.now], rule.violations);
            self.value(["by_rule", key[0], key[1], "violations", self.before], rule.violations_before);
            self.value(["by_rule", key[0], key[1], "attempts", self.now], rule.attempts);
            self.value(["by_rule", key[0], key[1], "suppressed", self.now], rule.suppressed);
            self.value(["by_rule", key[0], key[1], "suppressed", self.before], rule.suppressed_before);
            self.value(["by_rule", key[0], key[1], "accounts", self.now], rule.accounts);
        }
    }

    fn accounts(&mut self, report: &Report) {
        for account in &report.by_account {
            let key = account.account_id.as_str();
            let counts = [
                ("CRITICAL", account.critical),
                ("HIGH", account.high),
                ("MEDIUM", account.medium),
                ("LOW", account.low),
            ];
            for (severity, value) in counts {
                self.value(["by_account", key, severity, "violations", self.now], value);
            }
            self.value(["by_account", key, "", "violations", self.now], account.violations);
            self.value(["by_account", key, "", "violations", self.before], account.violations_before);
            self.value(["by_account", key, "", "principals", self.now], account.principals);
        }
    }

    fn principals(&mut self, report: &Report) {
        for principal in &report.high_risk_principals {
            let [key, severity] = [principal.principal.as_str(), principal.severity.as_str()];
            let section = "high_risk_principals";
            self.value([section, key, severity, "violations", self.now], principal.violations);
            self.value([section, key, severity, "violations", self.before], principal.violations_before);
            self.value([section, key, severity, "attempts", self.now], principal.attempts);
            self.value([section, key, severity, "rules", self.now], principal.rules);
            self.value([section, key, severity, "source_addresses", self.now], principal.source_addresses);
        }
    }

    fn callers(&mut self, report: &Report) {
        for caller in &report.by_principal {
            let key = ["by_principal", caller.principal.as_str(), caller.severity.as_str()];
            self.value([key[0], key[1], key[2], "violations", self.now], caller.violations);
            self.value([key[0], key[1], key[2], "violations", self.before], caller.violations_before);
            self.value([key[0], key[1], key[2], "attempts", self.now], caller.attempts);
            self.value([key[0], key[1], key[2], "rules", self.now], caller.rules);
        }
        for pattern in &report.attack_patterns {
            // The day stands where other numbers have their month.
            let (key, day) = (pattern.principal.as_str(), pattern.day.as_str());
            self.value(["attack_patterns", key, "", "changes", day], pattern.changes);
            self.value(["attack_patterns", key, "", "attempts", day], pattern.attempts);
            self.value(["attack_patterns", key, "", "source_addresses", day], pattern.source_addresses);
        }
    }

    fn suppressions(&mut self, report: &Report) {
        for suppression in &report.suppressions {
            let key = suppression.suppressed_by.as_str();
            self.value(["suppressions", key, "", "violations", self.now], suppression.violations);
            self.value(["suppressions", key, "", "violations", self.before], suppression.violations_before);
            self.value(["suppressions", key, "", "rules", self.now], suppression.rules);
        }
    }

    fn remediation(&mut self, report: &Report) {
        for action in &report.remediation {
            let key = action.remediation_action.as_str();
            self.value(["remediation", key, "", "total_attempts", self.now], action.total_attempts);
            self.value(["remediation", key, "", "total_attempts", self.before], action.total_attempts_before);
            let counts = [
                ("successful", action.successful),
                ("repaired", action.repaired),
                ("dry_runs", action.dry_runs),
                ("undone", action.undone),
                ("skipped", action.skipped),
                ("failed", action.failed),
            ];
            for (measure, value) in counts {
                self.value(["remediation", key, "", measure, self.now], value);
            }
            self.value(["remediation", key, "", "success_rate", self.now], action.success_rate);
            if let Some(seconds) = action.mean_seconds_to_repair {
                self.value(["remediation", key, "", "mean_seconds_to_repair", self.now], seconds);
            }
        }
    }

    fn privilege(&mut self, report: &Report) {
        for time in &report.repair_times {
            self.value(["repair_times", &time.within, "", "repairs", self.now], time.repairs);
        }
        for day in &report.privilege {
            self.value(["privilege", &day.day, "", "granted", self.now], day.granted);
            self.value(["privilege", &day.day, "", "taken_back", self.now], day.taken_back);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let mut out = String::new();
        record(&mut out, [Cell::Text(text)]);
        out.trim_end().to_owned()
    }

    #[test]
    fn a_text_that_a_spreadsheet_would_run_starts_with_an_apostrophe() {
        assert_eq!(line("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        for text in ["+1", "-1", "@SUM", " =1", "＝1"] {
            assert!(line(text).starts_with('\''), "{text}");
        }
        assert_eq!(line("\t=1"), "\\t=1");
        assert_eq!(line("arn:aws:iam::1:user/a+b"), "arn:aws:iam::1:user/a+b");
    }

    #[test]
    fn a_line_feed_in_a_name_does_not_start_a_record() {
        assert_eq!(line("a\r\nb,c"), "\"a\\r\\nb,c\"");
    }

    #[test]
    fn an_empty_text_differs_from_no_value() {
        let mut out = String::new();
        record(&mut out, [Cell::Text(""), Cell::Null, Cell::Plain("-5".to_owned())]);
        assert_eq!(out, "\"\",,-5\r\n");
    }
}
