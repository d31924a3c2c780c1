//! A calendar month, the usual period of a report.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};

/// A month of a year that the partition folders can name (0001 to 9999).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    first: NaiveDate,
}

/// The text is not a month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a month: write year and month as YYYY-MM with a month from 01 to 12, such as 2024-01")]
pub struct NotAMonth(String);

impl FromStr for Month {
    type Err = NotAMonth;

    /// Reads `2024-01`; nothing shorter or longer.
    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let shape = text.len() == 7
            && text.chars().enumerate().all(|(i, c)| if i == 4 { c == '-' } else { c.is_ascii_digit() });
        let first = shape.then(|| NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()).flatten();
        match first {
            Some(first) if first.year() >= 1 => Ok(Month { first }),
            _ => Err(NotAMonth(text.to_owned())),
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.year(), self.month())
    }
}

impl Month {
    /// The `year` partition value: four digits.
    pub fn year(self) -> String {
        format!("{:04}", self.first.year())
    }

    /// The `month` partition value: two digits.
    pub fn month(self) -> String {
        format!("{:02}", self.first.month())
    }

    /// `January 2024`.
    pub fn name(self) -> String {
        self.first.format("%B %Y").to_string()
    }

    /// `Jan 2024`.
    pub fn short_name(self) -> String {
        self.first.format("%b %Y").to_string()
    }

    /// The month of a day.
    pub(crate) fn of(day: NaiveDate) -> Month {
        Month { first: day.with_day(1).unwrap_or(day) }
    }

    /// Its partitions.
    pub(crate) fn partitions(self) -> lake::Within {
        lake::Within::Month { year: self.first.year(), month: self.first.month() }
    }

    /// Its first day.
    pub(crate) fn first(self) -> NaiveDate {
        self.first
    }

    /// Its last day.
    pub(crate) fn last(self) -> NaiveDate {
        let next = self.first.checked_add_months(Months::new(1));
        next.and_then(|next| next.pred_opt()).unwrap_or(self.first)
    }

    /// The month before. The first month of year 1 has itself as the month before: there is no earlier folder name.
    pub fn before(self) -> Month {
        match self.first.checked_sub_months(Months::new(1)) {
            Some(first) if first.year() >= 1 => Month { first },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_year_and_a_month_of_the_calendar_are_a_month() {
        for text in
            ["2024-13", "2024-00", "2024-1", "2024", "24-01", "2024-01-05", "2024/01", "0000-01", "２０２４-01", ""]
        {
            assert_eq!(Month::from_str(text), Err(NotAMonth(text.to_owned())), "{text}");
        }
        assert_eq!(Month::from_str("2024-01").unwrap().to_string(), "2024-01");
    }

    #[test]
    fn the_month_before_january_is_december_of_the_year_before() {
        let january: Month = "2024-01".parse().unwrap();
        assert_eq!(january.before().to_string(), "2023-12");
        assert_eq!(january.before().name(), "December 2023");
        let first: Month = "0001-01".parse().unwrap();
        assert_eq!(first.before(), first);
    }

    #[test]
    fn the_last_day_of_a_month_knows_leap_years() {
        for (month, last) in [("2024-02", "2024-02-29"), ("2023-02", "2023-02-28"), ("2023-12", "2023-12-31")] {
            assert_eq!(month.parse::<Month>().unwrap().last().to_string(), last);
        }
    }
}
