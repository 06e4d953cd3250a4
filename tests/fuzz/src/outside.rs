//! What must hold of the readers of what comes from outside: headers of requests, files
//! that people write, and the state file.
//!
//! Each answers whether the bytes were something at all, so that a corpus can be seen to
//! hold both.

use std::{path::Path, time::Duration};

use ::http::HeaderValue;

use super::exporter::{
    config::Config,
    exposition::{Encoding, Format},
    http::{
        config::{Source, WebConfig},
        guard::credentials::credentials,
        negotiate::{Choice, encoding},
    },
    model::{
        exemption::{Exemption, Subject},
        judge::{Cadence, Control, Status},
        shard::Shard,
        snapshot::{Plan, Snapshot, UsersPlan},
        time::{Moment, Timestamp, Uptime},
    },
    state_file,
};

/// Bytes that a header may hold, as the server reads them.
fn header(bytes: &[u8]) -> Option<String> {
    HeaderValue::from_bytes(bytes).ok()?.to_str().ok().map(str::to_owned)
}

/// A client gets what it weighs most of what there is, however its header is cut.
pub fn any_accept(bytes: &[u8]) -> bool {
    let Some(text) = header(bytes) else { return false };
    let choice = Choice::of([&*text]);
    assert_eq!(choice, Choice::of(text.split(',')), "one header or many");
    let is_openmetrics = choice.format == Format::OpenMetrics;
    assert!(
        !is_openmetrics || text.to_ascii_lowercase().contains("application/openmetrics-text"),
        "nobody asked for it"
    );
    assert!(choice.content_type().contains("; charset=utf-8; escaping="));
    let refused = Choice::of([&*text, "application/openmetrics-text;version=1.0.0;q=0"]);
    assert_eq!(choice, refused, "what weighs nothing is no wish");
    is_openmetrics
}

/// gzip is for who names it, or everything.
pub fn any_accept_encoding(bytes: &[u8]) -> bool {
    let Some(text) = header(bytes) else { return false };
    let chosen = encoding([&*text]);
    assert_eq!(chosen, encoding(text.split(',')), "one header or many");
    let is_gzip = chosen == Encoding::Gzip;
    assert!(!is_gzip || text.contains('*') || text.to_ascii_lowercase().contains("gzip"), "nobody asked for it");
    is_gzip
}

/// What is read is what was written, whatever a name or a password holds.
pub fn any_authorization(bytes: &[u8]) -> bool {
    let Ok(header) = HeaderValue::from_bytes(bytes) else { return false };
    let Some((user, password)) = credentials(&header) else { return false };
    assert!(!user.contains(':'), "a name ends at the first colon");
    let written = format!("Basic {}", aws_smithy_types::base64::encode(format!("{user}:{password}")));
    assert_eq!(credentials(&HeaderValue::try_from(written).expect("base64 is visible")), Some((user, password)));
    true
}

/// A secret of the web configuration reaches nothing that is printed.
pub fn any_web_config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match WebConfig::parse(text, "web.yml", Path::new("/etc")) {
        Ok(config) => {
            let shown = format!("{config:?}");
            let keys =
                config.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]).filter_map(|source| match source {
                    Source::Inline(secret) => Some(secret),
                    Source::File(_) => None,
                });
            for secret in config.users.values().chain(keys).filter(|secret| secret.0.len() > 20) {
                assert!(!shown.contains(&secret.0), "{shown}");
            }
            true
        }
        Err(error) => {
            is_told_well(&error.to_string(), &format!("{error:#}"), "web.yml");
            false
        }
    }
}

/// A configuration can be used, or it is said where it cannot.
pub fn any_config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match Config::parse(text, "config.yml") {
        Ok(config) => {
            assert_eq!(Config::parse(text, "config.yml").as_ref(), Ok(&config));
            assert!(config.organization.iter().all(|organization| !organization.role_name.contains(':')), "no ARN");
            let is_for_somebody = |exemption: &Exemption| match &exemption.subject {
                Subject::Users { names, .. } => !names.trim_matches('*').is_empty(),
                Subject::Controls(controls) => !controls.is_empty() && exemption.account.is_some(),
            };
            assert!(config.exemptions.iter().all(is_for_somebody), "neither everybody nor nobody");
            true
        }
        Err(mistakes) => {
            is_told_well(&mistakes.to_string(), &format!("{mistakes:#}"), "config.yml");
            false
        }
    }
}

/// A log gets one line, and a terminal no control characters; both name the file.
fn is_told_well(line: &str, lines: &str, file: &str) {
    assert!(line.contains(file) && lines.contains(file), "{line}");
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(!lines.contains(|letter: char| letter.is_control() && letter != '\n'), "{lines:?}");
}

/// When an earlier run's state file is read.
fn now() -> Moment {
    Moment { wall: Timestamp::from_millis(1_764_000_000_000), mono: Uptime::after_start(Duration::from_millis(5)) }
}

/// A state file is read whole or not at all; and where a verdict rests on it, it is not
/// older than may be, and is not from the future.
pub fn any_state(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let now = now();
    let Ok(state) = state_file::read(text, Shard::WHOLE, false, now) else { return false };
    let plan = Plan { cadence: Cadence::DEFAULT, devices: true, users: Some(UsersPlan::DEFAULT), cognito: None };
    let mut snapshot = Snapshot::awaiting_accounts(plan, now);
    snapshot.restore(state.memories, state.listed, now);
    for account in snapshot.accounts() {
        for control in Control::ALL {
            let verdict = account.standing(control).verdict;
            if verdict.status != Status::Unknown {
                let age = verdict.as_of.and_then(|as_of| now.age(as_of));
                assert!(age.is_some_and(|age| age <= Duration::from_secs(5 * 3_600)), "{control:?}: {verdict:?}");
            }
        }
    }
    let written = state_file::write(&snapshot, Shard::WHOLE);
    assert!(state_file::read(&written, Shard::WHOLE, false, now).is_ok(), "what is written can be read: {written}");
    true
}
