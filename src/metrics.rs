//! The catalogue: every metric the exporter can export, once.
//!
//! Rendering, the generated metrics page, the golden files, the rules and the
//! dashboards are all checked against this table, so a name, a help text or a
//! label exists in one place only.

pub mod exporter_metrics;
pub mod render;
mod rows;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that can fall.
    Gauge,
    /// A count of events since the start of the process.
    Counter,
    /// A distribution of durations.
    Histogram,
}

/// What users may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Name, labels and meaning stay until the next major version.
    Stable,
    /// May change in a minor version, with a line in the changelog.
    Experimental,
}

/// One metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, in both formats as the samples carry it.
    pub name: &'static str,
    /// One sentence or two: what it is, where it comes from, when it is absent.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What users may rely on.
    pub stability: Stability,
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, help, kind: Kind::Gauge, labels, stability: Stability::Stable }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, help, kind: Kind::Counter, labels, stability: Stability::Stable }
}

/// The label value of `account_id` while it is not known whose the credentials are.
pub const UNIDENTIFIED: &str = "unknown";

pub(crate) const ACCESS_KEY_USERS_WITHOUT_MFA: Metric = gauge(
    "aws_mfa_access_key_users_without_mfa",
    &["account_id"],
    "How many IAM users are known to have an active access key (credential report) and no MFA device: single-factor API access. Absent while the users are not known.",
);
pub(crate) const ACCESS_KEY_USERS_WITHOUT_MFA_EXEMPT: Metric = gauge(
    "aws_mfa_access_key_users_without_mfa_exempt",
    &["account_id"],
    "How many of aws_mfa_access_key_users_without_mfa an exemption is for.",
);
pub(crate) const ACCOUNT_INFO: Metric = gauge(
    "aws_mfa_account_info",
    &["account_id", "account_name", "partition", "ou", "state"],
    "An account that the exporter knows of, with its name and its state: scanned, refused (its credentials are another account's), excluded by the configuration, or, as AWS Organizations says, suspended, closed or pending. The partition is empty until credentials have proved it. Always 1.",
);
pub(crate) const ACCOUNTS: Metric = gauge("aws_mfa_accounts", &["state"], "How many accounts are in each state.");
pub(crate) const COLLECTOR_DURATION: Metric = gauge(
    "aws_mfa_collector_duration_seconds",
    &["account_id", "collector"],
    "How long the collector's last run in this account took, confirmation and retries included.",
);
pub(crate) const COLLECTOR_FAULT: Metric = gauge(
    "aws_mfa_collector_fault",
    &["account_id", "collector", "fault"],
    "Why the collector is down in this account, by class. Present only while it is down; always 1.",
);
pub(crate) const COLLECTOR_INTERVAL: Metric = gauge(
    "aws_mfa_collector_interval_seconds",
    &["collector"],
    "How often the collector is configured to run. The root heartbeat is five times slower in accounts without root credentials.",
);
pub(crate) const COLLECTOR_LAST_ATTEMPT: Metric = gauge(
    "aws_mfa_collector_last_attempt_timestamp_seconds",
    &["account_id", "collector"],
    "When the collector's last finished run in this account began; 0 before the first.",
);
pub(crate) const COLLECTOR_LAST_SUCCESS: Metric = gauge(
    "aws_mfa_collector_last_success_timestamp_seconds",
    &["account_id", "collector"],
    "When the collector's last run without a fault in this account began; 0 before the first.",
);
pub(crate) const COLLECTOR_UP: Metric = gauge(
    "aws_mfa_collector_up",
    &["account_id", "collector"],
    "Whether the collector's last run in this account was recent and without a fault.",
);
pub(crate) const CONSOLE_USERS: Metric = gauge(
    "aws_mfa_console_users",
    &["account_id"],
    "How many IAM users are known to have a console password (credential report, or GetLoginProfile where that was asked). Absent while the users are not known.",
);
pub(crate) const CONSOLE_USERS_WITHOUT_MFA: Metric = gauge(
    "aws_mfa_console_users_without_mfa",
    &["account_id"],
    "How many IAM users are known to have a console password and no MFA device: those that IAM.5 fails for. Absent while the users are not known.",
);
pub(crate) const CONSOLE_USERS_WITHOUT_MFA_EXEMPT: Metric = gauge(
    "aws_mfa_console_users_without_mfa_exempt",
    &["account_id"],
    "How many of aws_mfa_console_users_without_mfa an exemption is for.",
);
pub(crate) const CONTROL_AS_OF: Metric = gauge(
    "aws_mfa_control_as_of_timestamp_seconds",
    &["account_id", "control"],
    "When the oldest fact that the verdict rests on was read from AWS. Absent while the verdict is unknown.",
);
pub(crate) const CONTROL_LAST_FAILED: Metric = gauge(
    "aws_mfa_control_last_failed_timestamp_seconds",
    &["account_id", "control"],
    "As-of time of the last answer judged failed. Absent if there was none since the exporter started; it does not age.",
);
pub(crate) const CONTROL_LAST_PROTECTED: Metric = gauge(
    "aws_mfa_control_last_protected_timestamp_seconds",
    &["account_id", "control"],
    "As-of time of the last answer judged passed or not_applicable. Absent if there was none since the exporter started; it does not age.",
);
pub(crate) const CONTROL_STATUS: Metric = gauge(
    "aws_mfa_control_status",
    &["account_id", "control", "status"],
    "Verdict on a Security Hub control: exactly one of passed, failed, not_applicable, unknown is 1. Read from AWS in the background, see the as-of time. IAM.9 is not_applicable without root credentials (Security Hub prints PASSED) and in GovCloud, and failed for a root user with only an access key; IAM.6 cannot tell a synced passkey from a hardware key; IAM.5 may take up to four and a half hours to see a new password of a user without a device.",
);
pub(crate) const DISCOVERY_LAST_SUCCESS: Metric = gauge(
    "aws_mfa_discovery_last_success_timestamp_seconds",
    &[],
    "When it was last found out which accounts to watch, for a single account: whose the credentials are; 0 before the first time.",
);
pub(crate) const DISCOVERY_UP: Metric = gauge(
    "aws_mfa_discovery_up",
    &[],
    "Whether it could be found out which accounts to watch, for a single account: whose the credentials are.",
);
pub(crate) const EXEMPTION_EXPIRY: Metric = gauge(
    "aws_mfa_exemption_expiry_timestamp_seconds",
    &["exemption"],
    "When a configured exemption ends. Exemptions without an end have none.",
);
pub(crate) const INITIAL_PASS_COMPLETE: Metric = gauge(
    "aws_mfa_exporter_initial_pass_complete",
    &[],
    "Whether every collector of every account has run at least once since the exporter started.",
);
pub(crate) const SNAPSHOT_TIMESTAMP: Metric = gauge(
    "aws_mfa_exporter_snapshot_timestamp_seconds",
    &[],
    "When the verdicts were last aged. The exporter answers 503 rather than serve them more than 60 seconds later.",
);
pub(crate) const MANAGEMENT_ACCOUNT: Metric = gauge(
    "aws_mfa_management_account_info",
    &["account_id"],
    "The organization's management account, which no StackSet gives a role: see whether its collectors are up. Absent where no organization is watched, and in shards that do not have it. Always 1.",
);
pub(crate) const ROOT_CREDENTIAL_PRESENT: Metric = gauge(
    "aws_mfa_root_credential_present",
    &["account_id", "credential"],
    "Whether the root user has a credential of this kind (GetAccountSummary). Absent while unknown.",
);
pub(crate) const ROOT_MFA_ENABLED: Metric = gauge(
    "aws_mfa_root_mfa_enabled",
    &["account_id"],
    "Whether the root user has an MFA device of any kind (GetAccountSummary, AccountMFAEnabled). Absent while unknown; 0 is no alarm by itself, for a root user without credentials has none either.",
);
pub(crate) const ROOT_PASSWORD_LAST_USED: Metric = gauge(
    "aws_mfa_root_password_last_used_timestamp_seconds",
    &["account_id"],
    "When the root user's password was last used (credential report, which is up to four hours old); 0 for never. Absent while unknown.",
);
pub(crate) const ROOT_VIRTUAL_DEVICES: Metric = gauge(
    "aws_mfa_root_virtual_devices",
    &["account_id"],
    "How many virtual MFA devices the root user owns (ListVirtualMFADevices, by owner). Absent while unknown, or while the account has changed since the list was read.",
);
pub(crate) const SOURCE_TIMESTAMP: Metric = gauge(
    "aws_mfa_source_timestamp_seconds",
    &["account_id", "source"],
    "When a source other than the heartbeat was read; for the credential report, when AWS made it. Absent while there is none that may be used.",
);
pub(crate) const USER_DEVICES: Metric = gauge(
    "aws_mfa_user_devices",
    &["account_id", "kind"],
    "How many MFA devices of IAM users were seen, by kind. A user with a virtual device is not asked for others; a synced passkey and a FIDO security key are one kind. Absent while the users are not known.",
);
pub(crate) const USER_WITHOUT_MFA: Metric = gauge(
    "aws_mfa_user_without_mfa",
    &["account_id", "user", "console_access"],
    "An IAM user without an MFA device, by name, and whether a console password is known (true, false, unknown). Only with --collector.users.names=failing; always 1.",
);
pub(crate) const USERS: Metric = gauge(
    "aws_mfa_users",
    &["account_id"],
    "How many IAM users there are (ListUsers). Users of IAM Identity Center are none. Absent while unknown.",
);
pub(crate) const USERS_OMITTED: Metric = gauge(
    "aws_mfa_users_omitted",
    &["account_id"],
    "How many IAM users without an MFA device are not named in aws_mfa_user_without_mfa: those over the limit, and those whose names are not known yet. Only with --collector.users.names=failing.",
);
pub(crate) const USERS_UNKNOWN: Metric = gauge(
    "aws_mfa_users_unknown",
    &["account_id"],
    "How many IAM users too little is known of to judge IAM.5 and IAM.19; the other counts are of what is known. Absent while the users are not known.",
);
pub(crate) const USERS_WITHOUT_MFA: Metric = gauge(
    "aws_mfa_users_without_mfa",
    &["account_id"],
    "How many IAM users are known to have no MFA device: those that IAM.19 fails for. Absent while the users are not known.",
);
pub(crate) const USERS_WITHOUT_MFA_EXEMPT: Metric = gauge(
    "aws_mfa_users_without_mfa_exempt",
    &["account_id"],
    "How many of aws_mfa_users_without_mfa an exemption is for.",
);

pub(crate) const AWS_REQUEST_DURATION: Metric = Metric {
    name: "aws_mfa_exporter_aws_request_duration_seconds",
    help: "How long requests to AWS took, from sending to the last byte or the failure.",
    kind: Kind::Histogram,
    labels: &[],
    stability: Stability::Stable,
};
pub(crate) const AWS_REQUEST_FAILURES: Metric = counter(
    "aws_mfa_exporter_aws_request_failures_total",
    &["service", "operation", "fault"],
    "Requests to AWS that brought no usable answer, by class of fault.",
);
pub(crate) const AWS_REQUESTS: Metric = counter(
    "aws_mfa_exporter_aws_requests_total",
    &["service", "operation"],
    "Requests sent to AWS, retries included. Each is an event in CloudTrail.",
);
pub(crate) const BUILD_INFO: Metric = gauge(
    "aws_mfa_exporter_build_info",
    &["version", "revision", "rustversion", "os", "arch"],
    "What this exporter was built from. Always 1.",
);
pub(crate) const CONFIG_RELOAD_SUCCESS: Metric = gauge(
    "aws_mfa_exporter_config_last_reload_success_timestamp_seconds",
    &[],
    "When the configuration was last read and put to use.",
);
pub(crate) const CONFIG_RELOAD_SUCCESSFUL: Metric = gauge(
    "aws_mfa_exporter_config_last_reload_successful",
    &[],
    "Whether the configuration could be used when it was last read. If not, the last good one is in force.",
);
pub(crate) const ENCODE_DURATION: Metric = gauge(
    "aws_mfa_exporter_encode_duration_seconds",
    &[],
    "How long the last encoding of all accounts took, in both formats and compressed; it is done beside scrapes, never in one.",
);
pub(crate) const HTTP_REFUSALS: Metric = counter(
    "aws_mfa_exporter_http_refusals_total",
    &["reason"],
    "Connections that were closed and requests that were refused, by reason: address, crowded, handshake, headers, header_size, malformed, password_queue, rate_limit, scrapes, stalled, unauthorized, unpublished. deploy/web.md explains them.",
);
pub(crate) const HTTP_REQUESTS: Metric = counter(
    "aws_mfa_exporter_http_requests_total",
    &["code"],
    "Requests answered over HTTP, by status code, those included that are no HTTP.",
);
pub(crate) const SHARD_INFO: Metric = gauge(
    "aws_mfa_exporter_shard_info",
    &["shard"],
    "Which shard of the accounts this exporter watches, from 0. Always 1.",
);
pub(crate) const TOTAL_SHARDS: Metric =
    gauge("aws_mfa_exporter_total_shards", &[], "Among how many shards the accounts are divided.");
pub(crate) const TASK_PANICS: Metric = counter(
    "aws_mfa_exporter_task_panics_total",
    &["task"],
    "Panics of the exporter's own tasks, each of which was started again. Any is a bug.",
);
pub(crate) const WEB_CERTIFICATE_EXPIRY: Metric = gauge(
    "aws_mfa_exporter_web_certificate_expiry_timestamp_seconds",
    &["certificate"],
    "When the TLS certificates of the web server expire: for server the first of its chain, for client_ca the last of the authorities. Absent where none is configured.",
);
pub(crate) const WEB_CONFIG_RELOAD_SUCCESS: Metric = gauge(
    "aws_mfa_exporter_web_config_last_reload_success_timestamp_seconds",
    &[],
    "When the web configuration and the certificates that it names were last read and put to use. Absent without --web.config.file.",
);
pub(crate) const WEB_CONFIG_RELOAD_SUCCESSFUL: Metric = gauge(
    "aws_mfa_exporter_web_config_last_reload_successful",
    &[],
    "Whether the web configuration and the certificates that it names could be used when they were last read. If not, the last good ones are in force. Absent without --web.config.file.",
);

/// Every metric, in the order of exposition, but for the `process_*` family
/// that the Prometheus client library brings.
pub const CATALOGUE: &[Metric] = &[
    ACCESS_KEY_USERS_WITHOUT_MFA,
    ACCESS_KEY_USERS_WITHOUT_MFA_EXEMPT,
    ACCOUNT_INFO,
    ACCOUNTS,
    COLLECTOR_DURATION,
    COLLECTOR_FAULT,
    COLLECTOR_INTERVAL,
    COLLECTOR_LAST_ATTEMPT,
    COLLECTOR_LAST_SUCCESS,
    COLLECTOR_UP,
    CONSOLE_USERS,
    CONSOLE_USERS_WITHOUT_MFA,
    CONSOLE_USERS_WITHOUT_MFA_EXEMPT,
    CONTROL_AS_OF,
    CONTROL_LAST_FAILED,
    CONTROL_LAST_PROTECTED,
    CONTROL_STATUS,
    DISCOVERY_LAST_SUCCESS,
    DISCOVERY_UP,
    EXEMPTION_EXPIRY,
    INITIAL_PASS_COMPLETE,
    SNAPSHOT_TIMESTAMP,
    MANAGEMENT_ACCOUNT,
    ROOT_CREDENTIAL_PRESENT,
    ROOT_MFA_ENABLED,
    ROOT_PASSWORD_LAST_USED,
    ROOT_VIRTUAL_DEVICES,
    SOURCE_TIMESTAMP,
    USER_DEVICES,
    USER_WITHOUT_MFA,
    USERS,
    USERS_OMITTED,
    USERS_UNKNOWN,
    USERS_WITHOUT_MFA,
    USERS_WITHOUT_MFA_EXEMPT,
    AWS_REQUEST_DURATION,
    AWS_REQUEST_FAILURES,
    AWS_REQUESTS,
    BUILD_INFO,
    CONFIG_RELOAD_SUCCESS,
    CONFIG_RELOAD_SUCCESSFUL,
    ENCODE_DURATION,
    HTTP_REFUSALS,
    HTTP_REQUESTS,
    SHARD_INFO,
    TASK_PANICS,
    TOTAL_SHARDS,
    WEB_CERTIFICATE_EXPIRY,
    WEB_CONFIG_RELOAD_SUCCESS,
    WEB_CONFIG_RELOAD_SUCCESSFUL,
];
