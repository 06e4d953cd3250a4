//! What IAM tells about users, and how its lists go wrong.

use super::client::{Response, iam, simulation};
use crate::{Account, Fault, Sim, User, state::CREATED};

const ID: &str = "111111111111";

fn account(users: Vec<User>) -> Account {
    Account { users, ..Account::with_root_devices(ID, &[]) }
}

fn of(users: Vec<User>) -> Sim {
    simulation(account(users))
}

fn crowd(count: usize) -> Vec<User> {
    (0..count).map(|n| User::named(&format!("user-{n:03}"))).collect()
}

/// All pages of a list: the texts of `element`, and the length of each page.
fn all(sim: &Sim, operation: &str, element: &str, params: &[(&str, &str)]) -> (Vec<String>, Vec<usize>) {
    let (mut found, mut lengths, mut marker) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let next = marker.as_deref().map(|marker| ("Marker", marker));
        let page = iam(sim, operation, &params.iter().copied().chain(next).collect::<Vec<_>>());
        lengths.push(page.elements("member").len());
        found.extend(page.elements(element).into_iter().map(str::to_owned));
        match page.element("IsTruncated") {
            "true" => marker = Some(page.element("Marker").to_owned()),
            truncated => {
                assert!(truncated == "false" && !page.body.contains("Marker"), "{}", page.body);
                return (found, lengths);
            }
        }
    }
}

fn no_such(reply: &Response, message: &str) {
    assert_eq!((reply.error(), reply.element("Message")), ((404, "NoSuchEntity".to_owned()), message));
}

#[test]
fn a_user_is_told_as_iam_tells_it() {
    let operator = User {
        id: "AIDAEXAMPLE".into(),
        path: "/teams/ops/".into(),
        created: "2025-05-05T05:05:05Z".into(),
        password_last_used: Some("2026-06-06T06:06:06Z".into()),
        devices: vec![format!("arn:aws:iam::{ID}:mfa/operator")],
        ..User::named("console-operator")
    };
    let plain = User::named("Backup-reader");
    let plain_id = plain.user_id();
    let sim = of(vec![operator, plain]);
    let known = format!(
        "<Path>/teams/ops/</Path><UserName>console-operator</UserName><UserId>AIDAEXAMPLE</UserId>\
         <Arn>arn:aws:iam::{ID}:user/teams/ops/console-operator</Arn><CreateDate>2025-05-05T05:05:05Z</CreateDate>"
    );
    let full = format!("{known}<PasswordLastUsed>2026-06-06T06:06:06Z</PasswordLastUsed>");
    let reader = format!(
        "<Path>/</Path><UserName>Backup-reader</UserName><UserId>{plain_id}</UserId>\
         <Arn>arn:aws:iam::{ID}:user/Backup-reader</Arn><CreateDate>{CREATED}</CreateDate>"
    );
    assert_eq!(iam(&sim, "ListUsers", &[]).elements("member"), [&reader, &full]);
    assert_eq!(iam(&sim, "GetUser", &[("UserName", "console-operator")]).element("User"), full);
    // The list of devices does not tell when a user signed in.
    assert_eq!(iam(&sim, "ListVirtualMFADevices", &[]).element("User"), known);
}

#[test]
fn an_id_is_like_aws_s_and_always_the_same() {
    let ids: Vec<_> = crowd(500).iter().map(User::user_id).collect();
    let is_id = |id: &String| id.len() == 21 && id.starts_with("AIDA") && id.bytes().all(|b| b.is_ascii_alphanumeric());
    assert!(ids.iter().all(|id| is_id(id) && *id == id.to_uppercase()), "{ids:?}");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 500);
    assert_eq!(User::named("ci-deployer").user_id(), User { password: true, ..User::named("ci-deployer") }.user_id());
}

#[test]
fn users_are_listed_in_pages_without_regard_to_capitals() {
    let mut users = crowd(250);
    users.iter_mut().step_by(2).for_each(|user| user.name = user.name.to_uppercase());
    users.reverse();
    let sim = of(users);
    let names: Vec<_> =
        (0..250).map(|n| if n % 2 == 0 { format!("USER-{n:03}") } else { format!("user-{n:03}") }).collect();
    let list = |params: &[(&str, &str)]| all(&sim, "ListUsers", "UserName", params);
    assert_eq!(list(&[]), (names.clone(), vec![100, 100, 50]));
    assert_eq!(list(&[("MaxItems", "1000")]), (names.clone(), vec![250]));
    assert_eq!(list(&[("MaxItems", "125")]), (names.clone(), vec![125, 125]));
    sim.edit(ID, |account| account.page_size = Some(99));
    assert_eq!(list(&[("MaxItems", "1000")]), (names, vec![99, 99, 52]));
    sim.edit(ID, |account| account.users.clear());
    assert_eq!(list(&[]), (Vec::new(), vec![0]));
}

#[test]
fn a_page_that_cannot_be_is_refused() {
    let sim = of(crowd(3));
    for param in [("MaxItems", "0"), ("MaxItems", "1001"), ("MaxItems", "all"), ("Marker", "at-1"), ("Marker", "")] {
        assert_eq!(iam(&sim, "ListUsers", &[param]).error(), (400, "ValidationError".to_owned()), "{param:?}");
    }
}

#[test]
fn nobody_vanishes_behind_whoever_is_deleted_between_two_pages() {
    let sim = of(crowd(30));
    let first = iam(&sim, "ListUsers", &[("MaxItems", "10")]);
    sim.edit(ID, |account| _ = account.users.drain(5..10));
    let marker = ("Marker", first.element("Marker"));
    let second = iam(&sim, "ListUsers", &[("MaxItems", "10"), marker]);
    assert_eq!(second.elements("UserName")[0], "user-010");
}

#[test]
fn devices_of_any_kind_are_told_of_one_user() {
    let virtual_serial = format!("arn:aws:iam::{ID}:mfa/operator");
    let serials = [account(vec![]).user_fido_serial("operator", "key"), "GAHT12345678".to_owned(), virtual_serial];
    let operator = User { devices: serials.to_vec(), ..User::named("operator") };
    let sim = of(vec![operator, User::named("reader")]);
    let name = ("UserName", "operator");
    let reply = iam(&sim, "ListMFADevices", &[name]);
    let member = |serial| {
        format!("<UserName>operator</UserName><SerialNumber>{serial}</SerialNumber><EnableDate>{CREATED}</EnableDate>")
    };
    assert_eq!(reply.elements("member"), [&serials[1], &serials[2], &serials[0]].map(member));
    assert_eq!(all(&sim, "ListMFADevices", "SerialNumber", &[name, ("MaxItems", "2")]).1, [2, 1]);
    assert_eq!(all(&sim, "ListMFADevices", "SerialNumber", &[("UserName", "reader")]), (Vec::new(), vec![0]));
}

#[test]
fn who_is_not_there_is_no_such_entity_and_nobody_cannot_be_asked_for() {
    let sim = of(vec![User::named("reader")]);
    for operation in ["ListMFADevices", "GetLoginProfile", "ListAccessKeys", "GetUser"] {
        let unknown = iam(&sim, operation, &[("UserName", "Reader")]);
        no_such(&unknown, "The user with name Reader cannot be found.");
        let nameless = iam(&sim, operation, &[]);
        assert_eq!(nameless.error(), (400, "ValidationError".to_owned()));
        assert_eq!(nameless.element("Message"), "Must specify userName when calling with non-User credentials");
    }
}

#[test]
fn a_login_profile_is_there_with_a_password_only() {
    let set = User { password: true, ..User::named("set") };
    let changed = User {
        password_last_changed: Some("2026-07-07T07:07:07Z".into()),
        ..User { name: "changed".into(), ..set.clone() }
    };
    let former = User {
        password_last_used: Some(CREATED.into()),
        password_last_changed: Some(CREATED.into()),
        ..User::named("former")
    };
    let sim = of(vec![set, changed, former]);
    let profile = |name| iam(&sim, "GetLoginProfile", &[("UserName", name)]);
    for (name, at) in [("set", CREATED), ("changed", "2026-07-07T07:07:07Z")] {
        let wanted = format!(
            "<UserName>{name}</UserName><CreateDate>{at}</CreateDate><PasswordResetRequired>false</PasswordResetRequired>"
        );
        assert_eq!(profile(name).element("LoginProfile"), wanted);
    }
    no_such(&profile("former"), "Login Profile for User former cannot be found.");
    assert!(iam(&sim, "ListUsers", &[]).body.contains("PasswordLastUsed"), "which outlives the password");
}

#[test]
fn access_keys_are_active_or_not() {
    let sim = of(vec![User { access_keys: vec![true, false], ..User::named("ci-deployer") }]);
    let reply = iam(&sim, "ListAccessKeys", &[("UserName", "ci-deployer")]);
    let mut statuses = reply.elements("Status");
    statuses.sort_unstable();
    assert_eq!((statuses, reply.elements("UserName")), (vec!["Active", "Inactive"], vec!["ci-deployer"; 2]));
    let ids = reply.elements("AccessKeyId");
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 20 && id.starts_with("AKIA")), "{ids:?}");
    assert!(reply.element("member").ends_with(&format!("</Status><CreateDate>{CREATED}</CreateDate>")));
}

#[test]
fn names_and_paths_of_every_character_are_escaped() {
    let name = "a+b=c,d.e@f-g_h";
    let user = User {
        path: r#"/<a>&"b,'c]]>/"#.into(),
        devices: vec![format!("arn:aws:iam::{ID}:mfa/<&>/phone")],
        ..User::named(name)
    };
    let sim = of(vec![user]);
    let path = r#"/&lt;a&gt;&amp;"b,'c]]&gt;/"#;
    for (operation, params) in [("ListUsers", None), ("GetUser", Some(name)), ("ListVirtualMFADevices", None)] {
        let params: Vec<_> = params.into_iter().map(|name| ("UserName", name)).collect();
        let reply = iam(&sim, operation, &params);
        assert_eq!((reply.element("Path"), reply.element("UserName")), (path, name));
        assert_eq!(reply.element("Arn"), format!("arn:aws:iam::{ID}:user{path}{name}"));
    }
    let serial = format!("arn:aws:iam::{ID}:mfa/&lt;&amp;&gt;/phone");
    assert_eq!(iam(&sim, "ListMFADevices", &[("UserName", name)]).element("SerialNumber"), serial);
}

#[test]
fn root_s_device_is_told_with_what_root_has() {
    let device = format!("arn:aws:iam::{ID}:mfa/phone");
    let sim = simulation(Account::with_root_devices(ID, &[&device]));
    let root = || iam(&sim, "ListVirtualMFADevices", &[]).element("User").to_owned();
    let known = format!("<UserId>{ID}</UserId><Arn>arn:aws:iam::{ID}:root</Arn><CreateDate>{CREATED}</CreateDate>");
    assert_eq!(root(), known);
    sim.edit(ID, |account| account.root.password_last_used = Some("2026-01-01T00:00:00Z".into()));
    assert_eq!(root(), format!("{known}<PasswordLastUsed>2026-01-01T00:00:00Z</PasswordLastUsed>"));
}

#[test]
fn every_list_goes_wrong_in_every_way() {
    let devices = (0..3).map(|n| format!("arn:aws:iam::{ID}:mfa/phone-{n}")).collect();
    let operator = User { devices, access_keys: vec![true; 3], ..User::named("a") };
    let sim = of(vec![operator, User::named("b"), User::named("c")]);
    for (operation, list) in [
        ("ListUsers", "Users"),
        ("ListVirtualMFADevices", "VirtualMFADevices"),
        ("ListMFADevices", "MFADevices"),
        ("ListAccessKeys", "AccessKeyMetadata"),
    ] {
        let params = [("UserName", "a"), ("MaxItems", "2")];
        let page = |fault: Fault| {
            let fault = sim.fault(ID, Some(operation), fault);
            let reply = iam(&sim, operation, &params);
            sim.clear(fault);
            reply
        };
        let fault = sim.fault(ID, Some(operation), Fault::EmptyFirstPage);
        assert_eq!(all(&sim, operation, "member", &params).1, [0, 2, 1], "{operation}");
        sim.clear(fault);
        let looped = page(Fault::MarkerLoop);
        let again = [params[0], params[1], ("Marker", looped.element("Marker"))];
        let fault = sim.fault(ID, Some(operation), Fault::MarkerLoop);
        // All but the id of the request, which stands last.
        let told = |reply: &Response| reply.body.split("<ResponseMetadata>").next().map(str::to_owned);
        assert_eq!(told(&iam(&sim, operation, &again)), told(&looped));
        sim.clear(fault);
        let lost = page(Fault::NoMarker);
        assert!(lost.element("IsTruncated") == "true" && !lost.body.contains("Marker"), "{}", lost.body);
        assert_eq!(page(Fault::OddTruncation).element("IsTruncated"), "perhaps");
        for name in [list, "IsTruncated", "Marker", "member"] {
            let reply = page(Fault::Omit(name));
            assert!(reply.status == 200 && !reply.body.contains(&format!("<{name}>")), "{}", reply.body);
        }
    }
}

#[test]
fn a_fault_strikes_the_calls_for_one_user() {
    let sim = of(crowd(2));
    let status = |operation: &str, user: &str| iam(&sim, operation, &[("UserName", user)]).status;
    sim.fault_user(ID, Some("ListMFADevices"), "user-000", Fault::Throttled);
    assert_eq!((status("ListMFADevices", "user-000"), status("ListMFADevices", "user-001")), (400, 200));
    assert_eq!((status("ListAccessKeys", "user-000"), iam(&sim, "ListUsers", &[]).status), (200, 200));
    sim.clear_faults();
    sim.fault_user(ID, None, "user-001", Fault::AccessDenied);
    assert_eq!(
        (status("GetUser", "user-001"), status("ListAccessKeys", "user-001"), status("GetUser", "user-000")),
        (403, 403, 200)
    );
    sim.clear_faults();
    sim.fault_user_after(ID, Some("GetUser"), "user-000", Fault::ServerError, 1, 2);
    status("GetUser", "user-001");
    assert_eq!([(); 4].map(|()| status("GetUser", "user-000")), [200, 500, 500, 200]);
}

#[test]
fn a_replica_can_be_behind_for_one_user() {
    let serial = format!("arn:aws:iam::{ID}:mfa/phone");
    let sim = of(vec![User { devices: vec![serial], ..User::named("operator") }]);
    let old = sim.account(ID);
    sim.edit(ID, |account| account.users[0].devices.clear());
    sim.fault_user_after(ID, Some("ListMFADevices"), "operator", Fault::Stale(Box::new(old)), 0, 1);
    let devices = || iam(&sim, "ListMFADevices", &[("UserName", "operator")]).elements("member").len();
    assert_eq!((devices(), devices()), (1, 0));
}

#[test]
fn a_fault_can_be_any_error() {
    let sim = of(crowd(1));
    for (status, code) in [(404, "NoSuchEntity"), (409, "LimitExceeded"), (500, "ServiceFailure"), (418, "Teapot")] {
        let fault = sim.fault(ID, Some("ListUsers"), Fault::Error(status, code));
        assert_eq!(iam(&sim, "ListUsers", &[]).error(), (status, code.to_owned()));
        sim.clear(fault);
    }
}
