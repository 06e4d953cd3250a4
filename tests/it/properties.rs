//! The promise itself, as two properties, ten thousand cases each.
//!
//! *Fresh*: whatever an account does and whatever goes wrong with the answers
//! while a collector reads it, what is judged of the evidence is true of some
//! moment of the reading, or unknown. *Published*: whatever changes, faults,
//! lost confirmations, restarts and steps of the clock came before, a verdict
//! that is shown was true at the as-of time shown with it, and is no older than
//! its maximum age. Replicas that lag are AWS telling an untruth, which nobody
//! can see through; they have scenarios of their own.

use std::{sync::Mutex, time::Duration};

use aws_mfa_exporter::{
    collect::{
        self, Finding,
        changes::SharedChanges,
        devices::Prior,
        iam::{DevicePage, Iam, Owner},
        root::Doubt,
    },
    model::{
        account::Identity,
        facts::{Changes, Confirmation, Fault, FaultClass, Summary, VirtualDevices},
        judge::{Cadence, Control, Status},
        snapshot::{Collector, Event, News, Outcome, Plan, Snapshot},
        time::{Moment, Timestamp, Uptime},
    },
};
use proptest::prelude::*;

use crate::{renderings::Renderings, support::at_once};

const ROOT: &str = "arn:aws:iam::111111111111:root";
const PLAN: Plan = Plan { cadence: Cadence::new(Duration::from_secs(60), Duration::from_secs(900)), ..Plan::ROOT };

/// An account as far as root's controls can tell states apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct World {
    password: bool,
    key: bool,
    root_fido: u32,
    root_virtual: u32,
    user_virtual: u32,
    spare: u32,
}

impl World {
    fn summary(self) -> Summary {
        Summary {
            mfa_enabled: Some(self.root_fido + self.root_virtual > 0),
            password: Some(self.password),
            access_keys: Some(self.key),
            signing_certificates: Some(false),
            users: Some(3),
            mfa_devices: Some(self.root_virtual + self.user_virtual + self.spare),
            mfa_devices_in_use: Some(self.root_fido + self.root_virtual + self.user_virtual),
        }
    }

    /// Whether a verdict is true of this state, by what its state means: passed,
    /// that the devices are there; not applicable, that no credential is; failed,
    /// that a credential is and the device is not. (Which of the first two is said
    /// of a root user with a device and no credential is the tables' business.)
    fn allows(self, control: Control, status: Status) -> bool {
        let (credentials, mfa) = (self.password || self.key, self.root_fido + self.root_virtual > 0);
        match (control, status) {
            (_, Status::Unknown) => true,
            // Nobody collects users here; they have a model of their own.
            (Control::Iam5 | Control::Iam19, _) => false,
            (Control::Iam4, Status::Passed) => !self.key,
            (Control::Iam4, Status::Failed) => self.key,
            (Control::Iam4, Status::NotApplicable) => false,
            (_, Status::NotApplicable) => !credentials,
            (Control::Iam9, Status::Passed) => mfa,
            (Control::Iam9, Status::Failed) => credentials && !mfa,
            (Control::Iam6, Status::Passed) => mfa && self.root_virtual == 0,
            // Nothing here reads user pools.
            (Control::Cognito5, Status::Passed | Status::Failed) => false,
            (Control::Iam6, Status::Failed) => credentials && !mfa || self.root_virtual > 0,
        }
    }

    /// One thing that somebody with a console can do.
    fn change(&mut self, act: u8) {
        match act % 10 {
            0 => self.password = !self.password,
            1 => self.key = !self.key,
            2 => self.root_fido += 1,
            3 => self.root_fido = self.root_fido.saturating_sub(1),
            4 if self.spare > 0 => (self.spare, self.root_virtual) = (self.spare - 1, self.root_virtual + 1),
            5 if self.root_virtual > 0 => (self.spare, self.root_virtual) = (self.spare + 1, self.root_virtual - 1),
            6 if self.spare > 0 => (self.spare, self.user_virtual) = (self.spare - 1, self.user_virtual + 1),
            7 if self.user_virtual > 0 => (self.spare, self.user_virtual) = (self.spare + 1, self.user_virtual - 1),
            8 => self.spare += 1,
            9 => self.root_virtual = 0,
            _ => {}
        }
    }
}

fn world() -> impl Strategy<Value = World> {
    (any::<bool>(), any::<bool>(), 0..2u32, 0..2u32, 0..4u32, 0..2u32).prop_map(
        |(password, key, root_fido, root_virtual, user_virtual, spare)| World {
            password,
            key,
            root_fido,
            root_virtual,
            user_virtual,
            spare,
        },
    )
}

/// What happens around one request.
#[derive(Clone, Copy, Debug)]
struct Beat {
    change: Option<u8>,
    fault: bool,
    hide: u8,
}

fn beat() -> impl Strategy<Value = Beat> {
    (prop::option::weighted(0.2, any::<u8>()), prop::bool::weighted(0.1), prop_oneof![9 => Just(0u8), 1 => any::<u8>()])
        .prop_map(|(change, fault, hide)| Beat { change, fault, hide })
}

/// An account that lives while it is read, by a script.
struct Model(Mutex<Life>);

struct Life {
    world: World,
    script: Vec<Beat>,
    lived: Vec<World>,
}

impl Model {
    fn new(world: World, mut script: Vec<Beat>) -> Self {
        script.reverse();
        Self(Mutex::new(Life { world, script, lived: vec![world] }))
    }

    /// Lives on by one beat; `changes` says whether the account may change now.
    fn beat(&self, changes: bool) -> (World, Beat) {
        let mut life = self.0.lock().unwrap();
        let beat = life.script.pop().unwrap_or(Beat { change: None, fault: false, hide: 0 });
        if let Some(act) = beat.change.filter(|_| changes) {
            life.world.change(act);
            let world = life.world;
            life.lived.push(world);
        }
        (life.world, beat)
    }

    fn lived(&self) -> Vec<World> {
        self.0.lock().unwrap().lived.clone()
    }
}

fn denied() -> Fault {
    Fault::new(FaultClass::AccessDenied, "the model denies it")
}

impl Iam for Model {
    fn now(&self) -> Moment {
        Clocks { mono: 1_000, step: 0 }.read()
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        let (world, beat) = self.beat(true);
        let mut summary = world.summary();
        let keys: [&mut dyn FnMut(); 5] = [
            &mut || {},
            &mut || summary.mfa_enabled = None,
            &mut || summary.password = None,
            &mut || summary.access_keys = None,
            &mut || summary.users = None,
        ];
        keys.into_iter().nth(usize::from(beat.hide) % 5).unwrap()();
        if beat.fault { Err(denied()) } else { Ok(summary) }
    }

    /// Two owners a page, root's devices last. Between two pages an account may
    /// change once: two changes that undo each other's counters within one list
    /// are the blind spot that the collector documents.
    async fn assigned_devices(&self, marker: Option<String>) -> Result<DevicePage, Fault> {
        let from: usize = marker.map_or(0, |marker| marker.parse().unwrap());
        let (world, beat) = self.beat(from == 0);
        let owner = |arn: String| Some(Owner { id: arn.as_str().into(), arn, since: Uptime::default() });
        let users = (0..world.user_virtual).map(|n| owner(format!("arn:aws:iam::111111111111:user/u{n}")));
        let roots = (0..world.root_virtual).map(|_| owner(ROOT.to_owned()));
        let mut owners: Vec<_> = users.chain(roots).collect();
        let next = (owners.len() > from + 2).then(|| (from + 2).to_string());
        owners = owners.into_iter().skip(from).take(2).collect();
        if beat.hide % 7 == 6 {
            owners.iter_mut().for_each(|owner| *owner = None);
        }
        if beat.fault { Err(denied()) } else { Ok(DevicePage { owners, roots: Vec::new(), next }) }
    }

    async fn pause(&self, _: Duration) {
        self.beat(true);
    }
}

/// Lists the devices; `summary` is what a heartbeat has just read, if one has.
fn list(model: &Model, summary: Option<Summary>, list: Option<VirtualDevices>) -> Finding {
    at_once(collect::devices::collect(model, ROOT, Prior { summary, list }, &SharedChanges::default())).0
}

fn identity() -> Identity {
    Identity::parse(ROOT, "111111111111").unwrap()
}

fn known(snapshot: &Snapshot, control: Control) -> Option<(Status, Moment)> {
    let state = snapshot.accounts().next().unwrap();
    let verdict = state.standing(control).verdict;
    verdict.as_of.map(|as_of| (verdict.status, as_of))
}

fn collected(collector: Collector, started: Moment, finding: Finding) -> Event {
    let account = identity().account;
    let outcome = Outcome {
        collector,
        started,
        duration: Duration::ZERO,
        news: finding.news,
        fault: finding.fault,
        changes: Changes::default(),
    };
    Event::Collected { account, outcome: Box::new(outcome) }
}

/// The two clocks, of which one can be stepped.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    mono: u64,
    step: i64,
}

impl Clocks {
    fn read(self) -> Moment {
        let wall = 1_764_000_000_000 + i64::try_from(self.mono).unwrap() + self.step;
        Moment { wall: Timestamp::from_millis(wall), mono: Uptime::after_start(Duration::from_millis(self.mono)) }
    }
}

fn fresh_snapshot(clocks: Clocks) -> Snapshot {
    snapshot_of(PLAN, clocks)
}

fn snapshot_of(plan: Plan, clocks: Clocks) -> Snapshot {
    let mut snapshot = Snapshot::new(plan, clocks.read());
    snapshot.fold(Event::Identified { identity: identity(), at: clocks.read() }, clocks.read());
    snapshot
}

#[derive(Clone, Debug)]
enum Step {
    Change(u8),
    Root(Vec<Beat>),
    Devices(Vec<Beat>),
    Both(Vec<Beat>),
    Wait(u64),
    SetClock(i64),
    Restart,
    Late,
    /// A call comes back that was made so long ago.
    Echo(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let script = || prop::collection::vec(beat(), 0..6);
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Change),
        5 => script().prop_map(Step::Root),
        2 => script().prop_map(Step::Devices),
        2 => prop::collection::vec(beat(), 0..9).prop_map(Step::Both),
        5 => (1..400_000u64).prop_map(Step::Wait),
        1 => (-4_000_000..4_000_000i64).prop_map(Step::SetClock),
        1 => Just(Step::Restart),
        1 => Just(Step::Late),
        2 => (0..900_000u64).prop_map(Step::Echo),
    ]
}

/// The script that makes the account do `act` before the request of that number.
fn script(acts: &[(usize, u8)]) -> Vec<Beat> {
    let quiet = Beat { change: None, fault: false, hide: 0 };
    let mut beats = vec![quiet; 16];
    acts.iter().for_each(|(at, act)| beats[*at].change = Some(*act));
    beats
}

/// Root's virtual device is off while the devices are listed, and on again when
/// the second summary is read: equal summaries, and a list without it.
#[test]
fn root_virtual_device_off_around_the_list_is_no_pass() {
    let world = World { password: true, key: false, root_fido: 0, root_virtual: 1, user_virtual: 0, spare: 0 };
    let model = Model::new(world, script(&[(1, 5), (2, 4)]));
    let finding = list(&model, None, None);
    match finding.news {
        News::Devices(devices) => assert_eq!(devices.root_owned, 1, "what the second reading saw"),
        news => assert_eq!(news, News::None),
    }
}

#[test]
fn a_list_that_speaks_for_a_pass_is_read_twice_unless_the_one_before_said_so() {
    let world = World { password: true, key: false, root_fido: 1, root_virtual: 0, user_virtual: 1, spare: 0 };
    let model = Model::new(world, script(&[]));
    let requests = |model: &Model| 16 - model.0.lock().unwrap().script.len();
    let News::Devices(devices) = list(&model, None, None).news else { panic!("no list") };
    assert_eq!(requests(&model), 5, "summary, list, summary, list, summary");
    let model = Model::new(world, script(&[]));
    list(&model, None, Some(devices));
    assert_eq!(requests(&model), 3);
    let model = Model::new(World { spare: 1, ..world }, script(&[]));
    list(&model, None, Some(devices));
    assert_eq!(requests(&model), 5, "the one before spoke of another state of the account");
}

/// Root's virtual device is gone by the list, and no counter has moved: the summaries may
/// be a lagging replica's, and root may have no device at all.
#[test]
fn a_list_that_differs_at_the_same_counters_passes_nobody_before_it_is_read_again_a_minute_later() {
    let world = World { password: true, key: false, root_fido: 0, root_virtual: 1, user_virtual: 0, spare: 0 };
    let swapped = Model::new(World { root_fido: 1, root_virtual: 0, spare: 1, ..world }, script(&[]));
    let changes = SharedChanges::default();
    let read = |model: &Model| at_once(collect::devices::collect(model, ROOT, Prior::default(), &changes)).0;
    let mut snapshot = fresh_snapshot(Clocks { mono: 1_000, step: 0 });
    let mut judge = |model: &Model, seconds: u64| {
        let at = Clocks { mono: 1_000 + seconds * 1_000, step: 0 }.read();
        let root = at_once(collect::root::collect(model, Doubt::Ask, &changes));
        for (collector, finding) in [(Collector::Root, root), (Collector::Devices, read(model))] {
            let Event::Collected { account, outcome } = collected(collector, at, finding) else { unreachable!() };
            let outcome = Outcome { changes: changes.get(), ..*outcome };
            snapshot.fold(Event::Collected { account, outcome: Box::new(outcome) }, at);
        }
        known(&snapshot, Control::Iam6).map(|(status, _)| status)
    };
    assert_eq!(judge(&Model::new(world, script(&[])), 0), Some(Status::Failed));
    assert_eq!([0, 59, 60].map(|seconds| judge(&swapped, seconds)), [None, None, Some(Status::Passed)]);
}

proptest! {
    #![proptest_config(crate::support::properties())]

    #[test]
    fn a_fresh_judgement_is_right_or_unknown(
        world in world(),
        script in prop::collection::vec(beat(), 0..16),
        is_handed in any::<bool>(),
    ) {
        let clocks = Clocks { mono: 1_000, step: 0 };
        let model = Model::new(world, script);
        let mut snapshot = fresh_snapshot(clocks);
        // The list begins with the summary of a heartbeat, or with one of its own.
        let beat = is_handed.then(|| at_once(collect::root::collect(&model, Doubt::Ask, &SharedChanges::default())).news);
        let summary = if let Some(News::Root(reading)) = beat { Some(reading.summary) } else { None };
        let list = list(&model, summary, None);
        let heartbeat = at_once(collect::root::collect(&model, Doubt::Ask, &SharedChanges::default()));
        snapshot.fold(collected(Collector::Devices, clocks.read(), list), clocks.read());
        let later = Clocks { mono: 2_000, step: 0 }.read();
        snapshot.fold(collected(Collector::Root, later, heartbeat), later);
        for control in Control::ALL {
            if let Some((status, _)) = known(&snapshot, control) {
                let lived = model.lived();
                prop_assert!(lived.iter().any(|world| world.allows(control, status)), "{control:?} {status}: {lived:?}");
            }
        }
    }

    #[test]
    fn a_published_verdict_was_right_and_is_not_too_old(
        world in world(),
        steps in prop::collection::vec(step(), 1..40),
        with_events in prop::option::of(prop_oneof![Just(300u64), Just(900)]),
    ) {
        let with_events = with_events.map(Duration::from_secs);
        let plan = Plan { cadence: Cadence { with_events, ..PLAN.cadence }, ..PLAN };
        let mut last_echo: Option<u64> = None;
        let mut clocks = Clocks { mono: 1_000_000, step: 0 };
        let mut world = world;
        let mut snapshot = snapshot_of(plan.clone(), clocks);
        let mut renderings = Renderings::of_some();
        // What was true from when on, by the clock that is never stepped.
        let mut history = vec![(clocks.mono, world)];
        let mut believed = None;
        let mut listed = None;
        let mut last = None;
        for step in steps {
            match step {
                Step::Change(act) => {
                    clocks.mono += 10;
                    world.change(act);
                    history.push((clocks.mono, world));
                }
                Step::Wait(time) => clocks.mono += time,
                Step::SetClock(by) => clocks.step += by,
                Step::Restart => {
                    snapshot = snapshot_of(plan.clone(), clocks);
                    (believed, listed, last, last_echo) = (None, None, None, None);
                }
                Step::Echo(ago) => {
                    // Echoes come in any order.
                    let asked = clocks.mono.saturating_sub(ago);
                    last_echo = last_echo.max(Some(asked));
                    let asked = Clocks { mono: asked, ..clocks }.read();
                    snapshot.fold(Event::Echoed { account: identity().account, asked }, clocks.read());
                }
                Step::Late => {
                    // A run that hung reports after later ones did.
                    if let Some(event) = last.clone() {
                        snapshot.fold(event, clocks.read());
                    }
                }
                Step::Root(script) | Step::Devices(script) if script.len() > 5 => {}
                Step::Root(script) => {
                    let started = clocks.read();
                    let model = Model::new(world, script);
                    let doubt = if believed == Some(true) { Doubt::Settled } else { Doubt::Ask };
                    let finding = at_once(collect::root::collect(&model, doubt, &SharedChanges::default()));
                    if let News::Root(reading) = &finding.news {
                        believed = Some(reading.confirmation == Confirmation::Agreed && reading.summary.is_unprotected());
                    }
                    (clocks, world) = relive(&model, clocks, &mut history);
                    let event = collected(Collector::Root, started, finding);
                    last = Some(event.clone());
                    snapshot.fold(event, clocks.read());
                }
                Step::Both(script) => {
                    // A heartbeat, and the list that begins with its summary.
                    let started = clocks.read();
                    let model = Model::new(world, script);
                    let doubt = if believed == Some(true) { Doubt::Settled } else { Doubt::Ask };
                    let heartbeat = at_once(collect::root::collect(&model, doubt, &SharedChanges::default()));
                    let summary = if let News::Root(reading) = &heartbeat.news {
                        believed = Some(reading.confirmation == Confirmation::Agreed && reading.summary.is_unprotected());
                        Some(reading.summary)
                    } else {
                        None
                    };
                    let finding = list(&model, summary, listed);
                    listed = if let News::Devices(devices) = finding.news { Some(devices) } else { None };
                    (clocks, world) = relive(&model, clocks, &mut history);
                    snapshot.fold(collected(Collector::Root, started, heartbeat), clocks.read());
                    snapshot.fold(collected(Collector::Devices, started, finding), clocks.read());
                }
                Step::Devices(script) => {
                    let started = clocks.read();
                    let model = Model::new(world, script);
                    let finding = list(&model, None, listed);
                    listed = match finding.news {
                        News::Devices(devices) => Some(devices),
                        _ => None,
                    };
                    (clocks, world) = relive(&model, clocks, &mut history);
                    snapshot.fold(collected(Collector::Devices, started, finding), clocks.read());
                }
            }
            snapshot.age(clocks.read());
            renderings.follow(&snapshot);
            for control in Control::ALL {
                let Some((status, as_of)) = known(&snapshot, control) else { continue };
                let age = clocks.read().mono.since(as_of.mono);
                let (beat, usual, longer) = match control {
                    Control::Iam6 => (300, 1_800, 2 * 3_720),
                    _ => (300, 900, 900),
                };
                // As long as a call has come back of the last two heartbeats, and for a usual age after.
                let longest = with_events.map_or(usual, |time| {
                    let silent = last_echo.map(|last_echo| (clocks.mono - last_echo) / 1_000);
                    let beat = beat.max(time.as_secs());
                    let is_longer = silent.is_some_and(|silent| silent <= 2 * beat + usual);
                    if is_longer { longer.max(3 * time.as_secs()) } else { usual }
                });
                prop_assert!(age <= Duration::from_secs(longest), "{control:?} {status} is {age:?} old");
                // True at the as-of time, or within the second that the run took.
                let from = as_of.mono.since(Uptime::default()).as_millis() as u64;
                let since = history.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
                let lived: Vec<_> = history[since..].iter().take_while(|(at, _)| *at <= from + RUN).collect();
                prop_assert!(lived.iter().any(|(_, world)| world.allows(control, status)), "{control:?} {status} as of {from}: {lived:?}");
            }
        }
    }
}

/// How long a run of the model takes.
const RUN: u64 = 1_000;

/// Takes the model's life into the history: its changes fall within its run.
fn relive(model: &Model, mut clocks: Clocks, history: &mut Vec<(u64, World)>) -> (Clocks, World) {
    let lived = model.lived();
    for (n, world) in lived.iter().enumerate().skip(1) {
        history.push((clocks.mono + n as u64, *world));
    }
    clocks.mono += RUN;
    (clocks, *lived.last().unwrap())
}
