//! `bench-truth EXPORTER [ACCOUNTS] [SECONDS]`: does it ever say what is not so,
//! and does one bad account make another's verdict older?
//!
//! An organization that changes all the time is read every second. First all
//! accounts answer; then a tenth of them is denied, throttled, hangs or resets,
//! and any answer may be cut short. Every verdict of every scrape is held
//! against what was so at its as-of time, and the ages of the healthy accounts'
//! verdicts in the two halves are held against each other.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_sim::{Account, Fault, Member, Organization, Role, Scenario, Sim};

use daemon::{Daemon, Failure, KEY, of_organization};

#[path = "daemon.rs"]
mod daemon;

const OWN: &str = "000000000001";

/// A run may take this long from its first request: an answer is true of some
/// moment between the as-of time and that.
const RUN: f64 = 46.0;

/// What was so of root since when: a hardware key, and a virtual device.
type History = Vec<(f64, bool, bool)>;

struct Bench {
    sim: Sim,
    ids: Vec<String>,
    histories: BTreeMap<String, History>,
    random: u64,
}

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-truth EXPORTER [ACCOUNTS] [SECONDS]")?;
    let accounts: usize = arguments.next().unwrap_or_else(|| "300".into()).parse()?;
    let seconds: u64 = arguments.next().unwrap_or_else(|| "100".into()).parse()?;
    let mut bench = Bench::new(accounts)?;
    let mut command = of_organization(&bench.sim, &exporter);
    command.args(["--collector.root.interval=1s", "--collector.devices.interval=5s"]);
    let daemon = Daemon::start(command)?;
    bench.measure(&daemon, Duration::from_secs(seconds))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl Bench {
    fn new(count: usize) -> Result<Self, Failure> {
        let ids: Vec<_> = (0..count).map(|n| if n == 0 { OWN.to_owned() } else { format!("1{n:011}") }).collect();
        let accounts: Vec<_> = ids
            .iter()
            .map(|id| Account { roles: vec![Role::named("aws-mfa-exporter")], ..Account::with_root_devices(id, &[]) })
            .collect();
        let members = ids.iter().map(|id| Member::new(id, id)).collect();
        let sim = Sim::start(Scenario {
            accounts,
            credentials: BTreeMap::from([(KEY.to_owned(), OWN.to_owned())]),
            organization: Some(Organization { management: OWN.into(), members, ..Organization::default() }),
            latency_ms: 5,
        })?;
        sim.stop_recording();
        let histories = ids.iter().map(|id| (id.clone(), vec![(0.0, false, false)])).collect();
        Ok(Self { sim, ids, histories, random: 0x9e37_79b9_7f4a_7c15 })
    }

    /// Xorshift: the same sequence in every run.
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 11).unwrap_or(0) % below
    }

    fn measure(&mut self, daemon: &Daemon, time: Duration) -> Result<(), Failure> {
        while !daemon.scrape()?.contains("aws_mfa_exporter_initial_pass_complete 1") {
            sleep(Duration::from_millis(200));
        }
        let bad = self.ids.len() / 10;
        let healthy: Vec<_> = self.ids[bad..].to_vec();
        // Until the accounts are as mixed as they will be.
        self.half("a beginning", daemon, time / 4, &healthy)?;
        let calm = self.half("all accounts answer", daemon, time, &healthy)?;
        for (n, id) in self.ids[..bad].iter().enumerate().skip(1) {
            let fault = [Fault::AccessDenied, Fault::Throttled, Fault::Hang, Fault::Reset][n % 4].clone();
            self.sim.fault(id, None, fault);
        }
        let troubled = self.half("a tenth does not", daemon, time, &healthy)?;
        println!(
            "the healthy accounts' IAM.9 is {:.2} x as old at the median, {:.2} x at the 99th percentile (target: as fresh)",
            troubled.0 / calm.0,
            troubled.1 / calm.1
        );
        println!("account collections: {} (target: 50000 at least)", self.sim.total("GetAccountSummary"));
        Ok(())
    }

    /// Lives on for a while; the median and the 99th percentile of the healthy
    /// accounts' ages.
    fn half(&mut self, name: &str, daemon: &Daemon, time: Duration, healthy: &[String]) -> Result<(f64, f64), Failure> {
        let (began, mut ages, mut judged) = (Instant::now(), Vec::new(), [0usize; 2]);
        while began.elapsed() < time {
            let beat = Instant::now();
            for _ in 0..self.ids.len() / 20 {
                self.change();
            }
            self.spoil();
            let body = daemon.scrape()?;
            let seen = now();
            for (id, control, status, as_of) in verdicts(&body) {
                judged[usize::from(status == "unknown")] += 1;
                if status == "unknown" {
                    continue;
                }
                if !self.was(&id, control, status, as_of) {
                    return Err(
                        format!("WRONG: {id} {control} {status} as of {as_of}: {:?}", self.histories[&id]).into()
                    );
                }
                if control == "IAM.9" && healthy.contains(&id) {
                    ages.push(seen - as_of);
                }
            }
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
        let place = self.random(self.ids.len());
        self.ids[place].clone()
    }

    /// Somebody with a console changes some root user.
    fn change(&mut self) {
        let id = self.anybody();
        let (hardware, software) = (self.random(3) > 0, self.random(3) == 0);
        self.sim.edit(&id, |account| {
            account.root.devices.clear();
            if hardware {
                account.root.devices.push(account.root_fido_serial("key"));
            }
            if software {
                account.root.devices.push(account.virtual_serial("phone"));
            }
        });
        self.histories.entry(id).or_default().push((now(), hardware, software));
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
        let fault = faults[self.random(faults.len())].clone();
        self.sim.fault_after(&id, None, fault, 0, 1);
    }

    /// Whether that was so at some moment of the run that began at `as_of`.
    fn was(&self, id: &str, control: &str, status: &str, as_of: f64) -> bool {
        let history = &self.histories[id];
        let ends = history.iter().skip(1).map(|(at, ..)| *at).chain([f64::INFINITY]);
        // The clocks are one; a millisecond is what the exposition rounds to.
        let during = history.iter().zip(ends).filter(|((from, ..), to)| *from <= as_of + RUN && *to >= as_of - 0.002);
        during.into_iter().any(|((_, hardware, software), _)| match control {
            "IAM.9" => (*hardware || *software) == (status == "passed"),
            "IAM.6" => (*hardware && !*software) == (status == "passed"),
            _ => status == "passed",
        })
    }
}

/// Account, control, status and as-of time of every verdict of an exposition.
fn verdicts(body: &str) -> Vec<(String, &str, &str, f64)> {
    let label = |line: &'_ str, name: &str| -> Option<String> {
        Some(line.split_once(&format!("{name}=\""))?.1.split('"').next()?.to_owned())
    };
    let mut as_of = BTreeMap::new();
    for line in body.lines().filter(|line| line.starts_with("aws_mfa_control_as_of_timestamp_seconds{")) {
        let value: Option<f64> = line.rsplit(' ').next().and_then(|value| value.parse().ok());
        as_of.extend(label(line, "account_id").zip(label(line, "control")).zip(value));
    }
    let status = body.lines().filter(|line| line.starts_with("aws_mfa_control_status{") && line.ends_with(" 1"));
    let read = status.filter_map(|line| {
        let (id, control) = (label(line, "account_id")?, label(line, "control")?);
        let at = as_of.get(&(id.clone(), control.clone())).copied().unwrap_or(f64::NAN);
        let pick = |known: &[&'static str], word: &str| known.iter().find(|known| **known == word).copied();
        let control = pick(&["IAM.4", "IAM.6", "IAM.9"], &control)?;
        Some((id, control, pick(&["passed", "failed", "not_applicable", "unknown"], &label(line, "status")?)?, at))
    });
    read.collect()
}
