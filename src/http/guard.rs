//! Who may ask, and how often: the web configuration, at work.
//!
//! The file and the certificates it names are looked at again every few seconds
//! and taken over when they have changed, so that a rotated certificate or a
//! revoked user needs no restart. A file that has become unusable is reported
//! and the last good one stays in force: refusing every scrape until somebody
//! mends a typo would blind the monitoring, and open nothing it closed.

pub mod credentials;
mod files;
mod passwords;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::WWW_AUTHENTICATE};
use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{task::spawn_blocking, time::sleep};

use files::{Seen, load};
use passwords::{Judgement, Passwords};

use super::{
    answer::Answer,
    connections::Connection,
    refusal::Refusal,
    route::text,
    tls::{self, TlsError},
};
use crate::{
    clock::Clock,
    http::config::{RateLimit, WebConfig, WebConfigError},
    metrics::exporter_metrics::ExporterMetrics,
    rate_limit::Bucket,
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The web configuration cannot be put to work.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file.
    #[error(transparent)]
    Config(#[from] WebConfigError),
    /// What the file names.
    #[error("the web configuration cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// TLS cannot be switched on or off while listening.
    #[error("the web configuration switches TLS on or off, which needs a restart")]
    Switched,
}

/// Reads a web configuration and all that it names, and puts nothing to work. Answers with
/// what may surprise.
///
/// # Errors
/// When any of it cannot be used.
pub fn check(path: &Path) -> Result<Vec<String>, GuardError> {
    load(path).0.map(|rules| rules.config.warnings)
}

/// Lets requests in, or not.
#[derive(Debug)]
pub struct Guard {
    path: PathBuf,
    clock: Clock,
    metrics: ExporterMetrics,
    /// Held for as long as a clone takes, never while a file is read.
    state: Mutex<State>,
    passwords: Passwords,
}

#[derive(Debug)]
struct State {
    rules: Arc<Rules>,
    seen: Arc<Vec<Seen>>,
    bucket: Option<Bucket>,
}

/// What holds for one request or handshake.
#[derive(Debug)]
pub(super) struct Rules {
    config: WebConfig,
    headers: HeaderMap,
    tls: Option<tls::Ready>,
}

impl Guard {
    /// Reads the file and all that it names.
    ///
    /// # Errors
    /// When any of it cannot be used.
    pub fn new(path: PathBuf, clock: Clock, metrics: ExporterMetrics) -> Result<Self, GuardError> {
        let (rules, seen) = load(&path);
        let rules = Arc::new(rules?);
        let bucket = bucket(rules.config.rate_limit);
        let state = Mutex::new(State { rules: Arc::clone(&rules), seen: Arc::new(seen), bucket });
        let guard = Self { path, clock, metrics, state, passwords: Passwords::default() };
        guard.announce(&rules);
        Ok(guard)
    }

    /// What is in force from now on, in the metrics; and in the log what may surprise.
    fn announce(&self, rules: &Rules) {
        self.metrics.web_reloaded(Some(self.clock.now().wall));
        let expiries = rules.tls.as_ref().map(|tls| (tls.expiry, tls.client_ca_expiry)).unwrap_or_default();
        self.metrics.certificates_expire(expiries.0, expiries.1);
        for warning in &rules.config.warnings {
            tracing::warn!("{warning}");
        }
    }

    /// Whether connections are TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.rules().is_tls()
    }

    /// The rules in force.
    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.state().rules)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the files for ever, off the threads that serve: a certificate may
    /// lie on a network disk, and a scrape is not to wait for that.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let guard = Arc::clone(&self);
            if spawn_blocking(move || guard.look_again()).await.is_err() {
                tracing::error!(
                    "Reading the web configuration panicked; the exporter continues with the last good one."
                );
            }
        }
    }

    fn look_again(&self) {
        let (rules, seen) = {
            let state = self.state();
            (Arc::clone(&state.rules), Arc::clone(&state.seen))
        };
        if seen.iter().all(Seen::is_same) {
            return;
        }
        let (loaded, seen) = load(&self.path);
        let loaded = loaded.and_then(|new| match new.is_tls() == rules.is_tls() {
            true => Ok(new),
            false => Err(GuardError::Switched),
        });
        self.state().seen = Arc::new(seen);
        match loaded {
            Ok(new) => self.take_over(new, &rules),
            Err(error) => {
                self.metrics.web_reloaded(None);
                tracing::error!(%error, "The exporter cannot use the changed web configuration, and continues with the last good one.");
            }
        }
    }

    /// A bucket that was emptied is not filled by a certificate's rotation.
    fn take_over(&self, new: Rules, old: &Rules) {
        let new = Arc::new(new);
        let mut state = self.state();
        if new.config.rate_limit != old.config.rate_limit {
            state.bucket = bucket(new.config.rate_limit);
        }
        state.rules = Arc::clone(&new);
        drop(state);
        self.announce(&new);
        tracing::info!("The exporter has reloaded the web configuration.");
    }

    /// Lets a request in, or answers it: the rate first, then the password.
    pub(super) async fn admit(
        &self,
        rules: &Rules,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<(), Response<Answer>> {
        if self.is_too_often() {
            return Err(refuse(connection, Refusal::RateLimit));
        }
        let users = &rules.config.users;
        if users.is_empty() {
            return Ok(());
        }
        match self.passwords.judge(users, headers, connection).await {
            Judgement::Good => Ok(()),
            Judgement::Bad => Err(refuse(connection, Refusal::Unauthorized)),
            Judgement::Crowded => Err(refuse(connection, Refusal::PasswordQueue)),
        }
    }

    fn is_too_often(&self) -> bool {
        let now = self.clock.uptime();
        let mut state = self.state();
        let Some(bucket) = &mut state.bucket else { return false };
        // A refused request is no debt: only what is let in is paid for.
        let before = *bucket;
        let over = bucket.take(now) > Duration::ZERO;
        if over {
            *bucket = before;
        }
        over
    }
}

impl Rules {
    fn new(config: WebConfig) -> Result<Self, GuardError> {
        let tls = config.tls.as_ref().map(tls::server).transpose()?;
        let pairs = config.headers.iter().filter_map(|(name, value)| {
            // Both were checked when the file was read.
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        });
        Ok(Self { headers: pairs.collect(), tls, config })
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The server's side of TLS, if it is spoken.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }

    /// Whether a client with this certificate may come in.
    pub(super) fn admits(&self, certificate: Option<&CertificateDer<'_>>) -> bool {
        let names = self.config.tls.as_ref().map_or(&[][..], |tls| &tls.allowed_sans);
        names.is_empty() || tls::bears_one_of(names, certificate)
    }

    /// Adds the headers that the file asks for, over any of the same name.
    pub(super) fn decorate(&self, headers: &mut HeaderMap) {
        headers.extend(self.headers.clone());
    }
}

fn refuse(connection: &Connection, refusal: Refusal) -> Response<Answer> {
    connection.refuse(refusal);
    match refusal {
        Refusal::RateLimit => {
            text(StatusCode::TOO_MANY_REQUESTS, "Too many requests: the web configuration limits them by rate_limit.\n")
        }
        Refusal::PasswordQueue => {
            text(StatusCode::TOO_MANY_REQUESTS, "Too many passwords are waiting for their check. Try again.\n")
        }
        _ => {
            let mut unauthorized = text(StatusCode::UNAUTHORIZED, "Unauthorized\n");
            unauthorized.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
            unauthorized
        }
    }
}

fn bucket(limit: Option<RateLimit>) -> Option<Bucket> {
    limit.map(|limit| Bucket::new(limit.per_second, f64::from(limit.burst)))
}
