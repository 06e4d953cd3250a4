//! What must not be believed. In each of these histories somebody would pass without
//! a device if one doubt of the collector or of the judgement were left out; none of
//! the other tests sees it.

use std::time::{Duration, UNIX_EPOCH};

use aws_mfa_exporter::model::{
    judge::{
        Control::{Iam5, Iam19},
        Status::{self, Failed, NotApplicable, Passed, Unknown},
    },
    snapshot::{Plan, UsersPlan},
};

use super::{
    daemon::{Daemon, PLAN},
    model::{Act, Beat, HOUR, MINUTE, Model, Person, World, console, fido, nobody},
};

/// A daemon that has watched for half an hour, and has just taken inventory.
fn watching(model: &Model) -> Daemon<'_> {
    let mut daemon = Daemon::new(model);
    daemon.live(31 * MINUTE, |_| {});
    daemon.until_stock();
    daemon
}

/// The verdicts after the first heartbeat and the first taking of inventory, in which
/// these things happen at these requests, counted from 0.
fn first_stock<'a>(model: &'a Model, happens: &[(usize, Beat)]) -> Daemon<'a> {
    // Nobody is asked by the way: there are far more users than the budget in most accounts.
    let users = UsersPlan { live_budget: 0, ..UsersPlan::DEFAULT };
    let mut daemon = Daemon::with_plan(model, Plan { users: Some(users), ..PLAN });
    let beat = daemon.beat();
    // What happens first is last in a script.
    model.life().script = (0..40)
        .rev()
        .map(|n| happens.iter().find(|(at, _)| *at == n).map_or(Beat::default(), |(_, beat)| *beat))
        .collect();
    daemon.inventory(beat);
    model.life().script.clear();
    daemon.age();
    daemon
}

fn act(what: u8, who: u8) -> Beat {
    Beat { act: Some(Act { what, who }), ..Beat::default() }
}

/// What a device was seen by speaks for the account as it was counted then: one
/// heartbeat that counts otherwise ends the pass, however long nobody can be asked.
#[test]
fn a_moved_counter_ends_a_pass_before_anybody_is_asked() {
    let model = Model::new(World::of([fido(), console()]));
    let mut daemon = watching(&model);
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Passed, Passed));
    model.edit(|world, _| world.people[0].fidos = 0);
    daemon.beat();
    daemon.age();
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown));
    model.life().denied = vec!["ListUsers"];
    daemon.live(20 * MINUTE, |daemon| assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown)));
}

/// The first heartbeat after a start wakes nobody, having none to compare itself with;
/// what the state file remembers carries the counters that it was true of.
#[test]
fn a_device_that_went_while_nobody_watched_is_not_remembered() {
    let model = Model::new(World::of([fido(), console()]));
    let mut daemon = watching(&model);
    model.edit(|world, _| world.people[0].fidos = 0);
    daemon.restart();
    daemon.live(2 * MINUTE, |daemon| assert_ne!(daemon.says(Iam5), Passed));
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Failed, Failed));
}

/// The counters are those that the answer was kept under, so it is being woken that
/// tells: the second look is there because the first may have been a replica's.
#[test]
fn an_answer_that_was_perhaps_stale_is_not_kept_where_the_second_look_fails() {
    let model = Model::new(World::of([fido(), console()]));
    let mut daemon = watching(&model);
    model.edit(|world, _| world.people[0].fidos = 0);
    model.life().lags.insert("ListMFADevices", HOUR);
    daemon.live(MINUTE, |_| {});
    assert_eq!(daemon.says(Iam5), Unknown, "the replica has said so, and is not believed yet");
    model.life().denied = vec!["ListMFADevices"];
    daemon.live(3 * MINUTE, |_| {});
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown));
}

/// A virtual device that an answer shows and the next list does not is gone, though
/// no counter that was read has moved.
#[test]
fn a_virtual_device_that_came_and_went_between_two_counts_is_gone() {
    const ENABLES: u8 = 6;
    const REMOVES: u8 = 7;
    let model = Model::new(World::of([Person { password: true, ..nobody() }, console()]));
    // Two lists and summaries, the users, then the question about the one without.
    let mut daemon = first_stock(&model, &[(5, act(ENABLES, 0)), (6, act(REMOVES, 0))]);
    assert_eq!(model.life().world.people[0].virtuals, 0);
    assert_ne!(daemon.says(Iam5), Passed, "seen, and not known to have been there at any time");
    let took = daemon.until(Iam5, Failed);
    assert!(took <= Duration::from_secs(16 * 60), "{took:?}");
}

/// `NoSuchEntity` is said of a name, and the name was somebody else's by then; who
/// cannot list the users again cannot know.
#[test]
fn an_absence_that_cannot_be_verified_is_none() {
    const RENAMES: u8 = 3;
    let model = Model::new(World::of([Person { password: true, ..nobody() }]));
    model.life().has_reports = false;
    model.life().are_texts_known = false;
    let fails = Beat { fault: true, ..Beat::default() };
    // After the device, the report that is not there; the password, again and again
    // because one answer covers nobody; and the list.
    let daemon = first_stock(&model, &[(8, act(RENAMES, 0)), (10, fails)]);
    assert_eq!((model.called("GetLoginProfile"), model.called("ListUsers")), (2, 2), "as it is meant");
    assert!(model.life().world.people[0].name.ends_with('x'), "renamed");
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown));
}

/// A report made so long ago, which says that the first user has no password, by a
/// row with this path and this time of creation.
fn deny_password(model: &Model, age: u64, path: &str, created: i64) {
    let mut life = model.life();
    let epoch = life.moment().wall.as_millis() - i64::try_from(life.mono).unwrap();
    let at = Duration::from_millis(u64::try_from(epoch + created).unwrap());
    let (name, at) = (&life.world.people[0].name, humantime::format_rfc3339_seconds(UNIX_EPOCH + at));
    let text = format!(
        "user,arn,user_creation_time,password_enabled,password_last_used,access_key_1_active,access_key_2_active\n\
         {name},arn:aws:iam::111111111111:user/{path}{name},{at},false,N/A,false,false\n"
    );
    let made = life.mono - age;
    life.report = Some((made, text.into_bytes()));
}

/// A user with a password and no device, whose creation and last sign-in these are,
/// as they are judged by a report of this age that denies the password.
fn judged(created: i64, signed_in: Option<i64>, age: u64, path: &str, row: i64) -> Status {
    let mut world = World::default();
    world.add(Person { password: true, signed_in, ..nobody() }, created);
    let model = Model::new(world);
    model.wait(6 * HOUR);
    deny_password(&model, age, path, row);
    first_stock(&model, &[]).says(Iam5)
}

#[test]
fn a_row_of_the_report_is_believed_of_nobody_else_and_of_no_newcomer() {
    let (day, hour) = (-24 * HOUR as i64, 3 * HOUR as i64);
    assert_eq!(judged(day, None, HOUR, "", day), NotApplicable, "a row that is the user's is believed");
    assert_eq!(judged(day, None, HOUR, "", day - 1_000), Failed, "somebody of that name, created earlier");
    assert_eq!(judged(day, None, HOUR, "former/", day), Failed, "somebody with another ARN");
    // At five hours the report was made; at three, and two minutes before it, the user.
    assert_eq!(judged(hour, None, HOUR, "", hour), NotApplicable);
    let new = 5 * HOUR as i64 - 2 * MINUTE as i64;
    assert_eq!(judged(new, None, HOUR, "", new), Failed, "the report's replica may not have known the password yet");
}

#[test]
fn a_report_is_not_believed_of_a_password_that_was_used_since() {
    let day = -24 * HOUR as i64;
    assert_eq!(judged(day, Some(HOUR as i64), HOUR, "", day), NotApplicable, "used before, and taken away");
    assert_eq!(judged(day, Some(5 * HOUR as i64 + MINUTE as i64), HOUR, "", day), Failed);
}

/// A device goes, a heartbeat sees it, and another one comes: the counters are those
/// of before, and a restart is no reason to believe the old answers again.
#[test]
fn what_a_heartbeat_has_contradicted_is_not_believed_after_a_restart() {
    let model = Model::new(World::of([fido(), fido()]));
    let mut daemon = Daemon::new(&model);
    daemon.live(31 * MINUTE, |_| {});
    assert_eq!(daemon.says(Iam19), Passed);
    model.edit(|world, _| world.people[0].fidos = 0);
    daemon.beat();
    model.edit(|world, _| world.people[1].fidos = 2);
    daemon.beat();
    daemon.age();
    assert_eq!(daemon.says(Iam19), Unknown);
    daemon.restart();
    daemon.beat();
    daemon.age();
    assert_eq!(daemon.says(Iam19), Unknown);
    let beat = daemon.beat();
    daemon.inventory(beat);
    assert_eq!(daemon.says(Iam19), Failed, "and nobody is taken at the old word");
}
