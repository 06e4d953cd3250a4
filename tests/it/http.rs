//! The web server alone, over real sockets, with what it serves in the test's
//! hand: no process, no AWS, so that hundreds of connections and short limits
//! cost nothing.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use aws_mfa_exporter::{
    clock::Clock,
    exposition::{Encoder, Encoding, Exposition, Format},
    http::{Landing, Limits, Site, guard::Guard, listen::ListenAddr, serve},
};
use prometheus::{Gauge, IntCounterVec, Opts, core::Collector};
use tokio::sync::{Semaphore, oneshot, watch};

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub requests: IntCounterVec,
    published: watch::Sender<Option<Arc<Exposition>>>,
    clock: Clock,
    stop: Option<oneshot::Sender<()>>,
    stopped: Mutex<mpsc::Receiver<Duration>>,
}

/// What a server is started with.
pub struct Setting {
    pub limits: Limits,
    pub max_age: Duration,
    pub slots: Option<usize>,
    pub web_config: Option<std::path::PathBuf>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { limits: Limits::default(), max_age: Duration::from_secs(60), slots: None, web_config: None }
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Server {
    pub fn start(setting: Setting) -> Self {
        let listener = "127.0.0.1:0".parse::<ListenAddr>().unwrap().bind().unwrap();
        let address = listener.local_addr().unwrap();
        let (published, exposition) = watch::channel(None);
        let (stop, stopping) = oneshot::channel::<()>();
        let (done, stopped) = mpsc::channel();
        let clock = Clock::new();
        let requests = IntCounterVec::new(Opts::new("requests_total", "R."), &["code"]).unwrap();
        let site = Site {
            exposition,
            telemetry_path: "/metrics".into(),
            landing: Arc::new(|| Landing { html: "<p>hello".into(), policy: "default-src 'none'".into() }),
            clock,
            max_age: setting.max_age,
            slots: setting.slots.map(|slots| Arc::new(Semaphore::new(slots))),
            requests: requests.clone(),
            reload: None,
            guard: setting.web_config.map(|path| Arc::new(Guard::new(path, clock).unwrap())),
        };
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let mut asked = None;
            let shutdown = async {
                let _ = stopping.await;
                asked = Some(Instant::now());
            };
            runtime.block_on(serve(vec![listener], site, setting.limits, shutdown)).unwrap();
            let _ = done.send(asked.unwrap().elapsed());
        });
        Self { address, requests, published, clock, stop: Some(stop), stopped: Mutex::new(stopped) }
    }

    pub fn publish(&self, bytes: usize) {
        self.published.send_replace(Some(Arc::new(exposition(bytes, self.clock))));
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// One request on a connection of its own, and its answer.
    pub fn ask(&self, line: &str) -> Answer {
        self.ask_with(line, "")
    }

    pub fn ask_with(&self, line: &str, headers: &str) -> Answer {
        let mut stream = self.connect();
        write!(stream, "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
        Answer::read(&mut stream)
    }

    pub fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// How long it took from the call of `stop`.
    pub fn wait(&self) -> Duration {
        self.stopped.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

impl Answer {
    pub fn read(stream: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Self::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("{bytes:?}"));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: bytes[end + 4..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn exposition(bytes: usize, clock: Clock) -> Exposition {
    let half = |name: &str, help: String| {
        let mut encoder = Encoder::default();
        encoder.family(&Gauge::new(name, help).unwrap().collect()[0]).unwrap();
        encoder
    };
    let head = half("padding", "x".repeat(bytes.max(1))).head();
    Exposition::new(&head, &half("own", "ExporterMetrics.".into()).tail(), clock.now())
}

fn is_cut(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn each_answer_says_what_it_is_and_is_not_to_be_kept() {
    let server = Server::start(Setting::default());
    server.publish(10);
    for (line, status) in
        [("GET /metrics", 200), ("GET /", 200), ("GET /-/healthy", 200), ("GET /x", 404), ("POST /metrics", 405)]
    {
        let answer = server.ask(line);
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{line}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{line}");
        assert_eq!(answer.header("content-length").unwrap().parse(), Ok(answer.body.len()), "{line}");
    }
    assert_eq!(server.ask("POST /metrics").header("allow"), Some("get, head"));
    assert_eq!(server.ask("GET /metrics").header("vary"), Some("accept, accept-encoding"));
    assert_eq!(server.requests.with_label_values(&["200"]).get(), 4);
}

#[test]
fn a_head_tells_the_length_of_the_get_and_sends_nothing() {
    let server = Server::start(Setting::default());
    server.publish(1_000);
    let (get, head) = (server.ask("GET /metrics"), server.ask("HEAD /metrics"));
    assert!(head.body.is_empty());
    assert_eq!(get.header("content-length"), head.header("content-length"));
}

#[test]
fn gzip_says_the_same_in_both_formats() {
    let server = Server::start(Setting::default());
    server.publish(100_000);
    for accept in ["text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"] {
        let plain = server.ask_with("GET /metrics", &format!("Accept: {accept}\r\n"));
        let packed = server.ask_with("GET /metrics", &format!("Accept: {accept}\r\nAccept-Encoding: gzip\r\n"));
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert!(packed.body.len() < 2_000 && plain.body.len() > 100_000);
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*packed.body).read_to_end(&mut text).unwrap();
        assert_eq!(text, plain.body);
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let server = Server::start(Setting::default());
    server.publish(10);
    let mut stream = server.connect();
    let request = |path: &str, close: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n");
    let all = [request("/-/healthy", ""), request("/-/ready", ""), request("/nowhere", "Connection: close\r\n")];
    stream.write_all(all.concat().as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let [healthy, ready, lost] = ["Healthy", "Ready", "Nothing is at /nowhere"].map(|word| text.find(word).unwrap());
    assert!(healthy < ready && ready < lost);
}

#[test]
fn nonsense_is_refused_and_harms_nobody() {
    let server = Server::start(Setting::default());
    for nonsense in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nA: \0\r\n\r\n", "\x16\x03\x01\x02\x00\x01\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(nonsense.as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut stream).status, 400, "{nonsense:?}");
    }
    assert!([414, 431].contains(&server.ask(&format!("GET /{}", "x".repeat(40_000))).status));
    assert_eq!(server.ask_with("GET /", &format!("A: {}\r\n", "x".repeat(40_000))).status, 431);
    assert_eq!(server.ask("GET /-/healthy").status, 200);
}

#[test]
fn headers_that_never_end_are_not_waited_for() {
    let limits = Limits { headers: Duration::from_millis(300), ..Limits::default() };
    let server = Server::start(Setting { limits, ..Setting::default() });
    let mut stream = server.connect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(200) {
        stream.write_all(b"GET / HTTP/1.1\r\nA: b\r\n").unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    assert!(is_cut(&mut stream) && began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_client_that_stops_reading_is_cut_and_its_slot_freed() {
    let limits = Limits { stall: Duration::from_millis(500), ..Limits::default() };
    let server = Server::start(Setting { limits, slots: Some(1), ..Setting::default() });
    server.publish(64 << 20);
    let mut idle = server.connect();
    idle.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(200));
    let refused = server.ask("GET /metrics");
    assert!(refused.status == 503 && refused.text().contains("--web.max-requests"), "{refused:?}");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(server.ask("HEAD /metrics").status, 200);
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    assert!(rest.len() < 64 << 20);
}

#[test]
fn what_is_too_old_is_not_served() {
    let server = Server::start(Setting { max_age: Duration::from_millis(300), ..Setting::default() });
    assert_eq!([server.ask("GET /-/ready").status, server.ask("GET /metrics").status], [503, 503]);
    assert_eq!(server.ask("GET /-/healthy").status, 200, "it has only just started");
    server.publish(10);
    assert_eq!(server.ask("GET /metrics").status, 200);
    thread::sleep(Duration::from_millis(400));
    assert_eq!([server.ask("GET /metrics").status, server.ask("GET /-/healthy").status], [503, 503]);
    server.publish(10);
    assert_eq!([server.ask("GET /metrics").status, server.ask("GET /-/healthy").status], [200, 200]);
}

#[test]
fn connections_over_the_limit_wait_their_turn() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Server::start(Setting { limits, ..Setting::default() });
    let first = server.connect();
    thread::sleep(Duration::from_millis(100));
    let address = server.address;
    let second = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        Answer::read(&mut stream).status
    });
    thread::sleep(Duration::from_millis(200));
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.join().unwrap(), 200);
}

/// A scrape in the middle of its body when the signal comes is sent to its end.
#[test]
fn a_scrape_under_way_is_finished_before_the_server_is_gone() {
    let mut server = Server::start(Setting::default());
    server.publish(64 << 20);
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    server.stop();
    thread::sleep(Duration::from_millis(300));
    assert!(TcpStream::connect(server.address).is_err(), "nobody new is let in");
    let answer = Answer::read(&mut stream);
    assert_eq!(answer.header("content-length").unwrap().parse(), Ok(answer.body.len()));
    assert!(server.wait() < Duration::from_secs(4));
}

/// Who has connected when the end is asked for is answered, let in already or not.
/// A scrape was once reset by it.
#[test]
fn who_waits_at_the_door_is_answered_too() {
    for _ in 0..20 {
        let mut server = Server::start(Setting::default());
        let mut waiting: Vec<_> = (0..30).map(|_| server.connect()).collect();
        for stream in &mut waiting {
            stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        }
        server.stop();
        assert!(waiting.iter_mut().all(|stream| Answer::read(stream).status > 0));
    }
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let mut server = Server::start(Setting::default());
    let mut idle = server.connect();
    let mut kept = server.connect();
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(200));
    server.stop();
    assert!(server.wait() < Duration::from_secs(2));
    assert!(is_cut(&mut idle) && is_cut(&mut kept));
}

#[test]
fn a_client_that_holds_up_the_end_is_cut_after_the_grace() {
    let mut server = Server::start(Setting::default());
    server.publish(64 << 20);
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    server.stop();
    let took = server.wait();
    assert!((4..8).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn an_exposition_has_its_length_in_every_form() {
    let exposition = exposition(5_000, Clock::new());
    for format in [Format::Text, Format::OpenMetrics] {
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let body = exposition.body(format, encoding);
            assert_eq!(body.length, body.frames.concat().len() as u64);
        }
    }
}
