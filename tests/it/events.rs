//! Events that have an account read before its time: the real binary with the simulated
//! AWS and moto's SQS, which nobody here wrote; and with a queue in the test's own hand
//! where moto does not misbehave.

mod moto;

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sim::{
    Account, Fault, Member, Organization, Role, Scenario, Seen, Sim,
    queue::{self, Answer, Queue, echo, event},
};

use self::moto::MotoQueue;
use crate::{
    pages::chain::Chain,
    peers::wait_until,
    support::{Exporter, ID, KEY, Samples, healthy, sim},
};

const SOON: Duration = Duration::from_secs(30);
const SLOW: [&str; 3] =
    ["--collector.root.interval=5m", "--collector.devices.interval=1h", "--collector.users.interval=1h"];

fn exporter(sim: &Sim, queue: &str, flags: &[&str]) -> Exporter {
    let environment = [
        ("AWS_ENDPOINT_URL", &*sim.endpoint()),
        ("AWS_ENDPOINT_URL_SQS", queue),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ];
    let url = format!("--events.queue-url={}", queue::URL);
    Exporter::with_environment(&[&[&*url], flags].concat(), &environment)
}

fn metric(samples: &Samples, name: &str, label: &str) -> f64 {
    let separator = if label.is_empty() { "" } else { "," };
    let arn = queue::ARN;
    // Labels stand in alphabetical order.
    let series = if label < "queue" {
        format!("aws_mfa_events_{name}{{{label}{separator}queue=\"{arn}\"}}")
    } else {
        format!("aws_mfa_events_{name}{{queue=\"{arn}\"{separator}{label}}}")
    };
    samples.value(&series).unwrap_or_default()
}

fn is_up(samples: &Samples) -> bool {
    metric(samples, "up", "") == 1.0
}

fn is_down_by(samples: &Samples, fault: &str) -> bool {
    metric(samples, "up", "") == 0.0 && metric(samples, "fault", &format!("fault=\"{fault}\"")) == 1.0
}

/// All is read once, and the queue as well.
fn settled(exporter: &Exporter) -> Samples {
    exporter.wait_for("a quiet exporter", SOON, |samples| {
        is_up(samples)
            && samples.status("IAM.9") == "passed"
            && samples.status("IAM.6") == "passed"
            && samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0)
    })
}

#[test]
fn an_event_has_root_read_at_once_and_what_it_says_is_not_believed() {
    let (sim, queue) = (sim(healthy()), MotoQueue::start());
    let exporter = exporter(&sim, &queue.endpoint(), &SLOW);
    settled(&exporter);
    let before = sim.count(ID, "GetAccountSummary");
    queue.send(&event(ID, "DeactivateMFADevice"));
    let is_read = |samples: &Samples| metric(samples, "received_total", "kind=\"iam\"") == 1.0;
    exporter.wait_for("the event", SOON, is_read);
    wait_until("a read", SOON, || sim.count(ID, "GetAccountSummary") > before);
    assert_eq!(exporter.metrics().status("IAM.9"), "passed", "nothing has changed, whatever the event says");

    sim.edit(ID, |account| account.root.devices.clear());
    let began = Instant::now();
    queue.send(&event(ID, "DeactivateMFADevice"));
    exporter.expect("IAM.9", "failed");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}, with 5 s of confirmation", began.elapsed());
    wait_until("an empty queue", SOON, || queue.depth() == 0);
    assert!(exporter.metrics().value("aws_mfa_events_reads_total") >= Some(2.0));
    assert!(!exporter.log().contains("DeactivateMFADevice"), "{}", exporter.log());
}

/// A device that is swapped for another moves no counter.
#[test]
fn an_event_has_devices_and_users_read_although_no_counter_moves() {
    let (sim, queue) = (sim(healthy()), MotoQueue::start());
    let exporter = exporter(&sim, &queue.endpoint(), &SLOW);
    settled(&exporter);
    // The list is read again a minute after the first look, because replicas lag.
    let lists = || sim.count(ID, "ListVirtualMFADevices");
    let (before, users) = (lists(), sim.count(ID, "ListUsers"));
    let began = Instant::now();
    queue.send(&event(ID, "EnableMFADevice"));
    wait_until("a list", SOON, || lists() > before && sim.count(ID, "ListUsers") > users);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    // In one pass with the list that is due a minute after the first.
    wait_until("the last read of the series", 3 * SOON, || {
        exporter.metrics().value("aws_mfa_events_reads_total") == Some(4.0)
    });
    wait_until("a second look", SOON, || lists() > before + 1);
}

#[test]
fn a_message_that_is_no_event_is_counted_deleted_and_told_once_without_what_it_says() {
    let (sim, queue) = (sim(healthy()), MotoQueue::start());
    let exporter = exporter(&sim, &queue.endpoint(), &SLOW);
    settled(&exporter);
    let before = sim.count(ID, "GetAccountSummary");
    let garbage = "tell-tale ".repeat(25_000);
    let wrapped = r#"{"Type":"Notification","TopicArn":"arn:aws:sns:x","Message":"tell-tale"}"#;
    for _ in 0..2 {
        queue.send(&garbage);
        queue.send("{\"account\":\"tell-tale\",\"source\":\"aws.iam\"}");
        queue.send(wrapped);
        queue.send(&event("999999999999", "DeactivateMFADevice"));
    }
    let reasons = ["not_json", "not_an_event", "sns_envelope", "unwatched"];
    exporter.wait_for("the counts", SOON, |samples| {
        reasons.iter().all(|reason| metric(samples, "dropped_total", &format!("reason=\"{reason}\"")) == 2.0)
    });
    wait_until("an empty queue", SOON, || queue.depth() == 0);
    let log = exporter.log();
    for (reason, times) in reasons.into_iter().zip([1, 1, 1, 0]) {
        assert_eq!(log.matches(&format!("reason={reason}")).count(), times, "{reason}\n{log}");
    }
    assert!(log.contains("raw message delivery"), "{log}");
    assert!(!log.contains("tell-tale") && !log.contains("999999999999"), "{log}");
    assert_eq!(sim.count(ID, "GetAccountSummary"), before, "they start no read");
    assert!(is_up(&exporter.metrics()), "the queue itself is well");
}

#[test]
fn a_queue_that_is_not_there_is_told_and_read_when_it_comes() {
    let (sim, queue) = (sim(healthy()), MotoQueue::without_queue());
    let exporter = exporter(&sim, &queue.endpoint(), &["--collector.root.interval=1s"]);
    exporter.wait_for("the fault", SOON, |samples| is_down_by(samples, "rejected"));
    assert!(exporter.log().contains("check the URL of the queue"), "{}", exporter.log());
    exporter.expect("IAM.9", "passed");
    queue.create();
    exporter.wait_for("the queue", 3 * SOON, is_up);
    assert!(exporter.log().contains("reads events again"), "{}", exporter.log());
}

/// Everything goes on as if there were no events.
#[test]
fn a_queue_that_denies_or_breaks_is_a_fault_of_the_queue_alone() {
    let refused = |code: &str| Answer::Refuse(400, code.to_owned());
    for (answer, fault, remedy) in [
        (refused("AccessDeniedException"), "access_denied", "sqs:ReceiveMessage"),
        (refused("KmsAccessDenied"), "access_denied", "kms:Decrypt"),
        (refused("KmsDisabled"), "rejected", "kms:Decrypt"),
        (refused("RequestThrottled"), "throttled", "tries again"),
        (Answer::Refuse(500, "InternalFailure".to_owned()), "server_error", "side of AWS"),
        (Answer::Raw("{\"Messages\":[{\"Body\":\"x\"}]}".to_owned()), "malformed_reply", "proxy"),
        (Answer::Raw("<html>".to_owned()), "malformed_reply", "proxy"),
    ] {
        let (sim, queue) = (sim(healthy()), Queue::start(answer.clone()));
        let exporter = exporter(&sim, &queue.endpoint(), &["--collector.root.interval=1s"]);
        exporter.wait_for(fault, SOON, |samples| is_down_by(samples, fault));
        exporter.expect("IAM.9", "passed");
        let log = exporter.log();
        let told: Vec<_> = log.lines().filter(|line| line.contains("cannot read events")).collect();
        assert!(told.len() == 1 && told[0].contains(remedy), "{answer:?}: {log}");
        queue.answer(Answer::Serve);
        exporter.wait_for("the queue", 3 * SOON, is_up);
        sim.edit(ID, |account| account.root.devices.clear());
        exporter.expect("IAM.9", "failed");
    }
}

fn echo_of(samples: &Samples) -> Option<f64> {
    samples.value(&format!("aws_mfa_events_last_echo_timestamp_seconds{{account_id=\"{ID}\"}}"))
}

/// The summaries that the exporter has asked for, by the ids that AWS gave them.
fn summaries(sim: &Sim) -> Vec<Seen> {
    let mut seen = sim.seen();
    seen.retain(|seen| seen.operation == "GetAccountSummary");
    seen
}

/// The exporter's own call comes back: it starts no read, or there would be no end of it.
#[test]
fn an_echo_shows_that_events_arrive_and_how_late_and_starts_no_read() {
    let (sim, queue) = (sim(healthy()), Queue::start(Answer::Serve));
    let exporter = exporter(&sim, &queue.endpoint(), &SLOW);
    settled(&exporter);
    let is_expected = |samples: &Samples| echo_of(samples) == Some(0.0);
    exporter.wait_for("an account without an echo", SOON, is_expected);
    let asked = summaries(&sim);
    // The list is read again a minute after the first look.
    std::thread::sleep(Duration::from_secs(11).saturating_sub(asked[0].at.elapsed()));
    let late = asked[0].at.elapsed();
    queue.send(&echo(ID, &asked[0].request_id));
    queue.send(&echo("999999999999", &asked[0].request_id));
    let came = exporter.wait_for("the echo", SOON, |samples| {
        metric(samples, "received_total", "kind=\"echo\"") == 1.0
            && metric(samples, "dropped_total", "reason=\"unwatched\"") == 1.0
    });
    let tick = came.value("aws_mfa_exporter_snapshot_timestamp_seconds").unwrap();
    let age = tick - echo_of(&came).unwrap();
    assert!(age > 8.0 && age < late.as_secs_f64() + 10.0, "the time of the call, and not of the echo: {age}");
    let bucket = |le: &str| {
        came.value(&format!("aws_mfa_events_delay_seconds_bucket{{queue=\"{}\",le=\"{le}\"}}", queue::ARN)).unwrap()
    };
    assert_eq!([bucket("10"), bucket("60")], [0.0, 1.0], "eleven seconds late, by this host's clock");
    assert_eq!(came.names().filter(|name| name.starts_with("aws_mfa_events_last_echo")).count(), 1, "not of others");
    assert_eq!(came.value("aws_mfa_events_reads_total"), Some(0.0));
}

/// Whoever can send to the queue can write an event that looks like an echo.
#[test]
fn an_echo_that_is_forged_or_comes_twice_proves_nothing() {
    let (sim, queue) = (sim(healthy()), Queue::start(Answer::Serve));
    let exporter = exporter(&sim, &queue.endpoint(), &SLOW);
    settled(&exporter);
    let id = summaries(&sim)[0].request_id.clone();
    let unnamed = event(ID, "GetAccountSummary");
    for forged in [&*unnamed, &echo(ID, ""), &echo(ID, "1"), &echo(ID, &id.replace('a', "b"))] {
        queue.send(forged);
    }
    let is_dropped =
        |count: f64| move |samples: &Samples| metric(samples, "dropped_total", "reason=\"unasked\"") == count;
    let samples = exporter.wait_for("four forged", SOON, is_dropped(4.0));
    assert_eq!(echo_of(&samples), Some(0.0));
    (0..3).for_each(|_| queue.send(&echo(ID, &id)));
    let samples = exporter.wait_for("two copies", SOON, is_dropped(6.0));
    assert_eq!(metric(&samples, "received_total", "kind=\"echo\""), 1.0);
    assert!(!exporter.log().contains(&id), "{}", exporter.log());
}

const STRETCHED: [&str; 2] = ["--collector.root.interval=2s", "--collector.root.interval-with-events=10s"];

/// Sends every summary back, as CloudTrail and the rule do, until it is told to stop.
fn send_back(sim: &Arc<Sim>, queue: &Queue) -> Arc<AtomicBool> {
    send_back_of(sim, queue, |_| true)
}

/// The same, of some accounts.
fn send_back_of(sim: &Arc<Sim>, queue: &Queue, is_sent: impl Fn(&str) -> bool + Send + 'static) -> Arc<AtomicBool> {
    let (works, sent) = (Arc::new(AtomicBool::new(true)), sim.seen().len());
    let (sim, queue, is_on) = (Arc::clone(sim), queue.clone(), Arc::clone(&works));
    std::thread::spawn(move || {
        let mut sent = sent;
        while is_on.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(500));
            let seen = sim.seen();
            let new =
                seen[sent..].iter().filter(|seen| seen.operation == "GetAccountSummary" && is_sent(&seen.account));
            new.for_each(|seen| queue.send(&echo(&seen.account, &seen.request_id)));
            sent = seen.len();
        }
    });
    works
}

/// Read each two seconds; while echoes come, each ten; and each two again, ten seconds after
/// the second heartbeat without one. Nothing is unknown meanwhile.
#[test]
fn while_echoes_come_an_account_is_read_less_often_and_as_often_as_before_when_they_stop() {
    let (sim, queue) = (Arc::new(sim(healthy())), Queue::start(Answer::Serve));
    let exporter = exporter(&sim, &queue.endpoint(), &STRETCHED);
    settled(&exporter);
    let in_force = format!("aws_mfa_events_interval_in_force{{account_id=\"{ID}\"}}");
    assert_eq!(exporter.metrics().value(&in_force), Some(0.0));
    let works = send_back(&sim, &queue);
    exporter.wait_for("the longer interval", SOON, |samples| samples.value(&in_force) == Some(1.0));
    let count = || sim.count(ID, "GetAccountSummary");
    let known_for = |time: u64| {
        let before = count();
        for _ in 0..time {
            std::thread::sleep(Duration::from_secs(1));
            assert_eq!(exporter.metrics().status("IAM.9"), "passed");
        }
        count() - before
    };
    std::thread::sleep(Duration::from_secs(3));
    let calls = known_for(30);
    assert!(calls <= 6, "{calls} calls in 30 s");
    works.store(false, Ordering::Relaxed);
    exporter.wait_for("the usual interval", SOON, |samples| samples.value(&in_force) == Some(0.0));
    let calls = known_for(20);
    assert!(calls >= 8, "{calls} calls in 20 s");
}

#[test]
fn a_longer_interval_needs_a_queue() {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter")).args(STRETCHED).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("--events.queue-url"), "{error}");
}

/// Reported, and not verified: IAM.9 says what was read.
#[test]
fn what_events_report_of_root_is_exported_where_that_is_asked_for_and_judged_nowhere() {
    let reported =
        |sign: &str| format!("aws_mfa_events_root_reported_timestamp_seconds{{account_id=\"{ID}\",sign=\"{sign}\"}}");
    let sign_in = event(ID, "ConsoleLogin").replace("aws.iam", "aws.signin").replace(
        "\"readOnly\"",
        "\"responseElements\":{\"ConsoleLogin\":\"Success\"},\"additionalEventData\":{\"MFAUsed\":\"No\"},\"readOnly\"",
    );
    for (flags, is_told) in [(&["--events.root-signs"][..], true), (&[], false)] {
        let (sim, queue) = (sim(healthy()), Queue::start(Answer::Serve));
        let exporter = exporter(&sim, &queue.endpoint(), &[&SLOW[..], flags].concat());
        settled(&exporter);
        queue.send(&sign_in);
        queue.send(&event(ID, "PasswordRecoveryCompleted").replace("aws.iam", "aws.signin"));
        queue.send(&sign_in.replace(ID, "999999999999"));
        let is_taken = |samples: &Samples| {
            metric(samples, "received_total", "kind=\"sign_in\"") == 2.0
                && metric(samples, "dropped_total", "reason=\"unwatched\"") == 1.0
        };
        let samples = exporter.wait_for("the events", SOON, is_taken);
        for sign in ["sign_in_without_mfa", "password_recovery_completed"] {
            assert_eq!(samples.value(&reported(sign)).is_some(), is_told, "{sign}");
        }
        let count = samples.names().filter(|name| name.contains("root_reported")).count();
        assert_eq!(count, if is_told { 2 } else { 0 });
        assert_eq!(samples.status("IAM.9"), "passed");
    }
}

#[test]
fn a_check_tells_from_which_accounts_echoes_come() {
    let (sim, queue) = (Arc::new(Sim::start(organization(2)).unwrap()), Queue::start(Answer::Serve));
    let [heard, silent] = [members(2).remove(0), members(2).remove(1)];
    let works = send_back_of(&sim, &queue, move |account| account != members(2)[1]);
    let check = |output: &str, wait: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        command.env_clear().args(["check", "--output", output, "--wait-for-echoes", wait]);
        command.args([format!("--organization.role-name={ROLE}"), format!("--events.queue-url={}", queue::URL)]);
        command.env("AWS_ENDPOINT_URL", sim.endpoint()).env("AWS_ENDPOINT_URL_SQS", queue.endpoint());
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", "x").output().unwrap()
    };
    let json: serde_json::Value = serde_json::from_slice(&check("json", "5s").stdout).unwrap();
    let echo = |id: &str| {
        let accounts = json["accounts"].as_array().unwrap();
        accounts.iter().find(|account| account["account_id"] == id).unwrap()["echo"].clone()
    };
    assert_eq!([&echo(&heard)["came"], &echo(OWN)["came"]], [true, true], "{json}");
    assert!(echo(&heard)["asked_at"].is_string());
    assert_eq!([&echo(&silent)["came"], &echo(&silent)["asked_at"]], [&false.into(), &serde_json::Value::Null]);
    let text = String::from_utf8(check("table", "5s").stdout).unwrap();
    assert!(text.contains("Echoes came from 2 of 3 accounts within 5s.") && text.contains(&silent), "{text}");
    let refused = check("csv", "5s");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--output table"), "{refused:?}");
    works.store(false, Ordering::Relaxed);
}

/// A summary is too old after three minutes, and CloudTrail may take five.
#[test]
fn a_check_that_waits_for_echoes_for_minutes_tells_what_it_read_before() {
    let (sim, queue) = (sim(healthy()), Queue::start(Answer::Serve));
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    command.env_clear().args(["check", "--output=json", "--wait-for-echoes=190s"]);
    command.arg(format!("--events.queue-url={}", queue::URL));
    command.env("AWS_ENDPOINT_URL", sim.endpoint()).env("AWS_ENDPOINT_URL_SQS", queue.endpoint());
    let output = command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", "x").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains("\"status\": \"unknown\""), "{text}");
    assert!(text.contains("\"came\": false"), "{text}");
}

/// They come again and again, which costs reads within their bound; nobody is told that
/// all is well.
#[test]
fn messages_that_cannot_be_deleted_are_a_fault_of_the_queue() {
    let (sim, queue) = (sim(healthy()), Queue::start(Answer::KeepAll));
    let exporter = exporter(&sim, &queue.endpoint(), &SLOW);
    queue.send(&event(ID, "CreateUser"));
    exporter.wait_for("the fault", SOON, |samples| is_down_by(samples, "rejected"));
    queue.answer(Answer::Serve);
    exporter.wait_for("the queue", 3 * SOON, is_up);
}

const OWN: &str = "000000000001";
const ROLE: &str = "aws-mfa-exporter";

fn members(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("1{n:011}")).collect()
}

fn organization(count: usize) -> Scenario {
    let account = |id: &str| {
        let fido = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
        Account { roles: vec![Role::named(ROLE)], ..Account::with_root_devices(id, &[&fido]) }
    };
    let ids: Vec<_> = std::iter::once(OWN.to_owned()).chain(members(count)).collect();
    let listed = ids.iter().map(|id| Member::new(id, &format!("name-{id}"))).collect();
    Scenario {
        organization: Some(Organization { management: OWN.into(), members: listed, ..Organization::default() }),
        accounts: ids.iter().map(|id| account(id)).collect(),
        credentials: [(KEY.to_owned(), OWN.to_owned())].into(),
        ..Scenario::default()
    }
}

/// What anybody can do who may send to the queue. There are always ten more messages: that is as
/// good as ten thousand a second, for nobody has the exporter take more than it does.
#[test]
fn a_flood_of_forged_events_costs_what_is_documented_and_delays_nobody() {
    let (sim, queue) = (Sim::start(organization(20)).unwrap(), Queue::start(Answer::Serve));
    let role = format!("--organization.role-name={ROLE}");
    let flags =
        [&*role, "--collector.root.interval=10s", "--collector.devices.interval=1h", "--collector.users.interval=1h"];
    let exporter = exporter(&sim, &queue.endpoint(), &flags);
    exporter.wait_for("a quiet exporter", 2 * SOON, |samples| {
        is_up(samples) && samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0)
    });
    let victim = members(1).remove(0);
    let others: Vec<_> = members(20).into_iter().skip(1).collect();
    let resident = || fs::read_to_string(format!("/proc/{}/statm", exporter.pid())).unwrap();
    let pages = |text: String| text.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
    let count = |operation: &str| sim.count(&victim, operation);
    let before = ["GetAccountSummary", "ListVirtualMFADevices", "ListUsers"].map(count);
    // Changes, echoes, an account of others, and what is no event.
    let forged = [
        event(&victim, "DeactivateMFADevice"),
        echo(&victim, "00000000-aaaa-4bbb-8ccc-000000000000"),
        event("999999999999", "CreateUser"),
        "x".repeat(1_000),
    ];
    queue.flood(&forged);
    let began = Instant::now();
    let mut sizes = Vec::new();
    let mut oldest: f64 = 0.0;
    while began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_secs(2));
        sizes.push(pages(resident()));
        let samples = exporter.metrics();
        let tick = samples.value("aws_mfa_exporter_snapshot_timestamp_seconds").unwrap();
        for other in &others {
            let series = format!(
                "aws_mfa_collector_last_success_timestamp_seconds{{account_id=\"{other}\",collector=\"root\"}}"
            );
            oldest = oldest.max(tick - samples.value(&series).unwrap());
        }
    }
    let samples = exporter.metrics();
    let dropped = ["unasked", "unwatched", "not_json"]
        .map(|reason| metric(&samples, "dropped_total", &format!("reason=\"{reason}\"")));
    let received = metric(&samples, "received_total", "kind=\"iam\"") + dropped.iter().sum::<f64>();
    let after = ["GetAccountSummary", "ListVirtualMFADevices", "ListUsers"].map(count);
    let [summaries, lists, users] = [0, 1, 2].map(|n| after[n] - before[n]);
    eprintln!(
        "{received} forged messages in 60 s: {summaries} summaries, {lists} lists, {users} lists of users; others at most {oldest:.1} s old; RSS {sizes:?} pages"
    );
    assert!(received > 2_000.0, "{received}");
    assert!(dropped.iter().all(|count| *count > 500.0), "{dropped:?}");
    assert_eq!(metric(&samples, "received_total", "kind=\"echo\""), 0.0, "an echo that was forged is none");
    // 12 and one each 30 s that events start, 7 of the usual interval, and one before each list.
    assert!(lists <= 5 && users <= 5, "{lists} {users}");
    assert!(summaries <= 14 + 8 + 2 * lists, "{summaries}");
    assert!(oldest < 15.0, "{oldest}");
    let (early, late) = (sizes[4], *sizes.last().unwrap());
    assert!(late <= early + early / 10, "memory is flat: {sizes:?}");
}

#[test]
fn queues_come_and_go_with_the_configuration() {
    let (sim, queue) = (sim(healthy()), Queue::start(Answer::Serve));
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |text: &str| fs::write(file.path(), text).unwrap();
    let role = format!("arn:aws:iam::{ID}:role/events");
    sim.edit(ID, |account| account.roles.push(Role::named("events")));
    let entry = format!("events:\n- queue_url: {}\n  role_arn: {role}\n", queue::URL);
    write("# none\n");
    let config = format!("--config.file={}", file.path().display());
    let environment = [
        ("AWS_ENDPOINT_URL", &*sim.endpoint()),
        ("AWS_ENDPOINT_URL_SQS", &queue.endpoint()),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ];
    let exporter = Exporter::with_environment(&[&SLOW, &[&*config][..]].concat(), &environment);
    exporter.expect("IAM.9", "passed");
    assert!(!exporter.metrics().names().any(|name| name.starts_with("aws_mfa_events")), "nothing is said of events");
    write(&entry);
    exporter.signal("-HUP");
    exporter.wait_for("the queue", SOON, is_up);
    assert_eq!(sim.total("AssumeRole"), 1, "by the queue's own role");
    sim.edit(ID, |account| account.root.devices.clear());
    queue.send(&event(ID, "DeactivateMFADevice"));
    exporter.expect("IAM.9", "failed");
    write("# none again\n");
    exporter.signal("-HUP");
    let is_gone = |samples: &Samples| !samples.names().any(|name| name.contains("queue=\""));
    exporter.wait_for("its end", SOON, is_gone);
}

/// A denied account is asked less often, whatever happens in it.
#[test]
fn an_event_of_an_account_that_denies_has_nobody_ask_more_often() {
    let (sim, queue) = (sim(healthy()), Queue::start(Answer::Serve));
    sim.fault(ID, Some("GetAccountSummary"), Fault::AccessDenied);
    let exporter = exporter(&sim, &queue.endpoint(), &SLOW);
    exporter.wait_for("a denial", SOON, |samples| samples.fault("root") == "access_denied" && is_up(samples));
    std::thread::sleep(Duration::from_secs(20));
    let before = sim.count(ID, "GetAccountSummary");
    (0..20).for_each(|_| queue.send(&event(ID, "CreateUser")));
    exporter.wait_for("the events", SOON, |samples| metric(samples, "received_total", "kind=\"iam\"") == 20.0);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(sim.count(ID, "GetAccountSummary"), before);
}

/// The promise of this source, by Prometheus, Alertmanager and a webhook.
#[test]
fn from_root_mfa_off_to_the_page_it_takes_seconds_with_an_event_and_a_heartbeat_without() {
    let (one, two) = (members(2).remove(0), members(2).remove(1));
    let (mut chain, queue) = (Chain::start(None, Sim::start(organization(2)).unwrap()), MotoQueue::start());
    let role = format!("--organization.role-name={ROLE}");
    chain.exporters.push(exporter(&chain.sim, &queue.endpoint(), &[&SLOW[..], &[&*role]].concat()));
    chain.scrape();
    let protected = r#"count(account_control:aws_mfa_control_last_protected_timestamp_seconds:max{control="IAM.9"})"#;
    wait_until("all is well", 3 * SOON, || chain.ask(protected)[0]["value"][1] == "3");
    let off = |account: &str| {
        chain.sim.edit(account, |account| account.root.devices.clear());
        Instant::now()
    };
    let began = off(&one);
    std::thread::sleep(Duration::from_secs(2));
    queue.send(&event(&one, "DeactivateMFADevice"));
    let with_event = chain.wait_for("AwsMfaRootMfaRegressed", &one) - began;
    eprintln!("from root MFA off to the page, heartbeat 5 min, the event 2 s late: {with_event:?}");
    assert!(with_event <= Duration::from_secs(12), "{with_event:?}");

    // The same without an event, and with a heartbeat that a test can wait for.
    drop(chain.exporters.remove(0));
    let beat = ["--collector.root.interval=30s", "--collector.devices.interval=1h", &role];
    chain.exporters.push(exporter(&chain.sim, &queue.endpoint(), &beat));
    chain.scrape();
    let is_read = |samples: &Samples| samples.status_of(&two, "IAM.9") == "passed";
    chain.exporters[0].wait_for("the account", 2 * SOON, is_read);
    let began = off(&two);
    let without = chain.wait_for("AwsMfaRootMfaRegressed", &two) - began;
    eprintln!("the same without an event, heartbeat 30 s: {without:?}");
    assert!(without <= Duration::from_secs(45), "{without:?}");
}
