//! The exporter's shell: flags, log, runtime, exit code.

use std::{error::Error, io, process::ExitCode};

use aws_mfa_exporter::{
    app::Bound,
    check,
    cli::{Command, Flags},
    generate, log,
    orders::Orders,
    permissions,
    signals::Signals,
};
use clap::Parser as _;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    let flags = Flags::parse();
    log::start(flags.log_level, flags.log_format);
    run(flags).unwrap_or_else(|error| {
        tracing::error!(%error, "The exporter cannot run.");
        ExitCode::FAILURE
    })
}

fn run(flags: Flags) -> Result<ExitCode, Box<dyn Error>> {
    match flags.command {
        None if flags.config_check => {
            Orders::read(&flags)?;
            tracing::info!("The configuration is good.");
        }
        None => {
            runtime()?.block_on(async { Ok::<_, Box<dyn Error>>(Bound::new(flags)?.run(Signals::listen()?).await?) })?
        }
        Some(Command::Check { output }) => {
            return Ok(runtime()?.block_on(check::run(&flags, output)).unwrap_or_else(|error| {
                tracing::error!(%error, "The check could not be run.");
                ExitCode::from(3)
            }));
        }
        Some(Command::IamPolicy) => io::Write::write_all(
            &mut io::stdout(),
            format!("{}\n", permissions::policy(Orders::read(&flags)?.plan.collectors())).as_bytes(),
        )?,
        Some(Command::Generate { document }) => generate::print(document, &mut io::stdout())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()
}
