//! The file behind `--web.config.file`, in the format of the Prometheus exporter
//! toolkit: TLS, client certificates, passwords, headers, a rate limit.
//!
//! Read strictly: a misspelt key would leave a port open that its owner believes
//! closed. What the toolkit can and this server cannot do (TLS before 1.2,
//! P-521) is refused by name, not passed over; deploy/web.md lists it.
//! Secrets appear neither in errors nor in debug output.

mod tls;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::config::{
    mistake::{Mistake, Mistakes},
    yaml::{Given, Quoting, read},
};
use tls::FileTls;
pub use tls::{CIPHER_SUITES, CURVES, ClientAuth, Tls};

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
    /// What is in force otherwise than somebody might think.
    pub warnings: Vec<String>,
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
    /// It says what cannot be used.
    #[error(fmt = in_place)]
    Wrong(Mistakes),
}

fn in_place(mistakes: &Mistakes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    mistakes.after("the web configuration cannot be used", f)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Given<FileTls>,
    http_server_config: Given<FileHttp>,
    basic_auth_users: Given<BTreeMap<String, Secret>>,
    rate_limit: Given<FileRate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileHttp {
    http2: Given<bool>,
    headers: Given<BTreeMap<String, String>>,
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

impl WebConfig {
    /// Reads the text of the file called `name`, which lies in `folder`.
    ///
    /// # Errors
    /// When it is not of the documented form; else with all that is wrong in it.
    pub fn parse(text: &str, name: &str, folder: &Path) -> Result<Self, WebConfigError> {
        let wrong = |list| WebConfigError::Wrong(Mistakes::unquoted(name, list));
        // The lines about a mistake may well hold a hash or a private key: the place has to do.
        let file: File = read(text, Quoting::Forbidden).map_err(|mistake| wrong(vec![mistake]))?;
        let mut check = Check::default();
        let tls = file.tls_server_config.0.and_then(|tls| tls.check(folder, &mut check));
        let headers = file.http_server_config.0.unwrap_or_default().check(&mut check);
        let users = file.basic_auth_users.0.unwrap_or_default();
        users.iter().for_each(|(name, Secret(hash))| check_hash(name, hash, &mut check));
        let rate_limit = file.rate_limit.0.and_then(|rate| rate.check(&mut check));
        let Check { mistakes, warnings } = check;
        if mistakes.is_empty() {
            return Ok(Self { tls, headers, users, rate_limit, warnings });
        }
        Err(wrong(mistakes.into_iter().map(Mistake::nowhere).collect()))
    }
}

/// What was found wrong so far, and what may surprise.
#[derive(Default)]
struct Check {
    mistakes: Vec<String>,
    warnings: Vec<String>,
}

impl Check {
    fn wrong(&mut self, what: impl Into<String>) {
        self.mistakes.push(what.into());
    }
}

impl FileHttp {
    fn check(self, check: &mut Check) -> Vec<(String, String)> {
        if self.http2.0 == Some(true) {
            check.warnings.push(
                "http_server_config.http2 is true, and this exporter speaks HTTP/1.1 only. Clients that can do both \
                 use HTTP/1.1."
                    .to_owned(),
            );
        }
        let headers = self.headers.0.unwrap_or_default();
        for (name, value) in &headers {
            if !HEADERS.contains(&name.as_str()) {
                let known = HEADERS.join(", ");
                check.wrong(format!("http_server_config.headers: {name} cannot be set; write one of {known}"));
            }
            if !is_header_value(name, value) {
                check.wrong(format!(
                    "http_server_config.headers: the value of {name} cannot be sent; X-Frame-Options takes deny or \
                     sameorigin, X-Content-Type-Options takes nosniff, and all take a line of visible characters"
                ));
            }
        }
        // Nothing is what the toolkit calls unset.
        headers.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// What the toolkit lets through, and what can be sent at all.
fn is_header_value(name: &str, value: &str) -> bool {
    match name {
        _ if value.is_empty() => true,
        "X-Frame-Options" => ["deny", "sameorigin"].contains(&value.to_ascii_lowercase().as_str()),
        "X-Content-Type-Options" => value.eq_ignore_ascii_case("nosniff"),
        _ => value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
    }
}

/// The greatest cost of a hash. One step more doubles the time, and this takes seconds.
const MOST_COST: u32 = 16;

fn check_hash(name: &str, hash: &str, check: &mut Check) {
    match cost(hash) {
        None => check.wrong(format!(
            "basic_auth_users: the value for {name:?} is not a bcrypt hash; make one with htpasswd -nBC 10 NAME"
        )),
        Some(cost) if cost > MOST_COST => check.wrong(format!(
            "basic_auth_users: the hash for {name:?} has a cost of {cost}, so a scrape would take minutes; make a \
             hash of cost 10 with htpasswd -nBC 10 NAME"
        )),
        Some(_) => {}
    }
}

/// `$2a$`, `$2b$` or `$2y$`, two digits of cost, and 53 characters of its own
/// base64. A hash that is cut or mistyped would lock its user out silently.
fn cost(hash: &str) -> Option<u32> {
    let parts: Vec<_> = hash.split('$').collect();
    let ["", "2a" | "2b" | "2y", cost, rest] = parts[..] else { return None };
    let is_own = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    let is_hash = cost.len() == 2 && rest.len() == 53 && rest.bytes().all(is_own);
    cost.parse().ok().filter(|cost| is_hash && (4..=31).contains(cost))
}

/// Beyond a day between requests it is a mistake, and beyond some centuries the
/// arithmetic of waiting ends.
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

impl FileRate {
    fn check(self, check: &mut Check) -> Option<RateLimit> {
        if self.interval == "0" || self.burst == 0 && self.interval.starts_with("0s") {
            return None;
        }
        match humantime::parse_duration(&self.interval) {
            Ok(interval) if interval.is_zero() => None,
            Ok(interval) if interval > LONGEST_INTERVAL => {
                check
                    .wrong(format!("rate_limit.interval: {:?} is more than a day between two requests", self.interval));
                None
            }
            Ok(interval) => Some(RateLimit { per_second: interval.as_secs_f64().recip(), burst: self.burst.max(1) }),
            Err(_) => {
                check
                    .wrong(format!("rate_limit.interval: {:?} is not a duration; write for example 1s", self.interval));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WebConfig, String> {
        WebConfig::parse(text, "web.yml", Path::new("/etc/web")).map_err(|error| error.to_string())
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
        assert!(
            error.contains("web.yml:2:1: \"basic_auth_user\" is not a key here. Did you mean basic_auth_users?"),
            "{error}"
        );
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_no_secret() {
        let error = parse(
            "tls_server_config:\n  cert_file: a\n  client_ca_file: b\n  min_version: TLS10\n  curve_preferences: [CurveP521]\n  \
             cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\nhttp_server_config: {headers: {X-Powered-By: us}}\n\
             basic_auth_users: {ann: hunter2}\n",
        )
        .unwrap_err();
        for part in [
            "key or key_file",
            "client_auth_type",
            "TLS10",
            "CurveP521",
            "CBC_SHA",
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
    fn what_is_done_otherwise_than_somebody_might_think_is_told() {
        let config = parse("http_server_config: {http2: true}\n").unwrap();
        assert!(config.warnings.concat().contains("HTTP/1.1 only"), "{config:?}");
        assert!(parse("http_server_config: {http2: false}\n").unwrap().warnings.is_empty());
        for (name, auth, may_name) in [
            ("RequestClientCert", ClientAuth::Requested, false),
            ("RequireAnyClientCert", ClientAuth::RequiredAny, true),
            ("RequireClientCert", ClientAuth::RequiredAny, true),
        ] {
            let tls = format!("cert_file: a, key_file: b, client_auth_type: {name}");
            let config = parse(&format!("tls_server_config: {{{tls}}}")).unwrap();
            assert!(config.warnings.concat().contains("without verifying it"), "{config:?}");
            assert_eq!(config.tls.unwrap().client_auth, auth);
            let named = parse(&format!("tls_server_config: {{{tls}, client_allowed_sans: [c]}}"));
            assert_eq!(named.is_ok(), may_name, "{name}");
        }
        let if_given = "cert_file: a, key_file: b, client_ca_file: c, client_auth_type: VerifyClientCertIfGiven";
        let error = parse(&format!("tls_server_config: {{{if_given}, client_allowed_sans: [c]}}")).unwrap_err();
        assert!(error.contains("must show a certificate"), "{error}");
        let unset = parse("http_server_config: {headers: {X-Frame-Options: \"\"}}").unwrap();
        assert!(unset.headers.is_empty());
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for (key, told) in [
            ("prefer_server_cipher_suites: false", "prefer_server_cipher_suites cannot be false here"),
            ("client_auth_type: RequireAndVerifyClientCert", "needs a client_ca_file"),
            ("client_auth_type: VerifyClientCertIfGiven", "needs a client_ca_file"),
            ("client_auth_type: VerifyClientCert", "write one of NoClientCert"),
            ("min_version: TLS13, max_version: TLS12", "min_version is above max_version"),
            ("max_version: TLS11", "\"TLS11\" is not supported"),
            ("curve_preferences: [X25519, CurveP521]", "\"CurveP521\" is not supported"),
            ("cert: c", "give cert or cert_file, not both"),
        ] {
            let error = parse(&format!("tls_server_config: {{cert_file: a, key_file: b, {key}}}")).unwrap_err();
            assert!(error.contains(told), "{key}: {error}");
        }
        assert!(parse("tls_server_config: {cert_file: a, key_file: b, prefer_server_cipher_suites: true}").is_ok());
    }

    /// A port whose owner believes it closed would be open.
    #[test]
    fn a_key_without_a_value_is_no_wish_for_nothing() {
        for text in
            ["tls_server_config:\n", "basic_auth_users:\n", "rate_limit:\n", "http_server_config:\n  headers:\n"]
        {
            assert!(parse(text).unwrap_err().contains("this key has no value"), "{text}");
        }
        assert!(parse("tls_server_config: {}\n").unwrap_err().contains("cert or cert_file is missing"));
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
            "SESAME: x\n",
            "basic_auth_users: {}\nSESAME: x\n",
            "tls_server_config: {SESAME: x}\n",
            "- SESAME\n",
            "SESAME\n",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("SESAME"), "{text}: {error}");
            let is_placed = error.split(':').nth(2).is_some_and(|line| line.parse::<u32>().is_ok());
            assert!(is_placed || error.contains("htpasswd"), "it is said where: {error}");
        }
    }

    #[test]
    fn a_hash_that_could_never_match_is_refused() {
        let good = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
        assert_eq!(cost(good), Some(10));
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
            assert_eq!(cost(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_could_not_be_sent_or_waited_for_is_refused() {
        for (text, named) in [
            ("http_server_config: {headers: {X-Frame-Options: sometimes}}", "sameorigin"),
            ("http_server_config: {headers: {Strict-Transport-Security: \"a\\nb\"}}", "Strict-Transport-Security"),
            ("basic_auth_users: {ann: $2y$17$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}", "a cost of 17"),
            ("rate_limit: {interval: 18446744073709551615s, burst: 1}", "more than a day"),
            ("tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [c]}", "client_allowed_sans"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
