//! Days of the Gregorian calendar of the years 1 to 9999, counted from 1 January of year 1, which is day 1.

const FIRST_YEAR: i64 = 1;
const LAST_YEAR: i64 = 9999;
const DAYS_BEFORE_MONTH: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

pub(super) const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}

fn days_before_month(year: i64, month: usize) -> i64 {
    DAYS_BEFORE_MONTH[month - 1] + i64::from(month > 2 && is_leap(year))
}

/// The day of a date; `None` for no date.
pub(super) fn to_ordinal(year: i64, month: i64, day: i64) -> Option<i64> {
    let index = usize::try_from(month)
        .ok()
        .filter(|month| (1..=12).contains(month))?;
    let days = if index == 12 {
        31
    } else {
        days_before_month(year, index + 1) - days_before_month(year, index)
    };
    let valid = (FIRST_YEAR..=LAST_YEAR).contains(&year) && (1..=days).contains(&day);
    valid.then(|| days_before_year(year) + days_before_month(year, index) + day)
}

/// The date of a day; `None` before year 1 and after year 9999.
pub(super) fn from_ordinal(ordinal: i64) -> Option<(i64, i64, i64)> {
    if ordinal < 1 {
        return None;
    }
    let mut year = (ordinal - 1) / 366 + 1;
    while days_before_year(year + 1) < ordinal {
        year += 1;
    }
    if year > LAST_YEAR {
        return None;
    }
    let day_of_year = ordinal - days_before_year(year);
    let month = (1..=12)
        .rev()
        .find(|month| days_before_month(year, *month) < day_of_year)?;
    let day = day_of_year - days_before_month(year, month);
    Some((year, i64::try_from(month).ok()?, day))
}

/// Days since Monday.
pub(super) const fn weekday(ordinal: i64) -> i64 {
    (ordinal + 6) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_two_cycles_has_one_date() {
        let mut before = (1899, 12, 31);
        for ordinal in to_ordinal(1900, 1, 1).unwrap()..=to_ordinal(2300, 12, 31).unwrap() {
            let date = from_ordinal(ordinal).unwrap();
            assert!(date > before, "{date:?}");
            assert_eq!(to_ordinal(date.0, date.1, date.2), Some(ordinal));
            before = date;
        }
        assert_eq!(from_ordinal(0), None);
        assert_eq!(from_ordinal(1), Some((1, 1, 1)));
        assert_eq!(from_ordinal(3_652_059), Some((9999, 12, 31)));
        assert_eq!(from_ordinal(3_652_060), None);
        assert_eq!(weekday(to_ordinal(2026, 11, 25).unwrap()), 2, "a Wednesday");
        assert_eq!(to_ordinal(1900, 2, 29), None);
    }
}
