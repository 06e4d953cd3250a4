//! What is told to the service manager, where one asks for it by `NOTIFY_SOCKET`.
//!
//! systemd starts the unit with `Type=notify`, so it waits for "ready" before it
//! starts what comes after the exporter. With `WatchdogSec=` it wants to hear from
//! the exporter again and again, and restarts it otherwise. Only a tick that has
//! gone on *and* been published says so: a keeper or an encoder that hangs ends
//! that, although the server below them still answers.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::sync::watch;

use crate::{exposition::Exposition, model::time::Moment};

/// Says "ready" once something can be scraped, and from then on that the tick goes on.
pub async fn follow(mut exposition: watch::Receiver<Option<Arc<Exposition>>>) {
    let Some(mut last) = next_tick(&mut exposition, None).await else { return };
    tell(&[NotifyState::Ready, NotifyState::Status("Serving.")]);
    let watchdog = sd_notify::watchdog_enabled().is_some();
    while let Some(tick) = next_tick(&mut exposition, Some(last)).await {
        last = tick;
        if watchdog {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Waits for an exposition of another tick than `last`. `None` when there will be none.
async fn next_tick(exposition: &mut watch::Receiver<Option<Arc<Exposition>>>, last: Option<Moment>) -> Option<Moment> {
    let tick = |published: &Option<Arc<Exposition>>| published.as_ref().map(|exposition| exposition.at);
    let published = exposition.wait_for(|published| tick(published).is_some_and(|at| Some(at) != last)).await;
    published.ok().and_then(|published| tick(&published))
}

/// Says that the configuration is read again, and when that is done, and how it went.
pub fn reloading<E>(reload: impl FnOnce() -> Result<(), E>) {
    // The time is what `Type=notify-reload` of systemd 253 tells this reload from an earlier one by.
    let now = NotifyState::monotonic_usec_now();
    tell(&[Some(NotifyState::Reloading), now.ok()].into_iter().flatten().collect::<Vec<_>>());
    let status = match reload() {
        Ok(()) => "Serving.",
        Err(_) => "Serving by the last good configuration: the present one cannot be used.",
    };
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says that no more connections are accepted.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("Stopping.")]);
}

/// A manager that does not listen is none of the exporter's business: it will say so itself.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "The service manager cannot be told.");
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future as _, pin::pin, task::Poll, time::Duration};

    use super::*;
    use crate::{
        clock::Clock,
        exposition::{Encoder, Half},
    };

    fn published(at: Moment) -> Option<Arc<Exposition>> {
        let head: Half = Encoder::default().head();
        let tail = Encoder::after(&head).tail();
        Some(Arc::new(Exposition::new(&head, &tail, at)))
    }

    /// The encoder goes on publishing what the keeper has left, with the tail of the moment.
    #[test]
    fn the_same_tick_published_anew_is_no_sign_of_life() {
        let began = Clock::new().now();
        let (publish, mut followed) = watch::channel(published(began));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut next = pin!(next_tick(&mut followed, Some(began)));
        assert!(next.as_mut().poll(&mut context).is_pending());
        publish.send_replace(published(began));
        assert!(next.as_mut().poll(&mut context).is_pending());
        let later = Moment { mono: began.mono.plus(Duration::from_secs(1)), ..began };
        publish.send_replace(published(later));
        assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(Some(later)));
    }
}
