//! `bench-fleet EXPORTER ACCOUNTS [SECONDS]`: many accounts of a simulated
//! organization, each answer 50 ms away.
//!
//! First a cold sweep of all roots by `check`, against its floor: the calls
//! times the latency, divided by the 64 that may be under way, or the rate of
//! STS where that binds. Then the daemon at its default intervals: calls a
//! second and how evenly they come, CPU a call, memory an account. Each figure
//! stands beside its target.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use aws_sim::{Account, Member, Organization, Role, Scenario, Seen, Sim};

const OWN: &str = "000000000001";
const KEY: &str = "AKIASIMULATEDEXAMPLE";
const LATENCY: Duration = Duration::from_millis(50);

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let exporter = arguments.next().ok_or("usage: bench-fleet EXPORTER ACCOUNTS [SECONDS]")?;
    let accounts: usize = arguments.next().unwrap_or_else(|| "1000".into()).parse()?;
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

fn command(sim: &Sim, exporter: &str) -> Command {
    let mut command = Command::new(exporter);
    command.arg("--organization.role-name=aws-mfa-exporter").env_clear().envs([
        ("AWS_ENDPOINT_URL", &*sim.endpoint()),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    command
}

fn cold_sweep(sim: &Sim, exporter: &str, accounts: usize) -> Result<(), Failure> {
    let began = Instant::now();
    let mut check = command(sim, exporter);
    check.args(["check", "--no-collector.devices", "--output=json"]).stdout(Stdio::null()).stderr(Stdio::null());
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
    let mut daemon = command(sim, exporter).arg("--web.listen-address=127.0.0.1:0").stderr(Stdio::piped()).spawn()?;
    let measured = measure(sim, &mut daemon, accounts, time);
    daemon.kill()?;
    daemon.wait()?;
    measured
}

fn measure(sim: &Sim, daemon: &mut Child, accounts: usize, time: Duration) -> Result<(), Failure> {
    let stderr = daemon.stderr.take().ok_or("no log")?;
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once("address=")?.1.split(' ').next()?.to_owned()));
    let address = address.ok_or("the exporter does not say where it listens")?;
    std::thread::spawn(move || lines.for_each(drop));
    let began = Instant::now();
    while !scrape(&address)?.contains("aws_mfa_exporter_initial_pass_complete 1") {
        sleep(Duration::from_millis(500));
    }
    println!("first pass of the daemon: {:.0} s after its start", began.elapsed().as_secs_f64());
    // The first lists, and those again that a moved fingerprint asks for, are over by then.
    sleep(Duration::from_secs(75));
    let (cpu, from) = (cpu_seconds(daemon.id())?, Instant::now());
    sleep(time);
    let cpu = cpu_seconds(daemon.id())? - cpu;
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
        "CPU: {:.2} s, {:.1} % of a core, {:.3} ms a call with ageing, encoding and credentials (target 0.35 for calls alone)",
        cpu,
        100.0 * cpu / time.as_secs_f64(),
        1000.0 * cpu / calls.len().max(1) as f64
    );
    let rss = status_kib(daemon.id(), "VmRSS")?;
    println!("RSS: {:.1} MiB, peak {:.1} MiB", rss / 1024.0, status_kib(daemon.id(), "VmHWM")? / 1024.0);
    let body = scrape(&address)?;
    println!(
        "exposition: {} series, {:.1} MB",
        body.lines().filter(|line| !line.starts_with('#')).count(),
        body.len() as f64 / 1e6
    );
    let unknown =
        body.lines().filter(|line| line.contains("control_status") && line.contains("unknown") && line.ends_with(" 1"));
    println!("unknown verdicts: {} of {}", unknown.count(), accounts * 3);
    Ok(())
}

fn scrape(address: &str) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// User and system time of a process; a tick is a hundredth of a second on Linux.
fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.get(11..13).ok_or("no times")?.iter().map(|n| n.parse().unwrap_or(0u64)).sum();
    Ok(ticks as f64 / 100.0)
}

fn status_kib(pid: u32, key: &str) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(key)).ok_or("no such line")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse()?)
}
