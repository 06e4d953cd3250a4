//! What accounts were like a while ago, for replicas that lag.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::{fault::Fault, state::Account};

/// The longest lag of all: what was so before is forgotten.
const LONGEST: Duration = Duration::from_secs(600);

/// Accounts as they were, each until some moment. Nothing is kept before somebody
/// lags, for most simulations have nobody who does.
#[derive(Debug, Default)]
pub(crate) struct History {
    is_kept: bool,
    past: BTreeMap<String, VecDeque<(Instant, Account)>>,
}

impl History {
    /// Keeps what is changed from now on.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Changes an account, and keeps what it was.
    pub(crate) fn change<T>(&mut self, account: &mut Account, change: impl FnOnce(&mut Account) -> T) -> T {
        if !self.is_kept {
            return change(account);
        }
        let old = account.clone();
        let changed = change(account);
        if old != *account {
            let now = Instant::now();
            let past = self.past.entry(old.id.clone()).or_default();
            past.retain(|(until, _)| now.duration_since(*until) < LONGEST);
            past.push_back((now, old));
        }
        changed
    }

    /// The fault itself, unless it is a replica's that lags: that one is stale, if the
    /// account has changed since.
    pub(crate) fn resolve(&self, account: &str, fault: Fault) -> Fault {
        let Fault::Lagging(lag) = fault else { return fault };
        let then = Instant::now().checked_sub(lag);
        let mut past = self.past.get(account).into_iter().flatten();
        let was = past.find(|(until, _)| then.is_none_or(|then| *until > then));
        was.map_or(fault, |(_, account)| Fault::Stale(Box::new(account.clone())))
    }
}
