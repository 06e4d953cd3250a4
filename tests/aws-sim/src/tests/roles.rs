//! `AssumeRole`: who gets in, as whom, and for how long.

use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, SystemTime},
};

use super::client::{Response, organizations, query};
use crate::{Account, Fault, Role, Scenario, Sim};

const OWN: &str = "000000000001";
const OTHER: &str = "000000000002";
const TARGET: &str = "100000000001";
const ARN: &str = "arn:aws:iam::100000000001:role/audit/reader";

fn simulation(role: Role) -> Sim {
    let account = |id: &str| Account::with_root_devices(id, &[]);
    let target = Account { roles: vec![role], ..account(TARGET) };
    let credentials = [("AKIAOWN", OWN), ("AKIAOTHER", OTHER)].map(|(key, id)| (key.to_owned(), id.to_owned()));
    Sim::start(Scenario {
        accounts: vec![account(OWN), account(OTHER), target],
        credentials: BTreeMap::from(credentials),
        ..Scenario::default()
    })
    .unwrap()
}

fn reader() -> Role {
    Role { trusts: vec![OWN.into()], ..Role::named("audit/reader") }
}

fn assume(sim: &Sim, key: &str, arn: &str, more: &[(&str, &str)]) -> Response {
    let params = [("Action", "AssumeRole"), ("RoleArn", arn), ("RoleSessionName", "run-1")];
    query(sim, key, "sts", &[&params, more].concat())
}

fn who_is(sim: &Sim, key: &str) -> Response {
    query(sim, key, "sts", &[("Action", "GetCallerIdentity")])
}

#[test]
fn a_role_gives_a_key_of_its_account() {
    let sim = simulation(reader());
    let before = SystemTime::now();
    let first = assume(&sim, "AKIAOWN", ARN, &[("DurationSeconds", "900")]);
    assert_eq!((first.status, &*first.content_type), (200, "text/xml"));
    assert_eq!(first.element("Arn"), "arn:aws:sts::100000000001:assumed-role/reader/run-1", "without the path");
    assert!(first.element("AssumedRoleId").ends_with(":run-1"));
    assert_eq!(first.element("PackedPolicySize"), "0");
    let until = humantime::parse_rfc3339(first.element("Expiration")).unwrap();
    let lasts = until.duration_since(before).unwrap();
    assert!((899..=901).contains(&lasts.as_secs()), "{lasts:?}");
    assert_eq!(who_is(&sim, first.element("AccessKeyId")).element("Account"), TARGET);

    let second = assume(&sim, "AKIAOWN", ARN, &[]);
    for name in ["AccessKeyId", "SecretAccessKey", "SessionToken"] {
        assert_ne!(first.element(name), second.element(name));
    }
    assert!(second.element("AccessKeyId").starts_with("ASIA"));
    assert_eq!(second.element("AccessKeyId").len(), 20);
}

#[test]
fn a_role_is_asked_of_the_account_that_has_it() {
    let sim = simulation(reader());
    sim.on_request(|seen, account| assert_eq!(seen.account, account.id));
    let fault = sim.fault(OWN, Some("AssumeRole"), Fault::AccessDenied);
    assert_eq!(assume(&sim, "AKIAOWN", ARN, &[]).status, 200, "the fault is the caller's account's");
    sim.clear(fault);
    sim.fault(TARGET, Some("AssumeRole"), Fault::Throttled);
    assert_eq!(assume(&sim, "AKIAOWN", ARN, &[]).error(), (400, "Throttling".to_owned()));
    assert_eq!((sim.count(TARGET, "AssumeRole"), sim.count(OWN, "AssumeRole")), (2, 0));
    assert_eq!(sim.total("AssumeRole"), 2);
    let seen = sim.seen();
    assert!(seen.iter().all(|seen| seen.account == TARGET && seen.service == "sts" && seen.operation == "AssumeRole"));
    assert_eq!(seen[0].params["RoleArn"], ARN);
    sim.forget_seen();
    assert_eq!((sim.seen().len(), sim.count(TARGET, "AssumeRole")), (0, 2));
}

#[test]
fn faults_touch_the_document_of_a_role() {
    let sim = simulation(reader());
    for name in ["Credentials", "AssumedRoleUser", "Expiration"] {
        let fault = sim.fault(TARGET, Some("AssumeRole"), Fault::Omit(name));
        let reply = assume(&sim, "AKIAOWN", ARN, &[]);
        assert!(reply.status == 200 && !reply.body.contains(name), "{}", reply.body);
        sim.clear(fault);
    }
    sim.fault(TARGET, None, Fault::Identity("999999999999"));
    let reply = assume(&sim, "AKIAOWN", ARN, &[]);
    assert_eq!(reply.element("Arn"), "arn:aws:sts::999999999999:assumed-role/reader/run-1");
}

#[test]
fn whoever_may_not_have_a_role_is_told_so() {
    let sim = simulation(Role { external_id: Some("sesame".into()), ..reader() });
    let right = ("ExternalId", "sesame");
    assert_eq!(assume(&sim, "AKIAOWN", ARN, &[right]).status, 200);
    let denied = |key: &str, arn: &str, external: (&str, &str)| {
        let reply = assume(&sim, key, arn, &[external]);
        assert_eq!(reply.error(), (403, "AccessDenied".to_owned()), "{key} {arn} {external:?}");
        let message = reply.element("Message").to_owned();
        assert!(message.contains("is not authorized to perform: sts:AssumeRole on resource: arn:"), "{message}");
        assert!(message.starts_with("User: arn:") && message.ends_with(arn), "{message}");
    };
    denied("AKIAOTHER", ARN, right);
    denied("AKIAOWN", ARN, ("ExternalId", "simsim"));
    denied("AKIAOWN", ARN, ("Unrelated", "sesame"));
    denied("AKIAOWN", "arn:aws:iam::100000000001:role/reader", right);
    denied("AKIAOWN", "arn:aws-cn:iam::100000000001:role/audit/reader", right);
    denied("AKIAOWN", "arn:aws:iam::000000000002:role/audit/reader", right);
    denied("AKIAOWN", "arn:aws:iam::100000000009:role/audit/reader", right);
    assert_eq!(assume(&sim, "AKIANOBODY", ARN, &[right]).error(), (403, "InvalidClientTokenId".to_owned()));
    assert_eq!(assume(&sim, "", ARN, &[right]).error(), (403, "MissingAuthenticationToken".to_owned()));
    assert_eq!(
        assume(&sim, "AKIAOWN", "reader & <co>", &[right]).element("Message"),
        "reader &amp; &lt;co&gt; is invalid"
    );
    let nameless = query(&sim, "AKIAOWN", "sts", &[("Action", "AssumeRole"), ("RoleArn", ARN), right]);
    assert_eq!(nameless.error(), (400, "ValidationError".to_owned()));
}

#[test]
fn everybody_may_have_a_role_that_trusts_nobody_in_particular() {
    let sim = simulation(Role::named("audit/reader"));
    for key in ["AKIAOWN", "AKIAOTHER"] {
        assert_eq!(assume(&sim, key, ARN, &[]).status, 200);
    }
}

#[test]
fn a_session_is_no_shorter_than_aws_allows_and_no_longer_than_its_role() {
    let sim = simulation(Role { max_session_seconds: 7_200, ..Role::named("audit/reader") });
    let status = |key: &str, seconds: &str| assume(&sim, key, ARN, &[("DurationSeconds", seconds)]).status;
    for (seconds, wanted) in [("899", 400), ("900", 200), ("7200", 200), ("7201", 400), ("soon", 400)] {
        assert_eq!(status("AKIAOWN", seconds), wanted, "{seconds}");
    }
    let refused = assume(&sim, "AKIAOWN", ARN, &[("DurationSeconds", "7201")]);
    assert_eq!(refused.error(), (400, "ValidationError".to_owned()));
    let session = assume(&sim, "AKIAOWN", ARN, &[]);
    let chained = |seconds| status(session.element("AccessKeyId"), seconds);
    assert_eq!((chained("3600"), chained("3601")), (200, 400), "one role by another, for an hour");
}

#[test]
fn a_key_expires() {
    let sim = simulation(reader());
    sim.session_length(Duration::from_millis(300));
    let session = assume(&sim, "AKIAOWN", ARN, &[]);
    let until = humantime::parse_rfc3339(session.element("Expiration")).unwrap();
    assert!(until <= SystemTime::now() + Duration::from_millis(300), "the answer says so");
    let key = session.element("AccessKeyId");
    assert_eq!(who_is(&sim, key).status, 200);
    sleep(Duration::from_millis(350));
    assert_eq!(who_is(&sim, key).error(), (403, "ExpiredToken".to_owned()));
    let listed = organizations(&sim, key, "ListAccounts", &serde_json::json!({}));
    assert_eq!(listed.error(), (400, "ExpiredTokenException".to_owned()));
    assert_eq!(who_is(&sim, "AKIAOWN").status, 200);
    assert_eq!(sim.count(TARGET, "GetCallerIdentity"), 2, "a refusal is a call all the same");
}
