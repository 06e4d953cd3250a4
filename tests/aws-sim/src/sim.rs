//! The simulation from the outside: what a test starts, changes and looks at.

mod reports;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use crate::{
    fault::{Aim, Fault, Plot},
    limits::Limits,
    organization::Organization,
    record::Seen,
    roles::Key,
    server,
    shared::Shared,
    sources::Sources,
    state::{Account, Scenario},
};

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
        let inner = &mut *self.shared.lock();
        let account = inner.accounts.get_mut(account).expect("the account is in the scenario");
        inner.history.change(account, change);
    }

    /// The account as it is now.
    ///
    /// # Panics
    /// When there is no such account.
    #[must_use]
    pub fn account(&self, account: &str) -> Account {
        self.shared.lock().accounts.get(account).expect("the account is in the scenario").clone()
    }

    /// Denies every action but these, `iam:ListUsers` say, in all accounts.
    pub fn allow_only<'a>(&self, actions: impl IntoIterator<Item = &'a str>) {
        self.shared.lock().allowed = Some(actions.into_iter().map(str::to_owned).collect());
    }

    /// Lets sessions carry tags into the next role, as those of EKS Pod Identity do: it takes `sts:TagSession` then.
    pub fn tag_sessions(&self) {
        self.shared.lock().tags_sessions = true;
    }

    /// Switches a fault on for all requests, or those of one operation, that ask an
    /// account. Which one they ask, [`Seen::account`] tells: the one whose credentials
    /// they carry, except that a role is asked of the account that has it.
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
        self.plot(Aim { account: account.into(), operation, user: None }, fault, skip, times)
    }

    /// Switches a fault on for those requests that name a user: `ListMFADevices`,
    /// `GetLoginProfile`, `ListAccessKeys` and `GetUser`, or one of them.
    pub fn fault_user(&self, account: &str, operation: Option<&'static str>, user: &str, fault: Fault) -> FaultId {
        self.fault_user_after(account, operation, user, fault, 0, usize::MAX)
    }

    /// The same, for `times` of those requests after the first `skip`.
    pub fn fault_user_after(
        &self,
        account: &str,
        operation: Option<&'static str>,
        user: &str,
        fault: Fault,
        skip: usize,
        times: usize,
    ) -> FaultId {
        self.plot(Aim { account: account.into(), operation, user: Some(user.into()) }, fault, skip, times)
    }

    fn plot(&self, aim: Aim, fault: Fault, skip: usize, times: usize) -> FaultId {
        let mut inner = self.shared.lock();
        let id = inner.next_plot;
        inner.next_plot += 1;
        if matches!(fault, Fault::Lagging(_)) {
            inner.history.keep();
        }
        inner.plots.push(Plot { id, fault, aim, skip, times });
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
        let key = Key::new(account, None);
        self.shared.lock().keys.insert(access_key.into(), key);
    }

    /// How often an operation was asked of an account, as [`Seen::account`] tells it.
    #[must_use]
    pub fn count(&self, account: &str, operation: &str) -> usize {
        self.shared.lock().record.of(account, operation)
    }

    /// How often an operation was asked of all accounts together.
    #[must_use]
    pub fn total(&self, operation: &str) -> usize {
        self.shared.lock().record.total(operation)
    }

    /// Keeps no more requests for [`Self::seen`]; they are counted all the same.
    pub fn stop_recording(&self) {
        self.shared.lock().record.stop_keeping();
    }

    /// Forgets the requests so far, which a long run has no room for; the counts stay.
    pub fn forget_seen(&self) {
        self.shared.lock().record.forget();
    }

    /// Ends the sessions of roles that are assumed from now on after this long, however
    /// long was asked for; the answers say so.
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

    /// Changes where credentials can be had.
    pub fn edit_sources(&self, change: impl FnOnce(&mut Sources)) {
        change(&mut self.shared.lock().sources);
    }

    /// Lets AWS's clock be so many seconds ahead, or behind where it is less than none:
    /// every answer has its time in the header `Date`, and what is signed more than
    /// five minutes from it is refused.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.shared.lock().clock_ahead = seconds;
    }

    /// Adds an account.
    pub fn add(&self, account: Account) {
        self.shared.lock().accounts.insert(account.id.clone(), account);
    }

    /// Adds this to every answer from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().latency = latency;
    }

    /// Throttles each account's calls of IAM from now on beyond so many a second; as many
    /// may come at once.
    pub fn limit_rate(&self, calls: f64) {
        self.shared.lock().limits = Limits::of(calls);
    }

    /// How many calls were throttled by [`Self::limit_rate`].
    #[must_use]
    pub fn throttled(&self) -> usize {
        self.shared.lock().limits.exceeded()
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().record.seen().to_vec()
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
