//! A source of credentials that has been asked. It is asked in a task of its own, which
//! outlives a run that waits no longer, and whose panic is a fault like any other.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    aws::{LazyClients, source},
    model::facts::{Fault, FaultClass},
};

/// A source is waited for so long in a run. It is not given up then, but waited for
/// again in the next: a second `credential_process` beside one that hangs would be
/// followed by a third.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(15);

/// A source that is being waited for.
#[derive(Debug)]
pub(super) struct Asked {
    task: JoinHandle<Result<Credentials, Fault>>,
    /// What it is called, once that is known.
    name: Arc<OnceLock<String>>,
}

/// Credentials, and where they came from.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) credentials: Credentials,
    pub(super) source: String,
}

/// What has become of a source that was waited for.
#[derive(Debug)]
pub(super) enum Waited {
    /// It has given something, or failed.
    Answered(Result<Offered, Fault>),
    /// It has panicked; what to say of it.
    Panicked(Fault),
    /// It has not answered yet; what to say of it meanwhile.
    Late(Asked, Fault),
}

impl Offered {
    /// Whether they are over by their own word. This host's clock may be wrong, so AWS has
    /// the last one.
    pub(super) fn is_over(&self) -> bool {
        self.credentials.expiry().is_some_and(|expiry| expiry <= SystemTime::now())
    }
}

impl Asked {
    /// Asks the source that `clients` find.
    pub(super) fn new(clients: LazyClients) -> Self {
        let name = Arc::default();
        let named = Arc::clone(&name);
        let task = tokio::spawn(async move {
            let (environment, clients) = clients.prepare().await?;
            source::load(&environment, clients, &named).await
        });
        Self { task, name }
    }

    /// Waits for the answer, for a while.
    pub(super) async fn wait(mut self) -> Waited {
        match timeout(SOURCE_TIMEOUT, &mut self.task).await {
            Ok(Ok(answer)) => {
                Waited::Answered(answer.map(|credentials| Offered { credentials, source: self.name().to_owned() }))
            }
            Ok(Err(_)) => Waited::Panicked(self.panicked()),
            Err(_) => {
                let fault = self.late();
                Waited::Late(self, fault)
            }
        }
    }

    fn panicked(&self) -> Fault {
        let fault = Fault::new(FaultClass::Panicked, "the search for credentials panicked; the log says where");
        fault.of_source(&self.name()).advising(
            "see whether this source gives a key or a token with a space or a line break in it, and remove that; then \
             report the log, because a panic is a bug in the exporter",
        )
    }

    fn late(&self) -> Fault {
        let waited = humantime::format_duration(SOURCE_TIMEOUT);
        let detail = format!("no answer after {waited}; the exporter still waits for it");
        Fault::new(FaultClass::CredentialsFailed, detail).of_source(&self.name()).advising(
            "see why the source of credentials hangs; end a credential_process that does, and let its command begin \
             with `timeout 10`",
        )
    }

    fn name(&self) -> &str {
        self.name.get().map_or("environment and AWS files", String::as_str)
    }
}
