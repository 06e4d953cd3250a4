//! Whether policies deny a user everything without MFA.
//!
//! A user without MFA calls AWS in one of two ways, and a policy sees them differently
//! (IAM User Guide, "AWS global condition context keys", `aws:MultiFactorAuthPresent`): a
//! session of the console, or of `sts:GetSessionToken`, has the key, and it is false; a
//! long-term access key does not have the key at all. In neither is there an
//! `aws:MultiFactorAuthAge`.
//!
//! An explicit deny wins over every allow, wherever it stands: in a policy of the user's
//! own, of a group, or in the permissions boundary. So one statement is enough that denies
//! everything but what it takes to register a device, on every resource, and surely
//! applies; that is a proof, and any number of other policies cannot undo it. Without a
//! proof something is said only if there is a witness: an action that no statement can
//! deny. In between nothing is known.
//!
//! What is not seen here: service control policies, resource control policies, policies of
//! resources and of sessions. The first two can only deny more.

mod actions;
mod condition;
mod document;
mod grammar;

pub use actions::{PROBES, Probe, SAFE};
pub use document::{Denies, Unreadable};

use crate::model::facts::policies::Enforcement;

/// A way to call AWS without MFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A session of the console, or of `sts:GetSessionToken`.
    Console,
    /// A long-term access key.
    AccessKey,
}

/// What gets from an access key to a session.
const SESSION: Probe = Probe { action: "sts:getsessiontoken", is_account_wide: true };

/// What is known of one context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Bound,
    Open,
    Unknown,
}

impl Context {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Console, Self::AccessKey];
}

/// What the policies of a user enforce together: those that could be read; `is_all` says
/// whether there are no others.
#[must_use]
pub fn enforcement(policies: &[&Denies], is_all: bool) -> Enforcement {
    let [console, keys] = Context::ALL.map(|context| standing(policies, is_all, context));
    match (console, keys) {
        (Standing::Bound, Standing::Bound) => Enforcement::Full,
        (Standing::Bound, Standing::Open) => Enforcement::ConsoleOnly,
        (Standing::Open, Standing::Bound) => of_keys(policies, is_all),
        (Standing::Open, Standing::Open) => Enforcement::None,
        _ => Enforcement::Unknown,
    }
}

/// Where only the access key is bound, it must not get a session, which is not.
fn of_keys(policies: &[&Denies], is_all: bool) -> Enforcement {
    let denies = |policy: &&Denies| policy.denies(&SESSION, Context::AccessKey);
    let may_deny = |policy: &&Denies| policy.may_deny(&SESSION, Context::AccessKey);
    match () {
        () if policies.iter().any(denies) => Enforcement::KeysOnly,
        () if is_all && !policies.iter().any(may_deny) => Enforcement::None,
        () => Enforcement::Unknown,
    }
}

fn standing(policies: &[&Denies], is_all: bool, context: Context) -> Standing {
    let is_witness = |probe: &Probe| !policies.iter().any(|policy| policy.may_deny(probe, context));
    match () {
        () if policies.iter().any(|policy| policy.binds(context)) => Standing::Bound,
        () if is_all && PROBES.iter().any(is_witness) => Standing::Open,
        () => Standing::Unknown,
    }
}
