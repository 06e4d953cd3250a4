//! What AWS sent, byte by byte, and the one reading of it that is believed.
//!
//! The SDK's decoders are lenient where leniency is a false pass: a list that is
//! missing becomes an empty one, of two elements the last counts, a text is taken
//! to its first comment, a field that must be there is made up, and at a character
//! that XML does not have a list just ends. So the SDK only carries requests and
//! replies: an interceptor caps the body while it arrives and keeps it, and what a
//! reply says is read from the body itself, strictly, by [`xml`] and by serde. What
//! can be read in two ways is not read in either.
//!
//! Where a reply is read so often that it counts, the SDK does not decode it at all:
//! [`ReplyTap::undecoded`] takes the place of its decoder. A test holds that whatever is
//! read is what the SDK would have read.

pub mod xml;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                self, AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut, Output,
            },
        },
        orchestrator::{HttpResponse, OrchestratorError},
        runtime_components::RuntimeComponents,
        ser_de::{DeserializeResponse, SharedResponseDeserializer},
    },
};
use aws_smithy_types::{DateTime, body::SdkBody, config_bag::ConfigBag, date_time::Format};
use http_body_util::Limited;
use serde::de::DeserializeOwned;

use xml::Element;

use crate::{
    events::asked::RequestId,
    model::time::{MOST_SKEW, Moment, Timestamp, Uptime},
};

/// No honest reply of the operations in use comes near this, a report aside.
pub const BODY_CAP: usize = 8 << 20;

/// Ten messages are the most in one reply, of at most 1 MiB each, in which JSON escapes
/// half of the letters.
pub const MESSAGES_CAP: usize = 24 << 20;

/// Nor does a credential report: five thousand users make one of two megabytes.
pub const REPORT_CAP: usize = 64 << 20;

/// The reply cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The reply is not well-formed, or not of the form that all replies have.
    #[error("the reply does not have the form of an answer to this operation")]
    Malformed,
    /// The reply can be read in two ways.
    #[error("the reply is ambiguous: an element is there twice, or text and elements are mixed")]
    Ambiguous,
    /// Something that must be there is not, or is empty.
    #[error("the reply has no {0}")]
    Missing(&'static str),
    /// Something holds what it cannot hold.
    #[error("the reply's {0} cannot be read")]
    Unreadable(&'static str),
}

/// AWS's clock and ours, at one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// When the reply had come.
    pub received: Moment,
    /// What AWS's clock read, by the reply's `Date` header, cut to the second.
    pub sent: Option<Timestamp>,
}

/// What the headers of a reply say.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    date: Option<Timestamp>,
    request: Option<RequestId>,
}

/// Caps the body of one reply, and keeps it until it is read.
#[derive(Clone)]
pub struct ReplyTap {
    seen: Arc<Mutex<Option<Vec<u8>>>>,
    head: Arc<Mutex<Head>>,
    cap: usize,
    /// What takes the place of the SDK's decoder where AWS has not answered with an error.
    decoder: Option<Undecoded>,
}

/// Decodes nothing: the answer is an empty output, and the body is read by who has the tap.
#[derive(Clone, Copy, Debug)]
struct Undecoded(fn() -> Output);

// === impl Dates ===

impl Dates {
    /// From when on something is known to have been so that AWS dates with `date`: its
    /// age by AWS's own clock before the reply came. Where that clock is not shown, ours
    /// may be off by as much as AWS allows. What has no date was so when the reply came.
    #[must_use]
    pub fn since(&self, date: Option<Timestamp>) -> Uptime {
        let (now, margin) = match self.sent {
            Some(sent) => (sent, Duration::from_secs(1)),
            None => (self.received.wall, MOST_SKEW),
        };
        let age = date.and_then(|date| now.since(date)).unwrap_or_default();
        let received = self.received.mono;
        received.minus(age).plus(margin).min(received)
    }
}

// === impl ReplyTap ===

/// The body is not shown: that of an assumed role holds its credentials.
impl fmt::Debug for ReplyTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyTap").field("cap", &self.cap).finish_non_exhaustive()
    }
}

impl ReplyTap {
    /// A tap for a reply of at most `cap` bytes.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { seen: Arc::default(), head: Arc::default(), cap, decoder: None }
    }

    /// The same, and the SDK does not decode the reply but answers with what `empty` makes,
    /// which is the operation's own output.
    #[must_use]
    pub fn undecoded(self, empty: fn() -> Output) -> Self {
        Self { decoder: Some(Undecoded(empty)), ..self }
    }

    /// The clocks at the reply that has just come, at `received`.
    #[must_use]
    pub fn dates(&self, received: Moment) -> Dates {
        Dates { received, sent: self.head().date }
    }

    /// The id that AWS has given to the request.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.head().request
    }

    fn head(&self) -> Head {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` makes of the result in the XML reply to `operation` that passed.
    ///
    /// # Errors
    /// When it was no such reply, or `read` says so.
    pub fn xml<T>(
        &self,
        operation: &str,
        read: impl FnOnce(Element<'_>) -> Result<T, ReplyError>,
    ) -> Result<T, ReplyError> {
        xml::result(&self.take()?, operation, read)
    }

    /// The code and the message in the XML error that passed.
    ///
    /// # Errors
    /// When it was no error that can be believed.
    pub fn xml_error(&self) -> Result<(String, String), ReplyError> {
        xml::error(&self.take()?)
    }

    /// The JSON reply that passed. No field that `T` knows may be missing, or there
    /// twice.
    ///
    /// # Errors
    /// When it was no such reply.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ReplyError> {
        serde_json::from_slice(&self.take()?).map_err(|_| ReplyError::Malformed)
    }

    fn take(&self) -> Result<Vec<u8>, ReplyError> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(ReplyError::Malformed)
    }
}

impl Intercept for ReplyTap {
    fn name(&self) -> &'static str {
        "ReplyTap"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_answered = context.response().status().is_success();
        if let Some(decoder) = self.decoder.filter(|_| is_answered) {
            config.interceptor_state().store_put(SharedResponseDeserializer::new(decoder));
        }
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, self.cap));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let date = headers.get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let date = date.map(|date| Timestamp::from_millis(date.secs().saturating_mul(1_000)));
        let request = headers.get("x-amzn-requestid").and_then(RequestId::of);
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Head { date, request };
        let body = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
}

impl DeserializeResponse for Undecoded {
    fn deserialize_nonstreaming(&self, _: &HttpResponse) -> Result<Output, OrchestratorError<context::Error>> {
        Ok((self.0)())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds after the start of the process, by a clock that reads as many
    /// seconds as are given.
    fn dates(wall: i64, sent: Option<i64>) -> Dates {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let received = Moment { wall: at(wall), mono: Uptime::after_start(Duration::from_secs(10)) };
        Dates { received, sent: sent.map(at) }
    }

    #[test]
    fn what_aws_dates_was_so_for_its_age_by_awss_own_clock() {
        let since = |dates: Dates, date: i64| dates.since(Some(Timestamp::from_millis(date * 1_000)));
        let received = Uptime::after_start(Duration::from_secs(10));
        let ago = |seconds: u64| received.minus(Duration::from_secs(seconds));
        assert_eq!(since(dates(99_999, Some(1_000)), 900), ago(99), "both are cut to the second");
        assert_eq!(since(dates(99_999, Some(1_000)), 1_000), received, "enabled within the second");
        assert_eq!(since(dates(99_999, Some(1_000)), 1_100), received, "a date of the future");
        assert_eq!(since(dates(1_000, None), 100), ago(600), "our clock may be off by five minutes");
        assert_eq!(since(dates(1_000, None), 800), received);
        assert_eq!(dates(1_000, Some(1_000)).since(None), received);
    }
}
