//! Whether a request comes with a password that is good.
//!
//! To compare one costs a tenth of a second by design. So every answer is remembered,
//! and whoever is remembered is answered at once; all others take turns, lest guesses
//! add up to a stopped machine. [`turns`] says in which order. A check goes on when its
//! client has given up: the scraper behind it will ask again, and then be known.
//!
//! Clients that guess ask again as soon as they are answered, so a hundred of them would
//! be before everybody else for ever. Therefore a wrong password is answered when nobody
//! of its address waits for a check any more, [`HELD`] later at the latest.

mod turns;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use http::{HeaderMap, header::AUTHORIZATION};
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
    time::timeout,
};

use super::credentials::credentials;
use crate::http::{
    config::Secret,
    connections::{Connection, Origin, Phase},
};
use turns::Turns;

/// The salt and the hash of a password that nobody has kept: with whom an unknown user
/// is compared, so that an answer takes as long as a known user's.
const NOBODY: &str = "QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// So many good passwords are remembered; more than any scraper has.
const GOOD: usize = 100;

/// So many wrong ones: a scraper that is configured wrongly costs nothing after the first.
const BAD: usize = 1_000;

/// So many checks may wait. Each is a few hundred bytes.
const QUEUE: usize = 2_000;

/// So long the answer to a wrong password waits for the others of its address: three
/// hundred checks at a cost of a tenth of a second.
const HELD: Duration = Duration::from_secs(30);

/// bcrypt takes no more of a password into account.
const LONGEST: usize = 72;

/// What is to be said of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The password is right.
    Good,
    /// It is wrong, or there is none.
    Bad,
    /// It could not be checked, for too many others are waiting.
    Crowded,
}

/// What was found out, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Passwords(Arc<Checks>);

#[derive(Debug, Default)]
struct Checks {
    /// Digests are made under a key that only this process has.
    digest: RandomState,
    state: Mutex<State>,
    /// Told after each check.
    checked: Notify,
}

#[derive(Debug)]
struct State {
    good: HashSet<u64>,
    bad: HashSet<u64>,
    bad_by_age: VecDeque<u64>,
    turns: Turns<Check>,
    under_way: HashMap<u64, Verdict>,
    workers: usize,
}

/// Empty until there is one; its sender is gone if there will be none.
type Verdict = watch::Receiver<Option<bool>>;

#[derive(Debug)]
struct Check {
    digest: u64,
    password: Vec<u8>,
    hash: String,
    verdict: watch::Sender<Option<bool>>,
}

impl Passwords {
    /// Judges the name and the password in `headers`.
    pub(super) async fn judge(
        &self,
        users: &BTreeMap<String, Secret>,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Judgement {
        let Some((user, password)) = headers.get(AUTHORIZATION).and_then(credentials) else { return Judgement::Bad };
        let hash = users.get(&user).map_or_else(|| self.0.of_nobody(&user, users), |Secret(hash)| hash.clone());
        // The hash is part of it, so that a changed password is asked for again.
        let digest = self.0.digest.hash_one((&user, &hash, &password));
        let matches = match self.0.recall(digest) {
            Some(known) => Some(known),
            None => self.0.check(digest, password, hash, connection).await,
        };
        match matches {
            Some(true) if users.contains_key(&user) => Judgement::Good,
            Some(_) => Judgement::Bad,
            None => Judgement::Crowded,
        }
    }
}

impl Checks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recall(&self, digest: u64) -> Option<bool> {
        let state = self.state();
        if state.good.contains(&digest) { Some(true) } else { state.bad.contains(&digest).then_some(false) }
    }

    /// A hash that costs as much as some known user's, always the same for the same name.
    fn of_nobody(&self, user: &str, users: &BTreeMap<String, Secret>) -> String {
        let chosen = usize::try_from(self.digest.hash_one(user)).unwrap_or_default() % users.len().max(1);
        let cost = users.values().nth(chosen).and_then(|Secret(hash)| hash.get(4..6)).unwrap_or("10");
        format!("$2b${cost}${NOBODY}")
    }

    /// Waits for the verdict; `None` if there was no room to wait in.
    async fn check(
        self: &Arc<Self>,
        digest: u64,
        password: String,
        hash: String,
        connection: &Connection,
    ) -> Option<bool> {
        let mut verdict = self.enqueue(digest, password, hash, connection);
        connection.enter(Phase::Waiting);
        let verdict = verdict.wait_for(Option::is_some).await.ok().and_then(|verdict| *verdict);
        if verdict == Some(false) {
            let _ = timeout(HELD, self.wait_for_others_of(connection.origin)).await;
        }
        connection.enter(Phase::Served);
        verdict
    }

    async fn wait_for_others_of(&self, origin: Origin) {
        loop {
            let checked = self.checked.notified();
            if !self.state().turns.has(origin) {
                return;
            }
            checked.await;
        }
    }

    /// The same credentials are checked once, however many ask.
    fn enqueue(self: &Arc<Self>, digest: u64, password: String, hash: String, connection: &Connection) -> Verdict {
        let mut state = self.state();
        if let Some(verdict) = state.under_way.get(&digest).cloned() {
            state.turns.renew(connection.origin, |check| check.digest == digest);
            return verdict;
        }
        let mut password = password.into_bytes();
        password.truncate(LONGEST);
        let (sender, verdict) = watch::channel(None);
        let check = Check { digest, password, hash, verdict: sender };
        if let Some(dropped) = state.turns.push(connection.origin, check) {
            state.under_way.remove(&dropped.digest);
        }
        state.under_way.insert(digest, verdict.clone());
        if state.workers < workers() {
            state.workers += 1;
            tokio::spawn(Arc::clone(self).work());
        }
        verdict
    }

    /// Does one check after the other, off the threads that serve, until none is left.
    async fn work(self: Arc<Self>) {
        while let Some(check) = self.next() {
            let Check { digest, password, hash, verdict } = check;
            let matches = spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await;
            let matches = matches.unwrap_or(false);
            self.state().remember(digest, matches);
            verdict.send_replace(Some(matches));
            self.checked.notify_waiters();
        }
    }

    fn next(&self) -> Option<Check> {
        let mut state = self.state();
        let next = state.turns.next();
        if next.is_none() {
            state.workers -= 1;
        }
        next
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            good: HashSet::new(),
            bad: HashSet::new(),
            bad_by_age: VecDeque::new(),
            turns: Turns::new(QUEUE),
            under_way: HashMap::new(),
            workers: 0,
        }
    }
}

impl State {
    fn remember(&mut self, digest: u64, matches: bool) {
        self.under_way.remove(&digest);
        if matches {
            if self.good.len() >= GOOD {
                self.good.clear();
            }
            self.good.insert(digest);
        } else if self.bad.insert(digest) {
            self.bad_by_age.push_back(digest);
            if self.bad_by_age.len() > BAD {
                let oldest = self.bad_by_age.pop_front();
                self.bad.retain(|digest| Some(*digest) != oldest);
            }
        }
    }
}

/// So many checks at once that half of the machine is left, and of the four threads for
/// what takes long two.
fn workers() -> usize {
    (available_parallelism().map_or(1, usize::from) / 2).clamp(1, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_costs_what_a_known_one_does_and_always_the_same() {
        let hash = |cost: &str| Secret(format!("$2y${cost}${NOBODY}"));
        let users = BTreeMap::from([("ann".to_owned(), hash("07")), ("bob".to_owned(), hash("12"))]);
        let checks = Checks::default();
        let costs: HashSet<_> = (0..50).map(|n| checks.of_nobody(&n.to_string(), &users)[4..6].to_owned()).collect();
        assert_eq!(costs, HashSet::from(["07".to_owned(), "12".to_owned()]));
        assert_eq!(checks.of_nobody("eve", &users), checks.of_nobody("eve", &users));
        assert!(bcrypt::verify("x", &checks.of_nobody("eve", &users)).is_ok(), "it is a hash");
    }

    #[test]
    fn the_oldest_wrong_password_is_forgotten_and_no_good_one_for_it() {
        let mut state = State::default();
        state.remember(0, true);
        (1..=BAD as u64 + 2).for_each(|digest| state.remember(digest, false));
        assert_eq!((state.bad.len(), state.bad_by_age.len()), (BAD, BAD));
        assert!(state.good.contains(&0) && !state.bad.contains(&1) && state.bad.contains(&3));
    }
}
