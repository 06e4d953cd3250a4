//! What the full set records of root.

use super::{
    DROPPED, LAST_KNOWN, NEWEST_OUTAGE, NOT_APPLICABLE, ON_AFTER_FAILURE, ONE_OUTAGE, OUTAGE, ROOT_DEVICES,
    ROOT_UNKNOWN, SEEN, kept,
};
use crate::rules::{kit::Kit, rule::Rule};

/// Every record about root, in the order in which they need each other; `outages` come later.
pub(super) fn of_root(kit: &Kit<'_>) -> [Rule; 5] {
    let credential = kept(
        kit,
        "account_credential:aws_mfa_root_credential_present:max",
        "What was last known of root's credentials.",
        "account_id, credential",
        "aws_mfa_root_credential_present",
    );
    let devices_changed = kept(
        kit,
        ROOT_DEVICES,
        "When root's MFA devices were last seen to be others than before.",
        "account_id",
        "aws_mfa_root_devices_changed_timestamp_seconds",
    );
    [credential, devices_changed, not_applicable(kit), on_after_failure(kit), unknown(kit)]
}

fn not_applicable(kit: &Kit<'_>) -> Rule {
    Rule::record(
        NOT_APPLICABLE,
        "The accounts whose root user has no credentials, which needs no device, as far as was last known. Removing the
        credentials removes the devices too. Another verdict ends it at once, whenever the devices changed: a scrape may be
        older than the change.",
        format!(
            "group by (account_id) (aws_mfa_control_status{{control=\"IAM.9\",status=\"not_applicable\"}} == 1)
            or
            (
              {}
              and on (account_id) {SEEN}
              unless on (account_id) (aws_mfa_control_status{{control=\"IAM.9\",status=~\"passed|failed\"}} == 1)
            )",
            kit.last(NOT_APPLICABLE)
        ),
    )
}

fn on_after_failure(kit: &Kit<'_>) -> Rule {
    Rule::record(
        ON_AFTER_FAILURE,
        "The accounts in which root's MFA came on after it was off, and when it was last seen off. A later change of the
        devices does not end it; that MFA is off again does.",
        format!(
            "{}
            or
            (
              {}
              and on (account_id) {SEEN}
              unless on (account_id) {}
            )",
            kit.came_on_after_failure(),
            kit.last(ON_AFTER_FAILURE),
            kit.is_failed("IAM.9"),
        ),
    )
}

fn unknown(kit: &Kit<'_>) -> Rule {
    let last = kit.last(ROOT_UNKNOWN);
    Rule::record(
        ROOT_UNKNOWN,
        "1 if no exporter knows whether root has MFA, 0 if one does. An account that is listed and has no verdict is
        unknown. What nobody exports stays as it was, unless a discovery has dropped it. Where credentials have not told yet
        whose they are, the account is called unknown; that stays as it was while there is no exporter at all.",
        format!(
            "min by (account_id) (aws_mfa_control_status{{control=\"IAM.9\",status=\"unknown\"}})
            or
            group by (account_id) (aws_mfa_account_info{{state=~\"scanned|refused\"}})
            or
            (
              {ROOT_UNKNOWN}{{account_id=\"unknown\"}}
              unless on () aws_mfa_exporter_snapshot_timestamp_seconds
            )
            or
            (
              {last}
              and on (account_id) {SEEN}
              unless on (account_id) {DROPPED}
            )"
        ),
    )
}

pub(super) fn outages(kit: &Kit<'_>) -> Vec<Rule> {
    let last = kit.last(OUTAGE);
    let (protected, failed) = (kit.protected("IAM.9"), kit.failed("IAM.9"));
    let known = Rule::record(
        LAST_KNOWN,
        "When root's MFA was last known, in the accounts where it is unknown now.",
        format!(
            "max by (account_id) (
              ({protected}
               >= {failed})
              or {failed}
              or {protected}
            )
            and on (account_id) {ROOT_UNKNOWN} == 1"
        ),
    );
    let newest = Rule::record(
        NEWEST_OUTAGE,
        "When the newest outage began: the time at which the first of its accounts was last known. What was last known
        soon after that belongs to it; what was known later begins another.",
        format!(
            "min(
              {LAST_KNOWN}
              > scalar({newest} or vector(0)) + {ONE_OUTAGE}
            )
            or
            {newest}",
            newest = kit.last(NEWEST_OUTAGE)
        ),
    );
    let of_account = Rule::record(
        OUTAGE,
        "When the outage began that each unknown account belongs to: its own as long as it has not been known since, else
        the newest if that fits, else one of its own. 0 for an account that was never read. All of it follows from what is
        exported, so that two Prometheus servers say the same.",
        format!(
            "(
              {last}
              and on (account_id)
                abs({last} - {LAST_KNOWN}) <= {ONE_OUTAGE}
            )
            or
            scalar({NEWEST_OUTAGE})
            + 0 * (abs({LAST_KNOWN} - scalar({NEWEST_OUTAGE})) <= {ONE_OUTAGE})
            or
            {LAST_KNOWN}
            or
            0 * ({ROOT_UNKNOWN} == 1)"
        ),
    );
    vec![known, newest, of_account]
}
