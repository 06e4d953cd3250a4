//! How long a client may take over each step: over a handshake, the headers of a
//! request, the pause before the next, and over taking its answer. Without that a
//! handful of silent clients would hold every place there is.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::{
    Limits,
    connections::{Connection, Phase},
    refusal::Refusal,
};

/// A stream whose client has to keep pace.
#[derive(Debug)]
pub(super) struct Pace<S> {
    stream: S,
    /// What was read before, and is to be read again.
    rest: Bytes,
    connection: Arc<Connection>,
    limits: Limits,
    timer: Pin<Box<Sleep>>,
    is_blocked: bool,
    is_over: bool,
}

impl<S> Pace<S> {
    pub(super) fn new(stream: S, rest: Bytes, connection: Arc<Connection>, limits: Limits) -> Self {
        Self {
            stream,
            rest,
            connection,
            limits,
            timer: Box::pin(sleep(limits.headers)),
            is_blocked: false,
            is_over: false,
        }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Completes when the client has taken too long over what it has to send.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Refusal>> {
        let (phase, lasted) = self.connection.phase();
        let (limit, refusal) = match phase {
            Phase::Shaking => (self.limits.headers, Some(Refusal::Handshake)),
            Phase::Asking => (self.limits.headers, Some(Refusal::Headers)),
            Phase::Idle => (self.limits.idle, None),
            _ => return Poll::Pending,
        };
        self.poll_timer(limit.saturating_sub(lasted), cx).map(|()| refusal)
    }

    /// Completes when the client has taken too long over its answer: it takes nothing any
    /// more, or so little that it will never end.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (_, lasted) = self.connection.phase();
        let stall = self.limits.stall.saturating_sub(self.connection.paused());
        self.poll_timer(stall.min(self.limits.answer.saturating_sub(lasted)), cx)
    }

    fn poll_timer(&mut self, left: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if left.is_zero() {
            return Poll::Ready(());
        }
        self.timer.as_mut().reset(Instant::now() + left);
        self.timer.as_mut().poll(cx)
    }

    /// Passes a write's answer on, unless it has been "not yet" for too long.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.is_blocked = false;
            self.connection.progressed();
            return written;
        }
        if !self.is_blocked {
            self.is_blocked = true;
            self.connection.progressed();
        }
        ready!(self.poll_stall(cx));
        Poll::Ready(Err(self.end(Some(Refusal::Stalled))))
    }

    /// The end, however often it is asked for.
    fn end(&mut self, refusal: Option<Refusal>) -> io::Error {
        if !self.is_over {
            refusal.into_iter().for_each(|refusal| self.connection.refuse(refusal));
            self.is_over = true;
        }
        io::ErrorKind::TimedOut.into()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Pace<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.rest.is_empty() {
            let many = self.rest.len().min(buf.remaining());
            buf.put_slice(&self.rest.split_to(many));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            if buf.filled().len() > before {
                self.connection.heard();
            }
            return read;
        }
        let refusal = ready!(self.poll_silence(cx));
        Poll::Ready(Err(self.end(refusal)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pace<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // From here on the next request is awaited, and hyper need not look again until it comes.
        if flushed.is_ready() && self.connection.flushed() {
            let _ = self.poll_silence(cx);
        }
        self.watch(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(closed, cx)
    }
}
