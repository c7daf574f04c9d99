use corridor_core::{Digest, RunState, RunStatus, Side};
use corridor_engine::{LinkageReport, LinkedPair};
use serde_json::json;

use crate::args::RunCommand;
use crate::client::{Client, connect};
use crate::commands::plan_page::to_plan_page;
use crate::commands::replay;
use crate::commands::results::{to_blocking_lines, to_field_lines, to_strata_lines};
use crate::output::{self, data, progress, refuse_existing, talk, write_file};

pub(crate) async fn run(command: RunCommand) -> anyhow::Result<()> {
    match command {
        RunCommand::Plan {
            agreement,
            json,
            service,
        } => {
            let plan = connect(&service.service).await?.plan_run(agreement).await?;
            if json {
                return output::json(&plan);
            }
            data(&to_plan_page(&plan))
        }
        RunCommand::Start { agreement, service } => {
            let run = connect(&service.service).await?.start_run(agreement).await?;
            talk(&format!("{}; next: corridor run watch RUN", run.state));
            data(&format!("{}\n", run.id))
        }
        RunCommand::Watch(args) => {
            let client = connect(&args.service.service).await?;
            let run = watch(&client, args.run).await?;
            show(&run, args.json)?;
            fail_if_failed(&run)
        }
        RunCommand::Show(args) => {
            let run = connect(&args.service.service).await?.run(args.run).await?;
            show(&run, args.json)
        }
        RunCommand::Cancel(args) => {
            let run = connect(&args.service.service).await?.cancel_run(args.run).await?;
            talk("cancelled; what it has done is kept: corridor run start takes it up again");
            show(&run, args.json)
        }
        RunCommand::Quality(args) => {
            let client = connect(&args.service.service).await?;
            let (report, result) = client.linkage_report(args.run).await?;
            if args.json {
                return output::json(&json!({ "run": args.run, "result": result, "linkage": report }));
            }
            data(&to_quality_page(&report))
        }
        RunCommand::Manifest { run, out, service } => {
            refuse_existing(&out)?;
            let manifest = connect(&service.service).await?.run_manifest(run).await?;
            write_file(&out, &manifest)?;
            talk(&format!(
                "wrote {}, of digest {}; next: corridor run replay, by whoever may hold both datasets",
                out.display(),
                Digest::of(&manifest)
            ));
            Ok(())
        }
        RunCommand::Replay(args) => replay::run(&args),
        RunCommand::Links { run, output, service } => {
            let client = connect(&service.service).await?;
            let links = client.links(run).await?;
            let agreement = client.agreement(client.run(run).await?.agreement).await?;
            let fields = &agreement.agreement.encoding.match_fields;
            write_file(&output, to_csv(&links, fields)?.as_bytes())?;
            talk(&format!("{} links to {}", links.len(), output.display()));
            Ok(())
        }
    }
}

/// Follows a run with a progress bar.
pub(crate) async fn watch(client: &Client, id: Digest) -> anyhow::Result<RunStatus> {
    let bar = progress(0, "comparing");
    let run = client
        .watch_run(id, &|run| {
            bar.set_length(run.tiles_total);
            bar.set_position(run.tiles_done);
        })
        .await?;
    bar.finish_and_clear();
    Ok(run)
}

/// A run that failed or was cancelled is a failure of the command that waited for it.
pub(crate) fn fail_if_failed(run: &RunStatus) -> anyhow::Result<()> {
    if run.state == RunState::Failed {
        anyhow::bail!("the run failed: {}", run.reason);
    }
    if run.state == RunState::Cancelled {
        anyhow::bail!("the run was cancelled");
    }
    Ok(())
}

fn show(run: &RunStatus, as_json: bool) -> anyhow::Result<()> {
    let released = |side: Side| run.released_by.contains(&side);
    if as_json {
        return output::json(&json!({
            "run": run.id,
            "agreement": run.agreement,
            "state": run.state.as_str(),
            "tiles_done": run.tiles_done,
            "tiles_total": run.tiles_total,
            "restarts": run.restarts,
            "reason": run.reason,
            "result": run.result,
            "released_by_origin": released(Side::Origin),
            "released_by_destination": released(Side::Destination),
        }));
    }
    let mut page = format!("run        {}\nstate      {}\n", run.id, run.state);
    page += &format!(
        "progress   {} of {} tiles stored\n",
        run.tiles_done, run.tiles_total
    );
    if run.restarts > 0 {
        page += &format!(
            "restarts   {}: taken up again after the service was stopped\n",
            run.restarts
        );
    }
    if !run.reason.is_empty() {
        page += &format!("reason     {}\n", run.reason);
    }
    if let Some(result) = run.result {
        let word = |side| if released(side) { "yes" } else { "not yet" };
        page += &format!(
            "result     {result}\nreleased   origin {}, destination {}\n",
            word(Side::Origin),
            word(Side::Destination)
        );
    }
    data(&page)
}

/// How links were decided and how good they are, as a page.
fn to_quality_page(report: &LinkageReport) -> String {
    let share =
        |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), |value| format!("{value:.4}"));
    let mut page = format!(
        "threshold           {} ({})\n",
        report.threshold, report.threshold_policy
    );
    page += &format!("expected precision  {}\n", share(report.expected_precision));
    page += &format!("expected recall     {}\n", share(report.expected_recall));
    if let Some(estimators) = &report.estimators {
        page += &format!(
            "95 % intervals      precision {:.4} to {:.4}, recall {:.4} to {:.4}\n",
            estimators.precision_low,
            estimators.precision_high,
            estimators.recall_low,
            estimators.recall_high
        );
        match estimators.agree {
            Some(true) => {}
            Some(false) => {
                page += "                    the two estimators of the threshold do not agree: take these with care\n";
            }
            None => {
                page += "                    too few links are almost certain for a second estimator: nothing confirms these\n";
            }
        }
    }
    if let Some(ambiguous) = report.ambiguous_links {
        page += &format!("ambiguous links     about {ambiguous} have a rival nearly as alike\n");
    }
    if let Some(components @ 1..) = report.greedy_components {
        page += &format!(
            "assignment          {components} groups of pairs were too large to be assigned optimally, and were assigned greedily\n"
        );
    }
    let parts = [
        report.blocking.as_ref().map(to_blocking_lines),
        (!report.strata.is_empty()).then(|| to_strata_lines(&report.strata)),
        report.fields.as_ref().map(to_field_lines),
    ];
    for part in parts.into_iter().flatten() {
        page.push('\n');
        page += part.trim_end();
        page.push('\n');
    }
    page
}

/// Links as CSV; where fields decided, with the bits of evidence of each in a column of its own.
fn to_csv(links: &[LinkedPair], fields: &[String]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = ["origin_record", "destination_record", "similarity", "probability"]
        .map(str::to_owned)
        .to_vec();
    if links.iter().any(|link| !link.evidence.is_empty()) {
        header.extend(fields.iter().map(|field| format!("bits_{field}")));
    }
    writer.write_record(&header)?;
    for link in links {
        let mut row = vec![
            link.origin_record.to_hex(),
            link.destination_record.to_hex(),
            link.similarity.to_string(),
            link.probability.map_or_else(String::new, |p| p.to_string()),
        ];
        row.extend(link.evidence.iter().map(|bits| format!("{bits:.3}")));
        writer.write_record(&row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
