//! A scene written as SVG 1.1, without scripts, style sheets or links.

use std::fmt::Write as _;

use crate::picture::scene::{Anchor, Area, Fill, Label, Point, Scene, Shape, Stroke};

/// Who has no DejaVu Sans sees the next; their letters are about as wide.
const FONTS: &str = "DejaVu Sans, Verdana, Arial, sans-serif";
/// Of texts and outlines.
const INK: &str = "#1a1a1a";
/// Between the lines of a hatch.
const HATCH_DISTANCE: f64 = 6.0;

/// The drawing as a document.
pub(super) fn write(scene: &Scene) -> String {
    let (width, height) = scene.size_px();
    let mut out = String::new();
    put(
        &mut out,
        &format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-labelledby=\"title description\" xml:lang=\"{}\" font-family=\"{FONTS}\">\n",
            scene.language.as_str()
        ),
    );
    put(
        &mut out,
        &format!(
            "<title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            escape(&scene.title),
            escape(&scene.description)
        ),
    );
    for shape in &scene.shapes {
        put(&mut out, &to_element(shape));
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

fn put(out: &mut String, text: &str) {
    out.push_str(text);
}

fn to_element(shape: &Shape) -> String {
    match shape {
        Shape::Bar { area, fill, title } => format!(
            "<g class=\"bar\"><title>{}</title>{}</g>",
            escape(title),
            to_filled(area, *fill)
        ),
        Shape::Gap { area, title } => format!(
            "<g class=\"gap\"><title>{}</title>{}</g>",
            escape(title),
            to_rectangle(
                area,
                &format!("fill=\"none\" stroke=\"{INK}\" stroke-width=\"0.8\" stroke-dasharray=\"2 2\"")
            )
        ),
        Shape::Sample { area, fill } => format!("<g class=\"sample\">{}</g>", to_filled(area, *fill)),
        Shape::Plate(area) => to_rectangle(area, "class=\"plate\" fill=\"#ffffff\""),
        Shape::Line { from, to, stroke } => {
            let look = match stroke {
                Stroke::Grid => "stroke=\"#c8c8c8\" stroke-width=\"0.8\"".to_owned(),
                Stroke::Firm => format!("stroke=\"{INK}\" stroke-width=\"1.2\""),
                Stroke::Dashed => format!("stroke=\"{INK}\" stroke-width=\"0.8\" stroke-dasharray=\"3 3\""),
            };
            format!(
                "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {look}/>",
                px(from.x),
                px(from.y),
                px(to.x),
                px(to.y)
            )
        }
        Shape::Dot { at, is_filled, title } => format!(
            "<g class=\"dot\"><title>{}</title><circle cx=\"{}\" cy=\"{}\" r=\"4.5\" fill=\"{}\" stroke=\"{INK}\" \
             stroke-width=\"1.6\"/></g>",
            escape(title),
            px(at.x),
            px(at.y),
            if *is_filled { INK } else { "#ffffff" }
        ),
        Shape::Break(at) => to_break(*at),
        Shape::Label(label) => to_text(label),
    }
}

fn to_text(label: &Label) -> String {
    let Label {
        text,
        at,
        anchor,
        size,
        is_upright,
        is_white,
    } = label;
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let (x, y) = (px(at.x), px(at.y));
    let turn = if *is_upright {
        format!(" transform=\"rotate(-90 {x} {y})\"")
    } else {
        String::new()
    };
    format!(
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"{turn}>{}</text>",
        px(*size),
        if *is_white { "#ffffff" } else { INK },
        escape(text)
    )
}

/// A white slanted band between two strokes.
fn to_break(at: Point) -> String {
    let (left, right) = (at.x - 9.0, at.x + 9.0);
    let stroke = |up: f64| {
        format!(
            "M{} {}L{} {}",
            px(left),
            px(at.y + 4.0 - up),
            px(right),
            px(at.y - 4.0 - up)
        )
    };
    format!(
        "<g class=\"break\"><path d=\"M{} {}L{} {}L{} {}L{} {}Z\" fill=\"#ffffff\"/><path d=\"{}{}\" fill=\"none\" \
         stroke=\"{INK}\" stroke-width=\"1.2\"/></g>",
        px(left),
        px(at.y + 4.0),
        px(right),
        px(at.y - 4.0),
        px(right),
        px(at.y - 10.0),
        px(left),
        px(at.y - 2.0),
        stroke(0.0),
        stroke(6.0)
    )
}

fn to_rectangle(area: &Area, look: &str) -> String {
    format!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {look}/>",
        px(area.x),
        px(area.y),
        px(area.width),
        px(area.height)
    )
}

fn to_filled(area: &Area, fill: Fill) -> String {
    let (tone, hatch) = match fill {
        Fill::Dark => ("#2e2e2e", String::new()),
        Fill::Middle => ("#8a8a8a", String::new()),
        Fill::Light => ("#dcdcdc", String::new()),
        Fill::Rising => ("#ffffff", to_hatch(area, true)),
        Fill::Falling => ("#dcdcdc", to_hatch(area, false)),
        Fill::Crossed => ("#ffffff", to_hatch(area, true) + &to_hatch(area, false)),
    };
    let look = format!("fill=\"{tone}\" stroke=\"{INK}\" stroke-width=\"1\"");
    let rectangle = to_rectangle(area, &look);
    if hatch.is_empty() {
        rectangle
    } else {
        format!("{rectangle}<path d=\"{hatch}\" fill=\"none\" stroke=\"{INK}\" stroke-width=\"1\"/>")
    }
}

/// Lines at half a right angle, cut to the area. They lie on one grid for the whole drawing, so that bars of one series look alike.
fn to_hatch(area: &Area, is_rising: bool) -> String {
    let mut path = String::new();
    let (left, right, top, bottom) = (area.x, area.right(), area.y, area.bottom());
    // x + y is the same along a rising line, x − y along a falling one.
    let (first, last) = if is_rising {
        (left + top, right + bottom)
    } else {
        (left - bottom, right - top)
    };
    let mut along = (first / HATCH_DISTANCE).floor() * HATCH_DISTANCE;
    while along < last {
        let (from, to) = if is_rising {
            (left.max(along - bottom), right.min(along - top))
        } else {
            (left.max(along + top), right.min(along + bottom))
        };
        if from < to {
            let y = |x: f64| if is_rising { along - x } else { x - along };
            write!(path, "M{} {}L{} {}", px(from), px(y(from)), px(to), px(y(to)))
                .expect("writing to a String");
        }
        along += HATCH_DISTANCE;
    }
    path
}

/// A length with two decimals, never -0.
fn px(length: f64) -> String {
    let text = format!("{length:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text }
}

/// A text as XML. What XML cannot hold becomes the replacement character: labels come from files.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            other => out.push(other),
        }
    }
    out
}
