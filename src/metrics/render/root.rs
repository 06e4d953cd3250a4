//! The families about root users: facts, absent while they are not known.

use super::{Family, Form, of_account};
use crate::model::facts::DeviceKind;

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_root_credential_present",
        &["account_id", "credential"],
        "Whether the root user has a credential of this kind (GetAccountSummary). Absent while unknown.",
        |view, rows| {
            if let Some(reading) = &view.seen.reading {
                let summary = &reading.value.summary;
                rows.push_known(&["access_key"], summary.access_keys);
                rows.push_known(&["password"], summary.password);
                rows.push_known(&["signing_certificate"], summary.signing_certificates);
            }
        },
    ),
    of_account(
        "aws_mfa_root_devices",
        &["account_id", "kind"],
        "MFA devices of the root user: virtual (ListVirtualMFADevices, by owner), and not_virtual (security keys, passkeys and hardware TOTP tokens: MFADevicesInUse of GetAccountSummary without the virtual devices and without those of IAM users). not_virtual is absent while the exporter cannot tell root's devices from those of users. If the rootaudit collector has read root's own list of devices, and nothing has contradicted it since, fido (security keys and passkeys), hardware_totp and other (of a form that AWS does not document) stand in place of not_virtual. All are absent for about a minute after the account has changed.",
        |view, rows| {
            if let Some(known) = &view.seen.root_devices {
                match known.value.kinds {
                    Some(kinds) => {
                        let count = |kind: DeviceKind| kinds.count(kind);
                        rows.push(&["fido"], count(DeviceKind::Fido));
                        rows.push(&["hardware_totp"], count(DeviceKind::HardwareTotp));
                        rows.push(&["other"], count(DeviceKind::Other).saturating_add(count(DeviceKind::Sms)));
                    }
                    None => rows.push_known(&["not_virtual"], known.value.others),
                }
                rows.push(&["virtual"], known.value.virtuals);
            }
        },
    ),
    of_account(
        "aws_mfa_root_devices_changed_timestamp_seconds",
        &["account_id"],
        "When the exporter last saw that the MFA devices of the root user are others than before: the first or the last of them, a virtual device, or the number of the others. If one security key replaces another, only the rootaudit collector sees it. Absent if the exporter has seen no change. The value stays over a restart if there is a state file.",
        |view, rows| rows.push_known(&[], view.state.root_devices_changed().map(|at| at.wall.as_seconds())),
    )
    .only(Form::Served),
    of_account(
        "aws_mfa_root_mfa_enabled",
        &["account_id"],
        "Whether the root user has an MFA device of any kind (GetAccountSummary, AccountMFAEnabled). Absent while unknown. 0 alone is no failure, because a root user without credentials has no MFA device either.",
        |view, rows| rows.push_known(&[], view.seen.reading.as_ref().and_then(|reading| reading.value.summary.mfa_enabled)),
    ),
    of_account(
        "aws_mfa_root_password_last_used_timestamp_seconds",
        &["account_id"],
        "When the root user's password was last used (credential report, which is up to four hours old). Absent while unknown, and if AWS has no record of it (see aws_mfa_root_password_used).",
        |view, rows| {
            let last_used = view.seen.report.and_then(|report| report.root_password_last_used?.at());
            rows.push_known(&[], last_used.map(|at| at.as_seconds()));
        },
    ),
    of_account(
        "aws_mfa_root_password_used",
        &["account_id"],
        "Whether AWS has a record that the root user's password was used (credential report, which is up to four hours old). 0 means: not used since October 2014, when AWS began to keep records. Absent while unknown, and if root has no password.",
        |view, rows| {
            let last_used = view.seen.report.and_then(|report| report.root_password_last_used);
            rows.push_known(&[], last_used.and_then(|used| used.is_recorded()));
        },
    ),
    of_account(
        "aws_mfa_root_virtual_devices",
        &["account_id"],
        "Number of virtual MFA devices that the root user owns (ListVirtualMFADevices, by owner). Absent while unknown, and if the account has changed since the exporter read the list.",
        |view, rows| {
            // With an owner missing, the count of root's own is a lower bound, not a fact.
            let complete = view.seen.devices.as_ref().filter(|list| list.value.unowned == 0);
            rows.push_known(&[], complete.map(|list| list.value.root_owned));
        },
    ),
];
