//! Each way in which AWS refuses an audit, with the code and the text that AWS sends; and
//! each way in which a reply can be wrong. None of them makes an account pass.

use std::thread;

use aws_sim::{Account, Fault, Sim};

use super::{CONTROLS, MEMBER, OTHER, OWN, SOON, auditing, organization, roleless, sim, start, verdicts, with_role};
use crate::support::Exporter;

/// What the simulation says in the place of which a text is put.
const DENIAL: &str = "User: arn:aws:iam::1:user/secret-name is not authorized";

fn waits_for(exporter: &Exporter, account: &str, class: &str) {
    exporter.wait_for(&format!("{class} of {account}"), SOON, |samples| {
        assert!(verdicts(samples, account).iter().all(|verdict| ["", "unknown"].contains(&&**verdict)), "{class}");
        samples.fault_of(account, "rootaudit") == class
    });
}

/// A denial of `operation` in these words is a fault of this class.
fn denied(operation: &'static str, words: &str, class: &str) {
    let sim = sim(vec![roleless(MEMBER)]);
    sim.fault(MEMBER, Some(operation), Fault::AccessDenied);
    sim.fault(MEMBER, Some(operation), Fault::Rewrite(DENIAL.to_owned(), words.to_owned()));
    let exporter = start(&sim, &[]);
    waits_for(&exporter, MEMBER, class);
    let log = exporter.log();
    assert!(log.contains(&format!("{operation}: {class} code=AccessDenied status=403")), "{log}");
    assert!(!log.contains(words), "AWS's own words are not logged: {log}");
}

/// The organization refuses: one question for all of its accounts, no session, one line.
fn organization_refuses(change: impl FnOnce(&mut aws_sim::Organization), own: &'static str, class: &str) {
    let mut scenario = organization(vec![roleless(MEMBER), roleless(OTHER), roleless("100000000003")]);
    change(scenario.organization.as_mut().unwrap());
    *scenario.credentials.values_mut().next().unwrap() = own.to_owned();
    let sim = Sim::start(scenario).unwrap();
    let exporter = start(&sim, &[]);
    [MEMBER, OTHER].iter().filter(|account| **account != own).for_each(|account| waits_for(&exporter, account, class));
    waits_for(&exporter, "100000000003", class);
    assert_eq!(sim.total("ListOrganizationsFeatures"), 1);
    assert_eq!(sim.total("AssumeRoot"), 0);
    let log = exporter.log();
    assert_eq!(log.matches(&format!("fault={class}")).count(), 1, "{log}");
}

/// R13: the feature.
#[test]
fn central_management_of_root_credentials_is_off() {
    organization_refuses(|it| it.root_access.features.retain(|one| one == "RootSessions"), OWN, "root_access_off");
}

/// R13: trusted access.
#[test]
fn trusted_access_is_off() {
    organization_refuses(|it| it.root_access.is_trusted = false, OWN, "trusted_access_off");
}

/// R13: a delegated administrator of another service lists accounts, and may not ask of root.
#[test]
fn the_exporters_account_is_not_delegated_for_iam() {
    organization_refuses(|it| it.delegated.push(OTHER.to_owned()), OTHER, "not_delegated");
}

#[test]
fn the_delegated_administrator_for_iam_audits_itself_too_and_not_the_management_account() {
    let mut scenario = organization(vec![roleless(MEMBER), roleless(OTHER)]);
    let it = scenario.organization.as_mut().unwrap();
    it.delegated.push(OTHER.to_owned());
    it.root_access.delegated.push(OTHER.to_owned());
    *scenario.credentials.values_mut().next().unwrap() = OTHER.to_owned();
    let sim = Sim::start(scenario).unwrap();
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("two audits", SOON, |samples| {
        verdicts(samples, MEMBER) == ["passed"; 3] && samples.fault_of(OTHER, "rootaudit").is_empty()
    });
    assert_eq!(verdicts(&samples, OWN), ["unknown"; 3], "it has no role, and its root cannot be audited");
    assert_eq!(sim.count(OWN, "AssumeRoot"), 0);
}

/// AWS takes minutes until a change is so everywhere: the list of features says otherwise.
#[test]
fn assume_root_says_that_the_feature_is_off() {
    let words = "Root credentials management feature is not enabled for your AWS Organization.";
    denied("AssumeRoot", words, "root_access_off");
}

#[test]
fn assume_root_says_that_trusted_access_is_off() {
    denied("AssumeRoot", "Service not enabled for AWS Organizations.", "trusted_access_off");
}

#[test]
fn the_callers_policy_does_not_allow_assume_root() {
    let words = "User: arn:aws:sts::000000000001:assumed-role/runner/i-0 is not authorized to perform: sts:AssumeRoot on \
                 resource: arn:aws:iam::100000000001:root";
    denied("AssumeRoot", words, "access_denied");
}

#[test]
fn a_service_control_policy_denies_assume_root() {
    let words = "User: arn:aws:sts::000000000001:assumed-role/runner/i-0 is not authorized to perform: sts:AssumeRoot on \
                 resource: arn:aws:iam::100000000001:root with an explicit deny in a service control policy";
    denied("AssumeRoot", words, "denied_by_scp");
}

/// The session is given, and the member's policy denies root's reads in it.
#[test]
fn the_members_service_control_policy_denies_each_read() {
    thread::scope(|scope| {
        for operation in ["GetUser", "GetAccountSummary", "ListMFADevices"] {
            scope.spawn(move || {
                let words = format!(
                    "User: arn:aws:iam::100000000001:root is not authorized to perform: iam:{operation} with an explicit \
                     deny in a service control policy"
                );
                denied(operation, &words, "denied_by_scp");
            });
        }
    });
}

/// Errors of AssumeRoot that are no denials: the code, its status, and the class.
#[test]
fn other_errors_of_assume_root_have_their_classes() {
    let cases = [
        (Fault::Error(400, "ValidationError"), "rejected", ""),
        // The global endpoint.
        (Fault::Error(400, "InvalidAction"), "rejected", "only regional endpoints of STS have AssumeRoot"),
        (Fault::Error(403, "RegionDisabledException"), "rejected", "activate STS in this region"),
        (Fault::Error(400, "ExpiredTokenException"), "invalid_credentials", ""),
        (Fault::ServerError, "server_error", ""),
        (Fault::Omit("Credentials"), "incomplete_reply", ""),
        (Fault::Omit("SecretAccessKey"), "incomplete_reply", ""),
        (Fault::Omit("SessionToken"), "incomplete_reply", ""),
        (Fault::Omit("Expiration"), "incomplete_reply", ""),
        (Fault::HalfDocument, "malformed_reply", ""),
        (Fault::NotXml, "malformed_reply", ""),
        (Fault::EmptyBody, "malformed_reply", ""),
        (Fault::Oversized(9 << 20), "oversized_reply", ""),
    ];
    thread::scope(|scope| {
        for (fault, class, remedy) in cases {
            scope.spawn(move || {
                let sim = sim(vec![roleless(MEMBER)]);
                sim.fault(MEMBER, Some("AssumeRoot"), fault.clone());
                let exporter = start(&sim, &[]);
                waits_for(&exporter, MEMBER, class);
                assert!(exporter.log().contains(remedy), "{fault:?}: {}", exporter.log());
                assert_eq!(sim.count(MEMBER, "GetUser"), 0);
            });
        }
    });
}

#[test]
fn wrong_answers_about_the_features_stop_every_audit() {
    let cases = [
        (Fault::Omit("EnabledFeatures"), "incomplete_reply"),
        (Fault::HalfDocument, "malformed_reply"),
        (Fault::Rewrite("RootCredentialsManagement".into(), String::new()), "malformed_reply"),
        (Fault::AccessDenied, "access_denied"),
        (Fault::Error(400, "OrganizationNotFoundException"), "rejected"),
        (Fault::Error(400, "OrganizationNotInAllFeaturesModeException"), "rejected"),
    ];
    thread::scope(|scope| {
        for (fault, class) in cases {
            scope.spawn(move || {
                let sim = sim(vec![roleless(MEMBER)]);
                sim.fault(OWN, Some("ListOrganizationsFeatures"), fault);
                let exporter = start(&sim, &[]);
                waits_for(&exporter, MEMBER, class);
                assert_eq!(sim.total("AssumeRoot"), 0);
            });
        }
    });
}

/// R12: the session that AWS hands out is of another account's root, which is protected; the
/// wanted one's is not.
#[test]
fn a_session_for_another_account_is_not_used() {
    let dark = Account::with_root_devices(MEMBER, &[]);
    let sim = sim(vec![dark, with_role(roleless(OTHER))]);
    sim.fault(MEMBER, Some("AssumeRoot"), Fault::Identity(OTHER));
    sim.fault(OTHER, Some("AssumeRoot"), Fault::AccessDenied);
    let exporter = auditing(&sim);
    waits_for(&exporter, MEMBER, "wrong_account");
    let samples = exporter.wait_for("the other's role", SOON, |samples| samples.status_of(OTHER, "IAM.9") == "passed");
    assert_eq!(samples.state_of(MEMBER), "scanned", "its role is not what is refused");
    assert_eq!(sim.total("ListMFADevices"), 0, "nothing is read with such a session");
}

/// Every broken reply to a read in a simulation of its own.
#[test]
fn no_broken_reply_to_a_read_makes_root_pass() {
    let rewrite = |from: &str, to: &str| Fault::Rewrite(from.to_owned(), to.to_owned());
    let cases = [
        ("GetUser", Fault::Omit("Arn"), "incomplete_reply"),
        ("GetUser", Fault::Omit("UserId"), "incomplete_reply"),
        ("GetUser", Fault::Omit("User"), "incomplete_reply"),
        ("GetUser", rewrite(":root<", ":user/root<"), "wrong_account"),
        ("GetUser", rewrite("arn:aws:iam::100000000001:root", "arn:aws:iam::100000000002:root"), "wrong_account"),
        ("GetUser", rewrite("arn:aws:", "arn:aws-cn:"), "wrong_account"),
        ("GetUser", rewrite("<UserId>100000000001", "<UserId>100000000002"), "malformed_reply"),
        ("GetUser", Fault::HalfDocument, "malformed_reply"),
        ("GetAccountSummary", Fault::Omit("SummaryMap"), "incomplete_reply"),
        ("GetAccountSummary", Fault::DuplicateKey("AccountMFAEnabled", 0), "malformed_reply"),
        ("GetAccountSummary", Fault::EmptyBody, "malformed_reply"),
        ("ListMFADevices", Fault::Omit("MFADevices"), "incomplete_reply"),
        ("ListMFADevices", Fault::Omit("IsTruncated"), "incomplete_reply"),
        ("ListMFADevices", Fault::Omit("SerialNumber"), "incomplete_reply"),
        ("ListMFADevices", Fault::NoMarker, "incomplete_reply"),
        ("ListMFADevices", Fault::OddTruncation, "malformed_reply"),
        ("ListMFADevices", Fault::MarkerLoop, "malformed_reply"),
        ("ListMFADevices", Fault::MarkerCycle, "malformed_reply"),
        ("ListMFADevices", rewrite("iam::100000000001:u2f", "iam::100000000002:u2f"), "malformed_reply"),
        ("ListMFADevices", rewrite("u2f/root/", "u2f/user/ann/"), "malformed_reply"),
        ("ListMFADevices", rewrite("<MFADevices>", "<MFADevices></MFADevices><MFADevices>"), "malformed_reply"),
        ("ListMFADevices", Fault::Oversized(9 << 20), "oversized_reply"),
    ];
    thread::scope(|scope| {
        for (operation, fault, class) in cases {
            scope.spawn(move || {
                let sim = sim(vec![roleless(MEMBER)]);
                sim.fault(MEMBER, Some(operation), fault.clone());
                waits_for(&start(&sim, &[]), MEMBER, class);
            });
        }
    });
}

/// A list that a replica has of before, and a page that is missing, contradict the counters.
#[test]
fn a_list_that_the_counters_contradict_is_not_believed() {
    let two = |sim: &Sim| {
        let mut account = sim.account(MEMBER);
        account.root.devices.push(account.virtual_serial("phone"));
        account
    };
    let sim = sim(vec![roleless(MEMBER)]);
    let whole = two(&sim);
    let stale = sim.account(MEMBER);
    sim.edit(MEMBER, |account| *account = whole);
    sim.fault(MEMBER, Some("ListMFADevices"), Fault::Stale(Box::new(stale)));
    let exporter = auditing(&sim);
    waits_for(&exporter, MEMBER, "changed");
    sim.clear_faults();
    exporter.wait_for("the truth", SOON, |samples| samples.status_of(MEMBER, "IAM.6") == "failed");
}

/// A summary that moves around the list is asked for again; if it goes on moving, nothing
/// is known.
#[test]
fn a_summary_that_moves_around_the_list_is_not_believed() {
    let sim = sim(vec![roleless(MEMBER)]);
    sim.on_request(|seen, account| {
        if seen.operation == "ListMFADevices" {
            account
                .unassigned_devices
                .push(account.virtual_serial(&format!("spare{}", account.unassigned_devices.len())));
        }
    });
    waits_for(&auditing(&sim), MEMBER, "changed");
}

/// A device of a kind that nobody knows is MFA, and is not said to be hardware.
#[test]
fn a_device_of_an_unknown_kind_leaves_iam6_unknown() {
    let odd = Account::with_root_devices(MEMBER, &["arn:aws:iam::100000000001:fido/root/key"]);
    let sim = sim(vec![odd]);
    let exporter = start(&sim, &[]);
    exporter.wait_for("IAM.9", SOON, |samples| verdicts(samples, MEMBER) == ["passed", "unknown", "passed"]);
}

/// Who is throttled waits half a minute, with all others, and tells of no fault.
#[test]
fn a_throttled_request_for_a_session_is_no_fault_of_the_account() {
    let sim = sim(vec![roleless(MEMBER)]);
    sim.fault_after(MEMBER, Some("AssumeRoot"), Fault::Throttled, 0, 3);
    let exporter = start(&sim, &[]);
    exporter.wait_for("an audit", std::time::Duration::from_secs(80), |samples| {
        assert!(["", "pending"].contains(&&*samples.fault_of(MEMBER, "rootaudit")));
        CONTROLS.iter().all(|control| samples.status_of(MEMBER, control) == "passed")
    });
    assert_eq!(sim.count(MEMBER, "AssumeRoot"), 4);
}

/// The account's own role does not work with what the audit says, and the audit with what
/// the role says: a role that is refused leaves the audit alone.
#[test]
fn a_role_of_another_account_is_refused_and_the_audit_is_not() {
    let sim = sim(vec![with_role(roleless(MEMBER))]);
    sim.fault(MEMBER, Some("AssumeRole"), Fault::Identity("999999999999"));
    let exporter = auditing(&sim);
    let samples = exporter.wait_for("both", SOON, |samples| {
        samples.fault_of(MEMBER, "root") == "wrong_account" && verdicts(samples, MEMBER) == ["passed"; 3]
    });
    assert_eq!(samples.state_of(MEMBER), "refused");
    assert_eq!(samples.fault_of(MEMBER, "rootaudit"), "");
}
