//! Alerts on the exporter itself: whether it is there, and whether it can work.

use super::{
    accounts, events,
    kit::Kit,
    memory,
    rule::{ACCOUNT, EXPORTER, EXPORTER_OF_JOB, Group, Rule, Severity},
};

const TARGETS_DOWN: &str = "job:aws_mfa_exporter_targets_down:count";

pub(super) fn group(kit: &Kit<'_>) -> Group {
    let mut rules = Vec::new();
    if kit.is_full() {
        rules.push(targets_down(kit));
        rules.push(memory::nothing_watched(kit));
    }
    rules.extend([absent(), check_old(kit), shard_missing(kit), shard_mismatch()]);
    rules.extend(accounts::alerts(kit));
    rules.extend([down(kit), tick_stopped(), throttled(kit), reload_failed(), web_reload_failed()]);
    rules.extend([certificate_expires(), state_not_written(), panicked()]);
    rules.extend(events::alerts(kit));
    Group { name: "aws-mfa-exporter", interval: "30s", rules }
}

fn down_expr(kit: &Kit<'_>) -> String {
    format!(
        "count by (job) (
           up{{job=~\"{}\"}} == 0
           or
           (up == 0 and on (job, instance) last_over_time(aws_mfa_exporter_build_info[1d]))
         )",
        kit.job()
    )
}

fn targets_down(kit: &Kit<'_>) -> Rule {
    Rule::record(
        TARGETS_DOWN,
        "Targets that are down and are exporters, because they were within the last day, or because their job is called so:
        the flag --job says how. Without it nobody sees an exporter that never came up while another one runs.",
        down_expr(kit),
    )
}

fn absent() -> Rule {
    Rule::alert("AwsMfaExporterAbsent", Severity::Critical, EXPORTER)
        .about("Fires only if Prometheus scraped an exporter within the last week. If only cron runs checks, it does not fire.")
        .expr(
            "absent(aws_mfa_exporter_snapshot_timestamp_seconds)
             unless on () (
               aws_mfa_check_timestamp_seconds
               unless on () present_over_time(aws_mfa_exporter_snapshot_timestamp_seconds[7d])
             )",
        )
        .wait("2m")
        .says(
            "Prometheus scrapes no aws-mfa-exporter, so nobody watches root MFA.",
            "For two minutes Prometheus has had no sample of any aws-mfa-exporter. Either none runs, or Prometheus cannot reach \
             or does not scrape it, or it answers 503 because its verdicts have grown old.",
        )
}

fn check_old(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaCheckOld", Severity::Critical, ACCOUNT)
        .about(
            "Where cron runs `check --output prometheus` for the textfile collector of node_exporter. What a file says stays
            what it was, so no other alert fires when a cron job has ended.",
        )
        .expr(format!("time() - max by (account_id) (aws_mfa_check_timestamp_seconds) > {}", kit.check_age()))
        .wait("5m")
        .says(
            "Nobody checks an AWS account any more, and its last verdicts are still shown.",
            format!(
                "{}: the last `aws-mfa-exporter check` was {{{{ $value | humanizeDuration }}}} ago. The cron job has failed or \
                 ended, or cannot read the account.",
                kit.account()
            ),
        )
}

fn shard_missing(kit: &Kit<'_>) -> Rule {
    let now = "max by (job) (aws_mfa_exporter_total_shards) - count by (job) (group by (job, shard) (aws_mfa_exporter_shard_info)) > 0";
    let present = kit.either(
        " Present: {{ range $n, $one := printf \"group by (shard) (aws_mfa_exporter_shard_info{job=%q})\" $labels.job | query | \
         sortByLabel \"shard\" }}{{ if $n }}, {{ end }}{{ $one.Labels.shard }}{{ else }}none{{ end }}.",
        "",
    );
    Rule::alert("AwsMfaShardMissing", Severity::Critical, EXPORTER_OF_JOB)
        .expr(kit.either("job:aws_mfa_exporter_shards_missing:count", now))
        .wait("5m")
        .says(
            "A shard of aws-mfa-exporter is missing, so nobody watches its accounts.",
            format!("Shards of job {{{{ $labels.job }}}} that Prometheus does not scrape: {{{{ $value }}}}.{present}"),
        )
}

fn shard_mismatch() -> Rule {
    Rule::alert("AwsMfaShardMismatch", Severity::Critical, EXPORTER_OF_JOB)
        .expr("max by (job) (aws_mfa_exporter_total_shards) != min by (job) (aws_mfa_exporter_total_shards)")
        .wait("15m")
        .says(
            "Shards of aws-mfa-exporter disagree on how many they are, so no exporter may be watching some accounts.",
            "For a quarter of an hour some exporters of job {{ $labels.job }} have divided the accounts among {{ $value }} shards, \
             and others among fewer.",
        )
}

fn down(kit: &Kit<'_>) -> Rule {
    let expr = if kit.is_full() { TARGETS_DOWN.to_owned() } else { down_expr(kit) };
    Rule::alert("AwsMfaExporterDown", Severity::Warning, EXPORTER_OF_JOB).expr(expr).wait("5m").says(
        "A target of aws-mfa-exporter cannot be scraped.",
        "Targets of job {{ $labels.job }} that are down: {{ $value }}. If accounts are unwatched because of \
         this, another alert fires.",
    )
}

fn tick_stopped() -> Rule {
    Rule::alert("AwsMfaTickStopped", Severity::Warning, EXPORTER_OF_JOB)
        .expr(
            "max by (job) (
               abs(timestamp(aws_mfa_exporter_snapshot_timestamp_seconds) - aws_mfa_exporter_snapshot_timestamp_seconds)
             ) > 30",
        )
        .keep("10m")
        .says(
            "An aws-mfa-exporter serves old verdicts, or its clock is wrong.",
            "When Prometheus scraped an exporter of job {{ $labels.job }}, its verdicts were {{ $value | humanizeDuration }} from \
             Prometheus's clock. At 60 seconds the exporter answers 503.",
        )
}

fn throttled(kit: &Kit<'_>) -> Rule {
    let which = kit.either(
        "Accounts in which a collector is down because of it: {{ range $n, $one := query \"topk(5, group by (account_id) \
         (aws_mfa_collector_fault{fault=\\\"throttled\\\"}))\" | sortByLabel \"account_id\" }}{{ if $n }}, {{ end }}\
         {{ $one.Labels.account_id }}{{ else }}none{{ end }}.",
        "The metric aws_mfa_collector_fault says in which accounts.",
    );
    Rule::alert("AwsMfaThrottled", Severity::Warning, EXPORTER)
        .expr(
            "sum by (service) (rate(aws_mfa_exporter_aws_request_failures_total{fault=\"throttled\"}[15m]))
             / sum by (service) (rate(aws_mfa_exporter_aws_requests_total[15m]))
             > 0.05",
        )
        .wait("15m")
        .says(
            "AWS throttles more than a twentieth of the requests of aws-mfa-exporter.",
            format!("Share of the requests to {{{{ $labels.service }}}} that AWS throttles: {{{{ $value | humanizePercentage }}}}. {which}"),
        )
}

fn reload_failed() -> Rule {
    Rule::alert("AwsMfaReloadFailed", Severity::Warning, EXPORTER_OF_JOB)
        .expr("count by (job) (aws_mfa_exporter_config_last_reload_successful == 0)")
        .wait("5m")
        .says(
            "An aws-mfa-exporter could not use its configuration file and goes on with the last good one.",
            "Exporters of job {{ $labels.job }} that could not use their configuration file when they last read it: {{ $value }}.",
        )
}

fn web_reload_failed() -> Rule {
    Rule::alert("AwsMfaWebReloadFailed", Severity::Warning, EXPORTER_OF_JOB)
        .expr("count by (job) (aws_mfa_exporter_web_config_last_reload_successful == 0)")
        .wait("5m")
        .says(
            "An aws-mfa-exporter could not use its web configuration or a certificate and goes on with the last good ones.",
            "Exporters of job {{ $labels.job }} that could not use their web configuration, or a certificate that it names, when \
             they last read it: {{ $value }}.",
        )
}

fn certificate_expires() -> Rule {
    Rule::alert("AwsMfaCertificateExpires", Severity::Warning, EXPORTER_OF_JOB)
        .about(
            "Who renews certificates does it long before: Let's Encrypt's clients a month, cert-manager a third of the
            lifetime.",
        )
        .expr("min by (job, certificate) (aws_mfa_exporter_web_certificate_expiry_timestamp_seconds) - time() < 7 * 86400")
        .wait("1h")
        .says(
            "A TLS certificate of aws-mfa-exporter expires within a week, and scrapes will fail then.",
            "The certificate {{ $labels.certificate }} of job {{ $labels.job }} expires in {{ $value | humanizeDuration }}.",
        )
}

fn state_not_written() -> Rule {
    Rule::alert("AwsMfaStateNotWritten", Severity::Warning, EXPORTER_OF_JOB)
        .about("If a disk hangs, no write fails, so the rule also looks at the time. The longest interval is an hour.")
        .expr(
            "count by (job) (
               aws_mfa_exporter_state_last_write_successful == 0
               or
               time() - aws_mfa_exporter_state_last_write_success_timestamp_seconds > 7200
             )",
        )
        .wait("15m")
        .says(
            "An aws-mfa-exporter cannot write its state file.",
            "Exporters of job {{ $labels.job }} that have not been able to write their state files for a quarter of an hour: \
             {{ $value }}. A restart would forget what was learnt since, also that a control failed after it was protected.",
        )
}

fn panicked() -> Rule {
    Rule::alert("AwsMfaTaskPanicked", Severity::Warning, EXPORTER)
        .about("increase() does not see the first panic, because the counter appears with it.")
        .expr(
            "sum by (task) (
               increase(aws_mfa_exporter_task_panics_total[1h]) > 0
               or
               (aws_mfa_exporter_task_panics_total > 0 unless aws_mfa_exporter_task_panics_total offset 1h)
             )",
        )
        .says(
            "A task of aws-mfa-exporter panicked, which is a bug.",
            "The task {{ $labels.task }} panicked within the last hour. The exporter has started it again.",
        )
}
