//! The exporter against programs that nobody here wrote: Prometheus, promtool and
//! the OpenMetrics parser of the Python client. `tests/run` installs them; a
//! missing one is a failure, never a skipped test.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use aws_sim::{Account, Sim, User};

use crate::support::{Exporter, ID, healthy, request, sim};

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";

/// A program that ends with the test.
pub struct Peer(pub Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The Python that `tests/run` has set up.
pub fn python(program: &str) -> Command {
    let bin =
        std::env::var("TEST_PYTHON_BIN").expect("tests/run sets TEST_PYTHON_BIN to the folder of its Python programs");
    Command::new(PathBuf::from(bin).join(program))
}

/// moto's server, which nobody here wrote, and its address.
pub fn moto() -> (Peer, String) {
    let program = "from moto.moto_server.threaded_moto_server import ThreadedMotoServer\n\
        server = ThreadedMotoServer('127.0.0.1', 0, verbose=False)\n\
        server.start()\n\
        print(server.get_host_and_port()[1], flush=True)\n\
        input()\n";
    let mut python = python("python");
    python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut moto = Peer(python.spawn().unwrap());
    let mut port = String::new();
    BufReader::new(moto.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let address = format!("127.0.0.1:{}", port.trim());
    (moto, address)
}

/// A port for a program that cannot choose its own and say so. It is below those
/// that the system gives out, and each is given once.
pub fn free_port() -> u16 {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let start = usize::try_from(std::process::id()).unwrap() * 31;
    loop {
        let next = start + GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + next % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub fn wait_until(what: &str, patience: Duration, ready: impl Fn() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn get(address: &str, path: &str) -> String {
    request(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).text()
}

/// Feeds `input` to a command and tells whether it was content, and what it said.
fn feed(mut command: Command, input: &[u8]) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn openmetrics(exporter: &Exporter) -> Vec<u8> {
    let line = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: {OPENMETRICS}\r\n\r\n");
    request(&exporter.address, &line).body
}

#[test]
fn promtool_finds_nothing_to_say() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.6", "passed");
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let (content, said) = feed(promtool, &exporter.get("/metrics").body);
    assert!(content && said.is_empty(), "{said}");
}

/// How many samples the parser of the Python client finds, no two of them alike.
fn samples_of_openmetrics(exporter: &Exporter) -> usize {
    let mut python = python("python");
    let program = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        seen = set()\n\
        for family in parse(sys.stdin.read()):\n\
        \x20   for s in family.samples:\n\
        \x20       key = (s.name, tuple(sorted(s.labels.items())))\n\
        \x20       assert key not in seen, key\n\
        \x20       seen.add(key)\n\
        print(len(seen))\n";
    python.args(["-c", program]);
    let (content, said) = feed(python, &openmetrics(exporter));
    assert!(content, "{said}");
    said.trim().parse().unwrap()
}

#[test]
fn an_independent_parser_reads_the_same_from_openmetrics() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.6", "passed");
    let all = exporter.metrics().names().count();
    assert_eq!(samples_of_openmetrics(&exporter), all, "as many samples as in the text format");
}

/// E3: accounts of every state, with names that need every escape, and no series twice.
#[test]
fn independent_parsers_read_an_organization_in_any_state() {
    let sim = Sim::start(aws_sim::organization(40)).unwrap();
    sim.edit("100000000003", |account| account.roles.clear());
    sim.edit_organization(|organization| {
        organization.members[4].state = Some("CLOSED".into());
        for (member, name) in
            organization.members[5..].iter_mut().zip(["\"a\\b\"", "zwei\nZeilen", "ünï {x=\"1\"}", " "])
        {
            member.name = name.into();
        }
    });
    let flags = ["--organization.role-name=aws-mfa-exporter", "--collector.root.interval=2s"];
    let exporter = Exporter::start(&sim.endpoint(), &flags);
    exporter.wait_for("a first pass", Duration::from_secs(60), |samples| {
        samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0)
            && samples.fault_of("100000000003", "root") == "access_denied"
    });
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let (content, said) = feed(promtool, &exporter.get("/metrics").body);
    assert!(content && said.is_empty(), "{said}");
    // The counters of calls and the faults of the moment may come between two scrapes.
    let (before, parsed, after) =
        (exporter.metrics().names().count(), samples_of_openmetrics(&exporter), exporter.metrics().names().count());
    assert!(before.min(after) <= parsed && parsed <= before.max(after), "{before}, {parsed}, {after}");
}

/// A proxy that keeps OpenMetrics out of the `Accept` header, which this
/// Prometheus has no setting for. Answers one request a connection.
fn without_openmetrics(exporter: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut head, mut buffer) = (client.unwrap(), String::new(), [0; 4096]);
            while !head.ends_with("\r\n\r\n") {
                match client.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.push_str(&String::from_utf8_lossy(&buffer[..read])),
                }
            }
            let head = head.replace("application/openmetrics-text", "application/x-unheard-of");
            let mut server = std::net::TcpStream::connect(&exporter).unwrap();
            server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes()).unwrap();
            let _ = std::io::copy(&mut server, &mut client);
        }
    });
    address
}

/// Prometheus asks for OpenMetrics with gzip, by default; through the proxy, for text.
#[test]
fn a_real_prometheus_scrapes_both_formats() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.6", "passed");
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs:\n- job_name: exporter\n  static_configs: [{{targets: ['{}']}}]\n\
         - job_name: text\n  static_configs: [{{targets: ['{}']}}]\n",
        exporter.address,
        without_openmetrics(exporter.address.clone())
    );
    fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _prometheus = Peer(prometheus);
    wait_until("prometheus listens", Duration::from_secs(20), || std::net::TcpStream::connect(&address).is_ok());
    let ask = |query: &str| get(&address, &format!("/api/v1/query?query={query}"));
    wait_until("two scrapes", Duration::from_secs(30), || ask("up").matches(r#""1"]"#).count() == 2);
    let passed = ask("aws_mfa_control_status%7Bcontrol%3D%22IAM.9%22%2Cstatus%3D%22passed%22%7D");
    assert_eq!(passed.matches(&format!(r#""account_id":"{ID}""#)).count(), 2, "{passed}");
    assert_eq!(passed.matches(r#""1"]"#).count(), 2, "both formats say the same: {passed}");
    let kind = get(&address, "/api/v1/metadata?metric=aws_mfa_exporter_aws_requests");
    assert!(kind.contains(r#""type":"counter""#), "the OpenMetrics names are those of the families: {kind}");
    let kind = get(&address, "/api/v1/metadata?metric=aws_mfa_exporter_aws_requests_total");
    assert!(kind.contains(r#""type":"counter""#), "the text format's are those of the samples: {kind}");
    let targets = get(&address, "/api/v1/targets");
    assert!(targets.contains(r#""lastError":"""#), "{targets}");
}

/// The golden exposition: an account whose root is well and one of whose users is
/// not, volatile values blotted out.
#[test]
fn the_golden_exposition() {
    let covered = User { password: true, devices: vec![format!("arn:aws:iam::{ID}:mfa/a")], ..User::named("a") };
    let bare = User { password: true, access_keys: vec![true], ..User::named("b") };
    let mut account = Account { users: vec![covered, bare], ..healthy() };
    account.root.password_last_used = Some("2024-05-06T07:08:09Z".into());
    let sim = sim(account);
    let exporter = Exporter::start(&sim.endpoint(), &["--web.disable-exporter-metrics"]);
    exporter.wait_for("a first pass", Duration::from_secs(25), |samples| {
        samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0)
    });
    let blot = |line: &str| match line.rsplit_once(' ') {
        Some((series, _))
            if !line.starts_with('#') && (series.contains("timestamp") || series.contains("duration")) =>
        {
            format!("{series} <time>\n")
        }
        Some((_, value)) if line.starts_with("aws_mfa_exporter_build_info") => {
            format!("aws_mfa_exporter_build_info{{<build>}} {value}\n")
        }
        _ => format!("{line}\n"),
    };
    let text: String = exporter.get("/metrics").text().lines().map(blot).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden.prom");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, &text).unwrap();
    }
    let golden = fs::read_to_string(path).unwrap();
    assert!(
        text == golden,
        "the exposition has changed; if that is meant, run with UPDATE_GOLDEN=1 and read the diff:\n{text}"
    );
}
