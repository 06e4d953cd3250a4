//! The whole chain: a simulated AWS, real exporters, a real Prometheus with the
//! rules that the program prints, a real Alertmanager with the shipped example. All
//! that is changed of them are ports and receivers, and, in the rules, minutes into
//! seconds.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_sim::Sim;
use serde_json::{Value, json};

use crate::{
    peers::{Peer, free_port, wait_until},
    rules::program,
    support::{Exporter, request},
};

/// What a receiver was told, and when.
#[derive(Clone, Debug)]
pub struct Notice {
    pub at: Instant,
    pub receiver: String,
    pub alerts: Vec<Value>,
}

/// The webhook that all receivers of the example are pointed at.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub address: String,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Webhook {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let webhook = Self { address: listener.local_addr().unwrap().to_string(), notices: Arc::default() };
        let notices = Arc::clone(&webhook.notices);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = BufReader::new(client.unwrap());
                let (mut head, mut length) = (String::new(), 0);
                while !head.ends_with("\r\n\r\n") && client.read_line(&mut head).unwrap() > 0 {
                    let line = head.lines().last().unwrap_or_default().to_lowercase();
                    length = line.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
                }
                let mut body = vec![0; length];
                client.read_exact(&mut body).unwrap();
                let said: Value = serde_json::from_slice(&body).unwrap();
                let receiver = said["receiver"].as_str().unwrap().to_owned();
                let alerts = said["alerts"].as_array().unwrap().clone();
                notices.lock().unwrap().push(Notice { at: Instant::now(), receiver, alerts });
                client
                    .into_inner()
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .unwrap();
            }
        });
        webhook
    }

    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    /// The notices that say of this alert that it is `status`.
    pub fn of(&self, alert: &str, status: &str) -> Vec<Notice> {
        let is_it = |told: &&Value| told["labels"]["alertname"] == alert && told["status"] == status;
        self.notices().into_iter().filter(|notice| notice.alerts.iter().any(|told| is_it(&told))).collect()
    }

    /// Waits until an alert is told of, of whatever account where none is named, and tells when that was.
    pub fn wait_for(&self, alert: &str, account: &str) -> Instant {
        let told = || {
            let about = |told: &Value| account.is_empty() || told["labels"]["account_id"] == account;
            let mut notices = self.of(alert, "firing").into_iter();
            notices.find(|notice| notice.alerts.iter().any(about)).map(|notice| notice.at)
        };
        wait_until(&format!("{alert} {account}"), Duration::from_secs(150), || told().is_some());
        told().unwrap()
    }

    /// When the receiver was told that this alert of this account is `status`.
    pub fn told(&self, receiver: &str, alert: &str, account: &str, status: &str) -> Option<Instant> {
        let about = |told: &Value| told["labels"]["account_id"] == account && told["status"] == status;
        let mut notices = self.of(alert, status).into_iter();
        notices.find(|notice| notice.receiver == receiver && notice.alerts.iter().any(about)).map(|notice| notice.at)
    }
}

/// An answer in one piece, which HTTP 1.0 makes it; nothing while it is not ready.
pub fn get(address: &str, path: &str) -> Value {
    let answer = request(address, &format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n"));
    if answer.status == 200 { serde_json::from_slice(&answer.body).unwrap() } else { Value::Null }
}

/// The rules that the program prints, with seconds for minutes, and groups that are
/// evaluated every second. An account is new for ten seconds after the first; what
/// was last known within six seconds is one outage.
pub fn hurried(flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    let printed = command.args(["generate", "alerts"]).args(flags).output().unwrap();
    let rules = String::from_utf8(printed.stdout).unwrap();
    for setting in ["<= 330", "+ 330", "+ 3600"].iter().filter(|_| !flags.contains(&"--set=simple")) {
        assert!(rules.contains(setting), "{setting}");
    }
    hurry(&rules.replace("<= 330", "<= 6").replace("+ 330", "+ 6").replace("+ 3600", "+ 10"))
}

/// Rules with seconds for minutes, and groups that are evaluated every second.
pub fn hurry(rules: &str) -> String {
    let hurry = |line: &str| match line.trim_start().split_once(": ") {
        Some(("interval", _)) => "  interval: 1s".to_owned(),
        Some(("for" | "keep_firing_for", time)) if time.ends_with('m') => {
            format!("{}s", line.strip_suffix('m').unwrap())
        }
        _ => line.to_owned(),
    };
    rules.lines().map(hurry).collect::<Vec<_>>().join("\n")
}

/// What runs, and where.
pub struct Chain {
    pub sim: Sim,
    pub exporters: Vec<Exporter>,
    pub webhook: Webhook,
    prometheus: String,
    alertmanager: String,
    installation: Option<PathBuf>,
    folder: tempfile::TempDir,
    scraper: Option<Peer>,
    _receiver: Peer,
}

impl Chain {
    /// Starts all but the exporters.
    pub fn start(installation: Option<&Path>, sim: Sim) -> Self {
        let (webhook, folder) = (Webhook::start(), tempfile::tempdir().unwrap());
        let [prometheus, alertmanager] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
        let read = |name: &str| fs::read_to_string(shipped.join(name)).unwrap();
        let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        put("alerts.yaml", hurried(&["--grace=1h", "--unprotected-grace=60s"]));
        put("recording.yaml", read("recording.yaml"));
        put("alertmanager.yml", read("alertmanager.example.yml").replace("127.0.0.1:9099", &webhook.address));
        let config = read("prometheus.example.yml")
            .replace("127.0.0.1:9093", &alertmanager)
            .replace("scrape_interval: 30s", "scrape_interval: 1s")
            .replace("scrape_timeout: 10s", "scrape_timeout: 1s")
            .replace("evaluation_interval: 30s", "evaluation_interval: 1s")
            .replace(
                "  static_configs:\n  - targets: ['127.0.0.1:10045']",
                "  file_sd_configs:\n  - files: [targets.json]\n    refresh_interval: 1s",
            );
        assert!(config.contains("file_sd_configs"), "{config}");
        put("prometheus.yml", config);
        put("targets.json", "[]".to_owned());
        let mut receiver = program(installation, "prometheus-alertmanager");
        receiver.args([
            format!("--config.file={}", folder.path().join("alertmanager.yml").display()),
            format!("--storage.path={}", folder.path().join("alertmanager").display()),
            format!("--web.listen-address={alertmanager}"),
            "--cluster.listen-address=".to_owned(),
        ]);
        let receiver = peer(folder.path(), receiver, &alertmanager);
        let installation = installation.map(Path::to_owned);
        let exporters = Vec::new();
        let mut chain = Self {
            sim,
            exporters,
            webhook,
            prometheus,
            alertmanager,
            installation,
            folder,
            scraper: None,
            _receiver: receiver,
        };
        chain.restart_prometheus();
        chain
    }

    /// Kills Prometheus, if it runs, and starts it on what it has stored.
    pub fn restart_prometheus(&mut self) {
        drop(self.scraper.take());
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut scraper = program(self.installation.as_deref(), "prometheus");
        scraper.args([
            format!("--config.file={}", path("prometheus.yml")),
            format!("--storage.tsdb.path={}", path("prometheus")),
            format!("--web.listen-address={}", self.prometheus),
        ]);
        self.scraper = Some(peer(self.folder.path(), scraper, &self.prometheus));
    }

    /// Starts an exporter of `sim`, and has it scraped as of this job.
    pub fn add_exporter(&mut self, endpoint: &str, flags: &[&str]) {
        let fast = ["--collector.root.interval=1s", "--collector.devices.interval=2s"];
        self.exporters.push(Exporter::start(endpoint, &[&fast, flags].concat()));
        self.scrape();
    }

    /// Has Prometheus scrape the exporters that there are.
    pub fn scrape(&self) {
        let addresses: Vec<_> = self.exporters.iter().map(|exporter| exporter.address.clone()).collect();
        let whole = self.folder.path().join("targets.new");
        fs::write(&whole, json!([{ "targets": addresses }]).to_string()).unwrap();
        fs::rename(whole, self.folder.path().join("targets.json")).unwrap();
    }

    pub fn ask(&self, query: &str) -> Value {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        get(&self.prometheus, &format!("/api/v1/query?query={encoded}"))["data"]["result"].clone()
    }

    /// The accounts for which Alertmanager holds this alert for firing.
    pub fn active(&self, alert: &str) -> BTreeSet<String> {
        let answer = get(&self.alertmanager, "/api/v2/alerts?active=true");
        let all = answer.as_array().into_iter().flatten().filter(|told| told["labels"]["alertname"] == alert);
        all.map(|told| told["labels"]["account_id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until an alert is told of, and tells when that was.
    pub fn wait_for(&self, alert: &str, account: &str) -> Instant {
        self.webhook.wait_for(alert, account)
    }
}

/// VictoriaMetrics and vmalert in Prometheus's place: what is scraped comes back a moment later, and so does what a rule
/// has recorded.
pub struct Victoria {
    pub webhook: Webhook,
    _folder: tempfile::TempDir,
    _peers: [Peer; 3],
}

impl Victoria {
    /// Starts all but the exporter, which is at `target`.
    pub fn start(installation: Option<&Path>, target: &str, flags: &[&str]) -> Self {
        let (webhook, folder) = (Webhook::start(), tempfile::tempdir().unwrap());
        let [database, alertmanager, ruler] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/alertmanager.example.yml");
        let routes = fs::read_to_string(example).unwrap().replace("127.0.0.1:9099", &webhook.address);
        let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        put("alerts.yaml", hurried(flags));
        put("alertmanager.yml", routes);
        let job =
            json!({"job_name": "aws-mfa-exporter", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]});
        put("scrape.yml", json!({ "scrape_configs": [job] }).to_string());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let start = |name: &str, arguments: &[String], address: &str| {
            let mut command = program(installation, name);
            command.args(arguments);
            peer(folder.path(), command, address)
        };
        let receiver = [
            format!("--config.file={}", path("alertmanager.yml")),
            format!("--storage.path={}", path("alertmanager")),
            format!("--web.listen-address={alertmanager}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let store = [
            format!("-storageDataPath={}", path("store")),
            format!("-httpListenAddr={database}"),
            format!("-promscrape.config={}", path("scrape.yml")),
            "-search.latencyOffset=0s".to_owned(),
        ];
        let evaluate = [
            format!("-rule={}", path("alerts.yaml")),
            format!("-httpListenAddr={ruler}"),
            format!("-datasource.url=http://{database}"),
            format!("-remoteWrite.url=http://{database}"),
            format!("-notifier.url=http://{alertmanager}"),
            "-remoteWrite.flushInterval=1s".to_owned(),
        ];
        let peers = [
            start("prometheus-alertmanager", &receiver, &alertmanager),
            start("victoria-metrics", &store, &database),
            start("vmalert", &evaluate, &ruler),
        ];
        Self { webhook, _folder: folder, _peers: peers }
    }
}

fn peer(folder: &Path, mut command: Command, address: &str) -> Peer {
    let log = Stdio::from(fs::File::create(folder.join(format!("log-{}", free_port()))).unwrap());
    let peer = Peer(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    wait_until("it listens", Duration::from_secs(30), || std::net::TcpStream::connect(address).is_ok());
    peer
}
