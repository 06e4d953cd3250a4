//! An organization of any size, and users of any number, for tests, benches and demos.

use std::collections::BTreeMap;

use crate::{
    organization::{Member, Organization, ROOT, Unit},
    roles::Role,
    state::{Account, Root, Scenario},
    user::User,
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

/// How many of any hundred users in a row are of which kind. All others have a
/// password and a virtual device. What is more than a hundred in all does not count,
/// from the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// An active access key; neither a password nor a device.
    pub key_only: usize,
    /// A password and a FIDO key.
    pub fido: usize,
    /// A password and a hardware TOTP token.
    pub hardware: usize,
    /// A password, and no device.
    pub unprotected: usize,
}

/// `count` users for an account, the same for the same arguments: `service-0001` and
/// so on where they have but a key, else `operator-0002` and so on. The kinds come
/// mixed, and every user's device bears the user's name or number.
#[must_use]
pub fn users(account: &Account, count: usize, mix: Mix) -> Vec<User> {
    (1..=count).map(|n| user(account, n, mix)).collect()
}

/// The `n`th user. Thirty-seven and a hundred have no divisor in common.
fn user(account: &Account, n: usize, mix: Mix) -> User {
    let mut place = n * 37 % 100;
    // The kinds lie one after the other; past its own, nobody asks any more.
    let mut is_in = |share: usize| {
        let is_in = place < share;
        place = place.saturating_sub(share);
        is_in
    };
    if is_in(mix.key_only) {
        return User { access_keys: vec![true], ..User::named(&format!("service-{n:04}")) };
    }
    let name = format!("operator-{n:04}");
    let device = if is_in(mix.fido) {
        Some(account.user_fido_serial(&name, "key"))
    } else if is_in(mix.hardware) {
        Some(format!("GAHT{n:08}"))
    } else if is_in(mix.unprotected) {
        None
    } else {
        Some(account.virtual_serial(&name))
    };
    User { password: true, devices: device.into_iter().collect(), ..User::named(&name) }
}
