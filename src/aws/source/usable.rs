//! Whether a request can be signed with credentials. The library signs with whatever it
//! is given, and panics where that makes no header.

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};

/// No request can be signed with the credentials.
#[derive(Debug, thiserror::Error)]
#[error("the credentials are not usable: {0}")]
pub(super) struct Unusable(&'static str);

/// The credentials without what stands around them, if a request can be signed with them.
pub(super) fn usable(credentials: Credentials) -> Result<Credentials, CredentialsError> {
    let credentials = trimmed(credentials);
    match unusable(&credentials) {
        None => Ok(credentials),
        Some(why) => Err(CredentialsError::invalid_configuration(Unusable(why))),
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
        () if has_foreign(credentials.secret_access_key()) => {
            Some("a secret access key with a space or another character that no secret has")
        }
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

/// A `credential_source` of a profile, whose role is then assumed with what it gives.
#[derive(Debug)]
pub(super) struct Checked<P>(pub(super) P);

impl<P: ProvideCredentials> ProvideCredentials for Checked<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.0.provide_credentials().await.and_then(usable) })
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
        for bad in [" ", "a b", "a\nb"] {
            assert!(unusable(&trimmed(Credentials::new("AKIA", bad, None, None, "test"))).is_some(), "{bad:?}");
        }
    }
}
