//! How long a run that has no other after it may take, and how far it has come, for
//! somebody who waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use crate::model::time::Uptime;

/// There is no other run after this one: nothing is left to it.
#[derive(Clone, Debug, Default)]
pub struct Only {
    /// No question is asked after this time, where there is a limit.
    pub asks_until: Option<Uptime>,
    /// Whatever is still under way then is cut off.
    pub ends_at: Option<Uptime>,
    /// How far it has come.
    pub progress: Progress,
}

/// How far the runs of all accounts have come.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    accounts: AtomicUsize,
    accounts_done: AtomicUsize,
    questions: AtomicUsize,
    questions_done: AtomicUsize,
    awaits_echoes: AtomicBool,
}

/// How far they have come by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many accounts there are; none while that is not known.
    pub accounts: usize,
    /// How many of them have been read.
    pub accounts_done: usize,
    /// How many questions about single users were to be asked so far.
    pub questions: usize,
    /// How many of them have been answered or refused.
    pub questions_done: usize,
    /// Whether all have been read, and their calls are to come back as events.
    pub awaits_echoes: bool,
}

impl Progress {
    /// There are so many accounts.
    pub fn expect_accounts(&self, accounts: usize) {
        self.0.accounts.store(accounts, Relaxed);
    }

    /// An account has been read.
    pub fn account_done(&self) {
        self.0.accounts_done.fetch_add(1, Relaxed);
    }

    /// So many more questions are to be asked.
    pub fn expect_questions(&self, questions: usize) {
        self.0.questions.fetch_add(questions, Relaxed);
    }

    /// A question has been answered or refused.
    pub fn question_done(&self) {
        self.0.questions_done.fetch_add(1, Relaxed);
    }

    /// So many questions will not be asked after all.
    pub fn drop_questions(&self, questions: usize) {
        self.0.questions.fetch_sub(questions, Relaxed);
    }

    /// All accounts have been read. Their calls are to come back as events.
    pub fn await_echoes(&self) {
        self.0.awaits_echoes.store(true, Relaxed);
    }

    /// How far it is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let Counts { accounts, accounts_done, questions, questions_done, awaits_echoes } = &*self.0;
        let awaits_echoes = awaits_echoes.load(Relaxed);
        let [accounts, accounts_done, questions, questions_done] =
            [accounts, accounts_done, questions, questions_done].map(|count| count.load(Relaxed));
        Standing { accounts, accounts_done, questions, questions_done, awaits_echoes }
    }
}
