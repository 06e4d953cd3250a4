//! What the tests share.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    pin::pin,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use aws_sim::{Account, Scenario, Sim};

pub const ID: &str = "111111111111";
pub const KEY: &str = "AKIASIMULATEDEXAMPLE";

/// A simulation of one account, whose credentials are the exporter's.
pub fn sim(account: Account) -> Sim {
    let credentials = BTreeMap::from([(KEY.to_owned(), account.id.clone())]);
    Sim::start(Scenario { accounts: vec![account], credentials, ..Scenario::default() }).unwrap()
}

/// An account whose root user has a password and a hardware key, and nothing else.
pub fn healthy() -> Account {
    let fido = Account { id: ID.into(), ..Account::default() }.root_fido_serial("key");
    Account::with_root_devices(ID, &[&fido])
}

/// The exporter, as a child process. It ends with the test.
pub struct Exporter {
    child: Child,
    pub address: String,
    log: Arc<Mutex<String>>,
}

impl Exporter {
    /// Starts the exporter on a free port with `endpoint` for AWS's.
    pub fn start(endpoint: &str, flags: &[&str]) -> Self {
        Self::with_environment(
            flags,
            &[("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")],
        )
    }

    /// Starts the exporter with heartbeats every second.
    pub fn fast(sim: &Sim) -> Self {
        Self::start(&sim.endpoint(), &["--collector.root.interval=1s", "--collector.devices.interval=2s"])
    }

    /// Starts the exporter with these variables and no others.
    pub fn with_environment(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::listening(flags, environment).ready()
    }

    /// Waits until there is something to scrape.
    pub fn ready(self) -> Self {
        while self.get("/-/ready").status != 200 {
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    /// As [`Self::with_environment`], and asks nothing of it.
    pub fn listening(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        command.arg("--web.listen-address=127.0.0.1:0").args(flags);
        Self::of(command, environment)
    }

    /// What `command` starts, with these variables and no others.
    pub fn of(mut command: Command, environment: &[(&str, &str)]) -> Self {
        command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
        Self::until_it_listens(command)
    }

    /// Runs what becomes the exporter, with these arguments and one more.
    pub fn spawned(mut command: Command) -> Self {
        command.arg("--web.listen-address=127.0.0.1:0");
        Self::until_it_listens(command)
    }

    /// Runs what becomes the exporter until it says where it listens.
    fn until_it_listens(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while let Some(line) = lines.next().map(Result::unwrap) {
            let found = line.split_once("address=").or_else(|| line.split_once("\"address\":\""));
            address = found.map(|(_, rest)| rest.trim_end_matches(['"', '}']).to_owned());
            writeln_to(&log, &line);
            if address.is_some() {
                break;
            }
        }
        let rest = Arc::clone(&log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| writeln_to(&rest, &line)));
        Self { child, address: address.expect("the exporter says where it listens"), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        // A line can come a moment after the metric that it explains.
        let text = || self.log.lock().unwrap().clone();
        let mut last = text();
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(300));
            let next = text();
            if next == last {
                break;
            }
            last = next;
        }
        last
    }

    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap().success());
    }

    /// The exit code, once it has ended.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn get(&self, path: &str) -> Response {
        request(&self.address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    pub fn metrics(&self) -> Samples {
        Samples::parse(&self.get("/metrics").text())
    }

    /// Scrapes until `wanted` holds.
    pub fn wait_for(&self, what: &str, patience: Duration, wanted: impl Fn(&Samples) -> bool) -> Samples {
        let began = Instant::now();
        loop {
            // Nothing may have been published yet.
            let answer = self.get("/metrics");
            let samples = Samples::parse(&if answer.status == 503 { String::new() } else { answer.text() });
            if wanted(&samples) {
                return samples;
            }
            assert!(began.elapsed() < patience, "{what}: not within {patience:?}\n{samples}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for a verdict on the account.
    pub fn expect(&self, control: &str, status: &str) -> Samples {
        self.wait_for(&format!("{control} {status}"), Duration::from_secs(25), |samples| {
            samples.status(control) == status
        })
    }
}

fn writeln_to(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap();
    log.push_str(line);
    log.push('\n');
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer, taken apart by hand.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// Reads until the server closes.
    pub fn read(stream: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Self::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends bytes, and reads until the server closes.
pub fn request(address: &str, bytes: &str) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    Response::read(&mut stream)
}

/// An exposition in the text format, read strictly.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples(BTreeMap<String, f64>);

impl Samples {
    /// Refuses what Prometheus would, and duplicate samples, which promtool lets
    /// pass: each line a comment or a sample, each family in one piece.
    pub fn parse(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let (mut families, mut family) = (BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                let (kind, name) = (words.next().unwrap(), words.next().unwrap_or_default());
                if kind == "HELP" {
                    family = name.to_owned();
                    assert!(families.insert(family.clone()), "family {name} stands in two places");
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            assert!(series.starts_with(&family), "{series} is outside its family {family}");
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands twice");
        }
        Self(samples)
    }

    pub fn value(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The state of an account; empty where it is not known.
    pub fn state_of(&self, account: &str) -> String {
        let wanted = format!("aws_mfa_account_info{{account_id=\"{account}\",");
        let series = self.0.keys().find(|series| series.starts_with(&wanted));
        series.map_or(String::new(), |s| s.split("state=\"").nth(1).unwrap().trim_end_matches(['"', '}']).to_owned())
    }

    /// The samples that are about accounts.
    pub fn of_accounts(&self) -> BTreeMap<String, f64> {
        self.0.iter().filter(|(series, _)| series.contains("{account_id=")).map(|(s, v)| (s.clone(), *v)).collect()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The one status of a control of the only account.
    pub fn status(&self, control: &str) -> String {
        self.status_of("", control)
    }

    /// The one status of a control of an account; empty where it is not known.
    pub fn status_of(&self, account: &str, control: &str) -> String {
        let wanted = format!("{account}\",control=\"{control}\",status=");
        let of = |series: &&String| series.starts_with("aws_mfa_control_status{") && series.contains(&wanted);
        let states: Vec<_> = self.0.iter().filter(|(series, _)| of(series)).collect();
        if states.is_empty() && !account.is_empty() {
            return String::new();
        }
        assert_eq!(states.len(), 4, "a control has four states");
        let ones: Vec<_> = states.iter().filter(|(_, value)| **value == 1.0).collect();
        assert_eq!(ones.len(), 1, "exactly one state holds");
        ones[0].0.split("status=\"").nth(1).unwrap().trim_end_matches(['"', '}']).to_owned()
    }

    /// The class of a collector's fault; empty while it is up.
    pub fn fault(&self, collector: &str) -> String {
        self.fault_of("", collector)
    }

    /// The class of a collector's fault in an account; empty while it is up.
    pub fn fault_of(&self, account: &str, collector: &str) -> String {
        let wanted = format!("{account}\",collector=\"{collector}\",fault=\"");
        let mut faults = self.0.keys().filter(|series| series.starts_with("aws_mfa_collector_fault{"));
        let series = faults.find(|series| series.contains(&wanted));
        series.map_or(String::new(), |s| s.split("fault=\"").nth(1).unwrap().trim_end_matches(['"', '}']).to_owned())
    }
}

impl std::fmt::Display for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().filter(|(series, _)| !series.contains("_bucket")).try_for_each(|(s, v)| writeln!(f, "{s} {v}"))
    }
}

/// Ten thousand cases of a property, or as many as `PROPTEST_CASES` says.
pub fn properties() -> proptest::test_runner::Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    proptest::test_runner::Config { cases, failure_persistence: None, ..proptest::test_runner::Config::default() }
}

/// Runs the program for one answer against a simulated AWS: its exit status, what it
/// printed, and what it complained.
pub fn one_shot(sim: &Sim, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"))
        .args(arguments)
        .env_clear()
        .envs([("AWS_ENDPOINT_URL", &*sim.endpoint()), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs a future that never waits: a collector over a model of AWS.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the model never waits"),
    }
}
