//! Why something is not known: the fixed list of fault classes.
//!
//! A class is a label value, so the list is closed and small; the text beside
//! it is for the log and for `check`. Of AWS's answer it holds the error code and
//! the request id at most, never AWS's own prose (which quotes principals and
//! resources); of credentials it names the source, and never a value.

use std::{borrow::Cow, fmt};

/// The class of a fault, as the label `fault` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultClass {
    /// The collector has not run yet.
    Pending,
    /// No source of credentials offered any.
    NoCredentials,
    /// A variable, a file or a profile says something that cannot be used.
    InvalidConfiguration,
    /// The source that credentials were to come from failed.
    CredentialsFailed,
    /// Credentials come from a person's login, and it is over or was never made.
    LoginRequired,
    /// AWS does not accept the credentials: unknown key, bad signature, expired.
    InvalidCredentials,
    /// AWS does not accept the credentials because this host's clock is wrong.
    ClockSkew,
    /// The credentials belong to another account than the wanted one.
    WrongAccount,
    /// AWS denied the call; a policy or a service control policy forbids it.
    AccessDenied,
    /// A service control policy of the organization forbids the call.
    DeniedByScp,
    /// The organization has central management of root credentials off.
    RootAccessOff,
    /// The organization has trusted access for IAM off.
    TrustedAccessOff,
    /// The credentials are neither of the organization's management account nor of its
    /// delegated administrator for IAM.
    NotDelegated,
    /// AWS answered that the rate was exceeded.
    Throttled,
    /// No complete answer within the time allowed.
    Timeout,
    /// The time that somebody allowed for all of it was over.
    OutOfTime,
    /// The connection could not be made, or broke.
    Connection,
    /// The other side's TLS certificate is not accepted, or TLS failed otherwise.
    Tls,
    /// The proxy on the way refused to pass the request on, or could not be reached.
    Proxy,
    /// AWS answered with a 5xx status.
    ServerError,
    /// AWS refused the request with another error.
    Rejected,
    /// The answer could not be read, or contradicts itself.
    MalformedReply,
    /// The answer lacked an element that it must have.
    IncompleteReply,
    /// The answer was larger than any honest one.
    OversizedReply,
    /// The list of accounts lacks a great part of those that were in the last.
    AccountsLost,
    /// A filter of the configuration names nothing in the organization.
    UnmatchedFilter,
    /// There is no credential report that could be read.
    ReportMissing,
    /// AWS does not accept the account's credentials in a Region: it is switched off there.
    RegionDisabled,
    /// The account changed while it was being read.
    Changed,
    /// A failing answer was not confirmed by a second one.
    Unconfirmed,
    /// The collector's task has not reported for three of its intervals.
    Stalled,
    /// The collector's code panicked: a bug in the exporter.
    Panicked,
}

/// One fault: its class, and a line of detail for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class, for metrics.
    pub class: FaultClass,
    /// What failed, for the log; free of users' names, secrets and AWS's own messages.
    pub detail: String,
    /// What to do, where more can be said than the class alone says.
    remedy: Option<Cow<'static, str>>,
}

// === impl FaultClass ===

impl FaultClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 32] = [
        Self::Pending,
        Self::NoCredentials,
        Self::InvalidConfiguration,
        Self::CredentialsFailed,
        Self::LoginRequired,
        Self::InvalidCredentials,
        Self::ClockSkew,
        Self::WrongAccount,
        Self::AccessDenied,
        Self::DeniedByScp,
        Self::RootAccessOff,
        Self::TrustedAccessOff,
        Self::NotDelegated,
        Self::Throttled,
        Self::Timeout,
        Self::OutOfTime,
        Self::Connection,
        Self::Tls,
        Self::Proxy,
        Self::ServerError,
        Self::Rejected,
        Self::MalformedReply,
        Self::IncompleteReply,
        Self::OversizedReply,
        Self::AccountsLost,
        Self::UnmatchedFilter,
        Self::ReportMissing,
        Self::RegionDisabled,
        Self::Changed,
        Self::Unconfirmed,
        Self::Stalled,
        Self::Panicked,
    ];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::NoCredentials => "no_credentials",
            Self::InvalidConfiguration => "invalid_configuration",
            Self::CredentialsFailed => "credentials_failed",
            Self::LoginRequired => "login_required",
            Self::InvalidCredentials => "invalid_credentials",
            Self::ClockSkew => "clock_skew",
            Self::WrongAccount => "wrong_account",
            Self::AccessDenied => "access_denied",
            Self::DeniedByScp => "denied_by_scp",
            Self::RootAccessOff => "root_access_off",
            Self::TrustedAccessOff => "trusted_access_off",
            Self::NotDelegated => "not_delegated",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::OutOfTime => "out_of_time",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::ServerError => "server_error",
            Self::Rejected => "rejected",
            Self::MalformedReply => "malformed_reply",
            Self::IncompleteReply => "incomplete_reply",
            Self::OversizedReply => "oversized_reply",
            Self::AccountsLost => "accounts_lost",
            Self::UnmatchedFilter => "unmatched_filter",
            Self::ReportMissing => "report_missing",
            Self::RegionDisabled => "region_disabled",
            Self::Changed => "changed",
            Self::Unconfirmed => "unconfirmed",
            Self::Stalled => "stalled",
            Self::Panicked => "panicked",
        }
    }

    /// Reads a label value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }

    /// Whether the same call may well succeed a moment later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Timeout | Self::Connection | Self::ServerError)
    }

    /// What is wrong, in plain words.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Pending => "nothing has been read yet",
            Self::NoCredentials => "there are no AWS credentials",
            Self::InvalidConfiguration => "an AWS setting cannot be used",
            Self::CredentialsFailed => "the source of the AWS credentials failed",
            Self::LoginRequired => "the login behind the AWS credentials has expired or is missing",
            Self::InvalidCredentials => "AWS does not accept the credentials",
            Self::ClockSkew => "this host's clock is wrong, so AWS does not accept the credentials",
            Self::WrongAccount => "the credentials belong to another account",
            Self::AccessDenied => "AWS denied the call",
            Self::DeniedByScp => "a service control policy denies the call",
            Self::RootAccessOff => "central management of root credentials is off in the organization",
            Self::TrustedAccessOff => "trusted access for IAM is off in AWS Organizations",
            Self::NotDelegated => {
                "the credentials are not of the management account or the delegated administrator for IAM"
            }
            Self::Throttled => "AWS throttled the call",
            Self::Timeout => "AWS did not answer in time",
            Self::OutOfTime => "the time allowed by --timeout was over",
            Self::Connection => "AWS cannot be reached",
            Self::Tls => "the TLS certificate of the AWS endpoint is not accepted",
            Self::Proxy => "the proxy does not pass requests on to AWS",
            Self::ServerError => "AWS answered with a server error",
            Self::Rejected => "AWS refused the request",
            Self::MalformedReply => "the exporter cannot read the answer of AWS",
            Self::IncompleteReply => "the answer of AWS lacks a required element",
            Self::OversizedReply => "the answer is larger than any valid one",
            Self::AccountsLost => "AWS Organizations no longer lists many of the accounts",
            Self::UnmatchedFilter => "a filter of the configuration matches nothing",
            Self::ReportMissing => "there is no credential report to read",
            Self::RegionDisabled => "an AWS Region is switched off in the account",
            Self::Changed => "the account changed while the exporter read it",
            Self::Unconfirmed => "a second answer of AWS did not confirm the failing one",
            Self::Stalled => "the collector has stopped reporting",
            Self::Panicked => "the exporter has a bug",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Pending => "wait for the first pass: the exporter spreads the first runs over at most a minute",
            Self::NoCredentials => {
                "supply credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, an SSO login, \
                 or a role of the pod, task or instance"
            }
            Self::InvalidConfiguration => {
                "correct the variable, file or profile that the message names; deploy/credentials.md lists all that \
                 the exporter reads"
            }
            Self::CredentialsFailed => "find out on the exporter's host why this source of credentials fails",
            Self::LoginRequired => "log in again, as the user under which the exporter runs",
            Self::InvalidCredentials => "renew the credentials: AWS does not know them, or they have expired",
            Self::ClockSkew => "set this host's clock, and start its time service (chronyd, systemd-timesyncd)",
            Self::WrongAccount => {
                "give the exporter credentials of the account that it watches; to watch another account, restart it"
            }
            Self::AccessDenied => {
                "allow the actions that `aws-mfa-exporter iam-policy` prints; if AssumeRole was denied, check the \
                 role's name, its trust policy and the external id; then look for a service control policy that \
                 denies the action"
            }
            Self::DeniedByScp => {
                "exempt the exporter's calls in the service control policy; for the collector rootaudit, by the condition \
                 key aws:AssumedRoot (deploy/iam/README.md)"
            }
            Self::RootAccessOff => {
                "enable root credentials management in the IAM console of the management account (Root access management), \
                 or disable the collector (--no-collector.rootaudit)"
            }
            Self::TrustedAccessOff => {
                "enable trusted access for IAM in the management account: aws organizations enable-aws-service-access \
                 --service-principal iam.amazonaws.com"
            }
            Self::NotDelegated => {
                "run the exporter in the organization's management account, or register its account: aws organizations \
                 register-delegated-administrator --service-principal iam.amazonaws.com --account-id ACCOUNT"
            }
            Self::Throttled => {
                "find out which other program calls IAM in this account; the exporter tries again by itself"
            }
            Self::Timeout | Self::Connection => {
                "check DNS, proxy and egress from this host to the IAM and STS endpoints"
            }
            Self::OutOfTime => "allow `check` more time with --timeout, or a higher rate with --aws.max-rate",
            Self::Tls => {
                "if a proxy inspects TLS, put the certificate of its authority into the file that AWS_CA_BUNDLE \
                 names; if not, look for another proxy or server between this host and AWS"
            }
            Self::Proxy => "check HTTPS_PROXY (also its user and password) and NO_PROXY",
            Self::ServerError => "nothing: the error is on the side of AWS, and the exporter tries again by itself",
            Self::Rejected => "find the error code in the AWS documentation",
            Self::MalformedReply | Self::IncompleteReply | Self::OversizedReply => {
                "check for a proxy between this host and AWS, or an endpoint that is not an AWS endpoint"
            }
            Self::AccountsLost => {
                "check in AWS Organizations whether the accounts have left; the exporter continues to watch them for \
                 an hour"
            }
            Self::UnmatchedFilter => {
                "correct or remove the include or exclude that the message names; write a unit as its id or its path; \
                 if a name contains a slash, write the path as a list"
            }
            Self::ReportMissing => {
                "if it lasts longer than a few minutes, allow iam:GenerateCredentialReport; if the exporter must not \
                 generate reports, let another program generate them every four hours"
            }
            Self::RegionDisabled => {
                "switch the Region on in the account, or take it out of collectors.cognito.regions; if the Region is on, \
                 renew the credentials"
            }
            Self::Changed => "nothing: the account changed, and the exporter reads it again at the next run",
            Self::Unconfirmed => "nothing: the exporter asks again at the next run",
            Self::Stalled => "restart the exporter, and report the bug with its log",
            Self::Panicked => "report the bug, with the exporter's log",
        }
    }
}

impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Fault ===

impl Fault {
    /// A fault of `class`, with a line that says what failed.
    #[must_use]
    pub fn new(class: FaultClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into(), remedy: None }
    }

    /// The same, and this is what to do about it.
    #[must_use]
    pub fn advising(self, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The same, and the detail begins with what failed.
    #[must_use]
    pub fn of_source(self, source: &dyn fmt::Display) -> Self {
        Self { detail: format!("{source}: {}", self.detail), ..self }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.remedy.as_deref().unwrap_or(self.class.remedy())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
