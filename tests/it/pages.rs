//! From an account that loses root's MFA to the webhook that pages: the real
//! exporter, a real Prometheus with the shipped rules, a real Alertmanager with
//! the shipped example. All that is changed of them are ports and receivers, and,
//! in the rules, minutes into seconds.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, Member, Organization, Role, Scenario, Sim};
use serde_json::Value;

use crate::{
    peers::{Peer, free_port, wait_until},
    rules::{installations, program},
    support::{Exporter, KEY, Samples, request},
};

const OWN: &str = "000000000001";
const ROLE: &str = "aws-mfa-exporter";
const MEMBERS: [&str; 5] = ["100000000001", "100000000002", "100000000003", "100000000004", "100000000005"];

/// From the change in the account to the arrival of the page.
const TARGET: Duration = Duration::from_secs(10);

/// What a receiver was told, and when.
#[derive(Clone, Debug)]
struct Notice {
    at: Instant,
    receiver: String,
    alerts: Vec<Value>,
}

/// The webhook that all receivers of the example are pointed at.
#[derive(Clone, Debug)]
struct Webhook {
    address: String,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Webhook {
    fn start() -> Self {
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

    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    /// The notices that say of this alert that it is `status`.
    fn of(&self, alert: &str, status: &str) -> Vec<Notice> {
        let is_it = |told: &&Value| told["labels"]["alertname"] == alert && told["status"] == status;
        self.notices().into_iter().filter(|notice| notice.alerts.iter().any(|told| is_it(&told))).collect()
    }

    /// When the receiver was told that this alert of this account is `status`.
    fn told(&self, receiver: &str, alert: &str, account: &str, status: &str) -> Option<Instant> {
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

/// The whole chain.
struct Chain {
    sim: Sim,
    exporter: Exporter,
    webhook: Webhook,
    prometheus: String,
    alertmanager: String,
    _peers: [Peer; 2],
    _folder: tempfile::TempDir,
}

fn organization() -> Scenario {
    let account = |id: &str| {
        let fido = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
        Account { roles: vec![Role::named(ROLE)], ..Account::with_root_devices(id, &[&fido]) }
    };
    let ids = || [OWN].into_iter().chain(MEMBERS);
    let members = ids().map(|id| Member::new(id, &format!("name-{id}"))).collect();
    Scenario {
        organization: Some(Organization { management: OWN.into(), members, ..Organization::default() }),
        accounts: ids().map(account).collect(),
        credentials: [(KEY.to_owned(), OWN.to_owned())].into(),
        ..Scenario::default()
    }
}

/// The shipped rules, with seconds for minutes; groups are evaluated every second.
pub fn hurried(rules: &str) -> String {
    let hurry = |line: &str| match line.trim_start().split_once(": ") {
        Some(("interval", _)) => "  interval: 1s".to_owned(),
        Some(("for" | "keep_firing_for", time)) if time.ends_with('m') => {
            format!("{}s", line.strip_suffix('m').unwrap())
        }
        _ => line.to_owned(),
    };
    rules.lines().map(hurry).collect::<Vec<_>>().join("\n")
}

impl Chain {
    fn start(installation: Option<&Path>) -> Self {
        let sim = Sim::start(organization()).unwrap();
        let flags = [
            "--collector.root.interval=1s",
            "--collector.devices.interval=2s",
            "--organization.role-name=aws-mfa-exporter",
        ];
        let exporter = Exporter::start(&sim.endpoint(), &flags);
        let webhook = Webhook::start();
        let folder = tempfile::tempdir().unwrap();
        let [prometheus, alertmanager] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));

        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
        let read = |name: &str| fs::read_to_string(shipped.join(name)).unwrap();
        let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        put("alerts.yaml", hurried(&read("alerts.yaml")));
        put("recording.yaml", hurried(&read("recording.yaml")));
        put("alertmanager.yml", read("alertmanager.example.yml").replace("127.0.0.1:9099", &webhook.address));
        let config = read("prometheus.example.yml")
            .replace("127.0.0.1:9093", &alertmanager)
            .replace("127.0.0.1:10045", &exporter.address)
            .replace("scrape_interval: 30s", "scrape_interval: 1s")
            .replace("scrape_timeout: 10s", "scrape_timeout: 1s")
            .replace("evaluation_interval: 30s", "evaluation_interval: 1s");
        put("prometheus.yml", config);

        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut receiver = program(installation, "prometheus-alertmanager");
        receiver.args([
            format!("--config.file={}", path("alertmanager.yml")),
            format!("--storage.path={}", path("alertmanager")),
            format!("--web.listen-address={alertmanager}"),
            "--cluster.listen-address=".to_owned(),
        ]);
        let mut scraper = program(installation, "prometheus");
        scraper.args([
            format!("--config.file={}", path("prometheus.yml")),
            format!("--storage.tsdb.path={}", path("prometheus")),
            format!("--web.listen-address={prometheus}"),
        ]);
        let peers = [receiver, scraper].map(|mut command| {
            let log = Stdio::from(fs::File::create(folder.path().join(free_port().to_string())).unwrap());
            Peer(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
        });
        for address in [&prometheus, &alertmanager] {
            wait_until("it listens", Duration::from_secs(30), || std::net::TcpStream::connect(address).is_ok());
        }
        Self { sim, exporter, webhook, prometheus, alertmanager, _peers: peers, _folder: folder }
    }

    fn ask(&self, query: &str) -> Value {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        get(&self.prometheus, &format!("/api/v1/query?query={encoded}"))["data"]["result"].clone()
    }

    /// The accounts for which Alertmanager holds this alert for firing.
    fn active(&self, alert: &str) -> BTreeSet<String> {
        let answer = get(&self.alertmanager, "/api/v2/alerts?active=true");
        let all = answer.as_array().into_iter().flatten().filter(|told| told["labels"]["alertname"] == alert);
        all.map(|told| told["labels"]["account_id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Takes root's device away, and tells how long the page took.
    fn regress(&self, account: &str) -> Duration {
        self.sim.edit(account, |account| account.root.devices.clear());
        let began = Instant::now();
        let paged = || self.webhook.told("pager", "AwsMfaRootMfaRegressed", account, "firing");
        wait_until("the page", Duration::from_secs(60), || paged().is_some());
        paged().unwrap() - began
    }
}

/// Shows a figure also where the output of tests that pass is not shown.
fn say(figure: &str) {
    std::io::stderr().write_all(format!("{figure}\n").as_bytes()).unwrap();
}

/// The story of one organization, told to one Prometheus and one Alertmanager.
fn story(installation: Option<&Path>) {
    let chain = Chain::start(installation);
    let protected = r#"count(account_control:aws_mfa_control_last_protected_timestamp_seconds:max{control="IAM.9"})"#;
    wait_until("all is well", Duration::from_secs(60), || chain.ask(protected)[0]["value"][1] == "6");
    assert!(chain.webhook.notices().iter().all(|notice| notice.receiver != "pager"), "nothing is wrong yet");
    let which = if installation.is_some() { "Prometheus 3" } else { "Debian's Prometheus" };
    root_mfa_goes_off(&chain, which);
    it_comes_back_and_aws_denies(&chain, which);
    the_exporter_is_killed(chain, which);
}

fn root_mfa_goes_off(chain: &Chain, which: &str) {
    let [one, two, three, ..] = MEMBERS;
    let mut took = [one, two, three].map(|account| chain.regress(account));
    say(&format!("{which}: from root MFA off to the page: {took:?}"));
    // Of three, since something else may have the machine for a moment.
    took.sort();
    assert!(took[1] <= TARGET, "{took:?}");
    let pages = chain.webhook.of("AwsMfaRootMfaRegressed", "firing");
    assert!(pages.iter().all(|page| page.alerts.len() == 1), "each account is a page of its own");
    let text = pages[0].alerts[0]["annotations"]["description"].as_str().unwrap();
    assert!(text.contains(&format!("account {one} (name-{one}) has credentials")), "{text}");
}

/// MFA is on again in one account; then AWS denies everything in every member.
fn it_comes_back_and_aws_denies(chain: &Chain, which: &str) {
    let (one, webhook) = (MEMBERS[0], &chain.webhook);
    let fido = chain.sim.account(one).root_fido_serial("key");
    chain.sim.edit(one, |account| account.root.devices.push(fido));
    let is_on = |samples: &Samples| samples.status_of(one, "IAM.9") == "passed";
    chain.exporter.wait_for("MFA on again", Duration::from_secs(25), is_on);
    let began = Instant::now();
    for account in MEMBERS {
        chain.sim.fault(account, None, Fault::AccessDenied);
    }
    let resolved = || webhook.told("pager", "AwsMfaRootMfaRegressed", one, "resolved");
    wait_until("it is taken back", Duration::from_secs(120), || resolved().is_some());
    say(&format!("{which}: from root MFA on to the resolution: {:?}", resolved().unwrap() - began));
    wait_until("unknown", Duration::from_secs(180), || !webhook.of("AwsMfaRootMfaUnknown", "firing").is_empty());
    let unknown = webhook.of("AwsMfaRootMfaUnknown", "firing");
    assert_eq!((unknown.len(), unknown[0].alerts.len()), (1, 5), "one page for all of them");
    assert_eq!(unknown[0].receiver, "pager");
    say(&format!(
        "{which}: from the denial to the page, with a minute in which to gather: {:?}",
        unknown[0].at - began
    ));
    let text = unknown[0].alerts[0]["annotations"]["description"].as_str().unwrap();
    assert!(text.contains("root: access_denied"), "{text}");
    assert_eq!(chain.active("AwsMfaRootMfaRegressed"), still_off(), "what is unknown has not been mended");
}

fn the_exporter_is_killed(mut chain: Chain, which: &str) {
    chain.exporter.signal("-KILL");
    chain.exporter.wait();
    let (killed, webhook) = (Instant::now(), &chain.webhook);
    wait_until("absent", Duration::from_secs(60), || !webhook.of("AwsMfaExporterAbsent", "firing").is_empty());
    let took = webhook.of("AwsMfaExporterAbsent", "firing")[0].at - killed;
    say(&format!("{which}: from the kill to the page, `for: 2s` included: {took:?}"));
    assert!(took <= TARGET * 2, "{took:?}");
    // Long enough for whatever is not inhibited to come, and for a page to be taken back.
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(chain.active("AwsMfaRootMfaRegressed"), still_off(), "nor has what nobody watches");
    let sent = |alert: &str, status: &str| webhook.of(alert, status).len();
    assert_eq!(sent("AwsMfaRootMfaRegressed", "firing"), 3, "no page twice");
    assert_eq!(sent("AwsMfaRootMfaRegressed", "resolved"), 1, "and none taken back but the one");
    assert_eq!(sent("AwsMfaRootMfaOff", "firing"), 0, "inhibited: a regression says more");
    assert_eq!(sent("AwsMfaExporterDown", "firing"), 0, "inhibited: there is no exporter at all");
    let pages = webhook.notices().into_iter().filter(|notice| notice.receiver == "pager");
    let about = |notice: Notice| notice.alerts.into_iter().map(|told| told["labels"]["alertname"].to_string());
    let about: BTreeSet<_> = pages.flat_map(about).collect();
    assert_eq!(about.len(), 3, "regressed, unknown, absent: {about:?}");
}

/// The accounts that have lost their MFA for good.
fn still_off() -> BTreeSet<String> {
    MEMBERS[1..3].iter().map(ToString::to_string).collect()
}

#[test]
fn root_mfa_off_pages_and_so_does_silence() {
    story(None);
}

#[test]
fn root_mfa_off_pages_with_prometheus_3_too() {
    for installation in installations().into_iter().flatten() {
        story(Some(&installation));
    }
}
