//! The families about accounts, how they are discovered, and the snapshot itself.

use std::collections::BTreeMap;

use super::{Family, Form, count, of_account, of_snapshot, or_never};
use crate::model::{account::AccountStatus, snapshot::AccountState};

/// The state of an account whose credentials are another's.
const REFUSED: &str = "refused";

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_account_info",
        &["account_id", "account_name", "partition", "ou", "state"],
        "An account that the exporter knows, with its name and its state. States: scanned; refused (the credentials belong to another account); excluded by the configuration; suspended, closed or pending in AWS Organizations. The partition is empty until credentials have proved it. The organizational unit (ou) is empty unless organization.labels.ou or a filter by unit needs it. Always 1.",
        |view, rows| {
            if let Some(account) = &view.state.account {
                let partition = account.partition.as_ref().map_or("", |partition| partition.as_str());
                rows.push(&[&account.name, partition, &account.ou, scan_state(view.state)], 1);
            }
        },
    ),
    of_account(
        "aws_mfa_account_labels",
        &["account_id"],
        "The labels that organization.labels of the configuration selects. ou is the path of the account's organizational unit. tag_ with the key of a tag is the value of that tag, empty if the account has no such tag. Absent without that setting, and until the exporter has read them from AWS Organizations. Always 1.",
        |view, rows| {
            if let Some(labels) = view.state.account.as_ref().and_then(|account| account.labels.as_ref()) {
                rows.push_labelled(labels.iter().map(|(name, value)| (&**name, value.as_str())));
            }
        },
    ),
    of_snapshot("aws_mfa_accounts", &["state"], "Number of accounts in each state.", |snapshot, rows| {
        let mut accounts = BTreeMap::<_, usize>::new();
        for state in snapshot.accounts().filter(|state| state.account.is_some()) {
            *accounts.entry(scan_state(state)).or_default() += 1;
        }
        for wanted in AccountStatus::ALL.map(AccountStatus::as_str).into_iter().chain([REFUSED]) {
            rows.push(&[wanted], count(accounts.get(wanted).copied().unwrap_or_default()));
        }
    }),
    of_account(
        "aws_mfa_check_timestamp_seconds",
        &["account_id"],
        "When `check --output prometheus` read the account, for the textfile collector of node_exporter. All other samples in the file are from that time. The daemon does not export this metric.",
        |view, rows| {
            if view.state.is_scanned() {
                rows.push_known(&[], view.common.read_at.map(|at| at.as_seconds()));
            }
        },
    )
    .only(Form::AtRest),
    of_account(
        "aws_mfa_events_interval_in_force",
        &["account_id"],
        "Whether the account is read at the longer interval of --collector.root.interval-with-events (1), because an echo has shown within two such intervals that its events arrive; or at the usual interval (0). Absent without that option.",
        |view, rows| {
            if view.state.is_scanned() {
                rows.push_known(&[], view.seen.is_stretched);
            }
        },
    )
    .only(Form::Served),
    of_account(
        "aws_mfa_management_account_info",
        &["account_id"],
        "The organization's management account. A StackSet does not reach it, so its role needs a stack of its own. Absent if no organization is watched, and in shards that do not watch this account. Always 1.",
        |view, rows| {
            if view.state.account.as_ref().is_some_and(|account| account.management) {
                rows.push(&[], 1);
            }
        },
    ),
    of_snapshot(
        "aws_mfa_discovery_last_success_timestamp_seconds",
        &[],
        "When account discovery last succeeded; 0 before the first success. Discovery lists the accounts to watch. For a single account, it asks AWS which account the credentials belong to.",
        |snapshot, rows| rows.push(&[], or_never(snapshot.discovery.last_success)),
    ),
    of_snapshot(
        "aws_mfa_discovery_up",
        &[],
        "Whether account discovery succeeded. Discovery lists the accounts to watch. For a single account, it asks AWS which account the credentials belong to.",
        |snapshot, rows| rows.push(&[], snapshot.discovery.fault.is_none()),
    ),
    of_snapshot(
        "aws_mfa_exporter_initial_pass_complete",
        &[],
        "Whether every collector of every account has run at least once since the exporter started.",
        |snapshot, rows| rows.push(&[], snapshot.initial_pass_complete()),
    ),
    of_snapshot(
        "aws_mfa_exporter_snapshot_timestamp_seconds",
        &[],
        "When the exporter last updated its snapshot of all verdicts. If the snapshot is more than 60 seconds old, the exporter answers 503.",
        |snapshot, rows| rows.push(&[], snapshot.tick.wall.as_seconds()),
    ),
];

fn scan_state(state: &AccountState) -> &'static str {
    let status = state.account.as_ref().map_or(AccountStatus::Scanned, |account| account.status);
    if state.is_refused() { REFUSED } else { status.as_str() }
}
