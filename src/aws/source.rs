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

use std::{env, fmt, fs, sync::OnceLock};

use aws_config::{
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider,
    profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
    web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider},
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, future},
};

use super::{
    Clients,
    environment::{Environment, invalid, no_file, variable},
};
use crate::{
    config::SESSION_NAME,
    model::facts::{Fault, FaultClass},
};
use chain::{Base, Chain};

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
                self.ask(&Source::Environment, &EnvironmentVariableCredentialsProvider::new()).await
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
        let direct = self.config_of_host();
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&self.clients.provider_config())
            .profile_files(self.environment.files.clone())
            .profile_name(name)
            .with_custom_provider("Environment", Trimmed(EnvironmentVariableCredentialsProvider::new()))
            .with_custom_provider("EcsContainer", EcsCredentialsProvider::builder().configure(&direct).build())
            .with_custom_provider("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&direct).build())
            .build();
        self.ask(&Source::Profile(name, chain), &provider).await
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
        self.ask(&Source::WebIdentity { token_file }, &provider).await
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
        self.ask(&Source::Container, &provider).await
    }

    async fn instance(&self) -> Result<Found, Fault> {
        if variable(NO_METADATA)?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Found::Nothing(format!("{NO_METADATA} is true")));
        }
        let provider = ImdsCredentialsProvider::builder().configure(&self.config_of_host()).build();
        match self.ask(&Source::Instance, &provider).await {
            Err(fault) if fault.class == FaultClass::NoCredentials => Ok(Found::Nothing(fault.detail)),
            found => found,
        }
    }

    /// What is asked on the host itself is asked without a proxy.
    fn config_of_host(&self) -> ProviderConfig {
        self.clients.provider_config().with_http_client(self.clients.transport.direct.clone())
    }

    /// Asks one source, and looks at what it gave.
    async fn ask(&self, source: &Source<'_>, provider: &impl ProvideCredentials) -> Result<Found, Fault> {
        self.name.get_or_init(|| source.to_string());
        let credentials = provider.provide_credentials().await.map_err(|error| explain::failure(source, &error))?;
        let credentials = trimmed(credentials);
        match unusable(&credentials) {
            None => Ok(Found::Credentials(credentials)),
            Some(why) => Err(invalid(format!("{source}: the credentials are not usable: {why}"))
                .advising("write the credentials anew, each value on one line")),
        }
    }
}

/// What makes it impossible to sign a request with the credentials.
fn unusable(credentials: &Credentials) -> Option<&'static str> {
    let (id, token) = (credentials.access_key_id(), credentials.session_token().unwrap_or_default());
    let has_foreign = |text: &str| !text.bytes().all(|byte| byte.is_ascii_graphic());
    match () {
        () if id.is_empty() => Some("an empty access key id"),
        () if credentials.secret_access_key().is_empty() => Some("an empty secret access key"),
        () if has_foreign(id) => Some("an access key id with a space or another character that no key has"),
        () if has_foreign(token) => Some("a session token with a space or another character that no token has"),
        () => None,
    }
}

/// Without the spaces and line breaks around each value, of which no value has any:
/// a secret that was made by `echo` ends with one.
fn trimmed(credentials: Credentials) -> Credentials {
    let (id, secret) = (credentials.access_key_id(), credentials.secret_access_key());
    let token = credentials.session_token();
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
        future::ProvideCredentials::new(async { self.0.provide_credentials().await.map(trimmed) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_value_is_cut_off_and_what_stands_in_it_is_refused() {
        let made = |id: &str, token: Option<&str>| {
            trimmed(Credentials::new(id, " s\n", token.map(str::to_owned), None, "test"))
        };
        let good = made("\tAKIA\r\n", Some("t\n"));
        let values = (good.access_key_id(), good.secret_access_key(), good.session_token());
        assert_eq!(values, ("AKIA", "s", Some("t")));
        assert_eq!(unusable(&good), None);
        for bad in [made("AK IA", None), made("AKIÄ", None), made(" ", None), made("AKIA", Some("a\nb"))] {
            assert!(unusable(&bad).is_some(), "{}", bad.access_key_id());
        }
    }
}
