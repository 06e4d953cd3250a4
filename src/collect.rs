//! What collectors ask, and how they make evidence of the answers.
//!
//! A collector is a function over the reads of [`iam`] that it needs.

pub mod changes;
pub mod devices;
pub mod iam;
pub mod report;
pub mod root;
pub mod users;

use std::{collections::BTreeSet, future::Future};

use crate::model::facts::{Fault, FaultClass, Summary};
use crate::model::snapshot::News;

/// A list that is longer than any account's quota of what it lists is no list.
const MOST_PAGES: usize = 1_000;

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
