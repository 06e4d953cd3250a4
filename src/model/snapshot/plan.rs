//! What is collected, how often, and how old it may therefore get.

use std::{sync::Arc, time::Duration};

use super::LONGEST_RUN;
use crate::model::{
    facts::pools::Region,
    judge::{Cadence, users::Terms},
};

/// A collector, by the word that is also its flag, its file and its label value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collector {
    /// The user pools of Amazon Cognito.
    Cognito,
    /// The security contact, the contact telephone, and root's e-mail address.
    Contacts,
    /// All pages of `iam:ListVirtualMFADevices`, between two summaries.
    Devices,
    /// The policies of the users: `iam:GetAccountAuthorizationDetails`.
    Policies,
    /// The heartbeat: `iam:GetAccountSummary`.
    Root,
    /// Root's own devices, from outside: `sts:AssumeRoot`.
    Rootaudit,
    /// The users, their devices and their passwords.
    Users,
}

/// How often the contacts are read where nobody says otherwise: AWS throttles these calls
/// early, and they change seldom.
pub const CONTACTS_INTERVAL: Duration = Duration::from_secs(24 * 3_600);

/// What is collected, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The intervals.
    pub cadence: Cadence,
    /// Whether collector `devices` runs. Collector `root` always does: the
    /// other's list is worth nothing without a heartbeat to hold it against.
    pub devices: bool,
    /// How collector `users` runs, if it does.
    pub users: Option<UsersPlan>,
    /// How collector `cognito` runs, if it does.
    pub cognito: Option<CognitoPlan>,
    /// How often collector `contacts` runs, if it does.
    pub contacts: Option<Duration>,
    /// How often collector `policies` runs, if it does.
    pub policies: Option<Duration>,
    /// How often collector `rootaudit` runs, if it does.
    pub rootaudit: Option<Duration>,
}

/// How often the policies are read where nobody says otherwise.
pub const POLICIES_INTERVAL: Duration = Duration::from_secs(3_600);

/// How often root is audited where nobody says otherwise.
pub const AUDIT_INTERVAL: Duration = Duration::from_secs(3_600);

/// How collector `cognito` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CognitoPlan {
    /// How often.
    pub interval: Duration,
    /// The Regions to read; all that an account can use where there is none.
    pub regions: Arc<[Region]>,
    /// Whether each pool has a series, and how many of an account at most.
    pub series: Option<u32>,
}

/// How collector `users` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsersPlan {
    /// How often.
    pub interval: Duration,
    /// How old it may be that a user has no password.
    pub password_max_age: Duration,
    /// How many users without a device are asked again for a password in each run
    /// although nothing says that it is needed.
    pub live_budget: u32,
    /// Whether credential reports are generated, or only read.
    pub generate_report: bool,
    /// Whether failing users are named, and how many of an account at most.
    pub names: Option<u32>,
}

// === impl Collector ===

impl Collector {
    /// Every collector, in the order they are exported.
    pub const ALL: [Self; 7] =
        [Self::Cognito, Self::Contacts, Self::Devices, Self::Policies, Self::Root, Self::Rootaudit, Self::Users];

    /// The collector's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cognito => "cognito",
            Self::Contacts => "contacts",
            Self::Devices => "devices",
            Self::Policies => "policies",
            Self::Root => "root",
            Self::Rootaudit => "rootaudit",
            Self::Users => "users",
        }
    }
}

// === impl Plan ===

impl Plan {
    /// What is asked where nobody says otherwise.
    pub const DEFAULT: Self = Self { users: Some(UsersPlan::DEFAULT), ..Self::ROOT };

    /// The same without the users: all that root's verdicts rest on.
    pub const ROOT: Self = Self {
        cadence: Cadence::DEFAULT,
        devices: true,
        users: None,
        cognito: None,
        contacts: None,
        policies: None,
        rootaudit: None,
    };

    /// The collectors that run.
    pub fn collectors(&self) -> impl Iterator<Item = Collector> + use<> {
        let (devices, users, cognito) = (self.devices, self.users.is_some(), self.cognito.is_some());
        let (contacts, policies, rootaudit) =
            (self.contacts.is_some(), self.policies.is_some(), self.rootaudit.is_some());
        Collector::ALL.into_iter().filter(move |collector| match collector {
            Collector::Cognito => cognito,
            Collector::Contacts => contacts,
            Collector::Devices => devices,
            Collector::Policies => policies,
            Collector::Root => true,
            Collector::Rootaudit => rootaudit,
            Collector::Users => users,
        })
    }

    /// How often `collector` runs where nothing slows it down.
    #[must_use]
    pub fn interval(&self, collector: Collector) -> Duration {
        match collector {
            Collector::Cognito => self.cognito.as_ref().map_or(CognitoPlan::INTERVAL, |plan| plan.interval),
            Collector::Contacts => self.contacts.unwrap_or(CONTACTS_INTERVAL),
            Collector::Devices => self.cadence.devices,
            Collector::Policies => self.policies.unwrap_or(POLICIES_INTERVAL),
            Collector::Root => self.cadence.root,
            Collector::Rootaudit => self.rootaudit.unwrap_or(AUDIT_INTERVAL),
            Collector::Users => self.users.unwrap_or(UsersPlan::DEFAULT).interval,
        }
    }

    /// How old an answer about a Region's user pools may be: two intervals, and as long
    /// as a run may take.
    #[must_use]
    pub fn max_age_of_pools(&self) -> Duration {
        self.interval(Collector::Cognito) * 2 + LONGEST_RUN
    }

    /// How old an answer about contacts may be: two intervals, and as long as a run may take.
    #[must_use]
    pub fn max_age_of_contacts(&self) -> Duration {
        self.interval(Collector::Contacts) * 2 + LONGEST_RUN
    }

    /// How old what is known of the policies may be: as [`Self::max_age_of_pools`].
    #[must_use]
    pub fn max_age_of_policies(&self) -> Duration {
        self.interval(Collector::Policies) * 2 + LONGEST_RUN
    }

    /// How old an audit of root may be: two intervals, and as long as a run may take.
    #[must_use]
    pub fn max_age_of_audit(&self) -> Duration {
        self.interval(Collector::Rootaudit) * 2 + LONGEST_RUN
    }

    /// Whether virtual devices are listed, for themselves or for the users.
    #[must_use]
    pub fn takes_inventory(&self) -> bool {
        self.devices || self.users.is_some()
    }

    /// How often the virtual devices are listed, for themselves or for the users.
    #[must_use]
    pub fn inventory_interval(&self) -> Duration {
        match self.users {
            Some(users) if self.devices => users.interval.min(self.cadence.devices),
            Some(users) => users.interval,
            None => self.cadence.devices,
        }
    }

    /// How old what the verdicts on users rest on may be. A list is good for two
    /// intervals and for as long as a run may take, whose answers are dated from its
    /// beginning; and so is the absence of a password at least, or it could not be
    /// kept known at all.
    #[must_use]
    pub fn users_terms(&self) -> Terms {
        let plan = self.users.unwrap_or(UsersPlan::DEFAULT);
        let list = plan.interval * 2 + LONGEST_RUN;
        Terms { list, devices: self.cadence.max_age_of_devices().max(list), password: plan.password_max_age.max(list) }
    }
}

impl CognitoPlan {
    /// How often the user pools are read where nobody says otherwise.
    pub const INTERVAL: Duration = Duration::from_secs(15 * 60);

    /// What holds where nobody says otherwise, but that the collector runs.
    #[must_use]
    pub fn new() -> Self {
        Self { interval: Self::INTERVAL, regions: Arc::default(), series: None }
    }
}

impl Default for CognitoPlan {
    fn default() -> Self {
        Self::new()
    }
}

impl UsersPlan {
    /// What holds where nobody says otherwise. A report is made every four hours,
    /// and half an hour is for making it.
    pub const DEFAULT: Self = Self {
        interval: Duration::from_secs(15 * 60),
        password_max_age: Duration::from_secs(4 * 3_600 + 30 * 60),
        live_budget: 5,
        generate_report: true,
        names: None,
    };
}
