//! Who may ask, and how often: the web configuration, at work.
//!
//! The file and the certificates it names are looked at again every few seconds
//! and taken over when they have changed, so that a rotated certificate or a
//! revoked user needs no restart. A file that has become unusable is reported
//! and the last good one stays in force: refusing every scrape until somebody
//! mends a typo would blind the monitoring, and open nothing it closed.

mod passwords;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::WWW_AUTHENTICATE};
use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{task::spawn_blocking, time::sleep};

use passwords::Passwords;

use super::{
    route::{Frames, text},
    tls::{self, TlsError},
};
use crate::{
    clock::Clock,
    http::config::{RateLimit, Source, WebConfig, WebConfigError},
    limit::Bucket,
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

/// Lets requests in, or not.
#[derive(Debug)]
pub struct Guard {
    path: PathBuf,
    clock: Clock,
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

/// A file, and what would be different if it had changed.
#[derive(Debug)]
struct Seen {
    path: PathBuf,
    stamp: Option<(SystemTime, u64)>,
}

/// What holds for one request or handshake.
#[derive(Debug)]
pub(super) struct Rules {
    config: WebConfig,
    headers: HeaderMap,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Guard {
    /// Reads the file and all that it names.
    ///
    /// # Errors
    /// When any of it cannot be used.
    pub fn new(path: PathBuf, clock: Clock) -> Result<Self, GuardError> {
        let (rules, seen) = load(&path);
        let rules = Arc::new(rules?);
        let bucket = bucket(rules.config.rate_limit);
        Ok(Self {
            path,
            clock,
            state: Mutex::new(State { rules, seen: Arc::new(seen), bucket }),
            passwords: Passwords::default(),
        })
    }

    /// Whether connections are TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.rules().tls.is_some()
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
                tracing::error!("Reading the web configuration panicked; the last good one stays in force.");
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
        let loaded = loaded.and_then(|new| match new.tls.is_some() == rules.tls.is_some() {
            true => Ok(new),
            false => Err(GuardError::Switched),
        });
        self.state().seen = Arc::new(seen);
        match loaded {
            Ok(new) => self.take_over(new, &rules),
            Err(error) => {
                tracing::error!(%error, "The web configuration has changed and cannot be used; the last good one stays in force.");
            }
        }
    }

    /// A bucket that was emptied is not filled by a certificate's rotation.
    fn take_over(&self, new: Rules, old: &Rules) {
        let mut state = self.state();
        if new.config.rate_limit != old.config.rate_limit {
            state.bucket = bucket(new.config.rate_limit);
        }
        state.rules = Arc::new(new);
        tracing::info!("The web configuration has changed and was taken over.");
    }

    /// Lets a request in, or answers it: the rate first, then the password.
    pub(super) async fn admit(&self, rules: &Rules, headers: &HeaderMap) -> Result<(), Response<Frames>> {
        if self.is_too_often() {
            return Err(text(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests; see rate_limit in the web configuration.\n",
            ));
        }
        if rules.config.users.is_empty() || self.passwords.admit(&rules.config.users, headers).await {
            return Ok(());
        }
        let mut refusal = text(StatusCode::UNAUTHORIZED, "Unauthorized\n");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        Err(refusal)
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
        let tls = config.tls.as_ref().map(tls::server).transpose()?.map(Arc::new);
        let pairs = config.headers.iter().filter_map(|(name, value)| {
            // Both were checked when the file was read.
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        });
        Ok(Self { headers: pairs.collect(), tls, config })
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

impl Seen {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), stamp: Self::stamp(path) }
    }

    fn is_same(&self) -> bool {
        Self::stamp(&self.path) == self.stamp
    }

    fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
        let file = fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    }
}

/// The rules, and the files to watch for other ones. Each file is looked at
/// before it is read, so that a change in between is seen next time; and the
/// files of a configuration that cannot be used are watched too, since it is
/// often one of them that is still to come.
fn load(path: &Path) -> (Result<Rules, GuardError>, Vec<Seen>) {
    let mut seen = vec![Seen::new(path)];
    let config = match read(path) {
        Ok(config) => config,
        Err(error) => return (Err(error.into()), seen),
    };
    seen.extend(files(&config).map(Seen::new));
    (Rules::new(config), seen)
}

fn read(path: &Path) -> Result<WebConfig, WebConfigError> {
    let text =
        fs::read_to_string(path).map_err(|source| WebConfigError::Read { path: path.display().to_string(), source })?;
    WebConfig::parse(&text, path.parent().unwrap_or(Path::new(".")))
}

fn files(config: &WebConfig) -> impl Iterator<Item = &Path> {
    let sources = config.tls.iter().flat_map(|tls| [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref()]);
    sources.flatten().filter_map(|source| if let Source::File(path) = source { Some(path.as_path()) } else { None })
}

fn bucket(limit: Option<RateLimit>) -> Option<Bucket> {
    limit.map(|limit| Bucket::new(limit.per_second, f64::from(limit.burst)))
}
