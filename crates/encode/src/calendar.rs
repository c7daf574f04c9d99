//! Dates of other calendars, and the Gregorian dates they stand for.

use icu_calendar::cal::hijri::{TabularAlgorithmEpoch, TabularAlgorithmLeapYears};
use icu_calendar::cal::{Ethiopian, Hijri, Iso};
use icu_calendar::types::Month;
use icu_calendar::{AsCalendar, Date as CalendarDate};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The calendar a register writes its dates in. It is declared, never guessed: `2000-01-01` is a day in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Calendar {
    /// The common calendar.
    #[default]
    #[serde(rename = "gregorian")]
    Gregorian,
    /// The Ethiopian calendar, era of the Incarnation (Amete Mihret): twelve months of 30 days and Pagume of
    /// five or six; 1 Meskerem 2000 is 12 September 2007.
    #[serde(rename = "ethiopian")]
    Ethiopian,
    /// The Hijri calendar of Saudi Arabia, from published tables (1300 to 1600 AH; beyond, as the civil one).
    #[serde(rename = "hijri-umalqura")]
    HijriUmmAlQura,
    /// The tabular Hijri calendar, civil epoch (16 July 622 Julian), leap years 2, 5, 7, 10, 13, 16, 18, 21, 24, 26 and
    /// 29 of each 30. A sighted month may differ from it by a day or two.
    #[serde(rename = "hijri-civil")]
    HijriCivil,
}

/// What a date, or a part of one, in any calendar covers in the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Covered {
    /// The year with most of the days; the earlier of two that have as many.
    pub(crate) year: i16,
    /// The month, when all days fall in it.
    pub(crate) month: Option<i8>,
    /// The day, when there is one.
    pub(crate) day: Option<i8>,
}

impl Calendar {
    /// The Gregorian days of a year, of a month, or the day, as far as they are given. A year of another
    /// calendar begins in one Gregorian year and mostly ends in the next, so a year alone stands for the one with the
    /// larger share of it (Ethiopian 2000, from September 2007 to September 2008, for 2008).
    ///
    /// `None` when the calendar has no such day, month or year: 2014 has no 6 Pagume in Ethiopia, no Hijri month
    /// has 31 days.
    pub(crate) fn cover(self, year: i16, month: Option<i8>, day: Option<i8>) -> Option<Covered> {
        let (first, last) = match (month, day) {
            (Some(month), Some(day)) => {
                let date = self.date(year, month, day)?;
                (date, date)
            }
            (Some(month), None) => (self.date(year, month, 1)?, self.last_day(year, month)?),
            (None, _) => (
                self.date(year, 1, 1)?,
                self.date(year.checked_add(1)?, 1, 1)?.yesterday().ok()?,
            ),
        };
        let year = if first.year() == last.year() || days_left(first) >= last.day_of_year() {
            first.year()
        } else {
            last.year()
        };
        let one_month = first.year() == last.year() && first.month() == last.month();
        Some(Covered {
            year,
            month: (one_month && month.is_some()).then_some(first.month()),
            day: (first == last).then_some(first.day()),
        })
    }

    fn last_day(self, year: i16, month: i8) -> Option<Date> {
        (1..=31).rev().find_map(|day| self.date(year, month, day))
    }

    fn date(self, year: i16, month: i8, day: i8) -> Option<Date> {
        match self {
            Self::Gregorian => Date::new(year, month, day).ok(),
            Self::Ethiopian => to_gregorian(year, month, day, Ethiopian::new()),
            Self::HijriUmmAlQura => to_gregorian(year, month, day, Hijri::new_umm_al_qura()),
            Self::HijriCivil => {
                let rules =
                    Hijri::new_tabular(TabularAlgorithmLeapYears::TypeII, TabularAlgorithmEpoch::Friday);
                to_gregorian(year, month, day, rules)
            }
        }
    }
}

/// Days from `date` to the end of its year, both counted.
fn days_left(date: Date) -> i16 {
    date.days_in_year() - date.day_of_year() + 1
}

fn to_gregorian<C: AsCalendar>(year: i16, month: i8, day: i8, calendar: C) -> Option<Date> {
    let month = Month::new(u8::try_from(month).ok().filter(|month| *month > 0)?);
    let day = u8::try_from(day).ok()?;
    let iso = CalendarDate::try_new(i32::from(year).into(), month, day, calendar)
        .ok()?
        .to_calendar(Iso);
    Date::new(
        i16::try_from(iso.year().extended_year()).ok()?,
        i8::try_from(iso.month().ordinal).ok()?,
        i8::try_from(iso.day_of_month().0).ok()?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(calendar: Calendar, (year, month, day): (i16, i8, i8)) -> Option<(i16, i8, i8)> {
        let covered = calendar.cover(year, Some(month), Some(day))?;
        Some((covered.year, covered.month?, covered.day?))
    }

    #[test]
    fn ethiopian_days_are_those_of_the_table() {
        let table = include_str!("../tests/data/ethiopian_dates.csv");
        let numbers = |text: &str| -> (i16, i8, i8) {
            let parts: Vec<i16> = text.split('-').map(|part| part.parse().unwrap()).collect();
            (
                parts[0],
                parts[1].try_into().unwrap(),
                parts[2].try_into().unwrap(),
            )
        };
        for line in table.lines().skip(1) {
            let (ethiopian, gregorian) = line.split_once(',').unwrap();
            assert_eq!(
                day(Calendar::Ethiopian, numbers(ethiopian)),
                Some(numbers(gregorian)),
                "{line}"
            );
        }
    }

    #[test]
    fn hijri_days_are_the_published_ones() {
        // New years of the published tables, and of the formula.
        for (written, expected) in [
            ((1420, 1, 1), (1999, 4, 17)),
            ((1445, 1, 1), (2023, 7, 19)),
            ((1446, 1, 1), (2024, 7, 7)),
        ] {
            assert_eq!(day(Calendar::HijriUmmAlQura, written), Some(expected));
        }
        for (written, expected) in [
            ((1, 1, 1), (622, 7, 19)),
            ((1400, 1, 1), (1979, 11, 21)),
            ((1445, 1, 1), (2023, 7, 19)),
        ] {
            assert_eq!(day(Calendar::HijriCivil, written), Some(expected));
        }
    }

    #[test]
    fn days_a_calendar_does_not_have_are_refused() {
        assert_eq!(day(Calendar::Ethiopian, (2014, 13, 6)), None);
        assert!(day(Calendar::Ethiopian, (2015, 13, 6)).is_some());
        assert_eq!(day(Calendar::Ethiopian, (2015, 1, 31)), None);
        assert_eq!(day(Calendar::Ethiopian, (2015, 14, 1)), None);
        assert_eq!(day(Calendar::HijriCivil, (1445, 2, 30)), None);
        assert_eq!(day(Calendar::HijriUmmAlQura, (1445, 13, 1)), None);
        assert_eq!(day(Calendar::Gregorian, (2023, 2, 29)), None);
        assert_eq!(day(Calendar::Ethiopian, (2015, 0, 1)), None);
        assert_eq!(day(Calendar::Ethiopian, (2015, 1, -1)), None);
    }

    #[test]
    fn a_year_or_month_stands_for_its_larger_share() {
        let year = |calendar: Calendar, year| calendar.cover(year, None, None).unwrap();
        assert_eq!(
            year(Calendar::Ethiopian, 2000),
            Covered {
                year: 2008,
                month: None,
                day: None
            }
        );
        assert_eq!(
            year(Calendar::Gregorian, 2000),
            Covered {
                year: 2000,
                month: None,
                day: None
            }
        );
        // November 1979 to November 1980.
        assert_eq!(year(Calendar::HijriUmmAlQura, 1400).year, 1980);
        // Tahsas 2000: 11 December 2007 to 9 January 2008.
        let month = Calendar::Ethiopian.cover(2000, Some(4), None).unwrap();
        assert_eq!(
            month,
            Covered {
                year: 2007,
                month: None,
                day: None
            }
        );
        // Pagume lies within September.
        let month = Calendar::Ethiopian.cover(2000, Some(13), None).unwrap();
        assert_eq!(
            month,
            Covered {
                year: 2008,
                month: Some(9),
                day: None
            }
        );
        let month = Calendar::Gregorian.cover(2000, Some(2), None).unwrap();
        assert_eq!(
            month,
            Covered {
                year: 2000,
                month: Some(2),
                day: None
            }
        );
    }
}
