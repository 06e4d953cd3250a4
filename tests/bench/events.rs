//! `bench-events EXPORTER [ACCOUNTS] [SECONDS]`: what events cost, and what they save.
//!
//! An organization whose accounts have 20 users with virtual devices each, three times: without
//! events; with a queue into which every summary comes back as an echo after two seconds; and with
//! that and the longer interval of five minutes. Each time calls, CPU and memory for the time that
//! is given, at the default intervals otherwise.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{
    Mix, Sim, organization,
    queue::{Answer, Queue, URL, echo},
    users,
};

use daemon::{Daemon, Failure, of_organization};

#[path = "daemon.rs"]
mod daemon;

const LATENCY: u64 = 20;
const USERS: usize = 20;
const LATE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(900);
const VIRTUAL: Mix = Mix { key_only: 0, fido: 0, hardware: 0, unprotected: 0 };
const OPERATIONS: [&str; 6] = [
    "AssumeRole",
    "GetAccountSummary",
    "ListVirtualMFADevices",
    "ListUsers",
    "GenerateCredentialReport",
    "GetCredentialReport",
];

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-events EXPORTER [ACCOUNTS] [SECONDS]")?;
    let accounts: usize = arguments.next().unwrap_or_else(|| "1000".into()).parse()?;
    let time = Duration::from_secs(arguments.next().unwrap_or_else(|| "600".into()).parse()?);
    println!("{accounts} accounts of {USERS} users each, {LATENCY} ms a call, echoes {} s late", LATE.as_secs());
    let queue = format!("--events.queue-url={URL}");
    let longer = "--collector.root.interval-with-events=5m";
    for (name, flags) in [
        ("without events", &[][..]),
        ("with events", &[&*queue][..]),
        ("with events, read each 5 minutes", &[&*queue, longer][..]),
    ] {
        measure(name, &exporter, accounts, flags, time)?;
    }
    Ok(())
}

fn measure(name: &str, exporter: &str, accounts: usize, flags: &[&str], time: Duration) -> Result<(), Failure> {
    let mut scenario = organization(accounts);
    scenario.latency_ms = LATENCY;
    scenario.accounts.iter_mut().for_each(|account| account.users = users(account, USERS, VIRTUAL));
    let (sim, queue) = (Sim::start(scenario)?, Queue::start(Answer::Serve));
    sim.stop_recording();
    if !flags.is_empty() {
        let queue = queue.clone();
        sim.on_request(move |seen, _| {
            if seen.operation == "GetAccountSummary" {
                queue.send_late(&echo(&seen.account, &seen.request_id), LATE);
            }
        });
    }
    let mut command = of_organization(&sim, exporter);
    command.env("AWS_ENDPOINT_URL_SQS", queue.endpoint()).args(flags);
    let daemon = Daemon::start(command)?;
    let is_longer = flags.len() > 1;
    let took = first_pass(&daemon, accounts, is_longer)?;
    // The first lists, and those again that a moved fingerprint asks for, are over by then.
    sleep(Duration::from_secs(90).min(time));
    let count = || OPERATIONS.map(|operation| sim.total(operation));
    let (before, cpu, began) = (count(), daemon.cpu_seconds()?, Instant::now());
    sleep(time);
    let (cpu, days) = (daemon.cpu_seconds()? - cpu, began.elapsed().as_secs_f64() / 86_400.0);
    let a_day = |calls: usize| calls as f64 / accounts as f64 / days;
    let calls: Vec<_> = count().iter().zip(before).map(|(after, before)| after - before).collect();
    println!(
        "{name}: settled after {:.0} s; {:.0} calls an account and day in {} s, {:.2} % of a core, {:.1} MiB resident, peak {:.1}",
        took.as_secs_f64(),
        a_day(calls.iter().sum()),
        time.as_secs(),
        100.0 * cpu / time.as_secs_f64(),
        daemon.memory("VmRSS:")?,
        daemon.memory("VmHWM:")?,
    );
    for (operation, calls) in OPERATIONS.iter().zip(calls).filter(|(_, calls)| *calls > 0) {
        println!("    {operation}: {:.0}", a_day(calls));
    }
    let body = daemon.scrape()?;
    let unknown =
        body.lines().filter(|line| line.contains("control_status") && line.contains("unknown") && line.ends_with(" 1"));
    println!("    unknown verdicts: {}", unknown.count());
    Ok(())
}

/// Waits until everybody is known, and, where that is wanted, until every account is read at the
/// longer interval; tells how long that took.
fn first_pass(daemon: &Daemon, accounts: usize, is_longer: bool) -> Result<Duration, Failure> {
    let began = Instant::now();
    loop {
        let body = daemon.scrape()?;
        let sum = |family: &str| -> f64 {
            let samples = body.lines().filter(|line| line.starts_with(family));
            samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        let is_known = sum("aws_mfa_users{") == (accounts * USERS) as f64;
        let is_long = !is_longer || sum("aws_mfa_events_interval_in_force{") == accounts as f64;
        if body.contains("\naws_mfa_exporter_initial_pass_complete 1") && is_known && is_long {
            return Ok(began.elapsed());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("not everything is known after {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(500));
    }
}
