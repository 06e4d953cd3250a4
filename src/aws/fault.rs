//! From the SDK's errors to the fixed classes of faults.
//!
//! Only AWS's error code and request id go into the detail. Its messages quote
//! principals, resources and sometimes parts of the request.

use std::error::Error;

use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::StatusCode,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::wire::ReplyError;
use crate::model::facts::{Fault, FaultClass};

/// Reduces what came of `operation` to a fault.
pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let class = class(error);
    let code = error.as_service_error().and_then(|error| error.meta().code());
    let status = error.raw_response().map(|response| response.status().as_u16());
    let request_id = error.raw_response().and_then(|response| response.headers().get("x-amzn-requestid"));
    let mut detail = format!("{operation}: {}", class.as_str());
    for (name, value) in
        [("code", code.map(word)), ("status", status.map(|s| s.to_string())), ("request_id", request_id.map(word))]
    {
        if let Some(value) = value {
            detail.push_str(&format!(" {name}={value}"));
        }
    }
    Fault::new(class, detail)
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

fn class<E>(error: &SdkError<E, HttpResponse>) -> FaultClass
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) => FaultClass::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => FaultClass::Timeout,
        SdkError::DispatchFailure(_) => FaultClass::Connection,
        SdkError::ResponseError(_) if is_over_cap(error) => FaultClass::OversizedReply,
        SdkError::ResponseError(_) => broken_reply(error),
        SdkError::ServiceError(service) => {
            of_answer(service.raw().status(), service.err().meta().code().unwrap_or_default())
        }
        _ => FaultClass::NoCredentials,
    }
}

/// The error codes of IAM and STS, as botocore's models and recorded replies
/// spell them; then the status for what has no known code.
fn of_answer(status: StatusCode, code: &str) -> FaultClass {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => FaultClass::AccessDenied,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown" => FaultClass::Throttled,
        "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "IncompleteSignature"
        | "RequestExpired"
        | "InvalidAccessKeyId"
        | "OptInRequired" => FaultClass::InvalidCredentials,
        _ if status.is_server_error() => FaultClass::ServerError,
        _ if status.as_u16() == 429 => FaultClass::Throttled,
        // A success that could not be decoded comes out as a service error too.
        _ if status.is_success() => FaultClass::MalformedReply,
        _ => FaultClass::Rejected,
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

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// Keeps a foreign text to what a log line and a terminal can bear.
fn word(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(64).collect()
}
