//! Root's devices: whatever becomes of them, of users and of replicas, a change that an
//! observer of the true set would see is told at the next list, and none is told that
//! was none; a number is exported only if it is the true one.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_mfa_exporter::{
    collect::{
        self, Finding,
        changes::SharedChanges,
        devices::Prior,
        iam::{DevicePage, Iam, Owner, RootDevice},
        root::Doubt,
    },
    model::{
        account::Identity,
        facts::{Changes, Fault, SealKey, Summary},
        judge::Cadence,
        shard::Shard,
        snapshot::{AccountState, Collector, Event, Outcome, Plan, Snapshot},
        time::{Moment, Timestamp, Uptime},
    },
    state_file,
};
use proptest::prelude::*;

const ROOT: &str = "arn:aws:iam::111111111111:root";
const PLAN: Plan = Plan { cadence: Cadence::DEFAULT, devices: true, users: None, cognito: None };
const MINUTE: u64 = 60;

/// An account: root's virtual devices by name and date, its keys, and its users' devices.
#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    virtuals: BTreeSet<(u8, u64)>,
    keys: u32,
    users: u32,
    user_virtuals: u32,
    user_keys: u32,
}

impl World {
    fn any(&self) -> bool {
        !self.virtuals.is_empty() || self.keys > 0
    }

    /// How many keys of root's there are, if the account shows it.
    fn shown_keys(&self) -> Option<u32> {
        let (most, least) = (self.keys + self.user_keys, u32::from(self.virtuals.is_empty()));
        match () {
            () if !self.any() => Some(0),
            () if self.users == 0 || most == least => Some(most),
            () => None,
        }
    }

    fn act(&mut self, act: u8, now: u64) {
        let name = act / 16;
        match act % 9 {
            0 => _ = self.virtuals.insert((name % 2, now)),
            1 => _ = self.virtuals.pop_first(),
            // Deleted, and made anew under the same name.
            2 => self.virtuals = self.virtuals.iter().map(|(name, _)| (*name, now)).collect(),
            3 => self.keys += 1,
            4 => self.keys = self.keys.saturating_sub(1),
            5 => self.users += 1,
            6 => (self.users, self.user_virtuals, self.user_keys) = (0, 0, 0),
            7 if self.users > 0 => self.user_virtuals += 1,
            8 if self.users > 0 => self.user_keys += 1,
            _ => {}
        }
        // Two devices of one name are one.
        let mut names = BTreeSet::new();
        self.virtuals.retain(|(name, _)| names.insert(*name));
    }
}

/// Everything that was so, from when on; and what is known of it.
struct Life {
    past: Vec<(u64, World)>,
    now: u64,
    /// How long the replicas lag that answer next: of the summary, and of the list.
    lag: [u64; 2],
    changes: SharedChanges,
    snapshot: Snapshot,
}

fn moment(seconds: u64) -> Moment {
    let wall = Timestamp::from_millis(1_764_000_000_000 + i64::try_from(seconds).unwrap() * 1_000);
    Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
}

impl Iam for Life {
    fn now(&self) -> Moment {
        moment(self.now)
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        let world = self.seen(self.lag[0]);
        let virtuals = u32::try_from(world.virtuals.len()).unwrap() + world.user_virtuals;
        Ok(Summary {
            mfa_enabled: Some(world.any()),
            password: Some(true),
            access_keys: Some(false),
            signing_certificates: Some(false),
            users: Some(world.users),
            mfa_devices: Some(virtuals),
            mfa_devices_in_use: Some(virtuals + world.keys + world.user_keys),
        })
    }

    async fn assigned_devices(&self, _: Option<String>) -> Result<DevicePage, Fault> {
        let world = self.seen(self.lag[1]);
        let owner = |arn: String| Some(Owner { id: arn.as_str().into(), arn, since: Uptime::default() });
        let users = (0..world.user_virtuals).map(|n| owner(format!("arn:aws:iam::111111111111:user/u{n}")));
        let owners = world.virtuals.iter().map(|_| owner(ROOT.to_owned())).chain(users).collect();
        let device = |(name, at): &(u8, u64)| RootDevice { serial: name.to_string(), enabled: Some(moment(*at).wall) };
        Ok(DevicePage { owners, roots: world.virtuals.iter().map(device).collect(), next: None })
    }

    async fn pause(&self, _: Duration) {}
}

fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the model never waits"),
    }
}

impl Life {
    fn new(world: World) -> Self {
        let changes = SharedChanges::new(Changes::default());
        changes.seal_with(SealKey([7; 16]));
        let (now, lag) = (1_000, [0; 2]);
        let mut snapshot = Snapshot::new(PLAN, moment(now));
        let identity = Identity::parse(ROOT, "111111111111").unwrap();
        snapshot.fold(Event::Identified { identity, at: moment(now) }, moment(now));
        Self { past: vec![(0, world)], now, lag, changes, snapshot }
    }

    fn world(&self) -> &World {
        &self.past.last().unwrap().1
    }

    fn seen(&self, lag: u64) -> &World {
        let then = self.now - lag;
        &self.past.iter().rev().find(|(since, _)| *since <= then).unwrap().1
    }

    fn act(&mut self, act: u8) {
        let mut world = self.world().clone();
        world.act(act, self.now);
        self.past.push((self.now, world));
    }

    fn state(&self) -> &AccountState {
        self.snapshot.accounts().next().unwrap()
    }

    /// A heartbeat and a list; tells whether a change was told.
    fn look(&mut self) -> bool {
        let before = self.state().root_devices_changed();
        let root = at_once(collect::root::collect(self, Doubt::Ask, &self.changes));
        self.fold(Collector::Root, root);
        let list = at_once(collect::devices::collect(self, ROOT, Prior::default(), &self.changes)).0;
        self.fold(Collector::Devices, list);
        let after = self.state().root_devices_changed();
        assert!(after == before || after.is_some_and(|at| at.wall == moment(self.now).wall), "told as of now");
        after != before
    }

    fn fold(&mut self, collector: Collector, Finding { news, fault }: Finding) {
        let (started, duration, changes) = (moment(self.now), Duration::ZERO, self.changes.get());
        let outcome = Outcome { collector, started, duration, news, fault, changes };
        let account = self.state().account.as_ref().unwrap().id;
        self.snapshot.fold(Event::Collected { account, outcome: Box::new(outcome) }, started);
        self.snapshot.age(started);
    }

    /// Another process begins with the state file.
    fn restart(&mut self) {
        let now = moment(self.now);
        let text = state_file::write(&self.snapshot, Shard::WHOLE);
        assert!(!text.contains(":mfa/"), "no serial number is kept");
        let read = state_file::read(&text, Shard::WHOLE, true, now).unwrap();
        self.snapshot = Snapshot::new(PLAN, now);
        self.snapshot.restore(read.memories, read.listed, now);
        self.changes = SharedChanges::new(self.state().knowledge().1);
        self.changes.seal_with(SealKey([8; 16]));
    }
}

proptest! {
    #![proptest_config(crate::support::properties())]

    #[test]
    fn a_change_that_an_observer_would_see_is_told_at_the_next_list_and_no_other_is(
        first in prop::collection::vec(any::<u8>(), 0..6),
        rounds in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..4), any::<bool>()), 1..12),
    ) {
        let mut world = World::default();
        first.into_iter().for_each(|act| world.act(act, 1));
        let mut life = Life::new(world);
        let mut known: Option<(BTreeSet<(u8, u64)>, bool)> = None;
        let mut keys = None;
        for (acts, restarts) in rounds {
            acts.into_iter().for_each(|act| life.act(act));
            if restarts && known.is_some() {
                life.restart();
            }
            life.now += 2 * MINUTE;
            // The list, and the second one a minute later that a change calls for.
            let mut is_told = life.look();
            life.now += MINUTE + 1;
            is_told |= life.look();
            let world = life.world().clone();
            let seen = (world.virtuals.clone(), world.any());
            let shown = world.shown_keys();
            let is_other = known.as_ref().is_some_and(|known| *known != seen)
                || keys.is_some_and(|keys| shown.is_some_and(|shown| shown != keys));
            prop_assert_eq!(is_told, is_other, "{:?}", life.past);
            let counts = life.state().root_device_counts(&PLAN, moment(life.now)).unwrap().value;
            prop_assert_eq!((counts.virtuals as usize, counts.others), (world.virtuals.len(), shown));
            prop_assert!(shown.is_none_or(|shown| shown == world.keys), "{:?}", world);
            known = Some(seen);
            keys = shown.or(keys);
        }
    }

    #[test]
    fn replicas_that_lag_make_no_change_of_what_has_not_changed(
        steps in prop::collection::vec((prop::option::weighted(0.2, 0..5u8), 1..90u64, 0..60u64, 0..60u64), 1..60),
    ) {
        let mut life = Life::new(World { keys: 1, ..World::default() });
        life.look();
        let mut changed = None;
        for (act, wait, summary, list) in steps {
            if let Some(act) = act {
                let before = life.world().clone();
                life.act(act);
                if *life.world() != before {
                    changed = Some(life.now);
                }
            }
            life.now += wait;
            life.lag = [summary, list];
            // A list that lags, the next that shows it, a minute, and the list after that.
            if life.look() {
                prop_assert!(changed.is_some_and(|at| life.now - at <= 6 * MINUTE), "{:?} {}", life.past, life.now);
            }
        }
        // When all is quiet, what is known is what is so.
        life.lag = [0; 2];
        life.now += 2 * MINUTE;
        life.look();
        life.now += MINUTE + 1;
        life.look();
        let counts = life.state().root_device_counts(&PLAN, moment(life.now)).unwrap().value;
        prop_assert_eq!(counts.others, Some(life.world().keys));
    }
}

/// A file of the version before is read, and begins anew with root's devices.
#[test]
fn a_state_file_of_before_is_read() {
    let mut life = Life::new(World { keys: 1, ..World::default() });
    life.look();
    let text = state_file::write(&life.snapshot, Shard::WHOLE).replace("\"version\":3", "\"version\":2");
    let (before, rest) = text.split_once(",\"root_devices\":{").unwrap();
    let old = format!("{before}{}", rest.split_once('}').unwrap().1);
    let read = state_file::read(&old, Shard::WHOLE, true, moment(life.now)).unwrap();
    assert_eq!(read.memories[0].root_devices, Default::default());
    assert!(read.memories[0].reading.is_some());
}
