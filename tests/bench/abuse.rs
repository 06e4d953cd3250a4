//! `bench-abuse EXPORTER [SECONDS] [WORD] [AFTER]`: what clients that behave badly cost a scraper
//! that behaves well, beside node_exporter where that is installed.
//!
//! Each row is one attack of SECONDS (15); with WORD, only those whose name contains it.
//! Beside it somebody scrapes four times a second, each time on a new connection, and
//! gives up after ten seconds as Prometheus does. Printed: scrapes lost, the median and the 99th percentile; memory and
//! descriptors of the server before, at the peak, and AFTER seconds (4) after the end. With
//! 600 for AFTER that is what is still not given back after ten minutes, in which a scraper
//! goes on; node_exporter is left out then.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use aws_sim::Sim;
use aws_smithy_types::base64;
use tokio::net::TcpSocket;

use attack::Attack;
use daemon::{Daemon, Failure};

#[path = "attack.rs"]
mod attack;
#[path = "daemon.rs"]
mod daemon;

/// After so long Prometheus gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two scrapes.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the server is given to let go of what it held.
const SETTLED: Duration = Duration::from_secs(4);
/// After so long the exporter has read all that it reads at its start.
const FIRST_PASS: Duration = Duration::from_secs(100);

const PASSWORD: &str = "open sesame";

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-abuse EXPORTER [SECONDS] [WORD] [AFTER]")?;
    let seconds = Duration::from_secs(arguments.next().map_or(Ok(15), |text| text.parse())?);
    let word = arguments.next().unwrap_or_default();
    let after = arguments.next().map_or(Ok(SETTLED), |text| text.parse().map(Duration::from_secs))?;
    let folder = tempfile::tempdir()?;
    let web = folder.path().join("web.yml");
    let users: String = (0..7).map(|n| format!("  {}: '{HASH}'\n", name(n))).collect();
    fs::write(&web, format!("basic_auth_users:\n{users}").replace(HASH, &bcrypt::hash(PASSWORD, 10)?))?;
    let flag = format!("--web.config.file={}", web.display());
    let sim = Sim::start(aws_sim::organization(100))?;
    println!("{HEAD}");
    for attack in ATTACKS.into_iter().filter(|attack| attack.name().contains(&word)) {
        let mut command = daemon::of_organization(&sim, &exporter);
        let guessed = matches!(attack, Attack::Guesses(_));
        if guessed {
            command.arg(&flag);
        }
        let ours = Daemon::start(command)?;
        Victim { name: "exporter", address: ours.address.parse()?, process: ours.pid(), guessed }
            .suffer(attack, seconds, after)?;
        drop(ours);
        if after > SETTLED {
            continue;
        }
        let Some(node) = NodeExporter::start(guessed.then_some(&*flag))? else { continue };
        Victim { name: "node_exporter", address: node.address, process: node.child.id(), guessed }
            .suffer(attack, seconds, after)?;
    }
    Ok(())
}

const HASH: &str = "HASH";

const ATTACKS: [Attack; 13] = [
    Attack::None,
    Attack::Trickle(1_000),
    Attack::Idle(5_000),
    Attack::Idle(10_000),
    Attack::IdleFromMany(10_000),
    Attack::Kept(2_000),
    Attack::Unread(100),
    Attack::Guesses(200),
    Attack::EndlessHeaders(50),
    Attack::Bodies(20),
    Attack::Pipelines(20),
    Attack::PriorKnowledge(200),
    Attack::TlsNoise(200),
];

const HEAD: &str = "\
| attack | server | lost | p50 ms | p99 ms | RSS MiB before, peak, after | descriptors before, peak, after |
| --- | --- | --- | --- | --- | --- | --- |";

/// The users that scrape; only the first has been seen before the attack.
fn name(n: usize) -> String {
    if n == 0 { "prometheus".into() } else { format!("newcomer-{n}") }
}

/// A server that is attacked.
struct Victim {
    name: &'static str,
    address: SocketAddr,
    process: u32,
    guessed: bool,
}

impl Victim {
    fn suffer(&self, attack: Attack, seconds: Duration, after: Duration) -> Result<(), Failure> {
        self.quiet(after.min(FIRST_PASS))?;
        let before = self.size()?;
        let watch = Watch::start(self.process);
        let running = attack.begin(self.address);
        // The first second is the attack's own.
        sleep(Duration::from_secs(1));
        let newcomers = self.guessed.then(|| self.newcomers());
        let (mut took, mut lost, began) = (Vec::new(), 0, Instant::now());
        while began.elapsed() < seconds {
            let at = Instant::now();
            match self.scrape(0, Ipv4Addr::LOCALHOST) {
                Ok(()) => took.push(at.elapsed().as_secs_f64() * 1e3),
                Err(_) => lost += 1,
            }
            sleep(PAUSE);
        }
        let newcomers =
            newcomers.map(|threads| threads.into_iter().map(|t| t.join().unwrap_or(None)).collect::<Vec<_>>());
        drop(running);
        let peak = watch.end();
        self.quiet(after)?;
        let after = self.size()?;
        took.sort_by(f64::total_cmp);
        let at = |share: f64| {
            took.get(((took.len() as f64 * share) as usize).min(took.len().max(1) - 1)).copied().unwrap_or(f64::NAN)
        };
        println!(
            "| {} | {} | {lost} of {} | {:.1} | {:.1} | {:.0}, {:.0}, {:.0} | {}, {}, {} |",
            attack.name(),
            self.name,
            lost + took.len(),
            at(0.5),
            at(0.99),
            before.0,
            peak.0,
            after.0,
            before.1,
            peak.1,
            after.1
        );
        for (n, first) in newcomers.into_iter().flatten().enumerate() {
            let from = if n < 3 { "the attackers' address" } else { "another address" };
            let first = first.map_or("lost".to_owned(), |took| format!("{:.0} ms", took.as_secs_f64() * 1e3));
            println!("| … a scraper not seen before, from {from} | {} | | {first} | | | |", self.name);
        }
        Ok(())
    }

    /// A time in which there is only a scraper.
    fn quiet(&self, time: Duration) -> Result<(), Failure> {
        let began = Instant::now();
        while began.elapsed() < time {
            sleep(SETTLED);
            self.scrape(0, Ipv4Addr::LOCALHOST)?;
        }
        Ok(())
    }

    /// Scrapers that nobody has seen before, three from where the attack comes from
    /// and three from elsewhere; how long each waits for its first answer.
    fn newcomers(&self) -> Vec<thread::JoinHandle<Option<Duration>>> {
        let address = self.address;
        let newcomer = move |n: usize| {
            sleep(Duration::from_secs(2 * n as u64));
            let began = Instant::now();
            let source = if n <= 3 { Ipv4Addr::LOCALHOST } else { Ipv4Addr::new(127, 0, 2, n as u8) };
            scrape(address, Some(n), source).ok().map(|()| began.elapsed())
        };
        (1..7).map(|n| thread::spawn(move || newcomer(n))).collect()
    }

    fn scrape(&self, user: usize, source: Ipv4Addr) -> Result<(), Failure> {
        scrape(self.address, self.guessed.then_some(user), source)
    }

    fn size(&self) -> Result<(f64, usize), Failure> {
        size(self.process)
    }
}

/// One scrape on a connection of its own; an error if no complete answer comes in time.
fn scrape(address: SocketAddr, user: Option<usize>, source: Ipv4Addr) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut stream = connect(address, source)?;
    let credentials = user.map_or(String::new(), |n| {
        format!("Authorization: Basic {}\r\n", base64::encode(format!("{}:{PASSWORD}", name(n))))
    });
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{credentials}\r\n")?;
    let (mut answer, mut part) = (Vec::new(), [0; 64 << 10]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut part)? {
            0 => break,
            read => answer.extend_from_slice(&part[..read]),
        }
    }
    if answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\n") { Ok(()) } else { Err("no answer".into()) }
}

fn connect(address: SocketAddr, source: Ipv4Addr) -> Result<TcpStream, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        tokio::time::timeout(PATIENCE, socket.connect(address)).await?
    })?;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Resident memory in MiB, and open descriptors.
fn size(process: u32) -> Result<(f64, usize), Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no such line")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no value")?.parse()?;
    Ok((kib / 1024.0, fs::read_dir(format!("/proc/{process}/fd"))?.count()))
}

/// Looks at a process ten times a second, and keeps the greatest.
struct Watch {
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<(f64, usize)>,
}

impl Watch {
    fn start(process: u32) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut peak = (0.0_f64, 0);
            while !over.load(Ordering::Relaxed) {
                if let Ok((memory, descriptors)) = size(process) {
                    peak = (peak.0.max(memory), peak.1.max(descriptors));
                }
                sleep(Duration::from_millis(100));
            }
            peak
        });
        Self { ended, thread }
    }

    fn end(self) -> (f64, usize) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// What the field is used to, on a port of its own.
struct NodeExporter {
    child: Child,
    address: SocketAddr,
}

impl NodeExporter {
    /// `None` where it is not installed.
    fn start(flag: Option<&str>) -> Result<Option<Self>, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new("prometheus-node-exporter");
        command.arg(format!("--web.listen-address={address}")).args(flag).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else { return Ok(None) };
        let node = Self { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("node_exporter does not listen".into());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(Some(node))
    }
}

impl Drop for NodeExporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
