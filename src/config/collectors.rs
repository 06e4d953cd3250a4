//! The options of the collectors, each written once: as a flag, with its help text
//! and the values that it may have. The file's section `collectors` is read as those
//! flags: `live_budget: 5` below `users` is `--collector.users.live-budget=5`, and is
//! refused in the same words.
//!
//! A new option is a field here, with its line in [`Collectors::plan`], and a field of
//! the [`Plan`], with its default. The help text, the file, its errors, completions and
//! the manual page follow; a test wants it in deploy/config.example.yml.

use std::{collections::HashMap, error::Error as _, fmt::Display, time::Duration};

use clap::{
    Args, Command, FromArgMatches as _, ValueEnum,
    error::{ContextKind, ContextValue},
};
use serde_saphyr::{Location, Spanned};

use super::{
    value::{HOUR, SECOND, duration, number, region, write_duration},
    yaml::{EMPTY, Given, nearest},
};
use crate::model::{
    facts::pools::Region,
    judge::Cadence,
    snapshot::{AUDIT_INTERVAL, CONTACTS_INTERVAL, CognitoPlan, POLICIES_INTERVAL, Plan, UsersPlan},
};

/// How many user pools of an account have a series where no other limit is set.
const POOLS_LIMIT: u32 = 500;

/// How many users of an account are named where no other limit is set.
const NAMES_LIMIT: u32 = 500;

/// What one source, the flags or the file, says of the collectors.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Collectors")]
pub struct Collectors {
    #[arg(long = "collector.root.interval", global = true, value_name = "DURATION", value_parser = duration(SECOND..=HOUR))]
    #[arg(help = or("How often to read the account summary: root's MFA and credentials", write_duration(Cadence::DEFAULT.root)))]
    root_interval: Option<Duration>,

    #[arg(long = "collector.root.interval-with-events", global = true, value_name = "DURATION", value_parser = duration(SECOND..=HOUR / 4))]
    #[arg(help = or("How often to read the account summary while an echo shows that events of the account arrive; devices and users are then listed about every hour. Needs --events.queue-url", "as without events"))]
    interval_with_events: Option<Duration>,

    #[arg(long = "collector.devices", global = true, overrides_with = "no_devices")]
    #[arg(help = or("Enable the devices collector", "enabled"))]
    devices: bool,

    #[arg(long = "no-collector.devices", global = true, overrides_with = "devices")]
    #[arg(help = "Disable the devices collector: IAM.6 (hardware MFA for root) stays unknown")]
    no_devices: bool,

    #[arg(long = "collector.devices.interval", global = true, value_name = "DURATION", value_parser = duration(SECOND..=24 * HOUR))]
    #[arg(help = or("How often to list virtual devices if nothing has changed", write_duration(Cadence::DEFAULT.devices)))]
    devices_interval: Option<Duration>,

    #[arg(long = "collector.users", global = true, overrides_with = "no_users")]
    #[arg(help = or("Enable the users collector", "enabled"))]
    users: bool,

    #[arg(long = "no-collector.users", global = true, overrides_with = "users")]
    #[arg(help = "Disable the users collector: IAM.5, IAM.19 and all metrics of IAM users are absent")]
    no_users: bool,

    #[arg(long = "collector.users.interval", global = true, value_name = "DURATION", value_parser = duration(SECOND..=24 * HOUR))]
    #[arg(help = or("How often to list users if nothing has changed", write_duration(UsersPlan::DEFAULT.interval)))]
    users_interval: Option<Duration>,

    #[arg(long = "collector.users.password-max-age", global = true, value_name = "DURATION", value_parser = duration(30 * SECOND..=24 * HOUR))]
    #[arg(help = or("How long 'no console password' is trusted before AWS is asked again", write_duration(UsersPlan::DEFAULT.password_max_age)))]
    password_max_age: Option<Duration>,

    #[arg(long = "collector.users.live-budget", global = true, value_name = "N", value_parser = number)]
    #[arg(help = or("How many users without a device to ask AWS about again in each run, for a new password", UsersPlan::DEFAULT.live_budget))]
    live_budget: Option<u32>,

    #[arg(long = "collector.users.generate-report", global = true, overrides_with = "no_generate_report")]
    #[arg(help = or("Generate credential reports, every four hours", "enabled"))]
    generate_report: bool,

    #[arg(long = "no-collector.users.generate-report", global = true, overrides_with = "generate_report")]
    #[arg(help = "Only read credential reports that another program generates")]
    no_generate_report: bool,

    #[arg(long = "collector.users.names", global = true, value_enum)]
    #[arg(help = or("Which users to name in the metrics", "none"))]
    names: Option<Names>,

    #[arg(long = "collector.users.names-limit", global = true, value_name = "N", value_parser = number)]
    #[arg(help = or("Most users of an account to name", NAMES_LIMIT))]
    names_limit: Option<u32>,

    #[arg(long = "collector.contacts", global = true, overrides_with = "no_contacts")]
    #[arg(help = or("Enable the contacts collector: security contact, contact telephone, changes of root's e-mail address", "disabled"))]
    contacts: bool,

    #[arg(long = "no-collector.contacts", global = true, overrides_with = "contacts")]
    #[arg(help = "Disable the contacts collector: all metrics of contacts are absent")]
    no_contacts: bool,

    #[arg(long = "collector.contacts.interval", global = true, value_name = "DURATION", value_parser = duration(SECOND..=7 * 24 * HOUR))]
    #[arg(help = or("How often to read the contacts", write_duration(CONTACTS_INTERVAL)))]
    contacts_interval: Option<Duration>,

    #[arg(long = "collector.policies", global = true, overrides_with = "no_policies")]
    #[arg(help = or("Enable the policies collector: whether IAM policies deny users everything without MFA", "disabled"))]
    policies: bool,

    #[arg(long = "no-collector.policies", global = true, overrides_with = "policies")]
    #[arg(help = "Disable the policies collector: all metrics of enforcement are absent")]
    no_policies: bool,

    #[arg(long = "collector.policies.interval", global = true, value_name = "DURATION", value_parser = duration(SECOND..=24 * HOUR))]
    #[arg(help = or("How often to read the policies if nothing has changed", write_duration(POLICIES_INTERVAL)))]
    policies_interval: Option<Duration>,

    #[arg(long = "collector.rootaudit", global = true, overrides_with = "no_rootaudit")]
    #[arg(help = or("Enable the rootaudit collector: root's MFA devices of every kind, and its credentials, in the organization's member accounts, by sts:AssumeRoot", "disabled"))]
    rootaudit: bool,

    #[arg(long = "no-collector.rootaudit", global = true, overrides_with = "rootaudit")]
    #[arg(help = "Disable the rootaudit collector: the exporter never calls sts:AssumeRoot")]
    no_rootaudit: bool,

    #[arg(long = "collector.rootaudit.interval", global = true, value_name = "DURATION", value_parser = duration(SECOND..=24 * HOUR))]
    #[arg(help = or("How often to audit each root user; at most one AssumeRoot is sent a second", write_duration(AUDIT_INTERVAL)))]
    rootaudit_interval: Option<Duration>,

    #[arg(long = "collector.cognito", global = true, overrides_with = "no_cognito")]
    #[arg(help = or("Enable the cognito collector: MFA of Amazon Cognito user pools (Cognito.5)", "disabled"))]
    cognito: bool,

    #[arg(long = "no-collector.cognito", global = true, overrides_with = "cognito")]
    #[arg(help = "Disable the cognito collector: Cognito.5 and all metrics of user pools are absent")]
    no_cognito: bool,

    #[arg(long = "collector.cognito.interval", global = true, value_name = "DURATION", value_parser = duration(SECOND..=24 * HOUR))]
    #[arg(help = or("How often to read the user pools", write_duration(CognitoPlan::INTERVAL)))]
    cognito_interval: Option<Duration>,

    #[arg(long = "collector.cognito.regions", global = true, value_name = "REGION,…", value_delimiter = ',', value_parser = region)]
    #[arg(help = or("The Regions to read, separated by commas", "all that the account has switched on"))]
    cognito_regions: Vec<Region>,

    #[arg(long = "collector.cognito.pools", global = true, value_enum)]
    #[arg(help = or("Which user pools have a series of their own", "none"))]
    pools: Option<PoolSeries>,

    #[arg(long = "collector.cognito.pools-limit", global = true, value_name = "N", value_parser = number)]
    #[arg(help = or("Most user pools of an account with a series", POOLS_LIMIT))]
    pools_limit: Option<u32>,
}

/// Which user pools have a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PoolSeries {
    /// None.
    #[default]
    None,
    /// All, those first that fail.
    All,
}

/// Which users are named in the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Names {
    /// None.
    #[default]
    None,
    /// Those without an MFA device.
    Failing,
}

/// The section `collectors` of the file: values by collector and key.
pub(super) type Section = HashMap<Spanned<String>, Given<HashMap<Spanned<String>, Spanned<Option<String>>>>>;

/// A help text, with what holds where nobody says otherwise.
fn or(text: &str, default: impl Display) -> String {
    format!("{text} (default: {default})")
}

// === impl Collectors ===

impl Collectors {
    /// What the flags say, or else the `file`, or else the defaults. `check --names`
    /// names users whatever they say.
    #[must_use]
    pub fn plan(&self, file: &Self, is_naming: bool) -> Plan {
        let on = |switch: fn(&Self) -> (bool, bool)| either(switch(self)).or(either(switch(file)));
        let cadence = Cadence {
            with_events: self.interval_with_events.or(file.interval_with_events),
            ..Cadence::new(
                self.root_interval.or(file.root_interval).unwrap_or(Cadence::DEFAULT.root),
                self.devices_interval.or(file.devices_interval).unwrap_or(Cadence::DEFAULT.devices),
            )
        };
        let default = UsersPlan::DEFAULT;
        let is_naming = is_naming || self.names.or(file.names).unwrap_or_default() == Names::Failing;
        let users = UsersPlan {
            interval: self.users_interval.or(file.users_interval).unwrap_or(default.interval),
            password_max_age: self.password_max_age.or(file.password_max_age).unwrap_or(default.password_max_age),
            live_budget: self.live_budget.or(file.live_budget).unwrap_or(default.live_budget),
            generate_report: on(|s| (s.generate_report, s.no_generate_report)).unwrap_or(default.generate_report),
            names: is_naming.then_some(self.names_limit.or(file.names_limit).unwrap_or(NAMES_LIMIT)),
        };
        let regions = [&self.cognito_regions, &file.cognito_regions].into_iter().find(|regions| !regions.is_empty());
        let has_series = self.pools.or(file.pools).unwrap_or_default() == PoolSeries::All;
        let cognito = CognitoPlan {
            interval: self.cognito_interval.or(file.cognito_interval).unwrap_or(CognitoPlan::INTERVAL),
            regions: regions.map_or_else(Default::default, |regions| regions.as_slice().into()),
            series: has_series.then_some(self.pools_limit.or(file.pools_limit).unwrap_or(POOLS_LIMIT)),
        };
        let contacts = self.contacts_interval.or(file.contacts_interval).unwrap_or(CONTACTS_INTERVAL);
        let audit_interval = self.rootaudit_interval.or(file.rootaudit_interval).unwrap_or(AUDIT_INTERVAL);
        Plan {
            cadence,
            devices: on(|s| (s.devices, s.no_devices)).unwrap_or(true),
            users: on(|s| (s.users, s.no_users)).unwrap_or(true).then_some(users),
            cognito: on(|s| (s.cognito, s.no_cognito)).unwrap_or(false).then_some(cognito),
            contacts: on(|s| (s.contacts, s.no_contacts)).unwrap_or(false).then_some(contacts),
            policies: on(|s| (s.policies, s.no_policies))
                .unwrap_or(false)
                .then_some(self.policies_interval.or(file.policies_interval).unwrap_or(POLICIES_INTERVAL)),
            rootaudit: on(|s| (s.rootaudit, s.no_rootaudit)).unwrap_or(false).then_some(audit_interval),
        }
    }

    /// What the file says; `wrong` is given each mistake and its place.
    pub(super) fn of_section(section: &Section, mut wrong: impl FnMut(Location, String)) -> Self {
        let command = Self::augment_args(Command::new("collectors").no_binary_name(true));
        let mut flags = Vec::new();
        for (collector, options) in section {
            let known = keys(&command, &collector.value);
            if known.is_empty() {
                wrong(collector.referenced, format!("collectors.{}: no such collector", collector.value));
                continue;
            }
            for (key, value) in options.0.iter().flatten() {
                let path = format!("collectors.{}.{}", collector.value, key.value);
                if !known.contains(&key.value) {
                    wrong(key.referenced, format!("{path}: {}", no_option(&key.value, &known)));
                    continue;
                }
                let text = value.value.as_deref().ok_or_else(|| EMPTY.to_owned());
                match text.and_then(|text| flag(&command, &collector.value, &key.value, text)) {
                    Ok(flag) => flags.push(flag),
                    Err(what) => wrong(value.referenced, format!("{path}: {what}")),
                }
            }
        }
        let matches = command.try_get_matches_from(flags).and_then(|matches| Self::from_arg_matches(&matches));
        matches.expect("each flag was accepted alone, and no key of the file stands twice")
    }
}

/// What a flag and its contrary say, of which clap leaves one.
fn either((on, off): (bool, bool)) -> Option<bool> {
    [(on, true), (off, false)].into_iter().find_map(|(said, value)| said.then_some(value))
}

/// The keys that a collector has in the file: one a flag.
fn keys(command: &Command, collector: &str) -> Vec<String> {
    let longs = command.get_arguments().filter_map(|arg| arg.get_long()?.strip_prefix("collector."));
    let options = longs.map(|long| long.split_once('.').unwrap_or((long, "enabled")));
    options.filter(|(of, _)| *of == collector).map(|(_, option)| option.replace('-', "_")).collect()
}

fn no_option(key: &str, known: &[String]) -> String {
    let near = nearest(key, known.iter().map(String::as_str));
    let hint = near.map_or(String::new(), |other| format!(". Did you mean {other}?"));
    format!("no such option (options: {}){hint}", known.join(", "))
}

/// The flag that a key of the file stands for.
fn flag(command: &Command, collector: &str, key: &str, value: &str) -> Result<String, String> {
    let name = match key {
        "enabled" => format!("collector.{collector}"),
        key => format!("collector.{collector}.{}", key.replace('_', "-")),
    };
    let contrary = format!("no-{name}");
    let is_switch = command.get_arguments().any(|arg| arg.get_long() == Some(&contrary));
    // As YAML writes them: also yes and no, on and off, and 1_000.
    let flag = match (is_switch, serde_saphyr::from_str(value), serde_saphyr::from_str::<u32>(value)) {
        (true, Ok(true), _) => format!("--{name}"),
        (true, Ok(false), _) => format!("--{contrary}"),
        (true, Err(_), _) => return Err("write true or false".to_owned()),
        (false, _, Ok(number)) => format!("--{name}={number}"),
        (false, _, Err(_)) => format!("--{name}={value}"),
    };
    command.clone().try_get_matches_from([&flag]).map_err(|error| reason(&error))?;
    Ok(flag)
}

/// What is wrong with a flag's value, without the flag.
fn reason(error: &clap::Error) -> String {
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(known))) => format!("write {}", known.join(" or ")),
        _ => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CHECK_MAX_RATE, Config, MAX_RATE};

    fn plan(text: &str) -> Result<Plan, String> {
        let config = Config::parse(text, "x.yml").map_err(|error| error.to_string())?;
        Ok(Collectors::default().plan(&config.collectors, false))
    }

    #[test]
    fn users_are_collected_as_the_file_says() {
        let text = "collectors: {users: {interval: 5m, password_max_age: 15m, live_budget: 0, generate_report: false, names: failing, names_limit: 9}}";
        let users = plan(text).unwrap().users.unwrap();
        assert_eq!([users.interval, users.password_max_age].map(|age| age.as_secs()), [300, 900]);
        assert_eq!((users.live_budget, users.generate_report, users.names), (0, false, Some(9)));
        assert_eq!(plan("collectors: {users: {enabled: no}, devices: {enabled: on}}").unwrap().users, None);
        let budget = |plan: Plan| plan.users.unwrap().live_budget;
        assert_eq!(budget(plan("collectors: {users: {live_budget: 1_000}}").unwrap()), 1_000);
        for empty in ["live_budget: null", "live_budget:", "interval: ~"] {
            let error = plan(&format!("collectors:\n  users:\n    {empty}\n")).unwrap_err();
            assert!(error.contains("x.yml:3:") && error.contains("has no value"), "{empty}: {error}");
        }
        for empty in ["collectors:\n", "collectors:\n  users:\n"] {
            assert!(plan(empty).unwrap_err().contains("has no value"), "{empty}");
        }
        assert!(plan("collectors: {users: {password_max_age: 1s}}").unwrap_err().contains("between 30s and 1day"));
    }

    #[test]
    fn a_flag_goes_before_the_file_option_by_option() {
        let file =
            Config::parse("collectors: {devices: {enabled: no}, users: {live_budget: 7, names: failing}}", "x.yml");
        let command = Collectors::augment_args(Command::new("flags").no_binary_name(true));
        let flags = ["--collector.devices", "--collector.users.live-budget=9", "--collector.users.names-limit=3"];
        let flags = Collectors::from_arg_matches(&command.get_matches_from(flags)).unwrap();
        let plan = flags.plan(&file.unwrap().collectors, false);
        assert!(plan.devices);
        assert_eq!(plan.users, Some(UsersPlan { live_budget: 9, names: Some(3), ..UsersPlan::DEFAULT }));
    }

    #[test]
    fn what_the_file_may_not_say_is_told_at_once_and_in_place() {
        let error = plan(
            "collectors:\n  users:\n    names: all\n    live_budget: few\n    live-budget: 5\n    enabled: 1\n  \
             root: {enabled: true}\n  no-users: {}\n  users.interval: {enabled: 5m}\n",
        )
        .unwrap_err();
        for (place, what) in [
            ("3:12", "collectors.users.names: write none or failing"),
            ("4:18", "collectors.users.live_budget: not a number from 0 to 4294967295"),
            ("5:5", "collectors.users.live-budget: no such option (options: enabled, interval, "),
            (
                "5:5",
                "collectors.users.live-budget: no such option (options: enabled, interval, password_max_age, live_budget, generate_report, names, names_limit). Did you mean live_budget?",
            ),
            ("6:14", "collectors.users.enabled: write true or false"),
            ("7:10", "collectors.root.enabled: no such option (options: interval, interval_with_events)"),
            ("8:3", "collectors.no-users: no such collector"),
            ("9:3", "collectors.users.interval: no such collector"),
        ] {
            assert!(error.contains(&format!("x.yml:{place}: {what}")), "{what}: {error}");
        }
    }

    /// The example has every option, and says what holds without it.
    #[test]
    fn the_example_has_every_option_with_its_default() {
        let example = include_str!("../../deploy/config.example.yml");
        assert_eq!(plan(example).unwrap(), plan("").unwrap());
        let rates = Config::parse(example, "x.yml").unwrap().rates;
        assert_eq!((rates.serve, rates.check), (Some(MAX_RATE), Some(CHECK_MAX_RATE)));
        let command = Collectors::augment_args(Command::new("collectors"));
        let longs = command.get_arguments().filter_map(|arg| arg.get_long());
        for option in longs.filter_map(|long| long.strip_prefix("collector.")) {
            let key = option.split_once('.').map_or("enabled", |(_, key)| key).replace('-', "_");
            assert!(example.contains(&format!("{key}: ")), "{option}");
        }
    }
}
