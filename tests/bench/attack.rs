//! Ways in which clients are a burden to a server. Each goes on until it is dropped.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use aws_smithy_types::base64;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    time::sleep,
};

/// What is done to the server at this address.
#[derive(Clone, Copy)]
pub enum Attack {
    /// Nothing.
    None,
    /// So many connections, each of which sends a byte of a header every five seconds.
    Trickle(u32),
    /// So many connections that send nothing.
    Idle(u32),
    /// The same, from two hundred addresses.
    IdleFromMany(u32),
    /// So many connections that have asked once, and keep the connection.
    Kept(u32),
    /// So many clients that ask for the metrics and read none of the answer.
    Unread(u32),
    /// So many clients that try passwords, one after the other.
    Guesses(u32),
    /// Headers that never end.
    EndlessHeaders(u32),
    /// Requests with 100 MB of body.
    Bodies(u32),
    /// A thousand requests at once on each connection.
    Pipelines(u32),
    /// HTTP/2 without asking.
    PriorKnowledge(u32),
    /// The beginning of a TLS handshake, and then noise.
    TlsNoise(u32),
}

/// A running attack.
pub struct Running(Option<Runtime>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// The metrics, please.
pub const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

impl Attack {
    /// How it is called in the table.
    pub fn name(self) -> String {
        match self {
            Self::None => "nothing".into(),
            Self::Trickle(n) => format!("{n} connections, a byte each 5 s"),
            Self::Idle(n) => format!("{n} idle connections"),
            Self::IdleFromMany(n) => format!("{n} idle, 200 addresses"),
            Self::Kept(n) => format!("{n} kept after an answer"),
            Self::Unread(n) => format!("{n} scrapes never read"),
            Self::Guesses(n) => format!("{n} clients guess passwords"),
            Self::EndlessHeaders(n) => format!("{n} endless headers"),
            Self::Bodies(n) => format!("{n} bodies of 100 MB"),
            Self::Pipelines(n) => format!("{n} pipelines of 1000"),
            Self::PriorKnowledge(n) => format!("{n} HTTP/2 unasked"),
            Self::TlsNoise(n) => format!("{n} TLS noise"),
        }
    }

    /// Begins. A connection that the server closes is opened again a little later.
    pub fn begin(self, target: SocketAddr) -> Running {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        for n in 0..self.clients() {
            runtime.spawn(async move {
                loop {
                    if let Ok(stream) = connect(target, self.source(n)).await {
                        let _ = self.burden(stream, n).await;
                    }
                    sleep(Duration::from_millis(200)).await;
                }
            });
        }
        Running(Some(runtime))
    }

    fn clients(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Trickle(n) | Self::Idle(n) | Self::IdleFromMany(n) | Self::Kept(n) | Self::Unread(n) => n,
            Self::Guesses(n) | Self::EndlessHeaders(n) | Self::Bodies(n) | Self::Pipelines(n) => n,
            Self::PriorKnowledge(n) | Self::TlsNoise(n) => n,
        }
    }

    fn source(self, n: u32) -> Ipv4Addr {
        match self {
            Self::IdleFromMany(_) => Ipv4Addr::new(127, 0, 1, u8::try_from(n % 200).unwrap_or(0) + 1),
            _ => Ipv4Addr::LOCALHOST,
        }
    }

    /// One connection, until the server closes it.
    async fn burden(self, mut stream: TcpStream, n: u32) -> std::io::Result<()> {
        match self {
            Self::None | Self::Idle(_) | Self::IdleFromMany(_) => {}
            Self::Trickle(_) => {
                stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ").await?;
                loop {
                    // Not all at the same moment.
                    sleep(Duration::from_millis(4_500 + u64::from(n % 1_000))).await;
                    stream.write_all(b"x").await?;
                }
            }
            Self::Kept(_) => stream.write_all(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await?,
            Self::Unread(_) => {
                stream.write_all(&GET.repeat(200)).await?;
                return std::future::pending().await;
            }
            Self::Guesses(_) => return guess(stream, n).await,
            Self::EndlessHeaders(_) => {
                stream.write_all(b"GET /metrics HTTP/1.1\r\n").await?;
                return write_for_ever(stream, b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")
                    .await;
            }
            Self::Bodies(_) => {
                stream.write_all(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n").await?;
                return write_for_ever(stream, &[b'x'; 16 << 10]).await;
            }
            Self::Pipelines(_) => {
                stream.write_all(&b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000)).await?;
                stream.shutdown().await?;
            }
            Self::PriorKnowledge(_) => {
                stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
            }
            Self::TlsNoise(_) => {
                stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await?;
                return write_for_ever(stream, &[0xa5; 100]).await;
            }
        }
        drain(stream).await
    }
}

async fn connect(target: SocketAddr, source: Ipv4Addr) -> std::io::Result<TcpStream> {
    if source == Ipv4Addr::LOCALHOST {
        // To look for a port before the peer is known takes longer the more are taken.
        return TcpStream::connect(target).await;
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(source), 0).into())?;
    socket.connect(target).await
}

async fn write_for_ever(mut stream: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(bytes).await?;
        // Enough to be a burden, and not to take the processor from who is measured.
        sleep(Duration::from_millis(5)).await;
    }
}

async fn drain(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// A wrong password, its answer, the next.
async fn guess(mut stream: TcpStream, n: u32) -> std::io::Result<()> {
    for attempt in 0.. {
        let credentials = base64::encode(format!("prometheus:{n}-{attempt}-{}", std::process::id()));
        let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        // The refusal comes in one piece.
        if stream.read(&mut [0; 4096]).await? == 0 {
            break;
        }
    }
    Ok(())
}
