//! The part of the file that is about TLS.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Check, Secret, Source};
use crate::config::yaml::Given;

/// How the server proves itself, and what it wants of clients.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: Source,
    /// Its private key.
    pub key: Source,
    /// Who vouches for clients.
    pub client_ca: Option<Source>,
    /// Whether a client may come without a certificate.
    pub client_auth: ClientAuth,
    /// The subject alternative names of which a client must have one; empty for any.
    pub allowed_sans: Vec<String>,
    /// Whether TLS 1.2 is spoken.
    pub tls12: bool,
    /// Whether TLS 1.3 is spoken.
    pub tls13: bool,
    /// TLS 1.2 cipher suites by Go's names; empty for all.
    pub cipher_suites: Vec<String>,
    /// Key exchange groups by Go's names; empty for all.
    pub curves: Vec<String>,
}

/// What is asked of a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    None,
    /// One is asked for, and whatever is shown is taken, nothing included.
    Requested,
    /// One must be shown, and any is taken.
    RequiredAny,
    /// One that is shown must be good.
    IfGiven,
    /// One must be shown, and be good.
    Required,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileTls {
    cert: Given<Secret>,
    cert_file: Given<PathBuf>,
    key: Given<Secret>,
    key_file: Given<PathBuf>,
    client_ca: Given<Secret>,
    client_ca_file: Given<PathBuf>,
    client_auth_type: Given<String>,
    client_allowed_sans: Given<Vec<String>>,
    min_version: Given<String>,
    max_version: Given<String>,
    cipher_suites: Given<Vec<String>>,
    curve_preferences: Given<Vec<String>>,
    prefer_server_cipher_suites: Given<bool>,
}

/// The suites of TLS 1.2 that are left, by the names that Go gives them.
pub const CIPHER_SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// The key exchange groups, by the names that Go gives them.
pub const CURVES: [&str; 3] = ["CurveP256", "CurveP384", "X25519"];

impl FileTls {
    pub(super) fn check(self, folder: &Path, check: &mut Check) -> Option<Tls> {
        let certificate = source("cert", self.cert.0, self.cert_file.0, folder, check);
        let key = source("key", self.key.0, self.key_file.0, folder, check);
        let client_ca = source("client_ca", self.client_ca.0, self.client_ca_file.0, folder, check);
        for (name, missing) in [("cert or cert_file", certificate.is_none()), ("key or key_file", key.is_none())] {
            if missing {
                check.wrong(format!("tls_server_config: {name} is missing"));
            }
        }
        let client_auth = client_auth(self.client_auth_type.0.as_deref(), check);
        let allowed_sans = self.client_allowed_sans.0.unwrap_or_default();
        check_clients(client_auth, client_ca.is_some(), !allowed_sans.is_empty(), check);
        let least = version("min_version", self.min_version.0, 12, check);
        let most = version("max_version", self.max_version.0, 13, check);
        if least > most {
            check.wrong("tls_server_config: min_version is above max_version");
        }
        let cipher_suites = among("cipher_suites", self.cipher_suites, &CIPHER_SUITES, check);
        let curves = among("curve_preferences", self.curve_preferences, &CURVES, check);
        // rustls always keeps the server's order, which is what the toolkit does unless told otherwise.
        if self.prefer_server_cipher_suites.0 == Some(false) {
            check.wrong("tls_server_config: prefer_server_cipher_suites cannot be false here");
        }
        let (tls12, tls13) = (least <= 12, most >= 13);
        let (certificate, key) = (certificate?, key?);
        Some(Tls { certificate, key, client_ca, client_auth, allowed_sans, tls12, tls13, cipher_suites, curves })
    }
}

/// Whether what is said of clients holds together.
fn check_clients(auth: ClientAuth, has_ca: bool, has_names: bool, check: &mut Check) {
    let is_verified = matches!(auth, ClientAuth::IfGiven | ClientAuth::Required);
    let is_required = matches!(auth, ClientAuth::RequiredAny | ClientAuth::Required);
    if has_ca && auth == ClientAuth::None {
        check.wrong(
            "tls_server_config: client_ca has no effect without client_auth_type; write RequireAndVerifyClientCert",
        );
    }
    if is_verified && !has_ca {
        check.wrong("tls_server_config: this client_auth_type needs a client_ca_file to verify clients");
    }
    if has_names && !is_required {
        check.wrong(
            "tls_server_config: client_allowed_sans has no effect unless every client must show a certificate; write \
             client_auth_type: RequireAndVerifyClientCert",
        );
    }
    if matches!(auth, ClientAuth::Requested | ClientAuth::RequiredAny) {
        check.warnings.push(
            "tls_server_config.client_auth_type accepts every client certificate without verifying it, so it does not \
             restrict access. Write RequireAndVerifyClientCert."
                .to_owned(),
        );
    }
}

fn source(
    name: &str,
    inline: Option<Secret>,
    file: Option<PathBuf>,
    folder: &Path,
    check: &mut Check,
) -> Option<Source> {
    match (inline, file) {
        (Some(_), Some(_)) => {
            check.wrong(format!("tls_server_config: give {name} or {name}_file, not both"));
            None
        }
        (Some(text), None) => Some(Source::Inline(text)),
        (None, Some(path)) => Some(Source::File(folder.join(path))),
        (None, None) => None,
    }
}

fn client_auth(name: Option<&str>, check: &mut Check) -> ClientAuth {
    match name {
        None | Some("" | "NoClientCert") => ClientAuth::None,
        Some("RequestClientCert") => ClientAuth::Requested,
        Some("RequireAnyClientCert" | "RequireClientCert") => ClientAuth::RequiredAny,
        Some("VerifyClientCertIfGiven") => ClientAuth::IfGiven,
        Some("RequireAndVerifyClientCert") => ClientAuth::Required,
        Some(other) => {
            check.wrong(format!(
                "tls_server_config.client_auth_type: {other:?} is not supported; write one of NoClientCert, RequestClientCert, \
                 RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
            ));
            ClientAuth::Required
        }
    }
}

fn version(key: &str, name: Option<String>, default: u8, check: &mut Check) -> u8 {
    match name.as_deref() {
        None => default,
        Some("TLS12") => 12,
        Some("TLS13") => 13,
        Some(other) => {
            check.wrong(format!("tls_server_config.{key}: {other:?} is not supported; write TLS12 or TLS13"));
            default
        }
    }
}

fn among(key: &str, names: Given<Vec<String>>, known: &[&str], check: &mut Check) -> Vec<String> {
    let names = names.0.unwrap_or_default();
    for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
        check.wrong(format!("tls_server_config.{key}: {name:?} is not supported; write one of {}", known.join(", ")));
    }
    names
}
