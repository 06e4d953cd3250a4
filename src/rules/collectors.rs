//! Alerts on what cannot be read of an account. After a restart without a state file
//! each account and collector is an alert for some minutes, all of them pending. So
//! these have a group of their own: no page waits for their evaluation.

use super::{
    audit::{self, OF_ORGANIZATION},
    kit::Kit,
    rule::{ACCOUNT, Group, Rule, Severity},
};

pub(super) fn group(kit: &Kit<'_>) -> Group {
    let mut rules = vec![control_unknown(kit), collector_stale(kit)];
    rules.extend(audit::alerts());
    Group { name: "aws-mfa-collectors", interval: "1m", rules }
}

fn control_unknown(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaControlUnknown", Severity::Warning, ACCOUNT)
        .expr(format!(
            "min by (account_id, control) (aws_mfa_control_status{{control!=\"IAM.9\",status=\"unknown\"}}) == 1
             unless on (account_id) {}",
            kit.is_root_unknown()
        ))
        .wait("1h")
        .keep("15m")
        .says(
            "A control other than root MFA has been unknown for an hour.",
            format!("{}: {{{{ $labels.control }}}} is unknown. {}", kit.account(), kit.faults()),
        )
}

/// A first audit that is still to come.
const FIRST_AUDIT: &str = "aws_mfa_collector_fault{collector=\"rootaudit\",fault=\"pending\"}";

fn collector_stale(kit: &Kit<'_>) -> Rule {
    let since = |matcher: &str| {
        format!(
            "min by (account_id, collector) (
               (time() - aws_mfa_collector_last_success_timestamp_seconds{{collector{matcher}}})
               / on (collector) group_left () max by (collector) (aws_mfa_collector_interval_seconds)
             )"
        )
    };
    Rule::alert("AwsMfaCollectorStale", Severity::Warning, ACCOUNT)
        .about(
            "The root collector runs five times less often in accounts without root credentials, hence its own limit.
            AwsMfaRootMfaUnknown fires long before that, because the verdict is too old. What is wrong with the organization has
            an alert of its own. First audits of root are spread over an hour, so one that is still to come is not late for 75
            minutes.",
        )
        .expr(format!(
            "(\n{} > 3\nor\n{} > 16\n)\nunless on (account_id, collector) aws_mfa_collector_fault{{{OF_ORGANIZATION}}}\nunless on \
             (account_id, collector) ({FIRST_AUDIT} unless {FIRST_AUDIT} offset 75m)",
            since("!=\"root\""),
            since("=\"root\"")
        ))
        .wait("15m")
        .says(
            "A collector of aws-mfa-exporter has not succeeded in an AWS account for several of its intervals.",
            format!(
                "{}: the collector {{{{ $labels.collector }}}} last succeeded more than three runs ago, or never. {}",
                kit.account(),
                kit.fault_of("$labels.collector")
            ),
        )
}
