//! `profile:` in the exporter's configuration: whatever the profile leads to works, and
//! goes where the profile says.

use std::collections::BTreeSet;

use aws_sim::{Account, Scenario, Sim};

use super::{
    Home, ROLE, SECRET,
    network::{Front, Proxy, Says},
    role_arn, world,
};
use crate::support::{ID, KEY};

/// A profile of each partition, with keys of its own.
const PARTITIONS: [(&str, &str, &str); 4] = [
    ("200000000001", "cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ("200000000002", "us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ("200000000003", "eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
    ("200000000004", "us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
];

fn profiles_of_partitions(home: Home) -> Home {
    let (mut profiles, mut accounts) = (String::new(), String::from("accounts:\n"));
    for (id, region, _) in PARTITIONS {
        profiles += &format!(
            "[profile of-{region}]\nregion = {region}\naws_access_key_id = AKIA{id}\naws_secret_access_key = {SECRET}\n"
        );
        accounts += &format!("- {{id: \"{id}\", profile: of-{region}}}\n");
    }
    // What EKS sets in every pod must not bring any of them home.
    home.config(&profiles).file("exporter.yml", &accounts).with("AWS_REGION", "us-east-1")
}

/// Line 1: no key id reaches another partition than its own.
#[test]
fn profiles_of_other_partitions_ask_their_own_endpoints() {
    let proxy = Proxy::start(Says::Refuse(403));
    let home = profiles_of_partitions(Home::empty()).with("HTTPS_PROXY", &proxy.url());
    let flag = format!("--config.file={}", home.shown("exporter.yml"));
    home.check(&[&flag]);
    let asked: BTreeSet<_> = proxy.asked().into_iter().collect();
    let wanted = PARTITIONS.iter().map(|(_, _, host)| format!("{host}:443")).collect();
    assert_eq!(asked, wanted);
}

/// Line 1, to the end: TLS by an authority that the profile alone names, a proxy, and a
/// verdict by the rules of the partition.
#[test]
fn an_account_of_another_partition_is_judged_through_its_profile() {
    let (id, region, host) = PARTITIONS[0];
    let account = Account { id: id.into(), partition: "aws-cn".into(), ..Account::default() };
    let account = Account { root: crate::support::healthy().root, ..account };
    let credentials = [(format!("AKIA{id}"), id.to_owned())].into();
    let sim = Sim::start(Scenario { accounts: vec![account], credentials, ..Scenario::default() }).unwrap();
    let front = Front::of(&sim, &[host, "iam.cn-north-1.amazonaws.com.cn"]);
    let proxy = Proxy::start(Says::Tunnel(front.address.clone()));
    let home = Home::empty().with("HTTPS_PROXY", &proxy.url());
    let profile = format!(
        "[profile cn]\nregion = {region}\nca_bundle = {}\naws_access_key_id = AKIA{id}\naws_secret_access_key = {SECRET}\n",
        front.authority()
    );
    let home = home.config(&profile).file("exporter.yml", &format!("accounts: [{{id: \"{id}\", profile: cn}}]\n"));
    let report = home.check(&[&format!("--config.file={}", home.shown("exporter.yml"))]);
    report.passes();
    assert_eq!(report.json["accounts"][0]["partition"], "aws-cn");
    let hosts: BTreeSet<_> = proxy.asked().into_iter().collect();
    assert!(hosts.iter().all(|host| host.ends_with(".amazonaws.com.cn:443")), "{hosts:?}");
}

/// Line 2: each way by which a profile can assume a role, or be handed credentials.
#[test]
fn a_profile_that_leads_to_a_role_works() {
    let arn = role_arn();
    let keys = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    let sso = "[sso-session dev]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n";
    let login = format!("sso_session = dev\nsso_account_id = {ID}\nsso_role_name = {ROLE}\n{sso}");
    let legacy = format!(
        "sso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = {ID}\nsso_role_name = {ROLE}\n"
    );
    for (what, profile, asked) in [
        ("source_profile", format!("role_arn = {arn}\nsource_profile = base\n[profile base]\n{keys}"), "AssumeRole"),
        ("itself", format!("role_arn = {arn}\nsource_profile = audit\n{keys}"), "AssumeRole"),
        (
            "two roles",
            format!(
                "role_arn = {arn}\nsource_profile = b\n[profile b]\nrole_arn = {arn}\nsource_profile = c\n[profile c]\n{keys}"
            ),
            "AssumeRole",
        ),
        ("environment", format!("role_arn = {arn}\ncredential_source = Environment\n"), "AssumeRole"),
        ("instance", format!("role_arn = {arn}\ncredential_source = Ec2InstanceMetadata\n"), "InstanceCredentials"),
        ("container", format!("role_arn = {arn}\ncredential_source = EcsContainer\n"), "ContainerCredentials"),
        (
            "web identity",
            format!("role_arn = {arn}\nweb_identity_token_file = $HOME/token\n"),
            "AssumeRoleWithWebIdentity",
        ),
        ("SSO", login.clone(), "GetRoleCredentials"),
        ("SSO of old", legacy, "GetRoleCredentials"),
        ("SSO and a role", format!("role_arn = {arn}\nsource_profile = dev\n[profile dev]\n{login}"), "AssumeRole"),
        ("process", "credential_process = $HOME/print\n".to_owned(), "GetCallerIdentity"),
        (
            "process and a role",
            format!("role_arn = {arn}\nsource_profile = p\n[profile p]\ncredential_process = $HOME/print\n"),
            "AssumeRole",
        ),
    ] {
        let sim = world();
        let printed =
            format!("echo '{{\"Version\": 1, \"AccessKeyId\": \"{KEY}\", \"SecretAccessKey\": \"{SECRET}\"}}'");
        let home = Home::at(&sim).keys().beside_an_agent(&sim).on_an_instance(&sim).file("token", "web-token");
        let home = home.sso_login("2199-01-01T00:00:00Z").program("print", &printed);
        // SHA-1 of the start URL, by which older logins are kept.
        let old =
            std::fs::read_to_string(home.path(".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json")).unwrap();
        let home = home.file(".aws/sso/cache/e8be5486177c5b5392bd9aa76563515b29358e6e.json", &old);
        let (home, flag) = home.config(&format!("[profile audit]\n{profile}")).account("profile: audit");
        let report = home.check(&[&flag]);
        assert_eq!(report.code, Some(0), "{what}: {}", report.text);
        assert!(sim.total(asked) > 0, "{what}: {:?}", sim.seen());
    }
}

/// Line 2: a role of the configuration on top of a role of a profile.
#[test]
fn a_role_is_assumed_with_the_credentials_of_a_profile_that_leads_to_a_role() {
    let sim = world();
    let config = format!(
        "[profile audit]\nrole_arn = {}\nsource_profile = base\n[profile base]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n",
        role_arn()
    );
    let entry = format!("{{profile: audit, role_arn: \"{}\"}}", role_arn());
    let (home, flag) = Home::at(&sim).config(&config).account(&entry[1..entry.len() - 1].replace(", ", "\n  "));
    home.check(&[&flag]).passes();
    assert_eq!(sim.count(ID, "AssumeRole"), 2);
}

/// Line 1: where requests go is the profile's to say, for those that the library makes of
/// the profile too; by `endpoint_url`, or service by service.
#[test]
fn the_endpoint_of_a_profile_is_asked() {
    let sim = world();
    let (arn, url) = (role_arn(), sim.endpoint());
    let keys = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    for place in [
        format!("endpoint_url = {url}\n"),
        format!("services = s\n[services s]\niam =\n  endpoint_url = {url}\nsts =\n  endpoint_url = {url}\n"),
    ] {
        let config = format!("[profile base]\n{keys}[profile audit]\nrole_arn = {arn}\nsource_profile = base\n{place}");
        let (home, flag) = Home::empty().config(&config).account("profile: audit");
        home.check(&[&flag]).passes();
    }
    assert_eq!(sim.count(ID, "AssumeRole"), 2);
}

/// What the configuration names is asked and nothing else, whatever there is beside it.
#[test]
fn a_profile_without_credentials_falls_back_on_nothing() {
    let sim = world();
    let home =
        Home::at(&sim).keys().beside_an_agent(&sim).on_an_instance(&sim).config("[profile bare]\nregion = us-east-1\n");
    let (home, flag) = home.account("profile: bare");
    let [class, detail, _] = home.check(&[&flag]).of_account();
    assert_eq!((&*class, &*detail), ("invalid_configuration", "profile \"bare\" has no credentials"));
    let (home, flag) = home.account("profile: gone");
    let [class, detail, _] = home.check(&[&flag]).of_account();
    assert_eq!(class, "invalid_configuration");
    assert!(
        detail.starts_with("the exporter's configuration names profile \"gone\", which does not exist"),
        "{detail}"
    );
    assert_eq!(sim.seen().len(), 0);
}
