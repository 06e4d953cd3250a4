//! The log: logfmt or JSON, one line an event, on standard error, with the same keys
//! and values in both.
//!
//! Only this program's own events are shown. Those of the libraries below it
//! quote requests, profiles and paths, and a log is read by more people than
//! the metrics are.

use std::{
    fmt, io,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use serde_json::Value;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Takes away what stands in the terminal's line.
pub const CLEAR: &str = "\r\x1b[K";

/// Whether a line stands on the terminal that is written anew again and again.
static IS_LINE_SHOWN: AtomicBool = AtomicBool::new(false);

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// key=value, for people and for most collectors.
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// The least severe events that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[expect(missing_docs, reason = "the levels speak for themselves")]
pub enum LogLevel {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// Starts the log, and sends panics there too.
pub fn start(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let targets = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(targets);
    // A second start, as in tests, keeps the first.
    let _ = registry.with(lines.event_format(Lines(format))).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "A task panicked; this is a bug.");
    }));
}

/// Says whether a line stands on the terminal that will be written anew. What is logged takes
/// its place, so as not to go on behind it.
pub fn line_is_shown(is_shown: bool) {
    IS_LINE_SHOWN.store(is_shown, Ordering::Relaxed);
}

struct Lines(LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let mut fields = Fields(vec![("ts", time.into()), ("level", spelling(*event.metadata().level()).into())]);
        event.record(&mut fields);
        let separator = if self.0 == LogFormat::Json { "," } else { " " };
        let pairs = fields.0.iter().map(|(key, value)| match self.0 {
            LogFormat::Json => format!("{}:{value}", Value::from(*key)),
            LogFormat::Logfmt => format!("{key}={}", bare(value)),
        });
        let pairs = pairs.collect::<Vec<_>>().join(separator);
        if IS_LINE_SHOWN.load(Ordering::Relaxed) {
            line.write_str(CLEAR)?;
        }
        if self.0 == LogFormat::Json { writeln!(line, "{{{pairs}}}") } else { writeln!(line, "{pairs}") }
    }
}

fn spelling(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// A value of logfmt: without quotes where it can do without.
fn bare(value: &Value) -> String {
    let is_bare =
        |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\'));
    value.as_str().filter(is_bare).map_or_else(|| value.to_string(), str::to_owned)
}

/// The keys and values of an event, in the order in which they are written.
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.push((name, value));
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_where_it_must_be() {
        for (value, written) in [
            (Value::from("up"), "up"),
            ("two words".into(), r#""two words""#),
            ("a=b".into(), r#""a=b""#),
            ("".into(), r#""""#),
            ("line\nand \"quote\"".into(), r#""line\nand \"quote\"""#),
            ("p\u{e4}yments".into(), "\"p\u{e4}yments\""),
            (7.into(), "7"),
            (true.into(), "true"),
        ] {
            assert_eq!(bare(&value), written);
        }
    }
}
