//! The days between the two dates of a move, as bars over the steps of the table.

use crate::number::{real, real_len};
use crate::picture::axis::Axis;
use crate::picture::comparison::key;
use crate::picture::page::{Page, Plan, SMALL, Sign, TEXT, WIDTH, room_for, to_saying};
use crate::picture::scene::{Area, Fill, Scene, Shape, wrap};
use crate::picture::words::{Language, Word};
use crate::picture::{NoPicture, PictureSubject, figures};
use crate::published::{LagRow, PublishedTable};
use crate::reconcile::{LAG_STEPS, LAG_UNKNOWN};

const PLOT_HEIGHT: f64 = 320.0;
/// Above the tallest bar, for its value.
const HEADROOM: f64 = 24.0;

pub(super) fn draw(table: &PublishedTable, subject: &PictureSubject) -> Result<Scene, NoPicture> {
    let language = subject.language;
    let rows: Vec<&LagRow> = table
        .lags
        .iter()
        .filter(|row| row.corridor == subject.corridor)
        .collect();
    if rows.is_empty() {
        return Err(NoPicture::NoRow);
    }
    let shown = rows.iter().filter_map(|row| row.moves.map(real));
    let largest = shown.fold(0.0, f64::max);
    let axis = Axis::from_zero(largest * PLOT_HEIGHT / (PLOT_HEIGHT - HEADROOM), PLOT_HEIGHT);
    let mut legend = vec![key(Sign::Filled(Fill::Middle), Word::MatchedMoves.text(language))];
    if rows.iter().any(|row| row.days == LAG_UNKNOWN) {
        legend.push(key(Sign::Filled(Fill::Falling), Word::LagUnknown.text(language)));
    }
    if rows.iter().any(|row| row.moves.is_none()) {
        legend.push(key(Sign::Suppressed, Word::Suppressed.text(language)));
    }
    let left = room_for(&axis, language);
    let mut page = Page::lay_out(&Plan {
        table,
        subject,
        title: Word::LagsTitle,
        which: None,
        legend,
        notes: vec![Word::UnequalSteps.text(language).to_owned()],
        width: WIDTH,
        left,
        plot_height: PLOT_HEIGHT,
        lines_below: 2.0,
        below: Word::LagAxis.text(language).to_owned(),
        beside: Word::Moves.text(language).to_owned(),
        estimate: None,
    });
    page.draw_values(&axis);
    draw_bars(&mut page, &axis, &rows, language);
    page.draw_ground();
    Ok(page.finish())
}

fn draw_bars(page: &mut Page, axis: &Axis, rows: &[&LagRow], language: Language) {
    let slot = page.plot.width / real_len(rows.len());
    let bar_width = 0.72 * slot;
    for (position, row) in rows.iter().enumerate() {
        let x = page.plot.x + slot * real_len(position) + (slot - bar_width) / 2.0;
        let name = to_name(&row.days, language);
        let said = if let Some(moves) = row.moves {
            let text = figures::count(moves, language);
            let height = axis.at(real(moves));
            let area = Area {
                x,
                y: page.plot.bottom() - height,
                width: bar_width,
                height,
            };
            page.scene.add(Shape::Bar {
                area,
                fill: if row.days == LAG_UNKNOWN {
                    Fill::Falling
                } else {
                    Fill::Middle
                },
                title: to_saying(&name, &text, language),
            });
            page.scene.value(&text, area.middle_x(), area.y - 5.0, SMALL);
            text
        } else {
            let suppressed = Word::Suppressed.text(language);
            page.gap_on_ground(x, bar_width, to_saying(&name, suppressed, language));
            suppressed.to_owned()
        };
        page.say(to_saying(&name, &said, language));
        let mut lines = wrap(&name, TEXT, slot - 8.0);
        lines.truncate(2);
        page.name(&lines, x + bar_width / 2.0, slot - 2.0);
    }
}

/// A step in a language; a text that is no step of ours as it is.
fn to_name(days: &str, language: Language) -> String {
    if days == LAG_UNKNOWN {
        return Word::LagUnknown.text(language).to_owned();
    }
    let Some((first, last, _)) = LAG_STEPS.iter().find(|(_, _, label)| *label == days) else {
        return days.to_owned();
    };
    // Thousands are not reached, and a minus is longer than a hyphen.
    let day = |day: i32| day.to_string().replace('-', "−");
    match (*first, *last) {
        (i32::MIN, last) => format!("<\u{a0}{}", day(last + 1)),
        (first, i32::MAX) => format!(">\u{a0}{}", day(first - 1)),
        (first, last) if first == last => day(first),
        (first, last) => Word::LagRange.with(language, &[&day(first), &day(last)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_names_in_both_languages() {
        let names = |language| LAG_STEPS.map(|(_, _, label)| to_name(label, language));
        assert_eq!(names(Language::English)[1], "−365 to −182");
        assert_eq!(names(Language::French)[1], "−365 à −182");
        assert_eq!(names(Language::French)[0], "<\u{a0}−365");
        assert_eq!(names(Language::English)[6], "0");
        assert_eq!(names(Language::English)[12], ">\u{a0}365");
        assert_eq!(to_name(LAG_UNKNOWN, Language::French), "jour inconnu");
        assert_eq!(to_name("other", Language::French), "other");
    }
}
