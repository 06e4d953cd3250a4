//! What an account's collectors share of its changes.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{
    facts::{Changes, SealKey, Summary, VirtualDevices},
    time::Moment,
};

/// The changes of one account, as all of its collectors have seen them.
#[derive(Clone, Debug, Default)]
pub struct SharedChanges(Arc<Mutex<Changes>>);

impl SharedChanges {
    /// What an earlier process knew.
    #[must_use]
    pub fn new(changes: Changes) -> Self {
        Self(Arc::new(Mutex::new(changes)))
    }

    /// Has root's devices hashed with `key`, if they are not yet with another.
    pub fn seal_with(&self, key: SealKey) {
        self.with(|changes| _ = changes.key.get_or_insert(key));
    }

    /// What is known by now.
    #[must_use]
    pub fn get(&self) -> Changes {
        self.with(|changes| *changes)
    }

    /// Takes a summary in that arrived at `received`, and tells whether it shows a
    /// change.
    pub fn summary(&self, summary: &Summary, received: Moment) -> bool {
        self.with(|changes| changes.summary(summary, received))
    }

    /// Takes a list of virtual devices in that was asked for at `asked`.
    pub fn list(&self, devices: VirtualDevices, asked: Moment) {
        self.with(|changes| changes.list(devices, asked));
    }

    /// Notes that something was seen at `at` that is not what it was.
    pub fn changed(&self, at: Moment) {
        self.with(|changes| changes.changed(at));
    }

    /// Notes that at `at` a user was seen to have left.
    pub fn departed(&self, at: Moment) {
        self.with(|changes| changes.departed(at));
    }

    /// Forgets everything: this is another account.
    pub fn forget(&self) {
        self.with(|changes| *changes = Changes { key: changes.key, ..Changes::default() });
    }

    fn with<T>(&self, of: impl FnOnce(&mut Changes) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
