//! What a site decides about its alerts, and how that is read.

use std::time::Duration;

use crate::config::value::duration;

/// The longest time for which an account may be new.
const LONGEST_GRACE: Duration = Duration::from_secs(30 * 86_400);

/// Which of the sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Set {
    /// With a memory of its own.
    #[default]
    Full,
    /// Without records.
    Simple,
}

/// What a site decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which of the sets.
    pub set: Set,
    /// The address of the runbooks' page, before the `#`.
    pub runbooks: String,
    /// The address of Grafana, before `/d/`.
    pub grafana: String,
    /// What the name of the exporter's job matches.
    pub job: String,
    /// How long an account may be listed and unread before that pages.
    pub grace: Duration,
    /// How long root may be without MFA, in an account that was never seen protected and that its exporter had from the
    /// beginning, before that pages. In the simple set: in every account that was never seen protected.
    pub unprotected_grace: Duration,
    /// The same in an account that was listed later.
    pub new_unprotected_grace: Duration,
    /// How old the last check by cron may be.
    pub check_age: Duration,
    /// How long Prometheus may be down before the rules forget.
    pub memory: Duration,
    /// Which labels of `aws_mfa_account_labels` the alerts carry.
    pub labels: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            set: Set::Full,
            runbooks: "deploy/runbooks.md".to_owned(),
            grafana: String::new(),
            job: ".*aws-mfa-exporter.*".to_owned(),
            grace: Duration::from_secs(86_400),
            unprotected_grace: Duration::from_secs(86_400),
            new_unprotected_grace: Duration::ZERO,
            check_age: Duration::from_secs(7_200),
            memory: Duration::from_secs(3_600),
            labels: Vec::new(),
        }
    }
}

/// Reads the address of a page, to which something can be added.
///
/// # Errors
/// When it is none.
pub fn address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |letter: char| letter.is_ascii_graphic() && !"\"'`{}<>\\#".contains(letter);
    match rest {
        None | Some("") => Err("write an address that begins with https:// or http://".to_owned()),
        Some(rest) if !rest.chars().all(is_plain) => Err("an address has no space, quote, brace or #".to_owned()),
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
    }
}

/// Reads a regular expression for the name of a job, as far as it can be judged
/// without Prometheus.
///
/// # Errors
/// When it could end the text that it stands in.
pub fn job_pattern(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['"', '\\', '\n', '{', '}']) {
        return Err("write a regular expression for the job's name, without quotes, braces and backslashes".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads the name of a label of `aws_mfa_account_labels`.
///
/// # Errors
/// When that metric cannot have it.
pub fn label(text: &str) -> Result<String, String> {
    let is_word = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    match text.strip_prefix("tag_") {
        Some(key) if !key.is_empty() && is_word(key) => Ok(text.to_owned()),
        _ if text == "ou" => Ok(text.to_owned()),
        _ => Err("the alerts can carry ou, and tag_ with the key of a tag of organization.labels".to_owned()),
    }
}

/// Reads how long an account may be new.
///
/// # Errors
/// When it is no duration, or a longer one than makes sense.
pub fn grace_period(text: &str) -> Result<Duration, String> {
    duration(Duration::ZERO..=LONGEST_GRACE)(text)
}

/// Reads how old the last check by cron may be.
///
/// # Errors
/// When it is no duration, or one that no cron job has.
pub fn check_age(text: &str) -> Result<Duration, String> {
    duration(Duration::from_secs(60)..=Duration::from_secs(31 * 86_400))(text)
}

/// Reads for how long a record is looked back to.
///
/// # Errors
/// When it is no duration, or one that would be too short, or too dear.
pub fn memory_window(text: &str) -> Result<Duration, String> {
    duration(Duration::from_secs(600)..=Duration::from_secs(12 * 3_600))(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_to_which_a_path_can_be_added() {
        assert_eq!(address("https://wiki.example.org/mfa/").as_deref(), Ok("https://wiki.example.org/mfa"));
        for wrong in ["", "wiki", "https://", "https://a b", "https://a'b", "https://a#b", "https://{{ x }}", "ftp://a"]
        {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_stays_within_its_quotes_and_times_make_sense() {
        assert!(
            job_pattern("mfa|.*-mfa").is_ok() && job_pattern("a\"} or vector(1)").is_err() && job_pattern("").is_err()
        );
        assert!(grace_period("24h").is_ok() && grace_period("0s").is_ok() && grace_period("1y").is_err());
        assert!(
            label("ou").is_ok() && label("tag_team").is_ok() && label("team").is_err() && label("tag_a b").is_err()
        );
        assert!(memory_window("30m").is_ok() && memory_window("1s").is_err());
    }
}
