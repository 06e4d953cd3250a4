//! What a reply can be beside right: late, dated, packed, rewritten.

use std::{
    thread::sleep,
    time::{Duration, SystemTime},
};

use serde_json::json;

use super::client::{iam, organizations, simulation};
use crate::{Account, Fault, Member, Organization, Scenario, Sim, User};

const ID: &str = "111111111111";
const PHONE: &str = "arn:aws:iam::111111111111:mfa/phone";

fn with_phone() -> Account {
    let ann = User { password: true, devices: vec![PHONE.to_owned()], ..User::named("ann") };
    Account { users: vec![ann], ..Account::with_root_devices(ID, &[]) }
}

#[test]
fn a_device_and_a_password_have_times_of_their_own() {
    let sim = simulation(with_phone());
    let enabled = |operation, params: &[(&str, &str)]| iam(&sim, operation, params).element("EnableDate").to_owned();
    let ann = [("UserName", "ann")];
    for (operation, params) in [("ListVirtualMFADevices", &[][..]), ("ListMFADevices", &ann)] {
        assert_eq!(enabled(operation, params), "2024-01-02T03:04:05Z");
    }
    assert_eq!(iam(&sim, "GetLoginProfile", &ann).element("CreateDate"), "2024-01-02T03:04:05Z");
    sim.edit(ID, |account| {
        account.enabled.insert(PHONE.to_owned(), "2026-01-01T00:00:00Z".to_owned());
        account.users[0].password_created = Some("2026-02-02T00:00:00Z".to_owned());
    });
    for (operation, params) in [("ListVirtualMFADevices", &[][..]), ("ListMFADevices", &ann)] {
        assert_eq!(enabled(operation, params), "2026-01-01T00:00:00Z");
    }
    assert_eq!(iam(&sim, "GetLoginProfile", &ann).element("CreateDate"), "2026-02-02T00:00:00Z");
}

#[test]
fn every_reply_is_dated_by_awss_clock() {
    let sim = simulation(with_phone());
    let ahead = |sim: &Sim| {
        let date = httpdate::parse_http_date(&iam(sim, "GetAccountSummary", &[]).date).unwrap();
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed();
        since(date) - since(SystemTime::now())
    };
    assert!((-2..=0).contains(&ahead(&sim)));
    sim.set_clock_ahead(600);
    assert!((598..=600).contains(&ahead(&sim)));
    sim.set_clock_ahead(-600);
    assert!((-602..=-600).contains(&ahead(&sim)));
}

#[test]
fn a_replica_lags_in_one_operation_alone() {
    let sim = simulation(with_phone());
    let users = |operation, element| iam(&sim, operation, &[]).elements(element).len();
    let lag = Duration::from_millis(300);
    let id = sim.fault(ID, Some("ListUsers"), Fault::Lagging(lag));
    assert_eq!(users("ListUsers", "UserName"), 1, "nothing has changed yet");
    sim.edit(ID, |account| account.users.push(User::named("bob")));
    sim.edit(ID, |account| account.users[0].devices.clear());
    assert_eq!((users("ListUsers", "UserName"), users("ListVirtualMFADevices", "SerialNumber")), (1, 0));
    sleep(lag);
    assert_eq!(users("ListUsers", "UserName"), 2, "it has caught up");
    sim.edit(ID, |account| account.users.clear());
    assert_eq!(users("ListUsers", "UserName"), 2);
    sim.clear(id);
    assert_eq!(users("ListUsers", "UserName"), 0);
}

#[test]
fn what_the_hook_changes_is_late_too() {
    let sim = simulation(with_phone());
    sim.fault(ID, Some("ListUsers"), Fault::Lagging(Duration::from_secs(60)));
    sim.on_request(|_, account| account.users.clear());
    assert_eq!(iam(&sim, "ListUsers", &[]).elements("UserName"), ["ann"]);
    assert!(iam(&sim, "ListVirtualMFADevices", &[]).elements("SerialNumber").is_empty());
}

#[test]
fn a_reply_can_be_compressed() {
    let sim = simulation(with_phone());
    sim.fault_after(ID, Some("ListUsers"), Fault::Gzip, 0, 1);
    let packed = iam(&sim, "ListUsers", &[]);
    assert_eq!((&*packed.encoding, packed.elements("UserName")), ("gzip", vec!["ann"]));
    assert_eq!(iam(&sim, "ListUsers", &[]).encoding, "");
}

#[test]
fn a_reply_is_rewritten_in_one_place_and_so_is_an_error() {
    let sim = simulation(with_phone());
    let id = sim.fault(ID, Some("ListUsers"), Fault::Rewrite("<Path>/</Path>".into(), String::new()));
    assert!(iam(&sim, "ListUsers", &[]).elements("Path").is_empty());
    sim.clear(id);
    sim.fault(ID, None, Fault::Rewrite("<Code>".into(), "<Code>Other</Code><Code>".into()));
    assert_eq!(iam(&sim, "ListMFADevices", &[("UserName", "x")]).elements("Code"), ["Other", "NoSuchEntity"]);
}

#[test]
fn an_error_can_come_as_if_it_were_none() {
    let sim = simulation(with_phone());
    sim.fault(ID, None, Fault::Error(200, "AccessDenied"));
    assert_eq!(iam(&sim, "ListUsers", &[]).error(), (200, "AccessDenied".to_owned()));
}

#[test]
fn markers_lead_round() {
    let sim = simulation(with_phone());
    sim.fault(ID, None, Fault::MarkerCycle);
    let mut markers = vec![iam(&sim, "ListUsers", &[]).element("Marker").to_owned()];
    for n in 0..3 {
        let page = iam(&sim, "ListUsers", &[("Marker", &markers[n].clone())]);
        markers.push(page.element("Marker").to_owned());
    }
    assert!(markers[0] != markers[1] && markers[..2] == markers[2..], "{markers:?}");
}

#[test]
fn tokens_of_an_organization_lead_round() {
    let member = Member::new(ID, "own");
    let organization = Organization { management: ID.into(), members: vec![member], ..Organization::default() };
    let sim = Sim::start(Scenario {
        accounts: vec![Account::with_root_devices(ID, &[])],
        credentials: [("AKIAREADER".to_owned(), ID.to_owned())].into(),
        organization: Some(organization),
        ..Scenario::default()
    })
    .unwrap();
    sim.fault(ID, None, Fault::MarkerCycle);
    let next = |token: &str| {
        let params = if token.is_empty() { json!({}) } else { json!({ "NextToken": token }) };
        let page = organizations(&sim, "AKIAREADER", "ListAccounts", &params).json();
        page["NextToken"].as_str().unwrap().to_owned()
    };
    let first = next("");
    let second = next(&first);
    assert!(first != second && next(&second) == first);
}
