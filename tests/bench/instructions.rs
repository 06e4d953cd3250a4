//! `bench-instructions [CALLS]`: what one `GetAccountSummary` costs the processor, from the
//! request to the numbers that were read of its answer.
//!
//! The call is made by the product's own client, over HTTP on loopback, one after the
//! other, from one thread. It runs under callgrind twice, with a hundred calls and with
//! CALLS (500) more: the difference is the calls' own. A count of instructions does not
//! change with what else the machine does, so this is the figure to compare. The time
//! without callgrind stands beside it: hot, one call after the other, and with a pause
//! before each call, as a daemon makes them that has 160 to make in a second. In the pause
//! the processor forgets what the call needs. Beside it stands the floor: the same
//! requests, signed by the SDK's signer and written to one connection, and their answers
//! read in one pass.

#![allow(missing_docs, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_mfa_exporter::{
    aws::{Caller, LazyClients, Session, iam::AccountIam, reply, wire::xml},
    clock::Clock,
    collect::iam::Iam as _,
    metrics::exporter_metrics::ExporterMetrics,
    rate_limit::Learner,
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_sim::{Account, Scenario, Sim};

type Failure = Box<dyn Error>;

const ID: &str = "111111111111";
const KEY: &str = "AKIASIMULATEDEXAMPLE";
const BODY: &[u8] = b"Action=GetAccountSummary&Version=2010-05-08";
/// What both runs do: a first call connects, and reads files.
const WARM: u64 = 100;
/// Between two calls of which there are 160 in a second.
const PAUSE: Duration = Duration::from_micros(1_000_000 / 160);

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["product", _, calls, pause] => product(calls.parse()?, Duration::from_micros(pause.parse()?)),
        ["floor", endpoint, calls, pause] => floor(endpoint, calls.parse()?, Duration::from_micros(pause.parse()?)),
        [] => measure(500),
        [calls] => measure(calls.parse()?),
        _ => Err("usage: bench-instructions [CALLS]".into()),
    }
}

fn measure(calls: u64) -> Result<(), Failure> {
    let account = Account::with_root_devices(ID, &[]);
    let credentials = BTreeMap::from([(KEY.to_owned(), ID.to_owned())]);
    let sim = Sim::start(Scenario { accounts: vec![account], credentials, ..Scenario::default() })?;
    for (what, name, target) in [
        ("a summary call", "product", "target 500,000 and 0.25 ms"),
        ("the floor: signed, sent and read by hand", "floor", "no target"),
    ] {
        let few = instructions(name, &sim.endpoint(), WARM)?;
        let many = instructions(name, &sim.endpoint(), WARM + calls)?;
        let milliseconds = |calls: u64, pause| -> Result<f64, Failure> {
            let time = |calls| time(name, &sim.endpoint(), calls, pause);
            let of_calls = time(WARM + calls)?.saturating_sub(time(WARM)?);
            Ok(of_calls.as_secs_f64() * 1e3 / calls as f64)
        };
        println!(
            "{what}: {} instructions, {:.3} ms of CPU when hot, {:.3} ms with 160 calls a second ({target})",
            (many - few) / calls,
            milliseconds(10 * calls, Duration::ZERO)?,
            milliseconds(2 * calls, PAUSE)?,
        );
    }
    Ok(())
}

/// This program as `what`.
fn child(mut command: Command, what: &str, endpoint: &str, calls: u64, pause: Duration) -> Command {
    command.env_clear().envs([
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("PATH", "/usr/bin:/bin"),
    ]);
    command.args([what, endpoint, &calls.to_string(), &pause.as_micros().to_string()]);
    command
}

fn instructions(what: &str, endpoint: &str, calls: u64) -> Result<u64, Failure> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe()?);
    let output = child(valgrind, what, endpoint, calls, Duration::ZERO).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("callgrind has counted nothing: {text}").into())
}

/// The processor time of a child, as it tells it itself.
fn time(what: &str, endpoint: &str, calls: u64, pause: Duration) -> Result<Duration, Failure> {
    let output = child(Command::new(env::current_exe()?), what, endpoint, calls, pause).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(Duration::from_nanos(text.trim().parse().map_err(|_| format!("no time: {text}"))?))
}

/// Prints the processor time that this process has used, in nanoseconds.
fn tell() -> Result<(), Failure> {
    let schedstat = fs::read_to_string("/proc/self/schedstat")?;
    println!("{}", schedstat.split(' ').next().ok_or("no time")?);
    Ok(())
}

fn product(calls: u64, pause: Duration) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rate = Learner::documented(1e9, 1e9);
    let caller = Caller::new(LazyClients::default(), ExporterMetrics::new(false)?, Clock::new()).with_rate(rate);
    let session = Session::ambient(caller);
    runtime.block_on(async {
        let verified = session.verified().await.map_err(|fault| fault.to_string())?;
        let iam = AccountIam::new(session.clone(), verified);
        for _ in 0..calls {
            // One of no length would go through timer and system all the same.
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            iam.summary().await.map_err(|fault| fault.to_string())?;
        }
        Ok::<_, Failure>(())
    })?;
    tell()
}

fn floor(endpoint: &str, calls: u64, pause: Duration) -> Result<(), Failure> {
    let host = endpoint.strip_prefix("http://").ok_or("no host")?.trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for _ in 0..calls {
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        stream.write_all(&signed(host)?)?;
        let body = body(&mut answers)?;
        xml::result(&body, "GetAccountSummary", reply::summary).map_err(|_| "this is no summary")?;
    }
    tell()
}

/// A request, as bytes.
fn signed(host: &str) -> Result<Vec<u8>, Failure> {
    let identity = Credentials::new(KEY, "x", None, None, "bench").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("iam")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?;
    let headers = [("host", host), ("content-type", "application/x-www-form-urlencoded")];
    let uri = format!("http://{host}/");
    let request = SignableRequest::new("POST", uri, headers.into_iter(), SignableBody::Bytes(BODY))?;
    let (instructions, _) = sign(request, &params.into())?.into_parts();
    let mut bytes = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n", BODY.len());
    let (added, _) = instructions.into_parts();
    let added = added.iter().map(|header| (header.name(), header.value()));
    for (name, value) in headers.into_iter().chain(added) {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok([bytes.as_bytes(), b"\r\n", BODY].concat())
}

fn body(answers: &mut impl BufRead) -> Result<Vec<u8>, Failure> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        answers.read_line(&mut line)?;
        if let Some((name, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().map_err(|_| format!("{name} is no number"))?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    answers.read_exact(&mut body)?;
    Ok(body)
}
