//! The directives of `strptime`: what each may look like, and what date they make together.

use super::calendar::{from_ordinal, is_leap, to_ordinal, weekday};
use crate::clkhash::python::{is_same_folded, to_digit, to_lower};

/// The forms of a directive with digits, in the order they are tried. Two characters stand for one: the first and last of
/// its range, and `dd` for any decimal digit.
pub(super) fn forms(name: u8) -> &'static [&'static str] {
    match name {
        b'd' => &["3301", "12dd", "0019", "19", "  19"],
        b'f' => &["090909090909", "0909090909", "09090909", "090909", "0909", "09"],
        b'H' => &["2203", "01dd", "dd"],
        b'I' => &["1102", "0019", "19"],
        b'G' | b'Y' => &["dddddddd"],
        b'j' => &[
            "336606", "3305dd", "12dddd", "0019dd", "000019", "19dd", "0019", "19",
        ],
        b'm' => &["1102", "0019", "19"],
        b'M' => &["05dd", "dd"],
        b'S' => &["6601", "05dd", "dd"],
        b'U' | b'W' => &["5503", "04dd", "dd"],
        b'V' => &["5503", "0019", "14dd", "dd"],
        b'w' => &["06"],
        b'u' => &["17"],
        b'y' => &["dddd"],
        _ => &[],
    }
}

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const SHORT_MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const SHORT_WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The names a directive may be, in the language of C. None is the beginning of another.
pub(super) fn names(name: u8) -> &'static [&'static str] {
    match name {
        b'A' => WEEKDAYS,
        b'a' => SHORT_WEEKDAYS,
        b'B' => MONTHS,
        b'b' => SHORT_MONTHS,
        b'p' => &["am", "pm"],
        _ => &[],
    }
}

pub(super) fn is_known(name: u8) -> bool {
    name == b'z' || !forms(name).is_empty() || !names(name).is_empty()
}

/// Whether a text begins with a form of [`forms`].
pub(super) fn has_form(text: &[char], form: &str) -> bool {
    let form = form.as_bytes();
    text.len() >= form.len() / 2
        && form.chunks_exact(2).zip(text).all(|(range, &c)| match range {
            b"dd" => to_digit(c).is_some(),
            _ => c >= char::from(range[0]) && c <= char::from(range[1]),
        })
}

/// Whether a text begins with a name, in any case.
pub(super) fn has_name(text: &[char], name: &str) -> bool {
    text.len() >= name.len()
        && name
            .chars()
            .zip(text)
            .all(|(expected, &c)| is_same_folded(to_lower(c), expected))
}

/// How long an offset from UTC at the beginning of a text may be, the first choice first.
pub(super) fn zone_lengths(text: &[char]) -> Vec<usize> {
    let digit = |at: usize| text.get(at).copied().and_then(to_digit).is_some();
    let minutes = |at: usize| text.get(at).is_some_and(|c| ('0'..='5').contains(c)) && digit(at + 1);
    let is = |at: usize, c: char| text.get(at) == Some(&c);
    let mut lengths = Vec::new();
    if (is(0, '+') || is(0, '-')) && digit(1) && digit(2) {
        // A colon cannot be taken for a digit, so that there is one way through this at most.
        let at = if is(3, ':') { 4 } else { 3 };
        if minutes(at) {
            let after = at + 2;
            let seconds = if is(after, ':') { after + 1 } else { after };
            if minutes(seconds) {
                let end = seconds + 2;
                if is(end, '.') {
                    let decimals = (end + 1..end + 7).take_while(|at| digit(*at)).count();
                    lengths.extend((1..=decimals).rev().map(|count| end + 1 + count));
                }
                lengths.push(end);
            }
            lengths.push(after);
        }
    }
    if is(0, 'Z') {
        lengths.push(1);
    }
    lengths
}

/// What the directives of a date said.
#[derive(Debug, Default)]
pub(super) struct Fields {
    year: Option<i64>,
    iso_year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    second: i64,
    /// Days since Monday.
    weekday: Option<i64>,
    day_of_year: Option<i64>,
    /// Of the year, and whether weeks begin on Monday.
    week: Option<(i64, bool)>,
    iso_week: Option<i64>,
}

impl Fields {
    /// Takes what a directive found.
    pub(super) fn read(&mut self, name: u8, text: &[char]) -> Result<(), &'static str> {
        let number = text
            .iter()
            .filter_map(|c| to_digit(*c))
            .fold(0, |number, digit| number * 10 + i64::from(digit));
        let index = || {
            // A name is looked up in lower case, where letters of other alphabets that matched it are not found.
            let lower: String = text.iter().flat_map(|c| c.to_lowercase()).collect();
            let index = names(name).iter().position(|name| *name == lower);
            index
                .and_then(|index| i64::try_from(index).ok())
                .ok_or("has a name that is not known")
        };
        match name {
            b'y' => self.year = Some(number + if number <= 68 { 2000 } else { 1900 }),
            b'Y' => self.year = Some(number),
            b'G' => self.iso_year = Some(number),
            b'm' => self.month = Some(number),
            b'B' | b'b' => self.month = Some(index()? + 1),
            b'd' => self.day = Some(number),
            b'S' => self.second = number,
            b'A' | b'a' => self.weekday = Some(index()?),
            b'w' => self.weekday = Some((number + 6) % 7),
            b'u' => self.weekday = Some(number - 1),
            b'j' => self.day_of_year = Some(number),
            b'U' => self.week = Some((number, false)),
            b'W' => self.week = Some((number, true)),
            b'V' => self.iso_week = Some(number),
            b'z' => check_zone(text)?,
            // Hours, minutes and parts of a second are right by their form, and no part of a date.
            _ => {}
        }
        Ok(())
    }

    /// Year, month and day.
    pub(super) fn to_date(&self) -> Result<(i64, i64, i64), &'static str> {
        const NO_DATE: &str = "is not a date";
        if self.year.is_none() && self.iso_year.is_some() {
            if self.iso_week.is_none() || self.weekday.is_none() || self.day_of_year.is_some() {
                return Err("has %G without %V and a weekday, or with %j");
            }
        } else if self.week.is_none() && self.iso_week.is_some() {
            return Err("has %V without %G, or with %Y");
        }
        let (mut month, mut day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        // Without a year, 29 February is looked for in a leap year; the year is 1900 all the same.
        let leap_day = self.year.is_none() && month == 2 && day == 29;
        let mut year = self.year.unwrap_or(if leap_day { 1904 } else { 1900 });
        let mut day_of_year = self.day_of_year;
        if let (None, Some(weekday)) = (day_of_year, self.weekday) {
            if let Some((week, from_monday)) = self.week {
                day_of_year = Some(from_week(year, week, weekday, from_monday).ok_or(NO_DATE)?);
            } else if let (Some(iso_year), Some(iso_week)) = (self.iso_year, self.iso_week) {
                let (of_year, days) = from_iso_week(iso_year, iso_week, weekday).ok_or(NO_DATE)?;
                year = of_year;
                day_of_year = Some(days);
            }
            if let Some(days) = day_of_year.as_mut().filter(|days| **days <= 0) {
                year -= 1;
                *days += if is_leap(year) { 366 } else { 365 };
            }
        }
        if let Some(days) = day_of_year {
            let first = to_ordinal(year, 1, 1).ok_or(NO_DATE)?;
            (year, month, day) = from_ordinal(days - 1 + first).ok_or(NO_DATE)?;
        } else {
            to_ordinal(year, month, day).ok_or(NO_DATE)?;
        }
        if leap_day {
            year = 1900;
        }
        to_ordinal(year, month, day).ok_or(NO_DATE)?;
        if self.second > 59 {
            return Err("has a leap second");
        }
        Ok((year, month, day))
    }
}

/// The day of the year of a weekday of a week, which may be before the year.
fn from_week(year: i64, week: i64, weekday_from_monday: i64, from_monday: bool) -> Option<i64> {
    let shift = i64::from(!from_monday);
    let first = (weekday(to_ordinal(year, 1, 1)?) + shift) % 7;
    let weekday = (weekday_from_monday + shift) % 7;
    Some(if week == 0 {
        1 + weekday - first
    } else {
        1 + (7 - first) % 7 + 7 * (week - 1) + weekday
    })
}

/// The year and the day of it of a weekday of a week of ISO 8601.
fn from_iso_week(iso_year: i64, week: i64, weekday_from_monday: i64) -> Option<(i64, i64)> {
    let correction = weekday(to_ordinal(iso_year, 1, 4)?) + 1 + 3;
    let days = week * 7 + weekday_from_monday + 1 - correction;
    if days >= 1 {
        return Some((iso_year, days));
    }
    let ordinal = days + to_ordinal(iso_year, 1, 1)?;
    Some((iso_year - 1, ordinal - to_ordinal(iso_year - 1, 1, 1)?))
}

/// Refuses offsets that match and are none: a colon in one of two places, and a day or more.
fn check_zone(text: &[char]) -> Result<(), &'static str> {
    if text == ['Z'] {
        return Ok(());
    }
    let first = text.get(3) == Some(&':');
    let rest = if first { &text[6..] } else { &text[5..] };
    let second = rest.first() == Some(&':');
    let hours = text[1..3]
        .iter()
        .filter_map(|c| to_digit(*c))
        .fold(0, |number, digit| number * 10 + u32::from(digit));
    if !rest.is_empty() && first != second || hours > 23 {
        return Err("has an offset from UTC that is none");
    }
    Ok(())
}
