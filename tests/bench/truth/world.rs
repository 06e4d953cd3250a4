//! The accounts of `bench-truth`: what somebody with a console does in them, and what
//! was so since when.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sim::{Account, User};

use super::Random;

/// How far a replica may lag. AWS states no bound; a minute is what the exporter allows.
pub const LAG: f64 = 50.0;

/// What was so of an account from some time on.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub hardware: bool,
    pub software: bool,
    pub users: Vec<Person>,
}

/// What was so of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: String,
    pub has_device: bool,
    pub has_password: bool,
}

/// What was so of an account since when, the last first known.
pub struct History(Vec<(f64, State)>);

impl History {
    pub fn new(account: &Account) -> Self {
        Self(vec![(0.0, State::of(account))])
    }

    /// Notes what is so of the account from now on.
    pub fn note(&mut self, account: &Account, at: f64) {
        self.0.push((at, State::of(account)));
    }

    /// What was so at some time from `from` to `to`.
    pub fn during(&self, from: f64, to: f64) -> impl Iterator<Item = &State> {
        let ends = self.0.iter().skip(1).map(|(at, _)| *at).chain([f64::INFINITY]);
        self.0.iter().zip(ends).filter(move |((at, _), end)| *at <= to && *end >= from).map(|((_, state), _)| state)
    }
}

impl State {
    fn of(account: &Account) -> Self {
        let is_virtual = |serial: &String| serial.contains(":mfa/");
        let users = account.users.iter().map(|user| Person {
            id: user.user_id(),
            has_device: !user.devices.is_empty(),
            has_password: user.password,
        });
        Self {
            hardware: account.root.devices.iter().any(|serial| !is_virtual(serial)),
            software: account.root.devices.iter().any(is_virtual),
            users: users.collect(),
        }
    }

    /// Whether a control has this status in an account like this.
    pub fn is(&self, control: &str, status: &str) -> bool {
        let bare = |person: &Person| !person.has_device;
        let wanted = match control {
            "IAM.9" => passed(self.hardware || self.software),
            "IAM.6" => passed(self.hardware && !self.software),
            "IAM.19" if self.users.is_empty() => "not_applicable",
            "IAM.19" => passed(!self.users.iter().any(bare)),
            "IAM.5" if self.users.iter().any(|person| bare(person) && person.has_password) => "failed",
            // That nobody has a password need not be known where everybody has a device.
            "IAM.5" if status == "passed" => "passed",
            "IAM.5" if self.users.iter().any(|person| person.has_password) => "passed",
            "IAM.5" => "not_applicable",
            _ => "passed",
        };
        wanted == status
    }
}

fn passed(is_so: bool) -> &'static str {
    if is_so { "passed" } else { "failed" }
}

/// The least and the most that a number of users can be, where what it counts may be of
/// any time in which these states followed each other.
pub fn bounds(states: &[&State], is_counted: impl Fn(&Person) -> bool) -> (usize, usize) {
    let mut ids: Vec<_> = states.iter().flat_map(|state| &state.users).map(|person| &person.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let counted = |state: &State, id: &str| state.users.iter().any(|person| person.id == id && is_counted(person));
    let always = ids.iter().filter(|id| states.iter().all(|state| counted(state, id))).count();
    let ever = ids.iter().filter(|id| states.iter().any(|state| counted(state, id))).count();
    (always, ever)
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Somebody gives root other devices.
pub fn change_root(account: &mut Account, random: &mut Random) {
    let (hardware, software) = (random.below(3) > 0, random.below(3) == 0);
    account.root.devices.clear();
    if hardware {
        account.root.devices.push(account.root_fido_serial("key"));
    }
    if software {
        account.root.devices.push(account.virtual_serial("phone"));
    }
}

/// Somebody does one thing to the users, or two at once that move no counter.
pub fn change_users(account: &mut Account, random: &mut Random) {
    let serial = random.below(1 << 30);
    let who = random.below(account.users.len().max(1));
    let other = (who + 1) % account.users.len().max(1);
    let stamp = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    match random.below(10) {
        0 | 1 if account.users.len() < 4 => {
            let user = User {
                id: format!("AIDA{serial:017}"),
                name: format!("user-{}", account.users.len()),
                created: stamp.clone(),
                password: random.below(2) == 0,
                ..User::default()
            };
            if account.users.iter().all(|known| known.name != user.name) {
                account.users.push(user);
            }
        }
        2 if !account.users.is_empty() => drop(account.users.remove(who)),
        3..=5 if !account.users.is_empty() => {
            let device = if random.below(2) == 0 {
                account.virtual_serial(&format!("phone-{serial}"))
            } else {
                account.user_fido_serial(&account.users[who].name, &format!("key-{serial}"))
            };
            account.enabled.insert(device.clone(), stamp);
            account.users[who].devices.push(device);
        }
        6 if !account.users.is_empty() => drop(account.users[who].devices.pop()),
        // A device goes from one as another comes to somebody else.
        7 if who != other && account.users[who].devices.pop().is_some() => {
            let device = account.user_fido_serial(&account.users[other].name, &format!("key-{serial}"));
            account.enabled.insert(device.clone(), stamp);
            account.users[other].devices.push(device);
        }
        8 if !account.users.is_empty() => {
            let user = &mut account.users[who];
            user.password = !user.password;
            (user.password_last_changed, user.password_created) = (Some(stamp.clone()), Some(stamp));
        }
        _ if account.users.len() < 4 => account.users.clear(),
        _ => {}
    }
}

/// Users as most accounts have them: with a virtual device, a key, or neither.
pub fn first_users(account: &Account, n: usize) -> Vec<User> {
    let user = |k: usize| User { created: format!("2024-01-02T03:04:{k:02}Z"), ..User::named(&format!("user-{k}")) };
    let phone =
        |k: usize| User { password: true, devices: vec![account.virtual_serial(&format!("first-{k}"))], ..user(k) };
    let key = |k: usize| User {
        password: k.is_multiple_of(2),
        devices: vec![account.user_fido_serial(&format!("user-{k}"), "first")],
        ..user(k)
    };
    match n % 5 {
        0 => Vec::new(),
        1 => vec![phone(0), key(1)],
        2 => vec![key(0), key(1), phone(2)],
        3 => vec![phone(0), user(1)],
        _ => vec![key(0), User { password: true, ..user(1) }],
    }
}

/// How long an account is left alone between two changes of its users, in the middle: a
/// minute passes before what was learnt after a change makes anybody pass.
pub const PAUSE: Duration = Duration::from_secs(200);
