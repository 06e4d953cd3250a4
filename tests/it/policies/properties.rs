//! The collector against an account that changes while it is read, with faults mixed in: what
//! is said of the users is true of all of them at one instant, or nothing is said.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use aws_mfa_exporter::{
    collect::{
        changes::SharedChanges,
        iam::{
            DevicePage, Iam,
            details::{DetailsPage, GroupDetail, ManagedPolicy, OwnPolicies, UserDetail},
        },
        policies::{PageSize, Policies, collect},
    },
    model::{
        account::Identity,
        facts::{Confirmation, Fault, FaultClass, RootReading, Summary, UserId, policies::Enforcement},
        snapshot::{Collector, Event, News, Outcome, POLICIES_INTERVAL, Plan, Snapshot},
        time::{Moment, Timestamp, Uptime},
    },
};
use proptest::prelude::*;

use super::{canonical, deny_but};
use crate::{
    renderings::Renderings,
    support::{at_once, properties},
};

const REQUEST: u64 = 100;
const USERS: usize = 4;

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Full,
    Console,
    Keys,
    Nothing,
    Broken,
}

/// A user or a group. Nothing is ever again as it was: whatever is touched has a number of
/// its own then.
#[derive(Clone, Debug, PartialEq)]
struct Holder {
    touched: usize,
    inline: Kind,
    attached: BTreeSet<usize>,
    groups: BTreeSet<usize>,
    boundary: Option<usize>,
}

/// What is there: users by place, each with the number of its creation; groups; policies.
#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    users: BTreeMap<usize, (usize, Holder)>,
    groups: BTreeMap<usize, Holder>,
    policies: BTreeMap<usize, (usize, Kind)>,
}

/// Something that somebody does.
#[derive(Clone, Debug)]
enum Act {
    User(usize, Holder),
    Delete(usize),
    Group(usize, Holder),
    Policy(usize, Kind),
}

/// What becomes of a request.
#[derive(Clone, Debug)]
enum Turn {
    Well,
    Fails(FaultClass),
    Acts(Act),
}

struct Model {
    size: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    clock: u64,
    history: Vec<(u64, World)>,
    script: Vec<Turn>,
}

impl World {
    fn act(&mut self, act: Act, number: usize) {
        match act {
            Act::User(place, holder) => {
                let created = self.users.get(&place).map_or(number, |(created, _)| *created);
                self.users.insert(place, (created, Holder { touched: number, ..holder }));
            }
            Act::Delete(place) => _ = self.users.remove(&place),
            Act::Group(place, holder) => {
                let holder = Holder { touched: number, groups: BTreeSet::new(), boundary: None, ..holder };
                _ = self.groups.insert(place, holder);
            }
            Act::Policy(place, kind) => _ = self.policies.insert(place, (number, kind)),
        }
    }

    fn kinds<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = Kind> + 'a {
        let policies = holder.attached.iter().chain(&holder.boundary);
        policies.map(|place| self.policies[place].1).chain([holder.inline])
    }

    /// What is so of each user.
    fn truth(&self) -> BTreeMap<UserId, Enforcement> {
        let of = |holder: &Holder| {
            let groups = holder.groups.iter().filter_map(|group| self.groups.get(group));
            let all: Vec<_> = groups.flat_map(|group| self.kinds(group)).chain(self.kinds(holder)).collect();
            let has = |one: Kind| all.contains(&Kind::Full) || all.contains(&one);
            match (has(Kind::Console), has(Kind::Keys)) {
                (true, true) => Enforcement::Full,
                _ if all.contains(&Kind::Broken) => Enforcement::Unknown,
                (true, false) => Enforcement::ConsoleOnly,
                (false, true) => Enforcement::KeysOnly,
                (false, false) => Enforcement::None,
            }
        };
        self.users.iter().map(|(place, (created, holder))| (id(*place, *created), of(holder))).collect()
    }

    /// Users, groups and policies in the order of the list, from `from` on.
    fn page(&self, from: usize, size: usize) -> DetailsPage {
        let own = |holder: &Holder| OwnPolicies {
            inline: vec![document(holder.inline, holder.touched)],
            attached: holder.attached.iter().map(|place| arn(*place)).collect(),
        };
        let mut page = DetailsPage::default();
        let users = self.users.keys().copied();
        let groups = self.groups.keys().map(|place| 100 + place);
        let all: Vec<_> = users.chain(groups).chain(self.policies.keys().map(|place| 200 + place)).collect();
        let rest = &all[all.partition_point(|place| *place < from)..];
        for place in rest.iter().take(size) {
            match place {
                0..100 => {
                    let (created, holder) = &self.users[place];
                    page.users.push(UserDetail {
                        id: id(*place, *created),
                        own: own(holder),
                        groups: holder.groups.iter().map(|group| format!("g{group}")).collect(),
                        boundary: holder.boundary.map(arn),
                    });
                }
                100..200 => {
                    let holder = &self.groups[&(place - 100)];
                    page.groups.push(GroupDetail { name: format!("g{}", place - 100), own: own(holder) });
                }
                _ => {
                    let (touched, kind) = self.policies[&(place - 200)];
                    page.policies.push(ManagedPolicy { arn: arn(place - 200), document: document(kind, touched) });
                }
            }
        }
        page.next = rest.get(size).map(ToString::to_string);
        page
    }
}

fn id(place: usize, created: usize) -> UserId {
    format!("AIDA{place}X{created}").as_str().into()
}

fn arn(place: usize) -> String {
    format!("arn:aws:iam::111111111111:policy/p{place}")
}

/// A document of this kind, like no other.
fn document(kind: Kind, touched: usize) -> String {
    let text = match kind {
        Kind::Full => canonical(),
        Kind::Console => deny_but(super::BOOTSTRAP, r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#),
        Kind::Keys => deny_but(r#""iam:GetUser""#, r#"{"Null":{"aws:MultiFactorAuthPresent":"true"}}"#),
        Kind::Nothing => r#"{"Statement":{"Sid":"AllowAll","Effect":"Allow","Action":"*","Resource":"*"}}"#.to_owned(),
        Kind::Broken => "{AllowAll".to_owned(),
    };
    text.replace("AllowAll", &format!("AllowAll{touched}"))
}

impl Model {
    /// Lets a request pass: time goes on, and what the script says happens.
    fn pass(&self) -> Result<World, Fault> {
        let mut inner = self.inner.lock().unwrap();
        let turn = inner.script.pop().unwrap_or(Turn::Well);
        inner.clock += REQUEST / 2;
        let mut world = inner.history.last().unwrap().1.clone();
        if let Turn::Acts(act) = &turn {
            let number = inner.history.len();
            world.act(act.clone(), number);
            let at = inner.clock;
            inner.history.push((at, world.clone()));
        }
        inner.clock += REQUEST / 2;
        if let Turn::Fails(class) = turn { Err(Fault::new(class, "it fails")) } else { Ok(world) }
    }

    fn clock(&self) -> u64 {
        self.inner.lock().unwrap().clock
    }
}

fn moment(millis: u64) -> Moment {
    let wall = Timestamp::from_millis(1_764_000_000_000 + i64::try_from(millis).unwrap());
    Moment { wall, mono: Uptime::after_start(Duration::from_millis(millis)) }
}

fn summary(world: &World) -> Summary {
    Summary {
        mfa_enabled: Some(true),
        password: Some(true),
        access_keys: Some(false),
        signing_certificates: Some(false),
        users: Some(u32::try_from(world.users.len()).unwrap()),
        mfa_devices: Some(1),
        mfa_devices_in_use: Some(1),
    }
}

impl Iam for Model {
    fn now(&self) -> Moment {
        moment(self.clock())
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        Ok(summary(&self.pass()?))
    }

    async fn assigned_devices(&self, _: Option<String>) -> Result<DevicePage, Fault> {
        unreachable!("nobody asks for devices")
    }

    async fn pause(&self, _: Duration) {}
}

impl Policies for Model {
    async fn authorization_details(&self, size: PageSize, marker: Option<String>) -> Result<DetailsPage, Fault> {
        let size = if size == PageSize::Usual { self.size } else { 1 };
        Ok(self.pass()?.page(marker.map_or(0, |marker| marker.parse().unwrap()), size))
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Nothing), 2 => Just(Kind::Full), 1 => Just(Kind::Console), 1 => Just(Kind::Keys),
        1 => Just(Kind::Broken),
    ]
}

fn holder() -> impl Strategy<Value = Holder> {
    let places = || proptest::collection::btree_set(0..2_usize, 0..2);
    let inline = prop_oneof![3 => Just(Kind::Nothing), 1 => kind()];
    (inline, places(), places(), proptest::option::weighted(0.2, 0..2_usize))
        .prop_map(|(inline, attached, groups, boundary)| Holder { touched: 0, inline, attached, groups, boundary })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..USERS, holder()).prop_map(|(place, holder)| Act::User(place, holder)),
        1 => (0..USERS).prop_map(Act::Delete),
        2 => (0..2_usize, holder()).prop_map(|(place, holder)| Act::Group(place, holder)),
        2 => (0..2_usize, kind()).prop_map(|(place, kind)| Act::Policy(place, kind)),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let class = prop_oneof![
        Just(FaultClass::ServerError),
        Just(FaultClass::AccessDenied),
        Just(FaultClass::OversizedReply),
        Just(FaultClass::MalformedReply),
    ];
    prop_oneof![40 => Just(Turn::Well), 1 => class.prop_map(Turn::Fails), 6 => act().prop_map(Turn::Acts)]
}

fn first() -> impl Strategy<Value = World> {
    let users = proptest::collection::btree_map(0..USERS, holder(), 0..=USERS);
    let rest = (proptest::collection::vec(holder(), 2), proptest::collection::vec(kind(), 2));
    (users, rest).prop_map(|(users, (groups, policies))| {
        let mut world = World::default();
        policies.into_iter().enumerate().for_each(|(place, kind)| world.act(Act::Policy(place, kind), 0));
        groups.into_iter().enumerate().for_each(|(place, holder)| world.act(Act::Group(place, holder), 0));
        users.into_iter().for_each(|(place, holder)| world.act(Act::User(place, holder), 0));
        world
    })
}

thread_local! {
    static REACHED: RefCell<BTreeMap<&'static str, usize>> = RefCell::default();
}

fn reach(what: &'static str) {
    REACHED.with_borrow_mut(|reached| *reached.entry(what).or_default() += 1);
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn what_is_said_of_users_is_true_of_all_of_them_at_one_instant(
        first in first(),
        size in 1..12_usize,
        runs in proptest::collection::vec((0..90_u64, proptest::collection::vec(turn(), 0..40)), 1..5),
    ) {
        let plan = Plan { devices: false, policies: Some(POLICIES_INTERVAL), ..Plan::ROOT };
        let max_age = u64::try_from(plan.max_age_of_policies().as_millis()).unwrap();
        let identity = Identity::parse("arn:aws:iam::111111111111:root", "111111111111").unwrap();
        let mut snapshot = Snapshot::new(plan.clone(), moment(0));
        let mut renderings = Renderings::of_some();
        snapshot.fold(Event::Identified { identity: identity.clone(), at: moment(0) }, moment(0));
        let model = Model { size, inner: Mutex::new(Inner { clock: 0, history: vec![(0, first)], script: Vec::new() }) };
        let (changes, mut before, mut run_before) = (SharedChanges::default(), None, 0);
        // Of the last answer: from when on it may be true, until when, and what it said.
        let mut last = None;
        for (pause, script) in runs {
            let started = {
                let mut inner = model.inner.lock().unwrap();
                inner.clock += pause * 60_000;
                inner.script = script;
                inner.clock
            };
            let (finding, digest) = at_once(collect(&model, before, &changes));
            let ended = model.clock();
            if let News::Policies(reading) = &finding.news {
                last = Some((started, if before.is_some() { run_before } else { started }, ended, reading.clone()));
            }
            (before, run_before) = (digest, started);
            let outcome = |collector, started, news, fault| {
                let outcome = Outcome { collector, started, duration: Duration::ZERO, news, fault, changes: changes.get() };
                Event::Collected { account: identity.account, outcome: Box::new(outcome) }
            };
            snapshot.fold(outcome(Collector::Policies, moment(started), finding.news, finding.fault), moment(ended));
            // A heartbeat, and what is said then: at once, and when it has grown old.
            for later in [0, 61_000, max_age + 1_000] {
                let at = ended + later;
                let world = model.inner.lock().unwrap().history.last().unwrap().1.clone();
                let summary = summary(&world);
                changes.summary(&summary, moment(at));
                let news = News::Root(RootReading { summary, confirmation: Confirmation::NotNeeded });
                snapshot.fold(outcome(Collector::Root, moment(at), news, None), moment(at));
                snapshot.age(moment(at));
                renderings.follow(&snapshot);
                let state = snapshot.account(identity.account).unwrap();
                let Some(said) = state.policies(&plan, moment(at)) else { reach("nothing"); continue };
                let (as_of, from, until, reading) = last.as_ref().unwrap();
                prop_assert_eq!(said, &**reading);
                prop_assert!(at - as_of <= max_age, "too old");
                let inner = model.inner.lock().unwrap();
                let since = inner.history.iter().rposition(|(time, _)| time <= from).unwrap();
                let worlds = inner.history[since..].iter().take_while(|(time, _)| time <= until);
                let is_of = |world: &World| {
                    let truth = world.truth();
                    truth.keys().eq(said.ids()) && truth.iter().all(|(id, of)| said.of(id) == Some(*of))
                };
                let truths: Vec<_> = worlds.map(|(_, world)| world).collect();
                prop_assert!(truths.iter().any(|world| is_of(world)), "{:?}\n{:?}", said, truths);
                zip_counts(said.counts());
                if truths.len() > 1 { reach("something, though it changed"); }
            }
        }
    }
}

fn zip_counts(counts: [u32; 5]) {
    for (kind, count) in Enforcement::ALL.into_iter().zip(counts) {
        if count > 0 {
            reach(kind.as_str());
        }
    }
}

/// The worlds above would prove nothing if they did not show everything.
#[test]
fn the_worlds_reach_everything_that_can_be_said() {
    let runner = || what_is_said_of_users_is_true_of_all_of_them_at_one_instant();
    runner();
    REACHED.with_borrow(|reached| {
        let more = ["nothing", "something, though it changed"];
        for what in Enforcement::ALL.map(Enforcement::as_str).into_iter().chain(more) {
            assert!(reached.get(what).is_some_and(|times| *times > 50), "{what}: {reached:?}");
        }
    });
}
