//! A simulated AWS: IAM and STS as far as the exporter asks them, over real
//! HTTP on loopback, with every fault that the real one was seen or feared to
//! have. It runs on a thread of its own, so that any test can use it, and it
//! counts what it is asked, for calls are what the exporter's users pay for.

mod fault;
mod reply;
mod server;
mod state;

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use fault::Fault;
pub use state::{Account, Root, Scenario, User};

use fault::Plot;
use reply::Reply;
use server::Request;

/// A running simulation; it ends when this is dropped.
#[derive(Debug)]
pub struct Sim {
    shared: Shared,
    address: SocketAddr,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// A fault that was switched on.
#[derive(Clone, Copy, Debug)]
pub struct FaultId(usize);

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Whose credentials it carried; empty for nobody's.
    pub account: String,
    /// The service it was signed for.
    pub service: String,
    /// What it asked for.
    pub operation: String,
    /// With what.
    pub params: BTreeMap<String, String>,
}

type Hook = Box<dyn FnMut(&Seen, &mut Account) + Send>;

#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>);

struct Inner {
    accounts: BTreeMap<String, Account>,
    credentials: BTreeMap<String, String>,
    latency: Duration,
    plots: Vec<Plot>,
    next_plot: usize,
    seen: Vec<Seen>,
    hook: Option<Hook>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Sim {
    /// Starts a simulation on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(scenario: Scenario) -> io::Result<Self> {
        Self::start_on("127.0.0.1:0", scenario)
    }

    /// Starts a simulation on `address`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start_on(address: &str, scenario: Scenario) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Shared::new(scenario);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = shared.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { _ = stopped => {} _ = accept(listener, serving) => {} }
            });
            runtime.shutdown_background();
        });
        Ok(Self { shared, address, _stop: stop })
    }

    /// The URL to give as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes an account, as somebody with a console would.
    ///
    /// # Panics
    /// When there is no such account.
    pub fn edit(&self, account: &str, change: impl FnOnce(&mut Account)) {
        change(self.shared.lock().accounts.get_mut(account).expect("the account is in the scenario"));
    }

    /// The account as it is now.
    ///
    /// # Panics
    /// When there is no such account.
    #[must_use]
    pub fn account(&self, account: &str) -> Account {
        self.shared.lock().accounts.get(account).expect("the account is in the scenario").clone()
    }

    /// Switches a fault on for all requests, or those of one operation.
    pub fn fault(&self, account: &str, operation: Option<&'static str>, fault: Fault) -> FaultId {
        self.fault_after(account, operation, fault, 0, usize::MAX)
    }

    /// Switches a fault on that strikes `times` requests after the first `skip`.
    pub fn fault_after(
        &self,
        account: &str,
        operation: Option<&'static str>,
        fault: Fault,
        skip: usize,
        times: usize,
    ) -> FaultId {
        let mut inner = self.shared.lock();
        let id = inner.next_plot;
        inner.next_plot += 1;
        inner.plots.push(Plot { id, account: account.into(), operation, fault, skip, times });
        FaultId(id)
    }

    /// Switches a fault off.
    pub fn clear(&self, fault: FaultId) {
        self.shared.lock().plots.retain(|plot| plot.id != fault.0);
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.shared.lock().plots.clear();
    }

    /// Gives an access key id to an account.
    pub fn credentials(&self, access_key: &str, account: &str) {
        self.shared.lock().credentials.insert(access_key.into(), account.into());
    }

    /// How often an operation was asked with an account's credentials.
    #[must_use]
    pub fn count(&self, account: &str, operation: &str) -> usize {
        self.shared.lock().seen.iter().filter(|seen| seen.account == account && seen.operation == operation).count()
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Calls `hook` before each request is answered; it may change the account.
    pub fn on_request(&self, hook: impl FnMut(&Seen, &mut Account) + Send + 'static) {
        self.shared.lock().hook = Some(Box::new(hook));
    }
}

async fn accept(listener: TcpListener, shared: Shared) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(server::connection(stream, shared.clone()));
    }
}

impl Shared {
    fn new(scenario: Scenario) -> Self {
        let accounts = scenario.accounts.into_iter().map(|account| (account.id.clone(), account)).collect();
        Self(Arc::new(Mutex::new(Inner {
            accounts,
            credentials: scenario.credentials,
            latency: Duration::from_millis(scenario.latency_ms),
            plots: Vec::new(),
            next_plot: 0,
            seen: Vec::new(),
            hook: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latency(&self) -> Duration {
        self.lock().latency
    }

    /// Counts a request, and finds its answer and what is wrong with it.
    fn handle(&self, request: &Request) -> (Reply, Vec<Fault>) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let account = request.access_key.as_ref().and_then(|key| inner.credentials.get(key)).cloned();
        let operation = request.params.get("Action").cloned().unwrap_or_default();
        let seen = Seen {
            at: Instant::now(),
            account: account.clone().unwrap_or_default(),
            service: request.service.clone(),
            operation: operation.clone(),
            params: request.params.clone(),
        };
        inner.seen.push(seen.clone());
        let Some(state) = account.and_then(|account| inner.accounts.get_mut(&account)) else {
            return (server::refuse(request), Vec::new());
        };
        if let Some(hook) = &mut inner.hook {
            hook(&seen, state);
        }
        let striking =
            inner.plots.iter_mut().filter_map(|plot| plot.strikes(&state.id, &operation).then(|| plot.fault.clone()));
        let faults: Vec<Fault> = striking.collect();
        let reply =
            faults.iter().find_map(reply::instead).unwrap_or_else(|| reply::answer(state, &request.params, &faults));
        (reply, faults)
    }
}
