//! Listens, lets connections in, and lets them out at the end.

use std::{future::Future, io, net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::net::RecvFlags;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    DRAIN, Limits, Site,
    connections::{Connections, Phase, Ticket},
    guard::Rules,
    pace::Pace,
    refusal::Refusal,
};

/// How long to wait after a connection could not be accepted, the first time.
const FIRST_BACK_OFF: Duration = Duration::from_millis(5);

/// After so long without a question a connection gives back what it took. A client that
/// asks one thing after the other is back sooner.
const PAUSE: Duration = Duration::from_millis(1);

/// hyper refuses what is longer. A request of a head as long as that is its own to refuse.
const MAX_HEAD: usize = 16 << 10;

/// More headers than these hyper refuses.
const MAX_HEADERS: usize = 100;

/// How long a connection is read from when the end has been asked for. hyper closes
/// one at once that it has read nothing from, though a request may have arrived.
const LAST_WORDS: Duration = Duration::from_millis(50);

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
    let connections = Connections::new(limits, site.metrics.http_refusals().clone());
    let server = Server { site: Arc::new(site), limits, connections, stopping };
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
    connections: Arc<Connections>,
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
                stream = self.next(&listener, &mut back_off) => self.let_in(stream, &mut open),
            }
        }
        // Closing the port on those who have connected already would reset what they have asked.
        let waiting = listener.into_std().into_iter().flat_map(|listener| {
            let next = move || listener.accept().ok().map(|(stream, _)| stream);
            std::iter::from_fn(next)
        });
        for stream in waiting {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            stream.into_iter().for_each(|stream| self.let_in(stream, &mut open));
        }
        let ended = timeout(DRAIN, async { while open.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(connections = open.len(), "The exporter closed connections that did not finish in time.");
        }
    }

    async fn stopped(&self) {
        // An error means that the server is gone altogether.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }

    /// The next connection.
    async fn next(&self, listener: &tokio::net::TcpListener, back_off: &mut Duration) -> TcpStream {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    *back_off = FIRST_BACK_OFF;
                    return stream;
                }
                // Out of descriptors, most likely.
                Err(error) => {
                    tracing::warn!(%error, "The exporter cannot accept a connection.");
                    self.connections.relieve();
                    sleep(*back_off).await;
                    *back_off = (*back_off * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    fn let_in(&self, stream: TcpStream, open: &mut JoinSet<()>) {
        // Without an address it is gone already.
        let Ok(peer) = stream.peer_addr() else { return };
        let Some(ticket) = self.connections.admit(peer.ip()) else { return };
        let id = ticket.id();
        self.connections.attach(id, open.spawn(self.clone().connect(stream, ticket)));
    }

    /// One connection. What costs is made when a request is there, and given back in
    /// pauses, of which a scraper makes one after each scrape.
    async fn connect(self, stream: TcpStream, ticket: Ticket) {
        let _ = stream.set_nodelay(true);
        let mut parked = Some((stream, Bytes::new()));
        while let Some((stream, rest)) = parked {
            if rest.is_empty() && !self.hears(&stream).await {
                return;
            }
            let rules = self.site.guard.as_ref().map(|guard| guard.rules());
            let rules = rules.filter(|rules| rules.is_tls());
            // What is encrypted can only be read by whoever takes it.
            if rules.is_none() && rest.is_empty() && !self.hears_out(&stream, &ticket).await {
                return;
            }
            parked = Box::pin(self.talk(stream, rest, rules, &ticket)).await;
            ticket.close();
        }
    }

    /// Waits until something comes. It is only looked at: that a stream is readable may be
    /// said of one that is not.
    async fn hears(&self, stream: &TcpStream) -> bool {
        let something = async || stream.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0);
        tokio::select! {
            biased;
            heard = something() => heard,
            () = self.stopped() => timeout(LAST_WORDS, something()).await == Ok(true),
            () = sleep(self.limits.idle) => false,
        }
    }

    /// Waits until the head of a request is there whole, or what is there is none, or the
    /// client says no more. It is only looked at: as long as the system keeps it, a client
    /// that takes its time costs no buffers. `false` if it takes too long.
    async fn hears_out(&self, stream: &TcpStream, ticket: &Ticket) -> bool {
        ticket.enter(Phase::Asking);
        let told = async {
            loop {
                let Ok(ready) = stream.ready(Interest::READABLE).await else { return false };
                match stream.try_io(Interest::READABLE, || look(stream)) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return false,
                    Err(_) if !ready.is_read_closed() => {}
                    _ => return true,
                }
            }
        };
        tokio::select! {
            biased;
            told = told => told,
            // What was begun may be finished while others are.
            () = self.stopped() => true,
            () = sleep(self.limits.headers) => {
                ticket.refuse(Refusal::Headers);
                false
            }
        }
    }

    /// Converses until the end, or until a pause: then it answers with the stream, and with
    /// what was read and not yet understood. A TLS stream has no pause.
    async fn talk(
        &self,
        stream: TcpStream,
        rest: Bytes,
        rules: Option<Arc<Rules>>,
        ticket: &Ticket,
    ) -> Option<(TcpStream, Bytes)> {
        if !ticket.open(if rules.is_some() { Phase::Shaking } else { Phase::Asking }) {
            return None;
        }
        let stream = Pace::new(stream, rest, ticket.connection(), self.limits);
        let Some(rules) = rules else {
            let (paused, rest) = self.converse(stream, ticket, PAUSE).await?;
            return Some((paused.into_inner(), rest));
        };
        let shaken = tokio::select! {
            biased;
            // Nothing has been asked yet, so nothing is lost.
            () = self.stopped() => return None,
            shaken = shake_hands(&rules, stream) => shaken,
        };
        match shaken {
            Ok(stream) => {
                ticket.enter(Phase::Asking);
                self.converse(stream, ticket, Duration::MAX).await;
            }
            Err(error) => {
                tracing::debug!(%error, "A TLS handshake failed.");
                // One that took too long was counted when the time was up.
                if error.kind() != io::ErrorKind::TimedOut {
                    ticket.refuse(Refusal::Handshake);
                }
            }
        }
        None
    }

    async fn converse<S>(&self, stream: S, ticket: &Ticket, pause: Duration) -> Option<(S, Bytes)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (site, connection) = (Arc::clone(&self.site), ticket.connection());
        let service = service_fn(move |request| {
            let (site, connection) = (Arc::clone(&site), Arc::clone(&connection));
            async move { Ok::<_, std::convert::Infallible>(site.attend(&request, &connection).await) }
        });
        let mut connection =
            http1::Builder::new().max_buf_size(MAX_HEAD).serve_connection(TokioIo::new(stream), service);
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = ticket.pauses(pause) => {
                let parts = connection.into_parts();
                // An empty one may still be a part of the buffer that it was cut from.
                let rest = if parts.read_buf.is_empty() { Bytes::new() } else { parts.read_buf };
                return Some((parts.io.into_inner(), rest));
            }
            () = self.stopped() => match timeout(LAST_WORDS, &mut connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    Pin::new(&mut connection).graceful_shutdown();
                    connection.await
                }
            },
        };
        if let Err(error) = ended {
            self.note(&error, ticket);
        }
        None
    }

    /// What hyper refuses by itself is counted like any other answer.
    fn note(&self, error: &hyper::Error, ticket: &Ticket) {
        tracing::debug!(%error, "A connection ended early.");
        // Whoever begins with HTTP/2 is not even told.
        let (code, refusal) = match () {
            () if error.is_parse_too_large() => (Some("431"), Refusal::HeaderSize),
            () if error.is_parse_version_h2() => (None, Refusal::Malformed),
            () if error.is_parse() => (Some("400"), Refusal::Malformed),
            () => return,
        };
        ticket.refuse(refusal);
        if let Some(code) = code {
            self.site.metrics.http_requests().with_label_values(&[code]).inc();
        }
    }
}

/// Looks whether more is to come before hyper can make something of what is there:
/// [`io::ErrorKind::WouldBlock`] then, after which the system tells of the next byte.
fn look(stream: &TcpStream) -> io::Result<()> {
    let mut head = [0; MAX_HEAD];
    let (read, _) = rustix::net::recv(stream, &mut head, RecvFlags::PEEK)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let is_partial =
        matches!(httparse::Request::new(&mut headers).parse(&head[..read]), Ok(parsed) if parsed.is_partial());
    if is_partial && read < MAX_HEAD { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
}

async fn shake_hands(rules: &Rules, stream: Pace<TcpStream>) -> io::Result<TlsStream<Pace<TcpStream>>> {
    let config = rules.tls().ok_or(io::ErrorKind::Unsupported)?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    if rules.admits(certificate) { Ok(stream) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}
