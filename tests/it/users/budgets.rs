//! What the exporter costs, in calls: a cycle, and a day on the model's clock.

use aws_mfa_exporter::model::judge::{
    Control::{Iam5, Iam19},
    Status::Failed,
};

use super::{
    daemon::Daemon,
    model::{HOUR, MINUTE, Model, Person, World, console, fido, key_only, nobody},
};

/// The calls of the second day, when everything is known.
fn a_day(world: World) -> (usize, Model) {
    let model = Model::new(world);
    let mut daemon = Daemon::new(&model);
    daemon.live(24 * HOUR, |_| {});
    let before = model.calls();
    daemon.live(24 * HOUR, |_| {});
    let calls = model.calls() - before;
    drop(daemon);
    (calls, model)
}

fn at_most(what: &str, calls: usize, budget: usize) {
    eprintln!("calls a day: {what}: {calls} (budget {budget})");
    assert!(calls <= budget, "{what}: {calls} calls a day, and {budget} are allowed");
}

#[test]
fn a_day_of_100_users_with_virtual_devices() {
    let (calls, model) = a_day(World::of((0..100).map(|_| console())));
    at_most("100 users with virtual devices", calls, 1_440 + 300);
    assert_eq!(model.called("ListMFADevices") + model.called("GetLoginProfile"), 0);
}

#[test]
fn a_day_of_60_users_with_virtual_devices_and_40_key_only() {
    let (calls, _) = a_day(World::of((0..100).map(|n| if n < 60 { console() } else { key_only() })));
    at_most("60 with virtual devices, 40 key-only without device", calls, 1_440 + 300 + 480 + 24 * 2 * 40);
}

#[test]
fn a_day_of_90_key_only_users_of_100() {
    let (calls, _) = a_day(World::of((0..100).map(|n| if n < 10 { console() } else { key_only() })));
    at_most("10 with virtual devices, 90 key-only without device", calls, 1_440 + 300 + 480 + 24 * 2 * 90);
}

#[test]
fn a_day_of_100_users_with_fido_keys() {
    let (calls, _) = a_day(World::of((0..100).map(|_| fido())));
    at_most("100 users with FIDO keys alone", calls, 1_440 + 300 + 7 * 100);
}

/// Heartbeats are five times rarer where root's credentials are removed, and inventory
/// is taken at one of them.
#[test]
fn a_day_of_an_account_without_root_credentials() {
    let mut world = World::of((0..10).map(|_| console()));
    world.is_rootless = true;
    let (calls, _) = a_day(world);
    at_most("10 users with virtual devices, root without credentials", calls, 288 + 300);
}

#[test]
fn a_day_of_an_account_without_users() {
    let (calls, _) = a_day(World::default());
    at_most("no users", calls, 1_440 + 300);
}

/// What does not come is asked for once a run, and not run after.
#[test]
fn a_day_without_any_report() {
    let model = Model::new(World::of((0..20).map(|n| if n % 2 == 0 { console() } else { key_only() })));
    model.life().has_reports = false;
    let mut daemon = Daemon::new(&model);
    daemon.live(24 * HOUR, |_| {});
    let before = model.calls();
    daemon.live(24 * HOUR, |_| {});
    // Two a run for the report that never comes, and every password by a question.
    at_most(
        "10 key-only users, and no report to be had",
        model.calls() - before,
        1_440 + 300 + 2 * 96 + 480 + 96 + 10 * 24,
    );
}

#[test]
fn a_cycle_of_5000_users_with_virtual_devices() {
    let model = Model::new(World::of((0..5_000).map(|_| console())));
    let mut daemon = Daemon::new(&model);
    daemon.live(10 * MINUTE, |_| {});
    let before = model.calls();
    let beat = daemon.beat();
    daemon.inventory(beat);
    let calls = model.calls() - before;
    eprintln!("calls a cycle: 5,000 users with virtual devices: {calls} (budget 15, the virtual devices' pages aside)");
    assert!(calls <= 15, "{calls}");
}

#[test]
fn what_one_run_has_no_time_for_is_unknown_and_goes_first_in_the_next() {
    let people = (0..4_000).map(|_| Person { password: true, fidos: 1, ..nobody() });
    let model = Model::new(World::of(people));
    let mut daemon = Daemon::new(&model);
    let beat = daemon.beat();
    let follow_up = daemon.inventory(beat);
    assert_eq!(follow_up, Some(std::time::Duration::ZERO), "the next run follows at once");
    let open = daemon.counts().unknown.device;
    assert!((1..4_000).contains(&open), "{open}");
    daemon.live(HOUR, |_| {});
    assert_eq!(daemon.counts().unknown.device, 0);
    // Those who were asked in the first minute are asked once more: replicas may lag.
    let asked = model.called("ListMFADevices");
    assert!(asked < 4_400 + 1_200, "{asked}: hardly anybody else is asked twice");
}

/// One of many fails: that is said before the others have been asked for.
#[test]
fn the_first_user_who_fails_is_told_of_before_all_the_others_are_asked_for() {
    let bare = Person { password: true, ..nobody() };
    let people = (0..1_000).map(|n| if n == 300 { bare.clone() } else { Person { fidos: 1, ..bare.clone() } });
    let model = Model::new(World::of(people));
    let mut daemon = Daemon::new(&model);
    let beat = daemon.beat();
    let follow_up = daemon.inventory(beat);
    daemon.age();
    assert_eq!((daemon.says(Iam5), daemon.says(Iam19)), (Failed, Failed));
    assert!((301..330).contains(&model.called("ListMFADevices")), "{}", model.called("ListMFADevices"));
    assert_eq!(follow_up, Some(std::time::Duration::ZERO), "the next run follows at once");
    daemon.inventory(None);
    assert!(model.called("ListMFADevices") <= 1_000 + 30, "{}", model.called("ListMFADevices"));
    assert_eq!(daemon.counts().unknown.device, 0);
}
