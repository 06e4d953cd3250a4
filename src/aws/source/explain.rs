//! Why a source of credentials gave none, in words of our own.
//!
//! The library's errors are boxes within boxes, and what they say may hold the
//! output of a process or an answer of a stranger's. So the boxes are opened until
//! one is of a kind that is known; of it the code, the status or the exit status is
//! taken. Where the library keeps the kind to itself, its fixed words tell it.

use std::{error::Error, io};

use aws_config::imds::client::error::{ImdsError, TokenError};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};

use super::{
    Source, TOKEN_FILE,
    chain::{Base, Chain},
    usable::Unusable,
};
use crate::{
    aws::{
        environment::{invalid, no_file},
        fault::{self, causes},
    },
    model::facts::{Fault, FaultClass},
};

/// What a failure of `source` is for whoever reads it.
pub(super) fn failure(source: &Source<'_>, error: &CredentialsError) -> Fault {
    let fault = of_values(error)
        .or_else(|| of_sts(source, error))
        .or_else(|| of_sso(source, error))
        .or_else(|| of_token_file(source, error))
        .or_else(|| of_process(source, error))
        .or_else(|| of_profile(error))
        .or_else(|| of_instance(error))
        .or_else(|| of_container(error))
        .unwrap_or_else(|| failed("its answer holds no credentials, or the request failed"));
    fault.of_source(source)
}

/// The first cause of this type.
fn find<E: Error + 'static>(error: &CredentialsError) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What follows `start` in the words of any cause, up to `end`.
fn quoted(error: &CredentialsError, start: &str, end: char) -> Option<String> {
    causes(error).find_map(|cause| {
        let text = cause.to_string();
        let (_, rest) = text.split_once(start)?;
        let word = rest.split(end).next().unwrap_or_default();
        Some(word.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(200).collect())
    })
}

fn says(error: &CredentialsError, text: &str) -> bool {
    quoted(error, text, '\0').is_some()
}

fn failed(detail: impl Into<String>) -> Fault {
    Fault::new(FaultClass::CredentialsFailed, detail)
}

/// What was given is no key.
fn of_values(error: &CredentialsError) -> Option<Fault> {
    let unusable = find::<Unusable>(error)?;
    Some(invalid(unusable.to_string()).advising("write the credentials anew, each value on one line"))
}

/// STS refused a role, or could not be asked for it.
fn of_sts(source: &Source<'_>, error: &CredentialsError) -> Option<Fault> {
    if let Some(error) = find::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error) {
        let fault = fault::of("AssumeRoleWithWebIdentity", error);
        return Some(match fault.class {
            FaultClass::AccessDenied => fault.advising(
                "let the role's trust policy name the OIDC provider that made the token, and the token's subject and \
                 audience in its conditions; for IRSA: the cluster's provider, the service account, sts.amazonaws.com",
            ),
            FaultClass::InvalidCredentials => fault.advising(
                "see why the token is not accepted: it has expired and nobody renews the file, or IAM has no OIDC \
                 provider for its issuer",
            ),
            _ => fault,
        });
    }
    let fault = fault::of("AssumeRole", find::<SdkError<AssumeRoleError, HttpResponse>>(error)?);
    let asks_for_code = matches!(source, Source::Profile(_, Chain { asks_for_code: true, .. }));
    Some(match fault.class {
        FaultClass::AccessDenied if asks_for_code => fault.advising(
            "assume a role that asks for no MFA code (mfa_serial), because nobody can type one for the exporter; or let a \
             credential_process get the session",
        ),
        _ => fault,
    })
}

/// The login of IAM Identity Center: not there, over, or not enough.
fn of_sso(source: &Source<'_>, error: &CredentialsError) -> Option<Fault> {
    let Source::Profile(_, Chain { profile, base: Base::Sso { .. }, .. }) = source else { return None };
    let login = || format!("run `aws sso login --profile {profile}`, as the exporter's user and with its HOME");
    let over = |detail: &str| Fault::new(FaultClass::LoginRequired, detail).advising(login());
    if let Some(error) = find::<SdkError<GetRoleCredentialsError, HttpResponse>>(error) {
        let fault = fault::of("GetRoleCredentials", error);
        let code = fault.detail.contains("code=UnauthorizedException");
        return Some(match fault.class {
            _ if code => over(&fault.detail),
            FaultClass::AccessDenied | FaultClass::Rejected => fault.advising(format!(
                "assign the permission set that sso_role_name of profile {profile} names to the user who logged in, \
                 in the account that sso_account_id names"
            )),
            _ => fault,
        });
    }
    match () {
        () if says(error, "has expired and cannot be refreshed") => Some(over("the SSO login has expired")),
        () if says(error, "cached SSO token") || says(error, "failed to read `") => {
            Some(over("there is no SSO login, or its file below ~/.aws/sso/cache cannot be read"))
        }
        () => None,
    }
}

/// The file with the token of a web identity.
fn of_token_file(source: &Source<'_>, error: &CredentialsError) -> Option<Fault> {
    let (by, file) = match source {
        Source::WebIdentity { token_file } => (TOKEN_FILE, &**token_file),
        Source::Profile(_, Chain { base: Base::WebIdentity { token_file }, .. }) => {
            ("web_identity_token_file", *token_file)
        }
        _ => return None,
    };
    match find::<io::Error>(error) {
        Some(error) => Some(no_file(Some(by), file, error)),
        None if says(error, "not valid UTF-8") => Some(invalid(format!("the file {file} holds no token"))),
        None => None,
    }
}

/// What the process writes is nobody's business but its own: it may hold secrets.
fn of_process(source: &Source<'_>, error: &CredentialsError) -> Option<Fault> {
    let Source::Profile(_, Chain { profile, base: Base::Process, .. }) = source else { return None };
    let detail = match quoted(error, "external process exited with code ", '.') {
        Some(status) if status.ends_with(": 126") => format!("the process ended with {status}: it is not a program"),
        Some(status) if status.ends_with(": 127") => {
            format!("the process ended with {status}: there is no such program")
        }
        Some(status) => format!("the process ended with {status}"),
        None if says(error, "from external process") => {
            "the output of the process holds no credentials, or `sh` could not run it".to_owned()
        }
        None => return None,
    };
    Some(failed(detail).advising(format!(
        "run the credential_process of profile {profile} by hand, as the exporter's user; what it prints is not logged, \
         because it may hold secrets"
    )))
}

/// A profile that leads nowhere. The library names profiles and keys, no values.
fn of_profile(error: &CredentialsError) -> Option<Fault> {
    let detail = quoted(error, "provider could not be built: ", '\0').or_else(|| {
        ["was not defined: ", "selected profile will "].iter().find(|text| says(error, text))?;
        error.source().map(ToString::to_string)
    });
    detail.map(|detail| invalid(detail).advising("correct the profile in the AWS config file"))
}

/// The metadata service of an instance. Nobody answers at its address elsewhere.
fn of_instance(error: &CredentialsError) -> Option<Fault> {
    const HOP_LIMIT: &str = "if the exporter runs in a container on EC2, raise the hop limit of the instance to 2: `aws ec2 \
                             modify-instance-metadata-options --http-put-response-hop-limit 2`; where there is no \
                             instance role, set AWS_EC2_METADATA_DISABLED=true";
    const SWITCHED_OFF: &str = "switch the metadata service of the instance on, and let the host reach it; where the instance \
                                role is not to be used, set AWS_EC2_METADATA_DISABLED=true";
    let status = |status: u16| failed(format!("it answered with status {status}")).advising(SWITCHED_OFF);
    if let Some(error) = find::<SdkError<TokenError, HttpResponse>>(error) {
        return Some(match error {
            SdkError::DispatchFailure(_) if says_of(error, "read timeout") => {
                failed("it accepted the connection and did not answer").advising(HOP_LIMIT)
            }
            SdkError::DispatchFailure(_) => Fault::new(FaultClass::NoCredentials, "no answer from its address"),
            SdkError::TimeoutError(_) => failed("it did not answer in time").advising(HOP_LIMIT),
            _ => status(error.raw_response().map_or(0, |response| response.status().as_u16())),
        });
    }
    match find::<ImdsError>(error) {
        Some(ImdsError::ErrorResponse(context)) => Some(status(context.response().status().as_u16())),
        Some(_) => Some(failed("the connection broke")),
        None if says(error, "received 404 from IMDS") => {
            Some(Fault::new(FaultClass::NoCredentials, "the instance has no role"))
        }
        None => {
            let code = quoted(error, "Incorrect IMDS/IAM configuration: [", ']')
                .or_else(|| quoted(error, "Error retrieving credentials from IMDS: ", ' '))?;
            Some(failed(format!("it answered with code {}", fault::word(&code))))
        }
    }
}

fn says_of(error: &(dyn Error + 'static), text: &str) -> bool {
    causes(error).any(|cause| cause.to_string().contains(text))
}

/// The agent beside a container.
fn of_container(error: &CredentialsError) -> Option<Fault> {
    const LOOK: &str = "see whether the agent runs, and lets this container ask: the task's or the pod's role, the address \
                        and the token in AWS_CONTAINER_*";
    if let Some(error) = find::<SdkError<CredentialsError, HttpResponse>>(error) {
        let why = fault::of_dispatch(error)?;
        return Some(failed(format!("it was not reached: {why}")).advising(LOOK));
    }
    let detail = quoted(error, "Non-success status from HTTP credential provider: ", '\0')
        .map(|status| {
            format!("it answered with status {}", status.chars().filter(char::is_ascii_digit).collect::<String>())
        })
        .or_else(|| {
            let code = quoted(error, "failed to load credentials [", ']')?;
            Some(format!("it answered with code {}", fault::word(&code)))
        });
    if let Some(detail) = detail {
        return Some(failed(detail).advising(LOOK));
    }
    let wrong = ["for ECS provider (", "the auth token could not be used"].iter().any(|text| says(error, text));
    wrong.then(|| {
        invalid("an address or a token in AWS_CONTAINER_* cannot be used")
            .advising("write them as the agent's documentation shows; plain http is allowed only to this host")
    })
}
