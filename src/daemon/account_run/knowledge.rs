//! What is known of one account when its next run begins.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    collect::changes::SharedChanges,
    daemon::wakes::Arrivals,
    model::{
        account::Identity,
        facts::{Changes, Known, RootAudit, UsersReading},
        time::Moment,
    },
};

/// What the runs of one account hand to each other. It outlives their tasks, so that
/// one that panicked or was started anew begins with what is known.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// When the account was seen to change.
    pub changes: SharedChanges,
    /// Where the account's events are waited for.
    pub(super) arrivals: Arc<Arrivals>,
    users: Arc<Mutex<Users>>,
}

#[derive(Debug, Default)]
struct Users {
    identity: Option<Identity>,
    known: Option<Known<Arc<UsersReading>>>,
    audit: Option<Known<RootAudit>>,
}

impl Knowledge {
    /// What an earlier process knew of the account that is this.
    #[must_use]
    pub fn recalled(identity: Identity, known: Option<Known<Arc<UsersReading>>>, changes: Changes) -> Self {
        let users = Users { identity: Some(identity), known, audit: None };
        Self { changes: SharedChanges::new(changes), arrivals: Arc::default(), users: Arc::new(Mutex::new(users)) }
    }

    /// The same, and a call that was made at `last_echo` has come back as an event.
    #[must_use]
    pub fn echoed(self, last_echo: Option<Moment>) -> Self {
        Self { arrivals: Arc::new(Arrivals::echoed(last_echo)), ..self }
    }

    /// The same, and the last audit of root.
    #[must_use]
    pub fn with_audit(self, audit: Option<Known<RootAudit>>) -> Self {
        self.with(|users| users.audit = audit);
        self
    }

    /// Forgets everything, if it is of another account: credentials that belong to
    /// whoever they belong to may come to belong to somebody else.
    pub(super) fn is_of(&self, identity: &Identity) {
        self.with(|users| {
            if users.identity.replace(identity.clone()).is_some_and(|known| known != *identity) {
                (users.known, users.audit) = (None, None);
                self.changes.forget();
                self.arrivals.forget();
            }
        });
    }

    pub(super) fn users(&self) -> Option<Known<Arc<UsersReading>>> {
        self.with(|users| users.known.clone())
    }

    pub(super) fn learn(&self, known: Known<Arc<UsersReading>>) {
        self.with(|users| users.known = Some(known));
    }

    pub(super) fn audit(&self) -> Option<Known<RootAudit>> {
        self.with(|users| users.audit.clone())
    }

    pub(super) fn audited(&self, known: Known<RootAudit>) {
        self.with(|users| users.audit = Some(known));
    }

    fn with<T>(&self, of: impl FnOnce(&mut Users) -> T) -> T {
        of(&mut self.users.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
