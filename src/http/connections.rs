//! Who is connected, and who has to leave when it gets crowded.
//!
//! A new connection is let in at once, always. If there is no place for it, another
//! one leaves: one that has asked nothing yet before one that is asking, and that
//! before one that was answered and may ask again; among equals one of the address
//! that has most of them, and there the oldest. Nobody who is being answered leaves.
//! So a client can take places from itself and from idle ones, and from a scraper
//! never for longer than it takes to connect again.
//!
//! A connection that has sent nothing costs about a kilobyte, and so does one whose request
//! is not there whole. One that can be answered takes buffers, and so does a handshake, so
//! there may be fewer of those.

mod connection;
mod eviction;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prometheus::IntCounterVec;
use tokio::task::AbortHandle;

use super::{Limits, refusal::Refusal};
pub(super) use connection::{Connection, Phase, Ticket};
pub(super) use eviction::Origin;
use eviction::victims;

/// A scrape whose client has taken nothing for so long gives its slot to who wants one.
const PAUSED: Duration = Duration::from_millis(500);

/// All connections of the server, and what they hold.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    began: Instant,
    refusals: IntCounterVec,
    /// Held for as long as it takes to count, never while anything is waited for.
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    connections: HashMap<u64, Entry>,
    held: HashMap<Origin, Held>,
    open: usize,
    scraping: Vec<Arc<Connection>>,
}

/// The table, and the tasks of those who have to leave. They are stopped when the lock is
/// open again, for they take it to give up their connections.
struct Locked<'a> {
    table: MutexGuard<'a, Table>,
    leaving: Vec<Leaving>,
}

struct Leaving(AbortHandle);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Entry {
    connection: Arc<Connection>,
    task: Option<AbortHandle>,
    is_open: bool,
}

/// What one address holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    all: usize,
    open: usize,
}

impl Connections {
    pub(super) fn new(limits: Limits, refusals: IntCounterVec) -> Arc<Self> {
        // Each series exists from the start, so that its first increase can be seen.
        Refusal::ALL.iter().for_each(|refusal| drop(refusals.with_label_values(&[refusal.as_str()])));
        Arc::new(Self { limits, began: Instant::now(), refusals, table: Mutex::default() })
    }

    /// Lets somebody in. `None` only where everybody else is being answered.
    pub(super) fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Ticket> {
        let origin = Origin::of(from);
        let most = self.limits.connections;
        let mut locked = self.lock();
        let held = locked.table.held.get(&origin).map_or(0, |held| held.all);
        let of_address = |entry: &Entry| entry.connection.origin == origin;
        if held >= share(most) && !self.make_room(&mut locked, Refusal::Address, most, of_address) {
            self.refuse(Refusal::Address);
            return None;
        }
        if locked.table.connections.len() >= most && !self.make_room(&mut locked, Refusal::Crowded, most, |_| true) {
            self.refuse(Refusal::Crowded);
            return None;
        }
        let table = &mut locked.table;
        let id = table.next;
        table.next += 1;
        let connection = Arc::new(Connection::new(Arc::clone(self), id, origin));
        table.connections.insert(id, Entry { connection: Arc::clone(&connection), task: None, is_open: false });
        table.held.entry(origin).or_default().all += 1;
        Some(Ticket(connection))
    }

    /// Says which task serves a connection.
    pub(super) fn attach(&self, id: u64, task: AbortHandle) {
        let mut locked = self.lock();
        match locked.table.connections.get_mut(&id) {
            Some(entry) => entry.task = Some(task),
            // It has left already, or had to.
            None => locked.leaving.push(Leaving(task)),
        }
    }

    /// Makes room where the system has no descriptors left.
    pub(super) fn relieve(&self) {
        self.make_room(&mut self.lock(), Refusal::Crowded, self.limits.connections, |_| true);
    }

    /// Counts a refusal.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.refusals.with_label_values(&[refusal.as_str()]).inc();
    }

    fn lock(&self) -> Locked<'_> {
        Locked { table: self.table.lock().unwrap_or_else(PoisonError::into_inner), leaving: Vec::new() }
    }

    /// Time since the server began to accept.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A connection's request has come, or a handshake has begun: from now on it costs.
    fn open(&self, id: u64, origin: Origin) -> bool {
        let most = self.limits.conversations;
        let mut locked = self.lock();
        let is_other = |entry: &Entry| entry.is_open && entry.connection.id != id;
        let of_address = |entry: &Entry| is_other(entry) && entry.connection.origin == origin;
        let held = locked.table.held.get(&origin).map_or(0, |held| held.open);
        if held >= share(most) && !self.make_room(&mut locked, Refusal::Address, most, of_address) {
            self.refuse(Refusal::Address);
            return false;
        }
        if locked.table.open >= most && !self.make_room(&mut locked, Refusal::Crowded, most, is_other) {
            self.refuse(Refusal::Crowded);
            return false;
        }
        locked.table.open(id, origin)
    }

    /// A connection costs no more than at first.
    fn close(&self, id: u64) {
        self.lock().table.close(id);
    }

    /// Sends somebody away, of those that may be; a sixteenth of them at once, so that
    /// looking for them is rare. Whether there is room now.
    fn make_room(&self, locked: &mut Locked<'_>, refusal: Refusal, most: usize, of: impl Fn(&Entry) -> bool) -> bool {
        let candidates =
            locked.table.connections.values().filter(|entry| of(entry)).map(|entry| entry.connection.candidate());
        // Where descriptors are the limit, there are fewer than may be; the newest are those
        // that have not been read from yet, and stay.
        let leaving = victims(candidates.collect(), (most.min(locked.table.connections.len()) / 16).max(1));
        let mut is_room = false;
        for candidate in leaving {
            // Who has begun to be answered meanwhile stays.
            let entry = locked.table.connections.get(&candidate.id);
            if entry.is_some_and(|entry| entry.connection.dismiss(candidate)) {
                locked.send_away(candidate.id);
                self.refuse(refusal);
                is_room = true;
            }
        }
        is_room
    }

    fn leave(&self, id: u64) {
        self.lock().table.remove(id);
    }

    /// A slot for a scrape, if there is one. A quarter of them is kept for addresses that
    /// have none, and a client that does not read gives its slot away.
    fn take_slot(&self, connection: &Arc<Connection>) -> Result<(), Refusal> {
        let most = self.limits.scrapes;
        if most == 0 {
            return Ok(());
        }
        let mut locked = self.lock();
        let scraping = &locked.table.scraping;
        let has_one = scraping.iter().any(|other| other.origin == connection.origin);
        let is_full = scraping.len() >= most;
        if is_full || has_one && scraping.len() + most / 4 >= most {
            let others = scraping.iter().filter(|other| is_full || other.origin == connection.origin);
            let longest = others.map(|other| (other.paused(), other.id)).max();
            let refusal = if is_full { Refusal::Scrapes } else { Refusal::Address };
            let (_, id) = longest.filter(|(paused, _)| *paused >= PAUSED).ok_or(refusal)?;
            locked.send_away(id);
            self.refuse(Refusal::Stalled);
        }
        locked.table.scraping.push(Arc::clone(connection));
        Ok(())
    }

    fn give_slot_back(&self, id: u64) {
        self.lock().table.scraping.retain(|connection| connection.id != id);
    }
}

impl Locked<'_> {
    fn send_away(&mut self, id: u64) {
        let task = self.table.remove(id).and_then(|entry| entry.task);
        self.leaving.extend(task.map(Leaving));
    }
}

impl Table {
    fn open(&mut self, id: u64, origin: Origin) -> bool {
        let Some(entry) = self.connections.get_mut(&id) else { return false };
        entry.is_open = true;
        self.open += 1;
        self.held.entry(origin).or_default().open += 1;
        true
    }

    fn close(&mut self, id: u64) {
        let Some(entry) = self.connections.get_mut(&id).filter(|entry| entry.is_open) else { return };
        entry.is_open = false;
        self.open -= 1;
        self.held.entry(entry.connection.origin).or_default().open -= 1;
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        self.close(id);
        let entry = self.connections.remove(&id)?;
        self.scraping.retain(|connection| connection.id != id);
        let origin = entry.connection.origin;
        if let Some(held) = self.held.get_mut(&origin) {
            held.all -= 1;
            if held.all == 0 {
                self.held.remove(&origin);
            }
        }
        Some(entry)
    }
}

/// What one address may hold of `most` places.
const fn share(most: usize) -> usize {
    most - most / 4
}
