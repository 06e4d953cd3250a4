//! Centralized root access of an organization, with the real binary: what is told of it,
//! and each way in which it is not known.

use std::{fs, process::Command, time::Duration};

use aws_sim::{Account, Fault, Member, Organization, Role, RootAccess, Scenario, Sim};

use crate::support::{Exporter, KEY, Samples};

const MANAGEMENT: &str = "000000000001";
const EXPORTER: &str = "000000000002";
const MEMBER: &str = "000000000003";
const ROLE: &str = "aws-mfa-exporter";
const SOON: Duration = Duration::from_secs(40);

fn on() -> RootAccess {
    RootAccess { delegated: vec![EXPORTER.into()], ..RootAccess::on() }
}

/// An organization whose exporter runs in a delegated administrator for IAM.
fn organization(root_access: RootAccess) -> Sim {
    let account = |id: &str| {
        let key = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
        Account { roles: vec![Role::named(ROLE)], ..Account::with_root_devices(id, &[&key]) }
    };
    let ids = [MANAGEMENT, EXPORTER, MEMBER];
    let organization = Organization {
        management: MANAGEMENT.into(),
        delegated: vec![EXPORTER.into()],
        members: ids.map(|id| Member::new(id, id)).into(),
        root_access,
        page_size: 1,
        ..Organization::default()
    };
    let (accounts, credentials) = (ids.map(account).into(), [(KEY.to_owned(), EXPORTER.to_owned())].into());
    Sim::start(Scenario { organization: Some(organization), accounts, credentials, ..Scenario::default() }).unwrap()
}

fn start(sim: &Sim, more: &[&str]) -> Exporter {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        file.path(),
        format!("organization: {{role_name: {ROLE}, root_access: true, root_access_interval: 10s}}\n"),
    )
    .unwrap();
    let flag = format!("--config.file={}", file.path().display());
    Exporter::start(&sim.endpoint(), &[&[&*flag, "--collector.root.interval=1s"], more].concat())
}

fn feature(samples: &Samples, name: &str) -> Option<f64> {
    samples.value(&format!("aws_mfa_organization_root_access{{feature=\"{name}\"}}"))
}

fn both(samples: &Samples) -> [Option<f64>; 2] {
    ["credentials_management", "sessions"].map(|name| feature(samples, name))
}

fn up(samples: &Samples) -> Option<f64> {
    samples.value("aws_mfa_organization_root_access_up")
}

fn is_down_by(samples: &Samples, fault: &str) -> bool {
    let series = format!("aws_mfa_organization_root_access_fault{{fault=\"{fault}\"}}");
    up(samples) == Some(0.0) && samples.value(&series) == Some(1.0)
}

fn asked(sim: &Sim, operation: &str) -> usize {
    sim.seen().iter().filter(|seen| seen.operation == operation).count()
}

/// Nobody is asked unless somebody wants to know: the calls of the defaults do not rise.
#[test]
fn without_the_setting_nothing_is_asked_and_nothing_is_said() {
    let sim = organization(on());
    let flags = ["--organization.role-name=aws-mfa-exporter", "--collector.root.interval=1s"];
    let exporter = Exporter::start(&sim.endpoint(), &flags);
    let samples = exporter.wait_for("IAM.9", SOON, |samples| samples.status_of(MEMBER, "IAM.9") == "passed");
    assert!(!samples.names().any(|name| name.contains("organization_root_access")), "{samples}");
    assert_eq!([asked(&sim, "ListOrganizationsFeatures"), asked(&sim, "ListDelegatedAdministrators")], [0, 0]);
    let exporter = Exporter::start(&sim.endpoint(), &[&flags[..], &["--organization.root-access"]].concat());
    exporter.wait_for("the flag", SOON, |samples| up(samples) == Some(1.0));
}

#[test]
fn what_is_on_is_told_and_so_is_what_goes_off_and_who_is_delegated() {
    let sim = organization(on());
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("both on", SOON, |samples| both(samples) == [Some(1.0), Some(1.0)]);
    assert_eq!(samples.value("aws_mfa_organization_root_access_delegated_administrators"), Some(1.0));
    let info = format!("aws_mfa_organization_root_access_delegated_administrator_info{{account_id=\"{EXPORTER}\"}}");
    assert_eq!(samples.value(&info), Some(1.0));
    let last_on = |samples: &Samples, name: &str| {
        samples.value(&format!("aws_mfa_organization_root_access_last_on_timestamp_seconds{{feature=\"{name}\"}}"))
    };
    assert!(last_on(&samples, "sessions").is_some());
    sim.edit_organization(|organization| {
        organization.root_access.features = vec!["RootCredentialsManagement".into()];
        organization.root_access.delegated.push(MEMBER.into());
    });
    let samples = exporter.wait_for("one off", SOON, |samples| both(samples) == [Some(1.0), Some(0.0)]);
    assert_eq!(samples.value("aws_mfa_organization_root_access_delegated_administrators"), Some(2.0), "of two pages");
    let before = last_on(&samples, "sessions");
    assert!(before < last_on(&samples, "credentials_management"), "{samples}");
    let log = exporter.log();
    assert!(log.contains("A feature of centralized root access was switched off.") && log.contains("feature=sessions"));
}

/// Each refusal has a fault of its own, and none of them says that a feature is off.
#[test]
fn what_aws_does_not_tell_is_unknown_and_says_why() {
    let not_trusted = RootAccess { is_trusted: false, ..on() };
    let not_delegated = RootAccess { delegated: Vec::new(), ..RootAccess::on() };
    for (root_access, fault) in [(not_trusted, "trusted_access_off"), (not_delegated, "not_delegated")] {
        let sim = organization(root_access);
        let exporter = start(&sim, &[]);
        let samples = exporter.wait_for(fault, SOON, |samples| is_down_by(samples, fault));
        assert_eq!(both(&samples), [None, None], "{samples}");
        assert_eq!(samples.value("aws_mfa_organization_root_access_last_success_timestamp_seconds"), Some(0.0));
        exporter.wait_for("accounts are read", SOON, |samples| samples.status_of(MEMBER, "IAM.9") == "passed");
    }
}

#[test]
fn half_of_an_answer_is_told_and_a_broken_one_is_not() {
    let sim = organization(on());
    sim.fault(EXPORTER, Some("ListDelegatedAdministrators"), Fault::AccessDenied);
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("denied", SOON, |samples| is_down_by(samples, "access_denied"));
    assert_eq!(both(&samples), [Some(1.0), Some(1.0)], "this was answered");
    assert_eq!(samples.value("aws_mfa_organization_root_access_delegated_administrators"), None);
    sim.clear_faults();
    exporter.wait_for("allowed again", SOON, |samples| up(samples) == Some(1.0));
    for fault in [Fault::HalfDocument, Fault::NotXml, Fault::Omit("EnabledFeatures")] {
        let sim = organization(on());
        sim.fault(EXPORTER, Some("ListOrganizationsFeatures"), fault);
        let exporter = start(&sim, &[]);
        let samples = exporter.wait_for("broken", SOON, |samples| {
            up(samples) == Some(0.0) && samples.names().any(|name| name.contains("root_access_fault"))
        });
        assert_eq!(both(&samples), [None, None], "{samples}");
    }
}

/// The mark of when a feature was last on outlives a restart, in which it goes off.
#[test]
fn a_feature_that_goes_off_while_nobody_looks_is_told_of_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("--state.file={}", folder.path().join("state").display());
    let sim = organization(on());
    let mut exporter = start(&sim, &[&state]);
    exporter.wait_for("both on", SOON, |samples| both(samples) == [Some(1.0), Some(1.0)]);
    exporter.signal("-TERM");
    assert_eq!(exporter.wait(), Some(0));
    assert!(fs::read_to_string(folder.path().join("state")).unwrap().contains("\"root_access\":{\"features\""));
    sim.edit_organization(|organization| organization.root_access.features.clear());
    let exporter = start(&sim, &[&state]);
    let samples = exporter.wait_for("both off", SOON, |samples| both(samples) == [Some(0.0), Some(0.0)]);
    let marks = samples.names().filter(|name| name.contains("root_access_last_on_timestamp_seconds")).count();
    assert_eq!(marks, 2, "{samples}");
}

#[test]
fn of_several_shards_the_first_asks() {
    let sim = organization(on());
    let second = start(&sim, &["--shard=1", "--total-shards=2"]);
    let samples = second.wait_for("it lists", SOON, |samples| samples.value("aws_mfa_discovery_up") == Some(1.0));
    assert!(!samples.names().any(|name| name.contains("organization_root_access")), "{samples}");
    assert_eq!(asked(&sim, "ListOrganizationsFeatures"), 0);
    let first = start(&sim, &["--shard=0", "--total-shards=2"]);
    first.wait_for("it asks", SOON, |samples| both(samples) == [Some(1.0), Some(1.0)]);
}

/// The template of the stack allows what the program asks for, and nothing else.
#[test]
fn what_it_takes_is_printed_and_the_template_allows_it() {
    let printed = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        command.args(["iam-policy", "--of=exporter", "--organization.role-name=x"]).args(flags);
        String::from_utf8(command.env_clear().output().unwrap().stdout).unwrap()
    };
    let with = printed(&["--organization.root-access"]);
    let wanted = ["iam:ListOrganizationsFeatures", "organizations:ListDelegatedAdministrators"];
    assert!(wanted.iter().all(|action| with.contains(action)) && !printed(&[]).contains(wanted[0]), "{with}");
    let template = include_str!("../../deploy/iam/root-access-policy.yaml");
    let allowed: Vec<_> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .filter(|line| !line.starts_with("Sid"))
        .collect();
    assert_eq!(allowed, wanted);
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    let output = command.arg("--organization.root-access").env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("--organization.root-access needs an organization"), "{said}");
}
