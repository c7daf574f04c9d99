//! What a drawing is made of. Lengths are pixels at 96 an inch, from the upper left corner.

use crate::picture::metrics::width;
use crate::picture::words::Language;

/// A place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// An upright rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub(super) fn middle_x(&self) -> f64 {
        self.x + self.width / 2.0
    }

    pub(super) fn middle_y(&self) -> f64 {
        self.y + self.height / 2.0
    }
}

/// How a bar is filled: each differs from every other by tone and, but for the three plain greys, by hatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Nearly black.
    Dark,
    /// Grey.
    Middle,
    /// Light grey.
    Light,
    /// White with lines that rise to the right.
    Rising,
    /// Light grey with lines that fall to the right.
    Falling,
    /// White with both.
    Crossed,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    /// A line one reads values from.
    Grid,
    /// An axis, a whisker.
    Firm,
    /// What ties two bars together.
    Dashed,
}

/// Which part of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A text of one line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub(super) text: String,
    /// On the base line.
    pub(super) at: Point,
    pub(super) anchor: Anchor,
    pub(super) size: f64,
    /// Read from below to above.
    pub(super) is_upright: bool,
    /// White, for dark bars.
    pub(super) is_white: bool,
}

impl Label {
    /// A dark text to the right of its place.
    pub(super) fn new(text: impl Into<String>, x: f64, y: f64, size: f64) -> Self {
        Self {
            text: text.into(),
            at: Point { x, y },
            anchor: Anchor::Start,
            size,
            is_upright: false,
            is_white: false,
        }
    }

    /// Around its place.
    pub(super) fn centred(self) -> Self {
        Self {
            anchor: Anchor::Middle,
            ..self
        }
    }

    /// Before its place.
    pub(super) fn ending(self) -> Self {
        Self {
            anchor: Anchor::End,
            ..self
        }
    }

    /// Read from below to above.
    pub(super) fn upright(self) -> Self {
        Self {
            is_upright: true,
            ..self
        }
    }

    /// What it covers.
    #[cfg(test)]
    pub(super) fn area(&self) -> Area {
        let length = width(&self.text, self.size);
        let before = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => length / 2.0,
            Anchor::End => length,
        };
        let (above, below) = (0.78 * self.size, 0.24 * self.size);
        if self.is_upright {
            Area {
                x: self.at.x - above,
                y: self.at.y + before - length,
                width: above + below,
                height: length,
            }
        } else {
            Area {
                x: self.at.x - before,
                y: self.at.y - above,
                width: length,
                height: above + below,
            }
        }
    }
}

/// One thing in a drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A bar whose length or height is a value.
    Bar {
        area: Area,
        fill: Fill,
        /// What it is, with its value, in words.
        title: String,
    },
    /// Where a value is suppressed: of one size, whatever the value.
    Gap { area: Area, title: String },
    /// A sample of a filling.
    Sample { area: Area, fill: Fill },
    /// White, to write on.
    Plate(Area),
    /// A line.
    Line { from: Point, to: Point, stroke: Stroke },
    /// A dot, filled or not.
    Dot {
        at: Point,
        is_filled: bool,
        title: String,
    },
    /// Two slanted strokes over a bar that does not begin at 0.
    Break(Point),
    /// A text.
    Label(Label),
}

/// A whole drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) language: Language,
    pub(super) title: String,
    /// What it says, in words, for who cannot see it.
    pub(super) description: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
}

/// What stands where a value is suppressed.
pub(super) const SUPPRESSED_SIGN: &str = "··";

impl Scene {
    pub(super) fn add(&mut self, shape: Shape) {
        self.shapes.push(shape);
    }

    pub(super) fn label(&mut self, label: Label) {
        self.add(Shape::Label(label));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let point = |(x, y)| Point { x, y };
        self.add(Shape::Line {
            from: point(from),
            to: point(to),
            stroke,
        });
    }

    /// A value above a bar, on white, so that no line runs through it.
    pub(super) fn value(&mut self, text: &str, middle: f64, base: f64, size: f64) {
        let length = width(text, size);
        self.add(Shape::Plate(Area {
            x: middle - length / 2.0 - 2.0,
            y: base - 0.8 * size,
            width: length + 4.0,
            height: 0.95 * size,
        }));
        self.label(Label::new(text, middle, base, size).centred());
    }

    /// The same, read from below to above.
    pub(super) fn upright_value(&mut self, text: &str, middle: f64, base: f64, size: f64) {
        let length = width(text, size);
        self.add(Shape::Plate(Area {
            x: middle - 0.5 * size,
            y: base - length - 2.0,
            width: size,
            height: length + 2.0,
        }));
        self.label(Label::new(text, middle + 0.36 * size, base, size).upright());
    }

    /// A gap with the sign of what is suppressed.
    pub(super) fn gap(&mut self, area: Area, title: String) {
        self.add(Shape::Gap { area, title });
        // In a narrow gap the sign is smaller, and in one no wider than a line there is none.
        let size = 13.0_f64.min(area.width / width(SUPPRESSED_SIGN, 1.0));
        if size >= 8.0 {
            let base = area.middle_y() + 0.36 * size;
            self.label(Label::new(SUPPRESSED_SIGN, area.middle_x(), base, size).centred());
        }
    }

    /// Width and height in whole pixels.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::as_conversions,
        reason = "between 1 and 65,535"
    )]
    pub(super) fn size_px(&self) -> (u32, u32) {
        let whole = |length: f64| length.ceil().clamp(1.0, 65_535.0) as u32;
        (whole(self.width), whole(self.height))
    }
}

/// The text cut to a width, with `…` for what is cut.
pub(super) fn cut(text: &str, size: f64, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let mut cut = String::new();
    for letter in text.chars() {
        cut.push(letter);
        if width(&cut, size) + width("…", size) > limit {
            cut.pop();
            break;
        }
    }
    cut + "…"
}

/// The text in lines of at most a width, broken at blanks; a word that is too wide is cut.
pub(super) fn wrap(text: &str, size: f64, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match (longer, lines.last_mut()) {
            (Some(longer), Some(line)) if width(&longer, size) <= limit => *line = longer,
            _ => lines.push(cut(word, size, limit)),
        }
    }
    lines
}
