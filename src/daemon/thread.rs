//! A thread with tasks of its own.
//!
//! Whoever asks AWS runs on one thread, and whoever serves on another. So a client that
//! keeps the server busy delays no question to AWS, and an organization that keeps the
//! collectors busy delays no scrape. And tasks that wake each other need not wake a thread
//! for it, as they do where threads share all tasks.

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

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread::current, time::Duration};

    use super::*;

    /// Long enough for any machine, for what takes no time.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_task_that_blocks_its_thread_holds_nobody_else_up() {
        let thread = Thread::start("blocked").unwrap();
        let (began, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let blocked = thread.handle().spawn(async move {
            began.send(current().name().map(str::to_owned)).unwrap();
            released.recv_timeout(PATIENCE)
        });
        assert_eq!(has_begun.recv_timeout(PATIENCE).unwrap().as_deref(), Some("blocked"));
        let other = runtime().unwrap();
        other.block_on(async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(!blocked.is_finished());
            release.send(()).unwrap();
            assert_eq!(blocked.await.unwrap(), Ok(()));
        });
    }

    #[test]
    fn its_tasks_end_when_it_is_dropped() {
        let thread = Thread::start("short").unwrap();
        let (kept, until_dropped) = mpsc::channel::<()>();
        thread.handle().spawn(async move {
            let _kept = kept;
            std::future::pending::<()>().await;
        });
        assert_eq!(until_dropped.recv_timeout(Duration::from_millis(50)), Err(mpsc::RecvTimeoutError::Timeout));
        drop(thread);
        assert_eq!(until_dropped.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
