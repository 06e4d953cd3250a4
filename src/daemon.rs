//! Where everybody is introduced to everybody: flags become a bound server,
//! the bound server a running exporter, and that one is drained. One of its
//! threads asks AWS and keeps the snapshot; the other encodes it and serves.

pub mod account_run;
pub mod change_log;
pub mod descriptors;
pub mod fleet;
pub mod listener;
pub mod notify;
pub mod publish;
mod reaper;
pub mod reload;
pub mod root_access;
pub mod roster;
pub mod signals;
pub mod supervise;
pub mod thread;
pub mod wakes;

use std::{fmt, io, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    aws::{Caller, LazyClients},
    cli::{
        Flags,
        settings::{Settings, SettingsError},
    },
    clock::Clock,
    daemon::{
        fleet::Fleet,
        listener::Listener,
        publish::Keeper,
        reload::{Digest, Reloader},
        signals::Signals,
        supervise::forever,
        thread::Thread,
        wakes::Wakes,
    },
    http::{
        self, Limits, MAX_EXPOSITION_AGE, Pages, Site,
        guard::{Guard, GuardError},
        listen::{self, BindError},
    },
    metrics::exporter_metrics::ExporterMetrics,
    model::snapshot::{RootAccess, Snapshot},
    overview::page,
    state_file::disk::StateFile,
};

/// How long the first connections wait for the first exposition at most: it takes as long
/// to make as any, and without one they are answered 503.
const FIRST_EXPOSITION: Duration = Duration::from_secs(2);

/// The exporter could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It is not clear what to watch.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The web configuration cannot be used.
    #[error(transparent)]
    Web(#[from] GuardError),
    /// The state file cannot be read or written.
    #[error("cannot use the state file {0}: {1}")]
    State(PathBuf, io::Error),
    /// Two metrics have one name: a bug.
    #[error("the exporter's own metrics are inconsistent: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// An exporter that listens and does nothing yet.
pub struct Bound {
    flags: Flags,
    settings: Settings,
    state: Option<StateFile>,
    snapshot: Snapshot,
    clock: Clock,
    listeners: Vec<TcpListener>,
    limits: Limits,
    guard: Option<Arc<Guard>>,
    metrics: ExporterMetrics,
    /// What the configuration file held before it was read.
    seen: Digest,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

impl Bound {
    /// Reads the configuration files and takes the addresses, and nothing else.
    ///
    /// # Errors
    /// When either cannot be done.
    pub fn new(flags: Flags) -> Result<Self, StartError> {
        let seen = reload::digest(&flags);
        let settings = Settings::read(&flags)?;
        let metrics = ExporterMetrics::new(flags.disable_exporter_metrics)?;
        metrics.sharded(settings.shard);
        let clock = Clock::new();
        let (state, snapshot) = recall(&flags, &settings, clock, &metrics)?;
        let guard =
            flags.web_config.clone().map(|path| Guard::new(path, clock, metrics.clone())).transpose()?.map(Arc::new);
        let listeners = if flags.systemd_socket { listen::passed() } else { listen::bind(&flags.listen) }?;
        let limits = Limits { scrapes: flags.max_requests, ..Limits::default() }.within(descriptors::raise());
        Ok(Self { flags, settings, state, snapshot, clock, listeners, limits, guard, metrics, seen })
    }

    /// Serves and collects until a signal asks it to stop, then drains.
    ///
    /// # Errors
    /// When a listener turns out to be unusable, or no thread can be started.
    pub async fn run(self, signals: Signals) -> io::Result<()> {
        // What AWS answers goes from hand to hand there, up to the snapshot that is published.
        let thread = Thread::start("asking")?;
        let asking = thread.handle();
        let (reloader, settings) =
            Reloader::new(self.flags.clone(), self.settings.clone(), self.metrics.clone(), self.clock);
        let (latest, snapshots) = watch::channel(Arc::new(self.snapshot.clone()));
        let (published, exposition) = watch::channel(None);
        let (events, inbox) = mpsc::channel(256);
        let keeper = Keeper::new(self.clock, inbox, latest);
        let mut tasks = JoinSet::new();
        let metrics = self.metrics.clone();
        tasks.spawn_on(forever("keeper", metrics.clone(), move || keeper.clone().run()), asking);
        let (encoding, counted) = (snapshots.clone(), metrics.clone());
        tasks.spawn(forever("encoder", metrics.clone(), move || {
            publish::encode(encoding.clone(), published.clone(), counted.clone())
        }));
        let recalled = self.snapshot.clone();
        let (caller, counted, wakes) = (caller(metrics.clone(), self.clock), metrics.clone(), Wakes::default());
        let listener = Listener::new(caller.clone(), metrics.clone(), wakes.clone(), events.clone());
        let of_listener = settings.clone();
        tasks.spawn_on(forever("listener", metrics.clone(), move || listener.clone().run(of_listener.clone())), asking);
        let fleet = forever("fleet", metrics, move || {
            let fleet = Fleet::new(caller.clone(), events.clone(), counted.clone()).woken_by(wakes.clone());
            fleet.expecting(&recalled).run(settings.clone())
        });
        tasks.spawn_on(fleet, asking);
        tasks.spawn(forever("reaper", self.metrics.clone(), reaper::reap));
        if let Some(file) = self.state.clone() {
            let snapshots = snapshots.clone();
            tasks.spawn(forever("state", self.metrics.clone(), move || file.clone().follow(snapshots.clone())));
        }
        if self.flags.auto_reload {
            let (reloader, interval, seen) = (reloader.clone(), self.flags.auto_reload_interval, self.seen);
            tasks.spawn(forever("reload", self.metrics.clone(), move || reloader.clone().follow(interval, seen)));
        }
        self.announce();
        let seen = exposition.clone();
        tasks.spawn(forever("notify", self.metrics.clone(), move || notify::follow(seen.clone())));
        let mut exposed = exposition.clone();
        let site = self.site(exposition, snapshots.clone(), &reloader);
        let stop = signals.stop(move || notify::reloading(|| reloader.reload()));
        let shutdown = async {
            stop.await;
            notify::stopping();
        };
        // Who connects before the first exposition is there waits for it in the listener's queue.
        let _ = timeout(FIRST_EXPOSITION, exposed.wait_for(Option::is_some)).await;
        let served = http::serve(self.listeners, site, self.limits, shutdown).await;
        tasks.shutdown().await;
        if let Some(file) = self.state {
            let last = Arc::clone(&snapshots.borrow());
            file.close(last).await;
        }
        tracing::info!("Stopped.");
        served
    }

    fn announce(&self) {
        let build = crate::build_info::BUILD;
        tracing::info!(version = build.version, revision = build.revision, "Starting aws-mfa-exporter.");
        for address in self.listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            let tls = self.guard.as_ref().is_some_and(|guard| guard.is_tls());
            tracing::info!(tls, %address, "Listening.");
        }
    }

    fn site(
        &self,
        exposition: watch::Receiver<Option<Arc<crate::exposition::Exposition>>>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        reloader: &Reloader,
    ) -> Site {
        let reloader = reloader.clone();
        let reload: http::Reload = Arc::new(move || reloader.reload().map_err(|error| error.to_string()));
        let (paths, clock) = (self.flags.paths(), self.clock);
        let drawn = paths.clone();
        Site {
            exposition,
            paths,
            landing: Pages::new(move || page::page(&snapshots.borrow().clone(), &drawn, clock.now())),
            clock,
            max_age: MAX_EXPOSITION_AGE,
            metrics: self.metrics.clone(),
            reloading: Arc::default(),
            reload: self.flags.enable_lifecycle.then_some(reload),
            guard: self.guard.clone(),
        }
    }
}

/// The snapshot before anything has been asked.
#[must_use]
pub fn first_snapshot(settings: &Settings, clock: Clock) -> Snapshot {
    let begin = if settings.config.is_single_account() { Snapshot::new } else { Snapshot::awaiting_accounts };
    let mut snapshot = begin((*settings.plan).clone(), clock.now());
    snapshot.exemptions = settings.config.exemptions.clone();
    snapshot
}

/// The snapshot that an earlier run has left, if there is one.
fn recall(
    flags: &Flags,
    settings: &Settings,
    clock: Clock,
    metrics: &ExporterMetrics,
) -> Result<(Option<StateFile>, Snapshot), StartError> {
    let mut snapshot = first_snapshot(settings, clock);
    let Some(path) = flags.state_file.clone() else { return Ok((None, snapshot)) };
    let file = StateFile::new(path.clone(), flags.state_interval, settings.shard, clock, metrics.clone());
    let state = file.load(settings.config.is_single_account()).map_err(|error| StartError::State(path, error))?;
    if let Some(state) = state {
        snapshot.restore(state.memories, state.listed, clock.now());
        snapshot.root_access = RootAccess::remember(state.root_access);
    }
    Ok((Some(file), snapshot))
}

/// What calls AWS for everybody, each with a rate of their own.
#[must_use]
pub fn caller(metrics: ExporterMetrics, clock: Clock) -> Caller {
    Caller::new(LazyClients::default(), metrics, clock)
}
