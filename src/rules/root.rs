//! Alerts on root users.

use super::{
    contacts,
    kit::Kit,
    memory,
    rule::{ACCOUNT, Group, Rule, Severity},
};

pub(super) fn group(kit: &Kit<'_>) -> Group {
    let mut rules = memory::of_accounts(kit);
    rules.extend([regressed(kit), key_appeared(kit), never_protected(kit)]);
    rules.extend(unknown(kit));
    rules.extend([on_after_failure(kit), devices_changed(kit), single_device(kit)]);
    rules.extend(contacts::alerts(kit));
    rules.extend([off(kit), key_present(kit), password_used(kit), hardware_missing(kit)]);
    Group { name: "aws-mfa-root", interval: "30s", rules }
}

/// The accounts in which the control was protected, and failed later.
fn came_to_fail(kit: &Kit<'_>, control: &str) -> String {
    let (protected, failed, exempt) = (kit.protected(control), kit.failed(control), kit.unless_exempt());
    format!("max by (account_id) (\n  {protected}\n  < {failed}\n  {exempt}\n)")
}

/// The accounts in which the control is failed, as far as is known.
fn is_failed(kit: &Kit<'_>, control: &str) -> String {
    format!("max by (account_id) (\n  {}\n  {}\n)", kit.is_failed(control), kit.unless_exempt())
}

fn regressed(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootMfaRegressed", Severity::Critical, ACCOUNT)
        .expr(came_to_fail(kit, "IAM.9"))
        .keep("10m")
        .says(
            "The root user of an AWS account was protected by MFA and no longer is.",
            format!(
                "{}: the root user has credentials and no MFA device. The exporter last saw it protected at \
                 {{{{ $value | humanizeTimestamp }}}}.",
                kit.account()
            ),
        )
}

fn key_appeared(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootKeyAppeared", Severity::Critical, ACCOUNT).expr(came_to_fail(kit, "IAM.4")).keep("10m").says(
        "The root user of an AWS account has an access key and did not have one before.",
        format!(
            "{}: the root user has an access key. The exporter last saw it without one at \
                 {{{{ $value | humanizeTimestamp }}}}.",
            kit.account()
        ),
    )
}

/// The full set counts from when the account was first listed. The simple one has no
/// record of that: it counts from the first answer, and by its own `for`.
fn never_protected(kit: &Kit<'_>) -> Rule {
    let (failed, protected) = (is_failed(kit, "IAM.9"), kit.protected("IAM.9"));
    let rule = Rule::alert("AwsMfaNewAccountRootMfaOff", Severity::Critical, ACCOUNT);
    let rule = if kit.is_full() {
        let expr = format!(
            "{failed}
             unless on (account_id) {protected}
             and on (account_id) (
               {first} <= time() - {unprotected}
               or
               {later} <= time() - {new}
             )",
            first = memory::FIRST_SEEN,
            later = memory::FIRST_SEEN_LATER,
            unprotected = kit.unprotected_grace(),
            new = kit.new_unprotected_grace(),
        );
        rule.expr(expr).keep("10m")
    } else {
        rule.expr(format!("{failed}\nunless on (account_id) {protected}")).wait(kit.unprotected_wait())
    };
    rule.about(
        "It was never protected, so it cannot have regressed. How long that may be so before it pages is decided by the site:
        once for the accounts that its exporter had from the beginning, once for those that were listed later.",
    )
    .says(
        "The root user of a newly watched AWS account is not protected by MFA.",
        format!(
            "{}: since the exporter first read it, its root user has had credentials and no MFA device. The last answer is of \
             {{{{ $value | humanizeTimestamp }}}}.",
            kit.account()
        ),
    )
}

/// A page, for the management account one of its own; and a ticket while an account
/// is new, because it is listed before it has a role.
fn unknown(kit: &Kit<'_>) -> Vec<Rule> {
    let management = kit.either("account:aws_mfa_management_account_info:group", "aws_mfa_management_account_info");
    let paging = paging(kit);
    let page = |name, set, summary| {
        Rule::alert(name, Severity::Critical, ACCOUNT)
            .expr(format!("({paging})\n{set} on (account_id) {management}"))
            .wait("5m")
            .keep("5m")
            .says(summary, unknown_says(kit))
    };
    let mut pages = vec![
        page(
            "AwsMfaManagementRootMfaUnknown",
            "and",
            "It is not known whether the root user of the management account is protected by MFA.",
        ),
        page(
            "AwsMfaRootMfaUnknown",
            "unless",
            "It is not known whether the root user of an AWS account is protected by MFA.",
        ),
    ];
    if kit.is_full() {
        let outage = "{{ if $value }}{{ $value | humanizeTimestamp }}{{ else }}never read{{ end }}";
        pages[1] = pages[1].clone().label("outage", outage).about(
            "The label says which outage it is: when the first account of it was last read. Alertmanager groups by it, so that
            a second outage is a second page.",
        );
    }
    pages.push(never_read(kit));
    pages
}

/// The accounts that are unknown and no longer new.
fn paging(kit: &Kit<'_>) -> String {
    if kit.is_full() {
        format!(
            "{outage}\nunless on (account_id)\n  ({first} > time() - {grace} unless on (account_id) {known})",
            outage = memory::OUTAGE,
            first = memory::FIRST_SEEN,
            grace = kit.grace(),
            known = kit.was_root_known(),
        )
    } else {
        let (unknown, known) = (kit.is_root_unknown(), kit.was_root_known());
        format!("{unknown} and on (account_id) {known} or {unknown} unless on (account_id) aws_mfa_account_info")
    }
}

fn unknown_says(kit: &Kit<'_>) -> String {
    let since = kit.either(
        "{{ if $value }}The outage began soon after {{ $value | humanizeTimestamp }}.\
         {{ else }}The account was never read.{{ end }}",
        "It was known before.",
    );
    format!(
        "{}: for five minutes no exporter has known whether the root user is protected by MFA. {since} {}",
        kit.account(),
        kit.faults()
    )
}

fn never_read(kit: &Kit<'_>) -> Rule {
    let (unknown, known) = (kit.is_root_unknown(), kit.was_root_known());
    let expr = match kit.is_full() {
        true => format!("{}\nand on (account_id) {unknown}\nunless on (account_id) {known}", memory::FIRST_SEEN),
        false => format!("{unknown}\nand on (account_id) aws_mfa_account_info\nunless on (account_id) {known}"),
    };
    let since = kit.either("The account was first listed at {{ $value | humanizeTimestamp }}. ", "");
    let days = kit.grace() / 3_600;
    let page = kit.either("After {} hours it pages. ", "").replace("{}", &days.to_string());
    Rule::alert("AwsMfaAccountNeverRead", Severity::Warning, ACCOUNT).expr(expr).wait("15m").says(
        "An AWS account is listed and was never read.",
        format!(
            "{}: no exporter has ever known whether its root user is protected by MFA. {since}{page}{}",
            kit.account(),
            kit.faults()
        ),
    )
}

fn off(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootMfaOff", Severity::Warning, ACCOUNT).expr(is_failed(kit, "IAM.9")).wait("5m").says(
        "The root user of an AWS account is not protected by MFA.",
        format!(
            "{}: the root user has credentials and no MFA device. The last answer is of \
                 {{{{ $value | humanizeTimestamp }}}}.",
            kit.account()
        ),
    )
}

/// The accounts in which MFA came on after it was off.
fn came_on(kit: &Kit<'_>) -> String {
    if kit.is_full() { memory::ON_AFTER_FAILURE.to_owned() } else { format!("({})", kit.came_on_after_failure()) }
}

fn on_after_failure(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootMfaOnAfterFailure", Severity::Critical, ACCOUNT)
        .about(
            "AWS makes whoever signs in as root register a device, an intruder too. So the page does not end because MFA is on:
            somebody has to say whose device it is, and silence it. It ends by itself after a week.",
        )
        .expr(format!("{} > time() - 7 * 86400\n{}", came_on(kit), kit.unless_control_exempt("IAM.9")))
        .says(
            "The root user of an AWS account was without MFA and has an MFA device now.",
            format!(
                "{}: somebody registered an MFA device for the root user after {{{{ $value | humanizeTimestamp }}}}, when it was \
                 last seen without one. Find out who, then silence this alert.",
                kit.account()
            ),
        )
}

/// While root's MFA is off, and after that, other alerts say so. A root user without
/// credentials needs no device.
fn devices_changed(kit: &Kit<'_>) -> Rule {
    let removed = kit.either(
        memory::NOT_APPLICABLE,
        "last_over_time(aws_mfa_control_status{control=\"IAM.9\",status=\"not_applicable\"}[5m]) == 1",
    );
    Rule::alert("AwsMfaRootDevicesChanged", Severity::Critical, ACCOUNT)
        .expr(format!(
            "{changed} > time() - 86400
             unless on (account_id) {failed}
             unless on (account_id) {on}
             unless on (account_id) {removed}
             {exempt}",
            changed = kit.root_devices_changed(),
            failed = kit.is_failed("IAM.9"),
            on = came_on(kit),
            exempt = kit.unless_control_exempt("IAM.9"),
        ))
        .says(
            "The MFA devices of the root user of an AWS account have changed.",
            format!(
                "{}: the root user has other MFA devices than before. The exporter first saw them at \
                 {{{{ $value | humanizeTimestamp }}}}. This alert ends by itself a day after that.",
                kit.account()
            ),
        )
}

fn single_device(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootSingleDevice", Severity::Warning, ACCOUNT)
        .about(
            "Only where all of root's devices are known: what is not virtual may be a user's, unless root was audited, which
            gives each kind a series.",
        )
        .expr(format!(
            "sum by (account_id) (max by (account_id, kind) (last_over_time(aws_mfa_root_devices[1h]))) == 1
             and on (account_id) last_over_time(aws_mfa_root_devices{{kind=~\"not_virtual|fido\"}}[1h])
             and on (account_id) last_over_time(aws_mfa_root_mfa_enabled[1h]) == 1
             {}",
            kit.unless_control_exempt("IAM.9")
        ))
        .wait("1h")
        .says(
            "The root user of an AWS account has a single MFA device.",
            format!(
                "{}: the root user has one MFA device. If it is lost, nobody can sign in as root without AWS Support. AWS \
                 recommends two or more.",
                kit.account()
            ),
        )
}

fn key_present(kit: &Kit<'_>) -> Rule {
    let series = kit.either(
        "account_credential:aws_mfa_root_credential_present:max{credential=~\"access_key|signing_certificate\"}",
        "max by (account_id, credential) (
           last_over_time(aws_mfa_root_credential_present{credential=~\"access_key|signing_certificate\"}[1h])
         )",
    );
    Rule::alert("AwsMfaRootKeyPresent", Severity::Warning, ACCOUNT)
        .expr(format!("{series} == 1\n{}", kit.unless_control_exempt("IAM.4")))
        .wait("5m").says(
        "The root user of an AWS account has an access key or a signing certificate.",
        format!(
            "{}: the root user has a credential of the kind {{{{ $labels.credential }}}}. Whoever holds it needs no second \
             factor.",
            kit.account()
        ),
    )
}

fn password_used(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootPasswordUsed", Severity::Warning, ACCOUNT)
        .expr("max by (account_id) (aws_mfa_root_password_last_used_timestamp_seconds) > time() - 86400")
        .says(
            "Somebody signed in as the root user of an AWS account within the last day.",
            format!(
                "{}: somebody signed in with the root user's password at {{{{ $value | humanizeTimestamp }}}}.",
                kit.account()
            ),
        )
}

fn hardware_missing(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaRootHardwareMfaMissing", Severity::Info, ACCOUNT)
        .expr(format!(
            "{}\nunless on (account_id) {}",
            is_failed(kit, "IAM.6"),
            kit.is_failed("IAM.9")
        ))
        .wait("15m")
        .says(
            "The root user of an AWS account has a virtual MFA device instead of a hardware key.",
            format!(
                "{}: the root user owns a virtual MFA device. The last answer is of {{{{ $value | humanizeTimestamp }}}}.",
                kit.account()
            ),
        )
}
