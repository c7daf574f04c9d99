//! Matched and unmatched moves by sex and age: men to the left, women to the right, the young below.

use corridor_core::{AgeBand, Sex, Variable};

use crate::classes::Measure;
use crate::number::{real, real_len};
use crate::picture::axis::Axis;
use crate::picture::comparison::key;
use crate::picture::metrics::width;
use crate::picture::page::{Key, Page, Plan, SMALL, Sign, TEXT, WIDTH, countries, to_period, to_saying};
use crate::picture::scene::{Area, Fill, Label, Scene, Shape, Stroke};
use crate::picture::words::{Language, Word};
use crate::picture::{NoPicture, PictureSubject, figures};
use crate::published::{FlowCounts, FlowRow, PublishedTable};
use crate::terms::UNKNOWN;

/// From the middle outwards.
const SEGMENTS: [(Measure, Fill); 3] = [
    (Measure::Matched, Fill::Dark),
    (Measure::OnlyOrigin, Fill::Light),
    (Measure::OnlyDestination, Fill::Rising),
];
/// Between the two sides, for the names of bands.
const GUTTER: f64 = 84.0;
/// Width of the sign of a suppressed part, whatever it is.
const GAP: f64 = 22.0;

/// The rows of a pyramid: of all periods, or of the last one where no table has all taken together.
struct Rows<'a> {
    age: Variable,
    period: Option<&'a str>,
    rows: Vec<&'a FlowRow>,
}

impl<'a> Rows<'a> {
    fn of(table: &'a PublishedTable, subject: &PictureSubject) -> Option<Self> {
        for age in [Variable::Age, Variable::AgeReached] {
            for (period, variables) in [
                (false, &[Variable::Sex, age][..]),
                (true, &[Variable::Period, Variable::Sex, age][..]),
            ] {
                let mut rows: Vec<&FlowRow> = table
                    .rows
                    .iter()
                    .filter(|row| row.corridor == subject.corridor && row.group.is_by(variables))
                    .collect();
                let last = period
                    .then(|| rows.last().and_then(|row| row.group.get(Variable::Period)))
                    .flatten();
                rows.retain(|row| row.group.get(Variable::Period) == last);
                if !rows.is_empty() {
                    return Some(Self {
                        age,
                        period: last,
                        rows,
                    });
                }
            }
        }
        None
    }

    fn counts(&self, sex: Sex, band: &str) -> Option<FlowCounts> {
        let is_it = |row: &&&FlowRow| {
            row.group.get(Variable::Sex) == Some(sex.as_str()) && row.group.get(self.age) == Some(band)
        };
        self.rows.iter().find(is_it).map(|row| row.counts)
    }

    /// Those with an unknown age only where there are some, or may be.
    fn bands(&self, table: &PublishedTable) -> Vec<String> {
        let ages = &table.terms.age_bands;
        let mut bands: Vec<String> = (0..ages.len())
            .filter_map(|band| ages.label(AgeBand(u8::try_from(band).ok()?)))
            .collect();
        let is_there = |sex| {
            self.counts(sex, UNKNOWN).is_some_and(|counts| {
                SEGMENTS
                    .iter()
                    .any(|(measure, _)| counts.get(*measure) != Some(0))
            })
        };
        if is_there(Sex::Male) || is_there(Sex::Female) {
            bands.insert(0, UNKNOWN.to_owned());
        }
        bands
    }

    /// What is said of the moves that are on neither side.
    fn sex_not_known(&self, language: Language) -> Option<String> {
        let mut sum = 0_u64;
        for row in &self.rows {
            if row.group.get(Variable::Sex) == Some(Sex::Unknown.as_str()) {
                for (measure, _) in SEGMENTS {
                    let Some(count) = row.counts.get(measure) else {
                        return Some(Word::SexNotKnownSuppressed.text(language).to_owned());
                    };
                    sum = sum.saturating_add(count);
                }
            }
        }
        (sum > 0).then(|| Word::SexNotKnown.with(language, &[&figures::count(sum, language)]))
    }
}

pub(super) fn draw(table: &PublishedTable, subject: &PictureSubject) -> Result<Scene, NoPicture> {
    let language = subject.language;
    let rows = Rows::of(table, subject).ok_or(NoPicture::NotBySexAndAge)?;
    let bands = rows.bands(table);
    let sides = [Sex::Male, Sex::Female];
    let all: Vec<FlowCounts> = bands
        .iter()
        .flat_map(|band| sides.map(|sex| rows.counts(sex, band)))
        .flatten()
        .collect();
    let shown = |counts: &FlowCounts| -> f64 {
        SEGMENTS
            .iter()
            .filter_map(|(measure, _)| counts.get(*measure).map(real))
            .sum()
    };
    let [origin, destination] = countries(&subject.corridor);
    let segments = [
        Word::InBoth.text(language).to_owned(),
        Word::OnlyOrigin.with(language, &[&origin]),
        Word::OnlyDestination.with(language, &[&destination]),
    ];
    let mut legend: Vec<Key> = SEGMENTS
        .iter()
        .zip(&segments)
        .map(|((_, fill), name)| key(Sign::Filled(*fill), name.as_str()))
        .collect();
    let is_hidden = |counts: &FlowCounts| SEGMENTS.iter().any(|(measure, _)| counts.get(*measure).is_none());
    if all.iter().any(is_hidden) {
        legend.push(key(Sign::Suppressed, Word::Suppressed.text(language)));
    }
    let row_height = (420.0 / real_len(bands.len())).clamp(20.0, 42.0);
    let unit = table.terms.statistics.period_unit;
    let which = rows.period.map_or_else(
        || Word::AllPeriods.text(language).to_owned(),
        |period| Word::OnePeriod.with(language, &[&to_period(period, unit, language)]),
    );
    let mut page = Page::lay_out(&Plan {
        table,
        subject,
        title: Word::PyramidTitle,
        which: Some(which),
        legend,
        notes: rows.sex_not_known(language).into_iter().collect(),
        width: WIDTH,
        left: 24.0,
        plot_height: HEADING + row_height * real_len(bands.len()),
        lines_below: 1.0,
        below: Word::Moves.text(language).to_owned(),
        beside: match rows.age {
            Variable::AgeReached => Word::AgeReached,
            Variable::Period
            | Variable::Sex
            | Variable::Age
            | Variable::Citizenship
            | Variable::BirthCountry
            | Variable::MigratoryStatus
            | Variable::Reason => Word::Age,
        }
        .text(language)
        .to_owned(),
        estimate: None,
    });
    // Room for signs beside the longest bar.
    let length = (page.plot.width - GUTTER) / 2.0;
    let axis = Axis::from_zero(all.iter().map(shown).fold(0.0, f64::max), length - GAP * 3.0);
    draw_frame(&mut page, &axis, language);
    page.say(segments.join(" + "));
    for (position, band) in bands.iter().rev().enumerate() {
        let y = page.plot.y + HEADING + row_height * real_len(position);
        let name = if band == UNKNOWN {
            Word::Unknown.text(language).to_owned()
        } else {
            band.replace('-', "–")
        };
        let base = y + row_height / 2.0 + 0.36 * TEXT;
        page.scene
            .label(Label::new(name.as_str(), page.plot.middle_x(), base, TEXT).centred());
        for sex in sides {
            if let Some(counts) = rows.counts(sex, band) {
                let bar = Bar {
                    sex,
                    band: &name,
                    segments: &segments,
                    y: y + 0.1 * row_height,
                    height: 0.8 * row_height,
                };
                draw_bar(&mut page, &axis, &bar, &counts, language);
            }
        }
    }
    Ok(page.finish())
}

/// Above the bars, for the names of the sides.
const HEADING: f64 = 22.0;

fn name_of(sex: Sex, language: Language) -> &'static str {
    match sex {
        Sex::Male => Word::Men.text(language),
        Sex::Female => Word::Women.text(language),
        Sex::Unknown => Word::Unknown.text(language),
    }
}

/// Where a side begins, and which way it grows.
fn side(page: &Page, sex: Sex) -> (f64, f64) {
    let middle = page.plot.middle_x();
    match sex {
        Sex::Male => (middle - GUTTER / 2.0, -1.0),
        Sex::Female | Sex::Unknown => (middle + GUTTER / 2.0, 1.0),
    }
}

fn draw_frame(page: &mut Page, axis: &Axis, language: Language) {
    let (top, bottom) = (page.plot.y + HEADING - 4.0, page.plot.bottom());
    let ticks = axis.ticks();
    let widest = ticks
        .iter()
        .map(|tick| width(&figures::rounded(*tick, language), TEXT) + 8.0)
        .fold(0.0, f64::max);
    // Long numbers stand at every second line, or at fewer.
    let apart = axis.at(f64::MAX) / real_len(ticks.len());
    let every = (1..ticks.len())
        .find(|every| real_len(*every) * apart >= widest)
        .unwrap_or(ticks.len());
    for sex in [Sex::Male, Sex::Female] {
        let (begin, way) = side(page, sex);
        for (position, tick) in ticks.iter().copied().enumerate() {
            let x = begin + way * axis.at(tick);
            page.scene.line((x, top), (x, bottom), Stroke::Grid);
            if position % every == 0 {
                let text = figures::rounded(tick, language);
                page.scene
                    .label(Label::new(text, x, bottom + 16.0, TEXT).centred());
            }
        }
        page.scene.line((begin, top), (begin, bottom), Stroke::Firm);
        let middle = begin + way * (page.plot.width - GUTTER) / 4.0;
        let name = Label::new(name_of(sex, language), middle, page.plot.y + 10.0, 13.0);
        page.scene.label(name.centred());
    }
}

struct Bar<'a> {
    sex: Sex,
    band: &'a str,
    /// Names of [`SEGMENTS`].
    segments: &'a [String; 3],
    y: f64,
    height: f64,
}

/// The parts of one band and sex, outwards. Suppressed parts beside each other are one sign.
fn draw_bar(page: &mut Page, axis: &Axis, bar: &Bar<'_>, counts: &FlowCounts, language: Language) {
    let (mut x, way) = side(page, bar.sex);
    let suppressed = Word::Suppressed.text(language);
    let name = format!("{} {}", name_of(bar.sex, language), bar.band);
    let mut said = Vec::new();
    let mut was_gap = false;
    for ((measure, fill), segment) in SEGMENTS.into_iter().zip(bar.segments) {
        let value = counts.get(measure);
        let length = value.map_or(GAP, |value| axis.at(real(value)));
        let area = Area {
            x: if way < 0.0 { x - length } else { x },
            y: bar.y,
            width: length,
            height: bar.height,
        };
        match value {
            Some(0) => {}
            Some(value) => {
                let text = figures::count(value, language);
                let title = to_saying(&format!("{name}, {segment}"), &text, language);
                page.scene.add(Shape::Bar { area, fill, title });
                write_inside(&mut page.scene, area, fill, &text);
            }
            // One sign for parts beside each other: nothing is told of how many there are of whom.
            None if was_gap => {}
            None => page.scene.gap(area, to_saying(&name, suppressed, language)),
        }
        if value.is_some() || !was_gap {
            x += way * length;
        }
        // A part of 0 is nowhere, and keeps no two signs apart.
        if value != Some(0) {
            was_gap = value.is_none();
        }
        said.push(value.map_or_else(|| suppressed.to_owned(), |value| figures::count(value, language)));
    }
    page.say(to_saying(&name, &said.join(" + "), language));
}

/// Writes a value into its bar where it has room.
fn write_inside(scene: &mut Scene, area: Area, fill: Fill, text: &str) {
    let length = width(text, SMALL);
    if length + 8.0 > area.width || area.height < SMALL + 3.0 {
        return;
    }
    match fill {
        Fill::Dark | Fill::Middle | Fill::Light => {}
        Fill::Rising | Fill::Falling | Fill::Crossed => scene.add(Shape::Plate(Area {
            x: area.middle_x() - length / 2.0 - 3.0,
            y: area.middle_y() - 0.62 * SMALL,
            width: length + 6.0,
            height: 1.24 * SMALL,
        })),
    }
    let mut label = Label::new(text, area.middle_x(), area.middle_y() + 0.36 * SMALL, SMALL).centred();
    label.is_white = match fill {
        Fill::Dark => true,
        Fill::Middle | Fill::Light | Fill::Rising | Fill::Falling | Fill::Crossed => false,
    };
    scene.label(label);
}
