//! From what the web configuration says of TLS to a rustls configuration, and
//! from a handshake to whether the client may come in.

mod pem;
mod unverified;

use std::{net::IpAddr, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::CryptoProvider,
    pki_types::CertificateDer,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use pem::Pem;
pub use pem::TlsError;
use unverified::Unverified;

use crate::{
    http::config::{ClientAuth, Tls},
    model::time::Timestamp,
};

/// TLS, ready to be spoken.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) config: Arc<ServerConfig>,
    /// When the first certificate of the server's chain expires.
    pub(super) expiry: Option<Timestamp>,
    /// When the last of those that vouch for clients does.
    pub(super) client_ca_expiry: Option<Timestamp>,
}

/// Builds the server's side of TLS, reading every file anew.
pub(super) fn server(tls: &Tls) -> Result<Ready, TlsError> {
    let provider = Arc::new(provider(tls));
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    versions.extend(tls.tls12.then_some(&TLS12));
    versions.extend(tls.tls13.then_some(&TLS13));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions);
    let builder = builder.map_err(|error| TlsError::Choice(error.to_string()))?;
    let client_ca = tls.client_ca.as_ref().map(|source| Pem::read("client_ca", source)?.certificates()).transpose()?;
    let builder = match verifier(tls, client_ca.as_deref(), provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = pem::chain_and_key(&tls.certificate, &tls.key)?;
    let expiry = expiries(&chain).min();
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| pem::refusal(&tls.certificate, &tls.key, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client_ca_expiry = client_ca.and_then(|certificates| expiries(&certificates).max());
    Ok(Ready { config: Arc::new(config), expiry, client_ca_expiry })
}

/// Who looks at the certificates of clients; `None` where none is asked for.
fn verifier(
    tls: &Tls,
    client_ca: Option<&[CertificateDer<'static>]>,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in client_ca.unwrap_or_default() {
        roots.add(certificate.clone()).map_err(|error| TlsError::ClientCa(error.to_string()))?;
    }
    let verified = || WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(&provider));
    let built = match tls.client_auth {
        ClientAuth::None => return Ok(None),
        ClientAuth::Requested => return Ok(Some(Arc::new(Unverified::new(false, &roots, &provider)))),
        ClientAuth::RequiredAny => return Ok(Some(Arc::new(Unverified::new(true, &roots, &provider)))),
        ClientAuth::IfGiven => verified().allow_unauthenticated().build(),
        ClientAuth::Required => verified().build(),
    };
    built.map(Some).map_err(|error| TlsError::ClientCa(error.to_string()))
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

/// When each certificate ends that can be read.
fn expiries(certificates: &[CertificateDer<'_>]) -> impl Iterator<Item = Timestamp> {
    certificates.iter().filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Timestamp::from_millis(certificate.validity().not_after.timestamp().checked_mul(1_000)?))
    })
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
