//! The period of a report: a month, or the days from one to another. Days are in UTC.

use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate};

use crate::month::Month;

/// Most days in a period: ten years. A longer one is no report but a query.
pub const MAX_DAYS: u64 = 3_660;

/// A month, or a number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: NaiveDate,
    to: NaiveDate,
    month: Option<Month>,
}

/// A period that cannot be reported on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASpan {
    /// It ends before it begins.
    #[error("the period ends on {to}, before it begins on {from}: swap --from and --to")]
    Backwards {
        /// First day as given.
        from: NaiveDate,
        /// Last day as given.
        to: NaiveDate,
    },
    /// Longer than [`MAX_DAYS`], or outside the years that partition folders can name.
    #[error("a period has at most {MAX_DAYS} days of the years 0001 to 9999: ask `analytics sql` for more")]
    OutOfRange,
    /// No day.
    #[error("`{0}` is not a day: write YYYY-MM-DD, such as 2024-01-05")]
    NoDay(String),
    /// No length of time.
    #[error("`{0}` is not a length of time: write a number of days or weeks, such as 90d or 12w")]
    NoLength(String),
}

/// A length of time in days, from 1 to [`MAX_DAYS`]: `90d` or `12w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length(u64);

impl FromStr for Length {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let of = |unit: char, days: u64| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(days);
        let days = of('d', 1).or_else(|| of('w', 7)).ok_or_else(|| NotASpan::NoLength(text.to_owned()))?;
        if (1..=MAX_DAYS).contains(&days) { Ok(Length(days)) } else { Err(NotASpan::OutOfRange) }
    }
}

/// Reads a day as `2024-01-05`, nothing shorter or longer.
pub(crate) fn day(text: &str) -> Result<NaiveDate, NotASpan> {
    let date = (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten();
    date.filter(|date| date.year() >= 1).ok_or_else(|| NotASpan::NoDay(text.to_owned()))
}

impl From<Month> for Span {
    fn from(month: Month) -> Self {
        Span { from: month.first(), to: month.last(), month: Some(month) }
    }
}

impl Span {
    /// The days from one to another, both included.
    pub fn days(from: NaiveDate, to: NaiveDate) -> Result<Span, NotASpan> {
        if to < from {
            return Err(NotASpan::Backwards { from, to });
        }
        let span = Span { from, to, month: None };
        let fits = span.length() <= MAX_DAYS && from.year() >= 1 && to.year() <= 9999;
        if fits { Ok(span) } else { Err(NotASpan::OutOfRange) }
    }

    /// The days up to a day, which is the last of them.
    pub fn last(length: Length, today: NaiveDate) -> Result<Span, NotASpan> {
        let from = today.checked_sub_days(Days::new(length.0 - 1)).ok_or(NotASpan::OutOfRange)?;
        Span::days(from, today)
    }

    /// What this period is compared with: the month before a month, else as many days directly before.
    pub fn before(self) -> Span {
        if let Some(month) = self.month {
            return month.before().into();
        }
        let shifted = |day: NaiveDate| day.checked_sub_days(Days::new(self.length())).filter(|day| day.year() >= 1);
        match (shifted(self.from), shifted(self.to)) {
            (Some(from), Some(to)) => Span { from, to, month: None },
            // There is no folder name before the year 1.
            _ => self,
        }
    }

    /// First day.
    pub fn first_day(self) -> NaiveDate {
        self.from
    }

    /// Last day.
    pub fn last_day(self) -> NaiveDate {
        self.to
    }

    /// Number of days.
    pub fn length(self) -> u64 {
        u64::try_from((self.to - self.from).num_days()).unwrap_or(0) + 1
    }

    /// `2024-01`, or `2024-01-05/2024-02-03` as ISO 8601 writes an interval.
    pub fn label(self) -> String {
        self.month.map_or_else(|| format!("{}/{}", self.from, self.to), |month| month.to_string())
    }

    /// `January 2024`, or `2024-01-05 to 2024-02-03`.
    pub fn name(self) -> String {
        self.month.map_or_else(|| format!("{} to {}", self.from, self.to), Month::name)
    }

    /// At most eight cells, for the head of a column: `Jan 2024`, or `Period`.
    pub fn short_name(self) -> String {
        self.month.map_or_else(|| "Period".to_owned(), Month::short_name)
    }

    /// The same for the period before: `Dec 2023`, or `Before`.
    pub fn short_name_before(self) -> String {
        self.month.map_or_else(|| "Before".to_owned(), |month| month.before().short_name())
    }

    /// The condition on the partition columns that holds for these days and no others. Digits only, so nothing can be
    /// injected. Days of one year start with `year =`, by which a table is listed no further than that year.
    pub(crate) fn condition(self) -> String {
        let one_year = self.from.year() == self.to.year();
        let mut terms = Vec::new();
        let mut day = self.from;
        while day <= self.to {
            let (term, last) = part(day, self.to, one_year);
            terms.extend(term);
            let Some(next) = last.succ_opt() else { break };
            day = next;
        }
        let year = one_year.then(|| format!("year = '{:04}'", self.from.year()));
        let parts = match terms.as_slice() {
            [] => None,
            [term] => Some(term.clone()),
            terms => Some(format!("({})", terms.join(" OR "))),
        };
        year.into_iter().chain(parts).collect::<Vec<_>>().join(" AND ")
    }
}

/// The condition on the longest run of days from `day` that is a year, a month or a part of one, and its last day.
fn part(day: NaiveDate, to: NaiveDate, one_year: bool) -> (Option<String>, NaiveDate) {
    let year = format!("year = '{:04}'", day.year());
    let month = Month::of(day);
    let last_of_year = NaiveDate::from_ymd_opt(day.year(), 12, 31).unwrap_or(to);
    if day.ordinal() == 1 && last_of_year <= to {
        return ((!one_year).then_some(year), last_of_year);
    }
    let last = month.last().min(to);
    let days = match (day == month.first() && last == month.last(), day == last) {
        (true, _) => String::new(),
        (_, true) => format!(" AND day = '{:02}'", day.day()),
        _ => format!(" AND day BETWEEN '{:02}' AND '{:02}'", day.day(), last.day()),
    };
    let in_month = format!("month = '{}'{days}", month.month());
    let term = if one_year { in_month } else { format!("{year} AND {in_month}") };
    // AND binds closer than OR, so a term needs no brackets.
    (Some(term), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> Span {
        Span::days(day(from).unwrap(), day(to).unwrap()).unwrap()
    }

    #[test]
    fn the_condition_names_whole_years_and_months_and_parts_of_them() {
        let month: Month = "2024-02".parse().unwrap();
        assert_eq!(Span::from(month).condition(), "year = '2024' AND month = '02'");
        for (from, to, expected) in [
            ("2024-01-01", "2024-12-31", "year = '2024'"),
            ("2024-01-05", "2024-01-05", "year = '2024' AND month = '01' AND day = '05'"),
            ("2024-01-05", "2024-01-31", "year = '2024' AND month = '01' AND day BETWEEN '05' AND '31'"),
            ("2024-01-31", "2024-02-29", "year = '2024' AND (month = '01' AND day = '31' OR month = '02')"),
            (
                "2023-12-31",
                "2025-01-01",
                "(year = '2023' AND month = '12' AND day = '31' OR year = '2024' OR year = '2025' AND month = '01' AND day = '01')",
            ),
        ] {
            assert_eq!(span(from, to).condition(), expected);
        }
    }

    #[test]
    fn a_period_is_compared_with_as_many_days_directly_before_and_a_month_with_a_month() {
        assert_eq!(span("2024-03-01", "2024-03-10").before(), span("2024-02-20", "2024-02-29"));
        let march: Month = "2024-03".parse().unwrap();
        assert_eq!(Span::from(march).before().label(), "2024-02");
        let first = span("0001-01-01", "0001-01-02");
        assert_eq!(first.before(), first);
    }

    #[test]
    fn the_last_days_end_today() {
        let today = day("2024-03-01").unwrap();
        assert_eq!(Span::last("1d".parse().unwrap(), today).unwrap(), span("2024-03-01", "2024-03-01"));
        assert_eq!(Span::last("2w".parse().unwrap(), today).unwrap().label(), "2024-02-17/2024-03-01");
    }

    #[test]
    fn a_period_has_at_least_one_day_and_at_most_ten_years() {
        let (from, to) = (day("2024-01-02").unwrap(), day("2024-01-01").unwrap());
        assert_eq!(Span::days(from, to), Err(NotASpan::Backwards { from, to }));
        let most = from + Days::new(MAX_DAYS - 1);
        assert_eq!(Span::days(from, most).unwrap().length(), MAX_DAYS);
        assert_eq!(Span::days(from, most + Days::new(1)), Err(NotASpan::OutOfRange));
        assert!("3660d".parse::<Length>().is_ok());
        for text in ["0d", "3661d", "523w", "", "d", "90", "-1d", "90 d", "99999999999999999999d"] {
            assert!(text.parse::<Length>().is_err(), "{text}");
        }
        for text in ["2024-1-5", "2024-02-30", "0000-01-01", "20240105", "2024-01-05T00:00"] {
            assert_eq!(day(text), Err(NotASpan::NoDay(text.to_owned())));
        }
    }
}
