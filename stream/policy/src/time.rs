//! Dates as condition values give them: ISO 8601 or seconds since 1970.

/// Seconds since 1970-01-01T00:00:00Z of `2024-05-01T12:00:00Z`, `2024-05-01`, `2024-05`, `2024`
/// (with `+02:00` or fractions of a second, if any) or of a bare number of seconds. A number of four
/// digits is a year.
pub(crate) fn seconds_of(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.len() != 4
        && let Ok(seconds) = text.parse::<f64>()
    {
        return Some(seconds).filter(|seconds| seconds.is_finite());
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text.strip_suffix('Z').unwrap_or(text), None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2)).filter(|m| (1..=12).contains(m))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 2)).filter(|d| (1..=31).contains(d))?;
    if parts.next().is_some() {
        return None;
    }
    let midnight = days_from_civil(year, month, day).checked_mul(86_400)?;
    let within = time.map_or(Some(0.0), seconds_of_day)?;
    Some(midnight as f64 + within)
}

fn seconds_of_day(text: &str) -> Option<f64> {
    let (clock, offset) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => match text.char_indices().find(|(_, letter)| matches!(letter, '+' | '-')) {
            Some((at, sign)) => (text.get(..at)?, offset_seconds(text.get(at + 1..)?, sign == '-')?),
            None => (text, 0),
        },
    };
    let mut parts = clock.split(':');
    let hours = digits(parts.next()?, 2).filter(|h| *h <= 24)?;
    let minutes = digits(parts.next().unwrap_or("00"), 2).filter(|m| *m < 60)?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok().filter(|s| (0.0..61.0).contains(s))?;
    if parts.next().is_some() {
        return None;
    }
    Some((hours * 3_600 + minutes * 60 - offset) as f64 + seconds)
}

fn offset_seconds(text: &str, west: bool) -> Option<i64> {
    let (hours, minutes) = match text.split_once(':') {
        Some(pair) => pair,
        None => (text.get(..2)?, text.get(2..)?),
    };
    let seconds = digits(hours, 2)? * 3_600 + digits(minutes, 2)? * 60;
    Some(if west { -seconds } else { seconds })
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::seconds_of;

    #[test]
    fn every_written_form_of_a_date_is_read() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2024-02-29", Some(1_709_164_800.0)),
            ("2024-02-29T12:30:15Z", Some(1_709_209_815.0)),
            ("2024-02-29T12:30:15.5Z", Some(1_709_209_815.5)),
            ("2024-02-29T14:30:15+02:00", Some(1_709_209_815.0)),
            ("2024-02-29T10:30:15-0200", Some(1_709_209_815.0)),
            ("2024-03", Some(1_709_251_200.0)),
            ("2024", Some(1_704_067_200.0)),
            ("1709209815", Some(1_709_209_815.0)),
            ("yesterday", None),
            ("2024-13-01", None),
            ("2024-02-29T99:00:00Z", None),
            ("", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(seconds_of(text), seconds, "{text:?}");
        }
    }
}
