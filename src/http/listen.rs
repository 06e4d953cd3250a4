//! Where to listen, as the Prometheus toolkit spells it: `:10045` is every
//! address of the host, v6 and v4.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    str::FromStr,
};

/// An address to listen on: a host, which may be empty, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddr {
    host: String,
    port: u16,
}

/// The text is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address to listen on: write HOST:PORT, as 127.0.0.1:10045, [::1]:10045 or :10045 for every address"
)]
pub struct ParseListenAddrError(String);

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", hint(.source))]
pub struct BindError {
    address: String,
    source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; something else listens there: stop it, or choose another --web.listen-address",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: choose another --web.listen-address",
        io::ErrorKind::AddrNotAvailable => "; this host has no such address",
        _ => "",
    }
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
    /// Starts to listen. Nothing is accepted yet.
    ///
    /// # Errors
    /// When the name cannot be resolved or the address cannot be had.
    pub fn bind(&self) -> Result<TcpListener, BindError> {
        let bound = if self.host.is_empty() { self.bind_all() } else { self.bind_host() };
        let listener = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        listener.map_err(|source| BindError { address: self.to_string(), source })
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

    #[test]
    fn a_port_in_use_is_named_and_the_mend_with_it() {
        let first = "127.0.0.1:0".parse::<ListenAddr>().unwrap().bind().unwrap();
        let taken = first.local_addr().unwrap().to_string();
        let error = taken.parse::<ListenAddr>().unwrap().bind().unwrap_err().to_string();
        assert!(error.contains(&taken) && error.contains("--web.listen-address"), "{error}");
    }
}
