//! Guesses of how dates are written.

use super::sample::Sample;
use crate::birth::{DateOrder, YearPivot};
use crate::calendar::Calendar;

/// Orders, the most common first.
const ORDERS: [(DateOrder, &str); 3] = [
    (DateOrder::YearMonthDay, "year-month-day"),
    (DateOrder::DayMonthYear, "day-month-year"),
    (DateOrder::MonthDayYear, "month-day-year"),
];

/// Of so many dates, one in another calendar is a suspicion.
const SUSPICIOUS_SHARE: usize = 100;

impl Sample {
    /// Lines of a mapping for a date in one column, with what a person has to look at.
    pub(super) fn date_lines(&self, key: &str, column: usize) -> Vec<String> {
        let total = self.values(column).count();
        let count = |order: DateOrder, calendar: Calendar, pivot: Option<YearPivot>| {
            self.values(column)
                .filter(|text| order.read_in(text, calendar, pivot).is_some())
                .count()
        };
        let gregorian = |order| count(order, Calendar::Gregorian, None);
        let (mut best, mut best_name, mut best_count) = (ORDERS[0].0, ORDERS[0].1, 0);
        for (order, name) in ORDERS {
            let readable = gregorian(order);
            if readable > best_count {
                (best, best_name, best_count) = (order, name, readable);
            }
        }
        let mut lines = vec![format!(
            "{key} = \"{best_name}\"  # reads {best_count} of {total} dates"
        )];
        for (order, name) in ORDERS.iter().filter(|(_, name)| *name != best_name) {
            if best_count > 0 && gregorian(*order) == best_count {
                lines.push(format!("# {key} = \"{name}\"  # reads as many: which is it?"));
            }
        }
        lines.extend(self.calendar_lines(key, column, total, best_count));
        if key == "birth_date" && best_count > 0 {
            let first = self
                .values(column)
                .filter_map(|text| best.read(text))
                .filter(|date| date.first_of_year)
                .count();
            lines.push(format!(
                "# {first} of {best_count} are on 1 January, which mostly stands for \"not known\": only their year is used"
            ));
        }
        lines
    }

    /// Suspicions that dates are of another calendar, or have years of two digits.
    fn calendar_lines(&self, key: &str, column: usize, total: usize, readable: usize) -> Vec<String> {
        let calendar_key = key.replace("_date", "_calendar");
        let mut lines = Vec::new();
        let unread = total - readable;
        if total == 0 || unread * SUSPICIOUS_SHARE < total {
            return lines;
        }
        let best = |calendar: Calendar, pivot: Option<YearPivot>| {
            let counts = ORDERS.map(|(order, name)| {
                let count = self
                    .values(column)
                    .filter(|text| order.read_in(text, calendar, pivot).is_some())
                    .count();
                (count, name)
            });
            // The first of those that read most.
            counts.into_iter().rev().max_by_key(|(count, _)| *count)
        };
        let calendars = [
            ("hijri-umalqura", Calendar::HijriUmmAlQura),
            ("ethiopian", Calendar::Ethiopian),
        ];
        for (name, calendar) in calendars {
            if let Some((count, order)) = best(calendar, None)
                && count > readable
            {
                let other = if calendar == Calendar::HijriUmmAlQura {
                    " (or \"hijri-civil\")"
                } else {
                    ""
                };
                lines.push(format!(
                    "# {calendar_key} = \"{name}\"{other}  # with {key} = \"{order}\" reads {count} of {total}: are these dates of that calendar?"
                ));
            }
        }
        if let Some((count, order)) = best(Calendar::Gregorian, Some(YearPivot(1926)))
            && count > readable
        {
            lines.push(format!(
                "# two_digit_pivot = 1926  # with {key} = \"{order}\" reads {count} of {total}: the first of the hundred years that years of two digits stand for"
            ));
        }
        lines
    }
}
