//! The collector `contacts` with the real binary: what is told of an account's contacts,
//! each way in which it is not known, and that no name, number or address gets out.

use std::{fs, time::Duration};

use aws_sim::{Account, Fault, Member, Organization, Role, Scenario, Sim};

use crate::{
    permissions::allowed,
    support::{Exporter, ID, KEY, Samples, healthy, sim},
};

const SOON: Duration = Duration::from_secs(40);
const OWN: &str = "000000000001";
const MEMBER: &str = "000000000003";

fn start(sim: &Sim, more: &[&str]) -> Exporter {
    let flags = ["--collector.root.interval=1s", "--collector.contacts", "--collector.contacts.interval=1s"];
    Exporter::start(&sim.endpoint(), &[&flags, more].concat())
}

fn of(samples: &Samples, metric: &str, account: &str) -> Option<f64> {
    samples.value(&format!("aws_mfa_{metric}{{account_id=\"{account}\"}}"))
}

fn both(samples: &Samples) -> [Option<f64>; 2] {
    ["security_contact_present", "contact_phone_verified"].map(|metric| of(samples, metric, ID))
}

/// What the simulated AWS answers with, and nobody should ever read.
const SECRETS: [&str; 5] = ["secret-security", "Secret Name", "Secret Street", "555 0100", "root-of-"];

#[test]
fn without_the_flag_nothing_is_asked_and_nothing_is_said() {
    let sim = sim(healthy());
    let exporter = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s"]);
    let samples = exporter.expect("IAM.9", "passed");
    let is_of_contacts = |name: &str| name.contains("contact") || name.contains("root_email");
    assert!(!samples.names().any(is_of_contacts), "{samples}");
    assert!(sim.seen().iter().all(|seen| seen.service != "account"));
}

#[test]
fn contacts_are_told_as_they_are_and_what_cannot_be_verified_is_neither() {
    let sim = sim(healthy());
    let exporter = start(&sim, &[]);
    exporter.wait_for("all is well", SOON, |samples| both(samples) == [Some(1.0), Some(1.0)]);
    for (is_set, status, wanted) in [
        (false, Some("VERIFIED"), [Some(0.0), Some(1.0)]),
        (true, Some("UNVERIFIED"), [Some(1.0), Some(0.0)]),
        (true, Some("PENDING"), [Some(1.0), Some(0.0)]),
        (true, Some("NOT_SUPPORTED"), [Some(1.0), None]),
        (true, Some("VERIFIED"), [Some(1.0), Some(1.0)]),
        (false, None, [Some(0.0), None]),
    ] {
        sim.edit(ID, |account| {
            account.security_contact = is_set;
            account.phone_verification = status.map(str::to_owned);
        });
        let samples = exporter.wait_for(&format!("{status:?}"), SOON, |samples| both(samples) == wanted);
        assert_eq!(samples.fault("contacts"), "", "{samples}");
    }
    assert!(sim.seen().iter().all(|seen| seen.service != "account" || !seen.params.contains_key("AccountId")));
    let told = exporter.log() + &exporter.get("/metrics").text() + &exporter.get("/").text();
    assert!(SECRETS.iter().all(|secret| !told.contains(secret)), "{told}");
}

/// One answer that is missing hides neither the other nor the account's verdicts.
#[test]
fn what_is_refused_or_broken_is_unknown_and_says_why() {
    let no_contact = "No contact of the inputted alternate contact type found.";
    for (operation, fault, class, wanted) in [
        ("GetAlternateContact", Fault::AccessDenied, "access_denied", [None, Some(1.0)]),
        ("GetContactInformation", Fault::AccessDenied, "access_denied", [Some(1.0), None]),
        ("GetContactInformation", Fault::Error(429, "TooManyRequestsException"), "throttled", [Some(1.0), None]),
        ("GetAlternateContact", Fault::HalfDocument, "malformed_reply", [None, Some(1.0)]),
        ("GetAlternateContact", Fault::NotXml, "malformed_reply", [None, Some(1.0)]),
        ("GetAlternateContact", Fault::Omit("AlternateContact"), "incomplete_reply", [None, Some(1.0)]),
        ("GetContactInformation", Fault::Omit("ContactInformation"), "incomplete_reply", [Some(1.0), None]),
        // A 404 of something else is no proof that there is no contact.
        ("GetAlternateContact", Fault::Error(404, "UnknownOperationException"), "", [None, Some(1.0)]),
        ("GetAlternateContact", Fault::Error(400, "ResourceNotFoundException"), "", [None, Some(1.0)]),
    ] {
        let sim = sim(healthy());
        sim.fault(ID, Some(operation), fault);
        let exporter = start(&sim, &[]);
        let samples = exporter.wait_for(&format!("{operation} {class}"), SOON, |samples| {
            let fault = samples.fault("contacts");
            both(samples) == wanted && if class.is_empty() { !fault.is_empty() } else { fault == class }
        });
        assert_eq!(samples.status("IAM.9"), "passed", "{samples}");
        assert!(!exporter.log().contains(no_contact));
    }
}

fn organization() -> Sim {
    let account = |id: &str| Account { id: id.into(), roles: vec![Role::named("aws-mfa-exporter")], ..healthy() };
    let member = |id: &str| Member { email: format!("root-of-{id}@example.org"), ..Member::new(id, id) };
    let organization =
        Organization { management: OWN.into(), members: [OWN, MEMBER].map(member).into(), ..Organization::default() };
    let (accounts, credentials) = ([OWN, MEMBER].map(account).into(), [(KEY.to_owned(), OWN.to_owned())].into());
    Sim::start(Scenario { organization: Some(organization), accounts, credentials, ..Scenario::default() }).unwrap()
}

/// The address is in the organization's list, which is read anyway. The hash outlives a restart, and the address is nowhere.
#[test]
fn another_address_of_a_root_user_is_told_also_after_a_restart_and_the_address_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("config.yml"), folder.path().join("state"));
    fs::write(&file, "organization: {role_name: aws-mfa-exporter, interval: 10s}\n").unwrap();
    let flags = [format!("--config.file={}", file.display()), format!("--state.file={}", state.display())];
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let sim = organization();
    let change = |id: &'static str, address: &'static str| {
        sim.edit_organization(|organization| {
            organization.members.iter_mut().find(|member| member.id == id).unwrap().email = address.into();
        });
    };
    let changed = |samples: &Samples, id: &str| of(samples, "root_email_changed_timestamp_seconds", id);
    let mut exporter = start(&sim, &flags);
    let is_read = |samples: &Samples| of(samples, "security_contact_present", MEMBER) == Some(1.0);
    let samples = exporter.wait_for("it reads", SOON, is_read);
    assert_eq!(changed(&samples, MEMBER), None, "nothing has changed");
    change(MEMBER, "ROOT-OF-000000000003@example.org");
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(changed(&exporter.metrics(), MEMBER), None, "large letters are no other address");
    change(MEMBER, "root-of-another@example.org");
    let samples = exporter.wait_for("the member's", SOON, |samples| changed(samples, MEMBER).is_some());
    let (first, told) = (changed(&samples, MEMBER), exporter.log() + &exporter.get("/metrics").text());
    assert_eq!(changed(&samples, OWN), None);
    assert!(told.contains("The e-mail address of the root user has changed."), "{told}");
    exporter.signal("-TERM");
    assert_eq!(exporter.wait(), Some(0));
    change(OWN, "root-of-nobody@example.org");
    let exporter = start(&sim, &flags);
    let samples = exporter.wait_for("the own, while nobody looked", SOON, |samples| changed(samples, OWN).is_some());
    assert_eq!(changed(&samples, MEMBER), first, "the other is as old as it was");
    let told = told + &exporter.log() + &exporter.get("/metrics").text() + &fs::read_to_string(&state).unwrap();
    assert!(!told.contains("root-of-") && !told.contains("example.org"), "{told}");
}

/// Each action that is printed is needed, and the template allows these and no others.
#[test]
fn what_it_takes_is_printed_and_the_template_allows_it() {
    let (plain, with) = (allowed(&[]), allowed(&["--collector.contacts"]));
    let wanted = ["account:GetAlternateContact", "account:GetContactInformation"];
    assert!(
        wanted.map(str::to_owned).iter().all(|action| with.contains(action) && !plain.contains(action)),
        "{with:?}"
    );
    let template = include_str!("../../deploy/iam/contacts-policy.yaml");
    let listed = template.lines().filter_map(|line| line.trim().strip_prefix("- "));
    assert_eq!(listed.filter(|line| !line.starts_with("Sid")).collect::<Vec<_>>(), wanted);
    for (left_out, other) in [(wanted[0], wanted[1]), (wanted[1], wanted[0])] {
        let sim = sim(healthy());
        sim.allow_only(["iam:GetAccountSummary", "iam:ListVirtualMFADevices", other]);
        let exporter = start(&sim, &["--no-collector.users"]);
        let metric = if left_out == wanted[0] { 0 } else { 1 };
        let samples = exporter.wait_for(left_out, SOON, |samples| samples.fault("contacts") == "access_denied");
        assert_eq!(both(&samples).map(|value| value.is_none()), [metric == 0, metric == 1], "{samples}");
    }
}
