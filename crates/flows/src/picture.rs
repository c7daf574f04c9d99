//! Pictures of published tables: pure functions from a table to a drawing, without files, fonts or colours.
//!
//! A drawing is a [scene](scene) of bars, lines, marks and texts, written as SVG. It is made of what the table shows and of nothing
//! else: a suppressed count is a marked gap of one size, whatever it was. The same table gives the same bytes everywhere: figures
//! have fixed decimals, widths of texts come from a table of the font's own, and nothing but the four operations is computed.
//!
//! Made for paper in black and white: series differ by tone and by hatch, never by colour. Hatches are lines cut to their bar, not
//! SVG patterns, which word processors do not draw.

use std::fmt;

use corridor_core::{Corridor, Digest};

use crate::published::PublishedTable;

mod axis;
mod comparison;
mod figures;
mod lags;
mod metrics;
mod page;
mod pyramid;
mod scene;
mod svg;
mod waterfall;
mod words;

pub use words::Language;

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PictureKind {
    /// Emigrations, immigrations, matched moves and the estimate with its interval, by period.
    Mirror,
    /// From emigrations to immigrations by the classes that make them differ.
    Difference,
    /// Matched and unmatched moves by sex and age.
    Pyramid,
    /// Days between the two dates of a move.
    Lags,
}

impl PictureKind {
    /// Every kind, in the order of files.
    pub const ALL: [Self; 4] = [Self::Mirror, Self::Difference, Self::Pyramid, Self::Lags];

    /// The word in names of files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Difference => "difference",
            Self::Pyramid => "pyramid",
            Self::Lags => "lags",
        }
    }
}

impl fmt::Display for PictureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a table comes from, as its pictures tell; nothing is told of what is not given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PictureSource {
    /// Digest of the agreement.
    pub agreement: Option<Digest>,
    /// The run.
    pub run: Option<Digest>,
    /// Digest of what both offices released.
    pub result: Option<Digest>,
}

/// What is to be drawn of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSubject {
    /// What it shows.
    pub kind: PictureKind,
    /// Of which corridor.
    pub corridor: Corridor,
    /// In which language.
    pub language: Language,
    /// What its source line tells.
    pub source: PictureSource,
}

/// A drawing, as SVG.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    subject: PictureSubject,
    width_px: u32,
    height_px: u32,
    svg: String,
}

impl Picture {
    /// What it is of.
    pub const fn subject(&self) -> &PictureSubject {
        &self.subject
    }

    /// Width and height, at 96 pixels an inch.
    pub const fn size_px(&self) -> (u32, u32) {
        (self.width_px, self.height_px)
    }

    /// The drawing.
    pub fn as_svg(&self) -> &str {
        &self.svg
    }

    /// Name of its file without the ending, such as `mirror_TN-IT.en`.
    pub fn file_stem(&self) -> String {
        let PictureSubject {
            kind,
            corridor,
            language,
            source: _,
        } = self.subject;
        format!("{kind}_{corridor}.{}", language.as_str())
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.file_stem(), self.svg.len())
    }
}

/// Why a table has no such picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPicture {
    /// No table is by sex and age.
    #[error("no table is by sex and age")]
    NotBySexAndAge,
    /// There is no row of the corridor for it.
    #[error("the table has no row of this corridor for it")]
    NoRow,
}

impl PublishedTable {
    /// The corridors of its rows, in their order.
    pub fn corridors(&self) -> Vec<Corridor> {
        let mut corridors = Vec::new();
        for row in &self.rows {
            if !corridors.contains(&row.corridor) {
                corridors.push(row.corridor);
            }
        }
        corridors
    }

    /// Draws a picture of what the table shows.
    ///
    /// # Errors
    /// When the table does not tell the groups apart that the picture is of.
    pub fn draw(&self, subject: PictureSubject) -> Result<Picture, NoPicture> {
        let scene = match subject.kind {
            PictureKind::Mirror => comparison::draw(self, &subject),
            PictureKind::Difference => waterfall::draw(self, &subject),
            PictureKind::Pyramid => pyramid::draw(self, &subject),
            PictureKind::Lags => lags::draw(self, &subject),
        }?;
        let (width_px, height_px) = scene.size_px();
        Ok(Picture {
            subject,
            width_px,
            height_px,
            svg: svg::write(&scene),
        })
    }
}

#[cfg(test)]
mod tests;
