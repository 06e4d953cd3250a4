//! The file behind `--web.config.file`, in the format of the Prometheus exporter
//! toolkit: TLS, client certificates, passwords, headers, a rate limit.
//!
//! Read strictly: a misspelt key would leave a port open that its owner believes
//! closed. What the toolkit can and this server cannot do (TLS before 1.2,
//! P-521, certificates nobody verifies) is refused by name, not passed over.
//! Secrets appear neither in errors nor in debug output.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

/// What the file says, checked, with paths made absolute.
#[derive(Clone, Debug, Default)]
pub struct WebConfig {
    /// TLS, if it is to be used.
    pub tls: Option<Tls>,
    /// Headers that every answer gets.
    pub headers: Vec<(String, String)>,
    /// Who may ask, by name; nobody named means everybody may.
    pub users: BTreeMap<String, Secret>,
    /// How often may be asked.
    pub rate_limit: Option<RateLimit>,
}

/// A text that must not be seen: a password's hash, a private key.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

/// Text in the file itself, or the path of a file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// PEM in the file itself.
    Inline(Secret),
    /// The path of a PEM file.
    File(PathBuf),
}

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
    /// One that is shown must be good.
    IfGiven,
    /// One must be shown, and be good.
    Required,
}

/// A token bucket over all requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Requests a second.
    pub per_second: f64,
    /// Requests at once.
    pub burst: u32,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// It cannot be read.
    #[error("the web configuration {path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML of the documented form.
    #[error("the web configuration is not of the documented form: {0}")]
    Form(String),
    /// It says things that do not hold together, all of which are listed.
    #[error("the web configuration cannot be used:{}", .0.iter().map(|wrong| format!("\n  - {wrong}")).collect::<String>())]
    Content(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Option<FileTls>,
    http_server_config: FileHttp,
    basic_auth_users: BTreeMap<String, Secret>,
    rate_limit: Option<FileRate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileTls {
    cert: Option<Secret>,
    cert_file: Option<PathBuf>,
    key: Option<Secret>,
    key_file: Option<PathBuf>,
    client_ca: Option<Secret>,
    client_ca_file: Option<PathBuf>,
    client_auth_type: Option<String>,
    client_allowed_sans: Vec<String>,
    min_version: Option<String>,
    max_version: Option<String>,
    cipher_suites: Vec<String>,
    curve_preferences: Vec<String>,
    prefer_server_cipher_suites: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileHttp {
    http2: Option<bool>,
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRate {
    interval: String,
    burst: u32,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

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

impl WebConfig {
    /// Reads the text of a file that lies in `folder`.
    ///
    /// # Errors
    /// When it is not of the documented form; else with all that is wrong in it.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, WebConfigError> {
        // An empty file, or one of comments alone, asks for nothing.
        let blank = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        let file = if blank { Ok(File::default()) } else { read(text) };
        let file: File = file.map_err(|error| WebConfigError::Form(error.to_string()))?;
        let mut wrong = Vec::new();
        let tls = file.tls_server_config.map(|tls| tls.check(folder, &mut wrong));
        if file.http_server_config.http2 == Some(true) {
            wrong.push(
                "http_server_config.http2: this server speaks HTTP/1.1 only; leave the key out or say false".to_owned(),
            );
        }
        for name in file.http_server_config.headers.keys().filter(|name| !HEADERS.contains(&name.as_str())) {
            wrong.push(format!(
                "http_server_config.headers: {name} cannot be set; those that can are {}",
                HEADERS.join(", ")
            ));
        }
        for (name, _) in file.http_server_config.headers.iter().filter(|(name, value)| !is_header_value(name, value)) {
            wrong.push(format!("http_server_config.headers: the value of {name} cannot be sent; X-Frame-Options takes deny or sameorigin, X-Content-Type-Options takes nosniff, and all take a line of visible characters"));
        }
        for (name, _) in file.basic_auth_users.iter().filter(|(_, hash)| !is_bcrypt(&hash.0)) {
            wrong.push(format!(
                "basic_auth_users: the value for {name:?} is no bcrypt hash; make one with htpasswd -nBC 10 NAME"
            ));
        }
        let rate_limit = file.rate_limit.and_then(|rate| rate.check(&mut wrong));
        let headers = file.http_server_config.headers.into_iter().collect();
        let config = Self { tls: tls.flatten(), headers, users: file.basic_auth_users, rate_limit };
        if wrong.is_empty() { Ok(config) } else { Err(WebConfigError::Content(wrong)) }
    }
}

/// What the toolkit lets through, and what can be sent at all.
fn is_header_value(name: &str, value: &str) -> bool {
    match name {
        "X-Frame-Options" => ["deny", "sameorigin"].contains(&value.to_ascii_lowercase().as_str()),
        "X-Content-Type-Options" => value.eq_ignore_ascii_case("nosniff"),
        _ => !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
    }
}

/// The parser would show the lines about a mistake. Those may well hold a hash
/// or a private key, and the error goes to the log: the place has to do.
fn read(text: &str) -> Result<File, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { with_snippet: false })
}

/// `$2a$`, `$2b$` or `$2y$`, two digits of cost, and 53 characters of its own
/// base64. A hash that is cut or mistyped would lock its user out silently.
fn is_bcrypt(hash: &str) -> bool {
    let parts: Vec<_> = hash.split('$').collect();
    let ["", "2a" | "2b" | "2y", cost, rest] = parts[..] else { return false };
    let is_own = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    cost.len() == 2
        && cost.parse().is_ok_and(|cost: u32| (4..=31).contains(&cost))
        && rest.len() == 53
        && rest.bytes().all(is_own)
}

impl FileTls {
    fn check(self, folder: &Path, wrong: &mut Vec<String>) -> Option<Tls> {
        let certificate = source("cert", self.cert, self.cert_file, folder, wrong);
        let key = source("key", self.key, self.key_file, folder, wrong);
        let client_ca = source("client_ca", self.client_ca, self.client_ca_file, folder, wrong);
        for (name, missing) in [("cert or cert_file", certificate.is_none()), ("key or key_file", key.is_none())] {
            if missing {
                wrong.push(format!("tls_server_config: {name} is missing"));
            }
        }
        let client_auth = client_auth(self.client_auth_type.as_deref(), wrong);
        if client_ca.is_some() && client_auth == ClientAuth::None {
            wrong.push("tls_server_config: there is a client_ca and no client_auth_type; RequireAndVerifyClientCert makes use of it".to_owned());
        }
        if client_ca.is_none() && client_auth != ClientAuth::None {
            wrong.push("tls_server_config: client_auth_type wants a client_ca_file to verify clients by".to_owned());
        }
        if !self.client_allowed_sans.is_empty() && client_auth == ClientAuth::None {
            wrong.push("tls_server_config: client_allowed_sans without a client_auth_type would let nobody in; RequireAndVerifyClientCert makes use of it".to_owned());
        }
        let (least, most) =
            (version("min_version", self.min_version, 12, wrong), version("max_version", self.max_version, 13, wrong));
        if least > most {
            wrong.push("tls_server_config: min_version is above max_version".to_owned());
        }
        among("cipher_suites", &self.cipher_suites, &CIPHER_SUITES, wrong);
        among("curve_preferences", &self.curve_preferences, &CURVES, wrong);
        // rustls always keeps the server's order, which is what the toolkit does unless told otherwise.
        if self.prefer_server_cipher_suites == Some(false) {
            wrong.push("tls_server_config: prefer_server_cipher_suites cannot be false here".to_owned());
        }
        Some(Tls {
            certificate: certificate?,
            key: key?,
            client_ca,
            client_auth,
            allowed_sans: self.client_allowed_sans,
            tls12: least <= 12,
            tls13: most >= 13,
            cipher_suites: self.cipher_suites,
            curves: self.curve_preferences,
        })
    }
}

fn source(
    name: &str,
    inline: Option<Secret>,
    file: Option<PathBuf>,
    folder: &Path,
    wrong: &mut Vec<String>,
) -> Option<Source> {
    match (inline, file) {
        (Some(_), Some(_)) => {
            wrong.push(format!("tls_server_config: give {name} or {name}_file, not both"));
            None
        }
        (Some(text), None) => Some(Source::Inline(text)),
        (None, Some(path)) => Some(Source::File(folder.join(path))),
        (None, None) => None,
    }
}

fn client_auth(name: Option<&str>, wrong: &mut Vec<String>) -> ClientAuth {
    match name {
        None | Some("" | "NoClientCert") => ClientAuth::None,
        Some("VerifyClientCertIfGiven") => ClientAuth::IfGiven,
        Some("RequireAndVerifyClientCert") => ClientAuth::Required,
        Some(unverified @ ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert")) => {
            wrong.push(format!(
                "tls_server_config.client_auth_type: {unverified} takes any certificate unverified, which this server does not; use RequireAndVerifyClientCert"
            ));
            ClientAuth::Required
        }
        Some(other) => {
            wrong.push(format!(
                "tls_server_config.client_auth_type: {other:?} is none of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
            ));
            ClientAuth::Required
        }
    }
}

fn version(key: &str, name: Option<String>, default: u8, wrong: &mut Vec<String>) -> u8 {
    match name.as_deref() {
        None => default,
        Some("TLS12") => 12,
        Some("TLS13") => 13,
        Some(other) => {
            wrong.push(format!("tls_server_config.{key}: {other:?} cannot be used; TLS12 and TLS13 can"));
            default
        }
    }
}

fn among(key: &str, names: &[String], known: &[&str], wrong: &mut Vec<String>) {
    for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
        wrong.push(format!("tls_server_config.{key}: {name:?} cannot be used; {} can", known.join(", ")));
    }
}

/// Beyond a day between requests it is a mistake, and beyond some centuries the
/// arithmetic of waiting ends.
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

impl FileRate {
    fn check(self, wrong: &mut Vec<String>) -> Option<RateLimit> {
        if self.interval == "0" || self.burst == 0 && self.interval.starts_with("0s") {
            return None;
        }
        match humantime::parse_duration(&self.interval) {
            Ok(interval) if interval.is_zero() => None,
            Ok(interval) if interval > LONGEST_INTERVAL => {
                wrong.push(format!("rate_limit.interval: {:?} is more than a day between two requests", self.interval));
                None
            }
            Ok(interval) => Some(RateLimit { per_second: interval.as_secs_f64().recip(), burst: self.burst.max(1) }),
            Err(_) => {
                wrong.push(format!("rate_limit.interval: {:?} is no duration; write 1s, say", self.interval));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WebConfig, String> {
        WebConfig::parse(text, Path::new("/etc/web")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_of_the_toolkit_is_read_and_its_paths_are_beside_it() {
        let config = parse(
            "tls_server_config:\n  cert_file: a.crt\n  key_file: /b.key\n  client_ca_file: ca.crt\n  \
             client_auth_type: RequireAndVerifyClientCert\n  min_version: TLS13\nhttp_server_config:\n  headers:\n    \
             X-Frame-Options: deny\nrate_limit: {interval: 500ms, burst: 3}\nbasic_auth_users:\n  \
             ann: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n",
        )
        .unwrap();
        let tls = config.tls.unwrap();
        assert_eq!(tls.certificate, Source::File("/etc/web/a.crt".into()));
        assert_eq!(tls.key, Source::File("/b.key".into()));
        assert_eq!((tls.tls12, tls.tls13, tls.client_auth), (false, true, ClientAuth::Required));
        assert_eq!(config.rate_limit, Some(RateLimit { per_second: 2.0, burst: 3 }));
        assert_eq!((config.headers.len(), config.users.len()), (1, 1));
    }

    #[test]
    fn nothing_is_asked_for_by_an_empty_file() {
        assert!(parse("").unwrap().tls.is_none() && parse("# nothing\n\n").unwrap().users.is_empty());
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let error = parse("basic_auth_users: {}\nbasic_auth_user: {}\n").unwrap_err();
        assert!(error.contains("basic_auth_user") && error.contains('2'), "{error}");
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_no_secret() {
        let error = parse(
            "tls_server_config:\n  cert_file: a\n  client_ca_file: b\n  min_version: TLS10\n  curve_preferences: [CurveP521]\n  \
             cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\nhttp_server_config: {http2: true, headers: {X-Powered-By: us}}\n\
             basic_auth_users: {ann: hunter2}\n",
        )
        .unwrap_err();
        for part in [
            "key or key_file",
            "client_auth_type",
            "TLS10",
            "CurveP521",
            "CBC_SHA",
            "http2",
            "X-Powered-By",
            "\"ann\"",
            "htpasswd",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!format!("{:?}", Secret("hunter2".into())).contains("hunter2"));
    }

    #[test]
    fn certificates_that_nobody_verifies_are_refused_by_name() {
        let error = parse("tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAnyClientCert}")
            .unwrap_err();
        assert!(error.contains("RequireAnyClientCert") && error.contains("RequireAndVerifyClientCert"), "{error}");
    }

    /// The parser quotes the lines about a mistake unless it is told not to.
    #[test]
    fn no_secret_is_quoted_beside_a_mistake() {
        for text in [
            "basic_auth_users:\n  ann: SESAME\nbasic_auth_user: {}\n",
            "basic_auth_users: SESAME\n",
            "basic_auth_users: [SESAME]\n",
            "basic_auth_users: {ann: [SESAME]}\n",
            "basic_auth_users:\n  ann: SESAME\n  ann: SESAME\n",
            "basic_auth_users: {ann: 'SESAME\n",
            "basic_auth_users: {ann: \"SESAME\\q\"}\n",
            "tls_server_config:\n  key: |\n    SESAME\n  keyy: 1\n",
            "tls_server_config:\n  key: |\n  SESAME\n",
            "tls_server_config: SESAME\n",
            "basic_auth_users: {ann: !!int SESAME}\n",
            "basic_auth_users: {ann: *SESAME}\n",
            "basic_auth_users: {ann: !!binary SESAME}\n",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("SESAME"), "{text}: {error}");
            assert!(error.contains("line ") || error.contains("htpasswd"), "it is said where: {error}");
        }
    }

    #[test]
    fn a_hash_that_could_never_match_is_refused() {
        let good = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
        assert!(is_bcrypt(good));
        let bad = [
            &good[1..],
            &good[..59],
            "",
            "$2y$10$",
            &format!("x{good}"),
            &format!("{good}$"),
            &good.replace("10", "3"),
        ];
        for bad in bad.into_iter().chain([&*good.replace('Z', "!"), &good.replace("2y", "1")]) {
            assert!(!is_bcrypt(bad), "{bad}");
        }
    }

    #[test]
    fn what_could_not_be_sent_or_waited_for_is_refused() {
        for (text, named) in [
            ("http_server_config: {headers: {X-Frame-Options: sometimes}}", "sameorigin"),
            ("http_server_config: {headers: {Strict-Transport-Security: \"a\\nb\"}}", "Strict-Transport-Security"),
            ("rate_limit: {interval: 18446744073709551615s, burst: 1}", "more than a day"),
            ("tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [c]}", "client_allowed_sans"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
