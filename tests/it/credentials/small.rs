//! What is left: what to do about an organization's refusals, orphans of a process, and
//! an agent whose credentials are over.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, Member, Organization, Scenario, Sim};

use super::{Home, SECRET, world};
use crate::{
    peers::{Peer, wait_until},
    support::{ID, KEY, healthy},
};

const ROLE: &str = "--organization.role-name=audit";

/// An organization whose management account is `management`; the exporter's credentials
/// are the healthy account's.
fn organization(management: &str) -> Sim {
    let members = [ID, "000000000001"].map(|id| Member::new(id, "")).to_vec();
    let organization = Organization { management: management.into(), members, ..Organization::default() };
    let accounts = vec![healthy(), Account { id: "000000000001".into(), ..healthy() }];
    let credentials = [(KEY.to_owned(), ID.to_owned())].into();
    Sim::start(Scenario { accounts, credentials, organization: Some(organization), ..Scenario::default() }).unwrap()
}

/// Line 10.
#[test]
fn a_member_that_wants_to_list_its_organization_is_told_who_may() {
    let sim = organization("000000000001");
    Home::at(&sim).keys().check(&[ROLE]).says(
        "access_denied",
        &["ListAccounts: access_denied code=AccessDeniedException"],
        &["management account, or of an account that is a delegated administrator", "iam-policy --of exporter"],
    );
}

/// Line 10.
#[test]
fn an_account_without_an_organization_is_told_to_leave_it_out() {
    let sim = world();
    Home::at(&sim).keys().check(&[ROLE]).says(
        "rejected",
        &["ListAccounts: rejected code=AWSOrganizationsNotInUseException"],
        &["leave organization (--organization.role-name) out"],
    );
}

/// Line 10.
#[test]
fn throttling_by_organizations_is_not_blamed_on_iam() {
    let sim = organization(ID);
    sim.fault(ID, Some("ListAccounts"), Fault::Throttled);
    let report = Home::at(&sim).keys().check(&[ROLE]);
    report.says(
        "throttled",
        &["ListAccounts: throttled"],
        &["AWS Organizations allows only a few calls", "organization.interval"],
    );
    assert!(!report.remedy.contains("IAM"), "{report:?}");
}

/// Line 10: in a fleet, each account's run would ask the agent anew.
#[test]
fn an_agent_whose_credentials_are_over_is_not_asked_in_every_run() {
    let sim = world();
    sim.edit_sources(|sources| sources.are_over = true);
    let home = Home::at(&sim).beside_an_agent(&sim);
    let exporter = home.exporter(&[]);
    let over = |samples: &crate::support::Samples| samples.fault("root") == "invalid_credentials";
    exporter.wait_for("over", Duration::from_secs(20), over);
    thread::sleep(Duration::from_secs(10));
    assert!(over(&exporter.metrics()));
    assert_eq!(sim.total("ContainerCredentials"), 1, "once a minute at most");
    assert_eq!(sim.total("GetCallerIdentity"), 1);
}

/// The exporter as the first process of a world of its own. As root that needs nothing,
/// else a user namespace.
fn as_process_1(home: &Home) -> Child {
    let mut command = Command::new("unshare");
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", env!("CARGO_BIN_EXE_aws-mfa-exporter")]);
    command.args(["--web.listen-address=127.0.0.1:0", "--collector.root.interval=1s"]).env_clear();
    command.envs(home.variables.iter().cloned()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The processes below `parent`, each with its state.
fn children(parent: u32) -> Vec<(u32, String)> {
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let fields = pids.filter_map(|pid| {
        let stat = stat(pid);
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().map(str::to_owned);
        Some((pid, fields.next()?, fields.next()?))
    });
    fields.filter(|(_, _, of)| *of == parent.to_string()).map(|(pid, state, _)| (pid, state)).collect()
}

/// Line 10.
#[test]
fn process_1_buries_the_orphans_of_a_credential_process() {
    let sim = world();
    // Credentials that are soon over, so that the process is run again and again.
    let expiry = "$(date -u -d '+8 seconds' +%Y-%m-%dT%H:%M:%SZ)";
    let text = format!(
        "echo x >>\"$HOME/started\"\n(sleep 0.2 >/dev/null 2>&1 &)\nprintf '{{\"Version\": 1, \"AccessKeyId\": \"{KEY}\", \
         \"SecretAccessKey\": \"{SECRET}\", \"Expiration\": \"%s\"}}' \"{expiry}\""
    );
    let home = Home::at(&sim).program("print", &text).config("[default]\ncredential_process = $HOME/print\n");
    let unshare = Peer(as_process_1(&home));
    let started = || fs::read_to_string(home.path("started")).unwrap_or_default().lines().count();
    wait_until("three runs of the process", Duration::from_secs(60), || started() >= 3);
    let (exporter, _) = children(unshare.0.id()).first().cloned().unwrap();
    let dead = || children(exporter).into_iter().filter(|(_, state)| state == "Z").count();
    let began = Instant::now();
    // Some may just have died; more than a few there never are.
    while began.elapsed() < Duration::from_secs(25) {
        assert!(dead() <= 3, "{} dead after {} runs", dead(), started());
        thread::sleep(Duration::from_millis(200));
    }
    assert!(started() >= 6, "{}", started());
}
