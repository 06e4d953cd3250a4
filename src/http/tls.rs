//! From what the web configuration says of TLS to a rustls configuration, and
//! from a handshake to whether the client may come in.

use std::{fs, io, net::IpAddr, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::http::config::{ClientAuth, Source, Tls};

/// The certificates or the key cannot be used. Never quotes them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{what} in {path} cannot be read: {source}")]
    Read {
        /// What it should hold.
        what: &'static str,
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It holds nothing of the kind.
    #[error("{0} is not PEM, or holds none")]
    Pem(&'static str),
    /// rustls refuses it.
    #[error("{0} cannot be used: {1}")]
    Refused(&'static str, String),
}

/// Builds the server's side of TLS, reading every file anew.
pub(super) fn server(tls: &Tls) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(provider(tls));
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    versions.extend(tls.tls12.then_some(&TLS12));
    versions.extend(tls.tls13.then_some(&TLS13));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions);
    let builder =
        builder.map_err(|error| TlsError::Refused("the choice of versions, suites and curves", error.to_string()))?;
    let builder = match &tls.client_ca {
        Some(ca) if tls.client_auth != ClientAuth::None => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider);
            let verifier =
                if tls.client_auth == ClientAuth::IfGiven { verifier.allow_unauthenticated() } else { verifier };
            let verifier = verifier.build().map_err(|error| TlsError::Refused("the client CA", error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        _ => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_slice(&read("the private key", &tls.key)?)
        .map_err(|_| TlsError::Pem("the private key"))?;
    let chain = certificates("the certificate", &tls.certificate)?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Refused("the certificate with its key", error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The cryptography of aws-lc, cut down to what was asked for. TLS 1.3's suites
/// are not a matter of choice, in Go neither.
fn provider(tls: &Tls) -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if !tls.cipher_suites.is_empty() {
        provider.cipher_suites.retain(|suite| {
            let name = format!("{:?}", suite.suite());
            suite.tls13().is_some() || tls.cipher_suites.contains(&name)
        });
    }
    if !tls.curves.is_empty() {
        let wanted =
            |name: &str| tls.curves.iter().any(|curve| curve.trim_start_matches("Curve").eq_ignore_ascii_case(name));
        provider.kx_groups.retain(|group| match group.name() {
            rustls::NamedGroup::secp256r1 => wanted("P256"),
            rustls::NamedGroup::secp384r1 => wanted("P384"),
            rustls::NamedGroup::X25519 => wanted("X25519"),
            _ => false,
        });
    }
    provider
}

fn read(what: &'static str, source: &Source) -> Result<Vec<u8>, TlsError> {
    match source {
        Source::Inline(text) => Ok(text.0.clone().into_bytes()),
        Source::File(path) => {
            fs::read(path).map_err(|source| TlsError::Read { what, path: path.display().to_string(), source })
        }
    }
}

fn certificates(what: &'static str, source: &Source) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(what, source)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsError::Pem(what))
}

fn roots(source: &Source) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("the client CA", source)? {
        roots.add(certificate).map_err(|error| TlsError::Refused("the client CA", error.to_string()))?;
    }
    Ok(roots)
}

/// Whether the certificate that a client has shown bears one of the names. The
/// names are compared whole: no wildcard, no part.
pub(super) fn bears_one_of(names: &[String], certificate: Option<&CertificateDer<'_>>) -> bool {
    let Some((_, certificate)) = certificate.and_then(|der| X509Certificate::from_der(der).ok()) else { return false };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return false };
    extension.value.general_names.iter().any(|name| {
        let text = match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => (*text).to_owned(),
            GeneralName::IPAddress(bytes) => match address(bytes) {
                Some(address) => address.to_string(),
                None => return false,
            },
            _ => return false,
        };
        names.contains(&text)
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
