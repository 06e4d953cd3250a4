//! What collectors ask, and how they make evidence of the answers.
//!
//! A collector is a function over [`Iam`], the few reads it needs, so that the
//! same code runs against AWS and, ten thousand times a test, against a model
//! that changes its mind between two calls.

pub mod devices;
pub mod root;

use std::{future::Future, time::Duration};

use crate::facts::{Fault, FaultClass, Summary};
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

/// One page of assigned virtual devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePage {
    /// The ARN of each device's owner; `None` where the reply named none.
    pub owners: Vec<Option<String>>,
    /// Where the list goes on; `None` when the reply said that it does not.
    pub next: Option<String>,
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
