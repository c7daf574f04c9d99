use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;

/// A birth date as far as it is known and can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BirthDate {
    /// Year, where known.
    pub year: Option<i16>,
    /// Month and day, where known and not imputed.
    pub month_day: Option<(i8, i8)>,
    /// Whether the date was written as the first day of a year, and so counts as imputed.
    pub first_of_january: bool,
    /// Whether it was written in another calendar.
    pub converted: bool,
}

/// How far a birth date can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BirthQuality {
    /// No date.
    Missing,
    /// The first day of a year, which stands for a year in most registers.
    Imputed,
    /// A year, or a year and a month.
    Partial,
    /// A year or month of another calendar, and so the Gregorian year with the larger share of it.
    PartialConverted,
    /// A day of another calendar.
    Converted,
    /// A day as written.
    Documented,
}

impl BirthDate {
    /// How far the date can be trusted.
    pub const fn quality(&self) -> BirthQuality {
        match (self.year, self.month_day) {
            (None, _) => BirthQuality::Missing,
            _ if self.first_of_january => BirthQuality::Imputed,
            (_, None) if self.converted => BirthQuality::PartialConverted,
            (_, None) => BirthQuality::Partial,
            _ if self.converted => BirthQuality::Converted,
            _ => BirthQuality::Documented,
        }
    }
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

/// A Gregorian date, as far as what was written says: month and day may be missing (absent, or 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenDate {
    pub(crate) year: i16,
    pub(crate) month: Option<i8>,
    pub(crate) day: Option<i8>,
    /// Whether the first day of a year was written, in the calendar of the register.
    pub(crate) first_of_year: bool,
    /// Whether it was written in another calendar.
    pub(crate) converted: bool,
}

/// The first of the hundred years that two-digit years stand for: with 1926, `26` to `99` are 1926 to 1999 and `00` to
/// `25` are 2000 to 2025. It is declared by the office, in years of the register's calendar; without it a two-digit
/// year is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct YearPivot(pub i16);

impl YearPivot {
    fn full_year(self, two_digits: i16) -> i16 {
        let Self(first) = self;
        first.saturating_add((two_digits - first).rem_euclid(100))
    }
}

/// Years a register of living people can hold; anything else is a slip.
const YEARS: std::ops::RangeInclusive<i16> = 1850..=2150;

impl DateOrder {
    /// Reads a Gregorian date with four digits of the year; `None` when it is not one in this order or names no
    /// day of the calendar.
    pub(crate) fn read(self, text: &str) -> Option<WrittenDate> {
        self.read_in(text, Calendar::Gregorian, None)
    }

    /// Reads a date in `calendar` and gives the Gregorian one.
    ///
    /// A year alone of another calendar becomes the Gregorian year with the larger share of it, a year and
    /// month also lose the month unless it lies within a Gregorian one; both are marked as converted. Digits may be
    /// those of Arabic script.
    ///
    /// `None` when the text is no date in this order, the calendar has no such day, the Gregorian year is not one a
    /// register of living people can hold, or the year has two digits and no `pivot` is declared.
    pub(crate) fn read_in(
        self,
        text: &str,
        calendar: Calendar,
        pivot: Option<YearPivot>,
    ) -> Option<WrittenDate> {
        let text = text.trim();
        let text: Cow<'_, str> = if text.is_ascii() {
            text.into()
        } else {
            text.chars().map(to_ascii_digit).collect()
        };
        // A time of day after the date says nothing of the day.
        let text = text.split_once('T').map_or(&*text, |(date, _)| date);
        let [year, month, day] = self.parts(text, pivot.is_some())?;
        let number = |part: &str| -> Option<i16> {
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse().ok())?
        };
        let known = |part: Option<&str>| -> Option<Option<i8>> {
            match part {
                None => Some(None),
                Some(part) if part.len() > 2 => None,
                Some(part) => {
                    let value = i8::try_from(number(part)?).ok()?;
                    Some((value != 0).then_some(value))
                }
            }
        };
        let year = year?;
        let year = match (year.len(), pivot) {
            (4, _) => number(year)?,
            (2, Some(pivot)) => pivot.full_year(number(year)?),
            _ => return None,
        };
        let (month, day) = (known(month)?, known(day)?);
        // A day without its month is a year; the calendar judges the rest.
        let day = month.and(day);
        let covered = calendar.cover(year, month, day)?;
        YEARS.contains(&covered.year).then_some(WrittenDate {
            year: covered.year,
            month: covered.month,
            day: covered.day,
            first_of_year: (month, day) == (Some(1), Some(1)),
            converted: calendar != Calendar::Gregorian,
        })
    }

    /// Year, month and day of a text, as far as they are written.
    fn parts(self, text: &str, two_digit_years: bool) -> Option<[Option<&str>; 3]> {
        let mut separated = text.split(['-', '/', '.', ' ']);
        let written = [separated.next(), separated.next(), separated.next()];
        if separated.next().is_some() {
            return None;
        }
        let year_len = match text.len() {
            8 => 4,
            6 if two_digit_years => 2,
            _ => 0,
        };
        Some(match (self, written) {
            (Self::YearMonthDay, [Some(all), None, None]) if year_len > 0 && all.is_ascii() => {
                let (year, rest) = all.split_at(year_len);
                [Some(year), Some(&rest[..2]), Some(&rest[2..])]
            }
            (Self::DayMonthYear, [Some(all), None, None]) if year_len > 0 && all.is_ascii() => {
                [Some(&all[4..]), Some(&all[2..4]), Some(&all[..2])]
            }
            (Self::MonthDayYear, [Some(all), None, None]) if year_len > 0 && all.is_ascii() => {
                [Some(&all[4..]), Some(&all[..2]), Some(&all[2..4])]
            }
            (Self::YearMonthDay, parts) | (_, parts @ [_, None, None]) => parts,
            (_, [month, year, None]) => [year, month, None],
            (Self::DayMonthYear, [day, month, year]) => [year, month, day],
            (Self::MonthDayYear, [month, day, year]) => [year, month, day],
        })
    }
}

/// The ASCII digit for one of Arabic script, eastern or Persian.
fn to_ascii_digit(letter: char) -> char {
    let zero = match letter {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        _ => return letter,
    };
    char::from_digit(u32::from(letter) - zero, 10).unwrap_or(letter)
}

impl From<WrittenDate> for BirthDate {
    /// 1 January stands for "not known" in registers, 13 to 18 times as often as a day should
    /// (movers of Valencia 2006: 3.5 % and 4.9 %), so only its year is taken; likewise 1 Meskerem and 1 Muharram.
    fn from(written: WrittenDate) -> Self {
        Self {
            year: Some(written.year),
            month_day: written.month.zip(written.day).filter(|_| !written.first_of_year),
            first_of_january: written.first_of_year,
            converted: written.converted,
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
            "891231",
        ] {
            assert_eq!(read(DateOrder::YearMonthDay, text), None, "{text}");
        }
        assert_eq!(read(DateOrder::DayMonthYear, "12/31/1989"), None);
    }

    #[test]
    fn two_digit_years_need_a_declared_pivot() {
        let year = |text: &str, pivot| {
            DateOrder::DayMonthYear.read_in(text, Calendar::Gregorian, Some(YearPivot(pivot)))
        };
        for (text, pivot, expected) in [
            ("31/12/89", 1926, 1989),
            ("31/12/25", 1926, 2025),
            ("31/12/26", 1926, 1926),
            ("311289", 1900, 1989),
            ("12/00", 1950, 2000),
            ("31/12/1889", 1926, 1889),
        ] {
            assert_eq!(year(text, pivot).unwrap().year, expected, "{text}");
        }
        assert_eq!(read(DateOrder::DayMonthYear, "31/12/89"), None);
        assert_eq!(year("31/12/9", 1926), None);
    }

    #[test]
    fn other_calendars_are_converted_when_declared() {
        let birth = |text, calendar| -> BirthDate {
            DateOrder::YearMonthDay
                .read_in(text, calendar, None)
                .unwrap()
                .into()
        };
        let day = birth("1983-04-25", Calendar::Ethiopian);
        assert_eq!((day.year, day.month_day), (Some(1991), Some((1, 3))));
        assert_eq!(day.quality(), BirthQuality::Converted);
        let first = birth("2000-01-01", Calendar::Ethiopian);
        assert_eq!((first.year, first.month_day), (Some(2007), None));
        assert_eq!(first.quality(), BirthQuality::Imputed);
        let year = birth("1980", Calendar::Ethiopian);
        assert_eq!(
            (year.year, year.quality()),
            (Some(1988), BirthQuality::PartialConverted)
        );
        let hijri = birth("١٤٠٠-٠٢-٠٣", Calendar::HijriUmmAlQura);
        assert_eq!((hijri.year, hijri.month_day), (Some(1979), Some((12, 23))));
        // A Hijri year read as a Gregorian one is out of range, and the other way round.
        assert_eq!(DateOrder::YearMonthDay.read("1400-02-03"), None);
        assert_eq!(
            DateOrder::YearMonthDay.read_in("1979-02-03", Calendar::HijriCivil, None),
            None
        );
    }

    #[test]
    fn qualities_say_what_was_written() {
        let quality = |text| BirthDate::from(DateOrder::YearMonthDay.read(text).unwrap()).quality();
        assert_eq!(quality("1989-01-01"), BirthQuality::Imputed);
        assert_eq!(quality("1989-05"), BirthQuality::Partial);
        assert_eq!(quality("1989-05-06"), BirthQuality::Documented);
        assert_eq!(BirthDate::default().quality(), BirthQuality::Missing);
    }

    #[test]
    fn first_of_january_counts_as_imputed() {
        let birth = |text| BirthDate::from(DateOrder::YearMonthDay.read(text).unwrap());
        assert_eq!(birth("1989-01-01").month_day, None);
        assert_eq!(birth("1989-01-02").month_day, Some((1, 2)));
        assert_eq!(birth("1989-05").month_day, None);
    }
}
