//! Alerts on the queues that events come from. Without them no verdict is wrong: a
//! change shows later.

use super::{
    kit::Kit,
    rule::{ACCOUNT, EXPORTER_OF_JOB, Rule, Severity},
};

pub(super) fn alerts(kit: &Kit<'_>) -> [Rule; 5] {
    [down(kit), not_events(), silent(), takeover(kit), activity(kit)]
}

fn down(kit: &Kit<'_>) -> Rule {
    let why = kit.either(
        " Fault: {{ range $n, $one := printf \"group by (fault) (aws_mfa_events_fault{job=%q,queue=%q})\" $labels.job \
         $labels.queue | query | sortByLabel \"fault\" }}{{ if $n }}, {{ end }}{{ $one.Labels.fault }}{{ else }}none\
         {{ end }}.",
        " The metric aws_mfa_events_fault says why.",
    );
    Rule::alert("AwsMfaEventsDown", Severity::Warning, EXPORTER_OF_JOB)
        .expr("min by (job, queue) (aws_mfa_events_up) == 0")
        .wait("10m")
        .keep("10m")
        .says(
            "An aws-mfa-exporter cannot read the queue that events come from, so changes show later.",
            format!(
                "For ten minutes an exporter of job {{{{ $labels.job }}}} has not been able to receive or delete messages of \
                 {{{{ $labels.queue }}}}. It reads every account at the usual intervals.{why}"
            ),
        )
}

fn not_events() -> Rule {
    Rule::alert("AwsMfaEventsNotUsable", Severity::Warning, EXPORTER_OF_JOB)
        .expr(
            "sum by (job, queue, reason) (increase(aws_mfa_events_dropped_total{reason!~\"unasked|unwatched\"}[1h])) > 0",
        )
        .wait("5m")
        .says(
            "A queue of aws-mfa-exporter receives messages that are not events.",
            "Messages of {{ $labels.queue }} within the last hour that are no events of EventBridge ({{ $labels.reason }}): \
             {{ $value | humanize }}. Either a rule or a topic is set up wrongly, or somebody else can send to this queue.",
        )
}

/// How old the last echo of an account may be, in seconds: an account without root
/// credentials is read every five minutes, and AWS may take its time.
const ECHO_AGE: u32 = 1_800;

fn silent() -> Rule {
    Rule::alert("AwsMfaEventsSilent", Severity::Warning, EXPORTER_OF_JOB)
        .about(
            "Only where echoes are expected: where --collector.root.interval-with-events goes by them, or where one of any
            account is known within the last day. An account that cannot be read has no echo; other alerts tell of it.",
        )
        .expr(format!(
            "count by (job) (
               time() - min by (job, account_id) (aws_mfa_events_last_echo_timestamp_seconds) > {ECHO_AGE}
               and on (job, account_id) aws_mfa_collector_up{{collector=\"root\"}} == 1
               and on (job) (
                 max by (job) (max_over_time(aws_mfa_events_last_echo_timestamp_seconds[1d])) > 0
                 or group by (job) (aws_mfa_events_interval_in_force)
               )
             )"
        ))
        .wait("15m")
        .keep("10m")
        .says(
            "Events of AWS accounts do not arrive, so changes in these accounts show later.",
            "Accounts of job {{ $labels.job }} from which no event has come back for half an hour, although the exporter has \
             read them: {{ $value }}. A trail, a rule, its role or the queue does not work. The exporter reads these accounts \
             at the usual intervals.",
        )
}

/// For how long it is told of what an event has reported of root, in seconds. It is
/// remembered as long if the exporter is restarted meanwhile.
const REPORTED: u32 = 3_600;

/// What somebody does who takes root over, and nobody else often.
const TAKEOVER: &str = "email_changed|password_recovery_completed|sign_in_without_mfa";

fn reported(matcher: &str) -> String {
    format!(
        "time() - max by (account_id, sign) (
           max_over_time(aws_mfa_events_root_reported_timestamp_seconds{{sign{matcher}}}[1h])
         ) < {REPORTED}"
    )
}

fn takeover(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootTakeoverReported", Severity::Critical, ACCOUNT)
        .about(
            "Only with --events.root-signs. Somebody who can send to the queue can forge such an event: look in CloudTrail of the
            account.",
        )
        .expr(reported(&format!("=~\"{TAKEOVER}\"")))
        .says(
            "An event reports of an AWS root user what is seldom done, and what an intruder does.",
            format!(
                "{}: within the last hour an event reported {{{{ $labels.sign }}}} of root. The exporter cannot verify it: \
                 look in CloudTrail of the account.",
                kit.account()
            ),
        )
}

fn activity(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootActivityReported", Severity::Warning, ACCOUNT)
        .about("Only with --events.root-signs. The same for what is done on purpose as well.")
        .expr(reported(&format!("!~\"{TAKEOVER}\"")))
        .says(
            "An event reports that somebody used an AWS root user, or prepares to.",
            format!(
                "{}: within the last hour an event reported {{{{ $labels.sign }}}}. The exporter cannot verify it: look in \
                 CloudTrail of the account.",
                kit.account()
            ),
        )
}
