//! Where credentials can be had, and the clock by which signatures are judged.

use std::time::SystemTime;

use super::client::{Response, iam, query, raw, simulation};
use crate::{Account, Fault, Role, Sim, Sources, clock::Clock};

const ID: &str = "100000000001";
const ARN: &str = "arn:aws:iam::100000000001:role/audit";

fn world() -> Sim {
    let sim = simulation(Account { roles: vec![Role::named("audit")], ..Account::with_root_devices(ID, &[]) });
    let token = |text: &str| Some(text.to_owned());
    sim.edit_sources(|sources| {
        *sources = Sources {
            instance: Some(ID.into()),
            container: Some(ID.into()),
            container_token: token("pod"),
            sso_token: token("login"),
            sso_refresh_token: token("again"),
            web_identity_token: token("jwt"),
            are_over: false,
        }
    });
    sim
}

fn get(sim: &Sim, path: &str, headers: &str) -> Response {
    raw(sim, &format!("GET {path}"), headers, "")
}

fn works(sim: &Sim, key: &str) -> (u16, Option<String>) {
    let reply = query(sim, key, "sts", &[("Action", "GetCallerIdentity")]);
    (reply.status, (reply.status != 200).then(|| reply.element("Code").to_owned()))
}

#[test]
fn an_instance_hands_out_its_roles_credentials_and_one_without_a_role_none() {
    let sim = world();
    assert_eq!(raw(&sim, "PUT /latest/api/token", "", "").status, 200);
    let role = get(&sim, "/latest/meta-data/iam/security-credentials/", "").body;
    let given = get(&sim, &format!("/latest/meta-data/iam/security-credentials/{role}"), "").json();
    assert_eq!(works(&sim, given["AccessKeyId"].as_str().unwrap()), (200, None));
    sim.edit_sources(|sources| sources.instance = None);
    assert_eq!(get(&sim, "/latest/meta-data/iam/security-credentials/", "").status, 404);
}

#[test]
fn what_is_over_is_handed_out_and_not_accepted() {
    let sim = world();
    sim.edit_sources(|sources| sources.are_over = true);
    let given = get(&sim, "/credentials", "Authorization: pod\r\n").json();
    assert!(humantime::parse_rfc3339(given["Expiration"].as_str().unwrap()).unwrap() < SystemTime::now());
    assert_eq!(works(&sim, given["AccessKeyId"].as_str().unwrap()), (403, Some("ExpiredToken".into())));
}

#[test]
fn an_agent_wants_its_token() {
    let sim = world();
    assert_eq!(get(&sim, "/credentials", "Authorization: pod\r\n").status, 200);
    assert_eq!(get(&sim, "/credentials", "Authorization: cod\r\n").status, 401);
    assert_eq!(get(&sim, "/credentials", "").status, 401);
    sim.fault("", Some("ContainerCredentials"), Fault::Error(403, "Forbidden"));
    assert_eq!(get(&sim, "/credentials", "Authorization: pod\r\n").status, 403);
}

#[test]
fn the_portal_wants_a_login_and_an_assignment() {
    let sim = world();
    let ask = |token: &str, role: &str| {
        let path = format!("/federation/credentials?account_id={ID}&role_name={role}");
        get(&sim, &path, &format!("x-amz-sso_bearer_token: {token}\r\n"))
    };
    let given = ask("login", "audit").json();
    assert_eq!(works(&sim, given["roleCredentials"]["accessKeyId"].as_str().unwrap()), (200, None));
    assert_eq!(ask("logout", "audit").error(), (401, "UnauthorizedException".into()));
    assert_eq!(ask("login", "admin").error(), (403, "ForbiddenException".into()));
    let renew = |token: &str| raw(&sim, "POST /token", "", &format!("{{\"refreshToken\": \"{token}\"}}"));
    assert_eq!(renew("again").json()["accessToken"], "login");
    assert_eq!(renew("never").error(), (400, "InvalidGrantException".into()));
}

#[test]
fn a_web_identity_wants_a_token_and_a_role() {
    let sim = world();
    let ask = |token: &str, role: &str| {
        let pairs = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", role),
            ("RoleSessionName", "me"),
            ("WebIdentityToken", token),
        ];
        query(&sim, "", "", &pairs)
    };
    let given = ask("jwt", ARN);
    assert_eq!(given.element("Arn"), "arn:aws:sts::100000000001:assumed-role/audit/me");
    assert_eq!(works(&sim, given.element("AccessKeyId")), (200, None));
    assert_eq!(ask("another", ARN).error(), (400, "InvalidIdentityToken".into()));
    assert_eq!(ask("jwt", "arn:aws:iam::100000000001:role/other").error(), (403, "AccessDenied".into()));
    assert_eq!(sim.count(ID, "AssumeRoleWithWebIdentity"), 3, "it is asked of the account of the role");
}

#[test]
fn a_signature_of_another_time_is_refused() {
    let clock = Clock::ahead(0);
    let spell = |seconds: u64, ago: bool| {
        let shift = std::time::Duration::from_secs(seconds);
        let time = if ago { SystemTime::now() - shift } else { SystemTime::now() + shift };
        humantime::format_rfc3339_seconds(time).to_string().replace(['-', ':'], "")
    };
    for (seconds, accepted) in [(0, true), (280, true), (320, false), (86_400, false)] {
        assert_eq!([true, false].map(|ago| clock.accepts(&spell(seconds, ago))), [accepted; 2], "{seconds}");
    }
    assert!(!clock.accepts("yesterday"));
    let sim = world();
    assert_eq!(iam(&sim, "GetAccountSummary", &[]).status, 200, "what says no time is not judged by it");
    sim.set_clock_ahead(-1_200);
    let signed = format!(
        "X-Amz-Date: {}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAREADER/x/x/iam/x\r\n",
        spell(0, true)
    );
    assert_eq!(raw(&sim, "POST /", &signed, "Action=GetAccountSummary").error(), (403, "SignatureDoesNotMatch".into()));
}
