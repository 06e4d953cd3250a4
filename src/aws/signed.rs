//! Requests of services for which the exporter has no client of the SDK's.
//!
//! The SDK's client of Amazon Cognito has 266,000 lines, of which two operations are
//! wanted. So those are put together here, of the same parts of which every client of
//! the SDK is made: its orchestrator, its signer and its HTTP client. Time limits,
//! interceptors and errors are the same, and so is the rule that a request has
//! the credentials that it was given and no others.

use std::{error::Error, fmt};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::{
    SigV4OperationSigningConfig,
    sigv4::{SCHEME_ID, SigV4AuthScheme},
};
use aws_smithy_runtime::client::{identity::IdentityCache, orchestrator::operation::Operation as Sent};
use aws_smithy_runtime_api::client::{
    auth::{AuthSchemeOptionResolverParams, static_resolver::StaticAuthSchemeOptionResolver},
    orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
    result::SdkError,
    runtime_components::RuntimeComponentsBuilder,
    runtime_plugin::StaticRuntimePlugin,
};
use aws_smithy_types::{
    body::SdkBody,
    config_bag::{FrozenLayer, Layer},
    error::{ErrorMetadata, metadata::ProvideErrorMetadata},
};
use aws_types::{
    SigningName,
    region::{Region, SigningRegion},
    service_config::ServiceConfigKey,
};

use super::{Clients, behavior, operation::Only};

/// A service as it is asked in one Region.
#[derive(Clone, Debug)]
pub(super) struct Service {
    /// The name in the signature, which is the beginning of the host's name too.
    pub signing_name: &'static str,
    /// The name in variables and files: `AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER`.
    pub id: &'static str,
    /// The Region.
    pub region: String,
    /// What the names of the partition's hosts end with: `amazonaws.com`.
    pub suffix: &'static str,
    /// The same of hosts that have addresses of both kinds.
    pub dual_stack_suffix: &'static str,
}

/// A request in JSON.
#[derive(Clone, Debug)]
pub(super) struct Json {
    /// The path.
    pub path: &'static str,
    /// The type of the body.
    pub content_type: &'static str,
    /// `X-Amz-Target`, which tells the operation where the path does not.
    pub target: Option<String>,
    /// The body.
    pub body: String,
}

/// An error as AWS sends it.
#[derive(Clone, Debug)]
pub(super) struct Refused(ErrorMetadata);

/// What the answer says of errors; all else of it is read from its bytes.
type Ended = Result<(), SdkError<Refused, HttpResponse>>;

// === impl Clients ===

impl Clients {
    /// Sends one request with these credentials and no others.
    pub(super) async fn send(&self, service: &Service, operation: &'static str, json: Json, only: Only) -> Ended {
        let settings = &self.settings;
        let mut sent = Sent::builder()
            .service_name(service.id)
            .operation_name(operation)
            .behavior_version(behavior())
            .http_client(self.transport.proxied.clone())
            .endpoint_url(&self.endpoint(service))
            .no_retry()
            .interceptor(only.tap)
            .runtime_plugin(signature(service, only.credentials))
            .serializer(request)
            .deserializer(ended);
        if let Some(timeouts) = settings.timeout_config() {
            sent = sent.timeout_config(timeouts.clone());
        }
        if let Some(sleep) = settings.sleep_impl() {
            sent = sent.sleep_impl(sleep);
        }
        if let Some(time) = settings.time_source() {
            sent = sent.time_source(time);
        }
        sent.build().invoke(json).await
    }

    /// Where the service is: as the settings say, or else where AWS has it.
    fn endpoint(&self, service: &Service) -> String {
        let (settings, id) = (&self.settings, service.id);
        let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        let own = key.ok().and_then(|key| settings.service_config()?.load_config(key));
        own.or_else(|| settings.endpoint_url().map(str::to_owned)).unwrap_or_else(|| {
            service.host(settings.use_fips().unwrap_or_default(), settings.use_dual_stack().unwrap_or_default())
        })
    }
}

// === impl Service ===

impl Service {
    fn host(&self, is_fips: bool, is_dual_stack: bool) -> String {
        let fips = if is_fips { "-fips" } else { "" };
        let suffix = if is_dual_stack { self.dual_stack_suffix } else { self.suffix };
        format!("https://{}{fips}.{}.{suffix}", self.signing_name, self.region)
    }
}

// === impl Refused ===

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AWS refused the request: {}", self.0.code().unwrap_or("no code"))
    }
}

impl Error for Refused {}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// Who signs the request, and as what.
fn signature(service: &Service, credentials: aws_credential_types::Credentials) -> StaticRuntimePlugin {
    let identity = SharedCredentialsProvider::new(credentials);
    let components = RuntimeComponentsBuilder::new("signature")
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_identity_cache(Some(IdentityCache::no_cache()))
        .with_identity_resolver(SCHEME_ID, identity);
    StaticRuntimePlugin::new().with_config(signing(service)).with_runtime_components(components)
}

fn signing(service: &Service) -> FrozenLayer {
    let mut layer = Layer::new("signature");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(Region::new(service.region.clone()))),
        name: Some(SigningName::from_static(service.signing_name)),
        ..SigV4OperationSigningConfig::default()
    });
    layer.freeze()
}

fn request(json: Json) -> Result<HttpRequest, aws_smithy_runtime_api::box_error::BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(json.body));
    request.set_method("POST")?;
    request.set_uri(json.path)?;
    let headers = request.headers_mut();
    headers.insert("content-type", json.content_type);
    headers.insert("user-agent", concat!("aws-mfa-exporter/", env!("CARGO_PKG_VERSION")));
    if let Some(target) = json.target {
        headers.insert("x-amz-target", target);
    }
    Ok(request)
}

fn ended(response: &HttpResponse) -> Result<(), OrchestratorError<Refused>> {
    if response.status().is_success() {
        return Ok(());
    }
    let header = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let code = header.or_else(|| code_in(response.body().bytes()?)).unwrap_or_default();
    Err(OrchestratorError::operation(Refused(ErrorMetadata::builder().code(plain(&code)).build())))
}

/// The code in the body of an error.
fn code_in(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body.get("__type").or_else(|| body.get("code"))?.as_str()?.to_owned())
}

/// A code without the name space before it and the address behind it.
fn plain(code: &str) -> &str {
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    code.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_as_aws_names_them() {
        let service = Service {
            signing_name: "cognito-idp",
            id: "Cognito Identity Provider",
            region: "eu-west-1".to_owned(),
            suffix: "amazonaws.com",
            dual_stack_suffix: "amazonaws.com",
        };
        assert_eq!(service.host(false, false), "https://cognito-idp.eu-west-1.amazonaws.com");
        assert_eq!(service.host(true, false), "https://cognito-idp-fips.eu-west-1.amazonaws.com");
    }

    #[test]
    fn the_code_of_an_error_is_told_without_its_name_space() {
        for text in ["X", "com.amazonaws.cognito#X", "X:http://internal.amazon.com/", "aws#X:http://a#b"] {
            assert_eq!(plain(text.split(":http").next().unwrap()), "X", "{text}");
        }
        assert_eq!(code_in(br#"{"__type":"aws#X","message":"m"}"#).as_deref(), Some("aws#X"));
        assert_eq!(code_in(b"<html>"), None);
    }
}
