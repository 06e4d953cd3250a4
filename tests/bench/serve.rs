//! The product's own encoder and server over a made-up snapshot of N accounts,
//! for the bench beside it: no AWS, no collectors.
//!
//! `bench-serve ADDRESS ACCOUNTS` prints how long an encoding takes, in both formats and
//! compressed: after the heartbeats of a second and of two, and of all accounts; and what it
//! costs to publish an event. Then it serves the last one. With `encode` for an address it
//! encodes often, and that is all.

#![allow(clippy::print_stdout)]

use std::{
    env,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_mfa_exporter::{
    clock::Clock,
    daemon::publish,
    exposition::{Encoder, Encoding, Exposition, Format},
    http::{Landing, Limits, Pages, Site, listen, paths::Paths, serve},
    metrics::exporter_metrics::ExporterMetrics,
    model::{
        account::{Account, Identity},
        facts::{
            Changes, Confirmation, RootReading, Summary, UserFacts, UsersReading, VirtualDevices,
            user::{ReportUse, Reported, Virtual},
        },
        judge::Cadence,
        snapshot::{Collector, Event, News, Outcome, Plan, Snapshot, UsersPlan},
        time::{Timestamp, Uptime},
    },
};
use bytes::Bytes;
use tokio::sync::watch;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(address), Some(accounts)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bench-serve ADDRESS ACCOUNTS".into());
    };
    let clock = Clock::new();
    let accounts = accounts.parse()?;
    let mut snapshot = snapshot(&clock, accounts)?;
    let rounds = if address == "encode" { 10 } else { 1 };
    let mut head = publish::encode_head(Arc::new(snapshot.clone()), None);
    let mut took = Vec::new();
    for _ in 0..rounds {
        let snapshot = Arc::new(snapshot.clone());
        let began = Instant::now();
        head = publish::encode_head(snapshot, None);
        took.push(began.elapsed());
    }
    took.sort();
    let whole = took[rounds / 2].as_secs_f64() * 1e3;
    // The heartbeats of one second, and of two: of neighbours, as accounts have their slots; and
    // of accounts from everywhere.
    for (beats, step, name) in
        [(60, 1, "a second"), (30, 1, "two seconds"), (60, 7_919, "a second, of accounts from everywhere")]
    {
        let mut took = Vec::new();
        for round in 0..rounds * 5 {
            let is_due = |rank: u64| rank * beats / accounts == round as u64 % beats;
            let due = (0..accounts).filter(|n| is_due(n * step % accounts));
            due.for_each(|n| beat(&mut snapshot, n, &clock));
            snapshot.age(clock.now());
            let snapshot = Arc::new(snapshot.clone());
            let began = Instant::now();
            head = publish::encode_head(snapshot, Some(head));
            took.push(began.elapsed());
        }
        took.sort();
        let median = took[took.len() / 2].as_secs_f64() * 1e3;
        println!(
            "{accounts} accounts: encoded in {median:.1} ms after the heartbeats of {name} (target 100 ms for 10000)"
        );
    }
    publications(&snapshot, accounts, &clock);
    let metrics = ExporterMetrics::new(false)?;
    let mut tail = Encoder::default();
    for family in metrics.gather() {
        tail.family(&family)?;
    }
    let exposition = Exposition::new(&head.half, &tail.tail(), clock.now());
    let length = |encoding| exposition.body(Format::OpenMetrics, encoding).length;
    println!(
        "{accounts} accounts: encoded in {:.1} ms at the median of {rounds}, {} bytes plain, {} gzip",
        whole,
        length(Encoding::Identity),
        length(Encoding::Gzip)
    );
    if address == "encode" {
        return Ok(());
    }
    let (_published, exposition) = watch::channel(Some(Arc::new(exposition)));
    let site = Site {
        exposition,
        paths: Paths::new("/metrics", None, None),
        landing: Pages::new(|| Landing { html: Bytes::new(), policy: String::new() }),
        clock,
        max_age: Duration::from_secs(3_600),
        metrics,
        reload: None,
        reloading: Arc::default(),
        guard: None,
    };
    let listeners = listen::bind(&[address.parse()?])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(serve(listeners, site, Limits { scrapes: 0, ..Limits::default() }, std::future::pending()))?;
    Ok(())
}

/// What it costs to publish what has happened, as the keeper does, without a log line:
/// one event alone, and the eight that gather in 50 ms where 10,000 accounts are read each
/// minute. Once a second time passes, too.
fn publications(snapshot: &Snapshot, accounts: u64, clock: &Clock) {
    for together in [1_u32, 8] {
        let mut latest = Arc::new(snapshot.clone());
        let (mut took, mut number, mut changes) = (Vec::new(), 0, 0);
        for _ in 0..1_000 {
            let began = Instant::now();
            let mut next = Snapshot::clone(&latest);
            for _ in 0..together {
                number += 1;
                beat(&mut next, number * 7_919 % accounts, clock);
            }
            changes += next.changes(&latest).count();
            latest = Arc::new(next);
            took.push(began.elapsed());
        }
        assert!(changes > 0, "nothing was published");
        took.sort();
        let median = took[took.len() / 2].as_secs_f64() * 1e6;
        println!(
            "{accounts} accounts: {:.1} us for an event, of {together} published together, without encoding (target 50)",
            median / f64::from(together)
        );
    }
}

fn snapshot(clock: &Clock, accounts: u64) -> Result<Snapshot, Box<dyn Error>> {
    let cadence = Cadence::new(Duration::from_secs(60), Duration::from_secs(900));
    let mut snapshot =
        Snapshot::awaiting_accounts(Plan { cadence, users: Some(UsersPlan::DEFAULT), ..Plan::ROOT }, clock.now());
    let mut all = Vec::new();
    for n in 0..accounts {
        let id = id(n);
        all.push(Account::ambient(Identity::parse(&format!("arn:aws:iam::{id}:root"), &id)?));
    }
    let listed = Event::Discovered { accounts: all.clone(), is_all: true, fault: None, at: clock.now() };
    snapshot.fold(listed, clock.now());
    for (n, account) in (0..).zip(all) {
        let key = account.id;
        let summary = summary(n);
        let list = VirtualDevices {
            root_owned: u32::from(n % 3 == 0),
            unowned: 0,
            others: None,
            roots: None,
            fingerprint: summary.fingerprint(),
        };
        let reading = RootReading { summary, confirmation: Confirmation::Agreed };
        let users = News::Users(Arc::new(users(n, clock)));
        for (collector, news) in [
            (Collector::Root, News::Root(reading)),
            (Collector::Devices, News::Devices(list)),
            (Collector::Users, users),
        ] {
            let duration = Duration::from_millis(80 + n % 40);
            let outcome =
                Outcome { collector, started: clock.now(), duration, news, fault: None, changes: Changes::default() };
            snapshot.fold(Event::Collected { account: key, outcome: Box::new(outcome) }, clock.now());
        }
    }
    Ok(snapshot)
}

fn summary(n: u64) -> Summary {
    let (on, off) = (Some(!n.is_multiple_of(7)), Some(false));
    Summary {
        mfa_enabled: on,
        password: Some(true),
        access_keys: off,
        signing_certificates: off,
        users: Some(10),
        mfa_devices: Some(100),
        mfa_devices_in_use: Some(101),
    }
}

/// A heartbeat of an account, as it was.
fn beat(snapshot: &mut Snapshot, n: u64, clock: &Clock) {
    let account = id(n).parse().expect("twelve digits");
    let news = News::Root(RootReading { summary: summary(n), confirmation: Confirmation::Agreed });
    let (started, duration) = (clock.now(), Duration::from_millis(80 + n % 40));
    let outcome =
        Outcome { collector: Collector::Root, started, duration, news, fault: None, changes: Changes::default() };
    snapshot.fold(Event::Collected { account, outcome: Box::new(outcome) }, started);
}

fn id(n: u64) -> String {
    format!("{:012}", n * 7_919 + 100_000_000_000)
}

/// A few users, for how many there are changes no family but its values.
fn users(n: u64, clock: &Clock) -> UsersReading {
    let user = |k: u64| UserFacts {
        virtual_devices: Virtual { count: u8::from(!k.is_multiple_of(4)), since: Uptime::default() },
        reported: Reported { password: Some(true), password_since: Uptime::default(), access_key: Some(false) },
        ..UserFacts::new(
            format!("AIDA{:017}", n * 10 + k).as_str().into(),
            "user",
            Uptime::default(),
            Timestamp::default(),
        )
    };
    UsersReading {
        is_whole: true,
        devices_listed: Some(clock.now()),
        report: Some(ReportUse { generated: clock.now(), root_password_last_used: None }),
        users: (0..10).map(user).collect(),
        ..UsersReading::default()
    }
}
