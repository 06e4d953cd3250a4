//! How single values are written, in flags and in the file alike, and what is said
//! of those that are not.

use std::{
    ops::RangeInclusive,
    time::{Duration, UNIX_EPOCH},
};

use crate::model::{facts::pools::Region, time::Timestamp};

/// To write ranges with.
pub const SECOND: Duration = Duration::from_secs(1);
/// To write ranges with.
pub const HOUR: Duration = Duration::from_secs(3_600);

/// Reads a duration within `allowed`, as people write it.
pub fn duration(allowed: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let duration = humantime::parse_duration(text)
            .map_err(|_| "not a duration: write for example 30s, 5m or 1h30m".to_owned())?;
        if allowed.contains(&duration) {
            return Ok(duration);
        }
        let [least, most] = [allowed.start(), allowed.end()].map(|end| humantime::format_duration(*end));
        Err(format!("out of range: between {least} and {most}"))
    }
}

/// Writes a duration so that it can be read again, without spaces.
pub fn write_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

/// Reads a number.
///
/// # Errors
/// When it is none.
pub fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("not a number from 0 to {}", u32::MAX))
}

/// Reads the code of a Region.
///
/// # Errors
/// When it is none.
pub fn region(text: &str) -> Result<Region, String> {
    Region::parse(text.trim()).ok_or_else(|| "not a Region: write its code, for example eu-central-1".to_owned())
}

/// Reads a rate in requests a second.
///
/// # Errors
/// When it is none.
pub fn rate(text: &str) -> Result<u32, String> {
    let rate = text.parse().ok().filter(|rate| (1..=1_000).contains(rate));
    rate.ok_or_else(|| "no rate: write how many requests a second, from 1 to 1000".to_owned())
}

/// Reads an instant, or a day, which begins at midnight UTC.
#[must_use]
pub fn date(text: &str) -> Option<Timestamp> {
    let time = humantime::parse_rfc3339(text).or_else(|_| humantime::parse_rfc3339(&format!("{text}T00:00:00Z")));
    let millis = time.ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(millis).ok().map(Timestamp::from_millis)
}

/// Reads the name of a role, with its path before it.
///
/// # Errors
/// When it is none.
pub fn role_name(text: &str) -> Result<String, String> {
    let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
    let is_path = path.split('/').all(|part| part.bytes().all(is_word));
    if (1..=64).contains(&name.len()) && name.bytes().all(is_word) && is_path && !text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("write the name of a role, with its path if it has one, and not an ARN".to_owned())
    }
}

/// Whether AWS takes this byte in the names of users, roles and sessions.
#[must_use]
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}
