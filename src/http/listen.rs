//! Where to listen, as the Prometheus toolkit spells it: `:10045` is every
//! address of the host, v6 and v4.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    str::FromStr,
};

use listenfd::ListenFd;

/// An address to listen on: a host, which may be empty, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddr {
    host: String,
    port: u16,
}

/// The text is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an address to listen on: write HOST:PORT (127.0.0.1:10045 or [::1]:10045), or :10045 for every \
     address"
)]
pub struct ParseListenAddrError(String);

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refuses it.
    #[error("cannot listen on {address}: {source}{}", hint(.source, *.is_own))]
    Refused {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
        /// Whether another address of this very process has the port.
        is_own: bool,
    },
    /// It was named twice.
    #[error("--web.listen-address={0} is given twice: remove one of the two")]
    Twice(String),
    /// systemd's sockets cannot be used.
    #[error("cannot use the sockets that systemd has passed: {0}")]
    Passed(io::Error),
    /// There are none.
    #[error(
        "--web.systemd-socket: systemd has passed no socket; start the exporter by a .socket unit with ListenStream=, or \
         give --web.listen-address instead"
    )]
    NonePassed,
}

fn hint(error: &io::Error, is_own: bool) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse if is_own => {
            "; another --web.listen-address of this command covers it already: remove one of the two"
        }
        io::ErrorKind::AddrInUse => "; something else listens there: stop it, or choose another --web.listen-address",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: choose another --web.listen-address",
        io::ErrorKind::AddrNotAvailable => "; this host has no such address",
        _ => "",
    }
}

/// So many connections may wait for being accepted, if the system allows as many. They
/// wait for no longer than a moment, but may come all at once.
const BACKLOG: i32 = 4_096;

/// Starts to listen on all of them. Nothing is accepted yet.
///
/// # Errors
/// When one of them cannot be had.
pub fn bind(addresses: &[ListenAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for (n, address) in addresses.iter().enumerate() {
        if address.port != 0 && addresses[..n].contains(address) {
            return Err(BindError::Twice(address.to_string()));
        }
        let is_own = addresses[..n].iter().any(|other| other.port == address.port);
        listeners.push(address.bind(is_own)?);
    }
    Ok(listeners)
}

/// The sockets that systemd passes to a unit with a `.socket` beside it.
///
/// # Errors
/// When there are none, or one is no TCP socket.
pub fn passed() -> Result<Vec<TcpListener>, BindError> {
    let mut passed = ListenFd::from_env();
    let sockets: Result<Vec<_>, _> = (0..passed.len()).map(|n| passed.take_tcp_listener(n)).collect();
    let listeners: Vec<TcpListener> = sockets.map_err(BindError::Passed)?.into_iter().flatten().collect();
    if listeners.is_empty() {
        return Err(BindError::NonePassed);
    }
    listeners.iter().try_for_each(|listener| listener.set_nonblocking(true)).map_err(BindError::Passed)?;
    Ok(listeners)
}

impl FromStr for ListenAddr {
    type Err = ParseListenAddrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseListenAddrError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // Unbracketed colons are a v6 address whose last group would pass for a port.
        if bare.is_none() && host.contains([':', '[', ']', '/', ' ']) {
            return Err(wrong());
        }
        Ok(Self { host: bare.unwrap_or(host).to_owned(), port: port.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl ListenAddr {
    fn bind(&self, is_own: bool) -> Result<TcpListener, BindError> {
        let bound = if self.host.is_empty() { self.bind_all() } else { self.bind_host() };
        let listening = bound.and_then(|listener| {
            listener.set_nonblocking(true)?;
            // A second time is to change the backlog, which the first makes 128.
            rustix::net::listen(&listener, BACKLOG)?;
            Ok(listener)
        });
        listening.map_err(|source| BindError::Refused { address: self.to_string(), source, is_own })
    }

    /// Linux's v6 wildcard takes v4 too; a host without v6 has only v4's.
    fn bind_all(&self) -> io::Result<TcpListener> {
        TcpListener::bind(("::", self.port)).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => TcpListener::bind(("0.0.0.0", self.port)),
        })
    }

    fn bind_host(&self) -> io::Result<TcpListener> {
        let addresses: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        TcpListener::bind(&*addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolkits_spellings_are_read() {
        for text in [":10045", "127.0.0.1:10045", "[::1]:9100", "localhost:0"] {
            assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), text);
        }
        for wrong in ["", "10045", "::1:9100", "host:", "host:65536", "http://host:80", "[::1]"] {
            let error = wrong.parse::<ListenAddr>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains(":10045"), "{error}");
        }
    }

    fn addresses(texts: &[&str]) -> Vec<ListenAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_port_in_use_is_named_and_the_mend_with_it() {
        let first = bind(&addresses(&["127.0.0.1:0"])).unwrap().remove(0);
        let port = first.local_addr().unwrap().port();
        let taken = format!("127.0.0.1:{port}");
        let error = bind(&addresses(&[&taken])).unwrap_err().to_string();
        assert!(error.contains(&taken) && error.contains("something else listens there"), "{error}");
        drop(first);
        let error = bind(&addresses(&[&taken, &taken])).unwrap_err().to_string();
        assert_eq!(error, format!("--web.listen-address={taken} is given twice: remove one of the two"));
        let error = bind(&addresses(&[&format!(":{port}"), &taken])).unwrap_err().to_string();
        assert!(error.contains("another --web.listen-address of this command covers it"), "{error}");
        assert_eq!(bind(&addresses(&["127.0.0.1:0", "127.0.0.1:0"])).unwrap().len(), 2, "any port is any two ports");
    }
}
