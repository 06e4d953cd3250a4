//! The tables of files and of keys of a profile, in deploy/credentials.md.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    Home, ROLE, role_arn,
    variables::{PAGE, packages, quoted, sources},
    world,
};
use crate::support::ID;

/// The rows of the table of files: what the first cell names, and who reads it.
fn files() -> Vec<(BTreeSet<&'static str>, &'static str)> {
    let table = PAGE.split("| file | read | by |").nth(1).unwrap().split("\n\n").next().unwrap();
    let cells = table.lines().skip(2).map(|row| row.split(" | ").collect::<Vec<_>>());
    cells.map(|cells| (quoted(cells[0]), cells[2].trim_end_matches(" |"))).collect()
}

/// Each file of the table is read: whatever stands in it that cannot be used is told of.
/// A name without a case here fails.
#[test]
fn every_file_of_the_table_is_read() {
    let names: Vec<_> = files().into_iter().flat_map(|(names, _)| names).collect();
    assert!(names.len() >= 9, "{names:?}");
    std::thread::scope(|scope| {
        for name in names {
            scope.spawn(move || assert!(is_read(name), "{name} is not read"));
        }
    });
}

fn is_read(name: &str) -> bool {
    let sim = world();
    let home = || Home::at(&sim);
    let says = |home: Home, text: &str| {
        let report = home.check(&[]);
        report.class == "invalid_configuration" && report.detail.contains(text)
    };
    match name {
        "--config.file" => {
            let (home, flag) = home().keys().account("profile: nobody");
            home.check(&[&flag]).of_account()[1].contains("\"nobody\"")
        }
        "~/.aws/config" => says(home().keys().config("no equals sign\n"), "/.aws/config on line 1"),
        "~/.aws/credentials" => says(home().keys().credentials("no equals sign\n"), "/.aws/credentials on line 1"),
        "~/.aws/sso/cache/*.json" => {
            let config = format!(
                "[default]\nsso_session = dev\nsso_account_id = {ID}\nsso_role_name = {ROLE}\n\
                 [sso-session dev]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
            );
            let home = || home().config(&config);
            home().check(&[]).class == "login_required"
                && home().sso_login("2199-01-01T00:00:00Z").check(&[]).code == Some(0)
        }
        "AWS_WEB_IDENTITY_TOKEN_FILE" => {
            says(home().with("AWS_ROLE_ARN", &role_arn()).with(name, "/nowhere"), "the file /nowhere")
        }
        "web_identity_token_file" => {
            let config = format!("[default]\nrole_arn = {}\nweb_identity_token_file = /nowhere\n", role_arn());
            says(home().config(&config), "the file /nowhere")
        }
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => {
            says(home().beside_an_agent(&sim).with(name, "/nowhere"), "the file /nowhere")
        }
        "AWS_CA_BUNDLE" => says(home().keys().with(name, "/nowhere"), "the file /nowhere"),
        "ca_bundle" => says(home().keys().config("[default]\nca_bundle = /nowhere\n"), "the file /nowhere"),
        // `web` and `state` have daemons that read, write and read again.
        "--web.config.file" | "--state.file" => true,
        _ => false,
    }
}

/// The page names every key of a profile that the library goes by for credentials, and no
/// key that nobody reads.
#[test]
fn the_page_names_every_key_of_a_profile_that_counts() {
    let packages = packages();
    let of_library = packages.iter().filter(|(name, _)| name.starts_with("aws-") && *name != "aws-sim");
    let own = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    let read = of_library.map(|(_, folder)| sources(folder)).collect::<String>() + &own;
    let list = PAGE.split("Of a profile these keys count: ").nth(1).unwrap().split(". A role").next().unwrap();
    let listed = quoted(list);
    assert!(listed.len() > 20, "{listed:?}");
    for key in &listed {
        assert!(read.contains(&format!("\"{key}\"")), "nobody reads {key}");
    }
    let file = packages["aws-config"].join("profile/credentials/repr.rs");
    let text = fs::read_to_string(&file).unwrap();
    let keys: BTreeSet<_> = text.split("const ").skip(1).filter_map(|rest| rest.split('"').nth(1)).collect();
    let keys = keys.into_iter().filter(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    // The account that a key is said to be of is not believed, but asked for.
    let missing: Vec<_> = keys.filter(|key| !listed.contains(key) && *key != "aws_account_id").collect();
    assert_eq!(missing, ["login_session"], "it is refused by name");
}
