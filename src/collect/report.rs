//! The credential report, made when there is none young enough, and waited for.
//!
//! AWS keeps one report an account and makes a new one every four hours at most,
//! whoever asks; so this is asked for when the last one is that old, and what
//! comes carries AWS's own time. Neither the SDK nor the caller's retries know
//! its "not yet" answers, which are handled here.

use std::{fmt, time::Duration};

use super::{
    iam::{Making, ReportReply, UsersIam},
    progress::Only,
};
use crate::model::{
    facts::{
        Fault, FaultClass,
        report::{PasswordUse, Report},
    },
    time::{MOST_SKEW, Moment, Timestamp, Uptime},
};

/// AWS makes no new report before the last one is this old, and a little.
pub const REPORT_LASTS: Duration = Duration::from_secs(4 * 3_600 + 60);

/// How long a report that is being made is waited for, look by look, in milliseconds.
/// One of 50 users was seen to take two seconds. What takes longer is for the next run.
const LOOKS: [u64; 4] = [2_000, 3_000, 5_000, 8_000];

/// The same where somebody waits for the only run there is, at the price of more looks.
const EAGER_LOOKS: [u64; 12] = [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000, 5_000];

/// What was read, and what was wrong; both can be.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The report, and when it was made.
    pub report: Option<(Report, Moment)>,
    /// Whether it was made after it was asked for.
    pub is_new: bool,
    /// What was wrong.
    pub fault: Option<Fault>,
    /// Whether one is being made that was not ready yet.
    pub is_under_way: bool,
}

/// Gets the report, and has it made before if `generate` says so. Where there is `only`
/// this run it is looked for sooner, more often, and for longer.
pub async fn fetch(iam: &impl UsersIam, generate: bool, only: Option<&Only>) -> Fetched {
    let looks = only.map_or(&LOOKS[..], |_| &EAGER_LOOKS);
    let until = only.and_then(|only| only.asks_until);
    let (made, fault) = if generate {
        match iam.generate_report().await {
            Ok(Making::Limited) => (Making::Limited, Some(missing("GenerateCredentialReport: the limit is reached"))),
            Ok(made) => (made, None),
            // One that somebody else has had made may still be there.
            Err(fault) => (Making::Complete, Some(fault)),
        }
    } else {
        (Making::Complete, None)
    };
    let is_under_way = made == Making::UnderWay;
    match read(iam, is_under_way, looks, until).await {
        Ok(report) => Fetched { report: Some(report), is_new: is_under_way, fault, is_under_way: false },
        Err(later) => Fetched { report: None, is_new: false, fault: Some(fault.unwrap_or(later)), is_under_way },
    }
}

async fn read(
    iam: &impl UsersIam,
    is_being_made: bool,
    looks: &[u64],
    until: Option<Uptime>,
) -> Result<(Report, Moment), Fault> {
    const OPERATION: &str = "GetCredentialReport";
    let mut looks = looks.iter().copied().map(Duration::from_millis);
    if is_being_made {
        iam.pause(looks.next().expect("there is a first look")).await;
    }
    loop {
        let wait = match iam.report().await? {
            ReportReply::Ready { text, generated } => {
                let malformed =
                    |error: &dyn fmt::Display| Fault::new(FaultClass::MalformedReply, format!("{OPERATION}: {error}"));
                let now = iam.now();
                let report = Report::read(&text).map_err(|error| malformed(&error))?;
                is_dated(&report, generated, now).map_err(|error| malformed(&error))?;
                return Ok((report, now.of_aws(generated)));
            }
            ReportReply::InProgress => looks.next().ok_or_else(|| missing("GetCredentialReport: it is not ready yet")),
            ReportReply::Absent if is_being_made => looks
                .next()
                .ok_or_else(|| missing("GetCredentialReport: AWS has no report, although it said that one was made")),
            ReportReply::Absent => Err(missing("GetCredentialReport: there is none, or it has expired")),
        };
        let wait = wait?;
        if until.is_some_and(|end| iam.now().mono.plus(wait) > end) {
            return Err(missing("GetCredentialReport: the time allowed was over before it was ready"));
        }
        iam.pause(wait).await;
    }
}

/// Insists that a report is not of the future, and tells of nothing that was not yet
/// when it was made. A clock here may be behind AWS's, and AWS's behind each other,
/// but not by more than [`MOST_SKEW`].
fn is_dated(report: &Report, generated: Timestamp, now: Moment) -> Result<(), &'static str> {
    let is_after = |at: Timestamp, limit: Timestamp| at.since(limit).is_some_and(|ahead| ahead > MOST_SKEW);
    if is_after(generated, now.wall) {
        return Err("the credential report's GeneratedTime lies in the future, or the clock of this host is behind");
    }
    let root_used = report.root_password_last_used.and_then(PasswordUse::at);
    let mut dates = report.users.values().map(|row| row.created).chain(root_used);
    if dates.any(|at| is_after(at, generated)) {
        return Err("the credential report contains a time after its GeneratedTime");
    }
    Ok(())
}

fn missing(detail: &str) -> Fault {
    Fault::new(FaultClass::ReportMissing, detail)
}
