//! What the flags and the file say together, and how that changes.
//!
//! A flag goes before the file. A file that cannot be used changes nothing: the
//! settings stay what they were, and that shows in the metrics and the log.

use std::{collections::BTreeSet, fmt, fs, io, path::PathBuf, sync::Arc};

use crate::{
    cli::Flags,
    config::{
        Access, Config, Organization, as_text,
        file::FileError,
        queue::{EventSource, Queue},
    },
    model::{
        shard::{Shard, ShardError, ordinal_of_pod},
        snapshot::Plan,
    },
};

/// The variable that holds a pod's name, if `--shard` is not given.
const POD_NAME: &str = "POD_NAME";

/// What is to be watched and how, as the flags and the file have it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which accounts.
    pub config: Config,
    /// What of them.
    pub plan: Arc<Plan>,
    /// Whether what events report of root is exported.
    pub root_signs: bool,
    /// At most how many requests a second are sent to IAM of each.
    pub max_rate: u32,
    /// Which part of them is this process's.
    pub shard: Shard,
}

/// The flags and the file give no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {0}: {1}")]
    Read(PathBuf, io::Error),
    /// The file is wrong.
    #[error(fmt = in_place)]
    File(#[from] FileError),
    /// There is no such shard.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A flag is about an organization, and there is none.
    #[error("{0} needs an organization: also give --organization.role-name, or organization in the --config.file")]
    NoOrganization(&'static str),
    /// There are no events to go by.
    #[error(
        "--collector.root.interval-with-events, or interval_with_events of collectors.root, needs a queue: also give \
         --events.queue-url, or events in the --config.file"
    )]
    IdleInterval,
    /// Nothing says which shard this is.
    #[error(
        "--total-shards={0} needs --shard, or a variable POD_NAME that ends in a number, like the pod names of a \
         StatefulSet"
    )]
    NoShard(u32),
    /// The exporter began with one account, and is to watch others, or the reverse.
    #[error(
        "a reload cannot switch between watching one account and watching a list of accounts: restart the exporter"
    )]
    Restart,
}

fn in_place(mistakes: &FileError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    mistakes.after("the configuration cannot be used", f)
}

impl Settings {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// When it cannot be used, or a flag contradicts it.
    pub fn read(flags: &Flags) -> Result<Self, SettingsError> {
        let config = match &flags.config_file {
            None => Config::default(),
            Some(path) => {
                let text =
                    as_text(fs::read_to_string(path)).map_err(|error| SettingsError::Read(path.clone(), error))?;
                Config::parse(&text, &path.display().to_string())?
            }
        };
        let plan = Arc::new(flags.collectors.plan(&config.collectors, flags.asks_for_names()));
        let max_rate = flags.max_rate(config.rates);
        let (config, root_signs) = (with_queues(with_role(config, flags), flags), flags.root_signs);
        let settings = Self { plan, root_signs, max_rate, config, shard: shard(flags)? };
        let idle = match settings.config.organization {
            Some(_) => None,
            None if flags.external_id.is_some() => Some("--organization.external-id"),
            None if flags.root_access => Some("--organization.root-access"),
            None => settings.plan.rootaudit.map(|_| "the collector rootaudit"),
        };
        if let Some(flag) = idle {
            return Err(SettingsError::NoOrganization(flag));
        }
        let is_unheard = settings.plan.cadence.with_events.is_some() && settings.config.events.is_empty();
        if is_unheard { Err(SettingsError::IdleInterval) } else { Ok(settings) }
    }
}

fn with_role(mut config: Config, flags: &Flags) -> Config {
    if let Some(role_name) = &flags.role_name {
        let new = || Organization::with_role(role_name.clone());
        config.organization.get_or_insert_with(new).role_name.clone_from(role_name);
    }
    if let (Some(organization), Some(external_id)) = (&mut config.organization, &flags.external_id) {
        organization.external_id = Some(external_id.clone());
    }
    if let Some(organization) = &mut config.organization {
        organization.root_access |= flags.root_access;
    }
    config
}

/// Where flags name queues, they name all of them; the file may say how to enter one.
fn with_queues(mut config: Config, flags: &Flags) -> Config {
    if !flags.queues.is_empty() {
        let queues: BTreeSet<_> = flags.queues.iter().cloned().collect();
        let entered = |queue: Queue| {
            let known = config.events.iter().find(|source| source.queue == queue);
            let access = known.map_or(Access::Ambient, |source| source.access.clone());
            EventSource { queue, access }
        };
        config.events = queues.into_iter().map(entered).collect();
    }
    config
}

fn shard(flags: &Flags) -> Result<Shard, SettingsError> {
    let pod = || std::env::var(POD_NAME).ok().and_then(|name| ordinal_of_pod(&name));
    match (flags.shard, flags.total_shards) {
        (None, 1) => Ok(Shard::WHOLE),
        (ordinal, total) => {
            let ordinal = ordinal.or_else(pod).ok_or(SettingsError::NoShard(total))?;
            Ok(Shard::new(ordinal, total)?)
        }
    }
}
