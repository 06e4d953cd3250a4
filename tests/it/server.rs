//! The web server's manners in the real binary, and what becomes of it when the tasks
//! behind it stand still.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use aws_mfa_exporter::{clock::Clock, metrics::exporter_metrics::ExporterMetrics};
use tokio::sync::watch;

use crate::{
    harness::{Server, Setting},
    support::{Exporter, healthy, request, sim},
};

#[test]
fn methods_paths_and_headers() {
    let sim = sim(healthy());
    let exporter =
        Exporter::start(&sim.endpoint(), &["--collector.root.interval=1h", "--collector.devices.interval=24h"]);
    exporter.expect("IAM.6", "passed");
    let ask =
        |line: &str| request(&exporter.address, &format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    let get = ask("GET /metrics");
    assert_eq!(get.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8; escaping=underscores"));
    assert_eq!(get.header("vary"), Some("Accept, Accept-Encoding"));
    assert_eq!(get.header("cache-control"), Some("no-store"));
    assert_eq!(get.header("content-length").unwrap().parse(), Ok(get.body.len()));
    let head = ask("HEAD /metrics");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(
        head.header("content-length").unwrap().parse::<usize>().unwrap() > 1_000,
        "a HEAD tells the length of the GET"
    );
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let refused = ask(&format!("{method} /metrics"));
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(ask("GET /metric").status, 404);
    assert!(ask("GET /metric").text().contains("/metrics"), "a lost visitor is shown the way");
    assert_eq!(ask("GET /metrics?x=1").status, 200);
    assert!(ask("GET /").header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(request(&exporter.address, "nonsense\r\n\r\n").status, 400);
    assert_eq!(ask(&format!("GET /{}", "x".repeat(20_000))).status / 100, 4);
}

#[test]
fn two_requests_on_one_connection() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    let twice =
        "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = request(&exporter.address, twice);
    assert!(answer.text().contains("Healthy") && answer.text().contains("Ready"), "{answer:?}");
}

#[test]
fn what_is_under_way_at_a_signal_is_finished() {
    for signal in ["-TERM", "-INT"] {
        let sim = sim(healthy());
        let mut exporter = Exporter::fast(&sim);
        let mut stream = TcpStream::connect(&exporter.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        exporter.signal(signal);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(exporter.wait(), Some(0), "{}", exporter.log());
        assert!(TcpStream::connect(&exporter.address).is_err());
    }
}

#[test]
fn an_address_in_use_is_an_error_that_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"))
        .arg(format!("--web.listen-address={}", taken.local_addr().unwrap()))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("something else listens there") && error.contains("--web.listen-address"), "{error}");
}

/// The page's links once led nowhere behind a proxy that has a path of its own for it.
#[test]
fn links_lead_somewhere_behind_a_proxy() {
    let sim = sim(healthy());
    for (flags, page, metrics) in [
        (&[][..], "/", "./metrics"),
        (&["--web.route-prefix=/mfa"], "/mfa/", "./metrics"),
        (&["--web.external-url=https://example.com/mfa/"], "/mfa/", "/mfa/metrics"),
        (&["--web.external-url=https://example.com/mfa/", "--web.route-prefix=/"], "/", "/mfa/metrics"),
    ] {
        let flags = [flags, &["--collector.root.interval=1h"]].concat();
        let exporter = Exporter::of(
            {
                let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
                command.arg("--web.listen-address=127.0.0.1:0").args(&flags);
                command
            },
            &[("AWS_ENDPOINT_URL", &sim.endpoint())],
        );
        let html = exporter.get(page).text();
        assert!(html.contains(&format!("<a href=\"{metrics}\">Metrics</a>")), "{flags:?}: {html}");
        assert_eq!(exporter.get(&format!("{page}-/healthy")).status, 200, "{flags:?}");
    }
}

/// What systemd passes is listened to, and nothing else.
#[test]
fn a_socket_of_systemds_is_taken_over() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    // Its pid is the shell's until it becomes the exporter, and the first socket is number 3.
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", "sh"]);
    command.args([env!("CARGO_BIN_EXE_aws-mfa-exporter"), "--web.systemd-socket"]);
    command.stdin(std::os::fd::OwnedFd::from(socket));
    let exporter = Exporter::of(command, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]);
    assert_eq!((exporter.address.as_str(), exporter.get("/-/healthy").status), (address.as_str(), 200));
    let output =
        Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter")).arg("--web.systemd-socket").env_clear().output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("systemd has passed no socket"), "{error}");
}

/// The limit that most systems begin with is for programs of another kind.
#[test]
fn as_many_descriptors_as_may_be_are_taken() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 100; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_aws-mfa-exporter")]);
    command.arg("--web.listen-address=127.0.0.1:0");
    let exporter = Exporter::of(command, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", exporter.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_aws-mfa-exporter")]);
    command.arg("--web.listen-address=127.0.0.1:0");
    let exporter = Exporter::of(command, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]);
    let _silent: Vec<_> = (0..150).map(|_| TcpStream::connect(&exporter.address).unwrap()).collect();
    (0..20).for_each(|_| assert_eq!(exporter.get("/-/healthy").status, 200, "{}", exporter.log()));
}

/// From the start of the process to the first answered scrape, AWS out of reach.
#[test]
fn it_answers_at_once_when_aws_is_out_of_reach() {
    let began = Instant::now();
    let exporter = Exporter::start("http://127.0.0.1:9", &[]);
    let samples = exporter.metrics();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(samples.status("IAM.9"), "unknown");
    exporter.wait_for("connection", Duration::from_secs(20), |samples| samples.fault("root") == "connection");
}

#[test]
fn logs_are_logfmt_or_json() {
    let sim = sim(healthy());
    let exporter = Exporter::start(&sim.endpoint(), &["--log.format=json"]);
    exporter.expect("IAM.9", "passed");
    for line in exporter.log().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["msg"].is_string() && event["ts"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert!(["debug", "info", "warn", "error"].contains(&event["level"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn exporter_metrics_can_be_left_out() {
    let sim = sim(healthy());
    let exporter = Exporter::start(&sim.endpoint(), &["--web.disable-exporter-metrics"]);
    let samples = exporter.metrics();
    assert!(!samples.names().any(|name| name.starts_with("process_") || name.contains("_http_")));
    assert!(samples.names().any(|name| name.starts_with("aws_mfa_exporter_build_info")));
}

/// Collectors that have frozen report nothing at all. Time passes without them.
#[test]
fn frozen_collectors_end_in_unknown_by_the_tick_alone() {
    use aws_mfa_exporter::{
        daemon::publish::{Keeper, encode},
        exposition::{Encoding, Format},
        model::{
            account::Identity,
            facts::{Changes, Confirmation, RootReading, Summary},
            judge::Cadence,
            snapshot::{Collector, Event, News, Outcome, Plan, Snapshot},
        },
    };
    let clock = Clock::new();
    let plan =
        Plan { cadence: Cadence::new(Duration::from_secs(1), Duration::from_secs(1)), devices: false, ..Plan::ROOT };
    let snapshot = Snapshot::new(plan, clock.now());
    let (latest, snapshots) = watch::channel(Arc::new(snapshot));
    let (published, exposition) = watch::channel(None);
    let (events, inbox) = tokio::sync::mpsc::channel(8);
    let identity = Identity::parse("arn:aws:iam::111111111111:user/a", "111111111111").unwrap();
    let yes = Some(true);
    let summary = Summary { mfa_enabled: yes, password: yes, access_keys: Some(false), ..Summary::default() };
    let news = News::Root(RootReading { summary, confirmation: Confirmation::NotNeeded });
    let outcome = Outcome {
        collector: Collector::Root,
        started: clock.now(),
        duration: Duration::ZERO,
        news,
        fault: None,
        changes: Changes::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.spawn(Keeper::new(clock, inbox, latest).run());
    runtime.spawn(encode(snapshots, published, ExporterMetrics::new(true).unwrap()));
    let account = identity.account;
    events.blocking_send(Event::Identified { identity, at: clock.now() }).unwrap();
    events.blocking_send(Event::Collected { account, outcome: Box::new(outcome) }).unwrap();
    let status = || {
        let exposition = exposition.borrow().clone();
        let body = exposition.map(|e| e.body(Format::Text, Encoding::Identity).frames.concat()).unwrap_or_default();
        let text = String::from_utf8(body).unwrap();
        let line = text.lines().find(|line| line.contains("IAM.9") && line.contains("status") && line.ends_with(" 1"));
        line.map(|line| line.split("status=\"").nth(1).unwrap().split('"').next().unwrap().to_owned())
    };
    let began = Instant::now();
    let mut passed = false;
    // The sender is kept alive and silent: frozen, not gone.
    while status().as_deref() != Some("unknown") || !passed {
        passed |= status().as_deref() == Some("passed");
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", status());
        thread::sleep(Duration::from_millis(200));
    }
    assert!(passed && began.elapsed() >= Duration::from_secs(29), "it was kept for its maximum age, and no longer");
    drop(events);
}

/// Either of the two tasks that make what is served comes to a standstill while the
/// other, and the server, run on: nothing of it is served any more.
#[test]
fn a_frozen_encoder_or_keeper_ends_in_503() {
    use aws_mfa_exporter::{
        daemon::publish::{Keeper, encode},
        model::snapshot::{Plan, Snapshot},
    };
    let clock = Clock::new();
    let snapshot = Snapshot::new(Plan::ROOT, clock.now());
    let (latest, snapshots) = watch::channel(Arc::new(snapshot));
    let (published, exposition) = watch::channel(None);
    let (_events, inbox) = tokio::sync::mpsc::channel(8);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let keeper = runtime.spawn(Keeper::new(clock, inbox, latest).run());
    let encoder = || runtime.spawn(encode(snapshots.clone(), published.clone(), ExporterMetrics::new(true).unwrap()));
    let first = encoder();
    let setting = Setting { max_age: Duration::from_secs(4), ..Setting::default() };
    let server = Server::over(clock, published.clone(), exposition, setting);
    server.wait_for("both run", 200);
    first.abort();
    server.wait_for("the encoder stands still", 503);
    assert_eq!(server.ask("GET /-/healthy").status, 503);
    let second = encoder();
    server.wait_for("both run again", 200);
    keeper.abort();
    server.wait_for("the keeper stands still", 503);
    assert!(!second.is_finished(), "the encoder publishes on, and what it publishes has the keeper's last time");
}
