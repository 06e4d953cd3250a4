//! `check --output prometheus` by cron: several files in one folder, a real
//! node_exporter that reads them, and a real Prometheus with the shipped rules.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sim::{Account, Fault, Scenario, Sim};
use serde_json::Value;

use crate::{
    pages::chain::{get, hurried, hurry},
    peers::{Peer, free_port, wait_until},
    rules::{installations, program},
    support::{KEY, Samples, healthy, request},
};

const ONE: &str = "111111111111";
const TWO: &str = "222222222222";

/// What the alert on a tick that stands still waited for, and some.
const LONG: Duration = Duration::from_secs(45);

fn account(id: &str) -> Sim {
    let fido = Account { id: id.into(), ..healthy() }.root_fido_serial("key");
    let account = Account::with_root_devices(id, &[&fido]);
    let credentials = [(KEY.to_owned(), id.to_owned())].into();
    Sim::start(Scenario { accounts: vec![account], credentials, ..Scenario::default() }).unwrap()
}

/// Runs the check, and does with its output what deploy/check.md tells cron to do. Tells the
/// exit status.
fn cron(sim: &Sim, key: &str, file: &Path) -> i32 {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/check.md")).unwrap();
    let script = page.split("```sh\n#!/bin/sh\n").nth(1).expect("deploy/check.md has a script for cron");
    let script = script.split("```").next().unwrap().replace("aws-mfa-exporter check", "\"$CHECK\" check");
    let script = script.replace("/var/lib/prometheus/node-exporter/aws-mfa.prom", file.to_str().unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_clear().env("CHECK", env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    shell.env("PATH", "/usr/bin:/bin").env("AWS_EC2_METADATA_DISABLED", "true").stderr(Stdio::null());
    shell.env("AWS_ENDPOINT_URL", sim.endpoint()).env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", "x");
    shell.status().unwrap().code().unwrap()
}

/// node_exporter on a folder, and Prometheus on node_exporter.
struct Chain {
    node: String,
    prometheus: String,
    _peers: [Peer; 2],
    _folder: tempfile::TempDir,
}

impl Chain {
    fn start(installation: Option<&Path>, files: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [node, prometheus] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
        let mut reader = Command::new("prometheus-node-exporter");
        reader.args(["--collector.disable-defaults", "--collector.textfile"]);
        reader.arg(format!("--collector.textfile.directory={}", files.display()));
        reader.arg(format!("--web.listen-address={node}"));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
        fs::write(folder.path().join("alerts.yaml"), hurried(&[])).unwrap();
        let recording = fs::read_to_string(shipped.join("recording.yaml")).unwrap();
        fs::write(folder.path().join("recording.yaml"), hurry(&recording)).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [alerts.yaml, recording.yaml]\n\
             scrape_configs:\n- job_name: node\n  static_configs: [{{targets: ['{node}']}}]\n"
        );
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let mut scraper = program(installation, "prometheus");
        scraper.arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()));
        scraper.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        scraper.arg(format!("--web.listen-address={prometheus}"));
        let peers = [reader, scraper]
            .map(|mut command| Peer(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()));
        for address in [&node, &prometheus] {
            wait_until("it listens", Duration::from_secs(30), || std::net::TcpStream::connect(address).is_ok());
        }
        Self { node, prometheus, _peers: peers, _folder: folder }
    }

    /// What node_exporter serves, if it has nothing against its files.
    fn samples(&self) -> Samples {
        let answer = request(&self.node, "GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let ours = |line: &&str| line.contains("aws_mfa_") || line.contains("node_textfile_");
        let text: String = answer.text().lines().filter(ours).map(|line| format!("{line}\n")).collect();
        let samples = Samples::parse(&text);
        assert_eq!(samples.value("node_textfile_scrape_error"), Some(0.0), "{text}");
        samples
    }

    /// The alerts that fire, each with the account it is about.
    fn firing(&self) -> BTreeSet<(String, String)> {
        let answer = get(&self.prometheus, "/api/v1/alerts");
        let all = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let label = |alert: &Value, name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
        let firing = all.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| (label(alert, "alertname"), label(alert, "account_id"))).collect()
    }

    fn wait_for(&self, alert: &str, account: &str) {
        let wanted = (alert.to_owned(), account.to_owned());
        wait_until(alert, Duration::from_secs(60), || self.firing().contains(&wanted));
    }
}

/// Line by line what cron's users meet: two accounts side by side, nothing that fires
/// between two runs, a failure that does, and a job that has ended.
fn story(installation: Option<&Path>) {
    let [one, two] = [ONE, TWO].map(account);
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["one.prom", "two.prom"].map(|name| folder.path().join(name));
    assert_eq!([cron(&one, KEY, &first), cron(&two, KEY, &second)], [0, 0]);
    let chain = Chain::start(installation, folder.path());
    let samples = chain.samples();
    assert_eq!([ONE, TWO].map(|id| samples.status_of(id, "IAM.9")), ["passed", "passed"]);
    let stray: Vec<_> = samples.names().filter(|s| s.starts_with("aws_mfa_") && !s.contains("account_id=")).collect();
    assert!(stray.is_empty(), "{stray:?}");

    thread::sleep(LONG);
    assert_eq!(chain.firing(), BTreeSet::new(), "between two runs nothing is wrong");

    // One that cannot be read is unknown. One whose credentials are bad leaves its file as it was.
    one.fault(ONE, Some("GetAccountSummary"), Fault::AccessDenied);
    assert_eq!(cron(&one, KEY, &first), 2);
    let before = fs::read(&second).unwrap();
    assert_eq!(cron(&two, "AKIANOBODYS", &second), 3);
    assert_eq!(fs::read(&second).unwrap(), before);
    assert_eq!(chain.samples().status_of(ONE, "IAM.9"), "unknown");
    assert_eq!(chain.samples().fault_of(ONE, "root"), "access_denied");
    chain.wait_for("AwsMfaRootMfaUnknown", ONE);

    two.edit(TWO, |account| account.root.devices.clear());
    assert_eq!(cron(&two, KEY, &second), 1);
    chain.wait_for("AwsMfaRootMfaRegressed", TWO);

    // The job ended three hours ago.
    let then = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 3 * 3_600;
    let rewritten = fs::read_to_string(&first).unwrap().lines().fold(String::new(), |text, line| {
        let stamp = line.starts_with("aws_mfa_check_timestamp_seconds{");
        let line = if stamp { format!("{} {then}", line.rsplit_once(' ').unwrap().0) } else { line.to_owned() };
        text + &line + "\n"
    });
    fs::write(&first, rewritten).unwrap();
    chain.wait_for("AwsMfaCheckOld", ONE);
    let about: BTreeSet<_> = chain.firing().into_iter().map(|(alert, _)| alert).collect();
    for wrong in ["AwsMfaTickStopped", "AwsMfaExporterAbsent", "AwsMfaCollectorStale", "AwsMfaCredentialReportOld"] {
        assert!(!about.contains(wrong), "{about:?}");
    }
}

/// Line 9.
#[test]
fn files_of_several_accounts_lie_side_by_side_and_the_alerts_know_them() {
    story(None);
}

/// Line 9.
#[test]
fn the_alerts_know_such_files_with_prometheus_3_too() {
    for installation in installations().into_iter().flatten() {
        story(Some(&installation));
    }
}
