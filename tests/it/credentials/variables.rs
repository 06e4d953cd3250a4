//! The table of variables, in deploy/credentials.md: it names every variable that
//! this program or a library below it reads, and each of them does what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use super::{
    Home, ROLE, SECRET,
    network::{Front, Proxy, Says},
    role_arn, world,
};
use crate::support::{ID, KEY, Samples};

pub const PAGE: &str = include_str!("../../../deploy/credentials.md");

/// The names in backticks of a text.
pub fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table of variables: their names, and who honours them.
fn table() -> BTreeMap<&'static str, &'static str> {
    let table = PAGE.split("| variable | honoured by | meaning |").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut rows = BTreeMap::new();
    for row in table.lines().skip(2) {
        let cells: Vec<_> = row.split(" | ").collect();
        rows.extend(quoted(cells[0]).into_iter().map(|name| (name, cells[1])));
    }
    rows
}

/// The Rust sources below a folder, without their tests and comments.
pub fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            text += &sources(&entry);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let file = fs::read_to_string(&entry).unwrap();
            let product = file.split("#[cfg(test)]\nmod ").next().unwrap().split("#[cfg(all(test").next().unwrap();
            text.extend(
                product.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")),
            );
        }
    }
    text
}

/// The folders of the packages that are compiled in, by name.
pub fn packages() -> BTreeMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--locked", "--offline"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let metadata: Value = serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap();
    let folder = |package: &Value| Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().join("src");
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (package["name"].as_str().unwrap().to_owned(), folder(package))).collect()
}

/// Words in quotes that are names of variables by their look.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |word: &&str| {
        word.strip_prefix("AWS_").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
    };
    text.split('"').filter(is_name).map(str::to_owned).collect()
}

#[test]
fn the_page_names_every_variable_that_any_part_reads() {
    let (packages, page) = (packages(), quoted(PAGE));
    let parts = packages.iter().filter(|(name, _)| name.starts_with("aws-") && *name != "aws-sim");
    let mut read = BTreeSet::new();
    parts.for_each(|(_, folder)| read.extend(named(&sources(folder))));
    // What is not of AWS.
    for (package, names) in [
        (
            "hyper-util",
            &["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "REQUEST_METHOD", "all_proxy", "no_proxy"][..],
        ),
        ("rustls-native-certs", &["SSL_CERT_FILE", "SSL_CERT_DIR"]),
        ("aws-mfa-exporter", &["POD_NAME", "NO_COLOR", "TERM"]),
        ("aws-runtime", &["HOME"]),
    ] {
        let text = sources(&packages[package]);
        assert!(names.iter().all(|name| text.contains(&format!("\"{name}\""))), "{package} reads {names:?}");
        read.extend(names.iter().map(|&name| name.to_owned()));
    }
    assert!(read.len() > 40, "{read:?}");
    let missing: Vec<_> = read.iter().filter(|name| !page.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "deploy/credentials.md does not name {missing:?}");
    let own = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    for (name, by) in table() {
        if by == "exporter" {
            assert!(own.contains(&format!("\"{name}\"")), "{name} is not read here");
        }
    }
}

/// The host that is asked first, seen by a proxy that lets nobody through.
fn asked(home: Home) -> String {
    let proxy = Proxy::start(Says::Refuse(403));
    home.keys().without("AWS_ENDPOINT_URL").with("HTTPS_PROXY", &proxy.url()).check(&[]);
    proxy.asked().first().cloned().unwrap_or_default()
}

/// Each variable of the table has its effect. A name without a case here fails.
#[test]
fn every_variable_of_the_table_has_its_effect() {
    std::thread::scope(|scope| {
        for name in table().into_keys() {
            scope.spawn(move || assert!(has_effect(name), "{name} has no effect"));
        }
    });
}

const NOBODY: &str = "http://127.0.0.1:9";

fn has_effect(name: &str) -> bool {
    let sim = world();
    let home = || Home::at(&sim);
    let passes = |home: Home| home.check(&[]).code == Some(0);
    let is = |home: Home, class: &str| home.check(&[]).class == class;
    let keys = format!("[x]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    let proxy = || Proxy::start(Says::Refuse(403)).url();
    match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => passes(home().keys()) && !passes(home().keys().without(name)),
        "SECRET_ACCESS_KEY" => passes(home().keys().without("AWS_SECRET_ACCESS_KEY").with(name, SECRET)),
        "AWS_SESSION_TOKEN" => is(home().keys().with(name, "two words"), "invalid_configuration"),
        "AWS_PROFILE" | "AWS_DEFAULT_PROFILE" => passes(home().credentials(&keys).with(name, "x")),
        "AWS_CONFIG_FILE" | "AWS_SHARED_CREDENTIALS_FILE" => {
            let text = if name == "AWS_CONFIG_FILE" { keys.replace("[x]", "[profile x]") } else { keys };
            passes(home().file("elsewhere", &text).with(name, "~/elsewhere").with("AWS_PROFILE", "x"))
        }
        "HOME" => !passes(home().credentials(&keys).with("AWS_PROFILE", "x").with(name, "/nowhere")),
        "PATH" => {
            let home = home().program("bin/give", "exit 9").config("[default]\ncredential_process = give\n");
            let path = format!("{}:/usr/bin:/bin", home.shown("bin"));
            home.with(name, &path).check(&[]).detail.contains("exit status: 9")
        }
        "AWS_WEB_IDENTITY_TOKEN_FILE" | "AWS_ROLE_ARN" | "AWS_ROLE_SESSION_NAME" => {
            let home = home().file("token", "web-token").with("AWS_ROLE_ARN", &role_arn());
            let file = home.shown("token");
            let home = home.with("AWS_WEB_IDENTITY_TOKEN_FILE", &file).with("AWS_ROLE_SESSION_NAME", "somebody");
            let sent =
                |key: &str, value: &str| sim.seen().iter().any(|seen| seen.params.get(key).is_some_and(|v| v == value));
            passes(home)
                && sent("RoleSessionName", "somebody")
                && sent("RoleArn", &role_arn())
                && sent("WebIdentityToken", "web-token")
        }
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" => {
            let report = home().with(name, "/a b").check(&[]);
            report.detail == "container agent: an address or a token in AWS_CONTAINER_* cannot be used"
        }
        "AWS_CONTAINER_CREDENTIALS_FULL_URI" => passes(home().beside_an_agent(&sim)),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN" | "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => {
            sim.edit_sources(|sources| sources.container_token = Some("pod-token".into()));
            let with = home().beside_an_agent(&sim).file("token", "pod-token");
            let value = if name.ends_with("FILE") { with.shown("token") } else { "pod-token".to_owned() };
            passes(with.with(name, &value)) && !passes(home().beside_an_agent(&sim))
        }
        "AWS_EC2_METADATA_DISABLED" => {
            passes(home().on_an_instance(&sim)) && is(home().on_an_instance(&sim).with(name, "true"), "no_credentials")
        }
        "AWS_EC2_METADATA_SERVICE_ENDPOINT" => passes(home().on_an_instance(&sim)),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE" => is(home().keys().with(name, "IPv5"), "invalid_configuration"),
        "AWS_REGION" | "AWS_DEFAULT_REGION" => {
            asked(home().with(name, "eu-west-1")) == "sts.eu-west-1.amazonaws.com:443"
        }
        "AWS_ENDPOINT_URL" => asked(home()) == "sts.us-east-1.amazonaws.com:443" && passes(home().keys()),
        "AWS_ENDPOINT_URL_IAM" => home().keys().with(name, NOBODY).check(&[]).of_account()[0] == "connection",
        "AWS_ENDPOINT_URL_STS" => is(home().keys().with(name, NOBODY), "connection"),
        "AWS_ENDPOINT_URL_ORGANIZATIONS" => {
            let flag = "--organization.role-name=audit";
            home().keys().with(name, NOBODY).check(&[flag]).detail.starts_with("ListAccounts: connection")
        }
        "AWS_ENDPOINT_URL_SQS" => {
            let flag = "--events.queue-url=https://sqs.us-east-1.amazonaws.com/123456789012/mfa-events";
            let exporter = home().keys().with(name, NOBODY).exporter(&[flag]);
            let is_fault =
                |series: &str| series.starts_with("aws_mfa_events_fault{") && series.contains("\"connection\"");
            let shown =
                |samples: &Samples| samples.names().any(|name| is_fault(name) && samples.value(name) == Some(1.0));
            exporter.wait_for("the fault of the queue", Duration::from_secs(30), shown);
            true
        }
        "AWS_ENDPOINT_URL_SSO" | "AWS_ENDPOINT_URL_SSO_OIDC" => {
            let config = format!(
                "[default]\nsso_session = dev\nsso_account_id = {ID}\nsso_role_name = {ROLE}\n\
                 [sso-session dev]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
            );
            let text = "{\"accessToken\": \"old\", \"expiresAt\": \"2020-01-01T00:00:00Z\", \"refreshToken\": \"sso-refresh\", \
                        \"clientId\": \"c\", \"clientSecret\": \"s\", \"registrationExpiresAt\": \"2199-01-01T00:00:00Z\"}";
            let file = ".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json";
            let home = || home().config(&config).file(file, text);
            passes(home()) && !passes(home().with(name, NOBODY))
        }
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" => {
            let proxy = Proxy::start(Says::Refuse(403));
            home().keys().with(name, "true").with("HTTPS_PROXY", &proxy.url()).check(&[]);
            proxy.asked().first().is_some_and(|host| host == "sts.us-east-1.amazonaws.com:443")
        }
        "AWS_USE_FIPS_ENDPOINT" => asked(home().with(name, "true")) == "sts-fips.us-east-1.amazonaws.com:443",
        "AWS_USE_DUALSTACK_ENDPOINT" => asked(home().with(name, "true")) == "sts.us-east-1.api.aws:443",
        "AWS_SDK_UA_APP_ID" => {
            let proxy = Proxy::start(Says::Tunnel(sim.endpoint().replace("http://", "")));
            home().keys().with(name, "somebody").with("HTTP_PROXY", &proxy.url()).check(&[]);
            proxy.heads().first().is_some_and(|head| head.contains("app/somebody"))
        }
        "AWS_CA_BUNDLE" | "SSL_CERT_FILE" | "SSL_CERT_DIR" => {
            let front = Front::of(&sim, &["localhost"]);
            let authority = fs::read_to_string(front.authority()).unwrap();
            let home = Home::empty().keys().with("AWS_ENDPOINT_URL", &front.endpoint());
            let home = home.file("certificates/00000000.0", &authority);
            let value = if name.ends_with("DIR") { home.shown("certificates") } else { front.authority() };
            passes(home.with(name, &value))
        }
        "HTTPS_PROXY" | "https_proxy" => is(Home::empty().keys().with(name, &proxy()), "proxy"),
        "HTTP_PROXY" | "http_proxy" | "ALL_PROXY" | "all_proxy" => !passes(home().keys().with(name, &proxy())),
        "NO_PROXY" | "no_proxy" => passes(home().keys().with("HTTP_PROXY", &proxy()).with(name, "127.0.0.1")),
        "REQUEST_METHOD" => passes(home().keys().with("HTTP_PROXY", &proxy()).with(name, "GET")),
        "POD_NAME" => {
            let home = home().keys().with(name, "exporter-1");
            let exporter = home.exporter(&["--total-shards=2"]);
            let is_one = |samples: &Samples| samples.value("aws_mfa_exporter_shard_info{shard=\"1\"}") == Some(1.0);
            is_one(&exporter.wait_for("the shard", Duration::from_secs(10), is_one))
        }
        // `commands::a_terminal_gets_colours_and_progress_and_a_pipe_neither` has a terminal.
        "NO_COLOR" | "TERM" => true,
        _ => false,
    }
}
