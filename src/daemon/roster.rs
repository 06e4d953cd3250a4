//! Which accounts there are, and what is to be done about each.
//!
//! A list is believed in what it names, and doubted in what it leaves out: an
//! account that is missing from it is watched on for a [`GRACE`], since AWS's
//! lists have been short before, and an account that nobody watches fails
//! nobody's alert. What is not known of an account (its unit, its tags) never
//! excludes it.

mod filter;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    config::{Access, Config, Filter, Organization, StaticAccount},
    model::{
        account::{Account, AccountId, AccountStatus, Identity},
        facts::{Fault, FaultClass},
        organization::{Entry, Unit},
        time::Uptime,
    },
};

/// How long an account is watched that the organization no longer lists.
pub const GRACE: Duration = Duration::from_secs(3_600);

/// An account, and how to come by its credentials; no way where it is not scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The account.
    pub account: Account,
    /// How to come by its credentials.
    pub access: Option<Access>,
}

/// The accounts that were listed, now or not long ago.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    entries: BTreeMap<AccountId, (Entry, Uptime)>,
    management: Option<AccountId>,
    listed_by: Option<Identity>,
    /// The units there are; `None` while that is not known.
    units: Option<Vec<Unit>>,
    /// The accounts that an `include` has named when all parts of it named something.
    included: BTreeSet<AccountId>,
    /// Whether it now has a part that names nothing.
    is_include_doubted: bool,
}

/// What AWS Organizations answered.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Whose credentials asked.
    pub listed_by: Identity,
    /// All accounts.
    pub entries: Vec<Entry>,
    /// The management account; `None` if that could not be asked.
    pub management: Option<AccountId>,
    /// The units there are; `None` if that was not asked, or not answered.
    pub units: Option<Vec<Unit>>,
}

// === impl Roster ===

impl Roster {
    /// A roster that expects these accounts in the first list: those that an
    /// earlier run of the program knew.
    #[must_use]
    pub fn expecting<'a>(accounts: impl Iterator<Item = &'a Account>) -> Self {
        let mut roster = Self::default();
        for account in accounts {
            roster.entries.insert(account.id, (Entry::of(account), Uptime::default()));
            if account.status == AccountStatus::Scanned {
                roster.included.insert(account.id);
            }
        }
        roster
    }

    /// No longer expects these accounts, which need no list to be watched.
    pub fn expect_none_of(&mut self, accounts: &[StaticAccount]) {
        accounts.iter().for_each(|account| drop(self.entries.remove(&account.id)));
    }

    /// Whether a list was ever taken in.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed_by.is_some()
    }

    /// Takes a new list in. Who is missing stays for [`GRACE`]; the list is taken
    /// in all the same where the loss is called a fault.
    ///
    /// # Errors
    /// When over a tenth of the accounts are missing, and more than one.
    pub fn take(&mut self, listing: Listing, now: Uptime) -> Result<(), Fault> {
        let before = self.entries.len();
        let listed: BTreeSet<_> = listing.entries.iter().map(|entry| entry.id).collect();
        self.management = listing.management.or(self.management);
        self.listed_by = Some(listing.listed_by);
        self.units = listing.units.or(self.units.take());
        for mut entry in listing.entries {
            // What could not be asked this time is what it was.
            if let Some((known, _)) = self.entries.remove(&entry.id) {
                entry.unit = entry.unit.or(known.unit);
                entry.tags = entry.tags.or(known.tags);
                entry.email = entry.email.or(known.email);
            }
            self.entries.insert(entry.id, (entry, now));
        }
        self.entries.retain(|_, (_, seen)| now.since(*seen) < GRACE);
        let missing = self.entries.keys().filter(|id| !listed.contains(id)).count();
        if missing > 1 && missing * 10 > before {
            let detail = format!("ListAccounts: {missing} of {before} accounts are no longer listed");
            return Err(Fault::new(FaultClass::AccountsLost, detail));
        }
        Ok(())
    }

    /// Holds the filters against the last list, if there is one. A part of a filter that
    /// names nothing is a mistake, or was right once: no account is left out for it that
    /// was not before.
    ///
    /// # Errors
    /// When a filter has such a part, in a fault that names it.
    pub fn filter(&mut self, organization: &Organization) -> Result<(), Fault> {
        if !self.is_listed() {
            return Ok(());
        }
        let entries: Vec<_> = self.entries.values().map(|(entry, _)| entry).collect();
        let unmatched = |filter: &Filter| filter.unmatched(&entries, self.units.as_deref());
        let (include, exclude) = (unmatched(&organization.include), unmatched(&organization.exclude));
        let included: Vec<_> =
            entries.iter().filter(|entry| organization.includes(entry)).map(|entry| entry.id).collect();
        self.is_include_doubted = !include.is_empty();
        if !self.is_include_doubted {
            self.included.clear();
        }
        self.included.extend(included);
        filter::verdict(&include, &exclude)
    }

    /// Every account of the roster and of the configuration, with the way to its
    /// credentials. What the configuration says of an account goes before the list.
    #[must_use]
    pub fn watched(&self, config: &Config) -> Vec<Watched> {
        let mut all: BTreeMap<AccountId, Watched> = BTreeMap::new();
        if let (Some(organization), Some(listed_by)) = (&config.organization, &self.listed_by) {
            let members =
                self.entries.values().map(|(entry, _)| (entry.id, self.member(entry, organization, listed_by)));
            all.extend(members);
        }
        for account in &config.accounts {
            let watched = all
                .entry(account.id)
                .or_insert_with(|| Watched { account: Account::named(account.id, String::new()), access: None });
            watched.account.status = AccountStatus::Scanned;
            watched.access = Some(account.access.clone());
            if let Some(name) = &account.name {
                watched.account.name.clone_from(name);
            }
        }
        all.into_values().collect()
    }

    /// Whether the configuration wants this account. Doubt is no reason not to.
    fn wants(&self, entry: &Entry, organization: &Organization) -> bool {
        let is_kept = self.is_include_doubted && self.included.contains(&entry.id);
        (is_kept || organization.includes(entry)) && !organization.excludes(entry)
    }

    fn member(&self, entry: &Entry, organization: &Organization, listed_by: &Identity) -> Watched {
        let status = match entry.status {
            AccountStatus::Scanned if !self.wants(entry, organization) => AccountStatus::Excluded,
            status => status,
        };
        let account = Account {
            status,
            name: entry.name.clone(),
            ou: entry.unit.as_ref().map(|unit| unit.path.clone()).unwrap_or_default(),
            labels: organization.labels.of(entry),
            email: entry.email,
            management: self.management == Some(entry.id),
            member: self.management.is_some_and(|management| management != entry.id),
            ..Account::named(entry.id, String::new())
        };
        let access = if listed_by.account == entry.id {
            Access::Ambient
        } else {
            Access::Role { profile: None, role: organization.role_of(entry.id, &listed_by.partition) }
        };
        Watched { account, access: (status == AccountStatus::Scanned).then_some(access) }
    }
}
