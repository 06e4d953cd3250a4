//! Alerts on which accounts are watched, and by whom.

use super::{
    kit::Kit,
    memory::{DROPPED, SEEN},
    rule::{ACCOUNT, EXPORTER_OF_JOB, OVERVIEW, Rule, Severity},
};

pub(super) const NOTHING_WATCHED: &str = "job:aws_mfa_exporter_nothing_watched_timestamp_seconds:max";

/// The exporters without an account, but for shards beside which another has one.
pub(super) const WATCHES_NOTHING: &str = "
  sum by (job, instance) (aws_mfa_accounts{state=\"scanned\"}) == 0
  unless on (job, instance) aws_mfa_control_status{control=\"IAM.9\",status=\"unknown\"}
  unless on (job, instance) (
    aws_mfa_exporter_total_shards > 1
    and on (job) sum by (job) (aws_mfa_accounts{state=\"scanned\"}) > 0
  )
";

const UNWATCHED: &str = "AwsMfaAccountsUnwatched";

pub(super) fn alerts(kit: &Kit<'_>) -> Vec<Rule> {
    vec![unwatched(kit), nothing_watched(kit), vanished(kit), management_not_scanned(kit), discovery_failing()]
}

/// The simple set knows no accounts that it does not see, but the job that is gone.
fn unwatched(kit: &Kit<'_>) -> Rule {
    let summary = "Accounts that were watched are watched by no exporter any more.";
    let rule = Rule::alert(UNWATCHED, Severity::Critical, EXPORTER_OF_JOB).wait("5m");
    if !kit.is_full() {
        return rule
            .expr("group by (job) (last_over_time(aws_mfa_exporter_build_info[1d])) unless on (job) aws_mfa_exporter_build_info")
            .says(summary, "Within the last day there was an exporter of job {{ $labels.job }}. Now there is none.");
    }
    rule.about(
        "The accounts that nobody exports and no discovery has dropped, by the job that exported them last. The job need not
        have a target any more.",
    )
    .expr(format!(
        "count by (job) (
           group by (account_id, job) (
             {SEEN}
             unless on (account_id) aws_mfa_account_info
             unless on (account_id) {DROPPED}
           )
         )
         unless on (job) job:aws_mfa_exporter_shards_missing:count"
    ))
    .says(
        summary,
        format!(
            "Accounts of job {{{{ $labels.job }}}} that no exporter watches now: {{{{ $value }}}}. Last watched by: \
             {{{{ range $n, $one := printf \"group by (instance) ({SEEN}{{job=%q}} unless on (account_id) aws_mfa_account_info)\" \
             $labels.job | query | sortByLabel \"instance\" }}}}{{{{ if $n }}}}, {{{{ end }}}}{{{{ $one.Labels.instance }}}}\
             {{{{ end }}}}. This alert ends by itself a week after that."
        ),
    )
}

fn nothing_watched(kit: &Kit<'_>) -> Rule {
    let expr = match kit.is_full() {
        true => NOTHING_WATCHED.to_owned(),
        false => format!("count by (job) ({WATCHES_NOTHING})"),
    };
    Rule::alert("AwsMfaNothingWatched", Severity::Critical, EXPORTER_OF_JOB).expr(expr).wait("5m").says(
        "An aws-mfa-exporter runs and knows of no account to watch.",
        "An exporter of job {{ $labels.job }} watches no account at all. Either it could not read the list of accounts, or its \
         configuration leaves every account out.",
    )
}

fn vanished(kit: &Kit<'_>) -> Rule {
    let last_hour = "last_over_time(aws_mfa_account_info{state=~\"scanned|refused\"}[1h])";
    let expr = match kit.is_full() {
        true => DROPPED.to_owned(),
        false => format!(
            "group by (account_id) ({last_hour} and on (job, instance) aws_mfa_discovery_up == 1)
             unless on (account_id) aws_mfa_account_info"
        ),
    };
    let says = kit.either(
        "the exporter that watched it no longer lists it. It was last watched at {{ $value | humanizeTimestamp }}. This alert \
         ends by itself a day after that.",
        "the exporter that watched it within the last hour no longer lists it.",
    );
    Rule::alert("AwsMfaAccountVanished", Severity::Warning, ACCOUNT)
        .expr(expr)
        .wait("15m")
        .says("An AWS account that was watched is no longer listed.", format!("{}: {says}", kit.account()))
}

fn management_not_scanned(kit: &Kit<'_>) -> Rule {
    let management = kit.either("account:aws_mfa_management_account_info:group", "aws_mfa_management_account_info");
    Rule::alert("AwsMfaManagementAccountNotScanned", Severity::Warning, ACCOUNT)
        .expr(format!("group by (account_id) ({management})\nand on (account_id) {}", kit.is_root_unknown()))
        .wait("15m")
        .says(
            "The management account of the organization is not being read.",
            format!(
                "{}: this is the management account. No exporter knows whether its root user is protected by MFA. A StackSet gives \
                 no role to this account.",
                kit.account()
            ),
        )
}

fn discovery_failing() -> Rule {
    Rule::alert("AwsMfaDiscoveryFailing", Severity::Warning, OVERVIEW)
        .expr("count by (job) (aws_mfa_discovery_up == 0)")
        .wait("15m")
        .says(
            "An aws-mfa-exporter cannot find out which accounts to watch.",
            "Exporters of job {{ $labels.job }} that cannot list the accounts, cannot tell whose their credentials are, or have a \
             filter that matches nothing: {{ $value }}. They go on watching the accounts that they know. They may not see new \
             accounts.",
        )
}
