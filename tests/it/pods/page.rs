//! The walk of deploy/eks.md, rehearsed: a pod of the chart, a Prometheus that scrapes
//! it under the job's name that a ServiceMonitor gives, and the rules of the
//! PrometheusRule. What is made faster is the heartbeat, and the groups' interval.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{MEMBER, golden, organization, root};
use crate::{
    peers::{Peer, free_port, wait_until},
    support::request,
};

/// The rules of the plain manifests, which are those of the chart, evaluated every second.
fn rules() -> String {
    let file = root().join("deploy/kubernetes/components/prometheus-operator/prometheusrule.yaml");
    let mut rule: Value = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let groups = rule["spec"]["groups"].as_array_mut().unwrap();
    groups.iter_mut().for_each(|group| group["interval"] = "1s".into());
    rule["spec"].to_string()
}

/// The job that Prometheus gives to the targets of the ServiceMonitor: the Service's name.
fn job() -> String {
    let service = fs::read_to_string(root().join("deploy/kubernetes/base/service.yaml")).unwrap();
    let service: Value = serde_saphyr::from_str(&service).unwrap();
    service["metadata"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_root_user_that_loses_its_mfa_fires_the_alert_of_the_chart_and_so_does_a_pod_that_is_gone() {
    let sim = organization(0);
    let cluster = golden("existing-configmap");
    let pod = cluster.start(0, &sim);
    pod.wait_for("the member", |samples| samples.status_of(MEMBER, "IAM.9") == "passed");
    let folder = tempfile::tempdir().unwrap();
    let config = serde_json::json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": job(), "static_configs": [{"targets": [pod.address()]}]}],
    });
    fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
    fs::write(folder.path().join("rules.yaml"), rules()).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let mut prometheus = Command::new("prometheus");
    prometheus.current_dir(folder.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    prometheus.arg(format!("--web.listen-address={address}")).stderr(Stdio::null());
    let _prometheus = Peer(prometheus.spawn().unwrap());
    wait_until("prometheus listens", Duration::from_secs(30), || std::net::TcpStream::connect(&address).is_ok());
    let ask = |query: &str| {
        let path = format!("/api/v1/query?query={query}");
        request(&address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).text()
    };
    let alerts = |name: &str| ask(&format!("ALERTS%7Balertname%3D%22{name}%22%7D"));
    let firing = |name: &str| alerts(name).contains(MEMBER) && alerts(name).contains("firing");
    wait_until("the pod is scraped", Duration::from_secs(30), || ask("up").contains(r#""1"]"#));
    // The rules have to have seen it protected.
    std::thread::sleep(Duration::from_secs(3));
    assert!(!firing("AwsMfaRootMfaRegressed"));

    sim.edit(MEMBER, |account| account.root.devices.clear());
    wait_until("the alert fires", Duration::from_secs(60), || firing("AwsMfaRootMfaRegressed"));
    pod.stops_in_time();
    // It fires after two minutes; that it is pending tells that the alert sees it.
    wait_until("it is told that the exporter is gone", Duration::from_secs(60), || {
        alerts("AwsMfaExporterAbsent").contains("AwsMfaExporterAbsent")
    });
    assert!(firing("AwsMfaRootMfaRegressed"), "what was firing goes on");
}
