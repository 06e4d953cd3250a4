//! What the process's environment and the AWS files say, checked before it is used.
//!
//! The AWS SDK is lenient where a monitor must not be: a profile that does not
//! exist, a file that cannot be read, a boolean that is none, each counts as
//! unset, and the next source of credentials answers, which may be another
//! account's. Here whatever is named has to be there, and whatever is set has to
//! be usable; if not, the fault names the variable, the file or the profile. The
//! files are read anew each time credentials are looked for, so that a mistake can
//! be corrected while the exporter runs.

mod values;

use std::{fs, io, path::PathBuf};

use aws_config::{
    Region,
    profile::{self, Profile, ProfileSet},
};
use aws_credential_types::Credentials;
use aws_runtime::{
    env_config::{
        file::{Builder, EnvConfigFileKind, EnvConfigFiles},
        property::PropertiesKey,
    },
    fs_util::{Os, home_dir},
};
use aws_types::os_shim_internal::{Env, Fs};

use crate::model::facts::{Fault, FaultClass};
pub(super) use values::{invalid, variable};

/// The two shared files: what may name another, and where it is otherwise.
const FILES: [(EnvConfigFileKind, &str, &str); 2] = [
    (EnvConfigFileKind::Config, "AWS_CONFIG_FILE", ".aws/config"),
    (EnvConfigFileKind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
];

/// The profile that counts where nothing names another.
const DEFAULT: &str = "default";

/// The environment and the files, of which one profile's settings count.
#[derive(Debug)]
pub(super) struct Environment {
    /// The name of that profile.
    pub(super) profile: String,
    /// Whether the exporter's configuration names it: then it goes before the
    /// environment, and nothing but it gives credentials.
    pub(super) is_chosen: bool,
    /// What it came from, for the library.
    pub(super) files: EnvConfigFiles,
    paths: Vec<(EnvConfigFileKind, PathBuf)>,
    profiles: ProfileSet,
}

impl Environment {
    /// Reads both; `chosen` is the profile that the exporter's configuration names.
    ///
    /// # Errors
    /// When something that is set or named cannot be used.
    pub(super) async fn read(chosen: Option<&str>) -> Result<Self, Fault> {
        values::check()?;
        let profile = match chosen {
            Some(name) => Named { name: name.to_owned(), by: Some("the exporter's configuration") },
            None => Named::by_variable()?,
        };
        let paths = paths()?;
        let files = files(&paths).build();
        let profiles = profile::load(&Fs::real(), &Env::real(), &files, Some(profile.name.clone().into())).await;
        let profiles = profiles.map_err(|error| unreadable(&error))?;
        profile.find(&profiles, &paths)?;
        let environment = Self { profile: profile.name, is_chosen: chosen.is_some(), files, paths, profiles };
        environment.check_profile()?;
        Ok(environment)
    }

    /// Checks the switches of the profile, and where it sends requests to, by itself or
    /// by its `services`.
    fn check_profile(&self) -> Result<(), Fault> {
        let name = &self.profile;
        let Some(profile) = self.profile(name) else { return Ok(()) };
        for key in ["ignore_configured_endpoint_urls", "use_dualstack_endpoint", "use_fips_endpoint"] {
            values::boolean(&format!("{key} of profile {name}"), profile.get(key).unwrap_or_default())?;
        }
        if let Some(url) = profile.get("endpoint_url") {
            values::url(&format!("endpoint_url of profile {name}"), url)?;
        }
        let Some(section) = profile.get("services") else { return Ok(()) };
        for service in ["iam", "organizations", "sso", "sso_oidc", "sts"] {
            let key = PropertiesKey::builder().section_key("services").section_name(section);
            let key = key.property_name(service).sub_property_name("endpoint_url").build();
            let url = key.ok().and_then(|key| self.profiles.other_sections().get(&key));
            if let Some(url) = url {
                values::url(&format!("endpoint_url of {service} in [services {section}]"), url)?;
            }
        }
        Ok(())
    }

    /// The same files, and profile `name` has these keys, which go before all else that
    /// is said of it.
    pub(super) fn files_with(&self, name: &str, keys: &Credentials) -> EnvConfigFiles {
        let (id, secret) = (keys.access_key_id(), keys.secret_access_key());
        let mut section = format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        if let Some(token) = keys.session_token() {
            section.push_str(&format!("aws_session_token = {token}\n"));
        }
        files(&self.paths).with_contents(EnvConfigFileKind::Credentials, section).build()
    }

    /// A profile of the files.
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get_profile(name)
    }

    /// What the profile that counts says under `key`.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.profile(&self.profile)?.get(key).filter(|value| !value.is_empty())
    }

    /// The region that is configured, if one is.
    ///
    /// # Errors
    /// When it cannot be the name of a region.
    pub(super) fn region(&self) -> Result<Option<Region>, Fault> {
        let of_profile = || {
            let region = self.setting("region");
            region.map(|text| values::region(&format!("region of profile {}", self.profile), text)).transpose()
        };
        let of_environment = || {
            for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
                if let Some(text) = variable(name)? {
                    return values::region(name, &text).map(Some);
                }
            }
            Ok(None)
        };
        self.either(of_profile, of_environment)
    }

    /// The file of the certificate authorities to trust, and what names it.
    ///
    /// # Errors
    /// When its name is no text.
    pub(super) fn ca_bundle(&self) -> Result<Option<(String, PathBuf)>, Fault> {
        let of_profile = || {
            let named = |path| (format!("ca_bundle of profile {}", self.profile), expand(path));
            Ok(self.setting("ca_bundle").map(named))
        };
        let of_environment = || Ok(variable("AWS_CA_BUNDLE")?.map(|path| ("AWS_CA_BUNDLE".to_owned(), expand(&path))));
        self.either(of_profile, of_environment)
    }

    /// What the chosen profile says goes before the environment. A profile that was
    /// not chosen goes after it, as for every AWS tool.
    fn either<T>(
        &self,
        of_profile: impl FnOnce() -> Result<Option<T>, Fault>,
        of_environment: impl FnOnce() -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Fault> {
        if self.is_chosen {
            return Ok(of_profile()?.or(of_environment()?));
        }
        Ok(of_environment()?.or(of_profile()?))
    }
}

/// The name of a profile, and what says it.
struct Named {
    name: String,
    by: Option<&'static str>,
}

impl Named {
    /// Botocore's older name of the variable is honoured too.
    fn by_variable() -> Result<Self, Fault> {
        for by in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
            if let Some(name) = variable(by)? {
                return Ok(Self { by: Some(by).filter(|_| name != DEFAULT), name });
            }
        }
        Ok(Self { name: DEFAULT.to_owned(), by: None })
    }

    /// Insists that a profile which is named exists.
    fn find(&self, profiles: &ProfileSet, paths: &[(EnvConfigFileKind, PathBuf)]) -> Result<(), Fault> {
        let Some(by) = self.by.filter(|_| profiles.get_profile(&self.name).is_none()) else { return Ok(()) };
        let name = &self.name;
        let searched: Vec<_> = paths.iter().map(|(_, path)| path.display().to_string()).collect();
        let searched = if searched.is_empty() { "there are no AWS files".to_owned() } else { searched.join(" and ") };
        let detail = format!("{by} names profile {name:?}, which does not exist (searched: {searched})");
        let bare = format!("[{name}]");
        let is_bare = |(kind, path): &(EnvConfigFileKind, PathBuf)| {
            let lines = fs::read_to_string(path).unwrap_or_default();
            matches!(kind, EnvConfigFileKind::Config) && lines.lines().any(|line| line.trim() == bare)
        };
        Err(invalid(detail).advising(if paths.iter().any(is_bare) {
            format!(
                "in the config file write [profile {name}] for [{name}]; [{name}] counts in the credentials file only"
            )
        } else {
            format!("correct the name of the profile, or add the profile: `aws configure --profile {name}`")
        }))
    }
}

/// The shared files that there are. One that a variable names has to be there.
fn paths() -> Result<Vec<(EnvConfigFileKind, PathBuf)>, Fault> {
    let mut paths = Vec::new();
    for (kind, by, usual) in FILES {
        let (named, path) = match variable(by)? {
            Some(path) => (Some(by), expand(&path)),
            None => match home_dir(&Env::real(), Os::real()) {
                Some(home) => (None, PathBuf::from(home).join(usual)),
                None => continue,
            },
        };
        match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(_)) => paths.push((kind, path)),
            Ok(Err(_)) => return Err(invalid(format!("{} is not a text in UTF-8", path.display()))),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(no_file(named, &path.display().to_string(), &error)),
        }
    }
    Ok(paths)
}

/// The files, for the library, which insists on one, be it empty.
fn files(paths: &[(EnvConfigFileKind, PathBuf)]) -> Builder {
    let builder = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "");
    paths.iter().fold(builder, |builder, (kind, path)| builder.with_file(*kind, path))
}

/// A file that cannot be read; `by` is what names it.
pub(super) fn no_file(by: Option<&str>, path: &str, error: &io::Error) -> Fault {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "the exporter's user is not permitted to read it".to_owned(),
        kind => kind.to_string(),
    };
    let by = by.map_or_else(String::new, |by| format!(", which {by} names,"));
    invalid(format!("the file {path}{by} cannot be read: {why}"))
        .advising("give the exporter's user permission to read the file, or correct the file's name in the setting")
}

/// The library's parser tells the file, the line and what it expected there, and
/// never what it found.
fn unreadable(error: &profile::ProfileFileLoadError) -> Fault {
    let parsed = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let place = parsed.strip_prefix("error parsing ").unwrap_or(&parsed).replace(":\n ", ":");
    Fault::new(FaultClass::InvalidConfiguration, format!("an AWS file cannot be parsed: {place}"))
        .advising("correct this line of the file")
}

/// A path as people write it, from `~` on.
fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), home_dir(&Env::real(), Os::real())) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.into(),
    }
}
