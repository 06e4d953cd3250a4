//! Alerts on IAM users.
//!
//! A count is exported only while it is known of every user. While it is not, an
//! alert stays with what was last known, and `AwsMfaUsersUnknown` tells that nobody
//! knows: no alert ends because a count is missing.

use super::{
    kit::Kit,
    rule::{ACCOUNT, Group, OVERVIEW, Rule, Severity},
};

/// An exporter that does not read users (any more) tells of none.
const NOT_READ: &str = "(aws_mfa_account_info unless on (account_id) aws_mfa_collector_up{collector=\"users\"})";

/// The accounts whose users somebody reads.
const READ: &str = "aws_mfa_collector_up{collector=\"users\"}";

/// For how long the simple set stays with a count that is not known any more: until AwsMfaUsersUnknown tells of it.
const STAYS: &str = "[9h]";

pub(super) fn group(kit: &Kit<'_>) -> Group {
    let mut rules = Vec::new();
    if kit.is_full() {
        rules.extend(["users", "console_users", "access_key_users"].map(|kind| unexempt(kit, kind)));
    }
    rules.push(console_users(kit));
    rules.extend(coverage_falling(kit));
    rules.extend([key_users(kit), unknown(kit), report_old(kit), exemption_expiring()]);
    Group { name: "aws-mfa-users", interval: "1m", rules }
}

/// How many users of a kind are without MFA beyond the exempt ones: now, or as last known within `range`.
fn beyond_exempt(kind: &str, range: &str) -> String {
    let each = |end: &str| {
        let metric = format!("aws_mfa_{kind}_without_mfa{end}");
        if range.is_empty() { metric } else { format!("last_over_time({metric}{range})") }
    };
    let (all, exempt) = (each(""), each("_exempt"));
    format!("max by (account_id) (\n  {all} - ({exempt} or 0 * {all})\n)")
}

/// The same, as an alert asks it.
fn last_known(kit: &Kit<'_>, kind: &str) -> String {
    match kit.is_full() {
        true => format!("account:aws_mfa_{kind}_without_mfa:unexempt"),
        false => beyond_exempt(kind, STAYS),
    }
}

fn unexempt(kit: &Kit<'_>, kind: &str) -> Rule {
    let name = format!("account:aws_mfa_{kind}_without_mfa:unexempt");
    let comment =
        "How many users are without MFA beyond the exempt ones, or what was last known of it, because a count is absent
        while it is not known of every user. An exporter that does not read users (any more) remembers nothing.";
    let expr = format!(
        "{}\nor\n(\n  {}\n  and on (account_id) {}\n  unless on (account_id) {NOT_READ}\n)",
        beyond_exempt(kind, ""),
        kit.last(&name),
        super::memory::SEEN,
    );
    Rule::record(name, if kind == "users" { comment } else { "" }, expr)
}

fn console_users(kit: &Kit<'_>) -> Rule {
    let count = kit.either(
        "{{ with printf \"account:aws_mfa_console_users_without_mfa:unexempt{account_id=%q} > 0\" $labels.account_id | query }}\
         {{ . | first | value }}{{ else }}one or more{{ end }}",
        "one or more",
    );
    let exempt = format!("{} <= 0", last_known(kit, "console_users"));
    Rule::alert("AwsMfaConsoleUsersWithoutMfa", Severity::Warning, ACCOUNT)
        .about(
            "The verdict decides, and the count says how many: it is absent while it is not known of every user. All of them may
            be exempt.",
        )
        .expr(format!(
            "max by (account_id) (\n  {}\n  {}\n)\nunless on (account_id) {exempt}\nunless on (account_id) {NOT_READ}",
            kit.is_failed("IAM.5"),
            kit.unless_exempt(),
        ))
        .wait("15m")
        .says(
            "IAM users of an AWS account can sign in to the console with a password alone.",
            format!(
                "{}: IAM users who have a console password and no MFA device, exempt ones not counted: {count}.",
                kit.account()
            ),
        )
}

/// Without records there is nothing to compare with.
fn coverage_falling(kit: &Kit<'_>) -> Option<Rule> {
    let rule = Rule::alert("AwsMfaCoverageFalling", Severity::Warning, ACCOUNT)
        .expr(format!(
            "account:aws_mfa_users_without_mfa:unexempt
             > min_over_time(account:aws_mfa_users_without_mfa:unexempt[1d])
             {}",
            kit.unless_control_exempt("IAM.19")
        ))
        .wait("30m")
        .says(
            "More IAM users of an AWS account are without MFA than within the last day.",
            format!(
                "{}: IAM users who have no MFA device, exempt ones not counted: {{{{ $value }}}}. Within the last day there \
                 were fewer.",
                kit.account()
            ),
        );
    kit.is_full().then_some(rule)
}

fn key_users(kit: &Kit<'_>) -> Rule {
    let series = last_known(kit, "access_key_users");
    let read = kit.either("", &format!("\nunless on (account_id) {NOT_READ}")).to_owned();
    Rule::alert("AwsMfaKeyUsersWithoutMfa", Severity::Info, ACCOUNT)
        .expr(format!("{series} > 0{read}\n{}", kit.unless_control_exempt("IAM.19")))
        .wait("1h")
        .says(
            "IAM users of an AWS account have an access key and no MFA device.",
            format!(
                "{}: IAM users who have an active access key and no MFA device, exempt ones not counted: {{{{ $value }}}}. \
                 Whoever holds such a key needs no second factor.",
                kit.account()
            ),
        )
}

fn unknown(kit: &Kit<'_>) -> Rule {
    let facts = kit.either(
        "Not known: {{ range $n, $one := printf \"min by (fact) \
         (aws_mfa_users_unknown{account_id=%q}) > 0\" $labels.account_id | query | sortByLabel \"fact\" }}\
         {{ if $n }}, {{ end }}{{ $one.Labels.fact }} ({{ $one.Value }}){{ else }}which users there are{{ end }}.",
        "The metric aws_mfa_users_unknown has the numbers.",
    );
    Rule::alert("AwsMfaUsersUnknown", Severity::Warning, ACCOUNT)
        .about(
            "A count is absent unless it is known for every user. Only the credential report says which users have a
            key. A user who is newer than the report is in the next one, hence the six hours. If there is no report,
            AwsMfaCredentialReportOld fires. If nothing is known about the users, AwsMfaControlUnknown fires.",
        )
        .expr(format!(
            "group by (account_id) (
               (
                 {READ}
                 unless on (account_id) (
                   aws_mfa_users_without_mfa
                   and on (account_id) aws_mfa_console_users_without_mfa
                 )
               )
               or
               (
                 {READ}
                 and on (account_id) (aws_mfa_source_timestamp_seconds{{source=\"credential_report\"}} > time() - 5 * 3600)
                 unless on (account_id) last_over_time(aws_mfa_access_key_users_without_mfa[6h])
               )
             )
             unless on (account_id)
               min by (account_id) (aws_mfa_control_status{{control=\"IAM.19\",status=\"unknown\"}}) == 1"
        ))
        .wait("2h")
        .says(
            "It is not known for every IAM user of an AWS account whether MFA protects the user.",
            format!(
                "{}: the exporter does not know of every IAM user what it counts, so a count is absent. {facts} Alerts on users stay \
                 with what was last known. {}",
                kit.account(),
                kit.fault_of("\"users\"")
            ),
        )
}

fn report_old(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaCredentialReportOld", Severity::Warning, ACCOUNT)
        .expr(
            "group by (account_id) (aws_mfa_collector_up{collector=\"users\"})
             unless on (account_id) (aws_mfa_source_timestamp_seconds{source=\"credential_report\"} > time() - 5 * 3600)",
        )
        .wait("30m")
        .says(
            "The credential report of an AWS account is missing or older than five hours.",
            format!(
                "{}: there is no credential report that may be used. {}",
                kit.account(),
                kit.fault_of("\"users\"")
            ),
        )
}

fn exemption_expiring() -> Rule {
    Rule::alert("AwsMfaExemptionExpiring", Severity::Warning, OVERVIEW)
        .expr("min by (exemption) (aws_mfa_exemption_expiry_timestamp_seconds) < time() + 14 * 86400")
        .wait("5m")
        .says(
            "An exemption from MFA ends within two weeks, or has ended.",
            "The exemption {{ $labels.exemption }} ends at {{ $value | humanizeTimestamp }}. From then on the alerts fire again \
             for what it covers.",
        )
}
