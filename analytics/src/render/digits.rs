//! Numbers as people write them.

/// `1,234,567.89` with so many decimals.
pub(crate) fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

/// At most three decimals, without zeros at the end, for formulas.
pub(crate) fn short(value: f64) -> String {
    let text = grouped(value, 3);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_formulas_have_no_idle_zeros() {
        assert_eq!(
            [grouped(999.0, 0), grouped(1_000.0, 0), grouped(1_234_567.891, 2)],
            ["999", "1,000", "1,234,567.89"]
        );
        assert_eq!([short(2.0), short(0.4), short(1_000.125), short(11.94)], ["2", "0.4", "1,000.125", "11.94"]);
    }
}
