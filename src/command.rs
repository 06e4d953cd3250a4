//! What each command does, from flags to the exit status.

mod check;
pub mod generate;
mod healthcheck;
pub mod iam_policy;

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use crate::{
    cli::{Command, Flags, settings::Settings},
    daemon::{Bound, signals::Signals, thread::runtime},
    http::guard,
    log,
};

/// Exit status when a command was not given what it needs, or a check could not be run:
/// 2 is a check's word for "something is unknown".
pub const NOT_RUN: u8 = 3;

/// A command was given too little.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("--config.check needs a file: also give --config.file or --web.config.file")]
    NothingToCheck,
    #[error(
        "no role is configured, so the exporter needs only the policy of the account: for the policy of an exporter \
         that assumes roles, give --organization.role-name, or a --config.file with an organization or with accounts"
    )]
    NoRole,
}

/// Does what the flags say, and says why if that cannot be done.
#[must_use]
pub fn run(flags: Flags) -> ExitCode {
    log::start(flags.log_level, flags.log_format.unwrap_or_default());
    let is_text = wants_text(&flags);
    obey(flags).unwrap_or_else(|error| {
        complain(is_text, &*error);
        if error.is::<UsageError>() { ExitCode::from(NOT_RUN) } else { ExitCode::FAILURE }
    })
}

/// Whether an error is read by a person who has just typed the command. A daemon's is
/// read in a log, unless it was started on a terminal.
fn wants_text(flags: &Flags) -> bool {
    let is_daemon = flags.command.is_none() && !flags.config_check;
    flags.log_format.is_none() && (!is_daemon || io::stderr().is_terminal())
}

fn complain(is_text: bool, error: &dyn Error) {
    if is_text {
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(io::stderr(), "error: {error:#}");
    } else {
        tracing::error!(%error, "The exporter cannot run.");
    }
}

fn obey(flags: Flags) -> Result<ExitCode, Box<dyn Error>> {
    match &flags.command {
        None if flags.config_check => config_check(&flags)?,
        None => runtime()?.block_on(serve(flags))?,
        Some(Command::Check { output, timeout, .. }) => {
            return Ok(runtime()?.block_on(check::run(&flags, *output, *timeout, wants_text(&flags))));
        }
        Some(Command::Healthcheck { url }) => runtime()?.block_on(healthcheck::ask(url.clone()))?,
        Some(Command::IamPolicy { of }) => {
            let policy = iam_policy::policy(*of, &Settings::read(&flags)?).ok_or(UsageError::NoRole)?;
            print(&format!("{policy}\n"))?;
        }
        Some(Command::Generate { document }) => print(&generate::document(document))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the files that are named, and says that they can be used.
fn config_check(flags: &Flags) -> Result<(), Box<dyn Error>> {
    if flags.config_file.is_none() && flags.web_config.is_none() {
        return Err(UsageError::NothingToCheck.into());
    }
    Settings::read(flags)?;
    let warnings = flags.web_config.as_deref().map(guard::check).transpose()?.unwrap_or_default();
    for warning in warnings {
        writeln!(io::stderr(), "warning: {warning}")?;
    }
    for file in [&flags.config_file, &flags.web_config].into_iter().flatten() {
        print(&format!("{} can be used.\n", file.display()))?;
    }
    Ok(())
}

/// Writes to standard output. Whoever closes a pipe has read enough.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

async fn serve(flags: Flags) -> Result<(), Box<dyn Error>> {
    Ok(Bound::new(flags)?.run(Signals::listen()?).await?)
}
