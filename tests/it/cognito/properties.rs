//! The collector against accounts that change while they are read, with faults of every
//! kind mixed in: a verdict that is known is true of what was there at its time or since.

use std::{cell::RefCell, collections::BTreeMap, sync::Mutex, time::Duration};

use aws_mfa_exporter::{
    collect::cognito::{Cognito, PoolPage, RegionPage, collect},
    model::{
        account::Identity,
        facts::{
            Changes, Fault, FaultClass,
            pools::{Pool, PoolId, PoolMfa, Region, SignIn},
        },
        judge::{Control, Status},
        snapshot::{CognitoPlan, Collector, Event, Outcome, Plan, Snapshot},
        time::{Moment, Timestamp, Uptime},
    },
};
use proptest::prelude::*;

use crate::{
    renderings::Renderings,
    support::{at_once, properties},
};

const REGIONS: [&str; 3] = ["eu-west-1", "eu-west-2", "us-east-1"];
const REQUEST: u64 = 100;

/// What is there: pools by Region and id.
type World = BTreeMap<(usize, u8), Pool>;

/// Something that somebody does: a pool is set so, or deleted.
type Act = (usize, u8, Option<(SignIn, PoolMfa)>);

/// What becomes of a request: it fails, or somebody acts just before it.
#[derive(Clone, Debug)]
enum Turn {
    Well,
    Fails,
    Acts(Act),
}

struct Model {
    inner: Mutex<Inner>,
}

struct Inner {
    clock: u64,
    history: Vec<(u64, World)>,
    script: Vec<Turn>,
}

impl Model {
    /// Lets a request pass: time goes on, and what the script says happens.
    fn pass(&self) -> Result<World, Fault> {
        let mut inner = self.inner.lock().unwrap();
        let turn = inner.script.pop().unwrap_or(Turn::Well);
        inner.clock += REQUEST / 2;
        let mut world = inner.history.last().unwrap().1.clone();
        if let Turn::Acts((region, id, to)) = turn {
            match to {
                Some((sign_in, mfa)) => world.insert((region, id), Pool { sign_in, mfa }),
                None => world.remove(&(region, id)),
            };
            let at = inner.clock;
            inner.history.push((at, world.clone()));
        }
        inner.clock += REQUEST / 2;
        let fails = matches!(turn, Turn::Fails);
        if fails { Err(Fault::new(FaultClass::ServerError, "it fails")) } else { Ok(world) }
    }
}

fn moment(millis: u64) -> Moment {
    let wall = Timestamp::from_millis(1_764_000_000_000 + i64::try_from(millis).unwrap());
    Moment { wall, mono: Uptime::after_start(Duration::from_millis(millis)) }
}

fn pool_id(region: usize, id: u8) -> PoolId {
    PoolId::parse(&format!("{}_{id}", REGIONS[region])).unwrap()
}

fn number(region: &Region) -> usize {
    REGIONS.iter().position(|name| *name == region.as_str()).unwrap()
}

impl Cognito for Model {
    fn now(&self) -> Moment {
        moment(self.inner.lock().unwrap().clock)
    }

    async fn regions(&self, _: Option<String>) -> Result<RegionPage, Fault> {
        self.pass()?;
        let usable = REGIONS.iter().map(|name| Region::parse(name).unwrap()).collect();
        Ok(RegionPage { usable, switched_off: 1, next: None })
    }

    /// Two pools a page, by id.
    async fn user_pools(&self, region: &Region, token: Option<String>) -> Result<PoolPage, Fault> {
        let world = self.pass()?;
        let after = token.map(|token| token.parse::<u8>().unwrap());
        let region = number(region);
        let here = world.keys().filter(|(at, id)| *at == region && after.is_none_or(|after| *id > after));
        let ids: Vec<u8> = here.map(|(_, id)| *id).collect();
        let next = (ids.len() > 2).then(|| ids[1].to_string());
        Ok(PoolPage { pools: ids.iter().take(2).map(|id| pool_id(region, *id)).collect(), next })
    }

    async fn user_pool(&self, region: &Region, id: &PoolId) -> Result<Pool, Fault> {
        let world = self.pass()?;
        let region = number(region);
        let found = world.iter().find(|((at, number), _)| *at == region && pool_id(*at, *number) == *id);
        found.map(|(_, pool)| *pool).ok_or_else(|| Fault::new(FaultClass::Rejected, "no such pool"))
    }
}

fn sign_in() -> impl Strategy<Value = SignIn> {
    prop_oneof![
        4 => Just(SignIn::Password),
        1 => Just(SignIn::PasswordOrPasskey),
        1 => Just(SignIn::Mixed),
        1 => Just(SignIn::Passwordless),
    ]
}

fn mfa() -> impl Strategy<Value = PoolMfa> {
    prop_oneof![5 => Just(PoolMfa::On), 1 => Just(PoolMfa::Optional), 1 => Just(PoolMfa::Off)]
}

fn act() -> impl Strategy<Value = Act> {
    (0..3_usize, 0..5_u8, proptest::option::weighted(0.7, (sign_in(), mfa())))
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![24 => Just(Turn::Well), 1 => Just(Turn::Fails), 2 => act().prop_map(Turn::Acts)]
}

/// Runs of the collector, each after a pause of so many minutes.
fn runs() -> impl Strategy<Value = Vec<(u64, Vec<Turn>)>> {
    proptest::collection::vec((0..50_u64, proptest::collection::vec(turn(), 0..24)), 1..5)
}

fn fails(pool: &Pool) -> bool {
    pool.sign_in == SignIn::Password && pool.mfa != PoolMfa::On
}

thread_local! {
    static REACHED: RefCell<BTreeMap<&'static str, usize>> = RefCell::default();
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn a_verdict_on_pools_is_true_of_each_pool_while_it_was_read(
        first in proptest::collection::btree_map((0..3_usize, 0..5_u8), (sign_in(), mfa()), 0..5),
        runs in runs(),
    ) {
        let first: World = first.into_iter().map(|(at, (sign_in, mfa))| (at, Pool { sign_in, mfa })).collect();
        let plan = Plan { devices: false, cognito: Some(CognitoPlan::new()), ..Plan::ROOT };
        let identity = Identity::parse("arn:aws:iam::111111111111:root", "111111111111").unwrap();
        let mut snapshot = Snapshot::new(plan, moment(0));
        let mut renderings = Renderings::of_some();
        snapshot.fold(Event::Identified { identity: identity.clone(), at: moment(0) }, moment(0));
        let model = Model { inner: Mutex::new(Inner { clock: 0, history: vec![(0, first)], script: Vec::new() }) };
        let mut ended = 0;
        for (pause, script) in runs {
            let started = {
                let mut inner = model.inner.lock().unwrap();
                inner.clock += pause * 60_000;
                inner.script = script;
                moment(inner.clock)
            };
            let ends_at = started.mono.plus(Duration::from_secs(96));
            let finding = at_once(collect(&model, &[], ends_at));
            let outcome = Outcome {
                collector: Collector::Cognito,
                started,
                duration: Duration::ZERO,
                news: finding.news,
                fault: finding.fault,
                changes: Changes::default(),
            };
            snapshot.fold(Event::Collected { account: identity.account, outcome: Box::new(outcome) }, model.now());
            // At once, and when part of it has grown old.
            for later in [0, 20 * 60_000, 33 * 60_000] {
                let mut inner = model.inner.lock().unwrap();
                ended = ended.max(inner.clock);
                let at = inner.clock + later;
                snapshot.age(moment(at));
                renderings.follow(&snapshot);
                let verdict = snapshot.account(identity.account).unwrap().standing(Control::Cognito5).verdict;
                REACHED.with_borrow_mut(|reached| *reached.entry(verdict.status.as_str()).or_default() += 1);
                let Some(as_of) = verdict.as_of else { continue };
                let from = u64::try_from(as_of.mono.since(Uptime::default()).as_millis()).unwrap();
                prop_assert!(at - from <= 32 * 60_000, "too old");
                // What was there at any time since the oldest answer behind the verdict.
                let since = inner.history.iter().rposition(|(time, _)| *time <= from).unwrap_or(0);
                let lived = inner.history.split_off(0);
                let worlds: Vec<_> = lived[since..].iter().map(|(_, world)| world.clone()).collect();
                inner.history = lived;
                let mut was: BTreeMap<(usize, u8), Vec<Option<Pool>>> = BTreeMap::new();
                for key in worlds.iter().flat_map(BTreeMap::keys) {
                    was.entry(*key).or_insert_with(|| worlds.iter().map(|world| world.get(key).copied()).collect());
                }
                let good = |pool: &Option<Pool>| pool.as_ref().is_none_or(|pool| !fails(pool));
                match verdict.status {
                    // Every pool was good, or not there, at some time since.
                    Status::Passed | Status::NotApplicable => {
                        prop_assert!(was.values().all(|states| states.iter().any(good)), "{was:?}");
                    }
                    Status::Failed => prop_assert!(was.values().flatten().any(|pool| !good(pool)), "{was:?}"),
                    Status::Unknown => prop_assert!(false, "an unknown verdict has no time"),
                }
            }
        }
    }
}

/// The worlds above would prove nothing if none of them passed, or failed.
#[test]
fn the_worlds_reach_every_verdict() {
    let runner = || a_verdict_on_pools_is_true_of_each_pool_while_it_was_read();
    runner();
    REACHED.with_borrow(|reached| {
        for status in Status::ALL {
            assert!(reached.get(status.as_str()).is_some_and(|times| *times > 50), "{status}: {reached:?}");
        }
    });
}

/// The configuration was read again, and names one Region more. What is known of the
/// others says nothing about all of them, also where a run ends that began before.
#[test]
fn a_reading_of_other_regions_than_are_to_be_read_now_passes_nobody() {
    let identity = Identity::parse("arn:aws:iam::111111111111:root", "111111111111").unwrap();
    let plan = |names: &[&str]| {
        let regions = names.iter().map(|name| Region::parse(name).unwrap()).collect();
        let cognito = Some(CognitoPlan { regions, ..CognitoPlan::new() });
        Plan { devices: false, cognito, ..Plan::ROOT }
    };
    let mut snapshot = Snapshot::new(plan(&REGIONS[..1]), moment(0));
    snapshot.fold(Event::Identified { identity: identity.clone(), at: moment(0) }, moment(0));
    let on = Pool { sign_in: SignIn::Password, mfa: PoolMfa::On };
    let history = vec![(0, World::from([((0, 0), on)]))];
    let model = Model { inner: Mutex::new(Inner { clock: 0, history, script: Vec::new() }) };
    let read = |names: &[&str]| {
        let regions: Vec<_> = names.iter().map(|name| Region::parse(name).unwrap()).collect();
        let started = model.now();
        let finding = at_once(collect(&model, &regions, started.mono.plus(Duration::from_secs(96))));
        let outcome = Outcome {
            collector: Collector::Cognito,
            started,
            duration: Duration::ZERO,
            news: finding.news,
            fault: finding.fault,
            changes: Changes::default(),
        };
        Event::Collected { account: identity.account, outcome: Box::new(outcome) }
    };
    let status =
        |snapshot: &Snapshot| snapshot.account(identity.account).unwrap().standing(Control::Cognito5).verdict.status;
    snapshot.fold(read(&REGIONS[..1]), model.now());
    assert_eq!(status(&snapshot), Status::Passed);
    snapshot.fold(Event::Configured { plan: plan(&REGIONS[..2]), exemptions: Default::default() }, model.now());
    assert_eq!(status(&snapshot), Status::Unknown);
    snapshot.fold(read(&REGIONS[..1]), model.now());
    assert_eq!(status(&snapshot), Status::Unknown, "a run of before");
    snapshot.fold(read(&REGIONS[..2]), model.now());
    assert_eq!(status(&snapshot), Status::Passed);
}
