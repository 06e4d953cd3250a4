//! Root users audited from outside their accounts: the real binary against the simulated
//! AWS, each refusal by itself, and the collector against a world that changes.

mod binary;
mod properties;
mod refusals;

use std::{collections::BTreeMap, time::Duration};

use aws_sim::{Account, Member, Organization, Role, RootAccess, Scenario, Sim};

use crate::support::{Exporter, KEY, Samples};

const OWN: &str = "000000000001";
const MEMBER: &str = "100000000001";
const OTHER: &str = "100000000002";
const ROLE: &str = "aws-mfa-exporter";
const SOON: Duration = Duration::from_secs(40);
const CONTROLS: [&str; 3] = ["IAM.9", "IAM.6", "IAM.4"];

/// An account whose root has a key, and which has no role.
fn roleless(id: &str) -> Account {
    let fido = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
    Account::with_root_devices(id, &[&fido])
}

fn with_role(account: Account) -> Account {
    Account { roles: vec![Role::named(ROLE)], ..account }
}

/// An organization whose management account the exporter's credentials are of, with central
/// management of root credentials on.
fn organization(accounts: Vec<Account>) -> Scenario {
    let all: Vec<_> = [roleless(OWN)].into_iter().chain(accounts).collect();
    let members = all.iter().map(|account| Member::new(&account.id, "x")).collect();
    let organization =
        Organization { management: OWN.into(), members, root_access: RootAccess::on(), ..Organization::default() };
    Scenario {
        organization: Some(organization),
        accounts: all,
        credentials: BTreeMap::from([(KEY.to_owned(), OWN.to_owned())]),
        ..Scenario::default()
    }
}

fn sim(accounts: Vec<Account>) -> Sim {
    Sim::start(organization(accounts)).unwrap()
}

fn start(sim: &Sim, more: &[&str]) -> Exporter {
    let flags = [
        "--organization.role-name=aws-mfa-exporter",
        "--collector.root.interval=1s",
        "--collector.devices.interval=2s",
        "--no-collector.users",
        "--collector.rootaudit",
    ];
    Exporter::start(&sim.endpoint(), &[&flags, more].concat())
}

/// The exporter with an audit a second.
fn auditing(sim: &Sim) -> Exporter {
    start(sim, &["--collector.rootaudit.interval=1s"])
}

fn verdicts(samples: &Samples, account: &str) -> [String; 3] {
    CONTROLS.map(|control| samples.status_of(account, control))
}

fn devices(samples: &Samples, account: &str, kind: &str) -> Option<f64> {
    samples.value(&format!("aws_mfa_root_devices{{account_id=\"{account}\",kind=\"{kind}\"}}"))
}

fn as_of(samples: &Samples, account: &str, control: &str) -> Option<f64> {
    let metric = "aws_mfa_control_as_of_timestamp_seconds";
    samples.value(&format!("{metric}{{account_id=\"{account}\",control=\"{control}\"}}"))
}
