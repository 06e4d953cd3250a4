//! What the full set records: what must not be forgotten while nobody exports it.
//!
//! A record is forgotten with its account: at once when the account is exported as
//! one that is not scanned, a day after a discovery that is up has dropped it, and
//! otherwise a week after its last sighting, counted by the newest sighting of any
//! account. While no exporter runs at all, nothing is forgotten.

mod root;

use super::{contacts, kit::Kit, rule::Rule};

/// When each account was last listed as one to watch, and by which exporter.
pub(super) const SEEN: &str = "account_job_instance:aws_mfa_account_last_seen_timestamp_seconds:max";
/// The accounts that nobody exports, because a discovery that is up has dropped them.
pub(super) const DROPPED: &str = "account:aws_mfa_account_dropped_timestamp_seconds:max";
/// When each account was first listed.
pub(super) const FIRST_SEEN: &str = "account:aws_mfa_account_first_seen_timestamp_seconds:min";
/// The same of the accounts that were listed after the first list of whoever exports them.
pub(super) const FIRST_SEEN_LATER: &str = "account:aws_mfa_account_first_seen_later_timestamp_seconds:max";
/// 1 where nobody can tell whether root has MFA, 0 where somebody can.
pub(super) const ROOT_UNKNOWN: &str = "account:aws_mfa_root_mfa_unknown:min";
/// When the outage began that an unknown account belongs to; 0 for one that was never read.
pub(super) const OUTAGE: &str = "account:aws_mfa_root_mfa_outage_timestamp_seconds:last";
/// Accounts of which root's MFA became unknown, and when it was last known.
const LAST_KNOWN: &str = "account:aws_mfa_root_mfa_last_known_timestamp_seconds:max";
const NEWEST_OUTAGE: &str = "organization:aws_mfa_root_mfa_outage_timestamp_seconds:last";
const NEWEST: &str = "organization:aws_mfa_account_last_seen_timestamp_seconds:last";
const MANAGEMENT: &str = "account:aws_mfa_management_account_info:group";

/// When root's devices were last seen to be others.
pub(super) const ROOT_DEVICES: &str = "account:aws_mfa_root_devices_changed_timestamp_seconds:max";
/// When root's e-mail address was last seen to be another.
pub(super) const ROOT_EMAIL: &str = "account:aws_mfa_root_email_changed_timestamp_seconds:max";
/// When root's MFA was last seen off, where it came on after that.
pub(super) const ON_AFTER_FAILURE: &str = "account:aws_mfa_root_mfa_on_after_failure_timestamp_seconds:last";
/// The accounts whose root user has no credentials, as far as was last known.
pub(super) const NOT_APPLICABLE: &str = "account:aws_mfa_root_mfa_not_applicable:last";

/// The controls that an exemption is for.
pub(super) const EXEMPT: &str = "account_control:aws_mfa_control_exemption_info:max";
/// The labels of each account.
pub(super) const LABELS: &str = "account:aws_mfa_account_labels:topk";

const DAY: u32 = 86_400;
const WEEK: u32 = 7 * DAY;

/// An account without root credentials is read every five minutes, and a reading may come a twentieth later. What was
/// last known within this time of each other can have become unknown by one cause.
const ONE_OUTAGE: u32 = 330;

/// Every record about accounts, in the order in which they need each other.
pub(super) fn of_accounts(kit: &Kit<'_>) -> Vec<Rule> {
    if !kit.is_full() {
        return Vec::new();
    }
    let mut rules = sightings(kit);
    rules.extend([info(kit), management(kit), exempt(kit)]);
    rules.extend(labels(kit));
    rules.extend(["last_protected", "last_failed"].map(|what| control(kit, what)));
    rules.push(failed());
    rules.extend(root::of_root(kit));
    rules.push(contacts::record(kit));
    rules.extend(root::outages(kit));
    rules
}

fn sightings(kit: &Kit<'_>) -> Vec<Rule> {
    let last = kit.last(SEEN);
    let newest = Rule::record(
        NEWEST,
        "When any account was last listed.",
        format!(
            "(vector(time()) and on () aws_mfa_account_info{{state=~\"scanned|refused\"}})\nor\n{}",
            kit.last(NEWEST)
        ),
    );
    let seen = Rule::record(
        SEEN,
        "When each account was last listed as one to watch, and by whom. While somebody exports the account, only those who
        do are recorded; after that, those who were the last. An account that is exported as suspended, closed, pending or
        excluded is forgotten at once, one that was dropped after a day, any other after a week.",
        format!(
            "max by (account_id, job, instance) (timestamp(aws_mfa_account_info{{state=~\"scanned|refused\"}}))
            or
            (
              {last}
              > on (account_id) group_left ()
              (
                max by (account_id) ({last}) - 120
                > scalar({NEWEST}) - {WEEK}
                unless on (account_id) aws_mfa_account_info
                unless on (account_id) {dropped} < scalar({NEWEST}) - {DAY}
              )
            )",
            dropped = kit.last(DROPPED),
        ),
    );
    let first = Rule::record(
        FIRST_SEEN,
        "When each account was first listed.",
        format!("({} and on (account_id) {SEEN})\nor\nmin by (account_id) ({SEEN})", kit.last(FIRST_SEEN)),
    );
    vec![newest, seen, first, first_later(), exporters_accounts(kit), shards(kit), shards_missing(), dropped()]
}

/// An account that an exporter did not have from the beginning. Each exporter has a
/// beginning of its own, so that one more of another organization makes no new accounts.
fn first_later() -> Rule {
    let of_exporter = format!("(0 * {SEEN} + on (account_id) group_left () {FIRST_SEEN})");
    Rule::record(
        FIRST_SEEN_LATER,
        "The accounts that were first listed an hour or more after the oldest account of the same exporter, and when.",
        format!(
            "max by (account_id) (
              {of_exporter}
              > on (job, instance) group_left ()
              (min by (job, instance) {of_exporter} + 3600)
            )"
        ),
    )
}

fn exporters_accounts(kit: &Kit<'_>) -> Rule {
    const NAME: &str = "job_instance:aws_mfa_account_info:count";
    Rule::record(
        NAME,
        "How many accounts each exporter watches, or watched when it was last there.",
        format!(
            "count by (job, instance) (aws_mfa_account_info{{state=~\"scanned|refused\"}})\nor\n(\n  {}\n  and on (job, instance) {SEEN}\n)",
            kit.last(NAME)
        ),
    )
}

fn shards(kit: &Kit<'_>) -> Rule {
    const NAME: &str = "job:aws_mfa_exporter_total_shards:max";
    Rule::record(
        NAME,
        "Among how many shards a job divides its accounts, or divided them when it was last there.",
        format!("max by (job) (aws_mfa_exporter_total_shards)\nor\n(\n  {}\n  and on (job) {SEEN}\n)", kit.last(NAME)),
    )
}

fn shards_missing() -> Rule {
    Rule::record(
        "job:aws_mfa_exporter_shards_missing:count",
        "How many shards of a job no exporter runs, if the job has more than one.",
        "(job:aws_mfa_exporter_total_shards:max > 1)
         - (
           count by (job) (group by (job, shard) (aws_mfa_exporter_shard_info))
           or
           0 * job:aws_mfa_exporter_total_shards:max
         )
         > 0",
    )
}

fn dropped() -> Rule {
    let gone = format!("{SEEN} unless on (account_id) aws_mfa_account_info");
    Rule::record(
        DROPPED,
        "The accounts that nobody exports any more, because a discovery that is up has dropped them: that of their own
        exporter; or, where their exporter was replaced, that of another exporter of the job, if most accounts of the old
        one are still exported. The value is when they were last seen. While shards are missing or disagree, nothing is said.",
        format!(
            "max by (account_id) (
              (
                (
                  {gone}
                  and on (job, instance) aws_mfa_discovery_up == 1
                )
                or
                (
                  {gone}
                  unless on (job, instance) aws_mfa_discovery_up
                  and on (job) aws_mfa_discovery_up == 1
                  and on (job, instance)
                    count by (job, instance) ({gone})
                    / job_instance:aws_mfa_account_info:count <= 0.5
                )
              )
              unless on (job) job:aws_mfa_exporter_shards_missing:count
              unless on (job) max by (job) (aws_mfa_exporter_total_shards) != min by (job) (aws_mfa_exporter_total_shards)
            )"
        ),
    )
}

fn info(kit: &Kit<'_>) -> Rule {
    const NAME: &str = "account:aws_mfa_account_info:topk";
    Rule::record(
        NAME,
        "One name for each account, the newest, also while it is being renamed. The value is when it was last seen.",
        format!(
            "topk by (account_id) (1, max by (account_id, account_name, ou) (timestamp(aws_mfa_account_info)))
            or on (account_id)
            (
              topk by (account_id) (1, {})
              and on (account_id) {SEEN}
            )",
            kit.last(NAME)
        ),
    )
}

fn management(kit: &Kit<'_>) -> Rule {
    Rule::record(
        MANAGEMENT,
        "The management accounts.",
        format!(
            "group by (account_id) (aws_mfa_management_account_info)
            or
            (
              {}
              and on (account_id) {SEEN}
              unless on (account_id) aws_mfa_account_info
            )",
            kit.last(MANAGEMENT)
        ),
    )
}

fn exempt(kit: &Kit<'_>) -> Rule {
    let last = kit.last(EXEMPT);
    Rule::record(
        EXEMPT,
        "The controls of accounts that an exemption is for, and when that was last so. The alerts leave them out, also while
        nobody exports the account, if it was so to the end.",
        format!(
            "max by (account_id, control) (timestamp(aws_mfa_control_exemption_info))
            or
            (
              {last}
              > on (account_id) group_left () (
                max by (account_id) ({SEEN}) - 120
                unless on (account_id) aws_mfa_account_info
              )
            )"
        ),
    )
}

/// The labels that a site wants its alerts to carry, if any.
fn labels(kit: &Kit<'_>) -> Option<Rule> {
    let names = kit.labels();
    let rule = Rule::record(
        LABELS,
        "The labels that alerts carry, of each account one row, the newest. The value is when it was last seen.",
        format!(
            "topk by (account_id) (1, max by (account_id, {}) (timestamp(aws_mfa_account_labels)))
            or on (account_id)
            (
              topk by (account_id) (1, {})
              and on (account_id) {SEEN}
            )",
            names.join(", "),
            kit.last(LABELS)
        ),
    );
    (!names.is_empty()).then_some(rule)
}

/// What a metric says, or last said of an account that is still remembered.
pub(super) fn kept(kit: &Kit<'_>, name: &str, comment: &str, labels: &str, metric: &str) -> Rule {
    let last = kit.last(name);
    let expr = format!("max by ({labels}) ({metric})\nor\n(\n  {last}\n  and on (account_id) {SEEN}\n)");
    Rule::record(name, comment, expr)
}

fn control(kit: &Kit<'_>, what: &str) -> Rule {
    let metric = format!("aws_mfa_control_{what}_timestamp_seconds");
    let name = format!("account_control:{metric}:max");
    let comment = match what {
        "last_failed" => "When each control that an alert asks about was last seen failed.",
        _ => "When each control that an alert asks about was last seen passed or not applicable.",
    };
    kept(kit, &name, comment, "account_id, control", &format!("{metric}{{control!=\"IAM.19\"}}"))
}

fn failed() -> Rule {
    Rule::record(
        "account_control:aws_mfa_control_failed_timestamp_seconds:last",
        "The controls whose last known verdict is failed, whatever is known now; the value is when they were last seen so.",
        "account_control:aws_mfa_control_last_failed_timestamp_seconds:max
         unless
         (
           account_control:aws_mfa_control_last_protected_timestamp_seconds:max
           >= account_control:aws_mfa_control_last_failed_timestamp_seconds:max
         )",
    )
}

/// The exporters that watch nothing, and when they were last seen so.
pub(super) fn nothing_watched(kit: &Kit<'_>) -> Rule {
    Rule::record(
        super::accounts::NOTHING_WATCHED,
        "The jobs of which an exporter watches no account at all, and when that was last seen. A shard may have none, if
        another shard of its job has one.",
        format!(
            "time() * group by (job) ({})\nor\n({} > time() - {WEEK} unless on (job) aws_mfa_exporter_snapshot_timestamp_seconds)",
            super::accounts::WATCHES_NOTHING,
            kit.last(super::accounts::NOTHING_WATCHED)
        ),
    )
}
