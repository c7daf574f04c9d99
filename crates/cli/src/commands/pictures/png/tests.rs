use super::*;
use corridor_core::{
    AgeBands, Corridor, Destination, DisclosureMethod, DisclosureRule, Origin, Period, StatisticsTerms,
};
use corridor_flows::{
    FlowCounts, FlowRow, FlowTerms, Group, Language, Measure, PictureKind, PictureSource, PictureSubject,
    PublishedTable,
};

/// What both offices have in all; no estimate.
fn picture(language: Language) -> Picture {
    let corridor =
        Corridor::try_new(Origin("TN".parse().unwrap()), Destination("IT".parse().unwrap())).unwrap();
    let table = PublishedTable {
        terms: FlowTerms {
            corridor,
            period: Period {
                first: "2022-01-01".parse().unwrap(),
                last: "2024-12-31".parse().unwrap(),
            },
            age_bands: AgeBands::try_from(vec![0]).unwrap(),
            statistics: StatisticsTerms::default(),
            disclosure: DisclosureRule {
                minimum_count: 10,
                method: DisclosureMethod::Suppression,
            },
            definitions: None,
            status: corridor_core::ReleaseStatus::Final,
        },
        rows: vec![FlowRow {
            corridor,
            group: Group::default(),
            counts: FlowCounts::from_array(Measure::ALL.map(|_| Some(1234))),
            estimate: None,
            corrected: None,
            not_corrected: None,
        }],
        lags: Vec::new(),
        stays: Vec::new(),
        lengths_of_stay: Vec::new(),
        left_out: Vec::new(),
        held_against: Vec::new(),
    };
    table
        .draw(PictureSubject {
            kind: PictureKind::Mirror,
            corridor,
            language,
            source: PictureSource::default(),
        })
        .unwrap()
}

#[test]
fn pixels_are_twice_the_drawing_and_always_the_same() {
    for language in Language::ALL {
        let picture = picture(language);
        let bytes = Renderer::new().render(&picture).unwrap();
        assert_eq!(bytes, Renderer::new().render(&picture).unwrap());
        let pixels = Pixmap::decode_png(&bytes).unwrap();
        let (width, height) = picture.size_px();
        assert_eq!((pixels.width(), pixels.height()), (2 * width, 2 * height));
        let greys = pixels.pixels().iter().all(|pixel| {
            let (red, green, blue) = (pixel.red(), pixel.green(), pixel.blue());
            red == green && green == blue
        });
        assert!(greys, "nothing needs a colour");
    }
}

/// The widths by which texts are laid out are those they are drawn with: no letter is missing from the font, none ends outside.
#[test]
fn every_text_is_drawn_within_the_picture() {
    fn texts(group: &usvg::Group, found: &mut Vec<usvg::Rect>) {
        for node in group.children() {
            match node {
                usvg::Node::Text(text) => found.push(text.abs_bounding_box()),
                usvg::Node::Group(group) => texts(group, found),
                usvg::Node::Path(_) | usvg::Node::Image(_) => {}
            }
        }
    }
    for language in Language::ALL {
        let picture = picture(language);
        let tree = usvg::Tree::from_str(picture.as_svg(), &Renderer::new().0).unwrap();
        let mut found = Vec::new();
        texts(tree.root(), &mut found);
        assert_eq!(
            found.len(),
            picture.as_svg().matches("<text ").count(),
            "each is drawn"
        );
        for area in found {
            assert!(area.left() >= 0.0 && area.top() >= 0.0, "{area:?}");
            assert!(
                area.right() <= tree.size().width() && area.bottom() <= tree.size().height(),
                "{area:?}"
            );
        }
    }
}
