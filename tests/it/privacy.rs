//! Names that tell who somebody is, and secrets, through everything that the exporter
//! writes: logs of every level, pages, metrics, the state file, the output of commands. A
//! name is written where it was asked for and nowhere else; a secret never is.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, Group, Member, Organization, Role, Scenario, Sim, User};
use aws_smithy_types::base64;

use crate::{
    harness::Authority,
    support::{Exporter, ID, KEY, Response},
};

const OTHER: &str = "222222222222";

/// Users, a path, a device's name, whom an exemption is for, a group, a policy.
const NAMES: [&str; 7] = [
    "zaphod-telling",
    "trillian-telling",
    "telling-path",
    "telling-phone",
    "telling-exempt",
    "telling-group",
    "telling-document",
];

const PASSWORD: &str = "telling-password";

/// Secrets of the environment, of the files, of AWS and of clients.
const SECRETS: [&str; 9] = [
    "telling-aws-secret",
    "telling-aws-token",
    "simulated-secret-",
    "simulated-token-",
    "telling-external-id",
    PASSWORD,
    "telling-guess",
    "telling-slip",
    "$2b$04$",
];

const SOON: Duration = Duration::from_secs(25);

/// All that was written, with where.
#[derive(Default)]
struct Written(Vec<(String, String)>);

/// Two accounts, a configuration, certificates.
struct World {
    sim: Sim,
    authority: Authority,
    inline_key: String,
}

fn account(id: &str) -> Account {
    let account = Account { id: id.into(), ..Account::default() };
    let key = account.root_fido_serial("key");
    let user = |name: &str, devices: Vec<String>| User {
        path: "/telling-path/".into(),
        password: true,
        access_keys: vec![true],
        devices,
        groups: vec!["telling-group".into()],
        ..User::named(name)
    };
    let users = vec![
        user("zaphod-telling", vec![]),
        user("trillian-telling", vec![account.virtual_serial("telling-phone")]),
        user("telling-exempt", vec![]),
    ];
    let role = Role { external_id: Some("telling-external-id".into()), ..Role::named("aws-mfa-exporter") };
    // A document that nobody can read is told of, and not shown.
    let groups = vec![Group::with("telling-group", "telling-document")];
    Account { users, groups, roles: vec![role], ..Account::with_root_devices(id, &[&key]) }
}

impl World {
    fn new() -> Self {
        let members = vec![Member::new(ID, "one"), Member::new(OTHER, "two")];
        let sim = Sim::start(Scenario {
            accounts: vec![account(ID), account(OTHER)],
            credentials: BTreeMap::from([(KEY.to_owned(), ID.to_owned())]),
            organization: Some(Organization { management: ID.into(), members, ..Organization::default() }),
            ..Scenario::default()
        });
        let authority = Authority::new();
        let key = fs::read_to_string(authority.path("server.key")).unwrap();
        let world = Self { sim: sim.unwrap(), inline_key: key.lines().nth(1).unwrap().to_owned(), authority };
        world.configure();
        world
    }

    /// Both files as they should be.
    fn configure(&self) {
        let text = "organization: {role_name: aws-mfa-exporter, external_id: telling-external-id}\n\
                    exemptions: [{id: OPS-1, user: telling-exempt, reason: no console}]\n";
        fs::write(self.authority.path("config.yml"), text).unwrap();
        let key = fs::read_to_string(self.authority.path("server.key")).unwrap().replace('\n', "\n    ");
        let hash = bcrypt::hash(PASSWORD, 4).unwrap();
        self.authority.configure(&format!(
            "tls_server_config:\n  cert_file: server.pem\n  key: |\n    {key}\nbasic_auth_users: {{ann: '{hash}'}}\n"
        ));
    }

    /// Both files so that they cannot be used, with what is secret where it should not be.
    fn spoil(&self) {
        let text = "organization: {role_name: aws-mfa-exporter, external_id: telling-external-id, color: red}\n\
                    exemptions: [{id: OPS-1, user: telling-exempt}]\n";
        fs::write(self.authority.path("config.yml"), text).unwrap();
        let web = fs::read_to_string(self.authority.path("web.yml")).unwrap();
        self.authority.configure(&format!("{web}telling-slip: {PASSWORD}\n"));
    }

    fn flags(&self) -> Vec<String> {
        let path = |name: &str| self.authority.path(name).display().to_string();
        vec![format!("--config.file={}", path("config.yml")), format!("--web.config.file={}", path("web.yml"))]
    }

    fn environment<'a>(&self, endpoint: &'a str) -> [(&'static str, &'a str); 4] {
        let secret = ("AWS_SECRET_ACCESS_KEY", "telling-aws-secret");
        [("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", KEY), secret, ("AWS_SESSION_TOKEN", "telling-aws-token")]
    }

    fn start(&self, format: &str, more: &[&str]) -> Exporter {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        let state = format!("--state.file={}", self.authority.path("state.json").display());
        command.args(["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle", "--log.level=debug"]);
        command.args(["--collector.root.interval=1s", "--collector.users.interval=1s", "--state.interval=100ms"]);
        command.args(["--collector.policies", "--collector.policies.interval=1s"]);
        command.args([&state, &format!("--log.format={format}")]).args(self.flags()).args(more);
        Exporter::of(command, &self.environment(&self.sim.endpoint()))
    }

    fn ask(&self, exporter: &Exporter, request: &str, password: &str) -> Response {
        let mut stream = self.authority.connect(exporter.address.parse().unwrap(), None);
        let credentials = base64::encode(format!("ann:{password}"));
        let bytes = format!("{request}Host: x\r\nConnection: close\r\nAuthorization: Basic {credentials}\r\n\r\n");
        stream.write_all(bytes.as_bytes()).unwrap();
        Response::read(&mut stream)
    }

    fn metrics(&self, exporter: &Exporter) -> String {
        self.ask(exporter, "GET /metrics HTTP/1.1\r\n", PASSWORD).text()
    }

    /// Scrapes until this stands there.
    fn wait_for(&self, exporter: &Exporter, wanted: &str) {
        let began = Instant::now();
        while !self.metrics(exporter).contains(wanted) {
            assert!(began.elapsed() < SOON, "no {wanted}\n{}\n{}", self.metrics(exporter), exporter.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Every page, and every refusal.
    fn pages(&self, exporter: &Exporter, written: &mut Written) {
        let openmetrics = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0\r\n";
        let large = format!("GET /metrics HTTP/1.1\r\nX-Large: {}\r\n", "telling-slip".repeat(2_000));
        for request in ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing", "/metrics?collect[]=users"]
            .map(|path| format!("GET {path} HTTP/1.1\r\n"))
            .into_iter()
            .chain([openmetrics.to_owned(), large, "POST /-/reload HTTP/1.1\r\n".into()])
        {
            for password in [PASSWORD, "telling-guess"] {
                let Response { status, head, body } = self.ask(exporter, &request, password);
                let what = format!("{status} for {}", request.chars().take(40).collect::<String>().trim());
                written.0.push((what, head + &String::from_utf8_lossy(&body)));
            }
        }
    }

    /// `check` in every form, as standard output and standard error.
    fn commands(&self, written: &mut Written) {
        for arguments in [&["check"][..], &["check", "--output=json"], &["check", "--output=prometheus"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
            command.args(arguments).args(&self.flags()[..1]).arg("--log.level=debug").env_clear();
            let output = command.envs(self.environment(&self.sim.endpoint())).output().unwrap();
            let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(text.contains(OTHER), "{arguments:?}: {text}");
            written.0.push((arguments.join(" "), text));
        }
    }
}

impl Written {
    fn holds_none_of(&self, words: &[&str]) {
        for (place, text) in &self.0 {
            for word in words {
                assert!(!text.contains(word), "{word} in {place}: {text}");
            }
        }
    }
}

/// Whatever fails, and however it is told.
const FAULTS: [(Option<&str>, Fault); 5] = [
    (Some("ListMFADevices"), Fault::Throttled),
    (Some("ListUsers"), Fault::HalfDocument),
    (None, Fault::NotXml),
    (Some("GetCredentialReport"), Fault::Malformed),
    (Some("AssumeRole"), Fault::AccessDenied),
];

/// Runs an exporter through everything; what it has written, and its state file.
fn run(format: &str, more: &[&str]) -> Written {
    let (world, mut written) = (World::new(), Written::default());
    // Passwords are asked for at once, and hours later again.
    world.sim.fault(OTHER, Some("GetLoginProfile"), Fault::AccessDenied);
    let mut exporter = world.start(format, more);
    let denied =
        format!("aws_mfa_collector_fault{{account_id=\"{OTHER}\",collector=\"users\",fault=\"access_denied\"}} 1");
    world.wait_for(&exporter, &denied);
    world.sim.clear_faults();
    world.wait_for(
        &exporter,
        &format!("aws_mfa_control_status{{account_id=\"{OTHER}\",control=\"IAM.5\",status=\"failed\"}} 1"),
    );
    world.pages(&exporter, &mut written);
    for (operation, fault) in FAULTS {
        world.sim.fault(OTHER, operation, fault);
        thread::sleep(Duration::from_millis(1_200));
        written.0.push((
            format!("/ while {operation:?} fails"),
            world.ask(&exporter, "GET / HTTP/1.1\r\n", PASSWORD).text(),
        ));
        written.0.push((format!("/metrics while {operation:?} fails"), world.metrics(&exporter)));
        world.sim.clear_faults();
    }
    world.spoil();
    exporter.signal("-HUP");
    world.wait_for(&exporter, "aws_mfa_exporter_config_last_reload_successful 0");
    world.wait_for(&exporter, "aws_mfa_exporter_web_config_last_reload_successful 0");
    world.pages(&exporter, &mut written);
    world.configure();
    world.commands(&mut written);
    exporter.signal("-TERM");
    assert_eq!(exporter.wait(), Some(0), "{}", exporter.log());
    let state = fs::read_to_string(world.authority.path("state.json")).unwrap();
    assert!(state.contains("AIDA"), "the state file knows them by their ids");
    written.0.extend([("the state file".to_owned(), state), ("the log".to_owned(), exporter.log())]);
    written.holds_none_of(&SECRETS);
    written.holds_none_of(&[&world.inline_key, &base64::encode(format!("ann:{PASSWORD}"))]);
    written
}

#[test]
fn no_name_and_no_secret_is_written_anywhere() {
    for format in ["logfmt", "json"] {
        let written = run(format, &[]);
        written.holds_none_of(&NAMES);
        let (_, log) = written.0.last().unwrap();
        for told in ["debug", "GetLoginProfile", "config.yml", "web.yml"] {
            assert!(log.contains(told), "no {told}: {log}");
        }
    }
}

/// Where names are asked for, they are in the metrics, and still in no log and no file.
#[test]
fn names_that_are_asked_for_are_in_the_metrics_alone() {
    let written = run("logfmt", &["--collector.users.names=failing"]);
    let (named, silent): (Vec<_>, Vec<_>) = written.0.into_iter().partition(|(place, _)| place.contains("/metrics"));
    assert!(named.iter().any(|(_, text)| text.contains("user=\"zaphod-telling\"")), "this test can see a name");
    Written(named).holds_none_of(&["telling-path", "telling-phone", "trillian-telling"]);
    Written(silent).holds_none_of(&NAMES);
}
