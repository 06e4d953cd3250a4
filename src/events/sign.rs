//! What an event reports of root, early: before a read can show anything, or of what no
//! read shows.
//!
//! It is reported, and not verified: whoever may send to the queue can write such an event,
//! and no call of AWS tells whether it is true. So it is no evidence, and no verdict goes
//! by it. The names of the calls and their fields are those of AWS CloudTrail (User Guide,
//! "AWS Management Console sign-in events"; IAM User Guide, "Logging IAM and AWS STS API
//! calls").

use serde::{Deserialize, de::IgnoredAny};

/// What was reported of root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// Central root access was switched off, by the organization or its delegate.
    CentralAccessDisabled,
    /// Root's e-mail address is another one.
    EmailChanged,
    /// Root, or who acted as root for the organization, has made a login profile.
    LoginProfileCreated,
    /// Somebody has set root's password anew by the mailbox.
    PasswordRecoveryCompleted,
    /// Somebody wants to set root's password anew by the mailbox.
    PasswordRecoveryRequested,
    /// Root has signed in, with MFA.
    SignIn,
    /// Root has signed in, and not with MFA.
    SignInWithoutMfa,
}

/// Who has called, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Caller {
    #[serde(rename = "type")]
    kind: Lenient,
}

/// What came of a sign-in.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Outcome {
    console_login: Lenient,
}

/// How somebody has signed in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Further {
    #[serde(rename = "MFAUsed")]
    mfa_used: Lenient,
}

/// A text, or something else that says nothing here.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Lenient {
    Text(String),
    Other(IgnoredAny),
}

// === impl Sign ===

impl Sign {
    /// Every sign, in the order they are exported.
    pub const ALL: [Self; 7] = [
        Self::CentralAccessDisabled,
        Self::EmailChanged,
        Self::LoginProfileCreated,
        Self::PasswordRecoveryCompleted,
        Self::PasswordRecoveryRequested,
        Self::SignIn,
        Self::SignInWithoutMfa,
    ];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CentralAccessDisabled => "central_access_disabled",
            Self::EmailChanged => "email_changed",
            Self::LoginProfileCreated => "login_profile_created",
            Self::PasswordRecoveryCompleted => "password_recovery_completed",
            Self::PasswordRecoveryRequested => "password_recovery_requested",
            Self::SignIn => "sign_in",
            Self::SignInWithoutMfa => "sign_in_without_mfa",
        }
    }

    /// What a call reports that has succeeded.
    pub(super) fn of(source: &str, call: &str, caller: &Caller, outcome: &Outcome, further: &Further) -> Option<Self> {
        let is_root = caller.kind.is("Root");
        match (source, call) {
            ("aws.signin", "ConsoleLogin") if is_root && outcome.console_login.is("Success") => {
                Some(if further.mfa_used.is("No") { Self::SignInWithoutMfa } else { Self::SignIn })
            }
            // AWS sends these of root alone.
            ("aws.signin", "PasswordRecoveryRequested") => Some(Self::PasswordRecoveryRequested),
            ("aws.signin", "PasswordRecoveryCompleted") => Some(Self::PasswordRecoveryCompleted),
            ("aws.signin", "EmailUpdated") => Some(Self::EmailChanged),
            ("aws.iam", "CreateLoginProfile") if is_root => Some(Self::LoginProfileCreated),
            ("aws.iam", "DisableOrganizationsRootCredentialsManagement" | "DisableOrganizationsRootSessions") => {
                Some(Self::CentralAccessDisabled)
            }
            _ => None,
        }
    }
}

// === impl Lenient ===

impl Lenient {
    fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Text(text) if text == wanted)
    }
}

impl Default for Lenient {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}
