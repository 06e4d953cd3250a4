//! The ready-made organization.

use std::collections::{BTreeMap, BTreeSet};

use super::client::query;
use crate::{Sim, organization};

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
