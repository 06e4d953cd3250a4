//! The exporter's shell: flags, log, runtime, signals, exit code.

use std::process::ExitCode;

use aws_mfa_exporter::{app::Bound, cli::Flags, log};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let flags = Flags::parse();
    log::start(flags.log_level, flags.log_format);
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "The exporter cannot run.");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()?;
    let bound = Bound::new(flags)?;
    runtime.block_on(async {
        let [mut terminate, mut interrupt, mut hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        let (terminate, interrupt, hangup) = (terminate.as_mut(), interrupt.as_mut(), hangup.as_mut());
        let (Ok(terminate), Ok(interrupt), Ok(hangup)) = (terminate, interrupt, hangup) else {
            return Err("signals cannot be listened to".into());
        };
        let shutdown = async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = hangup.recv() => tracing::info!("SIGHUP: the running configuration is all flags; nothing was reloaded."),
                }
            }
            tracing::info!("Stopping; a second signal stops at once.");
            tokio::spawn(async {
                if let (Ok(mut again), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
                    tokio::select! { _ = again.recv() => {}, _ = interrupt.recv() => {} }
                    std::process::exit(1);
                }
            });
        };
        Ok(bound.run(shutdown).await?)
    })
}
