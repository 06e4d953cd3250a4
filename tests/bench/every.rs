//! `bench-every EXPORTER [ACCOUNTS] [SECONDS]`: what it costs to have every collector on.
//!
//! First the policies of one account with 5,000 users: pages, memory and CPU of a run. Then an
//! organization whose accounts have 100 users, a group, a few managed policies and a user pool
//! each, with and without the collectors that nobody has unless they are asked for: memory and
//! CPU at the default intervals; and the calls of an account and day, counted with all intervals
//! a sixtieth of the default, for the time that is given. Audits of root and contacts are on in the
//! first of these alone: one session a second cannot be sixty. A run in which anybody is unknown
//! measures nothing, and fails.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{Account, Group, Managed, Mix, Policies, Pool, Scenario, Sim, organization, users};

use daemon::{Daemon, Failure, command, of_organization};

#[path = "daemon.rs"]
mod daemon;

const LATENCY: u64 = 20;
const MOST_USERS: usize = 5_000;
const USERS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(900);
const VIRTUAL: Mix = Mix { key_only: 0, fido: 0, hardware: 0, unprotected: 0 };
const OFTEN: [&str; 2] = ["--collector.policies", "--collector.cognito"];
const SELDOM: [&str; 3] = ["--collector.rootaudit", "--collector.contacts", "--organization.root-access"];
const NO_OTHERS: [&str; 2] = ["--no-collector.users", "--no-collector.devices"];
const SIXTIETHS: [&str; 5] = [
    "--collector.root.interval=1s",
    "--collector.devices.interval=15s",
    "--collector.users.interval=15s",
    "--collector.policies.interval=1m",
    "--collector.cognito.interval=15s",
];
const OPERATIONS: [&str; 10] = [
    "AssumeRole",
    "DescribeUserPool",
    "GenerateCredentialReport",
    "GetAccountAuthorizationDetails",
    "GetAccountSummary",
    "GetCredentialReport",
    "ListRegions",
    "ListUserPools",
    "ListUsers",
    "ListVirtualMFADevices",
];

const REQUIRE_MFA: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"DenyAllExceptListedIfNoMFA","Effect":"Deny","NotAction":["iam:CreateVirtualMFADevice","iam:EnableMFADevice","iam:GetUser","iam:GetMFADevice","iam:ListMFADevices","iam:ListVirtualMFADevices","iam:ResyncMFADevice","sts:GetSessionToken"],"Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}"#;

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-every EXPORTER [ACCOUNTS] [SECONDS]")?;
    let accounts: usize = arguments.next().unwrap_or_else(|| "100".into()).parse()?;
    let time = Duration::from_secs(arguments.next().unwrap_or_else(|| "240".into()).parse()?);
    println!("{LATENCY} ms a call");
    one_account(&exporter)?;
    for (name, often, seldom) in [("as it is", &[][..], &[][..]), ("every collector on", &OFTEN[..], &SELDOM[..])] {
        println!("{accounts} accounts of {USERS} users each, {name}");
        at_default_intervals(&exporter, accounts, &[often, seldom].concat(), time)?;
        a_day_in_a_sixtieth(&exporter, accounts, often, time)?;
    }
    Ok(())
}

/// The policies of the largest account there can be.
fn one_account(exporter: &str) -> Result<(), Failure> {
    let mut scenario = organization(1);
    scenario.latency_ms = LATENCY;
    scenario.accounts.iter_mut().for_each(|account| fill(account, MOST_USERS, 300, 1_500));
    let sim = Sim::start(scenario)?;
    sim.stop_recording();
    for flags in [&[][..], &["--collector.policies", "--collector.policies.interval=10s"]] {
        let mut command = command(&sim.endpoint(), exporter);
        command.args(NO_OTHERS).args(flags);
        let daemon = Daemon::start(command)?;
        let wanted = if flags.is_empty() { 0 } else { MOST_USERS };
        let took = first_pass(&daemon, "aws_mfa_users_enforced{", wanted)?;
        let (runs, cpu) = (sim.total("GetAccountAuthorizationDetails"), daemon.cpu_seconds()?);
        sleep(Duration::from_secs(60));
        let (pages, cpu) = (sim.total("GetAccountAuthorizationDetails") - runs, daemon.cpu_seconds()? - cpu);
        println!(
            "one account, {wanted} users by policies: first pass after {:.1} s; {:.1} MiB resident, peak {:.1} MiB; \
             {pages} pages and {cpu:.2} s CPU in a minute",
            took.as_secs_f64(),
            daemon.memory("VmRSS:")?,
            daemon.memory("VmHWM:")?,
        );
    }
    Ok(())
}

/// Memory and CPU, when the first pass is over.
fn at_default_intervals(exporter: &str, accounts: usize, flags: &[&str], time: Duration) -> Result<(), Failure> {
    let sim = Sim::start(scenario(accounts))?;
    sim.stop_recording();
    let mut command = of_organization(&sim, exporter);
    command.args(flags);
    let daemon = Daemon::start(command)?;
    let took = first_pass(&daemon, "aws_mfa_users{", accounts * USERS)?;
    sleep(Duration::from_secs(75).min(time));
    let cpu = daemon.cpu_seconds()?;
    sleep(time);
    println!(
        "  first pass after {:.1} s; {:.1} MiB resident, peak {:.1} MiB; {:.2} % of a core",
        took.as_secs_f64(),
        daemon.memory("VmRSS:")?,
        daemon.memory("VmHWM:")?,
        100.0 * (daemon.cpu_seconds()? - cpu) / time.as_secs_f64(),
    );
    Ok(())
}

/// Calls by operation: in a minute what is called in an hour.
fn a_day_in_a_sixtieth(exporter: &str, accounts: usize, flags: &[&str], time: Duration) -> Result<(), Failure> {
    let sim = Sim::start(scenario(accounts))?;
    sim.stop_recording();
    let mut command = of_organization(&sim, exporter);
    command.args(SIXTIETHS).args(flags);
    let daemon = Daemon::start(command)?;
    first_pass(&daemon, "aws_mfa_users{", accounts * USERS)?;
    let before = OPERATIONS.map(|operation| sim.total(operation));
    let began = Instant::now();
    sleep(time);
    let hours = began.elapsed().as_secs_f64() / 60.0;
    let mut all = 0.0;
    for (operation, before) in OPERATIONS.into_iter().zip(before) {
        let a_day = (sim.total(operation) - before) as f64 / accounts as f64 / hours * 24.0;
        // Reports and sessions have times of their own, which are not a sixtieth.
        if a_day > 0.0 && !operation.ends_with("Report") && operation != "AssumeRole" {
            println!("    {operation}: {a_day:.0} an account and day");
            all += a_day;
        }
    }
    println!("    all of these: {all:.0} an account and day");
    Ok(())
}

fn scenario(accounts: usize) -> Scenario {
    let mut scenario = organization(accounts);
    scenario.latency_ms = LATENCY;
    scenario.accounts.iter_mut().for_each(|account| fill(account, USERS, 5, 10));
    if let Some(organization) = &mut scenario.organization {
        organization.root_access.features = ["RootCredentialsManagement", "RootSessions"].map(str::to_owned).into();
    }
    scenario
}

/// Users with devices, of whom most are in a group that makes them use MFA and all have a
/// document of their own, and as many groups and managed policies of two versions.
fn fill(account: &mut Account, count: usize, groups: usize, policies: usize) {
    account.users = users(account, count, VIRTUAL);
    let allow = |n: usize| {
        let actions: Vec<_> = (0..20).map(|k| format!("\"ec2:DescribeThing{}\"", n * 20 + k)).collect();
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{}],"Resource":"arn:aws:ec2:*:*:thing/{n}"}}]}}"#,
            actions.join(",")
        )
    };
    account.policies = (0..policies)
        .map(|n| Managed { versions: vec![allow(n), allow(n + 1)], default: 1, ..Managed::new(&format!("p{n}"), "") })
        .collect();
    account.groups =
        (0..groups).map(|n| Group::with(&format!("g{n}"), if n == 0 { REQUIRE_MFA } else { "" })).collect();
    for (n, group) in account.groups.iter_mut().enumerate().skip(1) {
        group.policies = Policies { inline: vec![allow(n)], ..Policies::default() };
    }
    let arns: Vec<_> = account.policies.iter().map(|policy| account.policy_arn(&policy.name)).collect();
    for (n, user) in account.users.iter_mut().enumerate() {
        user.groups = vec![if n % 10 == 0 { format!("g{}", 1 + n % (groups - 1)) } else { "g0".to_owned() }];
        user.policies = Policies { inline: vec![allow(n)], attached: vec![arns[n % arns.len()].clone()] };
    }
    account.pools = vec![Pool::new("eu-west-1_Customers", "ON")];
}

/// Waits until everything is known; tells how long that took.
fn first_pass(daemon: &Daemon, family: &str, wanted: usize) -> Result<Duration, Failure> {
    let began = Instant::now();
    loop {
        let body = daemon.scrape()?;
        let samples = body.lines().filter(|line| line.starts_with(family));
        let counted: f64 = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        if body.contains("\naws_mfa_exporter_initial_pass_complete 1") && counted == wanted as f64 {
            return Ok(began.elapsed());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{counted} of {wanted} users after {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(200));
    }
}
