//! `check`: one pass over the account, for people, CI and cron.
//!
//! The same collectors, the same judgement and the same snapshot as the daemon's;
//! only the way out is another.

mod compare;
mod json;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use tokio::sync::mpsc;

use self::compare::{CompareError, Former};
use super::{NOT_RUN, print};
use crate::{
    cli::{Flags, Output, settings::Settings},
    clock::Clock,
    daemon::{self, StartError, fleet::Fleet, publish},
    metrics::exporter_metrics::ExporterMetrics,
    model::{
        judge::Status,
        snapshot::{AccountState, Snapshot},
    },
    overview::{Overview, Reader, sheet, table},
};

/// Reads everything once, prints what was found, and says how it is by its status.
pub(super) async fn run(flags: &Flags, output: Output, is_text: bool) -> ExitCode {
    report(flags, output, is_text).await.unwrap_or_else(|error| {
        super::complain(is_text, &error);
        ExitCode::from(NOT_RUN)
    })
}

async fn report(flags: &Flags, output: Output, is_text: bool) -> Result<ExitCode, CheckError> {
    // Before AWS is asked anything.
    if flags.compares_with().is_some() && matches!(output, Output::Csv | Output::Prometheus) {
        return Err(CompareError::Output.into());
    }
    let former = flags.compares_with().map(Former::read).transpose()?;
    let clock = Clock::new();
    let progress = Progress::start(output);
    let snapshot = read(flags, clock).await?;
    progress.end();
    let overview = Overview::of(&snapshot, clock.now(), Reader::Once);
    let changes = former.map(|former| former.changes(&snapshot));
    let told = |text: String| match &changes {
        Some(changes) => format!("{text}\n{}", changes.to_text()),
        None => text,
    };
    let text = match output {
        Output::Table => told(table::draw(&overview, table::Style::of_stdout())),
        Output::Json => json::json(&snapshot, changes.as_ref()),
        Output::Csv => sheet::csv(&overview),
        Output::Markdown => told(sheet::markdown(&overview)),
        Output::Prometheus => at_rest(&snapshot),
    };
    print(&text)?;
    let code = exit_code(&snapshot);
    if code == NOT_RUN && output != Output::Table {
        super::complain(is_text, &CheckError::Nothing(why(&snapshot)));
    }
    Ok(ExitCode::from(code))
}

/// Why nothing could be read, for whoever sees only the exit status and standard error.
fn why(snapshot: &Snapshot) -> String {
    snapshot.discovery.fault.as_ref().map_or_else(
        || "account discovery failed".to_owned(),
        |fault| {
            let (what, remedy) = (fault.class.explain(), Reader::Once.remedy(fault));
            format!("{what} ({fault}). What to do: {remedy}.")
        },
    )
}

/// The form for the textfile collector. Where it is not known of whom it would be, there
/// is none: two such files could not lie side by side.
fn at_rest(snapshot: &Snapshot) -> String {
    if exit_code(snapshot) != NOT_RUN {
        return String::from_utf8_lossy(publish::encode_at_rest(snapshot).text()).into_owned();
    }
    String::new()
}

/// The check could not be run.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    /// The parts could not be put together.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is nothing to compare with.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The result could not be printed.
    #[error("the result cannot be printed: {0}")]
    Print(#[from] io::Error),
    /// Of no account anything is known.
    #[error("the check failed: {0}")]
    Nothing(String),
}

async fn read(flags: &Flags, clock: Clock) -> Result<Snapshot, StartError> {
    let metrics = ExporterMetrics::new(true)?;
    let settings = Settings::read(flags)?;
    let caller = daemon::caller(metrics.clone(), clock);
    let mut snapshot = daemon::first_snapshot(&settings, clock);
    let (events, mut inbox) = mpsc::channel(256);
    let fleet = Fleet::new(caller, events, metrics);
    let fold = async {
        while let Some(event) = inbox.recv().await {
            snapshot.fold(event, clock.now());
        }
    };
    tokio::join!(fleet.once(&settings), fold);
    snapshot.age(clock.now());
    Ok(snapshot)
}

fn exit_code(snapshot: &Snapshot) -> u8 {
    let has = |status| snapshot.accounts().flat_map(AccountState::standings).any(|(_, s)| s.verdict.status == status);
    match () {
        () if !snapshot.accounts().any(|state| state.account.is_some()) => NOT_RUN,
        () if has(Status::Failed) => 1,
        () if has(Status::Unknown) || snapshot.discovery.fault.is_some() => 2,
        () => 0,
    }
}

/// One line on a terminal while something is being waited for.
struct Progress(bool);

impl Progress {
    fn start(output: Output) -> Self {
        let is_seen = io::stdout().is_terminal() && io::stderr().is_terminal() && !table::is_dumb();
        let shown = output == Output::Table && is_seen;
        if shown {
            let _ = write!(io::stderr(), "Asking AWS… (a failing answer is asked again after 5 seconds)");
        }
        Self(shown)
    }

    fn end(self) {
        if self.0 {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
