//! What an audit tells, with the real binary.

use std::thread;

use aws_sim::{Account, Fault, Sim, User};

use super::{
    CONTROLS, MEMBER, OTHER, OWN, SOON, as_of, auditing, devices, organization, roleless, sim, start, verdicts,
    with_role,
};
use crate::{
    permissions::statements,
    support::{Exporter, one_shot},
};

fn virtual_too(id: &str) -> Account {
    let mut account = roleless(id);
    let phone = account.virtual_serial("phone");
    account.root.devices.push(phone);
    account
}

#[test]
fn nothing_calls_assume_root_unless_it_is_switched_on() {
    let sim = sim(vec![with_role(roleless(MEMBER)), roleless(OTHER)]);
    let flags = ["--organization.role-name=aws-mfa-exporter", "--collector.root.interval=1s"];
    let exporter = Exporter::start(&sim.endpoint(), &flags);
    let samples = exporter.wait_for("a verdict", SOON, |samples| samples.status_of(MEMBER, "IAM.6") == "passed");
    assert_eq!(check(&sim, &["--organization.role-name=aws-mfa-exporter"]).0, Some(2));
    for operation in ["AssumeRoot", "ListOrganizationsFeatures", "GetUser"] {
        assert_eq!(sim.total(operation), 0, "{operation}");
    }
    assert!(!samples.names().any(|name| name.contains("rootaudit")), "{samples}");
}

#[test]
fn members_without_a_role_have_verdicts_by_the_audit() {
    let dark = Account::with_root_devices("100000000003", &[]);
    let mut gone = Account::with_root_devices("100000000004", &[]);
    gone.root.password = false;
    let mut keyed = roleless("100000000005");
    keyed.root.access_keys = 1;
    let mut token = Account::with_root_devices("100000000006", &["GAHT12345678"]);
    token.users = vec![User { devices: vec![token.virtual_serial("ann")], ..User::named("ann") }];
    let sim = sim(vec![roleless(MEMBER), virtual_too(OTHER), dark, gone, keyed, token]);
    let exporter = start(&sim, &[]);
    let wanted = [
        (MEMBER, ["passed", "passed", "passed"]),
        (OTHER, ["passed", "failed", "passed"]),
        ("100000000003", ["failed", "failed", "passed"]),
        ("100000000004", ["not_applicable", "not_applicable", "passed"]),
        ("100000000005", ["passed", "passed", "failed"]),
        ("100000000006", ["passed", "passed", "passed"]),
    ];
    let samples = exporter.wait_for("all verdicts", SOON, |samples| {
        wanted.iter().all(|(account, wanted)| verdicts(samples, account) == *wanted)
    });
    for (account, _) in wanted {
        assert_eq!(samples.fault_of(account, "root"), "access_denied", "there is no role");
        assert_eq!(samples.fault_of(account, "rootaudit"), "");
        let audited = samples
            .value(&format!("aws_mfa_source_timestamp_seconds{{account_id=\"{account}\",source=\"root_audit\"}}"));
        assert!(audited.is_some() && CONTROLS.iter().all(|control| as_of(&samples, account, control) == audited));
    }
    assert_eq!(
        ["fido", "hardware_totp", "other", "virtual", "not_virtual"].map(|kind| devices(&samples, OTHER, kind)),
        [Some(1.0), Some(0.0), Some(0.0), Some(1.0), None]
    );
    assert_eq!(["fido", "hardware_totp"].map(|kind| devices(&samples, "100000000006", kind)), [Some(0.0), Some(1.0)]);
    let info = samples.names().find(|name| name.starts_with("aws_mfa_account_info{") && name.contains(MEMBER)).unwrap();
    assert!(info.contains("partition=\"aws\""), "{info}");
}

/// What is asked, in which order, and of whom not.
#[test]
fn an_audit_proves_whose_root_it_is_before_anything_else() {
    let sim = sim(vec![roleless(MEMBER)]);
    let exporter = start(&sim, &[]);
    exporter.wait_for("a verdict", SOON, |samples| samples.status_of(MEMBER, "IAM.6") == "passed");
    let asked = |account: &str| -> Vec<String> {
        let seen = sim.seen().into_iter().filter(|seen| seen.account == account && seen.operation != "AssumeRole");
        seen.map(|seen| seen.operation).collect()
    };
    let list = ["ListMFADevices", "GetAccountSummary"];
    assert_eq!(asked(MEMBER), [&["AssumeRoot", "GetUser", "GetAccountSummary"][..], &list, &list].concat());
    let session = sim.seen().into_iter().find(|seen| seen.operation == "AssumeRoot").unwrap();
    assert_eq!(session.service, "sts");
    assert_eq!(session.params["TargetPrincipal"], MEMBER);
    assert_eq!(session.params["TaskPolicyArn.arn"], "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials");
    assert_eq!(session.params["DurationSeconds"], "120");
    assert_eq!(sim.count(OWN, "ListOrganizationsFeatures"), 1);
    assert_eq!(sim.count(OWN, "AssumeRoot"), 0, "the management account's root is not audited");
    let samples = exporter.metrics();
    assert!(!samples.names().any(|name| name.contains(OWN) && name.contains("rootaudit")), "{samples}");
}

/// A second audit that says the same lists once; sessions are used for one audit each.
#[test]
fn each_audit_has_a_session_of_its_own_and_keeps_to_one_a_second() {
    let sim = sim(vec![roleless(MEMBER), roleless(OTHER)]);
    let exporter = auditing(&sim);
    exporter.wait_for("audits", SOON, |_| sim.total("AssumeRoot") >= 6);
    drop(exporter);
    let seen: Vec<_> = sim.seen().into_iter().filter(|seen| seen.operation == "AssumeRoot").collect();
    let took = seen.last().unwrap().at - seen[0].at;
    assert!(took.as_secs_f64() > seen.len() as f64 - 2.2, "{} in {took:?}", seen.len());
    let proofs = sim.total("GetUser");
    assert!((seen.len() - 1..=seen.len()).contains(&proofs), "{proofs} proofs of {} sessions", seen.len());
    assert!(sim.total("ListMFADevices") <= seen.len() + 2, "only the first audit of each lists twice");
    assert_eq!(sim.count(OWN, "ListOrganizationsFeatures"), 1, "once an hour");
}

#[test]
fn no_credential_of_a_session_reaches_the_log_or_the_state_file() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("state");
    let sim = sim(vec![roleless(MEMBER), roleless(OTHER)]);
    sim.fault_after(OTHER, Some("AssumeRoot"), Fault::Malformed, 0, 1);
    let flags = [
        "--log.level=debug",
        "--collector.rootaudit.interval=1s",
        &format!("--state.file={}", file.display()),
        "--state.interval=1s",
    ];
    let exporter = start(&sim, &flags);
    exporter.wait_for("two verdicts and a fault", SOON, |samples| {
        [MEMBER, OTHER].iter().all(|account| samples.status_of(account, "IAM.6") == "passed")
            && exporter.log().contains("malformed")
            && std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"audit\""))
    });
    for text in [exporter.log(), std::fs::read_to_string(&file).unwrap()] {
        for secret in ["simulated-secret", "simulated-token", "ASIASIMULATED", "u2f/root"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

/// The audit sees the virtual device that a lagging list does not show.
#[test]
fn a_failing_audit_goes_before_a_list_that_passes() {
    let sim = sim(vec![with_role(virtual_too(MEMBER))]);
    let stale = with_role(Account { id: MEMBER.into(), ..roleless(MEMBER) });
    let mut blind = sim.account(MEMBER);
    blind.root.devices = stale.root.devices;
    sim.fault(MEMBER, Some("ListVirtualMFADevices"), Fault::Stale(Box::new(blind)));
    let exporter = auditing(&sim);
    let samples = exporter.wait_for("an audit", SOON, |samples| samples.status_of(MEMBER, "IAM.6") == "failed");
    assert_eq!(
        (samples.fault_of(MEMBER, "devices"), samples.status_of(MEMBER, "IAM.9")),
        (String::new(), "passed".into())
    );
}

/// Where the role may not list devices, the audit has them; and a heartbeat that shows
/// another account than the audit ends that.
#[test]
fn an_audit_speaks_for_iam6_where_the_role_may_not_list_and_only_while_no_counter_moves() {
    let sim = sim(vec![with_role(roleless(MEMBER))]);
    sim.fault(MEMBER, Some("ListVirtualMFADevices"), Fault::AccessDenied);
    let exporter = start(&sim, &[]);
    let samples = exporter.wait_for("a verdict", SOON, |samples| samples.status_of(MEMBER, "IAM.6") == "passed");
    assert_eq!(samples.fault_of(MEMBER, "devices"), "access_denied");
    sim.edit(MEMBER, |account| account.root.devices.push(account.virtual_serial("phone")));
    let samples = exporter.wait_for("doubt", SOON, |samples| samples.status_of(MEMBER, "IAM.6") == "unknown");
    assert_eq!(samples.status_of(MEMBER, "IAM.9"), "passed", "the heartbeat's");
    assert!(devices(&samples, MEMBER, "fido").is_none(), "{samples}");
}

/// D13: no counter moves.
#[test]
fn a_swap_of_one_key_for_another_is_told_at_the_next_audit() {
    let sim = sim(vec![with_role(roleless(MEMBER))]);
    let exporter = auditing(&sim);
    let changed = format!("aws_mfa_root_devices_changed_timestamp_seconds{{account_id=\"{MEMBER}\"}}");
    let samples = exporter.wait_for("the kinds", SOON, |samples| devices(samples, MEMBER, "fido") == Some(1.0));
    assert_eq!(samples.value(&changed), None);
    sim.edit(MEMBER, |account| account.root.devices = vec![account.root_fido_serial("intruder")]);
    let samples = exporter.wait_for("the change", SOON, |samples| samples.value(&changed).is_some());
    assert_eq!(samples.status_of(MEMBER, "IAM.6"), "passed");
    assert!(exporter.log().contains("The MFA devices of the root user have changed."));
}

#[test]
fn an_audit_outlives_the_process_and_is_not_made_again_before_its_time() {
    let state = tempfile::tempdir().unwrap();
    let flag = format!("--state.file={}", state.path().join("state").display());
    let sim = sim(vec![roleless(MEMBER)]);
    let mut exporter = start(&sim, &[&flag]);
    let before = exporter.wait_for("a verdict", SOON, |samples| samples.status_of(MEMBER, "IAM.6") == "passed");
    exporter.signal("-TERM");
    exporter.wait();
    let exporter = start(&sim, &[&flag]);
    let after = exporter.wait_for("the verdict of before", SOON, |samples| {
        samples.status_of(MEMBER, "IAM.6") == "passed" && samples.fault_of(MEMBER, "root") == "access_denied"
    });
    assert_eq!(as_of(&after, MEMBER, "IAM.6"), as_of(&before, MEMBER, "IAM.6"));
    thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(sim.total("AssumeRoot"), 1);
}

fn check(sim: &Sim, flags: &[&str]) -> (Option<i32>, String, String) {
    one_shot(sim, &[&["check", "--no-collector.users"], flags].concat())
}

#[test]
fn check_audits_once_and_fails_because_of_one() {
    let sim = sim(vec![roleless(MEMBER)]);
    let flags = ["--organization.role-name=aws-mfa-exporter", "--collector.rootaudit"];
    let (code, text, _) = check(&sim, &flags);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(sim.total("AssumeRoot"), 1);
    sim.edit(MEMBER, |account| account.root.devices = vec![account.virtual_serial("phone")]);
    let (code, text, _) = check(&sim, &flags);
    assert!(code == Some(1) && text.contains("root has a virtual MFA device"), "{text}");
    sim.edit_organization(|organization| organization.root_access.features.clear());
    let (code, text, _) = check(&sim, &flags);
    assert!(code == Some(2) && text.contains("he organization does not manage root credentials centrally"), "{text}");
    let (code, _, error) = check(&sim, &["--collector.rootaudit"]);
    assert_eq!(code, Some(3));
    assert!(
        error.contains("the collector rootaudit needs an organization: also give --organization.role-name"),
        "{error}"
    );
}

fn printed(flags: &[&str]) -> Vec<serde_json::Value> {
    statements(&[&["--organization.role-name=x"], flags].concat())
}

/// Without the condition, the same permission deletes root's credentials.
#[test]
fn the_permission_is_printed_with_its_condition_and_only_where_it_is_needed() {
    let assumes =
        |statements: &[serde_json::Value]| statements.iter().any(|one| one.to_string().contains("AssumeRoot"));
    assert!(!assumes(&printed(&["--of=exporter"])) && !assumes(&printed(&["--collector.rootaudit"])));
    let statements = printed(&["--of=exporter", "--collector.rootaudit"]);
    let own: Vec<_> = statements
        .iter()
        .filter(|one| one.to_string().contains("Root\"") || one.to_string().contains("RootAccess"))
        .collect();
    let wanted = serde_json::json!([
        {
            "Sid": "AwsMfaExporterAsksForRootAccess",
            "Effect": "Allow",
            "Action": ["iam:ListOrganizationsFeatures"],
            "Resource": ["*"]
        },
        {
            "Sid": "AwsMfaExporterAuditsRoot",
            "Effect": "Allow",
            "Action": ["sts:AssumeRoot"],
            "Resource": ["arn:aws:iam::*:root"],
            "Condition": {
                "ArnEquals": {"sts:TaskPolicyArn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
            }
        }
    ]);
    assert_eq!(serde_json::json!(own), wanted);
    let terraform = include_str!("../../../deploy/iam/terraform/exporter-role/rootaudit.json");
    let terraform: serde_json::Value = serde_json::from_str(terraform).unwrap();
    assert_eq!(terraform["Statement"], wanted);
    let template = include_str!("../../../deploy/iam/rootaudit-policy.yaml");
    let words: Vec<_> = template.split_whitespace().collect();
    let wanted = "Action: sts:AssumeRoot Resource: arn:aws:iam::*:root Condition: ArnEquals: sts:TaskPolicyArn: \
                  arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials";
    assert!(words.join(" ").ends_with(wanted), "{template}");
    assert!(template.contains("Action: iam:ListOrganizationsFeatures\n"));
    assert_eq!(template.matches("Effect: Allow").count(), 2);
}

/// Of what is printed, each action is needed, and nothing else is.
#[test]
fn the_printed_policy_is_enough_and_each_action_is_needed() {
    let all = ["iam:ListOrganizationsFeatures", "sts:AssumeRoot"];
    thread::scope(|scope| {
        for left_out in [None, Some(all[0]), Some(all[1])] {
            scope.spawn(move || {
                let sim = Sim::start(organization(vec![roleless(MEMBER)])).unwrap();
                // What the session may do, the task's policy says.
                let reads = ["iam:GetUser", "iam:GetAccountSummary", "iam:ListMFADevices"];
                let others = ["organizations:ListAccounts", "organizations:DescribeOrganization"];
                let allowed = all.into_iter().filter(|action| Some(*action) != left_out);
                sim.allow_only(allowed.chain(reads).chain(others));
                let exporter = start(&sim, &[]);
                let wanted = if left_out.is_some() { ("unknown", "access_denied") } else { ("passed", "") };
                exporter.wait_for(&format!("without {left_out:?}"), SOON, |samples| {
                    (&*samples.status_of(MEMBER, "IAM.9"), &*samples.fault_of(MEMBER, "rootaudit")) == wanted
                });
            });
        }
    });
}
