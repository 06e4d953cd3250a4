//! What the state file keeps of users: ids, facts and their times, and no names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Clock;
use crate::model::{
    facts::{
        Devices, Lasting, UserFacts, UserId, UsersReading,
        report::PasswordUse,
        user::{Judged, Live, ReportUse, Reported, Virtual},
    },
    time::{Moment, Timestamp, Uptime},
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileUsers {
    is_whole: bool,
    devices_listed: Option<i64>,
    other_devices: Option<u32>,
    report: Option<FileReport>,
    judged_iam5: Option<i64>,
    judged_iam19: Option<i64>,
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
    created: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    virtual_devices: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    virtual_held: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_held: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_key: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<FileLasting<Devices>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live_password: Option<FileLasting<bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_doubted: Option<i64>,
}

/// A fact, and for how long before its time it was so, in milliseconds; negative
/// where it is not known to have been so at its time, but only when the answer came.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileLasting<T> {
    as_of: i64,
    held: i64,
    value: T,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &u8) -> bool {
    *count == 0
}

impl FileUsers {
    pub(super) fn of(reading: &UsersReading, clock: Clock) -> Self {
        let report = reading.report.map(|report| FileReport {
            generated: clock.fact(report.generated),
            root_password_last_used: report.root_password_last_used.map(FilePasswordUse::of),
        });
        let at = |at: Option<Moment>| at.map(|at| clock.fact(at));
        Self {
            is_whole: reading.is_whole,
            devices_listed: at(reading.devices_listed),
            other_devices: reading.other_devices,
            report,
            judged_iam5: at(reading.judged.iam5),
            judged_iam19: at(reading.judged.iam19),
            users: reading.users.iter().map(|user| FileUser::of(user, reading, clock)).collect(),
        }
    }

    pub(super) fn reading(self, clock: Clock) -> UsersReading {
        let report = self.report.map(|report| ReportUse {
            generated: clock.recall(report.generated),
            root_password_last_used: report.root_password_last_used.map(FilePasswordUse::read),
        });
        let at = |millis: Option<i64>| millis.map(|millis| clock.recall(millis));
        let mut reading = UsersReading {
            is_whole: self.is_whole,
            devices_listed: at(self.devices_listed),
            other_devices: self.other_devices,
            report,
            judged: Judged { iam5: at(self.judged_iam5), iam19: at(self.judged_iam19) },
            users: Vec::new(),
            follow_up: None,
        };
        let mut users: Vec<_> = self.users.into_iter().map(|user| user.facts(&reading, clock)).collect();
        users.sort_by(|one, other| one.id.cmp(&other.id));
        reading.users = users;
        reading
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
    fn of(user: &UserFacts, reading: &UsersReading, clock: Clock) -> Self {
        let reported_at = reading.report.filter(|_| user.reported.password.is_some()).map(|report| report.generated);
        let listed_at = reading.devices_listed.filter(|_| user.virtual_devices.count > 0);
        Self {
            id: user.id.clone(),
            created: user.created.as_millis(),
            virtual_devices: user.virtual_devices.count,
            virtual_held: listed_at.map(|at| held(user.virtual_devices.since, at)),
            password: user.reported.password,
            password_held: reported_at.map(|at| held(user.reported.password_since, at)),
            access_key: user.reported.access_key,
            devices: user.live_devices().map(|known| FileLasting::of(known, clock)),
            live_password: user.live_password().map(|known| FileLasting::of(known, clock)),
            password_doubted: user.live.as_ref().and_then(|live| live.doubted).map(|at| clock.fact(at)),
        }
    }

    fn facts(self, reading: &UsersReading, clock: Clock) -> UserFacts {
        // What has no beginning covers nothing.
        let since = |held: Option<i64>, at: Option<Moment>| match (held, at) {
            (Some(held), Some(at)) => before(at, held),
            _ => Uptime::MAX,
        };
        let live = Live {
            devices: self.devices.map(|known| known.lasting(clock)),
            password: self.live_password.map(|known| known.lasting(clock)),
            doubted: self.password_doubted.map(|millis| clock.recall(millis)),
        };
        let virtual_since = since(self.virtual_held, reading.devices_listed);
        let password_since = since(self.password_held, reading.report.map(|report| report.generated));
        UserFacts {
            id: self.id,
            name: None,
            named_since: Uptime::MAX,
            created: Timestamp::from_millis(self.created),
            virtual_devices: Virtual { count: self.virtual_devices, since: virtual_since },
            reported: Reported { password: self.password, password_since, access_key: self.access_key },
            live: (live != Live::default()).then(|| Box::new(live)),
        }
    }
}

impl<T: Clone> FileLasting<T> {
    fn of(known: &Lasting<T>, clock: Clock) -> Self {
        Self { as_of: clock.fact(known.as_of), held: held(known.since, known.as_of), value: known.value.clone() }
    }

    fn lasting(self, clock: Clock) -> Lasting<T> {
        let as_of = clock.recall(self.as_of);
        Lasting::new(self.value, as_of, before(as_of, self.held))
    }
}

/// How long before `at` `since` is, rounded towards it.
fn held(since: Uptime, at: Moment) -> i64 {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    if since <= at.mono { millis(at.mono.since(since)) } else { -1 - millis(since.since(at.mono)) }
}

fn before(at: Moment, held: i64) -> Uptime {
    let time = Duration::from_millis(held.unsigned_abs());
    if held >= 0 { at.mono.minus(time) } else { at.mono.plus(time) }
}
