//! What happens to the accounts, and is folded into the picture of them.

use std::{sync::Arc, time::Duration};

use super::{Collector, Plan, RootAccessReading};
use crate::model::{
    account::{Account, AccountId, Identity},
    exemption::Exemption,
    facts::{
        Changes, Fault, RootAudit, RootReading, UsersReading, VirtualDevices, contacts::ContactsReading,
        policies::PoliciesReading, pools::PoolsReading,
    },
    time::Moment,
};

/// What a run of a collector learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// A heartbeat.
    Root(RootReading),
    /// A complete list of virtual devices.
    Devices(VirtualDevices),
    /// A look at root from outside.
    Audit(RootAudit),
    /// What there is to know of the users.
    Users(Arc<UsersReading>),
    /// The user pools of Amazon Cognito, as far as they could be read.
    Pools(Arc<PoolsReading>),
    /// The contacts of the account, as far as they could be read.
    Contacts(Box<ContactsReading>),
    /// What the policies of each user enforce.
    Policies(Arc<PoliciesReading>),
}

/// How a run of a collector ended. It may have learnt something *and* have a
/// fault: a summary with a key missing still tells what the others say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which collector ran.
    pub collector: Collector,
    /// When its first request was about to be sent.
    pub started: Moment,
    /// How long it took.
    pub duration: Duration,
    /// What it learnt, as of `started`.
    pub news: News,
    /// What was wrong.
    pub fault: Option<Fault>,
    /// When the account was last seen to have changed, by this run or before it.
    pub changes: Changes,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The settings were read, at the start or again.
    Configured {
        /// What is collected.
        plan: Plan,
        /// Which users need no device.
        exemptions: Arc<[Exemption]>,
    },
    /// It was found out which accounts there are, or tried to.
    Discovered {
        /// The accounts, those that are not scanned included; the last known ones
        /// where the list could not be read.
        accounts: Vec<Account>,
        /// Whether these are all there are. They are not while the list of an
        /// organization has never been read.
        is_all: bool,
        /// What was wrong with the list.
        fault: Option<Fault>,
        /// When it was asked for.
        at: Moment,
    },
    /// Centralized root access is asked about this often, or not at all.
    RootAccessWanted(Option<Duration>),
    /// Centralized root access was asked about.
    RootAccessRead(Box<RootAccessReading>),
    /// Credentials proved to be this account's: the one they are for, or, with
    /// no list of accounts, the one and only.
    Identified {
        /// Whose they are.
        identity: Identity,
        /// When that was asked.
        at: Moment,
    },
    /// An account's credentials could not be had, or are not its own.
    Unidentified {
        /// The account; `None` for the one and only, whichever it is.
        account: Option<AccountId>,
        /// What is wrong.
        fault: Fault,
        /// When that was tried.
        at: Moment,
    },
    /// A collector ran in an account.
    Collected {
        /// The account.
        account: AccountId,
        /// How it ended.
        outcome: Box<Outcome>,
    },
    /// A call of this exporter has come back as an event.
    Echoed {
        /// The account that it was made in.
        account: AccountId,
        /// When it was made, at the latest.
        asked: Moment,
    },
}
