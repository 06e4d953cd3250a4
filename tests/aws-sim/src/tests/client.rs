//! A client that knows just enough of HTTP.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::{Account, Scenario, Sim};

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: String,
    /// What `Date` and `Content-Encoding` say.
    pub(super) date: String,
    pub(super) encoding: String,
    pub(super) body: String,
}

impl Response {
    /// What stands in the first XML element of this name.
    pub(super) fn element(&self, name: &str) -> &str {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let after = self.body.split_once(&open).unwrap_or_else(|| panic!("no {name} in {}", self.body)).1;
        after.split_once(&close).unwrap().0
    }

    /// What stands in all XML elements of this name, as it is written.
    pub(super) fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.body.split(&open).skip(1).map(|after| after.split_once(&close).unwrap().0).collect()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status and code of an error.
    pub(super) fn error(&self) -> (u16, String) {
        let code = match &*self.content_type {
            "text/xml" => self.element("Code").to_owned(),
            _ => self.json()["__type"].as_str().unwrap().to_owned(),
        };
        (self.status, code)
    }
}

/// Sends a form, with an access key or without.
pub(super) fn query(sim: &Sim, key: &str, service: &str, params: &[(&str, &str)]) -> Response {
    let encode = |text: &str| {
        let text = text.replace('%', "%25").replace('&', "%26").replace(':', "%3A");
        text.replace('+', "%2B").replace(' ', "+")
    };
    let pairs: Vec<_> = params.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    send(sim, key, service, "", &pairs.join("&")).unwrap()
}

/// Asks IAM, with a key of the account's.
pub(super) fn iam(sim: &Sim, operation: &str, params: &[(&str, &str)]) -> Response {
    query(sim, IAM_KEY, "iam", &[&[("Action", operation)], params].concat())
}

/// A simulation of this account.
pub(super) fn simulation(account: Account) -> Sim {
    let credentials = BTreeMap::from([(IAM_KEY.to_owned(), account.id.clone())]);
    Sim::start(Scenario { accounts: vec![account], credentials, ..Scenario::default() }).unwrap()
}

const IAM_KEY: &str = "AKIAREADER";

/// Sends an operation of Organizations.
pub(super) fn organizations(sim: &Sim, key: &str, operation: &str, params: &Value) -> Response {
    try_organizations(sim, key, operation, params).unwrap()
}

/// The same, for a connection that may not bear it.
pub(super) fn try_organizations(sim: &Sim, key: &str, operation: &str, params: &Value) -> io::Result<Response> {
    let target = format!("X-Amz-Target: AWSOrganizationsV20161128.{operation}\r\n");
    send(sim, key, "organizations", &target, &params.to_string())
}

/// Sends a request of any kind: its first line, and headers each with its end.
pub(super) fn raw(sim: &Sim, line: &str, headers: &str, body: &str) -> Response {
    let mut stream = TcpStream::connect(sim.endpoint().trim_start_matches("http://")).unwrap();
    let length = body.len();
    write!(stream, "{line} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}").unwrap();
    read(BufReader::new(stream)).unwrap()
}

fn send(sim: &Sim, key: &str, service: &str, headers: &str, body: &str) -> io::Result<Response> {
    let signature = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={key}/20260102/us-east-1/{service}/aws4_request, Signature=0\r\n"
    );
    let signature = if key.is_empty() { String::new() } else { signature };
    let mut stream = TcpStream::connect(sim.endpoint().trim_start_matches("http://"))?;
    let length = body.len();
    write!(stream, "POST / HTTP/1.1\r\nHost: x\r\n{headers}{signature}Content-Length: {length}\r\n\r\n{body}")?;
    read(BufReader::new(stream))
}

fn read(mut stream: BufReader<TcpStream>) -> io::Result<Response> {
    let status = line(&mut stream)?.split(' ').nth(1).unwrap().parse().unwrap();
    let (mut content_type, mut date, mut encoding, mut length) = (String::new(), String::new(), String::new(), None);
    loop {
        let line = line(&mut stream)?;
        match line.split_once(": ") {
            Some(("Content-Type", value)) => content_type = value.to_owned(),
            Some(("Date", value)) => date = value.to_owned(),
            Some(("Content-Encoding", value)) => encoding = value.to_owned(),
            Some(("Content-Length", value)) => length = value.parse().ok(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut body)?;
    let mut text = String::new();
    match &*encoding {
        "gzip" => flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text)?,
        _ => (&body[..]).read_to_string(&mut text)?,
    };
    Ok(Response { status, content_type, date, encoding, body: text })
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
