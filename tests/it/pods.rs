//! What the Helm chart starts, started: the container's command line of each set of
//! values in tests/deploy/values, with the arguments, environment and files that the
//! pod would have, against the simulated AWS; scraped, probed as a kubelet does it,
//! and stopped within its grace period.
//!
//! Paths of mounts are those of a temporary folder here, and the port is a free one.
//! tests/deploy/generate.py sees to it that the golden renders are what Helm makes.

mod cluster;
mod kubelet;
mod page;
mod shards;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use aws_sim::{Account, Member, Organization, Role, Scenario, Sim, Unit};
use cluster::Cluster;
use kubelet::Pod;

use crate::support::{ID, KEY, healthy};

const MEMBER: &str = "222222222222";
const SOON: Duration = Duration::from_secs(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the chart makes of a set of values.
fn golden(set: &str) -> Cluster {
    Cluster::of(&[root().join("tests/deploy/golden").join(format!("{set}.yaml"))])
}

/// Every set of values.
fn sets() -> Vec<String> {
    let files = fs::read_dir(root().join("tests/deploy/golden")).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// An organization of which the exporter's account is the management account. `more`
/// accounts are beside the member.
fn organization(more: usize) -> Sim {
    let roles = ["aws-mfa-exporter", "audit/aws-mfa-exporter"].map(Role::named).to_vec();
    let member = |id: &str| {
        let key = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
        Account { roles: roles.clone(), ..Account::with_root_devices(id, &[&key]) }
    };
    let others = (0..more).map(|n| member(&format!("3{n:011}")));
    let own = Account { roles: vec![Role::named("aws-mfa-exporter-runner")], ..healthy() };
    let accounts: Vec<_> = [own, member(MEMBER)].into_iter().chain(others).collect();
    let unit = Unit { id: "ou-sim-work".into(), name: "Work".into(), parent: aws_sim::ROOT.into() };
    let members = accounts.iter().map(|account| Member { unit: unit.id.clone(), ..Member::new(&account.id, "x") });
    let members = members.collect();
    Sim::start(Scenario {
        organization: Some(Organization {
            management: ID.into(),
            members,
            units: vec![unit],
            ..Organization::default()
        }),
        accounts,
        credentials: BTreeMap::from([(KEY.to_owned(), ID.to_owned())]),
        ..Scenario::default()
    })
    .unwrap()
}

/// All pods of a set, side by side: what they watch together, each account once.
fn all_accounts_are_watched(set: &str, cluster: &Cluster) {
    let sim = organization(0);
    let running: Vec<_> = (0..cluster.replicas()).map(|ordinal| cluster.start(ordinal, &sim)).collect();
    let expected = if cluster.is_of_an_organization() { vec![ID, MEMBER] } else { vec![ID] };
    for account in expected {
        let began = Instant::now();
        loop {
            let passed: Vec<_> =
                running.iter().filter(|pod| pod.scrape().status_of(account, "IAM.9") == "passed").collect();
            assert!(passed.len() < 2, "{set}: {account} is watched twice");
            if passed.len() == 1 {
                break;
            }
            assert!(began.elapsed() < SOON, "{set}: nobody knows {account}\n{}", running[0].log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    running.iter().for_each(Pod::is_probed);
    running.into_iter().for_each(|pod| pod.stops_in_time());
}

#[test]
fn what_each_set_of_values_starts_is_scraped_probed_and_stopped() {
    let sets = sets();
    assert!(sets.len() >= 10, "{sets:?}");
    std::thread::scope(|scope| {
        for set in &sets {
            scope.spawn(move || all_accounts_are_watched(set, &golden(set)));
        }
    });
}

#[test]
fn the_plain_manifests_start_the_same() {
    let base = root().join("deploy/kubernetes/base");
    let files = ["serviceaccount", "service", "statefulset"].map(|name| base.join(format!("{name}.yaml")));
    all_accounts_are_watched("deploy/kubernetes", &Cluster::of(&files));
}

/// A ConfigMap that somebody else changes is read again, without a restart.
#[test]
fn a_configuration_that_changes_in_its_volume_is_taken_over() {
    let sim = organization(0);
    let cluster = golden("existing-configmap");
    let pod = cluster.start(0, &sim);
    pod.wait_for("both accounts", |samples| samples.status_of(MEMBER, "IAM.9") == "passed");
    pod.remount(
        "config",
        "config.yml",
        "organization: {role_name: aws-mfa-exporter, exclude: {accounts: [\"222222222222\"]}}\n",
    );
    pod.wait_for("that it is left out", |samples| samples.state_of(MEMBER) == "excluded");
    pod.stops_in_time();
}
