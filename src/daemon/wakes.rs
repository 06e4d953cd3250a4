//! Which account runs there are to be woken by an event, and what an echo tells them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, watch};

use crate::{
    events::asked::{Asked, Echo, RequestId},
    model::{
        account::AccountId,
        time::{Moment, Uptime},
    },
};

/// Where the events of one account are waited for.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Notified when something has happened in the account.
    pub wake: Notify,
    /// The own calls that may come back.
    pub asked: Asked,
    /// When the last call was made that has come back.
    last_echo: watch::Sender<Option<Moment>>,
}

/// The accounts that are watched, each with its arrivals. A run that has ended is no longer
/// among them.
#[derive(Clone, Debug, Default)]
pub struct Wakes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    accounts: Mutex<BTreeMap<AccountId, Weak<Arrivals>>>,
    /// Whether anybody listens for events.
    is_heard: AtomicBool,
}

/// What has become of an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is of a call of this exporter.
    Own(Echo),
    /// It is of no call that is known.
    Unasked,
    /// Nobody watches the account.
    Unwatched,
}

// === impl Arrivals ===

impl Arrivals {
    /// The arrivals of an account in which a call was made at `last_echo` that has come back.
    #[must_use]
    pub fn echoed(last_echo: Option<Moment>) -> Self {
        Self { last_echo: watch::Sender::new(last_echo), ..Self::default() }
    }

    /// When the last call was made that has come back, now and whenever that changes.
    #[must_use]
    pub fn last_echo(&self) -> watch::Receiver<Option<Moment>> {
        self.last_echo.subscribe()
    }

    /// Forgets everything: this is another account.
    pub fn forget(&self) {
        self.asked.forget();
        self.last_echo.send_replace(None);
    }

    fn hear(&self, request: Option<RequestId>, now: Uptime) -> Heard {
        let Some(echo) = request.and_then(|request| self.asked.echo(request, now)) else { return Heard::Unasked };
        self.last_echo.send_if_modified(|last_echo| {
            let is_newer = last_echo.is_none_or(|last_echo| echo.asked.mono > last_echo.mono);
            if is_newer {
                *last_echo = Some(echo.asked);
            }
            is_newer
        });
        Heard::Own(echo)
    }
}

// === impl Wakes ===

impl Wakes {
    /// From now on an event of `account` comes to `arrivals`.
    pub fn enlist(&self, account: AccountId, arrivals: &Arc<Arrivals>) {
        self.with(|accounts| accounts.insert(account, Arc::downgrade(arrivals)));
    }

    /// Whether anybody listens for events from now on.
    pub fn hear(&self, is_heard: bool) {
        self.0.is_heard.store(is_heard, Ordering::Relaxed);
    }

    /// Whether anybody listens for events.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.0.is_heard.load(Ordering::Relaxed)
    }

    /// Wakes the run of an account; false if there is none. Wakes that come before the
    /// run has answered to the first are one.
    #[must_use]
    pub fn wake(&self, account: AccountId) -> bool {
        self.arrivals(account).inspect(|arrivals| arrivals.wake.notify_one()).is_some()
    }

    /// Takes in what looks like an echo, which came at `now`.
    #[must_use]
    pub fn echo(&self, account: AccountId, request: Option<RequestId>, now: Uptime) -> Heard {
        self.arrivals(account).map_or(Heard::Unwatched, |arrivals| arrivals.hear(request, now))
    }

    /// The accounts that run, and when the last call was made in each that has come back.
    /// Forgets those that have ended.
    #[must_use]
    pub fn accounts(&self) -> BTreeMap<AccountId, Option<Moment>> {
        self.with(|accounts| {
            accounts.retain(|_, arrivals| arrivals.strong_count() > 0);
            let echoed = |(account, arrivals): (&AccountId, &Weak<Arrivals>)| {
                Some((*account, *arrivals.upgrade()?.last_echo.borrow()))
            };
            accounts.iter().filter_map(echoed).collect()
        })
    }

    fn arrivals(&self, account: AccountId) -> Option<Arc<Arrivals>> {
        self.with(|accounts| accounts.get(&account).and_then(Weak::upgrade))
    }

    fn with<T>(&self, of: impl FnOnce(&mut BTreeMap<AccountId, Weak<Arrivals>>) -> T) -> T {
        of(&mut self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::time::Timestamp;

    #[test]
    fn an_account_is_woken_while_it_runs() {
        let (wakes, arrivals, account) =
            (Wakes::default(), Arc::new(Arrivals::default()), "111111111111".parse().unwrap());
        assert!(!wakes.wake(account), "nobody runs yet");
        wakes.enlist(account, &arrivals);
        assert!(wakes.wake(account));
        drop(arrivals);
        assert!(wakes.accounts().is_empty(), "a run that has ended is forgotten");
        assert!(!wakes.wake(account), "the run has ended");
    }

    #[test]
    fn an_echo_is_of_one_account_and_an_older_one_takes_nothing_back() {
        let at = |seconds: u64| Moment {
            wall: Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap()),
            mono: Uptime::after_start(Duration::from_secs(seconds)),
        };
        let id = |n: u8| RequestId::of(&format!("00000000-0000-0000-0000-00000000000{n}"));
        let (wakes, both) = (Wakes::default(), [Arrivals::default(), Arrivals::default()].map(Arc::new));
        let accounts = ["111111111111", "222222222222"].map(|id| id.parse().unwrap());
        accounts.iter().zip(&both).for_each(|(account, arrivals)| wakes.enlist(*account, arrivals));
        for n in 1..3 {
            both[0].asked.note(id(n).unwrap(), at(n.into()), at(n.into()).mono);
        }
        assert_eq!(wakes.echo(accounts[1], id(1), at(9).mono), Heard::Unasked, "another account's");
        assert_eq!(wakes.echo(accounts[0], None, at(9).mono), Heard::Unasked);
        assert_eq!(wakes.echo("333333333333".parse().unwrap(), id(1), at(9).mono), Heard::Unwatched);
        assert!(matches!(wakes.echo(accounts[0], id(2), at(9).mono), Heard::Own(_)));
        assert!(matches!(wakes.echo(accounts[0], id(1), at(9).mono), Heard::Own(_)));
        assert_eq!([*both[0].last_echo().borrow(), *both[1].last_echo().borrow()], [Some(at(2)), None]);
    }
}
