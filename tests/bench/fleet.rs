//! `bench-fleet EXPORTER ACCOUNTS [SECONDS]`: many accounts of a simulated
//! organization, each answer 50 ms away.
//!
//! First a cold sweep of all roots by `check`, against its floor: the calls
//! times the latency, divided by the 64 that may be under way, or the rate of
//! STS where that binds. Then the daemon at its default intervals: calls a
//! second and how evenly they come, CPU a call, memory an account. Each figure
//! stands beside its target. With `call` for ACCOUNTS it measures what a call costs
//! where little else is done.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{Account, Member, Organization, Role, Scenario, Seen, Sim};

use daemon::{Daemon, Failure, KEY, of_organization};

#[path = "daemon.rs"]
mod daemon;

const OWN: &str = "000000000001";
const LATENCY: Duration = Duration::from_millis(50);
/// How many controls are judged of each account.
const CONTROLS: usize = 5;

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-fleet EXPORTER ACCOUNTS [SECONDS]")?;
    let accounts = arguments.next().unwrap_or_else(|| "1000".into());
    if accounts == "call" {
        return a_call(&exporter);
    }
    let accounts: usize = accounts.parse()?;
    let seconds: u64 = arguments.next().unwrap_or_else(|| "120".into()).parse()?;
    let sim = Sim::start(scenario(accounts))?;
    println!("{accounts} accounts, {} ms a call", LATENCY.as_millis());
    cold_sweep(&sim, &exporter, accounts)?;
    steady_state(&sim, &exporter, accounts, Duration::from_secs(seconds))
}

/// Seven in ten root users have a hardware key, a quarter has no credentials.
fn scenario(count: usize) -> Scenario {
    let account = |n: usize| {
        let id = if n == 0 { OWN.to_owned() } else { format!("1{n:011}") };
        let mut account = Account::with_root_devices(&id, &[]);
        match n % 20 {
            0..14 => account.root.devices.push(account.root_fido_serial("key")),
            14..19 => account.root.password = false,
            _ => account.root.devices.push(account.virtual_serial("phone")),
        }
        Account { roles: vec![Role::named("aws-mfa-exporter")], ..account }
    };
    let accounts: Vec<_> = (0..count).map(account).collect();
    let members =
        accounts.iter().map(|account| Member::new(&account.id, &format!("workload-{}", account.id))).collect();
    Scenario {
        organization: Some(Organization { management: OWN.into(), members, ..Organization::default() }),
        accounts,
        credentials: BTreeMap::from([(KEY.to_owned(), OWN.to_owned())]),
        latency_ms: u64::try_from(LATENCY.as_millis()).unwrap_or(0),
    }
}

fn cold_sweep(sim: &Sim, exporter: &str, accounts: usize) -> Result<(), Failure> {
    let began = Instant::now();
    let mut check = of_organization(sim, exporter);
    check
        .args(["check", "--no-collector.devices", "--no-collector.users", "--output=json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = check.status()?;
    let took = began.elapsed();
    let sweep = sim.seen();
    let is_sweep = |seen: &&Seen| ["AssumeRole", "GetAccountSummary"].contains(&&*seen.operation);
    let calls = sweep.iter().filter(is_sweep).count();
    let ends = [sweep.iter().find(is_sweep), sweep.iter().rfind(is_sweep)].map(|seen| seen.map(|seen| seen.at));
    let [Some(first), Some(last)] = ends else { return Err(format!("nothing was asked; {status}").into()) };
    let swept = (last - first + LATENCY).as_secs_f64();
    let roles = sim.total("AssumeRole");
    let by_latency = calls as f64 * LATENCY.as_secs_f64() / 64.0;
    // The last role is assumed when the bucket gives its token; its summary comes after.
    let by_sts = roles.saturating_sub(100) as f64 / 100.0 + 2.0 * LATENCY.as_secs_f64();
    let floor = by_latency.max(by_sts);
    println!(
        "cold sweep: {swept:.2} s for {calls} calls, {:.2} x the floor of {floor:.2} s (target 1.15); with the list of accounts {:.2} s",
        swept / floor,
        took.as_secs_f64()
    );
    println!("  accounts read: {} of {accounts}", sim.total("GetAccountSummary"));
    Ok(())
}

fn steady_state(sim: &Sim, exporter: &str, accounts: usize, time: Duration) -> Result<(), Failure> {
    let daemon = Daemon::start(of_organization(sim, exporter))?;
    let began = Instant::now();
    while !daemon.scrape()?.contains("aws_mfa_exporter_initial_pass_complete 1") {
        sleep(Duration::from_millis(500));
    }
    println!("first pass of the daemon: {:.0} s after its start", began.elapsed().as_secs_f64());
    // The first lists, and those again that a moved fingerprint asks for, are over by then.
    sleep(Duration::from_secs(75));
    let (cpu, from) = (daemon.cpu_seconds()?, Instant::now());
    sleep(time);
    let cpu = daemon.cpu_seconds()? - cpu;
    let calls: Vec<_> =
        sim.seen().into_iter().filter(|seen| seen.at >= from).map(|seen| (seen.at - from).as_secs()).collect();
    let mut buckets = vec![0u32; usize::try_from(time.as_secs())?];
    calls.iter().for_each(|second| {
        if let Some(bucket) = buckets.get_mut(*second as usize) {
            *bucket += 1
        }
    });
    let mean = calls.len() as f64 / time.as_secs_f64();
    let variance = buckets.iter().map(|n| (f64::from(*n) - mean).powi(2)).sum::<f64>() / buckets.len() as f64;
    println!(
        "steady state over {} s: {mean:.1} calls/s, busiest second {:.1} x the mean; spread {:.2} x that of calls at random (1 is random)",
        time.as_secs(),
        f64::from(buckets.iter().copied().max().unwrap_or(0)) / mean,
        (variance / mean).sqrt(),
    );
    println!(
        "CPU: {:.2} s, {:.1} % of a core, {:.3} ms a call with ageing, encoding and credentials (target 0.25 for calls alone)",
        cpu,
        100.0 * cpu / time.as_secs_f64(),
        1000.0 * cpu / calls.len().max(1) as f64
    );
    println!("RSS: {:.1} MiB, peak {:.1} MiB", daemon.memory("VmRSS")?, daemon.memory("VmHWM")?);
    let body = daemon.scrape()?;
    println!(
        "exposition: {} series, {:.1} MB",
        body.lines().filter(|line| !line.starts_with('#')).count(),
        body.len() as f64 / 1e6
    );
    let unknown =
        body.lines().filter(|line| line.contains("control_status") && line.contains("unknown") && line.ends_with(" 1"));
    println!("unknown verdicts: {} of {}", unknown.count(), accounts * CONTROLS);
    scrapes(&daemon)
}

/// What a call costs where there is little else to do: few accounts, read every
/// second, so that encoding and ageing are small beside the calls.
fn a_call(exporter: &str) -> Result<(), Failure> {
    let sim = Sim::start(Scenario { latency_ms: 0, ..scenario(200) })?;
    let mut command = of_organization(&sim, exporter);
    command.args(["--collector.root.interval=1s", "--no-collector.users"]);
    let daemon = Daemon::start(command)?;
    sleep(Duration::from_secs(20));
    let (cpu, from) = (daemon.cpu_seconds()?, sim.seen().len());
    sleep(Duration::from_secs(20));
    let (cpu, calls) = (daemon.cpu_seconds()? - cpu, sim.seen().len() - from);
    println!("CPU of a call: {:.3} ms over {calls} calls of 200 accounts (target 0.25)", 1000.0 * cpu / calls as f64);
    Ok(())
}

/// Scrapes for ten seconds, in each of which the snapshot is encoded anew.
fn scrapes(daemon: &Daemon) -> Result<(), Failure> {
    let (began, mut took) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(10) {
        let asked = Instant::now();
        daemon.scrape()?;
        took.push(asked.elapsed().as_secs_f64() * 1e3);
        sleep(Duration::from_millis(10));
    }
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took[took.len() * part / 100];
    println!(
        "scrape while it encodes: {:.1} ms at the median, {:.1} ms at the 99th percentile of {} (target 50, for 1 MB)",
        at(50),
        at(99),
        took.len()
    );
    Ok(())
}
