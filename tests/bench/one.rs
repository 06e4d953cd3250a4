//! `bench-one EXPORTER [RUNS] [MINUTES]`: one account. From the start of the process to the
//! first answered scrape, AWS reachable or not; what `check` takes; and how much
//! memory the daemon has after it has read everything, or after MINUTES in which it is
//! scraped every ten seconds. The simulated AWS answers at once. Each figure stands
//! beside its target.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{Account, Scenario, Sim, User};

use daemon::{Daemon, Failure, KEY, command, cpu_of_ended_children};

#[path = "daemon.rs"]
mod daemon;

const ID: &str = "111111111111";

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// When the daemon has settled: its first pass is over, and what that used is given back.
const SETTLED: Duration = Duration::from_secs(20);

const SCRAPE_INTERVAL: Duration = Duration::from_secs(10);

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-one EXPORTER [RUNS] [MINUTES]")?;
    let runs: usize = arguments.next().unwrap_or_else(|| "20".into()).parse()?;
    let minutes: u32 = arguments.next().unwrap_or_else(|| "0".into()).parse()?;
    let sim = Sim::start(scenario())?;
    start(&sim.endpoint(), &exporter, runs, "AWS reachable")?;
    start(NOWHERE, &exporter, runs, "AWS out of reach")?;
    check(&sim, &exporter, runs)?;
    memory(&sim, &exporter, minutes)
}

/// A root user with a hardware key, and twenty users with virtual devices.
fn scenario() -> Scenario {
    let account = Account { id: ID.into(), ..Account::default() };
    let user = |n: usize| {
        let name = format!("user-{n:02}");
        User { devices: vec![account.virtual_serial(&name)], name, ..User::default() }
    };
    let users = (0..20).map(user).collect();
    let root = Account::with_root_devices(ID, &[&account.root_fido_serial("key")]);
    let credentials = BTreeMap::from([(KEY.to_owned(), ID.to_owned())]);
    Scenario { accounts: vec![Account { users, ..root }], credentials, ..Scenario::default() }
}

fn start(endpoint: &str, exporter: &str, runs: usize, what: &str) -> Result<(), Failure> {
    let mut took = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        let daemon = Daemon::start(command(endpoint, exporter))?;
        while !daemon.scrape()?.starts_with("HTTP/1.1 200") {
            sleep(Duration::from_micros(500));
        }
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let (median, worst) = of(&mut took);
    println!(
        "start to first scrape, {what}: {median:.1} ms at the median, {worst:.1} ms at worst of {runs} (target 100)"
    );
    Ok(())
}

fn check(sim: &Sim, exporter: &str, runs: usize) -> Result<(), Failure> {
    let (cpu, calls, mut took) = (cpu_of_ended_children()?, sim.seen().len(), Vec::new());
    for _ in 0..runs {
        let began = Instant::now();
        let status =
            command(&sim.endpoint(), exporter).arg("check").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        if !status.success() {
            return Err(format!("the check of a healthy account ends with {status}").into());
        }
    }
    let (median, worst) = of(&mut took);
    let each = |all: f64| all / runs as f64;
    println!(
        "check: wall {median:.1} ms at the median, {worst:.1} ms at worst (target 150); cpu {:.1} ms (target 30); {:.1} calls (target 8)",
        1e3 * each(cpu_of_ended_children()? - cpu),
        each((sim.seen().len() - calls) as f64)
    );
    Ok(())
}

fn memory(sim: &Sim, exporter: &str, minutes: u32) -> Result<(), Failure> {
    let daemon = Daemon::start(command(&sim.endpoint(), exporter))?;
    sleep(SETTLED);
    for _ in 0..6 * minutes {
        sleep(SCRAPE_INTERVAL);
        daemon.scrape()?;
    }
    println!(
        "RSS of one account after {minutes} minutes of scrapes: {:.1} MiB, of which {:.1} anonymous; peak {:.1} MiB (target 14, of which 5 anonymous)",
        daemon.memory("VmRSS")?,
        daemon.memory("RssAnon")?,
        daemon.memory("VmHWM")?
    );
    Ok(())
}

/// The median and the greatest.
fn of(figures: &mut [f64]) -> (f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[figures.len() - 1])
}
