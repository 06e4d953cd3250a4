//! `check --output json`: the form that deploy/check.md documents.

use serde::Serialize;

use super::{compare::Changes, echoes::EchoReport};
use crate::{
    model::{
        facts::Fault,
        judge::users::Count,
        snapshot::{AccountState, Snapshot},
    },
    overview::Reader,
};

/// The version of the JSON's form. Keys are added without raising it.
pub(super) const SCHEMA_VERSION: u32 = 2;

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    exporter_version: &'static str,
    checked_at: String,
    fault: Option<Problem<'a>>,
    accounts: Vec<AccountReport<'a>>,
    /// Only with `--compare`.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a Changes>,
}

#[derive(Serialize)]
struct AccountReport<'a> {
    account_id: String,
    account_name: &'a str,
    state: &'static str,
    partition: Option<&'a str>,
    controls: Vec<ControlReport>,
    collectors: Vec<CollectorReport<'a>>,
    users: Option<UsersReport<'a>>,
    /// Only with `--wait-for-echoes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    echo: Option<EchoReport>,
}

/// The counts are those of the metrics: null unless known of every user. `named` has
/// names where `--names` asks for them.
#[derive(Serialize)]
struct UsersReport<'a> {
    users: u32,
    users_unknown: UnknownReport,
    users_without_mfa: Option<u32>,
    console_users: Option<u32>,
    console_users_without_mfa: Option<u32>,
    access_key_users_without_mfa: Option<u32>,
    named: Option<Vec<UserReport<'a>>>,
}

/// Of how many users something is not known.
#[derive(Serialize)]
struct UnknownReport {
    device: u32,
    console_password: u32,
    access_key: u32,
}

#[derive(Serialize)]
struct UserReport<'a> {
    user: &'a str,
    console_access: Option<bool>,
}

#[derive(Serialize)]
struct ControlReport {
    control: &'static str,
    status: &'static str,
    as_of: Option<String>,
    reason: String,
    remedy: Option<&'static str>,
}

#[derive(Serialize)]
struct CollectorReport<'a> {
    collector: &'static str,
    up: bool,
    fault: Option<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    class: &'static str,
    detail: &'a str,
    remedy: &'a str,
}

/// Writes the report.
#[must_use]
pub fn json(snapshot: &Snapshot, changes: Option<&Changes>, has_echoes: bool) -> String {
    let report = Report {
        schema_version: SCHEMA_VERSION,
        exporter_version: crate::build_info::BUILD.version,
        checked_at: snapshot.tick.wall.to_rfc3339(),
        fault: snapshot.discovery.fault.as_ref().map(Problem::of),
        accounts: snapshot.accounts().filter_map(|state| AccountReport::of(snapshot, state, has_echoes)).collect(),
        changes,
    };
    serde_json::to_string_pretty(&report).expect("a report of texts has a JSON form") + "\n"
}

impl<'a> Problem<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self { class: fault.class.as_str(), detail: &fault.detail, remedy: Reader::Once.remedy(fault) }
    }
}

impl<'a> AccountReport<'a> {
    fn of(snapshot: &Snapshot, state: &'a AccountState, has_echoes: bool) -> Option<Self> {
        let account = state.account.as_ref()?;
        let controls = state.standings().map(|(control, standing)| ControlReport {
            control: control.as_str(),
            status: standing.verdict.status.as_str(),
            as_of: standing.verdict.as_of.map(|as_of| as_of.wall.to_rfc3339()),
            reason: standing.verdict.reason.to_string(),
            remedy: Reader::Once.remedy_of(standing.verdict.reason),
        });
        let collectors = state.health().map(|(collector, health)| CollectorReport {
            collector: collector.as_str(),
            up: health.is_up(),
            fault: health.fault.as_ref().map(Problem::of),
        });
        Some(Self {
            account_id: account.id.to_string(),
            account_name: &account.name,
            state: account.status.as_str(),
            partition: account.partition.as_ref().map(|partition| partition.as_str()),
            controls: controls.collect(),
            collectors: collectors.collect(),
            users: UsersReport::of(snapshot, state),
            echo: has_echoes.then(|| EchoReport::of(state)),
        })
    }
}

impl<'a> UsersReport<'a> {
    fn of(snapshot: &Snapshot, state: &'a AccountState) -> Option<Self> {
        let counts = state.user_counts()?;
        let all = |count: Option<Count>| count.map(|count| count.all);
        let user = |(user, console_access)| UserReport { user, console_access };
        Some(Self {
            users: counts.users,
            users_unknown: UnknownReport {
                device: counts.unknown.device,
                console_password: counts.unknown.console_password,
                access_key: counts.unknown.access_key,
            },
            users_without_mfa: all(counts.without_mfa),
            console_users: counts.console,
            console_users_without_mfa: all(counts.console_without_mfa),
            access_key_users_without_mfa: all(counts.access_key_without_mfa),
            named: snapshot.failing(state).map(|failing| failing.named.into_iter().map(user).collect()),
        })
    }
}
