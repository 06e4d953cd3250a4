//! The command line. It reads flags and says what they mean; it starts nothing.

pub mod settings;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::Uri;

use crate::{
    build_info,
    config::{
        CHECK_MAX_RATE, MAX_RATE, Rates,
        collectors::Collectors,
        queue::Queue,
        value::{HOUR, SECOND, duration, rate, role_name},
    },
    http::{
        listen::ListenAddr,
        paths::{ExternalUrl, Paths},
    },
    log::{LogFormat, LogLevel},
    rules,
};

/// Exports as Prometheus metrics whether the root user and the IAM users of AWS accounts are protected by
/// multi-factor authentication (MFA).
///
/// Without --config.file and --organization.role-name, the exporter watches one account: the account of its AWS
/// credentials. It finds credentials where every AWS tool does: in the environment, a profile, SSO, a web identity,
/// or the role of the pod, task or instance. `aws-mfa-exporter iam-policy` prints the permissions that it needs. To
/// watch an organization, it also needs organizations:ListAccounts, organizations:DescribeOrganization and
/// sts:AssumeRole.
#[derive(Clone, Debug, Parser)]
#[command(name = "aws-mfa-exporter", version = build_info::VERSION, max_term_width = 100)]
pub struct Flags {
    /// The task to do instead of running as a daemon.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// YAML file with the accounts to watch. The exporter reads it again on SIGHUP.
    #[arg(long = "config.file", global = true, value_name = "FILE", help_heading = "Accounts")]
    pub config_file: Option<PathBuf>,

    /// Check the files of --config.file and --web.config.file, print their mistakes, and exit.
    #[arg(long = "config.check", help_heading = "Accounts")]
    pub config_check: bool,

    /// Read the configuration file again when it has changed.
    #[arg(long = "config.enable-auto-reload", requires = "config_file", help_heading = "Accounts")]
    pub auto_reload: bool,

    /// How often to check whether the configuration file has changed.
    #[arg(long = "config.auto-reload-interval", value_name = "DURATION", default_value = "30s", value_parser = duration(SECOND..=24 * HOUR), help_heading = "Accounts")]
    pub auto_reload_interval: Duration,

    /// Watch every account of the organization, by assuming this role in each.
    #[arg(long = "organization.role-name", global = true, value_name = "NAME", value_parser = role_name, help_heading = "Accounts")]
    pub role_name: Option<String>,

    /// External id that the trust policies of the roles require.
    #[arg(long = "organization.external-id", global = true, value_name = "ID", help_heading = "Accounts")]
    pub external_id: Option<String>,

    /// Ask once an hour which features of centralized root access the organization has on, and who may manage it.
    #[arg(long = "organization.root-access", global = true, help_heading = "Accounts")]
    pub root_access: bool,

    /// Number of this shard, from 0 (default: the number at the end of $POD_NAME).
    #[arg(long = "shard", value_name = "N", help_heading = "Accounts")]
    pub shard: Option<u32>,

    /// Number of shards that the accounts are divided among.
    #[arg(long = "total-shards", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Accounts")]
    pub total_shards: u32,

    /// File that keeps the snapshot over a restart, so that no series is interrupted. Each exporter needs a file of
    /// its own; it locks FILE.lock.
    #[arg(long = "state.file", value_name = "FILE", help_heading = "State")]
    pub state_file: Option<PathBuf>,

    /// How often to write the state file, if anything has changed.
    #[arg(long = "state.interval", value_name = "DURATION", default_value = "10s", value_parser = duration(SECOND / 100..=HOUR), help_heading = "State")]
    pub state_interval: Duration,

    /// Address to listen on, as HOST:PORT or :PORT for every address. Repeatable.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:10045",
        help_heading = "Web"
    )]
    pub listen: Vec<ListenAddr>,

    /// Listen only on the sockets that systemd passes.
    #[arg(long = "web.systemd-socket", conflicts_with = "listen", help_heading = "Web")]
    pub systemd_socket: bool,

    /// URL of the exporter for its users, for example behind a reverse proxy. Its path is the prefix of every path,
    /// unless --web.route-prefix is given.
    #[arg(long = "web.external-url", value_name = "URL", help_heading = "Web")]
    pub external_url: Option<ExternalUrl>,

    /// Prefix of every path (default: the path of --web.external-url). Write / if the proxy removes the prefix.
    #[arg(long = "web.route-prefix", value_name = "PATH", value_parser = route_prefix, help_heading = "Web")]
    pub route_prefix: Option<String>,

    /// Path under which to expose metrics, behind the prefix.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", value_parser = telemetry_path, help_heading = "Web")]
    pub telemetry_path: String,

    /// Web configuration: TLS, client certificates, passwords, in the format of the Prometheus exporter toolkit.
    #[arg(long = "web.config.file", value_name = "FILE", help_heading = "Web")]
    pub web_config: Option<PathBuf>,

    /// Number of scrapes at the same time; 0 means no limit. The exporter answers further scrapes with 503.
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 40, help_heading = "Web")]
    pub max_requests: usize,

    /// Enable POST /-/reload, which reads the configuration file again like SIGHUP.
    #[arg(long = "web.enable-lifecycle", help_heading = "Web")]
    pub enable_lifecycle: bool,

    /// Leave out metrics about the exporter itself (process_* and *_http_*).
    #[arg(long = "web.disable-exporter-metrics", help_heading = "Web")]
    pub disable_exporter_metrics: bool,

    /// SQS queue from which to receive EventBridge events; an event starts a read. Repeatable. The exporter's own
    /// credentials read the queue, unless the --config.file names others for it.
    #[arg(long = "events.queue-url", global = true, value_name = "URL", value_parser = Queue::parse, help_heading = "Events")]
    pub queues: Vec<Queue>,

    /// Export when events last reported something of root: a sign-in, a password recovery, another e-mail address. It is
    /// reported and not verified: whoever can send to the queue can forge it.
    #[arg(long = "events.root-signs", global = true, help_heading = "Events")]
    pub root_signs: bool,

    /// Most requests a second to IAM of one account. The exporter starts at a quarter of this rate, raises it while AWS
    /// answers, and halves it when AWS throttles (default: 40; for check 100).
    #[arg(long = "aws.max-rate", global = true, value_name = "N", value_parser = rate, help_heading = "AWS")]
    pub max_rate: Option<u32>,

    /// The facts to read about the accounts, and how often.
    #[command(flatten)]
    pub collectors: Collectors,

    /// Only log messages of this severity or above.
    #[arg(long = "log.level", global = true, value_enum, default_value_t, help_heading = "Log")]
    pub log_level: LogLevel,

    /// Format of log messages, which go to standard error (default: logfmt).
    #[arg(long = "log.format", global = true, value_enum, help_heading = "Log")]
    pub log_format: Option<LogFormat>,
}

impl Flags {
    /// Whether `check` is to name the users without a device.
    #[must_use]
    pub fn asks_for_names(&self) -> bool {
        matches!(self.command, Some(Command::Check { names: true, .. }))
    }

    /// At most how many requests a second are sent to IAM of one account; the `file`
    /// says so where no flag does.
    fn max_rate(&self, file: Rates) -> u32 {
        let is_check = matches!(self.command, Some(Command::Check { .. }));
        let (said, default) = if is_check { (file.check, CHECK_MAX_RATE) } else { (file.serve, MAX_RATE) };
        self.max_rate.or(said).unwrap_or(default)
    }

    /// The former check that `check` is to compare with.
    #[must_use]
    pub fn compares_with(&self) -> Option<&Path> {
        match &self.command {
            Some(Command::Check { compare, .. }) => compare.as_deref(),
            _ => None,
        }
    }

    /// How long `check` is to wait for echoes.
    #[must_use]
    pub fn waits_for_echoes(&self) -> Option<Duration> {
        match self.command {
            Some(Command::Check { wait_for_echoes, .. }) => wait_for_echoes,
            _ => None,
        }
    }

    /// Where the pages are.
    #[must_use]
    pub fn paths(&self) -> Paths {
        Paths::new(&self.telemetry_path, self.external_url.as_ref(), self.route_prefix.as_deref())
    }
}

/// What the program can do beside serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Read everything once, print the result, and exit.
    ///
    /// Exit status: 0 all controls passed or not applicable, 1 one failed, 2 one is unknown and
    /// none failed, 3 the check failed.
    Check {
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
        /// Name the users without an MFA device.
        // The global flag of that field name is another one.
        #[arg(id = "name_users", long = "names")]
        names: bool,
        /// Most time for the check. A fact that is not known by then is unknown (default: no limit).
        #[arg(long, value_name = "DURATION", value_parser = duration(SECOND..=24 * HOUR))]
        timeout: Option<Duration>,
        /// After the check, wait so long for its calls to come back as events, and tell from which accounts they
        /// have. It receives the messages of the queue: not beside an exporter that reads the same one.
        #[arg(long, value_name = "DURATION", value_parser = duration(SECOND..=HOUR))]
        wait_for_echoes: Option<Duration>,
        /// Print the changes since this earlier output of `check --output json`.
        #[arg(long, value_name = "FILE")]
        compare: Option<PathBuf>,
    },
    /// Ask a running exporter whether it is healthy: for containers, which have no shell.
    ///
    /// Exit status: 0 it is, 1 it is not or does not answer within 5 seconds. An https URL is
    /// verified by the host's certificate authorities, or those in the file $SSL_CERT_FILE.
    Healthcheck {
        /// What to ask.
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10045/-/healthy", value_parser = health_url)]
        url: Uri,
    },
    /// Print the least-privilege IAM policy for the enabled collectors, as JSON.
    IamPolicy {
        /// The role or credentials that need the policy.
        #[arg(long, value_enum, default_value_t)]
        of: Principal,
    },
    /// Print a document made from the program's own tables.
    Generate {
        /// Which document.
        #[command(subcommand)]
        document: Document,
    },
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people; in colour on a terminal, unless NO_COLOR is set.
    #[default]
    Table,
    /// One JSON object; deploy/check.md describes it.
    Json,
    /// One line an account, for a spreadsheet.
    Csv,
    /// The accounts with a failed or unknown control, as a table in Markdown, for a mail or a ticket.
    Markdown,
    /// The metrics of the account, for the textfile collector of node_exporter.
    Prometheus,
}

/// What `generate` can print.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
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
    /// The alerts, as a rule file for Prometheus and compatible systems.
    Alerts(AlertFlags),
}

/// What a site decides about its alerts.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct AlertFlags {
    /// Which alerts.
    #[arg(long, value_enum, default_value_t)]
    set: AlertSet,

    /// Address of the runbooks; the exporter adds the alert's name (default: their path in the repository).
    #[arg(long, value_name = "URL", value_parser = rules::settings::address)]
    runbooks: Option<String>,

    /// Address of Grafana, so that alerts lead to its dashboards (default: a path).
    #[arg(long, value_name = "URL", value_parser = rules::settings::address)]
    grafana: Option<String>,

    /// Regular expression for the Prometheus job that scrapes the exporter (default: .*aws-mfa-exporter.*).
    #[arg(long, value_name = "REGEX", value_parser = rules::settings::job_pattern)]
    job: Option<String>,

    /// Grace period: how long a new account may stay unread before the alert pages (default: 24h).
    #[arg(long, value_name = "DURATION", value_parser = rules::settings::grace_period)]
    grace: Option<Duration>,

    /// Grace period: how long root may be without MFA, in an account that never had it, before the alert pages (default: 24h).
    #[arg(long, value_name = "DURATION", value_parser = rules::settings::grace_period)]
    unprotected_grace: Option<Duration>,

    /// The same for an account that was listed an hour or more after the first (default: 0s, at once). Not in the simple set.
    #[arg(long, value_name = "DURATION", value_parser = rules::settings::grace_period)]
    new_unprotected_grace: Option<Duration>,

    /// How old the last `check --output prometheus` by cron may be (default: 2h).
    #[arg(long, value_name = "DURATION", value_parser = rules::settings::check_age)]
    check_age: Option<Duration>,

    /// How long Prometheus may be down before the rules lose their memory (default: 1h). A shorter time costs less.
    #[arg(long, value_name = "DURATION", value_parser = rules::settings::memory_window)]
    memory: Option<Duration>,

    /// Labels of aws_mfa_account_labels that the alerts carry, for example ou,tag_team. Not in the simple set.
    #[arg(long, value_name = "LABELS", value_delimiter = ',', value_parser = rules::settings::label)]
    labels: Vec<String>,
}

impl AlertFlags {
    /// The settings of the rules.
    #[must_use]
    pub fn settings(&self) -> rules::Settings {
        let default = rules::Settings::default();
        rules::Settings {
            set: if self.set == AlertSet::Simple { rules::Set::Simple } else { rules::Set::Full },
            runbooks: self.runbooks.clone().unwrap_or(default.runbooks),
            grafana: self.grafana.clone().unwrap_or(default.grafana),
            job: self.job.clone().unwrap_or(default.job),
            grace: self.grace.unwrap_or(default.grace),
            unprotected_grace: self.unprotected_grace.unwrap_or(default.unprotected_grace),
            new_unprotected_grace: self.new_unprotected_grace.unwrap_or(default.new_unprotected_grace),
            check_age: self.check_age.unwrap_or(default.check_age),
            memory: self.memory.unwrap_or(default.memory),
            labels: if self.set == AlertSet::Full { self.labels.clone() } else { Vec::new() },
        }
    }
}

/// Which alerts `generate alerts` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AlertSet {
    /// Alerts with recording rules that remember earlier verdicts: for Prometheus, Mimir, vmalert from 1.93 on.
    #[default]
    Full,
    /// Alerts without recording rules: for an older vmalert and for Grafana-managed alerts.
    Simple,
}

fn health_url(text: &str) -> Result<Uri, String> {
    let url = text.parse::<Uri>().ok();
    let is_whole = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    url.filter(is_whole).ok_or_else(|| "a whole URL is wanted, as http://127.0.0.1:10045/-/healthy".to_owned())
}

fn telemetry_path(text: &str) -> Result<String, String> {
    let taken = ["/", "/-/healthy", "/-/ready", "/-/reload"];
    match text {
        _ if taken.contains(&text) => Err(format!("{text} is already another page; write for example /metrics")),
        _ if !text.starts_with('/') => Err("a path begins with /".to_owned()),
        _ if text.contains(['?', '#', ' ', '%']) => Err("a path has no query, fragment, space or escape".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn route_prefix(text: &str) -> Result<String, String> {
    match text {
        _ if !text.starts_with('/') => Err("a path begins with /".to_owned()),
        _ if text.contains(['?', '#', ' ', '%']) => Err("a path has no query, fragment, space or escape".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// Whose policy is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Principal {
    /// The role that the exporter assumes in an account, or its own credentials if it watches their account.
    #[default]
    Account,
    /// The exporter's own credentials if it watches other accounts. They list the accounts and assume the roles.
    Exporter,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::settings::Settings;

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
        let devices = |flags: &[&str]| Settings::read(&parse(flags).unwrap()).unwrap().plan.devices;
        assert!(!devices(&["--collector.devices", "--no-collector.devices"]));
        assert!(devices(&["--no-collector.devices", "--collector.devices"]));
        assert!(devices(&[]));
    }
}
