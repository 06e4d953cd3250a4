//! What collectors ask, and how they make evidence of the answers.
//!
//! A collector is a function over the reads of [`iam`] that it needs.

pub mod changes;
pub mod cognito;
pub mod contacts;
pub mod devices;
pub mod iam;
pub mod pages;
pub mod policies;
pub mod progress;
pub mod report;
pub mod root;
pub mod rootaudit;
pub mod seal;
pub mod users;

use crate::model::facts::{Fault, FaultClass, Summary};
use crate::model::snapshot::News;
use pages::pages;

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
