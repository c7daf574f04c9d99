//! The files an operator starts from: they are sound by the tools that read them, and name nothing that is not there. `tests/run` installs
//! the tools.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use corridor_server::{Config, OperationsConfig};
use corridor_tests::sample;
use corridor_tests::{binaries, workspace_root};
use corridor_wire::v1;
use corridor_wire::v1::run_service_client::RunServiceClient;

use crate::operations::get;
use crate::service::Service;

fn deploy(name: &str) -> PathBuf {
    workspace_root().join("deploy").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap()
}

/// A tool `tests/run` installs below `target`.
fn tool(path: &str) -> Command {
    let tool = workspace_root().join("target").join(path);
    assert!(tool.exists(), "run tests/run, which installs {}", tool.display());
    let mut command = Command::new(tool);
    command.current_dir(workspace_root());
    command
}

fn succeeded(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// The settings containers start with; the folder of their certificates is not here.
const CONTAINER_SETTINGS: [&str; 2] = ["compose/corridor-server.toml", "kubernetes/corridor-server.toml"];

#[test]
fn settings_of_containers_are_read_and_agree_with_what_stops_and_probes_them() {
    for name in CONTAINER_SETTINGS {
        let config = Config::load(&deploy(name)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.operations.listen.unwrap().port(), 9464, "{name}");
        assert_eq!(config.listen.port(), 7443, "{name}");
        assert!(config.log.json, "{name}");
        assert!(config.data_folder.starts_with("/var/lib/corridor"), "{name}");
    }
    // Whoever stops the service waits longer than the service does.
    let drain = OperationsConfig::default().drain_s;
    for (name, key) in [
        ("kubernetes/stateful-set.yaml", "terminationGracePeriodSeconds: "),
        ("compose/compose.yaml", "stop_grace_period: "),
        ("corridor-server.service", "TimeoutStopSec="),
    ] {
        let text = read(name);
        let (_, rest) = text.split_once(key).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        assert!(digits.parse::<u64>().unwrap() > drain + 5, "{name}");
    }
    // The container runs as nobody in particular, on a root file system it cannot write.
    let (dockerfile, stateful_set, compose) = (
        read("Dockerfile"),
        read("kubernetes/stateful-set.yaml"),
        read("compose/compose.yaml"),
    );
    assert!(dockerfile.contains("\nUSER 65532:65532\n") && dockerfile.contains("\nHEALTHCHECK "));
    assert!(
        stateful_set.contains("readOnlyRootFilesystem: true") && stateful_set.contains("runAsUser: 65532")
    );
    assert!(compose.contains("read_only: true"));
}

#[test]
fn container_files_are_sound_by_their_schemas() {
    let said = succeeded(tool("python/bin/python").arg("tests/python/check_deploy.py"));
    assert!(said.ends_with("parts are sound\n"), "{said}");
}

#[test]
fn the_unit_is_sound_and_lets_the_service_do_little() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("corridor-server.service");
    let binary = binaries().join("corridor-server");
    let text =
        read("corridor-server.service").replace("/usr/local/bin/corridor-server", binary.to_str().unwrap());
    fs::write(&unit, text).unwrap();
    let said = succeeded(Command::new("systemd-analyze").arg("verify").arg(&unit));
    assert!(!said.contains("corridor-server.service:"), "{said}");
    // Tenths of a point out of a hundred.
    let mut security = Command::new("systemd-analyze");
    security
        .args(["security", "--offline=true", "--threshold=15"])
        .arg(&unit);
    succeeded(&mut security);
}

/// Names of metrics in an expression: words of the program's own, without the ends a histogram or a summary adds.
fn metrics_in(expression: &str) -> impl Iterator<Item = String> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("corridor_") || word.starts_with("process_"))
        .map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboard_and_alerts_name_metrics_there_are_and_prometheus_takes_both() {
    let service = Service::start().await;
    // One call of each kind, so that there is something to count.
    let stranger = service.client("STRANGER").await;
    stranger.list_agreements().await.unwrap_err();
    let mut runs = RunServiceClient::new(service.channel(sample::ORIGIN).await);
    let unknown = v1::WatchRunRequest { run_id: vec![0; 32] };
    runs.watch_run(unknown).await.unwrap_err();
    let page = get(service.endpoint, "/metrics").await.1;
    service.stop().await;

    let mut there = BTreeSet::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        there.insert(line.split(['{', ' ']).next().unwrap().to_owned());
    }
    let dashboard: serde_json::Value = serde_json::from_str(&read("monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap().to_owned());
    let alerts = read("monitoring/alerts.yaml");
    let rules = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: ").map(str::to_owned));
    let mut named = BTreeSet::new();
    for expression in expressions.chain(rules) {
        for metric in metrics_in(&expression) {
            assert!(
                there.contains(&metric),
                "{metric} in {expression} is not in {there:?}"
            );
            named.insert(metric);
        }
    }
    // And nothing is counted that nobody looks at.
    let ends = ["_bucket", "_sum", "_count"];
    let of_family = |metric: &str| {
        ends.iter()
            .find_map(|end| metric.strip_suffix(end))
            .unwrap_or(metric)
            .to_owned()
    };
    let named: BTreeSet<String> = named.iter().map(|metric| of_family(metric)).collect();
    for metric in &there {
        assert!(named.contains(&of_family(metric)), "nobody looks at {metric}");
    }

    let promtool = "tools/prometheus/usr/bin/promtool";
    succeeded(tool(promtool).args(["check", "rules", "deploy/monitoring/alerts.yaml"]));
    succeeded(tool(promtool).args(["check", "config", "deploy/monitoring/prometheus.yaml"]));
    let mut check = tool(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.is_empty(), "{said}");
}
