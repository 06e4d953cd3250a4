//! The rules of the house, read off the source.

use std::{fs, path::Path};

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Every source file below `src`, by path.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.push((entry.display().to_string(), fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    assert!(files.len() > 20);
    files
}

/// The part of a file before its unit tests.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn pure_rooms_know_no_runtime_no_network_and_no_clock() {
    let pure = [
        "facts.rs",
        "facts/device.rs",
        "facts/fault.rs",
        "facts/report.rs",
        "facts/user.rs",
        "exemption.rs",
        "judge.rs",
        "judge/root.rs",
        "judge/users.rs",
        "snapshot.rs",
        "snapshot/plan.rs",
        "metrics/render.rs",
        "metrics/render/users.rs",
        "metrics/rows.rs",
        "exposition.rs",
        "exposition/duplicates.rs",
        "exposition/gzip.rs",
        "exposition/openmetrics.rs",
        "http/negotiate.rs",
        "web_config.rs",
        "account.rs",
        "config.rs",
        "config/file.rs",
        "discover.rs",
        "shard.rs",
        "snapshot/account.rs",
        "state.rs",
        "state/users.rs",
        "landing.rs",
        "limit.rs",
        "overview.rs",
    ];
    for room in pure {
        let text = source(&format!("src/{room}"));
        for foreign in
            ["tokio", "hyper", "aws_sdk", "aws_config", "aws_smithy", "SystemTime", "Instant", "Clock", "fastrand"]
        {
            let known =
                product(&text).lines().any(|line| !line.trim_start().starts_with("//") && line.contains(foreign));
            assert!(!known, "src/{room} knows {foreign}");
        }
    }
}

/// The generated paginators ignore a configuration override: they would read the
/// exporter's own account under another's label.
#[test]
fn no_generated_paginator_is_used() {
    for (path, text) in sources() {
        assert!(!text.contains("into_paginator"), "{path}");
    }
}

/// Each request names its credentials; see also the test of a forgotten one.
#[test]
fn every_operation_is_given_credentials() {
    for (path, text) in sources().into_iter().filter(|(path, _)| path.contains("/aws/")) {
        let sent = product(&text).matches(".send()").count();
        let given = product(&text).matches(".config_override(").count();
        assert_eq!(sent, given, "{path}");
    }
}

#[test]
fn randomness_lives_in_the_schedule() {
    for (path, text) in sources() {
        assert!(path.ends_with("schedule.rs") || !text.contains("fastrand::"), "{path}");
    }
}

/// One TLS stack, and not the legacy one.
#[test]
fn the_lock_file_holds_one_tls_stack() {
    let lock = source("Cargo.lock");
    let versions = |name: &str| lock.matches(&format!("name = \"{name}\"\n")).count();
    for (package, wanted) in [("rustls", 1), ("hyper", 1), ("h2", 1), ("openssl", 0), ("native-tls", 0)] {
        assert_eq!(versions(package), wanted, "{package}");
    }
    assert!(!lock.contains("name = \"hyper\"\nversion = \"0."), "hyper 0.14 is the legacy client's");
}

#[test]
fn the_catalogue_is_consistent() {
    use aws_mfa_exporter::metrics::{CATALOGUE, Kind};
    for metric in CATALOGUE {
        assert!(metric.name.starts_with("aws_mfa_") && metric.help.ends_with('.'), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
    }
    let mut names: Vec<_> = CATALOGUE.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CATALOGUE.len());
}
