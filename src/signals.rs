//! How the exporter is asked to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Completes at the first SIGTERM or SIGINT; a second one ends the process at
/// once. SIGHUP is noted: all there is to reload is looked at by itself.
///
/// # Errors
/// When signals cannot be listened to.
pub fn first() -> io::Result<impl Future<Output = ()> + Send> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.stop().await;
        tracing::info!("Stopping; a second signal stops at once.");
        tokio::spawn(async move {
            signals.stop().await;
            std::process::exit(1);
        });
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => tracing::info!("SIGHUP: flags need a restart; the web configuration is reloaded by itself."),
            }
        }
    }
}
