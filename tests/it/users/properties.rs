//! The promise about users: what is said of an account was so of the whole account at
//! one instant, from the as-of time that is said with it to now; and it is no older
//! than its maximum age. Whatever the users do, whatever fails, whoever is restarted.
//!
//! The model lives between two requests and within each of them. Beside what the
//! documentation says that nobody can see, everything is allowed.

use aws_mfa_exporter::{
    collect::progress::Only,
    model::{
        judge::{Control, Status, users::Count},
        time::Uptime,
    },
};
use proptest::prelude::*;

use super::{
    daemon::Daemon,
    model::{ACTS, Act, Beat, HOUR, MINUTE, Model, Person, SECOND, World, model_time, nobody},
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

pub fn world() -> impl Strategy<Value = World> {
    (prop::collection::vec(person(), 0..5), 0..3u32).prop_map(|(people, spares)| World { spares, ..World::of(people) })
}

pub fn act() -> impl Strategy<Value = Act> {
    (0..ACTS, any::<u8>()).prop_map(|(what, who)| Act { what, who })
}

fn script(most: usize) -> impl Strategy<Value = Vec<Beat>> {
    let beat = (prop::option::weighted(0.2, act()), prop::bool::weighted(0.08), prop::bool::weighted(0.1));
    prop::collection::vec(beat.prop_map(|(act, fault, is_seen)| Beat { act, fault, is_seen }), 0..most)
}

/// Whether it is so of the whole account in this state.
fn is_so(control: Control, status: Status, world: &World) -> bool {
    let mut people = world.people.iter();
    let bare = |person: &Person| !person.has_device();
    match (control, status) {
        (_, Status::Unknown) => true,
        (Control::Iam19, Status::Passed) => !people.any(bare),
        (Control::Iam19, Status::Failed) => people.any(bare),
        (Control::Iam19, Status::NotApplicable) => world.people.is_empty(),
        (Control::Iam5, Status::Passed) => !people.any(|person| person.password && bare(person)),
        (Control::Iam5, Status::Failed) => people.any(|person| person.password && bare(person)),
        (Control::Iam5, Status::NotApplicable) => !people.any(|person| person.password),
        _ => false,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Change(Act),
    Beat(Vec<Beat>),
    Inventory(Vec<Beat>),
    Live(u64),
    Wait(u64),
    /// An operation fails, or works again.
    Break(u8, bool),
    /// The replica that answers an operation lags.
    Lag(u8, u64),
    /// For so long the replica that is asked for passwords knows of none.
    Forget(u64),
    /// The same when they are due, and the exporter is restarted meanwhile.
    ForgetOverRestart,
    Save,
    /// Killed, and started again with what was saved last.
    Kill,
    Restart,
    SetClock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => act().prop_map(Step::Change),
        2 => script(4).prop_map(Step::Beat),
        4 => script(20).prop_map(Step::Inventory),
        3 => (1..90 * MINUTE).prop_map(Step::Live),
        2 => (1..3 * HOUR).prop_map(Step::Wait),
        2 => (1..90 * SECOND).prop_map(Step::Wait),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(what, fails)| Step::Break(what, fails)),
        1 => (any::<u8>(), 0..LAG).prop_map(|(what, lag)| Step::Lag(what, lag)),
        1 => (0..50 * SECOND).prop_map(Step::Forget),
        1 => Just(Step::ForgetOverRestart),
        1 => Just(Step::Save),
        1 => Just(Step::Kill),
        1 => Just(Step::Restart),
        1 => (-200_000..200_000i64).prop_map(Step::SetClock),
    ]
}

/// Replicas lag by less than this, in milliseconds.
const LAG: u64 = 55 * SECOND;

const OPERATIONS: [&str; 7] = [
    "GenerateCredentialReport",
    "GetAccountSummary",
    "GetCredentialReport",
    "GetLoginProfile",
    "ListMFADevices",
    "ListUsers",
    "ListVirtualMFADevices",
];

const CONTROLS: [Control; 2] = [Control::Iam5, Control::Iam19];

/// A failure is said at once, and not only when every replica must have heard. So one
/// that lags can add a password that was, to a device that is no more.
fn may_have_failed(control: Control, lived: &[World]) -> bool {
    let of = |id: &str, is: fn(&Person) -> bool| {
        lived.iter().any(|world| world.people.iter().any(|person| person.id == id && is(person)))
    };
    let fails = |id: &str| {
        of(id, |person| !person.has_device()) && (control == Control::Iam19 || of(id, |person| person.password))
    };
    lived.iter().flat_map(|world| &world.people).any(|person| fails(&person.id))
}

/// Holds what is said now against what was so.
pub fn check(daemon: &Daemon<'_>, lag: u64) -> Result<(), TestCaseError> {
    let life = daemon.model.life();
    let (now, mono, step, boot) = (life.moment(), life.mono, life.step, life.boot);
    drop(life);
    // An answer has no more than a name in it. A replica that has not heard of two names'
    // exchange answers for the other user: for a minute that may be taken for a failure,
    // and never for a pass.
    let is_named_late = lag > 0 && daemon.model.life().world.exchanged.is_some();
    for control in CONTROLS {
        let (status, as_of) = daemon.verdict(control);
        let Some(as_of) = as_of else { continue };
        let age = now.age(as_of).expect("what is published has an age");
        prop_assert!(age.as_secs() <= 4 * 3_600 + 1_800, "{control:?} {status} is {age:?} old");
        // The clock that is never stepped, where it reaches back so far.
        let from = if as_of.mono >= Uptime::default() {
            boot + u64::try_from(as_of.mono.since(Uptime::default()).as_millis()).unwrap()
        } else {
            model_time(as_of)
        };
        // A stepped clock may be off from AWS's by what AWS lets pass.
        let from = from.saturating_sub(if step == 0 { lag } else { 5 * MINUTE });
        let lived = daemon.model.lived(from, mono);
        if is_named_late && status == Status::Failed {
            continue;
        }
        let is_so = if lag > 0 && status == Status::Failed {
            may_have_failed(control, &lived)
        } else {
            lived.iter().any(|world| is_so(control, status, world))
        };
        prop_assert!(is_so, "{control:?} {status} as of {from}, now {mono}: {lived:#?}");
    }
    if is_named_late { Ok(()) } else { check_counts(daemon) }
}

/// Holds the counts against the users that were there: of whom something was so all the
/// time that a fact may be old is counted, and nobody of whom it never was.
fn check_counts(daemon: &Daemon<'_>) -> Result<(), TestCaseError> {
    let Some(counts) = daemon.counts_if_known() else { return Ok(()) };
    let now = daemon.model.life().mono;
    let lived = daemon.model.lived(now.saturating_sub(4 * HOUR + 45 * MINUTE), now);
    let mut ids: Vec<&str> = lived.iter().flat_map(|world| &world.people).map(|person| person.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let find = |world: &World, id: &str| world.people.iter().find(|person| person.id == id).cloned();
    let bounds = |is_so: fn(&Person) -> bool| {
        let holds = |world: &World, id: &str| find(world, id).is_some_and(|person| is_so(&person));
        let always = ids.iter().filter(|id| lived.iter().all(|world| holds(world, id))).count();
        let ever = ids.iter().filter(|id| lived.iter().any(|world| holds(world, id))).count();
        (always, ever)
    };
    let bare: fn(&Person) -> bool = |person| !person.has_device();
    let all = |count: Option<Count>| count.map(|count| count.all);
    let counted = [
        ("users", Some(counts.users), bounds(|_| true)),
        ("console", counts.console, bounds(|person| person.password)),
        ("without_mfa", all(counts.without_mfa), bounds(bare)),
        (
            "console_without_mfa",
            all(counts.console_without_mfa),
            bounds(|person| person.password && !person.has_device()),
        ),
        ("virtual", counts.devices[4].filter(|_| lived.len() == 1), sums(&lived, |person| person.virtuals)),
        ("fido", counts.devices[0].filter(|_| lived.len() == 1), sums(&lived, |person| person.fidos)),
    ];
    for (what, count, (least, most)) in counted {
        let is_right = count.is_none_or(|count| (least..=most).contains(&usize::try_from(count).unwrap()));
        prop_assert!(is_right, "{what} {count:?} is not in {least}..={most}: {lived:#?}");
    }
    Ok(())
}

fn sums(lived: &[World], of: fn(&Person) -> u8) -> (usize, usize) {
    let sum = lived.last().map_or(0, |world| world.people.iter().map(|person| usize::from(of(person))).sum());
    (sum, sum)
}

proptest! {
    #![proptest_config(crate::support::properties())]

    /// The report is up to four hours older than what is live.
    #[test]
    fn what_is_freshly_judged_of_users_is_right_or_unknown(
        world in world(),
        before in prop::collection::vec(act(), 0..6),
        age in 0..4 * HOUR,
        script in script(24),
        disorder in prop::option::of(any::<u64>()),
        is_only in any::<bool>(),
    ) {
        let model = Model::new(world);
        model.life().disorder = disorder.unwrap_or(0);
        // Somebody else has had a report made, and much has happened since.
        super::model::now(aws_mfa_exporter::collect::iam::UsersIam::generate_report(&model)).ok();
        for act in &before {
            model.wait(age / 6);
            model.edit(|world, now| world.change(*act, now));
        }
        model.life().script = script;
        let mut daemon = Daemon::new(&model);
        daemon.only = is_only.then(Only::default);
        let beat = daemon.beat();
        daemon.inventory(beat);
        model.life().script.clear();
        daemon.beat();
        daemon.age();
        check(&daemon, 0)?;
    }

    #[test]
    fn a_published_verdict_on_users_was_right_and_is_not_too_old(
        world in world(),
        steps in prop::collection::vec(step(), 1..24),
        is_stepped in any::<bool>(),
        do_lag in any::<bool>(),
        disorder in prop::option::of(any::<u64>()),
    ) {
        let model = Model::new(world);
        model.life().disorder = disorder.unwrap_or(0);
        let mut daemon = Daemon::new(&model);
        if do_lag {
            // What a replica says at the first look of all is held against nothing, and is
            // asked again a minute later.
            daemon.live(3 * MINUTE, |_| {});
            // And of two changes within the time that replicas may lag, one may have heard
            // of the first, and another of the second.
            model.life().world.pause = LAG;
        }
        let mut saved = daemon.state();
        for step in steps {
            // Who was called what before the first list, nobody can know.
            model.life().world.are_names_kept = do_lag && !daemon.has_names();
            if !daemon.knows_passwords() {
                // A first answer is believed.
                let mut life = model.life();
                life.forgets_until = life.forgets_until.min(life.mono);
            }
            match step {
                Step::Change(act) => model.edit(|world, now| world.change(act, now)),
                Step::Wait(time) => model.wait(time),
                Step::Live(time) => daemon.live(time, |_| {}),
                Step::Break(what, fails) => {
                    let operation = OPERATIONS[usize::from(what) % OPERATIONS.len()];
                    let mut life = model.life();
                    life.denied.retain(|known| *known != operation);
                    life.denied.extend(fails.then_some(operation));
                }
                Step::Lag(what, lag) if do_lag => {
                    model.life().lags.insert(OPERATIONS[usize::from(what) % OPERATIONS.len()], lag);
                }
                Step::Lag(..) => {}
                Step::Forget(time) => {
                    // What is said twice, a minute apart, is believed.
                    let mut life = model.life();
                    if life.mono > life.forgets_until + 5 * MINUTE && !daemon.has_doubts() {
                        life.forgets_until = life.mono + time;
                    }
                }
                Step::ForgetOverRestart if !is_stepped && daemon.knows_passwords() && !daemon.has_doubts() => {
                    model.wait(HOUR);
                    let due = model.life().mono;
                    if due > model.life().forgets_until + 5 * MINUTE {
                        model.life().forgets_until = due + 50 * SECOND;
                    }
                    let beat = daemon.beat();
                    daemon.inventory(beat);
                    daemon.restart();
                    let beat = daemon.beat();
                    daemon.inventory(beat);
                }
                Step::ForgetOverRestart => {}
                Step::Save => saved = daemon.state(),
                // A step of the clock and a restart at once would leave nobody to say
                // what time it was.
                Step::Kill if !is_stepped => daemon.restart_with(&saved),
                Step::Restart if !is_stepped => daemon.restart(),
                Step::SetClock(to) if is_stepped => model.life().step = to,
                Step::Kill | Step::Restart | Step::SetClock(_) => {}
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
            // What a replica has not heard of was so a while before it was asked.
            let is_late = do_lag || model.life().forgets_until > 0;
            check(&daemon, if is_late { LAG } else { 0 })?;
        }
    }
}
