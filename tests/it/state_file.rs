//! The state file on a disk that is shared, full, or pulled away: with the real binary.

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use aws_sim::{Account, Role, Scenario, Sim};

use crate::support::{Exporter, ID, KEY, Samples, healthy, sim};

const SOON: Duration = Duration::from_secs(30);
const WRITTEN: &str = "aws_mfa_exporter_state_last_write_successful";
const WRITTEN_AT: &str = "aws_mfa_exporter_state_last_write_success_timestamp_seconds";
const SHARED: &str = "Another exporter has the state file.";

fn start(sim: &Sim, path: &Path) -> Exporter {
    let file = format!("--state.file={}", path.display());
    Exporter::start(&sim.endpoint(), &["--collector.root.interval=1s", "--state.interval=100ms", &file])
}

fn wait_for_write(exporter: &Exporter, wanted: f64) -> Samples {
    exporter.wait_for(&format!("written: {wanted}"), SOON, |samples| samples.value(WRITTEN) == Some(wanted))
}

/// Waits until the file holds this text, which stands in it as a whole JSON document.
fn wait_for_text(path: &Path, text: &str) {
    let began = Instant::now();
    loop {
        let file = fs::read_to_string(path).unwrap_or_default();
        if file.contains(text) {
            serde_json::from_str::<serde_json::Value>(&file).unwrap();
            return;
        }
        assert!(began.elapsed() < SOON, "{text}: {file}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Another account, so that the file tells whose it is.
fn other() -> Sim {
    const OTHER: &str = "222222222222";
    let credentials = [(KEY.to_owned(), OTHER.to_owned())].into();
    let accounts = vec![Account::with_root_devices(OTHER, &[])];
    Sim::start(Scenario { accounts, credentials, ..Scenario::default() }).unwrap()
}

#[test]
fn of_two_exporters_with_one_state_file_the_second_says_so_and_goes_without() {
    for signal in ["-TERM", "-KILL"] {
        let (one, two) = (sim(healthy()), other());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut first = start(&one, &path);
        let samples = wait_for_write(&first, 1.0);
        assert!(samples.value(WRITTEN_AT).unwrap() > 1_700_000_000.0, "{samples}");
        wait_for_text(&path, ID);

        let second = start(&two, &path);
        second.expect("IAM.9", "failed");
        thread::sleep(Duration::from_secs(1));
        let samples = wait_for_write(&second, 0.0);
        assert_eq!(samples.value(WRITTEN_AT), Some(0.0), "never");
        let log = second.log();
        let lines: Vec<_> =
            log.lines().filter(|line| line.contains("level=error") && line.contains("state file")).collect();
        assert!(lines.len() == 1 && lines[0].contains(SHARED), "one clear line: {log}");
        assert!(!fs::read_to_string(&path).unwrap().contains("222222222222"), "the file is the first one's");
        assert_eq!(first.metrics().value(WRITTEN), Some(1.0));
        assert!(!first.log().contains("state file c"), "{}", first.log());

        first.signal(signal);
        first.wait();
        wait_for_write(&second, 1.0);
        wait_for_text(&path, "222222222222");
        assert!(second.log().contains("The state file is written again."), "{}", second.log());
    }
}

#[test]
fn without_a_state_file_nothing_is_said_of_one() {
    let sim = sim(healthy());
    let exporter = Exporter::fast(&sim);
    exporter.expect("IAM.9", "passed");
    assert_eq!([WRITTEN, WRITTEN_AT].map(|name| exporter.metrics().value(name)), [None, None]);
}

#[test]
fn a_state_file_that_cannot_be_written_shows_and_is_written_when_it_can_be() {
    let sim = sim(healthy());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let exporter = start(&sim, &path);
    wait_for_write(&exporter, 1.0);
    // Nothing takes the place of a folder that is not empty.
    while fs::create_dir_all(path.join("in the way")).is_err() {
        let _ = fs::remove_file(&path);
    }
    let samples = wait_for_write(&exporter, 0.0);
    let at = samples.value(WRITTEN_AT);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(exporter.metrics().value(WRITTEN_AT), at, "the time of the last success stays");
    exporter.expect("IAM.9", "passed");
    fs::remove_dir_all(&path).unwrap();
    wait_for_write(&exporter, 1.0);
    wait_for_text(&path, ID);
    let log = exporter.log();
    assert_eq!(log.matches("The state file cannot be written.").count(), 1, "once: {log}");
    assert_eq!(log.matches("The state file is written again.").count(), 1, "{log}");
}

/// An account whose root has a key, and a role for the exporter.
fn member(n: usize) -> Account {
    let id = format!("1{n:011}");
    let fido = Account { id: id.clone(), ..Account::default() }.root_fido_serial("key");
    Account { roles: vec![Role::named("aws-mfa-exporter")], ..Account::with_root_devices(&id, &[&fido]) }
}

/// The system ends a process that writes more of a file than it may, at the very byte:
/// the end of a process in the middle of a write, at any place one likes.
#[test]
fn ended_after_any_number_of_bytes_it_leaves_the_whole_file_of_before() {
    const SIGXFSZ: i32 = 25;
    let accounts: Vec<_> = (0..20).map(member).collect();
    let roles = accounts
        .iter()
        .map(|account| format!("- id: \"{0}\"\n  role_arn: arn:aws:iam::{0}:role/aws-mfa-exporter\n", account.id));
    let folder = tempfile::tempdir().unwrap();
    let (path, config) = (folder.path().join("state.json"), folder.path().join("config.yml"));
    fs::write(&config, format!("accounts:\n{}", roles.collect::<String>())).unwrap();
    let own = Account { id: "000000000001".into(), ..healthy() };
    let sim = Sim::start(Scenario {
        accounts: accounts.into_iter().chain([own]).collect(),
        credentials: [(KEY.to_owned(), "000000000001".to_owned())].into(),
        ..Scenario::default()
    })
    .unwrap();
    let [file, config] =
        [("state.file", &path), ("config.file", &config)].map(|(flag, path)| format!("--{flag}={}", path.display()));
    let run = || Exporter::start(&sim.endpoint(), &["--state.interval=10ms", &file, &config]);
    let passed = |samples: &Samples| (0..20).all(|n| samples.status_of(&format!("1{n:011}"), "IAM.9") == "passed");
    let mut first = run();
    first.wait_for("verdicts", SOON, passed);
    wait_for_text(&path, "100000000019");
    first.signal("-KILL");
    first.wait();
    let whole = fs::metadata(&path).unwrap().len();
    assert!(whole > 8_192, "{whole}");
    let half: PathBuf = folder.path().join("state.json.new");
    for blocks in (0..whole / 1_024).step_by(3) {
        let before = fs::read(&path).unwrap();
        let script = format!("ulimit -c 0; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let status = Command::new("bash")
            .args([
                "-c",
                &script,
                env!("CARGO_BIN_EXE_aws-mfa-exporter"),
                "--web.listen-address=127.0.0.1:0",
                "--state.interval=10ms",
                &file,
                &config,
            ])
            .env_clear()
            .envs([("AWS_ENDPOINT_URL", &*sim.endpoint()), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(SIGXFSZ), "{blocks}: {status:?}");
        assert_eq!(fs::metadata(&half).unwrap().len(), blocks * 1_024, "it was writing");
        assert!(before == fs::read(&path).unwrap(), "{blocks}: the file of before is there as it was");
    }
    let last = run();
    assert!(passed(&last.metrics()), "{}", last.log());
    assert!(!last.log().contains("cannot be used"), "{}", last.log());
}
