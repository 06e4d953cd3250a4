//! The ready-made organization.

use std::collections::{BTreeMap, BTreeSet};

use super::client::query;
use crate::{Account, Mix, Sim, User, organization, users};

#[test]
fn an_organization_comes_in_any_size_and_mix() {
    let scenario = organization(201);
    let mut kinds = BTreeMap::<_, usize>::new();
    for account in &scenario.accounts[1..] {
        let device = account.root.devices.first().map(|serial| serial.split([':', '/']).nth(5).unwrap().to_owned());
        *kinds.entry((account.root.password, device)).or_default() += 1;
    }
    let kind = |password, device: Option<&str>| kinds[&(password, device.map(str::to_owned))];
    assert_eq!((kind(true, Some("u2f")), kind(true, Some("mfa")), kind(false, None)), (140, 10, 50));

    let members = &scenario.organization.as_ref().unwrap().members;
    assert_eq!((&*members[1].id, &*members[1].name), ("100000000001", "workload-0001"));
    assert_eq!(members[1..].iter().map(|member| &member.unit).collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(members.iter().map(|member| &member.id).collect::<BTreeSet<_>>().len(), 201);
    for count in [0, 1] {
        assert_eq!(organization(count).accounts.len(), 1);
    }
}

#[test]
fn every_account_of_it_can_be_entered_from_the_first() {
    let sim = Sim::start(organization(10)).unwrap();
    for id in (1..10).map(|n| format!("1{n:011}")) {
        let arn = format!("arn:aws:iam::{id}:role/aws-mfa-exporter");
        let params = [("Action", "AssumeRole"), ("RoleArn", &*arn), ("RoleSessionName", "bench")];
        let session = query(&sim, "AKIASIMULATEDEXAMPLE", "sts", &params);
        let key = session.element("AccessKeyId");
        let summary = query(&sim, key, "iam", &[("Action", "GetAccountSummary")]);
        assert!(summary.body.contains("<key>AccountMFAEnabled</key>"), "{}", summary.body);
    }
    assert_eq!((sim.total("AssumeRole"), sim.total("GetAccountSummary")), (9, 9));
}

#[test]
fn users_come_in_any_number_and_mix() {
    let account = Account { id: "111111111111".into(), ..Account::default() };
    let mix = Mix { key_only: 20, fido: 5, hardware: 3, unprotected: 2 };
    let made = users(&account, 300, mix);
    assert_eq!(made, users(&account, 300, mix), "always the same");
    let count = |is: fn(&User) -> bool| made[100..200].iter().filter(|user| is(user)).count();
    let has = |user: &User, start: &str| user.password && user.devices.iter().any(|serial| serial.starts_with(start));
    let key_only = |user: &User| !user.password && user.access_keys == [true] && user.devices.is_empty();
    assert_eq!(count(key_only), 20);
    assert_eq!(count(|user| user.password && user.devices.is_empty()), 2);
    let devices = |start| made[100..200].iter().filter(|user| has(user, start)).count();
    assert_eq!(devices("arn:aws:iam::111111111111:u2f/user/operator-"), 5);
    assert_eq!(devices("GAHT"), 3);
    assert_eq!(devices("arn:aws:iam::111111111111:mfa/operator-"), 70);
    assert!(made.iter().all(|user| user.name.starts_with("service-") == key_only(user)));
    for of_user in [|user: &User| user.name.clone(), |user: &User| user.user_id()] {
        assert_eq!(made.iter().map(of_user).collect::<BTreeSet<_>>().len(), 300);
    }
    let serials = made.iter().flat_map(|user| &user.devices);
    assert_eq!(serials.clone().collect::<BTreeSet<_>>().len(), serials.count());
    let all = |mix| users(&account, 5_000, mix);
    assert!(all(Mix::default()).iter().all(|user| has(user, "arn:aws:iam::111111111111:mfa/")));
    assert!(all(Mix { key_only: 100, fido: 50, ..Mix::default() }).iter().all(key_only));
}
