//! Where credentials come from: which source is asked, and what it is called.
//!
//! The AWS SDK's library is what asks; this chooses whom. Without a profile that the
//! exporter's configuration names, the sources are those of the SDK's own chain, in
//! its order: the environment's keys, the profile, a web identity, the container's
//! agent, the instance. But a source that somebody has set up is never passed over:
//! if it fails, that is the fault, and no later one is asked, whose credentials
//! might be another account's.

mod chain;
mod explain;
mod usable;

use std::{env, fmt, fs, sync::OnceLock};

use aws_config::{
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider,
    profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
    web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider},
};
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_runtime::env_config::file::EnvConfigFiles;

use super::{
    Clients,
    environment::{Environment, invalid, no_file, variable},
};
use crate::{
    config::SESSION_NAME,
    model::facts::{Fault, FaultClass},
};
use chain::{Base, Chain};
use usable::{Checked, usable};

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const OLD_SECRET: &str = "SECRET_ACCESS_KEY";
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "AWS_ROLE_ARN";
const ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const AGENT_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const NO_METADATA: &str = "AWS_EC2_METADATA_DISABLED";

/// A source of credentials, with what is worth telling of it.
#[derive(Clone, Debug)]
enum Source<'a> {
    /// Keys in variables.
    Environment,
    /// A profile, and what it leads to.
    Profile(&'a str, Chain<'a>),
    /// A token in a file that variables name.
    WebIdentity { token_file: String },
    /// An agent beside the container: of ECS, of EKS Pod Identity, or another.
    Container,
    /// The metadata service of the instance.
    Instance,
}

/// Where to look, in this order.
const PLACES: [Place; 5] = [Place::Environment, Place::Profile, Place::WebIdentity, Place::Container, Place::Instance];

#[derive(Clone, Copy, Debug)]
enum Place {
    Environment,
    Profile,
    WebIdentity,
    Container,
    Instance,
}

/// What was found in a place.
enum Found {
    Credentials(Credentials),
    /// Nothing is set up there; why that is thought.
    Nothing(String),
}

/// Asks the one source that is set up, and leaves in `name` what it is called.
///
/// # Errors
/// When there is none, or it fails.
pub(super) async fn load(
    environment: &Environment,
    clients: &Clients,
    name: &OnceLock<String>,
) -> Result<Credentials, Fault> {
    let search = Search { environment, clients, name };
    if environment.is_chosen {
        return match search.profile().await? {
            Found::Credentials(credentials) => Ok(credentials),
            Found::Nothing(why) => Err(invalid(why).advising("add credentials to the profile, or name another")),
        };
    }
    let mut searched = Vec::new();
    for place in PLACES {
        match search.look(place).await? {
            Found::Credentials(credentials) => return Ok(credentials),
            Found::Nothing(why) => searched.push(why),
        }
    }
    let detail = format!("no AWS credentials were found: {}", searched.join("; "));
    Err(Fault::new(FaultClass::NoCredentials, detail))
}

/// What the sources are asked with.
struct Search<'a> {
    environment: &'a Environment,
    clients: &'a Clients,
    /// Where to leave what the source is called that is asked.
    name: &'a OnceLock<String>,
}

impl Search<'_> {
    async fn look(&self, place: Place) -> Result<Found, Fault> {
        match place {
            Place::Environment => self.keys().await,
            Place::Profile => self.profile().await,
            Place::WebIdentity => self.web_identity().await,
            Place::Container => self.container().await,
            Place::Instance => self.instance().await,
        }
    }

    async fn keys(&self) -> Result<Found, Fault> {
        let is_set = |name| Ok::<_, Fault>(variable(name)?.is_some_and(|value| !value.trim().is_empty()));
        let half = |set: &str, unset: &str| {
            let fault = invalid(format!("{set} is set and {unset} is not"));
            Err(fault.advising(format!("set {unset} too, or unset {set}")))
        };
        match (is_set(KEY_ID)?, is_set(SECRET)?) {
            (true, has_secret) if has_secret || is_set(OLD_SECRET)? => {
                let provider = EnvironmentVariableCredentialsProvider::new();
                self.ask(&Source::Environment, &provider).await.map(Found::Credentials)
            }
            (true, _) => half(KEY_ID, SECRET),
            (false, true) => half(SECRET, KEY_ID),
            (false, false) => Ok(Found::Nothing(format!("{KEY_ID} is not set"))),
        }
    }

    async fn profile(&self) -> Result<Found, Fault> {
        let name = &*self.environment.profile;
        let Some(profile) = self.environment.profile(name) else {
            return Ok(Found::Nothing(format!("there is no profile {name:?}")));
        };
        if !chain::gives_credentials(profile) {
            return Ok(Found::Nothing(format!("profile {name:?} has no credentials")));
        }
        let chain = Chain::of(self.environment, profile);
        if let Base::Login = chain.base {
            return Err(invalid(format!("profile {name:?}: {chain} is not supported")).advising(format!(
                "let `aws configure export-credentials --profile {} --format process` be the credential_process of \
                 another profile, and name that one",
                chain.profile
            )));
        }
        let files = self.files_for(name, &chain).await?;
        self.ask(&Source::Profile(name, chain), &self.provider_of_profile(name, files)).await.map(Found::Credentials)
    }

    /// The files for the library to go by. Where a role is assumed with what a process
    /// prints, that is looked at first and then stands in the process's place: the
    /// library signs with whatever is printed, and panics over a line break.
    async fn files_for(&self, name: &str, chain: &Chain<'_>) -> Result<EnvConfigFiles, Fault> {
        let files = self.environment.files.clone();
        let is_role = |profile: &str| self.environment.profile(profile).is_some_and(|it| it.get("role_arn").is_some());
        if chain.base != Base::Process || chain.roles.is_empty() || is_role(chain.profile) {
            return Ok(files);
        }
        let source = Source::Profile(name, chain.clone());
        let keys = self.ask(&source, &self.provider_of_profile(chain.profile, files)).await?;
        Ok(self.environment.files_with(chain.profile, &keys))
    }

    fn provider_of_profile(&self, name: &str, files: EnvConfigFiles) -> ProfileFileCredentialsProvider {
        let direct = self.config_of_host();
        let (agent, instance) = (EcsCredentialsProvider::builder(), ImdsCredentialsProvider::builder());
        ProfileFileCredentialsProvider::builder()
            .configure(&self.clients.provider_config())
            .profile_files(files)
            .profile_name(name)
            .with_custom_provider("Environment", Checked(EnvironmentVariableCredentialsProvider::new()))
            .with_custom_provider("EcsContainer", Checked(agent.configure(&direct).build()))
            .with_custom_provider("Ec2InstanceMetadata", Checked(instance.configure(&direct).build()))
            .build()
    }

    async fn web_identity(&self) -> Result<Found, Fault> {
        let Some(token_file) = variable(TOKEN_FILE)? else {
            return Ok(Found::Nothing(format!("{TOKEN_FILE} is not set")));
        };
        let Some(role_arn) = variable(ROLE_ARN)? else {
            return Err(invalid(format!("{TOKEN_FILE} is set and {ROLE_ARN} is not"))
                .advising(format!("set {ROLE_ARN} to the role to assume, or unset {TOKEN_FILE}")));
        };
        let session_name = variable(ROLE_SESSION_NAME)?.unwrap_or_else(|| SESSION_NAME.to_owned());
        let web_identity_token_file = token_file.clone().into();
        let settings = StaticConfiguration { web_identity_token_file, role_arn, session_name };
        let provider = WebIdentityTokenCredentialsProvider::builder().static_configuration(settings);
        let provider = provider.configure(&self.clients.provider_config()).build();
        self.ask(&Source::WebIdentity { token_file }, &provider).await.map(Found::Credentials)
    }

    async fn container(&self) -> Result<Found, Fault> {
        match (variable(RELATIVE_URI)?, variable(FULL_URI)?) {
            (None, None) => return Ok(Found::Nothing(format!("{RELATIVE_URI} and {FULL_URI} are not set"))),
            // The library would take it for the address, and look no further.
            (None, Some(_)) if env::var_os(RELATIVE_URI).is_some() => {
                return Err(invalid(format!("{RELATIVE_URI} is set and empty, and {FULL_URI} is set"))
                    .advising(format!("unset {RELATIVE_URI}")));
            }
            _ => {}
        }
        if let Some(file) = variable(AGENT_TOKEN_FILE)?
            && let Err(error) = fs::read(&file)
        {
            return Err(no_file(Some(AGENT_TOKEN_FILE), &file, &error));
        }
        let provider = EcsCredentialsProvider::builder().configure(&self.config_of_host()).build();
        self.ask(&Source::Container, &provider).await.map(Found::Credentials)
    }

    async fn instance(&self) -> Result<Found, Fault> {
        if variable(NO_METADATA)?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Found::Nothing(format!("{NO_METADATA} is true")));
        }
        let provider = ImdsCredentialsProvider::builder().configure(&self.config_of_host()).build();
        match self.ask(&Source::Instance, &provider).await {
            Err(fault) if fault.class == FaultClass::NoCredentials => Ok(Found::Nothing(fault.detail)),
            asked => asked.map(Found::Credentials),
        }
    }

    /// What is asked on the host itself is asked without a proxy.
    fn config_of_host(&self) -> ProviderConfig {
        self.clients.provider_config().with_http_client(self.clients.transport.direct.clone())
    }

    /// Asks one source, and looks at what it gave.
    async fn ask(&self, source: &Source<'_>, provider: &impl ProvideCredentials) -> Result<Credentials, Fault> {
        self.name.get_or_init(|| source.to_string());
        let credentials = provider.provide_credentials().await.and_then(usable);
        credentials.map_err(|error| explain::failure(source, &error))
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str(KEY_ID),
            Self::Profile(name, chain) => write!(f, "profile {name:?}, {chain}"),
            Self::WebIdentity { .. } => f.write_str(TOKEN_FILE),
            Self::Container => f.write_str("container agent"),
            Self::Instance => f.write_str("instance metadata service"),
        }
    }
}
