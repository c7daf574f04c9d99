//! Pictures as pixels, with the one font that comes with the program: never one of the machine, so that a picture has the same bytes
//! on every machine.
//!
//! The font is DejaVu Sans 2.37: Bitstream Vera (c) 2003 Bitstream, Inc., with changes in the public domain, under the licence that
//! stands beside it in the crate `dejavu`.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use corridor_flows::Picture;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

/// Pixels of a file for one of the drawing: enough for print at half the width of a page.
const SCALE: u16 = 2;

/// Draws pictures.
pub(super) struct Renderer(usvg::Options<'static>);

impl Renderer {
    pub(super) fn new() -> Self {
        let mut options = usvg::Options::default();
        let fonts = Arc::make_mut(&mut options.fontdb);
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        Self(options)
    }

    /// The picture as PNG.
    pub(super) fn render(&self, picture: &Picture) -> anyhow::Result<Vec<u8>> {
        let tree = usvg::Tree::from_str(picture.as_svg(), &self.0)?;
        let (width, height) = picture.size_px();
        let scale = u32::from(SCALE);
        let mut pixels = Pixmap::new(width * scale, height * scale).context("the picture has no size")?;
        let scale = f32::from(SCALE);
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        Ok(pixels.encode_png()?)
    }
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renderer")
    }
}

#[cfg(test)]
mod tests;
