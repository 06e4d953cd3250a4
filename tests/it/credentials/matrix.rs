//! The fault matrix: every source of credentials in every state, as deploy/credentials.md
//! has it. What the page says of a cell is what the real binary said; no cell panics,
//! none hangs, and none says that there are no credentials where there are some.

use std::{
    fmt::Write as _,
    fs,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use aws_sim::{Fault, Sim};

use super::{Home, ROLE, Report, SECRET, role_arn, world};
use crate::support::{ID, KEY};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/credentials.md");
const BEGIN: &str = "<!-- The matrix: made by a test. -->\n";
const END: &str = "<!-- The end of the matrix. -->\n";

/// What the page promises: a source is waited for, or AWS asked three times.
const LONGEST: Duration = Duration::from_secs(25);

const SOURCES: [&str; 9] = [
    "environment variables",
    "profile with keys",
    "profile with `role_arn`",
    "web identity (IRSA)",
    "SSO",
    "`credential_process`",
    "container agent",
    "EKS Pod Identity",
    "instance (IMDS)",
];
const STATES: [&str; 6] = ["works", "missing", "denied", "expired", "garbage", "hangs"];

/// What is behind a cell, in the words of the page.
const MEANT: [[&str; 6]; 9] = [
    [
        "",
        "`AWS_SECRET_ACCESS_KEY` is not set",
        "nobody has this key",
        "the session has expired",
        "a space in the key id",
        "STS does not answer",
    ],
    [
        "",
        "there is no such profile",
        "nobody has this key",
        "the session has expired",
        "a line without `=`",
        "STS does not answer",
    ],
    [
        "",
        "`source_profile` leads nowhere",
        "the role does not trust the caller",
        "the keys have expired",
        "STS answers HTML",
        "STS does not answer",
    ],
    [
        "",
        "the token's file is missing",
        "the role does not trust the token",
        "the token has expired",
        "the file holds no text",
        "STS does not answer",
    ],
    [
        "",
        "nobody has logged in",
        "no such permission set for the user",
        "the login has expired",
        "the login's file is damaged",
        "the portal does not answer",
    ],
    [
        "",
        "there is no such program",
        "exit status 3",
        "it prints expired credentials",
        "it prints something else",
        "it does not end",
    ],
    [
        "",
        "the connection is refused",
        "status 403",
        "it hands out expired credentials",
        "it answers HTML",
        "it does not answer",
    ],
    [
        "",
        "the token's file is missing",
        "the token is not accepted",
        "it hands out expired credentials",
        "it answers HTML",
        "it does not answer",
    ],
    [
        "",
        "the instance has no role",
        "status 403: it is switched off",
        "it hands out expired credentials",
        "it answers HTML",
        "it does not answer, as with a hop limit of 1",
    ],
];

/// A home for a cell, and what is wrong with the world around it.
fn cell(source: usize, state: usize, sim: &Sim) -> Home {
    let html = Fault::NotXml;
    let strike = |account: &str, operation, fault| _ = sim.fault(account, Some(operation), fault);
    let identity = |fault| strike(ID, "GetCallerIdentity", fault);
    match source {
        0 | 1 => {
            let id = if state == 2 { "AKIANOBODYS" } else { KEY };
            match state {
                3 => identity(Fault::ExpiredToken),
                5 => identity(Fault::Hang),
                _ => {}
            }
            if source == 0 { variables(state, id, sim) } else { keys(state, id, sim) }
        }
        2 => {
            match state {
                2 => sim.edit(ID, |account| account.roles.clear()),
                3 => strike(ID, "AssumeRole", Fault::ExpiredToken),
                4 => strike(ID, "AssumeRole", html),
                5 => strike(ID, "AssumeRole", Fault::Hang),
                _ => {}
            }
            let base = if state == 1 { "bose" } else { "base" };
            Home::at(sim).with("AWS_PROFILE", "audit").config(&format!(
                "[profile audit]\nrole_arn = {}\nsource_profile = {base}\n\
                 [profile base]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n",
                role_arn()
            ))
        }
        3 => web_identity(state, sim, &strike),
        4 => sso(state, sim, &strike),
        5 => process(state, sim, &identity),
        6 | 7 => agent(source == 7, state, sim, &strike),
        _ => {
            match state {
                1 => sim.edit_sources(|sources| sources.instance = None),
                2 => strike("", "InstanceToken", Fault::Error(403, "Forbidden")),
                3 => sim.edit_sources(|sources| sources.are_over = true),
                4 => strike("", "InstanceCredentials", html),
                5 => strike("", "InstanceToken", Fault::Hang),
                _ => {}
            }
            Home::at(sim).on_an_instance(sim)
        }
    }
}

fn variables(state: usize, id: &str, sim: &Sim) -> Home {
    let home = Home::at(sim).keys().with("AWS_ACCESS_KEY_ID", if state == 4 { "AKIA SIMULATED" } else { id });
    if state == 1 { home.without("AWS_SECRET_ACCESS_KEY") } else { home }
}

fn keys(state: usize, id: &str, sim: &Sim) -> Home {
    let equals = if state == 4 { "" } else { "=" };
    let text = format!("[audit]\naws_access_key_id {equals} {id}\naws_secret_access_key = {SECRET}\n");
    Home::at(sim).credentials(&text).with("AWS_PROFILE", if state == 1 { "aduit" } else { "audit" })
}

type Strike<'a> = &'a dyn Fn(&str, &'static str, Fault);

fn web_identity(state: usize, sim: &Sim, strike: Strike<'_>) -> Home {
    match state {
        2 => sim.edit(ID, |account| account.roles.clear()),
        3 => strike(ID, "AssumeRoleWithWebIdentity", Fault::Error(400, "ExpiredTokenException")),
        5 => strike(ID, "AssumeRoleWithWebIdentity", Fault::Hang),
        _ => {}
    }
    let home = Home::at(sim).with("AWS_ROLE_ARN", &role_arn()).file("token", "web-token");
    if state == 4 {
        fs::write(home.path("token"), [0xff, 0xfe]).unwrap();
    }
    let file = home.shown(if state == 1 { "no-token" } else { "token" });
    home.with("AWS_WEB_IDENTITY_TOKEN_FILE", &file)
}

fn sso(state: usize, sim: &Sim, strike: Strike<'_>) -> Home {
    match state {
        2 => sim.edit(ID, |account| account.roles.clear()),
        5 => strike("", "GetRoleCredentials", Fault::Hang),
        _ => {}
    }
    let home = Home::at(sim).with("AWS_PROFILE", "dev").config(&format!(
        "[profile dev]\nsso_session = dev\nsso_account_id = {ID}\nsso_role_name = {ROLE}\n\
         [sso-session dev]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
    ));
    match state {
        1 => home,
        3 => home.sso_login("2020-01-01T00:00:00Z"),
        4 => home.sso_login("2199-01-01T00:00:00Z\"}"),
        _ => home.sso_login("2199-01-01T00:00:00Z"),
    }
}

fn process(state: usize, sim: &Sim, identity: &dyn Fn(Fault)) -> Home {
    if state == 3 {
        identity(Fault::ExpiredToken);
    }
    let expiry = if state == 3 { ", \"Expiration\": \"2020-01-01T00:00:00Z\"" } else { "" };
    let printed = format!(
        "printf %s '{{\"Version\": 1, \"AccessKeyId\": \"{KEY}\", \"SecretAccessKey\": \"{SECRET}\"{expiry}}}'"
    );
    let text = match state {
        2 => "echo 'no ticket: s3cret' >&2; exit 3",
        4 => "echo hello",
        5 => "sleep 40",
        _ => &printed,
    };
    let program = if state == 1 { "nowhere" } else { "print" };
    let config = format!("[profile vault]\ncredential_process = $HOME/{program}\n");
    Home::at(sim).program("print", text).config(&config).with("AWS_PROFILE", "vault")
}

fn agent(is_pod_identity: bool, state: usize, sim: &Sim, strike: Strike<'_>) -> Home {
    match state {
        2 if !is_pod_identity => strike("", "ContainerCredentials", Fault::Error(403, "Forbidden")),
        3 => sim.edit_sources(|sources| sources.are_over = true),
        4 => strike("", "ContainerCredentials", Fault::NotXml),
        5 => strike("", "ContainerCredentials", Fault::Hang),
        _ => {}
    }
    let home = Home::at(sim).beside_an_agent(sim);
    if !is_pod_identity {
        let nobody = "http://127.0.0.1:9/credentials";
        return if state == 1 { home.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", nobody) } else { home };
    }
    sim.edit_sources(|sources| sources.container_token = Some("pod-token".into()));
    let home = home.file("token", if state == 2 { "another" } else { "pod-token" });
    let file = home.shown(if state == 1 { "no-token" } else { "token" });
    home.with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file)
}

const ANY_REQUEST_ID: &str = "11111111-2222-3333-4444-555555555555";

/// What a cell says: the class, and the detail without what differs from run to run.
fn look(source: usize, state: usize) -> [String; 2] {
    let sim = world();
    let home = cell(source, state, &sim);
    let Report { code, class, detail, text, took, .. } = home.check(&[]);
    let name = format!("{}, {}", SOURCES[source], STATES[state]);
    assert!(took < LONGEST, "{name}: {took:?}");
    assert!(!text.contains("panicked") && !text.contains("s3cret") && !text.contains(SECRET), "{name}: {text}");
    assert_eq!(code, Some(if state == 0 { 0 } else { 3 }), "{name}: {text}");
    // The instance without a role is the one where there are none.
    assert!(class != "no_credentials" || (source, state) == (8, 1), "{name}: {text}");
    let home = home.path("").display().to_string();
    [class, with_one_request_id(&detail.replace(home.trim_end_matches('/'), "/home/me"))]
}

/// Each request has an id of its own; which, is chance.
fn with_one_request_id(detail: &str) -> String {
    let mut parts = detail.split("request_id=");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, rest) = part.split_at(ANY_REQUEST_ID.len());
        out = format!("{out}request_id={ANY_REQUEST_ID}{rest}");
    }
    out
}

fn page(cells: &[[[String; 2]; 6]; 9]) -> String {
    let mut out = format!("| source | {} |\n|{}\n", STATES.join(" | "), " --- |".repeat(7));
    for (source, row) in SOURCES.iter().zip(cells) {
        let shown = row.iter().map(|[class, _]| if class.is_empty() { "ok".to_owned() } else { format!("`{class}`") });
        let _ = writeln!(out, "| {source} | {} |", shown.collect::<Vec<_>>().join(" | "));
    }
    for (index, (source, row)) in SOURCES.iter().zip(cells).enumerate() {
        let _ = write!(out, "\n**{source}**\n\n| cause | message |\n| --- | --- |\n");
        for (meant, [_, detail]) in MEANT[index].iter().zip(row).skip(1) {
            let _ = writeln!(out, "| {meant} | `{}` |", detail.replace('|', "\\|").replace('`', "'"));
        }
    }
    out
}

#[test]
fn the_page_says_of_every_source_in_every_state_what_is_shown() {
    let cells: Arc<Mutex<[[[String; 2]; 6]; 9]>> = Arc::default();
    // One state after the other: how long each takes is a bound, and fifty processes that start
    // together would measure the machine.
    for state in 0..6 {
        thread::scope(|scope| {
            for source in 0..9 {
                let cells = Arc::clone(&cells);
                scope.spawn(move || {
                    let said = look(source, state);
                    cells.lock().unwrap()[source][state] = said;
                });
            }
        });
    }
    let made = page(&cells.lock().unwrap());
    let text = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(PAGE, [before, BEGIN, &made, END, after].concat()).unwrap();
        return;
    }
    assert!(
        there == made,
        "the matrix has changed; if that is meant, run with UPDATE_GOLDEN=1 and read the diff:\n{made}"
    );
}
