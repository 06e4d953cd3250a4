//! Credential reports that cannot be, through the real binary.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use aws_sim::{Account, Fault, Sim, User};

use crate::support::{Exporter, ID, Samples, healthy, sim};

const SOON: Duration = Duration::from_secs(40);
const HOUR: Duration = Duration::from_secs(3_600);

/// An account with one user, of whose password only the report is allowed to tell.
fn reported(generated: SystemTime, root_used: &str, created: &str) -> Sim {
    let sim = sim(Account { users: vec![User::named("ann")], ..healthy() });
    let text = format!(
        "user,arn,user_creation_time,password_enabled,password_last_used,mfa_active,access_key_1_active,access_key_2_active\n\
         <root_account>,arn:aws:iam::{ID}:root,2024-01-02T03:04:05Z,true,{root_used},true,false,false\n\
         ann,arn:aws:iam::{ID}:user/ann,{created},false,N/A,false,false,false"
    );
    sim.set_report(ID, generated, text);
    sim.fault(ID, Some("GetLoginProfile"), Fault::AccessDenied);
    sim
}

fn start(sim: &Sim) -> Exporter {
    let fast = ["--collector.root.interval=1s", "--collector.devices.interval=2s", "--collector.users.interval=2s"];
    Exporter::start(&sim.endpoint(), &fast)
}

fn report_time(samples: &Samples) -> Option<f64> {
    samples.value(&format!("aws_mfa_source_timestamp_seconds{{account_id=\"{ID}\",source=\"credential_report\"}}"))
}

/// An hour ahead, it was taken to be five minutes old, and for another four hours.
#[test]
fn a_report_that_cannot_be_yet_proves_nothing() {
    let now = SystemTime::now();
    let created = "2024-01-02T03:04:05Z";
    let year_9999 = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let rows = [
        ("an hour ahead", now + HOUR, "N/A", created),
        ("six minutes ahead", now + HOUR / 10, "N/A", created),
        ("the year 9999", year_9999, "N/A", created),
        ("a user of the year 9999", now, "N/A", "9999-12-31T23:59:59Z"),
        ("a user who was not yet", now - HOUR, "N/A", &later(now)),
        ("a sign-in that was not yet", now - HOUR, &later(now), created),
        ("the thirtieth of February", now, "2026-02-30T00:00:00Z", created),
        ("the year 0000", now, "0000-01-01T00:00:00Z", created),
    ];
    thread::scope(|scope| {
        for (what, generated, root_used, created) in rows {
            scope.spawn(move || {
                let sim = reported(generated, root_used, created);
                let exporter = start(&sim);
                let samples = exporter.wait_for(what, SOON, |samples| {
                    assert_eq!(samples.status("IAM.5"), "unknown", "{what}: {samples}");
                    samples.fault("users") == "malformed_reply"
                });
                assert_eq!(report_time(&samples), None, "{what}");
            });
        }
    });
}

/// The clock here may be a little behind AWS's.
#[test]
fn a_report_some_minutes_ahead_is_as_good_as_any() {
    let generated = SystemTime::now() + Duration::from_secs(200);
    let sim = reported(generated, "no_information", "2024-01-02T03:04:05Z");
    let exporter = start(&sim);
    let samples = exporter.expect("IAM.5", "not_applicable");
    assert!(report_time(&samples).is_some());
}

fn later(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// "No record" was exported as 0, which is 1970, and so was "no password".
#[test]
fn roots_last_sign_in_is_a_date_or_no_record_or_no_password() {
    let signed_in = |change: fn(&mut Account)| {
        let mut account = healthy();
        change(&mut account);
        let sim = sim(account);
        let exporter = start(&sim);
        let samples = exporter.wait_for("a report", SOON, |samples| report_time(samples).is_some());
        ["last_used_timestamp_seconds", "used"]
            .map(|name| samples.value(&format!("aws_mfa_root_password_{name}{{account_id=\"{ID}\"}}")))
    };
    let on_a_day = |account: &mut Account| account.root.password_last_used = Some("2024-05-06T07:08:09Z".into());
    assert_eq!(signed_in(on_a_day), [Some(1_714_979_289.0), Some(1.0)]);
    assert_eq!(signed_in(|_| {}), [None, Some(0.0)], "never, or not since October 2014");
    assert_eq!(signed_in(|account| account.root.password = false), [None, None], "there is none");
}

/// What a report said is the same after a restart, and 1970 after none.
#[test]
fn roots_last_sign_in_is_remembered_as_what_it_is() {
    for (root_used, wanted) in [
        ("2024-05-06T07:08:09Z", [Some(1_714_979_289.0), Some(1.0)]),
        ("no_information", [None, Some(0.0)]),
        ("N/A", [None, None]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let state = format!("--state.file={}", folder.path().join("state").display());
        let sim = reported(SystemTime::now(), root_used, "2024-01-02T03:04:05Z");
        let run = || {
            let mut exporter = Exporter::start(&sim.endpoint(), &[&*state, "--collector.users.interval=2s"]);
            let samples = exporter.wait_for("a report", SOON, |samples| report_time(samples).is_some());
            exporter.signal("-TERM");
            exporter.wait();
            samples
        };
        run();
        sim.fault(ID, None, Fault::AccessDenied);
        let samples = run();
        let used = ["last_used_timestamp_seconds", "used"]
            .map(|name| samples.value(&format!("aws_mfa_root_password_{name}{{account_id=\"{ID}\"}}")));
        assert_eq!(used, wanted, "{root_used}");
    }
}
