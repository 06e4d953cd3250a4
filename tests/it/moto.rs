//! The exporter against moto, whose IAM, STS and Organizations nobody here wrote.
//! It knows nothing of root's password, so every verdict on root is unknown; what
//! it can hold is the wire, the credential chain, roles and sessions. It is
//! started strict: signatures, session tokens and policies are checked.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, ChildStdout, Stdio},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    peers::{Peer, moto, python},
    permissions::printed,
    support::{Exporter, KEY, Samples},
};

const ROLE: &str = "--organization.role-name=aws-mfa-exporter";
/// The account that moto gives its first credentials to.
const OWN: &str = "123456789012";
const SOON: Duration = Duration::from_secs(60);

/// What the exporter reports of an account that it can read: moto's summary lacks
/// what there is to know of root's password.
const READ: &str = "incomplete_reply";

/// moto with an organization; see tests/data/strict_moto.py.
struct Moto {
    _server: Peer,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
    world: World,
}

#[derive(Deserialize)]
struct World {
    endpoint: String,
    own: String,
    members: BTreeMap<String, String>,
    exporter: Keys,
}

#[derive(Deserialize)]
struct Keys {
    aws_access_key_id: String,
    aws_secret_access_key: String,
}

/// A policy as the exporter prints it.
fn policy(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(arguments)).unwrap()
}

impl Moto {
    /// Starts moto with sessions of this many seconds, and allows what the exporter
    /// with these flags says that it needs, and nothing else.
    fn start(session: u32, flags: &[&str]) -> Self {
        let mut python = python("python");
        python.args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/strict_moto.py"), &session.to_string()]);
        let mut server = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut words = server.stdin.take().unwrap();
        let mut answers = BufReader::new(server.stdout.take().unwrap());
        let policies = json!({ "exporter": policy(&[&["--of=exporter"], flags].concat()), "member": policy(&[]) });
        writeln!(words, "{policies}").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let world = serde_json::from_str(&line).unwrap();
        Self { _server: Peer(server), words, answers, world }
    }

    /// Has one of the program's words obeyed.
    fn obey(&mut self, word: &str) {
        writeln!(self.words, "{word}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "\"done\"");
    }

    fn exporter(&self, flags: &[&str]) -> Exporter {
        let keys = &self.world.exporter;
        let environment = [
            ("AWS_ENDPOINT_URL", &*self.world.endpoint),
            ("AWS_ACCESS_KEY_ID", &keys.aws_access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &keys.aws_secret_access_key),
        ];
        let slow = ["--collector.root.interval=2s", "--collector.devices.interval=1h"];
        Exporter::with_environment(&[&slow, flags].concat(), &environment)
    }

    fn member(&self, name: &str) -> &str {
        &self.world.members[name]
    }

    /// The accounts whose role allows what the exporter asks.
    fn readable(&self) -> impl Iterator<Item = &str> {
        let members = self.world.members.iter().filter(|(name, _)| *name != "denied").map(|(_, id)| id.as_str());
        members.chain([self.world.own.as_str()])
    }
}

/// Whether root's MFA flag of the account was read, and all else that moto has.
fn is_read(samples: &Samples, account: &str) -> bool {
    let flag = format!("aws_mfa_root_mfa_enabled{{account_id=\"{account}\"}}");
    samples.fault_of(account, "root") == READ && samples.value(&flag) == Some(0.0)
}

fn assumed(samples: &Samples) -> f64 {
    let series = r#"aws_mfa_exporter_aws_requests_total{operation="AssumeRole",service="sts"}"#;
    samples.value(series).unwrap_or_default()
}

/// A file that says how an account is to be entered.
fn file(text: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let flag = format!("--config.file={}", file.path().display());
    (file, flag)
}

/// What it leaves out is unknown, and never a guess.
#[test]
fn moto_answers_and_what_it_leaves_out_is_unknown() {
    let (_moto, address) = moto();
    let profile = tempfile::tempdir().unwrap();
    let credentials = profile.path().join("credentials");
    fs::write(&credentials, format!("[audit]\naws_access_key_id = {KEY}\naws_secret_access_key = x\n")).unwrap();
    let environment = [
        ("AWS_ENDPOINT_URL", &*format!("http://{address}")),
        ("AWS_PROFILE", "audit"),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
    ];
    let exporter =
        Exporter::with_environment(&["--collector.root.interval=1s", "--collector.devices.interval=1s"], &environment);
    let read = |samples: &Samples| samples.fault("root") == READ && samples.fault("devices") != "pending";
    let samples = exporter.wait_for("moto's answer", SOON, read);
    assert_eq!(["IAM.9", "IAM.6"].map(|control| samples.status(control)), ["unknown", "unknown"]);
    assert_eq!(samples.value(&format!("aws_mfa_root_mfa_enabled{{account_id=\"{OWN}\"}}")), Some(0.0));
    let password = format!("aws_mfa_root_credential_present{{account_id=\"{OWN}\",credential=\"password\"}}");
    assert!(samples.value(&password).is_none());
}

/// moto checks each request against the policies that the exporter prints.
#[test]
fn an_organization_of_moto_is_read_with_what_the_printed_policies_allow() {
    let moto = Moto::start(900, &[ROLE]);
    let exporter = moto.exporter(&[ROLE]);
    let denied = moto.member("denied");
    let samples = exporter.wait_for("every account", SOON, |samples| {
        moto.readable().all(|account| is_read(samples, account)) && samples.fault_of(denied, "root") == "access_denied"
    });
    assert_eq!(samples.value(r#"aws_mfa_accounts{state="scanned"}"#), Some(24.0), "23 members, over two pages");
    assert_eq!(samples.value("aws_mfa_discovery_up"), Some(1.0));
    assert_eq!(samples.status_of(denied, "IAM.9"), "unknown");
    assert!(samples.value(&format!("aws_mfa_root_mfa_enabled{{account_id=\"{denied}\"}}")).is_none());
    assert_eq!(assumed(&samples), 23.0, "a session an account, and none for the exporter's own");
}

#[test]
fn sessions_of_motos_sts_are_renewed_before_they_are_over_and_replaced_when_they_are() {
    // A quarter of it is left when a session is given up, in which a slow machine still gets a call through.
    let mut moto = Moto::start(40, &[ROLE]);
    let exporter = moto.exporter(&[ROLE]);
    let all_read = |samples: &Samples| moto.readable().all(|account| is_read(samples, account));
    let first = exporter.wait_for("every account", SOON, all_read);
    let renewed = exporter.wait_for("a renewal of each", 2 * SOON, |samples| {
        assert!(all_read(samples), "no session is used after its end\n{}", exporter.log());
        assumed(samples) >= assumed(&first) + 22.0
    });
    // In mid-run, and long before they would be renewed.
    moto.obey("end");
    let again = |samples: &Samples| assumed(samples) >= assumed(&renewed) + 22.0;
    exporter.wait_for("new sessions", SOON, again);
    let all_read = |samples: &Samples| moto.readable().all(|account| is_read(samples, account));
    exporter.wait_for("every account again", SOON, all_read);
    assert!(exporter.log().contains("fault=invalid_credentials"), "they were over, and that was seen");
}

#[test]
fn roles_that_motos_sts_no_longer_gives_leave_the_own_account_alone() {
    let mut moto = Moto::start(16, &[ROLE]);
    let exporter = moto.exporter(&[ROLE]);
    exporter.wait_for("every account", SOON, |samples| moto.readable().all(|account| is_read(samples, account)));
    moto.obey("deny");
    exporter.wait_for("the end of the sessions", SOON, |samples| {
        assert!(is_read(samples, OWN), "it needs no role\n{}", exporter.log());
        moto.world.members.values().all(|account| samples.fault_of(account, "root") == "access_denied")
    });
    moto.obey("allow");
    exporter.wait_for("every account again", SOON, |samples| moto.readable().all(|account| is_read(samples, account)));
}

/// (moto lets those in who name none; the simulated AWS does not.)
#[test]
fn motos_sts_refuses_a_wrong_external_id() {
    let entry =
        |more: &str| format!("accounts: [{{id: \"{OWN}\", role_arn: \"arn:aws:iam::{OWN}:role/guarded\"{more}}}]\n");
    let (_kept, plain) = file(&entry(""));
    let moto = Moto::start(900, &[&plain]);
    let enter = |more: &str| {
        let (kept, flag) = file(&entry(more));
        (moto.exporter(&[&flag]), kept)
    };
    let (right, _file) = enter(", external_id: \"open:sesame\"");
    right.wait_for("the account", SOON, |samples| is_read(samples, OWN));
    let (wrong, _file) = enter(", external_id: open-barley");
    let denied = |samples: &Samples| samples.fault_of(OWN, "root") == "access_denied";
    let samples = wrong.wait_for("a denial", SOON, denied);
    assert!(samples.value(&format!("aws_mfa_root_mfa_enabled{{account_id=\"{OWN}\"}}")).is_none(), "{samples}");
    assert!(wrong.log().contains("AssumeRole"), "{}", wrong.log());
}

/// The credentials are good, and not those of the account they are said to be of.
#[test]
fn credentials_that_motos_sts_says_are_anothers_are_refused() {
    let moto = Moto::start(900, &[ROLE]);
    let folder = tempfile::tempdir().unwrap();
    let (profiles, keys) = (folder.path().join("credentials"), &moto.world.exporter);
    let (id, secret) = (&keys.aws_access_key_id, &keys.aws_secret_access_key);
    fs::write(&profiles, format!("[two]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")).unwrap();
    let member = moto.member("member-0");
    let (_file, flag) = file(&format!("accounts: [{{id: \"{member}\", profile: two}}]\n"));
    let environment =
        [("AWS_ENDPOINT_URL", &*moto.world.endpoint), ("AWS_SHARED_CREDENTIALS_FILE", profiles.to_str().unwrap())];
    let exporter = Exporter::with_environment(&[&flag, "--collector.root.interval=1s"], &environment);
    let samples = exporter.wait_for("a refusal", SOON, |samples| samples.fault_of(member, "root") == "wrong_account");
    assert_eq!(samples.state_of(member), "refused");
    assert_eq!(samples.status_of(member, "IAM.9"), "unknown");
    let asked = samples.value(r#"aws_mfa_exporter_aws_requests_total{operation="GetAccountSummary",service="iam"}"#);
    assert_eq!(asked.unwrap_or_default(), 0.0, "nothing is read with credentials that are another's");
}
