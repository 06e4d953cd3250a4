//! Collector `users`: who has a device, who has a password, in few calls.
//!
//! Most users are settled by two lists, the users' and the virtual devices'. Of
//! the others AWS is asked one by one: for their devices, and, where there are
//! none, whether there is a password. Answers are kept from run to run as long
//! as they may be: one that shows a device until the account is seen to change,
//! one that shows none for an hour, the absence of a password, which no counter
//! shows, for as long as is configured. The credential report gives the latter
//! for everybody at once. What one run has no time for is unknown, and goes
//! first in the next, which then follows at once.
//!
//! Several users are asked at a time, as fast as the account's rate allows. An answer
//! is as old as its own question.
//!
//! A user is asked by name, and a name can be given to another user in the midst of
//! a run. So a run that has asked anybody lists the users again at its end, and
//! keeps the answers on those who still have the name that was asked for.
//!
//! What comes of a change: each answer that was given before it is asked again at
//! once, so that a failure is seen soon, and once more a minute later, when replicas
//! of IAM have heard of it too; only then it makes anybody pass. A change is what
//! the account's counters show, and what a list or an answer shows that differs from
//! the one before. What nobody can see: a device that goes from one user to another
//! and back between two looks at both, and a name that does.

mod run;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use run::Run;

use super::{
    Finding,
    changes::SharedChanges,
    devices::Listed,
    iam::{ListedUser, UserPage, UsersIam},
    pages,
    progress::Only,
};
use crate::model::{
    facts::{Fault, FaultClass, Known, UserId, UsersReading},
    judge::users::Terms,
    snapshot::UsersPlan,
};

/// A password that has vanished is believed to be gone when it still is after this.
pub const CONFIRM_ABSENCE: Duration = Duration::from_secs(60);

/// What a run is given.
#[derive(Clone, Debug)]
pub struct Order {
    /// What the runs before have learnt.
    pub before: Option<Known<Arc<UsersReading>>>,
    /// The list of virtual devices, read just now.
    pub listed: Listed,
    /// When the account was seen to change.
    pub changes: SharedChanges,
    /// Where this is the only run, with which nothing is carried to a next.
    pub only: Option<Only>,
    /// What was configured.
    pub plan: UsersPlan,
    /// How old what the verdicts rest on may be.
    pub terms: Terms,
}

/// Reads all there is to know about the account's users.
pub async fn collect(iam: &impl UsersIam, order: Order) -> Finding {
    match Run::begin(iam, order).await {
        Ok(run) => run.finish().await,
        Err(fault) => Finding::nothing(fault),
    }
}

/// Lists the users, to the last page.
async fn list(iam: &impl UsersIam) -> Result<BTreeMap<UserId, ListedUser>, Fault> {
    let mut people = BTreeMap::new();
    let mut listed = 0;
    pages(
        "ListUsers",
        |marker| iam.users(marker),
        |page: UserPage| {
            listed += page.users.len();
            people.extend(page.users.into_iter().map(|user| (user.id.clone(), user)));
            page.next
        },
    )
    .await?;
    if listed == people.len() {
        Ok(people)
    } else {
        // Who is renamed between two pages stands on both, or on none; the summary's
        // count tells the latter.
        Err(Fault::new(FaultClass::Changed, "ListUsers: a user was renamed while the users were listed"))
    }
}
