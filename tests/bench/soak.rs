//! `bench-soak EXPORTER [MINUTES] [SECONDS]`: whether anything grows.
//!
//! Two exporters watch a hundred accounts: one asks for passwords, the other speaks TLS.
//! Each is scraped once a second, on a new connection, by a client that gives up after
//! ten seconds and believes no certificate but its authority's. Meanwhile there is
//! another kind of trouble every SECONDS (5): configurations are read again, certificates
//! and web configurations are replaced, and each attack of `bench-abuse`. After each
//! round of these, and some quiet seconds, memory and descriptors are written down. The
//! end is a line through them: a slope by the hour, with its standard error, without the
//! first two rounds, in which the allocator finds its size.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeSet,
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use aws_sim::Sim;
use aws_smithy_types::base64;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use attack::Attack;
use daemon::{Daemon, Failure};

#[path = "attack.rs"]
mod attack;
#[path = "daemon.rs"]
mod daemon;

const PATIENCE: Duration = Duration::from_secs(10);
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the exporters are left alone before they are looked at.
const SETTLED: Duration = Duration::from_secs(8);
const PASSWORD: &str = "open sesame";
/// Rounds that do not count for the slope.
const WARM_UP: usize = 2;

/// What one turn is spent with.
#[derive(Clone, Copy)]
enum Turn {
    Reload,
    Rotate,
    Suffer(Attack),
}

const TURNS: [Turn; 14] = [
    Turn::Suffer(Attack::None),
    Turn::Reload,
    Turn::Rotate,
    Turn::Suffer(Attack::Trickle(200)),
    Turn::Suffer(Attack::Idle(2_000)),
    Turn::Suffer(Attack::IdleFromMany(2_000)),
    Turn::Suffer(Attack::Kept(500)),
    Turn::Suffer(Attack::Unread(50)),
    Turn::Suffer(Attack::Guesses(20)),
    Turn::Suffer(Attack::EndlessHeaders(20)),
    Turn::Suffer(Attack::Bodies(5)),
    Turn::Suffer(Attack::Pipelines(5)),
    Turn::Suffer(Attack::PriorKnowledge(50)),
    Turn::Suffer(Attack::TlsNoise(50)),
];

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-soak EXPORTER [MINUTES] [SECONDS]")?;
    let [minutes, seconds] = [60, 5].map(|default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>()));
    let (end, pause) = (Duration::from_secs(60 * minutes?), Duration::from_secs(seconds?));
    let sim = Sim::start(aws_sim::organization(100))?;
    let files = Files::new()?;
    let subjects = [
        Subject::start("passwords", &sim, &exporter, files.plain(), None)?,
        Subject::start("TLS", &sim, &exporter, files.tls(), Some(files.client()?))?,
    ];
    println!("| minute | exporter | RSS MiB | descriptors | scrapes lost |\n| --- | --- | --- | --- | --- |");
    let began = Instant::now();
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 0.. {
        for turn in TURNS {
            turn.take(round, &subjects, &files, pause)?;
        }
        sleep(SETTLED);
        for (subject, rounds) in subjects.iter().zip(&mut rounds) {
            rounds.push(subject.look(began.elapsed())?);
        }
        if began.elapsed() >= end {
            break;
        }
    }
    for (subject, rounds) in subjects.iter().zip(&rounds) {
        subject.sum_up(rounds);
    }
    let lost: usize = subjects.iter().map(|subject| subject.seen.lock().map_or(1, |seen| seen.lost.len())).sum();
    if lost == 0 { Ok(()) } else { Err(format!("{lost} scrapes were lost").into()) }
}

impl Turn {
    fn name(self) -> String {
        match self {
            Self::Reload => "configurations read again".into(),
            Self::Rotate => "certificates and web configurations replaced".into(),
            Self::Suffer(attack) => attack.name(),
        }
    }

    fn take(self, round: usize, subjects: &[Subject], files: &Files, pause: Duration) -> Result<(), Failure> {
        for subject in subjects {
            subject.seen.lock().map_err(|_| "poisoned")?.turn = self.name();
        }
        let began = Instant::now();
        let mut step = round;
        let _attacks: Vec<_> = match self {
            Self::Suffer(attack) => subjects
                .iter()
                .map(|subject| Ok(attack.begin(subject.daemon.address.parse()?)))
                .collect::<Result<_, Failure>>()?,
            _ => Vec::new(),
        };
        while began.elapsed() < pause {
            step += 1;
            match self {
                Self::Reload => files.reload(step, subjects)?,
                Self::Rotate => files.rotate(step)?,
                Self::Suffer(_) => {}
            }
            sleep(Duration::from_millis(500));
        }
        Ok(())
    }
}

/// What the exporters read: a configuration, web configurations, certificates.
struct Files {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
    hash: String,
}

impl Files {
    fn new() -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let files = Self { folder: tempfile::tempdir()?, authority, hash: bcrypt::hash(PASSWORD, 10)? };
        files.configure(0)?;
        files.rotate(0)?;
        fs::write(files.tls(), "tls_server_config: {cert_file: server.pem, key_file: server.key}\n")?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn plain(&self) -> PathBuf {
        self.path("plain.yml")
    }

    fn tls(&self) -> PathBuf {
        self.path("tls.yml")
    }

    /// Another account is left out each time.
    fn configure(&self, step: usize) -> Result<(), Failure> {
        let text = format!(
            "organization:\n  role_name: aws-mfa-exporter\n  exclude: {{accounts: [\"1{:011}\"]}}\n",
            2 + step % 50
        );
        Ok(fs::write(self.path("config.yml"), text)?)
    }

    fn reload(&self, step: usize, subjects: &[Subject]) -> Result<(), Failure> {
        self.configure(step)?;
        for subject in subjects {
            let id = i32::try_from(subject.daemon.pid())?;
            kill_process(Pid::from_raw(id).ok_or("no process")?, Signal::HUP)?;
        }
        Ok(())
    }

    /// A new certificate with a new key, and one more or one less who may scrape.
    fn rotate(&self, step: usize) -> Result<(), Failure> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &self.authority)?;
        fs::write(self.path("server.pem"), certificate.pem())?;
        fs::write(self.path("server.key"), key.serialize_pem())?;
        let (hash, other) = (&self.hash, step % 7);
        Ok(fs::write(self.plain(), format!("basic_auth_users: {{prometheus: '{hash}', other-{other}: '{hash}'}}\n"))?)
    }

    /// A client that believes the authority alone.
    fn client(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}

/// What a scraper has seen.
#[derive(Default)]
struct Seen {
    turn: String,
    took: Vec<f64>,
    lost: Vec<String>,
    certificates: BTreeSet<Vec<u8>>,
}

/// An exporter that is scraped until this is dropped.
struct Subject {
    name: &'static str,
    daemon: Daemon,
    seen: Arc<Mutex<Seen>>,
    ended: Arc<AtomicBool>,
}

impl Subject {
    fn start(
        name: &'static str,
        sim: &Sim,
        exporter: &str,
        web: PathBuf,
        client: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Failure> {
        let config = web.with_file_name("config.yml");
        let mut command = daemon::command(&sim.endpoint(), exporter);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--web.config.file={}", web.display()));
        let (daemon, seen, ended) = (Daemon::start(command)?, Arc::<Mutex<Seen>>::default(), Arc::default());
        let subject = Self { name, daemon, seen: Arc::clone(&seen), ended: Arc::clone(&ended) };
        let address = subject.daemon.address.clone();
        // The first scrapes come before anything is published.
        while scrape(&address, client.as_ref()).is_err() {
            sleep(Duration::from_millis(100));
        }
        thread::spawn(move || scrape_on(&address, client.as_ref(), &seen, &ended));
        Ok(subject)
    }

    /// Memory and descriptors at this time.
    fn look(&self, at: Duration) -> Result<(f64, [f64; 2]), Failure> {
        let process = self.daemon.pid();
        let (memory, descriptors) = (
            self.daemon.memory("VmRSS")?,
            fs::read_dir(Path::new("/proc").join(process.to_string()).join("fd"))?.count(),
        );
        let lost = self.seen.lock().map_err(|_| "poisoned")?.lost.len();
        println!("| {:.1} | {} | {memory:.1} | {descriptors} | {lost} |", at.as_secs_f64() / 60.0, self.name);
        Ok((at.as_secs_f64() / 3_600.0, [memory * 1_024.0, descriptors as f64]))
    }

    fn sum_up(&self, rounds: &[(f64, [f64; 2])]) {
        let Ok(mut seen) = self.seen.lock() else { return };
        let settled = &rounds[WARM_UP.min(rounds.len())..];
        let line = |n: usize| slope(&settled.iter().map(|(at, values)| (*at, values[n])).collect::<Vec<_>>());
        let ([memory, memory_error], [descriptors, descriptors_error]) = (line(0), line(1));
        seen.took.sort_by(f64::total_cmp);
        let at = |share: f64| seen.took.get((seen.took.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        println!(
            "{}: {} rounds; RSS {memory:+.0} ± {memory_error:.0} KiB/h, descriptors {descriptors:+.1} ± {descriptors_error:.1} an hour; \
             {} of {} scrapes lost, p50 {:.1} ms, p99 {:.1} ms; {} certificates seen",
            self.name,
            rounds.len(),
            seen.lost.len(),
            seen.lost.len() + seen.took.len(),
            at(0.5),
            at(0.99),
            seen.certificates.len()
        );
        seen.lost.iter().for_each(|lost| println!("  lost: {lost}"));
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn scrape_on(address: &str, client: Option<&Arc<ClientConfig>>, seen: &Mutex<Seen>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let began = Instant::now();
        let scraped = scrape(address, client);
        let took = began.elapsed();
        if let Ok(mut seen) = seen.lock() {
            match scraped {
                Ok(certificate) if took < PATIENCE => {
                    seen.took.push(took.as_secs_f64() * 1e3);
                    seen.certificates.extend(certificate);
                }
                Ok(_) => {
                    let lost = format!("{}: it took {took:?}", seen.turn);
                    seen.lost.push(lost);
                }
                Err(error) => {
                    let lost = format!("{}: {error} after {took:?}", seen.turn);
                    seen.lost.push(lost);
                }
            }
        }
        sleep(SCRAPE_INTERVAL.saturating_sub(took));
    }
}

/// One scrape; the certificate that the server showed.
fn scrape(address: &str, client: Option<&Arc<ClientConfig>>) -> Result<Option<Vec<u8>>, Failure> {
    let mut stream = TcpStream::connect_timeout(&address.parse()?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let Some(client) = client else {
        return ask(&mut stream).map(|()| None);
    };
    let connection = ClientConnection::new(Arc::clone(client), "localhost".try_into()?)?;
    let mut stream = StreamOwned::new(connection, stream);
    ask(&mut stream)?;
    Ok(stream.conn.peer_certificates().and_then(|chain| Some(chain.first()?.to_vec())))
}

fn ask(stream: &mut (impl Read + Write)) -> Result<(), Failure> {
    let credentials = base64::encode(format!("prometheus:{PASSWORD}"));
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {credentials}\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let is_whole = answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\n");
    let first = || String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    if is_whole { Ok(()) } else { Err(format!("no whole answer: {:?}", first()).into()) }
}

/// The slope of a line through these points, by least squares, and its standard error.
fn slope(points: &[(f64, f64)]) -> [f64; 2] {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    [slope, (rest / (n - 2.0) / spread).sqrt()]
}
