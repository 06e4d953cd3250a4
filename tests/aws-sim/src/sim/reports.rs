//! The credential reports from the outside.

use std::time::{Duration, SystemTime};

use super::Sim;
use crate::report::Life;

impl Sim {
    /// Stores a report of the account as it is now, with a `GeneratedTime` that is
    /// `age` ago. Change the account afterwards, and the report is out of date.
    ///
    /// # Panics
    /// Like all that is about reports, when there is no such account.
    pub fn generate_report(&self, account: &str, age: Duration) {
        let text = crate::report::text(&self.account(account));
        self.set_report(account, SystemTime::now() - age, text);
    }

    /// Stores a report of this text, as it stands, with this `GeneratedTime`.
    pub fn set_report(&self, account: &str, generated: SystemTime, text: impl Into<Vec<u8>>) {
        self.life(account, |life| life.store(generated, text.into()));
    }

    /// Lets the reports that are asked for from now on take this long. At first they
    /// take no time: the request after the one that starts them has them.
    pub fn report_takes(&self, account: &str, time: Duration) {
        self.life(account, |life| life.takes = time);
    }

    /// Makes the report this much older: the stored one, or the one under way, of
    /// which so much time has passed. Four hours make a stored one expire.
    pub fn advance_reports(&self, account: &str, by: Duration) {
        self.life(account, |life| life.advance(by));
    }

    /// Removes the report, so that it is as if none had ever been asked for.
    pub fn forget_report(&self, account: &str) {
        self.life(account, Life::forget);
    }

    fn life(&self, account: &str, change: impl FnOnce(&mut Life)) {
        let mut inner = self.shared.lock();
        assert!(inner.accounts.contains_key(account), "the account is in the scenario");
        change(inner.reports.of(account));
    }
}
