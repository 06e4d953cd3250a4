//! Credentials, environments and mistakes as people really have them: each way of
//! handing credentials over, and each way in which that goes wrong, with the real
//! binary in a home of its own and everything that it asks on loopback.

/// Why a source of credentials gave none.
mod causes;
/// A host whose clock is wrong.
mod clock;
/// The tables of files and of keys of a profile.
mod files;
/// Every source in every state, as the page in deploy/ has it.
mod matrix;
/// Certificates and proxies.
mod network;
/// Profiles that the exporter's configuration names.
mod profiles;
/// The rest: organizations, orphans, agents with old credentials.
mod small;
/// Values that cannot be used.
mod values;
/// The table of variables.
mod variables;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use aws_sim::{Account, Role, Scenario, Sim, Sources};
use serde_json::Value;

use crate::support::{Exporter, ID, KEY, healthy};

/// The secret that belongs to [`KEY`]; the simulated AWS looks at no signature.
const SECRET: &str = "simulated-secret";
const ROLE: &str = "audit";

/// The ARN of a role of the healthy account.
fn role_arn() -> String {
    format!("arn:aws:iam::{ID}:role/{ROLE}")
}

/// The healthy account, with a role, which every source gives credentials of.
fn world() -> Sim {
    let own = Some(ID.to_owned());
    let token = |text: &str| Some(text.to_owned());
    let sources = Sources {
        instance: own.clone(),
        container: own,
        sso_token: token("sso-token"),
        sso_refresh_token: token("sso-refresh"),
        web_identity_token: token("web-token"),
        ..Sources::default()
    };
    let account = Account { roles: vec![Role::named(ROLE)], ..healthy() };
    let credentials = [(KEY.to_owned(), ID.to_owned())].into();
    let sim = Sim::start(Scenario { accounts: vec![account], credentials, ..Scenario::default() }).unwrap();
    sim.edit_sources(|known| *known = sources);
    sim
}

/// A user's home: the files that AWS tools read, and the variables that are set.
#[derive(Debug)]
struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    /// An empty home, whose AWS is `sim`; there is no instance.
    fn at(sim: &Sim) -> Self {
        Self::empty().with("AWS_ENDPOINT_URL", &sim.endpoint())
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Self { folder, variables: Vec::new() };
        let path = home.path("").display().to_string();
        home.with("HOME", &path).with("AWS_EC2_METADATA_DISABLED", "true").with("PATH", "/usr/bin:/bin")
    }

    /// The keys of the healthy account in variables.
    fn keys(self) -> Self {
        self.with("AWS_ACCESS_KEY_ID", KEY).with("AWS_SECRET_ACCESS_KEY", SECRET)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// The metadata service of an instance is the simulated AWS too.
    fn on_an_instance(self, sim: &Sim) -> Self {
        self.without("AWS_EC2_METADATA_DISABLED").with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &sim.endpoint())
    }

    fn beside_an_agent(self, sim: &Sim) -> Self {
        self.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/credentials", sim.endpoint()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A file, in whose text `$HOME` is this home.
    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("$HOME", self.path("").to_str().unwrap().trim_end_matches('/'))).unwrap();
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".aws/config", text)
    }

    fn credentials(self, text: &str) -> Self {
        self.file(".aws/credentials", text)
    }

    /// A program for a shell to run.
    fn program(self, name: &str, text: &str) -> Self {
        let home = self.file(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        home
    }

    /// A login of IAM Identity Center that was made in this home: the file that `aws sso
    /// login` leaves, for session `dev`, and until when it is good.
    fn sso_login(self, expires: &str) -> Self {
        // SHA-1 of "dev".
        let text = format!(
            "{{\"accessToken\": \"sso-token\", \"expiresAt\": \"{expires}\", \"region\": \"us-east-1\", \
             \"startUrl\": \"https://example.awsapps.com/start\"}}"
        );
        self.file(".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json", &text)
    }

    /// Runs `check`, and tells what it said of the credentials.
    fn check(&self, flags: &[&str]) -> Report {
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        command.args(flags).args(["check", "--output=json"]).stdin(Stdio::null()).env_clear();
        let output = command.envs(self.variables.iter().cloned()).output().unwrap();
        let text = String::from_utf8([&*output.stdout, b"\n", &*output.stderr].concat()).unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
        let fault = |key: &str| json["fault"][key].as_str().unwrap_or_default().to_owned();
        let (class, detail, remedy) = (fault("class"), fault("detail"), fault("remedy"));
        Report { code: output.status.code(), class, detail, remedy, json, text, took: began.elapsed() }
    }

    /// Starts the exporter. The home must outlive it.
    fn exporter(&self, flags: &[&str]) -> Exporter {
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| (&**name, &**value)).collect();
        let fast = ["--collector.root.interval=1s", "--collector.devices.interval=2s"];
        Exporter::with_environment(&[&fast, flags].concat(), &variables)
    }

    /// A configuration of the exporter that enters the healthy account by `how`.
    fn account(self, how: &str) -> (Self, String) {
        let home = self.file("exporter.yml", &format!("accounts:\n- id: \"{ID}\"\n  {how}\n"));
        let flag = format!("--config.file={}", home.shown("exporter.yml"));
        (home, flag)
    }
}

/// What `check` said.
#[derive(Debug)]
struct Report {
    code: Option<i32>,
    class: String,
    detail: String,
    remedy: String,
    json: Value,
    /// All that was printed.
    text: String,
    took: Duration,
}

impl Report {
    /// The credentials were good.
    fn passes(&self) {
        assert_eq!((self.code, &*self.class), (Some(0), ""), "{}", self.text);
    }

    /// The credentials were not to be had, and why is said in these words. The page has
    /// whatever is said of the network.
    fn says(&self, class: &str, detail: &[&str], remedy: &[&str]) {
        assert_eq!((self.code, &*self.class), (Some(3), class), "{}", self.text);
        for (said, wanted) in [(&self.detail, detail), (&self.remedy, remedy)] {
            for words in wanted {
                assert!(said.contains(words), "{words:?} is not said: {}", self.text);
            }
        }
        if let Some(reason) = self.detail.split(' ').find(|word| word.starts_with("reason=")) {
            let is_of = |row: &str| row.contains(&format!("`{class}`")) && row.contains(&format!("`{reason}`"));
            assert!(variables::PAGE.lines().any(is_of), "the page has no {class} with {reason}");
        }
        assert!(!self.text.contains(SECRET) && !self.text.contains("panicked"), "{}", self.text);
    }

    /// The fault of a collector of the one account that the configuration names.
    fn of_account(&self) -> [String; 3] {
        let fault = &self.json["accounts"][0]["collectors"][0]["fault"];
        ["class", "detail", "remedy"].map(|key| fault[key].as_str().unwrap_or_default().to_owned())
    }
}
