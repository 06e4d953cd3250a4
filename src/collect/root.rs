//! Collector `root`: the heartbeat, one `iam:GetAccountSummary` a run.

use std::time::Duration;

use super::{Finding, changes::SharedChanges, iam::Iam, missing_keys};
use crate::model::{
    facts::{Confirmation, Fault, FaultClass, RootReading, Summary},
    snapshot::News,
};

/// How long after a failing answer it is asked again. IAM is eventually
/// consistent: one replica that lags must not page, and two that lag alike for
/// this long are not to be told from the truth.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(5);

/// What a failing answer needs before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A second answer that says the same.
    Ask,
    /// Nothing: the heartbeat before it had been confirmed and said the same.
    Settled,
    /// Nothing: no verdict depends on it in this partition.
    Moot,
}

/// Reads the summary, and once more where it shows root unprotected.
pub async fn collect(iam: &impl Iam, doubt: Doubt, changes: &SharedChanges) -> Finding {
    let first = match summary(iam, changes).await {
        Ok(summary) => summary,
        Err(fault) => return Finding::nothing(fault),
    };
    let found =
        |summary, confirmation, fault| Finding { news: News::Root(RootReading { summary, confirmation }), fault };
    if !first.is_unprotected() || doubt == Doubt::Moot {
        return found(first, Confirmation::NotNeeded, missing_keys(&first));
    }
    if doubt == Doubt::Settled {
        return found(first, Confirmation::Agreed, missing_keys(&first));
    }
    iam.pause(CONFIRM_AFTER).await;
    match summary(iam, changes).await {
        Ok(second) if second.is_unprotected() => found(second, Confirmation::Agreed, missing_keys(&second)),
        Ok(second) => found(second, Confirmation::Disagreed, Some(contradiction())),
        // What the first answer said against a "passed" of old is kept.
        Err(fault) => found(first, Confirmation::Lost, Some(fault)),
    }
}

/// Reads a summary, and notes what it shows of a change.
pub(super) async fn summary(iam: &impl Iam, changes: &SharedChanges) -> Result<Summary, Fault> {
    let summary = iam.summary().await?;
    changes.summary(&summary, iam.now());
    Ok(summary)
}

fn contradiction() -> Fault {
    let detail = "GetAccountSummary: two answers a few seconds apart contradict each other on root's MFA";
    Fault::new(FaultClass::Unconfirmed, detail)
}
