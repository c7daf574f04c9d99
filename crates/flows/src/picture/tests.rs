use super::*;
use crate::carried::{CarriedError, LinkQuality};
use crate::classes::Measure;
use crate::estimate::chapman;
use crate::interval::Interval;
use crate::noise::ClassNoise;
use crate::number::real;
use crate::picture::scene::{Scene, Shape};
use crate::published::{FlowCounts, FlowRow, Group, LagRow};
use crate::reconcile::{LAG_STEPS, LAG_UNKNOWN};
use crate::terms::{FlowTerms, UNKNOWN};
use corridor_core::{
    AgeBands, Destination, DisclosureMethod, DisclosureRule, Origin, Period, PeriodUnit, Sex,
    StatisticsTerms, Variable,
};
use proptest::prelude::*;

fn corridor() -> Corridor {
    Corridor::try_new(Origin("TN".parse().unwrap()), Destination("IT".parse().unwrap())).unwrap()
}

fn terms(period_unit: PeriodUnit) -> FlowTerms {
    FlowTerms {
        corridor: corridor(),
        period: Period {
            first: "2021-01-01".parse().unwrap(),
            last: "2024-12-31".parse().unwrap(),
        },
        age_bands: AgeBands::try_from(vec![0, 15, 30, 45, 65]).unwrap(),
        statistics: StatisticsTerms {
            period_unit,
            tables: vec![vec![Variable::Period, Variable::Sex, Variable::Age]],
            ..StatisticsTerms::default()
        },
        disclosure: DisclosureRule {
            minimum_count: 10,
            method: DisclosureMethod::Suppression,
        },
        definitions: None,
        status: corridor_core::ReleaseStatus::Final,
    }
}

/// Counts that fit each other, from the nine classes: agree, then timing, definition, partner and unmatched of both sides.
fn counts(classes: [u64; 9]) -> FlowCounts {
    let [agree, to, td, fo, fd, po, pd, uo, ud] = classes;
    FlowCounts::from_array(Measure::ALL.map(|measure| {
        Some(match measure {
            Measure::Emigrations => agree + td + fo + po + uo,
            Measure::Immigrations => agree + td + fd + pd + ud,
            Measure::Matched => agree + td,
            Measure::OnlyOrigin => fo + po + uo,
            Measure::OnlyDestination => fd + pd + ud,
            Measure::EmigrationsOwn => agree + to + fo + po + uo,
            Measure::Agree => agree,
            Measure::TimingOrigin => to,
            Measure::TimingDestination => td,
            Measure::DefinitionOrigin => fo,
            Measure::DefinitionDestination => fd,
            Measure::PartnerOrigin => po,
            Measure::PartnerDestination => pd,
            Measure::UnmatchedOrigin => uo,
            Measure::UnmatchedDestination => ud,
        })
    }))
}

fn without(counts: &FlowCounts, hidden: &[Measure]) -> FlowCounts {
    FlowCounts::from_array(
        Measure::ALL.map(|measure| counts.get(measure).filter(|_| !hidden.contains(&measure))),
    )
}

fn row(group: &[(Variable, &str)], counts: FlowCounts) -> FlowRow {
    let get = |measure| counts.get(measure);
    let shown = (
        get(Measure::Emigrations),
        get(Measure::Immigrations),
        get(Measure::Matched),
    );
    FlowRow {
        corridor: corridor(),
        group: Group(
            group
                .iter()
                .map(|(variable, label)| (*variable, (*label).to_owned()))
                .collect(),
        ),
        counts,
        estimate: match shown {
            (Some(n1), Some(n2), Some(m)) => chapman(n1, n2, m, ClassNoise::NONE),
            _ => None,
        },
        corrected: None,
        not_corrected: None,
    }
}

const CLASSES: [u64; 9] = [2163, 214, 165, 0, 12, 98, 0, 1039, 1345];

fn table(periods: &[&str], unit: PeriodUnit, scale: u64, hidden: &[Measure]) -> PublishedTable {
    let counts = |part: u64| without(&counts(CLASSES.map(|class| class * scale / part)), hidden);
    let mut rows = vec![row(&[], counts(1))];
    rows.extend(
        periods
            .iter()
            .map(|period| row(&[(Variable::Period, period)], counts(4))),
    );
    for sex in Sex::ALL {
        for band in [UNKNOWN, "0-14", "15-29", "30-44", "45-64", "65+"] {
            let group = [(Variable::Sex, sex.as_str()), (Variable::Age, band)];
            rows.push(row(&group, counts(if sex == Sex::Unknown { 40 } else { 9 })));
        }
    }
    let mut lags: Vec<LagRow> = LAG_STEPS
        .iter()
        .enumerate()
        .map(|(step, (_, _, label))| LagRow {
            corridor: corridor(),
            days: (*label).to_owned(),
            moves: (step % 3 != 1 || hidden.is_empty())
                .then(|| scale * 31 * u64::try_from(step % 7).unwrap()),
        })
        .collect();
    lags.push(LagRow {
        corridor: corridor(),
        days: LAG_UNKNOWN.to_owned(),
        moves: Some(3),
    });
    PublishedTable {
        terms: terms(unit),
        rows,
        lags,
        stays: Vec::new(),
        lengths_of_stay: Vec::new(),
        left_out: Vec::new(),
        held_against: Vec::new(),
    }
}

const YEARS: [&str; 4] = ["2021", "2022", "2023", "2024"];

fn quarters() -> Vec<String> {
    YEARS
        .iter()
        .flat_map(|year| ["Q1", "Q2", "Q3", "Q4", "unknown"].map(|quarter| format!("{year}-{quarter}")))
        .collect()
}

fn subject(kind: PictureKind, language: Language) -> PictureSubject {
    PictureSubject {
        kind,
        corridor: corridor(),
        language,
        source: PictureSource::default(),
    }
}

fn scene(table: &PublishedTable, kind: PictureKind, language: Language) -> Scene {
    let subject = subject(kind, language);
    match kind {
        PictureKind::Mirror => comparison::draw(table, &subject),
        PictureKind::Difference => waterfall::draw(table, &subject),
        PictureKind::Pyramid => pyramid::draw(table, &subject),
        PictureKind::Lags => lags::draw(table, &subject),
    }
    .unwrap()
}

/// Name, value and length of each bar; the length is its height, or its width in a pyramid.
fn bars(scene: &Scene, kind: PictureKind) -> Vec<(String, i64, f64)> {
    scene
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Bar { area, title, .. } => {
                let (name, value) = title.rsplit_once(": ").unwrap();
                let value = value.replace(',', "").replace('−', "-").replace('+', "");
                let length = match kind {
                    PictureKind::Pyramid => area.width,
                    PictureKind::Mirror | PictureKind::Difference | PictureKind::Lags => area.height,
                };
                Some((name.to_owned(), value.parse().unwrap(), length))
            }
            Shape::Gap { .. }
            | Shape::Sample { .. }
            | Shape::Plate(_)
            | Shape::Line { .. }
            | Shape::Dot { .. }
            | Shape::Break(_)
            | Shape::Label(_) => None,
        })
        .collect()
}

fn labels(scene: &Scene) -> Vec<&scene::Label> {
    scene
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Label(label) => Some(label),
            Shape::Bar { .. }
            | Shape::Gap { .. }
            | Shape::Sample { .. }
            | Shape::Plate(_)
            | Shape::Line { .. }
            | Shape::Dot { .. }
            | Shape::Break(_) => None,
        })
        .collect()
}

fn assert_readable(scene: &Scene) {
    let labels = labels(scene);
    for (place, label) in labels.iter().enumerate() {
        let area = label.area();
        assert!(
            area.x >= 0.0 && area.y >= 0.0 && area.right() <= scene.width && area.bottom() <= scene.height,
            "{label:?} is outside of {} × {}",
            scene.width,
            scene.height
        );
        for other in &labels[..place] {
            let above = other.area();
            let apart = above.right() <= area.x
                || area.right() <= above.x
                || above.bottom() <= area.y
                || area.bottom() <= above.y;
            assert!(apart, "{label:?} is over {other:?}");
        }
    }
}

fn tables() -> Vec<PublishedTable> {
    let quarters = quarters();
    let quarters: Vec<&str> = quarters.iter().map(String::as_str).collect();
    let many: Vec<String> = (1990..2024).map(|year| year.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let ends = [
        Measure::EmigrationsOwn,
        Measure::Immigrations,
        Measure::OnlyOrigin,
    ];
    let inner = [Measure::TimingOrigin, Measure::PartnerOrigin, Measure::Matched];
    let mut tables = Vec::new();
    for hidden in [&[][..], &inner, &ends, &Measure::ALL] {
        for scale in [1, 1000, 1_000_000] {
            tables.push(table(&YEARS, PeriodUnit::Year, scale, hidden));
            tables.push(table(&quarters, PeriodUnit::Quarter, scale, hidden));
            tables.push(table(&many, PeriodUnit::Year, scale, hidden));
        }
    }
    tables
}

#[test]
fn no_text_is_cut_off_or_over_another() {
    for table in tables() {
        for kind in PictureKind::ALL {
            for language in Language::ALL {
                assert_readable(&scene(&table, kind, language));
            }
        }
    }
}

#[test]
fn both_languages_say_the_same_amount() {
    for table in tables() {
        for kind in PictureKind::ALL {
            let [english, french] = Language::ALL.map(|language| scene(&table, kind, language));
            let one_line = |scene: &Scene| {
                let values = |shape: &&Shape| {
                    matches!(shape, Shape::Bar { .. } | Shape::Gap { .. } | Shape::Dot { .. })
                };
                scene.shapes.iter().filter(values).count()
            };
            assert_eq!(one_line(&english), one_line(&french));
            // Long texts may break elsewhere; every one is there in both.
            let words = |scene: &Scene| labels(scene).len();
            assert!(words(&english).abs_diff(words(&french)) <= 6, "{kind}");
            assert_ne!(english.title, french.title);
        }
    }
}

#[test]
fn every_drawing_is_sound_xml_and_always_the_same() {
    for table in tables() {
        for kind in PictureKind::ALL {
            for language in Language::ALL {
                let picture = table.draw(subject(kind, language)).unwrap();
                assert_eq!(picture, table.draw(subject(kind, language)).unwrap());
                let document = roxmltree::Document::parse(picture.as_svg()).unwrap();
                let root = document.root_element();
                assert_eq!(
                    root.attribute("width"),
                    Some(picture.size_px().0.to_string().as_str())
                );
                let text = |name| {
                    let found = root.children().find(|child| child.has_tag_name(name)).unwrap();
                    found.text().unwrap().to_owned()
                };
                assert!(text("title").contains("TN-IT") && text("desc").contains("TN → IT"));
                let drawn = document
                    .descendants()
                    .filter(|node| node.attribute("class") == Some("bar"));
                assert_eq!(drawn.count(), bars_in(&table, kind));
            }
        }
    }
}

fn bars_in(table: &PublishedTable, kind: PictureKind) -> usize {
    bars(&scene(table, kind, Language::English), kind).len()
}

#[test]
fn bars_are_as_long_as_their_values() {
    for table in tables() {
        for kind in [
            PictureKind::Mirror,
            PictureKind::Pyramid,
            PictureKind::Lags,
            PictureKind::Difference,
        ] {
            let mut bars = bars(&scene(&table, kind, Language::English), kind);
            // E and I do not begin at 0 where the axis is broken: see the law of the waterfall.
            bars.retain(|(name, ..)| kind != PictureKind::Difference || !["E", "I"].contains(&name.as_str()));
            let Some((_, largest, length)) = bars.iter().max_by_key(|(_, value, _)| value.abs()).cloned()
            else {
                continue;
            };
            for (name, value, drawn) in bars {
                let expected = length * as_real(value) / as_real(largest);
                assert!(
                    (drawn - expected.abs()).abs() < 1e-6,
                    "{kind} {name}: {drawn} for {value}"
                );
            }
        }
    }
}

fn as_real(value: i64) -> f64 {
    real(value.unsigned_abs()) * if value < 0 { -1.0 } else { 1.0 }
}

#[test]
fn the_waterfall_goes_from_e_to_i_and_shows_no_hidden_class() {
    let kind = PictureKind::Difference;
    let partner = [Measure::PartnerOrigin, Measure::PartnerDestination];
    let two = [Measure::PartnerOrigin, Measure::UnmatchedDestination];
    for hidden in [&[][..], &partner, &two] {
        let drawn = scene(
            &table(&YEARS, PeriodUnit::Year, 1, hidden),
            kind,
            Language::English,
        );
        let bars = bars(&drawn, kind);
        let value = |name: &str| bars.iter().find(|(found, ..)| found == name).unwrap().1;
        let steps: Vec<_> = bars
            .iter()
            .filter(|(name, ..)| !["E", "I"].contains(&name.as_str()))
            .collect();
        assert_eq!(
            value("E") + steps.iter().map(|step| step.1).sum::<i64>(),
            value("I")
        );
        let rest: Vec<_> = steps
            .iter()
            .filter(|(name, ..)| name.starts_with("not shown"))
            .collect();
        assert_eq!(rest.len(), usize::from(!hidden.is_empty()));
        assert_eq!(steps.len(), if hidden == two { 3 } else { 4 });
        for name in ["partner: another country", "unmatched: not found"] {
            let is_hidden =
                (name.starts_with('p') && !hidden.is_empty()) || (name.starts_with('u') && hidden == two);
            assert_eq!(steps.iter().any(|(found, ..)| found == name), !is_hidden);
        }
    }
    // Nothing but signs where E is not shown.
    let drawn = scene(
        &table(&YEARS, PeriodUnit::Year, 1, &[Measure::EmigrationsOwn]),
        kind,
        Language::English,
    );
    assert_eq!(bars(&drawn, kind).len(), 1, "I alone");
}

#[test]
fn what_is_suppressed_has_one_look_whatever_it_is() {
    for kind in PictureKind::ALL {
        let looks = [1, 7, 500].map(|scale| {
            let mut drawn = scene(
                &table(&YEARS, PeriodUnit::Year, scale, &Measure::ALL),
                kind,
                Language::English,
            );
            drawn.shapes.retain(|shape| matches!(shape, Shape::Gap { .. }));
            (
                drawn.shapes,
                bars_in(&table(&YEARS, PeriodUnit::Year, scale, &Measure::ALL), kind),
            )
        });
        assert!(!looks[0].0.is_empty());
        if kind == PictureKind::Lags {
            continue;
        }
        assert_eq!(looks[0].1, 0, "no bar is drawn");
        assert!(looks.iter().all(|look| look.0 == looks[0].0));
    }
}

#[test]
fn the_corrected_estimate_comes_before_the_other_and_is_named() {
    let mut table = table(&YEARS, PeriodUnit::Year, 1, &[]);
    let last = table
        .rows
        .iter_mut()
        .rfind(|row| row.group.is_by(&[Variable::Period]))
        .unwrap();
    let exact = Interval { low: 1.0, high: 1.0 };
    last.corrected = Some(CarriedError {
        quality_of: "all".to_owned(),
        quality: LinkQuality {
            precision: exact,
            recall: exact,
        },
        matched: 580.0,
        naive: 1500.0,
        estimate: 1444.0,
        standard_error: 1.0,
        interval: Interval {
            low: 1400.0,
            high: 1490.0,
        },
        coverage_origin: 0.6,
        coverage_destination: 0.6,
        classes: None,
        precision: None,
        recall: None,
        if_odds_ratio_two_thirds: None,
        if_odds_ratio_three_halves: None,
    });
    let drawn = scene(&table, PictureKind::Mirror, Language::English);
    let dots: Vec<(bool, &str)> = drawn
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Dot { is_filled, title, .. } => Some((*is_filled, title.as_str())),
            Shape::Bar { .. }
            | Shape::Gap { .. }
            | Shape::Sample { .. }
            | Shape::Plate(_)
            | Shape::Line { .. }
            | Shape::Break(_)
            | Shape::Label(_) => None,
        })
        .collect();
    assert_eq!(dots.len(), 2 + YEARS.len(), "two in the legend");
    assert_eq!(dots[5], (true, "2024 N\u{302} 1,444 (1,400 to 1,490)"));
    assert!(dots[2..5].iter().all(|(is_filled, _)| !is_filled));
}

#[test]
fn tables_without_the_groups_have_no_picture_of_them() {
    let mut bare = table(&YEARS, PeriodUnit::Year, 1, &[]);
    bare.rows.retain(|row| !row.group.0.contains_key(&Variable::Sex));
    bare.lags.clear();
    let draw = |kind| bare.draw(subject(kind, Language::English));
    assert_eq!(draw(PictureKind::Pyramid), Err(NoPicture::NotBySexAndAge));
    assert_eq!(draw(PictureKind::Lags), Err(NoPicture::NoRow));
    assert!(draw(PictureKind::Mirror).is_ok());
    bare.rows.clear();
    let draw = |kind| bare.draw(subject(kind, Language::English));
    assert_eq!(draw(PictureKind::Mirror), Err(NoPicture::NoRow));
    assert_eq!(draw(PictureKind::Difference), Err(NoPicture::NoRow));
    assert!(bare.corridors().is_empty());
}

#[test]
fn a_pyramid_of_periods_is_of_the_last_one() {
    let mut table = table(&YEARS, PeriodUnit::Year, 1, &[]);
    let mut by_period = Vec::new();
    for (year, period) in YEARS.iter().enumerate() {
        for row in table
            .rows
            .iter()
            .filter(|row| row.group.is_by(&[Variable::Sex, Variable::Age]))
        {
            let mut row = row.clone();
            row.group.0.insert(Variable::Period, (*period).to_owned());
            row.counts = counts([100 * (1 + u64::try_from(year).unwrap()); 9]);
            by_period.push(row);
        }
    }
    table.rows = by_period;
    let drawn = scene(&table, PictureKind::Pyramid, Language::English);
    let bars = bars(&drawn, PictureKind::Pyramid);
    assert!(
        bars.iter().all(|(_, value, _)| [800, 1200].contains(value)),
        "{bars:?}"
    );
    assert!(
        labels(&drawn)
            .iter()
            .any(|label| label.text.ends_with("moves of 2024 only"))
    );
}

proptest! {
    /// Tables come from files: whatever they hold, a drawing is sound and of a bounded size.
    #[test]
    fn any_table_is_drawn_or_refused(
        values in prop::collection::vec(prop::option::of(prop_oneof![0..50_u64, any::<u64>()]), Measure::ALL.len()),
        label in any::<String>(),
        figure in any::<f64>().prop_filter("JSON has no others", |figure| figure.is_finite()),
    ) {
        let mut table = table(&YEARS, PeriodUnit::Quarter, 1, &[]);
        let any = FlowCounts::from_array(std::array::from_fn(|measure| values[measure]));
        for row in &mut table.rows {
            row.counts = any;
            for text in row.group.0.values_mut().filter(|text| **text == "2023" || **text == "15-29") {
                text.clone_from(&label);
            }
            if let Some(estimate) = &mut row.estimate {
                (estimate.low, estimate.point, estimate.high) = (figure, -figure, 2.0 * figure);
            }
        }
        table.lags[3].days.clone_from(&label);
        for kind in PictureKind::ALL {
            for language in Language::ALL {
                let picture = table.draw(subject(kind, language)).unwrap();
                let document = roxmltree::Document::parse(picture.as_svg()).unwrap();
                for attribute in document.descendants().flat_map(|node| node.attributes()) {
                    if ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"].contains(&attribute.name()) {
                        let place: f64 = attribute.value().parse().unwrap();
                        prop_assert!((-10.0..=2400.0).contains(&place), "{:?}", attribute);
                    }
                }
                prop_assert!(picture.size_px().0 <= 2400 && picture.size_px().1 <= 2000);
            }
        }
    }
}
