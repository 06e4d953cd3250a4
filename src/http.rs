//! The exporter's web server: four pages over hyper, and the limits that keep
//! it answering.
//!
//! A request is never delayed by anything but its own socket: what it is
//! answered with was published before it came. The limits are there because a
//! scrape port is often open to a whole network: on connections, on the time a
//! client may take over its headers or over reading the answer, and on scrapes
//! at once.

pub mod guard;
pub mod listen;
pub mod negotiate;
mod route;
mod stall;
mod tls;

use std::{fmt, future::Future, io, net::TcpListener, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use prometheus::IntCounterVec;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{clock::Clock, exposition::Exposition};
use guard::{Guard, Rules};
use stall::Stall;

/// An exposition older than this is not served.
pub const MAX_EXPOSITION_AGE: Duration = Duration::from_secs(60);

/// How long what is under way at shutdown may take.
pub const DRAIN: Duration = Duration::from_secs(5);

/// A page of HTML, and the content security policy that fits it.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The page.
    pub html: String,
    /// What it may load: the value of the `Content-Security-Policy` header.
    pub policy: String,
}

/// All that the server serves, and from where it has it.
#[derive(Clone)]
pub struct Site {
    /// What was published last.
    pub exposition: watch::Receiver<Option<Arc<Exposition>>>,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// Makes the page at `/`.
    pub landing: Arc<dyn Fn() -> Landing + Send + Sync>,
    /// The time.
    pub clock: Clock,
    /// How old an exposition may be; see [`MAX_EXPOSITION_AGE`].
    pub max_age: Duration,
    /// A slot for each scrape that may be under way; `None` for any number.
    pub slots: Option<Arc<Semaphore>>,
    /// Counts answers by status code.
    pub requests: IntCounterVec,
    /// Who may ask; `None` for everybody, in plain text.
    pub guard: Option<Arc<Guard>>,
}

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once. Further ones wait to be accepted.
    pub connections: usize,
    /// How long a client may take over the headers of a request, idle time
    /// before them included.
    pub headers: Duration,
    /// How long an answer may go without the client reading any of it.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 512, headers: Duration::from_secs(30), stall: Duration::from_secs(30) }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("telemetry_path", &self.telemetry_path).finish_non_exhaustive()
    }
}

/// Serves `site` on `listeners` until `shutdown`, then lets what is under way
/// finish for [`DRAIN`].
///
/// # Errors
/// When a listener cannot be used.
pub async fn serve(
    listeners: Vec<TcpListener>,
    site: Site,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let graceful = Arc::new(GracefulShutdown::new());
    let open = Arc::new(Semaphore::new(limits.connections));
    let server = Server { site: Arc::new(site), limits, open };
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accepting.spawn(server.clone().accept(listener, Arc::clone(&graceful)));
    }
    let mut shutdown = pin!(shutdown);
    shutdown.as_mut().await;
    accepting.shutdown().await;
    // Connections hold a watcher of it each; only the loops above held the whole.
    let graceful = Arc::into_inner(graceful).expect("no loop accepts any more");
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("Some connections did not finish in time and were cut.");
    }
    Ok(())
}

#[derive(Clone)]
struct Server {
    site: Arc<Site>,
    limits: Limits,
    open: Arc<Semaphore>,
}

impl Server {
    async fn accept(self, listener: tokio::net::TcpListener, graceful: Arc<GracefulShutdown>) {
        let mut back_off = Duration::from_millis(5);
        loop {
            let slot = Arc::clone(&self.open).acquire_owned().await.expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    back_off = Duration::from_millis(5);
                    self.connect(stream, slot, graceful.watcher());
                }
                // Out of descriptors, most likely: they come back as connections end.
                Err(error) => {
                    tracing::warn!(%error, "A connection could not be accepted.");
                    sleep(back_off).await;
                    back_off = (back_off * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    fn connect(&self, stream: TcpStream, slot: OwnedSemaphorePermit, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        let (stream, server) = (Stall::new(stream, self.limits.stall), self.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let Some(tls) = server.site.guard.as_ref().map(|guard| guard.rules()).filter(|rules| rules.tls.is_some())
            else {
                return server.converse(stream, watcher).await;
            };
            match timeout(HANDSHAKE, shake_hands(&tls, stream)).await {
                Ok(Ok(stream)) => server.converse(stream, watcher).await,
                Ok(Err(error)) => tracing::debug!(%error, "A TLS handshake failed."),
                Err(_) => tracing::debug!("A TLS handshake took too long."),
            }
        });
    }

    async fn converse<S>(&self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let site = Arc::clone(&self.site);
        let service = service_fn(move |request| {
            let site = Arc::clone(&site);
            async move { Ok::<_, std::convert::Infallible>(site.attend(&request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.headers)
            .max_buf_size(16 << 10)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "A connection ended early.");
        }
    }
}

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

async fn shake_hands(rules: &Rules, stream: Stall<TcpStream>) -> io::Result<TlsStream<Stall<TcpStream>>> {
    let config = rules.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    if rules.admits(certificate) { Ok(stream) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}
