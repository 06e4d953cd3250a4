//! One connection: what it is about, and since when.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

use super::{
    Connections,
    eviction::{Candidate, Origin},
};
use crate::http::refusal::Refusal;

/// What a connection is about. In this order they are missed: the first least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::http) enum Phase {
    /// It has sent nothing yet.
    Silent,
    /// A TLS handshake is under way.
    Shaking,
    /// The headers of a request are on their way, or those of the first are awaited.
    Asking,
    /// Its password waits to be checked.
    Waiting,
    /// It was answered, and may ask again.
    Idle,
    /// An answer is being made, or sent.
    Served,
    /// The end of an answer is on its way.
    Flushing,
    /// It had to leave.
    Gone,
}

/// How often somebody who is being answered is asked whether that is over.
const BUSY: Duration = Duration::from_millis(100);

/// A connection's place. Its phase changes with each request, so that no lock is taken.
pub(in crate::http) struct Connection {
    connections: Arc<Connections>,
    pub(super) id: u64,
    pub(in crate::http) origin: Origin,
    /// Milliseconds since the server began to accept, and in the last three bits the phase.
    state: AtomicU64,
    /// When the client last took something of its answer, likewise.
    progress: AtomicU64,
    has_slot: AtomicBool,
}

/// A connection that is given up when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Ticket(pub(super) Arc<Connection>);

const PHASES: [Phase; 8] = [
    Phase::Silent,
    Phase::Shaking,
    Phase::Asking,
    Phase::Waiting,
    Phase::Idle,
    Phase::Served,
    Phase::Flushing,
    Phase::Gone,
];

impl Phase {
    /// Whether somebody in this phase may be sent away to make room.
    pub(super) fn may_leave(self) -> bool {
        self < Self::Served
    }
}

impl Connection {
    pub(super) fn new(connections: Arc<Connections>, id: u64, origin: Origin) -> Self {
        let state = AtomicU64::new(pack(Phase::Silent, connections.now()));
        Self { connections, id, origin, state, progress: AtomicU64::new(0), has_slot: AtomicBool::new(false) }
    }

    /// The phase, and how long it has lasted.
    pub(in crate::http) fn phase(&self) -> (Phase, Duration) {
        let (phase, since) = unpack(self.state.load(Ordering::Acquire));
        (phase, self.connections.now().saturating_sub(since))
    }

    /// Enters a phase, whatever it was before, unless it had to leave.
    pub(in crate::http) fn enter(&self, phase: Phase) {
        let next = pack(phase, self.connections.now());
        let _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            (unpack(state).0 != Phase::Gone).then_some(next)
        });
    }

    /// Goes from one phase to another, if it is in that one.
    fn pass(&self, from: Phase, to: Phase) -> bool {
        let next = pack(to, self.connections.now());
        let passed = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (unpack(state).0 == from).then_some(next));
        passed.is_ok()
    }

    /// Something came. After an answer it is the beginning of the next request.
    pub(in crate::http) fn heard(&self) {
        self.pass(Phase::Idle, Phase::Asking);
    }

    /// The client took something of its answer.
    pub(in crate::http) fn progressed(&self) {
        self.progress.store(millis(self.connections.now()), Ordering::Relaxed);
    }

    /// The whole answer is in the hands of the connection.
    pub(in crate::http) fn handed_over(&self) {
        self.pass(Phase::Served, Phase::Flushing);
    }

    /// All that was to be sent is sent. Whether that was the end of an answer.
    pub(in crate::http) fn flushed(&self) -> bool {
        let is_end = self.pass(Phase::Flushing, Phase::Idle);
        if is_end {
            self.give_slot_back();
        }
        is_end
    }

    /// How long the client has taken nothing of its answer.
    pub(in crate::http) fn paused(&self) -> Duration {
        self.connections.now().saturating_sub(Duration::from_millis(self.progress.load(Ordering::Relaxed)))
    }

    /// Takes a slot for an answer that may be long.
    pub(in crate::http) fn take_slot(self: &Arc<Self>) -> Result<(), Refusal> {
        self.progressed();
        if !self.has_slot.load(Ordering::Acquire) {
            self.connections.take_slot(self)?;
            self.has_slot.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn give_slot_back(&self) {
        if self.has_slot.swap(false, Ordering::AcqRel) {
            self.connections.give_slot_back(self.id);
        }
    }

    /// Counts a refusal.
    pub(in crate::http) fn refuse(&self, refusal: Refusal) {
        self.connections.refuse(refusal);
    }

    pub(super) fn candidate(&self) -> Candidate {
        let (phase, since) = unpack(self.state.load(Ordering::Acquire));
        Candidate { id: self.id, origin: self.origin, phase, since }
    }

    /// Sends it away, if it still is what it was.
    pub(super) fn dismiss(&self, seen: Candidate) -> bool {
        let gone = pack(Phase::Gone, seen.since);
        let seen = pack(seen.phase, seen.since);
        self.state.compare_exchange(seen, gone, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).field("phase", &self.phase()).finish_non_exhaustive()
    }
}

impl Ticket {
    /// A request has come, or a handshake has begun. Whether there is room for a conversation.
    pub(in crate::http) fn open(&self, phase: Phase) -> bool {
        let is_open = self.0.connections.open(self.0.id, self.0.origin);
        if is_open {
            self.0.enter(phase);
        }
        is_open
    }

    /// What the conversation took is given back.
    pub(in crate::http) fn close(&self) {
        self.0.connections.close(self.0.id);
    }

    /// Completes when nothing has been asked for so long since the last answer.
    pub(in crate::http) async fn pauses(&self, pause: Duration) {
        loop {
            let left = match self.phase() {
                (Phase::Idle, lasted) if lasted >= pause => return,
                (Phase::Idle, lasted) => pause.saturating_sub(lasted),
                _ => pause.max(BUSY),
            };
            sleep(left).await;
        }
    }

    /// The connection.
    pub(in crate::http) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.0)
    }

    /// Its number among the connections.
    pub(in crate::http) fn id(&self) -> u64 {
        self.0.id
    }
}

impl Deref for Ticket {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.connections.leave(self.0.id);
    }
}

fn pack(phase: Phase, since: Duration) -> u64 {
    millis(since) << 3 | phase as u64
}

fn unpack(state: u64) -> (Phase, Duration) {
    let phase = usize::try_from(state & 7).map_or(Phase::Gone, |n| PHASES[n]);
    (phase, Duration::from_millis(state >> 3))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 3)
}
