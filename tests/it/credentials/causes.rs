//! Why a source of credentials gave none: which one was asked, what it said, and what is
//! to be done. No secret is shown, and nothing else is asked in its place.

use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

use aws_sim::{Fault, Sim};

use super::{Home, ROLE, SECRET, role_arn, world};
use crate::{
    peers::wait_until,
    support::{ID, KEY},
};

fn irsa(sim: &Sim) -> Home {
    let home = Home::at(sim).file("token", "web-token").with("AWS_ROLE_ARN", &role_arn());
    let token = home.shown("token");
    home.with("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
}

fn sso(sim: &Sim, login: Option<&str>) -> Home {
    let config = format!(
        "[profile dev]\nsso_session = dev\nsso_account_id = {ID}\nsso_role_name = {ROLE}\n\
         [sso-session dev]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
    );
    let home = Home::at(sim).config(&config).with("AWS_PROFILE", "dev");
    match login {
        Some(expires) => home.sso_login(expires),
        None => home,
    }
}

fn process(sim: &Sim, text: &str) -> Home {
    let home = Home::at(sim).program("print", text).with("AWS_PROFILE", "vault");
    home.config("[profile vault]\ncredential_process = $HOME/print --secret s3cret\n")
}

/// Line 5.
#[test]
fn a_profile_that_is_named_and_does_not_exist_is_an_error_on_an_instance_too() {
    let sim = world();
    for name in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        let home = Home::at(&sim).on_an_instance(&sim).beside_an_agent(&sim).with(name, "aduit");
        home.config("[profile audit]\nregion = us-east-1\n").check(&[]).says(
            "invalid_configuration",
            &[&format!("{name} names profile \"aduit\", which does not exist (searched: "), "/.aws/config)"],
            &["correct the name of the profile", "aws configure --profile aduit"],
        );
    }
    // Keys in variables do not make up for it, as they do not for the AWS CLI.
    Home::at(&sim).keys().with("AWS_PROFILE", "aduit").check(&[]).says("invalid_configuration", &["aduit"], &[]);
    assert_eq!(sim.seen().len(), 0, "the instance and the agent were not asked");
    // One that is named like the usual one need not exist: images name it by habit.
    Home::at(&sim).on_an_instance(&sim).with("AWS_PROFILE", "default").check(&[]).passes();
    Home::at(&sim).on_an_instance(&sim).with("AWS_PROFILE", "").check(&[]).passes();
}

/// Line 5: the section of a profile is written otherwise in either file.
#[test]
fn a_section_without_the_word_profile_is_told_of() {
    let sim = world();
    let home = Home::at(&sim).with("AWS_PROFILE", "audit").config("[audit]\nregion = us-east-1\n");
    home.check(&[]).says("invalid_configuration", &["\"audit\""], &["write [profile audit] for [audit]"]);
}

/// Line 5, and its kind: a file that is named and missing, half of a pair of variables, and
/// a profile that leads nowhere were all passed over for the instance.
#[test]
fn nothing_that_is_set_up_is_passed_over_for_the_instance() {
    let sim = world();
    let home = || Home::at(&sim).on_an_instance(&sim);
    let says = |home: Home, detail: &str| home.check(&[]).says("invalid_configuration", &[detail], &[]);
    says(
        home().with("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/creds"),
        "which AWS_SHARED_CREDENTIALS_FILE names, cannot be read: it does not exist",
    );
    says(
        home().with("AWS_CONFIG_FILE", "/nowhere/config"),
        "the file /nowhere/config, which AWS_CONFIG_FILE names, cannot be read",
    );
    says(home().with("AWS_ACCESS_KEY_ID", KEY), "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
    says(home().with("AWS_SECRET_ACCESS_KEY", SECRET), "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not");
    says(
        home().with("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not",
    );
    let gone = format!("[default]\nrole_arn = {}\nsource_profile = nobody\n", role_arn());
    says(home().config(&gone), "profile `nobody` was not defined");
    let half = "[default]\naws_access_key_id = AKIA\n";
    says(home().credentials(half), "profile missing aws_secret_access_key");
    let circle = "[default]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = default\n";
    says(home().config(circle), "profile formed an infinite loop");
    says(home().config("[default]\nsso_session = x\nsso_account_id = 1\nsso_role_name = r\n"), "sso-session named `x`");
    says(home().config("[default]\nlogin_session = arn:aws:iam::1:user/x\n"), "is not supported");
    let region = "[default]\nsso_session = dev\nsso_account_id = 1\nsso_role_name = r\n\
                  [sso-session dev]\nsso_region = a,b\nsso_start_url = https://example.awsapps.com/start\n";
    says(home().config(region).sso_login("2199-01-01T00:00:00Z"), "invalid value for field: `region`");
    assert_eq!(sim.total("InstanceRole"), 0, "the instance was not asked for credentials");
}

/// Line 6: IRSA with a role that does not trust the service account.
#[test]
fn a_web_identity_that_is_denied_a_role() {
    let sim = world();
    let home = irsa(&sim).with("AWS_ROLE_ARN", &format!("arn:aws:iam::{ID}:role/other"));
    home.check(&[]).says(
        "access_denied",
        &["AWS_WEB_IDENTITY_TOKEN_FILE: AssumeRoleWithWebIdentity: access_denied code=AccessDenied status=403 request_id="],
        &["trust policy", "OIDC provider", "service account"],
    );
    let home = irsa(&sim).file("token", "a stranger's");
    home.check(&[]).says(
        "invalid_credentials",
        &["code=InvalidIdentityToken"],
        &["has expired and nobody renews the file"],
    );
    irsa(&sim).check(&[]).passes();
}

/// Line 6.
#[test]
fn a_token_file_that_is_missing_or_not_readable() {
    let sim = world();
    let report = irsa(&sim).with("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/none/token").check(&[]);
    report.says(
        "invalid_configuration",
        &["AWS_WEB_IDENTITY_TOKEN_FILE: the file /var/run/none/token, which AWS_WEB_IDENTITY_TOKEN_FILE names, cannot be read: it does not exist"],
        &["give the exporter's user permission to read the file"],
    );
    let config = format!("[profile w]\nrole_arn = {}\nweb_identity_token_file = /nowhere\n", role_arn());
    let home = Home::at(&sim).config(&config).with("AWS_PROFILE", "w");
    home.check(&[]).says("invalid_configuration", &["profile \"w\", web_identity_token_file: the file /nowhere"], &[]);
}

/// Line 6: a login that is over is renewed if it can be, and else a person is asked to.
#[test]
fn an_sso_login_that_is_over_or_missing_or_refused() {
    let sim = world();
    let login = "run `aws sso login --profile dev`, as the exporter's user and with its HOME";
    let says = |home: Home, detail: &str| home.check(&[]).says("login_required", &[detail], &[login]);
    says(sso(&sim, None), "profile \"dev\", SSO: there is no SSO login");
    says(sso(&sim, Some("2020-01-01T00:00:00Z")), "profile \"dev\", SSO: the SSO login has expired");
    says(sso(&sim, Some("not a date")), "profile \"dev\", SSO: there is no SSO login");
    assert_eq!(sim.seen().len(), 0);
    sim.edit_sources(|sources| sources.sso_token = Some("another".into()));
    says(
        sso(&sim, Some("2199-01-01T00:00:00Z")),
        "GetRoleCredentials: invalid_credentials code=UnauthorizedException status=401",
    );
    sim.edit_sources(|sources| sources.sso_token = Some("sso-token".into()));
    sim.edit(ID, |account| account.roles.clear());
    sso(&sim, Some("2199-01-01T00:00:00Z")).check(&[]).says(
        "access_denied",
        &["GetRoleCredentials: access_denied code=ForbiddenException status=403"],
        &["assign the permission set that sso_role_name of profile dev names"],
    );
}

/// Line 6, and what must go on working: a login that can be renewed is, in the file too.
#[test]
fn an_sso_login_that_is_over_is_renewed_where_it_can_be() {
    let sim = world();
    let text = "{\"accessToken\": \"old\", \"expiresAt\": \"2020-01-01T00:00:00Z\", \"refreshToken\": \"sso-refresh\", \
                \"clientId\": \"c\", \"clientSecret\": \"s\", \"registrationExpiresAt\": \"2199-01-01T00:00:00Z\", \
                \"region\": \"us-east-1\", \"startUrl\": \"https://example.awsapps.com/start\"}";
    let file = ".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json";
    let home = sso(&sim, None).file(file, text);
    home.check(&[]).passes();
    assert_eq!(sim.total("CreateToken"), 1);
    assert!(fs::read_to_string(home.path(file)).unwrap().contains("sso-token"));
}

/// Line 6. What the process writes is not shown: it was asked for secrets.
#[test]
fn a_credential_process_that_fails() {
    let sim = world();
    let remedy = "run the credential_process of profile vault by hand";
    for (text, detail) in [
        ("echo hush-hush >&2; exit 3", "profile \"vault\", credential_process: the process ended with exit status: 3"),
        ("kill -9 $$", "the process ended with exit status: 137"),
        ("echo hush-hush", "the output of the process holds no credentials"),
        ("echo '{\"Version\": 1, \"AccessKeyId\": \"hush-hush\"}'", "the output of the process holds no credentials"),
        ("exit 0", "the output of the process holds no credentials"),
    ] {
        let report = process(&sim, text).check(&[]);
        report.says("credentials_failed", &[detail], &[remedy]);
        assert!(!report.text.contains("hush") && !report.text.contains("s3cret"), "{}", report.text);
    }
    assert_eq!(sim.seen().len(), 0);
}

/// Line 6. The tests may run as root, who may read everything: a folder is what not even
/// root can read as a file.
#[test]
fn a_credentials_file_that_cannot_be_read() {
    let sim = world();
    let home = Home::at(&sim).on_an_instance(&sim).file(".aws/credentials/x", "");
    home.check(&[]).says(
        "invalid_configuration",
        &["/.aws/credentials cannot be read: is a directory"],
        &["give the exporter's user permission to read"],
    );
    let home = Home::at(&sim).keys().file(".aws/config", "[default]\n");
    fs::write(home.path(".aws/config"), b"[default]\nregion = \xff\n").unwrap();
    home.check(&[]).says("invalid_configuration", &["/.aws/config is not a text in UTF-8"], &[]);
    let home = Home::at(&sim).keys().credentials("[default]\n");
    fs::set_permissions(home.path(".aws/credentials"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(home.path(".aws/credentials")).is_err() {
        home.check(&[]).says("invalid_configuration", &["the exporter's user is not permitted to read it"], &[]);
    }
}

/// Line 6: the file and the line, and nothing of what stands there.
#[test]
fn a_line_that_cannot_be_parsed() {
    let sim = world();
    let home = Home::at(&sim).on_an_instance(&sim);
    let home = home.credentials("[default]\naws_access_key_id = AKIA\nsimulated-secret\n");
    home.check(&[]).says(
        "invalid_configuration",
        &["an AWS file cannot be parsed: ", "/.aws/credentials on line 3: Expected an '=' sign"],
        &["correct this line of the file"],
    );
    assert_eq!(sim.seen().len(), 0);
}

/// A role that wants a code of an MFA device: there is nobody to type one.
#[test]
fn a_role_that_asks_for_an_mfa_code() {
    let sim = world();
    let config = format!(
        "[profile m]\nrole_arn = arn:aws:iam::{ID}:role/other\nsource_profile = m\nmfa_serial = arn:aws:iam::{ID}:mfa/x\n\
         aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    );
    let home = Home::at(&sim).config(&config).with("AWS_PROFILE", "m");
    home.check(&[]).says(
        "access_denied",
        &["profile \"m\"", "AssumeRole: access_denied"],
        &["no MFA code (mfa_serial)"],
    );
}

/// The metadata service of an instance, as a container on it may meet it.
#[test]
fn an_instance_that_gives_nothing() {
    let sim = world();
    let home = || Home::at(&sim).on_an_instance(&sim);
    let fault = sim.fault("", Some("InstanceToken"), Fault::Hang);
    let report = home().check(&[]);
    report.says(
        "credentials_failed",
        &["instance metadata service: it accepted the connection and did not answer"],
        &["hop limit"],
    );
    sim.clear(fault);
    let fault = sim.fault("", Some("InstanceToken"), Fault::Error(403, "Forbidden"));
    home().check(&[]).says(
        "credentials_failed",
        &["instance metadata service: it answered with status 403"],
        &["switch"],
    );
    sim.clear(fault);
    sim.edit_sources(|sources| sources.instance = None);
    home().check(&[]).says("no_credentials", &["instance metadata service: the instance has no role"], &["supply"]);
    let nowhere = home().with("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9");
    nowhere.check(&[]).says("no_credentials", &["instance metadata service: no answer from its address"], &["supply"]);
}

/// A file is corrected while the exporter runs, and that is enough.
#[test]
fn a_mistake_is_mended_without_a_restart() {
    let sim = world();
    let home = Home::at(&sim).with("AWS_PROFILE", "audit").config("[profile audit]\nregion = us east\n");
    let exporter = home.exporter(&[]);
    let patience = Duration::from_secs(20);
    exporter.wait_for("a fault", patience, |samples| samples.fault("root") == "invalid_configuration");
    fs::write(home.path(".aws/config"), "[profile audit]\nregion = us-east-1\nno equals sign\n").unwrap();
    wait_until("the next mistake is told of too", patience, || exporter.log().contains("on line 3"));
    let config =
        format!("[profile audit]\nregion = us-east-1\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    fs::write(home.path(".aws/config"), config).unwrap();
    exporter.expect("IAM.9", "passed");
}

/// A process that hangs is waited for, and no second one is started beside it: there
/// would be a third by the next minute.
#[test]
fn a_credential_process_that_hangs_is_told_of_and_is_not_joined_by_others() {
    let sim = world();
    let answer =
        format!("printf %s '{{\"Version\": 1, \"AccessKeyId\": \"{KEY}\", \"SecretAccessKey\": \"{SECRET}\"}}'");
    let home = process(&sim, &format!("echo x >>\"$HOME/started\"; sleep 25; {answer}"));
    let exporter = home.exporter(&[]);
    let failed = |samples: &crate::support::Samples| samples.fault("root") == "credentials_failed";
    exporter.wait_for("failed", Duration::from_secs(20), failed);
    let log = exporter.log();
    assert!(log.contains("credential_process: no answer after 15s; the exporter still waits for it"), "{log}");
    thread::sleep(Duration::from_secs(5));
    assert_eq!(fs::read_to_string(home.path("started")).unwrap(), "x\n");
    exporter.expect("IAM.9", "passed");
}
