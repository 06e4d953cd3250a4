//! The command line. It reads flags and says what they mean; it starts nothing.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    build_info,
    http::listen::ListenAddr,
    judge::Cadence,
    log::{LogFormat, LogLevel},
    snapshot::Plan,
};

/// Tells, as Prometheus metrics, whether the root user of an AWS account is
/// protected by multi-factor authentication.
///
/// The account is that of the AWS credentials found where every AWS tool looks
/// for them: environment, profile, SSO, web identity, pod, task or instance role.
/// What it needs is iam:GetAccountSummary and iam:ListVirtualMFADevices.
#[derive(Clone, Debug, Parser)]
#[command(name = "aws-mfa-exporter", version = build_info::VERSION, max_term_width = 100)]
pub struct Flags {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Address to listen on, as HOST:PORT or :PORT for every address. Repeatable.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:10045",
        help_heading = "Web"
    )]
    pub listen: Vec<ListenAddr>,

    /// Path under which to expose metrics.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", value_parser = telemetry_path, help_heading = "Web")]
    pub telemetry_path: String,

    /// Web configuration: TLS, client certificates, passwords, in the format of the Prometheus exporter toolkit.
    #[arg(long = "web.config.file", value_name = "FILE", help_heading = "Web")]
    pub web_config: Option<PathBuf>,

    /// How many scrapes may be under way at once; 0 for any number. Over it: 503.
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 40, help_heading = "Web")]
    pub max_requests: usize,

    /// Leave out metrics about the exporter itself (process_* and *_http_*).
    #[arg(long = "web.disable-exporter-metrics", help_heading = "Web")]
    pub disable_exporter_metrics: bool,

    /// How often to read the account summary: root's MFA and credentials.
    #[arg(long = "collector.root.interval", global = true, value_name = "DURATION", default_value = "1m", value_parser = root_interval, help_heading = "Collectors")]
    pub root_interval: Duration,

    /// Enable the devices collector (default: enabled).
    #[arg(long = "collector.devices", global = true, overrides_with = "no_devices", help_heading = "Collectors")]
    pub devices: bool,

    /// Disable the devices collector: the hardware MFA control, IAM.6, stays unknown.
    #[arg(long = "no-collector.devices", global = true, overrides_with = "devices", help_heading = "Collectors")]
    pub no_devices: bool,

    /// How often to list virtual devices where nothing has changed.
    #[arg(long = "collector.devices.interval", global = true, value_name = "DURATION", default_value = "15m", value_parser = devices_interval, help_heading = "Collectors")]
    pub devices_interval: Duration,

    /// Only log messages of this severity or above.
    #[arg(long = "log.level", global = true, value_enum, default_value_t, help_heading = "Log")]
    pub log_level: LogLevel,

    /// Format of log messages, which go to standard error.
    #[arg(long = "log.format", global = true, value_enum, default_value_t, help_heading = "Log")]
    pub log_format: LogFormat,
}

/// What the program can do beside serving.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Read everything once, say what was found, and exit.
    ///
    /// Exit status: 0 all controls passed or not applicable, 1 one failed, 2 one is unknown and
    /// none failed, 3 the check could not be run.
    Check {
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print the least-privilege IAM policy for the enabled collectors, as JSON.
    IamPolicy,
    /// Print a document made from the program's own tables.
    Generate {
        /// Which document.
        #[arg(value_enum)]
        document: Document,
    },
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people; in colour on a terminal, unless NO_COLOR is set.
    #[default]
    Table,
    /// One JSON object, described in the README.
    Json,
    /// The metrics of the account, for the textfile collector of node_exporter.
    Prometheus,
}

/// What `generate` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// The manual page, in roff.
    Man,
    /// Completions for bash.
    CompleteBash,
    /// Completions for fish.
    CompleteFish,
    /// Completions for zsh.
    CompleteZsh,
    /// The page on metrics, in Markdown.
    Metrics,
}

impl Flags {
    /// What is to be collected, and how often.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let cadence = Cadence { root: self.root_interval, devices: self.devices_interval };
        Plan { cadence, devices: !self.no_devices }
    }
}

fn telemetry_path(text: &str) -> Result<String, String> {
    let taken = ["/", "/-/healthy", "/-/ready"];
    match text {
        _ if taken.contains(&text) => Err(format!("{text} has a page of its own; take /metrics, say")),
        _ if !text.starts_with('/') => Err("a path begins with /".to_owned()),
        _ if text.contains(['?', '#', ' ', '%']) => Err("a path has no query, fragment, space or escape".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn root_interval(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_secs(1)..=Duration::from_secs(3_600))
}

fn devices_interval(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_secs(1)..=Duration::from_secs(24 * 3_600))
}

fn duration(text: &str, allowed: RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| "no duration: write 30s, 5m or 1h30m, say".to_owned())?;
    if allowed.contains(&duration) {
        return Ok(duration);
    }
    let [least, most] = [allowed.start(), allowed.end()].map(|end| humantime::format_duration(*end));
    Err(format!("out of range: between {least} and {most}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Flags, String> {
        Flags::try_parse_from(["aws-mfa-exporter"].iter().chain(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn a_bare_number_is_no_duration_and_the_error_says_what_is() {
        let error = parse(&["--collector.root.interval=300"]).unwrap_err();
        assert!(error.contains("--collector.root.interval") && error.contains("30s"), "{error}");
        assert!(parse(&["--collector.root.interval=0s"]).unwrap_err().contains("between 1s and 1h"));
        assert!(parse(&["--web.telemetry-path=metrics"]).is_err());
    }

    #[test]
    fn the_last_of_two_contrary_flags_wins() {
        assert!(!parse(&["--collector.devices", "--no-collector.devices"]).unwrap().plan().devices);
        assert!(parse(&["--no-collector.devices", "--collector.devices"]).unwrap().plan().devices);
        assert!(parse(&[]).unwrap().plan().devices);
    }
}
