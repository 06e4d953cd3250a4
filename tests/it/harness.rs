//! The web server alone, with what it serves in the test's hand: no process, no AWS, so
//! that hundreds of connections and short limits cost nothing. And certificates, from an
//! authority of the test's own.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use aws_mfa_exporter::{
    clock::Clock,
    exposition::{Encoder, Exposition},
    http::{Landing, Limits, Pages, Reload, Site, guard::Guard, listen, paths::Paths, serve},
    metrics::exporter_metrics::ExporterMetrics,
};
use prometheus::{Gauge, core::Collector};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};

use crate::support::Response;

pub type Published = watch::Sender<Option<Arc<Exposition>>>;

/// A running server. It ends with the test.
pub struct Server {
    pub address: SocketAddr,
    pub metrics: ExporterMetrics,
    published: Published,
    clock: Clock,
    stop: Option<oneshot::Sender<()>>,
    stopped: Mutex<mpsc::Receiver<Duration>>,
}

/// What a server is started with.
pub struct Setting {
    pub limits: Limits,
    pub max_age: Duration,
    pub web_config: Option<PathBuf>,
    pub paths: Paths,
    pub landing: Box<dyn Fn() -> Landing + Send + Sync>,
    pub reload: Option<Reload>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_age: Duration::from_secs(60),
            web_config: None,
            paths: Paths::new("/metrics", None, None),
            landing: Box::new(|| Landing { html: "<p>hello".into(), policy: "default-src 'none'".into() }),
            reload: None,
        }
    }
}

impl Setting {
    pub fn limited(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

impl Server {
    /// A server that has published something.
    pub fn start(setting: Setting) -> Self {
        let server = Self::silent(setting);
        server.publish(10);
        server
    }

    /// A server that has published nothing yet.
    pub fn silent(setting: Setting) -> Self {
        let (published, exposition) = watch::channel(None);
        Self::over(Clock::new(), published, exposition, setting)
    }

    /// Serves what is sent to `published`, by the test or by the exporter's own tasks.
    pub fn over(
        clock: Clock,
        published: Published,
        exposition: watch::Receiver<Option<Arc<Exposition>>>,
        setting: Setting,
    ) -> Self {
        let listeners = listen::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let (stop, stopping) = oneshot::channel::<()>();
        let (done, stopped) = mpsc::channel();
        let metrics = ExporterMetrics::new(false).unwrap();
        let guard = setting.web_config.map(|path| Arc::new(Guard::new(path, clock, metrics.clone()).unwrap()));
        let site = Site {
            exposition,
            paths: setting.paths,
            landing: Pages::new(setting.landing),
            clock,
            max_age: setting.max_age,
            metrics: metrics.clone(),
            reload: setting.reload,
            reloading: Arc::default(),
            guard,
        };
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let mut asked = Instant::now();
            let shutdown = async {
                let _ = stopping.await;
                asked = Instant::now();
            };
            runtime.block_on(serve(listeners, site, setting.limits, shutdown)).unwrap();
            let _ = done.send(asked.elapsed());
        });
        Self { address, metrics, published, clock, stop: Some(stop), stopped: Mutex::new(stopped) }
    }

    pub fn publish(&self, bytes: usize) {
        self.published.send_replace(Some(Arc::new(exposition(bytes, self.clock))));
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A connection from another of the host's own addresses.
    pub fn connect_from(&self, source: Ipv4Addr) -> TcpStream {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind((source, 0).into()).unwrap();
            socket.connect(self.address).await.unwrap()
        });
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// One request on a connection of its own, and its answer.
    pub fn ask(&self, line: &str) -> Response {
        self.ask_with(line, "")
    }

    pub fn ask_with(&self, line: &str, headers: &str) -> Response {
        ask_on(&mut self.connect(), line, headers)
    }

    /// Asks for the metrics until they are answered with this status.
    pub fn wait_for(&self, what: &str, status: u16) {
        self.wait_until(what, || self.ask("GET /metrics").status == status);
    }

    pub fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(30), "{what}: it never is so");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many refusals of this reason were counted.
    pub fn refused(&self, reason: &str) -> u64 {
        self.metrics.http_refusals().with_label_values(&[reason]).get()
    }

    /// How many answers of this code were counted.
    pub fn answered(&self, code: &str) -> u64 {
        self.metrics.http_requests().with_label_values(&[code]).get()
    }

    pub fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// How long it took from the call of `stop`.
    pub fn wait(&self) -> Duration {
        self.stopped.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

/// One request on `stream`, and its answer.
pub fn ask_on(stream: &mut TcpStream, line: &str, headers: &str) -> Response {
    write!(stream, "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    Response::read(stream)
}

pub fn exposition(bytes: usize, clock: Clock) -> Exposition {
    let half = |name: &str, help: String| {
        let mut encoder = Encoder::default();
        encoder.family(&Gauge::new(name, help).unwrap().collect()[0]).unwrap();
        encoder
    };
    let head = half("padding", "x".repeat(bytes.max(1))).head();
    Exposition::new(&head, &half("own", "ExporterMetrics.".into()).tail(), clock.now())
}

/// Whether the server has closed the connection, or does so within the stream's patience.
pub fn is_cut(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// Certificates in a folder, all from one authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Authority {
    /// An authority that has issued `server.pem` and `server.key` for localhost.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let authority = Self { issuer, folder };
        authority.issue("server", dns("localhost"));
        authority
    }

    /// Writes NAME.pem and NAME.key; answers with the certificate.
    pub fn issue(&self, name: &str, san: SanType) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(san);
        self.issue_as(name, params)
    }

    pub fn issue_as(&self, name: &str, params: CertificateParams) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    }

    /// Lays the certificate of a stranger beside those of the authority.
    pub fn take_in(&self, stranger: &Self, name: &str) {
        for file in [format!("{name}.pem"), format!("{name}.key")] {
            fs::copy(stranger.path(&file), self.path(&file)).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes web.yml.
    pub fn configure(&self, text: &str) -> PathBuf {
        fs::write(self.path("web.yml"), text).unwrap();
        self.path("web.yml")
    }

    pub fn serve(&self, text: &str) -> Server {
        Server::start(Setting { web_config: Some(self.configure(text)), ..Setting::default() })
    }

    pub fn connect(&self, address: SocketAddr, client: Option<&str>) -> Stream {
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
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        StreamOwned::new(connection, stream)
    }

    /// The answer to a GET and the server's certificate; `None` for who is kept out.
    pub fn get(&self, address: SocketAddr, client: Option<&str>, path: &str) -> Option<(Response, Vec<u8>)> {
        let mut stream = self.connect(address, client);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let certificate = stream.conn.peer_certificates()?.first()?.to_vec();
        (!bytes.is_empty()).then(|| (Response::parse(&bytes), certificate))
    }

    /// Asks until the server shows `certificate`.
    pub fn expect(&self, address: SocketAddr, certificate: &[u8]) {
        let began = Instant::now();
        while self.get(address, None, "/metrics").is_none_or(|(_, shown)| shown != certificate) {
            // A change is taken over within some seconds.
            assert!(began.elapsed() < Duration::from_secs(8), "the new certificate is never shown");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}
