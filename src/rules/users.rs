//! Alerts on IAM users.

use super::{
    kit::Kit,
    rule::{ACCOUNT, Group, OVERVIEW, Rule, Severity},
};

/// An exporter that does not read users (any more) tells of none.
const NOT_READ: &str = "(aws_mfa_account_info unless on (account_id) aws_mfa_collector_up{collector=\"users\"})";

/// Too little is known of a user's devices. Passwords and keys may be unknown for good, where no credential report can
/// be read.
const UNKNOWN: &str = "aws_mfa_users_unknown{fact!~\"console_password|access_key\"}";

pub(super) fn group(kit: &Kit<'_>) -> Group {
    let mut rules = Vec::new();
    if kit.is_full() {
        rules.extend(["users", "console_users", "access_key_users"].map(|kind| unexempt(kit, kind)));
        rules.push(complete());
    }
    rules.push(console_users(kit));
    rules.extend(coverage_falling(kit));
    rules.extend([key_users(kit), unknown(kit), report_old(kit), exemption_expiring()]);
    Group { name: "aws-mfa-users", interval: "1m", rules }
}

/// How many users of a kind are without MFA beyond the exempt ones.
fn beyond_exempt(kind: &str) -> String {
    let metric = format!("aws_mfa_{kind}_without_mfa");
    format!("max by (account_id) (\n  {metric} - ({metric}_exempt or 0 * {metric})\n)")
}

fn unexempt(kit: &Kit<'_>, kind: &str) -> Rule {
    let name = format!("account:aws_mfa_{kind}_without_mfa:unexempt");
    let comment =
        "How many users are without MFA beyond the exempt ones, or what was last known of it. An exporter that does
        not read users (any more) remembers nothing.";
    let expr = format!(
        "{}\nor\n(\n  {}\n  and on (account_id) {}\n  unless on (account_id) {NOT_READ}\n)",
        beyond_exempt(kind),
        kit.last(&name),
        super::memory::SEEN,
    );
    Rule::record(name, if kind == "users" { comment } else { "" }, expr)
}

fn complete() -> Rule {
    Rule::record(
        "account:aws_mfa_users_without_mfa:complete",
        "The same, of the times at which the devices of every user were known: only with these is a later count compared.",
        format!("{}\nunless on (account_id) {UNKNOWN} > 0", beyond_exempt("users")),
    )
}

fn console_users(kit: &Kit<'_>) -> Rule {
    let count = kit.either(
        "{{ with printf \"account:aws_mfa_console_users_without_mfa:unexempt{account_id=%q} > 0\" $labels.account_id | query }}\
         {{ . | first | value }}{{ else }}one or more{{ end }}",
        "one or more",
    );
    let exempt = kit.either(
        "account:aws_mfa_console_users_without_mfa:unexempt <= 0",
        "max by (account_id) (aws_mfa_console_users_without_mfa - aws_mfa_console_users_without_mfa_exempt) <= 0",
    );
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
             > min_over_time(account:aws_mfa_users_without_mfa:complete[1d])
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
    let full = "account:aws_mfa_access_key_users_without_mfa:unexempt".to_owned();
    let series = if kit.is_full() { full } else { beyond_exempt("access_key_users") };
    Rule::alert("AwsMfaKeyUsersWithoutMfa", Severity::Info, ACCOUNT)
        .expr(format!("{series} > 0\n{}", kit.unless_control_exempt("IAM.19")))
        .wait("1h").says(
        "IAM users of an AWS account have an access key and no MFA device.",
        format!(
            "{}: IAM users who have an active access key and no MFA device, exempt ones not counted: {{{{ $value }}}}. \
             Whoever holds such a key needs no second factor.",
            kit.account()
        ),
    )
}

fn unknown(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaUsersUnknown", Severity::Warning, ACCOUNT)
        .about("While nothing at all is known of the users, AwsMfaControlUnknown tells of it.")
        .expr(format!(
            "min by (account_id) ({UNKNOWN}) > 0
             unless on (account_id)
               min by (account_id) (aws_mfa_control_status{{control=\"IAM.19\",status=\"unknown\"}}) == 1"
        ))
        .wait("2h")
        .says(
            "It is not known of all IAM users of an AWS account whether they have an MFA device.",
            format!(
                "{}: IAM users of whom it has not been known for two hours: {{{{ $value }}}}. What is counted of users is \
                 incomplete or absent. {}",
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
            "The exemption {{ $labels.exemption }} ends at {{ $value | humanizeTimestamp }}. From then on the alerts tell of \
             whatever it is for.",
        )
}
