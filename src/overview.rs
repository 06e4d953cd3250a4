//! The accounts as a person wants to see them: worst first, each with why, and
//! what to do. The page at `/` and `check` are two drawings of this.

pub mod fit;
pub mod page;
mod remedy;
pub mod sheet;
pub mod table;

use std::{collections::BTreeMap, time::Duration};

use crate::{
    metrics::UNIDENTIFIED,
    model::{
        account::{Account, AccountStatus},
        facts::Fault,
        judge::{Control, Reason, Status, Verdict, users::Count},
        snapshot::{AccountState, Failing, Snapshot},
        time::Moment,
    },
};

pub use remedy::Reader;

/// The controls in the order in which people ask for them.
const CONTROLS: [Control; 6] =
    [Control::Iam9, Control::Iam6, Control::Iam4, Control::Iam5, Control::Iam19, Control::Cognito5];

/// All accounts.
#[derive(Debug)]
pub struct Overview<'a> {
    /// The controls that are judged, in the order in which people ask for them.
    pub controls: Vec<Control>,
    /// The accounts, worst first.
    pub rows: Vec<Row<'a>>,
    /// How many of the scanned accounts are in each state.
    pub tally: AccountCounts,
    /// Why the accounts could not all be found out.
    pub fault: Option<&'a Fault>,
    /// Who reads it.
    pub reader: Reader,
}

/// One account.
#[derive(Debug)]
pub struct Row<'a> {
    /// Its id, or what stands for one that is not known.
    pub id: &'a str,
    /// The account.
    pub account: Option<&'a Account>,
    /// Whether it is scanned, and why not.
    pub status: AccountStatus,
    /// Its verdicts, in the order of the overview's controls; none where it is not
    /// scanned.
    pub verdicts: Vec<(Control, Verdict)>,
    /// How old what each of them rests on is; nothing where a verdict is unknown.
    pub ages: Vec<Option<Duration>>,
    /// The state of the worst of them; `None` where it is not scanned.
    pub worst: Option<Status>,
    /// How old the heartbeat behind them is.
    pub age: Option<Duration>,
    /// What is to be said of it, the most urgent first.
    pub notes: Vec<Note>,
    /// The users without a device, where they are to be named.
    pub users: Option<Failing<&'a str>>,
}

/// Something to be said of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is so.
    pub what: String,
    /// The call and AWS's code, for whoever looks closer.
    pub detail: Option<String>,
    /// What a person can do about it.
    pub remedy: Option<String>,
}

/// How many accounts are in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Accounts whose root user is without MFA: IAM.9 failed.
    pub root_failed: usize,
    /// Accounts of which that is unknown.
    pub root_unknown: usize,
    /// Of the others, accounts of which another control failed.
    pub failed: usize,
    /// Of the others, accounts of which another control is unknown.
    pub unknown: usize,
    /// Accounts of which all controls passed or do not apply.
    pub protected: usize,
    /// Accounts that are not scanned, by why.
    pub idle: BTreeMap<AccountStatus, usize>,
}

impl<'a> Overview<'a> {
    /// Looks at `snapshot`.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot, now: Moment, reader: Reader) -> Self {
        let (has_users, has_pools) = (snapshot.plan.users.is_some(), snapshot.plan.cognito.is_some());
        let is_judged = |control: &Control| match control {
            Control::Cognito5 => has_pools,
            control => has_users || !control.is_of_users(),
        };
        let controls: Vec<_> = CONTROLS.into_iter().filter(is_judged).collect();
        let mut rows: Vec<_> =
            snapshot.accounts().map(|state| Row::of(snapshot, state, &controls, now, reader)).collect();
        rows.sort_by_cached_key(Row::urgency);
        let mut tally = AccountCounts::default();
        rows.iter().for_each(|row| tally.count(row));
        Self { controls, rows, tally, fault: snapshot.discovery.fault.as_ref(), reader }
    }

    /// How it is, in a sentence: roots without MFA first.
    #[must_use]
    pub fn headline(&self) -> String {
        self.headline_by(|_, text| text.to_owned())
    }

    /// The same, with each count painted by how bad it is.
    fn headline_by(&self, paint: impl Fn(Status, &str) -> String) -> String {
        let scanned = self.tally.by_urgency().into_iter().enumerate();
        let mut parts: Vec<String> = scanned
            // That no root is without MFA is worth saying; that nothing else failed goes without.
            .filter(|(at, (count, ..))| *count > 0 || *at == 0)
            .map(|(_, (count, status, word))| match count {
                0 => format!("0 {word}"),
                _ => paint(status, &format!("{count} {word}")),
            })
            .collect();
        let idle = self.tally.idle.iter();
        parts.extend(idle.map(|(status, count)| format!("{count} {} and not scanned", status.as_str())));
        format!("{} accounts: {}.", self.tally.all(), parts.join(", "))
    }
}

impl<'a> Row<'a> {
    fn of(snapshot: &Snapshot, state: &'a AccountState, controls: &[Control], now: Moment, reader: Reader) -> Self {
        let account = state.account.as_ref();
        let status = account.map_or(AccountStatus::Scanned, |account| account.status);
        let scanned = controls.iter().filter(|_| state.is_scanned());
        let verdicts: Vec<_> = scanned.map(|control| (*control, state.standing(*control).verdict)).collect();
        let worst = verdicts.iter().map(|(_, verdict)| verdict.status).min_by_key(|status| weight(*status));
        let as_of = verdicts.first().and_then(|(_, verdict)| verdict.as_of);
        Self {
            id: account.map_or(UNIDENTIFIED, |account| account.id.as_str()),
            account,
            status,
            worst,
            age: as_of.and_then(|as_of| now.age(as_of)),
            notes: notes(state, &verdicts, reader),
            ages: verdicts.iter().map(|(_, verdict)| now.age(verdict.as_of?)).collect(),
            verdicts,
            users: snapshot.failing(state),
        }
    }

    /// Whether something failed or is unknown.
    #[must_use]
    pub fn is_ill(&self) -> bool {
        matches!(self.worst, Some(Status::Failed | Status::Unknown))
    }

    /// What failed, then what nobody knows; in each, IAM.9 before the others.
    fn urgency(&self) -> (u8, Vec<u8>, String) {
        let weights = self.verdicts.iter().map(|(_, verdict)| weight(verdict.status)).collect();
        (self.worst.map_or(u8::MAX, weight), weights, self.id.to_owned())
    }
}

impl AccountCounts {
    fn count(&mut self, row: &Row<'_>) {
        let root = row.verdicts.first().map(|(_, verdict)| verdict.status);
        match (root, row.worst) {
            (Some(Status::Failed), _) => self.root_failed += 1,
            (Some(Status::Unknown), _) => self.root_unknown += 1,
            (_, Some(Status::Failed)) => self.failed += 1,
            (_, Some(Status::Unknown)) => self.unknown += 1,
            (_, Some(Status::Passed | Status::NotApplicable)) => self.protected += 1,
            (_, None) => *self.idle.entry(row.status).or_default() += 1,
        }
    }

    /// How many accounts there are, whatever is said of them.
    #[must_use]
    pub fn all(&self) -> usize {
        self.root_failed
            + self.root_unknown
            + self.failed
            + self.unknown
            + self.protected
            + self.idle.values().sum::<usize>()
    }

    /// The counts of the scanned accounts, the worst first: each with how bad it is
    /// and what it counts. Every account is in one of them.
    #[must_use]
    pub const fn by_urgency(&self) -> [(usize, Status, &'static str); 5] {
        [
            (self.root_failed, Status::Failed, "root without MFA"),
            (self.root_unknown, Status::Unknown, "root MFA unknown"),
            (self.failed, Status::Failed, "something else failed"),
            (self.unknown, Status::Unknown, "something else unknown"),
            (self.protected, Status::Passed, "all passed or not applicable"),
        ]
    }
}

const fn weight(status: Status) -> u8 {
    match status {
        Status::Failed => 0,
        Status::Unknown => 1,
        Status::Passed | Status::NotApplicable => 2,
    }
}

/// The reasons of what is not well, then the faults of what is down; where all is
/// well, why.
fn notes(state: &AccountState, verdicts: &[(Control, Verdict)], reader: Reader) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut add = |note: Note| {
        if !notes.iter().any(|known| known.is_like(&note)) {
            notes.push(note);
        }
    };
    let ill = |wanted: Status| verdicts.iter().filter(move |(_, verdict)| verdict.status == wanted);
    ill(Status::Failed).for_each(|(_, verdict)| add(Note::of_failure(verdict.reason, state, reader)));
    for fault in state.health().filter_map(|(_, health)| health.fault.as_ref()) {
        add(Note::of_fault(fault, reader));
    }
    // What a collector's fault explains needs no second explanation.
    let is_explained = |reason| {
        matches!(
            reason,
            Reason::NotRead
                | Reason::Stale
                | Reason::DevicesNotRead
                | Reason::MissingKey
                | Reason::UsersUnknown
                | Reason::UsersIncomplete
        ) && state.health().any(|(_, health)| !health.is_up())
    };
    let unexplained = ill(Status::Unknown).filter(|(_, verdict)| !is_explained(verdict.reason));
    unexplained.for_each(|(_, verdict)| add(Note::of(verdict.reason, reader)));
    if notes.is_empty() {
        notes.extend(verdicts.first().map(|(_, verdict)| Note::of(verdict.reason, reader)));
    }
    notes
}

impl Note {
    /// Whether the same is to be done about it; request ids apart.
    fn is_like(&self, other: &Self) -> bool {
        let operation = |note: &Self| note.detail.as_ref().and_then(|text| text.split(' ').next().map(str::to_owned));
        self.what == other.what && self.remedy == other.remedy && operation(self) == operation(other)
    }

    /// Where users fail, how many do.
    fn of_failure(reason: Reason, state: &AccountState, reader: Reader) -> Self {
        let of = |count: Count, one: &str, more: &str| {
            let exempt = if count.exempt > 0 { format!(" ({} exempt)", count.exempt) } else { String::new() };
            if count.all == 1 {
                format!("one IAM user {one}{exempt}")
            } else {
                format!("{} IAM users {more}{exempt}", count.all)
            }
        };
        let counts = state.user_counts();
        let what = match reason {
            Reason::ConsoleUserWithoutMfa => counts.and_then(|counts| counts.console_without_mfa).map(|count| {
                of(count, "has a console password and no MFA device", "have a console password and no MFA device")
            }),
            Reason::UserWithoutMfa => {
                let count = counts.and_then(|counts| counts.without_mfa);
                count.map(|count| of(count, "has no MFA device", "have no MFA device"))
            }
            _ => None,
        };
        Self { what: what.unwrap_or_else(|| reason.to_string()), ..Self::of(reason, reader) }
    }

    fn of(reason: Reason, reader: Reader) -> Self {
        Self { what: reason.to_string(), detail: None, remedy: reader.remedy_of(reason).map(str::to_owned) }
    }

    fn of_fault(fault: &Fault, reader: Reader) -> Self {
        let what = fault.class.explain().to_owned();
        Self { what, detail: Some(fault.detail.clone()), remedy: Some(reader.remedy(fault).to_owned()) }
    }
}

/// An age as people say it: two units at most.
#[must_use]
pub fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..=119 => format!("{seconds}s"),
        seconds @ 120..=7_199 => format!("{}m", seconds / 60),
        seconds => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}
