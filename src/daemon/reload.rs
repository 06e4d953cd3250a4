//! Reads the settings again: at SIGHUP, at `POST /-/reload`, and when the file has changed.

use std::{fs, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::{
    cli::{
        Flags,
        settings::{Settings, SettingsError},
    },
    clock::Clock,
    metrics::exporter_metrics::ExporterMetrics,
};

/// What a file holds, in short; nothing where it cannot be read.
pub type Digest = Option<[u8; digest::SHA256_OUTPUT_LEN]>;

/// What the configuration file holds now.
#[must_use]
pub fn digest(flags: &Flags) -> Digest {
    let bytes = fs::read(flags.config_file.as_ref()?).ok()?;
    digest::digest(&digest::SHA256, &bytes).as_ref().try_into().ok()
}

/// Reads the file again when asked to.
#[derive(Clone, Debug)]
pub struct Reloader {
    flags: Arc<Flags>,
    settings: watch::Sender<Arc<Settings>>,
    metrics: ExporterMetrics,
    clock: Clock,
}

impl Reloader {
    /// A reloader, and what follows from its settings, of which `first` are the first.
    #[must_use]
    pub fn new(
        flags: Flags,
        first: Settings,
        metrics: ExporterMetrics,
        clock: Clock,
    ) -> (Self, watch::Receiver<Arc<Settings>>) {
        let (settings, followed) = watch::channel(Arc::new(first));
        metrics.reloaded(Some(clock.now().wall));
        (Self { flags: Arc::new(flags), settings, metrics, clock }, followed)
    }

    /// Looks at the file for ever, and reads it again when it is another than it was. A file
    /// that cannot be used is told of once.
    pub async fn follow(self, interval: Duration, seen: Digest) {
        let mut seen = seen;
        loop {
            sleep(interval).await;
            let reloader = self.clone();
            let look = move || {
                let now = digest(&reloader.flags);
                if now != seen {
                    // It is logged there, and shows in the metrics.
                    let _ = reloader.reload();
                }
                now
            };
            seen = spawn_blocking(look).await.unwrap_or(seen);
        }
    }

    /// Reads the file, and gives the settings if they have changed.
    ///
    /// # Errors
    /// When the file cannot be used; the settings stay what they were.
    pub fn reload(&self) -> Result<(), SettingsError> {
        let read = Settings::read(&self.flags).and_then(|settings| {
            let began_alone = self.settings.borrow().config.is_single_account();
            if settings.config.is_single_account() == began_alone { Ok(settings) } else { Err(SettingsError::Restart) }
        });
        self.metrics.reloaded(read.is_ok().then(|| self.clock.now().wall));
        let settings = read.inspect_err(|error| {
            tracing::error!(%error, "The exporter cannot use the configuration file, and continues with the last good configuration.");
        })?;
        let changed = self.settings.send_if_modified(|current| {
            let is_new = **current != settings;
            *current = Arc::new(settings);
            is_new
        });
        tracing::info!(changed, "The exporter has reloaded its configuration.");
        Ok(())
    }
}
