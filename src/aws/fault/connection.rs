//! Why a connection to AWS did not come about: nobody there, a certificate that is
//! not accepted, or a proxy that does not let through.

use std::{error::Error, io};

use rustls::{CertificateError, Error as TlsError};

use crate::{aws::transport, model::facts::FaultClass};

/// What exactly is wrong with TLS or the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The certificate is of an authority that nobody here trusts.
    UnknownAuthority,
    /// There are no authorities to trust on this host.
    NoAuthorities,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotValidYet,
    /// The certificate is for another name.
    WrongName,
    /// The certificate is not accepted for another reason.
    BadCertificate,
    /// The other side speaks TLS otherwise than is asked here, or not at all.
    Handshake,
    /// The proxy wants to know who asks, and does not accept the answer.
    ProxyAuthentication,
    /// The proxy refuses this connection.
    ProxyRefusal,
    /// The proxy is not reached.
    ProxyUnreachable,
}

/// The class of a connection that failed, and why if that is known.
pub(super) fn class(error: &(dyn Error + 'static)) -> (FaultClass, Option<Why>) {
    let is_tunnel = |cause: &&(dyn Error + 'static)| cause.to_string().starts_with("tunnel error: ");
    if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<TlsError>()) {
        return (FaultClass::Tls, Some(Why::of(error)));
    }
    match causes(error).find(is_tunnel).map(ToString::to_string) {
        Some(text) if text.contains("authorization required") => (FaultClass::Proxy, Some(Why::ProxyAuthentication)),
        Some(text) if text.contains("underlying connection") => (FaultClass::Proxy, Some(Why::ProxyUnreachable)),
        Some(_) => (FaultClass::Proxy, Some(Why::ProxyRefusal)),
        None => (FaultClass::Connection, None),
    }
}

/// An error and everything that caused it. An `io::Error` keeps what it wraps to
/// itself, and is opened.
pub(in crate::aws) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map_or_else(|| cause.source(), |wrapped| Some(wrapped));
        Some(cause)
    })
}

impl Why {
    fn of(error: &TlsError) -> Self {
        let TlsError::InvalidCertificate(error) = error else { return Self::Handshake };
        match error {
            CertificateError::UnknownIssuer if !transport::host_has_authorities() => Self::NoAuthorities,
            // The latter where an authority has a new key under its old name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownAuthority,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotValidYet,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
            _ => Self::BadCertificate,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAuthority => "unknown_authority",
            Self::NoAuthorities => "no_authorities_on_this_host",
            Self::Expired => "certificate_expired",
            Self::NotValidYet => "certificate_not_valid_yet",
            Self::WrongName => "certificate_for_another_name",
            Self::BadCertificate => "bad_certificate",
            Self::Handshake => "handshake_failed",
            Self::ProxyAuthentication => "proxy_wants_authentication",
            Self::ProxyRefusal => "proxy_refused",
            Self::ProxyUnreachable => "proxy_not_reached",
        }
    }

    /// What to do, where that is not what the class says.
    pub(super) const fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownAuthority => return None,
            Self::NoAuthorities => {
                "install the package ca-certificates on this host, or set SSL_CERT_FILE to a file with the \
                 certificates of the public authorities"
            }
            Self::Expired | Self::NotValidYet => {
                "compare this host's clock with the certificate's dates; if the clock is right, renew the certificate \
                 at the proxy or endpoint that uses it"
            }
            Self::WrongName => {
                "correct AWS_ENDPOINT_URL, endpoint_url in the profile, or DNS: the host at this address has a \
                 certificate for another name"
            }
            Self::BadCertificate | Self::Handshake => {
                "find out which server answers instead of AWS: an endpoint or a proxy whose URL should begin with \
                 http:, or a proxy that inspects TLS"
            }
            Self::ProxyAuthentication => {
                "correct the user and the password in HTTPS_PROXY, with %-escapes where they need them"
            }
            Self::ProxyRefusal => {
                "let the proxy allow CONNECT to port 443 of the AWS endpoints, or name them in NO_PROXY"
            }
            Self::ProxyUnreachable => "correct HTTPS_PROXY, or find out why this host cannot reach the proxy",
        })
    }
}
