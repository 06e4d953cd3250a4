//! The web configuration at work, in the real binary: TLS, client certificates,
//! passwords, a rate limit, and a file that changes under it.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;

use crate::support::{Exporter, request};

/// Certificates in a folder, all from one authority.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Writes NAME.pem and NAME.key for a certificate of `san`.
    fn issue(&self, name: &str, san: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![san.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, text: &str) {
        fs::write(self.path("web.yml"), text).unwrap();
    }

    fn exporter(&self) -> Exporter {
        start(&self.path("web.yml"))
    }

    /// A GET over TLS, with a client certificate or without; `None` when the
    /// connection is refused.
    fn get(&self, exporter: &Exporter, client: Option<&str>) -> Option<(String, Vec<u8>)> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let certificate = CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(&exporter.address).unwrap());
        let mut answer = String::new();
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let _ = stream.read_to_string(&mut answer);
        let certificate = stream.conn.peer_certificates()?.first()?.to_vec();
        answer.starts_with("HTTP/1.1 200").then_some((answer, certificate))
    }
}

/// Behind a password or TLS there is no plain question whether it is ready.
fn start(file: &Path) -> Exporter {
    let flag = format!("--web.config.file={}", file.display());
    Exporter::listening(&[&flag], &[])
}

#[test]
fn tls_and_a_certificate_that_is_rotated_under_it() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    authority.config("tls_server_config: {cert_file: server.pem, key_file: server.key}");
    let exporter = authority.exporter();
    assert!(exporter.log().contains("tls=true"), "{}", exporter.log());
    let (_, first) = authority.get(&exporter, None).unwrap();
    authority.issue("server", "localhost");
    thread::sleep(Duration::from_secs(3));
    let (_, second) = authority.get(&exporter, None).unwrap();
    assert_ne!(first, second, "{}", exporter.log());
    fs::write(authority.path("server.key"), "no key").unwrap();
    thread::sleep(Duration::from_secs(3));
    let (_, third) = authority.get(&exporter, None).unwrap();
    assert_eq!(second, third, "the last good one stays in force");
    assert!(exporter.log().contains("the private key is not PEM"), "{}", exporter.log());
}

#[test]
fn clients_without_a_good_certificate_stay_outside() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    authority.issue("prometheus", "prometheus.example");
    authority.issue("other", "other.prometheus.example");
    let stranger = Authority::new();
    stranger.issue("stranger", "prometheus.example");
    for file in ["stranger.pem", "stranger.key"] {
        fs::copy(stranger.path(file), authority.path(file)).unwrap();
    }
    authority.config(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example]\n",
    );
    let exporter = authority.exporter();
    assert!(authority.get(&exporter, Some("prometheus")).is_some(), "{}", exporter.log());
    for outsider in [None, Some("other"), Some("stranger")] {
        assert!(authority.get(&exporter, outsider).is_none(), "{outsider:?}");
    }
}

#[test]
fn passwords_are_asked_for_and_headers_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    let hash = bcrypt::hash("open sesame", 4).unwrap();
    fs::write(
        &file,
        format!("basic_auth_users: {{ann: '{hash}'}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny}}}}\n"),
    )
    .unwrap();
    let exporter = start(&file);
    let ask = |credentials: &str| {
        let header = if credentials.is_empty() {
            String::new()
        } else {
            format!("Authorization: Basic {}\r\n", aws_smithy_types::base64::encode(credentials))
        };
        request(&exporter.address, &format!("GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n"))
    };
    for wrong in ["", "ann:", "ann:open", "bob:open sesame", ":", "annopen"] {
        let refused = ask(wrong);
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Basic")), "{wrong}");
    }
    for _ in 0..2 {
        let welcome = ask("ann:open sesame");
        assert_eq!((welcome.status, welcome.header("x-frame-options")), (200, Some("deny")));
    }
    assert!(!exporter.log().contains("sesame") && !exporter.log().contains(&hash));
    fs::write(&file, "basic_auth_users: {bob: 'nonsense'}\n").unwrap();
    thread::sleep(Duration::from_secs(3));
    assert_eq!([ask("ann:open sesame").status, ask("").status], [200, 401], "a broken file changes nothing");
    assert!(exporter.log().contains("htpasswd"), "and is reported: {}", exporter.log());
    fs::write(&file, format!("basic_auth_users: {{bob: '{hash}'}}\n")).unwrap();
    thread::sleep(Duration::from_secs(3));
    assert_eq!([ask("ann:open sesame").status, ask("bob:open sesame").status], [401, 200], "a user was revoked");
}

#[test]
fn a_rate_limit_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    fs::write(&file, "rate_limit: {interval: 300ms, burst: 2}\n").unwrap();
    let exporter = start(&file);
    let codes: Vec<_> = (0..4).map(|_| exporter.get("/-/healthy").status).collect();
    assert_eq!(codes[..2], [200, 200]);
    assert_eq!(codes[3], 429, "{codes:?}");
    thread::sleep(Duration::from_millis(400));
    assert_eq!(exporter.get("/-/healthy").status, 200);
}

#[test]
fn a_file_that_cannot_be_used_ends_the_start_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    for (text, named) in [
        ("tls_server_config: {cert_file: gone.pem, key_file: gone.key}", "gone.key"),
        ("tls_server_confg: {}", "tls_server_confg"),
        ("basic_auth_users: {ann: hunter2}", "htpasswd"),
    ] {
        fs::write(&file, text).unwrap();
        let mut exporter = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        exporter.args(["--web.listen-address=127.0.0.1:0", &format!("--web.config.file={}", file.display())]);
        let output = exporter.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains(named) && !said.contains("hunter2"), "{said}");
    }
}

/// The example is good for promtool and for us.
#[test]
fn promtool_agrees_on_the_example() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    authority.issue("prometheus", "prometheus.example");
    for (from, to) in [("server.pem", "server.crt"), ("ca.pem", "ca.crt")] {
        fs::copy(authority.path(from), authority.path(to)).unwrap();
    }
    authority.config(include_str!("../../deploy/web-config.example.yml"));
    let output =
        Command::new("promtool").args(["check", "web-config"]).arg(authority.path("web.yml")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let exporter = authority.exporter();
    assert!(authority.get(&exporter, Some("prometheus")).is_some() && authority.get(&exporter, None).is_none());
}
