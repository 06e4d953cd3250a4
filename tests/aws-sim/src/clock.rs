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

    /// As the header `Date` spells it.
    pub(crate) fn date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let seconds = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let text = humantime::format_rfc3339_seconds(self.0).to_string();
        let day = DAYS[usize::try_from(seconds / 86_400 % 7).unwrap_or(0)];
        let month = MONTHS[text[5..7].parse::<usize>().map_or(0, |month| month - 1)];
        format!("{day}, {} {month} {} {} GMT", &text[8..10], &text[..4], &text[11..19])
    }
}
