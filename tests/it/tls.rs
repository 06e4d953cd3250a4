//! TLS and passwords over real sockets, with a certificate authority made for
//! each test.

use std::{
    fs,
    io::{Read, Write},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use aws_mfa_exporter::http::Limits;
use rcgen::SanType;

use crate::{
    harness::{Authority, Server, Setting, ask_on, dns, is_cut},
    support::Response,
};

const ANN: &str = "Authorization: Basic YW5uOm9wZW4gc2VzYW1l\r\n";

/// The status of a GET and the server's certificate; `None` for who is kept out.
fn get(authority: &Authority, server: &Server, client: Option<&str>) -> Option<(u16, Vec<u8>)> {
    let (answer, certificate) = authority.get(server.address, client, "/metrics")?;
    Some((answer.status, certificate))
}

const PLAIN_TLS: &str = "tls_server_config: {cert_file: server.pem, key_file: server.key}";

#[test]
fn a_rotated_certificate_is_shown_and_a_broken_one_is_not() {
    let authority = Authority::new();
    let server = authority.serve(PLAIN_TLS);
    assert_eq!(get(&authority, &server, None).unwrap().0, 200);
    let second = authority.issue("server", dns("localhost"));
    authority.expect(server.address, &second);
    fs::write(authority.path("server.key"), "no key").unwrap();
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(get(&authority, &server, None), Some((200, second)), "the last good one stays in force");
    let third = authority.issue("server", dns("localhost"));
    authority.expect(server.address, &third);
}

/// A handshake costs memory from its first byte on, so there may be fewer of those at once
/// than connections; for a new one the oldest of the crowd leaves.
#[test]
fn handshakes_that_do_not_go_on_keep_nobody_out() {
    let authority = Authority::new();
    let limits = Limits { conversations: 8, ..Limits::default() };
    let web_config = Some(authority.configure(PLAIN_TLS));
    let server = Server::start(Setting { web_config, ..Setting::limited(limits) });
    let mut crowd: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for stream in &mut crowd {
        stream.write_all(b"\x16\x03\x01\x02\x00").unwrap();
    }
    server.wait_until("they are in", || server.refused("address") >= 14);
    for _ in 0..10 {
        assert_eq!(get(&authority, &server, None).unwrap().0, 200);
    }
}

/// Certificates are often put in place after the configuration that names them.
#[test]
fn a_certificate_that_comes_after_its_configuration_is_found() {
    let authority = Authority::new();
    let server = authority.serve(PLAIN_TLS);
    authority.configure("tls_server_config: {cert_file: next.pem, key_file: next.key}");
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(get(&authority, &server, None).unwrap().0, 200, "the old one stays in force until then");
    let next = authority.issue("next", dns("localhost"));
    authority.expect(server.address, &next);
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
    authority.take_in(&stranger, "stranger");
    let server = authority.serve(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
         client_auth_type: RequireAndVerifyClientCert\n  \
         client_allowed_sans: [prometheus.example, 192.0.2.7, 'spiffe://example/prometheus', ops@example.com]\n",
    );
    for welcome in ["dns", "address", "uri", "mail"] {
        assert!(get(&authority, &server, Some(welcome)).is_some(), "{welcome}");
    }
    for outsider in [None, Some("below"), Some("beside"), Some("stranger")] {
        assert!(get(&authority, &server, outsider).is_none(), "{outsider:?}");
    }
}

#[test]
fn a_version_that_is_switched_off_is_not_spoken() {
    let authority = Authority::new();
    let server = authority.serve(
        "tls_server_config: {cert_file: server.pem, key_file: server.key, max_version: TLS12, \
         cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]}",
    );
    let mut stream = authority.connect(server.address, None);
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
    assert_eq!(get(&authority, &server, None).unwrap().0, 200);
    server.stop();
    assert!(server.wait() < Duration::from_secs(2), "nothing was asked on the silent connection");
    drop(silent);
}

#[test]
fn a_scrape_under_way_over_tls_is_finished() {
    let authority = Authority::new();
    let mut server = authority.serve(PLAIN_TLS);
    server.publish(16 << 20);
    let mut stream = authority.connect(server.address, None);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.flush().unwrap();
    thread::sleep(Duration::from_millis(300));
    server.stop();
    let answer = Response::read(&mut stream);
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
    assert_eq!(answers[0].header("www-authenticate"), Some("Basic"));
    for answer in &answers {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-frame-options"), Some("deny"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(server.answered("429"), 1);
}

/// A `Basic` header.
fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", aws_smithy_types::base64::encode(format!("{user}:{password}")))
}

/// A server that asks four users for passwords of this cost.
fn asking(authority: &Authority, cost: u32) -> Server {
    let hash = bcrypt::hash("open sesame", cost).unwrap();
    authority.serve(&format!("basic_auth_users: {{ann: '{hash}', bob: '{hash}', cid: '{hash}', dot: '{hash}'}}\n"))
}

/// Clients that each try one password after the other, for as long as `meanwhile` runs.
fn besieged<T>(server: &Server, clients: usize, meanwhile: impl FnOnce() -> T) -> T {
    let (over, under_way) = (&AtomicBool::new(false), &AtomicUsize::new(0));
    thread::scope(|scope| {
        // Also where `meanwhile` fails: the scope waits for every client.
        let _end = OnDrop(|| over.store(true, Ordering::Relaxed));
        for client in 0..clients {
            scope.spawn(move || {
                for guess in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut stream = server.connect();
                    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                    let header = basic("ann", &format!("{client}-{guess}"));
                    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n").unwrap();
                    under_way.fetch_add(usize::from(guess == 0), Ordering::Relaxed);
                    while !over.load(Ordering::Relaxed) {
                        match stream.read(&mut [0; 1_024]) {
                            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                            _ => break,
                        }
                    }
                }
            });
        }
        while under_way.load(Ordering::Relaxed) < clients {
            thread::sleep(Duration::from_millis(10));
        }
        meanwhile()
    })
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// A flood of wrong passwords costs a hash each, one after the other. Who has
/// been let in before is not to wait behind them.
#[test]
fn guesses_do_not_hold_up_who_is_known() {
    let authority = Authority::new();
    let server = asking(&authority, 8);
    assert_eq!(server.ask_with("GET /-/healthy", ANN).status, 200);
    let took = besieged(&server, 20, || {
        let began = Instant::now();
        (0..5).for_each(|_| assert_eq!(server.ask_with("GET /-/healthy", ANN).status, 200));
        began.elapsed()
    });
    assert!(took < Duration::from_millis(500), "{took:?}");
}

/// Nor is a scraper that comes for the first time, from the same address or another, whenever
/// it comes: two hundred waiting clients once took all of its ten seconds.
#[test]
fn guesses_do_not_hold_up_a_newcomer_for_long() {
    let authority = Authority::new();
    // As many checks as waited made 30 seconds.
    let server = asking(&authority, 11);
    let newcomers =
        [("ann", [127, 0, 0, 1]), ("bob", [127, 0, 8, 1]), ("cid", [127, 0, 0, 1]), ("dot", [127, 0, 0, 1])];
    let took = besieged(&server, 100, || {
        newcomers.map(|(user, source)| {
            thread::sleep(Duration::from_millis(300));
            let began = Instant::now();
            let answer = ask_on(&mut server.connect_from(source.into()), "GET /metrics", &basic(user, "open sesame"));
            assert_eq!(answer.status, 200, "{user}");
            began.elapsed()
        })
    });
    assert!(took.iter().all(|took| *took < Duration::from_secs(5)), "{took:?}");
}

/// A scraper gives up after ten seconds. What it was waiting for is found out all the same.
#[test]
fn a_check_that_nobody_waits_for_any_more_is_remembered() {
    let authority = Authority::new();
    let server = asking(&authority, 12);
    let mut hasty = server.connect();
    write!(hasty, "GET /metrics HTTP/1.1\r\nHost: x\r\n{ANN}\r\n").unwrap();
    thread::sleep(Duration::from_millis(50));
    drop(hasty);
    // A check takes a good fraction of a second, and this waits for the end of it.
    assert_eq!(server.ask_with("GET /metrics", ANN).status, 200);
    let began = Instant::now();
    assert_eq!(server.ask_with("GET /metrics", ANN).status, 200);
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
}

/// The same wrong password costs one check: a scraper that is configured wrongly is no flood.
#[test]
fn a_wrong_password_is_remembered_until_it_is_right() {
    let authority = Authority::new();
    let server = asking(&authority, 10);
    let wrong = basic("ann", "new password");
    assert_eq!(server.ask_with("GET /metrics", &wrong).status, 401);
    let began = Instant::now();
    (0..20).for_each(|_| assert_eq!(server.ask_with("GET /metrics", &wrong).status, 401));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(server.refused("unauthorized"), 21);
    let hash = bcrypt::hash("new password", 4).unwrap();
    authority.configure(&format!("basic_auth_users: {{ann: '{hash}'}}\n"));
    server.wait_until("the new one is taken over", || server.ask_with("GET /metrics", &wrong).status == 200);
}

/// How long an answer takes tells nobody which users there are, whatever their hashes cost.
#[test]
fn a_user_that_is_not_there_takes_as_long_as_one_that_is() {
    let authority = Authority::new();
    let server = asking(&authority, 11);
    let guess = |user: &str, n: usize| {
        let began = Instant::now();
        assert_eq!(server.ask_with("GET /metrics", &basic(user, &format!("guess {n}"))).status, 401);
        began.elapsed().as_secs_f64()
    };
    // By turns, so that both meet what else the machine does.
    let (known, unknown): (Vec<_>, Vec<_>) = (0..9).map(|n| (guess("ann", n), guess("nobody", n))).unzip();
    let [known, unknown] = [known, unknown].map(|mut took| {
        took.sort_by(f64::total_cmp);
        took[4]
    });
    assert!((0.5..2.0).contains(&(known / unknown)), "{known} s, {unknown} s");
}

#[test]
fn certificates_that_nobody_verifies_are_taken_or_asked_for() {
    let authority = Authority::new();
    let stranger = Authority::new();
    stranger.issue("stranger", dns("anybody.example"));
    authority.take_in(&stranger, "stranger");
    for (auth, without) in [("RequestClientCert", true), ("RequireAnyClientCert", false), ("RequireClientCert", false)]
    {
        for version in ["TLS12", "TLS13"] {
            let server = authority.serve(&format!(
                "tls_server_config: {{cert_file: server.pem, key_file: server.key, client_auth_type: {auth}, \
                 max_version: {version}}}"
            ));
            assert!(get(&authority, &server, Some("stranger")).is_some(), "{auth} {version}");
            assert_eq!(get(&authority, &server, None).is_some(), without, "{auth} {version}");
        }
    }
}

/// Somebody begins a handshake and leaves it at that.
#[test]
fn a_handshake_has_to_come_to_an_end() {
    let authority = Authority::new();
    let limits = Limits { headers: Duration::from_millis(300), ..Limits::default() };
    let web_config = Some(authority.configure(PLAIN_TLS));
    let server = Server::start(Setting { limits, web_config, ..Setting::default() });
    let mut half = server.connect();
    half.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    let began = Instant::now();
    assert!(is_cut(&mut half) && began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut plain = server.connect();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(is_cut(&mut plain));
    server.wait_until("both are counted", || server.refused("handshake") == 2);
    assert_eq!(server.refused("headers"), 0);
    let mut silent = authority.connect(server.address, None);
    silent.conn.complete_io(&mut silent.sock).unwrap();
    let began = Instant::now();
    assert!(is_cut(&mut silent.sock) && began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // It has shaken hands, and asks nothing.
    server.wait_until("it is counted", || server.refused("headers") == 1);
}

/// When the certificates expire, and whether the last change could be used.
#[test]
fn the_metrics_tell_when_certificates_expire_and_whether_they_were_taken_over() {
    let authority = Authority::new();
    let until = |year: i32| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params
    };
    authority.issue_as("server", until(2031));
    let mutual = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, \
                  client_auth_type: VerifyClientCertIfGiven}";
    let server = authority.serve(mutual);
    let value = |name: &str, label: &str| {
        let families = server.metrics.gather();
        let family = families.iter().find(|family| family.name() == format!("aws_mfa_exporter_web_{name}"))?;
        let of = |metric: &&prometheus::proto::Metric| metric.get_label().iter().all(|pair| pair.value() == label);
        Some(family.get_metric().iter().find(of)?.get_gauge().get_value())
    };
    let expiry = || value("certificate_expiry_timestamp_seconds", "server");
    assert_eq!(expiry(), Some(1_924_992_000.0));
    assert!(value("certificate_expiry_timestamp_seconds", "client_ca").unwrap() > 1_924_992_000.0);
    assert_eq!(value("config_last_reload_successful", ""), Some(1.0));
    let first = value("config_last_reload_success_timestamp_seconds", "").unwrap();
    fs::write(authority.path("server.key"), "no key").unwrap();
    server.wait_until("it is noticed", || value("config_last_reload_successful", "") == Some(0.0));
    assert_eq!(expiry(), Some(1_924_992_000.0), "the last good one stays in force");
    authority.issue_as("server", until(2032));
    server.wait_until("it is taken over", || expiry() == Some(1_956_528_000.0));
    assert_eq!(value("config_last_reload_successful", ""), Some(1.0));
    assert!(value("config_last_reload_success_timestamp_seconds", "").unwrap() > first);
    authority.configure(PLAIN_TLS);
    server.wait_until("no client CA", || value("certificate_expiry_timestamp_seconds", "client_ca").is_none());
    let plain = Server::start(Setting::default());
    assert!(!plain.metrics.gather().iter().any(|family| family.name().contains("_web_")), "absent where there is none");
}
