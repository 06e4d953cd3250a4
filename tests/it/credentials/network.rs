//! Certificates and proxies: what is trusted, what is passed through, and what is said
//! where that fails.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use aws_sim::Sim;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::{Home, variables::PAGE, world};

/// What a proxy does with whoever wants to go through.
#[derive(Clone, Debug)]
pub enum Says {
    /// It refuses with this status.
    Refuse(u16),
    /// It leads everybody to this address, wherever they want to go.
    Tunnel(String),
    /// The same, for those alone who say that they are `ann` with the password `p@ss`.
    TunnelAnn(String),
    /// It never answers.
    Hang,
}

/// A proxy, which notes where it was to lead.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&heads);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (says, noted) = (says.clone(), Arc::clone(&noted));
                thread::spawn(move || serve(client, &says, &noted));
            }
        });
        Self { address, heads }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it was to lead, request by request.
    pub fn asked(&self) -> Vec<String> {
        let target = |head: String| head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.heads().into_iter().map(target).collect()
    }

    /// The heads of the requests.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(client: TcpStream, says: &Says, noted: &Mutex<Vec<String>>) {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && client.read_line(&mut head).is_ok_and(|read| read > 0) {}
    let (is_tunnel, has_name) = (head.starts_with("CONNECT "), head.to_lowercase().contains("basic yw5uonbac3m="));
    noted.lock().unwrap().push(head.clone());
    let begun = client.buffer().to_vec();
    let mut client = client.into_inner();
    let onward = match says {
        Says::Hang => return thread::sleep(Duration::from_secs(60)),
        Says::Refuse(status) => Err(*status),
        Says::Tunnel(address) => Ok(address),
        Says::TunnelAnn(address) => {
            if has_name {
                Ok(address)
            } else {
                Err(407)
            }
        }
    };
    let address = match onward {
        Err(status) => {
            let _ = write!(client, "HTTP/1.1 {status} No\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nNo");
            return;
        }
        Ok(address) => address,
    };
    let mut server = TcpStream::connect(address).unwrap();
    if is_tunnel {
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
    } else {
        server.write_all(&[head.as_bytes(), &begun].concat()).unwrap();
    }
    join(client, server);
}

/// Copies both ways until either side is done.
fn join(one: TcpStream, other: TcpStream) {
    let (mut from, mut to) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    thread::spawn(move || io::copy(&mut from, &mut to));
    let (mut from, mut to) = (other, one);
    let _ = io::copy(&mut from, &mut to);
}

/// The simulated AWS behind TLS, with a certificate of an authority of its own.
#[derive(Debug)]
pub struct Front {
    pub address: String,
    folder: tempfile::TempDir,
}

impl Front {
    pub fn of(sim: &Sim, names: &[&str]) -> Self {
        Self::with(sim, names, |_| {})
    }

    /// The same, and `change` is made to the certificate.
    fn with(sim: &Sim, names: &[&str], change: impl Fn(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = CertificateDer::from(params.signed_by(&key, &issuer).unwrap());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let behind = sim.endpoint().trim_start_matches("http://").to_owned();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (config, behind) = (Arc::clone(&config), behind.clone());
                thread::spawn(move || terminate(client, config, &behind));
            }
        });
        Self { address, folder }
    }

    /// The file of its authority.
    pub fn authority(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    pub fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.address.rsplit(':').next().unwrap())
    }
}

/// Takes one request a connection, so that no stream is read and written at once.
fn terminate(client: TcpStream, config: Arc<ServerConfig>, behind: &str) -> Option<()> {
    let mut client = StreamOwned::new(ServerConnection::new(config).ok()?, client);
    let (mut request, mut buffer) = (Vec::new(), [0; 8_192]);
    let length = loop {
        let read = client.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = head.to_lowercase();
        let length = header.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            break request.len();
        }
    };
    let mut server = TcpStream::connect(behind).ok()?;
    server.write_all(&request[..length]).ok()?;
    server.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).replacen("\r\n", "\r\nConnection: close\r\n", 1);
    client.write_all(answer.as_bytes()).ok()?;
    client.conn.send_close_notify();
    client.flush().ok()
}

fn tls_home(front: &Front) -> Home {
    Home::empty().keys().with("AWS_ENDPOINT_URL", &front.endpoint())
}

/// An endpoint that answers whoever wants to speak TLS in plain HTTP.
fn without_tls() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            let _ = client.read(&mut [0; 1_024]);
        }
    });
    format!("https://{address}")
}

/// Line 8: each of the names by which people make a tool trust an authority.
#[test]
fn an_authority_that_is_named_is_trusted() {
    let sim = world();
    let front = Front::of(&sim, &["localhost"]);
    let named = |name| tls_home(&front).with(name, &front.authority());
    named("AWS_CA_BUNDLE").check(&[]).passes();
    named("SSL_CERT_FILE").check(&[]).passes();
    tls_home(&front).config(&format!("[default]\nca_bundle = {}\n", front.authority())).check(&[]).passes();
    let home = tls_home(&front).config(&format!("[profile corp]\nca_bundle = {}\n", front.authority()));
    home.with("AWS_PROFILE", "corp").check(&[]).passes();
    // The variable goes before the profile, as for every AWS tool.
    let home = named("AWS_CA_BUNDLE").config("[default]\nca_bundle = /nowhere\n");
    home.check(&[]).passes();
}

/// Line 8: it takes the place of the others, so that a bundle can also forbid.
#[test]
fn a_bundle_is_trusted_alone() {
    let sim = world();
    let (front, other) = (Front::of(&sim, &["localhost"]), Front::of(&sim, &["localhost"]));
    let home = tls_home(&front).with("SSL_CERT_FILE", &front.authority()).with("AWS_CA_BUNDLE", &other.authority());
    home.check(&[]).says("tls", &["reason=unknown_authority"], &["AWS_CA_BUNDLE"]);
}

/// Line 8: what is wrong with a certificate is said, and not "check DNS".
#[test]
fn a_certificate_that_is_not_accepted_is_told_apart_by_why() {
    let sim = world();
    let (past, now) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    let (later, end) = (rcgen::date_time_ymd(2198, 1, 1), rcgen::date_time_ymd(2199, 1, 1));
    let unknown = Front::of(&sim, &["localhost"]);
    let expired = Front::with(&sim, &["localhost"], |params| (params.not_before, params.not_after) = (past, now));
    let future = Front::with(&sim, &["localhost"], |params| (params.not_before, params.not_after) = (later, end));
    let named = Front::of(&sim, &["proxy.example.com"]);
    let client = Front::with(&sim, &["localhost"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let trusting = |front: &Front| tls_home(front).with("AWS_CA_BUNDLE", &front.authority());
    let other = Front::of(&sim, &["localhost"]);
    for (home, reason, remedy) in [
        (tls_home(&unknown).with("SSL_CERT_FILE", &other.authority()), "unknown_authority", "AWS_CA_BUNDLE"),
        (tls_home(&unknown).with("SSL_CERT_FILE", "/nowhere"), "no_authorities_on_this_host", "ca-certificates"),
        (trusting(&expired), "certificate_expired", "compare this host's clock"),
        (trusting(&future), "certificate_not_valid_yet", "compare this host's clock"),
        (trusting(&named), "certificate_for_another_name", "AWS_ENDPOINT_URL"),
        (trusting(&client), "bad_certificate", "which server answers instead of AWS"),
        (Home::empty().keys().with("AWS_ENDPOINT_URL", &without_tls()), "handshake_failed", "should begin with http:"),
    ] {
        let said = format!("GetCallerIdentity: tls reason={reason}");
        home.check(&[]).says("tls", &[&said], &[remedy]);
    }
}

/// Line 8: a file that is no bundle is refused by name, and nothing panics.
#[test]
fn a_bundle_that_is_none_is_refused_by_name() {
    let home = || Home::empty().keys().with("AWS_ENDPOINT_URL", "https://localhost:9");
    let missing = home().with("AWS_CA_BUNDLE", "/nowhere.pem").check(&[]);
    missing.says("invalid_configuration", &["/nowhere.pem", "which AWS_CA_BUNDLE names", "it does not exist"], &[]);
    let named = "[default]\nca_bundle = $HOME/ca.pem\n";
    let wrong = home().config(named).file("ca.pem", "no certificate\n");
    wrong.check(&[]).says(
        "invalid_configuration",
        &["ca_bundle of profile default", "does not hold certificates"],
        &[],
    );
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    home().config(named).file("ca.pem", broken).check(&[]).says(
        "invalid_configuration",
        &["does not hold certificates"],
        &[],
    );
}

/// Line 8: a proxy is a fault of its own, by what it says.
#[test]
fn a_proxy_that_does_not_let_through_is_a_fault_of_its_own() {
    let sim = world();
    let front = Front::of(&sim, &["sts.us-east-1.amazonaws.com", "iam.amazonaws.com"]);
    let home = |proxy: &str| Home::empty().keys().with("HTTPS_PROXY", proxy).with("AWS_CA_BUNDLE", &front.authority());
    let refusing = |status| Proxy::start(Says::Refuse(status)).url();
    home(&refusing(407)).check(&[]).says(
        "proxy",
        &["reason=proxy_wants_authentication"],
        &["user and the password in HTTPS_PROXY"],
    );
    home(&refusing(403)).check(&[]).says("proxy", &["reason=proxy_refused"], &["CONNECT", "NO_PROXY"]);
    home("http://127.0.0.1:9").check(&[]).says("proxy", &["reason=proxy_not_reached"], &["correct HTTPS_PROXY"]);
    let report = home("http://ann:s3cret word@127.0.0.1:9").check(&[]);
    report.says("invalid_configuration", &["HTTPS_PROXY does not hold the URL of an HTTP proxy"], &["%-escapes"]);
    assert!(!report.text.contains("s3cret"), "{}", report.text);
    home(&Proxy::start(Says::Hang).url()).check(&[]).says("timeout", &["GetCallerIdentity: timeout"], &["proxy"]);
    let asking = Proxy::start(Says::TunnelAnn(front.address.clone()));
    let named = asking.url().replace("http://", "http://ann:p%40ss@");
    home(&named).check(&[]).passes();
    home(&asking.url()).check(&[]).says("proxy", &["reason=proxy_wants_authentication"], &[]);
}

/// Line 8: an endpoint without TLS, as a VPC endpoint or a stand-in for AWS may have, goes
/// through `HTTP_PROXY`.
#[test]
fn a_proxy_of_plain_http_is_a_fault_of_its_own_too() {
    let sim = world();
    let address = sim.endpoint().trim_start_matches("http://").to_owned();
    let home = |proxy: &Proxy| Home::at(&sim).keys().with("HTTP_PROXY", &proxy.url());
    let report = home(&Proxy::start(Says::Refuse(407))).check(&[]);
    report.says("proxy", &["reason=proxy_wants_authentication status=407"], &["HTTPS_PROXY"]);
    let passing = Proxy::start(Says::Tunnel(address));
    home(&passing).check(&[]).passes();
    assert!(!passing.asked().is_empty());
}

/// Line 8: the page has no reason that no test has seen. That it lacks none, every test
/// sees that meets one.
#[test]
fn the_page_has_no_reason_that_is_never_given() {
    let reasons: Vec<_> = PAGE.split("`reason=").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert!(reasons.len() >= 9, "{reasons:?}");
    for reason in reasons {
        assert!(include_str!("network.rs").contains(&format!("{reason}\"")), "{reason}");
    }
}

/// Line 8: `NO_PROXY`, and lower case.
#[test]
fn what_no_proxy_names_is_reached_without_one() {
    let sim = world();
    let proxy = Proxy::start(Says::Refuse(403));
    for (name, no) in [("HTTP_PROXY", "NO_PROXY"), ("http_proxy", "no_proxy"), ("ALL_PROXY", "NO_PROXY")] {
        let home = Home::at(&sim).keys().with(name, &proxy.url());
        assert_eq!(home.with(no, "example.com, 127.0.0.0/8").check(&[]).code, Some(0), "{name}");
    }
    assert_eq!(proxy.asked(), [] as [String; 0]);
}

/// A proxy would be handed the credentials of the host: neither the instance nor the
/// agent is asked through it.
#[test]
fn metadata_services_are_never_asked_through_a_proxy() {
    let sim = world();
    for home in [Home::at(&sim).on_an_instance(&sim), Home::at(&sim).beside_an_agent(&sim)] {
        let proxy = Proxy::start(Says::Tunnel(sim.endpoint().trim_start_matches("http://").to_owned()));
        home.with("HTTP_PROXY", &proxy.url()).check(&[]).passes();
        let asked = proxy.asked();
        assert!(!asked.is_empty(), "AWS itself is asked through it");
        assert!(!asked.iter().any(|url| url.contains("/latest/") || url.contains("/credentials")), "{asked:?}");
    }
    assert!(sim.total("InstanceCredentials") > 0 && sim.total("ContainerCredentials") > 0);
}
