//! `check`: one pass over the account, for people, CI and cron.
//!
//! The same collectors, the same judgement and the same snapshot as the daemon's;
//! only the way out is another.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};

use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    app::{self, StartError},
    aws::Meter,
    cli::{Flags, Output},
    clock::{Clock, Moment, Timestamp},
    facts::Fault,
    fleet::Fleet,
    judge::Status,
    metrics::own::Own,
    orders::Orders,
    publish,
    snapshot::{AccountState, Snapshot},
};

/// The version of the JSON's form. Keys are added without raising it.
const SCHEMA_VERSION: u32 = 1;

/// Exit status when the check could not be run.
const NOT_RUN: u8 = 3;

/// Reads everything once and prints what was found.
///
/// # Errors
/// When the exporter's own metrics are inconsistent, which is a bug, or standard
/// output cannot be written.
pub async fn run(flags: &Flags, output: Output) -> Result<ExitCode, CheckError> {
    let clock = Clock::new();
    let progress = Progress::start(output);
    let snapshot = read(flags, clock).await?;
    progress.end();
    let now = clock.now();
    let text = match output {
        Output::Table => table(&snapshot, now, Paint::of_stdout()),
        Output::Json => json(&snapshot),
        Output::Prometheus => String::from_utf8_lossy(publish::encode_head(&snapshot).text()).into_owned(),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::from(exit_code(&snapshot)))
}

/// The check could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The parts could not be put together.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The result could not be printed.
    #[error("the result cannot be printed: {0}")]
    Print(#[from] io::Error),
}

async fn read(flags: &Flags, clock: Clock) -> Result<Snapshot, StartError> {
    let own = Own::new(true)?;
    let meter = Meter::register(own.registry())?;
    let orders = Orders::read(flags)?;
    let caller = app::caller(meter, clock).await;
    let mut snapshot = app::first_snapshot(&orders, clock);
    let (events, mut inbox) = mpsc::channel(256);
    let fleet = Fleet::new(caller, events, own);
    let fold = async {
        while let Some(event) = inbox.recv().await {
            snapshot.fold(event, clock.now());
        }
    };
    tokio::join!(fleet.once(&orders), fold);
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

// === the table ===

/// Whether to colour.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(io::stdout().is_terminal() && !refused && std::env::var_os("TERM").is_none_or(|term| term != "dumb"))
    }

    fn status(self, status: Status) -> String {
        let code = match status {
            Status::Passed | Status::NotApplicable => 32,
            Status::Failed => 31,
            Status::Unknown => 33,
        };
        if self.0 { format!("\x1b[1;{code}m{status:<14}\x1b[0m") } else { format!("{status:<14}") }
    }
}

fn table(snapshot: &Snapshot, now: Moment, paint: Paint) -> String {
    let mut out = String::new();
    for state in snapshot.accounts() {
        if let Some(account) = &state.account {
            let partition = account.partition.as_ref().map_or("partition not proved", |partition| partition.as_str());
            let name = if account.name.is_empty() { String::new() } else { format!(" {}", account.name) };
            let _ = writeln!(out, "Account {}{name} ({partition})\n", account.id);
            let _ = writeln!(out, "  {:<8} {:<14} {:>5}  WHY", "CONTROL", "STATUS", "AGE");
            for (control, standing) in state.standings() {
                let verdict = standing.verdict;
                let age = verdict
                    .as_of
                    .and_then(|as_of| now.age(as_of))
                    .map_or("-".to_owned(), |age| format!("{}s", age.as_secs()));
                let _ = writeln!(
                    out,
                    "  {:<8} {} {age:>5}  {}",
                    control.as_str(),
                    paint.status(verdict.status),
                    verdict.reason
                );
            }
            out.push('\n');
            for (control, remedy) in state.standings().filter_map(|(c, s)| Some((c, s.verdict.reason.remedy()?))) {
                let _ = writeln!(out, "{}: {remedy}.\n", control.as_str());
            }
        }
        for fault in faults(state) {
            let _ = writeln!(out, "{fault}");
        }
    }
    out
}

/// What went wrong, each thing once, and what to do about it.
fn faults(state: &AccountState) -> Vec<String> {
    let mut lines = Vec::new();
    for (collector, fault) in state.health().filter_map(|(collector, health)| Some((collector, health.fault.as_ref()?)))
    {
        let who = if state.account.is_some() { format!("Collector {}: ", collector.as_str()) } else { String::new() };
        let line = format!("{who}{fault}.\n  What to do: {}.\n", fault.class.remedy());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// One line on a terminal while something is being waited for.
struct Progress(bool);

impl Progress {
    fn start(output: Output) -> Self {
        let shown = output == Output::Table && io::stdout().is_terminal() && io::stderr().is_terminal();
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

// === the JSON ===

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    exporter_version: &'static str,
    checked_at: String,
    fault: Option<Problem<'a>>,
    accounts: Vec<AccountReport<'a>>,
}

#[derive(Serialize)]
struct AccountReport<'a> {
    account_id: String,
    account_name: &'a str,
    state: &'static str,
    partition: Option<&'a str>,
    controls: Vec<ControlReport>,
    collectors: Vec<CollectorReport<'a>>,
}

#[derive(Serialize)]
struct ControlReport {
    control: &'static str,
    status: &'static str,
    as_of: Option<String>,
    reason: String,
    remedy: Option<&'static str>,
}

#[derive(Serialize)]
struct CollectorReport<'a> {
    collector: &'static str,
    up: bool,
    fault: Option<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    class: &'static str,
    detail: &'a str,
    remedy: &'static str,
}

fn json(snapshot: &Snapshot) -> String {
    let report = Report {
        schema_version: SCHEMA_VERSION,
        exporter_version: crate::build_info::BUILD.version,
        checked_at: rfc3339(snapshot.tick.wall),
        fault: snapshot.discovery.fault.as_ref().map(Problem::of),
        accounts: snapshot.accounts().filter_map(AccountReport::of).collect(),
    };
    serde_json::to_string_pretty(&report).expect("a report of texts has a JSON form") + "\n"
}

impl<'a> Problem<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self { class: fault.class.as_str(), detail: &fault.detail, remedy: fault.class.remedy() }
    }
}

impl<'a> AccountReport<'a> {
    fn of(state: &'a AccountState) -> Option<Self> {
        let account = state.account.as_ref()?;
        let controls = state.standings().map(|(control, standing)| ControlReport {
            control: control.as_str(),
            status: standing.verdict.status.as_str(),
            as_of: standing.verdict.as_of.map(|as_of| rfc3339(as_of.wall)),
            reason: standing.verdict.reason.to_string(),
            remedy: standing.verdict.reason.remedy(),
        });
        let collectors = state.health().map(|(collector, health)| CollectorReport {
            collector: collector.as_str(),
            up: health.is_up(),
            fault: health.fault.as_ref().map(Problem::of),
        });
        Some(Self {
            account_id: account.id.to_string(),
            account_name: &account.name,
            state: account.standby.as_str(),
            partition: account.partition.as_ref().map(|partition| partition.as_str()),
            controls: controls.collect(),
            collectors: collectors.collect(),
        })
    }
}

fn rfc3339(at: Timestamp) -> String {
    let since_epoch = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since_epoch).to_string()
}
