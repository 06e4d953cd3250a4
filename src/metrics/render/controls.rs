//! The families about controls: the verdicts, as of when, and the last ones.

use super::{Family, of_account};
use crate::model::judge::Status;

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_control_exemption_info",
        &["account_id", "control", "exemption"],
        "An active exemption, by its id, for this control of this account. It does not change the verdict. Alerts do not fire for an exempt control. Exemptions for users have no series here. Always 1.",
        |view, rows| {
            let Some(account) = view.state.account.as_ref().filter(|_| view.state.is_scanned()) else { return };
            for (control, _) in view.state.standings() {
                for exemption in view.common.exemptions(account.id, control) {
                    rows.push(&[control.as_str(), &exemption.id], 1);
                }
            }
        },
    ),
    of_account(
        "aws_mfa_control_as_of_timestamp_seconds",
        &["account_id", "control"],
        "When the exporter read the oldest fact behind the verdict from AWS. Absent while the verdict is unknown.",
        |view, rows| {
            for (control, standing) in view.state.standings() {
                rows.push_known(&[control.as_str()], standing.verdict.as_of.map(|at| at.wall.as_seconds()));
            }
        },
    ),
    of_account(
        "aws_mfa_control_last_failed_timestamp_seconds",
        &["account_id", "control"],
        "As-of time of the last failed verdict. Absent if there was none since the exporter started. The value stays when the verdict becomes unknown.",
        |view, rows| {
            for (control, standing) in view.state.standings() {
                rows.push_known(&[control.as_str()], standing.last_failed.map(|at| at.as_seconds()));
            }
        },
    ),
    of_account(
        "aws_mfa_control_last_protected_timestamp_seconds",
        &["account_id", "control"],
        "As-of time of the last verdict passed or not_applicable. Absent if there was none since the exporter started. The value stays when the verdict becomes unknown.",
        |view, rows| {
            for (control, standing) in view.state.standings() {
                rows.push_known(&[control.as_str()], standing.last_protected.map(|at| at.as_seconds()));
            }
        },
    ),
    of_account(
        "aws_mfa_control_status",
        &["account_id", "control", "status"],
        "Verdict on a Security Hub CSPM control: exactly one of passed, failed, not_applicable, unknown is 1. The exporter reads AWS in the background; aws_mfa_control_as_of_timestamp_seconds says when. IAM.9 is not_applicable in GovCloud, and for a root user without credentials (Security Hub CSPM reports PASSED). IAM.9 is failed for a root user that has only an access key. IAM.6 passes a synced passkey, because AWS does not distinguish it from a hardware key. Cognito.5 is about the Regions that the collector reads, and is failed for a user pool with optional MFA. IAM.5 may take up to four and a half hours to see a new password of a user without a device.",
        |view, rows| {
            for (control, standing) in view.state.standings() {
                for status in Status::ALL {
                    rows.push(&[control.as_str(), status.as_str()], standing.verdict.status == status);
                }
            }
        },
    ),
];
