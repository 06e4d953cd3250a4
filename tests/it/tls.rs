//! TLS and passwords over real sockets, with a certificate authority made for
//! each test.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use crate::http::{Answer, Server, Setting};

const ANN: &str = "Authorization: Basic YW5uOm9wZW4gc2VzYW1l\r\n";

/// A change is taken over within this.
const SOON: Duration = Duration::from_secs(8);

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let authority = Self { issuer, folder };
        authority.issue("server", SanType::DnsName("localhost".try_into().unwrap()));
        authority
    }

    /// Writes NAME.pem and NAME.key; answers with the certificate.
    fn issue(&self, name: &str, san: SanType) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(san);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, text: &str) {
        fs::write(self.path("web.yml"), text).unwrap();
    }

    fn serve(&self, text: &str) -> Server {
        self.configure(text);
        let server = Server::start(Setting { web_config: Some(self.path("web.yml")), ..Setting::default() });
        server.publish(10);
        server
    }

    fn connect(&self, server: &Server, client: Option<&str>) -> Stream {
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
        StreamOwned::new(connection, server.connect())
    }

    /// The status of a GET and the server's certificate; `None` for who is kept out.
    fn get(&self, server: &Server, client: Option<&str>) -> Option<(u16, Vec<u8>)> {
        let mut stream = self.connect(server, client);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let certificate = stream.conn.peer_certificates()?.first()?.to_vec();
        (!bytes.is_empty()).then(|| (Answer::parse(&bytes).status, certificate))
    }

    /// Asks until the server shows `certificate`.
    fn expect(&self, server: &Server, certificate: &[u8]) {
        let began = Instant::now();
        while self.get(server, None).is_none_or(|(_, shown)| shown != certificate) {
            assert!(began.elapsed() < SOON, "the new certificate is never shown");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn localhost() -> SanType {
    SanType::DnsName("localhost".try_into().unwrap())
}

const PLAIN_TLS: &str = "tls_server_config: {cert_file: server.pem, key_file: server.key}";

#[test]
fn a_rotated_certificate_is_shown_and_a_broken_one_is_not() {
    let authority = Authority::new();
    let server = authority.serve(PLAIN_TLS);
    assert_eq!(authority.get(&server, None).unwrap().0, 200);
    let second = authority.issue("server", localhost());
    authority.expect(&server, &second);
    fs::write(authority.path("server.key"), "no key").unwrap();
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(authority.get(&server, None), Some((200, second)), "the last good one stays in force");
    let third = authority.issue("server", localhost());
    authority.expect(&server, &third);
}

/// Certificates are often put in place after the configuration that names them.
#[test]
fn a_certificate_that_comes_after_its_configuration_is_found() {
    let authority = Authority::new();
    let server = authority.serve(PLAIN_TLS);
    authority.configure("tls_server_config: {cert_file: next.pem, key_file: next.key}");
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(authority.get(&server, None).unwrap().0, 200, "the old one stays in force until then");
    let next = authority.issue("next", localhost());
    authority.expect(&server, &next);
}

#[test]
fn names_of_every_kind_are_compared_whole() {
    let authority = Authority::new();
    let address = "192.0.2.7".parse().unwrap();
    for (name, san) in [
        ("dns", SanType::DnsName("prometheus.example".try_into().unwrap())),
        ("address", SanType::IpAddress(address)),
        ("uri", SanType::URI("spiffe://example/prometheus".try_into().unwrap())),
        ("mail", SanType::Rfc822Name("ops@example.com".try_into().unwrap())),
        ("below", SanType::DnsName("a.prometheus.example".try_into().unwrap())),
        ("beside", SanType::DnsName("prometheus.example.evil".try_into().unwrap())),
    ] {
        authority.issue(name, san);
    }
    let stranger = Authority::new();
    stranger.issue("stranger", SanType::DnsName("prometheus.example".try_into().unwrap()));
    for file in ["stranger.pem", "stranger.key"] {
        fs::copy(stranger.path(file), authority.path(file)).unwrap();
    }
    let server = authority.serve(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
         client_auth_type: RequireAndVerifyClientCert\n  \
         client_allowed_sans: [prometheus.example, 192.0.2.7, 'spiffe://example/prometheus', ops@example.com]\n",
    );
    for welcome in ["dns", "address", "uri", "mail"] {
        assert!(authority.get(&server, Some(welcome)).is_some(), "{welcome}");
    }
    for outsider in [None, Some("below"), Some("beside"), Some("stranger")] {
        assert!(authority.get(&server, outsider).is_none(), "{outsider:?}");
    }
}

#[test]
fn a_version_that_is_switched_off_is_not_spoken() {
    let authority = Authority::new();
    let server = authority.serve(
        "tls_server_config: {cert_file: server.pem, key_file: server.key, max_version: TLS12, \
         cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]}",
    );
    let mut stream = authority.connect(&server, None);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.flush().unwrap();
    stream.read_exact(&mut [0; 8]).unwrap();
    assert_eq!(stream.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
    let suite = stream.conn.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
}

/// Plain requests to a TLS port, and half-open handshakes.
#[test]
fn who_speaks_no_tls_is_sent_away_and_holds_up_nothing() {
    let authority = Authority::new();
    let mut server = authority.serve(PLAIN_TLS);
    let mut plain = server.connect();
    plain.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.windows(4).any(|four| four == b"HTTP"));
    let silent = server.connect();
    assert_eq!(authority.get(&server, None).unwrap().0, 200);
    server.stop();
    assert!(server.wait() < Duration::from_secs(2), "nothing was asked on the silent connection");
    drop(silent);
}

#[test]
fn a_scrape_under_way_over_tls_is_finished() {
    let authority = Authority::new();
    let mut server = authority.serve(PLAIN_TLS);
    server.publish(16 << 20);
    let mut stream = authority.connect(&server, None);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.flush().unwrap();
    thread::sleep(Duration::from_millis(300));
    server.stop();
    let answer = Answer::read(&mut stream);
    assert_eq!(answer.header("content-length").unwrap().parse(), Ok(answer.body.len()));
}

#[test]
fn refusals_carry_the_headers_of_every_answer() {
    let authority = Authority::new();
    let hash = bcrypt::hash("open sesame", 4).unwrap();
    let server = authority.serve(&format!(
        "basic_auth_users: {{ann: '{hash}'}}\nrate_limit: {{interval: 1h, burst: 2}}\n\
         http_server_config: {{headers: {{X-Frame-Options: deny}}}}\n"
    ));
    let answers = [server.ask("GET /metrics"), server.ask_with("GET /metrics", ANN), server.ask("GET /metrics")];
    assert_eq!([answers[0].status, answers[1].status, answers[2].status], [401, 200, 429]);
    assert_eq!(answers[0].header("www-authenticate"), Some("basic"));
    for answer in &answers {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-frame-options"), Some("deny"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(server.requests.with_label_values(&["429"]).get(), 1);
}

/// A flood of wrong passwords costs a hash each, one after the other. Who has
/// been let in before is not to wait behind them.
#[test]
fn guesses_do_not_hold_up_who_is_known() {
    let authority = Authority::new();
    let hash = bcrypt::hash("open sesame", 8).unwrap();
    let server = authority.serve(&format!("basic_auth_users: {{ann: '{hash}'}}\n"));
    assert_eq!(server.ask_with("GET /-/healthy", ANN).status, 200);
    thread::scope(|scope| {
        for guess in 0..20 {
            let server = &server;
            scope.spawn(move || {
                let guess = aws_smithy_types::base64::encode(format!("bob:{guess}"));
                let header = format!("Authorization: Basic {guess}\r\n");
                assert_eq!(server.ask_with("GET /-/healthy", &header).status, 401);
            });
        }
        thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        assert_eq!(server.ask_with("GET /-/healthy", ANN).status, 200);
        assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    });
}
