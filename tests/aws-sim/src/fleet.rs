//! An organization of any size, for benches and demos.

use std::collections::BTreeMap;

use crate::{
    organization::{Member, Organization, ROOT, Unit},
    roles::Role,
    state::{Account, Root, Scenario},
};

const MANAGEMENT: &str = "000000000001";
const KEY: &str = "AKIASIMULATEDEXAMPLE";
const ROLE: &str = "aws-mfa-exporter";
const UNITS: [&str; 5] = ["production", "staging", "development", "sandbox", "security"];

/// An organization of `count` accounts, though at least of its management account.
///
/// That is `000000000001`, whose key is `AKIASIMULATEDEXAMPLE`. The others are
/// `100000000001` and so on, `workload-0001` and so on by name, in five units, each
/// with a role `aws-mfa-exporter` that the management account may assume. Of any
/// twenty accounts in a row, the root user of fourteen has a password and a FIDO
/// key, that of one a virtual device, and that of five no credentials at all.
#[must_use]
pub fn organization(count: usize) -> Scenario {
    let own = Account { name: "management".into(), root: root(MANAGEMENT, 0), ..account(MANAGEMENT) };
    let accounts: Vec<_> = [own].into_iter().chain((1..count).map(workload)).collect();
    let members = accounts.iter().enumerate().map(|(n, account)| member(n, account)).collect();
    let units = (0..UNITS.len()).map(|n| Unit { id: unit(n), name: UNITS[n].into(), parent: ROOT.into() }).collect();
    Scenario {
        organization: Some(Organization { management: MANAGEMENT.into(), members, units, ..Organization::default() }),
        accounts,
        credentials: BTreeMap::from([(KEY.to_owned(), MANAGEMENT.to_owned())]),
        ..Scenario::default()
    }
}

fn account(id: &str) -> Account {
    Account { id: id.to_owned(), ..Account::default() }
}

fn workload(n: usize) -> Account {
    let id = format!("1{n:011}");
    let role = Role { trusts: vec![MANAGEMENT.to_owned()], ..Role::named(ROLE) };
    Account { name: format!("workload-{n:04}"), root: root(&id, n), roles: vec![role], ..account(&id) }
}

/// The root user of the `n`th account. Seven and twenty have no divisor in common,
/// so that twenty in a row are all different, and the kinds come mixed.
fn root(id: &str, n: usize) -> Root {
    let device = match n * 7 % 20 {
        0..14 => account(id).root_fido_serial("key"),
        14 => account(id).virtual_serial("root-account-mfa-device"),
        _ => return Root::default(),
    };
    Root { password: true, devices: vec![device], ..Root::default() }
}

fn member(n: usize, account: &Account) -> Member {
    let unit = if n == 0 { ROOT.to_owned() } else { unit(n % UNITS.len()) };
    Member { email: format!("{}@example.org", account.name), unit, ..Member::new(&account.id, &account.name) }
}

fn unit(n: usize) -> String {
    format!("ou-root-{:08}", n + 1)
}
