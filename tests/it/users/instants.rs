//! What a verdict on all users at once must not be put together from: answers of
//! before a change and of after it. In none of these histories was there an instant at
//! which every user had a device, from when on they are looked at.

use aws_mfa_exporter::model::judge::{
    Control::{Iam5, Iam19},
    Status::{Failed, NotApplicable, Passed, Unknown},
};

use super::{
    daemon::Daemon,
    model::{Act, Beat, HOUR, MINUTE, Model, Person, SECOND, World, console, fido, key_only, nobody},
};

/// What happens at the requests of these numbers, counted from 0.
fn script(happens: &[(usize, Beat)]) -> Vec<Beat> {
    let last = happens.iter().map(|(at, _)| *at).max().unwrap_or(0);
    let at = |n: usize| happens.iter().find(|(at, _)| *at == n).map_or(Beat::default(), |(_, beat)| *beat);
    (0..=last).rev().map(at).collect()
}

/// Somebody does something, and a heartbeat sees it or none comes just then.
fn act(what: u8, who: u8, is_seen: bool) -> Beat {
    Beat { act: Some(Act { what, who }), fault: false, is_seen }
}

fn watching(model: &Model) -> Daemon<'_> {
    let mut daemon = Daemon::new(model);
    daemon.live(31 * MINUTE, |_| {});
    daemon.until_stock();
    assert_eq!(daemon.says(Iam19), Passed);
    daemon
}

/// Lives on, and nobody ever says that all have a device, or that nobody has to.
fn never_passes(daemon: &mut Daemon<'_>, time: u64) {
    daemon.live(time, |daemon| {
        for control in [Iam5, Iam19] {
            assert!(
                ![Passed, NotApplicable].contains(&daemon.says(control)),
                "{control:?}: {:?}",
                daemon.model.life().world
            );
        }
    });
}

/// The counters are what they were, and the run that the first change woke has failed:
/// its wake is not spent.
#[test]
fn a_change_is_not_forgotten_because_the_run_that_it_woke_failed() {
    for denied in ["ListUsers", "ListVirtualMFADevices"] {
        let model = Model::new(World::of([fido(), console(), Person { fidos: 2, ..fido() }]));
        let mut daemon = watching(&model);
        model.life().denied = vec![denied];
        model.edit(|world, _| world.people[0].fidos = 0);
        never_passes(&mut daemon, 5 * MINUTE);
        model.edit(|world, _| world.people[2].fidos = 3);
        never_passes(&mut daemon, 5 * MINUTE);
        model.life().denied.clear();
        never_passes(&mut daemon, 5 * HOUR);
        assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Failed, Failed));
    }
}

/// A key goes as a spare virtual device is given to another: the list shows it.
#[test]
fn a_swap_that_moves_no_counter_makes_no_pass_of_an_old_key_and_a_new_device() {
    let bare = Person { password: true, ..nobody() };
    let model = Model::new(World { spares: 1, ..World::of([fido(), bare]) });
    let mut daemon = Daemon::new(&model);
    daemon.live(20 * MINUTE, |_| {});
    assert_eq!(daemon.says(Iam19), Failed);
    let before = model.life().world.summary();
    model.edit(|world, _| (world.people[0].fidos, world.people[1].virtuals, world.spares) = (0, 1, 0));
    assert_eq!(model.life().world.summary(), before, "no counter has moved");
    never_passes(&mut daemon, 5 * HOUR);
}

/// The first user has answered and loses the key; a heartbeat sees it; another gets
/// one, and a heartbeat sees the old count.
#[test]
fn a_dip_during_a_run_is_remembered() {
    const REMOVES: u8 = 9;
    const ENABLES: u8 = 8;
    let model = Model::new(World::of([fido(), fido(), Person { password: true, ..nobody() }]));
    let mut daemon = Daemon::new(&model);
    let beat = daemon.beat();
    // Two lists with their summaries, and the users; then the first one's devices.
    model.life().script = script(&[(6, act(REMOVES, 0, true)), (7, act(ENABLES, 2, true))]);
    daemon.inventory(beat);
    assert_eq!(model.life().world.people.iter().map(|person| person.fidos).collect::<Vec<_>>(), [0, 1, 1]);
    daemon.beat();
    daemon.age();
    assert_ne!(daemon.says(Iam19), Passed);
    never_passes(&mut daemon, 5 * HOUR);
}

/// The same with no heartbeat in between: one answers and loses the key, and the other
/// gets one before it is asked. AWS dates the new key.
#[test]
fn a_key_that_goes_as_anothers_comes_within_one_run_makes_no_pass() {
    let bare = Person { password: true, ..nobody() };
    let model = Model::new(World::of([fido(), bare]));
    let mut daemon = Daemon::new(&model);
    let beat = daemon.beat();
    // The swap of keys, between the two answers.
    model.life().script = script(&[(6, act(11, 0, false))]);
    daemon.inventory(beat);
    daemon.beat();
    daemon.age();
    assert_eq!(model.life().world.people.iter().map(|person| person.fidos).collect::<Vec<_>>(), [0, 1]);
    assert_ne!(daemon.says(Iam19), Passed);
    never_passes(&mut daemon, 5 * HOUR);
}

/// The summary counts a user whom no list has shown.
#[test]
fn a_user_whom_nobody_could_list_is_not_nobody() {
    for person in [Person { password: true, ..nobody() }, key_only()] {
        let model = Model::new(World::default());
        let mut daemon = Daemon::new(&model);
        daemon.live(31 * MINUTE, |_| {});
        assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (NotApplicable, NotApplicable));
        model.life().denied = vec!["ListUsers"];
        model.edit(|world, now| world.add(person.clone(), i64::try_from(now).unwrap()));
        daemon.live(MINUTE, |_| {});
        daemon.live(25 * MINUTE, |daemon| {
            assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown));
            assert_eq!(daemon.counts_if_known(), None, "no users, although the summary counts one");
        });
    }
}

/// A password is known, and a replica that lags denies it once; the doubt outlives the
/// process.
#[test]
fn a_doubt_about_a_password_outlives_a_kill() {
    let model = Model::new(World::of([Person { password: true, ..nobody() }]));
    let mut daemon = Daemon::new(&model);
    daemon.live(31 * MINUTE, |_| {});
    assert_eq!(daemon.says(Iam5), Failed);
    // Nobody has a password where this replica looks.
    let mut old = model.life().world.clone();
    old.people[0].password = false;
    model.life().stopped.insert("GetLoginProfile", old);
    while daemon.says(Iam5) == Failed {
        daemon.live(SECOND, |_| {});
        assert!(model.life().mono < 4 * HOUR, "it is asked again every hour");
    }
    assert_eq!(daemon.says(Iam5), Unknown, "denied once");
    daemon.restart();
    let beat = daemon.beat();
    daemon.inventory(beat);
    daemon.age();
    assert_ne!(daemon.says(Iam5), NotApplicable);
}

/// A name goes to another user between the list and the question: the answer is about
/// that one.
#[test]
fn a_name_that_is_given_to_another_user_does_not_give_the_device_with_it() {
    let world =
        World::of([Person { name: "a".into(), password: true, ..nobody() }, Person { name: "b".into(), ..fido() }]);
    let model = Model::new(world);
    let mut daemon = Daemon::new(&model);
    let beat = daemon.beat();
    // Their names are exchanged when the users have been listed.
    model.life().script = script(&[(5, act(14, 0, false))]);
    daemon.inventory(beat);
    daemon.beat();
    daemon.age();
    let names: Vec<_> = model.life().world.people.iter().map(|person| person.name.clone()).collect();
    assert_eq!(names, ["b", "a"]);
    for control in [Iam5, Iam19] {
        assert_ne!(daemon.says(control), Passed);
    }
    never_passes(&mut daemon, HOUR);
}

/// The list has the new names, and the replica that is asked for devices the old ones.
#[test]
fn a_name_that_was_exchanged_a_moment_ago_does_not_give_the_device_of_before() {
    let model = Model::new(World::of([Person { password: true, ..nobody() }, fido()]));
    let mut daemon = Daemon::new(&model);
    daemon.live(20 * MINUTE, |_| {});
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Failed, Failed));
    model.edit(|world, now| world.change(Act { what: 14, who: 0 }, now));
    // The failing user is asked again every hour; this is that time.
    model.wait(HOUR);
    model.life().lags.insert("ListMFADevices", HOUR + 30 * SECOND);
    let beat = daemon.beat();
    daemon.inventory(beat);
    daemon.age();
    for control in [Iam5, Iam19] {
        assert_ne!(daemon.says(control), Passed);
    }
    model.life().lags.clear();
    never_passes(&mut daemon, 2 * HOUR);
}

/// The counters are what would show a change. While nobody reads them, nobody passes,
/// whatever the lists say.
#[test]
fn without_a_heartbeat_nobody_passes() {
    let model = Model::new(World::of([Person { virtuals: 1, created: 7, ..key_only() }, fido()]));
    let mut daemon = watching(&model);
    assert_eq!(daemon.says(Iam5), Passed);
    model.wait(4 * MINUTE);
    daemon.age();
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown));
}

/// Everybody has a device and nobody a password: there is nobody whom IAM.5 is about.
#[test]
fn where_nobody_has_a_password_iam5_does_not_apply_whoever_has_a_device() {
    let model = Model::new(World::of([Person { virtuals: 1, created: 7, ..nobody() }]));
    let mut daemon = Daemon::new(&model);
    daemon.live(31 * MINUTE, |_| {});
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (NotApplicable, Passed));
    // Without a report it is not known, and nobody fails either.
    let model = Model::new(World::of([Person { virtuals: 1, ..nobody() }]));
    model.life().has_reports = false;
    let mut daemon = Daemon::new(&model);
    daemon.live(31 * MINUTE, |_| {});
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Passed, Passed));
    assert_eq!(daemon.counts().console, None);
}

/// Reports cannot be had any more: what only the last one tells grows too old to be counted.
#[test]
fn a_number_that_only_an_old_report_tells_is_no_number() {
    let model = Model::new(World::of([key_only(), fido()]));
    let mut daemon = Daemon::new(&model);
    daemon.live(31 * MINUTE, |_| {});
    let keys = |daemon: &Daemon<'_>| daemon.counts().access_key_without_mfa.map(|count| count.all);
    assert_eq!((keys(&daemon), daemon.counts().unknown.access_key), (Some(1), 0));
    model.life().denied = vec!["GenerateCredentialReport", "GetCredentialReport"];
    daemon.live(3 * HOUR + 30 * MINUTE, |daemon| assert_eq!(keys(daemon), Some(1)));
    daemon.live(HOUR, |_| {});
    assert_eq!((keys(&daemon), daemon.counts().unknown.access_key), (None, 2));
}
