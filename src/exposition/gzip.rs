//! One gzip member out of pieces compressed at different times.
//!
//! Two members one after the other would be simpler, and Prometheus reads them;
//! `curl --compressed` does not. A deflate stream, though, may be cut wherever a
//! full flush has aligned it to a byte and reset its window, so a piece is
//! compressed once, flushed, and any other may follow. The checksum of the whole
//! is computed from those of the pieces.

use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Magic, deflate, no flags, no time, no hint, unknown system.
const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Up to this size level 4 costs well under a millisecond; above it, level 1 takes a third
/// of the time for half as much again of bytes, and time is what an encoding of ten thousand
/// accounts is short of.
const SMALL: usize = 256 << 10;

/// Pieces of a raw deflate stream, and the checksum of what they hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Deflated {
    pieces: Vec<Bytes>,
    crc: Arc<Crc>,
}

/// Makes many pieces. What a stream is made of is a quarter of a megabyte, larger than most
/// pieces, so it is made once for each level, when it is wanted; each full flush leaves
/// nothing behind in it that the next piece refers to.
#[derive(Debug, Default)]
pub(super) struct Deflater {
    level_1: Option<Compress>,
    level_4: Option<Compress>,
}

// === impl Deflated ===

impl Deflated {
    /// Pieces one after the other.
    pub(super) fn joined<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut pieces, mut crc) = (Vec::new(), Crc::new());
        for part in all {
            pieces.extend_from_slice(&part.pieces);
            crc.combine(&part.crc);
        }
        Self { pieces, crc: Arc::new(crc) }
    }

    /// What comes next out of the stream.
    fn next(stream: &mut Compress, plain: &[u8], flush: FlushCompress) -> Self {
        let mut bytes = Vec::with_capacity(plain.len() / 8 + 64);
        let before = stream.total_in();
        loop {
            let read = usize::try_from(stream.total_in() - before).expect("no more is read than was given");
            let status = stream.compress_vec(&plain[read..], &mut bytes, flush);
            // All is out once the flush left room; a full buffer may hide more.
            let drained = bytes.len() < bytes.capacity();
            match status.expect("an in-memory deflate stream cannot fail") {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError if flush == FlushCompress::Full && drained => break,
                Status::Ok | Status::BufError => bytes.reserve(bytes.capacity()),
            }
        }
        let mut crc = Crc::new();
        crc.update(plain);
        bytes.shrink_to_fit();
        Self { pieces: vec![bytes.into()], crc: Arc::new(crc) }
    }
}

// === impl Deflater ===

impl Deflater {
    /// A piece that another follows, made in as little time as possible.
    pub(super) fn fast(&mut self, plain: &[u8]) -> Deflated {
        if plain.is_empty() { Deflated::default() } else { Deflated::next(self.level_1(), plain, FlushCompress::Full) }
    }

    /// A piece that another follows.
    pub(super) fn open(&mut self, plain: &[u8]) -> Deflated {
        Deflated::next(self.stream_for(plain), plain, FlushCompress::Full)
    }

    /// A piece that ends the stream. What is made afterwards is of another stream.
    pub(super) fn finished(&mut self, plain: &[u8]) -> Deflated {
        let stream = self.stream_for(plain);
        let piece = Deflated::next(stream, plain, FlushCompress::Finish);
        stream.reset();
        piece
    }

    fn stream_for(&mut self, plain: &[u8]) -> &mut Compress {
        if plain.len() <= SMALL { self.level_4() } else { self.level_1() }
    }

    fn level_1(&mut self) -> &mut Compress {
        self.level_1.get_or_insert_with(|| Compress::new(Compression::fast(), false))
    }

    fn level_4(&mut self) -> &mut Compress {
        self.level_4.get_or_insert_with(|| Compress::new(Compression::new(4), false))
    }
}

/// The gzip member that holds all of `stream`, which is finished.
pub(super) fn member(stream: &Deflated) -> Vec<Bytes> {
    let trailer = [stream.crc.sum().to_le_bytes(), stream.crc.amount().to_le_bytes()].concat();
    let mut frames = vec![Bytes::from_static(HEADER)];
    frames.extend_from_slice(&stream.pieces);
    frames.push(trailer.into());
    frames
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_of_one_stream_stand_in_any_order() {
        let mut deflater = Deflater::default();
        let lines = |n: usize| (0..n * 100).map(|k| format!("g{{a=\"{}\"}} {n}\n", k * k)).collect::<String>();
        let plain: Vec<_> = [7, 0, 1, 30, 2].map(lines).into();
        // By turns out of both streams, so that each piece stands beside others of either.
        let fast: Vec<_> = plain.iter().map(|plain| deflater.fast(plain.as_bytes())).collect();
        let open: Vec<_> = plain.iter().map(|plain| deflater.open(plain.as_bytes())).collect();
        for (even, odd) in [(&fast, &fast), (&open, &open), (&fast, &open), (&open, &fast)] {
            let piece = |n: usize| if n.is_multiple_of(2) { &even[n] } else { &odd[n] };
            for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [3, 3, 0, 1, 4], [2, 4, 1, 0, 3]] {
                let end = deflater.finished(b"end");
                let member = member(&Deflated::joined(order.map(piece).into_iter().chain([&end]))).concat();
                let mut back = String::new();
                flate2::bufread::GzDecoder::new(&*member).read_to_string(&mut back).unwrap();
                assert!(back == order.map(|n| plain[n].as_str()).concat() + "end", "{order:?}");
            }
        }
    }

    #[test]
    fn halves_of_every_size_make_one_member() {
        let mut deflater = Deflater::default();
        for size in [0, 1, 100, 70_000, SMALL + 1, 3 << 20] {
            // Neither constant nor random: both are special cases of deflate.
            let plain: Vec<u8> = (0..size).map(|n: usize| (n * n / 7 % 251) as u8).collect();
            let (head, tail) = plain.split_at(size / 3);
            let parts = [deflater.open(head), deflater.finished(tail)];
            let member = member(&Deflated::joined(&parts)).concat();
            let mut back = Vec::new();
            let mut decoder = flate2::bufread::GzDecoder::new(&*member);
            decoder.read_to_end(&mut back).unwrap();
            assert!(back == plain, "{size}");
            assert!(decoder.into_inner().is_empty(), "nothing follows the member of {size}");
        }
    }
}
