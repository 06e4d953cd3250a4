//! `bench-check EXPORTER [USERS]`: `check` on accounts that look like users' accounts,
//! and, beside it, Cloud Custodian on the same where the variable `CUSTODIAN` names its
//! program. Then how soon the daemon says that a user's device is gone.
//!
//! With `USERS` the largest account has so many instead of 5,000. Each figure stands
//! beside its target; a check that leaves a user unknown fails, where it must not.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env, fs,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{Account, Mix, Scenario, Sim, User, users};

use daemon::{Daemon, Failure, KEY, command, cpu_of_ended_children};

#[path = "daemon.rs"]
mod daemon;

const ID: &str = "111111111111";
const LATENCY: Duration = Duration::from_millis(50);
/// The most users an account can have.
const MOST_USERS: usize = 5_000;
/// How often a check that is over in a second is run.
const RUNS: usize = 10;
/// The longest that the daemon may take for anything.
const PATIENCE: Duration = Duration::from_secs(1_800);
const MIXED: Mix = Mix { key_only: 15, fido: 20, hardware: 10, unprotected: 5 };
/// Of 1,200 users 666 have no virtual device.
const OFFICE: Mix = Mix { key_only: 20, fido: 25, hardware: 7, unprotected: 4 };
const FIDO: Mix = Mix { key_only: 0, fido: 100, hardware: 0, unprotected: 0 };

/// Console users without a device, which is a part of what `check` tells.
const POLICY: &str = "policies:
- name: users
  resource: aws.iam-user
  filters: [{type: credential, key: password_enabled, value: true}, {type: mfa-device, value: []}]
";

struct Bench {
    exporter: String,
    custodian: Option<String>,
}

/// What a run of a program took.
struct Took {
    wall: Duration,
    cpu: f64,
    calls: usize,
}

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-check EXPORTER [USERS]")?;
    let most: usize = arguments.next().map_or(Ok(MOST_USERS), |users| users.parse())?;
    let bench = Bench { exporter, custodian: env::var("CUSTODIAN").ok().filter(|path| !path.is_empty()) };
    if bench.custodian.is_none() {
        println!("Cloud Custodian is not installed here: it is not measured.");
    }
    bench.few(Duration::ZERO, "wall 150 ms, cpu 30 ms")?;
    bench.few(LATENCY, "wall 1500 ms")?;
    bench.one("1,200 users, 50 ms a call", 1_200, OFFICE, None, "10 s, none unknown, nothing throttled")?;
    let fido = |what: &str| format!("{most} users with FIDO keys alone, 50 ms a call, {what}");
    bench.one(&fido("limit 100 a second"), most, FIDO, Some(100.0), "120 s, none unknown, nothing throttled")?;
    bench.one(&fido("limit 10 a second"), most, FIDO, Some(10.0), "none unknown, at most 5 % throttled")?;
    bench.removal(most)
}

/// An account whose root user has a hardware key.
fn sim(count: usize, mix: Mix, latency: Duration) -> Result<Sim, Failure> {
    let account = Account { id: ID.into(), ..Account::default() };
    let root = Account::with_root_devices(ID, &[&account.root_fido_serial("key")]);
    let users: Vec<User> = users(&account, count, mix);
    let credentials = BTreeMap::from([(KEY.to_owned(), ID.to_owned())]);
    let sim = Sim::start(Scenario { accounts: vec![Account { users, ..root }], credentials, ..Scenario::default() })?;
    sim.set_latency(latency);
    Ok(sim)
}

impl Bench {
    /// Twenty users of mixed devices.
    fn few(&self, latency: Duration, target: &str) -> Result<(), Failure> {
        let mut took = Vec::new();
        for _ in 0..RUNS {
            took.push(self.check(&sim(20, MIXED, latency)?)?.0);
        }
        took.sort_by_key(|took| took.wall);
        let median = &took[RUNS / 2];
        println!("20 users of mixed devices, {} ms a call: {median} (target {target})", latency.as_millis());
        self.beside(&sim(20, MIXED, latency)?)
    }

    /// One check of one account.
    fn one(&self, what: &str, count: usize, mix: Mix, limit: Option<f64>, target: &str) -> Result<(), Failure> {
        let sim = sim(count, mix, LATENCY)?;
        if let Some(limit) = limit {
            sim.limit_rate(limit);
        }
        let (took, unknown) = self.check(&sim)?;
        let throttled = sim.throttled();
        let share = 100.0 * throttled as f64 / took.calls as f64;
        println!(
            "{what}: {took}; {unknown} users unknown, {throttled} calls throttled, {share:.1} % (target {target})"
        );
        if unknown > 0 {
            return Err("users are unknown".into());
        }
        if limit.is_some() {
            return Ok(());
        }
        self.beside(&self::sim(count, mix, LATENCY)?)
    }

    /// Runs `check`; tells of how many users something is not known.
    fn check(&self, sim: &Sim) -> Result<(Took, u64), Failure> {
        let mut check = command(&sim.endpoint(), &self.exporter);
        check.args(["check", "--output=json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let (output, took) = timed(sim, || Ok(check.output()?))?;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let unknown = &report["accounts"][0]["users"]["users_unknown"];
        let unknown = unknown.as_object().ok_or("the users were not read")?.values();
        Ok((took, unknown.filter_map(serde_json::Value::as_u64).max().unwrap_or(0)))
    }

    /// The same account through Cloud Custodian.
    fn beside(&self, sim: &Sim) -> Result<(), Failure> {
        let Some(program) = &self.custodian else { return Ok(()) };
        let folder = env::temp_dir().join(format!("bench-check-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let policy = folder.join("policy.yml");
        fs::write(&policy, POLICY)?;
        // The SDK's Python wants a home for its own files.
        let mut run = command(&sim.endpoint(), program);
        run.args(["run", "--cache-period=0", "--region=us-east-1", "-s"])
            .arg(&folder)
            .arg(&policy)
            .env("HOME", &folder);
        let (output, took) = timed(sim, || Ok(run.output()?))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        fs::remove_dir_all(&folder)?;
        let count = said.lines().find(|line| line.contains("policy:users")).unwrap_or("nothing about users");
        let ended = if output.status.success() { "" } else { " (it failed)" };
        println!("  Cloud Custodian: {took}{ended}: {}", count.rsplit("policy:").next().unwrap_or_default());
        Ok(())
    }

    /// From the removal of the device of a user who is asked last to the daemon's word.
    fn removal(&self, count: usize) -> Result<(), Failure> {
        let sim = sim(count, FIDO, LATENCY)?;
        let began = Instant::now();
        let daemon = Daemon::start(command(&sim.endpoint(), &self.exporter))?;
        let passed = until(&daemon, "passed", began)?;
        println!("daemon, {count} users with FIDO keys alone: everybody passes {passed:.0} s after the start");
        // Whoever was asked last before is asked last again.
        let seen = sim.seen();
        let asked = seen.iter().rev().find(|seen| seen.operation == "ListMFADevices").ok_or("nobody was asked")?;
        let name = asked.params["UserName"].clone();
        let removed = Instant::now();
        let lose = |user: &mut User, devices: Vec<String>| std::mem::replace(&mut user.devices, devices);
        let mut devices = Vec::new();
        let edit = |devices: &mut Vec<String>| {
            sim.edit(ID, |account| {
                let user = account.users.iter_mut().find(|user| user.name == name);
                user.into_iter().for_each(|user| *devices = lose(user, std::mem::take(devices)));
            });
        };
        edit(&mut devices);
        let failed = until(&daemon, "failed", removed)?;
        println!("  a device is removed: failed after {failed:.0} s (target 300)");
        let given = Instant::now();
        edit(&mut devices);
        let passed = until(&daemon, "passed", given)?;
        println!("  it is given back: passed after {passed:.0} s");
        Ok(())
    }
}

/// Seconds until the daemon says this of IAM.5.
fn until(daemon: &Daemon, status: &str, began: Instant) -> Result<f64, Failure> {
    let wanted = format!("control=\"IAM.5\",status=\"{status}\"}} 1");
    while !daemon.scrape()?.contains(&wanted) {
        if began.elapsed() > PATIENCE {
            return Err(format!("IAM.5 is not {status} within {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(500));
    }
    Ok(began.elapsed().as_secs_f64())
}

fn timed<T>(sim: &Sim, run: impl FnOnce() -> Result<T, Failure>) -> Result<(T, Took), Failure> {
    let (began, cpu, calls) = (Instant::now(), cpu_of_ended_children()?, sim.seen().len());
    let result = run()?;
    let wall = began.elapsed();
    Ok((result, Took { wall, cpu: cpu_of_ended_children()? - cpu, calls: sim.seen().len() - calls }))
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wall, cpu, calls } = self;
        write!(f, "wall {:.0} ms, cpu {:.0} ms, {calls} calls", wall.as_secs_f64() * 1e3, cpu * 1e3)
    }
}
