//! Who may ask, and how often: the web configuration, at work.
//!
//! The file and the certificates it names are looked at again every few seconds
//! and taken over when they have changed, so that a rotated certificate or a
//! revoked user needs no restart. A file that has become unusable is reported
//! and the last good one stays in force: refusing every scrape until somebody
//! mends a typo would blind the monitoring, and open nothing it closed.

use std::{
    collections::HashSet,
    fs,
    hash::{BuildHasher as _, RandomState},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use rustls::{ServerConfig, pki_types::CertificateDer};

use super::{
    route::{Frames, text},
    tls::{self, TlsError},
};
use crate::{
    clock::Clock,
    limit::Bucket,
    web_config::{RateLimit, Secret, Source, WebConfig, WebConfigError},
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Whom an unknown user is compared with, so that an answer takes as long as a
/// known user's: the hash of a password that nobody has kept.
const NOBODY: &str = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// So many verified passwords are remembered; more than any scraper has.
const REMEMBERED: usize = 100;

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
    state: Mutex<State>,
    /// The digests of what was verified, under a key that only this process has.
    verified: tokio::sync::Mutex<HashSet<u64>>,
    digest: RandomState,
}

#[derive(Debug)]
struct State {
    rules: Arc<Rules>,
    stamp: Vec<Option<(SystemTime, u64)>>,
    looked: Duration,
    bucket: Option<Bucket>,
}

/// What holds for one request or handshake.
#[derive(Debug)]
pub(super) struct Rules {
    config: WebConfig,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Guard {
    /// Reads the file and all that it names.
    ///
    /// # Errors
    /// When any of it cannot be used.
    pub fn new(path: PathBuf, clock: Clock) -> Result<Self, GuardError> {
        let rules = load(&path)?;
        let (stamp, bucket) = (stamp(&path, &rules.config), bucket(rules.config.rate_limit));
        let state = State { rules: Arc::new(rules), stamp, looked: clock.now().mono, bucket };
        Ok(Self {
            path,
            clock,
            state: Mutex::new(state),
            verified: tokio::sync::Mutex::default(),
            digest: RandomState::new(),
        })
    }

    /// Whether connections are TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.rules().tls.is_some()
    }

    /// The rules as the file has them now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now().mono;
        if now.saturating_sub(state.looked) >= LOOK {
            state.looked = now;
            self.look_again(&mut state);
        }
        Arc::clone(&state.rules)
    }

    fn look_again(&self, state: &mut State) {
        let stamp = stamp(&self.path, &state.rules.config);
        if stamp == state.stamp {
            return;
        }
        state.stamp = stamp;
        let switched = |rules: &Rules| rules.tls.is_some() != state.rules.tls.is_some();
        match load(&self.path).and_then(|rules| if switched(&rules) { Err(GuardError::Switched) } else { Ok(rules) }) {
            Ok(rules) => {
                tracing::info!("The web configuration has changed and was taken over.");
                state.stamp = self::stamp(&self.path, &rules.config);
                state.bucket = bucket(rules.config.rate_limit);
                state.rules = Arc::new(rules);
            }
            Err(error) => {
                tracing::error!(%error, "The web configuration has changed and cannot be used; the last good one stays in force.")
            }
        }
    }

    /// Lets a request in, or answers it: the rate first, then the password.
    pub(super) async fn admit(&self, rules: &Rules, headers: &HeaderMap) -> Result<(), Response<Frames>> {
        if self.is_too_often() {
            return Err(text(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests; see rate_limit in the web configuration.\n",
            ));
        }
        if rules.config.users.is_empty() || self.is_known(rules, headers).await {
            return Ok(());
        }
        let mut refusal = text(StatusCode::UNAUTHORIZED, "Unauthorized\n");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        Err(refusal)
    }

    fn is_too_often(&self) -> bool {
        let now = self.clock.now().mono;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = &mut state.bucket else { return false };
        // A refused request is no debt: only what is let in is paid for.
        let before = *bucket;
        let over = bucket.take(now) > Duration::ZERO;
        if over {
            *bucket = before;
        }
        over
    }

    /// One comparison at a time, off the threads that serve: a hash costs a tenth
    /// of a second by design, and guesses must not add up.
    async fn is_known(&self, rules: &Rules, headers: &HeaderMap) -> bool {
        let Some((user, password)) = headers.get(AUTHORIZATION).and_then(credentials) else { return false };
        let hash = rules.config.users.get(&user).map(|Secret(hash)| hash.clone());
        let digest = self.digest.hash_one((&user, &hash, &password));
        let mut verified = self.verified.lock().await;
        if verified.contains(&digest) {
            return true;
        }
        let known = hash.is_some();
        let against = hash.unwrap_or_else(|| NOBODY.to_owned());
        let matches = tokio::task::spawn_blocking(move || bcrypt::verify(password, &against).unwrap_or(false)).await;
        let admitted = known && matches.unwrap_or(false);
        if admitted {
            if verified.len() >= REMEMBERED {
                verified.clear();
            }
            verified.insert(digest);
        }
        admitted
    }
}

impl Rules {
    /// Whether a client with this certificate may come in.
    pub(super) fn admits(&self, certificate: Option<&CertificateDer<'_>>) -> bool {
        let names = self.config.tls.as_ref().map_or(&[][..], |tls| &tls.allowed_sans);
        names.is_empty() || tls::bears_one_of(names, certificate)
    }

    /// Adds the headers that the file asks for.
    pub(super) fn decorate(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.config.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
}

fn load(path: &Path) -> Result<Rules, GuardError> {
    let text =
        fs::read_to_string(path).map_err(|source| WebConfigError::Read { path: path.display().to_string(), source })?;
    let config = WebConfig::parse(&text, path.parent().unwrap_or(Path::new(".")))?;
    let tls = config.tls.as_ref().map(tls::server).transpose()?.map(Arc::new);
    Ok(Rules { config, tls })
}

/// What would be different if a file had changed.
fn stamp(path: &Path, config: &WebConfig) -> Vec<Option<(SystemTime, u64)>> {
    let sources = config.tls.iter().flat_map(|tls| [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref()]);
    let files = sources
        .flatten()
        .filter_map(|source| if let Source::File(path) = source { Some(path.as_path()) } else { None });
    let stamp = |path: &Path| fs::metadata(path).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
    std::iter::once(path).chain(files).map(stamp).collect()
}

fn bucket(limit: Option<RateLimit>) -> Option<Bucket> {
    limit.map(|limit| Bucket::new(limit.per_second, f64::from(limit.burst)))
}

/// The name and password of a `Basic` header.
fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    let bytes =
        scheme.eq_ignore_ascii_case("basic").then(|| aws_smithy_types::base64::decode(encoded.trim()).ok())??;
    let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
