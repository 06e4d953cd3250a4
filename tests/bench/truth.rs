//! `bench-truth EXPORTER [ACCOUNTS] [SECONDS]`: does it ever say what is not so,
//! and does one bad account make another's verdict older?
//!
//! An organization that changes all the time is read every second. First all
//! accounts answer; then a tenth of them is denied, throttled, hangs or resets,
//! any answer may be cut short, replicas lag, operations fail for a while, and the
//! exporter is killed and started again with its state file. Every verdict and every
//! number of users of every scrape is held against what was so, and the ages of the
//! healthy accounts' verdicts in the two halves are held against each other.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, FaultId, Member, Organization, Role, Scenario, Sim};

use daemon::{Daemon, Failure, KEY, of_organization};
use world::{History, LAG, PAUSE, Person, State, bounds, now};

#[path = "daemon.rs"]
mod daemon;
#[path = "truth/world.rs"]
mod world;

const OWN: &str = "000000000001";

/// A run may take this long from its first request: an answer is true of some
/// moment between the as-of time and that.
const RUN: f64 = 46.0;

/// A verdict on users is of one instant; the answer that shows it came this much later
/// at most, where the slowest takes three seconds.
const ANSWER: f64 = 6.0;

/// What a count says was so at some time within this: devices are asked for again
/// after four hours at most.
const COUNTED: f64 = 4.0 * 3_600.0 + 1_800.0;

/// How often the exporter is killed in the second half.
const LIFE: Duration = Duration::from_secs(45);

const OPERATIONS: [&str; 6] = [
    "GetCredentialReport",
    "GetLoginProfile",
    "ListMFADevices",
    "ListUsers",
    "ListVirtualMFADevices",
    "GetAccountSummary",
];

/// Whether somebody is counted.
type Counted = fn(&Person) -> bool;

/// Xorshift: the same sequence in every run.
pub struct Random(u64);

impl Random {
    pub fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % below
    }
}

struct Bench {
    sim: Sim,
    exporter: String,
    state: PathBuf,
    ids: Vec<String>,
    histories: BTreeMap<String, History>,
    random: Random,
    /// Faults of a while, and which second they end in.
    passing: Vec<(Instant, FaultId)>,
    /// The accounts that have had a replica that lags.
    late: Vec<String>,
    judged: BTreeMap<(String, String), usize>,
    counted: usize,
    kills: usize,
}

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-truth EXPORTER [ACCOUNTS] [SECONDS]")?;
    let accounts: usize = arguments.next().unwrap_or_else(|| "300".into()).parse()?;
    let seconds: u64 = arguments.next().unwrap_or_else(|| "100".into()).parse()?;
    Bench::new(&exporter, accounts)?.measure(Duration::from_secs(seconds))
}

impl Bench {
    fn new(exporter: &str, count: usize) -> Result<Self, Failure> {
        let ids: Vec<_> = (0..count).map(|n| if n == 0 { OWN.to_owned() } else { format!("1{n:011}") }).collect();
        let account = |(n, id): (usize, &String)| {
            let account =
                Account { roles: vec![Role::named("aws-mfa-exporter")], ..Account::with_root_devices(id, &[]) };
            Account { users: world::first_users(&account, n), ..account }
        };
        let accounts: Vec<_> = ids.iter().enumerate().map(account).collect();
        let histories = accounts.iter().map(|account| (account.id.clone(), History::new(account))).collect();
        let members = ids.iter().map(|id| Member::new(id, id)).collect();
        let sim = Sim::start(Scenario {
            accounts,
            credentials: BTreeMap::from([(KEY.to_owned(), OWN.to_owned())]),
            organization: Some(Organization { management: OWN.into(), members, ..Organization::default() }),
            latency_ms: 5,
        })?;
        sim.stop_recording();
        let state = env::temp_dir().join(format!("bench-truth-{}.json", std::process::id()));
        Ok(Self {
            sim,
            exporter: exporter.to_owned(),
            state,
            ids,
            histories,
            random: Random(0x9e37_79b9_7f4a_7c15),
            passing: Vec::new(),
            late: Vec::new(),
            judged: BTreeMap::new(),
            counted: 0,
            kills: 0,
        })
    }

    fn start(&self) -> Result<Daemon, Failure> {
        let mut command: Command = of_organization(&self.sim, &self.exporter);
        command.args(["--collector.root.interval=1s", "--collector.devices.interval=5s"]);
        command.args(["--collector.users.interval=10s", "--state.interval=500ms"]);
        command.arg(format!("--state.file={}", self.state.display()));
        Daemon::start(command)
    }

    fn measure(&mut self, time: Duration) -> Result<(), Failure> {
        let mut daemon = self.start()?;
        while !daemon.scrape()?.contains("aws_mfa_exporter_initial_pass_complete 1") {
            sleep(Duration::from_millis(200));
        }
        let bad = self.ids.len() / 10;
        let healthy: Vec<_> = self.ids[bad..].to_vec();
        // Until the accounts are as mixed as they will be.
        self.half("a beginning", &mut daemon, time / 4, &healthy, false)?;
        let calm = self.half("all accounts answer", &mut daemon, time, &healthy, false)?;
        for (n, id) in self.ids[..bad].iter().enumerate().skip(1) {
            let fault = [Fault::AccessDenied, Fault::Throttled, Fault::Hang, Fault::Reset][n % 4].clone();
            self.sim.fault(id, None, fault);
        }
        let troubled = self.half("a tenth does not", &mut daemon, time, &healthy, false)?;
        println!(
            "the healthy accounts' IAM.9 is {:.2} x as old at the median, {:.2} x at the 99th percentile (target: as fresh)",
            troubled.0 / calm.0,
            troubled.1 / calm.1
        );
        self.half("replicas lag, operations fail, and it is killed", &mut daemon, time * 2, &healthy, true)?;
        let _ = std::fs::remove_file(&self.state);
        for ((control, status), times) in &self.judged {
            println!("{control} {status}: {times} verdicts");
        }
        println!("numbers of users: {} held against the truth, none wrong; killed {} times", self.counted, self.kills);
        println!(
            "account collections: {} of root, {} of users (target: 200000 at least)",
            self.sim.total("GetAccountSummary"),
            self.sim.total("ListUsers")
        );
        Ok(())
    }

    /// Lives on for a while; the median and the 99th percentile of the healthy
    /// accounts' ages.
    fn half(
        &mut self,
        name: &str,
        daemon: &mut Daemon,
        time: Duration,
        healthy: &[String],
        is_wild: bool,
    ) -> Result<(f64, f64), Failure> {
        let (began, mut ages, mut judged) = (Instant::now(), Vec::new(), [0usize; 2]);
        let mut born = Instant::now();
        while began.elapsed() < time {
            let beat = Instant::now();
            self.change()?;
            self.spoil();
            if is_wild {
                self.confuse();
                if born.elapsed() > LIFE {
                    // The state file is what it was a moment ago.
                    daemon.kill();
                    *daemon = self.start()?;
                    self.kills += 1;
                    born = Instant::now();
                }
            }
            let body = daemon.scrape()?;
            let seen = now();
            for (id, control, status, as_of) in verdicts(&body) {
                judged[usize::from(status == "unknown")] += 1;
                *self.judged.entry((control.to_owned(), status.to_owned())).or_default() += 1;
                if status == "unknown" {
                    continue;
                }
                self.was(&id, control, status, as_of)?;
                if control == "IAM.9" && healthy.contains(&id) {
                    ages.push(seen - as_of);
                }
            }
            self.count(&body, seen)?;
            sleep(Duration::from_secs(1).saturating_sub(beat.elapsed()));
        }
        ages.sort_by(f64::total_cmp);
        let at = |part: usize| ages.get(ages.len() * part / 100).copied().unwrap_or(f64::NAN);
        println!(
            "{name}: {} verdicts held against the truth, none wrong; {} unknown; age {:.2} s at the median, {:.2} s at the 99th percentile",
            judged[0],
            judged[1],
            at(50),
            at(99)
        );
        Ok((at(50), at(99)))
    }

    fn anybody(&mut self) -> String {
        let place = self.random.below(self.ids.len());
        self.ids[place].clone()
    }

    /// Somebody with a console changes some root users, and fewer IAM users.
    fn change(&mut self) -> Result<(), Failure> {
        let users = usize::try_from(PAUSE.as_secs())?;
        for n in 0..self.ids.len() / 20 {
            let id = self.anybody();
            let mut random = Random(self.random.0);
            let with_users = n < self.ids.len().div_ceil(users);
            self.sim.edit(&id, |account| {
                if with_users {
                    world::change_users(account, &mut random);
                } else {
                    world::change_root(account, &mut random);
                }
            });
            self.random = random;
            let account = self.sim.account(&id);
            self.histories.get_mut(&id).ok_or("no such account")?.note(&account, now());
        }
        Ok(())
    }

    /// One of the next answers is spoilt, whoever's it is.
    fn spoil(&mut self) {
        let id = self.anybody();
        let faults = [
            Fault::HalfDocument,
            Fault::Malformed,
            Fault::EmptyBody,
            Fault::Omit("IsTruncated"),
            Fault::Omit("VirtualMFADevices"),
            Fault::Omit("SummaryMap"),
            Fault::ResetMidBody,
            Fault::ServerError,
            Fault::Slow(Duration::from_secs(3)),
        ];
        let fault = faults[self.random.below(faults.len())].clone();
        self.sim.fault_after(&id, None, fault, 0, 1);
    }

    /// For a while an operation fails in some account, or is answered by a replica that
    /// lags.
    fn confuse(&mut self) {
        let ended = self.passing.iter().position(|(end, _)| *end <= Instant::now());
        if let Some((_, fault)) = ended.map(|place| self.passing.swap_remove(place)) {
            self.sim.clear(fault);
        }
        let id = self.anybody();
        let operation = OPERATIONS[self.random.below(OPERATIONS.len())];
        let fault = match self.random.below(4) {
            0 => Fault::AccessDenied,
            1 => Fault::Throttled,
            _ => {
                self.late.push(id.clone());
                Fault::Lagging(Duration::from_millis(self.random.below(LAG as usize * 1_000) as u64))
            }
        };
        let end = Instant::now() + Duration::from_secs(self.random.below(120) as u64);
        self.passing.push((end, self.sim.fault(&id, Some(operation), fault)));
    }

    /// Fails unless that was so at its as-of time, as far as AWS can have told.
    fn was(&self, id: &str, control: &str, status: &str, as_of: f64) -> Result<(), Failure> {
        let lag = if self.late.iter().any(|late| late == id) { LAG } else { 0.0 };
        let until = if ["IAM.5", "IAM.19"].contains(&control) { ANSWER } else { RUN };
        // The clocks are one; a millisecond is what the exposition rounds to.
        let mut states = self.histories[id].during(as_of - lag - 0.002, as_of + until);
        if states.any(|state| state.is(control, status)) {
            return Ok(());
        }
        // A failure is said at once: a replica that lags can add a password that was to a
        // device that is no more.
        let states: Vec<_> = self.histories[id].during(as_of - lag - 0.002, as_of + until).collect();
        let ever = |is_so: Counted| {
            let people = states.iter().flat_map(|state| &state.users);
            people.filter(|person| is_so(person)).map(|person| person.id.as_str()).collect::<Vec<_>>()
        };
        let with_password = ever(|person| person.has_password);
        if (lag, control, status) == (LAG, "IAM.5", "failed")
            && ever(|person| !person.has_device).iter().any(|id| with_password.contains(id))
        {
            return Ok(());
        }
        let states: Vec<_> = self.histories[id].during(as_of - LAG - 10.0, as_of + RUN).collect();
        Err(format!("WRONG: {id} {control} {status} as of {as_of}: {states:#?}").into())
    }

    /// Fails unless each number is one that was so.
    fn count(&mut self, body: &str, seen: f64) -> Result<(), Failure> {
        let families: [(&str, Counted); 4] = [
            ("aws_mfa_users{", |_| true),
            ("aws_mfa_console_users{", |person| person.has_password),
            ("aws_mfa_users_without_mfa{", |person| !person.has_device),
            ("aws_mfa_console_users_without_mfa{", |person| person.has_password && !person.has_device),
        ];
        for (family, is_counted) in families {
            for line in body.lines().filter(|line| line.starts_with(family)) {
                let id = label(line, "account_id").ok_or("no account")?;
                let count: usize = line.rsplit(' ').next().ok_or("no value")?.parse()?;
                let states: Vec<&State> = self.histories[id].during(seen - COUNTED, seen).collect();
                let (least, most) = bounds(&states, is_counted);
                if !(least..=most).contains(&count) {
                    return Err(format!("WRONG: {line}, which was {least} to {most}: {states:#?}").into());
                }
                self.counted += 1;
            }
        }
        Ok(())
    }
}

/// A label of a sample.
fn label<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!("{name}=\""))?.1.split('"').next()
}

/// Account, control, status and as-of time of every verdict of an exposition.
fn verdicts(body: &str) -> Vec<(String, &str, &str, f64)> {
    let mut as_of = BTreeMap::new();
    for line in body.lines().filter(|line| line.starts_with("aws_mfa_control_as_of_timestamp_seconds{")) {
        let value: Option<f64> = line.rsplit(' ').next().and_then(|value| value.parse().ok());
        as_of.extend(label(line, "account_id").zip(label(line, "control")).zip(value));
    }
    let status = body.lines().filter(|line| line.starts_with("aws_mfa_control_status{") && line.ends_with(" 1"));
    let read = status.filter_map(|line| {
        let (id, control, status) = (label(line, "account_id")?, label(line, "control")?, label(line, "status")?);
        Some((id.to_owned(), control, status, as_of.get(&(id, control)).copied().unwrap_or(f64::NAN)))
    });
    read.collect()
}
