//! The state file on a disk that is shared, full, or pulled away: with the real binary.

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_sim::{Account, Role, Scenario, Sim};

use crate::support::{Exporter, ID, KEY, Samples, healthy, sim};

const SOON: Duration = Duration::from_secs(30);
const WRITTEN: &str = "aws_mfa_exporter_state_last_write_successful";
const WRITTEN_AT: &str = "aws_mfa_exporter_state_last_write_success_timestamp_seconds";
const SHARED: &str = "Another exporter has locked the state file.";

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
        assert!(!first.log().contains("write the state file"), "{}", first.log());

        first.signal(signal);
        first.wait();
        wait_for_write(&second, 1.0);
        wait_for_text(&path, "222222222222");
        assert!(second.log().contains("The exporter can write the state file again."), "{}", second.log());
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
    assert_eq!(log.matches("The exporter cannot write the state file.").count(), 1, "once: {log}");
    assert_eq!(log.matches("The exporter can write the state file again.").count(), 1, "{log}");
}

/// An account whose root has a key, and a role for the exporter.
fn member(n: usize) -> Account {
    let id = format!("1{n:011}");
    let fido = Account { id: id.clone(), ..Account::default() }.root_fido_serial("key");
    Account { roles: vec![Role::named("aws-mfa-exporter")], ..Account::with_root_devices(&id, &[&fido]) }
}

/// Twenty accounts, whose state file has several kilobytes.
struct Many {
    sim: Sim,
    folder: tempfile::TempDir,
}

impl Many {
    fn new() -> Self {
        let accounts: Vec<_> = (0..20).map(member).collect();
        let roles = accounts
            .iter()
            .map(|account| format!("- id: \"{0}\"\n  role_arn: arn:aws:iam::{0}:role/aws-mfa-exporter\n", account.id));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.yml"), format!("accounts:\n{}", roles.collect::<String>())).unwrap();
        let own = Account { id: "000000000001".into(), ..healthy() };
        let sim = Sim::start(Scenario {
            accounts: accounts.into_iter().chain([own]).collect(),
            credentials: [(KEY.to_owned(), "000000000001".to_owned())].into(),
            ..Scenario::default()
        })
        .unwrap();
        Self { sim, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// The exporter, after this line of a shell.
    fn command(&self, shell: &str) -> Command {
        let [state, config] = [("state.file", "state.json"), ("config.file", "config.yml")]
            .map(|(flag, name)| format!("--{flag}={}", self.folder.path().join(name).display()));
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_aws-mfa-exporter")]);
        command.args(["--state.interval=10ms", &state, &config]).env_clear();
        let endpoint = self.sim.endpoint();
        command.envs([("AWS_ENDPOINT_URL", &*endpoint), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")]);
        command
    }

    fn passed(samples: &Samples) -> bool {
        (0..20).all(|n| samples.status_of(&format!("1{n:011}"), "IAM.9") == "passed")
    }

    /// Runs it until the file tells of the last account, and kills it.
    fn leave_a_file(&self) -> u64 {
        let mut first = Exporter::spawned(self.command("true")).ready();
        first.wait_for("verdicts", SOON, Self::passed);
        let judged = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        first.wait_for("a later write", SOON, |samples| samples.value(WRITTEN_AT).is_some_and(|at| at > judged));
        first.signal("-KILL");
        first.wait();
        fs::metadata(self.path()).unwrap().len()
    }
}

/// The system ends a process that writes more of a file than it may, at the very byte:
/// the end of a process in the middle of a write, at any place one likes.
#[test]
fn ended_after_any_number_of_bytes_it_leaves_the_whole_file_of_before() {
    const SIGXFSZ: i32 = 25;
    let many = Many::new();
    let whole = many.leave_a_file();
    assert!(whole > 8_192, "{whole}");
    for blocks in (0..whole / 1_024).step_by(3) {
        let before = fs::read(many.path()).unwrap();
        let mut command = many.command(&format!("ulimit -c 0; ulimit -f {blocks}"));
        let status = command.arg("--web.listen-address=127.0.0.1:0").stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), Some(SIGXFSZ), "{blocks}: {status:?}");
        let half = many.folder.path().join("state.json.new");
        assert_eq!(fs::metadata(half).unwrap().len(), blocks * 1_024, "it was writing");
        assert!(before == fs::read(many.path()).unwrap(), "{blocks}: the file of before is there as it was");
    }
    let last = Exporter::spawned(many.command("true")).ready();
    let samples = last.metrics();
    assert!(Many::passed(&samples), "{samples}{}", last.log());
    assert!(!last.log().contains("cannot use"), "{}", last.log());
}

/// A disk on which there is room for a part of the file only.
#[test]
fn on_a_full_disk_the_file_of_before_stays_and_a_new_one_is_written_when_there_is_room() {
    let many = Many::new();
    many.leave_a_file();
    let before = fs::read(many.path()).unwrap();
    let mut command = many.command("trap '' XFSZ; ulimit -S -f 4");
    command.arg("--collector.root.interval=1s");
    let exporter = Exporter::spawned(command).ready();
    wait_for_write(&exporter, 0.0);
    exporter.wait_for("verdicts all the same", SOON, Many::passed);
    many.sim.edit("100000000003", |account| account.root.devices.clear());
    exporter.wait_for("a failure", SOON, |samples| samples.status_of("100000000003", "IAM.9") == "failed");
    assert!(before == fs::read(many.path()).unwrap(), "the file of before is there as it was");
    let log = exporter.log();
    assert_eq!(log.matches("The exporter cannot write the state file.").count(), 1, "once: {log}");
    let room = Command::new("prlimit").args(["--pid", &exporter.pid().to_string(), "--fsize=unlimited"]).status();
    assert!(room.unwrap().success());
    let samples = wait_for_write(&exporter, 1.0);
    assert!(samples.value(WRITTEN_AT).unwrap() > 1_700_000_000.0);
    wait_for_text(&many.path(), "100000000019");
    assert!(before != fs::read(many.path()).unwrap());
    assert!(exporter.log().contains("The exporter can write the state file again."), "{}", exporter.log());
}
