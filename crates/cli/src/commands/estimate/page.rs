use std::fmt::Write as _;

use corridor_flows::{Estimator, IncompleteEstimate, PopulationEstimate, StratifiedEstimate};

use super::{Corrected, Report, Resampled};
use crate::output::to_columns;

/// The report for a person to read.
pub(super) fn to_page(report: &Report) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    if let Some(counts) = report.counts {
        let both = if report.from_links { "linked" } else { "in both" };
        line(format!(
            "n1 {}, n2 {}, {both} {}, seen {}\n",
            counts.n1(),
            counts.n2(),
            counts.matched(),
            counts.seen()
        ));
    }
    let mut estimates: Vec<&PopulationEstimate> = report.estimates.iter().collect();
    estimates.extend(
        report
            .linkage_error_corrected
            .iter()
            .map(|c| &c.corrected.estimate),
    );
    estimates.extend(report.stratified.iter().map(|stratified| &stratified.total));
    estimates.extend(
        report
            .stratified_linkage_error_corrected
            .iter()
            .map(|stratified| &stratified.corrected.total),
    );
    estimates.extend(report.trimmed.iter().map(|trimmed| &trimmed.estimate));
    if !estimates.is_empty() {
        line(to_columns(
            &[
                "estimator",
                "estimate",
                "std. error",
                "normal",
                "log-normal",
                "odds ratio 2/3",
                "odds ratio 1.5",
            ],
            &estimates
                .iter()
                .map(|estimate| to_cells(estimate))
                .collect::<Vec<_>>(),
        ));
        line(
            "Coverage implied by independence, and by odds ratios of 2/3 and 1.5 between the lists:"
                .to_owned(),
        );
        let rows: Vec<Vec<String>> = estimates.iter().map(|estimate| coverage(estimate)).collect();
        line(to_columns(
            &["estimator", "list 1", "2/3", "1.5", "list 2", "2/3", "1.5"],
            &rows,
        ));
    }
    if let Some(bootstrap) = &report.bootstrap {
        line(to_sentence("Petersen, resampled", bootstrap));
    }
    if let Some(corrected) = &report.linkage_error_corrected {
        line(corrected_part(corrected));
    }
    if let Some(stratified) = &report.stratified {
        line(stratified_part(stratified));
    }
    if let Some(stratified) = &report.stratified_linkage_error_corrected {
        line(stratified_part(&stratified.corrected));
        if let Some(bootstrap) = &stratified.parametric_bootstrap {
            line(to_sentence("Corrected by stratum, resampled", bootstrap));
        }
    }
    if let Some(trimmed) = &report.trimmed {
        let verdict = if trimmed.effective {
            "the trimmed records were matched less often than the list: trimming helps"
        } else {
            "the trimmed records were matched as often as the list: trimming gains nothing"
        };
        let links = if report.from_links {
            "; links are taken at their word"
        } else {
            ""
        };
        line(format!(
            "Trimmed: {:.1} before; {verdict}{links}",
            trimmed.untrimmed
        ));
    }
    if let Some(tests) = &report.consistency {
        let row = |name: &str, test: &corridor_flows::ChiSquared| {
            vec![
                name.to_owned(),
                format!("{:.4}", test.statistic),
                test.degrees_of_freedom.to_string(),
                format!("{:.4}", test.p_value),
            ]
        };
        line(to_columns(
            &["test of the strata", "X2", "d.f.", "p"],
            &[
                row("complete mixing", &tests.complete_mixing),
                row("equal proportions", &tests.equal_proportions),
                row("equal capture", &tests.equal_capture),
            ],
        ));
    }
    if let Some(passes) = &report.passes {
        line(format!(
            "links of all passes {}, expected to be false {:.1}, true {:.3} %\n",
            passes.links,
            passes.expected_false,
            100.0 * passes.precision
        ));
    }
    if let Some(incomplete) = &report.incomplete_covariates {
        line(incomplete_part(&incomplete.estimate));
        if let Some(bootstrap) = &incomplete.bootstrap {
            line(to_sentence("With covariates, resampled", bootstrap));
        }
    }
    line(report.notes.join("\n"));
    page
}

const fn to_word(estimator: Estimator) -> &'static str {
    match estimator {
        Estimator::Bailey => "Bailey",
        Estimator::Chapman => "Chapman",
        Estimator::LinkageErrorCorrected => "corrected for linkage error",
        Estimator::Petersen => "Petersen",
        Estimator::StratifiedChapman => "Chapman by stratum",
        Estimator::StratifiedLinkageErrorCorrected => "corrected by stratum",
        Estimator::Trimmed => "trimmed",
    }
}

fn to_cells(estimate: &PopulationEstimate) -> Vec<String> {
    let mut cells = vec![
        to_word(estimate.estimator).to_owned(),
        format!("{:.1}", estimate.point),
        format!("{:.1}", estimate.standard_error),
        format!("{:.1} – {:.1}", estimate.normal.low, estimate.normal.high),
        format!("{:.1} – {:.1}", estimate.log_normal.low, estimate.log_normal.high),
    ];
    let dependent = estimate.dependence.rows.iter().step_by(2);
    cells.extend(dependent.map(|row| format!("{:.1}", row.point)));
    cells
}

/// Of list 1, then of list 2: at independence, then at the other two odds ratios.
fn coverage(estimate: &PopulationEstimate) -> Vec<String> {
    let rows = &estimate.dependence.rows;
    let mut cells = vec![to_word(estimate.estimator).to_owned()];
    for of in [
        |row: &corridor_flows::DependenceRow| row.coverage_1,
        |row: &corridor_flows::DependenceRow| row.coverage_2,
    ] {
        let order = rows.get(1).into_iter().chain(rows.iter().step_by(2));
        cells.extend(order.map(|row| format!("{:.1} %", 100.0 * of(row))));
    }
    cells
}

fn to_sentence(what: &str, resampled: &Resampled) -> String {
    let bootstrap = match resampled {
        Resampled::Drawn(bootstrap) => bootstrap,
        Resampled::Unbounded { problem } => return format!("{what}: {problem}"),
    };
    let mut sentence = format!(
        "{what} {} times: mean {:.1}, std. error {:.1}, interval {:.1} – {:.1}",
        bootstrap.replicates,
        bootstrap.mean,
        bootstrap.standard_error,
        bootstrap.percentile.low,
        bootstrap.percentile.high
    );
    if bootstrap.undefined > 0 {
        write!(sentence, "; {} had no estimate", bootstrap.undefined).expect("writing to a String");
    }
    sentence
}

fn corrected_part(corrected: &Corrected) -> String {
    let found = &corrected.corrected;
    let mut lines = vec![format!(
        "Corrected for linkage error: {:.1} in both lists; taking every link at its word gives {:.1}, {:+.1} %",
        found.matched,
        found.naive,
        100.0 * found.naive_bias
    )];
    let resampled = [
        ("Corrected, resampled", &corrected.parametric_bootstrap),
        ("Corrected, persons resampled", &corrected.bootstrap_over_persons),
    ];
    for (what, bootstrap) in resampled {
        lines.extend(bootstrap.as_ref().map(|bootstrap| to_sentence(what, bootstrap)));
    }
    lines.join("\n")
}

fn stratified_part(stratified: &StratifiedEstimate) -> String {
    let rows: Vec<Vec<String>> = stratified
        .strata
        .iter()
        .map(|stratum| {
            let mut cells = to_cells(&stratum.estimate);
            cells[0] = stratum.labels.join(" + ");
            cells.truncate(5);
            cells
        })
        .collect();
    let heading = to_word(stratified.total.estimator);
    let mut part = format!("\n{heading}\n");
    part += &to_columns(
        &["stratum", "estimate", "std. error", "normal", "log-normal"],
        &rows,
    );
    for thin in &stratified.thin {
        let why = if thin.in_one_list_only {
            ", in one list only"
        } else {
            ""
        };
        writeln!(
            part,
            "{} has {:.1} in both lists{why}: too thin to estimate (fewer than {}), so pooled",
            thin.label, thin.matched, stratified.rule.minimum_matched
        )
        .expect("writing to a String");
    }
    part
}

fn incomplete_part(estimate: &IncompleteEstimate) -> String {
    let mut part = format!(
        "With covariates of one list: {:.1}, {:.1} of them in neither list; without covariates {:.1}\n\
         EM {} after {} steps\n",
        estimate.point,
        estimate.unseen,
        estimate.independence,
        if estimate.convergence.converged {
            "came to rest"
        } else {
            "DID NOT COME TO REST: do not use the estimate"
        },
        estimate.convergence.iterations
    );
    if let Some(test) = &estimate.association {
        writeln!(
            part,
            "Without X1 with X2: {:.1} (likelihood ratio {:.2}, d.f. {}, p {:.4})",
            test.point_without,
            test.likelihood_ratio.statistic,
            test.likelihood_ratio.degrees_of_freedom,
            test.likelihood_ratio.p_value
        )
        .expect("writing to a String");
    }
    let rows: Vec<Vec<String>> = estimate
        .sensitivity
        .iter()
        .map(|row| {
            let level = row
                .level
                .map(|level| format!(" (level {level})"))
                .unwrap_or_default();
            vec![
                format!("{}{level}", row.term.replace('_', " ")),
                format!("{:.3}", row.odds_ratio),
                format!("{:.0}", row.unseen),
                format!("{:.0}", row.point),
                format!("{:.1} %", 100.0 * row.coverage_1),
                format!("{:.1} %", 100.0 * row.coverage_2),
            ]
        })
        .collect();
    part + &to_columns(
        &[
            "association",
            "odds ratio",
            "in neither",
            "estimate",
            "list 1 has",
            "list 2 has",
        ],
        &rows,
    )
}
