//! The clock of the simulated AWS, which may be another than this host's.

use std::time::{Duration, SystemTime};

/// The most that a signature may be away from it.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The time there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(SystemTime);

impl Clock {
    pub(crate) fn ahead(seconds: i64) -> Self {
        let (now, shift) = (SystemTime::now(), Duration::from_secs(seconds.unsigned_abs()));
        Self(if seconds < 0 { now - shift } else { now + shift })
    }

    /// Whether a request that was signed then, as `X-Amz-Date` spells it, is accepted.
    pub(crate) fn accepts(self, signed: &str) -> bool {
        let part = |range| signed.get(range).unwrap_or("00");
        let text =
            format!("{}-{}-{}T{}:{}:{}Z", part(0..4), part(4..6), part(6..8), part(9..11), part(11..13), part(13..15));
        let Ok(signed) = humantime::parse_rfc3339(&text) else { return false };
        let apart = |one: SystemTime, other: SystemTime| one.duration_since(other).unwrap_or_default();
        apart(self.0, signed).max(apart(signed, self.0)) <= TOLERANCE
    }

    /// What it shows.
    pub(crate) fn now(self) -> SystemTime {
        self.0
    }
}
