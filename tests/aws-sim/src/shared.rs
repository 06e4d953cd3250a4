//! What all connections share: the accounts, whose key is whose, what is wrong at
//! the moment, and the way of a request through all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use crate::{
    clock, cognito, contacts, directory,
    fault::{Fault, Plot},
    history::History,
    limits::Limits,
    organization::Organization,
    protocol::{self, Protocol, Reply},
    record::{Record, Seen},
    reply,
    report::Reports,
    request::Request,
    roles::{self, Caller, Key, RoleArn},
    root_access,
    sources::{self, Sources},
    state::{Account, Scenario},
};

const ASSUME_ROLE: &str = "AssumeRole";
const ASSUME_ROOT: &str = "AssumeRoot";

pub(crate) type Hook = Box<dyn FnMut(&Seen, &mut Account) + Send>;

/// A reply, and how it goes out.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) faults: Vec<Fault>,
    pub(crate) latency: Duration,
    pub(crate) date: SystemTime,
    pub(crate) request_id: String,
}

/// The state behind its lock.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Inner>>);

pub(crate) struct Inner {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) keys: BTreeMap<String, Key>,
    sessions: usize,
    requests: usize,
    pub(crate) session_length: Option<Duration>,
    pub(crate) organization: Option<Organization>,
    pub(crate) sources: Sources,
    /// How far its clock is ahead of this host's, in seconds.
    pub(crate) clock_ahead: i64,
    pub(crate) latency: Duration,
    pub(crate) history: History,
    pub(crate) reports: Reports,
    pub(crate) limits: Limits,
    pub(crate) plots: Vec<Plot>,
    pub(crate) next_plot: usize,
    /// The actions that policies allow, as `service:Operation`; all of them where there is none.
    pub(crate) allowed: Option<BTreeSet<String>>,
    /// Whether sessions carry tags that go with them into the next role, as EKS Pod Identity's do.
    pub(crate) tags_sessions: bool,
    pub(crate) record: Record,
    pub(crate) hook: Option<Hook>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let accounts = scenario.accounts.into_iter().map(|account| (account.id.clone(), account)).collect();
        let keys = scenario.credentials.into_iter().map(|(key, account)| (key, Key::new(&account, None))).collect();
        Self(Arc::new(Mutex::new(Inner {
            accounts,
            keys,
            sessions: 0,
            requests: 0,
            session_length: None,
            organization: scenario.organization,
            sources: Sources::default(),
            clock_ahead: 0,
            latency: Duration::from_millis(scenario.latency_ms),
            history: History::default(),
            reports: Reports::default(),
            limits: Limits::default(),
            plots: Vec::new(),
            next_plot: 0,
            allowed: None,
            tags_sessions: false,
            record: Record::default(),
            hook: None,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and finds its answer and what is wrong with it.
    pub(crate) fn handle(&self, request: Request) -> Answer {
        let mut inner = self.lock();
        let clock = clock::Clock::ahead(inner.clock_ahead);
        let Request { access_key, service, operation, protocol, params, signed, token } = request;
        let key = access_key.as_ref().and_then(|key| inner.keys.get(key));
        let (caller, until, is_root) =
            key.map_or_else(Default::default, |key| (key.account.clone(), key.until, key.is_root));
        let is_for_role = protocol == Protocol::Query && operation == ASSUME_ROLE;
        let is_for_web_identity = protocol == Protocol::Query && operation == sources::WEB_IDENTITY;
        let role = RoleArn::asked(&params).filter(|_| is_for_role || is_for_web_identity);
        let root = root_access::target(&params).filter(|_| protocol == Protocol::Query && operation == ASSUME_ROOT);
        let asked = role.map(|role| role.account).or(root);
        let account = asked.map_or_else(|| caller.clone(), str::to_owned);
        inner.requests += 1;
        let request_id = protocol::request_id(inner.requests);
        let seen = Seen { at: Instant::now(), account, service, operation, request_id: request_id.clone(), params };
        inner.record.count(&seen);
        let (mut reply, faults) = if sources::OPERATIONS.contains(&&*seen.operation) {
            inner.answer_source(&seen, token.as_deref())
        } else if signed.is_some_and(|signed| !clock.accepts(&signed)) {
            (protocol.skewed(), Vec::new())
        } else if until.is_some_and(|until| until <= seen.at) {
            (protocol.expired(), Vec::new())
        } else if !inner.accounts.contains_key(&caller) {
            (protocol.refuse(access_key.is_some()), Vec::new())
        } else {
            inner.answer(&seen, Caller { account: &caller, is_session: until.is_some(), is_root }, protocol)
        };
        inner.record.keep(seen);
        protocol::identify(&mut reply, &request_id);
        Answer { reply, faults, latency: inner.latency, date: clock.now(), request_id }
    }
}

impl Inner {
    /// Answers a request of `caller`'s. A role is asked of the account that has it:
    /// faults and the hook are that one's.
    fn answer(&mut self, seen: &Seen, caller: Caller<'_>, protocol: Protocol) -> (Reply, Vec<Fault>) {
        if let (Some(hook), Some(account)) = (&mut self.hook, self.accounts.get_mut(&seen.account)) {
            self.history.change(account, |account| hook(seen, account));
        }
        let plots = self.plots.iter_mut();
        let faults = plots.filter_map(|plot| plot.strikes(seen).then(|| plot.fault.clone()));
        let mut faults: Vec<Fault> = faults.map(|fault| self.history.resolve(&seen.account, fault)).collect();
        if !self.allows(seen) {
            faults.insert(0, Fault::AccessDenied);
        }
        if self.limits.exceeds(seen) {
            faults.insert(0, Fault::Throttled);
        }
        let instead = faults.iter().find_map(|fault| protocol.instead(fault));
        let mut reply = instead.unwrap_or_else(|| match (protocol, &*seen.operation) {
            (Protocol::Json, operation) if contacts::OPERATIONS.iter().any(|(name, _)| *name == operation) => {
                contacts::answer(&self.accounts[caller.account], operation, &seen.params, &faults)
            }
            (Protocol::Json, operation) if cognito::OPERATIONS.contains(&operation) => {
                cognito::answer(&self.accounts[caller.account], operation, &seen.params, &faults)
            }
            (Protocol::Json, operation) => {
                directory::answer(self.organization.as_ref(), caller.account, operation, &seen.params, &faults)
            }
            (Protocol::Query, "ListOrganizationsFeatures") => {
                root_access::features(self.organization.as_ref(), caller.account, &faults)
            }
            (Protocol::Query, ASSUME_ROOT) => self.assume_root(seen, caller, &faults),
            (Protocol::Query, _) if caller.is_root => {
                root_access::answer(&self.accounts[caller.account], &seen.params, &faults)
            }
            (Protocol::Query, ASSUME_ROLE) => self.assume_role(seen, caller, &faults),
            (Protocol::Query, _) => {
                reply::answer(&self.accounts[caller.account], &mut self.reports, &seen.params, &faults)
            }
        });
        rewrite(&mut reply, &faults);
        (reply, faults)
    }

    /// Whether policies allow it. Nobody has to be allowed to ask who they are.
    fn allows(&self, seen: &Seen) -> bool {
        let Some(allowed) = &self.allowed else { return true };
        let action = format!("{}:{}", seen.service, seen.operation);
        let tags = self.tags_sessions && seen.operation == ASSUME_ROLE;
        action == "sts:GetCallerIdentity" || allowed.contains(&action) && (!tags || allowed.contains("sts:TagSession"))
    }

    /// Answers whoever has no credentials yet.
    fn answer_source(&mut self, seen: &Seen, token: Option<&str>) -> (Reply, Vec<Fault>) {
        let plots = self.plots.iter_mut();
        let faults: Vec<Fault> = plots.filter_map(|plot| plot.strikes(seen).then(|| plot.fault.clone())).collect();
        let protocol = if seen.operation == sources::WEB_IDENTITY { Protocol::Query } else { Protocol::Json };
        let instead = faults.iter().find_map(|fault| protocol.instead(fault));
        let mut reply = instead.unwrap_or_else(|| {
            self.sessions += 1;
            let key = sources::Handout::new(self.sessions, self.sources.are_over);
            let (reply, account) = self.sources.answer(seen, token, &self.accounts, &key);
            if let Some(account) = account {
                let until = if self.sources.are_over { seen.at } else { seen.at + Duration::from_secs(3_600) };
                self.keys.insert(key.id, Key::new(&account, Some(until)));
            }
            reply
        });
        rewrite(&mut reply, &faults);
        (reply, faults)
    }

    fn assume_role(&mut self, seen: &Seen, caller: Caller<'_>, faults: &[Fault]) -> Reply {
        let session = match roles::grant(self.accounts.get(&seen.account), caller, &seen.params) {
            Ok(session) => session.capped(self.session_length),
            Err(refusal) => return refusal,
        };
        self.sessions += 1;
        let id = format!("ASIASIMULATED{:07}", self.sessions);
        let reply = session.reply(&id, self.sessions, faults);
        self.keys.insert(id, session.key(seen.at));
        reply
    }

    fn assume_root(&mut self, seen: &Seen, caller: Caller<'_>, faults: &[Fault]) -> Reply {
        let target = self.accounts.get(&seen.account);
        let session = match root_access::grant(self.organization.as_ref(), target, caller, &seen.params) {
            Ok(lasts) => self.session_length.map_or(lasts, |longest| longest.min(lasts)),
            Err(refusal) => return refusal,
        };
        self.sessions += 1;
        let id = format!("ASIASIMULATED{:07}", self.sessions);
        // A session of another account's root than was asked for, where that is the fault.
        let other = faults.iter().find_map(|fault| if let Fault::Identity(id) = fault { Some(*id) } else { None });
        let until = Some(seen.at + session);
        let key = Key { is_root: true, ..Key::new(other.unwrap_or(&seen.account), until) };
        self.keys.insert(id.clone(), key);
        root_access::handed_out(&id, self.sessions, session, faults)
    }
}

fn rewrite(reply: &mut Reply, faults: &[Fault]) {
    for fault in faults {
        if let Fault::Rewrite(from, to) = fault {
            reply.body = reply.body.replacen(from, to, 1);
        }
    }
}
