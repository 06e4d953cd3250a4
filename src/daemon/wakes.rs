//! Which account runs there are to be woken by an event.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::Notify;

use crate::model::account::AccountId;

/// The accounts that are watched, each with what wakes its heartbeat. A run that has
/// ended is no longer among them.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Arc<Mutex<BTreeMap<AccountId, Weak<Notify>>>>);

impl Wakes {
    /// From now on an event of `account` wakes whoever waits for `wake`.
    pub fn enlist(&self, account: AccountId, wake: &Arc<Notify>) {
        self.with(|known| known.insert(account, Arc::downgrade(wake)));
    }

    /// Wakes the run of an account; false if there is none. Wakes that come before the
    /// run has answered to the first are one.
    #[must_use]
    pub fn wake(&self, account: AccountId) -> bool {
        let wake = self.with(|known| known.get(&account).and_then(Weak::upgrade));
        wake.inspect(|wake| wake.notify_one()).is_some()
    }

    /// Whether the account runs.
    #[must_use]
    pub fn knows(&self, account: AccountId) -> bool {
        self.with(|known| known.get(&account).is_some_and(|wake| wake.strong_count() > 0))
    }

    /// The accounts that run. Forgets those that have ended.
    #[must_use]
    pub fn accounts(&self) -> BTreeSet<AccountId> {
        self.with(|known| {
            known.retain(|_, wake| wake.strong_count() > 0);
            known.keys().copied().collect()
        })
    }

    fn with<T>(&self, of: impl FnOnce(&mut BTreeMap<AccountId, Weak<Notify>>) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_woken_while_it_runs() {
        let (wakes, wake, account) = (Wakes::default(), Arc::new(Notify::new()), "111111111111".parse().unwrap());
        assert!(!wakes.wake(account), "nobody runs yet");
        wakes.enlist(account, &wake);
        assert!(wakes.wake(account) && wakes.knows(account));
        drop(wake);
        assert!(!wakes.knows(account) && wakes.accounts().is_empty());
        assert!(!wakes.wake(account), "the run has ended");
    }
}
