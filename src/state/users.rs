//! What the state file keeps of users: ids, facts and their times, and no names.

use serde::{Deserialize, Serialize};

use super::{Dated, millis, moment};
use crate::model::{
    facts::{
        Counters, Devices, UserFacts, UserId, UsersReading,
        report::PasswordUse,
        user::{Live, ReportUse, Reported},
    },
    time::Timestamp,
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileUsers {
    counters: Option<Counters>,
    is_whole: bool,
    devices_listed: Option<i64>,
    report: Option<FileReport>,
    users: Vec<FileUser>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileReport {
    generated: i64,
    root_password_last_used: Option<FilePasswordUse>,
}

/// An instant, or a word.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum FilePasswordUse {
    At(i64),
    Otherwise(NoUse),
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum NoUse {
    NoRecord,
    NoPassword,
}

/// One user; what is not known takes no room.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileUser {
    id: UserId,
    #[serde(default, skip_serializing_if = "is_zero")]
    virtual_devices: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_key: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<Dated<Devices>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live_password: Option<Dated<bool>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &u8) -> bool {
    *count == 0
}

impl FileUsers {
    pub(super) fn of(reading: &UsersReading) -> Self {
        let report = reading.report.map(|report| FileReport {
            generated: millis(report.generated),
            root_password_last_used: report.root_password_last_used.map(FilePasswordUse::of),
        });
        Self {
            counters: reading.counters,
            is_whole: reading.is_whole,
            devices_listed: reading.devices_listed.map(millis),
            report,
            users: reading.users.iter().map(FileUser::of).collect(),
        }
    }

    pub(super) fn reading(self) -> UsersReading {
        let report = self.report.map(|report| ReportUse {
            generated: moment(report.generated),
            root_password_last_used: report.root_password_last_used.map(FilePasswordUse::read),
        });
        let mut users: Vec<_> = self.users.into_iter().map(FileUser::facts).collect();
        users.sort_by(|one, other| one.id.cmp(&other.id));
        UsersReading {
            counters: self.counters,
            is_whole: self.is_whole,
            devices_listed: self.devices_listed.map(moment),
            report,
            users,
            follow_up: None,
        }
    }
}

impl FilePasswordUse {
    fn of(used: PasswordUse) -> Self {
        match used {
            PasswordUse::At(at) => Self::At(at.as_millis()),
            PasswordUse::NoRecord => Self::Otherwise(NoUse::NoRecord),
            PasswordUse::NoPassword => Self::Otherwise(NoUse::NoPassword),
        }
    }

    fn read(self) -> PasswordUse {
        match self {
            Self::At(at) => PasswordUse::At(Timestamp::from_millis(at)),
            Self::Otherwise(NoUse::NoRecord) => PasswordUse::NoRecord,
            Self::Otherwise(NoUse::NoPassword) => PasswordUse::NoPassword,
        }
    }
}

impl FileUser {
    fn of(user: &UserFacts) -> Self {
        Self {
            id: user.id.clone(),
            virtual_devices: user.virtual_devices,
            password: user.reported.password,
            access_key: user.reported.access_key,
            devices: user.live_devices().map(Dated::of),
            live_password: user.live_password().map(Dated::of),
        }
    }

    fn facts(self) -> UserFacts {
        let (devices, password) = (self.devices.map(Dated::known), self.live_password.map(Dated::known));
        let live: Option<Live> =
            (devices.is_some() || password.is_some()).then_some(Live { devices, password, doubted: None });
        UserFacts {
            id: self.id,
            name: None,
            virtual_devices: self.virtual_devices,
            reported: Reported { password: self.password, access_key: self.access_key },
            live: live.map(Box::new),
        }
    }
}
