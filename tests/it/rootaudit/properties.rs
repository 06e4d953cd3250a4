//! The promise, for audits: whatever an account does, whatever goes wrong with the answers
//! and whoever they are of, a verdict is true of a moment of the reading, or unknown; and
//! what is published stays true of its as-of time, beside heartbeats, restarts and steps of
//! the clock.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use aws_mfa_exporter::{
    collect::{
        self, Finding,
        changes::SharedChanges,
        iam::{DevicePage, Iam, RootDevice},
        root::Doubt,
        rootaudit::{RootDevicePage, RootIam},
    },
    model::{
        account::{Account, Identity},
        facts::{Changes, DeviceKind, Fault, FaultClass, RootAudit, SealKey, Summary},
        judge::{Control, Status},
        shard::Shard,
        snapshot::{AccountState, Collector, Event, News, Outcome, Plan, Snapshot},
        time::{Moment, Timestamp, Uptime},
    },
    state_file,
};
use proptest::prelude::*;

use crate::{renderings::Renderings, support::at_once};

const ROOT: &str = "arn:aws:iam::111111111111:root";
const HOUR: Duration = Duration::from_secs(3_600);
const PLAN: Plan = Plan { rootaudit: Some(HOUR), ..Plan::ROOT };

/// How long a run of the model takes, in milliseconds.
const RUN: u64 = 1_000;

/// An account as far as root's controls can tell states apart.
#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    password: bool,
    key: bool,
    fido: BTreeSet<u8>,
    virtuals: BTreeSet<u8>,
    users: u32,
    user_devices: u32,
}

impl World {
    fn mfa(&self) -> bool {
        !self.fido.is_empty() || !self.virtuals.is_empty()
    }

    fn summary(&self) -> Summary {
        let virtuals = u32::try_from(self.virtuals.len()).unwrap() + self.user_devices;
        Summary {
            mfa_enabled: Some(self.mfa()),
            password: Some(self.password),
            access_keys: Some(self.key),
            signing_certificates: Some(false),
            users: Some(self.users),
            mfa_devices: Some(virtuals),
            mfa_devices_in_use: Some(virtuals + u32::try_from(self.fido.len()).unwrap()),
        }
    }

    fn devices(&self) -> Vec<RootDevice> {
        let device = |serial: String| RootDevice { serial, enabled: Some(Timestamp::from_millis(0)) };
        let fido = self.fido.iter().map(|n| device(format!("arn:aws:iam::111111111111:u2f/root/{n}")));
        fido.chain(self.virtuals.iter().map(|n| device(format!("arn:aws:iam::111111111111:mfa/{n}")))).collect()
    }

    /// Whether a verdict is true of this state.
    fn allows(&self, control: Control, status: Status) -> bool {
        let credentials = self.password || self.key;
        match (control, status) {
            (_, Status::Unknown) => true,
            (Control::Cognito5 | Control::Iam5 | Control::Iam19, _) => false,
            (Control::Iam4, Status::Passed) => !self.key,
            (Control::Iam4, Status::Failed) => self.key,
            (Control::Iam4, Status::NotApplicable) => false,
            (_, Status::NotApplicable) => !credentials,
            (Control::Iam9, Status::Passed) => self.mfa(),
            (Control::Iam9, Status::Failed) => credentials && !self.mfa(),
            (Control::Iam6, Status::Passed) => self.mfa() && self.virtuals.is_empty(),
            (Control::Iam6, Status::Failed) => credentials && !self.mfa() || !self.virtuals.is_empty(),
        }
    }

    fn act(&mut self, act: u8) {
        let name = act / 10 % 2;
        match act % 10 {
            0 => self.password = !self.password,
            1 => self.key = !self.key,
            2 => _ = self.fido.insert(name),
            3 => _ = self.fido.pop_first(),
            4 => _ = self.virtuals.insert(name),
            5 => _ = self.virtuals.pop_first(),
            6 => self.users += 1,
            7 => (self.users, self.user_devices) = (0, 0),
            8 if self.users > 0 => self.user_devices += 1,
            // One key for another: no counter moves.
            9 if !self.fido.is_empty() => self.fido = self.fido.iter().map(|n| n + 1).collect(),
            _ => {}
        }
    }
}

fn world() -> impl Strategy<Value = World> {
    prop::collection::vec(any::<u8>(), 0..8).prop_map(|acts| {
        let mut world = World { password: true, ..World::default() };
        acts.into_iter().for_each(|act| world.act(act));
        world
    })
}

/// What is wrong with one answer.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Nothing,
    Error,
    /// A key of the summary is missing.
    Key(u8),
    /// It is another root's: of whoever has other devices and no such flags.
    Another,
    /// A device is missing from the list.
    Device,
    /// A replica answers that has the account as it was so many changes ago.
    Stale(u8),
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    change: Option<u8>,
    wrong: Wrong,
}

fn beat() -> impl Strategy<Value = Beat> {
    let wrong = prop_oneof![
        16 => Just(Wrong::Nothing),
        1 => Just(Wrong::Error),
        1 => (0..7u8).prop_map(Wrong::Key),
        1 => Just(Wrong::Another),
        1 => Just(Wrong::Device),
        2 => (0..3u8).prop_map(Wrong::Stale),
    ];
    (prop::option::weighted(0.15, any::<u8>()), wrong).prop_map(|(change, wrong)| Beat { change, wrong })
}

/// An account that lives while it is read, by a script.
struct Model(Mutex<Life>);

struct Life {
    script: Vec<Beat>,
    lived: Vec<World>,
    /// The summary that was answered last.
    shown: Option<Summary>,
    /// The account that answers for the rest of a list.
    listing: World,
}

impl Model {
    fn new(world: World, mut script: Vec<Beat>) -> Self {
        script.reverse();
        Self(Mutex::new(Life { script, lived: vec![world], shown: None, listing: World::default() }))
    }

    /// Lives on by one request; the account that answers it, and what is wrong.
    fn beat(&self, may_change: bool) -> (World, Wrong) {
        let mut life = self.0.lock().unwrap();
        let beat = life.script.pop().unwrap_or(Beat { change: None, wrong: Wrong::Nothing });
        if let Some(act) = beat.change.filter(|_| may_change) {
            let mut world = life.lived.last().unwrap().clone();
            world.act(act);
            life.lived.push(world);
        }
        let back = if let Wrong::Stale(back) = beat.wrong { usize::from(back) } else { 0 };
        (life.lived[life.lived.len().saturating_sub(1 + back)].clone(), beat.wrong)
    }

    fn lived(&self) -> Vec<World> {
        self.0.lock().unwrap().lived.clone()
    }

    fn answer(&self) -> Result<Summary, Fault> {
        let (world, wrong) = self.beat(true);
        let mut summary = world.summary();
        match wrong {
            Wrong::Error => return Err(Fault::new(FaultClass::AccessDenied, "the model denies it")),
            Wrong::Key(0) => summary.mfa_enabled = None,
            Wrong::Key(1) => summary.password = None,
            Wrong::Key(2) => summary.access_keys = None,
            Wrong::Key(3) => summary.users = None,
            Wrong::Key(4) => summary.mfa_devices = None,
            Wrong::Key(5) => summary.mfa_devices_in_use = None,
            Wrong::Key(_) => summary.signing_certificates = None,
            _ => {}
        }
        self.0.lock().unwrap().shown = Some(summary);
        Ok(summary)
    }
}

impl RootIam for Model {
    fn now(&self) -> Moment {
        at(1_000, 0)
    }

    async fn whose(&self) -> Result<String, Fault> {
        match self.beat(true).1 {
            Wrong::Error => Err(Fault::new(FaultClass::DeniedByScp, "the model denies it")),
            Wrong::Another => Ok("arn:aws:iam::222222222222:root".to_owned()),
            _ => Ok(ROOT.to_owned()),
        }
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        self.answer()
    }

    /// A device a page. Between two pages the account does not change: two changes that
    /// undo each other's counters within one list are the blind spot that all lists have.
    async fn devices(&self, marker: Option<String>) -> Result<RootDevicePage, Fault> {
        let from: usize = marker.map_or(0, |marker| marker.parse().unwrap());
        let (world, wrong) = self.beat(from == 0);
        let mut life = self.0.lock().unwrap();
        if from == 0 {
            life.listing = world;
        }
        let world = life.listing.clone();
        let mut devices = world.devices();
        let next = (devices.len() > from + 1).then(|| (from + 1).to_string());
        devices = devices.into_iter().skip(from).take(1).collect();
        match wrong {
            Wrong::Error => return Err(Fault::new(FaultClass::DeniedByScp, "the model denies it")),
            // Where there are users, or a summary may still say so, nothing else in AWS's answers
            // could show it.
            Wrong::Device if life.lived.iter().all(|world| world.users == 0) => _ = devices.pop(),
            _ => {}
        }
        Ok(RootDevicePage { devices, next })
    }

    async fn pause(&self, _: Duration) {
        self.beat(true);
    }
}

impl Iam for Model {
    fn now(&self) -> Moment {
        at(1_000, 0)
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        self.answer()
    }

    async fn assigned_devices(&self, _: Option<String>) -> Result<DevicePage, Fault> {
        unreachable!("no list is asked for")
    }

    async fn pause(&self, _: Duration) {
        self.beat(true);
    }
}

fn at(mono: u64, step: i64) -> Moment {
    let wall = 1_764_000_000_000 + i64::try_from(mono).unwrap() + step;
    Moment { wall: Timestamp::from_millis(wall), mono: Uptime::after_start(Duration::from_millis(mono)) }
}

/// The same for a process that began at `began`.
fn since(began: u64, mono: u64, step: i64) -> Moment {
    Moment { mono: at(mono - began, 0).mono, ..at(mono, step) }
}

fn identity() -> Identity {
    Identity::parse(ROOT, "111111111111").unwrap()
}

fn watching(now: Moment) -> Snapshot {
    let mut snapshot = Snapshot::awaiting_accounts(PLAN, now);
    let account = Account { member: true, ..Account::named(identity().account, String::new()) };
    snapshot.fold(Event::Discovered { accounts: vec![account], is_all: true, fault: None, at: now }, now);
    snapshot
}

fn state(snapshot: &Snapshot) -> &AccountState {
    snapshot.account(identity().account).unwrap()
}

fn audited(snapshot: &Snapshot) -> Option<RootAudit> {
    state(snapshot).audit.as_ref().map(|known| known.value)
}

fn verdict(snapshot: &Snapshot, control: Control) -> Option<(Status, Moment)> {
    let verdict = state(snapshot).standing(control).verdict;
    verdict.as_of.map(|as_of| (verdict.status, as_of))
}

/// Takes what a run has found in, as the daemon does: an audit proves whose account it is.
fn fold(snapshot: &mut Snapshot, collector: Collector, started: Moment, finding: Finding, changes: Changes) -> Event {
    if finding.news != News::None {
        snapshot.fold(Event::Identified { identity: identity(), at: started }, started);
    }
    let Finding { news, fault } = finding;
    let outcome = Outcome { collector, started, duration: Duration::ZERO, news, fault, changes };
    let event = Event::Collected { account: identity().account, outcome: Box::new(outcome) };
    snapshot.fold(event.clone(), started);
    event
}

#[derive(Clone, Debug)]
enum Step {
    Change(u8),
    Audit(Vec<Beat>),
    Root(Vec<Beat>),
    Wait(u64),
    SetClock(i64),
    Restart,
    Late,
}

fn step() -> impl Strategy<Value = Step> {
    let script = || prop::collection::vec(beat(), 0..12);
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Change),
        5 => script().prop_map(Step::Audit),
        3 => script().prop_map(Step::Root),
        3 => (1..200_000u64).prop_map(Step::Wait),
        2 => (1..5_000_000u64).prop_map(Step::Wait),
        1 => (-4_000_000..4_000_000i64).prop_map(Step::SetClock),
        1 => Just(Step::Restart),
        1 => Just(Step::Late),
    ]
}

proptest! {
    #![proptest_config(crate::support::properties())]

    #[test]
    fn a_fresh_audit_is_right_or_unknown(world in world(), script in prop::collection::vec(beat(), 0..24)) {
        let model = Model::new(world, script);
        let changes = SharedChanges::default();
        changes.seal_with(SealKey([7; 16]));
        let finding = at_once(collect::rootaudit::collect(&model, &identity(), None, &changes));
        let now = at(1_000, 0);
        let mut snapshot = watching(now);
        let is_news = finding.news != News::None;
        fold(&mut snapshot, Collector::Rootaudit, now, finding, changes.get());
        let lived = model.lived();
        for control in Control::ALL {
            if let Some((status, _)) = verdict(&snapshot, control) {
                prop_assert!(is_news && lived.iter().any(|world| world.allows(control, status)), "{control:?} {status}: {lived:?}");
            }
        }
        let counts = state(&snapshot).root_device_counts(&PLAN, now);
        if let Some(kinds) = counts.and_then(|known| known.value.kinds) {
            let is = |world: &World| {
                let counts = [DeviceKind::Fido, DeviceKind::Virtual].map(|kind| usize::from(kinds.count(kind)));
                counts == [world.fido.len(), world.virtuals.len()]
            };
            prop_assert!(lived.iter().any(is), "{kinds:?}: {lived:?}");
        }
    }

    #[test]
    fn a_published_verdict_was_right_and_no_later_answer_contradicts_a_pass(
        first in world(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (mut mono, mut by, mut began) = (1_000_000, 0, 0);
        let mut world = first;
        let mut changes = SharedChanges::default();
        changes.seal_with(SealKey([7; 16]));
        let mut snapshot = watching(since(began, mono, by));
        let mut renderings = Renderings::of_some();
        let mut history = vec![(mono, world.clone())];
        let (mut last, mut shown): (Option<Event>, Option<Summary>) = (None, None);
        for step in steps {
            let started = since(began, mono, by);
            let run = match step {
                Step::Change(act) => {
                    mono += 10;
                    world.act(act);
                    history.push((mono, world.clone()));
                    None
                }
                Step::Wait(time) => {
                    mono += time;
                    None
                }
                Step::SetClock(step) => {
                    by += step;
                    None
                }
                Step::Late => {
                    // A run that hung reports after later ones did.
                    last.iter().cloned().for_each(|event| snapshot.fold(event, started));
                    None
                }
                // What a stepped clock does to a file has tests of its own.
                Step::Restart if by != 0 => None,
                Step::Restart => {
                    snapshot.age(started);
                    let text = state_file::write(&snapshot, Shard::WHOLE);
                    began = mono;
                    let started = since(began, mono, by);
                    let read = state_file::read(&text, Shard::WHOLE, false, started).unwrap();
                    snapshot = watching(started);
                    snapshot.restore(read.memories, read.listed, started);
                    changes = SharedChanges::new(state(&snapshot).knowledge().1);
                    changes.seal_with(SealKey([8; 16]));
                    last = None;
                    None
                }
                Step::Audit(script) => Some((Collector::Rootaudit, script)),
                Step::Root(script) => Some((Collector::Root, script)),
            };
            if let Some((collector, script)) = run {
                let model = Model::new(world.clone(), script);
                let finding = match collector {
                    Collector::Root => at_once(collect::root::collect(&model, Doubt::Ask, &changes)),
                    _ => at_once(collect::rootaudit::collect(&model, &identity(), audited(&snapshot), &changes)),
                };
                let lived = model.lived();
                history.extend(lived.iter().enumerate().skip(1).map(|(n, world)| (mono + n as u64, world.clone())));
                world = lived.last().unwrap().clone();
                mono += RUN;
                shown = model.0.lock().unwrap().shown.or(shown);
                last = Some(fold(&mut snapshot, collector, started, finding, changes.get()));
            }
            let now = since(began, mono, by);
            snapshot.age(now);
            renderings.follow(&snapshot);
            let is_watched = PLAN.cadence.fresh_reading(state(&snapshot).reading.as_ref(), now).is_some();
            for control in Control::ALL {
                let Some((status, as_of)) = verdict(&snapshot, control) else { continue };
                // What was restored lies before the start by the other clock.
                let wall = u64::try_from(as_of.wall.as_millis() - 1_764_000_000_000).unwrap_or_default();
                let own = began + as_of.mono.since(Uptime::default()).as_millis() as u64;
                let from = if as_of.is_before_start() { wall } else { own };
                let age = Duration::from_millis(mono - from);
                prop_assert!(age <= PLAN.max_age_of_audit(), "{control:?} {status} is {age:?} old");
                let since = history.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
                let lived: Vec<_> = history[since..].iter().take_while(|(at, _)| *at <= from + RUN).collect();
                prop_assert!(
                    lived.iter().any(|(_, world)| world.allows(control, status)),
                    "{control:?} {status} as of {from}: {lived:?}"
                );
                let is_unprotected = shown.is_some_and(|shown| shown.is_unprotected());
                let is_against = !is_watched && control == Control::Iam9 && is_unprotected;
                prop_assert!(!is_against || status == Status::Failed, "{status}, and the last answer was {shown:?}");
            }
        }
    }
}

/// Two answers that contradict each other about one moment: whose counts is the failing one,
/// until the other says otherwise a minute later.
#[test]
fn of_an_audit_and_a_heartbeat_the_failing_answer_counts_for_a_minute() {
    let good = World { password: true, fido: BTreeSet::from([1]), ..World::default() };
    let bad = World { password: true, ..World::default() };
    let changes = SharedChanges::default();
    let mut snapshot = watching(at(0, 0));
    let mut see = |collector: Collector, world: &World, seconds: u64| {
        let model = Model::new(world.clone(), Vec::new());
        let finding = match collector {
            Collector::Root => at_once(collect::root::collect(&model, Doubt::Ask, &changes)),
            _ => at_once(collect::rootaudit::collect(&model, &identity(), audited(&snapshot), &changes)),
        };
        fold(&mut snapshot, collector, at(seconds * 1_000, 0), finding, changes.get());
        snapshot.age(at(seconds * 1_000, 0));
        state(&snapshot).standing(Control::Iam9).verdict.status
    };
    assert_eq!(see(Collector::Rootaudit, &good, 100), Status::Passed);
    assert_eq!(see(Collector::Root, &good, 110), Status::Passed);
    assert_eq!(see(Collector::Rootaudit, &bad, 120), Status::Failed, "the audit's replica is ahead");
    assert_eq!(see(Collector::Root, &good, 170), Status::Failed, "a replica that lags says nothing against it");
    assert_eq!(see(Collector::Root, &good, 180), Status::Passed, "a minute later");
    assert_eq!(see(Collector::Root, &bad, 240), Status::Failed);
    assert_eq!(see(Collector::Rootaudit, &good, 250), Status::Failed, "the heartbeat is fresh");
    assert_eq!(see(Collector::Root, &good, 300), Status::Passed);
}

/// What an earlier audit said is not what a later summary shows.
#[test]
fn an_audit_that_was_cut_short_after_a_failing_answer_ends_the_pass_of_the_one_before() {
    let good = World { password: true, fido: BTreeSet::from([1]), ..World::default() };
    let bad = World { password: true, ..World::default() };
    let changes = SharedChanges::default();
    let mut snapshot = watching(at(0, 0));
    let mut audit = |world: &World, script: Vec<Beat>, seconds: u64| {
        let model = Model::new(world.clone(), script);
        let finding = at_once(collect::rootaudit::collect(&model, &identity(), None, &changes));
        fold(&mut snapshot, Collector::Rootaudit, at(seconds * 1_000, 0), finding, changes.get());
        snapshot.age(at(seconds * 1_000, 0));
        state(&snapshot).standing(Control::Iam9).verdict.status
    };
    assert_eq!(audit(&good, Vec::new(), 100), Status::Passed);
    let quiet = Beat { change: None, wrong: Wrong::Nothing };
    let denied = Beat { change: None, wrong: Wrong::Error };
    assert_eq!(audit(&bad, vec![quiet, quiet, quiet, denied], 3_700), Status::Unknown);
    assert_eq!(audit(&bad, Vec::new(), 4_000), Status::Failed);
}
