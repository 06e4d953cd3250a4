//! A second opinion: moto simulates IAM, boto3 asks it user by user, and the
//! exporter has to come to the same counts and names.

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use crate::{
    peers::{Peer, free_port, python, wait_until},
    support::{Exporter, KEY},
};

#[test]
fn counts_and_names_agree_with_boto3_asking_moto_user_by_user() {
    let port = free_port();
    let mut server = python("moto_server");
    server.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stderr(Stdio::null()).stdout(Stdio::null());
    let _moto = Peer(server.spawn().unwrap());
    let address = format!("127.0.0.1:{port}");
    wait_until("moto listens", Duration::from_secs(60), || std::net::TcpStream::connect(&address).is_ok());
    let endpoint = format!("http://{address}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ask-each-user.py");
    let asked = python("python").args([script, &endpoint, "80", "7"]).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let opinion: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    let flags = [
        "--collector.root.interval=1s",
        "--collector.users.interval=2s",
        "--collector.users.names=failing",
        // moto's reports are of 2015.
        "--no-collector.users.generate-report",
    ];
    let environment = [("AWS_ENDPOINT_URL", &*endpoint), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")];
    let exporter = Exporter::with_environment(&flags, &environment);
    let of = |family: &str| format!("{family}{{account_id=\"123456789012\"}}");
    let samples = exporter.wait_for("all users", Duration::from_secs(90), |samples| {
        samples.value(&of("aws_mfa_users")) == Some(80.0)
            && samples.value(&of("aws_mfa_console_users_without_mfa")).is_some()
    });
    for (family, key) in
        [("aws_mfa_users_without_mfa", "without_mfa"), ("aws_mfa_console_users_without_mfa", "console_without_mfa")]
    {
        let names = opinion[key].as_array().unwrap();
        assert!(names.len() > 3, "the users are of every kind: {opinion}");
        assert_eq!(samples.value(&of(family)), Some(names.len() as f64), "{family}");
        let of_console = |name: &&str| key == "without_mfa" || name.contains("console_access=\"true\"");
        let named = samples.names().filter(|name| name.starts_with("aws_mfa_user_without_mfa{")).filter(of_console);
        let named: BTreeSet<_> =
            named.map(|name| name.split("user=\"").nth(1).unwrap().split('"').next().unwrap()).collect();
        let wanted: BTreeSet<_> = names.iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(named, wanted, "{family}");
    }
    assert_eq!(["IAM.5", "IAM.19"].map(|control| samples.status(control)), ["failed", "failed"]);
}
