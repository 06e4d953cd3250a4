//! What was asked: every request for the tests that look at them, and counts that
//! stay right when nobody keeps the requests.

use std::{collections::BTreeMap, time::Instant};

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Whom it asked: the account of its credentials, empty for nobody's; for
    /// `AssumeRole` the account of the role.
    pub account: String,
    /// The service it was signed for.
    pub service: String,
    /// What it asked for.
    pub operation: String,
    /// The id that the reply gives to the request, and CloudTrail to the event about it.
    pub request_id: String,
    /// With what; of a JSON body, the strings and numbers at its top.
    pub params: BTreeMap<String, String>,
}

/// All that was asked so far.
#[derive(Debug)]
pub(crate) struct Record {
    seen: Vec<Seen>,
    is_keeping: bool,
    /// By operation, then by account.
    counts: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Default for Record {
    fn default() -> Self {
        Self { seen: Vec::new(), is_keeping: true, counts: BTreeMap::new() }
    }
}

impl Record {
    /// Counts a request.
    pub(crate) fn count(&mut self, seen: &Seen) {
        let of_operation = match self.counts.get_mut(&seen.operation) {
            Some(counts) => counts,
            None => self.counts.entry(seen.operation.clone()).or_default(),
        };
        match of_operation.get_mut(&seen.account) {
            Some(count) => *count += 1,
            None => _ = of_operation.insert(seen.account.clone(), 1),
        }
    }

    /// Keeps a request, unless nobody wants it.
    pub(crate) fn keep(&mut self, seen: Seen) {
        if self.is_keeping {
            self.seen.push(seen);
        }
    }

    pub(crate) fn seen(&self) -> &[Seen] {
        &self.seen
    }

    pub(crate) fn forget(&mut self) {
        self.seen = Vec::new();
    }

    pub(crate) fn stop_keeping(&mut self) {
        self.is_keeping = false;
        self.forget();
    }

    pub(crate) fn of(&self, account: &str, operation: &str) -> usize {
        self.counts.get(operation).and_then(|counts| counts.get(account)).copied().unwrap_or(0)
    }

    pub(crate) fn total(&self, operation: &str) -> usize {
        self.counts.get(operation).map_or(0, |counts| counts.values().sum())
    }
}
