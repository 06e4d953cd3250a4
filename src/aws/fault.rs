//! From the SDK's errors to the fixed classes of faults.
//!
//! Only AWS's error code and request id go into the detail. Its messages quote
//! principals, resources and sometimes parts of the request.

mod connection;

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::StatusCode,
};
use aws_smithy_types::{DateTime, date_time::Format, error::metadata::ProvideErrorMetadata};

use super::wire::ReplyError;
use crate::model::{
    facts::{Fault, FaultClass},
    time::MOST_SKEW,
};
use connection::Why;
pub(super) use connection::causes;

/// Reduces what came of `operation` to a fault.
pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let code = error.as_service_error().and_then(|error| error.meta().code()).unwrap_or_default();
    if let Some(refusal) = refusal(error) {
        return Fault::new(FaultClass::InvalidConfiguration, format!("{operation}: {refusal}"));
    }
    let clocks = error.raw_response().and_then(|response| Clocks::of(response, SystemTime::now()));
    let (class, why) = class(error, code, clocks);
    let clocks = clocks.filter(|_| class == FaultClass::ClockSkew);
    let mut detail = format!("{operation}: {class}");
    for (name, value) in parts(error.raw_response(), code, why, clocks) {
        if let Some(value) = value {
            detail.push_str(&format!(" {name}={value}"));
        }
    }
    let fault = Fault::new(class, detail);
    match why.and_then(Why::remedy).or(remedy(code).filter(|_| class != FaultClass::ClockSkew)) {
        Some(remedy) => fault.advising(remedy),
        None => fault,
    }
}

/// What is told of a failure, where it is known.
fn parts(
    response: Option<&HttpResponse>,
    code: &str,
    why: Option<Why>,
    clocks: Option<Clocks>,
) -> [(&'static str, Option<String>); 6] {
    let request_id = response.and_then(|response| response.headers().get("x-amzn-requestid"));
    let (here, aws) = clocks.map(Clocks::shown).unzip();
    [
        ("reason", why.map(|why| why.as_str().to_owned())),
        ("code", Some(word(code)).filter(|code| !code.is_empty())),
        ("status", response.map(|response| response.status().as_u16().to_string())),
        ("request_id", request_id.map(word)),
        ("clock_here", here),
        ("clock_of_aws", aws),
    ]
}

/// What the endpoint rules have against the settings; nothing was sent then. The rules
/// are the SDK's own, and so are the words.
fn refusal<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let mut causes = causes(error).filter(|_| error.raw_response().is_none()).map(ToString::to_string);
    causes.find(|text| {
        ["Invalid Configuration: ", "invalid value for field: "].iter().any(|start| text.starts_with(start))
    })
}

/// A fault of the reply to `operation` that the SDK did not see.
#[must_use]
pub fn of_reply(operation: &'static str, error: &ReplyError) -> Fault {
    let class = match error {
        ReplyError::Missing(_) => FaultClass::IncompleteReply,
        ReplyError::Malformed | ReplyError::Ambiguous | ReplyError::Unreadable(_) => FaultClass::MalformedReply,
    };
    Fault::new(class, format!("{operation}: {error}"))
}

/// Why no answer came, where none did.
pub(super) fn of_dispatch<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let (class, why) = match error {
        SdkError::TimeoutError(_) => (FaultClass::Timeout, None),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => (FaultClass::Timeout, None),
        SdkError::DispatchFailure(_) => connection::class(error),
        _ => return None,
    };
    let why = why.map_or_else(String::new, |why| format!(" reason={}", why.as_str()));
    Some(format!("{class}{why}"))
}

fn class<E>(error: &SdkError<E, HttpResponse>, code: &str, clocks: Option<Clocks>) -> (FaultClass, Option<Why>)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let class = match error {
        SdkError::TimeoutError(_) => FaultClass::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => FaultClass::Timeout,
        SdkError::DispatchFailure(_) => return connection::class(error),
        _ if error.raw_response().is_some_and(|response| response.status().as_u16() == 407) => {
            return (FaultClass::Proxy, Some(Why::ProxyAuthentication));
        }
        SdkError::ResponseError(_) if is_over_cap(error) => FaultClass::OversizedReply,
        SdkError::ResponseError(_) => broken_reply(error),
        SdkError::ServiceError(service) => of_answer(service.raw().status(), code, clocks),
        // The request could not be made of the settings.
        _ => FaultClass::InvalidConfiguration,
    };
    (class, None)
}

/// The error codes of IAM and STS, as botocore's models and recorded replies
/// spell them; then the status for what has no known code.
fn of_answer(status: StatusCode, code: &str, clocks: Option<Clocks>) -> FaultClass {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "ForbiddenException"
        | "KMS.AccessDeniedException"
        | "KmsAccessDenied" => FaultClass::AccessDenied,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "KMS.ThrottlingException"
        | "KmsThrottled"
        | "OverLimit"
        | "TooManyRequestsException"
        | "SlowDown" => FaultClass::Throttled,
        "NotAuthorizedException" => FaultClass::AccessDenied,
        // The API reference spells the codes of centralized root access without the suffix, and the
        // wire with it.
        "ServiceAccessNotEnabledException" | "ServiceAccessNotEnabled" => FaultClass::TrustedAccessOff,
        "AccountNotManagementOrDelegatedAdministratorException" | "AccountNotManagementOrDelegatedAdministrator" => {
            FaultClass::NotDelegated
        }
        "RequestExpired" | "RequestTimeTooSkewed" => FaultClass::ClockSkew,
        // What was signed, or handed out, at another time than AWS's.
        "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature" => {
            if clocks.is_some_and(Clocks::differ) {
                FaultClass::ClockSkew
            } else {
                FaultClass::InvalidCredentials
            }
        }
        "InvalidClientTokenId"
        | "UnauthorizedException"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "InvalidAccessKeyId"
        | "InvalidIdentityToken"
        | "IDPRejectedClaim"
        | "OptInRequired" => FaultClass::InvalidCredentials,
        _ if status.is_server_error() => FaultClass::ServerError,
        _ if status.as_u16() == 429 => FaultClass::Throttled,
        // A success that could not be decoded comes out as a service error too.
        _ if status.is_success() => FaultClass::MalformedReply,
        _ => FaultClass::Rejected,
    }
}

/// What to do about a code of AWS's that says more than its class.
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            "write the secret access key again: it does not belong to the access key id, or a proxy has changed the \
             request"
        }
        "ExpiredToken" | "ExpiredTokenException" => {
            "renew the temporary credentials; the exporter can renew only credentials of a role, a profile or a \
             process by itself, not those in variables"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            "check in IAM whether the access key exists and is active; a key of another partition needs a region of that \
             partition (AWS_REGION, or region in the profile)"
        }
        "RegionDisabledException" => "activate STS in this region in the account's IAM settings, or set another region",
        "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => {
            "check the URL of the queue: there is no such queue in this account and region, or the credentials are of an \
             account that the queue's policy does not name"
        }
        code if code.starts_with("KMS.") || code.starts_with("Kms") => {
            "the queue is encrypted with a KMS key: allow kms:Decrypt on that key to the credentials that read the queue, \
             in the key's policy too, and check that the key is enabled"
        }
        "OrganizationNotFoundException" | "OrganizationNotFound" => {
            "give the exporter credentials of the organization's management account, or of the delegated administrator for \
             IAM: this account is in no organization"
        }
        "OrganizationNotInAllFeaturesModeException" | "OrganizationNotInAllFeaturesMode" => {
            "enable all features in AWS Organizations: with consolidated billing alone there is no centralized root access"
        }
        "AWSOrganizationsNotInUseException" => {
            "give the exporter credentials of an account of the organization that is to be watched; if there is none, \
             leave organization (--organization.role-name) out: the exporter then watches the account of its credentials"
        }
        _ => return None,
    })
}

/// The two clocks of a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clocks {
    here: SystemTime,
    aws: SystemTime,
}

impl Clocks {
    /// AWS's is the reply's `Date`, without which nothing can be compared.
    fn of(response: &HttpResponse, here: SystemTime) -> Option<Self> {
        let date = DateTime::from_str(response.headers().get("date")?, Format::HttpDate).ok()?;
        Some(Self { here, aws: SystemTime::try_from(date).ok()? })
    }

    fn differ(self) -> bool {
        let ahead = self.here.duration_since(self.aws).unwrap_or_default();
        let behind = self.aws.duration_since(self.here).unwrap_or_default();
        // A second for the fraction that `Date` leaves out, and one for the way.
        ahead.max(behind) > MOST_SKEW.saturating_sub(Duration::from_secs(2))
    }

    fn shown(self) -> (String, String) {
        let show = |time| humantime::format_rfc3339_seconds(time).to_string();
        (show(self.here), show(self.aws))
    }
}

/// A body that broke off is the network's fault; one that arrived is AWS's.
fn broken_reply(error: &(dyn Error + 'static)) -> FaultClass {
    let io = causes(error).any(|cause| cause.is::<std::io::Error>() || cause.to_string().contains("connection"));
    if io { FaultClass::Connection } else { FaultClass::MalformedReply }
}

fn is_over_cap(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(<dyn Error>::is::<http_body_util::LengthLimitError>)
}

/// Keeps a foreign text to what a log line and a terminal can bear.
pub(super) fn word(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(64).collect()
}
