//! Four answers instead of two: what is not visible is neither true nor false.

/// Whether a condition holds for an event, weakest first. `all` is the minimum of its parts, `any` the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It does not hold.
    No,
    /// It cannot be told: a document is needed that is not visible. Never counted as a match nor as clean.
    Unknown,
    /// It holds if the conditions of a policy statement are met.
    May,
    /// It holds whatever the conditions.
    Must,
}

impl Truth {
    /// The plain answer.
    pub fn of(holds: bool) -> Truth {
        if holds { Truth::Must } else { Truth::No }
    }

    /// From the two bounds of a question about a policy; `must` implies `may`.
    pub fn from_bounds(may: bool, must: bool) -> Truth {
        match (may, must) {
            (_, true) => Truth::Must,
            (true, false) => Truth::May,
            (false, false) => Truth::No,
        }
    }

    /// Whether the rule matches.
    pub fn holds(self) -> bool {
        matches!(self, Truth::May | Truth::Must)
    }

    /// In the words of an explanation.
    pub fn as_str(self) -> &'static str {
        match self {
            Truth::No => "does not hold",
            Truth::Unknown => "cannot be told",
            Truth::May => "may hold",
            Truth::Must => "holds",
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::No => Truth::Must,
            Truth::Must => Truth::No,
            Truth::Unknown | Truth::May => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{May, Must, No, Unknown};

    #[test]
    fn what_is_not_visible_never_becomes_clean_nor_a_match() {
        for (parts, all, any) in [
            ([Must, Unknown], Unknown, Must),
            ([May, Unknown], Unknown, May),
            ([No, Unknown], No, Unknown),
            ([May, Must], May, Must),
        ] {
            assert_eq!(parts.iter().min().copied(), Some(all));
            assert_eq!(parts.iter().max().copied(), Some(any));
        }
        assert_eq!(!Unknown, Unknown);
        assert_eq!(!May, May);
        assert_eq!(!No, Must);
    }
}
