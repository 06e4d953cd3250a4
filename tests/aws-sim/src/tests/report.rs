//! The credential report: what becomes of it, and what it says.

use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::client::{iam, query, simulation};
use crate::{Account, Fault, Root, Sim, User, state::CREATED};

const ID: &str = "333333333333";
const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
                      password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,\
                      access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,\
                      access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
                      access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
                      cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
const MINUTE: Duration = Duration::from_mins(1);
const FOUR_HOURS: Duration = Duration::from_hours(4);

fn of(users: Vec<User>) -> Sim {
    simulation(Account { users, ..Account::with_root_devices(ID, &[]) })
}

/// The state that `GenerateCredentialReport` answers, and whether it says more.
fn generate(sim: &Sim) -> (String, bool) {
    let reply = iam(sim, "GenerateCredentialReport", &[]);
    (reply.element("State").to_owned(), reply.body.contains("Description"))
}

/// The error that `GetCredentialReport` answers.
fn refusal(sim: &Sim) -> (u16, String) {
    iam(sim, "GetCredentialReport", &[]).error()
}

/// The text of the report, and how old it says it is.
fn report(sim: &Sim) -> (String, Duration) {
    let reply = iam(sim, "GetCredentialReport", &[]);
    assert_eq!((reply.status, reply.element("ReportFormat")), (200, "text/csv"), "{}", reply.body);
    let text = BASE64_STANDARD.decode(reply.element("Content")).unwrap();
    let generated = humantime::parse_rfc3339(reply.element("GeneratedTime")).unwrap();
    (String::from_utf8(text).unwrap(), SystemTime::now().duration_since(generated).unwrap())
}

fn rows(sim: &Sim) -> Vec<String> {
    report(sim).0.split('\n').map(str::to_owned).collect()
}

/// The only row that is of this user.
fn row_of(sim: &Sim, start: &str) -> String {
    let mut rows = rows(sim);
    rows.retain(|row| row.starts_with(start));
    let [row] = &rows[..] else { panic!("{start}: {rows:?}") };
    row.clone()
}

/// Whether `age` is about `wanted`.
fn is_about(age: Duration, wanted: Duration) -> bool {
    age.abs_diff(wanted) < Duration::from_secs(30)
}

#[test]
fn there_is_no_report_before_one_is_asked_for() {
    let sim = of(Vec::new());
    assert_eq!(refusal(&sim), (410, "ReportNotPresent".to_owned()));
    assert_eq!(generate(&sim), ("STARTED".to_owned(), true));
    let (text, age) = report(&sim);
    assert!(text.starts_with(HEADER) && is_about(age, Duration::ZERO), "{text} {age:?}");
    assert_eq!(generate(&sim), ("COMPLETE".to_owned(), false));
    sim.forget_report(ID);
    assert_eq!(refusal(&sim), (410, "ReportNotPresent".to_owned()));
}

#[test]
fn a_report_takes_its_time_and_says_what_was_so_when_it_was_asked_for() {
    let sim = of(vec![User::named("ci-deployer")]);
    sim.report_takes(ID, 2 * MINUTE);
    assert_eq!(generate(&sim), ("STARTED".to_owned(), true));
    sim.edit(ID, |account| account.users[0].password = true);
    sim.advance_reports(ID, MINUTE);
    assert_eq!(generate(&sim), ("INPROGRESS".to_owned(), false));
    assert_eq!(refusal(&sim), (404, "ReportInProgress".to_owned()));
    sim.advance_reports(ID, MINUTE);
    assert_eq!(generate(&sim), ("COMPLETE".to_owned(), false));
    assert!(row_of(&sim, "ci-deployer,").contains(&format!(",{CREATED},false,N/A,N/A,")));
    assert!(is_about(report(&sim).1, Duration::ZERO), "its time is that of its end");
}

#[test]
fn a_report_is_kept_for_four_hours_and_expires() {
    let sim = of(Vec::new());
    generate(&sim);
    let first = report(&sim).0;
    sim.edit(ID, |account| account.users.push(User::named("newcomer")));
    sim.advance_reports(ID, FOUR_HOURS - MINUTE);
    assert_eq!(generate(&sim), ("COMPLETE".to_owned(), false));
    let (still, age) = report(&sim);
    assert!(still == first && is_about(age, FOUR_HOURS - MINUTE), "{age:?}");
    sim.advance_reports(ID, MINUTE);
    assert_eq!(refusal(&sim), (410, "ReportExpired".to_owned()));
    assert_eq!(generate(&sim), ("STARTED".to_owned(), true));
    let (text, age) = report(&sim);
    assert!(text.contains("newcomer") && is_about(age, Duration::ZERO), "{text} {age:?}");
}

#[test]
fn a_report_of_any_age_can_be_there_already() {
    let sim = of(vec![User { access_keys: vec![true], ..User::named("ci-deployer") }]);
    sim.generate_report(ID, 90 * MINUTE);
    sim.edit(ID, |account| account.users.clear());
    let (text, age) = report(&sim);
    assert!(text.contains("ci-deployer") && is_about(age, 90 * MINUTE), "{text} {age:?}");
    assert_eq!(generate(&sim).0, "COMPLETE");
    sim.generate_report(ID, 5 * FOUR_HOURS);
    assert_eq!(refusal(&sim), (410, "ReportExpired".to_owned()));
}

#[test]
fn a_report_can_say_anything() {
    let sim = of(Vec::new());
    for text in ["", "user,mfa_active\r\n\"open,true", "<html>"] {
        sim.set_report(ID, SystemTime::now() - MINUTE, text);
        assert_eq!(report(&sim).0, text);
    }
    sim.set_report(ID, SystemTime::now() + 10 * MINUTE, [0xff, b'\n']);
    let reply = iam(&sim, "GetCredentialReport", &[]);
    assert_eq!(reply.element("Content"), "/wo=");
    assert!(humantime::parse_rfc3339(reply.element("GeneratedTime")).unwrap() > SystemTime::now() + 9 * MINUTE);
    assert_eq!(generate(&sim).0, "COMPLETE", "a clock that is ahead makes it no older");
}

#[test]
fn every_account_has_a_report_of_its_own() {
    let sim = of(Vec::new());
    let other = "444444444444";
    sim.add(Account { users: vec![User::named("other")], ..Account::with_root_devices(other, &[]) });
    sim.credentials("AKIAOTHER", other);
    sim.generate_report(other, MINUTE);
    sim.report_takes(other, MINUTE);
    assert_eq!(refusal(&sim), (410, "ReportNotPresent".to_owned()));
    generate(&sim);
    assert!(!report(&sim).0.contains("other"));
    assert_eq!(query(&sim, "AKIAOTHER", "iam", &[("Action", "GetCredentialReport")]).status, 200);
}

#[test]
fn a_report_is_written_as_aws_writes_it() {
    let device = |name: &str| vec![format!("arn:aws:iam::{ID}:mfa/{name}")];
    let users = vec![
        User {
            path: "/ops/".into(),
            created: "2025-05-05T05:05:05Z".into(),
            password: true,
            password_last_used: Some("2026-06-06T06:06:06Z".into()),
            password_last_changed: Some("2025-07-07T07:07:07Z".into()),
            devices: device("operator"),
            ..User::named("console-operator")
        },
        User { password: true, ..User::named("Beginner") },
        User {
            password_last_used: Some(CREATED.into()),
            access_keys: vec![false, true, true],
            ..User::named("ci-deployer")
        },
        User { access_keys: vec![true], ..User::named("audit-reader") },
    ];
    let sim = of(users);
    generate(&sim);
    let none = "false,N/A,N/A,N/A,N/A";
    let wanted = [
        HEADER.to_owned(),
        format!(
            "<root_account>,arn:aws:iam::{ID}:root,{CREATED},true,no_information,{CREATED},not_supported,false,{none},{none},false,N/A,false,N/A"
        ),
        format!(
            "audit-reader,arn:aws:iam::{ID}:user/audit-reader,{CREATED},false,N/A,N/A,N/A,false,true,{CREATED},N/A,N/A,N/A,{none},false,N/A,false,N/A"
        ),
        format!(
            "Beginner,arn:aws:iam::{ID}:user/Beginner,{CREATED},true,no_information,{CREATED},N/A,false,{none},{none},false,N/A,false,N/A"
        ),
        format!(
            "ci-deployer,arn:aws:iam::{ID}:user/ci-deployer,{CREATED},false,N/A,N/A,N/A,false,false,{CREATED},N/A,N/A,N/A,true,{CREATED},N/A,N/A,N/A,false,N/A,false,N/A"
        ),
        format!(
            "console-operator,arn:aws:iam::{ID}:user/ops/console-operator,2025-05-05T05:05:05Z,true,2026-06-06T06:06:06Z,2025-07-07T07:07:07Z,N/A,true,{none},{none},false,N/A,false,N/A"
        ),
    ];
    assert_eq!(rows(&sim), wanted, "and no end of the last line");
}

#[test]
fn root_s_row_says_what_root_has() {
    let sim = of(Vec::new());
    let row = |root: Root| {
        sim.edit(ID, |account| account.root = root);
        sim.generate_report(ID, MINUTE);
        row_of(&sim, "<root_account>,").split(',').skip(3).map(str::to_owned).collect::<Vec<_>>()
    };
    let none = "false,N/A,N/A,N/A,N/A";
    let key = format!("true,{CREATED},N/A,N/A,N/A");
    let used = Some("2026-01-01T00:00:00Z".to_owned());
    let cases = [
        (Root::default(), format!("false,N/A,N/A,not_supported,false,{none},{none},false,N/A,false,N/A")),
        (
            Root { password: true, password_last_used: used.clone(), devices: vec!["GAHT1".into()], ..Root::default() },
            format!("true,2026-01-01T00:00:00Z,{CREATED},not_supported,true,{none},{none},false,N/A,false,N/A"),
        ),
        (
            Root { password_last_used: used, access_keys: 2, signing_certificates: 1, ..Root::default() },
            format!("false,N/A,N/A,not_supported,false,{key},{key},true,{CREATED},false,N/A"),
        ),
    ];
    for (root, wanted) in cases {
        assert_eq!(row(root).join(","), wanted);
    }
}

#[test]
fn a_report_can_be_written_in_other_ways() {
    let sim = of(vec![User { password: true, access_keys: vec![true; 3], ..User::named("operator") }]);
    let written = |change: fn(&mut Account)| {
        let usual = sim.account(ID);
        sim.edit(ID, change);
        sim.generate_report(ID, MINUTE);
        sim.edit(ID, |account| *account = usual);
        rows(&sim)
    };
    let usual = written(|_| {});
    let upper = written(|account| account.report_upper_case = true);
    assert_eq!(upper[0], usual[0]);
    assert_eq!(upper[2], usual[2].replace("true", "TRUE").replace("false", "FALSE"));
    assert_ne!(upper[2], usual[2]);

    let extra = written(|account| account.report_extra_column = true);
    let more = [",additional_credentials_info", ",", r#","3 access keys, 0 certificates""#];
    assert_eq!(extra, [0, 1, 2].map(|n| format!("{}{}", usual[n], more[n])));

    let shorter = written(|account| account.report_omit_columns = vec!["arn".into(), "mfa_active".into()]);
    assert!(shorter[0].starts_with("user,user_creation_time,") && !shorter[0].contains("mfa_active"), "{}", shorter[0]);
    assert_eq!(shorter[2].split(',').count(), 20);
    assert!(
        shorter[2].starts_with(&format!("operator,{CREATED},true,no_information,{CREATED},N/A,true,")),
        "{}",
        shorter[2]
    );

    let old = written(|account| account.report_root_not_supported = true);
    let start = format!(
        "<root_account>,arn:aws:iam::{ID}:root,{CREATED},not_supported,no_information,not_supported,not_supported,false,"
    );
    assert!(old[1].starts_with(&start) && old[2] == usual[2], "{}", old[1]);
    assert_eq!(written(|account| account.report_without_root = true), [&*usual[0], &*usual[2]]);
}

#[test]
fn a_field_that_needs_it_is_quoted() {
    let sim = of(vec![User { path: r#"/a"b,c/"#.into(), ..User::named("x,y") }]);
    generate(&sim);
    let start = format!(r#""x,y","arn:aws:iam::{ID}:user/a""b,c/x,y",{CREATED},false,"#);
    assert!(rows(&sim)[2].starts_with(&start), "{}", rows(&sim)[2]);
}

#[test]
fn reports_go_wrong_too() {
    let sim = of(Vec::new());
    sim.generate_report(ID, MINUTE);
    for (operation, status, code) in [
        ("GenerateCredentialReport", 409, "LimitExceeded"),
        ("GetCredentialReport", 404, "ReportInProgress"),
        ("GetCredentialReport", 410, "ReportExpired"),
    ] {
        let fault = sim.fault(ID, Some(operation), Fault::Error(status, code));
        assert_eq!(iam(&sim, operation, &[]).error(), (status, code.to_owned()));
        sim.clear(fault);
    }
    for name in ["Content", "GeneratedTime", "ReportFormat"] {
        let fault = sim.fault(ID, Some("GetCredentialReport"), Fault::Omit(name));
        let reply = iam(&sim, "GetCredentialReport", &[]);
        assert!(reply.status == 200 && !reply.body.contains(name), "{}", reply.body);
        sim.clear(fault);
    }
    sim.forget_report(ID);
    let old = Account { users: vec![User::named("gone")], ..sim.account(ID) };
    let fault = sim.fault(ID, Some("GenerateCredentialReport"), Fault::Stale(Box::new(old)));
    generate(&sim);
    sim.clear(fault);
    assert!(report(&sim).0.contains("gone"), "a report of a replica that is behind");
}

#[test]
#[should_panic(expected = "the account is in the scenario")]
fn nobody_s_report_cannot_be_set() {
    of(Vec::new()).report_takes("999999999999", MINUTE);
}
