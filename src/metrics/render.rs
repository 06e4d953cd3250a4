//! From a snapshot to metric families.
//!
//! One short function a family, and one table that says which belongs to which.
//! Families are built and handed on one at a time: at ten thousand accounts all
//! of them together would be half a million samples of the data model.
//!
//! The rule of the house is written here for good: a *fact* has no sample while
//! it is unknown, a *verdict* always has all four.

mod users;

use prometheus::proto::MetricFamily;

use super::{
    ACCESS_KEY_USERS_WITHOUT_MFA, ACCESS_KEY_USERS_WITHOUT_MFA_EXEMPT, ACCOUNT_INFO, ACCOUNTS, CHECK_TIMESTAMP,
    COLLECTOR_DURATION, COLLECTOR_FAULT, COLLECTOR_INTERVAL, COLLECTOR_LAST_ATTEMPT, COLLECTOR_LAST_SUCCESS,
    COLLECTOR_UP, CONSOLE_USERS, CONSOLE_USERS_WITHOUT_MFA, CONSOLE_USERS_WITHOUT_MFA_EXEMPT, CONTROL_AS_OF,
    CONTROL_LAST_FAILED, CONTROL_LAST_PROTECTED, CONTROL_STATUS, DISCOVERY_LAST_SUCCESS, DISCOVERY_UP,
    EXEMPTION_EXPIRY, INITIAL_PASS_COMPLETE, MANAGEMENT_ACCOUNT, Metric, ROOT_CREDENTIAL_PRESENT, ROOT_MFA_ENABLED,
    ROOT_PASSWORD_LAST_USED, ROOT_VIRTUAL_DEVICES, SNAPSHOT_TIMESTAMP, SOURCE_TIMESTAMP, UNIDENTIFIED, USER_DEVICES,
    USER_WITHOUT_MFA, USERS, USERS_OMITTED, USERS_UNKNOWN, USERS_WITHOUT_MFA, USERS_WITHOUT_MFA_EXEMPT, rows::Rows,
};
use crate::model::{
    account::AccountStatus,
    facts::{Known, RootReading, VirtualDevices},
    judge::{Control, Status},
    snapshot::{AccountState, Collector, Health, Snapshot, Standing},
    time::{Moment, Timestamp},
};

/// The state of an account whose credentials are another's.
const REFUSED: &str = "refused";

type Sample = fn(&Snapshot, &mut Rows);

const FAMILIES: &[(Metric, Sample)] = &[
    (ACCESS_KEY_USERS_WITHOUT_MFA, users::access_key_without_mfa),
    (ACCESS_KEY_USERS_WITHOUT_MFA_EXEMPT, users::access_key_without_mfa_exempt),
    (ACCOUNT_INFO, account_info),
    (ACCOUNTS, accounts),
    (CHECK_TIMESTAMP, check_timestamp),
    (COLLECTOR_DURATION, collector_duration),
    (COLLECTOR_FAULT, collector_fault),
    (COLLECTOR_INTERVAL, collector_interval),
    (COLLECTOR_LAST_ATTEMPT, collector_last_attempt),
    (COLLECTOR_LAST_SUCCESS, collector_last_success),
    (COLLECTOR_UP, collector_up),
    (CONSOLE_USERS, users::console),
    (CONSOLE_USERS_WITHOUT_MFA, users::console_without_mfa),
    (CONSOLE_USERS_WITHOUT_MFA_EXEMPT, users::console_without_mfa_exempt),
    (CONTROL_AS_OF, control_as_of),
    (CONTROL_LAST_FAILED, control_last_failed),
    (CONTROL_LAST_PROTECTED, control_last_protected),
    (CONTROL_STATUS, control_status),
    (DISCOVERY_LAST_SUCCESS, discovery_last_success),
    (DISCOVERY_UP, discovery_up),
    (EXEMPTION_EXPIRY, users::exemption_expiry),
    (INITIAL_PASS_COMPLETE, initial_pass_complete),
    (SNAPSHOT_TIMESTAMP, snapshot_timestamp),
    (MANAGEMENT_ACCOUNT, management_account),
    (ROOT_CREDENTIAL_PRESENT, root_credential_present),
    (ROOT_MFA_ENABLED, root_mfa_enabled),
    (ROOT_PASSWORD_LAST_USED, users::root_password_last_used),
    (ROOT_VIRTUAL_DEVICES, root_virtual_devices),
    (SOURCE_TIMESTAMP, source_timestamp),
    (USER_DEVICES, users::devices),
    (USER_WITHOUT_MFA, users::names),
    (USERS, users::all),
    (USERS_OMITTED, users::omitted),
    (USERS_UNKNOWN, users::unknown),
    (USERS_WITHOUT_MFA, users::without_mfa),
    (USERS_WITHOUT_MFA_EXEMPT, users::without_mfa_exempt),
];

/// What is true of a process that goes on, or of all its accounts together, and not of
/// an account that was looked at once.
const ONLY_WHILE_SERVING: [Metric; 11] = [
    ACCOUNTS,
    COLLECTOR_DURATION,
    COLLECTOR_INTERVAL,
    COLLECTOR_LAST_ATTEMPT,
    COLLECTOR_LAST_SUCCESS,
    COLLECTOR_UP,
    DISCOVERY_LAST_SUCCESS,
    DISCOVERY_UP,
    EXEMPTION_EXPIRY,
    INITIAL_PASS_COMPLETE,
    SNAPSHOT_TIMESTAMP,
];

/// Renders every family that has a sample, in the order of the catalogue.
pub fn render(snapshot: &Snapshot, family: impl FnMut(&MetricFamily)) {
    render_some(snapshot, |metric| *metric != CHECK_TIMESTAMP, family);
}

/// Renders what stays true in a file, as of the time that stands in it. Each sample is
/// of an account, so that the files of several accounts can lie side by side.
pub fn render_at_rest(snapshot: &Snapshot, family: impl FnMut(&MetricFamily)) {
    render_some(snapshot, |metric| !ONLY_WHILE_SERVING.contains(metric), family);
}

fn render_some(snapshot: &Snapshot, is_wanted: fn(&Metric) -> bool, mut family: impl FnMut(&MetricFamily)) {
    for (metric, sample) in FAMILIES.iter().filter(|(metric, _)| is_wanted(metric)) {
        let mut rows = Rows::of(metric);
        sample(snapshot, &mut rows);
        if let Some(rendered) = rows.into_family(metric) {
            family(&rendered);
        }
    }
}

// === accounts ===

fn id(state: &AccountState) -> &str {
    state.account.as_ref().map_or(UNIDENTIFIED, |account| account.id.as_str())
}

fn account_info(snapshot: &Snapshot, rows: &mut Rows) {
    for state in snapshot.accounts() {
        if let Some(account) = &state.account {
            let partition = account.partition.as_ref().map_or("", |partition| partition.as_str());
            rows.push(&[id(state), &account.name, partition, &account.ou, scan_state(state)], 1.0);
        }
    }
}

fn scan_state(state: &AccountState) -> &'static str {
    let status = state.account.as_ref().map_or(AccountStatus::Scanned, |account| account.status);
    if state.is_refused() { REFUSED } else { status.as_str() }
}

fn accounts(snapshot: &Snapshot, rows: &mut Rows) {
    for wanted in AccountStatus::ALL.map(AccountStatus::as_str).into_iter().chain([REFUSED]) {
        let identified = snapshot.accounts().filter(|state| state.account.is_some());
        rows.push(&[wanted], count(identified.filter(|state| scan_state(state) == wanted).count()));
    }
}

fn check_timestamp(snapshot: &Snapshot, rows: &mut Rows) {
    for state in snapshot.accounts().filter(|state| state.is_scanned()) {
        rows.push(&[id(state)], snapshot.tick.wall.as_seconds());
    }
}

fn management_account(snapshot: &Snapshot, rows: &mut Rows) {
    for state in snapshot.accounts().filter(|state| state.account.as_ref().is_some_and(|account| account.management)) {
        rows.push(&[id(state)], 1.0);
    }
}

// === collectors ===

fn each_health(snapshot: &Snapshot, mut row: impl FnMut(&str, Collector, &Health)) {
    for state in snapshot.accounts() {
        for (collector, health) in state.health() {
            row(id(state), collector, health);
        }
    }
}

fn collector_duration(snapshot: &Snapshot, rows: &mut Rows) {
    each_health(snapshot, |account, collector, health| {
        if let Some(duration) = health.duration {
            rows.push(&[account, collector.as_str()], duration.as_secs_f64());
        }
    });
}

fn collector_fault(snapshot: &Snapshot, rows: &mut Rows) {
    each_health(snapshot, |account, collector, health| {
        if let Some(fault) = &health.fault {
            rows.push(&[account, collector.as_str(), fault.class.as_str()], 1.0);
        }
    });
}

fn collector_interval(snapshot: &Snapshot, rows: &mut Rows) {
    for collector in snapshot.plan.collectors() {
        rows.push(&[collector.as_str()], snapshot.plan.interval(collector).as_secs_f64());
    }
}

fn collector_last_attempt(snapshot: &Snapshot, rows: &mut Rows) {
    each_health(snapshot, |account, collector, health| {
        rows.push(&[account, collector.as_str()], or_never(health.last_attempt));
    });
}

fn collector_last_success(snapshot: &Snapshot, rows: &mut Rows) {
    each_health(snapshot, |account, collector, health| {
        rows.push(&[account, collector.as_str()], or_never(health.last_success));
    });
}

fn collector_up(snapshot: &Snapshot, rows: &mut Rows) {
    each_health(snapshot, |account, collector, health| {
        rows.push_bool(&[account, collector.as_str()], health.is_up());
    });
}

// === controls ===

fn each_standing(snapshot: &Snapshot, mut row: impl FnMut(&str, Control, &Standing)) {
    for state in snapshot.accounts() {
        for (control, standing) in state.standings() {
            row(id(state), control, standing);
        }
    }
}

fn control_as_of(snapshot: &Snapshot, rows: &mut Rows) {
    each_standing(snapshot, |account, control, standing| {
        if let Some(as_of) = standing.verdict.as_of {
            rows.push(&[account, control.as_str()], as_of.wall.as_seconds());
        }
    });
}

fn control_last_failed(snapshot: &Snapshot, rows: &mut Rows) {
    each_standing(snapshot, |account, control, standing| {
        if let Some(at) = standing.last_failed {
            rows.push(&[account, control.as_str()], at.as_seconds());
        }
    });
}

fn control_last_protected(snapshot: &Snapshot, rows: &mut Rows) {
    each_standing(snapshot, |account, control, standing| {
        if let Some(at) = standing.last_protected {
            rows.push(&[account, control.as_str()], at.as_seconds());
        }
    });
}

fn control_status(snapshot: &Snapshot, rows: &mut Rows) {
    each_standing(snapshot, |account, control, standing| {
        for status in Status::ALL {
            rows.push_bool(&[account, control.as_str(), status.as_str()], standing.verdict.status == status);
        }
    });
}

// === the whole ===

fn discovery_last_success(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push(&[], or_never(snapshot.discovery.last_success));
}

fn discovery_up(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push_bool(&[], snapshot.discovery.fault.is_none());
}

fn initial_pass_complete(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push_bool(&[], snapshot.initial_pass_complete());
}

fn snapshot_timestamp(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push(&[], snapshot.tick.wall.as_seconds());
}

// === facts ===

fn each_reading(snapshot: &Snapshot, mut row: impl FnMut(&str, &Known<RootReading>)) {
    for state in snapshot.accounts() {
        if let Some(reading) = snapshot.plan.cadence.fresh_reading(state.reading.as_ref(), snapshot.tick) {
            row(id(state), reading);
        }
    }
}

/// The lists that belong to the account as its last heartbeat showed it.
fn each_list(snapshot: &Snapshot, mut row: impl FnMut(&str, &Known<VirtualDevices>)) {
    let cadence = &snapshot.plan.cadence;
    for state in snapshot.accounts() {
        let reading = cadence.fresh_reading(state.reading.as_ref(), snapshot.tick);
        let list = cadence.fresh_devices(state.devices.as_ref(), snapshot.tick);
        if let (Some(reading), Some(list)) = (reading, list)
            && list.value.is_of(&reading.value.summary)
        {
            row(id(state), list);
        }
    }
}

fn root_credential_present(snapshot: &Snapshot, rows: &mut Rows) {
    each_reading(snapshot, |account, reading| {
        let summary = &reading.value.summary;
        let credentials = [
            ("access_key", summary.access_keys),
            ("password", summary.password),
            ("signing_certificate", summary.signing_certificates),
        ];
        for (credential, present) in credentials {
            if let Some(present) = present {
                rows.push_bool(&[account, credential], present);
            }
        }
    });
}

fn root_mfa_enabled(snapshot: &Snapshot, rows: &mut Rows) {
    each_reading(snapshot, |account, reading| {
        if let Some(enabled) = reading.value.summary.mfa_enabled {
            rows.push_bool(&[account], enabled);
        }
    });
}

fn root_virtual_devices(snapshot: &Snapshot, rows: &mut Rows) {
    // With an owner missing, the count of root's own is a lower bound, not a fact.
    each_list(snapshot, |account, list| {
        if list.value.unowned == 0 {
            rows.push(&[account], f64::from(list.value.root_owned));
        }
    });
}

fn source_timestamp(snapshot: &Snapshot, rows: &mut Rows) {
    users::each_report(snapshot, |account, report| {
        rows.push(&[account, "credential_report"], report.generated.wall.as_seconds());
    });
    each_list(snapshot, |account, list| rows.push(&[account, "virtual_devices"], list.as_of.wall.as_seconds()));
}

// === values ===

fn or_never(at: Option<Moment>) -> f64 {
    at.map_or(Timestamp::default(), |at| at.wall).as_seconds()
}

#[expect(clippy::cast_precision_loss, reason = "no account list is longer than 2^52")]
fn count(accounts: usize) -> f64 {
    accounts as f64
}
