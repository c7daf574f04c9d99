use std::path::Path;

use corridor_core::{EncodedDataset, GateCheck, GateReport, SignedAgreement};
use corridor_engine::{ColumnProfile, Compute, Gate};
use corridor_store::parse_dataset;

use crate::args::{GateArgs, PassphraseArgs};
use crate::commands::encode::read_agreement;
use crate::commands::upload::{check_dataset, read_file};
use crate::failure::input_error;
use crate::output::{data, json, talk, to_columns};

pub(crate) fn run(args: &GateArgs) -> anyhow::Result<()> {
    let signed = read_agreement(&args.agreement)?;
    let compute = Compute::new(args.threads)?;
    let other = args
        .other
        .as_ref()
        .map(|path| look_at(&compute, path, &args.passphrase, &signed, None).map(|found| found.1))
        .transpose()?;
    let (report, _) = look_at(&compute, &args.dataset, &args.passphrase, &signed, other.as_ref())?;
    if args.json {
        json(&report)?;
    } else {
        data(&to_table(&report))?;
    }
    if report.is_passed() {
        talk("the service would seal it, unless it is too unlike the other office's dataset");
        return Ok(());
    }
    talk(to_advice(&report).trim_end());
    Err(input_error(
        format!(
            "{} does not pass the gate ({})",
            args.dataset.display(),
            report.failed_names()
        ),
        "the lines above say what each figure means and what to do; the service would refuse it in the same way",
    ))
}

/// What the gate finds in a file, as the service would.
fn look_at(
    compute: &Compute,
    path: &Path,
    passphrase: &PassphraseArgs,
    signed: &SignedAgreement,
    other: Option<&ColumnProfile>,
) -> anyhow::Result<(GateReport, ColumnProfile)> {
    let bytes = read_file(path, passphrase)?;
    let (declaration, bytes) = check_dataset(bytes, &path.display().to_string(), signed)?;
    let dataset: EncodedDataset = parse_dataset(bytes)?;
    let result = compute.run_blocking(|| {
        let mut gate = Gate::new(&signed.agreement, declaration.record_count, declaration.content);
        gate.observe(&dataset);
        gate.finish(other)
    });
    Ok((result.report, result.columns))
}

/// Every check with its figure and bounds.
pub(crate) fn to_table(report: &GateReport) -> String {
    let rows: Vec<Vec<String>> = report
        .checks
        .iter()
        .map(|check| {
            vec![
                check.name.as_str().to_owned(),
                to_text(check.figure),
                to_bounds(check),
                check.outcome.as_str().to_owned(),
            ]
        })
        .collect();
    to_columns(&["check", "figure", "bounds", "outcome"], &rows)
}

/// What the checks that failed mean, a line each.
pub(crate) fn to_advice(report: &GateReport) -> String {
    report
        .failed()
        .map(|check| format!("{}: {}\n", check.name.as_str(), check.meaning))
        .collect()
}

fn to_bounds(check: &GateCheck) -> String {
    match (check.least, check.most) {
        (Some(least), Some(most)) if least.total_cmp(&most).is_eq() => to_text(least),
        (Some(least), Some(most)) => format!("{} to {}", to_text(least), to_text(most)),
        (Some(least), None) => format!("at least {}", to_text(least)),
        (None, Some(most)) => format!("at most {}", to_text(most)),
        (None, None) => "none".to_owned(),
    }
}

fn to_text(figure: f64) -> String {
    if figure.fract() == 0.0 && figure.abs() >= 10.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.4}")
    }
}
