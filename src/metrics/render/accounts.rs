//! The families about accounts, how they are discovered, and the snapshot itself.

use super::{Family, Form, count, of_account, of_snapshot, or_never};
use crate::model::{account::AccountStatus, snapshot::AccountState};

/// The state of an account whose credentials are another's.
const REFUSED: &str = "refused";

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_account_info",
        &["account_id", "account_name", "partition", "ou", "state"],
        "An account that the exporter knows of, with its name and its state: scanned, refused (its credentials are another account's), excluded by the configuration, or, as AWS Organizations says, suspended, closed or pending. The partition is empty until credentials have proved it; the unit is empty unless organization.labels.ou or a filter by unit asks for it. Always 1.",
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
        "What organization.labels of the configuration asks for, as further labels: ou, the path of the account's organizational unit, and tag_ with each chosen tag's key; empty where the account has no such tag. Absent without that setting, and while the organization has not been asked. Always 1.",
        |view, rows| {
            if let Some(labels) = view.state.account.as_ref().and_then(|account| account.labels.as_ref()) {
                rows.push_labelled(labels.iter().map(|(name, value)| (&**name, value.as_str())));
            }
        },
    ),
    of_snapshot("aws_mfa_accounts", &["state"], "How many accounts are in each state.", |snapshot, rows| {
        for wanted in AccountStatus::ALL.map(AccountStatus::as_str).into_iter().chain([REFUSED]) {
            let identified = snapshot.accounts().filter(|state| state.account.is_some());
            rows.push(&[wanted], count(identified.filter(|state| scan_state(state) == wanted).count()));
        }
    }),
    of_account(
        "aws_mfa_check_timestamp_seconds",
        &["account_id"],
        "When `check --output prometheus` read the account, for the textfile collector of node_exporter. Whatever it wrote beside this was true then and is no newer. An exporter that serves does not have it.",
        |view, rows| {
            if view.state.is_scanned() {
                rows.push(&[], view.snapshot.tick.wall.as_seconds());
            }
        },
    )
    .only(Form::AtRest),
    of_account(
        "aws_mfa_management_account_info",
        &["account_id"],
        "The organization's management account, which no StackSet gives a role: see whether its collectors are up. Absent where no organization is watched, and in shards that do not have it. Always 1.",
        |view, rows| {
            if view.state.account.as_ref().is_some_and(|account| account.management) {
                rows.push(&[], 1);
            }
        },
    ),
    of_snapshot(
        "aws_mfa_discovery_last_success_timestamp_seconds",
        &[],
        "When it was last found out which accounts to watch, for a single account: whose the credentials are; 0 before the first time.",
        |snapshot, rows| rows.push(&[], or_never(snapshot.discovery.last_success)),
    ),
    of_snapshot(
        "aws_mfa_discovery_up",
        &[],
        "Whether it could be found out which accounts to watch, for a single account: whose the credentials are.",
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
        "When the verdicts were last aged. The exporter answers 503 rather than serve them more than 60 seconds later.",
        |snapshot, rows| rows.push(&[], snapshot.tick.wall.as_seconds()),
    ),
];

fn scan_state(state: &AccountState) -> &'static str {
    let status = state.account.as_ref().map_or(AccountStatus::Scanned, |account| account.status);
    if state.is_refused() { REFUSED } else { status.as_str() }
}
