//! The collector `policies` as users meet it: the real binary, and each way in which a
//! reply can be wrong.

use std::{thread, time::Duration};

use aws_sim::{Account, Fault, Group, Managed, Policies, Sim, User};

use super::{canonical, deny_but};
use crate::{
    permissions::allowed,
    support::{Exporter, ID, Samples, healthy, one_shot, sim},
};

const SOON: Duration = Duration::from_secs(40);
const KINDS: [&str; 5] = ["console_only", "full", "keys_only", "none", "unknown"];

/// A deny that binds sessions of the console alone.
fn console_only() -> String {
    deny_but(super::BOOTSTRAP, r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#)
}

fn user(name: &str) -> User {
    User { password: true, ..User::named(name) }
}

/// One user of each kind, each by another way to have a policy.
fn account() -> Account {
    let mut account = Account { groups: vec![Group::with("humans", &canonical())], ..healthy() };
    let arn = account.policy_arn("ForceMFA");
    let old = deny_but(r#""*""#, "{}");
    account.policies =
        vec![Managed { versions: vec![console_only(), canonical(), old], default: 1, ..Managed::new("ForceMFA", "") }];
    let own = |inline: &[String], attached: &[&str]| Policies {
        inline: inline.to_vec(),
        attached: attached.iter().map(|&arn| arn.into()).collect(),
    };
    let allow = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    account.users = vec![
        User { groups: vec!["humans".into()], ..user("by-group") },
        User { policies: own(&[], &[&arn]), ..user("by-attachment") },
        User { boundary: Some(arn.clone()), ..user("by-boundary") },
        User { policies: own(&[console_only()], &[admin]), ..user("in-the-console") },
        User { policies: own(&[allow.to_owned()], &[]), ..user("by-nothing") },
        User { access_keys: vec![true], ..User::named("machine") },
    ];
    account
}

fn start(sim: &Sim, more: &[&str]) -> Exporter {
    let flags = ["--collector.root.interval=1s", "--collector.policies", "--collector.policies.interval=1s"];
    Exporter::start(&sim.endpoint(), &[&flags, more].concat())
}

fn enforced(samples: &Samples) -> Option<[f64; 5]> {
    let of =
        |kind: &str| samples.value(&format!("aws_mfa_users_enforced{{account_id=\"{ID}\",enforcement=\"{kind}\"}}"));
    let all = KINDS.map(of);
    all.iter().all(Option::is_some).then(|| all.map(Option::unwrap))
}

fn wait(exporter: &Exporter, wanted: [f64; 5]) -> Samples {
    exporter.wait_for(&format!("{wanted:?}"), SOON, |samples| enforced(samples) == Some(wanted))
}

#[test]
fn without_the_flag_nothing_is_asked_and_nothing_is_said() {
    let sim = sim(account());
    let exporter = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s"]);
    let samples = exporter.expect("IAM.9", "passed");
    assert!(!samples.names().any(|name| name.contains("enforced")), "{samples}");
    assert_eq!(sim.count(ID, "GetAccountAuthorizationDetails"), 0);
}

/// A number of nobody is a number too: 0 would say that policies were looked at.
#[test]
fn of_an_account_without_users_nothing_is_said_where_policies_are_not_read_or_denied() {
    let sim = sim(healthy());
    let is_counted = |samples: &Samples| samples.value(&format!("aws_mfa_users{{account_id=\"{ID}\"}}")) == Some(0.0);
    for flags in [&[][..], &["--collector.policies", "--collector.policies.interval=1s"]] {
        sim.fault(ID, Some("GetAccountAuthorizationDetails"), Fault::AccessDenied);
        let exporter = Exporter::start(&sim.endpoint(), &[&["--collector.root.interval=1s"], flags].concat());
        let samples = exporter.wait_for("users are counted", SOON, |samples| {
            is_counted(samples) && (flags.is_empty() || samples.fault("policies") == "access_denied")
        });
        assert!(!samples.names().any(|name| name.contains("enforced")), "{samples}");
    }
}

/// Every way to have a policy, and only the default version of one; a page of one entry each
/// shows the same.
/// P5: each way to have a policy.
#[test]
fn users_are_counted_by_what_their_policies_deny_however_long_the_pages_are() {
    for page_size in [None, Some(1), Some(3)] {
        let sim = sim(Account { page_size, ..account() });
        let exporter = start(&sim, &["--no-collector.users"]);
        let samples = wait(&exporter, [1.0, 3.0, 0.0, 2.0, 0.0]);
        assert_eq!(samples.fault("policies"), "", "{page_size:?}");
        assert_eq!(samples.status("IAM.9"), "passed");
        sim.edit(ID, |account| account.policies[0].default = 0);
        wait(&exporter, [3.0, 1.0, 0.0, 2.0, 0.0]);
        sim.edit(ID, |account| account.users[0].groups.clear());
        wait(&exporter, [3.0, 0.0, 0.0, 3.0, 0.0]);
    }
}

/// The list of an account that has several pages is read twice at first, and once when it is
/// what it was in the run before.
#[test]
fn a_list_of_one_page_takes_one_call_and_one_of_more_is_read_twice_at_first() {
    let calls = |page_size| {
        let sim = sim(Account { page_size, ..account() });
        let flags = ["--collector.policies", "--no-collector.users", "--no-collector.devices"];
        let exporter = Exporter::start(&sim.endpoint(), &flags);
        wait(&exporter, [1.0, 3.0, 0.0, 2.0, 0.0]);
        sim.count(ID, "GetAccountAuthorizationDetails")
    };
    assert_eq!((calls(None), calls(Some(4))), (1, 4));
}

/// Enforcement and devices are two facts: no control passes by a policy. Where they meet there
/// are two counts.
/// P1: AWS's own policy.
#[test]
fn enforcement_makes_no_control_pass_and_meets_devices_and_keys_in_counts() {
    let mut account = account();
    account.users.retain(|user| user.name != "by-boundary");
    let sim = sim(account);
    let flags = ["--collector.users.interval=1s", "--collector.users.password-max-age=30s"];
    let exporter = start(&sim, &flags);
    let value = |samples: &Samples, name: &str| samples.value(&format!("{name}{{account_id=\"{ID}\"}}"));
    let samples = exporter.wait_for("both counts", Duration::from_secs(90), |samples| {
        value(samples, "aws_mfa_access_key_users_unenforced") == Some(1.0)
            && value(samples, "aws_mfa_enforced_users_without_mfa") == Some(2.0)
    });
    assert_eq!(enforced(&samples), Some([1.0, 2.0, 0.0, 2.0, 0.0]));
    assert_eq!((&*samples.status("IAM.5"), &*samples.status("IAM.19")), ("failed", "failed"));
}

/// Every broken reply in a simulation of its own: none of them gives a count.
/// P7: half an answer is none.
#[test]
fn no_broken_reply_makes_a_count() {
    let rewrite = |from: &str, to: &str| Fault::Rewrite(from.to_owned(), to.to_owned());
    let cases = [
        (Fault::Omit("UserDetailList"), "incomplete_reply"),
        (Fault::Omit("GroupDetailList"), "incomplete_reply"),
        (Fault::Omit("Policies"), "incomplete_reply"),
        (Fault::Omit("GroupList"), "incomplete_reply"),
        (Fault::Omit("AttachedManagedPolicies"), "incomplete_reply"),
        (Fault::Omit("GroupPolicyList"), "incomplete_reply"),
        (Fault::Omit("PolicyVersionList"), "incomplete_reply"),
        (Fault::Omit("UserId"), "incomplete_reply"),
        (Fault::Omit("UserName"), "incomplete_reply"),
        (Fault::Omit("Arn"), "incomplete_reply"),
        (Fault::Omit("PolicyDocument"), "incomplete_reply"),
        (Fault::Omit("Document"), "incomplete_reply"),
        (Fault::Omit("IsDefaultVersion"), "incomplete_reply"),
        (Fault::Omit("DefaultVersionId"), "incomplete_reply"),
        (Fault::Omit("IsTruncated"), "incomplete_reply"),
        (Fault::Omit("PermissionsBoundaryArn"), "incomplete_reply"),
        (rewrite("<IsDefaultVersion>true", "<IsDefaultVersion>false"), "malformed_reply"),
        (rewrite("<IsDefaultVersion>false", "<IsDefaultVersion>true"), "malformed_reply"),
        (rewrite("<IsDefaultVersion>true", "<IsDefaultVersion>maybe"), "malformed_reply"),
        (rewrite("<DefaultVersionId>v2", "<DefaultVersionId>v9"), "malformed_reply"),
        (rewrite(&format!("iam::{ID}:user/"), "iam::999999999999:user/"), "malformed_reply"),
        (rewrite(&format!("iam::{ID}:group/"), "iam::999999999999:group/"), "malformed_reply"),
        (
            rewrite(&format!("<Arn>arn:aws:iam::{ID}:policy/"), "<Arn>arn:aws:iam::999999999999:policy/"),
            "malformed_reply",
        ),
        (rewrite(&format!("<PolicyArn>arn:aws:iam::{ID}"), "<PolicyArn>arn:aws:iam::999999999999"), "malformed_reply"),
        (rewrite("<UserDetailList>", "<UserDetailList></UserDetailList><UserDetailList>"), "malformed_reply"),
        (rewrite("<GroupList><member>humans", "<GroupList><member>"), "malformed_reply"),
        (Fault::MarkerLoop, "malformed_reply"),
        (Fault::MarkerCycle, "malformed_reply"),
        (Fault::NoMarker, "incomplete_reply"),
        (Fault::OddTruncation, "malformed_reply"),
        (Fault::HalfDocument, "malformed_reply"),
        (Fault::Malformed, "malformed_reply"),
        (Fault::EmptyBody, "malformed_reply"),
        (Fault::NotXml, "malformed_reply"),
        (Fault::Oversized(9 << 20), "oversized_reply"),
        (Fault::AccessDenied, "access_denied"),
        (Fault::Throttled, "throttled"),
        (Fault::ServerError, "server_error"),
        (Fault::Rejected, "rejected"),
    ];
    thread::scope(|scope| {
        for (fault, class) in cases {
            scope.spawn(move || {
                let sim = sim(account());
                sim.fault(ID, Some("GetAccountAuthorizationDetails"), fault.clone());
                let exporter = start(&sim, &["--no-collector.users", "--no-collector.devices"]);
                let samples = exporter.wait_for(&format!("{fault:?} is {class}"), SOON, |samples| {
                    assert_eq!(enforced(samples), None, "{fault:?}");
                    samples.fault("policies") == class
                });
                assert!(!samples.names().any(|name| name.contains("enforced")), "{fault:?}: {samples}");
                exporter.wait_for("one does not hinder the other", SOON, |samples| samples.status("IAM.9") == "passed");
            });
        }
    });
}

/// Makes of an account one of which something cannot be read.
type Spoil = fn(&mut Account, String);

/// What one user has cannot be read, or is not in the answer: this user is unknown, the
/// collector says why, and the others are counted.
/// P7: half an answer is none.
#[test]
fn a_document_that_cannot_be_read_leaves_its_users_unknown() {
    let spoilt = "this is no policy".to_owned();
    let cases: [(Spoil, _); 4] = [
        (|account, spoilt| account.users[4].policies.inline = vec![spoilt], "malformed_reply"),
        (|account, spoilt| account.users[4].policies.inline = vec![canonical_with_percent(&spoilt)], "malformed_reply"),
        (|account, _| account.users[4].policies.attached = vec![account.policy_arn("Gone")], "incomplete_reply"),
        (|account, _| account.users[4].groups = vec!["gone".into()], "incomplete_reply"),
    ];
    thread::scope(|scope| {
        for (spoil, class) in cases {
            let mut account = account();
            spoil(&mut account, spoilt.clone());
            scope.spawn(move || {
                let sim = sim(account);
                let exporter = start(&sim, &["--no-collector.users"]);
                let samples = wait(&exporter, [1.0, 3.0, 0.0, 1.0, 1.0]);
                assert_eq!(samples.fault("policies"), class);
            });
        }
    });
}

/// A document with a percent sign that stands for nothing.
fn canonical_with_percent(text: &str) -> String {
    format!("{{\"Version\":\"2012-10-17\",\"Statement\":\"{text} %zz\"}}")
}

/// A reply that is too large, or does not come, is asked for in smaller pages.
#[test]
fn what_is_too_large_is_asked_for_in_smaller_pages() {
    let sim = sim(account());
    sim.fault_after(ID, Some("GetAccountAuthorizationDetails"), Fault::Oversized(9 << 20), 0, 1);
    let exporter = start(&sim, &["--no-collector.users"]);
    let samples = wait(&exporter, [1.0, 3.0, 0.0, 2.0, 0.0]);
    assert_eq!(samples.fault("policies"), "");
    let asked: Vec<_> =
        sim.seen().into_iter().filter(|seen| seen.operation == "GetAccountAuthorizationDetails").collect();
    assert_eq!([&asked[0].params["MaxItems"], &asked[1].params["MaxItems"]], ["500", "100"]);
    let filters = |n: usize| asked[0].params[&format!("Filter.member.{n}")].as_str();
    assert_eq!([filters(1), filters(2), filters(3)], ["User", "Group", "LocalManagedPolicy"]);
}

/// Users who come and go between two pages, and a summary that counts others.
/// P7: half an answer is none.
#[test]
fn a_list_that_is_torn_is_no_count() {
    let sim = sim(Account { page_size: Some(2), ..account() });
    let mut calls = 0;
    // Before every second page somebody else is there.
    sim.on_request(move |seen, account| {
        if seen.operation == "GetAccountAuthorizationDetails" {
            calls += 1;
            account.users[0].name = format!("renamed-{calls}");
            account.users[0].groups = if calls % 2 == 0 { vec!["humans".into()] } else { Vec::new() };
        }
    });
    let exporter = start(&sim, &["--no-collector.users"]);
    exporter.wait_for("the fault", SOON, |samples| {
        assert_eq!(enforced(samples), None);
        samples.fault("policies") == "changed"
    });
}

#[test]
fn check_reads_the_policies_once() {
    let sim = sim(account());
    let flags = ["check", "--collector.policies", "--no-collector.users", "--output=prometheus"];
    let samples = Samples::parse(&one_shot(&sim, &flags).1);
    assert_eq!(enforced(&samples), Some([1.0, 3.0, 0.0, 2.0, 0.0]), "{samples}");
    assert_eq!(sim.count(ID, "GetAccountAuthorizationDetails"), 1);
}

/// With exactly the actions that are printed for it everything is known; and each is needed.
#[test]
fn the_printed_policy_is_enough_and_each_action_is_needed() {
    let (plain, with) = (allowed(&[]), allowed(&["--collector.policies"]));
    let own: Vec<_> = with.iter().filter(|action| !plain.contains(action)).cloned().collect();
    assert_eq!(own, ["iam:GetAccountAuthorizationDetails"]);
    let template = include_str!("../../../deploy/iam/policies-policy.yaml");
    assert!(template.contains(&format!("- {}\n", own[0])) && template.matches("- iam:").count() == 1);
    for (left_out, fault) in [("", ""), (&*own[0], "access_denied")] {
        let sim = sim(account());
        sim.allow_only(with.iter().map(String::as_str).filter(|action| *action != left_out));
        let exporter = start(&sim, &["--no-collector.users"]);
        exporter.wait_for(&format!("without {left_out}"), SOON, |samples| {
            samples.fault("policies") == fault && enforced(samples).is_some() == fault.is_empty()
        });
    }
}
