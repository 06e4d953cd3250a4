//! The rules of the house, read off the source.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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

/// What may be under a pure folder, or in a pure file, and what may not: nothing
/// that runs tasks, opens sockets, calls AWS, reads a clock or throws dice.
const FOREIGN: [&str; 9] =
    ["tokio", "hyper", "aws_sdk", "aws_config", "aws_smithy", "SystemTime", "Instant", "clock::Clock", "fastrand"];

/// The folder is the rule: a new file in one of these is checked without a word.
const PURE: [&str; 20] = [
    "src/model.rs",
    "src/model/",
    "src/metrics/render",
    "src/exposition.rs",
    "src/exposition/",
    "src/overview.rs",
    "src/overview/",
    "src/http/negotiate.rs",
    "src/http/config",
    "src/http/connections/eviction.rs",
    "src/http/guard/passwords/turns.rs",
    "src/http/paths.rs",
    "src/http/refusal.rs",
    "src/config",
    "src/daemon/account_run/due.rs",
    "src/daemon/account_run/series.rs",
    "src/daemon/roster",
    "src/events",
    "src/rate_limit.rs",
    "src/rules",
];

#[test]
fn pure_modules_know_no_runtime_no_network_and_no_clock() {
    let mut checked = 0;
    for (path, text) in sources() {
        let is_pure = PURE.iter().any(|pure| path.contains(pure));
        checked += usize::from(is_pure);
        for foreign in FOREIGN.iter().filter(|_| is_pure) {
            let known =
                product(&text).lines().any(|line| !line.trim_start().starts_with("//") && line.contains(foreign));
            assert!(!known, "{path} knows {foreign}");
        }
    }
    assert!(checked >= 30, "{checked}");
}

/// Each top module of the library, and the top modules that it imports.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<String> = source("src/lib.rs")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    let mut all: BTreeMap<String, BTreeSet<String>> =
        modules.iter().map(|module| (module.clone(), BTreeSet::new())).collect();
    for (path, text) in sources() {
        let name = path.rsplit_once("src/").unwrap().1.split(['/', '.']).next().unwrap().to_owned();
        let Some(known) = all.get_mut(&name) else { continue };
        known.extend(imported(product(&text)).into_iter().filter(|module| modules.contains(module) && *module != name));
    }
    all
}

/// The first names after `crate::`, also those within braces.
fn imported(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut name) = (0, String::new());
            for letter in list.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(letter),
                    _ => {}
                }
            }
            names.push(name);
        } else {
            names.push(rest.to_owned());
        }
    }
    let first = |name: String| name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
    names.into_iter().map(first).collect()
}

#[test]
fn no_module_imports_one_that_imports_it() {
    let mut open = imports();
    while !open.is_empty() {
        let bottom: Vec<_> = open.iter().filter(|(_, known)| known.is_empty()).map(|(name, _)| name.clone()).collect();
        assert!(!bottom.is_empty(), "a circle of imports: {open:#?}");
        for name in bottom {
            open.remove(&name);
            open.values_mut().for_each(|known| {
                known.remove(&name);
            });
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

/// What stands between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).unwrap().0
}

/// The compiler wants an arm for each variant in `as_str`, but does not see that one
/// is missing in `ALL`: no metric would then have that label value.
#[test]
fn all_has_each_variant_once() {
    let mut seen = 0;
    for (path, text) in sources() {
        for (before, list) in text.match_indices("pub const ALL: [Self; ").map(|(at, _)| text.split_at(at)) {
            let name = before.rsplit("\nimpl ").next().unwrap().split(' ').next().unwrap();
            let body = between(&text, &format!("pub enum {name} {{\n"), "\n}");
            let variants = body.lines().filter(|line| line.trim_start().starts_with(char::is_uppercase));
            let mut variants: Vec<_> = variants.map(|line| line.trim().trim_end_matches(',')).collect();
            let mut listed: Vec<_> =
                between(list.split_once('=').unwrap().1, "[", "]").split(',').map(str::trim).collect();
            listed.retain(|one| !one.is_empty());
            variants.sort_unstable();
            listed.sort_unstable();
            assert_eq!(listed, variants.iter().map(|one| format!("Self::{one}")).collect::<Vec<_>>(), "{path}: {name}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
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
    use aws_mfa_exporter::metrics::{Kind, catalogue};
    for metric in catalogue() {
        assert!(metric.name.starts_with("aws_mfa_") && metric.help.ends_with('.'), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
    }
    let mut names: Vec<_> = catalogue().iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), catalogue().len());
}

/// A row of a table that names a test which is gone claims what nobody checks.
#[test]
fn the_tests_that_the_table_of_the_web_server_names_are_there() {
    let text = source("deploy/web.md");
    let named: Vec<_> = text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    for (module, name) in &named {
        let tests = source(&format!("tests/it/{module}.rs"));
        let name = name.trim_end_matches('…');
        assert!(tests.contains(&format!("\nfn {name}")), "{module}::{name}");
    }
    assert!(named.len() >= 18, "{named:?}");
}
