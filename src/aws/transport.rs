//! How requests travel: whose certificates are trusted, and by which proxy.
//!
//! The SDK's own HTTP client knows the host's certificate authorities (a file in
//! `SSL_CERT_FILE` or a folder in `SSL_CERT_DIR` takes their place) and the proxies
//! of the environment. It knows nothing of `AWS_CA_BUNDLE`, so it is put together
//! here, of the same parts. What a metadata service on the host itself is asked
//! never goes through a proxy, which would be handed the host's credentials.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_types::sdk_config::SharedHttpClient;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::environment::{Environment, invalid, no_file};
use crate::model::facts::Fault;

/// The HTTP clients of all profiles, of which those with the same authorities share
/// one, and its connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Transports(Arc<Mutex<BTreeMap<Option<PathBuf>, Transport>>>);

/// The two ways out.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    /// To AWS, through the proxy of the environment if there is one.
    pub(super) proxied: SharedHttpClient,
    /// To services of the host itself.
    pub(super) direct: SharedHttpClient,
}

impl Default for Transport {
    /// What the environment asks for if it names no authorities of its own.
    fn default() -> Self {
        // A debug build of the HTTP client insists that the host has some. Reading all of
        // them once more to find out costs milliseconds.
        let asks_host = !cfg!(debug_assertions) || host_has_authorities();
        Self::new(&TrustStore::empty().with_native_roots(asks_host))
    }
}

impl Transport {
    fn new(trusted: &TrustStore) -> Self {
        Self { proxied: client(trusted, ProxyConfig::from_env), direct: client(trusted, ProxyConfig::disabled) }
    }
}

impl Transports {
    /// The HTTP client that the environment asks for.
    ///
    /// # Errors
    /// When the file of certificate authorities cannot be used.
    pub(super) fn of(&self, environment: &Environment) -> Result<Transport, Fault> {
        let bundle = environment.ca_bundle()?;
        let key = bundle.as_ref().map(|(_, path)| path.clone());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = known.get(&key) {
            return Ok(transport.clone());
        }
        let transport = match &bundle {
            Some((by, path)) => Transport::new(&TrustStore::empty().with_pem_certificate(authorities(by, path)?)),
            None => Transport::default(),
        };
        known.insert(key, transport.clone());
        Ok(transport)
    }
}

/// Whether the host has any certificate authority; an image made from scratch has none.
pub(super) fn host_has_authorities() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

fn client(trusted: &TrustStore, proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(trusted.clone()).build();
    let context = context.expect("a context of certificates alone is never refused");
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_tls_context(context.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.set_proxy_config(Some(proxy()));
        connector.build()
    })
}

/// The file of certificate authorities, which the HTTP client takes on trust.
fn authorities(by: &str, path: &Path) -> Result<Vec<u8>, Fault> {
    let pem = fs::read(path).map_err(|error| no_file(Some(by), &path.display().to_string(), &error))?;
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    let is_good = |certificate: &CertificateDer<'static>| roots.add(certificate.clone()).is_ok();
    if !certificates.is_empty() && certificates.iter().all(is_good) {
        return Ok(pem);
    }
    let detail = format!("the file {}, which {by} names, does not hold certificates in PEM", path.display());
    Err(invalid(detail).advising("write the certificates of the authorities to trust into the file, in PEM"))
}
