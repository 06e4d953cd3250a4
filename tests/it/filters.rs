//! Filters of an organization's accounts: what they name, and what they do not.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, Member, Organization, Role, Scenario, Sim, Unit};

use crate::support::{Exporter, KEY, Samples};

const OWN: &str = "000000000001";
const SOON: Duration = Duration::from_secs(25);
const UNMATCHED: &str = "unmatched_filter";

/// The units `Workloads`, `Workloads/Sandbox`, one by the name of `Workloads/Sandbox`
/// and one without accounts; an account in each of the former, and a tag on the first.
fn organization() -> Scenario {
    let unit = |n: usize, name: &str, parent: &str| Unit { id: unit_id(n), name: name.into(), parent: parent.into() };
    let account = |id: &str| {
        let fido = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
        Account { roles: vec![Role::named("aws-mfa-exporter")], ..Account::with_root_devices(id, &[&fido]) }
    };
    let ids = (0..3).map(id);
    let mut members = vec![Member::new(OWN, "own")];
    members.extend(ids.clone().enumerate().map(|(n, id)| Member { unit: unit_id(n), ..Member::new(&id, "member") }));
    members[1].tags.insert("team".into(), "blue".into());
    let units = vec![
        unit(0, "Workloads", "r-root"),
        unit(1, "Sandbox", &unit_id(0)),
        unit(2, "Workloads/Sandbox", "r-root"),
        unit(3, "Empty", "r-root"),
    ];
    Scenario {
        accounts: [OWN.to_owned()].into_iter().chain(ids).map(|id| account(&id)).collect(),
        credentials: [(KEY.to_owned(), OWN.to_owned())].into(),
        organization: Some(Organization { management: OWN.into(), members, units, ..Organization::default() }),
        ..Scenario::default()
    }
}

fn id(n: usize) -> String {
    format!("1{n:011}")
}

fn unit_id(n: usize) -> String {
    format!("ou-root-{n:08}")
}

/// An exporter with these filters, and the file that says so.
fn filtered(sim: &Sim, filters: &str, flags: &[&str]) -> (Exporter, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(&file, filters);
    let flag = format!("--config.file={}", file.path().display());
    let fast = ["--collector.root.interval=1s", "--collector.devices.interval=2s"];
    (Exporter::start(&sim.endpoint(), &[&fast[..], &[&*flag], flags].concat()), file)
}

fn write(file: &tempfile::NamedTempFile, filters: &str) {
    let text = format!("organization: {{role_name: aws-mfa-exporter, interval: 10s, {filters}}}\n");
    fs::write(file.path(), text).unwrap();
}

/// The state of the exporter's own account and of the others, by their first letters.
fn states(samples: &Samples) -> String {
    let all = [OWN.to_owned(), id(0), id(1), id(2)];
    all.iter().map(|id| samples.state_of(id).chars().next().unwrap_or('-')).collect()
}

fn expect(exporter: &Exporter, what: &str, up: f64, wanted: &str) {
    exporter.wait_for(&format!("{what}: {wanted}"), SOON, |samples| {
        samples.value("aws_mfa_discovery_up") == Some(up)
            && samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0)
            && states(samples) == wanted
    });
}

#[test]
fn each_filter_names_what_it_says_and_nothing_else() {
    let rows = [
        ("include: {ous: [r-root]}", "ssss"),
        ("exclude: {ous: [r-root]}", "eeee"),
        ("include: {ous: [Workloads]}", "esse"),
        ("include: {ous: [/Workloads/Sandbox/]}", "eese"),
        ("include: {ous: [[Workloads, Sandbox]]}", "eese"),
        ("include: {ous: [[Workloads/Sandbox]]}", "eees"),
        ("exclude: {ous: [Workloads/Sandbox]}", "sses"),
        ("exclude: {ous: [ou-root-00000000]}", "sees"),
        ("exclude: {ous: [Empty]}", "ssss"),
        ("include: {tags: {team: [blue]}}", "esee"),
        ("include: {ous: [r-root]}, exclude: {accounts: [\"100000000001\"]}", "sses"),
    ];
    thread::scope(|scope| {
        for (filters, wanted) in rows {
            scope.spawn(move || {
                let sim = Sim::start(organization()).unwrap();
                let (exporter, _file) = filtered(&sim, filters, &[]);
                expect(&exporter, filters, 1.0, wanted);
                assert!(!exporter.log().contains(UNMATCHED), "{filters}: {}", exporter.log());
            });
        }
    });
}

/// An `include` that names nothing leaves nobody out who was watched before, an
/// `exclude` nobody at all; either is a fault that the log names.
#[test]
fn a_filter_that_matches_nothing_is_a_fault_and_ends_no_watching() {
    let rows = [
        ("exclude: {ous: [Workload]}", "ssss", "organization.exclude.ous: Workload"),
        ("exclude: {ous: [ou-root-99999999]}", "ssss", "organization.exclude.ous: ou-root-99999999"),
        ("exclude: {ous: [r-other]}", "ssss", "organization.exclude.ous: r-other"),
        ("exclude: {ous: [[Workloads/Test]]}", "ssss", "organization.exclude.ous: [\\\"Workloads/Test\\\"]"),
        ("exclude: {accounts: [\"999999999999\"]}", "ssss", "organization.exclude.accounts: 999999999999"),
        ("exclude: {tags: {team: [blue, green]}}", "sess", "organization.exclude.tags: team: green"),
        ("include: {ous: [Workload]}", "eeee", "organization.include.ous: Workload"),
        ("include: {ous: [Empty/Empty, Workloads]}", "esse", "organization.include.ous: Empty/Empty"),
    ];
    thread::scope(|scope| {
        for (filters, wanted, named) in rows {
            scope.spawn(move || {
                let sim = Sim::start(organization()).unwrap();
                let (exporter, _file) = filtered(&sim, filters, &[]);
                expect(&exporter, filters, 0.0, wanted);
                thread::sleep(Duration::from_millis(2_500));
                let log = exporter.log();
                let lines: Vec<_> = log.lines().filter(|line| line.contains(UNMATCHED)).collect();
                assert!(lines.len() == 1 && lines[0].contains(named), "{filters}: {log}");
            });
        }
    });
}

#[test]
fn a_mistake_in_include_ends_no_watching_when_the_file_is_read_again_or_after_a_restart() {
    let sim = Sim::start(organization()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let state = format!("--state.file={}", folder.path().join("state").display());
    let (mut exporter, file) = filtered(&sim, "include: {ous: [Workloads]}", &[&state]);
    expect(&exporter, "before", 1.0, "esse");
    let reload = |exporter: &Exporter, filters: &str| {
        write(&file, filters);
        exporter.signal("-HUP");
    };
    reload(&exporter, "include: {ous: [Workload]}");
    expect(&exporter, "with the mistake", 0.0, "esse");
    let calls = sim.count(&id(1), "GetAccountSummary");
    let began = Instant::now();
    while sim.count(&id(1), "GetAccountSummary") < calls + 3 {
        assert!(began.elapsed() < SOON, "the account is watched on");
        thread::sleep(Duration::from_millis(50));
    }
    exporter.signal("-TERM");
    exporter.wait();
    let flag = format!("--config.file={}", file.path().display());
    let again = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s", &flag, &state]);
    expect(&again, "after a restart", 0.0, "esse");
    reload(&again, "include: {accounts: [\"100000000002\"]}");
    expect(&again, "mended", 1.0, "eees");
    assert!(again.log().contains("Account discovery succeeded."), "{}", again.log());
}

/// Where the tree cannot be read, nothing is said of units, and nobody is left out.
#[test]
fn units_that_cannot_be_read_are_no_mistake_in_a_filter() {
    let sim = Sim::start(organization()).unwrap();
    sim.fault(OWN, Some("ListRoots"), Fault::AccessDenied);
    let (exporter, _file) = filtered(&sim, "include: {ous: [Workload]}", &[]);
    expect(&exporter, "unread", 0.0, "ssss");
    assert!(!exporter.log().contains(UNMATCHED) && exporter.log().contains("ListRoots"), "{}", exporter.log());
}

/// A unit that is below itself would be asked for until the deadline.
#[test]
fn a_tree_that_leads_back_is_no_tree() {
    let mut scenario = organization();
    scenario.organization.as_mut().unwrap().units.push(Unit {
        id: unit_id(0),
        name: "Loop".into(),
        parent: unit_id(1),
    });
    let sim = Sim::start(scenario).unwrap();
    let (exporter, _file) = filtered(&sim, "exclude: {ous: [Workloads]}", &[]);
    expect(&exporter, "a loop", 0.0, "ssss");
    assert!(exporter.log().contains("fault=malformed_reply"), "{}", exporter.log());
}
