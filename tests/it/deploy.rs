//! What is packed, and the demo stack: what files name exists, and the stack runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    peers::{free_port, wait_until},
    support::request,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files that a path with at most one `*` stands for, relative to `folder`.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = folder.join(pattern);
    let Some((before, after)) = pattern.split_once('*') else {
        return path.exists().then_some(path).into_iter().collect();
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or((".", before));
    let names = fs::read_dir(folder.join(parent)).unwrap().map(|entry| entry.unwrap().path());
    names
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(prefix) && name.ends_with(after)
        })
        .collect()
}

#[test]
fn every_file_that_is_packed_exists() {
    let manifest = text("Cargo.toml");
    let packed: Vec<_> = manifest
        .lines()
        .filter(|line| line.starts_with("  [\"") || line.starts_with("  { source = \""))
        .map(|line| line.split('"').nth(1).unwrap())
        .filter(|path| !path.starts_with("target/"))
        .collect();
    assert!(packed.len() > 20, "{packed:?}");
    for path in packed {
        assert!(!matching(root(), path).is_empty(), "{path}");
    }
    let kept = text(".dockerignore");
    for path in kept.lines().filter_map(|line| line.strip_prefix('!')).filter(|path| !path.contains("LICENSES")) {
        assert!(path == ".cargo" || root().join(path).exists(), "{path}");
    }
}

#[test]
fn every_path_of_the_demo_stack_exists() {
    let compose = text("deploy/demo/compose.yaml");
    let mounts: Vec<_> = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ./").or(line.trim().strip_prefix("- ../")))
        .collect();
    assert!(mounts.len() >= 7, "{mounts:?}");
    for line in compose.lines().map(str::trim).filter(|line| line.starts_with("- .")) {
        let path = line.trim_start_matches("- ").split(':').next().unwrap();
        assert!(root().join("deploy/demo").join(path).exists(), "{path}");
    }
    assert!(root().join("deploy/demo/Containerfile").exists() && root().join("Containerfile").exists());
}

/// A tag can be moved to other code; a hash cannot.
#[test]
fn workflows_pin_actions_by_hash() {
    let mut pinned = 0;
    for path in matching(root(), ".github/workflows/*.yml") {
        for line in fs::read_to_string(&path).unwrap().lines().filter(|line| line.contains("uses: ")) {
            let (_, action) = line.split_once("uses: ").unwrap();
            let (hash, version) = action.split_once('@').and_then(|(_, rest)| rest.split_once(" # v")).unwrap();
            assert!(hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
            assert!(version.split('.').count() == 3, "{line}");
            pinned += 1;
        }
    }
    assert!(pinned >= 5, "{pinned}");
}

/// What the benches say of memory is true of what is shipped only while they are alike.
#[test]
fn the_unit_the_image_and_the_benches_set_the_allocator_alike() {
    for (name, value) in [
        ("MALLOC_ARENA_MAX", "1"),
        ("MALLOC_MMAP_THRESHOLD_", "16384"),
        ("MALLOC_TRIM_THRESHOLD_", "65536"),
        ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"),
    ] {
        for path in ["Containerfile", "deploy/systemd/aws-mfa-exporter.service", "deploy/costs.md"] {
            assert!(text(path).contains(&format!("{name}={value}")), "{path}: {name}");
        }
        assert!(text("tests/bench/daemon.rs").contains(&format!("(\"{name}\", \"{value}\"),")), "{name}");
    }
}

/// Whatever repeats the version would be wrong after the next release.
#[test]
fn the_version_stands_in_one_place() {
    let version = env!("CARGO_PKG_VERSION");
    let declared = text("Cargo.toml").matches(&format!("\nversion = \"{version}\"\n")).count();
    assert_eq!(declared, 1);
    for path in
        ["Containerfile", "README.md", "deploy/release/build", "deploy/release/binary", ".github/workflows/release.yml"]
    {
        let named = text(path).lines().any(|line| line.contains(&format!("aws-mfa-exporter-{version}")));
        assert!(!named, "{path}");
    }
}

/// `deploy/demo/run` with everything that it starts; it ends with the test.
struct Stack(std::process::Child);

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_demo_stack_runs_without_containers_raises_alerts_and_leaves_nothing_behind() {
    let exporter = Path::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    let aws = exporter.with_file_name("examples").join("demo");
    assert!(aws.exists(), "tests/run builds the example `demo` first");
    let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
    let names = ["EXPORTER_PORT", "AWS_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT"];
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(root().join("deploy/demo/run"))
        .envs(names.iter().zip(&ports).map(|(name, port)| (name, port.to_string())))
        .env("EXPORTER", exporter)
        .env("AWS", &aws)
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let stack = Stack(child);
    let holds = |port: u16, path: &str, wanted: &[&str]| {
        let address = format!("127.0.0.1:{port}");
        std::net::TcpStream::connect(&address).is_ok() && {
            let answer = request(&address, &format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n"));
            answer.status == 200 && wanted.iter().all(|text| answer.text().contains(text))
        }
    };
    let patience = Duration::from_secs(60);
    wait_until("the exporter knows the organization", patience, || {
        holds(ports[0], "/metrics", &["demo-flapping", "aws_mfa_control_status"])
    });
    wait_until("Prometheus has an alert about an account", patience, || {
        holds(ports[2], "/api/v1/alerts", &["\"alertname\":\"AwsMfaRoot"])
    });
    wait_until("Prometheus knows Alertmanager, which is up", patience, || {
        let active = format!("127.0.0.1:{}/api/v2/alerts", ports[3]);
        holds(ports[2], "/api/v1/alertmanagers", &[&active]) && holds(ports[3], "/-/ready", &[])
    });
    drop(stack);
    for port in ports {
        assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok(), "something still listens on {port}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the stack takes its files with it");
}
