//! Values that no request can be made of. One that can be understood is; any other
//! is refused by its name, and none makes anything panic.

use std::time::Duration;

use aws_sim::Fault;

use super::{Home, ROLE, SECRET, world};
use crate::support::{ID, KEY};

/// Line 3. `echo` ends what it writes with a line break, and Windows ends lines with two
/// characters; a Kubernetes Secret keeps both.
#[test]
fn a_secret_made_by_echo_works() {
    let sim = world();
    for end in ["\n", "\r\n", "\r", " ", "\t\n"] {
        let home = Home::at(&sim).with("AWS_ACCESS_KEY_ID", &format!("{KEY}{end}"));
        let home = home.with("AWS_SECRET_ACCESS_KEY", &format!("{SECRET}{end}"));
        home.with("AWS_SESSION_TOKEN", &format!("token{end}")).check(&[]).passes();
    }
}

/// Line 3: the same by a profile whose role is assumed with the environment's keys.
#[test]
fn a_secret_made_by_echo_assumes_the_role_of_a_profile() {
    let sim = world();
    let profile = format!("[profile audit]\nrole_arn = {}\ncredential_source = Environment\n", super::role_arn());
    let home = Home::at(&sim).with("AWS_ACCESS_KEY_ID", &format!("{KEY}\n")).with("AWS_SECRET_ACCESS_KEY", SECRET);
    let (home, flag) = home.config(&profile).account("profile: audit");
    home.check(&[&flag]).passes();
    assert_eq!(sim.count(ID, "AssumeRole"), 1);
}

/// Line 3: the same from a process, for one account.
#[test]
fn a_line_break_in_what_a_process_prints_does_no_harm() {
    let sim = world();
    let printed = format!(
        "printf %s '{{\"Version\": 1, \"AccessKeyId\": \"{KEY}\\n\", \"SecretAccessKey\": \"{SECRET}\\r\\n\"}}'"
    );
    let home = Home::at(&sim).program("print", &printed);
    let (home, flag) = home.config("[profile one]\ncredential_process = $HOME/print\n").account("profile: one");
    home.check(&[&flag]).passes();
}

/// Line 3: what cannot be understood is refused by the name of where it stands.
#[test]
fn a_key_with_a_space_in_it_is_refused_by_name() {
    let sim = world();
    let home = Home::at(&sim).keys().with("AWS_ACCESS_KEY_ID", "AKIA SIMULATED");
    home.check(&[]).says(
        "invalid_configuration",
        &["AWS_ACCESS_KEY_ID: the credentials are not usable: an access key id with a space"],
        &["write the credentials anew, each value on one line"],
    );
    let home = Home::at(&sim).keys().with("AWS_SESSION_TOKEN", "to\nken");
    home.check(&[]).says("invalid_configuration", &["AWS_ACCESS_KEY_ID", "a session token with a space"], &[]);
    let printed = "printf %s '{\"Version\": 1, \"AccessKeyId\": \"AKIA\\nX\", \"SecretAccessKey\": \"x\"}'";
    let home = Home::at(&sim).program("print", printed).with("AWS_PROFILE", "one");
    let home = home.config("[profile one]\ncredential_process = $HOME/print\n");
    home.check(&[]).says("invalid_configuration", &["profile \"one\", credential_process"], &[]);
    assert_eq!(sim.seen().len(), 0, "nothing was sent with any of them");
}

/// Line 3. An empty URL made the exporter panic once a second and say "pending".
#[test]
fn an_endpoint_that_is_no_url_is_refused_by_name() {
    for (name, value, said) in [
        ("AWS_ENDPOINT_URL", "", "AWS_ENDPOINT_URL is set and empty"),
        ("AWS_ENDPOINT_URL_STS", "", "AWS_ENDPOINT_URL_STS is set and empty"),
        ("AWS_ENDPOINT_URL_IAM", "localhost:4566", "AWS_ENDPOINT_URL_IAM does not hold the URL of an endpoint"),
        ("AWS_ENDPOINT_URL", "https://exa mple", "AWS_ENDPOINT_URL does not hold the URL of an endpoint"),
        ("AWS_ENDPOINT_URL", "https://example.com\n", "AWS_ENDPOINT_URL does not hold the URL of an endpoint"),
    ] {
        let home = Home::empty().keys().with(name, value);
        home.check(&[]).says("invalid_configuration", &[said], &[name, "https://example.com"]);
    }
    for (config, said) in [
        ("[default]\nendpoint_url = localhost:4566\n", "endpoint_url of profile default"),
        (
            "[default]\nservices = local\n[services local]\nsts =\n  endpoint_url = x\n",
            "endpoint_url of sts in [services local]",
        ),
    ] {
        Home::empty().keys().config(config).check(&[]).says("invalid_configuration", &[said], &[]);
    }
}

/// Line 3, with the daemon: it goes on, it says why, and nothing panics.
#[test]
fn the_daemon_says_what_is_wrong_and_does_not_panic() {
    for (name, value) in [("AWS_ENDPOINT_URL", ""), ("AWS_ACCESS_KEY_ID", "AKIA X"), ("AWS_REGION", "us-east-1 ")] {
        let home = Home::empty().keys().with("AWS_ENDPOINT_URL", "http://127.0.0.1:9").with(name, value);
        let exporter = home.exporter(&[]);
        let samples = exporter.wait_for("a fault", Duration::from_secs(20), |samples| {
            samples.fault("root") == "invalid_configuration" && exporter.log().contains(name)
        });
        assert!(!samples.names().any(|series| series.contains("task_panics")), "{samples}");
        assert!(!exporter.log().contains("panicked"), "{}", exporter.log());
    }
}

/// Line 3: the same where a role is assumed with the key, which the SDK signs with as it
/// is: one that can be mended is, and any other is refused by name.
#[test]
fn a_role_is_not_assumed_with_a_key_that_is_none() {
    let arn = super::role_arn();
    let by_process = format!(
        "[profile audit]\nrole_arn = {arn}\nsource_profile = base\n[profile base]\ncredential_process = $HOME/print\n"
    );
    let by_variables = format!("[profile audit]\nrole_arn = {arn}\ncredential_source = Environment\n");
    for (end, is_good) in [("\n", true), ("\nX", false)] {
        let printed = format!(
            "printf %s '{{\"Version\": 1, \"AccessKeyId\": \"{KEY}{}\", \"SecretAccessKey\": \"{SECRET}\"}}'",
            end.replace('\n', "\\n")
        );
        for (config, base) in [
            (&by_process, "credential_process of profile \"base\""),
            (&by_variables, "Environment of profile \"audit\""),
        ] {
            let sim = world();
            let home = Home::at(&sim).keys().with("AWS_ACCESS_KEY_ID", &format!("{KEY}{end}"));
            let home = home.program("print", &printed).config(config);
            let (home, flag) = home.account("profile: audit");
            let report = home.check(&[&flag]);
            if is_good {
                report.passes();
                assert_eq!(sim.count(ID, "AssumeRole"), 1);
                continue;
            }
            let [class, detail, remedy] = report.of_account();
            let said =
                format!("profile \"audit\", role_arn by {base}: the credentials are not usable: an access key id");
            assert!(class == "invalid_configuration" && detail.starts_with(&said), "{}", report.text);
            assert!(remedy.contains("each value on one line"), "{remedy}");
            assert_eq!(sim.seen().len(), 0, "nothing was sent with it");
        }
    }
}

/// Line 3: a run that panics is called `panicked`, whatever came before. What panics is
/// the SDK, which assumes a role with the key that an SSO portal has given as it is; for
/// it, too, the profile is named.
#[test]
fn a_run_that_panics_is_not_called_pending() {
    let sim = world();
    let odd = Fault::Rewrite("\"accessKeyId\":\"".into(), "\"accessKeyId\":\"A\\nB".into());
    sim.fault("", Some("GetRoleCredentials"), odd);
    let config = format!(
        "[profile audit]\nrole_arn = {}\nsource_profile = base\n[profile base]\nsso_session = dev\n\
         sso_account_id = {ID}\nsso_role_name = {ROLE}\n\
         [sso-session dev]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n",
        super::role_arn()
    );
    let home = Home::at(&sim).with("AWS_PROFILE", "audit").config(&config).sso_login("2199-01-01T00:00:00Z");
    let exporter = home.exporter(&[]);
    exporter.wait_for("panicked", Duration::from_secs(20), |samples| {
        samples.fault("root") == "panicked"
            && samples
                .value("aws_mfa_exporter_task_panics_total{task=\"credentials\"}")
                .is_some_and(|count| count > 0.0)
    });
    let log = exporter.log();
    assert!(log.contains("a key or a token with a space or a line break in it"), "{log}");
    assert!(log.contains("profile \\\"audit\\\", role_arn by SSO of profile \\\"base\\\""), "{log}");
}

/// Line 4.
#[test]
fn an_empty_region_counts_as_unset() {
    let sim = world();
    Home::at(&sim).keys().with("AWS_REGION", "").check(&[]).passes();
    Home::at(&sim).keys().with("AWS_REGION", "").with("AWS_DEFAULT_REGION", "").check(&[]).passes();
    Home::at(&sim).keys().with("AWS_REGION", "").config("[default]\nregion =\n").check(&[]).passes();
    // Beside another, the other counts: it is refused, so it was read.
    let home = Home::at(&sim).keys().with("AWS_REGION", "").with("AWS_DEFAULT_REGION", "nowhere,");
    home.check(&[]).says("invalid_configuration", &["AWS_DEFAULT_REGION holds \"nowhere,\""], &[]);
}

/// Line 4: none of them is "no credentials".
#[test]
fn a_region_that_is_none_is_refused_by_name() {
    let sim = world();
    for (value, shown) in [("us-east-1 ", "us-east-1 "), ("us-east-1\n", "us-east-1\\n"), ("\n", "\\n"), ("a,b", "a,b")]
    {
        let said = format!("holds \"{shown}\", which is not the name of a region");
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            let report = Home::at(&sim).keys().with(name, value).check(&[]);
            report.says("invalid_configuration", &[name, &said], &["write the name of one region", "us-east-1"]);
        }
    }
    let home = Home::at(&sim).keys().config("[default]\nregion = us-east-1,eu-west-1\n");
    home.check(&[]).says("invalid_configuration", &["region of profile default holds \"us-east-1,eu-west-1\""], &[]);
    assert_eq!(sim.seen().len(), 0);
}

/// A switch that the SDK does not understand it leaves off without a word.
#[test]
fn a_switch_that_is_neither_on_nor_off_is_refused_by_name() {
    let sim = world();
    for name in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_EC2_METADATA_DISABLED"] {
        let report = Home::at(&sim).keys().with(name, "yes").check(&[]);
        report.says("invalid_configuration", &[name, "holds \"yes\", which is not true or false"], &[]);
    }
    let report = Home::at(&sim).keys().config("[default]\nuse_fips_endpoint = on\n").check(&[]);
    report.says("invalid_configuration", &["use_fips_endpoint of profile default holds \"on\""], &[]);
    let report = Home::at(&sim).keys().with("AWS_USE_FIPS_ENDPOINT", "true").check(&[]);
    report.says(
        "invalid_configuration",
        &["GetCallerIdentity: Invalid Configuration: FIPS and custom endpoint are not supported"],
        &[],
    );
}
