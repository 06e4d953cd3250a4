//! What must be allowed: one table, of which the printed policies, the templates and
//! the pages are made; that it is enough; and that each line of it is needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aws_sim::{Account, Member, Organization, Role, Scenario, Sim, Unit, User};
use serde_json::Value;

use crate::support::{Exporter, ID, KEY, Samples, healthy};

const MEMBER: &str = "222222222222";
const ROLE: &str = "aws-mfa-exporter";
const ORGANIZATION: &str = "organization: {role_name: aws-mfa-exporter}\n";
const FILTERED: &str =
    "organization: {role_name: aws-mfa-exporter, exclude: {ous: [Suspended], tags: {root-mfa-exporter: [ignore]}}}\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What `iam-policy` prints.
pub fn printed(flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    let output = command.arg("iam-policy").args(flags).env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Its statements.
pub fn statements(flags: &[&str]) -> Vec<Value> {
    let policy: Value = serde_json::from_str(&printed(flags)).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

/// All actions that it allows.
pub fn allowed(flags: &[&str]) -> Vec<String> {
    actions(&printed(flags)).into_values().flatten().collect()
}

/// The same for the exporter's own role, with this configuration.
fn printed_for(config: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), config).unwrap();
    printed(&["--of=exporter", &format!("--config.file={}", file.path().display())])
}

/// The actions of each statement.
fn actions(policy: &str) -> BTreeMap<String, Vec<String>> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let texts = |list: &Value| list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    statements.map(|one| (one["Sid"].as_str().unwrap().to_owned(), texts(&one["Action"]))).collect()
}

/// Where the queue's reader is a role, the exporter only assumes it.
#[test]
fn who_reads_a_queue_is_allowed_to_and_only_that_queue() {
    let url = "https://sqs.us-east-1.amazonaws.com/111111111111/q";
    let flag = format!("--events.queue-url={url}");
    let own = printed(&["--of=exporter", "--organization.role-name=x", &flag]);
    let statement = &actions(&own)["AwsMfaExporterReceives"];
    assert_eq!(statement, &["sqs:DeleteMessage", "sqs:ReceiveMessage"]);
    assert!(own.contains("\"arn:aws:sqs:us-east-1:111111111111:q\""), "{own}");
    assert!(printed(&[&flag]).contains("sqs:ReceiveMessage"), "the one account's credentials are the exporter's own");
    assert!(!printed(&["--organization.role-name=x", &flag]).contains("sqs:"), "a member's role reads no queue");
    let entered =
        printed_for(&format!("events: [{{queue_url: {url}, role_arn: 'arn:aws:iam::222222222222:role/e'}}]\n"));
    assert!(entered.contains("arn:aws:iam::222222222222:role/e") && !entered.contains("sqs:"), "{entered}");
}

// === one table ===

/// The policies that Terraform reads are what the program prints, byte for byte.
#[test]
fn the_policies_of_the_terraform_modules_are_the_programs_own() {
    let terraform = root().join("deploy/iam/terraform");
    for (file, policy, way) in [
        ("member-role/account.json", printed(&[]), ""),
        ("exporter-role/account.json", printed(&[]), ""),
        ("exporter-role/exporter.json", printed_for(ORGANIZATION), " --of=exporter"),
        ("exporter-role/exporter-units-and-tags.json", printed_for(FILTERED), " --of=exporter"),
    ] {
        let path = terraform.join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &policy).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept == policy, "renew {file}: aws-mfa-exporter iam-policy{way}, or UPDATE_GOLDEN=1");
    }
}

/// The lists of actions in a text, in the order in which they stand there: what is in
/// one list stands on lines of its own, one below the other.
fn lists(text: &str) -> Vec<Vec<String>> {
    let action = |line: &str| {
        let word = line.trim().trim_start_matches("- ").trim_matches([',', '"']);
        let (service, name) = word.split_once(':')?;
        let is_one = ["iam", "organizations", "sts"].contains(&service) && name.chars().all(char::is_alphabetic);
        is_one.then(|| word.to_owned())
    };
    let mut lists = vec![Vec::new()];
    for line in text.lines() {
        match action(line) {
            // A list of lists begins with two dashes.
            Some(one) if line.contains("- - ") => lists.push(vec![one]),
            Some(one) => lists.last_mut().unwrap().push(one),
            None => lists.push(Vec::new()),
        }
    }
    lists.retain(|list| !list.is_empty());
    lists
}

#[test]
fn the_templates_and_the_pages_allow_what_the_policies_do() {
    let reads = actions(&printed(&[])).remove("AwsMfaExporterReads").unwrap();
    let mut own = actions(&printed_for(ORGANIZATION));
    let mut filtered = actions(&printed_for(FILTERED));
    let lists_accounts = own.remove("AwsMfaExporterLists").unwrap();
    let lists_all = filtered.remove("AwsMfaExporterLists").unwrap();
    let assumes = own.remove("AwsMfaExporterAssumes").unwrap();
    let exporter = vec![reads.clone(), lists_all, lists_accounts, assumes.clone()];
    for (file, wanted) in [
        ("README.md", vec![reads.clone()]),
        ("deploy/iam/member-role.yaml", vec![reads.clone()]),
        ("deploy/iam/organization.yaml", vec![reads.clone(), reads]),
        // The trust of EKS Pod Identity, which is AWS's and not ours, asks for the same two.
        ("deploy/iam/exporter-role.yaml", [vec![assumes], exporter].concat()),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert_eq!(lists(&text), wanted, "{file}");
    }
}

/// What the StackSet gives to the members is the template of one role, letter for letter.
#[test]
fn the_stack_set_holds_the_template_of_the_role() {
    let read = |file: &str| fs::read_to_string(root().join("deploy/iam").join(file)).unwrap();
    let indented: String = read("member-role.yaml").lines().map(|line| format!("        {line}\n")).collect();
    assert!(read("organization.yaml").contains(&indented), "renew it: python3 tests/deploy/generate.py");
}

// === enough, and needed ===

/// An organization of the exporter's account and one other, each with a user of whom
/// everything has to be asked.
fn organization() -> Sim {
    let bare = User { password: true, ..User::named("bare") };
    let own = Account { users: vec![bare.clone()], ..healthy() };
    let other = Account { id: MEMBER.into(), ..Account::default() };
    let key = other.root_fido_serial("key");
    let other =
        Account { users: vec![bare], roles: vec![Role::named(ROLE)], ..Account::with_root_devices(MEMBER, &[&key]) };
    let member = |id: &str| Member { id: id.into(), name: id.into(), unit: "ou-sim-work".into(), ..Member::default() };
    let unit = Unit { id: "ou-sim-work".into(), name: "Work".into(), parent: aws_sim::ROOT.into() };
    Sim::start(Scenario {
        accounts: vec![own, other],
        credentials: BTreeMap::from([(KEY.to_owned(), ID.to_owned())]),
        organization: Some(Organization {
            management: ID.into(),
            members: vec![member(ID), member(MEMBER)],
            units: vec![unit],
            ..Organization::default()
        }),
        ..Scenario::default()
    })
    .unwrap()
}

/// The exporter with a heartbeat of a second and this configuration.
fn watch(sim: &Sim, config: &str) -> (Exporter, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), config).unwrap();
    let flag = format!("--config.file={}", file.path().display());
    let flags =
        [&*flag, "--collector.root.interval=1s", "--collector.devices.interval=2s", "--collector.users.interval=2s"];
    (Exporter::start(&sim.endpoint(), &flags), file)
}

/// What is seen of the accounts: their verdicts, and the faults of their collectors.
fn verdicts(samples: &Samples, account: &str) -> [String; 5] {
    CONTROLS.map(|control| samples.status_of(account, control))
}

const SOON: Duration = Duration::from_secs(40);
const CONTROLS: [&str; 5] = ["IAM.9", "IAM.6", "IAM.4", "IAM.5", "IAM.19"];
const KNOWN: [&str; 5] = ["passed", "passed", "passed", "failed", "failed"];

#[test]
fn with_exactly_the_actions_of_the_policies_everything_is_known() {
    for config in [ORGANIZATION, FILTERED] {
        let sim = organization();
        sim.tag_sessions();
        let allowed: BTreeSet<_> = [actions(&printed(&[])), actions(&printed_for(config))]
            .into_iter()
            .flat_map(BTreeMap::into_values)
            .flatten()
            .collect();
        sim.allow_only(allowed.iter().map(String::as_str));
        let (exporter, _file) = watch(&sim, config);
        exporter.wait_for("all verdicts of both", SOON, |samples| {
            verdicts(samples, ID) == KNOWN && verdicts(samples, MEMBER) == KNOWN
        });
        let samples = exporter.metrics();
        let denied: Vec<_> = allowed.iter().filter(|action| was_denied(&samples, action)).collect();
        assert!(denied.is_empty(), "{denied:?}\n{samples}");
        let mut asked: BTreeSet<_> =
            sim.seen().iter().map(|seen| format!("{}:{}", seen.service, seen.operation)).collect();
        // It needs no permission; and the session's tags are not a request.
        asked.remove("sts:GetCallerIdentity");
        asked.insert("sts:TagSession".to_owned());
        assert_eq!(asked, allowed, "what is allowed is what is asked for");
    }
}

/// Watches with every action but one, until `wanted` holds, and shows what is then.
fn without(action: &str, config: &str, wanted: impl Fn(&Samples) -> bool) -> Samples {
    let sim = organization();
    sim.tag_sessions();
    let all = [actions(&printed(&[])), actions(&printed_for(config))].into_iter().flat_map(BTreeMap::into_values);
    let allowed: BTreeSet<_> = all.flatten().filter(|one| one != action).collect();
    sim.allow_only(allowed.iter().map(String::as_str));
    let (exporter, _file) = watch(&sim, config);
    exporter.wait_for(&format!("what is without {action}"), SOON, wanted)
}

/// Whether AWS was heard to refuse an operation.
fn was_denied(samples: &Samples, action: &str) -> bool {
    let (service, operation) = action.split_once(':').unwrap();
    // The tags are part of AssumeRole.
    let operation = if operation == "TagSession" { "AssumeRole" } else { operation };
    let series = format!(
        "aws_mfa_exporter_aws_request_failures_total{{fault=\"access_denied\",operation=\"{operation}\",service=\"{service}\"}}"
    );
    samples.value(&series).is_some_and(|count| count > 0.0)
}

/// Of each read of an account that is not allowed: which collector is down, and what
/// is known of the controls.
const READS: [(&str, &str, [&str; 5]); 7] = [
    ("iam:GetAccountSummary", "root", ["unknown", "unknown", "unknown", "unknown", "unknown"]),
    ("iam:ListVirtualMFADevices", "devices", ["passed", "unknown", "passed", "unknown", "unknown"]),
    ("iam:ListUsers", "users", ["passed", "passed", "passed", "unknown", "unknown"]),
    ("iam:ListMFADevices", "users", ["passed", "passed", "passed", "unknown", "unknown"]),
    ("iam:GetLoginProfile", "users", ["passed", "passed", "passed", "unknown", "failed"]),
    ("iam:GenerateCredentialReport", "users", ["passed", "passed", "passed", "failed", "failed"]),
    ("iam:GetCredentialReport", "users", ["passed", "passed", "passed", "failed", "failed"]),
];

#[test]
fn each_read_that_is_left_out_has_its_fault_and_what_rests_on_it_is_unknown() {
    let reads = actions(&printed(&[])).remove("AwsMfaExporterReads").unwrap();
    let told: BTreeSet<_> = READS.iter().map(|(action, ..)| (*action).to_owned()).collect();
    assert_eq!(told, reads.into_iter().collect(), "each has a line");
    std::thread::scope(|scope| {
        for (action, collector, wanted) in READS {
            scope.spawn(move || {
                let samples = without(action, ORGANIZATION, |samples| {
                    [ID, MEMBER].iter().all(|account| {
                        samples.fault_of(account, collector) == "access_denied" && verdicts(samples, account) == wanted
                    }) && was_denied(samples, action)
                });
                // Only a report tells who has access keys.
                let keys = samples.names().any(|name| name.starts_with("aws_mfa_access_key_users_without_mfa{"));
                assert!(!keys || !action.contains("CredentialReport"), "{action}: {samples}");
            });
        }
    });
}

/// The page on IAM says the same.
#[test]
fn the_page_tells_what_each_read_is_for() {
    let page = fs::read_to_string(root().join("deploy/iam/README.md")).unwrap();
    for (action, collector, verdicts) in READS {
        let unknown: Vec<_> = CONTROLS
            .iter()
            .zip(verdicts)
            .filter(|(_, verdict)| *verdict == "unknown")
            .map(|(control, _)| *control)
            .collect();
        let unknown = if unknown.is_empty() {
            "how many users have an access key and no device".to_owned()
        } else {
            unknown.join(", ")
        };
        let row = format!("| `{action}` | `{collector}` | {unknown} |\n");
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn each_action_of_the_exporter_that_is_left_out_is_told_of_and_no_account_passes() {
    let unknown = ["unknown"; 5];
    let nothing = [""; 5];
    std::thread::scope(|scope| {
        for action in ["sts:AssumeRole", "sts:TagSession"] {
            scope.spawn(move || {
                without(action, ORGANIZATION, |samples| {
                    samples.fault_of(MEMBER, "root") == "access_denied"
                        && verdicts(samples, MEMBER) == unknown
                        && verdicts(samples, ID) == KNOWN
                        && was_denied(samples, action)
                });
            });
        }
        scope.spawn(move || {
            without("organizations:ListAccounts", ORGANIZATION, |samples| {
                samples.value("aws_mfa_discovery_up") == Some(0.0)
                    && verdicts(samples, MEMBER) == nothing
                    && was_denied(samples, "organizations:ListAccounts")
            });
        });
        for action in [
            "organizations:DescribeOrganization",
            "organizations:ListAccountsForParent",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListRoots",
            "organizations:ListTagsForResource",
        ] {
            // An account whose unit or tags cannot be read is watched all the same.
            scope.spawn(move || {
                without(action, FILTERED, |samples| {
                    samples.value("aws_mfa_discovery_up") == Some(0.0)
                        && verdicts(samples, MEMBER) == KNOWN
                        && was_denied(samples, action)
                });
            });
        }
    });
}
