//! What surrounds every drawing: title, corridor and period, legend, axes, notes and the source.

use corridor_core::{Corridor, Period, PeriodUnit, ReleaseStatus};

use crate::picture::PictureSubject;
use crate::picture::axis::Axis;
use crate::picture::figures;
use crate::picture::metrics::width;
use crate::picture::scene::{Area, Fill, Label, Point, SUPPRESSED_SIGN, Scene, Shape, Stroke, cut, wrap};
use crate::picture::words::{Language, Word};
use crate::published::PublishedTable;

/// Of most texts.
pub(super) const TEXT: f64 = 12.0;
/// Of values at bars.
pub(super) const SMALL: f64 = 11.0;
/// Least width of a drawing.
pub(super) const WIDTH: f64 = 960.0;
const MARGIN: f64 = 28.0;
const TITLE: f64 = 20.0;
const SUBTITLE: f64 = 13.0;
const LINE: f64 = 17.0;

/// What stands in a legend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) sign: Sign,
    pub(super) text: String,
}

/// The sign of an entry of a legend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sign {
    Filled(Fill),
    /// A dot with a whisker, filled or not.
    Dot(bool),
    Suppressed,
    /// The text has it.
    None,
}

/// What a page is made from.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) table: &'a PublishedTable,
    pub(super) subject: &'a PictureSubject,
    pub(super) title: Word,
    /// What is said of the moves besides corridor, period and rule.
    pub(super) which: Option<String>,
    pub(super) legend: Vec<Key>,
    pub(super) notes: Vec<String>,
    pub(super) width: f64,
    /// Between the left margin and what is drawn.
    pub(super) left: f64,
    pub(super) plot_height: f64,
    /// Lines below it for names of bars.
    pub(super) lines_below: f64,
    pub(super) below: String,
    pub(super) beside: String,
    /// What kind of estimate there is, for the source.
    pub(super) estimate: Option<Word>,
}

/// A drawing with everything but what is drawn.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) scene: Scene,
    /// Where to draw.
    pub(super) plot: Area,
    /// Height of each line of names below it.
    pub(super) line: f64,
    sayings: Vec<String>,
}

impl Page {
    /// Lays out what surrounds the drawing.
    pub(super) fn lay_out(plan: &Plan<'_>) -> Self {
        let language = plan.subject.language;
        let room = plan.width - 2.0 * MARGIN;
        let mut scene = Scene {
            language,
            title: format!("{}: {}", plan.title.text(language), plan.subject.corridor),
            description: String::new(),
            width: plan.width,
            height: 0.0,
            shapes: Vec::new(),
        };
        let mut y = MARGIN + 12.0;
        scene.label(Label::new(plan.title.text(language), MARGIN, y, TITLE));
        y += 6.0;
        for line in wrap(&subtitle(plan), SUBTITLE, room) {
            y += LINE;
            scene.label(Label::new(line, MARGIN, y, SUBTITLE));
        }
        y += 10.0;
        y = draw_legend(&mut scene, &plan.legend, room, y);
        let plot = Area {
            x: MARGIN + plan.left,
            y: y + 22.0,
            width: room - plan.left,
            height: plan.plot_height,
        };
        y = plot.bottom() + 6.0 + LINE * plan.lines_below;
        if !plan.below.is_empty() {
            y += 20.0;
            scene.label(Label::new(plan.below.as_str(), plot.middle_x(), y, TEXT).centred());
        }
        if !plan.beside.is_empty() {
            let beside = Label::new(plan.beside.as_str(), MARGIN + TEXT, plot.middle_y(), TEXT);
            scene.label(beside.centred().upright());
        }
        y += 14.0;
        let last = [source(plan)];
        for text in plan.notes.iter().chain(&last) {
            for line in wrap(text, SMALL, room) {
                y += LINE - 1.0;
                scene.label(Label::new(line, MARGIN, y, SMALL));
            }
        }
        scene.height = y + MARGIN - 6.0;
        Self {
            scene,
            plot,
            line: LINE,
            sayings: vec![subtitle(plan)],
        }
    }

    /// Adds to what the drawing says for who cannot see it.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.sayings.push(text.into());
    }

    /// The drawing.
    pub(super) fn finish(mut self) -> Scene {
        self.scene.description = self.sayings.join(". ") + ".";
        self.scene
    }

    /// A vertical axis at the left of the plot, with lines to read values by.
    pub(super) fn draw_values(&mut self, axis: &Axis) {
        let (left, right) = (self.plot.x, self.plot.right());
        for tick in axis.ticks() {
            let y = self.plot.bottom() - axis.at(tick);
            self.scene.line((left, y), (right, y), Stroke::Grid);
            let text = figures::rounded(tick, self.scene.language);
            self.scene
                .label(Label::new(text, left - 8.0, y + 0.36 * TEXT, TEXT).ending());
        }
    }

    /// The line on which bars stand.
    pub(super) fn draw_ground(&mut self) {
        let y = self.plot.bottom();
        self.scene
            .line((self.plot.x, y), (self.plot.right(), y), Stroke::Firm);
    }

    /// Names of a bar below it, centred, line by line, cut to a width.
    pub(super) fn name(&mut self, lines: &[String], middle: f64, limit: f64) {
        let mut y = self.plot.bottom() + 4.0;
        for line in lines {
            y += self.line;
            self.scene
                .label(Label::new(cut(line, TEXT, limit), middle, y, TEXT).centred());
        }
    }

    /// The sign of a suppressed value above the ground, as wide as a bar.
    pub(super) fn gap_on_ground(&mut self, x: f64, width: f64, title: String) {
        // Off the ground, so that nobody takes it for a bar.
        let height = 14.0;
        let area = Area {
            x,
            y: self.plot.bottom() - height - 5.0,
            width,
            height,
        };
        self.scene.gap(area, title);
    }
}

/// How wide is drawn with so much room to the left.
pub(super) fn plot_width(left: f64) -> f64 {
    WIDTH - 2.0 * MARGIN - left
}

/// Room for the texts of a vertical axis and for what stands beside it.
pub(super) fn room_for(axis: &Axis, language: Language) -> f64 {
    let widest = axis
        .ticks()
        .into_iter()
        .map(|tick| width(&figures::rounded(tick, language), TEXT))
        .fold(0.0, f64::max);
    widest + TEXT + 22.0
}

/// A name and its value, as titles of bars have it.
pub(super) fn to_saying(name: &str, value: &str, language: Language) -> String {
    Word::Value.with(language, &[name, value])
}

/// The period of a row in one line or two: `2022`, or `T1` and, at the first quarter of a year, `2022`.
pub(super) fn to_period_lines(label: &str, unit: PeriodUnit, language: Language) -> [String; 2] {
    let split = match unit {
        PeriodUnit::Year => None,
        PeriodUnit::Quarter => label.split_once('-'),
    };
    match split {
        None => [label.to_owned(), String::new()],
        Some((year, quarter)) => match quarter.strip_prefix('Q') {
            Some(number) => [
                format!("{}{number}", Word::Quarter.text(language)),
                year.to_owned(),
            ],
            None => [Word::Unknown.text(language).to_owned(), year.to_owned()],
        },
    }
}

/// The same in one line.
pub(super) fn to_period(label: &str, unit: PeriodUnit, language: Language) -> String {
    let [first, second] = to_period_lines(label, unit, language);
    if second.is_empty() {
        first
    } else {
        format!("{second} {first}")
    }
}

/// The two countries of a corridor.
pub(super) fn countries(corridor: &Corridor) -> [String; 2] {
    [
        corridor.origin().0.to_string(),
        corridor.destination().0.to_string(),
    ]
}

fn subtitle(plan: &Plan<'_>) -> String {
    let language = plan.subject.language;
    let [origin, destination] = countries(&plan.subject.corridor);
    let rule = plan.table.terms.statistics.duration_rule;
    let mut moves = Word::CountedBy(rule).text(language).to_owned();
    if let Some(which) = &plan.which {
        moves += ", ";
        moves += which;
    }
    let period = to_reference_period(&plan.table.terms.period);
    Word::CorridorAndPeriod.with(language, &[&origin, &destination, &period, &moves])
}

/// Whole years as such, other periods by their first and last day.
fn to_reference_period(period: &Period) -> String {
    let (first, last) = (period.first, period.last);
    let whole_years = (first.month(), first.day(), last.month(), last.day()) == (1, 1, 12, 31);
    if whole_years && first.year() == last.year() {
        first.year().to_string()
    } else if whole_years {
        format!("{}–{}", first.year(), last.year())
    } else {
        format!("{first} – {last}")
    }
}

fn source(plan: &Plan<'_>) -> String {
    let language = plan.subject.language;
    let source = plan.subject.source;
    let mut parts = vec![Word::Source.text(language).to_owned()];
    let agreement = source.agreement.map(|digest| digest.to_short());
    parts.push(agreement.map_or_else(
        || Word::Rehearsed.text(language).to_owned(),
        |agreement| Word::Agreement.with(language, &[&agreement]),
    ));
    let run = source.run.map(|digest| digest.to_short());
    parts.extend(run.map(|run| Word::Run.with(language, &[&run])));
    let result = source.result.map(|digest| digest.to_short());
    parts.extend(result.map(|result| Word::Result.with(language, &[&result])));
    let disclosure = plan.table.terms.disclosure;
    let minimum = figures::count(u64::from(disclosure.minimum_count), language);
    let mut sentences = Vec::new();
    if plan.table.terms.status == ReleaseStatus::Provisional {
        sentences.push(Word::Provisional.text(language).to_owned());
    }
    sentences.push(parts.join(", "));
    sentences.extend(plan.table.terms.definitions.as_ref().map(|manifests| {
        let digests = [manifests.origin.to_short(), manifests.destination.to_short()];
        Word::Manifests.with(language, &[&digests[0], &digests[1]])
    }));
    sentences.push(Word::Disclosure(disclosure.method).with(language, &[&minimum]));
    sentences.extend(plan.estimate.map(|estimate| estimate.text(language).to_owned()));
    sentences.join(". ") + "."
}

/// Draws the legend in as many rows as it needs, and says where it ends.
fn draw_legend(scene: &mut Scene, legend: &[Key], room: f64, top: f64) -> f64 {
    let (sign_width, sign_height) = (24.0, 12.0);
    let mut x = MARGIN;
    let mut y = top;
    for key in legend {
        let before = match key.sign {
            Sign::Filled(_) | Sign::Dot(_) | Sign::Suppressed => sign_width + 7.0,
            Sign::None => 0.0,
        };
        let length = before + width(&key.text, TEXT);
        if x > MARGIN && x + length > MARGIN + room {
            x = MARGIN;
            y += LINE + 3.0;
        }
        let area = Area {
            x,
            y,
            width: sign_width,
            height: sign_height,
        };
        match key.sign {
            Sign::Filled(fill) => scene.add(Shape::Sample { area, fill }),
            Sign::Dot(is_filled) => {
                let at = Point {
                    x: area.middle_x(),
                    y: area.middle_y(),
                };
                scene.line((at.x, y - 3.0), (at.x, area.bottom() + 3.0), Stroke::Firm);
                scene.add(Shape::Dot {
                    at,
                    is_filled,
                    title: key.text.clone(),
                });
            }
            Sign::Suppressed => {
                scene
                    .label(Label::new(SUPPRESSED_SIGN, area.middle_x(), area.bottom() - 1.5, 13.0).centred());
                scene.add(Shape::Gap {
                    area,
                    title: key.text.clone(),
                });
            }
            Sign::None => {}
        }
        scene.label(Label::new(
            key.text.as_str(),
            x + before,
            area.bottom() - 1.5,
            TEXT,
        ));
        x += length + 22.0;
    }
    y + sign_height
}
