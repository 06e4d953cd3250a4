//! Finds out, at build time, which commit and which compiler a binary is of.
//! Packagers without a checkout set `BUILD_REVISION` themselves.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=BUILD_REVISION");
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/logs/HEAD");
    let revision = env::var("BUILD_REVISION").ok().or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    let rustc = output(&env::var("RUSTC").unwrap_or_else(|_| "rustc".into()), &["--version"]);
    let rustc = rustc.and_then(|line| line.split(' ').nth(1).map(str::to_owned));
    println!("cargo::rustc-env=BUILD_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=BUILD_RUSTC={}", rustc.as_deref().unwrap_or("unknown"));
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
