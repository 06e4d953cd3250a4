//! What each command does, from flags to the exit status.

mod check;
pub mod generate;
pub mod iam_policy;

use std::{error::Error, io, process::ExitCode};

use tokio::runtime::{Builder, Runtime};

use crate::{
    cli::{Command, Flags, settings::Settings},
    daemon::{Bound, signals::Signals},
    log,
};

/// Does what the flags say, and logs why if that cannot be done.
#[must_use]
pub fn run(flags: Flags) -> ExitCode {
    log::start(flags.log_level, flags.log_format);
    obey(flags).unwrap_or_else(|error| {
        tracing::error!(%error, "The exporter cannot run.");
        ExitCode::FAILURE
    })
}

fn obey(flags: Flags) -> Result<ExitCode, Box<dyn Error>> {
    match &flags.command {
        None if flags.config_check => {
            Settings::read(&flags)?;
            tracing::info!("The configuration is good.");
        }
        None => runtime()?.block_on(serve(flags))?,
        Some(Command::Check { output, timeout, .. }) => {
            return Ok(runtime()?.block_on(check::run(&flags, *output, *timeout)));
        }
        Some(Command::IamPolicy { of }) => {
            let policy = iam_policy::policy(*of, &Settings::read(&flags)?);
            io::Write::write_all(&mut io::stdout(), format!("{policy}\n").as_bytes())?;
        }
        Some(Command::Generate { document }) => generate::print(document, &mut io::stdout())?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(flags: Flags) -> Result<(), Box<dyn Error>> {
    Ok(Bound::new(flags)?.run(Signals::listen()?).await?)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()
}
