//! The mirror comparison: what each office counts, what both do, and how many moves there were, by period.

use corridor_core::Variable;

use crate::classes::Measure;
use crate::number::{real, real_len};
use crate::picture::axis::Axis;
use crate::picture::metrics::width;
use crate::picture::page::{
    Key, Page, Plan, SMALL, Sign, WIDTH, countries, plot_width, room_for, to_period, to_period_lines,
    to_saying,
};
use crate::picture::scene::{Area, Fill, Label, Point, Scene, Shape, Stroke};
use crate::picture::words::{Language, Word};
use crate::picture::{NoPicture, PictureSubject, figures};
use crate::published::{FlowRow, PublishedTable};

/// What is drawn as bars, in their order.
const BARS: [(Measure, Fill); 3] = [
    (Measure::Emigrations, Fill::Light),
    (Measure::Immigrations, Fill::Rising),
    (Measure::Matched, Fill::Dark),
];
const PLOT_HEIGHT: f64 = 330.0;
/// Least width of a period.
const LEAST_SLOT: f64 = 44.0;
/// Above the tallest bar, for its value.
const HEADROOM: f64 = 46.0;

/// What can be said of how many moves there were.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Corrected([f64; 3]),
    Chapman([f64; 3]),
    Suppressed,
    Nothing,
}

impl Told {
    fn of(row: &FlowRow) -> Self {
        if let Some(corrected) = &row.corrected {
            return Self::Corrected([
                corrected.interval.low,
                corrected.estimate,
                corrected.interval.high,
            ]);
        }
        if let Some(estimate) = &row.estimate {
            return Self::Chapman([estimate.low, estimate.point, estimate.high]);
        }
        if BARS.iter().any(|(measure, _)| row.counts.get(*measure).is_none()) {
            Self::Suppressed
        } else {
            Self::Nothing
        }
    }

    const fn figures(self) -> Option<[f64; 3]> {
        match self {
            Self::Corrected(figures) | Self::Chapman(figures) => Some(figures),
            Self::Suppressed | Self::Nothing => None,
        }
    }
}

struct Column<'a> {
    lines: [String; 2],
    name: String,
    row: &'a FlowRow,
    told: Told,
}

pub(super) fn draw(table: &PublishedTable, subject: &PictureSubject) -> Result<Scene, NoPicture> {
    let language = subject.language;
    let columns = columns(table, subject);
    if columns.is_empty() {
        return Err(NoPicture::NoRow);
    }
    let largest = columns
        .iter()
        .flat_map(|column| {
            let counts = BARS.map(|(measure, _)| column.row.counts.get(measure).map(real));
            counts
                .into_iter()
                .flatten()
                .chain(column.told.figures().into_iter().flatten())
        })
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max);
    let axis = Axis::from_zero(largest * PLOT_HEIGHT / (PLOT_HEIGHT - HEADROOM), PLOT_HEIGHT);
    let [origin, destination] = countries(&subject.corridor);
    let has = |wanted: fn(Told) -> bool| columns.iter().any(|column| wanted(column.told));
    let (has_corrected, has_chapman) = (
        has(|told| matches!(told, Told::Corrected(_))),
        has(|told| matches!(told, Told::Chapman(_))),
    );
    let mut legend = vec![
        key(
            Sign::Filled(Fill::Light),
            Word::Emigrations.with(language, &[&origin]),
        ),
        key(
            Sign::Filled(Fill::Rising),
            Word::Immigrations.with(language, &[&destination]),
        ),
        key(Sign::Filled(Fill::Dark), Word::Matched.text(language)),
    ];
    if has_corrected {
        legend.push(key(Sign::Dot(true), Word::Corrected.text(language)));
    }
    if has_chapman {
        legend.push(key(Sign::Dot(false), Word::Chapman.text(language)));
    }
    let is_hidden = |column: &Column<'_>| {
        BARS.iter()
            .any(|(measure, _)| column.row.counts.get(*measure).is_none())
    };
    if columns.iter().any(is_hidden) {
        legend.push(key(Sign::Suppressed, Word::Suppressed.text(language)));
    }
    if has(|told| told == Told::Nothing) {
        legend.push(key(Sign::None, Word::NoEstimate.text(language)));
    }
    let left = room_for(&axis, language);
    let mut page = Page::lay_out(&Plan {
        table,
        subject,
        title: Word::MirrorTitle,
        which: None,
        legend,
        notes: vec![Word::PeriodOfImmigration.text(language).to_owned()],
        // Many periods make it wider, so that each can be told from the next.
        width: (WIDTH - plot_width(left) + LEAST_SLOT * real_len(columns.len())).clamp(WIDTH, 2400.0),
        left,
        plot_height: PLOT_HEIGHT,
        lines_below: if columns.iter().any(|column| !column.lines[1].is_empty()) {
            2.0
        } else {
            1.0
        },
        below: Word::PeriodAxis.text(language).to_owned(),
        beside: Word::Moves.text(language).to_owned(),
        estimate: match (has_corrected, has_chapman) {
            (true, true) => Some(Word::EstimateBoth),
            (true, false) => Some(Word::EstimateCorrected),
            (false, true) => Some(Word::EstimateChapman),
            (false, false) => None,
        },
    });
    page.draw_values(&axis);
    draw_columns(&mut page, &axis, &columns, language);
    page.draw_ground();
    name_columns(&mut page, &columns);
    Ok(page.finish())
}

/// By period where the table is by it, else all periods together.
fn columns<'a>(table: &'a PublishedTable, subject: &PictureSubject) -> Vec<Column<'a>> {
    let unit = table.terms.statistics.period_unit;
    let rows = |variables: &'static [Variable]| {
        table
            .rows
            .iter()
            .filter(move |row| row.corridor == subject.corridor && row.group.is_by(variables))
    };
    let column = |lines: [String; 2], name: String, row: &'a FlowRow| Column {
        lines,
        name,
        row,
        told: Told::of(row),
    };
    let by_period: Vec<Column<'a>> = rows(&[Variable::Period])
        .map(|row| {
            let label = row.group.get(Variable::Period).unwrap_or_default();
            column(
                to_period_lines(label, unit, subject.language),
                to_period(label, unit, subject.language),
                row,
            )
        })
        .collect();
    if !by_period.is_empty() {
        return by_period;
    }
    let all = Word::AllPeriods.text(subject.language).to_owned();
    rows(&[])
        .map(|row| column([all.clone(), String::new()], all.clone(), row))
        .collect()
}

fn draw_columns(page: &mut Page, axis: &Axis, columns: &[Column<'_>], language: Language) {
    let slot = page.plot.width / real_len(columns.len());
    // Three bars and the estimate, closer to each other than to those of the next period.
    let place = (0.86 * slot / 4.0).min(64.0);
    let values_fit = columns.iter().all(|column| {
        let counts = BARS.map(|(measure, _)| column.row.counts.get(measure));
        let counts = counts
            .into_iter()
            .flatten()
            .map(|value| figures::count(value, language));
        let estimate = column
            .told
            .figures()
            .map(|[_, point, _]| figures::rounded(point, language));
        counts
            .chain(estimate)
            .all(|text| width(&text, SMALL) <= place - 3.0)
    });
    let write_value = |scene: &mut Scene, text: String, middle: f64, top: f64| {
        if values_fit {
            scene.value(&text, middle, top - 5.0, SMALL);
        } else if place >= SMALL + 2.0 {
            scene.upright_value(&text, middle, top - 5.0, SMALL);
        }
    };
    let bottom = page.plot.bottom();
    for (position, column) in columns.iter().enumerate() {
        let left = page.plot.x + slot * real_len(position) + (slot - 4.0 * place) / 2.0;
        let mut said = Vec::new();
        for (bar, (measure, fill)) in BARS.into_iter().enumerate() {
            let sign = ["E", "I", "M"][bar];
            let (x, bar_width) = (left + place * real_len(bar) + 0.06 * place, 0.88 * place);
            let name = format!("{} {sign}", column.name);
            if let Some(value) = column.row.counts.get(measure) {
                let text = figures::count(value, language);
                let height = axis.at(real(value));
                let area = Area {
                    x,
                    y: bottom - height,
                    width: bar_width,
                    height,
                };
                page.scene.add(Shape::Bar {
                    area,
                    fill,
                    title: to_saying(&name, &text, language),
                });
                write_value(&mut page.scene, text.clone(), area.middle_x(), area.y);
                said.push(format!("{sign} {text}"));
            } else {
                let suppressed = Word::Suppressed.text(language);
                page.gap_on_ground(x, bar_width, to_saying(&name, suppressed, language));
                said.push(format!("{sign} {suppressed}"));
            }
        }
        let middle = left + 3.5 * place;
        said.push(draw_estimate(page, axis, column, (middle, place), language));
        if let Some([low, point, high]) = column.told.figures() {
            let top = bottom - axis.at(point.max(low).max(high));
            write_value(
                &mut page.scene,
                figures::rounded(point, language),
                middle,
                top - 3.0,
            );
        }
        page.say(to_saying(&column.name, &said.join(", "), language));
    }
}

/// Draws the estimate of a column, and says it.
fn draw_estimate(
    page: &mut Page,
    axis: &Axis,
    column: &Column<'_>,
    (middle, place): (f64, f64),
    language: Language,
) -> String {
    let bottom = page.plot.bottom();
    let Some([low, point, high]) = column.told.figures() else {
        let name = format!("{} N\u{302}", column.name);
        return match column.told {
            Told::Suppressed => {
                let suppressed = Word::Suppressed.text(language);
                let title = to_saying(&name, suppressed, language);
                page.gap_on_ground(middle - 0.44 * place, 0.88 * place, title);
                format!("N\u{302} {suppressed}")
            }
            Told::Nothing | Told::Corrected(_) | Told::Chapman(_) => {
                page.scene
                    .label(Label::new("–", middle, bottom - 6.0, SMALL).centred());
                "N\u{302} –".to_owned()
            }
        };
    };
    let y = |value: f64| bottom - axis.at(value);
    let half = (0.2 * place).clamp(2.0, 8.0);
    page.scene.line((middle, y(low)), (middle, y(high)), Stroke::Firm);
    for end in [low, high] {
        page.scene
            .line((middle - half, y(end)), (middle + half, y(end)), Stroke::Firm);
    }
    let [low, text, high] = [low, point, high].map(|figure| figures::rounded(figure, language));
    let said = format!(
        "N\u{302} {}",
        Word::WithInterval.with(language, &[&text, &low, &high])
    );
    page.scene.add(Shape::Dot {
        at: Point {
            x: middle,
            y: y(point),
        },
        is_filled: matches!(column.told, Told::Corrected(_)),
        title: format!("{} {said}", column.name),
    });
    said
}

/// Names every period, or as many as have room, and each year once.
fn name_columns(page: &mut Page, columns: &[Column<'_>]) {
    let slot = page.plot.width / real_len(columns.len());
    let widest = columns
        .iter()
        .map(|column| width(&column.lines[0], crate::picture::page::TEXT) + 6.0)
        .fold(0.0, f64::max);
    let mut every = 1;
    while real_len(every) * slot < widest && every < columns.len() {
        every += 1;
    }
    let mut year_named = "";
    for (position, column) in columns.iter().enumerate() {
        if position % every != 0 {
            continue;
        }
        let [first, second] = &column.lines;
        let mut lines = vec![first.clone()];
        if second != year_named {
            lines.push(second.clone());
            year_named = second;
        }
        let middle = page.plot.x + slot * (real_len(position) + 0.5);
        page.name(&lines, middle, real_len(every) * slot);
    }
}

pub(super) fn key(sign: Sign, text: impl Into<String>) -> Key {
    Key {
        sign,
        text: text.into(),
    }
}
