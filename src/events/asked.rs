//! The own calls of one account that may come back as events.
//!
//! Whoever can send to the queue can write an event that looks like an echo. So an echo
//! is believed only if it names a request of this exporter: `requestID` of the record is
//! the id that AWS has answered the request with, in the header `x-amzn-RequestId`. It
//! is believed once, so that a copy of one proves nothing. (AWS CloudTrail User Guide,
//! "CloudTrail record contents": the service that is called generates `requestID`. AWS
//! does not promise that the two are equal. Where they are not, no echo is believed, and
//! every account is read at the usual intervals.)

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::model::{
    hash::fnv1a,
    time::{Moment, Uptime},
};

/// The id of a request to AWS, as a hash of it: nobody guesses 64 bits either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

/// Ids that are shorter could be guessed. AWS's have 36 letters.
const SHORTEST: usize = 16;

/// So many calls of an account are remembered, a kilobyte. They are those of the last
/// quarter of an hour at least, unless events have the account read more often.
const MOST: usize = 32;

/// A call that may come back.
#[derive(Clone, Copy, Debug)]
struct Call {
    id: RequestId,
    asked: Moment,
    answered: Uptime,
}

/// What an echo shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// When the call was made, at the latest: events of the account arrived then.
    pub asked: Moment,
    /// How long after AWS's answer it has come back.
    pub delay: Duration,
}

/// The last calls of one account, for who makes them and who hears of them.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<Mutex<VecDeque<Call>>>);

// === impl RequestId ===

impl RequestId {
    /// The id that is written so; `None` where it is no id that nobody can guess.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        (text.len() >= SHORTEST).then(|| Self(fnv1a(text.as_bytes())))
    }
}

// === impl Asked ===

impl Asked {
    /// Notes a call that was made at `asked`, and that AWS had answered at `answered`.
    pub fn note(&self, id: RequestId, asked: Moment, answered: Uptime) {
        self.with(|calls| {
            if calls.len() == MOST {
                calls.pop_front();
            }
            calls.push_back(Call { id, asked, answered });
        });
    }

    /// What it shows that the call with this id has come back at `now`; nothing, unless
    /// it is a call of this account that has not come back before.
    #[must_use]
    pub fn echo(&self, id: RequestId, now: Uptime) -> Option<Echo> {
        self.with(|calls| {
            let place = calls.iter().position(|call| call.id == id)?;
            let Call { asked, answered, .. } = calls.remove(place)?;
            Some(Echo { asked, delay: now.since(answered) })
        })
    }

    /// Forgets all calls: they were made in another account.
    pub fn forget(&self) {
        self.with(VecDeque::clear);
    }

    fn with<T>(&self, of: impl FnOnce(&mut VecDeque<Call>) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn id(n: usize) -> RequestId {
        RequestId::of(&format!("00000000-0000-0000-0000-{n:012}")).unwrap()
    }

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap());
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    #[test]
    fn a_call_comes_back_once_and_only_by_its_id() {
        let asked = Asked::default();
        asked.note(id(1), at(10), at(11).mono);
        assert_eq!(asked.echo(id(2), at(12).mono), None);
        assert_eq!(asked.echo(id(1), at(14).mono), Some(Echo { asked: at(10), delay: Duration::from_secs(3) }));
        assert_eq!(asked.echo(id(1), at(15).mono), None, "a copy proves nothing");
    }

    #[test]
    fn only_the_last_calls_are_remembered() {
        let asked = Asked::default();
        (0..1_000).for_each(|n| asked.note(id(n), at(n as u64), at(n as u64).mono));
        let known = (0..1_000).filter(|n| asked.echo(id(*n), at(1_000).mono).is_some()).count();
        assert_eq!(known, MOST);
        assert!(size_of::<Call>() * MOST <= 1_024);
    }

    #[test]
    fn what_could_be_guessed_is_no_id() {
        assert_eq!([RequestId::of(""), RequestId::of("1")], [None; 2]);
    }
}
