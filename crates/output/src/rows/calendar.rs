//! Seconds since 1970 of times that name their zone.

/// Seconds since 1970 of `2024-01-02 03:04:05.678 +0100`, `2024-01-02T03:04:05Z` and their like.
pub(super) fn iso(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let (year, month, day) = date_parts(date)?;
    let rest = rest.strip_prefix(['T', ' '])?.trim_start();
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')))
        .unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    Some(days(year, month, day)? * 86_400 + clock_seconds(clock)? - zone_seconds(zone.trim())?)
}

/// Seconds since 1970 of `Wed Apr 20 10:03:36 2022 -0400`, the form of git.
pub(super) fn git(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, month, day, clock, year, zone] = words.as_slice() else {
        return None;
    };
    let date = days(year.parse().ok()?, month_number(month)?, day.parse().ok()?)?;
    Some(date * 86_400 + clock_seconds(clock)? - zone_seconds(zone)?)
}

/// `Jan` or `January` as 1.
pub(super) fn month_number(name: &str) -> Option<i64> {
    const MONTHS: &[&str] = &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let short = name.get(..3)?.to_ascii_lowercase();
    let index = MONTHS.iter().position(|month| *month == short)?;
    i64::try_from(index + 1).ok()
}

/// Days from 1970-01-01 in the Gregorian calendar (the algorithm of days_from_civil by
/// H. Hinnant: years begin in March, so that the day that is added comes last).
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// `12:34:56.789` as seconds; the fraction is left out.
pub(super) fn clock_seconds(text: &str) -> Option<i64> {
    let mut parts = text.split([':', '.', ',']);
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next()?.parse().ok()?;
    let second: i64 = parts.next().map_or(Some(0), |text| text.parse().ok())?;
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// `+0100`, `-07:00`, `Z`, `UTC`: seconds east of Greenwich. Other names of zones are ambiguous.
pub(super) fn zone_seconds(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "UTC" | "GMT") {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i64 = if minutes.is_empty() {
        0
    } else {
        minutes.parse().ok()?
    };
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes * 60))
}

/// Year, month and day of `2024-01-02`.
pub(super) fn date_parts(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.split('-');
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    (parts.next().is_none() && days(year, month, day).is_some()).then_some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_a_zone_have_an_epoch() {
        assert_eq!(iso("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            iso("2024-02-29 12:00:00.123456789 +0100"),
            Some(1_709_204_400)
        );
        assert_eq!(git("Wed Apr 20 10:03:36 2022 -0400"), Some(1_650_463_416));
    }

    #[test]
    fn times_without_a_zone_have_none() {
        assert_eq!(iso("2024-02-29 12:00:00"), None);
        assert_eq!(iso("2024-02-29 12:00:00 PST"), None);
        assert_eq!(iso("2024-13-29 12:00:00Z"), None);
        assert_eq!(iso("short"), None);
    }
}
