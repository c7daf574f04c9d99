use std::path::PathBuf;

use clap::{Args, ValueEnum};
use corridor_core::Digest;
use corridor_flows::Language;

use crate::args::ServiceArgs;
use crate::failure::parse_digest;

#[derive(Debug, Args)]
pub(crate) struct PlotArgs {
    /// The run's id.
    #[arg(value_parser = parse_digest, required_unless_present = "from", conflicts_with = "from")]
    pub(crate) run: Option<Digest>,
    /// A flows.json that flows export, rehearse or demo wrote, in place of a run.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// A new folder, or one without these files.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Language of the texts.
    #[arg(long, value_enum, default_value_t = LanguageArg::Both)]
    pub(crate) language: LanguageArg,
    /// Kind of file: drawings for print and word processors, or pixels.
    #[arg(long, value_enum, default_value_t = FormatArg::Both)]
    pub(crate) format: FormatArg,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LanguageArg {
    /// English
    En,
    /// French
    Fr,
    /// One picture in each
    Both,
}

impl LanguageArg {
    pub(crate) const fn languages(self) -> &'static [Language] {
        match self {
            Self::En => &[Language::English],
            Self::Fr => &[Language::French],
            Self::Both => &Language::ALL,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// Drawings
    Svg,
    /// Pixels
    Png,
    /// One file of each
    Both,
}

impl FormatArg {
    pub(crate) const fn has_svg(self) -> bool {
        match self {
            Self::Svg | Self::Both => true,
            Self::Png => false,
        }
    }

    pub(crate) const fn has_png(self) -> bool {
        match self {
            Self::Png | Self::Both => true,
            Self::Svg => false,
        }
    }
}
