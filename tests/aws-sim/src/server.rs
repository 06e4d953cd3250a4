//! The wire: HTTP/1.1 by hand over a plain stream, since half of the faults are
//! things that no HTTP library would let a server do.

use std::{
    io::{self, Write as _},
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

use crate::{
    fault::Fault,
    protocol::Reply,
    request::{Request, header},
    shared::{Answer, Shared},
};

/// Serves one connection until the client closes it or a fault breaks it.
pub(crate) async fn connection(mut stream: TcpStream, shared: Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let Answer { reply, faults, latency, date, request_id } = shared.handle(request);
        // Even a sleep of no time waits for the timer's next tick.
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if !send(&mut stream, &reply, &faults, (date, &request_id)).await? {
            break;
        }
    }
    Ok(())
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
    let length: usize = header(&text, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let request = Request::read(&text, &String::from_utf8_lossy(&buffer[head..head + length]));
    buffer.drain(..head + length);
    Ok(Some(request))
}

/// Sends a reply the way the faults want it; false when the connection is over.
async fn send(stream: &mut TcpStream, reply: &Reply, faults: &[Fault], named: (SystemTime, &str)) -> io::Result<bool> {
    for fault in faults {
        if let Fault::Slow(time) = fault {
            sleep(*time).await;
        }
    }
    let is_gzip = faults.contains(&Fault::Gzip);
    let body = &*if is_gzip { gzip(reply.body.as_bytes())? } else { reply.body.clone().into_bytes() };
    let fault = faults
        .iter()
        .find(|fault| matches!(fault, Fault::Reset | Fault::ResetMidBody | Fault::Hang | Fault::Drip | Fault::Endless));
    let length =
        if fault.is_some() { "Transfer-Encoding: chunked".into() } else { format!("Content-Length: {}", body.len()) };
    let encoding = if is_gzip { "Content-Encoding: gzip\r\n" } else { "" };
    let head = head(reply, named, &format!("{encoding}{length}"));
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

fn head(reply: &Reply, (date, request_id): (SystemTime, &str), further: &str) -> String {
    format!(
        "HTTP/1.1 {} Simulated\r\nDate: {}\r\nContent-Type: {}\r\nx-amzn-RequestId: {request_id}\r\n\
         x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n{further}\r\n\r\n",
        reply.status,
        httpdate::fmt_http_date(date),
        reply.content_type
    )
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

async fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.write_all(b"\r\n").await
}
