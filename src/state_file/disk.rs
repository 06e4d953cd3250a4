//! The state file itself: replaced whole, or not at all.
//!
//! A new file is written beside the old one, brought to the disk, and given its
//! name; the folder is brought to the disk after that. Whoever looks at any
//! moment, a power cut included, finds the one or the other. Of two exporters with
//! one file, the second reads it and does not write it before the first has ended.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{State, lock::Lock, read, write};
use crate::{
    clock::Clock,
    metrics::exporter_metrics::ExporterMetrics,
    model::{shard::Shard, snapshot::Snapshot, time::Uptime},
};

/// However long writing takes, it takes at most one part in so many of the time.
const SHARE: u32 = 50;

/// The state file of one exporter.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    interval: Duration,
    shard: Shard,
    clock: Clock,
    metrics: ExporterMetrics,
    lock: Lock,
    /// What was written last. It is held while the file is written: a write that
    /// nobody waits for any more goes on all the same.
    written: Arc<Mutex<Written>>,
    /// Why it could not be written the last time; empty if it could.
    trouble: Arc<Mutex<String>>,
}

/// What was written last.
#[derive(Debug, Default)]
struct Written {
    /// The tick of the snapshot.
    tick: Option<Uptime>,
    /// A digest of the text; `None` while the file may be another.
    digest: Option<u64>,
}

/// Another exporter has the lock.
#[derive(Debug, thiserror::Error)]
#[error("another exporter has locked it")]
struct Anothers;

impl StateFile {
    /// The file at `path`, written every `interval` where anything has changed; the
    /// metrics tell how that goes.
    #[must_use]
    pub fn new(path: PathBuf, interval: Duration, shard: Shard, clock: Clock, metrics: ExporterMetrics) -> Self {
        let lock = Lock::new(beside(&path, ".lock"));
        Self { path, interval, shard, clock, metrics, lock, written: Arc::default(), trouble: Arc::default() }
    }

    /// Reads the file, if there is one that can be used. One that cannot is set
    /// aside, for whoever wants to know what happened.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or its folder cannot be written.
    pub fn load(&self, is_single_account: bool) -> io::Result<Option<State>> {
        let is_ours = self.lock.take()?;
        if is_ours {
            self.try_folder()?;
        } else {
            self.ended(Err(io::Error::other(Anothers)));
        }
        let text = match fs::read(&self.path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match read(&text, self.shard, is_single_account, self.clock.now()) {
            Ok(state) => {
                tracing::info!(accounts = state.memories.len(), "The exporter has read the state of an earlier run.");
                Ok(Some(state))
            }
            Err(error) if is_ours => {
                let aside = beside(&self.path, ".unusable");
                tracing::warn!(
                    file = %self.path.display(), %error, aside = %aside.display(),
                    "The exporter cannot use the state file. It renames the file and starts without it.",
                );
                fs::rename(&self.path, aside)?;
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "The exporter cannot use the state file and starts without it.");
                Ok(None)
            }
        }
    }

    /// Says at the start, not at the first write, that there is nowhere to write.
    fn try_folder(&self) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        open(&new)?;
        fs::remove_file(new)
    }

    /// Writes the file for ever, as the snapshot changes.
    pub async fn follow(self, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        loop {
            let began = Instant::now();
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            self.save(snapshot).await;
            sleep_until(began + self.interval.max(began.elapsed() * SHARE)).await;
            if snapshots.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes the file a last time, and lets it go.
    pub async fn close(self, snapshot: Arc<Snapshot>) {
        self.save(snapshot).await;
        self.lock.release();
    }

    /// Writes the file now. That it cannot be written is told of, and is no end.
    async fn save(&self, snapshot: Arc<Snapshot>) {
        let file = self.clone();
        let saved = tokio::task::spawn_blocking(move || file.replace(&snapshot)).await;
        self.ended(saved.unwrap_or_else(|error| Err(io::Error::other(error))));
    }

    /// Tells how writing has ended: in the metrics each time, in the log when it is news.
    fn ended(&self, saved: io::Result<()>) {
        self.metrics.state_written(saved.is_ok().then(|| self.clock.now().wall));
        let trouble = saved.as_ref().err().map_or_else(String::new, io::Error::to_string);
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.path.display();
        match &saved {
            _ if *last == trouble => {}
            Ok(()) => tracing::info!(%file, "The exporter can write the state file again."),
            Err(error) if error.get_ref().is_some_and(|error| error.is::<Anothers>()) => tracing::error!(
                %file,
                "Another exporter has locked the state file. Until it ends, this exporter does not write the file, \
                 and a restart loses what this exporter has learnt. Give each exporter a state file of its own.",
            ),
            Err(error) => tracing::error!(%file, %error, "The exporter cannot write the state file."),
        }
        *last = trouble;
    }

    /// Writes what has changed, unless something newer has been written.
    fn replace(&self, snapshot: &Snapshot) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let tick = Some(snapshot.tick.mono);
        if tick < written.tick {
            return Ok(());
        }
        if !self.lock.take()? {
            return Err(io::Error::other(Anothers));
        }
        let text = write(snapshot, self.shard);
        let digest = Some(digest(&text));
        if written.digest != digest || !self.path.exists() {
            written.digest = None;
            self.replace_with(&text)?;
        }
        *written = Written { tick, digest };
        Ok(())
    }

    fn replace_with(&self, text: &str) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        let mut file = open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

/// A new file that only its owner can read: it tells which accounts are weakest.
fn open(path: &Path) -> io::Result<File> {
    // A file that a crash has left has its old mode; a new one is made.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    name.into()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        judge::Cadence,
        snapshot::{Event, Plan},
        time::Moment,
    };

    const PLAN: Plan = Plan { cadence: Cadence::DEFAULT, devices: true, users: None, cognito: None };

    fn file(folder: &Path) -> StateFile {
        let metrics = ExporterMetrics::new(true).unwrap();
        StateFile::new(folder.join("state.json"), Duration::from_secs(10), Shard::WHOLE, Clock::new(), metrics)
    }

    fn at(seconds: u64) -> Moment {
        let mono = Uptime::after_start(Duration::from_secs(seconds));
        Moment { mono, wall: crate::model::time::Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap()) }
    }

    /// A snapshot of this time, whose file tells it.
    fn snapshot(seconds: u64) -> Snapshot {
        let mut snapshot = Snapshot::awaiting_accounts(PLAN, at(seconds));
        let found = Event::Discovered { accounts: Vec::new(), is_all: true, fault: None, at: at(seconds) };
        snapshot.fold(found, at(seconds));
        snapshot
    }

    #[test]
    fn a_write_that_was_given_up_and_goes_on_replaces_nothing_newer() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let read = || fs::read_to_string(&file.path).unwrap();
        file.replace(&snapshot(7)).unwrap();
        let new = read();
        file.replace(&snapshot(5)).unwrap();
        assert_eq!(read(), new);
        file.replace(&snapshot(9)).unwrap();
        assert_ne!(read(), new);
    }

    #[test]
    fn two_writes_at_once_are_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        std::thread::scope(|scope| {
            for first in 0..4 {
                let file = &file;
                scope.spawn(move || (0..25).for_each(|n| file.replace(&snapshot(first + 4 * n)).unwrap()));
            }
        });
        let newest = write(&snapshot(99), Shard::WHOLE);
        assert_eq!(fs::read_to_string(&file.path).unwrap(), newest);
    }
}
