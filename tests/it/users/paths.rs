//! The way of events, broken in every way there is: the trail or the rule is switched off,
//! the queue is purged, messages are lost, come twice, late, in another order, or before
//! the replica that is asked has heard. The exporter goes by its own calls that come back,
//! and reads less often while they do. No verdict is wrong by that, none is older than it
//! may be, and none is unknown that would be known without events.

use std::time::Duration;

use aws_mfa_exporter::model::{
    judge::{Cadence, Control, Status},
    snapshot::{Plan, UsersPlan},
};
use proptest::prelude::*;

use super::{
    daemon::{Daemon, PLAN, Path},
    model::{HOUR, MINUTE, Model, Person, SECOND, World, console, fido, key_only, nobody},
    properties::{act, check, world},
};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// What becomes of the exporter's own calls on their way back.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Each comes after so many milliseconds.
    Works(u64),
    /// A trail that is stopped, a rule that is disabled: none comes.
    Stopped,
    /// Of so many, one comes.
    Loses(usize),
    /// Each comes twice, the second time so much later.
    Doubles(u64),
    /// Each comes when it likes, within half an hour.
    Shuffles(u64),
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        3 => (SECOND..90 * SECOND).prop_map(Way::Works),
        1 => (90 * SECOND..40 * MINUTE).prop_map(Way::Works),
        2 => Just(Way::Stopped),
        2 => (2..6_usize).prop_map(Way::Loses),
        1 => (SECOND..HOUR).prop_map(Way::Doubles),
        2 => any::<u64>().prop_map(Way::Shuffles),
    ]
}

fn path(way: Way) -> Path {
    Box::new(move |n, _| match way {
        Way::Works(late) => vec![late],
        Way::Stopped => vec![],
        Way::Loses(of) => vec![2 * SECOND; usize::from(n.is_multiple_of(of))],
        Way::Doubles(later) => vec![2 * SECOND, later],
        Way::Shuffles(seed) => vec![seed.wrapping_mul(n as u64 | 1).rotate_left(17) % (30 * MINUTE)],
    })
}

fn plan(with_events: Duration) -> Plan {
    Plan { cadence: Cadence { with_events: Some(with_events), ..Cadence::DEFAULT }, ..PLAN }
}

/// Of everybody one: with a device of each kind, with a password and without.
fn everybody() -> World {
    World::of([console(), fido(), key_only(), Person { fidos: 1, key: true, ..nobody() }])
}

const CONTROLS: [Control; 4] = [Control::Iam5, Control::Iam6, Control::Iam9, Control::Iam19];

/// The calls of the second day, and whether anything was unknown after the first hour.
fn a_day(with_events: Duration, way: Way) -> (usize, bool) {
    let model = Model::new(everybody());
    let mut daemon = Daemon::with_plan(&model, plan(with_events));
    (daemon.grain, daemon.path) = (20 * SECOND, Some(path(way)));
    daemon.live(HOUR, |_| {});
    let mut is_unknown = false;
    let mut look = |daemon: &mut Daemon<'_>| {
        is_unknown |= CONTROLS.into_iter().any(|control| daemon.says(control) == Status::Unknown);
    };
    daemon.live(23 * HOUR, &mut look);
    let before = model.calls();
    daemon.live(24 * HOUR, &mut look);
    (model.calls() - before, is_unknown)
}

#[test]
fn a_day_while_events_arrive_costs_a_quarter() {
    let calm = |with_events: Duration, people: World| {
        let model = Model::new(people);
        let mut daemon = Daemon::with_plan(&model, plan(with_events));
        daemon.path = Some(path(Way::Works(2 * SECOND)));
        daemon.live(24 * HOUR, |_| {});
        let before = model.calls();
        daemon.live(24 * HOUR, |_| {});
        model.calls() - before
    };
    let rootless = || World { is_rootless: true, ..World::of((0..10).map(|_| console())) };
    for (what, with_events, people, budget) in [
        ("100 users with virtual devices", FIVE_MINUTES, World::of((0..100).map(|_| console())), 400),
        ("no users", FIVE_MINUTES, World::default(), 400),
        ("root without credentials, 10 users", FIVE_MINUTES, rootless(), 400),
        ("100 users with virtual devices, 15m", 3 * FIVE_MINUTES, World::of((0..100).map(|_| console())), 220),
    ] {
        let calls = calm(with_events, people);
        eprintln!("calls a day while events arrive: {what}: {calls} (budget {budget})");
        assert!(calls <= budget, "{what}: {calls} calls, and {budget} are allowed");
    }
}

#[test]
fn a_day_of_a_broken_path_costs_what_it_does_without_events_and_leaves_nothing_unknown() {
    for with_events in [FIVE_MINUTES, 3 * FIVE_MINUTES] {
        for way in [Way::Works(2 * SECOND), Way::Stopped, Way::Loses(3), Way::Works(11 * MINUTE), Way::Shuffles(7)] {
            let (calls, is_unknown) = a_day(with_events, way);
            eprintln!("calls a day: {with_events:?}, {way:?}: {calls}");
            assert!(!is_unknown, "{with_events:?} {way:?}");
            assert!(calls <= 1_440 + 300 + 480 + 48, "{with_events:?} {way:?}: {calls}");
        }
    }
}

/// The alert on silence goes by two things: the account is read, and the last call that
/// has come back is of half an hour ago.
#[test]
fn when_the_path_breaks_the_account_is_read_each_minute_and_silence_shows() {
    let model = Model::new(everybody());
    let mut daemon = Daemon::with_plan(&model, plan(FIVE_MINUTES));
    daemon.path = Some(path(Way::Works(SECOND)));
    daemon.live(3 * HOUR, |_| {});
    assert!(daemon.is_stretched());
    daemon.path = Some(path(Way::Stopped));
    let broken = model.life().mono;
    daemon.live(2 * FIVE_MINUTES.as_secs() * SECOND + SECOND, |_| {});
    assert!(!daemon.is_stretched(), "two heartbeats after the last call that came back");
    let lists = model.called("ListVirtualMFADevices");
    let calls = model.called("GetAccountSummary");
    daemon.live(10 * MINUTE, |_| {});
    assert!(model.called("GetAccountSummary") - calls >= 10);
    daemon.live(10 * MINUTE, |_| {});
    assert!(model.called("ListVirtualMFADevices") > lists, "and devices each quarter of an hour");
    daemon.live(11 * MINUTE, |_| {});
    let silent = daemon.silent_for().unwrap();
    assert!(silent > Duration::from_secs(1_800), "{silent:?}, broken for {}", model.life().mono - broken);
    daemon.path = Some(path(Way::Works(SECOND)));
    daemon.live(2 * MINUTE, |_| {});
    assert!(daemon.is_stretched() && daemon.silent_for().unwrap() < Duration::from_secs(90));
}

/// What nobody hears of shows by the heartbeat.
#[test]
fn a_change_whose_event_is_lost_shows_at_the_next_heartbeat() {
    let model = Model::new(everybody());
    let mut daemon = Daemon::with_plan(&model, plan(FIVE_MINUTES));
    daemon.path = Some(path(Way::Works(SECOND)));
    daemon.live(3 * HOUR, |_| {});
    model.edit(|world, _| world.people[0].virtuals = 0);
    let took = daemon.until(Control::Iam5, Status::Failed);
    assert!(took <= FIVE_MINUTES + Duration::from_secs(6), "{took:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Way(Way),
    Purge,
    Live(u64),
    /// Somebody does something. An event of it comes at once, or none does.
    Change(super::model::Act, bool),
    /// An event comes, of nothing.
    Forged,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => way().prop_map(Step::Way),
        1 => Just(Step::Purge),
        5 => (SECOND..3 * HOUR).prop_map(Step::Live),
        5 => (act(), any::<bool>()).prop_map(|(act, is_told)| Step::Change(act, is_told)),
        1 => Just(Step::Forged),
        1 => Just(Step::Restart),
    ]
}

/// How old the heartbeat may be that a verdict on root rests on: three of those in force.
fn check_age(daemon: &Daemon<'_>) -> Result<(), TestCaseError> {
    let (_, Some(as_of)) = daemon.verdict(Control::Iam9) else { return Ok(()) };
    let age = daemon.model.life().moment().mono.since(as_of.mono);
    let is_longer = daemon.silent_for().is_some_and(|silent| silent <= FIVE_MINUTES * 2 + Duration::from_secs(180));
    let longest = if is_longer { FIVE_MINUTES * 3 } else { Duration::from_secs(180) };
    prop_assert!(age <= longest, "{age:?} old, silent for {:?}", daemon.silent_for());
    Ok(())
}

/// Hours of life a case: a tenth of the cases of others.
fn properties() -> ProptestConfig {
    let all = crate::support::properties();
    ProptestConfig { cases: all.cases.div_ceil(10), ..all }
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn however_the_path_breaks_a_verdict_was_right_and_is_not_too_old(
        world in world(),
        steps in prop::collection::vec(step(), 1..16),
        do_lag in any::<bool>(),
    ) {
        let model = Model::new(world);
        let mut daemon = Daemon::with_plan(&model, plan(FIVE_MINUTES));
        if do_lag {
            daemon.live(3 * MINUTE, |_| {});
            // The event overtakes the replicas that answer, all of them.
            let mut life = model.life();
            (life.world.pause, life.world.are_names_kept) = (55 * SECOND, true);
            for operation in ["GetAccountSummary", "ListUsers", "ListVirtualMFADevices", "ListMFADevices"] {
                life.lags.insert(operation, 20 * SECOND);
            }
        }
        for step in steps {
            match step {
                Step::Way(way) => daemon.path = Some(path(way)),
                Step::Purge => daemon.purge(),
                Step::Live(time) => daemon.live(time, |_| {}),
                Step::Change(act, is_told) => {
                    model.edit(|world, now| world.change(act, now));
                    if is_told {
                        daemon.wake();
                    }
                }
                Step::Forged => daemon.wake(),
                Step::Restart => daemon.restart(),
            }
            daemon.age();
            check_age(&daemon)?;
            check(&daemon, if do_lag { 55 * SECOND } else { 0 })?;
        }
    }

    /// Nothing happens in the account, so nothing is unknown either.
    #[test]
    fn however_the_path_breaks_nothing_becomes_unknown_that_is_known(
        ways in prop::collection::vec((way(), MINUTE..4 * HOUR, any::<bool>()), 1..8),
        minutes in 1..16_u64,
    ) {
        let model = Model::new(everybody());
        let users = Some(UsersPlan::DEFAULT);
        let mut daemon = Daemon::with_plan(&model, Plan { users, ..plan(Duration::from_secs(60 * minutes)) });
        daemon.live(HOUR, |_| {});
        daemon.grain = 20 * SECOND;
        for (way, time, is_purged) in ways {
            if is_purged {
                daemon.purge();
            }
            daemon.path = Some(path(way));
            let mut unknown = None;
            daemon.live(time, |daemon| {
                let is_unknown = |control: &Control| daemon.says(*control) == Status::Unknown;
                unknown = unknown.or(CONTROLS.into_iter().find(is_unknown).map(|control| (control, daemon.model.life().mono)));
            });
            prop_assert!(unknown.is_none(), "{unknown:?} after {way:?}");
        }
    }
}
