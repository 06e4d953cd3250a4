//! Alerts on the audits of root users from outside their accounts.

use super::rule::{OVERVIEW, Rule, Severity};

/// What is wrong with the organization as a whole, and shows in each of its accounts.
pub(super) const OF_ORGANIZATION: &str = "fault=~\"root_access_off|trusted_access_off|not_delegated\"";

pub(super) fn alerts() -> Vec<Rule> {
    vec![refused()]
}

/// One alert, however many accounts there are.
fn refused() -> Rule {
    Rule::alert("AwsMfaRootAuditRefused", Severity::Warning, OVERVIEW)
        .expr(format!(
            "count by (fault) (
               group by (account_id, fault) (
                 last_over_time(aws_mfa_collector_fault{{collector=\"rootaudit\",{OF_ORGANIZATION}}}[5m])
               )
             )"
        ))
        .wait("15m")
        .says(
            "The organization does not let aws-mfa-exporter audit the root users of its accounts.",
            "Accounts whose root users are not audited, with the fault {{ $labels.fault }}: {{ $value }}. An account without a \
             role has no verdicts then.",
        )
}
