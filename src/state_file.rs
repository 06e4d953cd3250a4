//! What is remembered over a restart: the evidence, and what was last said.
//!
//! The file behind `--state.file` keeps every series alive through a restart and
//! a move, so that "failed after it was protected" can be told by the first
//! scrape after it. It holds evidence, not verdicts: what is loaded is judged
//! again by the same ages, with the times that were AWS's then. A file that is
//! damaged, of another make or another shard's is set aside and told of, and
//! the exporter starts without it. User names are not in it.

pub mod disk;
mod lock;
mod users;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use users::FileUsers;

use crate::model::{
    account::{Account, AccountId, AccountStatus, Partition},
    exemption::Bindings,
    facts::{Changes, Fault, FaultClass, Known, RootReading, Seal, Summary, VirtualDevices},
    judge::Control,
    organization::RootFeatures,
    shard::Shard,
    snapshot::{AccountState, Collector, Health, Memory, RootAccessMemory, RootDevicesMemory, Snapshot},
    time::{Moment, STEP_TOLERANCE, Timestamp},
};

/// The version of the file's form. A file of a newer one is not read.
const VERSION: u32 = 3;

/// The oldest version that is read. What it does not have is not known.
const OLDEST: u32 = 2;

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is no state file, or a damaged one.
    #[error("it is damaged, or not a state file: line {line}, column {column}")]
    Damaged {
        /// Where reading ended.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// A later version of the exporter has written it.
    #[error("its version is {0}, and this exporter reads {VERSION}")]
    Version(u32),
    /// It holds the accounts of another shard.
    #[error("it belongs to shard {0} of {1}")]
    Shard(u32, u32),
    /// It is of one account, and a list of accounts is to be watched, or the reverse.
    #[error("it was written by an exporter that watched {0}")]
    Scope(&'static str),
    /// It holds what cannot be.
    #[error("it contains the invalid value {0:?}")]
    Value(String),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    shard: u32,
    total_shards: u32,
    lone: bool,
    listed: Option<i64>,
    #[serde(default, skip_serializing_if = "FileRootAccess::is_empty")]
    root_access: FileRootAccess,
    accounts: Vec<FileAccount>,
}

/// Centralized root access of the organization.
#[derive(Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct FileRootAccess {
    features: Option<Dated<[bool; 2]>>,
    last_on: [Option<i64>; 2],
    last_success: Option<i64>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileAccount {
    id: String,
    name: String,
    ou: String,
    partition: Option<String>,
    status: String,
    management: bool,
    reading: Option<Dated<RootReading>>,
    devices: Option<Dated<VirtualDevices>>,
    users: Option<Dated<FileUsers>>,
    changes: FileChanges,
    /// When the last call was made that has come back as an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<i64>,
    /// Since version 3.
    #[serde(default)]
    root_devices: FileRootDevices,
    exemptions: Bindings,
    collectors: BTreeMap<String, FileHealth>,
    controls: BTreeMap<String, FilePast>,
}

#[derive(PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Dated<T> {
    as_of: i64,
    value: T,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileChanges {
    shown: Summary,
    began: Option<i64>,
    last: Option<i64>,
    departure: Option<i64>,
}

/// Root's devices: a hash of those whose serial numbers are known, and no serial number.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileRootDevices {
    any: Option<bool>,
    #[serde(deserialize_with = "Seal::read")]
    listed: Option<Seal>,
    others: Option<u32>,
    changed: Option<i64>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileHealth {
    last_attempt: Option<i64>,
    last_success: Option<i64>,
    duration_ms: Option<u64>,
    fault: Option<(String, String)>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FilePast {
    last_protected: Option<i64>,
    last_failed: Option<i64>,
}

/// What a file held: the accounts, and when they were last listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The accounts.
    pub memories: Vec<Memory>,
    /// When the accounts were last found out.
    pub listed: Option<Moment>,
    /// What was known of centralized root access.
    pub root_access: RootAccessMemory,
}

/// The clocks of whoever writes or reads a file. It holds wall clock times; what came
/// before what is known by the other clock.
#[derive(Clone, Copy)]
struct Clock {
    now: Moment,
}

/// The text of the file.
#[must_use]
pub fn write(snapshot: &Snapshot, shard: Shard) -> String {
    let clock = Clock { now: snapshot.tick };
    let file = File {
        version: VERSION,
        shard: shard.ordinal(),
        total_shards: shard.total(),
        lone: snapshot.is_single_account(),
        listed: snapshot.discovery.last_success.map(|at| clock.fact(at)),
        root_access: FileRootAccess::of(snapshot.root_access.memory(), clock),
        accounts: snapshot
            .accounts()
            .filter_map(AccountState::memory)
            .map(|memory| FileAccount::of(memory, clock))
            .collect(),
    };
    serde_json::to_string(&file).expect("a state of texts and numbers has a JSON form")
}

/// Reads the text of a file for an exporter of this scope.
///
/// # Errors
/// When nothing of it should be used.
pub fn read(text: &str, shard: Shard, is_single_account: bool, now: Moment) -> Result<State, StateError> {
    // The version first: a later form is no damage.
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let damaged = |error: serde_json::Error| StateError::Damaged { line: error.line(), column: error.column() };
    let Versioned { version } = serde_json::from_str(text).map_err(damaged)?;
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(StateError::Version(version));
    }
    let file: File = serde_json::from_str(text).map_err(damaged)?;
    if (file.shard, file.total_shards) != (shard.ordinal(), shard.total()) {
        return Err(StateError::Shard(file.shard, file.total_shards));
    }
    if file.lone != is_single_account {
        return Err(StateError::Scope(if file.lone { "the ambient account alone" } else { "a list of accounts" }));
    }
    let clock = Clock { now };
    let memories = file.accounts.into_iter().map(|account| account.memory(clock)).collect::<Result<_, _>>()?;
    let listed = file.listed.map(|millis| clock.recall(millis));
    Ok(State { memories, listed, root_access: file.root_access.memory(clock) })
}

// === impl Clock ===

impl Clock {
    /// When a fact was learnt. Where the wall clock was stepped since, the earlier of
    /// both readings: a fact must not seem younger than it is.
    fn fact(self, at: Moment) -> i64 {
        self.as_of_now(at).map_or(at.wall, |wall| wall.min(at.wall)).as_millis()
    }

    /// When a change was seen; where the wall clock was stepped since, the later.
    fn change(self, at: Moment) -> i64 {
        self.as_of_now(at).map_or(at.wall, |wall| wall.max(at.wall)).as_millis()
    }

    /// What the wall clock as it goes now would have read at `at`, if that is another
    /// time than it did read.
    fn as_of_now(self, at: Moment) -> Option<Timestamp> {
        let wall = self.now.wall_at(at.mono);
        (wall.as_millis().abs_diff(at.wall.as_millis()) > STEP_TOLERANCE.as_millis() as u64).then_some(wall)
    }

    fn recall(self, millis: i64) -> Moment {
        Moment::before_start(Timestamp::from_millis(millis), self.now)
    }
}

impl<T> Dated<T> {
    fn of(known: Known<T>, clock: Clock) -> Self {
        Self { as_of: clock.fact(known.as_of), value: known.value }
    }

    fn known(self, clock: Clock) -> Known<T> {
        Known::new(self.value, clock.recall(self.as_of))
    }
}

impl FileAccount {
    fn of(memory: Memory, clock: Clock) -> Self {
        let Memory { account, reading, devices, users, changes, proof, root_devices, bindings, health, past } = memory;
        let past = past.into_iter().map(|(control, (last_protected, last_failed))| {
            let [last_protected, last_failed] = [last_protected, last_failed].map(|at| at.map(Timestamp::as_millis));
            (control.as_str().to_owned(), FilePast { last_protected, last_failed })
        });
        Self {
            id: account.id.to_string(),
            name: account.name,
            ou: account.ou,
            partition: account.partition.map(|partition| partition.as_str().to_owned()),
            status: account.status.as_str().to_owned(),
            management: account.management,
            reading: reading.map(|known| Dated::of(known, clock)),
            devices: devices.map(|known| Dated::of(known, clock)),
            users: users
                .map(|known| Dated { as_of: clock.fact(known.as_of), value: FileUsers::of(&known.value, clock) }),
            changes: FileChanges::of(changes, clock),
            proof: proof.map(|at| clock.fact(at)),
            root_devices: FileRootDevices::of(root_devices, clock),
            exemptions: bindings,
            collectors: health
                .into_iter()
                .map(|(name, health)| (name.as_str().to_owned(), FileHealth::of(health, clock)))
                .collect(),
            controls: past.collect(),
        }
    }

    fn memory(self, clock: Clock) -> Result<Memory, StateError> {
        let id: AccountId = self.id.parse().map_err(|_| StateError::Value(self.id.clone()))?;
        let partition = match self.partition {
            Some(text) => Some(Partition::parse(&text).ok_or(StateError::Value(text))?),
            None => None,
        };
        let status = AccountStatus::ALL.into_iter().find(|status| status.as_str() == self.status);
        let status = status.ok_or(StateError::Value(self.status))?;
        let named = |name: &str| Collector::ALL.into_iter().find(|collector| collector.as_str() == name);
        let health =
            self.collectors.into_iter().filter_map(|(name, health)| Some((named(&name)?, health.health(clock))));
        let control = |name: &str| Control::ALL.into_iter().find(|control| control.as_str() == name);
        let past = self.controls.into_iter().filter_map(|(name, past)| {
            let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
            Some((control(&name)?, (at(past.last_protected), at(past.last_failed))))
        });
        Ok(Memory {
            account: Account {
                id,
                partition,
                status,
                name: self.name,
                ou: self.ou,
                labels: None,
                management: self.management,
            },
            reading: self.reading.map(|known| known.known(clock)),
            devices: self.devices.map(|known| known.known(clock)),
            users: self.users.map(|file| Known::new(Arc::new(file.value.reading(clock)), clock.recall(file.as_of))),
            changes: self.changes.changes(clock),
            proof: self.proof.map(|millis| clock.recall(millis)),
            root_devices: self.root_devices.memory(clock),
            bindings: self.exemptions,
            health: health.collect(),
            past: past.collect(),
        })
    }
}

impl FileChanges {
    fn of(changes: Changes, clock: Clock) -> Self {
        let at = |at: Option<Moment>| at.map(|at| clock.change(at));
        Self {
            shown: changes.shown,
            began: at(changes.began),
            last: at(changes.last),
            departure: at(changes.departure),
        }
    }

    fn changes(self, clock: Clock) -> Changes {
        let at = |millis: Option<i64>| millis.map(|millis| clock.recall(millis));
        Changes {
            shown: self.shown,
            began: at(self.began),
            last: at(self.last),
            departure: at(self.departure),
            // It is the account's list of devices, which stands beside this.
            listed: None,
            // Each seal has its own beside it.
            key: None,
        }
    }
}

impl FileRootDevices {
    fn of(memory: RootDevicesMemory, clock: Clock) -> Self {
        let RootDevicesMemory { any, listed, others, changed } = memory;
        Self { any, listed, others, changed: changed.map(|at| clock.change(at)) }
    }

    fn memory(self, clock: Clock) -> RootDevicesMemory {
        let Self { any, listed, others, changed } = self;
        RootDevicesMemory { any, listed, others, changed: changed.map(|millis| clock.recall(millis)) }
    }
}

impl FileRootAccess {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn of(memory: RootAccessMemory, clock: Clock) -> Self {
        let RootAccessMemory { features, last_on, last_success } = memory;
        Self {
            features: features.map(|known| {
                let RootFeatures { credentials_management, sessions } = known.value;
                Dated::of(Known::new([credentials_management, sessions], known.as_of), clock)
            }),
            last_on: last_on.map(|at| at.map(|at| clock.fact(at))),
            last_success: last_success.map(|at| clock.fact(at)),
        }
    }

    fn memory(self, clock: Clock) -> RootAccessMemory {
        let features = self.features.map(|dated| dated.known(clock));
        RootAccessMemory {
            features: features.map(|known| {
                let [credentials_management, sessions] = known.value;
                Known::new(RootFeatures { credentials_management, sessions }, known.as_of)
            }),
            last_on: self.last_on.map(|at| at.map(|millis| clock.recall(millis))),
            last_success: self.last_success.map(|millis| clock.recall(millis)),
        }
    }
}

impl FileHealth {
    fn of(health: Health, clock: Clock) -> Self {
        let at = |at: Option<Moment>| at.map(|at| clock.fact(at));
        Self {
            last_attempt: at(health.last_attempt),
            last_success: at(health.last_success),
            duration_ms: health.duration.and_then(|took| u64::try_from(took.as_millis()).ok()),
            fault: health.fault.map(|fault| (fault.class.as_str().to_owned(), fault.detail)),
        }
    }

    fn health(self, clock: Clock) -> Health {
        // A class that is not known any more is still a fault.
        let fault = |(class, detail): (String, String)| {
            Fault::new(FaultClass::parse(&class).unwrap_or(FaultClass::Pending), detail)
        };
        let at = |millis: Option<i64>| millis.map(|millis| clock.recall(millis));
        Health {
            last_attempt: at(self.last_attempt),
            last_success: at(self.last_success),
            duration: self.duration_ms.map(Duration::from_millis),
            fault: self.fault.map(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        account::Identity,
        facts::Confirmation,
        judge::{Cadence, Status},
        snapshot::{Event, News, Outcome, Plan},
        time::Uptime,
    };

    const PLAN: Plan = Plan { cadence: Cadence::DEFAULT, devices: true, users: None, cognito: None };
    const TAKEN: u64 = 1_764_000_000;

    fn now(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(i64::try_from((TAKEN + seconds) * 1_000).unwrap());
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    /// A snapshot of one account whose root has a hardware key.
    fn snapshot() -> Snapshot {
        let identity = Identity::parse("arn:aws-cn:iam::012345678901:root", "012345678901").unwrap();
        let account = identity.account;
        let mut snapshot = Snapshot::awaiting_accounts(PLAN, now(0));
        let listed = Account { name: "päyments \"1\"".into(), ..Account::named(account, String::new()) };
        let suspended = Account {
            status: AccountStatus::Suspended,
            ..Account::named("111111111111".parse().unwrap(), String::new())
        };
        snapshot.fold(
            Event::Discovered { accounts: vec![listed, suspended], is_all: true, fault: None, at: now(1) },
            now(1),
        );
        snapshot.fold(Event::Identified { identity, at: now(2) }, now(2));
        let summary = Summary { mfa_enabled: Some(true), password: Some(true), ..Summary::default() };
        let list =
            VirtualDevices { root_owned: 0, unowned: 0, others: None, roots: None, fingerprint: summary.fingerprint() };
        let reading = RootReading { summary, confirmation: Confirmation::NotNeeded };
        let fault = Some(Fault::new(FaultClass::Throttled, "ListVirtualMFADevices: throttled"));
        for (collector, news, fault) in
            [(Collector::Root, News::Root(reading), None), (Collector::Devices, News::Devices(list), fault)]
        {
            let outcome = Outcome {
                collector,
                started: now(3),
                duration: Duration::from_millis(80),
                news,
                fault,
                changes: Changes::default(),
            };
            snapshot.fold(Event::Collected { account, outcome: Box::new(outcome) }, now(4));
        }
        snapshot
    }

    fn restored(state: State, at: Moment) -> Snapshot {
        let mut snapshot = Snapshot::awaiting_accounts(PLAN, at);
        snapshot.restore(state.memories, state.listed, at);
        snapshot
    }

    /// A new process, some seconds later by the wall clock.
    fn later(seconds: u64) -> Moment {
        Moment { wall: now(seconds).wall, mono: Uptime::after_start(Duration::from_millis(5)) }
    }

    #[test]
    fn what_is_written_is_read_and_judged_again() {
        let text = write(&snapshot(), Shard::WHOLE);
        let state = read(&text, Shard::WHOLE, false, later(0)).unwrap();
        let young = restored(state.clone(), later(60));
        assert_eq!(write(&young, Shard::WHOLE), text, "nothing is lost");
        assert!(!young.initial_pass_complete(), "nothing has run since the start");
        let status = |snapshot: &Snapshot| {
            let state = snapshot.account("012345678901".parse().unwrap()).unwrap();
            state.standing(Control::Iam9).verdict.status
        };
        assert_eq!(status(&young), Status::Passed);
        assert_eq!(status(&restored(state.clone(), later(184))), Status::Unknown, "older than its maximum age");
        assert_eq!(status(&restored(state, later(0))), Status::Unknown, "the clock was stepped back under it");
    }

    #[test]
    fn a_file_that_is_not_ours_is_not_used() {
        let text = write(&snapshot(), Shard::WHOLE);
        let other = Shard::new(1, 2).unwrap();
        assert_eq!(read(&text, other, false, later(0)), Err(StateError::Shard(0, 1)));
        assert!(matches!(read(&text, Shard::WHOLE, true, later(0)), Err(StateError::Scope(_))));
        assert_eq!(
            read(&text.replace(r#""version":3"#, r#""version":1"#), Shard::WHOLE, false, later(0)),
            Err(StateError::Version(1))
        );
        assert_eq!(read(r#"{"version":4,"new":[]}"#, Shard::WHOLE, false, later(0)), Err(StateError::Version(4)));
        for damage in ["", "{}", "[]", "null", "\0\0\0", "{\"version\":2}", &text[..text.len() / 2], &text[1..]] {
            assert!(
                matches!(read(damage, Shard::WHOLE, false, later(0)), Err(StateError::Damaged { .. })),
                "{damage:.40}"
            );
        }
        for (good, bad) in [("012345678901", "01234567890"), ("aws-cn", "azure"), ("suspended", "asleep")] {
            assert_eq!(
                read(&text.replace(good, bad), Shard::WHOLE, false, later(0)),
                Err(StateError::Value(bad.to_owned()))
            );
        }
    }

    /// No prefix of a file is taken for a file.
    #[test]
    fn half_a_file_is_never_read() {
        let text = write(&snapshot(), Shard::WHOLE);
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(read(&text[..end], Shard::WHOLE, false, later(0)).is_err(), "{end}");
        }
    }
}
