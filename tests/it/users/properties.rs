//! The promise about users, in the same two layers as root's: what is judged of a
//! fresh reading is right or unknown, and what is published was right, user by
//! user, at some moment from its as-of time to the reading's end, and is no older
//! than its maximum age.

use aws_mfa_exporter::model::judge::{Control, Status};
use proptest::{prelude::*, test_runner::Config};

use super::{
    daemon::Daemon,
    model::{Act, Beat, HOUR, MINUTE, Model, Person, World, model_time, nobody},
};

fn person() -> impl Strategy<Value = Person> {
    (any::<bool>(), any::<bool>(), 0..2u8, 0..2u8).prop_map(|(password, key, virtuals, fidos)| Person {
        password,
        key,
        virtuals,
        fidos,
        ..nobody()
    })
}

fn world() -> impl Strategy<Value = World> {
    prop::collection::vec(person(), 0..5).prop_map(World::of)
}

fn act() -> impl Strategy<Value = Act> {
    (any::<u8>(), any::<u8>()).prop_map(|(what, who)| Act { what, who })
}

fn script(most: usize) -> impl Strategy<Value = Vec<Beat>> {
    let beat = (prop::option::weighted(0.2, act()), prop::bool::weighted(0.08));
    prop::collection::vec(beat.prop_map(|(act, fault)| Beat { act, fault }), 0..most)
}

/// Whether a verdict is right of the users as they were in `lived`: each user who
/// was there all the time is looked at alone, since no two facts need be of the
/// same moment.
fn is_right(control: Control, status: Status, lived: &[World]) -> bool {
    let Some(first) = lived.first() else { return false };
    let states = |id: &str| -> Vec<&Person> {
        lived.iter().filter_map(|world| world.people.iter().find(|person| person.id == id)).collect()
    };
    let everybody: Vec<Vec<&Person>> = first.people.iter().map(|person| states(&person.id)).collect();
    let stayed = |states: &&Vec<&Person>| states.len() == lived.len();
    let ever = |states: &[&Person], of: fn(&Person) -> bool| states.iter().any(|person| of(person));
    let has_device: fn(&Person) -> bool = Person::has_device;
    let is_bare: fn(&Person) -> bool = |person| !person.has_device();
    match (control, status) {
        (_, Status::Unknown) => true,
        (Control::Iam19, Status::Passed) => everybody.iter().filter(stayed).all(|s| ever(s, has_device)),
        (Control::Iam19, Status::NotApplicable) => everybody.iter().filter(stayed).count() == 0,
        (Control::Iam5, Status::Passed) => {
            everybody.iter().filter(stayed).all(|s| ever(s, has_device) || ever(s, |person| !person.password))
        }
        (Control::Iam5, Status::NotApplicable) => {
            everybody.iter().filter(stayed).all(|s| ever(s, |person| !person.password))
        }
        // Whoever fails may have come or gone meanwhile.
        (_, Status::Failed) => {
            let mut ids: Vec<&str> = lived.iter().flat_map(|w| w.people.iter().map(|p| p.id.as_str())).collect();
            ids.sort_unstable();
            ids.dedup();
            let password: fn(&Person) -> bool = |person| person.password;
            ids.into_iter().map(states).any(|s| {
                ever(&s, is_bare) && (control == Control::Iam19 || ever(&s, password)) || s.len() < lived.len()
            })
        }
        _ => true,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Change(Act),
    Beat(Vec<Beat>),
    Inventory(Vec<Beat>),
    Live(u64),
    Wait(u64),
    Restart,
    SetClock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => act().prop_map(Step::Change),
        2 => script(4).prop_map(Step::Beat),
        4 => script(16).prop_map(Step::Inventory),
        2 => (1..90 * MINUTE).prop_map(Step::Live),
        2 => (1..3 * HOUR).prop_map(Step::Wait),
        1 => Just(Step::Restart),
        1 => (-200_000..200_000i64).prop_map(Step::SetClock),
    ]
}

const CONTROLS: [Control; 2] = [Control::Iam5, Control::Iam19];

proptest! {
    #![proptest_config(Config { cases: 10_000, failure_persistence: None, ..Config::default() })]

    /// The report is up to four hours older than what is live.
    #[test]
    fn what_is_freshly_judged_of_users_is_right_or_unknown(
        world in world(),
        before in prop::collection::vec(act(), 0..6),
        age in 0..4 * HOUR,
        script in script(24),
    ) {
        let model = Model::new(world);
        // Somebody else has had a report made, and much has happened since.
        super::model::now(aws_mfa_exporter::collect::iam::UsersIam::generate_report(&model)).ok();
        for act in &before {
            model.wait(age / 6);
            model.edit(|world, now| world.change(*act, now));
        }
        let from = model.life().mono;
        model.life().script = script;
        let mut daemon = Daemon::new(&model);
        let beat = daemon.beat();
        daemon.inventory(beat);
        model.life().script.clear();
        daemon.beat();
        daemon.age();
        let to = model.life().mono;
        for control in CONTROLS {
            let (status, as_of) = daemon.verdict(control);
            let Some(as_of) = as_of else { continue };
            // A device is of this reading; only a password may be of the report.
            let first = if control == Control::Iam19 { from } else { model_time(as_of) };
            let lived = model.lived(first, to);
            prop_assert!(is_right(control, status, &lived), "{control:?} {status}: {lived:#?}");
        }
    }

    #[test]
    fn a_published_verdict_on_users_was_right_and_is_not_too_old(
        world in world(),
        steps in prop::collection::vec(step(), 1..20),
        is_stepped in any::<bool>(),
    ) {
        let model = Model::new(world);
        let mut daemon = Daemon::new(&model);
        for step in steps {
            match step {
                Step::Change(act) => model.edit(|world, now| world.change(act, now)),
                Step::Wait(time) => model.wait(time),
                Step::Live(time) => daemon.live(time, |_| {}),
                // A step of the clock and a restart at once would leave nobody to say
                // what time it was.
                Step::Restart if !is_stepped => daemon.restart(),
                Step::SetClock(to) if is_stepped => model.life().step = to,
                Step::Restart | Step::SetClock(_) => {}
                Step::Beat(script) => {
                    model.life().script = script;
                    daemon.beat();
                }
                Step::Inventory(script) => {
                    model.life().script = script;
                    let beat = daemon.beat();
                    daemon.inventory(beat);
                }
            }
            model.life().script.clear();
            daemon.age();
            for control in CONTROLS {
                let (status, as_of) = daemon.verdict(control);
                let Some(as_of) = as_of else { continue };
                let now = model.life().moment();
                let age = now.age(as_of).expect("what is published has an age");
                prop_assert!(age.as_secs() <= 4 * 3_600 + 1_800, "{control:?} {status} is {age:?} old");
                // A stepped clock may be off from AWS's by what AWS lets pass.
                let from = if is_stepped {
                    u64::try_from(as_of.mono.as_millis()).unwrap().saturating_sub(5 * MINUTE)
                } else {
                    model_time(as_of)
                };
                let lived = model.lived(from, daemon.settled);
                prop_assert!(is_right(control, status, &lived), "{control:?} {status} as of {from}: {lived:#?}");
            }
        }
    }
}
