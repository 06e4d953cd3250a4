//! What happens to users, and how long it takes until the verdicts follow. Each
//! bound here is one that the documentation promises.

use std::time::Duration;

use aws_mfa_exporter::model::{
    judge::{
        Control::{Iam5, Iam19},
        Status::{Failed, NotApplicable, Passed, Unknown},
    },
    snapshot::{Plan, UsersPlan},
};

use super::{
    daemon::{Daemon, PLAN},
    model::{HOUR, MINUTE, Model, Person, World, console, fido, key_only, nobody},
};

const A_MINUTE: Duration = Duration::from_secs(66);
/// After a change that a counter shows nobody passes for a minute: until then a replica
/// of IAM may answer of before it.
const TWO_MINUTES: Duration = Duration::from_secs(66 + 60);
const A_CYCLE: Duration = Duration::from_secs(16 * 60);

/// A daemon that has watched for half an hour, and has just taken inventory: what happens
/// now is seen as late as can be.
fn watching(model: &Model) -> Daemon<'_> {
    watching_with(model, PLAN)
}

fn watching_with(model: &Model, plan: Plan) -> Daemon<'_> {
    let mut daemon = Daemon::with_plan(model, plan);
    daemon.live(31 * MINUTE, |_| {});
    daemon.until_stock();
    daemon
}

/// One row of the table of freshness; `cargo test … -- --nocapture` prints it.
fn within(what: &str, took: Duration, bound: Duration) {
    eprintln!("freshness: {what}: {} (bound {})", humantime::format_duration(took), humantime::format_duration(bound));
    assert!(took <= bound, "{what}: {took:?}, and {bound:?} is promised");
}

#[test]
fn users_with_virtual_devices_pass_without_a_question() {
    let model = Model::new(World::of((0..60).map(|_| console())));
    let daemon = watching(&model);
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Passed, Passed));
    assert_eq!(model.called("ListMFADevices") + model.called("GetLoginProfile"), 0);
    let counts = daemon.counts();
    assert_eq!((counts.users, counts.console, counts.unknown.device, counts.devices[4]), (60, Some(60), 0, Some(60)));
}

#[test]
fn no_users_is_not_applicable() {
    let model = Model::new(World::default());
    let daemon = watching(&model);
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (NotApplicable, NotApplicable));
    assert_eq!(daemon.counts().users, 0);
}

#[test]
fn a_key_only_user_without_device_fails_iam19_alone() {
    let model = Model::new(World::of([console(), key_only()]));
    let daemon = watching(&model);
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Passed, Failed));
    let counts = daemon.counts();
    assert_eq!(
        [counts.access_key_without_mfa, counts.console_without_mfa, counts.without_mfa].map(|count| count.unwrap().all),
        [1, 0, 1]
    );
}

#[test]
fn a_password_never_used_counts() {
    let model = Model::new(World::of([Person { password: true, ..nobody() }]));
    let daemon = watching(&model);
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Failed, Failed));
    assert_eq!(daemon.counts().console_without_mfa.unwrap().all, 1);
}

#[test]
fn a_fido_key_that_is_removed_is_missed_within_a_minute() {
    let model = Model::new(World::of([fido(), console()]));
    let mut daemon = watching(&model);
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Passed, Passed));
    model.edit(|world, _| world.people[0].fidos = 0);
    within("FIDO key removed", daemon.until(Iam5, Failed), A_MINUTE);
}

/// Who has a virtual device is not asked for others. That there are none is known where
/// those that were seen are as many as the account has in use, root's included.
#[test]
fn devices_of_a_kind_are_counted_where_they_are_known_to_be_all() {
    let counted = |is_rootless: bool| {
        let mut world = World::of([fido(), console()]);
        world.is_rootless = is_rootless;
        let model = Model::new(world);
        let counts = watching(&model).counts().devices;
        (counts[0], counts[4])
    };
    assert_eq!(counted(true), (Some(1), Some(1)));
    assert_eq!(counted(false), (None, Some(1)), "root's own key may be the second user's as well");
}

#[test]
fn a_virtual_device_that_is_removed_is_missed_within_a_minute() {
    let model = Model::new(World::of([console(), console()]));
    let mut daemon = watching(&model);
    model.edit(|world, _| world.people[0].virtuals = 0);
    within("virtual device removed", daemon.until(Iam5, Failed), A_MINUTE);
    model.edit(|world, _| world.people[0].virtuals = 1);
    within("virtual device enabled", daemon.until(Iam5, Passed), TWO_MINUTES);
}

/// The counters stay what they were, so it is the list that tells.
#[test]
fn a_device_removed_as_anothers_is_enabled_is_missed_within_a_cycle() {
    let other = Person { password: true, ..nobody() };
    let model = Model::new(World::of([console(), Person { virtuals: 1, ..other.clone() }, other]));
    let mut daemon = watching(&model);
    model.edit(|world, _| world.people[2].virtuals = 1);
    within("device of the last enabled", daemon.until(Iam5, Passed), TWO_MINUTES);
    daemon.live(5 * MINUTE, |_| {});
    model.edit(|world, _| {
        world.people[0].virtuals = 0;
        world.people[1].virtuals = 2;
    });
    within("one's device removed as another's is enabled", daemon.until(Iam5, Failed), A_CYCLE);
}

#[test]
fn a_fido_key_that_moves_to_another_user_is_missed_within_four_hours() {
    let model = Model::new(World::of([fido(), Person { fidos: 2, ..fido() }]));
    let mut daemon = watching(&model);
    model.edit(|world, _| (world.people[0].fidos, world.people[1].fidos) = (0, 3));
    within(
        "FIDO key of one removed as another's is enabled",
        daemon.until(Iam5, Failed),
        Duration::from_secs(4 * 3_600),
    );
}

#[test]
fn a_password_set_on_a_key_only_user_is_found_by_the_live_budget() {
    let model = Model::new(World::of([key_only(), console()]));
    let mut daemon = watching(&model);
    assert_eq!(daemon.says(Iam5), Passed);
    model.edit(|world, _| world.people[0].password = true);
    within("password set on one of few key-only users", daemon.until(Iam5, Failed), A_CYCLE);
}

#[test]
fn a_password_set_on_one_of_many_key_only_users_is_found_within_four_and_a_half_hours() {
    let model = Model::new(World::of((0..400).map(|_| key_only())));
    let mut daemon = watching(&model);
    model.edit(|world, _| world.people[399].password = true);
    let bound = Duration::from_secs(4 * 3_600 + 30 * 60);
    within("password set on one of 400 key-only users", daemon.until(Iam5, Failed), bound);
}

#[test]
fn a_shorter_age_of_passwords_asks_everybody_each_cycle() {
    let users = UsersPlan { password_max_age: Duration::from_secs(15 * 60), ..UsersPlan::DEFAULT };
    let model = Model::new(World::of((0..40).map(|_| key_only())));
    let mut daemon = watching_with(&model, Plan { users: Some(users), ..PLAN });
    model.edit(|world, _| world.people[39].password = true);
    within("the same with password-max-age=15m", daemon.until(Iam5, Failed), A_CYCLE);
}

#[test]
fn a_sign_in_after_the_report_asks_at_once() {
    let users = UsersPlan { live_budget: 0, ..UsersPlan::DEFAULT };
    let model = Model::new(World::of((0..40).map(|_| key_only())));
    let mut daemon = watching_with(&model, Plan { users: Some(users), ..PLAN });
    model.edit(|world, now| {
        world.people[7].password = true;
        world.people[7].signed_in = Some(i64::try_from(now).unwrap() + 5_000);
    });
    within("new password used to sign in", daemon.until(Iam5, Failed), A_CYCLE);
}

#[test]
fn a_user_who_is_deleted_is_dropped_and_does_not_fail() {
    let model = Model::new(World::of([console(), Person { password: true, ..nobody() }]));
    let mut daemon = watching(&model);
    assert_eq!(daemon.says(Iam5), Failed);
    model.edit(|world, _| drop(world.people.pop()));
    within("user without device deleted", daemon.until(Iam5, Passed), TWO_MINUTES);
    assert_eq!(daemon.counts().users, 1);
}

#[test]
fn a_user_who_is_deleted_and_made_anew_is_somebody_else() {
    let named = |person: Person| Person { name: "backup".into(), ..person };
    let model = Model::new(World::of([console(), named(fido())]));
    let mut daemon = watching(&model);
    assert_eq!(daemon.says(Iam5), Passed);
    // The counters are those of before: as many users, and as many devices.
    model.edit(|world, now| {
        let old = world.people.pop().unwrap();
        world.add(Person { name: old.name, password: true, ..nobody() }, i64::try_from(now).unwrap());
        world.people[0].fidos = 1;
    });
    within("user deleted and made anew with the same name", daemon.until(Iam5, Failed), A_CYCLE);
}

#[test]
fn a_user_who_is_renamed_keeps_the_device_and_the_report_keeps_its_word() {
    let model = Model::new(World::of([fido(), key_only()]));
    let mut daemon = watching(&model);
    model.edit(|world, _| {
        world.people[0].name = "renamed".into();
        world.people[1].name = "renamed-too".into();
    });
    // A replica that has not heard of the new names may answer for another user, so what
    // it says in the first minute is not believed; and nobody is asked a third time.
    let mut unknown = 0;
    daemon.live(HOUR, |daemon| {
        unknown += usize::from(daemon.says(Iam5) == Unknown);
        assert!([Passed, Unknown].contains(&daemon.says(Iam5)) && daemon.says(Iam19) == Failed);
    });
    assert!(unknown <= 2, "{unknown} minutes");
}

#[test]
fn a_report_made_a_minute_before_a_change_does_not_hide_it() {
    let model = Model::new(World::of([console(), Person { password: true, fidos: 1, ..nobody() }]));
    let mut daemon = watching(&model);
    // The report says that the second user has a device; only what is live counts.
    model.life().report = None;
    daemon.live(4 * HOUR, |_| {});
    model.edit(|world, _| world.people[1].fidos = 0);
    within("device removed a minute after a report", daemon.until(Iam5, Failed), A_MINUTE);
}

#[test]
fn a_stale_replica_on_the_first_read_again_is_found_out_by_the_second() {
    let model = Model::new(World::of([fido(), console()]));
    let mut daemon = watching(&model);
    // The counters move at once; what is said of devices lags for a heartbeat.
    model.edit(|world, _| world.people[0].fidos = 0);
    model.life().lags.insert("ListMFADevices", 59_000);
    let took = daemon.until(Iam5, Failed);
    within("FIDO key removed, and the first answer stale", took, A_MINUTE * 3);
}

#[test]
fn a_password_that_vanishes_is_believed_when_it_is_gone_twice() {
    let model = Model::new(World::of([console(), Person { password: true, ..nobody() }]));
    let mut daemon = watching(&model);
    assert_eq!(daemon.says(Iam5), Failed);
    model.edit(|world, _| world.people[1].password = false);
    let (mut seen, mut asked) = (Vec::new(), 0);
    daemon.live(2 * HOUR, |daemon| {
        if seen.last() != Some(&daemon.says(Iam5)) {
            seen.push(daemon.says(Iam5));
            asked = model.called("GetLoginProfile");
        }
    });
    assert_eq!(seen, [Failed, Unknown, Passed], "never from failed to passed by one answer");
    assert!(asked >= 2);
}

#[test]
fn an_exporter_that_is_denied_says_unknown_and_not_zero() {
    let model = Model::new(World::of([console(), fido()]));
    let mut daemon = Daemon::new(&model);
    model.life().denied = vec!["ListMFADevices"];
    daemon.live(30 * MINUTE, |_| {});
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown));
    assert_eq!(daemon.counts().unknown.device, 1, "the other is known by the list");
    model.life().denied = vec!["ListUsers"];
    daemon.live(HOUR, |_| {});
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Unknown, Unknown));
    assert!(daemon.counts_if_known().is_none(), "no count of what is not known");
}

#[test]
fn without_reports_every_password_is_asked_for_and_nothing_is_guessed() {
    let model = Model::new(World::of([console(), key_only(), Person { password: true, ..nobody() }]));
    model.life().has_reports = false;
    let mut daemon = watching(&model);
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Failed, Failed));
    assert_eq!(daemon.counts().access_key_without_mfa, None, "keys are known by the report alone");
    assert_eq!((daemon.counts().console, daemon.counts().unknown.access_key), (None, 3));
    assert_eq!(daemon.counts().console_without_mfa.unwrap().all, 1);
    model.edit(|world, _| world.people[2].virtuals = 1);
    within("device enabled, without any report", daemon.until(Iam5, Passed), TWO_MINUTES);
}

#[test]
fn what_was_answered_is_not_asked_again_after_a_restart() {
    let model = Model::new(World::of((0..30).map(|n| if n % 2 == 0 { key_only() } else { fido() })));
    let mut daemon = watching(&model);
    let asked = model.called("ListMFADevices");
    daemon.restart();
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Passed, Failed), "known from the first moment");
    daemon.live(10 * MINUTE, |_| {});
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Passed, Failed));
    assert_eq!(model.called("ListMFADevices"), asked);
}
