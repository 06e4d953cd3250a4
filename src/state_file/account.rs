//! What is remembered of one account, as it stands in the file.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Clock, Dated, StateError, users::FileUsers};
use crate::model::{
    account::{Account, AccountId, AccountStatus, Partition},
    exemption::Bindings,
    facts::{
        Changes, Fault, FaultClass, Known, RootAudit, RootReading, Seal, Summary, VirtualDevices, contacts::RootEmail,
    },
    judge::Control,
    snapshot::{Collector, Health, Memory, RootDevicesMemory},
    time::{Moment, Timestamp},
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAccount {
    id: String,
    name: String,
    ou: String,
    partition: Option<String>,
    status: String,
    management: bool,
    #[serde(default)]
    member: bool,
    reading: Option<Dated<RootReading>>,
    devices: Option<Dated<VirtualDevices>>,
    users: Option<Dated<FileUsers>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audit: Option<Dated<RootAudit>>,
    changes: FileChanges,
    /// When the last call was made that has come back as an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_echo: Option<i64>,
    /// Since version 3.
    #[serde(default)]
    root_devices: FileRootDevices,
    #[serde(default, skip_serializing_if = "FileRootEmail::is_empty")]
    root_email: FileRootEmail,
    exemptions: Bindings,
    collectors: BTreeMap<String, FileHealth>,
    controls: BTreeMap<String, FilePast>,
}

/// Root's e-mail address: a hash of it, and no address.
#[derive(Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct FileRootEmail {
    #[serde(deserialize_with = "Seal::read")]
    seal: Option<Seal>,
    changed: Option<i64>,
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

impl FileAccount {
    pub(super) fn of(memory: Memory, clock: Clock) -> Self {
        let Memory {
            account,
            reading,
            devices,
            users,
            audit,
            changes,
            last_echo,
            root_devices,
            root_email,
            bindings,
            health,
            past,
        } = memory;
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
            member: account.member,
            reading: reading.map(|known| Dated::of(known, clock)),
            devices: devices.map(|known| Dated::of(known, clock)),
            users: users
                .map(|known| Dated { as_of: clock.fact(known.as_of), value: FileUsers::of(&known.value, clock) }),
            audit: audit.map(|known| Dated::of(known, clock)),
            changes: FileChanges::of(changes, clock),
            last_echo: last_echo.map(|at| clock.fact(at)),
            root_devices: FileRootDevices::of(root_devices, clock),
            root_email: FileRootEmail::of(root_email, clock),
            exemptions: bindings,
            collectors: health
                .into_iter()
                .map(|(name, health)| (name.as_str().to_owned(), FileHealth::of(health, clock)))
                .collect(),
            controls: past.collect(),
        }
    }

    pub(super) fn memory(self, clock: Clock) -> Result<Memory, StateError> {
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
                email: None,
                management: self.management,
                member: self.member,
            },
            reading: self.reading.map(|known| known.known(clock)),
            devices: self.devices.map(|known| known.known(clock)),
            users: self.users.map(|file| Known::new(Arc::new(file.value.reading(clock)), clock.recall(file.as_of))),
            audit: self.audit.map(|known| known.known(clock)),
            changes: self.changes.changes(clock),
            last_echo: self.last_echo.map(|millis| clock.recall(millis)),
            root_devices: self.root_devices.memory(clock),
            root_email: self.root_email.memory(clock),
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

impl FileRootEmail {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn of(email: RootEmail, clock: Clock) -> Self {
        Self { seal: email.seal, changed: email.changed.map(|at| clock.change(at)) }
    }

    fn memory(self, clock: Clock) -> RootEmail {
        RootEmail { seal: self.seal, changed: self.changed.map(|millis| clock.recall(millis)) }
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
