//! Every case about users of tests/cases.md, with the real binary.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant, SystemTime},
};

use aws_sim::{Account, Fault, Mix, Seen, Sim, User};

use crate::support::{Exporter, ID, Samples, healthy, sim};

const SOON: Duration = Duration::from_secs(25);

fn account(users: Vec<User>) -> Account {
    Account { users, ..healthy() }
}

fn virtual_device(name: &str) -> String {
    format!("arn:aws:iam::{ID}:mfa/{name}")
}

/// A user with a password and these devices.
fn console(name: &str, devices: &[&str]) -> User {
    User { password: true, devices: devices.iter().map(|&serial| serial.into()).collect(), ..User::named(name) }
}

/// A user with a password and a virtual device.
fn covered(name: &str) -> User {
    console(name, &[&virtual_device(name)])
}

fn start(sim: &Sim, flags: &[&str]) -> Exporter {
    let fast = ["--collector.root.interval=1s", "--collector.devices.interval=2s", "--collector.users.interval=2s"];
    Exporter::start(&sim.endpoint(), &[&fast, flags].concat())
}

/// Waits until the users have been read.
fn read(exporter: &Exporter) -> Samples {
    exporter.wait_for("the users", SOON, |samples| {
        samples.fault("users") != "pending" && samples.value(&unknown("device")) == Some(0.0)
    })
}

fn of(family: &str) -> String {
    format!("{family}{{account_id=\"{ID}\"}}")
}

fn unknown(fact: &str) -> String {
    format!("aws_mfa_users_unknown{{account_id=\"{ID}\",fact=\"{fact}\"}}")
}

fn counts(samples: &Samples) -> [Option<f64>; 4] {
    [
        "aws_mfa_users",
        "aws_mfa_users_without_mfa",
        "aws_mfa_console_users_without_mfa",
        "aws_mfa_access_key_users_without_mfa",
    ]
    .map(|family| samples.value(&of(family)))
}

fn verdicts(samples: &Samples) -> [String; 2] {
    ["IAM.5", "IAM.19"].map(|control| samples.status(control))
}

/// What is said of these users, with the report that AWS makes of them.
fn judged(users: Vec<User>) -> ([String; 2], [Option<f64>; 4]) {
    let samples = read(&start(&sim(account(users)), &[]));
    (verdicts(&samples), counts(&samples))
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident: [$($user:expr),*] => [$iam5:literal, $iam19:literal] $counts:expr;)*) => {
        $($(#[$doc])* #[test] fn $name() {
            let (verdicts, counts) = judged(vec![$($user),*]);
            assert_eq!(verdicts, [$iam5, $iam19]);
            assert_eq!(counts, $counts.map(|count| Some(f64::from(count))), "users, without, console, key");
        })*
    };
}

rows! {
    /// U1
    a_password_and_no_device: [console("a", &[])] => ["failed", "failed"] [1, 1, 1, 0];
    /// U2
    a_key_and_neither_password_nor_device: [User { access_keys: vec![true], ..User::named("a") }] => ["not_applicable", "failed"] [1, 1, 0, 1];
    a_key_that_is_not_active: [User { access_keys: vec![false], ..User::named("a") }] => ["not_applicable", "failed"] [1, 1, 0, 0];
    /// U3
    a_device_a_password_and_a_key: [User { access_keys: vec![true], ..covered("a") }] => ["passed", "passed"] [1, 0, 0, 0];
    /// U4
    no_users_at_all: [] => ["not_applicable", "not_applicable"] [0, 0, 0, 0];
    /// U5
    a_telephone_is_a_device: [console("a", &["arn:aws:iam::111111111111:sms-mfa/a"])] => ["passed", "passed"] [1, 0, 0, 0];
    a_serial_number_of_no_known_kind_is_a_device: [console("a", &["arn:aws:iam::111111111111:fido/user/a"])] => ["passed", "passed"] [1, 0, 0, 0];
    /// U6
    a_password_that_was_never_used: [User { password_last_used: None, ..console("a", &[]) }] => ["failed", "failed"] [1, 1, 1, 0];
    /// U7
    one_name_is_the_beginning_of_another: [console("bob.smith", &[]), covered("bob")] => ["failed", "failed"] [2, 1, 1, 0];
    /// U8
    a_fido_key_alone: [console("a", &["arn:aws:iam::111111111111:u2f/user/a/key-R1"])] => ["passed", "passed"] [1, 0, 0, 0];
    a_hardware_token_alone: [console("a", &["GAHT12345678"])] => ["passed", "passed"] [1, 0, 0, 0];
    /// U9
    a_fido_key_and_a_virtual_device: [console("a", &[&virtual_device("a"), "arn:aws:iam::111111111111:u2f/user/a/key-R1"])] => ["passed", "passed"] [1, 0, 0, 0];
    /// U10
    a_user_named_root: [console("root", &[])] => ["failed", "failed"] [1, 1, 1, 0];
    /// U11
    names_of_every_character: [covered("a,b"), covered("a+b=c@d_e-f.g"), console(&"x".repeat(64), &[])] => ["failed", "failed"] [3, 1, 1, 0];
    two_devices_of_one_user_are_one_users: [console("a", &[&virtual_device("a1"), &virtual_device("a2")]), console("b", &[])] => ["failed", "failed"] [2, 1, 1, 0];
}

#[test]
fn devices_are_counted_by_kind() {
    let users = vec![
        console("b", &["GAHT12345678"]),
        console("c", &["arn:aws:iam::111111111111:u2f/user/c/one", "arn:aws:iam::111111111111:u2f/user/c/two"]),
        console("d", &["arn:aws:iam::111111111111:sms-mfa/d"]),
        console("e", &["arn:aws:iam::111111111111:new/e"]),
    ];
    let counted = |users: Vec<User>| {
        let samples = read(&start(&sim(account(users)), &[]));
        let family = |kind: &str| format!("aws_mfa_user_devices{{account_id=\"{ID}\",kind=\"{kind}\"}}");
        ["virtual", "fido", "hardware_totp", "sms", "other"].map(|kind| samples.value(&family(kind)))
    };
    assert_eq!(counted(users.clone()), [0.0, 2.0, 1.0, 1.0, 1.0].map(Some), "everybody was asked");
    // Who has a virtual device is not asked for others, and may have root's.
    let with_virtual = [users, vec![covered("a")]].concat();
    assert_eq!(counted(with_virtual), [Some(1.0), None, None, None, None]);
}

/// C1: whatever dialect the report is in.
#[test]
fn every_dialect_of_the_report_says_the_same() {
    let dialects: [fn(&mut Account); 6] = [
        |_| {},
        |account| account.report_upper_case = true,
        |account| account.report_extra_column = true,
        |account| account.report_root_not_supported = true,
        |account| account.report_without_root = true,
        |account| account.report_omit_columns = vec!["password_last_changed".into(), "cert_1_active".into()],
    ];
    for (n, dialect) in dialects.into_iter().enumerate() {
        let key = User { access_keys: vec![true], ..User::named("key") };
        let mut account = account(vec![covered("a"), console("b", &[]), key]);
        dialect(&mut account);
        let samples = read(&start(&sim(account), &[]));
        assert_eq!(verdicts(&samples), ["failed", "failed"], "dialect {n}");
        assert_eq!(counts(&samples), [3.0, 2.0, 1.0, 1.0].map(Some), "dialect {n}");
        assert_eq!(samples.value(&of("aws_mfa_console_users")), Some(2.0), "dialect {n}");
    }
}

/// C2: AWS's quoting of odd names is not known, so a row that cannot be
/// read spoils the report, visibly, and nobody is judged by it.
#[test]
fn a_report_that_cannot_be_read_is_a_fault_and_proves_nothing() {
    for text in [
        "",
        "<html>",
        "user,arn\n",
        "user,arn,user_creation_time,password_enabled,password_last_used,mfa_active,access_key_1_active,access_key_2_active\na,b,arn:aws:iam::111111111111:user/a,b,true\n",
    ] {
        let sim = sim(account(vec![covered("a"), console("b", &[])]));
        sim.set_report(ID, SystemTime::now(), text);
        let exporter = start(&sim, &[]);
        let samples = exporter.wait_for("a fault", SOON, |samples| samples.fault("users") == "malformed_reply");
        assert_eq!(verdicts(&samples), ["failed", "failed"], "{text}: asked live");
        assert!(
            samples
                .value(&format!("aws_mfa_source_timestamp_seconds{{account_id=\"{ID}\",source=\"credential_report\"}}"))
                .is_none()
        );
        assert!(!exporter.log().contains("user/a"), "no content of a report is logged");
    }
}

/// C3: AWS's "not yet" answers, and its refusals.
#[test]
fn reports_that_are_not_there_are_waited_for_and_told_of() {
    let rows = [
        ("GenerateCredentialReport", 409, "LimitExceeded", "report_missing"),
        ("GetCredentialReport", 404, "ReportInProgress", "report_missing"),
        ("GetCredentialReport", 410, "ReportNotPresent", "report_missing"),
        ("GetCredentialReport", 410, "ReportExpired", "report_missing"),
        ("GetCredentialReport", 500, "ServiceFailure", "server_error"),
        ("GenerateCredentialReport", 403, "AccessDenied", "access_denied"),
        ("GetCredentialReport", 404, "NotOfIam", "rejected"),
    ];
    std::thread::scope(|scope| {
        for (operation, status, code, fault) in rows {
            scope.spawn(move || is_waited_for(operation, Fault::Error(status, code), fault));
        }
    });
}

fn is_waited_for(operation: &'static str, error: Fault, fault: &str) {
    let sim = sim(account(vec![covered("a"), console("b", &[]), User::named("c")]));
    let what = format!("{operation} {error:?}");
    sim.fault(ID, Some(operation), error);
    let exporter = start(&sim, &[]);
    let patience = Duration::from_secs(60);
    let samples = exporter.wait_for(&what, patience, |samples| samples.fault("users") == fault);
    assert_eq!(verdicts(&samples), ["failed", "failed"], "{what}: the questions are asked all the same");
    assert_eq!(counts(&samples)[..3], [3.0, 2.0, 1.0].map(Some), "{what}");
    sim.clear_faults();
    exporter.wait_for("a recovery", patience, |samples| samples.fault("users").is_empty());
}

#[test]
fn a_report_that_is_being_made_is_waited_for() {
    let sim = sim(account(vec![console("a", &[])]));
    sim.report_takes(ID, Duration::from_secs(4));
    let exporter = start(&sim, &[]);
    let samples = read(&exporter);
    assert_eq!(samples.fault("users"), "");
    assert!(sim.count(ID, "GetCredentialReport") >= 2);
    assert_eq!(sim.count(ID, "GenerateCredentialReport"), 1);
}

#[test]
fn without_generating_only_what_others_have_made_is_read() {
    let key = User { access_keys: vec![true], created: "2024-01-02T03:04:06Z".into(), ..User::named("key") };
    let sim = sim(account(vec![covered("a"), key]));
    sim.generate_report(ID, Duration::from_secs(3 * 3_600));
    let exporter = start(&sim, &["--no-collector.users.generate-report"]);
    let samples = read(&exporter);
    assert_eq!(sim.count(ID, "GenerateCredentialReport"), 0);
    assert_eq!(counts(&samples), [2.0, 1.0, 0.0, 1.0].map(Some));
    let source = format!("aws_mfa_source_timestamp_seconds{{account_id=\"{ID}\",source=\"credential_report\"}}");
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
        - samples.value(&source).unwrap();
    assert!((3.0 * 3_600.0 - 60.0..3.0 * 3_600.0 + 60.0).contains(&age), "AWS's own time, not that of reading: {age}");
}

/// C4: a report of old is no truth, in neither direction.
#[test]
fn a_report_older_than_a_change_neither_hides_nor_invents_it() {
    let sim = sim(account(vec![console("gains", &[]), covered("loses")]));
    sim.generate_report(ID, Duration::from_secs(3 * 3_600));
    sim.edit(ID, |account| {
        account.users[0].devices.push(virtual_device("gains"));
        account.users[1].devices.clear();
    });
    let exporter = start(&sim, &["--collector.users.names=failing"]);
    let samples = read(&exporter);
    let failing = format!("aws_mfa_user_without_mfa{{account_id=\"{ID}\",user=\"loses\",console_access=\"true\"}}");
    assert_eq!(samples.value(&failing), Some(1.0), "{samples}");
    assert_eq!(counts(&samples)[1], Some(1.0));
}

/// U13
#[test]
fn a_user_deleted_between_two_calls_is_dropped() {
    let sim = sim(account(vec![covered("a"), console("gone", &[])]));
    sim.on_request(|seen, account| {
        if seen.operation == "ListMFADevices" {
            account.users.retain(|user| user.name != "gone");
        }
    });
    // That somebody has left is a change, after which nobody passes for a minute.
    let exporter = start(&sim, &[]);
    let patience = Duration::from_secs(100);
    let samples = exporter.wait_for("IAM.5 passed", patience, |samples| samples.status("IAM.5") == "passed");
    assert_eq!(counts(&samples)[..2], [1.0, 0.0].map(Some));
}

/// A replica that does not know a newcomer yet says the same as if there were none.
#[test]
fn a_user_who_is_only_not_found_is_unknown_and_not_dropped() {
    let sim = sim(account(vec![covered("a"), console("new", &[])]));
    sim.fault_user(ID, Some("ListMFADevices"), "new", Fault::Error(404, "NoSuchEntity"));
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("the users", SOON, |samples| samples.value(&of("aws_mfa_users")) == Some(2.0));
    assert_eq!(samples.value(&unknown("device")), Some(1.0));
    assert_eq!(verdicts(&samples), ["unknown", "unknown"]);
}

/// U14
#[test]
fn a_user_of_whom_nothing_may_be_asked_is_unknown_and_the_others_are_known() {
    let sim = sim(account(vec![covered("a"), console("b", &["GAHT12345678"]), console("c", &["GAHT12345679"])]));
    sim.fault_user(ID, Some("ListMFADevices"), "b", Fault::AccessDenied);
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("a fault", SOON, |samples| samples.fault("users") == "access_denied");
    assert_eq!(verdicts(&samples), ["unknown", "unknown"]);
    assert_eq!(samples.value(&unknown("device")), Some(1.0));
    // No number of half of them. That nobody has a key is known of everybody.
    assert_eq!(counts(&samples), [Some(3.0), None, None, Some(0.0)]);
}

/// U15
#[test]
fn a_password_that_may_not_be_asked_for_is_unknown_and_not_absent() {
    let sim = sim(account(vec![console("b", &[])]));
    sim.fault(ID, Some("GetLoginProfile"), Fault::AccessDenied);
    sim.fault(ID, Some("GetCredentialReport"), Fault::AccessDenied);
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("a fault", SOON, |samples| samples.fault("users") == "access_denied");
    assert_eq!(verdicts(&samples), ["unknown", "failed"]);
    assert_eq!(["device", "console_password"].map(|fact| samples.value(&unknown(fact))), [0.0, 1.0].map(Some));
    assert_eq!(counts(&samples), [Some(1.0), Some(1.0), None, None]);
}

/// U16: whatever is wrong with an answer, nobody passes by it.
#[test]
fn whatever_is_wrong_with_an_answer_about_users_nobody_passes_by_it() {
    let rows = [
        ("ListUsers", Fault::AccessDenied, "access_denied"),
        ("ListUsers", Fault::Throttled, "throttled"),
        ("ListUsers", Fault::ServerError, "server_error"),
        ("ListUsers", Fault::Reset, "connection"),
        ("ListUsers", Fault::ResetMidBody, "connection"),
        ("ListUsers", Fault::Omit("Users"), "incomplete_reply"),
        ("ListUsers", Fault::Omit("IsTruncated"), "incomplete_reply"),
        ("ListUsers", Fault::Omit("UserId"), "incomplete_reply"),
        ("ListUsers", Fault::Omit("UserName"), "incomplete_reply"),
        ("ListUsers", Fault::NoMarker, "incomplete_reply"),
        ("ListUsers", Fault::OddTruncation, "malformed_reply"),
        ("ListUsers", Fault::MarkerLoop, "malformed_reply"),
        ("ListUsers", Fault::HalfDocument, "malformed_reply"),
        ("ListUsers", Fault::NotXml, "malformed_reply"),
        ("ListUsers", Fault::EmptyBody, "malformed_reply"),
        ("ListUsers", Fault::Oversized(9 << 20), "oversized_reply"),
        ("ListMFADevices", Fault::Throttled, "throttled"),
        ("ListMFADevices", Fault::Omit("MFADevices"), "incomplete_reply"),
        ("ListMFADevices", Fault::Omit("IsTruncated"), "incomplete_reply"),
        ("ListMFADevices", Fault::HalfDocument, "malformed_reply"),
        ("ListMFADevices", Fault::Malformed, "malformed_reply"),
        ("ListMFADevices", Fault::NoMarker, "incomplete_reply"),
        ("ListMFADevices", Fault::MarkerLoop, "malformed_reply"),
        ("GetLoginProfile", Fault::Omit("LoginProfile"), "incomplete_reply"),
        ("GetLoginProfile", Fault::Error(404, "SomethingElse"), "rejected"),
        ("GetLoginProfile", Fault::Error(400, "NoSuchEntity"), "rejected"),
        ("GetLoginProfile", Fault::EmptyBody, "malformed_reply"),
    ];
    // Each row waits for a process most of the time.
    std::thread::scope(|scope| {
        for (operation, fault, class) in rows {
            scope.spawn(move || passes_nobody(operation, fault, class));
        }
    });
}

fn passes_nobody(operation: &'static str, fault: Fault, class: &str) {
    // The one has only a token, the other a password and no device at all.
    let sim = sim(account(vec![console("token", &["GAHT12345678"]), console("bare", &[])]));
    if operation != "GetLoginProfile" {
        // Nor does the report say anything of passwords.
        sim.fault(ID, Some("GetCredentialReport"), Fault::Error(410, "ReportNotPresent"));
    }
    sim.fault(ID, Some(operation), fault.clone());
    let exporter = start(&sim, &[]);
    let what = format!("{operation} {fault:?} {class}");
    let samples = exporter.wait_for(&what, Duration::from_secs(60), |samples| samples.fault("users") == class);
    let [iam5, iam19] = verdicts(&samples);
    assert!(!["passed", "not_applicable"].contains(&&*iam5), "{what}: {iam5}");
    assert!(!["passed", "not_applicable"].contains(&&*iam19), "{what}: {iam19}");
}

/// U12
#[test]
fn users_are_read_to_the_last_of_many_pages() {
    let mut users: Vec<_> = (0..120).map(|n| covered(&format!("user-{n:03}"))).collect();
    users.push(console("zz-last", &[]));
    let mut account = account(users);
    account.page_size = Some(7);
    let sim = sim(account);
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("a failure", SOON, |samples| samples.status("IAM.5") == "failed");
    assert_eq!(counts(&samples)[..3], [121.0, 1.0, 1.0].map(Some));
}

/// The list and the summary disagree about how many users there are: one of them is
/// not the whole truth, and nobody passes by half of it.
#[test]
fn a_list_of_fewer_users_than_the_summary_counts_passes_nobody() {
    let mut account = account(vec![covered("a")]);
    account.summary_override.insert("Users".into(), 2);
    let samples = start(&sim(account), &[]).wait_for("a fault", SOON, |samples| samples.fault("users") == "changed");
    assert_eq!(verdicts(&samples), ["unknown", "unknown"]);
}

#[test]
fn names_are_nowhere_unless_they_are_asked_for() {
    let sim = sim(account(vec![console("secret-name", &[]), covered("other-secret-name")]));
    sim.fault_user(ID, Some("GetLoginProfile"), "secret-name", Fault::Throttled);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let flag = format!("--state.file={}", state.display());
    let exporter = start(&sim, &["--log.level=debug", "--state.interval=100ms", &flag]);
    exporter.wait_for("a fault", SOON, |samples| samples.fault("users") == "throttled");
    sim.clear_faults();
    read(&exporter);
    let began = Instant::now();
    while !fs::read_to_string(&state).unwrap_or_default().contains("AIDA") {
        assert!(began.elapsed() < SOON, "the state file knows them by their ids");
        std::thread::sleep(Duration::from_millis(50));
    }
    for text in
        [exporter.get("/metrics").text(), exporter.get("/").text(), exporter.log(), fs::read_to_string(&state).unwrap()]
    {
        assert!(!text.contains("secret-name"), "{text}");
    }
}

#[test]
fn names_are_given_where_they_are_asked_for_and_capped() {
    let users = (0..5).map(|n| console(&format!("svc-{n}"), &[])).collect();
    let sim = sim(account(users));
    let exporter = start(&sim, &["--collector.users.names=failing", "--collector.users.names-limit=3"]);
    let samples = exporter.wait_for("names", SOON, |samples| samples.value(&of("aws_mfa_users_omitted")) == Some(2.0));
    let named: Vec<_> = samples.names().filter(|name| name.starts_with("aws_mfa_user_without_mfa{")).collect();
    assert_eq!(named.len(), 3);
    assert!(named[0].contains("user=\"svc-0\"") && named[0].contains("console_access=\"true\""), "{named:?}");
}

#[test]
fn exemptions_have_counts_of_their_own_and_change_no_verdict() {
    let sim = sim(account(vec![console("svc-a", &[]), console("svc-b", &[]), console("person", &[])]));
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "accounts: [{{id: \"{ID}\"}}]\nexemptions:\n- {{id: OPS-1, account: \"{ID}\", user: svc-*, reason: no console, until: 2099-01-01}}\n\
         - {{id: OPS-2, user: person, reason: gone, until: 2020-01-01}}\n"
    );
    fs::write(file.path(), text).unwrap();
    let exporter = start(&sim, &[&format!("--config.file={}", file.path().display())]);
    let samples = read(&exporter);
    assert_eq!(verdicts(&samples), ["failed", "failed"]);
    assert_eq!(samples.value(&of("aws_mfa_console_users_without_mfa")), Some(3.0));
    assert_eq!(samples.value(&of("aws_mfa_console_users_without_mfa_exempt")), Some(2.0));
    assert_eq!(samples.value("aws_mfa_exemption_expiry_timestamp_seconds{exemption=\"OPS-1\"}"), Some(4_070_908_800.0));
    // Read again without them, they are gone at once.
    fs::write(file.path(), format!("accounts: [{{id: \"{ID}\"}}]\n")).unwrap();
    exporter.signal("-HUP");
    exporter.wait_for("no exemption", SOON, |samples| {
        samples.value(&of("aws_mfa_console_users_without_mfa_exempt")) == Some(0.0)
    });
}

#[test]
fn without_the_collector_nothing_is_said_or_asked_of_users() {
    let sim = sim(account(vec![console("a", &[])]));
    let exporter = start(&sim, &["--no-collector.users"]);
    let samples = exporter.expect("IAM.6", "passed");
    assert!(!samples.names().any(|name| name.contains("IAM.5") || name.contains("aws_mfa_users")), "{samples}");
    assert_eq!(sim.count(ID, "ListUsers") + sim.count(ID, "GenerateCredentialReport"), 0);
}

#[test]
fn users_are_read_without_the_collector_of_devices() {
    let sim = sim(account(vec![covered("a"), console("b", &[])]));
    let samples = read(&start(&sim, &["--no-collector.devices"]));
    assert_eq!(verdicts(&samples), ["failed", "failed"]);
    assert_eq!(samples.status("IAM.6"), "unknown");
}

#[test]
fn roots_last_sign_in_is_the_reports() {
    let mut account = account(vec![]);
    account.root.password_last_used = Some("2024-05-06T07:08:09Z".into());
    let samples = read(&start(&sim(account), &[]));
    assert_eq!(samples.value(&of("aws_mfa_root_password_last_used_timestamp_seconds")), Some(1_714_979_289.0));
}

#[test]
fn everything_about_users_is_there_at_the_first_scrape_after_a_restart() {
    let sim =
        sim(account(vec![covered("a"), console("b", &[]), User { access_keys: vec![true], ..User::named("key") }]));
    let folder = tempfile::tempdir().unwrap();
    let flag = format!("--state.file={}", folder.path().join("state.json").display());
    let mut exporter = start(&sim, &["--state.interval=100ms", &flag]);
    let before = read(&exporter).of_accounts();
    // The state is written before the end, whatever the interval.
    exporter.signal("-TERM");
    exporter.wait();
    let asked = sim.count(ID, "ListMFADevices");
    sim.fault(ID, None, Fault::AccessDenied);
    let after = start(&sim, &[&flag]).metrics().of_accounts();
    let users = |samples: &BTreeMap<String, f64>| -> Vec<_> {
        let wanted = samples
            .iter()
            .filter(|(name, _)| name.contains("users") || name.contains("user_devices") || name.contains("IAM.5"));
        wanted.filter(|(name, _)| !name.contains("collector")).map(|(name, value)| (name.clone(), *value)).collect()
    };
    assert_eq!(users(&after), users(&before));
    assert_eq!(sim.count(ID, "ListMFADevices"), asked);
}

/// The calls of three readings of the users, when what is asked at first has been
/// asked, and once more after a minute: each operation, and how often. A reading begins
/// with the list of devices and ends where the next begins; a heartbeat that comes
/// between is counted with it.
fn cycles(sim: &Sim) -> Vec<BTreeMap<String, usize>> {
    const PATIENCE: Duration = Duration::from_secs(180);
    const SETTLED: Duration = Duration::from_secs(80);
    let began = Instant::now();
    loop {
        let seen: Vec<_> = sim.seen().into_iter().filter(|seen| seen.service == "iam").collect();
        let is_begin = |seen: &&Seen| seen.operation == "ListVirtualMFADevices" && !seen.params.contains_key("Marker");
        let is_settled = |seen: &Seen| seen.at.duration_since(began) > SETTLED;
        let begins: Vec<_> = (0..seen.len()).filter(|n| is_begin(&&seen[*n]) && is_settled(&seen[*n])).collect();
        let spans = begins.windows(2).map(|ends| &seen[ends[0]..ends[1]]);
        let cycles: Vec<_> = spans.map(operations).filter(|calls| calls.contains_key("ListUsers")).collect();
        if let Some(settled) = cycles.get(..3) {
            return settled.to_vec();
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {cycles:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn operations(seen: &[Seen]) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    seen.iter().for_each(|seen| *calls.entry(seen.operation.clone()).or_default() += 1);
    calls
}

/// Users that are read every few seconds, between rare heartbeats.
fn start_in_bulk(sim: &Sim) -> Exporter {
    Exporter::start(&sim.endpoint(), &["--collector.root.interval=30s", "--collector.users.interval=5s"])
}

/// The largest account there can be costs its pages, and little more.
#[test]
fn a_cycle_of_5000_users_with_virtual_devices_costs_15_calls_at_most() {
    let sim = sim(account(aws_sim::users(&healthy(), 5_000, Mix::default())));
    let exporter = start_in_bulk(&sim);
    for calls in cycles(&sim) {
        eprintln!("calls of a cycle: 5,000 users with virtual devices: {calls:?}");
        assert_eq!([calls["ListUsers"], calls["ListVirtualMFADevices"]], [5, 5], "full pages");
        assert!(calls.values().sum::<usize>() <= 15, "{calls:?}");
    }
    let samples = exporter.metrics();
    assert_eq!(verdicts(&samples), ["passed", "passed"]);
    assert_eq!(counts(&samples), [5_000.0, 0.0, 0.0, 0.0].map(Some));
}

/// Who has no device is asked for one when first seen, and then once an hour; of the
/// passwords, five are asked for again.
#[test]
fn a_cycle_of_60_users_with_virtual_devices_and_40_key_only_asks_five() {
    let mix = Mix { key_only: 40, ..Mix::default() };
    let sim = sim(account(aws_sim::users(&healthy(), 100, mix)));
    let exporter = start_in_bulk(&sim);
    for calls in cycles(&sim) {
        eprintln!("calls of a cycle: 60 with virtual devices, 40 key-only: {calls:?}");
        assert_eq!(calls.get("ListMFADevices"), None, "{calls:?}");
        assert_eq!(calls.get("GetLoginProfile"), Some(&5), "the budget: {calls:?}");
        // Of those who have no password, another list tells that they have kept their names.
        assert_eq!([calls["ListUsers"], calls["ListVirtualMFADevices"]], [2, 1], "{calls:?}");
        assert!(calls.values().sum::<usize>() <= 3 + 5 + 3, "{calls:?}");
    }
    let samples = exporter.metrics();
    assert_eq!(verdicts(&samples), ["passed", "failed"]);
    assert_eq!(counts(&samples), [100.0, 40.0, 0.0, 40.0].map(Some));
    assert_eq!(
        sim.count(ID, "ListMFADevices"),
        2 * 40,
        "each was asked for once, and once more when replicas had heard"
    );
}
