//! What was learnt of an account's IAM users, fact by fact, each with its time.
//!
//! A user is who has the user's id: a name can be given to somebody else, and
//! the new user has none of the old one's devices. Names are kept for those who
//! asked to see them, and are written nowhere else.

use std::{borrow::Borrow, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Lasting, device::Devices, report::PasswordUse};
use crate::model::time::{Moment, Timestamp, Uptime};

/// A user's unique id, `AIDA…`. AWS never gives it twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct UserId(SmolStr);

/// All that was learnt of an account's users, as of the list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersReading {
    /// Whether as many users were listed as the account summary counted.
    pub is_whole: bool,
    /// When the virtual devices were listed; `None` while there is no list.
    pub devices_listed: Option<Moment>,
    /// How many devices are in use that are not virtual, root's included, by the
    /// account summary and the list of virtual devices.
    pub other_devices: Option<u32>,
    /// The credential report behind it, if there is one.
    pub report: Option<ReportUse>,
    /// As of when the controls were last judged by what was known before this: a
    /// later verdict is never of an earlier time.
    pub judged: Judged,
    /// The users, by id.
    pub users: Vec<UserFacts>,
    /// After what time another run would settle what this one could not, if that
    /// is not to wait for its turn.
    pub follow_up: Option<Duration>,
}

/// As of when each control was last judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// IAM.5.
    pub iam5: Option<Moment>,
    /// IAM.19.
    pub iam19: Option<Moment>,
}

/// A credential report as far as it is not about one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportUse {
    /// When AWS made it, by AWS's own word: `GeneratedTime`.
    pub generated: Moment,
    /// When root's password was last used, as the report has it.
    pub root_password_last_used: Option<PasswordUse>,
}

/// What was learnt of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFacts {
    /// Who it is.
    pub id: UserId,
    /// What it is called; `None` after a restart, until the users are listed.
    pub name: Option<SmolStr>,
    /// Since when it was called so, by the lists that were read.
    pub named_since: Uptime,
    /// When it was created, by AWS's clock.
    pub created: Timestamp,
    /// The virtual devices that the list shows.
    pub virtual_devices: Virtual,
    /// What the report says, where its row is this user's.
    pub reported: Reported,
    /// What AWS was asked of this user alone; most users need no question.
    pub live: Option<Box<Live>>,
}

/// A user's virtual devices, as the list of them shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Virtual {
    /// How many there are.
    pub count: u8,
    /// From when on the one that was enabled first was there.
    pub since: Uptime,
}

/// What the credential report says of one user, as of its own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Whether there is a console password.
    pub password: Option<bool>,
    /// From when on that was so, by this report and by what was known before; after
    /// everything, where the row may be another user's, and proves nothing.
    pub password_since: Uptime,
    /// Whether there is an active access key.
    pub access_key: Option<bool>,
}

/// What AWS answered when asked of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The user's devices (`iam:ListMFADevices`), and since when the oldest of them
    /// was there; of no devices, since when there were none.
    pub devices: Option<Lasting<Devices>>,
    /// Whether there is a console password (`iam:GetLoginProfile`).
    pub password: Option<Lasting<bool>>,
    /// Since when AWS says that there is no password, against what it said
    /// before; believed when it says so again.
    pub doubted: Option<Moment>,
}

// === impl UserId ===

impl UserId {
    /// The id as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for UserId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl UsersReading ===

impl UsersReading {
    /// What is known of a user.
    #[must_use]
    pub fn user(&self, id: &UserId) -> Option<&UserFacts> {
        self.users.binary_search_by(|user| user.id.cmp(id)).ok().map(|place| &self.users[place])
    }
}

// === impl Virtual ===

impl Virtual {
    /// Takes one device more in, which was there from `since` on.
    pub fn add(&mut self, since: Uptime) {
        self.since = if self.count == 0 { since } else { self.since.min(since) };
        self.count = self.count.saturating_add(1);
    }
}

// === impl UserFacts ===

impl UserFacts {
    /// A user of whom nothing is known but what a list shows that was read at `listed`.
    #[must_use]
    pub fn new(id: UserId, name: &str, listed: Uptime, created: Timestamp) -> Self {
        let (virtual_devices, reported) = (Virtual::default(), Reported::default());
        Self { id, name: Some(name.into()), named_since: listed, created, virtual_devices, reported, live: None }
    }

    /// The live answer on devices.
    #[must_use]
    pub fn live_devices(&self) -> Option<&Lasting<Devices>> {
        self.live.as_ref()?.devices.as_ref()
    }

    /// The live answer on the password.
    #[must_use]
    pub fn live_password(&self) -> Option<&Lasting<bool>> {
        self.live.as_ref()?.password.as_ref()
    }

    /// Whether AWS has contradicted itself on the password, and not said yet which
    /// of the two it means.
    #[must_use]
    pub fn is_password_doubted(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.doubted.is_some())
    }

    /// What `report` says of the password.
    #[must_use]
    pub fn reported_password(&self, report: Option<ReportUse>) -> Option<Lasting<bool>> {
        Some(Lasting::new(self.reported.password?, report?.generated, self.reported.password_since))
    }

    /// The newest that is known of the password.
    #[must_use]
    pub fn password(&self, report: Option<ReportUse>) -> Option<Lasting<bool>> {
        let all = [self.live_password().cloned(), self.reported_password(report)];
        all.into_iter().flatten().max_by_key(|known| known.as_of.mono)
    }
}
