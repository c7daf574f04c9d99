//! Pictures of flow tables as files.

use std::path::Path;

use anyhow::Context as _;
use corridor_flows::{
    Language, NoPicture, Picture, PictureKind, PictureSource, PictureSubject, Provenance, PublishedTable,
};

use crate::args::FormatArg;
use crate::output::FileSet;

mod png;

/// The folder of pictures beside tables.
pub(crate) const PICTURES_FOLDER: &str = "pictures";

/// What is drawn, and as what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn<'a> {
    pub(crate) languages: &'a [Language],
    pub(crate) format: FormatArg,
    /// Folder below the one of the files; empty for that one.
    pub(crate) below: &'a str,
}

/// Adds every picture the table has, of every corridor, and says which it has not, in words.
pub(crate) fn add_pictures(
    files: &mut FileSet,
    table: &PublishedTable,
    provenance: &Provenance,
    drawn: Drawn<'_>,
) -> anyhow::Result<Vec<String>> {
    let source = PictureSource {
        agreement: provenance.agreement,
        run: provenance.run,
        result: provenance.result,
    };
    let renderer = drawn.format.has_png().then(png::Renderer::new);
    let mut missing = Vec::new();
    for corridor in table.corridors() {
        for kind in PictureKind::ALL {
            for &language in drawn.languages {
                let subject = PictureSubject {
                    kind,
                    corridor,
                    language,
                    source,
                };
                match table.draw(subject) {
                    Ok(picture) => add_picture(files, &picture, renderer.as_ref(), drawn)?,
                    Err(reason) => {
                        let line = format!("no picture {kind} of {corridor}: {}", in_words(reason));
                        if !missing.contains(&line) {
                            missing.push(line);
                        }
                    }
                }
            }
        }
    }
    Ok(missing)
}

fn add_picture(
    files: &mut FileSet,
    picture: &Picture,
    renderer: Option<&png::Renderer>,
    drawn: Drawn<'_>,
) -> anyhow::Result<()> {
    let slash = if drawn.below.is_empty() { "" } else { "/" };
    let name = format!("{}{slash}{}", drawn.below, picture.file_stem());
    if drawn.format.has_svg() {
        files.add(format!("{name}.svg"), picture.as_svg())?;
    }
    if let Some(renderer) = renderer {
        let bytes = renderer
            .render(picture)
            .with_context(|| format!("cannot draw {name}.png"))?;
        files.add_with(format!("{name}.png"), |out| out.write_all(&bytes))?;
    }
    Ok(())
}

fn in_words(reason: NoPicture) -> String {
    match reason {
        NoPicture::NotBySexAndAge => {
            format!("{reason}; name both in one, as with --table period,sex,age")
        }
        NoPicture::NoRow => reason.to_string(),
    }
}

/// The pictures that stand in the folder of pictures of `folder`, by the names we give them.
pub(crate) fn standing_pictures(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder.join(PICTURES_FOLDER)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_picture_name(name))
        .map(|name| format!("{PICTURES_FOLDER}/{name}"))
        .collect();
    names.sort();
    names
}

/// Whether a name is one of [`Picture::file_stem`] with an ending of ours.
fn is_picture_name(name: &str) -> bool {
    let is_ours = || {
        let (kind, rest) = name.split_once('_')?;
        let mut parts = rest.split('.');
        let (corridor, language, ending) = (parts.next()?, parts.next()?, parts.next()?);
        let (origin, destination) = corridor.split_once('-')?;
        let is_code = |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_known = PictureKind::ALL.iter().any(|known| known.as_str() == kind)
            && is_code(origin)
            && is_code(destination)
            && Language::ALL.iter().any(|known| known.as_str() == language)
            && ["svg", "png"].contains(&ending);
        Some(is_known && parts.next().is_none())
    };
    is_ours().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_pictures_have_our_names() {
        for name in ["mirror_TN-IT.en.svg", "pyramid_IT-TN.fr.png", "lags_SN-FR.en.png"] {
            assert!(is_picture_name(name), "{name}");
        }
        for name in [
            "mirror.svg",
            "mirror_TN-IT.svg",
            "mirror_TN-IT.de.svg",
            "holiday_TN-IT.en.png",
            "mirror_tn-it.en.svg",
            "mirror_TN-IT.en.svg.bak",
            "",
        ] {
            assert!(!is_picture_name(name), "{name}");
        }
    }
}
