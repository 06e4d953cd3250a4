//! The page at `/`, drawn at most once a second. Of ten thousand accounts it takes a
//! tenth of a second of a processor, which nobody is to multiply by asking often.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::Mutex, task::spawn_blocking};

/// How long a page is shown.
const SHOWN: Duration = Duration::from_secs(1);

/// A page of HTML, and the content security policy that fits it.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The page.
    pub html: Bytes,
    /// What it may load: the value of the `Content-Security-Policy` header.
    pub policy: String,
}

/// The latest page.
#[derive(Clone)]
pub struct Pages {
    draw: Arc<dyn Fn() -> Landing + Send + Sync>,
    drawn: Arc<Mutex<Option<(Instant, Landing)>>>,
}

impl Pages {
    /// Pages that `draw` draws.
    pub fn new(draw: impl Fn() -> Landing + Send + Sync + 'static) -> Self {
        Self { draw: Arc::new(draw), drawn: Arc::default() }
    }

    /// The page, drawn off the threads that serve where it is not new enough. `None` if
    /// drawing it panicked.
    pub(super) async fn latest(&self) -> Option<Landing> {
        let mut drawn = self.drawn.lock().await;
        if let Some((_, page)) = drawn.as_ref().filter(|(at, _)| at.elapsed() < SHOWN) {
            return Some(page.clone());
        }
        let (at, draw) = (Instant::now(), Arc::clone(&self.draw));
        let page = spawn_blocking(move || draw()).await.ok()?;
        *drawn = Some((at, page.clone()));
        Some(page)
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}
