//! The families about centralized root access of the organization.

use super::{Family, count, of_snapshot, or_never};

pub(super) const FAMILIES: &[Family] = &[
    of_snapshot(
        "aws_mfa_organization_root_access",
        &["feature"],
        "Whether a feature of centralized root access is on in the organization (iam:ListOrganizationsFeatures). credentials_management: root credentials of member accounts can be deleted centrally. sessions: some tasks can be done as root of a member account. A feature that is on deletes nothing by itself. Absent while that is not known. Only with organization.root_access; with shards, only from the first.",
        |snapshot, rows| {
            for (feature, is_on) in snapshot.root_access.features(snapshot.tick).into_iter().flat_map(|all| all.named())
            {
                rows.push(&[feature], is_on);
            }
        },
    ),
    of_snapshot(
        "aws_mfa_organization_root_access_delegated_administrator_info",
        &["account_id"],
        "A delegated administrator for IAM: it may manage root access of member accounts and switch the features off, as the management account may. Absent if there is none, and while that is not known. Only with organization.root_access. Always 1.",
        |snapshot, rows| {
            for account in snapshot.root_access.delegated(snapshot.tick).into_iter().flatten() {
                rows.push(&[account.as_str()], 1);
            }
        },
    ),
    of_snapshot(
        "aws_mfa_organization_root_access_delegated_administrators",
        &[],
        "Number of delegated administrators for IAM. Absent while that is not known. Only with organization.root_access.",
        |snapshot, rows| {
            rows.push_known(&[], snapshot.root_access.delegated(snapshot.tick).map(|all| count(all.len())));
        },
    ),
    of_snapshot(
        "aws_mfa_organization_root_access_fault",
        &["fault"],
        "Why the state of centralized root access could not be read last, by class. Present only while that is so. Only with organization.root_access. Always 1.",
        |snapshot, rows| {
            let known = &snapshot.root_access;
            if let Some(fault) = known.fault().filter(|_| known.is_wanted()) {
                rows.push(&[fault.class.as_str()], 1);
            }
        },
    ),
    of_snapshot(
        "aws_mfa_organization_root_access_last_on_timestamp_seconds",
        &["feature"],
        "When the feature of centralized root access was last seen on. Absent if it never was. Only with organization.root_access.",
        |snapshot, rows| {
            let known = &snapshot.root_access;
            for (feature, at) in known.last_on().filter(|_| known.is_wanted()) {
                rows.push_known(&[feature], at.map(|at| at.wall.as_seconds()));
            }
        },
    ),
    of_snapshot(
        "aws_mfa_organization_root_access_last_success_timestamp_seconds",
        &[],
        "When the exporter last read the state of centralized root access without a fault; 0 before the first time. Only with organization.root_access.",
        |snapshot, rows| {
            if snapshot.root_access.is_wanted() {
                rows.push(&[], or_never(snapshot.root_access.last_success()));
            }
        },
    ),
    of_snapshot(
        "aws_mfa_organization_root_access_up",
        &[],
        "Whether the state of centralized root access was read not long ago and without a fault. Only with organization.root_access.",
        |snapshot, rows| {
            if snapshot.root_access.is_wanted() {
                rows.push(&[], snapshot.root_access.is_up(snapshot.tick));
            }
        },
    ),
];
