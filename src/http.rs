//! The exporter's web server: four pages over hyper, and the limits that keep
//! it answering.
//!
//! A request is never delayed by anything but its own socket: what it is
//! answered with was published before it came. The limits are there because a
//! scrape port is often open to a whole network: on connections, on the time a
//! client may take over its headers or over reading the answer, and on scrapes
//! at once.

pub mod config;
pub mod guard;
pub mod listen;
pub mod negotiate;
mod route;
mod stall;
mod tls;

use std::{fmt, future::Future, io, net::TcpListener, pin::pin, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
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
        Self { html, policy }
    }
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
    /// Reads the configuration again, or says why it could not; `None` where that
    /// may not be asked for over HTTP.
    pub reload: Option<Reload>,
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
    let (stop, stopping) = watch::channel(false);
    let open = Arc::new(Semaphore::new(limits.connections));
    let server = Server { site: Arc::new(site), limits, open, stopping };
    let mut helpers = JoinSet::new();
    if let Some(guard) = &server.site.guard {
        helpers.spawn(Arc::clone(guard).follow());
    }
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accepting.spawn(server.clone().accept(listener));
    }
    tokio::select! {
        () = shutdown => {}
        // It ends by a panic alone, and a port that nobody answers is no exporter.
        Some(_) = accepting.join_next() => return Err(io::Error::other("a listener has ended before its time")),
    }
    stop.send_replace(true);
    while accepting.join_next().await.is_some() {}
    Ok(())
}

#[derive(Clone)]
struct Server {
    site: Arc<Site>,
    limits: Limits,
    open: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Server {
    /// Lets connections in until the server stops, and then only out.
    async fn accept(self, listener: tokio::net::TcpListener) {
        let mut back_off = FIRST_BACK_OFF;
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = self.stopped() => break,
                Some(_) = open.join_next() => {}
                (stream, slot) = self.next(&listener, &mut back_off) => {
                    open.spawn(self.clone().connect(stream, slot));
                }
            }
        }
        for (stream, slot) in self.waiting(listener) {
            open.spawn(self.clone().connect(stream, slot));
        }
        let ended = timeout(DRAIN, async { while open.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(connections = open.len(), "Some connections did not finish in time and were cut.");
        }
    }

    /// Those who have connected and were not let in yet, as far as there are slots.
    /// Closing the port on them would reset what they have asked.
    fn waiting(&self, listener: tokio::net::TcpListener) -> Vec<(TcpStream, OwnedSemaphorePermit)> {
        let mut waiting = Vec::new();
        let Ok(listener) = listener.into_std() else { return waiting };
        while let Ok(slot) = Arc::clone(&self.open).try_acquire_owned() {
            let Ok((stream, _)) = listener.accept() else { break };
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            waiting.extend(stream.ok().map(|stream| (stream, slot)));
        }
        waiting
    }

    async fn stopped(&self) {
        // An error means that the server is gone altogether.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }

    /// The next connection, once there is a slot for it.
    async fn next(
        &self,
        listener: &tokio::net::TcpListener,
        back_off: &mut Duration,
    ) -> (TcpStream, OwnedSemaphorePermit) {
        let slot = Arc::clone(&self.open).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    *back_off = FIRST_BACK_OFF;
                    return (stream, slot);
                }
                // Out of descriptors, most likely: they come back as connections end.
                Err(error) => {
                    tracing::warn!(%error, "A connection could not be accepted.");
                    sleep(*back_off).await;
                    *back_off = (*back_off * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    async fn connect(self, stream: TcpStream, _slot: OwnedSemaphorePermit) {
        let _ = stream.set_nodelay(true);
        let stream = Stall::new(stream, self.limits.stall);
        let rules = self.site.guard.as_ref().map(|guard| guard.rules());
        let Some(rules) = rules.filter(|rules| rules.tls.is_some()) else { return self.converse(stream).await };
        let shaken = tokio::select! {
            biased;
            // Nothing has been asked yet, so nothing is lost.
            () = self.stopped() => return,
            shaken = timeout(HANDSHAKE, shake_hands(&rules, stream)) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.converse(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "A TLS handshake failed."),
            Err(_) => tracing::debug!("A TLS handshake took too long."),
        }
    }

    async fn converse<S>(&self, stream: S)
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
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = self.stopped() => match timeout(LAST_WORDS, connection.as_mut()).await {
                Ok(ended) => ended,
                Err(_) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            },
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "A connection ended early.");
        }
    }
}

/// How long to wait after a connection could not be accepted, the first time.
const FIRST_BACK_OFF: Duration = Duration::from_millis(5);

/// How long a connection is read from when the end has been asked for. hyper closes
/// one at once that it has read nothing from, though a request may have arrived.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

async fn shake_hands(rules: &Rules, stream: Stall<TcpStream>) -> io::Result<TlsStream<Stall<TcpStream>>> {
    let config = rules.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    if rules.admits(certificate) { Ok(stream) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}
