//! From AWS's reply to a scraped verdict, with the real binary. Comments name the
//! case of tests/cases.md and, where a tool judges it wrongly, the tool.

use std::{thread, time::Duration};

use aws_sim::{Account, Fault, Root, Scenario, Sim, User};

use crate::support::{Exporter, ID, KEY, Samples, healthy, sim};

const SUMMARY: Option<&str> = Some("GetAccountSummary");
const LIST: Option<&str> = Some("ListVirtualMFADevices");

fn account(root: Root) -> Account {
    Account { id: ID.into(), root, ..Account::default() }
}

fn virtual_root(name: &str) -> Account {
    Account::with_root_devices(ID, &[&format!("arn:aws:iam::{ID}:mfa/{name}")])
}

/// Waits for all three verdicts at once: IAM.9, IAM.6, IAM.4.
fn expect(sim: &Sim, wanted: [&str; 3]) -> Samples {
    let exporter = Exporter::fast(sim);
    let statuses = |samples: &Samples| ["IAM.9", "IAM.6", "IAM.4"].map(|control| samples.status(control));
    let samples = exporter.wait_for(&format!("{wanted:?}"), Duration::from_secs(25), |samples| {
        samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0) && statuses(samples) == wanted
    });
    // It was no passing state.
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(statuses(&exporter.metrics()), wanted, "{}", exporter.log());
    samples
}

/// D1: CloudQuery has it the other way round.
#[test]
fn root_with_a_hardware_key_passes_all() {
    let samples = expect(&sim(healthy()), ["passed", "passed", "passed"]);
    assert_eq!(samples.value(r#"aws_mfa_root_mfa_enabled{account_id="111111111111"}"#), Some(1.0));
    assert_eq!(samples.value(r#"aws_mfa_root_virtual_devices{account_id="111111111111"}"#), Some(0.0));
}

/// R1: Scout Suite, Steampipe and others call this a failure.
#[test]
fn root_credentials_removed_is_not_applicable() {
    let samples = expect(&sim(account(Root::default())), ["not_applicable", "not_applicable", "passed"]);
    assert_eq!(samples.value(r#"aws_mfa_root_mfa_enabled{account_id="111111111111"}"#), Some(0.0));
}

/// R2: what the organization's feature says is not asked.
#[test]
fn root_password_without_mfa_fails() {
    expect(&sim(account(Root { password: true, ..Root::default() })), ["failed", "failed", "passed"]);
}

/// R3: seen by the next heartbeat, not in four hours.
#[test]
fn password_recovery_just_allowed_fails() {
    let sim = sim(account(Root::default()));
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.9", "not_applicable");
    sim.edit(ID, |account| account.root.password = true);
    let samples = exporter.expect("IAM.9", "failed");
    let time = |kind| {
        samples.value(&format!(r#"aws_mfa_control_last_{kind}_timestamp_seconds{{account_id="{ID}",control="IAM.9"}}"#))
    };
    assert!(time("failed").unwrap() > time("protected").unwrap(), "the regression can be told");
}

/// R4: AWS's own rule passes it.
#[test]
fn root_with_only_an_access_key_fails() {
    expect(&sim(account(Root { access_keys: 1, ..Root::default() })), ["failed", "failed", "failed"]);
}

/// R5: Steampipe reads the missing flag as "no password" and passes it.
#[test]
fn password_flag_missing_is_unknown() {
    let account = Account { summary_omit: vec!["AccountPasswordPresent".into()], ..account(Root::default()) };
    let sim = sim(account);
    let samples = expect(&sim, ["unknown", "unknown", "passed"]);
    assert_eq!(samples.fault("root"), "incomplete_reply");
}

/// R5: failed where another credential is known to be there.
#[test]
fn password_flag_missing_and_a_key_present_fails() {
    let root = Root { access_keys: 1, ..Root::default() };
    let account = Account { summary_omit: vec!["AccountPasswordPresent".into()], ..account(root) };
    expect(&sim(account), ["failed", "failed", "failed"]);
}

/// D2: by owner, whatever the device is called.
#[test]
fn root_virtual_device_with_a_name_of_its_own_is_no_hardware() {
    expect(&sim(virtual_root("my-phone")), ["passed", "failed", "passed"]);
}

/// D3: the usual name on somebody else's device.
#[test]
fn a_users_device_with_roots_usual_name_is_the_users() {
    let user = User {
        name: "ann".into(),
        devices: vec![format!("arn:aws:iam::{ID}:mfa/root-account-mfa-device")],
        ..User::default()
    };
    expect(&sim(Account { users: vec![user], ..healthy() }), ["passed", "passed", "passed"]);
}

/// D4: a device that nobody has activated.
#[test]
fn an_unassigned_device_with_roots_usual_name_is_nobodys() {
    let serial = format!("arn:aws:iam::{ID}:mfa/root-account-mfa-device");
    expect(&sim(Account { unassigned_devices: vec![serial], ..healthy() }), ["passed", "passed", "passed"]);
}

/// D5: Prowler looks for "root" anywhere in the ARN.
#[test]
fn users_named_like_root_are_not_root() {
    let user = |name: &str, path: &str| User {
        name: name.into(),
        path: path.into(),
        devices: vec![format!("arn:aws:iam::{ID}:mfa/{name}")],
        ..User::default()
    };
    let users = vec![user("root", ""), user("rootbeer", ""), user("ann", "/root/"), user("team-root", "")];
    expect(&sim(Account { users, ..healthy() }), ["passed", "passed", "passed"]);
}

/// D6: as Security Hub has it.
#[test]
fn root_with_fido_and_virtual_is_no_hardware() {
    let mut account = healthy();
    account.root.devices.push(format!("arn:aws:iam::{ID}:mfa/phone"));
    let samples = expect(&sim(account), ["passed", "failed", "passed"]);
    assert_eq!(samples.value(r#"aws_mfa_root_virtual_devices{account_id="111111111111"}"#), Some(1.0));
}

/// D7: AWS calls it by the same name as a hardware key, and counts it as one.
#[test]
fn a_synced_passkey_passes_as_aws_has_it() {
    let passkey = Account { id: ID.into(), ..Account::default() }.root_fido_serial("synced-passkey");
    expect(&sim(Account::with_root_devices(ID, &[&passkey])), ["passed", "passed", "passed"]);
}

/// R10: a count of devices over one of users says nothing of anybody, and is not exported.
#[test]
fn more_devices_than_users_are_no_coverage() {
    let mut account = account(Root { password: true, ..Root::default() });
    account.summary_override = [("Users".to_owned(), 3), ("MFADevicesInUse".to_owned(), 9)].into();
    let samples = expect(&sim(account), ["failed", "failed", "passed"]);
    assert!(!samples.names().any(|name| name.contains("_ratio") || name.contains("coverage")), "{samples}");
}

/// R8: what leaves traces of root in CloudTrail, is hours old, or says what the
/// organization has switched on, is not asked to judge a root user.
#[test]
fn of_root_nothing_is_asked_but_the_summary_and_the_list() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.6", "passed");
    for operation in ["AssumeRoot", "GetCredentialReport", "ListOrganizationsFeatures", "ListMFADevices"] {
        assert_eq!(sim.total(operation), 0, "{operation}");
    }
}

/// D8: Scout Suite reads the first page only.
#[test]
fn roots_device_on_the_last_of_many_pages_is_found() {
    let mut account = virtual_root("zzz");
    account.users = (0..250)
        .map(|n| User {
            name: format!("u{n}"),
            devices: vec![format!("arn:aws:iam::{ID}:mfa/u{n}")],
            ..User::default()
        })
        .collect();
    account.page_size = Some(50);
    expect(&sim(account), ["passed", "failed", "passed"]);
}

/// D9: an empty first page that goes on.
#[test]
fn an_empty_page_is_not_the_last() {
    let sim = sim(virtual_root("phone"));
    sim.fault(ID, LIST, Fault::EmptyFirstPage);
    expect(&sim, ["passed", "failed", "passed"]);
}

/// D10: an assigned device that comes without its owner could be root's.
#[test]
fn an_assigned_device_without_owner_leaves_hardware_unknown() {
    let sim = sim(virtual_root("root-account-mfa-device"));
    sim.fault(ID, LIST, Fault::Omit("User"));
    let samples = expect(&sim, ["passed", "unknown", "passed"]);
    assert!(
        samples.value(r#"aws_mfa_root_virtual_devices{account_id="111111111111"}"#).is_none(),
        "no count is made up"
    );
}

/// D11: ElectricEye compares with `arn:aws:` in every partition.
#[test]
fn china_has_its_own_root_arn() {
    let mut account = Account { partition: "aws-cn".into(), ..account(Root { password: true, ..Root::default() }) };
    account.root.devices.push(format!("arn:aws-cn:iam::{ID}:mfa/phone"));
    expect(&sim(account), ["passed", "failed", "passed"]);
}

/// R9: Scout Suite and Prowler raise a critical finding.
#[test]
fn govcloud_root_cannot_have_mfa_but_can_have_a_key() {
    let root = Root { password: true, access_keys: 1, ..Root::default() };
    expect(
        &sim(Account { partition: "aws-us-gov".into(), ..account(root) }),
        ["not_applicable", "not_applicable", "failed"],
    );
}

/// D12: an error in the list says nothing of the devices.
#[test]
fn whatever_is_wrong_with_the_list_hardware_is_unknown() {
    let rows = [
        (Fault::AccessDenied, "access_denied"),
        (Fault::Throttled, "throttled"),
        (Fault::ServerError, "server_error"),
        (Fault::Unavailable, "server_error"),
        (Fault::Rejected, "rejected"),
        (Fault::Omit("VirtualMFADevices"), "incomplete_reply"),
        (Fault::Omit("IsTruncated"), "incomplete_reply"),
        (Fault::NoMarker, "incomplete_reply"),
        (Fault::OddTruncation, "malformed_reply"),
        (Fault::MarkerLoop, "malformed_reply"),
        (Fault::HalfDocument, "malformed_reply"),
        (Fault::Malformed, "malformed_reply"),
        (Fault::NotXml, "malformed_reply"),
        (Fault::EmptyBody, "malformed_reply"),
        (Fault::Oversized(9 << 20), "oversized_reply"),
        (Fault::Endless, "oversized_reply"),
        (Fault::Reset, "connection"),
        (Fault::ResetMidBody, "connection"),
        (Fault::Hang, "timeout"),
        (Fault::Drip, "timeout"),
    ];
    strike(LIST, "devices", &rows, |samples| {
        samples.status("IAM.9") == "passed" && samples.status("IAM.6") == "unknown"
    });
}

/// R7: an answer that cannot be read is never "no MFA", nor "fine".
#[test]
fn whatever_is_wrong_with_the_summary_root_is_unknown() {
    let rows = [
        (Fault::AccessDenied, "access_denied"),
        (Fault::Throttled, "throttled"),
        (Fault::ServerError, "server_error"),
        (Fault::Unavailable, "server_error"),
        (Fault::Rejected, "rejected"),
        (Fault::ExpiredToken, "invalid_credentials"),
        (Fault::Omit("SummaryMap"), "incomplete_reply"),
        (Fault::HalfDocument, "malformed_reply"),
        (Fault::Malformed, "malformed_reply"),
        (Fault::NotXml, "malformed_reply"),
        (Fault::EmptyBody, "malformed_reply"),
        (Fault::NotANumber("AccountMFAEnabled"), "malformed_reply"),
        (Fault::DuplicateKey("AccountMFAEnabled", 0), "malformed_reply"),
        (Fault::Oversized(9 << 20), "oversized_reply"),
        (Fault::Endless, "oversized_reply"),
        (Fault::Reset, "connection"),
        (Fault::ResetMidBody, "connection"),
        (Fault::Hang, "timeout"),
        (Fault::Drip, "timeout"),
    ];
    strike(SUMMARY, "root", &rows, |samples| {
        ["IAM.9", "IAM.6", "IAM.4"].iter().all(|control| samples.status(control) == "unknown")
    });
}

/// Each fault in a simulation and an exporter of its own, all at once.
fn strike(operation: Option<&'static str>, collector: &str, rows: &[(Fault, &str)], wanted: fn(&Samples) -> bool) {
    thread::scope(|scope| {
        for (fault, class) in rows {
            scope.spawn(move || {
                let sim = sim(healthy());
                sim.fault(ID, operation, fault.clone());
                let exporter = Exporter::fast(&sim);
                let what = format!("{fault:?} is {class}");
                let what = what.chars().take(120).collect::<String>();
                exporter.wait_for(&what, Duration::from_secs(60), |samples| {
                    samples.fault(collector) == *class && wanted(samples)
                });
                assert!(!exporter.log().contains("secret-name"), "AWS's own words stay out of the log");
            });
        }
    });
}

/// R6: a key that is missing from the summary hides changes.
#[test]
fn without_the_counters_hardware_is_unknown() {
    let account = Account { summary_omit: vec!["MFADevicesInUse".into()], ..healthy() };
    let samples = expect(&sim(account), ["passed", "unknown", "passed"]);
    assert_eq!(samples.fault("root"), "incomplete_reply");
}

/// One lagging replica must not page, two answers that agree must.
#[test]
fn a_stale_replica_that_shows_no_mfa_does_not_fail_the_control() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.9", "passed");
    let old = account(Root { password: true, ..Root::default() });
    sim.fault_after(ID, SUMMARY, Fault::Stale(Box::new(old)), 0, 1);
    thread::sleep(Duration::from_secs(8));
    let samples = exporter.expect("IAM.9", "passed");
    let failed = format!(r#"aws_mfa_control_last_failed_timestamp_seconds{{account_id="{ID}",control="IAM.9"}}"#);
    assert_eq!(samples.value(&failed), None, "{}", exporter.log());
}

#[test]
fn a_failing_answer_whose_confirmation_is_lost_is_no_longer_passed() {
    let sim = sim(healthy());
    let exporter = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s", "--no-collector.devices"]);
    exporter.expect("IAM.9", "passed");
    // One summary more tells; every later one is denied.
    sim.fault_after(ID, SUMMARY, Fault::AccessDenied, 1, usize::MAX);
    sim.edit(ID, |account| account.root.devices.clear());
    exporter.wait_for("unknown", Duration::from_secs(15), |samples| samples.status("IAM.9") == "unknown");
    assert!(exporter.log().contains("the exporter has not confirmed it"), "{}", exporter.log());
}

#[test]
fn root_losing_and_regaining_mfa_is_followed() {
    let sim = sim(healthy());
    // Only what was seen brings the list about, and a heartbeat is always at hand to begin with.
    let flags = ["--collector.root.interval=1s", "--collector.devices.interval=24h"];
    let exporter = Exporter::start(&sim.endpoint(), &flags);
    exporter.expect("IAM.6", "passed");
    let devices = sim.account(ID).root.devices;
    sim.edit(ID, |account| account.root.devices.clear());
    exporter.expect("IAM.9", "failed");
    exporter.expect("IAM.6", "failed");
    sim.edit(ID, |account| account.root.devices = devices);
    exporter.expect("IAM.9", "passed");
    // The list is asked for once more when every replica has heard of the change.
    let passed = |samples: &Samples| samples.status("IAM.6") == "passed";
    exporter.wait_for("IAM.6 passed", Duration::from_secs(100), passed);
}

/// A virtual device takes a hardware key's place and no counter moves: the list
/// tells at its next run, and until then the verdict's as-of time says its age.
#[test]
fn a_change_of_the_fingerprint_reads_the_devices_at_once() {
    let sim = sim(healthy());
    let exporter =
        Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s", "--collector.devices.interval=24h"]);
    exporter.expect("IAM.6", "passed");
    sim.edit(ID, |account| account.root.devices.push(format!("arn:aws:iam::{ID}:mfa/phone")));
    exporter.expect("IAM.6", "failed");
}

#[test]
fn a_change_while_the_list_is_read_voids_it() {
    let sim = sim(healthy());
    sim.on_request(|seen, account| {
        if seen.operation == "ListVirtualMFADevices" {
            account.users.push(User { name: format!("u{}", account.users.len()), ..User::default() });
        }
    });
    let exporter = Exporter::fast(&sim);
    exporter.wait_for("changed", Duration::from_secs(20), |samples| {
        samples.fault("devices") == "changed" && samples.status("IAM.6") == "unknown"
    });
}

/// E1: an old answer keeps its own time, is shown for a while, and then no more.
#[test]
fn a_passed_verdict_becomes_unknown_when_nothing_arrives_any_more() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.6", "passed");
    sim.fault(ID, None, Fault::Hang);
    let as_of = |samples: &Samples| {
        samples.value(&format!(r#"aws_mfa_control_as_of_timestamp_seconds{{account_id="{ID}",control="IAM.9"}}"#))
    };
    let before = as_of(&exporter.metrics());
    thread::sleep(Duration::from_secs(8));
    let retained = exporter.metrics();
    assert_eq!(retained.status("IAM.9"), "passed", "it is kept for a while");
    assert!(as_of(&retained) <= before.map(|at| at + 2.0), "with its own time");
    let aged = exporter.wait_for("unknown", Duration::from_secs(45), |samples| samples.status("IAM.9") == "unknown");
    assert_eq!(aged.status("IAM.6"), "unknown");
    assert_eq!(as_of(&aged), None);
    assert!(aged.value(&format!(r#"aws_mfa_root_mfa_enabled{{account_id="{ID}"}}"#)).is_none(), "facts age too");
}

/// O3: an account never changes under a label. Here a profile's key is
/// replaced by another account's while the exporter runs.
#[test]
fn credentials_that_become_another_accounts_are_refused() {
    const OTHER: &str = "222222222222";
    let other = Account { id: OTHER.into(), ..Account::default() };
    let credentials = [(KEY.into(), ID.into()), ("AKIAOTHER".into(), OTHER.into())].into();
    let sim = Sim::start(Scenario { accounts: vec![virtual_root("phone"), other], credentials, ..Scenario::default() })
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let write = |key: &str| {
        std::fs::write(&file, format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = x\n")).unwrap();
    };
    write(KEY);
    let environment = [("AWS_ENDPOINT_URL", &*sim.endpoint()), ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
    let exporter =
        Exporter::with_environment(&["--collector.root.interval=1s", "--collector.devices.interval=2s"], &environment);
    exporter.expect("IAM.9", "passed");
    write("AKIAOTHER");
    sim.fault(ID, None, Fault::ExpiredToken);
    let samples =
        exporter.wait_for("refused", Duration::from_secs(20), |samples| samples.fault("root") == "wrong_account");
    assert_eq!(samples.value(r#"aws_mfa_accounts{state="refused"}"#), Some(1.0));
    // The other account's root has no credentials: its answer would be "not applicable".
    assert!(!samples.names().any(|name| name.contains(OTHER)), "{samples}");
    exporter.wait_for("aged", Duration::from_secs(45), |samples| samples.status("IAM.9") == "unknown");
    assert_eq!(sim.count(OTHER, "GetAccountSummary"), 0, "nothing is read of an account that is not the wanted one");
}

/// A rotated key of the same account is taken over.
#[test]
fn a_rotated_key_is_found_when_the_old_one_stops_working() {
    let sim = sim(healthy());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let write = |key: &str| {
        std::fs::write(&file, format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = x\n")).unwrap();
    };
    write("AKIAREVOKED");
    let environment = [("AWS_ENDPOINT_URL", &*sim.endpoint()), ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())];
    let exporter = Exporter::with_environment(&["--collector.root.interval=1s"], &environment);
    exporter.wait_for("invalid", Duration::from_secs(20), |samples| samples.fault("root") == "invalid_credentials");
    write(KEY);
    exporter.expect("IAM.9", "passed");
}

/// E2: errors end nothing, and no series comes and goes but the
/// reason of the fault; the four states of a control are there all the time.
#[test]
fn no_series_vanishes_while_collectors_fail_and_recover() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    let lasting = |samples: &Samples| -> Vec<String> {
        let names = samples
            .names()
            .filter(|name| name.starts_with("aws_mfa_control_status") || name.starts_with("aws_mfa_collector_up"));
        names.map(str::to_owned).collect()
    };
    let before = lasting(&exporter.expect("IAM.6", "passed"));
    for fault in [Fault::ServerError, Fault::Reset, Fault::AccessDenied, Fault::NotXml] {
        let id = sim.fault(ID, None, fault.clone());
        for _ in 0..20 {
            assert_eq!(lasting(&exporter.metrics()), before, "{fault:?}");
            thread::sleep(Duration::from_millis(100));
        }
        sim.clear(id);
    }
    exporter.wait_for("up again", Duration::from_secs(20), |samples| {
        samples.fault("root").is_empty() && samples.fault("devices").is_empty()
    });
    assert_eq!(exporter.metrics().value("aws_mfa_exporter_task_panics_total"), None, "nothing panicked");
}

#[test]
fn without_credentials_it_serves_unknown_and_says_what_is_missing() {
    let exporter = Exporter::with_environment(&[], &[]);
    let samples =
        exporter.wait_for("a fault", Duration::from_secs(20), |samples| samples.fault("root") == "no_credentials");
    assert_eq!(samples.status("IAM.9"), "unknown");
    assert_eq!(samples.value("aws_mfa_discovery_up"), Some(0.0));
    let log = exporter.log();
    assert!(log.contains("AWS_ACCESS_KEY_ID") && log.contains("AWS_PROFILE"), "{log}");
    assert_eq!(log.matches("level=error").count(), 1, "one clear line\n{log}");
}

#[test]
fn a_key_that_aws_does_not_know_is_named_as_such() {
    let sim = sim(healthy());
    let environment = [
        ("AWS_ENDPOINT_URL", &*sim.endpoint()),
        ("AWS_ACCESS_KEY_ID", "AKIANOBODYS"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
    ];
    let exporter = Exporter::with_environment(&["--log.level=debug"], &environment);
    exporter.wait_for("invalid", Duration::from_secs(20), |samples| samples.fault("root") == "invalid_credentials");
    assert!(!exporter.log().contains("hush-hush") && !exporter.log().contains("AKIANOBODYS"), "{}", exporter.log());
}

#[test]
fn one_call_a_heartbeat_and_no_hidden_retry() {
    let sim = sim(healthy());
    let exporter =
        Exporter::start(&sim.endpoint(), &["--collector.root.interval=1h", "--collector.devices.interval=24h"]);
    exporter.expect("IAM.6", "passed");
    thread::sleep(Duration::from_secs(1));
    // One heartbeat, and two lists that begin with its summary and end with one each,
    // since the first list speaks for a pass and no run before confirms it; the
    // users; whose credentials they are.
    assert_eq!(sim.count(ID, "GetAccountSummary"), 3);
    assert_eq!(sim.count(ID, "ListVirtualMFADevices"), 2);
    assert_eq!(sim.count(ID, "ListUsers"), 1);
    assert_eq!(sim.count(ID, "GetCallerIdentity"), 1);
    let requests = r#"aws_mfa_exporter_aws_requests_total{operation="GetAccountSummary",service="iam"}"#;
    assert_eq!(exporter.metrics().value(requests), Some(3.0), "what is counted is what was sent");
}

/// A denied call is final: it is not tried again within the run.
#[test]
fn denied_calls_are_not_repeated_and_throttled_ones_thrice() {
    for (fault, calls) in [(Fault::AccessDenied, 1), (Fault::Throttled, 3)] {
        let sim = sim(healthy());
        sim.fault(ID, SUMMARY, fault.clone());
        let exporter = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1h", "--no-collector.devices"]);
        exporter.wait_for("a fault", Duration::from_secs(10), |samples| {
            !["pending", ""].contains(&&*samples.fault("root"))
        });
        assert_eq!(sim.count(ID, "GetAccountSummary"), calls, "{fault:?}");
    }
}

/// One throttle halves the rate of the account, and says so until AWS has answered often
/// enough.
#[test]
fn an_account_whose_rate_is_reduced_is_named_until_it_has_recovered() {
    const REDUCED: &str = r#"aws_mfa_exporter_aws_request_rate_reduced{account_id="111111111111"}"#;
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    let samples = exporter.expect("IAM.6", "passed");
    assert_eq!(samples.value(REDUCED), None);
    assert_eq!(samples.value("aws_mfa_exporter_aws_requests_waiting"), Some(0.0));
    sim.fault_after(ID, SUMMARY, Fault::Throttled, 0, 1);
    let patience = Duration::from_secs(25);
    let samples = exporter.wait_for("a reduced rate", patience, |samples| samples.value(REDUCED).is_some());
    assert!((5.0..10.0).contains(&samples.value(REDUCED).unwrap()), "{samples}");
    exporter.wait_for("a recovery", Duration::from_secs(60), |samples| samples.value(REDUCED).is_none());
    assert_eq!(exporter.metrics().status("IAM.9"), "passed");
}
