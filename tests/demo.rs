//! `cargo run --release --example demo`: the real exporter against a simulated
//! AWS, with an organization that has every kind of root user. One of them loses
//! its MFA and regains it every few minutes. Nothing of this is in the product.
//! `demo aws ADDRESS` is the simulated AWS alone, for the stack in deploy/demo.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    io,
    process::{self, Command, ExitCode, Stdio},
    thread::{self, sleep},
    time::Duration,
};

use aws_mfa_exporter::{cli::Flags, command};
use aws_sim::{Account, Fault, Member, Organization, Pool, Role, RootAccess, Scenario, Sim, Unit, User};
use clap::Parser as _;

const KEY: &str = "AKIASIMULATEDEXAMPLE";
const OWN: &str = "100000000001";
const FLAPS: &str = "100000000005";

/// Set for the process that is the exporter.
const INNER: &str = "AWS_MFA_EXPORTER_DEMO";

const ADDRESS: &str = "127.0.0.1:10045";

fn main() -> ExitCode {
    if env::var_os(INNER).is_some() {
        // The exporter of a demo ends with it, however that ends.
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            process::exit(0);
        });
        return command::run(Flags::parse());
    }
    match demonstrate() {
        Ok(code) => code,
        Err(error) => {
            println!("The demo cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("aws") {
        return serve_aws(&arguments.next().ok_or("usage: demo aws ADDRESS")?);
    }
    let more = first.map_or(Ok(0), |count| count.parse())?;
    let sim = simulated("127.0.0.1:0", more)?;
    println!(
        "This is a demo: the AWS behind it is simulated, and so are all accounts (\"demo …\").\n\n  \
         http://{ADDRESS}/         the accounts, worst first\n  http://{ADDRESS}/metrics  what Prometheus scrapes\n\n\
         Look for: demo-flapping, whose root user loses its MFA now and regains it every two minutes;\n\
         demo-denied, which cannot be read and is therefore unknown, never passed;\n\
         demo-sandbox, whose root user has no credentials at all;\n\
         demo-web-production, some of whose IAM users have no MFA. Ctrl-C ends it.\n"
    );
    let mut exporter = Command::new(env::current_exe()?)
        .args([
            &format!("--web.listen-address={ADDRESS}"),
            "--organization.role-name=aws-mfa-exporter",
            "--organization.root-access",
            "--collector.root.interval=5s",
            "--collector.devices.interval=30s",
            "--collector.users.interval=1m",
            "--collector.cognito",
            "--collector.cognito.interval=1m",
            "--collector.cognito.pools=all",
            "--log.level=error",
        ])
        .env(INNER, "1")
        .envs([("AWS_ENDPOINT_URL", &*sim.endpoint()), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "demo")])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::piped())
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .spawn()?;
    let mut half_minutes = 0u32;
    loop {
        for _ in 0..30 {
            sleep(Duration::from_secs(1));
            if let Some(status) = exporter.try_wait()? {
                return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
        }
        half_minutes += 1;
        if half_minutes.is_multiple_of(4) {
            flap(&sim);
        }
    }
}

/// The simulated AWS alone, for an exporter that is started elsewhere.
fn serve_aws(address: &str) -> Result<ExitCode, Box<dyn Error>> {
    let sim = simulated(address, 0)?;
    println!("The simulated AWS is at {}.", sim.endpoint());
    loop {
        sleep(Duration::from_secs(120));
        flap(&sim);
    }
}

fn simulated(address: &str, more: usize) -> io::Result<Sim> {
    let sim = Sim::start_on(address, scenario(more))?;
    sim.fault("100000000009", None, Fault::Throttled);
    sim.fault("100000000010", None, Fault::Hang);
    Ok(sim)
}

/// Takes root's device away, or gives it back.
fn flap(sim: &Sim) {
    sim.edit(FLAPS, |account| {
        if account.root.devices.pop().is_none() {
            let key = account.root_fido_serial("key");
            account.root.devices.push(key);
        }
    });
}

/// A dozen accounts with telling names, and `more` of the ordinary kind.
fn scenario(more: usize) -> Scenario {
    let (workloads, sandbox) = ("ou-workloads", "ou-sandbox");
    let mut accounts = Vec::new();
    let mut members = Vec::new();
    let mut add = |n: usize, name: &str, unit: &str, shape: fn(&mut Account)| {
        let id = format!("1{n:011}");
        let mut account = Account::with_root_devices(&id, &[]);
        account.roles.push(Role::named("aws-mfa-exporter"));
        account.users = operators(&account);
        shape(&mut account);
        members.push(Member { unit: unit.to_owned(), ..Member::new(&id, name) });
        accounts.push(account);
    };
    add(1, "demo management", aws_sim::ROOT, hardware);
    add(2, "demo-payments-production", workloads, |account| {
        hardware(account);
        account.users.extend(["backup-reader", "ci-deployer"].map(key_only));
    });
    add(3, "demo-web-production", workloads, |account| {
        software(account);
        account.pools = vec![Pool::new("eu-west-1_Customers", "OPTIONAL"), Pool::new("eu-west-1_Partners", "ON")];
        account.users.push(console_only("support-console"));
    });
    add(4, "demo-legacy, no MFA at all", workloads, |account| {
        account.users = ["build-server", "log-shipper"].map(key_only).into();
        account.users.extend(["console-admin", "console-operator", "former-operator"].map(console_only));
    });
    add(5, "demo-flapping", workloads, |_| {});
    add(6, "demo-sandbox, root without credentials", sandbox, |account| {
        account.root.password = false;
        account.users.clear();
    });
    add(7, "demo-ci, root has an access key", workloads, |account| {
        hardware(account);
        account.root.access_keys = 1;
        account.users.push(User { password: true, access_keys: vec![true], ..User::named("ci-deployer") });
    });
    add(8, "demo-denied", sandbox, |account| account.roles.clear());
    add(9, "demo-throttled", sandbox, hardware);
    add(10, "demo-hanging", sandbox, hardware);
    add(11, "demo-incomplete answers", sandbox, |account| {
        account.root.password = false;
        account.summary_omit.push("AccountPasswordPresent".to_owned());
    });
    add(12, "demo-closed", sandbox, hardware);
    for n in 0..more {
        let shape = [hardware, hardware, |account: &mut Account| account.root.password = false, software][n % 4];
        add(100 + n, &format!("demo-workload-{n:04}"), workloads, shape);
    }
    members[11].state = Some("CLOSED".to_owned());
    let unit = |id: &str, name: &str| Unit { id: id.into(), name: name.into(), parent: aws_sim::ROOT.into() };
    let units = vec![unit(workloads, "Workloads"), unit(sandbox, "Sandbox")];
    Scenario {
        accounts,
        credentials: BTreeMap::from([(KEY.to_owned(), OWN.to_owned())]),
        organization: Some(Organization { management: OWN.into(), members, units, root_access: RootAccess::on(), ..Organization::default() }),
        latency_ms: 20,
    }
}

fn hardware(account: &mut Account) {
    let key = account.root_fido_serial("key");
    account.root.devices.push(key);
}

fn software(account: &mut Account) {
    let phone = account.virtual_serial("phone");
    account.root.devices.push(phone);
}

/// Three users as they should be, with a device of each kind.
fn operators(account: &Account) -> Vec<User> {
    let with = |name: &str, device: String| User { password: true, devices: vec![device], ..User::named(name) };
    vec![
        with("break-glass", "GAHT12345678".to_owned()),
        with("console-auditor", account.user_fido_serial("console-auditor", "key")),
        with("console-operator", account.virtual_serial("console-operator")),
    ]
}

/// A user of the console without MFA.
fn console_only(name: &str) -> User {
    User { password: true, ..User::named(name) }
}

/// A program's user, who has a key and nothing to protect it.
fn key_only(name: &str) -> User {
    User { access_keys: vec![true], ..User::named(name) }
}
