//! The web configuration at work, in the real binary: TLS, client certificates,
//! passwords, a rate limit, and a file that changes under it.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use crate::{
    harness::{Authority, dns},
    support::{Exporter, request},
};

/// An exporter with what was configured last.
fn exporter(authority: &Authority) -> Exporter {
    start(&authority.path("web.yml"))
}

/// A GET over TLS that was answered with 200: the server's certificate.
fn get(authority: &Authority, exporter: &Exporter, client: Option<&str>) -> Option<Vec<u8>> {
    let answer = authority.get(exporter.address.parse().unwrap(), client, "/-/healthy");
    answer.filter(|(answer, _)| answer.status == 200).map(|(_, certificate)| certificate)
}

/// Behind a password or TLS there is no plain question whether it is ready.
fn start(file: &Path) -> Exporter {
    let flag = format!("--web.config.file={}", file.display());
    Exporter::listening(&[&flag], &[])
}

#[test]
fn tls_and_a_certificate_that_is_rotated_under_it() {
    let authority = Authority::new();
    authority.configure("tls_server_config: {cert_file: server.pem, key_file: server.key}");
    let exporter = exporter(&authority);
    assert!(exporter.log().contains("tls=true"), "{}", exporter.log());
    let first = get(&authority, &exporter, None).unwrap();
    authority.issue("server", dns("localhost"));
    thread::sleep(Duration::from_secs(3));
    let second = get(&authority, &exporter, None).unwrap();
    assert_ne!(first, second, "{}", exporter.log());
    fs::write(authority.path("server.key"), "no key").unwrap();
    thread::sleep(Duration::from_secs(3));
    let third = get(&authority, &exporter, None).unwrap();
    assert_eq!(second, third, "the last good one stays in force");
    assert!(
        exporter.log().contains("server.key contains neither a certificate nor a private key"),
        "{}",
        exporter.log()
    );
}

#[test]
fn clients_without_a_good_certificate_stay_outside() {
    let authority = Authority::new();
    authority.issue("server", dns("localhost"));
    authority.issue("prometheus", dns("prometheus.example"));
    authority.issue("other", dns("other.prometheus.example"));
    let stranger = Authority::new();
    stranger.issue("stranger", dns("prometheus.example"));
    authority.take_in(&stranger, "stranger");
    authority.configure(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example]\n",
    );
    let exporter = exporter(&authority);
    assert!(get(&authority, &exporter, Some("prometheus")).is_some(), "{}", exporter.log());
    for outsider in [None, Some("other"), Some("stranger")] {
        assert!(get(&authority, &exporter, outsider).is_none(), "{outsider:?}");
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
        ("tls_server_config: {cert_file: gone.pem, key_file: gone.key}", "gone.pem cannot be read"),
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
    authority.issue("server", dns("localhost"));
    authority.issue("prometheus", dns("prometheus.example"));
    for (from, to) in [("server.pem", "server.crt"), ("ca.pem", "ca.crt")] {
        fs::copy(authority.path(from), authority.path(to)).unwrap();
    }
    authority.configure(include_str!("../../deploy/web-config.example.yml"));
    let output =
        Command::new("promtool").args(["check", "web-config"]).arg(authority.path("web.yml")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let exporter = exporter(&authority);
    assert!(get(&authority, &exporter, Some("prometheus")).is_some() && get(&authority, &exporter, None).is_none());
}
