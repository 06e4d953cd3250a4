//! Each snapshot is rendered out of the one before, and says what it says from nothing.
//!
//! A line that stays when it should not is a verdict that stays. So the properties of the
//! collectors follow their histories with [`Renderings`] too: there AWS is read as it is.
//! Here there are many accounts, and whatever all of them share changes as well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_mfa_exporter::{
    metrics::render::Rendering,
    model::{
        account::{Account, AccountId, Identity},
        exemption::{Exemption, Subject},
        facts::{
            Changes, Confirmation, Fault, FaultClass, RootReading, Summary, UserFacts, UsersReading, VirtualDevices,
            user::{ReportUse, Reported, Virtual},
        },
        judge::Control,
        snapshot::{Collector, Event, News, Outcome, Plan, Snapshot, UsersPlan},
        time::{Moment, Timestamp, Uptime},
    },
};
use proptest::prelude::*;

/// Renders the snapshots of a history, each out of the one before.
#[derive(Default)]
pub struct Renderings {
    last: Option<Rendering>,
    passed: usize,
    is_left_out: bool,
}

impl Renderings {
    /// Follows one history in eight, where there are thousands.
    pub fn of_some() -> Self {
        static HISTORIES: AtomicUsize = AtomicUsize::new(0);
        let is_left_out = !HISTORIES.fetch_add(1, Ordering::Relaxed).is_multiple_of(8);
        Self { is_left_out, ..Self::default() }
    }

    /// Renders the next snapshot, also from nothing, and finds no line that differs.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        if self.is_left_out {
            return;
        }
        let snapshot = Arc::new(snapshot.clone());
        let next = match self.last.take() {
            Some(before) => before.next(Arc::clone(&snapshot)),
            None => Rendering::served(Arc::clone(&snapshot)),
        };
        assert_eq!(lines(&next), lines(&Rendering::served(snapshot)));
        self.last = Some(next);
    }

    /// Follows one snapshot in eight, where a history has thousands.
    pub fn follow_some(&mut self, snapshot: &Snapshot) {
        self.passed += 1;
        if self.passed.is_multiple_of(8) {
            self.follow(snapshot);
        }
    }
}

fn lines(rendering: &Rendering) -> Vec<(&str, String)> {
    let families = rendering.families();
    families.map(|(metric, lines)| (metric.name, String::from_utf8(lines.concat()).unwrap())).collect()
}

/// So many that they are several blocks.
const ACCOUNTS: usize = 300;

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Beat { account: usize, mfa: bool, password: bool },
    List { account: usize, roots: u32 },
    Users { account: usize, without: usize },
    Denied { account: usize },
    Echoed { account: usize, ago: u64 },
    Configured { names: Option<u32>, with_events: bool, exempt: bool },
    Listed { but: Option<usize>, name: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let account = || prop::sample::select(vec![0, 1, 127, 128, 255, 256, ACCOUNTS - 1]);
    let wait = prop::sample::select(vec![0, 1, 20, 59, 61, 130, 200, 301, 700, 1_000, 1_900, 4_000, 20_000, 90_000]);
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        4 => (account(), any::<bool>(), any::<bool>())
            .prop_map(|(account, mfa, password)| Step::Beat { account, mfa, password }),
        2 => (account(), 0..3_u32).prop_map(|(account, roots)| Step::List { account, roots }),
        4 => (account(), 0..4_usize).prop_map(|(account, without)| Step::Users { account, without }),
        1 => account().prop_map(|account| Step::Denied { account }),
        2 => (account(), 0..700_u64).prop_map(|(account, ago)| Step::Echoed { account, ago }),
        1 => (prop::option::of(0..3_u32), any::<bool>(), any::<bool>())
            .prop_map(|(names, with_events, exempt)| Step::Configured { names, with_events, exempt }),
        1 => (prop::option::of(account()), any::<bool>()).prop_map(|(but, name)| Step::Listed { but, name }),
    ]
}

fn id(account: usize) -> AccountId {
    Identity::parse(&format!("arn:aws:iam::{account:012}:root"), &format!("{account:012}")).unwrap().account
}

fn at(seconds: u64) -> Moment {
    let wall = Timestamp::from_millis(1_764_000_000_000 + i64::try_from(seconds).unwrap() * 1_000);
    Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
}

fn summary(mfa: bool, password: bool) -> Summary {
    Summary {
        mfa_enabled: Some(mfa),
        password: Some(password),
        access_keys: Some(false),
        signing_certificates: Some(false),
        users: Some(4),
        mfa_devices: Some(5),
        mfa_devices_in_use: Some(5),
    }
}

/// Four users, of whom so many have no device.
fn users(without: usize, now: u64) -> UsersReading {
    let user = |n: usize| UserFacts {
        virtual_devices: Virtual { count: u8::from(n >= without), since: Uptime::default() },
        reported: Reported { password: Some(n < 2), password_since: Uptime::default(), access_key: Some(n > 0) },
        ..UserFacts::new(
            format!("AIDA{n:017}").as_str().into(),
            &format!("user-{n}"),
            Uptime::default(),
            Timestamp::default(),
        )
    };
    UsersReading {
        is_whole: true,
        devices_listed: Some(at(now)),
        report: Some(ReportUse { generated: at(now.saturating_sub(9_000)), root_password_last_used: None }),
        users: (0..4).map(user).collect(),
        ..UsersReading::default()
    }
}

fn configured(names: Option<u32>, with_events: bool, exempt: bool, now: u64) -> Event {
    let mut plan = Plan { users: Some(UsersPlan { names, ..UsersPlan::DEFAULT }), devices: true, ..Plan::ROOT };
    plan.cadence.with_events = with_events.then_some(Duration::from_secs(300));
    let of = |id: &str, subject| Exemption {
        id: id.into(),
        account: None,
        subject,
        reason: String::new(),
        until: Some(at(now + 1_500).wall),
    };
    let control = of("control", Subject::Controls(vec![Control::Iam9]));
    let user = of("user", Subject::Users { names: "user-1".into(), id: None });
    let exemptions = if exempt { [control, user].into() } else { Default::default() };
    Event::Configured { plan, exemptions }
}

fn listed(but: Option<usize>, name: bool, now: u64) -> Event {
    let name = if name { "a" } else { "" };
    let accounts = (0..ACCOUNTS).filter(|account| Some(*account) != but);
    let accounts = accounts.map(|account| Account::named(id(account), name.into())).collect();
    Event::Discovered { accounts, is_all: true, fault: None, at: at(now) }
}

fn event(step: Step, now: u64) -> Option<Event> {
    let collected = |account, collector, news, fault| {
        let (started, duration, changes) = (at(now), Duration::from_millis(90), Changes::default());
        let outcome = Box::new(Outcome { collector, started, duration, news, fault, changes });
        Some(Event::Collected { account: id(account), outcome })
    };
    match step {
        Step::Wait(_) => None,
        Step::Beat { account, mfa, password } => {
            let reading = RootReading { summary: summary(mfa, password), confirmation: Confirmation::Agreed };
            collected(account, Collector::Root, News::Root(reading), None)
        }
        Step::List { account, roots } => {
            let fingerprint = summary(true, true).fingerprint();
            let list = VirtualDevices { root_owned: roots, unowned: 0, others: None, roots: None, fingerprint };
            collected(account, Collector::Devices, News::Devices(list), None)
        }
        Step::Users { account, without } => {
            collected(account, Collector::Users, News::Users(Arc::new(users(without, now))), None)
        }
        Step::Denied { account } => {
            let fault = Fault::new(FaultClass::AccessDenied, "not authorized");
            collected(account, Collector::Root, News::None, Some(fault))
        }
        Step::Echoed { account, ago } => {
            Some(Event::Echoed { account: id(account), asked: at(now.saturating_sub(ago)) })
        }
        Step::Configured { names, with_events, exempt } => Some(configured(names, with_events, exempt, now)),
        Step::Listed { but, name } => Some(listed(but, name, now)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_snapshot_rendered_out_of_the_one_before_says_what_it_says_from_nothing(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let mut now = 1_000;
        let mut snapshot = Snapshot::awaiting_accounts(Plan::DEFAULT, at(now));
        let mut renderings = Renderings::default();
        renderings.follow(&snapshot);
        snapshot.fold(listed(None, false, now), at(now));
        for step in steps {
            if let Step::Wait(seconds) = step {
                now += seconds;
            }
            if let Some(event) = event(step, now) {
                snapshot.fold(event, at(now));
            }
            snapshot.age(at(now));
            renderings.follow(&snapshot);
        }
    }
}
