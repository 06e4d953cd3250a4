//! Alerts on centralized root access of an organization. Where nobody asks about it,
//! they are silent.

use super::{
    kit::Kit,
    rule::{EXPORTER_OF_JOB, Group, OVERVIEW, Rule, Severity},
};

pub(super) fn group(kit: &Kit<'_>) -> Group {
    Group { name: "aws-mfa-root-access", interval: "1m", rules: vec![off(), unknown(kit), credentials_left(kit)] }
}

/// The features of each job that somebody sees on, or off.
fn is(value: u8) -> String {
    format!("max by (job, feature) (aws_mfa_organization_root_access) == {value}")
}

fn off() -> Rule {
    let last_on = "last_over_time(aws_mfa_organization_root_access_last_on_timestamp_seconds[1d])";
    Rule::alert("AwsMfaRootAccessFeatureOff", Severity::Warning, OVERVIEW)
        .about("A feature that was never seen on has not gone off. The alert ends by itself a week after it was last on.")
        .expr(format!(
            "max by (job, feature) ({last_on}) > time() - 7 * 86400\nand on (job, feature) {}",
            is(0)
        ))
        .wait("5m")
        .keep("10m")
        .says(
            "A feature of centralized root access was switched off in the organization.",
            "The feature {{ $labels.feature }}, as the exporter of job {{ $labels.job }} reads it, is off. It was last seen on at \
             {{ $value | humanizeTimestamp }}. The management account and every delegated administrator for IAM may switch it off.",
        )
}

fn unknown(kit: &Kit<'_>) -> Rule {
    let why = kit.either(
        " Fault: {{ range $n, $one := printf \"group by (fault) (aws_mfa_organization_root_access_fault{job=%q})\" $labels.job \
         | query | sortByLabel \"fault\" }}{{ if $n }}, {{ end }}{{ $one.Labels.fault }}{{ else }}none{{ end }}.",
        " The metric aws_mfa_organization_root_access_fault says why.",
    );
    Rule::alert("AwsMfaRootAccessUnknown", Severity::Warning, EXPORTER_OF_JOB)
        .expr("max by (job) (aws_mfa_organization_root_access_up) == 0")
        .wait("1h")
        .keep("10m")
        .says(
            "The exporter cannot read the state of centralized root access in the organization.",
            format!(
                "For an hour no exporter of job {{{{ $labels.job }}}} could read which features of centralized root access are \
                 on, or who is delegated.{why}"
            ),
        )
}

/// The management account keeps its root credentials whatever is on.
fn credentials_left(kit: &Kit<'_>) -> Rule {
    let present = kit.either(
        "account_credential:aws_mfa_root_credential_present:max",
        "max by (account_id, credential) (last_over_time(aws_mfa_root_credential_present[1h]))",
    );
    let management = kit.either("account:aws_mfa_management_account_info:group", "aws_mfa_management_account_info");
    Rule::alert("AwsMfaRootCredentialsLeft", Severity::Info, OVERVIEW)
        .about("The accounts are those of the job that asks about the feature. An account with an exemption of IAM.9 keeps its credentials on purpose.")
        .expr(format!(
            "count by (job) (
               group by (job, account_id) (aws_mfa_account_info{{state=\"scanned\"}})
               and on (account_id) ({present} == 1)
               unless on (account_id) {management}
               {exempt}
               and on (job) max by (job) (aws_mfa_organization_root_access{{feature=\"credentials_management\"}}) == 1
             )",
            exempt = kit.unless_control_exempt("IAM.9"),
        ))
        .wait("1d")
        .says(
            "Member accounts have root credentials although they could be deleted centrally.",
            "Central management of root credentials is on. Member accounts of job {{ $labels.job }} whose root user has a \
             password, an access key or a signing certificate: {{ $value }}. The dashboard names them.",
        )
}
