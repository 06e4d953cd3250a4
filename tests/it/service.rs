//! What a service manager and a container's engine see: the notify protocol, over
//! its real socket, and `healthcheck`.

use std::{
    fs,
    io::ErrorKind,
    os::unix::net::UnixDatagram,
    process::{Command, Output},
    time::{Duration, Instant},
};

use aws_sim::Sim;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tempfile::TempDir;

use crate::support::{Exporter, KEY, healthy, sim};

/// The socket on which systemd listens to a unit.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    /// Starts the exporter as systemd does, with a watchdog of a minute.
    fn start(&self, sim: &Sim, flags: &[&str]) -> Exporter {
        let path = self.folder.path().join("notify").display().to_string();
        let endpoint = sim.endpoint();
        Exporter::with_environment(
            flags,
            &[
                ("AWS_ENDPOINT_URL", &endpoint),
                ("AWS_ACCESS_KEY_ID", KEY),
                ("AWS_SECRET_ACCESS_KEY", "x"),
                ("NOTIFY_SOCKET", &path),
                ("WATCHDOG_USEC", "60000000"),
            ],
        )
    }

    /// The next message; nothing when none comes for as long.
    fn hear(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut message = [0; 4_096];
        match self.socket.recv(&mut message) {
            Ok(length) => Some(String::from_utf8(message[..length].to_vec()).unwrap()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message that says `wanted`.
    fn hear_of(&self, wanted: &str) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        while let Some(message) =
            self.hear(until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
        {
            if message.contains(wanted) {
                return message;
            }
        }
        panic!("the service manager is not told {wanted}");
    }
}

#[test]
fn a_service_manager_is_told_ready_once_a_scrape_is_answered_and_fed_by_the_tick() {
    let (manager, sim) = (Manager::new(), sim(healthy()));
    let exporter = manager.start(&sim, &[]);
    assert!(manager.hear_of("READY=1").contains("STATUS=Serving."));
    assert_eq!(exporter.get("/metrics").status, 200);
    for _ in 0..3 {
        assert_eq!(manager.hear(Duration::from_secs(5)).as_deref(), Some("WATCHDOG=1\n"));
    }
    exporter.signal("-STOP");
    while manager.hear(Duration::from_secs(2)).is_some() {}
    assert_eq!(manager.hear(Duration::from_secs(3)), None, "an exporter that stands still feeds nobody");
    exporter.signal("-CONT");
    manager.hear_of("WATCHDOG=1");
}

#[test]
fn a_service_manager_is_told_of_a_reload_of_one_that_fails_and_of_the_end() {
    let (manager, sim) = (Manager::new(), sim(healthy()));
    let file = manager.folder.path().join("config.yml");
    fs::write(&file, "# nothing\n").unwrap();
    let mut exporter = manager.start(&sim, &[&format!("--config.file={}", file.display())]);
    manager.hear_of("READY=1");
    exporter.signal("-HUP");
    let reloading = manager.hear_of("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "systemd 253 and later wants the time: {reloading}");
    assert!(manager.hear_of("READY=1").contains("STATUS=Serving.\n"));
    fs::write(&file, "acounts: []\n").unwrap();
    exporter.signal("-HUP");
    assert!(manager.hear_of("READY=1").contains("last good configuration"));
    exporter.signal("-TERM");
    manager.hear_of("STOPPING=1");
    assert_eq!(exporter.wait(), Some(0));
}

#[test]
fn without_a_service_manager_nothing_is_told_and_one_that_is_gone_does_no_harm() {
    let (manager, sim) = (Manager::new(), sim(healthy()));
    fs::remove_file(manager.folder.path().join("notify")).unwrap();
    let exporter = manager.start(&sim, &[]);
    exporter.expect("IAM.9", "passed");
    assert!(!exporter.log().contains("panicked"), "{}", exporter.log());
}

fn healthcheck(url: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    command.args(["healthcheck", "--url", url]).env_clear().envs(environment.iter().copied());
    command.output().unwrap()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_healthy_exporter_passes_the_healthcheck_and_one_that_is_gone_does_not() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    let url = format!("http://{}/-/healthy", exporter.address);
    let output = healthcheck(&url, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    drop(exporter);
    let said = complaint(&healthcheck(&url, &[]));
    assert!(said.contains(&url) && said.contains("refused"), "{said}");
}

#[test]
fn an_exporter_that_stands_still_fails_the_healthcheck_in_time() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.signal("-STOP");
    let began = Instant::now();
    let said = complaint(&healthcheck(&format!("http://{}/-/healthy", exporter.address), &[]));
    assert!(said.contains("did not answer within 5 seconds") && began.elapsed() < Duration::from_secs(8), "{said}");
}

#[test]
fn any_answer_but_200_fails_the_healthcheck_and_is_shown() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    let said = complaint(&healthcheck(&format!("http://{}/-/no-such", exporter.address), &[]));
    assert!(said.contains("404"), "{said}");
    for url in ["localhost", "127.0.0.1:10045", "ftp://localhost/"] {
        let output = healthcheck(url, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("as http://127.0.0.1:10045/-/healthy"), "{said}");
    }
}

#[test]
fn the_healthcheck_verifies_a_certificate_by_the_given_authorities() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    fs::write(at("cert.pem"), params.signed_by(&key, &own).unwrap().pem()).unwrap();
    fs::write(at("key.pem"), key.serialize_pem()).unwrap();
    fs::write(at("ca.pem"), own.pem()).unwrap();
    fs::write(at("web.yml"), "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n").unwrap();
    let sim = sim(healthy());
    let flags = [format!("--web.config.file={}", at("web.yml"))];
    let exporter = Exporter::listening(
        &[&flags[0]],
        &[("AWS_ENDPOINT_URL", &sim.endpoint()), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")],
    );
    let url = format!("https://localhost:{}/-/healthy", exporter.address.rsplit(':').next().unwrap());
    let output = healthcheck(&url, &[("SSL_CERT_FILE", &at("ca.pem"))]);
    assert!(output.status.success(), "{output:?}");
    let said = complaint(&healthcheck(&url, &[("SSL_CERT_FILE", &at("cert.pem"))]));
    assert!(said.contains("certificate"), "{said}");
}

/// Over a restart with socket activation there is always somebody who asks too early.
#[test]
fn who_asks_before_the_first_exposition_is_there_waits_for_it() {
    let sim = sim(healthy());
    let endpoint = sim.endpoint();
    for _ in 0..10 {
        let environment =
            [("AWS_ENDPOINT_URL", &*endpoint), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")];
        let exporter = Exporter::listening(&[], &environment);
        assert_eq!(exporter.get("/metrics").status, 200);
    }
}
