//! Many accounts from one exporter: what is listed, what is assumed, and that
//! nothing of one account reaches another.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, Member, Mix, Organization, Role, Scenario, Sim, Unit, users};

use crate::support::{Exporter, KEY, Samples};

const OWN: &str = "000000000001";
const ROLE: &str = "aws-mfa-exporter";
const SOON: Duration = Duration::from_secs(25);

fn member_id(n: usize) -> String {
    format!("1{n:011}")
}

/// An account whose root has a key, and a role for the exporter.
fn good(id: &str) -> Account {
    let fido = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
    Account { roles: vec![Role::named(ROLE)], ..Account::with_root_devices(id, &[&fido]) }
}

fn bad(id: &str) -> Account {
    Account { roles: vec![Role::named(ROLE)], ..Account::with_root_devices(id, &[]) }
}

/// The management account, whose credentials are the exporter's, and `accounts`.
fn organization(accounts: Vec<Account>) -> Scenario {
    let own = Account { roles: Vec::new(), ..good(OWN) };
    let all: Vec<_> = [own].into_iter().chain(accounts).collect();
    let members = all.iter().map(|account| Member::new(&account.id, &format!("name-{}", account.id))).collect();
    Scenario {
        organization: Some(Organization { management: OWN.into(), members, ..Organization::default() }),
        accounts: all,
        credentials: BTreeMap::from([(KEY.to_owned(), OWN.to_owned())]),
        ..Scenario::default()
    }
}

fn exporter(sim: &Sim, flags: &[&str]) -> Exporter {
    let fast = ["--collector.root.interval=1s", "--collector.devices.interval=2s"];
    Exporter::start(&sim.endpoint(), &[&fast, flags].concat())
}

fn watching(sim: &Sim) -> Exporter {
    exporter(sim, &["--organization.role-name=aws-mfa-exporter"])
}

/// Starts the exporter with this file of configuration, which the test may change.
fn configured(sim: &Sim, text: &str, flags: &[&str]) -> (Exporter, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let flag = format!("--config.file={}", file.path().display());
    (exporter(sim, &[&[&*flag], flags].concat()), file)
}

/// Writes a file in one step: who writes into it can be caught when it is empty.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

fn complete(exporter: &Exporter) -> Samples {
    exporter
        .wait_for("a first pass", SOON, |samples| samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0))
}

#[test]
fn a_first_pass_that_finds_all_well_is_told_in_one_line() {
    let sim = Sim::start(organization((0..5).map(|n| good(&member_id(n))).collect())).unwrap();
    let exporter = watching(&sim);
    complete(&exporter);
    exporter.wait_for("its line", SOON, |_| exporter.log().contains("Every account has been read."));
    let log = exporter.log();
    assert!(!log.contains("A control is passed") && !log.contains("A collector is up"), "{log}");
    assert_eq!(log.matches("Every account has been read.").count(), 1, "{log}");
}

#[test]
fn an_organization_is_listed_to_its_last_page_and_each_account_is_read_as_itself() {
    let accounts = (0..44).map(|n| if n % 2 == 0 { good(&member_id(n)) } else { bad(&member_id(n)) }).collect();
    let sim = Sim::start(organization(accounts)).unwrap();
    sim.fault(OWN, Some("ListAccounts"), Fault::EmptyFirstPage);
    let exporter = watching(&sim);
    let passed = |n: usize| ["passed", "failed"][n % 2];
    let samples = exporter.wait_for("45 verdicts", SOON, |samples| {
        (0..44).all(|n| samples.status_of(&member_id(n), "IAM.9") == passed(n))
            && samples.status_of(OWN, "IAM.9") == "passed"
    });
    assert_eq!(samples.value(r#"aws_mfa_accounts{state="scanned"}"#), Some(45.0));
    assert_eq!(samples.value("aws_mfa_discovery_up"), Some(1.0));
    assert_eq!(sim.count(OWN, "ListAccounts"), 4, "an empty page, and three of 20");
    assert_eq!(sim.count(OWN, "AssumeRole"), 0, "the exporter's own account has its own credentials");
    assert_eq!(sim.count(&member_id(3), "AssumeRole"), 1, "one session serves both collectors");
    let info = format!(
        "aws_mfa_account_info{{account_id=\"{0}\",account_name=\"name-{0}\",partition=\"aws\",ou=\"\",state=\"scanned\"}}",
        member_id(7)
    );
    assert_eq!(samples.value(&info), Some(1.0), "{samples}");
}

#[test]
fn an_account_that_cannot_be_entered_is_unknown_and_the_others_are_not() {
    let denied = Account { roles: Vec::new(), ..good(&member_id(1)) };
    let sim = Sim::start(organization(vec![good(&member_id(0)), denied, good(&member_id(2))])).unwrap();
    sim.fault(&member_id(2), None, Fault::Hang);
    let exporter = watching(&sim);
    let samples = exporter.wait_for("a verdict and a fault", SOON, |samples| {
        samples.status_of(&member_id(0), "IAM.9") == "passed"
            && samples.fault_of(&member_id(1), "root") == "access_denied"
    });
    assert_eq!(samples.status_of(&member_id(1), "IAM.9"), "unknown");
    assert_eq!(samples.status_of(&member_id(2), "IAM.9"), "unknown", "it hangs, and is no other's trouble");
    assert_eq!(samples.value("aws_mfa_discovery_up"), Some(1.0));
    assert!(exporter.log().contains("AssumeRole"), "{}", exporter.log());
    exporter
        .wait_for("a timeout", Duration::from_secs(60), |samples| samples.fault_of(&member_id(2), "root") == "timeout");
}

#[test]
fn a_denied_role_is_not_asked_for_every_second() {
    let denied = Account { roles: Vec::new(), ..good(&member_id(1)) };
    let sim = Sim::start(organization(vec![denied])).unwrap();
    let exporter = watching(&sim);
    exporter.wait_for("a fault", SOON, |samples| samples.fault_of(&member_id(1), "root") == "access_denied");
    std::thread::sleep(Duration::from_secs(8));
    let asked = sim.count(&member_id(1), "AssumeRole");
    assert!(asked <= 8, "{asked} requests in about nine seconds, where two collectors without back-off make 14");
}

/// The exporter's own account and the member say the opposite, both ways round.
#[test]
fn no_account_is_read_with_anothers_credentials() {
    for member_is_good in [true, false] {
        let member = if member_is_good { good(&member_id(1)) } else { bad(&member_id(1)) };
        let mut scenario = organization(vec![member]);
        if member_is_good {
            scenario.accounts[0].root.devices.clear();
        }
        let sim = Sim::start(scenario).unwrap();
        let exporter = watching(&sim);
        let (own, member) = if member_is_good { ("failed", "passed") } else { ("passed", "failed") };
        exporter.wait_for("both verdicts", SOON, |samples| {
            samples.status_of(OWN, "IAM.9") == own && samples.status_of(&member_id(1), "IAM.9") == member
        });
    }
}

#[test]
fn a_role_that_turns_out_to_be_another_accounts_is_refused() {
    let sim = Sim::start(organization(vec![good(&member_id(1))])).unwrap();
    sim.fault(&member_id(1), Some("AssumeRole"), Fault::Identity("999999999999"));
    let exporter = watching(&sim);
    let samples = exporter.wait_for("a refusal", SOON, |samples| {
        samples.fault_of(&member_id(1), "root") == "wrong_account" && samples.status_of(OWN, "IAM.9") == "passed"
    });
    assert_eq!(samples.state_of(&member_id(1)), "refused");
    assert_eq!(samples.status_of(&member_id(1), "IAM.9"), "unknown");
    assert_eq!(sim.count(&member_id(1), "GetAccountSummary"), 0);
    assert!(!samples.names().any(|name| name.contains("999999999999")));
}

#[test]
fn whatever_is_wrong_with_the_answer_to_assume_role_the_account_is_unknown() {
    for (fault, class) in [
        (Fault::Omit("Credentials"), "incomplete_reply"),
        (Fault::Omit("AssumedRoleUser"), "incomplete_reply"),
        (Fault::Omit("Arn"), "incomplete_reply"),
        (Fault::Omit("SecretAccessKey"), "incomplete_reply"),
        (Fault::HalfDocument, "malformed_reply"),
        (Fault::EmptyBody, "malformed_reply"),
        (Fault::Throttled, "throttled"),
        (Fault::ServerError, "server_error"),
        (Fault::Rejected, "rejected"),
        (Fault::Oversized(9 << 20), "oversized_reply"),
        (Fault::Endless, "oversized_reply"),
    ] {
        let sim = Sim::start(organization(vec![good(&member_id(1))])).unwrap();
        sim.fault(&member_id(1), Some("AssumeRole"), fault.clone());
        let exporter = watching(&sim);
        let samples = exporter
            .wait_for("a fault", SOON, |samples| !["", "pending"].contains(&&*samples.fault_of(&member_id(1), "root")));
        assert_eq!(samples.fault_of(&member_id(1), "root"), class, "{fault:?}");
        assert_eq!(samples.status_of(&member_id(1), "IAM.9"), "unknown");
    }
}

#[test]
fn the_external_id_is_sent_and_a_wrong_one_is_denied() {
    let mut scenario = organization(vec![good(&member_id(1)), good(&member_id(2))]);
    scenario.accounts[1].roles[0].external_id = Some("open:sesame".into());
    scenario.accounts[2].roles[0].external_id = Some("something-else".into());
    let sim = Sim::start(scenario).unwrap();
    let exporter =
        exporter(&sim, &["--organization.role-name=aws-mfa-exporter", "--organization.external-id=open:sesame"]);
    exporter.wait_for("one in, one out", SOON, |samples| {
        samples.status_of(&member_id(1), "IAM.9") == "passed"
            && samples.fault_of(&member_id(2), "root") == "access_denied"
    });
    let session = sim.seen().into_iter().find(|seen| seen.operation == "AssumeRole").unwrap();
    assert_eq!(session.params["RoleSessionName"], "aws-mfa-exporter");
    assert_eq!(session.params["DurationSeconds"], "3600", "what every role allows, chained or not");
}

#[test]
fn a_session_that_expires_in_mid_run_is_renewed_before() {
    let sim = Sim::start(organization(vec![good(&member_id(1))])).unwrap();
    sim.session_length(Duration::from_secs(4));
    let exporter = watching(&sim);
    exporter.wait_for("a verdict", SOON, |samples| samples.status_of(&member_id(1), "IAM.9") == "passed");
    for _ in 0..50 {
        let samples = exporter.metrics();
        assert_eq!(samples.status_of(&member_id(1), "IAM.9"), "passed");
        assert_eq!(samples.fault_of(&member_id(1), "root"), "");
        std::thread::sleep(Duration::from_millis(200));
    }
    let renewals = sim.count(&member_id(1), "AssumeRole");
    assert!((3..=9).contains(&renewals), "{renewals} in ten seconds");
}

#[test]
fn a_session_that_cannot_be_renewed_is_used_until_it_expires() {
    let sim = Sim::start(organization(vec![good(&member_id(1))])).unwrap();
    sim.session_length(Duration::from_secs(12));
    let exporter = watching(&sim);
    exporter.wait_for("a verdict", SOON, |samples| samples.status_of(&member_id(1), "IAM.9") == "passed");
    let fault = sim.fault(&member_id(1), Some("AssumeRole"), Fault::AccessDenied);
    exporter.wait_for("the end", SOON, |samples| samples.fault_of(&member_id(1), "root") == "access_denied");
    assert!(sim.count(&member_id(1), "AssumeRole") > 1, "it was tried");
    sim.clear(fault);
    exporter.wait_for("a recovery", SOON, |samples| samples.fault_of(&member_id(1), "root").is_empty());
}

#[test]
fn accounts_that_cannot_be_scanned_are_told_of_and_not_asked() {
    let states = [
        (Some("ACTIVE"), None, "scanned"),
        (Some("SUSPENDED"), None, "suspended"),
        (Some("CLOSED"), Some("SUSPENDED"), "closed"),
        (Some("PENDING_ACTIVATION"), None, "pending"),
        (Some("PENDING_CLOSURE"), None, "scanned"),
        (Some("SOMETHING_NEW"), None, "scanned"),
        (None, None, "scanned"),
        (None, Some("ACTIVE"), "scanned"),
        (None, Some("SUSPENDED"), "suspended"),
    ];
    let mut scenario = organization((0..states.len()).map(|n| good(&member_id(n))).collect());
    let members = &mut scenario.organization.as_mut().unwrap().members;
    for (member, (state, status, _)) in members[1..].iter_mut().zip(&states) {
        (member.state, member.status) = (state.map(str::to_owned), status.map(str::to_owned));
    }
    let sim = Sim::start(scenario).unwrap();
    let exporter = watching(&sim);
    let samples = complete(&exporter);
    for (n, (state, status, wanted)) in states.iter().enumerate() {
        assert_eq!(samples.state_of(&member_id(n)), *wanted, "{state:?} {status:?}");
        let is_asked = sim.count(&member_id(n), "AssumeRole") > 0;
        assert_eq!(is_asked, *wanted == "scanned", "{state:?} {status:?}");
        let has_verdict = samples.names().any(|name| name.contains("control_status") && name.contains(&member_id(n)));
        assert_eq!(has_verdict, *wanted == "scanned", "an account nobody scans has no verdict to alert on");
    }
    assert_eq!(samples.value(r#"aws_mfa_accounts{state="suspended"}"#), Some(2.0));
}

#[test]
fn accounts_are_excluded_by_id_unit_and_tag_and_the_rest_is_not() {
    let mut scenario = organization((0..5).map(|n| good(&member_id(n))).collect());
    let organization = scenario.organization.as_mut().unwrap();
    let unit = |id: &str, name: &str, parent: &str| Unit { id: id.into(), name: name.into(), parent: parent.into() };
    organization.units = vec![unit("ou-a", "Workloads", "r-root"), unit("ou-b", "Sandbox", "ou-a")];
    organization.members[2].unit = "ou-b".into();
    organization.members[3].unit = "ou-a".into();
    organization.members[4].tags.insert("mfa".into(), "elsewhere".into());
    let sim = Sim::start(scenario).unwrap();
    let text = format!(
        "organization:\n  role_name: aws-mfa-exporter\n  exclude:\n    accounts: [\"{}\"]\n    ous: [Workloads/Sandbox]\n    tags: {{mfa: [elsewhere]}}\n",
        member_id(0)
    );
    let (exporter, _file) = configured(&sim, &text, &[]);
    let samples = complete(&exporter);
    let states: Vec<_> = (0..5).map(|n| samples.state_of(&member_id(n))).collect();
    assert_eq!(states, ["excluded", "excluded", "scanned", "excluded", "scanned"]);
    assert!(samples.names().any(|name| name.contains(r#"ou="Workloads/Sandbox",state="excluded""#)), "{samples}");
}

/// Doubt about a unit or a tag is no reason to leave an account unwatched.
#[test]
fn tags_that_cannot_be_read_exclude_nobody_and_show() {
    let mut scenario = organization(vec![good(&member_id(0))]);
    scenario.organization.as_mut().unwrap().members[1].tags.insert("mfa".into(), "elsewhere".into());
    let sim = Sim::start(scenario).unwrap();
    sim.fault(OWN, Some("ListTagsForResource"), Fault::AccessDenied);
    let text = "organization: {role_name: aws-mfa-exporter, exclude: {tags: {mfa: [elsewhere]}}}\n";
    let (exporter, _file) = configured(&sim, text, &[]);
    let samples = complete(&exporter);
    assert_eq!(samples.state_of(&member_id(0)), "scanned");
    assert_eq!(samples.value("aws_mfa_discovery_up"), Some(0.0));
    assert!(exporter.log().contains("ListTagsForResource"), "{}", exporter.log());
}

#[test]
fn a_list_that_cannot_be_believed_is_no_list() {
    for (fault, class) in [
        (Fault::AccessDenied, "access_denied"),
        (Fault::Omit("Accounts"), "incomplete_reply"),
        (Fault::MarkerLoop, "malformed_reply"),
        (Fault::Malformed, "malformed_reply"),
        (Fault::EmptyBody, "malformed_reply"),
        (Fault::Throttled, "throttled"),
        (Fault::Oversized(9 << 20), "oversized_reply"),
        (Fault::Endless, "oversized_reply"),
    ] {
        let sim = Sim::start(organization(vec![good(&member_id(0))])).unwrap();
        sim.fault(OWN, Some("ListAccounts"), fault.clone());
        let exporter = watching(&sim);
        let line = format!("fault={class}");
        let samples = exporter.wait_for(&line, SOON, |_| exporter.log().contains(&line));
        assert_eq!(samples.value("aws_mfa_discovery_up"), Some(0.0), "{fault:?}");
        assert_eq!(samples.value("aws_mfa_exporter_initial_pass_complete"), Some(0.0));
        assert_eq!(samples.value(r#"aws_mfa_accounts{state="scanned"}"#), Some(0.0));
    }
}

/// O1: whoever filters by a field that AWS no longer sends watches nobody, and all is green.
#[test]
fn a_list_of_nobody_is_a_fault() {
    let sim = Sim::start(organization(vec![good(&member_id(0))])).unwrap();
    sim.edit_organization(|organization| organization.members.clear());
    let exporter = watching(&sim);
    exporter.wait_for("a fault", SOON, |_| exporter.log().contains("fault=incomplete_reply"));
    let samples = exporter.metrics();
    assert_eq!(samples.value("aws_mfa_discovery_up"), Some(0.0), "{}", exporter.log());
    assert_eq!(samples.value("aws_mfa_exporter_initial_pass_complete"), Some(0.0));
}

/// O2: the most important root user of all, in the one account that no StackSet reaches.
#[test]
fn a_management_account_that_cannot_be_read_is_named_loudly() {
    let mut scenario = organization(vec![good(&member_id(0))]);
    // The exporter runs in a delegated administrator's account.
    let organization = scenario.organization.as_mut().unwrap();
    (organization.management, organization.delegated) = (member_id(0), vec![OWN.into()]);
    scenario.accounts[1].roles.clear();
    let sim = Sim::start(scenario).unwrap();
    let exporter = watching(&sim);
    let samples = exporter.wait_for("a fault", SOON, |samples| {
        samples.fault_of(&member_id(0), "root") == "access_denied" && samples.status_of(OWN, "IAM.9") == "passed"
    });
    let management = format!("aws_mfa_management_account_info{{account_id=\"{}\"}}", member_id(0));
    assert_eq!(samples.value(&management), Some(1.0), "{samples}");
    assert_eq!(samples.status_of(&member_id(0), "IAM.9"), "unknown");
    let log = exporter.log();
    let loud = log.lines().find(|line| line.contains("level=error") && line.contains("management account"));
    assert!(loud.is_some_and(|line| line.contains(&member_id(0))), "{log}");
}

/// R11: only a member's root can be without credentials; a summary that says so of the
/// management account's is not believed.
#[test]
fn a_management_account_without_root_credentials_is_unknown() {
    let mut scenario = organization(Vec::new());
    scenario.accounts[0].root = aws_sim::Root::default();
    let sim = Sim::start(scenario).unwrap();
    let exporter = watching(&sim);
    exporter.wait_for("a verdict", SOON, |samples| {
        samples.fault_of(OWN, "root").is_empty() && samples.status_of(OWN, "IAM.4") == "passed"
    });
    let samples = exporter.metrics();
    assert_eq!([samples.status_of(OWN, "IAM.9"), samples.status_of(OWN, "IAM.6")], ["unknown", "unknown"]);
}

#[test]
fn an_account_that_joins_is_found_and_one_that_is_closed_is_left_alone() {
    let sim = Sim::start(organization(vec![good(&member_id(0))])).unwrap();
    let (exporter, _file) = configured(&sim, "organization: {role_name: aws-mfa-exporter, interval: 10s}\n", &[]);
    exporter.wait_for("a verdict", SOON, |samples| samples.status_of(&member_id(0), "IAM.9") == "passed");
    sim.add(bad(&member_id(1)));
    sim.edit_organization(|organization| {
        organization.members[1].state = Some("CLOSED".into());
        organization.members.push(Member::new(&member_id(1), "new"));
    });
    let samples = exporter.wait_for("both", SOON, |samples| {
        samples.state_of(&member_id(0)) == "closed"
            && samples.state_of(&member_id(1)) == "scanned"
            && samples.status_of(&member_id(1), "IAM.9") == "failed"
    });
    assert!(!samples.names().any(|name| name.contains("control_status") && name.contains(&member_id(0))));
    let asked = sim.count(&member_id(0), "GetAccountSummary");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(sim.count(&member_id(0), "GetAccountSummary"), asked, "nobody asks it any more");
}

/// With the flag nobody has to tell the exporter that the file has changed.
#[test]
fn a_file_that_changes_is_read_again_by_itself() {
    let sim = Sim::start(organization(vec![good(&member_id(0))])).unwrap();
    let flags = ["--config.enable-auto-reload", "--config.auto-reload-interval=1s"];
    let text = "organization: {role_name: aws-mfa-exporter}\n";
    let (exporter, file) = configured(&sim, text, &flags);
    complete(&exporter);
    let named = |samples: &Samples, id: &str| samples.names().any(|name| name.contains(&format!("exemption=\"{id}\"")));
    let exemption = |id: &str| format!("exemptions: [{{id: {id}, user: x, reason: y, until: 2040-01-01}}]\n");
    replace(file.path(), &[text, &exemption("first")].concat());
    exporter.wait_for("the first change", SOON, |samples| named(samples, "first"));
    replace(file.path(), &[text, &exemption("second"), "organisation: {}\n"].concat());
    let samples = exporter.wait_for("a bad change", SOON, |samples| {
        samples.value("aws_mfa_exporter_config_last_reload_successful") == Some(0.0)
    });
    assert!(named(&samples, "first") && !named(&samples, "second"), "the last good one stays in force");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(exporter.log().matches("level=error").count(), 1, "it is told of once: {}", exporter.log());
    replace(file.path(), &[text, &exemption("second")].concat());
    exporter.wait_for("a good change", SOON, |samples| {
        named(samples, "second") && samples.value("aws_mfa_exporter_config_last_reload_successful") == Some(1.0)
    });
}

#[test]
fn accounts_that_vanish_from_the_list_are_watched_on() {
    let sim = Sim::start(organization((0..6).map(|n| good(&member_id(n))).collect())).unwrap();
    let (exporter, _file) = configured(&sim, "organization: {role_name: aws-mfa-exporter, interval: 10s}\n", &[]);
    complete(&exporter);
    sim.edit_organization(|organization| organization.members.truncate(3));
    let samples = exporter.wait_for("doubt", SOON, |samples| samples.value("aws_mfa_discovery_up") == Some(0.0));
    assert_eq!(samples.value(r#"aws_mfa_accounts{state="scanned"}"#), Some(7.0));
    assert!(exporter.log().contains("fault=accounts_lost"), "{}", exporter.log());
    sim.edit(&member_id(5), |account| account.root.devices.clear());
    exporter
        .wait_for("a verdict on a lost account", SOON, |samples| samples.status_of(&member_id(5), "IAM.9") == "failed");
}

#[test]
fn accounts_of_the_file_are_watched_by_role_profile_and_own_credentials() {
    let mut scenario = organization(vec![good(&member_id(1)), bad(&member_id(2)), good(&member_id(3))]);
    scenario.organization = None;
    scenario.accounts[3].roles[0].trusts = vec![member_id(2)];
    scenario.credentials.insert("AKIAPROFILE".into(), member_id(2));
    let sim = Sim::start(scenario).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (profiles, config) = (folder.path().join("credentials"), folder.path().join("config.yml"));
    fs::write(&profiles, "[two]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = x\n").unwrap();
    let role = |id: &str| format!("arn:aws:iam::{id}:role/{ROLE}");
    let [one, two, three] = [1, 2, 3].map(member_id);
    let text = format!(
        "accounts:\n- {{id: \"{OWN}\", name: own}}\n- {{id: \"{one}\", role_arn: \"{}\"}}\n\
         - {{id: \"{two}\", profile: two}}\n- {{id: \"{three}\", profile: two, role_arn: \"{}\"}}\n",
        role(&one),
        role(&three)
    );
    fs::write(&config, text).unwrap();
    let flag = format!("--config.file={}", config.display());
    let environment = [
        ("AWS_ENDPOINT_URL", &*sim.endpoint()),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_SHARED_CREDENTIALS_FILE", profiles.to_str().unwrap()),
    ];
    let exporter = Exporter::with_environment(&[&flag, "--collector.root.interval=1s"], &environment);
    exporter.wait_for("four verdicts", SOON, |samples| {
        samples.status_of(OWN, "IAM.9") == "passed"
            && samples.status_of(&member_id(1), "IAM.9") == "passed"
            && samples.status_of(&member_id(2), "IAM.9") == "failed"
            && samples.status_of(&member_id(3), "IAM.9") == "passed"
    });
    assert_eq!(sim.total("ListAccounts"), 0);
}

#[test]
fn a_file_that_is_read_again_changes_what_is_watched_and_a_bad_one_changes_nothing() {
    let sim = Sim::start(organization(vec![good(&member_id(1)), good(&member_id(2))])).unwrap();
    let one =
        |n: usize| format!("accounts: [{{id: \"{0}\", role_arn: \"arn:aws:iam::{0}:role/{ROLE}\"}}]\n", member_id(n));
    let (exporter, file) = configured(&sim, &one(1), &["--web.enable-lifecycle"]);
    exporter.wait_for("the first", SOON, |samples| samples.status_of(&member_id(1), "IAM.9") == "passed");
    let is_good = "aws_mfa_exporter_config_last_reload_successful";

    fs::write(file.path(), "accounts: [{id: 12}]\n").unwrap();
    let answer = reload(&exporter, "POST");
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains(":1:17: ") && answer.text().contains("twelve digits"), "{}", answer.text());
    let samples = exporter.wait_for("the failure", SOON, |samples| samples.value(is_good) == Some(0.0));
    assert_eq!(samples.status_of(&member_id(1), "IAM.9"), "passed", "the last good one stays in force");

    fs::write(file.path(), one(2)).unwrap();
    assert_eq!(reload(&exporter, "POST").status, 200);
    let samples = exporter.wait_for("the second", SOON, |samples| {
        samples.state_of(&member_id(1)).is_empty() && samples.status_of(&member_id(2), "IAM.9") == "passed"
    });
    assert_eq!(samples.value(is_good), Some(1.0));

    fs::write(file.path(), one(1)).unwrap();
    exporter.signal("-HUP");
    exporter.wait_for("the first again", SOON, |samples| {
        samples.state_of(&member_id(2)).is_empty() && samples.status_of(&member_id(1), "IAM.9") == "passed"
    });
    assert_eq!(reload(&exporter, "GET").status, 405);
    fs::write(file.path(), "").unwrap();
    assert!(reload(&exporter, "POST").text().contains("restart"));
}

fn reload(exporter: &Exporter, method: &str) -> crate::support::Response {
    let request = format!("{method} /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    crate::support::request(&exporter.address, &request)
}

#[test]
fn reloading_over_http_is_off_unless_it_was_switched_on() {
    let sim = Sim::start(organization(Vec::new())).unwrap();
    let exporter = watching(&sim);
    assert_eq!(reload(&exporter, "POST").status, 403);
}

/// The parts of three shards, together, are what one exporter alone exports.
#[test]
fn shards_are_the_whole_in_parts() {
    let scenario =
        organization((0..30).map(|n| if n % 3 == 0 { bad(&member_id(n)) } else { good(&member_id(n)) }).collect());
    let sim = Sim::start(scenario).unwrap();
    let series = |samples: &Samples| -> BTreeMap<String, f64> {
        let clockless = |series: &String| !series.contains("timestamp") && !series.contains("duration");
        samples.of_accounts().into_iter().filter(|(series, _)| clockless(series)).collect()
    };
    let settled = |exporter: &Exporter, wanted: usize| {
        exporter.wait_for("all verdicts", SOON, |samples| {
            let known = |samples: &Samples| {
                samples
                    .of_accounts()
                    .iter()
                    .filter(|(name, value)| name.contains("IAM.6") && name.contains("unknown") && **value == 0.0)
                    .count()
            };
            // The users of an account are read after its root.
            samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0) && known(samples) == wanted
        })
    };
    let whole = series(&settled(&watching(&sim), 31));
    for total in [1usize, 2, 3] {
        let mut parts = BTreeMap::new();
        for shard in 0..total {
            let (own, all) = (format!("--shard={shard}"), format!("--total-shards={total}"));
            let exporter = exporter(&sim, &["--organization.role-name=aws-mfa-exporter", &own, &all]);
            let mine = (0..30).map(member_id).chain([OWN.to_owned()]).filter(|id| {
                aws_mfa_exporter::model::shard::Shard::new(shard as u32, total as u32)
                    .unwrap()
                    .keeps(id.parse().unwrap())
            });
            let samples = settled(&exporter, mine.count());
            assert_eq!(samples.value(&format!("aws_mfa_exporter_shard_info{{shard=\"{shard}\"}}")), Some(1.0));
            assert_eq!(samples.value("aws_mfa_exporter_total_shards"), Some(total as f64));
            let part = series(&samples);
            assert!(part.keys().all(|series| !parts.contains_key(series)), "no account is in two shards");
            parts.extend(part);
        }
        assert_eq!(parts, whole, "{total} shards");
    }
}

#[test]
fn a_shard_that_does_not_exist_is_an_error() {
    for (flags, named) in [
        (vec!["--shard=3", "--total-shards=3"], "from 0 to 2"),
        (vec!["--total-shards=3"], "POD_NAME"),
        (vec!["--total-shards=0"], "--total-shards"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"))
            .args(["--web.listen-address=127.0.0.1:0"])
            .args(&flags)
            .env_clear()
            .output()
            .unwrap();
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(named), "{flags:?}: {error}");
    }
}

#[test]
fn a_pods_name_tells_its_shard() {
    let sim = Sim::start(organization(vec![good(&member_id(1))])).unwrap();
    let environment = [
        ("AWS_ENDPOINT_URL", &*sim.endpoint()),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("POD_NAME", "aws-mfa-exporter-1"),
    ];
    let exporter =
        Exporter::with_environment(&["--organization.role-name=aws-mfa-exporter", "--total-shards=2"], &environment);
    assert_eq!(exporter.metrics().value("aws_mfa_exporter_shard_info{shard=\"1\"}"), Some(1.0));
}

/// The flags of an exporter with a state file in `folder`.
fn state_flag(folder: &tempfile::TempDir) -> String {
    format!("--state.file={}", folder.path().join("state.json").display())
}

/// Waits until all that the exporter shows now is in its state file: the second
/// file from here on was begun after the look at it.
fn wait_until_kept(folder: &tempfile::TempDir) {
    use std::os::unix::fs::MetadataExt as _;
    let file =
        || fs::metadata(folder.path().join("state.json")).ok().map(|file| (file.ino(), file.modified().unwrap()));
    let began = Instant::now();
    for _ in 0..2 {
        let last = file();
        while file() == last || file().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing is written");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn names(samples: &Samples) -> Vec<String> {
    samples.of_accounts().into_keys().collect()
}

#[test]
fn the_first_scrape_after_a_restart_holds_every_series_of_the_last_before_it() {
    let denied = Account { roles: Vec::new(), ..good(&member_id(2)) };
    let mut scenario = organization(vec![good(&member_id(0)), bad(&member_id(1)), denied, good(&member_id(3))]);
    scenario.organization.as_mut().unwrap().members[4].state = Some("SUSPENDED".into());
    let sim = Sim::start(scenario).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--organization.role-name=aws-mfa-exporter", &state_flag(&folder), "--state.interval=100ms"];
    let mut first = exporter(&sim, &flags);
    first.wait_for("verdicts", SOON, |samples| {
        samples.status_of(&member_id(0), "IAM.6") == "passed"
            && samples.status_of(&member_id(1), "IAM.9") == "failed"
            && samples.fault_of(&member_id(2), "root") == "access_denied"
    });
    let before = first.metrics();
    wait_until_kept(&folder);
    first.signal("-KILL");
    first.wait();
    // Nothing can be asked any more: whatever is there is remembered.
    sim.fault(OWN, None, Fault::AccessDenied);
    let second = exporter(&sim, &flags);
    let after = second.metrics();
    assert_eq!(names(&after), names(&before));
    assert_eq!(after.status_of(&member_id(0), "IAM.9"), "passed");
    assert_eq!(after.value("aws_mfa_exporter_initial_pass_complete"), Some(0.0));
    let failed =
        format!("aws_mfa_control_last_failed_timestamp_seconds{{account_id=\"{}\",control=\"IAM.9\"}}", member_id(1));
    assert_eq!(after.value(&failed).is_some(), before.value(&failed).is_some());
    // It is not believed for longer than it was.
    second
        .wait_for("its age", Duration::from_secs(60), |samples| samples.status_of(&member_id(0), "IAM.9") == "unknown");
}

#[test]
fn a_state_file_is_its_owners_alone_and_names_no_user() {
    use std::os::unix::fs::PermissionsExt as _;
    let sim = crate::support::sim(crate::support::healthy());
    let folder = tempfile::tempdir().unwrap();
    let mut exporter = exporter(&sim, &[&state_flag(&folder)]);
    exporter.expect("IAM.6", "passed");
    exporter.signal("-TERM");
    assert_eq!(exporter.wait(), Some(0));
    let path = folder.path().join("state.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(crate::support::ID) && !text.contains("arn:"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_state_file_that_cannot_be_used_is_set_aside_and_told_of() {
    let sim = crate::support::sim(crate::support::healthy());
    for (text, told) in [
        ("{\"version\":2,\"sha", "damaged"),
        ("{\"version\":1,\"shard\":0}", "version is 1"),
        ("{\"version\":99}", "version is 99"),
        (
            "{\"version\":2,\"shard\":1,\"total_shards\":2,\"lone\":true,\"listed\":null,\"accounts\":[]}",
            "shard 1 of 2",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        fs::write(&path, text).unwrap();
        let exporter = exporter(&sim, &[&state_flag(&folder)]);
        exporter.expect("IAM.9", "passed");
        let log = exporter.log();
        assert!(log.contains(told) && log.contains("renames the file"), "{told}: {log}");
        assert_eq!(fs::read_to_string(folder.path().join("state.json.unusable")).unwrap(), text);
    }
}

#[test]
fn a_state_file_with_no_folder_is_an_error_at_the_start() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"))
        .args(["--web.listen-address=127.0.0.1:0", "--state.file=/nowhere/at/all/state.json"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/at/all/state.json"));
}

/// The state of one account is not shown for another's.
#[test]
fn a_state_file_of_another_account_is_forgotten_as_soon_as_the_credentials_say_so() {
    let sim = crate::support::sim(crate::support::healthy());
    let folder = tempfile::tempdir().unwrap();
    let mut first = exporter(&sim, &[&state_flag(&folder)]);
    first.expect("IAM.9", "passed");
    first.signal("-TERM");
    first.wait();
    sim.add(Account::with_root_devices("222222222222", &[]));
    sim.credentials(KEY, "222222222222");
    let second = exporter(&sim, &[&state_flag(&folder)]);
    let samples =
        second.wait_for("the other's verdict", SOON, |samples| samples.status_of("222222222222", "IAM.9") == "failed");
    assert!(!samples.names().any(|name| name.contains(crate::support::ID)), "{samples}");
}

/// Killed a hundred times, at any moment and in the middle of writing, it always
/// starts, and always with all that it knew.
#[test]
fn killed_at_any_moment_it_starts_with_what_it_knew() {
    let sim = Sim::start(organization((0..20).map(|n| good(&member_id(n))).collect())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--organization.role-name=aws-mfa-exporter", &state_flag(&folder), "--state.interval=10ms"];
    let mut running = exporter(&sim, &flags);
    running
        .wait_for("verdicts", SOON, |samples| (0..20).all(|n| samples.status_of(&member_id(n), "IAM.6") == "passed"));
    let known = |samples: &Samples| -> Vec<String> {
        names(samples)
            .into_iter()
            .filter(|name| name.contains("control_status") || name.contains("mfa_account_info"))
            .collect()
    };
    let wanted = known(&running.metrics());
    assert_eq!(wanted.len(), 21 * 21, "one account_info and four samples of five controls");
    wait_until_kept(&folder);
    let half_written = folder.path().join("state.json.new");
    let mut in_the_middle = 0;
    for n in 0..100u64 {
        if n % 5 != 0 {
            std::thread::sleep(Duration::from_millis(n * 37 % 150));
        } else {
            let began = Instant::now();
            while !half_written.exists() {
                assert!(began.elapsed() < Duration::from_secs(30), "nothing is written\n{}", running.log());
                std::hint::spin_loop();
            }
            std::thread::sleep(Duration::from_micros(n * 17 % 400));
        }
        running.signal("-KILL");
        running.wait();
        in_the_middle += u32::from(half_written.exists());
        running = exporter(&sim, &flags);
        assert_eq!(known(&running.metrics()), wanted, "after {n} kills\n{}", running.log());
        assert!(!running.log().contains("cannot use the state file"), "{}", running.log());
    }
    assert!(in_the_middle >= 3, "{in_the_middle} kills left half a file");
}

/// Units and tags are labels once the organization has said what they are; what
/// cannot be asked is no label, and what was known stays.
#[test]
fn units_and_chosen_tags_are_labels_of_an_account() {
    let mut scenario = organization(vec![good(&member_id(1)), good(&member_id(2))]);
    let directory = scenario.organization.as_mut().unwrap();
    directory.units = vec![Unit { id: "ou-1".into(), name: "Workloads".into(), parent: aws_sim::ROOT.into() }];
    directory.members[1].unit = "ou-1".into();
    directory.members[1].tags =
        [("team".to_owned(), "a \"b\"".to_owned()), ("other".to_owned(), "x".to_owned())].into();
    let sim = Sim::start(scenario).unwrap();
    let text = "organization: {role_name: aws-mfa-exporter, interval: 10s, labels: {ou: true, tags: [team]}}\n";
    let (exporter, _file) = configured(&sim, text, &[]);
    let label = |id: &str, ou: &str, team: &str| {
        format!("aws_mfa_account_labels{{account_id=\"{id}\",ou=\"{ou}\",tag_team=\"{team}\"}}")
    };
    let wanted = [label(&member_id(1), "Workloads", "a \\\"b\\\""), label(&member_id(2), "", "")];
    let has_all = |samples: &Samples| wanted.iter().all(|series| samples.value(series) == Some(1.0));
    exporter.wait_for("labels", SOON, has_all);
    sim.fault(OWN, Some("ListTagsForResource"), Fault::AccessDenied);
    exporter.wait_for("a fault", SOON, |samples| samples.value("aws_mfa_discovery_up") == Some(0.0));
    assert!(has_all(&exporter.metrics()), "what cannot be asked is what it was");
    sim.clear_faults();
    sim.edit_organization(|organization| _ = organization.members[2].tags.insert("team".into(), "c".into()));
    let moved = label(&member_id(2), "", "c");
    exporter.wait_for("a new owner", SOON, |samples| samples.value(&moved) == Some(1.0));
}

/// An exemption for a control is a row, and its verdict is what it was.
#[test]
fn a_control_that_is_exempt_is_still_failed() {
    let sim = Sim::start(organization(vec![bad(&member_id(1)), bad(&member_id(2))])).unwrap();
    let text = format!(
        "organization: {{role_name: aws-mfa-exporter}}\nexemptions:\n\
         - {{id: T-1, account: \"{0}\", control: root, reason: x}}\n\
         - {{id: T-2, account: \"{1}\", control: IAM.6, reason: x, until: 2020-01-01}}\n",
        member_id(1),
        member_id(2)
    );
    let (exporter, _file) = configured(&sim, &text, &[]);
    let row = |id: &str, control: &str, exemption: &str| {
        format!("aws_mfa_control_exemption_info{{account_id=\"{id}\",control=\"{control}\",exemption=\"{exemption}\"}}")
    };
    let samples = exporter.wait_for("a verdict", SOON, |samples| samples.status_of(&member_id(1), "IAM.9") == "failed");
    for control in ["IAM.9", "IAM.6", "IAM.4"] {
        assert_eq!(samples.value(&row(&member_id(1), control, "T-1")), Some(1.0), "{control}");
    }
    let rows = samples.names().filter(|name| name.starts_with("aws_mfa_control_exemption_info")).count();
    assert_eq!(rows, 3, "one that has ended is no row, and users have none");
    let end = samples.value("aws_mfa_exemption_expiry_timestamp_seconds{exemption=\"T-2\"}");
    assert_eq!(end, Some(1_577_836_800.0), "its end is told of all the same");
}

/// Of each user without a virtual device AWS is asked by itself, hundreds at a time; a
/// heartbeat does not stand in line behind them.
#[test]
fn heartbeats_do_not_wait_behind_questions_about_users() {
    let mix = Mix { key_only: 0, fido: 100, hardware: 0, unprotected: 0 };
    let of = |n: usize| {
        let account = good(&member_id(n));
        Account { users: users(&account, 100, mix), ..account }
    };
    let latency_ms = 600;
    let sim = Sim::start(Scenario { latency_ms, ..organization((0..30).map(of).collect()) }).unwrap();
    let flags = ["--organization.role-name=aws-mfa-exporter", "--collector.root.interval=2s"];
    let exporter = Exporter::start(&sim.endpoint(), &flags);
    let asked = || sim.total("ListMFADevices");
    exporter.wait_for("many questions", SOON, |_| asked() > 300);
    let deadline = Instant::now() + Duration::from_secs(12);
    let mut slowest = 0.0_f64;
    while Instant::now() < deadline {
        let samples = exporter.metrics();
        let took = (0..30).filter_map(|n| {
            let id = member_id(n);
            samples.value(&format!("aws_mfa_collector_duration_seconds{{account_id=\"{id}\",collector=\"root\"}}"))
        });
        slowest = took.fold(slowest, f64::max);
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(asked() < 2_900, "there were questions all the while");
    // In one line with them it takes more than four seconds.
    assert!((0.6..2.5).contains(&slowest), "a heartbeat took {slowest} s");
}
