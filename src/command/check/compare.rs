//! `check --compare`: what has become better and worse since a former check, whose
//! JSON is a file.

use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::model::{
    judge::{Control, Status},
    snapshot::Snapshot,
};

use super::json::SCHEMA_VERSION;

/// The former check cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The output has no place for it.
    #[error("--compare needs --output table, markdown or json")]
    Output,
    /// The file cannot be read.
    #[error("cannot read the earlier check {0}: {1}")]
    Read(String, io::Error),
    /// The file is something else.
    #[error("{0} is not the output of `check --output json`: {1}")]
    Form(String, serde_json::Error),
    /// The file is of a newer exporter.
    #[error(
        "{0} has schema_version {1}, and this exporter supports {SCHEMA_VERSION}: use the version of the exporter \
         that wrote it"
    )]
    Newer(String, u32),
}

#[derive(Deserialize)]
struct FormerReport {
    schema_version: u32,
    checked_at: String,
    accounts: Vec<FormerAccount>,
}

#[derive(Deserialize)]
struct FormerAccount {
    account_id: String,
    controls: Vec<FormerControl>,
}

#[derive(Deserialize)]
struct FormerControl {
    control: String,
    status: String,
}

/// A former check: the verdicts by account and control.
#[derive(Debug)]
pub struct Former {
    checked_at: String,
    accounts: BTreeMap<String, BTreeMap<String, String>>,
}

/// What has changed since.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Changes {
    since: String,
    worse: Vec<Change>,
    better: Vec<Change>,
    /// Accounts that were not there, and accounts that no longer are.
    joined: Vec<String>,
    left: Vec<String>,
}

/// A verdict that is another than it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    account_id: String,
    control: &'static str,
    from: String,
    to: &'static str,
}

impl Former {
    /// Reads what `check --output json` printed.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| CompareError::Read(name(), error))?;
        let report: FormerReport = serde_json::from_str(&text).map_err(|error| CompareError::Form(name(), error))?;
        if report.schema_version > SCHEMA_VERSION {
            return Err(CompareError::Newer(name(), report.schema_version));
        }
        let verdicts = |account: FormerAccount| {
            let controls = account.controls.into_iter().map(|control| (control.control, control.status));
            (account.account_id, controls.collect())
        };
        Ok(Self { checked_at: report.checked_at, accounts: report.accounts.into_iter().map(verdicts).collect() })
    }

    /// What is otherwise now. An account that is not scanned has no verdicts, and so
    /// none that changed.
    #[must_use]
    pub fn changes(&self, snapshot: &Snapshot) -> Changes {
        let mut changes = Changes {
            since: self.checked_at.clone(),
            worse: Vec::new(),
            better: Vec::new(),
            joined: Vec::new(),
            left: Vec::new(),
        };
        let mut gone: BTreeMap<_, _> = self.accounts.iter().collect();
        for state in snapshot.accounts() {
            let Some(account) = &state.account else { continue };
            let id = account.id.to_string();
            let Some(before) = gone.remove(&id) else {
                changes.joined.push(id);
                continue;
            };
            for (control, standing) in state.standings() {
                let from =
                    before.get(control.as_str()).filter(|from| from.as_str() != standing.verdict.status.as_str());
                if let Some(from) = from {
                    changes.add(&id, control, from, standing.verdict.status);
                }
            }
        }
        changes.left = gone.into_keys().cloned().collect();
        changes
    }
}

/// Failed is worse than unknown, which is worse than the rest; what this exporter
/// does not know counts as unknown.
fn rank(status: &str) -> u8 {
    match status {
        "failed" => 0,
        "passed" | "not_applicable" => 2,
        _ => 1,
    }
}

impl Changes {
    fn add(&mut self, id: &str, control: Control, from: &str, to: Status) {
        let change =
            Change { account_id: id.to_owned(), control: control.as_str(), from: from.to_owned(), to: to.as_str() };
        match rank(to.as_str()).cmp(&rank(from)) {
            std::cmp::Ordering::Less => self.worse.push(change),
            std::cmp::Ordering::Greater => self.better.push(change),
            std::cmp::Ordering::Equal => {}
        }
    }

    /// For people, and for Markdown: a list of each kind that there is.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for (what, changes) in [("Worse", &self.worse), ("Better", &self.better)] {
            if changes.is_empty() {
                continue;
            }
            let _ = writeln!(out, "{what} since {}:\n", self.since);
            for Change { account_id, control, from, to } in changes {
                let _ = writeln!(out, "- {account_id} {control}: {from} -> {to}");
            }
            out.push('\n');
        }
        for (what, ids) in [("New accounts", &self.joined), ("Accounts no longer present", &self.left)] {
            if !ids.is_empty() {
                let _ = writeln!(out, "{what}: {}.\n", ids.join(", "));
            }
        }
        if out.is_empty() { format!("No verdict has become better or worse since {}.\n", self.since) } else { out }
    }
}
