//! `bench-users EXPORTER [ACCOUNTS] [SECONDS]`: what users cost, in memory, in CPU
//! and in time.
//!
//! First one account with 5,000 users, against the same account without any; then
//! an organization whose accounts have 100 users each, against a tenth of it: at the
//! default intervals for a while, and with cycles every half a minute for as long.
//! Each figure stands beside its target, where it has one. A run whose users are not
//! all counted and judged measures nothing, and fails.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{Mix, Scenario, Sim, organization, users};

use daemon::{Daemon, Failure, command, of_organization};

#[path = "daemon.rs"]
mod daemon;

const LATENCY: Duration = Duration::from_millis(20);
/// The most users an account can have.
const MOST_USERS: usize = 5_000;
const USERS: usize = 100;
/// Longest that a first pass may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(1_800);
const VIRTUAL: Mix = Mix { key_only: 0, fido: 0, hardware: 0, unprotected: 0 };
/// Three in ten have to be asked for.
const MIXED: Mix = Mix { key_only: 20, fido: 7, hardware: 2, unprotected: 1 };
const SHORT: [&str; 3] =
    ["--collector.root.interval=10s", "--collector.devices.interval=30s", "--collector.users.interval=30s"];

/// An exporter over a simulation.
struct Run {
    /// Ends before the simulation does.
    daemon: Daemon,
    sim: Sim,
    began: Instant,
    /// How many users there are.
    users: usize,
}

/// What a process holds, in KiB.
#[derive(Clone, Copy)]
struct Memory {
    resident: f64,
    anonymous: f64,
    peak: f64,
}

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-users EXPORTER [ACCOUNTS] [SECONDS]")?;
    let accounts: usize = arguments.next().unwrap_or_else(|| "1000".into()).parse()?;
    let time = Duration::from_secs(arguments.next().unwrap_or_else(|| "60".into()).parse()?);
    println!("{} ms a call", LATENCY.as_millis());
    one_account(&exporter, time)?;
    fleet(&exporter, "virtual devices only", accounts, VIRTUAL, time)?;
    fleet(&exporter, "20 key-only, 7 FIDO, 2 hardware, 1 without, 70 virtual", accounts, MIXED, time)
}

fn one_account(exporter: &str, time: Duration) -> Result<(), Failure> {
    let nobody = Run::start(exporter, 1, 0, VIRTUAL, &SHORT)?;
    nobody.first_pass()?;
    sleep(time);
    let empty = nobody.memory()?;
    drop(nobody);
    let run = Run::start(exporter, 1, MOST_USERS, VIRTUAL, &SHORT)?;
    let took = run.first_pass()?;
    let (first, cycles, cpu) = (run.memory()?, run.sim.total("ListUsers"), run.daemon.cpu_seconds()?);
    // Two cycles at least.
    sleep(time.max(Duration::from_secs(75)));
    let (later, cpu) = (run.memory()?, run.daemon.cpu_seconds()? - cpu);
    let cycles = (run.sim.total("ListUsers") - cycles) as f64 / (MOST_USERS as f64 / 1_000.0);
    run.is_right()?;
    println!(
        "one account, {MOST_USERS} users with virtual devices: first pass {:.1} s after the start",
        took.as_secs_f64()
    );
    println!("  without users:        {empty}");
    println!("  after the first pass: {first}");
    println!("  after {cycles:.0} cycles more:  {later} (target for one account with few users: 14 MiB resident)");
    println!(
        "  anonymous memory a user: {:.0} bytes",
        (later.anonymous - empty.anonymous) * 1024.0 / MOST_USERS as f64
    );
    println!("  CPU a cycle, heartbeats included: {:.0} ms", 1e3 * cpu / cycles);
    Ok(())
}

fn fleet(exporter: &str, what: &str, accounts: usize, mix: Mix, time: Duration) -> Result<(), Failure> {
    println!("{accounts} accounts of {USERS} users each: {what}");
    let few = accounts.div_ceil(10);
    for (name, flags) in [("default intervals", &[][..]), ("a cycle every 30 s", &SHORT[..])] {
        let small = Run::start(exporter, few, USERS, mix, flags)?.live(time)?;
        let run = Run::start(exporter, accounts, USERS, mix, flags)?;
        let took = run.first_pass()?;
        // What a first pass leaves behind is done a minute later.
        sleep(Duration::from_secs(75).min(time));
        let (cpu, calls) = (run.daemon.cpu_seconds()?, run.calls());
        sleep(time);
        let (cpu, calls) = (run.daemon.cpu_seconds()? - cpu, run.calls() - calls);
        let memory = run.memory()?;
        run.is_right()?;
        let further = |of: fn(Memory) -> f64| (of(memory) - of(small)) / (accounts - few).max(1) as f64;
        println!("  {name}: first pass {:.0} s after the start", took.as_secs_f64());
        println!("    {few} accounts: {small}; {accounts} accounts: {memory}");
        println!(
            "    a further account: {:.1} KiB resident, {:.1} KiB anonymous (target 35 resident, at the defaults)",
            further(|memory| memory.resident),
            further(|memory| memory.anonymous)
        );
        println!(
            "    CPU: {:.1} % of a core, {:.2} ms a call at {:.1} calls/s, ageing and encoding included (targets at the defaults: 2.5 % at 1,000 accounts, 15 % at 10,000)",
            100.0 * cpu / time.as_secs_f64(),
            1e3 * cpu / calls.max(1) as f64,
            calls as f64 / time.as_secs_f64()
        );
    }
    Ok(())
}

/// An organization of which each account has as many users.
fn scenario(accounts: usize, users_each: usize, mix: Mix) -> Scenario {
    let mut scenario = organization(accounts);
    scenario.latency_ms = u64::try_from(LATENCY.as_millis()).unwrap_or(0);
    for account in &mut scenario.accounts {
        account.users = users(account, users_each, mix);
    }
    scenario
}

// === impl Run ===

impl Run {
    fn start(exporter: &str, accounts: usize, users: usize, mix: Mix, flags: &[&str]) -> Result<Self, Failure> {
        let sim = Sim::start(scenario(accounts, users, mix))?;
        sim.stop_recording();
        let began = Instant::now();
        let mut command =
            if accounts > 1 { of_organization(&sim, exporter) } else { command(&sim.endpoint(), exporter) };
        command.args(flags);
        Ok(Self { daemon: Daemon::start(command)?, sim, began, users: users * accounts })
    }

    /// Waits until everything is known that there is to know; tells how long that took.
    fn first_pass(&self) -> Result<Duration, Failure> {
        loop {
            let body = self.daemon.scrape()?;
            let is_complete = body.contains("\naws_mfa_exporter_initial_pass_complete 1");
            if is_complete && self.counted(&body) == [self.users as f64, 0.0] {
                return Ok(self.began.elapsed());
            }
            if self.began.elapsed() > PATIENCE {
                return Err(format!("{:?} of {} users after {PATIENCE:?}", self.counted(&body), self.users).into());
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// A first pass and some time, and what is held then.
    fn live(&self, time: Duration) -> Result<Memory, Failure> {
        self.first_pass()?;
        sleep(time);
        self.is_right()?;
        self.memory()
    }

    /// How many users are counted in all accounts together, and of how many something is
    /// unknown, each fact by itself.
    fn counted(&self, body: &str) -> [f64; 2] {
        ["aws_mfa_users{", "aws_mfa_users_unknown{"].map(|family| {
            let samples = body.lines().filter(|line| line.starts_with(family));
            samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        })
    }

    /// Fails unless all users are still known: nothing that is measured would count.
    fn is_right(&self) -> Result<(), Failure> {
        let counted = self.counted(&self.daemon.scrape()?);
        if counted == [self.users as f64, 0.0] { Ok(()) } else { Err(format!("{counted:?} of {}", self.users).into()) }
    }

    fn calls(&self) -> usize {
        const OPERATIONS: [&str; 9] = [
            "AssumeRole",
            "GenerateCredentialReport",
            "GetAccountSummary",
            "GetCallerIdentity",
            "GetCredentialReport",
            "GetLoginProfile",
            "ListMFADevices",
            "ListUsers",
            "ListVirtualMFADevices",
        ];
        OPERATIONS.iter().map(|operation| self.sim.total(operation)).sum()
    }

    fn memory(&self) -> Result<Memory, Failure> {
        let kib = |key| Ok::<_, Failure>(1024.0 * self.daemon.memory(key)?);
        Ok(Memory { resident: kib("VmRSS")?, anonymous: kib("RssAnon")?, peak: kib("VmHWM")? })
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [resident, anonymous, peak] = [self.resident, self.anonymous, self.peak].map(|kib| kib / 1024.0);
        write!(f, "{resident:.1} MiB resident, {anonymous:.1} MiB anonymous, peak {peak:.1} MiB")
    }
}
