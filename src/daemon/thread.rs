//! A thread with tasks of its own.
//!
//! Whoever asks AWS runs on one thread, and whoever serves on another. So a client that
//! keeps the server busy delays no question to AWS, and an organization that keeps the
//! collectors busy delays no scrape. Between two threads that share all tasks, each task
//! that wakes another also wakes a thread, which costs more than most of these tasks do.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
};

/// So many tasks that block run at once on behalf of one thread's: reading files, DNS, encoding.
const BLOCKING: usize = 4;

/// Runs tasks until it is dropped.
#[derive(Debug)]
pub struct Thread {
    handle: Handle,
    _until: oneshot::Sender<()>,
}

impl Thread {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no thread or no descriptor to give.
    pub fn start(name: &str) -> io::Result<Self> {
        let runtime = runtime()?;
        let handle = runtime.handle().clone();
        let (until, dropped) = oneshot::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // It is an error when the other end is dropped, which is the end that is meant.
            let _ = runtime.block_on(dropped);
            // Not even a look-up of a name that hangs delays the end of the process.
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, _until: until })
    }

    /// Where its tasks are spawned.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// What runs the tasks of one thread.
///
/// # Errors
/// When the system has no descriptor to give.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().max_blocking_threads(BLOCKING).enable_all().build()
}
