//! The collector `cognito` as users meet it: the real binary, and each way in which a
//! reply can be wrong.

use std::{thread, time::Duration};

use aws_sim::{Account, Fault, Pool, Sim};

use crate::{
    permissions::allowed,
    support::{Exporter, ID, Samples, healthy, one_shot, sim},
};

const SOON: Duration = Duration::from_secs(40);
const CONTROL: &str = "Cognito.5";

fn account(pools: Vec<Pool>) -> Account {
    Account { pools, ..healthy() }
}

fn with_factors(id: &str, mfa: &str, factors: &[&str]) -> Pool {
    Pool { factors: Some(factors.iter().map(ToString::to_string).collect()), ..Pool::new(id, mfa) }
}

fn start(sim: &Sim, more: &[&str]) -> Exporter {
    let flags = ["--collector.root.interval=1s", "--collector.cognito", "--collector.cognito.interval=1s"];
    Exporter::start(&sim.endpoint(), &[&flags, more].concat())
}

fn pools(samples: &Samples, sign_in: &str, mfa: &str) -> Option<f64> {
    let series = format!("aws_mfa_cognito_user_pools{{account_id=\"{ID}\",sign_in=\"{sign_in}\",mfa=\"{mfa}\"}}");
    samples.value(&series)
}

fn regions(samples: &Samples, state: &str) -> Option<f64> {
    samples.value(&format!("aws_mfa_cognito_regions{{account_id=\"{ID}\",state=\"{state}\"}}"))
}

fn info(samples: &Samples) -> Vec<String> {
    samples.names().filter(|name| name.starts_with("aws_mfa_cognito_user_pool_info{")).map(str::to_owned).collect()
}

/// Nothing is asked of Cognito unless somebody wants it.
#[test]
fn without_the_flag_nothing_is_asked_and_nothing_is_said() {
    let sim = sim(account(vec![Pool::new("eu-west-1_a", "OFF")]));
    let exporter = Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s"]);
    let samples = exporter.expect("IAM.9", "passed");
    assert!(!samples.names().any(|name| name.contains("ognito")), "{samples}");
    assert!(sim.seen().iter().all(|seen| seen.service != "cognito-idp" && seen.service != "account"));
}

#[test]
fn pools_are_read_in_each_region_page_by_page_and_a_replicated_one_counts_once() {
    let replicated = Pool { replicas: vec!["us-east-1".into()], ..Pool::new("eu-west-1_r", "ON") };
    let mut account = account(vec![
        replicated,
        Pool::new("eu-west-1_a", "ON"),
        Pool::new("us-east-1_b", "ON"),
        with_factors("us-east-1_c", "OPTIONAL", &["PASSWORD", "EMAIL_OTP"]),
        with_factors("us-east-1_d", "OFF", &["WEB_AUTHN"]),
    ]);
    account.page_size = Some(1);
    let sim = sim(account);
    let exporter = start(&sim, &["--collector.cognito.pools=all", "--collector.cognito.pools-limit=4"]);
    let samples = exporter.expect(CONTROL, "passed");
    assert_eq!(pools(&samples, "password", "ON"), Some(3.0), "{samples}");
    assert_eq!(pools(&samples, "mixed", "OPTIONAL"), Some(1.0));
    assert_eq!(pools(&samples, "passwordless", "OFF"), Some(1.0));
    assert_eq!(pools(&samples, "password", "OFF"), Some(0.0));
    assert_eq!(
        ["read", "not_read", "disabled"].map(|state| regions(&samples, state)),
        [Some(2.0), Some(0.0), Some(1.0)]
    );
    assert_eq!(info(&samples).len(), 4);
    let omitted = format!("aws_mfa_cognito_user_pools_omitted{{account_id=\"{ID}\"}}");
    assert_eq!(samples.value(&omitted), Some(1.0));
    for (mfa, sign_in) in [("OPTIONAL", "failed"), ("OFF", "failed"), ("ON", "passed")] {
        sim.edit(ID, |account| account.pools[1].mfa = Some(mfa.to_owned()));
        exporter.expect(CONTROL, sign_in);
    }
    sim.edit(ID, |account| account.pools.retain(|pool| pool.factors.is_some()));
    let samples = exporter.expect(CONTROL, "not_applicable");
    assert_eq!(pools(&samples, "password", "ON"), Some(0.0));
    assert_eq!(samples.fault("cognito"), "");
}

#[test]
fn only_the_regions_that_are_listed_are_read() {
    let sim = sim(account(vec![Pool::new("eu-west-1_a", "ON"), Pool::new("us-east-1_b", "OFF")]));
    let exporter = start(&sim, &["--collector.cognito.regions=eu-west-1"]);
    let samples = exporter.expect(CONTROL, "passed");
    assert_eq!(["read", "disabled"].map(|state| regions(&samples, state)), [Some(1.0), None]);
    assert!(sim.seen().iter().all(|seen| seen.operation != "ListRegions"));
}

/// A Region that is switched off is not a Region without pools, and says nothing against
/// the credentials.
#[test]
fn a_listed_region_that_is_switched_off_leaves_the_verdict_unknown() {
    let sim = sim(account(vec![Pool::new("eu-west-1_a", "ON")]));
    let exporter = start(&sim, &["--collector.cognito.regions=eu-west-1,af-south-1"]);
    let samples = exporter.wait_for("the fault", SOON, |samples| samples.fault("cognito") == "region_disabled");
    assert_eq!((samples.status(CONTROL), samples.status("IAM.9")), ("unknown".into(), "passed".into()));
    assert_eq!(["read", "not_read"].map(|state| regions(&samples, state)), [Some(1.0), Some(1.0)]);
    assert!(pools(&samples, "password", "ON").is_none(), "no count while a Region is missing");
    let asked = sim.seen().iter().filter(|seen| seen.operation == "GetCallerIdentity").count();
    assert_eq!(asked, 1, "the credentials are not looked for again");
    sim.edit(ID, |account| account.pools.push(Pool::new("eu-west-1_b", "OFF")));
    exporter.expect(CONTROL, "failed");
}

/// Every broken reply in a simulation of its own: none of them lets the account pass.
#[test]
fn no_broken_reply_makes_the_pools_pass() {
    let rewrite = |from: &str, to: &str| Fault::Rewrite(from.to_owned(), to.to_owned());
    let cases = [
        ("ListUserPools", Fault::Omit("UserPools"), "incomplete_reply"),
        ("ListUserPools", Fault::Omit("Id"), "malformed_reply"),
        ("ListUserPools", rewrite("\"UserPools\":[", "\"UserPools\":[],\"UserPools\":["), "malformed_reply"),
        ("ListUserPools", rewrite("eu-west-1_a", "../eu-west-1_a"), "malformed_reply"),
        ("ListUserPools", Fault::MarkerLoop, "malformed_reply"),
        ("ListUserPools", Fault::MarkerCycle, "malformed_reply"),
        ("ListUserPools", Fault::HalfDocument, "malformed_reply"),
        ("ListUserPools", Fault::EmptyBody, "malformed_reply"),
        ("ListUserPools", Fault::NotXml, "malformed_reply"),
        ("ListUserPools", Fault::Oversized(9 << 20), "oversized_reply"),
        ("ListUserPools", Fault::AccessDenied, "access_denied"),
        ("ListUserPools", Fault::Error(400, "NotAuthorizedException"), "access_denied"),
        ("ListUserPools", Fault::Throttled, "throttled"),
        ("ListUserPools", Fault::ServerError, "server_error"),
        ("ListUserPools", Fault::Rejected, "rejected"),
        ("DescribeUserPool", Fault::Omit("UserPool"), "incomplete_reply"),
        ("DescribeUserPool", Fault::Omit("MfaConfiguration"), "incomplete_reply"),
        ("DescribeUserPool", rewrite("\"ON\"", "\"SOMETIMES\""), "malformed_reply"),
        ("DescribeUserPool", rewrite("\"ON\"", "\"ON\",\"MfaConfiguration\":\"ON\""), "malformed_reply"),
        ("DescribeUserPool", rewrite("eu-west-1_a", "eu-west-1_b"), "malformed_reply"),
        ("DescribeUserPool", Fault::Error(400, "ResourceNotFoundException"), "rejected"),
        ("DescribeUserPool", Fault::AccessDenied, "access_denied"),
        ("ListRegions", Fault::Omit("Regions"), "incomplete_reply"),
        ("ListRegions", rewrite("eu-west-1", "eu-west-1.example.org"), "malformed_reply"),
        ("ListRegions", rewrite("ENABLED_BY_DEFAULT", "PERHAPS"), "malformed_reply"),
        ("ListRegions", Fault::AccessDenied, "access_denied"),
    ];
    thread::scope(|scope| {
        for (operation, fault, class) in cases {
            scope.spawn(move || {
                let sim = sim(account(vec![Pool::new("eu-west-1_a", "ON")]));
                sim.fault(ID, Some(operation), fault.clone());
                let exporter = start(&sim, &[]);
                exporter.wait_for(&format!("{operation} {fault:?} is {class}"), SOON, |samples| {
                    assert_eq!(samples.status(CONTROL), "unknown", "{operation} {fault:?}");
                    samples.fault("cognito") == class
                });
                let what = format!("{operation} {fault:?}: one does not hinder the other");
                exporter.wait_for(&what, SOON, |samples| samples.status("IAM.9") == "passed");
            });
        }
    });
}

/// What was read of a Region stays while the Region cannot be read, and no longer than it
/// may; what is read meanwhile of another still counts.
#[test]
fn a_region_that_fails_for_a_while_keeps_what_was_read_of_it() {
    let sim = sim(account(vec![Pool::new("eu-west-1_a", "ON")]));
    let exporter = start(&sim, &[]);
    exporter.expect(CONTROL, "passed");
    sim.fault(ID, Some("ListUserPools"), Fault::ServerError);
    let samples = exporter.wait_for("the fault", SOON, |samples| samples.fault("cognito") == "server_error");
    assert_eq!(samples.status(CONTROL), "passed", "as of its own time");
}

#[test]
fn check_reads_the_pools_once_and_fails_because_of_one() {
    let sim = sim(account(vec![Pool::new("us-east-1_a", "OPTIONAL")]));
    let (code, text, _) = one_shot(&sim, &["check", "--collector.cognito", "--no-collector.users"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Cognito.5") && text.contains("its MFA is optional"), "{text}");
}

/// With exactly the actions that are printed for it everything is known; and each is needed.
#[test]
fn the_printed_policy_is_enough_and_each_action_is_needed() {
    let (plain, with) = (allowed(&[]), allowed(&["--collector.cognito"]));
    let own: Vec<_> = with.iter().filter(|action| !plain.contains(action)).cloned().collect();
    assert_eq!(own, ["account:ListRegions", "cognito-idp:DescribeUserPool", "cognito-idp:ListUserPools"]);
    let listed = allowed(&["--collector.cognito", "--collector.cognito.regions=eu-west-1"]);
    assert!(!listed.contains(&own[0]) && listed.contains(&own[1]), "{listed:?}");
    let template = include_str!("../../../deploy/iam/cognito-policy.yaml");
    assert!(
        own.iter().all(|action| template.contains(&format!("- {action}\n"))) && template.matches(":List").count() == 2
    );
    thread::scope(|scope| {
        for left_out in std::iter::once(None).chain(own.iter().map(Some)) {
            let allowed: Vec<_> = with.iter().filter(|action| Some(*action) != left_out).map(String::as_str).collect();
            scope.spawn(move || {
                let sim = sim(account(vec![Pool::new("eu-west-1_a", "ON")]));
                sim.allow_only(allowed);
                let exporter = start(&sim, &[]);
                let wanted = if left_out.is_some() { ("unknown", "access_denied") } else { ("passed", "") };
                exporter.wait_for(&format!("without {left_out:?}"), SOON, |samples| {
                    (&*samples.status(CONTROL), &*samples.fault("cognito")) == wanted
                });
            });
        }
    });
}
