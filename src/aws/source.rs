//! Where credentials come from: which source is asked, and what it is called.
//!
//! The AWS SDK's library is what asks; this chooses whom. Without a profile that the
//! exporter's configuration names, the sources are those of the SDK's own chain, in
//! its order: the environment's keys, the profile, a web identity, the container's
//! agent, the instance. But a source that somebody has set up is never passed over:
//! if it fails, that is the fault, and no later one is asked, whose credentials
//! might be another account's.

mod explain;
mod settings;

use std::sync::OnceLock;

use aws_config::{
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider,
    profile::ProfileFileCredentialsProvider,
    web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider},
};
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, future},
};

use super::{
    Clients,
    environment::{Environment, invalid, variable},
};
use crate::{
    config::SESSION_NAME,
    model::facts::{Fault, FaultClass},
};
use settings::{Base, Chain};

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "AWS_ROLE_ARN";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const AGENT_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const NO_METADATA: &str = "AWS_EC2_METADATA_DISABLED";

/// A source of credentials, as far as it is worth naming.
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

/// Whether a source has anything to do with this host.
enum Asked {
    Answered(Credentials),
    /// It is not set up, or there is none; why.
    Absent(String),
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
    let asking = Asking { environment, clients, name };
    if environment.is_chosen {
        return match asking.profile().await? {
            Asked::Answered(credentials) => Ok(credentials),
            Asked::Absent(why) => Err(invalid(why).advising("add credentials to the profile, or name another")),
        };
    }
    let mut tried = Vec::new();
    for source in ["environment", "profile", "web identity", "container", "instance"] {
        let asked = match source {
            "environment" => asking.keys().await?,
            "profile" => asking.profile().await?,
            "web identity" => asking.web_identity().await?,
            "container" => asking.container().await?,
            _ => asking.instance().await?,
        };
        match asked {
            Asked::Answered(credentials) => return Ok(credentials),
            Asked::Absent(why) => tried.push(why),
        }
    }
    let detail = format!("no AWS credentials were found: {}", tried.join("; "));
    Err(Fault::new(FaultClass::NoCredentials, detail))
}

/// What the sources are asked with.
struct Asking<'a> {
    environment: &'a Environment,
    clients: &'a Clients,
    /// Where to leave what the source is called that is asked.
    name: &'a OnceLock<String>,
}

impl Asking<'_> {
    async fn keys(&self) -> Result<Asked, Fault> {
        let is_set = |name| Ok::<_, Fault>(variable(name)?.is_some_and(|value| !value.trim().is_empty()));
        let missing = match (is_set(KEY_ID)?, is_set(SECRET)? || is_set("SECRET_ACCESS_KEY")?) {
            (true, true) => {
                let provider = EnvironmentVariableCredentialsProvider::new();
                return ask(&Source::Environment, &provider, self.name).await.map(Asked::Answered);
            }
            (true, false) => (KEY_ID, SECRET),
            (false, _) if is_set(SECRET)? => (SECRET, KEY_ID),
            _ => return Ok(Asked::Absent(format!("{KEY_ID} is not set"))),
        };
        let (set, unset) = missing;
        Err(invalid(format!("{set} is set and {unset} is not")).advising(format!("set {unset} too, or unset {set}")))
    }

    async fn profile(&self) -> Result<Asked, Fault> {
        let name = &*self.environment.profile;
        let Some(profile) = self.environment.profile(name) else {
            return Ok(Asked::Absent(format!("there is no profile {name:?}")));
        };
        if !settings::gives_credentials(profile) {
            return Ok(Asked::Absent(format!("profile {name:?} has no credentials")));
        }
        let source = Source::Profile(name, Chain::of(self.environment, profile));
        if let Source::Profile(_, Chain { base: Base::Unsupported(what), .. }) = &source {
            return Err(invalid(format!("{source}: {what} is not supported"))
                .advising(format!("let `aws configure export-credentials --profile {name} --format process` be the credential_process of another profile")));
        }
        let config = self.clients.provider_config();
        let direct = config.clone().with_http_client(self.clients.transport.direct.clone());
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .profile_files(self.environment.files.clone())
            .profile_name(name)
            .with_custom_provider("Environment", Trimmed(EnvironmentVariableCredentialsProvider::new()))
            .with_custom_provider("EcsContainer", EcsCredentialsProvider::builder().configure(&direct).build())
            .with_custom_provider("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&direct).build())
            .build();
        ask(&source, &provider, self.name).await.map(Asked::Answered)
    }

    async fn web_identity(&self) -> Result<Asked, Fault> {
        let Some(token_file) = variable(TOKEN_FILE)? else {
            return Ok(Asked::Absent(format!("{TOKEN_FILE} is not set")));
        };
        let Some(role_arn) = variable(ROLE_ARN)? else {
            return Err(invalid(format!("{TOKEN_FILE} is set and {ROLE_ARN} is not"))
                .advising(format!("set {ROLE_ARN} to the role to assume, or unset {TOKEN_FILE}")));
        };
        let session_name = variable("AWS_ROLE_SESSION_NAME")?.unwrap_or_else(|| SESSION_NAME.to_owned());
        let settings =
            StaticConfiguration { web_identity_token_file: token_file.clone().into(), role_arn, session_name };
        let builder = WebIdentityTokenCredentialsProvider::builder().static_configuration(settings);
        let provider = builder.configure(&self.clients.provider_config()).build();
        ask(&Source::WebIdentity { token_file }, &provider, self.name).await.map(Asked::Answered)
    }

    async fn container(&self) -> Result<Asked, Fault> {
        match (variable(RELATIVE_URI)?, variable(FULL_URI)?) {
            (None, None) => return Ok(Asked::Absent(format!("{RELATIVE_URI} and {FULL_URI} are not set"))),
            // The library would take it for the address, and look no further.
            (None, Some(_)) if std::env::var_os(RELATIVE_URI).is_some() => {
                return Err(invalid(format!("{RELATIVE_URI} is set and empty"))
                    .advising(format!("unset {RELATIVE_URI}: {FULL_URI} is set")));
            }
            _ => {}
        }
        if let Some(file) = variable(AGENT_TOKEN_FILE)?
            && let Err(error) = std::fs::read(&file)
        {
            return Err(super::environment::no_file(Some(AGENT_TOKEN_FILE), &file, &error));
        }
        let config = self.clients.provider_config().with_http_client(self.clients.transport.direct.clone());
        let provider = EcsCredentialsProvider::builder().configure(&config).build();
        ask(&Source::Container, &provider, self.name).await.map(Asked::Answered)
    }

    async fn instance(&self) -> Result<Asked, Fault> {
        if variable(NO_METADATA)?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Asked::Absent(format!("{NO_METADATA} is true")));
        }
        let config = self.clients.provider_config().with_http_client(self.clients.transport.direct.clone());
        let provider = ImdsCredentialsProvider::builder().configure(&config).build();
        match ask(&Source::Instance, &provider, self.name).await {
            Err(fault) if fault.class == FaultClass::NoCredentials => Ok(Asked::Absent(fault.detail)),
            asked => asked.map(Asked::Answered),
        }
    }
}

/// Asks one source, and looks at what it gave.
async fn ask(
    source: &Source<'_>,
    provider: &impl ProvideCredentials,
    name: &OnceLock<String>,
) -> Result<Credentials, Fault> {
    name.get_or_init(|| source.to_string());
    let credentials = provider.provide_credentials().await.map_err(|error| explain::failure(source, &error))?;
    let credentials = trimmed(credentials);
    let (id, token) = (credentials.access_key_id(), credentials.session_token().unwrap_or_default());
    let has_foreign = |text: &str| !text.bytes().all(|byte| byte.is_ascii_graphic());
    let what = match () {
        () if id.is_empty() || credentials.secret_access_key().is_empty() => "empty",
        () if has_foreign(id) => "an access key id with a space or another character that no key has",
        () if has_foreign(token) => "a session token with a space or another character that no token has",
        () => return Ok(credentials),
    };
    Err(invalid(format!("{source}: the credentials are not usable: {what}"))
        .advising("write the credentials anew, each value on one line"))
}

/// Without the spaces and line breaks around each value, of which no value has any:
/// a secret that was made by `echo` ends with one.
fn trimmed(credentials: Credentials) -> Credentials {
    let (id, secret, token) =
        (credentials.access_key_id(), credentials.secret_access_key(), credentials.session_token());
    let is_trimmed = |text: &str| text.trim().len() == text.len();
    if is_trimmed(id) && is_trimmed(secret) && token.is_none_or(is_trimmed) {
        return credentials;
    }
    let token = token.map(|token| token.trim().to_owned());
    Credentials::new(id.trim(), secret.trim(), token, credentials.expiry(), "Trimmed")
}

/// The environment's keys, for a profile whose `credential_source` they are.
#[derive(Debug)]
struct Trimmed<P>(P);

impl<P: ProvideCredentials> ProvideCredentials for Trimmed<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.0.provide_credentials().await.map(trimmed) as provider::Result })
    }
}

impl std::fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment => f.write_str(KEY_ID),
            Self::Profile(name, chain) => write!(f, "profile {name:?}, {chain}"),
            Self::WebIdentity { .. } => f.write_str(TOKEN_FILE),
            Self::Container => f.write_str("container agent"),
            Self::Instance => f.write_str("instance metadata service"),
        }
    }
}
