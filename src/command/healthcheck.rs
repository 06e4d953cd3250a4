//! `healthcheck`: what a container's engine asks by, since an image without a shell
//! has neither curl nor wget.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnectorBuilder};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::{ClientConfig, crypto::aws_lc_rs};

/// The exporter answers at once, or something is wrong with it.
const PATIENCE: Duration = Duration::from_secs(5);

/// No answer that is meant here is longer.
const LONGEST: usize = 4_096;

/// The exporter is not healthy, or it cannot be known whether it is.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Nobody answers.
    #[error("{0} cannot be asked: {1}")]
    Unreachable(Uri, String),
    /// Nobody answers in time.
    #[error("{0} did not answer within 5 seconds")]
    TooSlow(Uri),
    /// The answer is another.
    #[error("{0} answered {1}: {2}")]
    Unhealthy(Uri, StatusCode, String),
    /// Nothing to verify a certificate by.
    #[error("the certificate authorities of this host cannot be read, which an https URL needs: {0}")]
    Roots(#[from] io::Error),
}

/// Asks `url`, and succeeds when the answer is 200.
///
/// # Errors
/// When it is another, or there is none.
pub async fn ask(url: Uri) -> Result<(), HealthError> {
    let answer = tokio::time::timeout(PATIENCE, answer(url.clone())).await;
    let (status, words) = answer.map_err(|_| HealthError::TooSlow(url.clone()))??;
    if status == StatusCode::OK { Ok(()) } else { Err(HealthError::Unhealthy(url, status, words)) }
}

async fn answer(url: Uri) -> Result<(StatusCode, String), HealthError> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls(&url)?).https_or_http().enable_http1().build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let response = client.get(url.clone()).await.map_err(|error| HealthError::Unreachable(url, cause(&error)))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let words = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned());
    Ok((status, words.unwrap_or_default()))
}

/// The host's authorities are read only where they are needed: an image may have none.
fn tls(url: &Uri) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let builder = match url.scheme_str() {
        Some("https") => builder.with_native_roots()?,
        _ => builder.with_root_certificates(rustls::RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

/// What is at the bottom of an error: the layers above it say no more than "client error".
fn cause(error: &hyper_util::client::legacy::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
