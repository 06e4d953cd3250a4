//! What is answered with: bytes that exist already, and are handed to the system as they
//! are.

use std::{
    convert::Infallible,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};

use super::connections::Connection;
use crate::exposition::Body;

/// A response body, all of it in one frame. A frame for each piece would be written by a
/// call of its own, of which a scrape of 50 MB has a thousand.
#[derive(Debug, Default)]
pub struct Answer {
    /// None once it was taken, or if it is not to be sent.
    pieces: Option<Pieces>,
    length: u64,
}

/// The pieces of a body, of which those that were written are gone. The connection is told
/// when the last one is.
#[derive(Debug, Default)]
pub struct Pieces {
    all: Arc<[Bytes]>,
    /// The first that is not written, and how much of that one is.
    next: usize,
    written: usize,
    left: usize,
    _teller: Option<Teller>,
}

/// Tells the connection, when it is dropped, that nothing is left to be written.
#[derive(Debug)]
struct Teller(Arc<Connection>);

// === impl Answer ===

impl Answer {
    pub(super) fn new(body: &Body) -> Self {
        let pieces =
            Pieces { left: body.frames.iter().map(Bytes::len).sum(), all: body.frames.clone(), ..Pieces::default() };
        Self { pieces: Some(pieces), length: body.length }
    }

    /// Leaves the body out. Its length is still that of the body.
    pub(super) fn without_body(&mut self) {
        *self = Self { pieces: None, length: self.length }
    }

    /// Says whom to tell that all of it is written.
    pub(super) fn tell(&mut self, connection: Arc<Connection>) {
        self.pieces.get_or_insert_default()._teller = Some(Teller(connection));
    }
}

impl http_body::Body for Answer {
    type Data = Pieces;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Pieces>, Infallible>>> {
        self.length = 0;
        Poll::Ready(self.pieces.take().filter(Buf::has_remaining).map(Frame::data).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    /// Exact, so that every answer has a length. A HEAD's is that of the GET.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

// === impl Pieces ===

impl Pieces {
    /// What is left of each piece, in order.
    fn rest(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.all.get(self.next..).unwrap_or_default().iter();
        pieces.enumerate().map(|(at, piece)| if at == 0 { &piece[self.written..] } else { &piece[..] })
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.rest().next().unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(self.rest());
        filled.map(|(slice, rest)| *slice = IoSlice::new(rest)).count()
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.left, "{count} bytes were written of {}", self.left);
        self.left -= count;
        self.written += count;
        while let Some(piece) = self.all.get(self.next).filter(|piece| piece.len() <= self.written) {
            self.written -= piece.len();
            self.next += 1;
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.handed_over();
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However much the system takes at once, it is given each byte once, in order.
        #[test]
        fn pieces_are_written_in_order_and_whole(
            texts in prop::collection::vec("[a-z]{1,9}", 0..12),
            steps in prop::collection::vec((1usize..7, 1usize..30), 1..60),
        ) {
            let all: Arc<[Bytes]> = texts.iter().cloned().map(Bytes::from).collect();
            let whole = texts.concat().into_bytes();
            let mut pieces = Pieces { left: whole.len(), all, ..Pieces::default() };
            let mut written = Vec::new();
            for (room, takes) in steps.iter().cycle() {
                prop_assert_eq!(pieces.remaining(), whole.len() - written.len());
                if !pieces.has_remaining() {
                    break;
                }
                prop_assert!(!pieces.chunk().is_empty());
                let mut slices = vec![IoSlice::new(&[]); *room];
                let filled = pieces.chunks_vectored(&mut slices);
                let offered: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
                prop_assert!(offered.starts_with(pieces.chunk()));
                let taken = offered.len().min(*takes);
                written.extend_from_slice(&offered[..taken]);
                pieces.advance(taken);
            }
            prop_assert_eq!(written, whole);
            prop_assert_eq!(pieces.chunk(), b"");
        }
    }
}
