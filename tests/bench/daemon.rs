//! What the benches share: the exporter as a child process, and what the system
//! says of it.

#![allow(dead_code)]

use std::{
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use aws_sim::Sim;

/// The access key of every bench's scenario.
pub const KEY: &str = "AKIASIMULATEDEXAMPLE";

/// Whatever a bench can fail of.
pub type Failure = Box<dyn Error>;

/// A running exporter; it ends when this is dropped.
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub address: String,
}

/// `exporter` with nothing in its environment but the simulated AWS, and what the
/// packages set.
pub fn command(endpoint: &str, exporter: &str) -> Command {
    let mut command = Command::new(exporter);
    command.env_clear().envs([
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // As the unit and the image set them.
        ("MALLOC_ARENA_MAX", "1"),
        ("MALLOC_MMAP_THRESHOLD_", "16384"),
        ("MALLOC_TRIM_THRESHOLD_", "65536"),
        ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"),
    ]);
    command
}

/// The command that watches the organization of `sim`.
pub fn of_organization(sim: &Sim, exporter: &str) -> Command {
    let mut command = command(&sim.endpoint(), exporter);
    command.arg("--organization.role-name=aws-mfa-exporter");
    command
}

impl Daemon {
    /// Starts it on a free port; it listens when this returns.
    pub fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.arg("--web.listen-address=127.0.0.1:0").stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no log")?).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("address=")?.1.split(' ').next()?.to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.ok_or("the exporter does not say where it listens")?;
        Ok(Self { child, address })
    }

    /// What `/metrics` answers, head and body.
    pub fn scrape(&self) -> Result<String, Failure> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// User and system time that it has used so far.
    pub fn cpu_seconds(&self) -> Result<f64, Failure> {
        times(&self.child.id().to_string(), 11)
    }

    /// A line of its `/proc/…/status`, in MiB.
    pub fn memory(&self, key: &str) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(key)).ok_or("no such line")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no value")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// User and system time of all children of this process that have ended.
pub fn cpu_of_ended_children() -> Result<f64, Failure> {
    times("self", 13)
}

/// Two neighbouring times of `/proc/PROCESS/stat`, added up. A tick is a hundredth of a
/// second on Linux; `field` is counted from the one behind the name, as 0.
fn times(process: &str, field: usize) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.get(field..field + 2).ok_or("no times")?.iter().map(|n| n.parse().unwrap_or(0u64)).sum();
    Ok(ticks as f64 / 100.0)
}
