//! How the exporter is asked to stop, and to read its configuration again.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
};

/// The signals that the exporter listens to.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Completes at the first SIGTERM or SIGINT; a second one ends the process at
    /// once. Until then each SIGHUP calls `reload`, off the threads that serve.
    pub async fn stop(mut self, reload: impl Fn() + Clone + Send + 'static) {
        self.next_stop(reload).await;
        tracing::info!("Stopping. A second signal stops the exporter at once.");
        tokio::spawn(async move {
            self.next_stop(|| ()).await;
            std::process::exit(1);
        });
    }

    async fn next_stop(&mut self, reload: impl Fn() + Clone + Send + 'static) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    let reload = reload.clone();
                    // A panic in there is logged by the hook, and changes nothing.
                    let _ = spawn_blocking(reload).await;
                }
            }
        }
    }
}
