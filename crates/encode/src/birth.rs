use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A birth date as far as it is known and can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BirthDate {
    /// Year, where known.
    pub year: Option<i16>,
    /// Month and day, where known and not imputed.
    pub month_day: Option<(i8, i8)>,
    /// Whether the date was written as 1 January, and so counts as imputed.
    pub first_of_january: bool,
}

impl fmt::Debug for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BirthDate(..)")
    }
}

/// The order in which year, month and day are written. Separators may be any of `-`, `/`, `.` and
/// blank, or none when all eight digits are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DateOrder {
    /// 1989-12-31, 19891231, 1989-12, 1989.
    #[serde(rename = "year-month-day")]
    YearMonthDay,
    /// 31/12/1989, 31121989, 12/1989, 1989.
    #[serde(rename = "day-month-year")]
    DayMonthYear,
    /// 12/31/1989, 12311989, 12/1989, 1989.
    #[serde(rename = "month-day-year")]
    MonthDayYear,
}

/// A date as written: month and day may be missing (absent, or 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenDate {
    pub(crate) year: i16,
    pub(crate) month: Option<i8>,
    pub(crate) day: Option<i8>,
}

/// Years a register of living people can hold; anything else is a slip.
const YEARS: std::ops::RangeInclusive<i16> = 1850..=2150;

impl DateOrder {
    /// Reads a date; `None` when it is not one in this order or names no day of the calendar.
    pub(crate) fn read(self, text: &str) -> Option<WrittenDate> {
        let text = text.trim();
        // A time of day after the date says nothing of the day.
        let text = text.split_once(['T']).map_or(text, |(date, _)| date);
        let separated: Vec<&str> = text.split(['-', '/', '.', ' ']).collect();
        let mut parts = if separated.len() == 1 && text.len() == 8 && text.is_ascii() {
            match self {
                Self::YearMonthDay => vec![&text[..4], &text[4..6], &text[6..]],
                Self::DayMonthYear | Self::MonthDayYear => vec![&text[..2], &text[2..4], &text[4..]],
            }
        } else {
            separated
        };
        match self {
            Self::YearMonthDay => {}
            Self::DayMonthYear => parts.reverse(),
            Self::MonthDayYear if parts.len() == 3 => parts = vec![parts[2], parts[0], parts[1]],
            Self::MonthDayYear => parts.reverse(),
        }
        if parts.len() > 3 || parts[0].len() != 4 || parts[1..].iter().any(|part| part.len() > 2) {
            return None;
        }
        let number = |part: &str| -> Option<i16> {
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse().ok())?
        };
        let year = number(parts[0]).filter(|year| YEARS.contains(year))?;
        let known = |index: usize| -> Option<Option<i8>> {
            match parts.get(index) {
                None => Some(None),
                Some(part) => {
                    let value = i8::try_from(number(part)?).ok()?;
                    Some((value != 0).then_some(value))
                }
            }
        };
        let (month, day) = (known(1)?, known(2)?);
        // A day without its month is a year; the calendar judges the rest.
        let day = month.and(day);
        Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
        Some(WrittenDate { year, month, day })
    }
}

impl From<WrittenDate> for BirthDate {
    /// 1 January stands for "not known" in registers, 13 to 18 times as often as a day should
    /// (movers of Valencia 2006: 3.5 % and 4.9 %), so only its year is taken.
    fn from(written: WrittenDate) -> Self {
        let month_day = written.month.zip(written.day);
        let first_of_january = month_day == Some((1, 1));
        Self {
            year: Some(written.year),
            month_day: month_day.filter(|_| !first_of_january),
            first_of_january,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(order: DateOrder, text: &str) -> Option<(i16, Option<i8>, Option<i8>)> {
        order.read(text).map(|d| (d.year, d.month, d.day))
    }

    #[test]
    fn reads_each_order_with_and_without_separators() {
        let full = Some((1989, Some(12), Some(31)));
        for text in [
            "1989-12-31",
            "1989/12/31",
            "19891231",
            "1989.12.31",
            "1989-12-31T00:00:00",
        ] {
            assert_eq!(read(DateOrder::YearMonthDay, text), full, "{text}");
        }
        for text in ["31/12/1989", "31.12.1989", "31121989"] {
            assert_eq!(read(DateOrder::DayMonthYear, text), full, "{text}");
        }
        for text in ["12/31/1989", "12311989"] {
            assert_eq!(read(DateOrder::MonthDayYear, text), full, "{text}");
        }
    }

    #[test]
    fn partial_dates_keep_what_is_known() {
        assert_eq!(read(DateOrder::YearMonthDay, "1989"), Some((1989, None, None)));
        assert_eq!(
            read(DateOrder::YearMonthDay, "1989-12"),
            Some((1989, Some(12), None))
        );
        assert_eq!(
            read(DateOrder::YearMonthDay, "1989-12-00"),
            Some((1989, Some(12), None))
        );
        assert_eq!(
            read(DateOrder::YearMonthDay, "1989-00-07"),
            Some((1989, None, None))
        );
        assert_eq!(
            read(DateOrder::DayMonthYear, "12/1989"),
            Some((1989, Some(12), None))
        );
        assert_eq!(
            read(DateOrder::MonthDayYear, "12/1989"),
            Some((1989, Some(12), None))
        );
    }

    #[test]
    fn impossible_dates_are_none() {
        for text in [
            "",
            "1989-02-30",
            "1989-13-01",
            "89-12-31",
            "1989-12-31-01",
            "abcd",
            "0000-01-01",
            "1989-1a-01",
            "+989-12-31",
            "١٩٨٩",
        ] {
            assert_eq!(read(DateOrder::YearMonthDay, text), None, "{text}");
        }
        assert_eq!(read(DateOrder::DayMonthYear, "12/31/1989"), None);
    }

    #[test]
    fn first_of_january_counts_as_imputed() {
        let birth = |text| BirthDate::from(DateOrder::YearMonthDay.read(text).unwrap());
        assert_eq!(birth("1989-01-01").month_day, None);
        assert_eq!(birth("1989-01-02").month_day, Some((1, 2)));
        assert_eq!(birth("1989-05").month_day, None);
    }
}
