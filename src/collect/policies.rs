//! Collector `policies`: whether policies deny each IAM user everything without MFA.
//!
//! One operation lists users, groups and the account's own managed policies with their
//! documents, all in one list of many pages (`iam:GetAccountAuthorizationDetails`). AWS's
//! own managed policies are left out: each would come with all of its versions, and none of
//! them asks for MFA. A document is read once, however many have it.
//!
//! A page is of its own moment. A user could leave a group on the first page just before
//! the group on the second gets a policy, and no instant would have been as the two
//! show it. So a list of several pages is believed when two of them in a row are the same:
//! the list of the run before, or else another now. Two account summaries around it must
//! agree with each other, and with the number of users in the list. What stays unseen: a
//! change that is undone between two lists and is in one of them by halves.

mod account;

use std::{future::Future, sync::Arc};

use super::{
    Finding,
    changes::SharedChanges,
    iam::{Iam, details::DetailsPage},
    missing_keys,
    pages::pages,
    root::summary,
};
use crate::model::{
    facts::{Fault, FaultClass, Summary, policies::PoliciesReading},
    snapshot::News,
};
use account::AccountPolicies;
pub use account::{AWS_DENY_ALL, Digest};

const OPERATION: &str = "GetAccountAuthorizationDetails";

/// The read of IAM that the collector needs beside the account summary.
pub trait Policies: Iam {
    /// One page of `iam:GetAccountAuthorizationDetails(Filter=User,Group,LocalManagedPolicy)`.
    fn authorization_details(
        &self,
        size: PageSize,
        marker: Option<String>,
    ) -> impl Future<Output = Result<DetailsPage, Fault>> + Send;
}

/// How much is asked for at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// As much as most replies can hold.
    Usual,
    /// As little as AWS gives where nobody says otherwise: for replies that are too large,
    /// or come too late.
    Small,
}

/// Reads all policies of the account's users. `before` is what the list of the run just
/// before was like; what this one's was like is told too.
pub async fn collect(
    iam: &impl Policies,
    before: Option<Digest>,
    changes: &SharedChanges,
) -> (Finding, Option<Digest>) {
    let read = match read(iam, before, changes).await {
        Err(fault) if fault.class == FaultClass::Changed => read(iam, before, changes).await,
        read => read,
    };
    match read {
        Ok((account, summary)) => {
            let (users, fault) = account.judged();
            let is_whole = summary.users.is_some_and(|count| usize::try_from(count) == Ok(users.len()));
            let fault = missing_keys(&summary).or(fault);
            let news = News::Policies(Arc::new(PoliciesReading::new(is_whole, users)));
            (Finding { news, fault }, Some(account.digest()))
        }
        Err(fault) => (Finding::nothing(fault), None),
    }
}

/// Reads the list between two summaries, once more where one reading is not enough.
async fn read(
    iam: &impl Policies,
    before: Option<Digest>,
    changes: &SharedChanges,
) -> Result<(AccountPolicies, Summary), Fault> {
    let first = summary(iam, changes).await?;
    let mut account = whole(iam).await?;
    if account.pages > 1 && before != Some(account.digest()) {
        let again = whole(iam).await?;
        if again.digest() != account.digest() {
            return Err(changed());
        }
        account = again;
    }
    let last = summary(iam, changes).await?;
    let is_counted = first.users.is_none_or(|count| usize::try_from(count) == Ok(account.users()));
    if first == last && is_counted { Ok((account, first)) } else { Err(changed()) }
}

/// The whole list, in pages as large as possible.
async fn whole(iam: &impl Policies) -> Result<AccountPolicies, Fault> {
    match listed(iam, PageSize::Usual).await {
        Err(fault) if matches!(fault.class, FaultClass::OversizedReply | FaultClass::Timeout) => {
            listed(iam, PageSize::Small).await
        }
        listed => listed,
    }
}

async fn listed(iam: &impl Policies, size: PageSize) -> Result<AccountPolicies, Fault> {
    let (mut account, mut is_torn) = (AccountPolicies::default(), false);
    pages(
        OPERATION,
        |marker| iam.authorization_details(size, marker),
        |mut page: DetailsPage| {
            let next = page.next.take();
            is_torn |= !account.add(page);
            next
        },
    )
    .await?;
    if is_torn { Err(changed()) } else { Ok(account) }
}

fn changed() -> Fault {
    let detail = format!("{OPERATION}: the account changed while its users, groups and policies were listed");
    Fault::new(FaultClass::Changed, detail)
}
