//! The difference I − E as a waterfall of the classes that make it.

use corridor_core::Corridor;

use crate::classes::Measure;
use crate::number::{real, real_len};
use crate::picture::axis::Axis;
use crate::picture::comparison::key;
use crate::picture::figures::{self, to_real};
use crate::picture::page::{Key, Page, Plan, Sign, TEXT, WIDTH, countries, plot_width, room_for, to_saying};
use crate::picture::scene::{Area, Fill, Point, Scene, Shape, Stroke, wrap};
use crate::picture::words::{Language, Word};
use crate::picture::{NoPicture, PictureSubject};
use crate::published::{FlowCounts, PublishedTable};

/// Each cause, with its part in the destination's list and in the origin's.
const CAUSES: [(Word, Measure, Measure); 4] = [
    (Word::Timing, Measure::TimingDestination, Measure::TimingOrigin),
    (
        Word::Definition,
        Measure::DefinitionDestination,
        Measure::DefinitionOrigin,
    ),
    (Word::Partner, Measure::PartnerDestination, Measure::PartnerOrigin),
    (
        Word::Unmatched,
        Measure::UnmatchedDestination,
        Measure::UnmatchedOrigin,
    ),
];
const PLOT_HEIGHT: f64 = 320.0;
/// Above the highest bar, for its value.
const HEADROOM: f64 = 24.0;

/// One step from E to I.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    name: String,
    /// What it is the difference of; empty where that is not shown.
    parts: String,
    change: i128,
    is_shown: bool,
}

impl Step {
    /// What stands below it, in the width of a slot.
    fn lines(&self, slot: f64) -> Vec<String> {
        let mut lines = wrap(&self.name, TEXT, slot - 8.0);
        lines.truncate(4);
        if !self.parts.is_empty() {
            lines.push(self.parts.clone());
        }
        lines
    }
}

/// What a row shows of the way from E to I.
#[derive(Debug, Clone, PartialEq)]
enum Way {
    Steps {
        first: u64,
        last: u64,
        steps: Vec<Step>,
    },
    /// E or I is suppressed.
    Hidden {
        first: Option<u64>,
        last: Option<u64>,
    },
}

impl Way {
    /// The causes of which both parts are shown, one step each; what the others make together is one step, which is no more than
    /// E, I and the shown ones tell.
    fn of(counts: &FlowCounts, language: Language) -> Self {
        let ends = (
            counts.get(Measure::EmigrationsOwn),
            counts.get(Measure::Immigrations),
        );
        let (Some(first), Some(last)) = ends else {
            let (first, last) = ends;
            return Self::Hidden { first, last };
        };
        let mut steps = Vec::new();
        let mut hidden = Vec::new();
        let mut rest = i128::from(last) - i128::from(first);
        for (cause, there, here) in CAUSES {
            let name = cause.text(language);
            if let (Some(there), Some(here)) = (counts.get(there), counts.get(here)) {
                let change = i128::from(there) - i128::from(here);
                rest -= change;
                steps.push(Step {
                    name: name.to_owned(),
                    parts: format!(
                        "{} − {}",
                        figures::count(there, language),
                        figures::count(here, language)
                    ),
                    change,
                    is_shown: true,
                });
            } else {
                // The word before what explains it.
                let short = name.split([':', '\u{a0}']).next().unwrap_or(name);
                hidden.push(short);
            }
        }
        // Without a hidden class there is a rest only in a table that was changed by hand.
        if !hidden.is_empty() || rest != 0 {
            steps.push(Step {
                name: Word::NotShown.with(language, &[&hidden.join(", ")]),
                parts: String::new(),
                change: rest,
                is_shown: false,
            });
        }
        Self::Steps { first, last, steps }
    }

    /// What is reached after each step, beginning with E.
    fn levels(first: u64, steps: &[Step]) -> Vec<f64> {
        let mut level = i128::from(first);
        let mut levels = vec![to_real(level)];
        for step in steps {
            level += step.change;
            levels.push(to_real(level));
        }
        levels
    }
}

pub(super) fn draw(table: &PublishedTable, subject: &PictureSubject) -> Result<Scene, NoPicture> {
    let language = subject.language;
    let total = table
        .rows
        .iter()
        .find(|row| row.corridor == subject.corridor && row.group.is_by(&[]))
        .ok_or(NoPicture::NoRow)?;
    let way = Way::of(&total.counts, language);
    let axis = to_axis(&way);
    let is_broken = axis.first() > 0.0;
    let mut legend = ends(&subject.corridor, language);
    let mut notes = Vec::new();
    match &way {
        Way::Steps { steps, .. } => {
            legend.push(key(Sign::Filled(Fill::Middle), Word::Increase.text(language)));
            legend.push(key(Sign::Filled(Fill::Falling), Word::Decrease.text(language)));
            if steps.iter().any(|step| !step.is_shown) {
                legend.push(key(Sign::Filled(Fill::Crossed), Word::Hidden.text(language)));
            }
            notes.push(Word::StepsAre.text(language).to_owned());
            if is_broken {
                notes.push(Word::BrokenAxis.text(language).to_owned());
            }
        }
        Way::Hidden { .. } => {
            legend.push(key(Sign::Suppressed, Word::Suppressed.text(language)));
            notes.push(Word::EndsSuppressed.text(language).to_owned());
        }
    }
    let left = room_for(&axis, language);
    let lines_below = match &way {
        Way::Steps { steps, .. } => {
            let slot = plot_width(left) / real_len(steps.len() + 2);
            real_len(steps.iter().map(|step| step.lines(slot).len()).max().unwrap_or(1))
        }
        Way::Hidden { .. } => 2.0,
    };
    let mut page = Page::lay_out(&Plan {
        table,
        subject,
        title: Word::DifferenceTitle,
        which: Some(Word::AllPeriods.text(language).to_owned()),
        legend,
        notes,
        width: WIDTH,
        left,
        plot_height: PLOT_HEIGHT,
        lines_below,
        below: String::new(),
        beside: Word::Moves.text(language).to_owned(),
        estimate: None,
    });
    page.draw_values(&axis);
    match way {
        Way::Steps { first, last, steps } => draw_steps(&mut page, &axis, (first, last), &steps, subject),
        Way::Hidden { first, last } => draw_hidden(&mut page, &axis, [first, last], subject),
    }
    page.draw_ground();
    Ok(page.finish())
}

/// From 0, or, where the steps would be too small to see beside E and I, from below them.
fn to_axis(way: &Way) -> Axis {
    let levels = match way {
        Way::Steps { first, last, steps } => {
            let mut levels = Way::levels(*first, steps);
            levels.push(real(*last));
            levels
        }
        Way::Hidden { first, last } => [first, last]
            .into_iter()
            .flatten()
            .map(|end| real(*end))
            .collect(),
    };
    let highest = levels.iter().copied().fold(0.0, f64::max);
    let lowest = levels.iter().copied().fold(highest, f64::min);
    let grown = |first: f64| first + (highest - first) * PLOT_HEIGHT / (PLOT_HEIGHT - HEADROOM);
    let spread = highest - lowest;
    let is_broken = matches!(way, Way::Steps { .. }) && spread > 0.0 && 3.0 * spread < highest;
    if is_broken {
        // A third of the picture stays below the lowest level, so that E and I are bars still.
        let first = lowest - 0.6 * spread;
        Axis::between(first, grown(first), PLOT_HEIGHT)
    } else {
        Axis::from_zero(grown(0.0), PLOT_HEIGHT)
    }
}

fn ends(corridor: &Corridor, language: Language) -> Vec<Key> {
    let [origin, destination] = countries(corridor);
    vec![
        key(
            Sign::Filled(Fill::Light),
            Word::EmigrationsOwn.with(language, &[&origin]),
        ),
        key(
            Sign::Filled(Fill::Rising),
            Word::Immigrations.with(language, &[&destination]),
        ),
    ]
}

fn draw_steps(
    page: &mut Page,
    axis: &Axis,
    (first, last): (u64, u64),
    steps: &[Step],
    subject: &PictureSubject,
) {
    let language = subject.language;
    let levels = Way::levels(first, steps);
    let slot = page.plot.width / real_len(steps.len() + 2);
    let bar_width = 0.62 * slot;
    let left = |position: usize| page.plot.x + slot * real_len(position) + (slot - bar_width) / 2.0;
    let (bottom, lefts) = (
        page.plot.bottom(),
        (0..steps.len() + 2).map(left).collect::<Vec<_>>(),
    );
    let y = |level: f64| bottom - axis.at(level);
    // What ties each level to the next bar.
    for (position, level) in levels.iter().enumerate() {
        let (from, to) = (lefts[position] + bar_width, lefts[position + 1]);
        page.scene
            .line((from, y(*level)), (to, y(*level)), Stroke::Dashed);
    }
    for (position, end, sign) in [(0, first, "E"), (steps.len() + 1, last, "I")] {
        let text = figures::count(end, language);
        let top = y(real(end));
        let area = Area {
            x: lefts[position],
            y: top,
            width: bar_width,
            height: bottom - top,
        };
        page.scene.add(Shape::Bar {
            area,
            fill: if position == 0 { Fill::Light } else { Fill::Rising },
            title: to_saying(sign, &text, language),
        });
        if axis.first() > 0.0 {
            for x in [area.x, area.right()] {
                page.scene.add(Shape::Break(Point { x, y: bottom - 12.0 }));
            }
        }
        page.scene.value(&text, area.middle_x(), top - 6.0, TEXT);
        page.name(&[sign.to_owned()], area.middle_x(), slot);
    }
    let mut said = vec![format!("E {}", figures::count(first, language))];
    for (position, step) in steps.iter().enumerate() {
        let (from, to) = (y(levels[position]), y(levels[position + 1]));
        let area = Area {
            x: lefts[position + 1],
            y: from.min(to),
            width: bar_width,
            height: (from - to).abs(),
        };
        let fill = match (step.is_shown, step.change >= 0) {
            (false, _) => Fill::Crossed,
            (true, true) => Fill::Middle,
            (true, false) => Fill::Falling,
        };
        let text = figures::difference(step.change, language);
        if step.change == 0 {
            page.scene
                .line((area.x, from), (area.right(), from), Stroke::Firm);
        }
        page.scene.add(Shape::Bar {
            area,
            fill,
            title: to_saying(&step.name, &text, language),
        });
        page.scene.value(&text, area.middle_x(), area.y - 6.0, TEXT);
        page.name(&step.lines(slot), area.middle_x(), slot - 2.0);
        said.push(format!("{} {text}", step.name));
    }
    said.push(format!("I {}", figures::count(last, language)));
    page.say(said.join("; "));
}

/// E or I where it is shown, and signs in place of all that cannot be drawn without the other.
fn draw_hidden(page: &mut Page, axis: &Axis, ends: [Option<u64>; 2], subject: &PictureSubject) {
    let language = subject.language;
    let slot = page.plot.width / real_len(CAUSES.len() + 2);
    let bar_width = 0.62 * slot;
    let suppressed = Word::Suppressed.text(language);
    let mut said = Vec::new();
    for position in 0..CAUSES.len() + 2 {
        let x = page.plot.x + slot * real_len(position) + (slot - bar_width) / 2.0;
        let (name, value, fill) = match position.checked_sub(1) {
            None => ("E", ends[0], Fill::Light),
            Some(cause) => match CAUSES.get(cause) {
                Some((word, ..)) => (word.text(language), None, Fill::Crossed),
                None => ("I", ends[1], Fill::Rising),
            },
        };
        if let Some(value) = value {
            let text = figures::count(value, language);
            let height = axis.at(real(value));
            let area = Area {
                x,
                y: page.plot.bottom() - height,
                width: bar_width,
                height,
            };
            page.scene.add(Shape::Bar {
                area,
                fill,
                title: to_saying(name, &text, language),
            });
            page.scene.value(&text, area.middle_x(), area.y - 6.0, TEXT);
            said.push(format!("{name} {text}"));
        } else {
            page.gap_on_ground(x, bar_width, to_saying(name, suppressed, language));
            said.push(format!("{name} {suppressed}"));
        }
        let names = wrap(name, TEXT, slot - 8.0);
        page.name(&names, x + bar_width / 2.0, slot - 2.0);
    }
    page.say(said.join("; "));
}
