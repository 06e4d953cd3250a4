//! A simulated AWS: IAM and STS as far as the exporter asks them, over real
//! HTTP on loopback, with every fault that the real one was seen or feared to
//! have. It runs on a thread of its own, so that any test can use it, and it
//! counts what it is asked, for calls are what the exporter's users pay for.

mod fault;
mod organization;
mod reply;
mod roles;
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
pub use organization::{Member, Organization, ROOT, Unit};
pub use roles::Role;
pub use state::{Account, Root, Scenario, User};

use fault::Plot;
use reply::Reply;
use roles::Key;
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
    keys: BTreeMap<String, Key>,
    next_key: usize,
    session_length: Option<Duration>,
    organization: Option<Organization>,
    latency: Duration,
    plots: Vec<Plot>,
    next_plot: usize,
    seen: Vec<Seen>,
    is_recording: bool,
    counts: BTreeMap<(String, String), usize>,
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
        let key = Key { account: account.into(), until: None };
        self.shared.lock().keys.insert(access_key.into(), key);
    }

    /// How often an operation was asked with an account's credentials.
    #[must_use]
    pub fn count(&self, account: &str, operation: &str) -> usize {
        self.shared.lock().counts.get(&(account.to_owned(), operation.to_owned())).copied().unwrap_or(0)
    }

    /// How often an operation was asked with anybody's credentials.
    #[must_use]
    pub fn total(&self, operation: &str) -> usize {
        let inner = self.shared.lock();
        inner.counts.iter().filter(|((_, name), _)| name == operation).map(|(_, count)| count).sum()
    }

    /// Keeps no more requests for [`Self::seen`]; they are counted all the same.
    pub fn stop_recording(&self) {
        let mut inner = self.shared.lock();
        inner.is_recording = false;
        inner.seen = Vec::new();
    }

    /// Ends the sessions of roles that are assumed from now on after this long.
    pub fn session_length(&self, length: Duration) {
        self.shared.lock().session_length = Some(length);
    }

    /// Changes the organization.
    ///
    /// # Panics
    /// When the scenario has none.
    pub fn edit_organization(&self, change: impl FnOnce(&mut Organization)) {
        change(self.shared.lock().organization.as_mut().expect("the scenario has an organization"));
    }

    /// Adds an account.
    pub fn add(&self, account: Account) {
        self.shared.lock().accounts.insert(account.id.clone(), account);
    }

    /// Adds this to every answer from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().latency = latency;
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Calls `hook` before each request is answered; it may change the account (of a
    /// role that is asked for: the one that has it).
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
        let keys = scenario.credentials.into_iter().map(|(key, account)| (key, Key { account, until: None })).collect();
        Self(Arc::new(Mutex::new(Inner {
            accounts,
            keys,
            next_key: 0,
            session_length: None,
            organization: scenario.organization,
            latency: Duration::from_millis(scenario.latency_ms),
            plots: Vec::new(),
            next_plot: 0,
            seen: Vec::new(),
            is_recording: true,
            counts: BTreeMap::new(),
            hook: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latency(&self) -> Duration {
        self.lock().latency
    }

    /// Counts a request, and finds its answer and what is wrong with it. A role
    /// is asked of the account that has it: faults and counts are that one's.
    fn handle(&self, request: &Request) -> (Reply, Vec<Fault>) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let key = request.access_key.as_ref().and_then(|key| inner.keys.get(key)).cloned();
        let caller = key.as_ref().map(|key| key.account.clone()).unwrap_or_default();
        let operation = request.target.as_ref().or_else(|| request.params.get("Action")).cloned().unwrap_or_default();
        let asked = roles::asked(&request.params).filter(|_| operation == "AssumeRole");
        let account = asked.map_or(caller.clone(), |(account, _)| account.to_owned());
        let seen = inner.note(request, &account, &operation);
        if key.as_ref().and_then(|key| key.until).is_some_and(|until| until <= Instant::now()) {
            return (
                reply::error(403, "ExpiredToken", "The security token included in the request is expired"),
                Vec::new(),
            );
        }
        if !inner.accounts.contains_key(&caller) {
            return (server::refuse(request), Vec::new());
        }
        if let (Some(hook), Some(state)) = (&mut inner.hook, inner.accounts.get_mut(&account)) {
            hook(&seen, state);
        }
        let plots = inner.plots.iter_mut();
        let faults: Vec<Fault> =
            plots.filter_map(|plot| plot.strikes(&account, &operation).then(|| plot.fault.clone())).collect();
        let instead = if request.target.is_some() { organization::instead } else { reply::instead };
        let reply =
            faults.iter().find_map(instead).unwrap_or_else(|| inner.answer(request, &caller, &account, &faults));
        (reply, faults)
    }
}

impl Inner {
    fn note(&mut self, request: &Request, account: &str, operation: &str) -> Seen {
        let seen = Seen {
            at: Instant::now(),
            account: account.to_owned(),
            service: request.service.clone(),
            operation: operation.to_owned(),
            params: request.params.clone(),
        };
        *self.counts.entry((seen.account.clone(), seen.operation.clone())).or_default() += 1;
        if self.is_recording {
            self.seen.push(seen.clone());
        }
        seen
    }

    fn answer(&mut self, request: &Request, caller: &str, account: &str, faults: &[Fault]) -> Reply {
        if let Some(operation) = &request.target {
            return organization::answer(self.organization.as_ref(), caller, operation, &request.json, faults);
        }
        if account == caller && request.params.get("Action").is_none_or(|action| action != "AssumeRole") {
            return reply::answer(&self.accounts[caller], &request.params, faults);
        }
        self.next_key += 1;
        let key = format!("ASIASIMULATED{:08}", self.next_key);
        let target = self.accounts.get(account);
        let (reply, held) = roles::assume(target, caller, &request.params, faults, key, self.session_length);
        self.keys.extend(held);
        reply
    }
}
