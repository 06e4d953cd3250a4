//! `bench-large EXPORTER [ACCOUNTS] [USERS] [SECONDS]`: a large organization, 10,000
//! accounts of 20 users each.
//!
//! In one run: the first pass; memory right after it and later, when what it needed has
//! been given back; the processor time of the steady state; and scrapes, plain and
//! compressed by turns, while one in a hundred accounts changes each second. A run in
//! which nothing changes where it should measures nothing, and fails.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    env,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use aws_sim::{Mix, Scenario, Sim, organization, users};

use daemon::{Daemon, Failure, of_organization};

#[path = "daemon.rs"]
mod daemon;

const LATENCY: Duration = Duration::from_millis(50);
const MIX: Mix = Mix { key_only: 10, fido: 5, hardware: 0, unprotected: 0 };
/// Longest that a first pass may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// How long scrapes are timed while accounts change.
const CHANGING: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-large EXPORTER [ACCOUNTS] [USERS] [SECONDS]")?;
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |number| number.parse());
    let (accounts, each) = (number(10_000)?, number(20)?);
    let time = Duration::from_secs(number(120)?.try_into()?);
    let sim = Sim::start(scenario(accounts, each))?;
    sim.stop_recording();
    println!("{accounts} accounts of {each} users, {} ms a call", LATENCY.as_millis());
    let daemon = Daemon::start(of_organization(&sim, &exporter))?;
    first_pass(&daemon, accounts * each)?;
    steady_state(&daemon, &sim, time)?;
    while_accounts_change(&daemon, &sim, accounts)?;
    println!("RSS {:.1} MiB in the end, {:.1} at the most", daemon.memory("VmRSS")?, daemon.memory("VmHWM")?);
    Ok(())
}

fn scenario(accounts: usize, each: usize) -> Scenario {
    let mut scenario = organization(accounts);
    scenario.latency_ms = u64::try_from(LATENCY.as_millis()).unwrap_or(0);
    for account in &mut scenario.accounts {
        account.users = users(account, each, MIX);
    }
    scenario
}

/// Waits until every user is counted.
fn first_pass(daemon: &Daemon, all: usize) -> Result<(), Failure> {
    let began = Instant::now();
    let counted = |body: &str| -> f64 {
        let samples = body.lines().filter(|line| line.starts_with("aws_mfa_users{"));
        samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    loop {
        let body = daemon.scrape()?;
        if body.contains("\naws_mfa_exporter_initial_pass_complete 1") && counted(&body) == all as f64 {
            break;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{} of {all} users after {PATIENCE:?}", counted(&body)).into());
        }
        sleep(Duration::from_secs(5));
    }
    println!(
        "first pass: {:.0} s after the start, {:.1} s CPU; RSS {:.1} MiB then",
        began.elapsed().as_secs_f64(),
        daemon.cpu_seconds()?,
        daemon.memory("VmRSS")?
    );
    // What is asked again at once has been asked by then.
    sleep(Duration::from_secs(90));
    Ok(())
}

fn steady_state(daemon: &Daemon, sim: &Sim, time: Duration) -> Result<(), Failure> {
    let calls =
        || ["GetAccountSummary", "ListVirtualMFADevices", "ListUsers"].map(|one| sim.total(one)).iter().sum::<usize>();
    let (cpu, before) = (daemon.cpu_seconds()?, calls());
    sleep(time);
    let (cpu, calls) = (daemon.cpu_seconds()? - cpu, calls() - before);
    println!(
        "steady state over {} s: {:.1} % of a core, {:.0} calls/s, {:.2} ms a call with all that it leads to; RSS {:.1} MiB",
        time.as_secs(),
        100.0 * cpu / time.as_secs_f64(),
        calls as f64 / time.as_secs_f64(),
        1e3 * cpu / calls.max(1) as f64,
        daemon.memory("VmRSS")?
    );
    Ok(())
}

/// Root's MFA comes and goes in one account of a hundred each second.
fn while_accounts_change(daemon: &Daemon, sim: &Sim, accounts: usize) -> Result<(), Failure> {
    let is_over = AtomicBool::new(false);
    let failed = |body: &[u8]| {
        let body = String::from_utf8_lossy(body);
        let is_failed = |line: &&str| {
            line.starts_with("aws_mfa_control_status")
                && line.contains("IAM.9")
                && line.contains("failed")
                && line.ends_with(" 1")
        };
        body.lines().filter(is_failed).count()
    };
    let cpu = daemon.cpu_seconds()?;
    let [mut plain, mut gzip] = [Vec::new(), Vec::new()];
    let mut body = Vec::new();
    scrape(daemon, "identity", &mut body)?;
    let before = failed(&body);
    let (mut after, mut lengths) = (before, [0, 0]);
    scope(|scope| -> Result<(), Failure> {
        scope.spawn(|| {
            let mut next = 0;
            while !is_over.load(Ordering::Relaxed) {
                for _ in 0..accounts.div_ceil(100) {
                    next = (next + 7_919) % (accounts - 1);
                    sim.edit(&format!("1{:011}", next + 1), |account| {
                        let device = account.root_fido_serial("key");
                        let is_on = !account.root.devices.is_empty();
                        account.root.devices = if is_on { Vec::new() } else { vec![device] };
                    });
                }
                sleep(Duration::from_secs(1));
            }
        });
        let began = Instant::now();
        let timed = (|| {
            while began.elapsed() < CHANGING {
                for (at, (coding, took)) in [("identity", &mut plain), ("gzip", &mut gzip)].into_iter().enumerate() {
                    took.push(scrape(daemon, coding, &mut body)?);
                    lengths[at] = body.len();
                    if coding == "identity" {
                        after = failed(&body);
                    }
                    sleep(Duration::from_millis(250));
                }
            }
            Ok(())
        })();
        is_over.store(true, Ordering::Relaxed);
        timed
    })?;
    if after <= before {
        return Err(format!("nothing changed: {before} root users failed before, {after} after").into());
    }
    println!(
        "while 1 % of the accounts change each second: {:.1} % of a core with scrapes; {before} root users without MFA became {after}",
        100.0 * (daemon.cpu_seconds()? - cpu) / CHANGING.as_secs_f64()
    );
    for (name, took, length) in [("plain", &mut plain, lengths[0]), ("compressed", &mut gzip, lengths[1])] {
        took.sort_by(f64::total_cmp);
        let at = |part: usize| took[(took.len() - 1) * part / 100];
        println!(
            "  scrape {name}, {:.1} MB: {:.1} ms at the median, {:.1} at the 99th percentile of {} (target 50)",
            length as f64 / 1e6,
            at(50),
            at(99),
            took.len()
        );
    }
    Ok(())
}

/// Takes a body in that is encoded so, and tells how many milliseconds that took.
fn scrape(daemon: &Daemon, coding: &str, body: &mut Vec<u8>) -> Result<f64, Failure> {
    body.clear();
    let asked = Instant::now();
    let mut stream = TcpStream::connect(&daemon.address)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n")?;
    stream.read_to_end(body)?;
    let took = asked.elapsed().as_secs_f64() * 1e3;
    if !body.starts_with(b"HTTP/1.1 200") {
        return Err("a scrape was refused".into());
    }
    Ok(took)
}
