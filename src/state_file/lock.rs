//! Whose the state file is: one exporter's at a time, or each would overwrite what
//! the other knows.
//!
//! The state file itself is replaced with every write, so a file beside it is locked,
//! by the operating system, which lets it go however its owner ends.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A lock that was taken may turn out to be of a file that its owner has just removed.
const TRIES: u32 = 10;

/// What Linux calls it that a file system has no locks (`ENOLCK`): some that are
/// mounted from elsewhere.
const NO_LOCKS: i32 = 37;

/// The lock of one state file, which this process holds or not.
#[derive(Clone, Debug)]
pub(super) struct Lock {
    path: PathBuf,
    held: Arc<Mutex<Option<File>>>,
}

impl Lock {
    /// The lock at `path`, not taken yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, held: Arc::default() }
    }

    /// Takes the lock, if nobody else holds it; whether it is this process's now.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn take(&self) -> io::Result<bool> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TRIES {
            if held.as_ref().is_some_and(|file| is_at(file, &self.path)) {
                return Ok(true);
            }
            // Somebody has removed it: whoever comes would lock another.
            *held = None;
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            match file.try_lock() {
                Ok(()) => *held = Some(file),
                Err(TryLockError::WouldBlock) => return Ok(false),
                Err(TryLockError::Error(error)) if has_no_locks(&error) => {
                    tracing::warn!(
                        file = %self.path.display(),
                        "The file system does not support locks. Make sure that no other exporter uses the same state \
                         file.",
                    );
                    *held = Some(file);
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Lets the lock go, and leaves nothing behind.
    pub(super) fn release(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if held.as_ref().is_some_and(|file| is_at(file, &self.path)) {
            // It is still locked. That it stays is no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(NO_LOCKS)
}

/// Whether this very file is the one at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().is_ok_and(|file| fs::metadata(path).is_ok_and(|there| id(there) == id(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_one_holders_until_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json.lock");
        let [one, other] = [(); 2].map(|()| Lock::new(path.clone()));
        assert!(one.take().unwrap() && one.take().unwrap() && !other.take().unwrap());
        other.release();
        assert!(!other.take().unwrap(), "what is not held is not let go");
        one.release();
        assert!(!path.exists() && other.take().unwrap() && !one.take().unwrap());
        drop(other);
        assert!(one.take().unwrap(), "an end without manners lets it go too");
    }

    /// Who locks a file that has been removed meanwhile has locked nothing.
    #[test]
    fn a_lock_that_was_removed_is_taken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json.lock");
        let [one, other] = [(); 2].map(|()| Lock::new(path.clone()));
        assert!(one.take().unwrap());
        fs::remove_file(&path).unwrap();
        assert!(other.take().unwrap() && !one.take().unwrap(), "one of them notices");
    }

    #[test]
    fn a_lock_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Lock::new(folder.path().join("no/such/folder")).take().is_err());
    }
}
