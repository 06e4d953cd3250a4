//! `check`, `iam-policy` and `generate`, as a shell sees them.

use std::{
    fs,
    process::{Command, Output},
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, Mix, Root, Sim, User};

use crate::support::{ID, KEY, Samples, healthy, sim};

fn run(endpoint: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    command.args(arguments).env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL", endpoint);
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", "x");
    command.output().unwrap()
}

fn check(sim: &Sim, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(&sim.endpoint(), &[&["check"], arguments].concat());
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn account(root: Root) -> Account {
    Account { id: ID.into(), root, ..Account::default() }
}

#[test]
fn check_exits_0_where_all_is_well() {
    let (code, table) = check(&sim(healthy()), &[]);
    assert_eq!(code, Some(0), "{table}");
    assert!(table.contains("Account 111111111111 (aws)") && !table.contains('\x1b'), "a pipe gets no colours: {table}");
    assert_eq!(check(&sim(account(Root::default())), &[]).0, Some(0), "not applicable is well");
}

#[test]
fn check_exits_1_where_something_failed_and_says_what_to_do() {
    let (code, table) = check(&sim(account(Root { password: true, ..Root::default() })), &[]);
    assert_eq!(code, Some(1));
    assert!(
        table.contains("root has credentials and no MFA device") && table.contains("register an MFA device"),
        "{table}"
    );
}

#[test]
fn check_exits_2_where_something_is_unknown() {
    let sim = sim(healthy());
    sim.fault(ID, Some("ListVirtualMFADevices"), Fault::AccessDenied);
    let (code, table) = check(&sim, &[]);
    assert_eq!(code, Some(2), "{table}");
    assert!(table.contains("access_denied") && table.contains("allow the actions"), "{table}");
}

/// Each had failed in a request of its own, and so the account was named once for each.
#[test]
fn an_account_in_which_two_collectors_are_throttled_is_named_once() {
    let scenario = aws_sim::organization(3);
    let id = scenario.accounts[1].id.clone();
    let sim = Sim::start(scenario).unwrap();
    sim.fault(&id, Some("GetAccountSummary"), Fault::Throttled);
    let (_, table) = check(&sim, &["--organization.role-name=aws-mfa-exporter"]);
    assert!(table.contains(&format!("AWS throttled the call in {id}.\n")), "{table}");
}

#[test]
fn check_exits_1_where_something_failed_and_something_is_unknown() {
    let sim = sim(account(Root { access_keys: 1, devices: vec!["GAHT12345678".into()], ..Root::default() }));
    sim.fault(ID, Some("ListVirtualMFADevices"), Fault::AccessDenied);
    assert_eq!(check(&sim, &[]).0, Some(1));
}

#[test]
fn check_exits_3_where_it_could_not_be_run() {
    let output = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"))
        .arg("check")
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{table}");
    assert!(table.contains("no AWS credentials were found") && table.contains("AWS_PROFILE"), "{table}");
}

/// Cron mails what stands on standard error, and that was empty.
#[test]
fn a_check_that_could_not_be_run_says_so_where_a_person_reads() {
    for output in ["json", "prometheus"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        command.args(["check", "--output", output]).env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
        let result = command.output().unwrap();
        let error = String::from_utf8(result.stderr).unwrap();
        assert_eq!(result.status.code(), Some(3));
        assert!(error.starts_with("error: the check failed: ") && error.contains("AWS_PROFILE"), "{error}");
        assert_eq!(result.stdout.is_empty(), output == "prometheus", "JSON tells it too; metrics would be of nobody");
    }
    let output = run("http://127.0.0.1:9", &["check", "--organization.role-name=x", "--log.format=json"]);
    assert_eq!(output.status.code(), Some(3));
}

/// 2 is a check's word for "something is unknown", and was clap's for a flag with a typing error.
#[test]
fn a_wrong_command_line_is_no_verdict() {
    for wrong in [&["check", "--outptu=json"][..], &["chekc"], &["--config.check"], &["iam-policy", "--of", "exporter"]]
    {
        let output = run("http://127.0.0.1:9", wrong);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{wrong:?}: {error}");
        assert!(error.starts_with("error: ") && output.stdout.is_empty(), "{wrong:?}: {error}");
    }
    for asked in ["--help", "--version"] {
        let output = run("http://127.0.0.1:9", &[asked]);
        assert!(output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty(), "{asked}");
    }
}

/// What a flag was meant to say would go unheard.
#[test]
fn an_external_id_without_a_role_is_a_mistake() {
    let output = run("http://127.0.0.1:9", &["iam-policy", "--organization.external-id=secret-42"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("--organization.role-name") && !error.contains("secret-42"), "{error}");
}

/// Whoever closes a pipe has read enough: that is no error, and no panic.
#[test]
fn a_pipe_that_is_closed_early_is_no_error() {
    let exporter = env!("CARGO_BIN_EXE_aws-mfa-exporter");
    let documents =
        ["generate man", "generate complete-bash", "generate complete-zsh", "generate metrics", "iam-policy"];
    for arguments in documents.into_iter().chain(["--help", "generate complete-fish"]) {
        let line = format!("{{ '{exporter}' {arguments}; echo status $? >&2; }} | true");
        let output = Command::new("sh").args(["-c", &line]).env_clear().output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "status 0\n", "{arguments}");
    }
    let sim = sim(account(Root { password: true, ..Root::default() }));
    let line = format!("{{ '{exporter}' check; echo status $? >&2; }} | true");
    let mut command = Command::new("sh");
    command.args(["-c", &line]).env_clear().env("AWS_ENDPOINT_URL", sim.endpoint()).env("AWS_ACCESS_KEY_ID", KEY);
    let output = command.env("AWS_SECRET_ACCESS_KEY", "x").output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "status 1\n", "the verdict stays the verdict");
}

/// In a pipe nobody counts columns, and something may look for the whole of a name.
#[test]
fn nothing_is_cut_off_in_a_pipe() {
    let sim = Sim::start(aws_sim::organization(30)).unwrap();
    let name = "an account whose name is as long as AWS allows names of accounts";
    sim.edit_organization(|organization| {
        organization.members.iter_mut().for_each(|member| member.name = format!("{name} {}", member.id));
    });
    for n in 2..20 {
        sim.edit(&format!("1{n:011}"), |account| account.roles.clear());
    }
    let (_, table) = check(&sim, &["--organization.role-name=aws-mfa-exporter"]);
    for n in 2..20 {
        let id = format!("1{n:011}");
        assert!(table.contains(&format!("{name} {id}")), "{table}");
        assert_eq!(table.matches(&*id).count(), 3, "its row, its name, and what to do about it: {table}");
    }
    assert!(!table.contains('…') && !table.contains(" more"), "{table}");
}

/// Runs `check` on a terminal of `script`'s; its exit status and all that it wrote.
fn check_on_a_terminal(sim: &Sim, columns: u16, flags: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let line = format!("stty rows 24 cols {columns}; '{}' check {flags}", env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::null()).env_clear();
    script.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL", sim.endpoint()).env("TERM", "xterm");
    script.env("PATH", std::env::var_os("PATH").unwrap()).env("AWS_ACCESS_KEY_ID", KEY);
    let output = script.env("AWS_SECRET_ACCESS_KEY", "x").envs(environment.iter().copied()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_terminal_gets_colours_and_progress_and_a_pipe_neither() {
    let sim = sim(account(Root { password: true, ..Root::default() }));
    let (code, shown) = check_on_a_terminal(&sim, 100, "", &[]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("\x1b[1;31mfailed") && shown.contains("Asking AWS"), "{shown:?}");
    let (_, plain) = check_on_a_terminal(&sim, 100, "", &[("NO_COLOR", "1")]);
    assert!(!plain.contains("\x1b[1;") && plain.contains("Asking AWS"), "{plain:?}");
    let (_, dumb) = check_on_a_terminal(&sim, 100, "", &[("TERM", "dumb")]);
    assert!(!dumb.contains('\x1b') && dumb.contains("failed"), "{dumb:?}");
    let output = run(&sim.endpoint(), &["check"]);
    let piped = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!piped.contains('\x1b') && !piped.contains("Asking AWS"), "{piped}");
}

/// It stood behind the progress, in the same line.
#[test]
fn what_a_check_logs_on_a_terminal_takes_the_place_of_the_progress() {
    let sim = sim(account(Root { password: true, ..Root::default() }));
    let flags = format!("--wait-for-echoes=3s --events.queue-url={}", aws_sim::queue::URL);
    let nobody = [("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")];
    let (_, shown) = check_on_a_terminal(&sim, 100, &flags, &nobody);
    let logged: Vec<_> = shown.match_indices("ts=").map(|(at, _)| &shown[..at]).collect();
    assert!(!logged.is_empty() && shown.contains("Waiting for the calls"), "{shown:?}");
    assert!(logged.iter().all(|before| before.ends_with('\n') || before.ends_with("\r\x1b[K")), "{shown:?}");
}

/// A terminal would break a line that is too long anywhere, and a table is none then.
#[test]
fn no_line_of_check_is_wider_than_the_terminal() {
    let sim = Sim::start(aws_sim::organization(30)).unwrap();
    sim.edit("100000000003", |account| account.roles.clear());
    sim.edit("100000000004", |account| account.root.devices.clear());
    sim.edit_organization(|organization| organization.members[5].state = Some("CLOSED".into()));
    for columns in [80, 120] {
        let (_, shown) =
            check_on_a_terminal(&sim, columns, "--organization.role-name=aws-mfa-exporter", &[("NO_COLOR", "1")]);
        let shown = shown.rsplit("\x1b[K").next().unwrap();
        let widest = shown.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(columns), "{widest} of {columns}:\n{shown}");
        for wanted in ["workload-0004", "failed", "unknown", "n/a", "AWS denied the call", "30 accounts: "] {
            assert!(shown.to_lowercase().contains(&wanted.to_lowercase()), "{wanted}, {columns}:\n{shown}");
        }
    }
}

#[test]
fn check_prints_json_of_the_documented_form() {
    let sim = sim(healthy());
    sim.fault(ID, Some("ListVirtualMFADevices"), Fault::Throttled);
    let (_, text) = check(&sim, &["--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["schema_version"], &report["fault"]), (&2.into(), &serde_json::Value::Null));
    let account = &report["accounts"][0];
    assert_eq!((&account["account_id"], &account["partition"]), (&ID.into(), &"aws".into()));
    let control = |id: &str| account["controls"].as_array().unwrap().iter().find(|c| c["control"] == id).unwrap();
    assert_eq!(control("IAM.9")["status"], "passed");
    assert!(control("IAM.9")["as_of"].as_str().unwrap().ends_with('Z') && control("IAM.6")["as_of"].is_null());
    assert!(account["users"].is_null(), "of users nothing is known without the list of devices");
    let devices = &account["collectors"][0];
    assert_eq!((&devices["up"], &devices["fault"]["class"]), (&false.into(), &"throttled".into()));
    assert!(devices["fault"]["remedy"].is_string());
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/check.md")).unwrap();
    for key in keys(&report) {
        assert!(page.contains(&format!("`{key}`")), "deploy/check.md does not tell of {key}");
    }
}

/// Every key of a JSON document, at any depth.
fn keys(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Object(map) => {
            map.iter().flat_map(|(key, value)| [key.clone()].into_iter().chain(keys(value))).collect()
        }
        serde_json::Value::Array(values) => values.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn check_prints_metrics_for_the_textfile_collector() {
    let (code, text) = check(&sim(healthy()), &["--output=prometheus"]);
    assert_eq!((code, Samples::parse(&text).status("IAM.9").as_str()), (Some(0), "passed"));
}

/// Eight calls are what the design allows; a failing root costs one more.
#[test]
fn check_is_frugal() {
    let sim = sim(healthy());
    check(&sim, &[]);
    assert_eq!(
        sim.seen().len(),
        7,
        "whose credentials; the heartbeat; two lists that agree, with a summary after each; the users"
    );
}

#[test]
fn the_readme_shows_the_policy_that_is_printed() {
    let printed = String::from_utf8(run("http://127.0.0.1:9", &["iam-policy"]).stdout).unwrap();
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(readme.contains(&printed), "{printed}");
    let without = ["iam-policy", "--no-collector.devices", "--no-collector.users"];
    let less = String::from_utf8(run("http://127.0.0.1:9", &without).stdout).unwrap();
    assert!(less.contains("GetAccountSummary") && !less.contains("ListVirtualMFADevices"), "{less}");
}

#[test]
fn the_exporters_own_policy_names_the_role_and_what_its_filters_ask() {
    let printed = |flags: &[&str]| {
        let policy = run("http://127.0.0.1:9", &[&["iam-policy", "--of", "exporter"], flags].concat()).stdout;
        String::from_utf8(policy).unwrap()
    };
    let plain = printed(&["--organization.role-name=audit/mfa"]);
    assert!(plain.contains("organizations:ListAccounts") && plain.contains("arn:*:iam::*:role/audit/mfa"), "{plain}");
    assert!(!plain.contains("ListTagsForResource"));
    let example = concat!("--config.file=", env!("CARGO_MANIFEST_DIR"), "/deploy/config.example.yml");
    let full = printed(&[example]);
    for needed in ["ListTagsForResource", "ListRoots", "arn:aws:iam::111111111111:role/aws-mfa-exporter"] {
        assert!(full.contains(needed), "{needed}: {full}");
    }
}

#[test]
fn the_example_of_a_configuration_is_good_and_a_bad_one_is_told() {
    let example = concat!("--config.file=", env!("CARGO_MANIFEST_DIR"), "/deploy/config.example.yml");
    assert_eq!(run("http://127.0.0.1:9", &[example, "--config.check"]).status.code(), Some(0));
    let bad = tempfile::NamedTempFile::new().unwrap();
    fs::write(bad.path(), "accounts: [{id: \"12\"}]\n").unwrap();
    let flag = format!("--config.file={}", bad.path().display());
    let output = run("http://127.0.0.1:9", &[&flag, "--config.check"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    let place = format!("{}:1:17: ", bad.path().display());
    assert!(
        told.contains(&place) && told.ends_with("\n  | accounts: [{id: \"12\"}]\n  |                 ^\n"),
        "{told}"
    );
    assert!(told.starts_with("error: the configuration cannot be used:\n") && !told.contains("\\n"), "{told}");
    let output = run("http://127.0.0.1:9", &["--config.file=/nowhere.yml", "--config.check"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere.yml"));
}

/// A mapping that was cut off, or commented out below its key, once watched one account
/// instead of a hundred.
#[test]
fn a_key_without_a_value_ends_the_start_and_changes_nothing_at_a_reload() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let flag = format!("--config.file={}", file.path().display());
    for key in ["organization", "accounts", "collectors", "exemptions"] {
        fs::write(file.path(), format!("{key}:\n  # role_name: x\n")).unwrap();
        for flags in [&[&*flag, "--config.check"][..], &[&*flag, "--web.listen-address=127.0.0.1:0"]] {
            let output = run("http://127.0.0.1:9", flags);
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(1) && error.contains(":1:"), "{flags:?}: {error}");
            assert!(error.contains("this key has no value"), "{error}");
        }
    }
}

/// A daemon's errors are read in a log, line by line; a person's on a terminal.
#[test]
fn a_start_that_fails_is_told_to_a_person_or_to_a_log() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "organization:\n  rolename: x\n").unwrap();
    let flag = format!("--config.file={}", file.path().display());
    let logged = String::from_utf8(run("http://127.0.0.1:9", &[&flag]).stderr).unwrap();
    assert!(logged.starts_with("ts=") && logged.lines().count() == 1, "{logged}");
    assert!(
        logged.contains(":2:3: ") && logged.contains("Did you mean role_name?") && !logged.contains("\\n"),
        "{logged}"
    );
    let asked = run("http://127.0.0.1:9", &["--config.check", &flag, "--log.format=json"]).stderr;
    let event: serde_json::Value = serde_json::from_slice(&asked).unwrap();
    assert!(event["error"].as_str().unwrap().contains(":2:3: "), "{event}");
    let line = format!("'{}' '{flag}'", env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::null()).env_clear();
    let shown = script.env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap().stdout;
    let shown = String::from_utf8(shown).unwrap().replace('\r', "");
    assert!(shown.starts_with("error: ") && shown.ends_with("  |   rolename: x\n  |   ^\n"), "{shown}");
}

/// What is wrong with a certificate or a key, and with which.
#[test]
fn certificates_and_keys_that_cannot_be_used_are_named() {
    let authority = crate::harness::Authority::new();
    authority.issue("other", crate::harness::dns("localhost"));
    let write = |name: &str, text: &str| fs::write(authority.path(name), text).unwrap();
    write("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    write(
        "legacy.key",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END RSA PRIVATE KEY-----\n",
    );
    write("damaged.key", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n");
    write("empty.pem", "");
    fs::write(authority.path("der.pem"), [0x30, 0x82, 1, 2, 3]).unwrap();
    for (certificate, key, told) in [
        ("server.key", "server.pem", "server.key holds a private key, and key_file"),
        ("server.pem", "encrypted.key", "openssl pkey -in"),
        ("server.pem", "legacy.key", "contains an encrypted private key"),
        ("server.pem", "damaged.key", "damaged.key contains a damaged private key"),
        ("server.pem", "other.key", "other.key does not belong to the certificate in cert_file"),
        ("server.pem", "ca.pem", "ca.pem contains a certificate: write a private key in PEM into it"),
        ("empty.pem", "server.key", "empty.pem contains neither a certificate nor a private key"),
        ("der.pem", "server.key", "openssl x509 -inform der -in"),
        ("gone.pem", "server.key", "gone.pem cannot be read"),
    ] {
        authority.configure(&format!("tls_server_config: {{cert_file: {certificate}, key_file: {key}}}"));
        let flag = format!("--web.config.file={}", authority.path("web.yml").display());
        let output = run("http://127.0.0.1:9", &["--config.check", &flag]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(told) && error.contains("web configuration"), "{certificate}, {key}: {error}");
    }
    authority.configure(
        "tls_server_config: {cert_file: server.pem, key_file: server.key}\nhttp_server_config: {http2: true}\n",
    );
    let flag = format!("--web.config.file={}", authority.path("web.yml").display());
    let output = run("http://127.0.0.1:9", &["--config.check", &flag]);
    assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("web.yml can be used."));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("warning: http_server_config.http2"));
}

/// The policy is enough, and all of it is needed: what is asked is what it grants.
#[test]
fn the_policy_is_what_is_asked_for() {
    // A user without a device is asked all there is to ask.
    let bare = User { password: true, ..User::named("bare") };
    let sim = sim(Account { users: vec![bare], ..healthy() });
    check(&sim, &[]);
    let mut asked: Vec<_> =
        sim.seen().into_iter().filter(|seen| seen.service == "iam").map(|seen| seen.operation).collect();
    asked.sort();
    asked.dedup();
    let policy: serde_json::Value = serde_json::from_slice(&run("http://127.0.0.1:9", &["iam-policy"]).stdout).unwrap();
    let granted: Vec<_> =
        policy["Statement"][0]["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect();
    assert_eq!(granted, asked.iter().map(|operation| format!("iam:{operation}")).collect::<Vec<_>>());
}

#[test]
fn the_page_on_metrics_is_the_programs_own() {
    let printed = String::from_utf8(run("http://127.0.0.1:9", &["generate", "metrics"]).stdout).unwrap();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/METRICS.md")).unwrap();
    assert!(printed == page, "renew it: cargo run -- generate metrics > METRICS.md");
}

#[test]
fn manual_and_completions_name_the_flags() {
    for document in ["man", "complete-bash", "complete-fish", "complete-zsh"] {
        let printed = String::from_utf8(run("http://127.0.0.1:9", &["generate", document]).stdout).unwrap();
        let plain = printed.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
        assert!(plain.contains("web.listen-address") && plain.contains("check"), "{document}");
    }
}

/// Of the users whom no list settles, everybody is asked for, however many there are.
#[test]
fn check_ends_when_all_users_of_a_large_account_have_been_asked_for() {
    let mix = Mix { key_only: 20, fido: 25, hardware: 7, unprotected: 4 };
    let sim = sim(Account { users: aws_sim::users(&healthy(), 1_200, mix), ..healthy() });
    let began = Instant::now();
    let (code, text) = check(&sim, &["--output=json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let users = &report["accounts"][0]["users"];
    assert_eq!(users["users_unknown"], serde_json::json!({"device": 0, "console_password": 0, "access_key": 0}));
    assert_eq!((&users["users_without_mfa"], code), (&288.into(), Some(1)), "{text}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn check_with_a_timeout_ends_in_time_and_says_how_many_users_are_left() {
    let fido = Mix { fido: 100, ..Mix::default() };
    let sim = sim(Account { users: aws_sim::users(&healthy(), 1_200, fido), ..healthy() });
    let began = Instant::now();
    let (code, text) = check(&sim, &["--output=json", "--timeout=10s"]);
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let account = &report["accounts"][0];
    let control = |id: &str| account["controls"].as_array().unwrap().iter().find(|c| c["control"] == id).unwrap();
    assert_eq!((code, &control("IAM.19")["status"]), (Some(2), &"unknown".into()), "{text}");
    let left = account["users"]["users_unknown"]["device"].as_u64().unwrap();
    assert!((1..1_200).contains(&left), "{text}");
    let fault = &account["collectors"][2]["fault"];
    assert_eq!(fault["class"], "out_of_time", "{text}");
    let told = format!("and {left} of 1200 users had not been asked for");
    assert!(fault["detail"].as_str().unwrap().contains(&told), "{told}: {text}");
}

/// Answers that never come are not waited for.
#[test]
fn check_with_a_timeout_ends_in_time_where_aws_does_not_answer() {
    let sim = sim(Account { users: aws_sim::users(&healthy(), 3, Mix { fido: 100, ..Mix::default() }), ..healthy() });
    sim.fault(ID, Some("ListMFADevices"), Fault::Hang);
    let began = Instant::now();
    let (code, text) = check(&sim, &["--timeout=6s"]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(code, Some(2), "{text}");
    for wanted in ["ime allowed by --timeout was over", "3 of 3 users had not been asked for", "--aws.max-rate"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

/// A rate that is too high is found out at the price of few calls.
#[test]
fn a_check_that_is_throttled_slows_down_and_knows_everybody() {
    let fido = Mix { fido: 100, ..Mix::default() };
    let sim = sim(Account { users: aws_sim::users(&healthy(), 400, fido), ..healthy() });
    sim.limit_rate(20.0);
    let (code, text) = check(&sim, &["--output=json", "--collector.root.interval=3s"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["accounts"][0]["users"]["users_without_mfa"]), (Some(0), &0.into()), "{text}");
    // It takes longer than a heartbeat may be old, where there are more users.
    assert!(sim.count(ID, "GetAccountSummary") >= 3 + 3, "a check that takes long has further heartbeats");
    let (calls, throttled) = (sim.count(ID, "ListMFADevices"), sim.throttled());
    assert!((1..=calls / 10).contains(&throttled), "{throttled} of {calls}");
}

#[test]
fn a_terminal_sees_how_far_a_check_is() {
    let fido = Mix { fido: 100, ..Mix::default() };
    let sim = sim(Account { users: aws_sim::users(&healthy(), 200, fido), ..healthy() });
    let (code, shown) = check_on_a_terminal(&sim, 100, "--aws.max-rate=80", &[]);
    assert_eq!(code, Some(0), "{shown}");
    for wanted in [" of 200 questions about users answered; ", " a second, ", "s left"] {
        assert!(shown.contains(wanted), "{wanted}: {shown:?}");
    }
    let (_, narrow) = check_on_a_terminal(&sim, 40, "--aws.max-rate=80", &[]);
    let lines = narrow.split("\r\x1b[K").filter(|line| line.starts_with("Asking AWS"));
    assert!(lines.clone().count() > 3 && lines.clone().all(|line| line.chars().count() < 40), "{narrow:?}");
}

/// Roots without MFA come first, and what has changed since a former check is said.
#[test]
fn check_says_what_has_become_better_and_worse() {
    let sim = sim(healthy());
    let former = tempfile::NamedTempFile::new().unwrap();
    fs::write(former.path(), check(&sim, &["--output=json"]).1).unwrap();
    let flag = format!("--compare={}", former.path().display());
    let (_, same) = check(&sim, &[&flag]);
    assert!(same.contains("No verdict has become better or worse since 20"), "{same}");
    sim.edit(ID, |account| account.root.devices.clear());
    let (code, worse) = check(&sim, &["--output=markdown", &flag]);
    assert_eq!(code, Some(1), "{worse}");
    assert!(worse.starts_with("1 accounts: 1 root without MFA.\n"), "{worse}");
    assert!(worse.contains("| account | name | IAM.9 | ") && worse.contains(&format!("\n| {ID} |")), "{worse}");
    assert!(
        worse.contains("Worse since 20") && worse.contains(&format!("- {ID} IAM.9: passed -> failed\n")),
        "{worse}"
    );
    let (_, json) = check(&sim, &["--output=json", &flag]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["changes"]["worse"][0]["control"], "IAM.6", "{json}");
    fs::write(former.path(), json.to_string()).unwrap();
    let fido = sim.account(ID).root_fido_serial("key");
    sim.edit(ID, |account| account.root.devices.push(fido));
    let (_, better) = check(&sim, &[&flag]);
    assert!(better.contains("Better since 20") && better.contains("IAM.9: failed -> passed"), "{better}");
}

#[test]
fn what_cannot_be_compared_with_is_told_before_aws_is_asked() {
    let sim = sim(healthy());
    let told = |flags: &[&str]| {
        let output = run(&sim.endpoint(), &[&["check"], flags].concat());
        assert_eq!(output.status.code(), Some(3), "{flags:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let flag = format!("--compare={}", file.path().display());
    assert!(told(&["--compare=/nowhere.json"]).contains("cannot read the earlier check /nowhere.json"));
    assert!(told(&[&flag]).contains("is not the output of `check --output json`"));
    fs::write(file.path(), r#"{"schema_version": 999, "checked_at": "", "accounts": []}"#).unwrap();
    assert!(told(&[&flag]).contains("schema_version 999"));
    assert!(told(&[&flag, "--output=csv"]).contains("table, markdown or json"));
    assert_eq!(sim.total("GetAccountSummary"), 0);
}

#[test]
fn check_prints_a_line_an_account_for_a_spreadsheet() {
    let (code, csv) = check(&sim(healthy()), &["--output=csv"]);
    assert_eq!(code, Some(0), "{csv}");
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "account_id,account_name,ou,state,IAM.9,IAM.6,IAM.4,IAM.5,IAM.19,why");
    assert!(
        lines[1].starts_with(&format!("{ID},,,scanned,passed,passed,passed,not_applicable,not_applicable,")),
        "{csv}"
    );
    assert_eq!(lines.len(), 3, "{csv}");
}
