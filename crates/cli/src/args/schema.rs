use std::path::PathBuf;

use clap::Subcommand;
use corridor_core::Profile;
use corridor_encode::UnitTrust;

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Lists the ready-made schemas and the profiles.
    ///
    /// Example: corridor schema list
    List,
    /// Shows a ready-made schema, or a schema file with everything written out, and its digest.
    ///
    /// Example: corridor schema show west-african --profile saul-3-2048 > schema.json
    Show {
        /// A ready-made schema, or a file.
        schema: String,
        /// Encoding profile of a ready-made schema.
        #[arg(long)]
        profile: Option<Profile>,
    },
    /// Checks a schema file, and warns of weak choices.
    ///
    /// Exit code 3 when it cannot be used. Warnings go to standard output, with --json as JSON.
    ///
    /// Example: corridor schema check schema.json --trust could-look
    Check {
        /// A file, or a ready-made schema.
        schema: String,
        /// Encoding profile of a ready-made schema.
        #[arg(long)]
        profile: Option<Profile>,
        /// What the linkage unit is: could-look (it does what was agreed, but could look or leak) or trusted (with a list of
        /// the population).
        #[arg(long, default_value = "could-look", value_parser = parse_trust)]
        trust: UnitTrust,
        /// The warnings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints what this program's normalisation makes of a published list of names, dates and country codes, as JSON.
    ///
    /// Two offices whose programs print the same digest write the same people alike. The digest goes to standard error.
    ///
    /// Example: corridor schema vectors > vectors.json
    Vectors,
    /// Prints the JSON Schema of schema files.
    ///
    /// Example: corridor schema json-schema > encoding-schema.json
    JsonSchema,
}

fn parse_trust(word: &str) -> Result<UnitTrust, String> {
    UnitTrust::from_word(word).ok_or_else(|| "could-look or trusted".to_owned())
}

/// How to find a schema that an agreement names by digest.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaFileArgs {
    /// The encoding schema the agreement names by digest, when it is neither ready-made nor the usual one of its fields.
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
}
