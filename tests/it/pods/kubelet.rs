//! A container that runs, and what a kubelet and a Prometheus do with it: probes,
//! scrapes, changed files, and the signal at the end.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;

use super::cluster::{Authority, Cluster, list, text, write};
use crate::support::{Exporter, Samples};

/// The password of tests/deploy/values/passwords.yaml.
const PASSWORD: &str = "prometheus:correct horse";

/// A container that runs.
pub(super) struct Pod<'a> {
    exporter: Exporter,
    cluster: &'a Cluster,
    volumes: PathBuf,
}

// === impl Pod ===

impl<'a> Pod<'a> {
    pub(super) const fn new(exporter: Exporter, cluster: &'a Cluster, volumes: PathBuf) -> Self {
        Self { exporter, cluster, volumes }
    }

    pub(super) fn log(&self) -> String {
        self.exporter.log()
    }

    pub(super) fn address(&self) -> &str {
        &self.exporter.address
    }

    fn is_tls(&self) -> bool {
        self.log().contains("tls=true")
    }

    /// An answer as whoever scrapes gets it, with password and client certificate.
    fn get(&self, path: &str) -> (u16, String) {
        let words = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {}\r\nConnection: close\r\n\r\n",
            base64(PASSWORD)
        );
        let mut stream = TcpStream::connect(&self.exporter.address).unwrap();
        let mut answer = Vec::new();
        if self.is_tls() {
            let mut stream = StreamOwned::new(self.client(), stream);
            stream.write_all(words.as_bytes()).unwrap();
            let _ = stream.read_to_end(&mut answer);
        } else {
            stream.write_all(words.as_bytes()).unwrap();
            stream.read_to_end(&mut answer).unwrap();
        }
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn client(&self) -> ClientConnection {
        let Authority { ca, client: (certificate, key), .. } = &self.cluster.authority;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_client_auth_cert(vec![certificate], key).unwrap();
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    /// The metrics, at the path that the arguments say.
    pub(super) fn scrape(&self) -> Samples {
        let mut arguments = list(self.cluster.container(), "/args").iter().filter_map(Value::as_str);
        let path = arguments.find_map(|arg| arg.strip_prefix("--web.telemetry-path="));
        let (status, body) = self.get(path.unwrap_or("/metrics"));
        // Nothing is published in the first moment.
        if status == 200 { Samples::parse(&body) } else { Samples::parse("") }
    }

    pub(super) fn wait_for(&self, what: &str, wanted: impl Fn(&Samples) -> bool) {
        let began = Instant::now();
        while !wanted(&self.scrape()) {
            assert!(began.elapsed() < super::SOON, "{what}\n{}\n{}", self.scrape(), self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Both probes succeed as a kubelet makes them: without a password, whatever the
    /// certificate, and without one of its own.
    pub(super) fn is_probed(&self) {
        for probe in ["livenessProbe", "readinessProbe"] {
            let probe = &self.cluster.container()[probe];
            if probe["tcpSocket"].is_object() {
                assert!(TcpStream::connect(&self.exporter.address).is_ok());
                continue;
            }
            let mut curl = std::process::Command::new("curl");
            let scheme = text(probe, "/httpGet/scheme").to_lowercase();
            let scheme = if scheme.is_empty() { "http" } else { &scheme };
            let address = format!("{scheme}://{}{}", self.exporter.address, text(probe, "/httpGet/path"));
            let output = curl.args(["--silent", "--insecure", "--fail", "--max-time", "5", &address]).output().unwrap();
            assert!(output.status.success(), "{address}: {output:?}\n{}", self.log());
        }
    }

    /// Changes a file of a volume.
    pub(super) fn remount(&self, volume: &str, key: &str, content: &str) {
        write(&self.volumes.join("etc/aws-mfa-exporter").join(volume), key, content);
    }

    /// Kills it, as a node that goes down does.
    pub(super) fn dies(mut self) {
        self.exporter.signal("-KILL");
        self.exporter.wait();
    }

    /// SIGTERM; and it ends well before the kubelet would kill it, with its state kept.
    pub(super) fn stops_in_time(mut self) {
        let grace = self.cluster.pod()["terminationGracePeriodSeconds"].as_u64().unwrap();
        let began = Instant::now();
        self.exporter.signal("-TERM");
        assert_eq!(self.exporter.wait(), Some(0), "{}", self.log());
        assert!(began.elapsed() < Duration::from_secs(grace) / 2, "{:?}", began.elapsed());
        assert!(self.volumes.join("var/lib/aws-mfa-exporter/state.json").exists(), "{}", self.log());
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |chunk: &[u8]| {
        let bits =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_usize, |bits, byte| (bits << 8) | usize::from(*byte));
        let digit = |n: usize| if n <= chunk.len() { char::from(LETTERS[(bits >> (18 - 6 * n)) & 63]) } else { '=' };
        (0..4).map(digit).collect::<String>()
    };
    text.as_bytes().chunks(3).map(digits).collect()
}
