//! Whether the calls of this check come back as events: which accounts have an echo, and
//! which have none.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    aws::Caller,
    cli::settings::Settings,
    daemon::{listener::Listener, wakes::Wakes},
    metrics::exporter_metrics::ExporterMetrics,
    model::snapshot::{AccountState, Event, Snapshot},
    overview::age,
};

/// How often it is looked whether all have come.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits for the echoes of a check.
pub(super) struct Echoes {
    wakes: Wakes,
    patience: Duration,
    /// What listens; it ends when this is dropped.
    _listener: tokio::task::JoinSet<()>,
    _settings: watch::Sender<Arc<Settings>>,
}

/// Of one account, whether a call has come back.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct EchoReport {
    came: bool,
    /// When the last call was made that has come back.
    asked_at: Option<String>,
}

impl Echoes {
    /// Listens at the queues of the settings from now on.
    pub(super) fn listen(
        caller: Caller,
        events: mpsc::Sender<Event>,
        metrics: ExporterMetrics,
        settings: &Settings,
        patience: Duration,
    ) -> Self {
        let wakes = Wakes::default();
        wakes.hear(true);
        let (sender, receiver) = watch::channel(Arc::new(settings.clone()));
        let mut listener = tokio::task::JoinSet::new();
        listener.spawn(Listener::new(caller, metrics, wakes.clone(), events).run(receiver));
        Self { wakes, patience, _listener: listener, _settings: sender }
    }

    /// By what the accounts are told of their echoes.
    pub(super) fn wakes(&self) -> Wakes {
        self.wakes.clone()
    }

    /// Waits until a call has come back from every account, or its time is over.
    pub(super) async fn wait(self) {
        let end = Instant::now() + self.patience;
        let all = async {
            while self.wakes.accounts().values().any(Option::is_none) {
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = all => {}
            () = sleep_until(end) => {}
        }
    }
}

impl EchoReport {
    pub(super) fn of(state: &AccountState) -> Self {
        let last_echo = state.last_echo();
        Self { came: last_echo.is_some(), asked_at: last_echo.map(|at| at.wall.to_rfc3339()) }
    }
}

/// What has come within `patience`, for people.
pub(super) fn text(snapshot: &Snapshot, patience: Duration) -> String {
    let scanned: Vec<_> = snapshot.accounts().filter(|state| state.account.is_some() && state.is_scanned()).collect();
    let silent = scanned.iter().filter(|state| state.last_echo().is_none());
    let silent: Vec<_> = silent.filter_map(|state| Some(state.account.as_ref()?.id.to_string())).collect();
    let came = scanned.len() - silent.len();
    let mut text = format!("Echoes came from {came} of {} accounts within {}.", scanned.len(), age(patience));
    if !silent.is_empty() {
        text += &format!(
            "\nNone came from {}.\n  What to do: look at the trail, the rule and its role in these accounts, and at the queue; \
             the runbook of AwsMfaEventsSilent has the steps.",
            silent.join(", ")
        );
    }
    text + "\n"
}
