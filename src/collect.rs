//! What collectors ask, and how they make evidence of the answers.
//!
//! A collector is a function over [`Iam`], the few reads it needs, so that the
//! same code runs against AWS and, ten thousand times a test, against a model
//! that changes its mind between two calls.

pub mod devices;
pub mod report;
pub mod root;
pub mod users;

use std::{collections::BTreeSet, future::Future, time::Duration};

use crate::facts::{Fault, FaultClass, Summary, UserId};
use crate::snapshot::News;

/// The reads of IAM that the collectors of root's evidence need.
pub trait Iam {
    /// `iam:GetAccountSummary`.
    fn summary(&self) -> impl Future<Output = Result<Summary, Fault>> + Send;

    /// One page of `iam:ListVirtualMFADevices(AssignmentStatus=Assigned)`.
    fn assigned_devices(&self, marker: Option<String>) -> impl Future<Output = Result<DevicePage, Fault>> + Send;

    /// Lets time pass before something is asked again.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// A list that is longer than any account's quota of what it lists is no list.
const MOST_PAGES: usize = 1_000;

/// One page of assigned virtual devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePage {
    /// Each device's owner; `None` where the reply named none.
    pub owners: Vec<Option<Owner>>,
    /// Where the list goes on; `None` when the reply said that it does not.
    pub next: Option<String>,
}

/// Whose a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner's ARN, which alone tells root from a user that is called so.
    pub arn: String,
    /// The owner's unique id; root's is the account's.
    pub id: UserId,
}

/// What a run found: news, and what was wrong. Both can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was learnt.
    pub news: News,
    /// What was wrong.
    pub fault: Option<Fault>,
}

impl Finding {
    /// Nothing was learnt, because of `fault`.
    #[must_use]
    pub fn nothing(fault: Fault) -> Self {
        Self { news: News::None, fault: Some(fault) }
    }
}

/// The fault of a summary that lacks keys, if it does.
fn missing_keys(summary: &Summary) -> Option<Fault> {
    let missing = summary.missing();
    (!missing.is_empty()).then(|| {
        Fault::new(FaultClass::IncompleteReply, format!("GetAccountSummary: the reply has no {}", missing.join(", ")))
    })
}

/// Reads a list to its last page. `take` takes a page in, and says where the list
/// goes on.
async fn pages<P, F>(
    operation: &'static str,
    read: impl Fn(Option<String>) -> F,
    mut take: impl FnMut(P) -> Option<String>,
) -> Result<(), Fault>
where
    F: Future<Output = Result<P, Fault>>,
{
    let mut markers = BTreeSet::new();
    let mut marker = None;
    loop {
        let Some(next) = take(read(marker).await?) else { return Ok(()) };
        if !markers.insert(next.clone()) || markers.len() > MOST_PAGES {
            let detail = format!("{operation}: the list leads back to a page already read");
            return Err(Fault::new(FaultClass::MalformedReply, detail));
        }
        marker = Some(next);
    }
}
