//! Killed at any moment, between two answers of AWS or in the middle of a write of the
//! state file, the exporter says after its restart only what was so: the real binary,
//! a real disk, and accounts that change meanwhile.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use aws_mfa_exporter::model::time::Timestamp;
use aws_sim::{Account, Role, Scenario, Sim, User};

use crate::support::{Exporter, KEY, Samples, healthy};

const OWN: &str = "000000000001";
const CONTROLS: [&str; 2] = ["IAM.5", "IAM.19"];
const SOON: Duration = Duration::from_secs(30);
/// How long it is killed and started again.
const ROUNDS: Duration = Duration::from_secs(9);

/// What becomes of an account meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Everybody keeps a device.
    Stays,
    /// One loses a virtual device.
    LosesVirtual,
    /// One loses a FIDO key, which no list shows.
    LosesFido,
    /// A device goes from one to another and back. One of them never has any, and no
    /// counter moves.
    HandsOver,
    /// One who has neither device nor password gets a password. No counter moves.
    GetsPassword,
}

const FATES: [Fate; 5] = [Fate::Stays, Fate::LosesVirtual, Fate::LosesFido, Fate::HandsOver, Fate::GetsPassword];
/// Two of each, which change at different times.
const ACCOUNTS: usize = 2 * FATES.len();

/// Until when, in seconds, IAM.5 and IAM.19 passed in each account.
type Truth = Arc<Mutex<[[f64; 2]; ACCOUNTS]>>;

fn id(n: usize) -> String {
    format!("2{n:011}")
}

fn fate(n: usize) -> Fate {
    FATES[n % FATES.len()]
}

fn account(n: usize) -> Account {
    let named = Account { id: id(n), ..Account::default() };
    let console = |name: &str, device: String| User { password: true, devices: vec![device], ..User::named(name) };
    let mut users = vec![
        console("a", named.virtual_serial("a")),
        console("b", named.user_fido_serial("b", "key")),
        console("c", named.virtual_serial("c")),
    ];
    match fate(n) {
        Fate::HandsOver => users[2].devices.clear(),
        Fate::GetsPassword => users[2] = User { access_keys: vec![true], ..User::named("c") },
        _ => {}
    }
    let root = named.root_fido_serial("key");
    Account { users, roles: vec![Role::named("aws-mfa-exporter")], ..Account::with_root_devices(&id(n), &[&root]) }
}

fn before_all(n: usize) -> [f64; 2] {
    match fate(n) {
        Fate::HandsOver => [0.0, 0.0],
        Fate::GetsPassword => [f64::INFINITY, 0.0],
        _ => [f64::INFINITY; 2],
    }
}

/// The change, at this moment.
fn change(sim: &Sim, n: usize, truth: &Truth) {
    let seconds = i64::try_from(since_epoch().as_secs()).unwrap();
    let now = Timestamp::from_millis(seconds * 1_000).to_rfc3339();
    sim.edit(&id(n), |account| match fate(n) {
        Fate::Stays => {}
        Fate::LosesVirtual => account.users[2].devices.clear(),
        Fate::LosesFido => account.users[1].devices.clear(),
        Fate::HandsOver => {
            let (a, rest) = account.users.split_first_mut().unwrap();
            std::mem::swap(&mut a.devices, &mut rest[1].devices);
            account.enabled.insert(account.virtual_serial("a"), now);
        }
        Fate::GetsPassword => {
            let user = &mut account.users[2];
            (user.password, user.password_last_changed) = (true, Some(now));
        }
    });
    let (at, mut truth) = (since_epoch().as_secs_f64(), truth.lock().unwrap());
    if fate(n) != Fate::Stays {
        truth[n] = truth[n].map(|until| until.min(at));
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// Changes each account once, at some moment; those that hand over, all the time.
fn change_all(sim: &Sim, truth: &Truth, random: &mut fastrand::Rng) {
    let began = Instant::now();
    let mut due = [(); ACCOUNTS].map(|()| ROUNDS.mul_f64(0.1 + 0.8 * random.f64()));
    while began.elapsed() < ROUNDS {
        for n in (0..ACCOUNTS).filter(|n| began.elapsed() >= due[*n]).collect::<Vec<_>>() {
            change(sim, n, truth);
            let again = Duration::from_millis(random.u64(20..800));
            due[n] = if fate(n) == Fate::HandsOver { began.elapsed() + again } else { Duration::MAX };
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What it says, unless it is killed before it has said it.
fn scrape(address: &str) -> Option<Samples> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = format!("content-length: {}", body.len());
    let is_whole = head.lines().any(|line| line.eq_ignore_ascii_case(&length));
    (head.starts_with("HTTP/1.1 200 ") && is_whole).then(|| Samples::parse(body))
}

/// Insists that each verdict by which nobody fails is of a time at which nobody did;
/// how many such verdicts there are.
fn hold(samples: &Samples, truth: &Truth, what: &str) -> usize {
    let mut seen = 0;
    let truth = *truth.lock().unwrap();
    for (n, until) in truth.iter().enumerate() {
        for (control, until) in CONTROLS.into_iter().zip(until) {
            let status = samples.status_of(&id(n), control);
            if !["passed", "not_applicable"].contains(&&*status) {
                continue;
            }
            let labels = format!("{{account_id=\"{}\",control=\"{control}\"}}", id(n));
            let as_of = samples.value(&format!("aws_mfa_control_as_of_timestamp_seconds{labels}")).unwrap();
            assert!(
                as_of <= *until,
                "{what}: {control} of {:?} {n} is {status} as of {as_of}, and was only until {until}\n{samples}",
                fate(n)
            );
            seen += 1;
        }
    }
    seen
}

/// Kills it when AWS is asked for something for the so-manyeth time.
#[derive(Default)]
struct Killer {
    pid: Option<u32>,
    requests: usize,
}

impl Killer {
    fn asked(&mut self) {
        let Some(pid) = self.pid else { return };
        self.requests = self.requests.saturating_sub(1);
        if self.requests == 0 {
            self.pid = None;
            assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
        }
    }
}

struct Stage {
    sim: Sim,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let accounts: Vec<_> = (0..ACCOUNTS).map(account).collect();
        let roles = accounts
            .iter()
            .map(|account| format!("- id: \"{0}\"\n  role_arn: arn:aws:iam::{0}:role/aws-mfa-exporter\n", account.id));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.yml"), format!("accounts:\n{}", roles.collect::<String>())).unwrap();
        let own = Account { id: OWN.into(), ..healthy() };
        let sim = Sim::start(Scenario {
            accounts: accounts.into_iter().chain([own]).collect(),
            credentials: [(KEY.to_owned(), OWN.to_owned())].into(),
            latency_ms: 3,
            ..Scenario::default()
        })
        .unwrap();
        Self { sim, folder }
    }

    /// An exporter that listens, and has perhaps nothing to say yet.
    fn start(&self) -> Exporter {
        let [state, config] = [("state.file", "state.json"), ("config.file", "config.yml")]
            .map(|(flag, name)| format!("--{flag}={}", self.folder.path().join(name).display()));
        let fast = ["--state.interval=10ms", "--collector.root.interval=1s", "--collector.users.interval=2s"];
        let environment =
            [("AWS_ENDPOINT_URL", &*self.sim.endpoint()), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")];
        Exporter::listening(&[&fast[..], &[&*state, &*config]].concat(), &environment)
    }
}

fn is_settled(samples: &Samples) -> bool {
    let wanted = |n: usize| match fate(n) {
        Fate::HandsOver => ["failed", "failed"],
        Fate::GetsPassword => ["passed", "failed"],
        _ => ["passed", "passed"],
    };
    (0..ACCOUNTS).all(|n| CONTROLS.map(|control| samples.status_of(&id(n), control)) == wanted(n))
}

/// One life after another, each ended at some request or some moment; how often the
/// first scrape of one had something to say.
fn lives(stage: &Stage, truth: &Truth, random: &mut fastrand::Rng) -> usize {
    let killer = Arc::new(Mutex::new(Killer::default()));
    let hook = Arc::clone(&killer);
    stage.sim.on_request(move |_, _| hook.lock().unwrap().asked());
    let (began, mut told) = (Instant::now(), 0);
    while began.elapsed() < ROUNDS {
        let mut exporter = stage.start();
        let (requests, life) = (random.usize(1..150), Duration::from_millis(random.u64(0..700)));
        *killer.lock().unwrap() = Killer { pid: Some(exporter.pid()), requests };
        let (born, mut scrapes) = (Instant::now(), 0);
        while let Some(rest) = life.checked_sub(born.elapsed()) {
            if let Some(samples) = scrape(&exporter.address) {
                let passed = hold(&samples, truth, &format!("scrape {scrapes}"));
                told += usize::from(scrapes == 0 && passed > 0);
                scrapes += 1;
            }
            thread::sleep(rest.min(Duration::from_millis(10)));
        }
        if killer.lock().unwrap().pid.take().is_some() {
            exporter.signal("-KILL");
        }
        exporter.wait();
        assert!(!exporter.log().contains("cannot use"), "{}", exporter.log());
    }
    told
}

#[test]
fn killed_at_any_moment_it_passes_after_its_restart_only_what_was_so() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let stage = Stage::new();
    let truth: Truth = Arc::new(Mutex::new(std::array::from_fn(before_all)));
    let mut first = stage.start();
    first.wait_for("verdicts", SOON, is_settled);
    first.signal("-TERM");
    first.wait();
    let mut changes = random.fork();
    let told = thread::scope(|scope| {
        scope.spawn(|| change_all(&stage.sim, &truth, &mut changes));
        lives(&stage, &truth, &mut random)
    });
    assert!(told >= 5, "only {told} lives began with something to say");
    let last = stage.start();
    let samples = last.wait_for("the losses", SOON, |samples| {
        (0..ACCOUNTS).all(|n| match fate(n) {
            Fate::Stays => samples.status_of(&id(n), "IAM.19") == "passed",
            Fate::GetsPassword => true,
            _ => samples.status_of(&id(n), "IAM.19") == "failed",
        })
    });
    hold(&samples, &truth, "the last");
}
