//! What is asked of AWS, whichever service it is, and what has come of it.
//!
//! Some of AWS's errors are answers: that a user has no password, that a report is
//! not ready. An operation names those that are. They come out of the request itself
//! as such, so that they are neither counted as failures nor tried again; and only as
//! AWS sends them, with the code *and* the status, for some other 404 is no proof of
//! anything.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::de::DeserializeOwned;

use super::wire::{BODY_CAP, Dates, MESSAGES_CAP, REPORT_CAP, ReplyError, ReplyTap, xml::Element};
use crate::{events::asked::RequestId, model::time::Moment};

/// An error that is an answer: its status and its code.
pub(super) type Refusal = (u16, &'static str);

/// An operation of one of AWS's services.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    /// The service, as the metrics have it.
    pub service: &'static str,
    /// The operation, as AWS has it.
    pub name: &'static str,
    /// No honest reply is larger, in bytes.
    pub cap: usize,
    /// Whether AWS may take its time with the answer, which then says nothing of how
    /// long answers take.
    pub is_waiting: bool,
    /// Whether it is asked of each user by itself: there may be a thousand times as many of
    /// it as of others, which do not wait behind them.
    pub is_of_a_user: bool,
    /// Whether AWS's words on a denial tell what denied it.
    pub tells_denials: bool,
    refusals: &'static [Refusal],
}

/// An error that is an answer, as it came.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub what: Refusal,
    /// AWS's own words.
    pub message: String,
}

/// What AWS has answered, not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    operation: &'a Operation,
    tap: &'a ReplyTap,
    refused: Option<Refusal>,
    /// AWS's clock and ours, as the answer came.
    pub dates: Dates,
    /// The id that AWS has given to the request.
    pub request: Option<RequestId>,
}

/// What is the request's own in the SDK's configuration: whose it is, and a tap on its
/// reply. A request that is sent without it has no credentials, and is refused by the
/// SDK itself.
#[derive(Clone, Debug)]
pub(super) struct Only {
    pub credentials: Credentials,
    pub tap: ReplyTap,
}

/// Into the builder of each service, which are types with the same functions.
macro_rules! only {
    ($($sdk:ident)*) => {$(
        impl From<Only> for $sdk::config::Builder {
            fn from(only: Only) -> Self {
                Self::new().credentials_provider(only.credentials).interceptor(only.tap)
            }
        }
    )*};
}
only!(aws_sdk_iam aws_sdk_organizations aws_sdk_sqs aws_sdk_sts);

// === impl Operation ===

impl Operation {
    /// An operation of IAM.
    pub const fn iam(name: &'static str) -> Self {
        let (cap, is_waiting, is_of_a_user, tells_denials) = (BODY_CAP, false, false, false);
        Self { service: "iam", name, cap, is_waiting, is_of_a_user, tells_denials, refusals: &[] }
    }

    /// An operation of Organizations.
    pub const fn organizations(name: &'static str) -> Self {
        Self { service: "organizations", ..Self::iam(name) }
    }

    /// An operation of STS.
    pub const fn sts(name: &'static str) -> Self {
        Self { service: "sts", ..Self::iam(name) }
    }

    /// An operation of SQS.
    pub const fn sqs(name: &'static str) -> Self {
        Self { service: "sqs", cap: MESSAGES_CAP, ..Self::iam(name) }
    }

    /// The same, and AWS answers when there is something to say.
    pub const fn waiting(self) -> Self {
        Self { is_waiting: true, ..self }
    }

    /// The same, and it is asked of each user by itself.
    pub const fn of_a_user(self) -> Self {
        Self { is_of_a_user: true, ..self }
    }

    /// The same, and a denial is told by what denied it.
    pub const fn telling_denials(self) -> Self {
        Self { tells_denials: true, ..self }
    }

    /// An operation of Account Management.
    pub const fn account(name: &'static str) -> Self {
        Self { service: "account", ..Self::iam(name) }
    }

    /// An operation of Amazon Cognito user pools.
    pub const fn cognito(name: &'static str) -> Self {
        Self { service: "cognito-idp", ..Self::iam(name) }
    }

    /// The same, and these errors are answers to it.
    pub const fn or(self, refusals: &'static [Refusal]) -> Self {
        Self { refusals, ..self }
    }

    /// The same, and its reply holds a credential report.
    pub const fn with_report(self) -> Self {
        Self { cap: REPORT_CAP, ..self }
    }

    /// What was answered to this, and had come at `received`: a reply, or one of the
    /// errors that are answers.
    #[expect(clippy::result_large_err, reason = "it is the SDK's own error, on its way to becoming a fault")]
    pub fn answer<'a, T, E: ProvideErrorMetadata>(
        &'a self,
        tap: &'a ReplyTap,
        received: Moment,
        sent: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Answer<'a>, SdkError<E, HttpResponse>> {
        let (dates, request) = (tap.dates(received), tap.request());
        let Err(error) = sent else { return Ok(Answer { operation: self, tap, refused: None, dates, request }) };
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(|error| error.meta().code());
        let refused = self.refusals.iter().find(|(wanted, word)| status == Some(*wanted) && code == Some(*word));
        let refused = refused.copied().ok_or(error)?;
        Ok(Answer { operation: self, tap, refused: Some(refused), dates, request })
    }
}

// === impl Answer ===

impl Answer<'_> {
    /// What `read` makes of the result in the XML reply.
    ///
    /// # Errors
    /// When it is no such reply, or `read` says so.
    pub fn xml<T>(self, read: impl FnOnce(Element<'_>) -> Result<T, ReplyError>) -> Result<T, ReplyError> {
        self.tap.xml(self.operation.name, read)
    }

    /// The same, or the refusal, if it can be believed as one.
    ///
    /// # Errors
    /// When neither can be.
    pub fn xml_or_refusal<T>(
        self,
        read: impl FnOnce(Element<'_>) -> Result<T, ReplyError>,
    ) -> Result<Result<T, Refused>, ReplyError> {
        let Some(what) = self.refused else { return self.xml(read).map(Ok) };
        let (code, message) = self.tap.xml_error()?;
        if code == what.1 { Ok(Err(Refused { what, message })) } else { Err(ReplyError::Ambiguous) }
    }

    /// The JSON reply; `None` if it is the error that is an answer.
    ///
    /// # Errors
    /// When it is neither.
    pub fn json_or_refusal<T: DeserializeOwned>(self) -> Result<Option<T>, ReplyError> {
        if self.refused.is_some() { Ok(None) } else { self.json().map(Some) }
    }

    /// The JSON reply. No field that `T` knows may be missing, or there twice.
    ///
    /// # Errors
    /// When it is no such reply.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, ReplyError> {
        self.tap.json()
    }
}
