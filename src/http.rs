//! The exporter's web server: four pages over hyper, and the limits that keep
//! it answering.
//!
//! A scrape is never delayed by anything but its own socket: what it is
//! answered with was published before it came. The limits are there because a
//! scrape port is often open to a whole network: on connections, on the time a
//! client may take over its headers or over reading the answer, and on scrapes
//! at once. None of them is a queue in which a scraper would wait behind others.

mod answer;
pub mod config;
mod connections;
pub mod guard;
mod landing;
pub mod listen;
pub mod negotiate;
mod pace;
pub mod paths;
pub mod refusal;
mod route;
mod serve;
mod tls;

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::watch;

use crate::{clock::Clock, exposition::Exposition, metrics::exporter_metrics::ExporterMetrics};
use guard::Guard;
pub use landing::{Landing, Pages};
use paths::Paths;
pub use serve::serve;

/// An exposition older than this is not served.
pub const MAX_EXPOSITION_AGE: Duration = Duration::from_secs(60);

/// How long what is under way at shutdown may take.
pub const DRAIN: Duration = Duration::from_secs(5);

/// Reads the configuration again, or says why it cannot be used.
pub type Reload = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

impl Landing {
    /// A page that loads nothing, and runs this script of its own.
    #[must_use]
    pub fn new(html: String, script: &str) -> Self {
        let hash = aws_smithy_types::base64::encode(digest(&SHA256, script.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        );
        Self { html: html.into(), policy }
    }
}

/// All that the server serves, and from where it has it.
#[derive(Clone)]
pub struct Site {
    /// What was published last.
    pub exposition: watch::Receiver<Option<Arc<Exposition>>>,
    /// The paths of the pages.
    pub paths: Paths,
    /// The page at `/`.
    pub landing: Pages,
    /// The time.
    pub clock: Clock,
    /// How old an exposition may be; see [`MAX_EXPOSITION_AGE`].
    pub max_age: Duration,
    /// Counts answers and refusals.
    pub metrics: ExporterMetrics,
    /// Reads the configuration again, or says why it could not; `None` where that
    /// may not be asked for over HTTP.
    pub reload: Option<Reload>,
    /// Held while the configuration is read again.
    pub reloading: Arc<tokio::sync::Mutex<()>>,
    /// Who may ask; `None` for everybody, in plain text.
    pub guard: Option<Arc<Guard>>,
}

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, those that have asked nothing included. For a further one
    /// another is closed.
    pub connections: usize,
    /// Connections at once on which a request is there, or a handshake was begun. They cost some
    /// 20 KiB each.
    pub conversations: usize,
    /// Answers at once that may be long; 0 for any number.
    pub scrapes: usize,
    /// How long a client may take over the headers of a request, from its first byte on,
    /// and over a TLS handshake.
    pub headers: Duration,
    /// How long a client may wait before it asks, the first time or again. Longer than
    /// any usual interval of scrapes: a server that closes a connection at the moment at
    /// which a scraper uses it again loses a scrape behind some proxies.
    pub idle: Duration,
    /// How long an answer may go without the client taking any of it.
    pub stall: Duration,
    /// How long an answer may take.
    pub answer: Duration,
}

impl Limits {
    /// As many connections as there are descriptors for, and some left for the rest.
    #[must_use]
    pub fn within(self, descriptors: u64) -> Self {
        let most = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let connections = self.connections.min(most.saturating_sub(256).max(most / 2));
        Self { connections, conversations: self.conversations.min(connections), ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            conversations: 1_024,
            scrapes: 40,
            headers: Duration::from_secs(5),
            idle: Duration::from_secs(120),
            stall: Duration::from_secs(30),
            answer: Duration::from_secs(120),
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("paths", &self.paths).finish_non_exhaustive()
    }
}
