//! A count of users is given only when it is known of every user. Without a credential
//! report most users' passwords and keys are not known: with the real binary, in every
//! form in which it tells.

use std::{
    fs,
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, Sim, User};
use serde_json::{Value, json};

use crate::support::{Exporter, ID, Samples, healthy, one_shot, request, sim};

const SOON: Duration = Duration::from_secs(40);

/// How the counts are called in metrics, after `aws_mfa_`, and in JSON.
const COUNTS: [&str; 5] =
    ["users", "users_without_mfa", "console_users", "console_users_without_mfa", "access_key_users_without_mfa"];

/// Of whom something is not known: the labels of a metric, and the keys of JSON.
const FACTS: [&str; 3] = ["device", "console_password", "access_key"];

type Counts = [Option<f64>; 5];
type Unknown = [Option<f64>; 3];

/// Eleven users with a password, two of them without a device; and two who have a key
/// and nothing else. AWS is asked for the passwords of the four without a device.
fn some_bare() -> Account {
    let mut users: Vec<_> = (0..11).map(covered).collect();
    users[3].devices.clear();
    users[7].devices.clear();
    users.extend(["key-1", "key-2"].map(|name| User { access_keys: vec![true], ..User::named(name) }));
    Account { users, ..healthy() }
}

/// Eleven users with a password and a device, two of whom have keys.
fn all_covered() -> Account {
    let mut users: Vec<_> = (0..11).map(covered).collect();
    users[3].access_keys = vec![true];
    users[7].access_keys = vec![false, true];
    Account { users, ..healthy() }
}

fn covered(n: usize) -> User {
    let devices = vec![format!("arn:aws:iam::{ID}:mfa/user-{n}")];
    User { password: true, devices, ..User::named(&format!("user-{n}")) }
}

const SOME_BARE: Counts = [Some(13.0), Some(4.0), None, Some(2.0), None];
const SOME_BARE_UNKNOWN: Unknown = [Some(0.0), Some(9.0), Some(13.0)];
const ALL_COVERED: Counts = [Some(11.0), Some(0.0), None, Some(0.0), Some(0.0)];
const ALL_COVERED_UNKNOWN: Unknown = [Some(0.0), Some(11.0), Some(11.0)];

/// Ways to have no report: what to do to AWS, with which flags, and the fault.
type Way = (&'static str, fn(&Sim), &'static [&'static str], &'static str);

const WAYS: [Way; 4] = [
    ("denied", |sim| _ = sim.fault(ID, Some("GetCredentialReport"), Fault::AccessDenied), &[], "access_denied"),
    (
        "missing",
        |sim| _ = sim.fault(ID, Some("GetCredentialReport"), Fault::Error(410, "ReportNotPresent")),
        &[],
        "report_missing",
    ),
    (
        "both denied",
        |sim| {
            sim.fault(ID, Some("GenerateCredentialReport"), Fault::AccessDenied);
            sim.fault(ID, Some("GetCredentialReport"), Fault::AccessDenied);
        },
        &[],
        "access_denied",
    ),
    ("not asked for", |_| {}, &["--no-collector.users.generate-report"], "report_missing"),
];

fn of_metrics(samples: &Samples) -> (Counts, Unknown) {
    let count = |name: &str| samples.value(&format!("aws_mfa_{name}{{account_id=\"{ID}\"}}"));
    let unknown = |fact: &str| samples.value(&format!("aws_mfa_users_unknown{{account_id=\"{ID}\",fact=\"{fact}\"}}"));
    (COUNTS.map(count), FACTS.map(unknown))
}

fn openmetrics(exporter: &Exporter) -> Samples {
    let accept = "application/openmetrics-text;version=1.0.0";
    let head = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: {accept}\r\n\r\n");
    let answer = request(&exporter.address, &head);
    assert!(answer.header("content-type").unwrap().contains("openmetrics") && answer.text().ends_with("# EOF\n"));
    Samples::parse(&answer.text())
}

/// What is said of the account by the daemon, in both formats and after a restart.
fn by_the_daemon(account: &Account, (what, prepare, flags, fault): Way, wanted: (Counts, Unknown)) {
    let sim = sim(account.clone());
    prepare(&sim);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let file = format!("--state.file={}", state.display());
    let fast = ["--collector.root.interval=1s", "--collector.users.interval=2s", "--state.interval=100ms", &*file];
    let start = || Exporter::start(&sim.endpoint(), &[&fast[..], flags].concat());
    let mut exporter = start();
    let samples = exporter.wait_for(what, SOON, |samples| samples.fault("users") == fault);
    assert_eq!(of_metrics(&samples), wanted, "{what}");
    assert_eq!(of_metrics(&openmetrics(&exporter)), wanted, "{what}: OpenMetrics");
    exporter.signal("-TERM");
    exporter.wait();
    // Nothing is asked any more: this is what the file has kept.
    sim.fault(ID, None, Fault::AccessDenied);
    let again = start();
    assert_eq!(of_metrics(&again.metrics()), wanted, "{what}: after a restart");
    assert_eq!(of_metrics(&openmetrics(&again)), wanted, "{what}: after a restart, OpenMetrics");
}

#[test]
fn without_a_report_no_number_of_some_users_is_given_for_all() {
    std::thread::scope(|scope| {
        for way in WAYS {
            scope.spawn(move || by_the_daemon(&some_bare(), way, (SOME_BARE, SOME_BARE_UNKNOWN)));
            scope.spawn(move || by_the_daemon(&all_covered(), way, (ALL_COVERED, ALL_COVERED_UNKNOWN)));
        }
    });
}

/// What is not known becomes known with the report, of everybody at once.
#[test]
fn with_a_report_every_number_is_given() {
    let known = |account: Account| {
        let sim = sim(account);
        let exporter = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s"]);
        let is_known = |samples: &Samples| of_metrics(samples).1[2] == Some(0.0);
        of_metrics(&exporter.wait_for("the report", SOON, is_known))
    };
    let nobody = [0.0; 3].map(Some);
    assert_eq!(known(some_bare()), ([13.0, 4.0, 11.0, 2.0, 2.0].map(Some), nobody));
    assert_eq!(known(all_covered()), ([11.0, 0.0, 11.0, 0.0, 0.0].map(Some), nobody));
}

fn check(sim: &Sim, flags: &[&str], output: &str) -> (Option<i32>, String) {
    let (code, text, _) = one_shot(sim, &[&["check", "--output", output], flags].concat());
    (code, text)
}

fn of_json(text: &str) -> (Counts, Unknown) {
    let report: Value = serde_json::from_str(text).unwrap();
    let users = &report["accounts"][0]["users"];
    let number = |value: &Value| {
        assert!(value.is_null() || value.is_u64(), "{users}");
        value.as_f64()
    };
    assert_eq!(users["named"], json!(null));
    (COUNTS.map(|name| number(&users[name])), FACTS.map(|fact| number(&users["users_unknown"][fact])))
}

#[test]
fn check_gives_no_number_of_some_users_for_all() {
    std::thread::scope(|scope| {
        for (what, prepare, flags, _) in WAYS {
            scope.spawn(move || {
                let sim = sim(some_bare());
                prepare(&sim);
                let (code, text) = check(&sim, flags, "json");
                assert_eq!((code, of_json(&text)), (Some(1), (SOME_BARE, SOME_BARE_UNKNOWN)), "{what}");
                let metrics = check(&sim, flags, "prometheus").1;
                assert_eq!(of_metrics(&Samples::parse(&metrics)), (SOME_BARE, SOME_BARE_UNKNOWN), "{what}");
                let (_, table) = check(&sim, flags, "table");
                for number in
                    ["4 IAM users have no MFA device", "2 IAM users have a console password and no MFA device"]
                {
                    assert!(table.contains(number), "{what}: {table}");
                }
                assert_eq!(table.matches(" IAM users ").count(), 2, "{what}: there are no other numbers: {table}");
            });
        }
    });
}

/// Where everybody has a device, both verdicts are known without the report.
#[test]
fn check_of_an_account_in_which_everybody_has_a_device_gives_only_what_it_knows() {
    for (what, prepare, flags, _) in WAYS {
        let sim = sim(all_covered());
        prepare(&sim);
        let (_, text) = check(&sim, flags, "json");
        assert_eq!(of_json(&text), (ALL_COVERED, ALL_COVERED_UNKNOWN), "{what}: {text}");
        let (_, table) = check(&sim, flags, "table");
        assert!(!table.contains(" IAM users "), "{what}: {table}");
    }
}

/// Where not even the passwords of users without a device are known, the table says
/// that a user fails, and no number of those who do.
#[test]
fn check_says_that_somebody_fails_without_a_number_of_those_who_may() {
    let sim = sim(some_bare());
    sim.fault(ID, Some("GetCredentialReport"), Fault::AccessDenied);
    sim.fault_user(ID, Some("GetLoginProfile"), "key-1", Fault::AccessDenied);
    let (code, text) = check(&sim, &[], "json");
    let counts = [Some(13.0), Some(4.0), None, None, None];
    assert_eq!((code, of_json(&text)), (Some(1), (counts, [0.0, 10.0, 13.0].map(Some))), "{text}");
    let (_, table) = check(&sim, &[], "table");
    let numbers: Vec<_> = table.lines().filter(|line| line.contains(" IAM users ")).collect();
    assert!(numbers.iter().all(|line| line.contains("4 IAM users have no MFA device")), "{table}");
}

/// A report that was there once is no report for ever: with it go the numbers that
/// rest on it, for keys too.
#[test]
fn the_state_file_keeps_unknown_what_is_unknown() {
    let sim = sim(some_bare());
    sim.fault(ID, Some("GetCredentialReport"), Fault::AccessDenied);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let file = format!("--state.file={}", state.display());
    let exporter = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s", "--state.interval=100ms", &file]);
    exporter.wait_for("a fault", SOON, |samples| samples.fault("users") == "access_denied");
    let began = Instant::now();
    let users = loop {
        let text = fs::read_to_string(&state).unwrap_or_default();
        let state: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(users) = state["accounts"][0]["users"]["value"]["users"].as_array() {
            break users.clone();
        }
        assert!(began.elapsed() < SOON, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(users.len(), 13);
    assert!(users.iter().all(|user| user["access_key"].is_null() && user["password"].is_null()), "{users:?}");
}

/// A check has one look. Somebody has a virtual device and a password, somebody else a key
/// and neither of them: the list is of before the report is made, or the question asked.
#[test]
fn check_says_passed_of_console_users_with_devices_beside_a_user_with_only_a_key() {
    for what in ["a new report", "a report of three hours ago", "no report"] {
        for second in ["05", "06"] {
            let created = format!("2024-01-02T03:04:{second}Z");
            let key = User { access_keys: vec![true], created, ..User::named("machine") };
            let sim = sim(Account { users: vec![covered(1), key], ..healthy() });
            match what {
                "a new report" => (),
                "no report" => _ = sim.fault(ID, Some("GetCredentialReport"), Fault::AccessDenied),
                _ => sim.generate_report(ID, Duration::from_secs(3 * 3_600)),
            }
            let (_, text) = check(&sim, &[], "json");
            let report: Value = serde_json::from_str(&text).unwrap();
            let controls = report["accounts"][0]["controls"].as_array().unwrap();
            let status = |control: &str| {
                let of = controls.iter().find(|said| said["control"] == control).unwrap();
                of["status"].as_str().unwrap().to_owned()
            };
            assert_eq!([status("IAM.5"), status("IAM.19")], ["passed", "failed"], "{what}, {second}: {text}");
        }
    }
}
