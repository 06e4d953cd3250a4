//! Reads the settings again: at SIGHUP, and at `POST /-/reload`.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    cli::{
        Flags,
        settings::{Settings, SettingsError},
    },
    clock::Clock,
    metrics::exporter_metrics::ExporterMetrics,
};

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
            tracing::error!(%error, "The configuration cannot be used; the last good one stays in force.");
        })?;
        let changed = self.settings.send_if_modified(|current| {
            let is_new = **current != settings;
            *current = Arc::new(settings);
            is_new
        });
        tracing::info!(changed, "The configuration was read again.");
        Ok(())
    }
}
