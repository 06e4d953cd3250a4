//! The wire: HTTP/1.1 by hand over a plain stream, since half of the faults are
//! things that no HTTP library would let a server do.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use crate::{
    Shared,
    fault::Fault,
    reply::{self, Params, Reply},
};

/// Serves one connection until the client closes it or a fault breaks it.
pub(crate) async fn connection(mut stream: TcpStream, shared: Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let (reply, faults) = shared.handle(&request);
        sleep(shared.latency()).await;
        if !send(&mut stream, reply, &faults).await? {
            break;
        }
    }
    Ok(())
}

/// A request's `Authorization` header and form.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) access_key: Option<String>,
    pub(crate) service: String,
    /// The operation, where the protocol is JSON.
    pub(crate) target: Option<String>,
    pub(crate) params: Params,
    pub(crate) json: serde_json::Value,
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
    let header = |name: &str| {
        text.lines()
            .find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()))
    };
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let form = String::from_utf8_lossy(&buffer[head..head + length]).into_owned();
    let target = header("x-amz-target").and_then(|target| Some(target.rsplit_once('.')?.1.to_owned()));
    buffer.drain(..head + length);
    let scope: Vec<_> = header("authorization")
        .and_then(|value| value.split_once("Credential="))
        .map_or_else(Vec::new, |(_, scope)| {
            scope.split([',', ' ']).next().unwrap_or_default().split('/').map(str::to_owned).collect()
        });
    let service = scope.get(3).cloned().unwrap_or_default();
    let json = target.as_ref().and_then(|_| serde_json::from_str(&form).ok()).unwrap_or_default();
    let params = if target.is_some() { Params::new() } else { decode(&form) };
    Ok(Some(Request { access_key: scope.first().cloned(), service, target, params, json }))
}

fn decode(form: &str) -> Params {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (unescape(key), unescape(value))).collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a reply the way the faults want it; false when the connection is over.
async fn send(stream: &mut TcpStream, reply: Reply, faults: &[Fault]) -> io::Result<bool> {
    for fault in faults {
        if let Fault::Slow(time) = fault {
            sleep(*time).await;
        }
    }
    let body = reply.body.as_bytes();
    let fault = faults
        .iter()
        .find(|fault| matches!(fault, Fault::Reset | Fault::ResetMidBody | Fault::Hang | Fault::Drip | Fault::Endless));
    let head = head(
        &reply,
        if fault.is_some() { "Transfer-Encoding: chunked".into() } else { format!("Content-Length: {}", body.len()) },
    );
    match fault {
        None => {
            stream.write_all(&[head.as_bytes(), body].concat()).await?;
            return Ok(true);
        }
        Some(Fault::Reset) => {}
        Some(Fault::ResetMidBody) => {
            stream.write_all(head.as_bytes()).await?;
            chunk(stream, &body[..body.len() / 2]).await?;
            stream.flush().await?;
            sleep(Duration::from_millis(50)).await;
        }
        Some(Fault::Hang) => sleep(Duration::from_secs(3_600)).await,
        Some(Fault::Drip) => {
            stream.write_all(head.as_bytes()).await?;
            for byte in body.iter().chain(std::iter::repeat(&b' ')) {
                chunk(stream, &[*byte]).await?;
                sleep(Duration::from_millis(400)).await;
            }
        }
        Some(_) => {
            stream.write_all(head.as_bytes()).await?;
            chunk(stream, &body[..body.len() / 2]).await?;
            loop {
                chunk(stream, &[b' '; 65_536]).await?;
            }
        }
    }
    stream.set_zero_linger()?;
    Ok(false)
}

fn head(reply: &Reply, length: String) -> String {
    format!(
        "HTTP/1.1 {} Simulated\r\nContent-Type: {}\r\nx-amzn-RequestId: 11111111-2222-3333-4444-555555555555\r\n{length}\r\n\r\n",
        reply.status, reply.content_type
    )
}

async fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.write_all(b"\r\n").await
}

/// The answer to a request with credentials that nobody has.
pub(crate) fn refuse(request: &Request) -> Reply {
    match request.access_key {
        None => reply::error(403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
        Some(_) => reply::error(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    }
}
