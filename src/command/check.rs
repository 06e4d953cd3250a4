//! `check`: one pass over the account, for people, CI and cron.
//!
//! The same collectors, the same judgement and the same snapshot as the daemon's;
//! only the way out is another.

mod compare;
mod echoes;
mod json;
mod waiting;

use std::{cell::Cell, io, process::ExitCode, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use self::{
    compare::{Changes, CompareError, Former},
    echoes::Echoes,
};
use super::{NOT_RUN, print};
use crate::{
    cli::{Flags, Output, settings::Settings},
    clock::Clock,
    collect::progress::{Only, Progress},
    daemon::{self, StartError, fleet::Fleet, publish},
    metrics::exporter_metrics::ExporterMetrics,
    model::{
        judge::Status,
        snapshot::{AccountState, Snapshot},
    },
    overview::{Overview, Reader, sheet, table},
};

/// Of the time allowed, what is kept for the answers under way and the list that
/// confirms whom they were about: a fifth, up to this.
const RESERVE: Duration = Duration::from_secs(10);

/// Reads everything once, prints what was found, and says how it is by its status.
/// With `limit` it has ended after that time.
pub(super) async fn run(flags: &Flags, output: Output, limit: Option<Duration>, is_text: bool) -> ExitCode {
    report(flags, output, limit, is_text).await.unwrap_or_else(|error| {
        super::complain(is_text, &error);
        ExitCode::from(NOT_RUN)
    })
}

async fn report(flags: &Flags, output: Output, limit: Option<Duration>, is_text: bool) -> Result<ExitCode, CheckError> {
    // Before AWS is asked anything.
    if flags.compares_with().is_some() && matches!(output, Output::Csv | Output::Prometheus) {
        return Err(CompareError::Output.into());
    }
    let waits = flags.waits_for_echoes();
    if waits.is_some() && matches!(output, Output::Csv | Output::Prometheus) {
        return Err(CheckError::EchoesNowhere);
    }
    let former = flags.compares_with().map(Former::read).transpose()?;
    let clock = Clock::new();
    let only = only(clock, limit);
    let shown = waiting::show(only.progress.clone());
    let snapshot = read(flags, clock, only, limit).await;
    shown.end();
    let snapshot = snapshot?;
    let overview = Overview::of(&snapshot, clock.now(), Reader::Once);
    let changes = former.map(|former| former.changes(&snapshot));
    let told = |text: String| {
        let changes = changes.as_ref().map(Changes::to_text);
        let echoes = waits.map(|patience| echoes::text(&snapshot, patience));
        [Some(text), changes, echoes].into_iter().flatten().collect::<Vec<_>>().join("\n")
    };
    let text = match output {
        Output::Table => told(table::draw(&overview, table::Style::of_stdout())),
        Output::Json => json::json(&snapshot, changes.as_ref(), waits.is_some()),
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
        return String::from_utf8_lossy(&publish::encode_at_rest(snapshot).text()).into_owned();
    }
    String::new()
}

/// The check could not be run.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    /// The parts could not be put together.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no place for echoes in this output.
    #[error("--wait-for-echoes has no place in this output: use --output table, markdown or json")]
    EchoesNowhere,
    /// Nothing can come back.
    #[error("--wait-for-echoes needs a queue: also give --events.queue-url, or events in the --config.file")]
    NoQueue,
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

/// A run that has no other after it, and ends in time where there is a limit.
fn only(clock: Clock, limit: Option<Duration>) -> Only {
    let in_time = |limit: Duration| clock.now().mono.plus(limit);
    let asks_for = limit.map(|limit| limit - RESERVE.min(limit / 5));
    Only { asks_until: asks_for.map(in_time), ends_at: limit.map(in_time), progress: Progress::default() }
}

async fn read(flags: &Flags, clock: Clock, only: Only, limit: Option<Duration>) -> Result<Snapshot, CheckError> {
    let metrics = ExporterMetrics::new(true).map_err(StartError::from)?;
    let settings = Settings::read(flags).map_err(StartError::from)?;
    if flags.waits_for_echoes().is_some() && settings.config.events.is_empty() {
        return Err(CheckError::NoQueue);
    }
    let caller = daemon::caller(metrics.clone(), clock);
    let mut snapshot = daemon::first_snapshot(&settings, clock);
    let (events, mut inbox) = mpsc::channel(256);
    let listen = |patience| Echoes::listen(caller.clone(), events.clone(), metrics.clone(), &settings, patience);
    let echoes = flags.waits_for_echoes().map(listen);
    let wakes = echoes.as_ref().map(Echoes::wakes).unwrap_or_default();
    let mut fleet = Fleet::new(caller.clone(), events, metrics).woken_by(wakes);
    // What was read does not grow old while echoes are waited for: it is told as of the end of the reads.
    let (read, progress) = (Cell::new(None), only.progress.clone());
    let now = || read.get().unwrap_or_else(|| clock.now());
    let once = async {
        // What a collector was told to end by, it ends by; this is for what comes before.
        let _ = timeout(limit.unwrap_or(Duration::MAX), fleet.once(&settings, only)).await;
        read.set(Some(clock.now()));
        if let Some(echoes) = echoes {
            progress.await_echoes();
            echoes.wait().await;
        }
        drop(fleet);
    };
    let fold = async {
        while let Some(event) = inbox.recv().await {
            snapshot.fold(event, now());
        }
    };
    tokio::join!(once, fold);
    snapshot.age(now());
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
