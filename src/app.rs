//! Where everybody is introduced to everybody: flags become a bound server,
//! the bound server a running exporter, and that one is drained.

use std::{fmt, future::Future, io, net::TcpListener, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{
    account_run::AccountRun,
    aws::{Caller, Clients, Meter, Session},
    cli::Flags,
    clock::Clock,
    http::{
        self, Limits, MAX_EXPOSITION_AGE, Site,
        guard::{Guard, GuardError},
        listen::BindError,
    },
    landing,
    limit::Bucket,
    metrics::own::Own,
    publish::{self, Keeper},
    snapshot::Snapshot,
};

/// Calls a second and account, and how many at once.
const ACCOUNT_RATE: (f64, f64) = (5.0, 10.0);

/// A task that panicked is started again after this.
const RESTART: Duration = Duration::from_secs(1);

/// The exporter could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The web configuration cannot be used.
    #[error(transparent)]
    Web(#[from] GuardError),
    /// Two metrics have one name: a bug.
    #[error("the exporter's own metrics are inconsistent: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// An exporter that listens and does nothing yet.
pub struct Bound {
    flags: Flags,
    clock: Clock,
    listeners: Vec<TcpListener>,
    guard: Option<Arc<Guard>>,
    own: Own,
    meter: Meter,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

impl Bound {
    /// Reads the web configuration and takes the addresses, and nothing else.
    ///
    /// # Errors
    /// When either cannot be done.
    pub fn new(flags: Flags) -> Result<Self, StartError> {
        let own = Own::new(flags.disable_exporter_metrics)?;
        let meter = Meter::register(own.registry())?;
        let clock = Clock::new();
        let guard = flags.web_config.clone().map(|path| Guard::new(path, clock)).transpose()?.map(Arc::new);
        let listeners = flags.listen.iter().map(|address| address.bind()).collect::<Result<_, _>>()?;
        Ok(Self { flags, clock, listeners, guard, own, meter })
    }

    /// Serves and collects until `shutdown`, then drains.
    ///
    /// # Errors
    /// When a listener turns out to be unusable.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let plan = self.flags.plan();
        let snapshot = Snapshot::new(plan, self.clock.now());
        let (latest, snapshots) = watch::channel(Arc::new(snapshot.clone()));
        let (published, exposition) = watch::channel(None);
        let (events, inbox) = mpsc::channel(256);
        let keeper = Keeper::new(self.clock, snapshot, inbox, latest);
        let mut tasks = JoinSet::new();
        let own = self.own.clone();
        tasks.spawn(forever("keeper", own.clone(), move || keeper.clone().run()));
        let (encoding, counted) = (snapshots.clone(), own.clone());
        tasks.spawn(forever("encoder", own.clone(), move || {
            publish::encode(encoding.clone(), published.clone(), counted.clone())
        }));
        let (clock, meter) = (self.clock, self.meter.clone());
        let counted = own.clone();
        tasks.spawn(async move {
            let caller = caller(Clients::from_environment().await, meter, clock);
            let run = AccountRun::new(Session::ambient(caller), plan, events, counted.clone());
            let beat = run.clone();
            let heartbeat = forever("root", counted.clone(), move || beat.clone().heartbeat());
            let devices = forever("devices", counted, move || run.clone().devices());
            if plan.devices { tokio::join!(heartbeat, devices).0 } else { heartbeat.await }
        });
        self.announce();
        let site = self.site(exposition, snapshots);
        let served = http::serve(self.listeners, site, Limits::default(), shutdown).await;
        tasks.shutdown().await;
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
    ) -> Site {
        let (path, clock) = (self.flags.telemetry_path.clone(), self.clock);
        Site {
            exposition,
            telemetry_path: path.clone(),
            landing: Arc::new(move || landing::page(&snapshots.borrow().clone(), &path, clock.now())),
            clock,
            max_age: MAX_EXPOSITION_AGE,
            slots: (self.flags.max_requests > 0).then(|| Arc::new(Semaphore::new(self.flags.max_requests))),
            requests: self.own.http_requests().clone(),
            guard: self.guard.clone(),
        }
    }
}

/// A caller for one account, with the rate that every account gets.
#[must_use]
pub fn caller(clients: Clients, meter: Meter, clock: Clock) -> Caller {
    Caller::new(clients, meter, Bucket::new(ACCOUNT_RATE.0, ACCOUNT_RATE.1), clock)
}

/// Keeps a task going: a panic ends it, is counted, and a new one is made.
async fn forever<F>(name: &'static str, own: Own, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut task = JoinSet::new();
        task.spawn(make());
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                own.task_panicked(name);
                tracing::error!(task = name, "A task panicked and is started again.");
                sleep(RESTART).await;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_panicking_task_is_counted_and_started_again() {
        let own = Own::new(true).unwrap();
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&starts);
        let make = move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move { assert!(start > 0, "the first start panics") }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(forever("example", own.clone(), make));
        assert_eq!(starts.load(Ordering::SeqCst), 2);
        let families = own.gather();
        let panics = families.iter().find(|family| family.name() == "aws_mfa_exporter_task_panics_total").unwrap();
        assert!((panics.get_metric()[0].get_counter().get_value() - 1.0).abs() < f64::EPSILON);
    }
}
