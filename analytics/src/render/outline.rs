//! The tables of the report, the same for HTML and Markdown.

use crate::plain::plain;
use crate::report::{
    Account, AttackPattern, Caller, Novelty, Principal, Privilege, Remediation, Report, Rule, Suppression,
};

use super::buckets::Buckets;
use super::text::{change, duration};

/// One table. Texts are plain already; what they mean in HTML or Markdown is for the renderer to take away.
pub(crate) struct Outline {
    /// Its anchor.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) note: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// The head of a column.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) number: bool,
}

/// One value.
pub(crate) struct Cell {
    /// As it is read.
    pub(crate) text: String,
    /// As it is sorted: a number, or empty when the text itself is.
    pub(crate) sort: String,
    /// Its class in HTML; empty for most.
    pub(crate) class: &'static str,
}

/// The class of a severity.
pub(crate) fn severity_class(severity: &str) -> &'static str {
    match severity {
        "CRITICAL" => "critical",
        "HIGH" => "high",
        "MEDIUM" => "medium",
        "LOW" => "low",
        _ => "",
    }
}

/// The tables that have rows, in the order of the report.
pub(crate) fn outlines(report: &Report) -> Vec<Outline> {
    let tables = [
        rules(report),
        accounts(report),
        callers(report),
        principals(report),
        attack_patterns(report),
        suppressions(report),
        repairs(report),
        days(report),
        privilege(report),
    ];
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// The summary: what is counted, the period, the period before, and the change.
pub(crate) fn summary(report: &Report) -> Outline {
    let (now, before) = (&report.summary, &report.summary_before);
    let lines = [
        ("Violations", now.violations, before.violations),
        ("Reported", now.reported, before.reported),
        ("Reported, critical", now.critical, before.critical),
        ("Reported, high", now.high, before.high),
        ("Reported, medium", now.medium, before.medium),
        ("Reported, low", now.low, before.low),
        ("Attempts (the call failed)", now.attempts, before.attempts),
        ("Changes that granted new access", now.new_access, before.new_access),
        ("Suppressed", now.suppressed, before.suppressed),
        ("Rules that matched", now.rules, before.rules),
        ("Accounts concerned", now.accounts, before.accounts),
        ("Principals concerned", now.principals, before.principals),
    ];
    let row = |(name, now, before): (&str, i64, i64)| {
        let difference = Cell { sort: (now - before).to_string(), ..text(&change(now, before)) };
        vec![text(name), number(now), number(before), difference]
    };
    Outline {
        id: "summary",
        title: "Summary".to_owned(),
        note: String::new(),
        columns: columns(report, &["", "now", "before", "Change"], 1),
        rows: lines.into_iter().map(row).collect(),
    }
}

fn rules(report: &Report) -> Outline {
    let row = |rule: &Rule| {
        let mark = match rule.novelty {
            Some(Novelty::New) => "new",
            Some(Novelty::Vanished) => "vanished",
            None => "",
        };
        let mut row = vec![severity(&rule.severity), text(&rule.rule_name)];
        row.extend(
            [rule.violations, rule.violations_before, rule.attempts, rule.suppressed, rule.accounts].map(number),
        );
        row.push(Cell { class: "mark", ..text(mark) });
        row
    };
    Outline {
        id: "rules",
        title: "By rule".to_owned(),
        note: "new and vanished are against the period before".to_owned(),
        columns: columns(
            report,
            &["Severity", "Rule", "Reported", "before", "Attempts", "Suppressed", "Accounts", ""],
            2,
        ),
        rows: report.by_rule.iter().map(row).collect(),
    }
}

fn accounts(report: &Report) -> Outline {
    let row = |account: &Account| {
        let mut row = vec![text(&account.account_id)];
        let counts = [account.violations, account.violations_before, account.critical, account.high];
        row.extend(counts.into_iter().chain([account.medium, account.low, account.principals]).map(number));
        row
    };
    Outline {
        id: "accounts",
        title: "By account".to_owned(),
        note: String::new(),
        columns: columns(
            report,
            &["Account", "Reported", "before", "Critical", "High", "Medium", "Low", "Principals"],
            1,
        ),
        rows: report.by_account.iter().map(row).collect(),
    }
}

fn principals(report: &Report) -> Outline {
    let row = |principal: &Principal| {
        let mut row = vec![severity(&principal.severity), text(&principal.principal)];
        let counts = [principal.violations, principal.violations_before, principal.attempts];
        row.extend(counts.into_iter().chain([principal.rules, principal.source_addresses]).map(number));
        row
    };
    Outline {
        id: "principals",
        title: "High-risk principals".to_owned(),
        note: "more than 3 reported violations or more than 2 rules".to_owned(),
        columns: columns(report, &["Severity", "Principal", "Reported", "before", "Attempts", "Rules", "Addresses"], 2),
        rows: report.high_risk_principals.iter().map(row).collect(),
    }
}

fn callers(report: &Report) -> Outline {
    let row = |caller: &Caller| {
        let mut row = vec![severity(&caller.severity), text(&caller.principal)];
        row.extend([caller.violations, caller.violations_before, caller.attempts, caller.rules].map(number));
        row
    };
    Outline {
        id: "callers",
        title: "By principal".to_owned(),
        note: "the callers with the most reported violations".to_owned(),
        columns: columns(report, &["Severity", "Principal", "Reported", "before", "Attempts", "Rules"], 2),
        rows: report.by_principal.iter().map(row).collect(),
    }
}

fn attack_patterns(report: &Report) -> Outline {
    let row = |pattern: &AttackPattern| {
        let mut row = vec![text(&pattern.day), text(&pattern.principal), text(&pattern.pattern)];
        let counts = [pattern.changes, pattern.attempts, pattern.violations, pattern.accounts];
        row.extend(counts.into_iter().chain([pattern.source_addresses]).map(number));
        row
    };
    let names = ["Day", "Principal", "Pattern", "Changes", "Failed calls", "Violations", "Accounts", "Addresses"];
    Outline {
        id: "patterns",
        title: "Attack patterns".to_owned(),
        note: "one principal on one day: 5 changes or more, 2 source addresses or more, or 5 failed calls or more"
            .to_owned(),
        columns: columns(report, &names, 3),
        rows: report.attack_patterns.iter().map(row).collect(),
    }
}

fn privilege(report: &Report) -> Outline {
    let row = |day: &Privilege| {
        vec![text(&day.day), number(day.granted), number(day.taken_back), number(day.granted - day.taken_back)]
    };
    Outline {
        id: "privilege",
        title: "Privilege trend".to_owned(),
        note: "changes that granted new access, and those of them that a repair took back".to_owned(),
        columns: columns(report, &["Day", "Granted", "Taken back", "Net"], 1),
        rows: report.privilege.iter().map(row).collect(),
    }
}

fn suppressions(report: &Report) -> Outline {
    let row = |suppression: &Suppression| {
        let counts = [suppression.violations, suppression.violations_before, suppression.rules];
        let mut row: Vec<Cell> = std::iter::once(text(&suppression.suppressed_by)).chain(counts.map(number)).collect();
        row.push(text(suppression.state.map(|state| state.name()).unwrap_or_default()));
        row.push(text(suppression.expires.as_deref().unwrap_or_default()));
        row
    };
    Outline {
        id: "suppressions",
        title: "Suppressions".to_owned(),
        note: "violations they held back".to_owned(),
        columns: columns(report, &["Suppression", "now", "before", "Rules", "", ""], 1),
        rows: report.suppressions.iter().map(row).collect(),
    }
}

fn repairs(report: &Report) -> Outline {
    let row = |action: &Remediation| {
        let rate = Cell { sort: action.success_rate.to_string(), ..text(&format!("{:.1} %", action.success_rate)) };
        let mut row = vec![text(&action.remediation_action), number(action.total_attempts), rate];
        let counts = [action.repaired, action.dry_runs, action.undone, action.skipped, action.failed];
        row.extend(counts.map(number));
        let mean = action.mean_seconds_to_repair;
        let sort = mean.unwrap_or(-1.0).to_string();
        row.push(Cell { sort, ..text(&mean.map(duration).unwrap_or_default()) });
        row
    };
    let names = ["Action", "Attempts", "Success", "Repaired", "Dry run", "Undone", "Skipped", "Failed", "Mean time"];
    Outline {
        id: "repairs",
        title: "Repairs".to_owned(),
        note: "success counts repairs, dry runs and undone repairs; the mean time runs from the event to the repair"
            .to_owned(),
        columns: columns(report, &names, 1),
        rows: report.remediation.iter().map(row).collect(),
    }
}

fn days(report: &Report) -> Outline {
    let buckets = Buckets::of_violations(report);
    let unit = buckets.step().name();
    let some = buckets.rows().iter().filter(|(_, counts)| counts.iter().any(|count| *count > 0));
    let row = |(first, counts): &(String, [i64; 4])| {
        let name = Cell { sort: plain(first).into_owned(), ..text(&buckets.name(first)) };
        std::iter::once(name).chain(counts.iter().chain([&counts.iter().sum()]).copied().map(number)).collect()
    };
    Outline {
        id: "days",
        title: format!("By {unit}"),
        note: format!("{unit}s without a reported violation are left out"),
        columns: columns(report, &[unit, "Critical", "High", "Medium", "Low", "Total"], 1),
        rows: some.map(row).collect(),
    }
}

/// Heads of columns: `now` and `before` become the names of the periods, the first `left` columns hold text.
fn columns(report: &Report, names: &[&str], left: usize) -> Vec<Column> {
    let name = |name: &str| match name {
        "now" => report.span.short_name(),
        "before" => report.span.short_name_before(),
        name => name.to_owned(),
    };
    let column = |(place, text): (usize, &&str)| Column { name: name(text), number: place >= left && !text.is_empty() };
    names.iter().enumerate().map(column).collect()
}

/// A text from outside.
pub(crate) fn text(text: &str) -> Cell {
    Cell { text: plain(text).into_owned(), sort: String::new(), class: "" }
}

fn number(number: i64) -> Cell {
    Cell { text: number.to_string(), sort: number.to_string(), class: if number == 0 { "zero" } else { "" } }
}

fn severity(severity: &str) -> Cell {
    let rank = match severity {
        "CRITICAL" => "4",
        "HIGH" => "3",
        "MEDIUM" => "2",
        _ => "1",
    };
    Cell { sort: rank.to_owned(), class: severity_class(severity), ..text(severity) }
}
