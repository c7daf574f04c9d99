//! `encode --clkhash-schema`: what clkhash would write.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use corridor_encode::clkhash::{ClkHeader, ClkOptions, ClkSchema, ClkSecret, XorFolds, encode_clks};
use corridor_engine::Compute;

use crate::args::{ClkArgs, EncodeArgs, HeaderArg};
use crate::commands::passphrase::refuse_if_readable_by_others;
use crate::failure::input_error;
use crate::output::{json, progress, read_text, refuse_existing, talk, write_file_with};

/// Encodes the people of `args.input` by the schema at `schema`.
pub(crate) fn run(args: &EncodeArgs, schema: &Path) -> anyhow::Result<()> {
    refuse_existing(&args.output)?;
    let clk = &args.clk;
    let folds = if clk.honour_xor_folds {
        XorFolds::Honour
    } else {
        XorFolds::LikeClkhash
    };
    let schema = ClkSchema::from_json(&read_text(schema)?, folds)
        .with_context(|| format!("cannot use the schema {}", schema.display()))?;
    let secret = read_secret(clk)?;
    let options = ClkOptions {
        header: match clk.header {
            _ if clk.no_header => ClkHeader::Absent,
            HeaderArg::True => ClkHeader::Checked,
            HeaderArg::False => ClkHeader::Absent,
            HeaderArg::Ignore => ClkHeader::Ignored,
        },
        validate: !clk.no_validate,
    };
    let cannot_read = |error: std::io::Error| {
        input_error(
            format!("cannot read {}: {error}", args.input.display()),
            "check the path and the permissions",
        )
    };
    let input = File::open(&args.input).map_err(cannot_read)?;
    let bar = progress(0, "encoding");
    let compute = Compute::new(args.threads)?;
    let report = write_file_with(&args.output, |out| {
        let on_rows = |rows| {
            bar.set_length(rows);
            bar.set_position(rows);
        };
        let encode = || encode_clks(input, &schema, &secret, options, out, &on_rows);
        compute
            .run_blocking(encode)
            .with_context(|| format!("cannot encode {}", args.input.display()))
    })?;
    bar.finish_and_clear();
    talk(&format!(
        "{} records encoded in {} bits each as clkhash 0.18.3 does, to {}",
        report.records_encoded,
        report.filter_bits,
        args.output.display()
    ));
    for note in &report.notes {
        talk(&format!("note: {note}"));
    }
    talk(
        "note: clkhash's encoding is for interoperability: it withstands only a linkage unit that has no list of the people",
    );
    if args.json {
        json(&report)?;
    }
    Ok(())
}

fn read_secret(clk: &ClkArgs) -> anyhow::Result<ClkSecret> {
    let path = clk
        .secret_file
        .as_ref()
        .ok_or_else(|| input_error("--secret-file is missing", "give the file that holds the secret"))?;
    refuse_if_readable_by_others(path)?;
    let bytes = std::fs::read(path).map_err(|error| {
        input_error(
            format!("cannot read {}: {error}", path.display()),
            "check the path and the permissions",
        )
    })?;
    ClkSecret::from_file_bytes(bytes)
        .with_context(|| format!("cannot use the secret file {}", path.display()))
}
