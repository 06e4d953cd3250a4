//! The state file itself: replaced whole, or not at all.
//!
//! A new file is written beside the old one, brought to the disk, and given its
//! name; the folder is brought to the disk after that. Whoever looks at any
//! moment, a power cut included, finds the one or the other.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{State, read, write};
use crate::model::{shard::Shard, snapshot::Snapshot, time::Moment};

/// However long writing takes, it takes at most one part in so many of the time.
const SHARE: u32 = 50;

/// The state file of one exporter.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    interval: Duration,
    shard: Shard,
    /// A digest of what was written last; 0 for nothing.
    written: Arc<AtomicU64>,
}

impl StateFile {
    /// The file at `path`, written every `interval` where anything has changed.
    #[must_use]
    pub fn new(path: PathBuf, interval: Duration, shard: Shard) -> Self {
        Self { path, interval, shard, written: Arc::default() }
    }

    /// Reads the file, if there is one that can be used. One that cannot is set
    /// aside, for whoever wants to know what happened.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or its folder cannot be written.
    pub fn load(&self, is_single_account: bool, now: Moment) -> io::Result<Option<State>> {
        self.try_folder()?;
        let text = match fs::read(&self.path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match read(&text, self.shard, is_single_account, now) {
            Ok(state) => {
                tracing::info!(accounts = state.memories.len(), "The state of an earlier run was read.");
                Ok(Some(state))
            }
            Err(error) => {
                let aside = beside(&self.path, ".unusable");
                tracing::warn!(
                    file = %self.path.display(), %error, aside = %aside.display(),
                    "The state file cannot be used and is set aside; starting without it.",
                );
                fs::rename(&self.path, aside)?;
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

    /// Writes the file now. That it cannot be written is told of, and is no end.
    pub async fn save(&self, snapshot: Arc<Snapshot>) {
        let file = self.clone();
        let saved = tokio::task::spawn_blocking(move || file.replace(&write(&snapshot, file.shard))).await;
        if let Ok(Err(error)) = saved {
            tracing::error!(file = %self.path.display(), %error, "The state file cannot be written.");
        }
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let digest = digest(text);
        if self.written.swap(digest, Ordering::Relaxed) == digest {
            return Ok(());
        }
        self.replace_with(text).inspect_err(|_| self.written.store(0, Ordering::Relaxed))
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
