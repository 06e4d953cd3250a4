//! The credential report and its life: there is none at first; one that is asked for
//! takes a while, is kept for four hours whatever happens meanwhile, and then expires.

mod text;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::{
    protocol::{Protocol, Reply},
    state::Account,
    xml::elements,
};

pub(crate) use text::text;

/// For how long AWS gives the same report to everybody.
const KEPT: Duration = Duration::from_hours(4);

/// The reports by account.
#[derive(Debug, Default)]
pub(crate) struct Reports(BTreeMap<String, Life>);

/// The one report of an account, and what becomes of it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    report: Option<Report>,
    /// How long a report is under way.
    pub(crate) takes: Duration,
}

#[derive(Debug)]
struct Report {
    text: Vec<u8>,
    /// Before this moment it is under way.
    ready: SystemTime,
    /// What `GeneratedTime` says.
    generated: SystemTime,
}

/// What is to be said about a report at a moment.
enum Stage<'a> {
    Absent,
    UnderWay,
    Current(&'a Report),
    Expired,
}

impl Reports {
    /// The report of this account.
    pub(crate) fn of(&mut self, account: &str) -> &mut Life {
        self.0.entry(account.to_owned()).or_default()
    }
}

impl Life {
    /// `GenerateCredentialReport`: starts one if there is none, with what is so at this
    /// moment; its time is the later one when it is ready, as AWS's is.
    pub(crate) fn generate(&mut self, account: &Account) -> String {
        let now = SystemTime::now();
        match self.stage(now) {
            Stage::UnderWay => state("INPROGRESS"),
            Stage::Current(_) => state("COMPLETE"),
            Stage::Absent | Stage::Expired => {
                let ready = now + self.takes;
                self.report = Some(Report { text: text(account).into(), ready, generated: ready });
                let started = "No report exists. Starting a new report generation task";
                state("STARTED") + &format!("    {}\n", elements(&[("Description", started)]))
            }
        }
    }

    /// `GetCredentialReport`.
    pub(crate) fn get(&self) -> Result<String, Reply> {
        // AWS has nothing more to say about these errors.
        let refuse = |status, code| Err(Protocol::Query.error(status, code, "Unknown"));
        match self.stage(SystemTime::now()) {
            Stage::Absent => refuse(410, "ReportNotPresent"),
            Stage::UnderWay => refuse(404, "ReportInProgress"),
            Stage::Expired => refuse(410, "ReportExpired"),
            Stage::Current(Report { text, generated, .. }) => {
                let generated = humantime::format_rfc3339_seconds(*generated).to_string();
                let content = BASE64_STANDARD.encode(text);
                let report = [("Content", &*content), ("ReportFormat", "text/csv"), ("GeneratedTime", &generated)];
                Ok(format!("    {}\n", elements(&report)))
            }
        }
    }

    fn stage(&self, now: SystemTime) -> Stage<'_> {
        let Some(report) = &self.report else { return Stage::Absent };
        if report.ready > now {
            return Stage::UnderWay;
        }
        // A report from the future is as new as can be.
        let age = now.duration_since(report.generated).unwrap_or_default();
        if age < KEPT { Stage::Current(report) } else { Stage::Expired }
    }

    /// Stores a report that is ready.
    pub(crate) fn store(&mut self, generated: SystemTime, text: Vec<u8>) {
        self.report = Some(Report { text, ready: SystemTime::now(), generated });
    }

    /// Makes the report older.
    pub(crate) fn advance(&mut self, by: Duration) {
        if let Some(report) = &mut self.report {
            report.ready -= by;
            report.generated -= by;
        }
    }

    pub(crate) fn forget(&mut self) {
        self.report = None;
    }
}

fn state(word: &str) -> String {
    format!("    {}\n", elements(&[("State", word)]))
}
