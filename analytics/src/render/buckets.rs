//! The days of a report, put together to weeks or months when there are too many of them to look at.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};

use crate::month::Month;
use crate::report::Report;
use crate::span::Span;

/// Days shown one by one; more become weeks.
const MOST_DAYS: u64 = 62;
/// Days shown as weeks; more become months.
const MOST_DAYS_OF_WEEKS: u64 = 370;

/// What one bucket covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A day.
    Day,
    /// A week from Monday; the first and the last may be cut by the period.
    Week,
    /// A month.
    Month,
}

impl Step {
    /// The step for which a period has few enough buckets: at most 62 days, 54 weeks or 122 months.
    fn of(span: Span) -> Step {
        match span.length() {
            ..=MOST_DAYS => Step::Day,
            length if length <= MOST_DAYS_OF_WEEKS => Step::Week,
            _ => Step::Month,
        }
    }

    /// `day`, `week` or `month`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Day => "day",
            Step::Week => "week",
            Step::Month => "month",
        }
    }

    /// The first day of the bucket of a day.
    fn first(self, day: NaiveDate) -> NaiveDate {
        match self {
            Step::Day => day,
            Step::Week => {
                let since_monday = u64::from(day.weekday().num_days_from_monday());
                day.checked_sub_days(Days::new(since_monday)).unwrap_or(day)
            }
            Step::Month => Month::of(day).first(),
        }
    }
}

/// Counts of one period by day, week or month, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buckets<const N: usize> {
    step: Step,
    rows: Vec<(String, [i64; N])>,
}

impl Buckets<4> {
    /// Reported violations: critical, high, medium, low.
    pub(crate) fn of_violations(report: &Report) -> Buckets<4> {
        let days = report.by_day.iter().map(|day| (day.day.as_str(), [day.critical, day.high, day.medium, day.low]));
        Buckets::new(report.span, days)
    }
}

impl Buckets<2> {
    /// Changes that granted new access, and those of them taken back.
    pub(crate) fn of_privilege(report: &Report) -> Buckets<2> {
        Buckets::new(report.span, report.privilege.iter().map(|day| (day.day.as_str(), [day.granted, day.taken_back])))
    }
}

impl<const N: usize> Buckets<N> {
    fn new<'a>(span: Span, days: impl Iterator<Item = (&'a str, [i64; N])>) -> Buckets<N> {
        let step = Step::of(span);
        let mut rows: BTreeMap<String, [i64; N]> = BTreeMap::new();
        for day in span.first_day().iter_days().take_while(|day| *day <= span.last_day()) {
            rows.entry(step.first(day).to_string()).or_insert([0; N]);
        }
        for (day, counts) in days {
            // A folder may have the name of no day, such as 2024-01-99: its rows are shown under that name.
            let first = day.parse::<NaiveDate>().map_or_else(|_| day.to_owned(), |day| step.first(day).to_string());
            for (sum, count) in rows.entry(first).or_insert([0; N]).iter_mut().zip(counts) {
                *sum += count;
            }
        }
        Buckets { step, rows: rows.into_iter().collect() }
    }

    /// What one bucket covers.
    pub(crate) fn step(&self) -> Step {
        self.step
    }

    /// First day and counts of each bucket, in order.
    pub(crate) fn rows(&self) -> &[(String, [i64; N])] {
        &self.rows
    }

    /// A bucket as people read it: `Fri 2024-01-05`, the first day of a week, or `2024-01`.
    pub(crate) fn name(&self, first: &str) -> String {
        match (self.step, first.parse::<NaiveDate>()) {
            (Step::Day, Ok(day)) => format!("{} {day}", day.weekday()),
            (Step::Month, Ok(day)) => Month::of(day).to_string(),
            _ => first.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::day;

    fn buckets(from: &str, to: &str, days: &[(&str, [i64; 1])]) -> Buckets<1> {
        Buckets::new(Span::days(day(from).unwrap(), day(to).unwrap()).unwrap(), days.iter().copied())
    }

    #[test]
    fn a_period_has_days_or_weeks_or_months_and_no_gaps() {
        let days = buckets("2024-01-01", "2024-03-02", &[("2024-01-05", [3])]);
        assert_eq!((days.step(), days.rows().len()), (Step::Day, 62));
        assert_eq!(days.rows()[4], ("2024-01-05".to_owned(), [3]));
        assert_eq!(days.name("2024-01-05"), "Fri 2024-01-05");
        let weeks =
            buckets("2024-01-01", "2024-03-03", &[("2024-01-05", [3]), ("2024-01-07", [1]), ("2024-01-08", [1])]);
        assert_eq!((weeks.step(), weeks.rows().len()), (Step::Week, 9));
        assert_eq!(weeks.rows()[..2], [("2024-01-01".to_owned(), [4]), ("2024-01-08".to_owned(), [1])]);
        let months = buckets("2023-01-01", "2024-01-31", &[("2023-12-31", [2])]);
        assert_eq!(
            (months.step(), months.rows().len(), months.name("2023-12-01")),
            (Step::Month, 13, "2023-12".to_owned())
        );
    }

    #[test]
    fn a_folder_that_names_no_day_is_shown_by_its_name() {
        let days = buckets("2024-01-01", "2024-01-02", &[("2024-01-99", [1])]);
        assert_eq!(days.rows()[2], ("2024-01-99".to_owned(), [1]));
        assert_eq!(days.name("2024-01-99"), "2024-01-99");
    }
}
