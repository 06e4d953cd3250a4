//! What a message of a queue says: which account something happened in, and roughly
//! what.
//!
//! Whoever may send to the queue can write what they like into a message. So nothing
//! else is read of it, nothing of it is kept or logged, and it proves nothing: it only
//! has the account read, which it is sooner or later anyway. Its time is measured, and
//! nothing is judged by it. An event that says to be an echo of this exporter's own call
//! has to name that call: [`asked`] says how. The form is that of
//! Amazon EventBridge (EventBridge User Guide, "AWS service event metadata").

pub mod asked;

use std::{
    borrow::Cow,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, de::IgnoredAny};

use crate::model::{account::AccountId, time::Timestamp};
use asked::RequestId;

/// That something happened in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The account.
    pub account: AccountId,
    /// What, roughly.
    pub kind: Kind,
    /// When, as the event has it.
    pub time: Option<Timestamp>,
    /// The request that it is about, as the event has it.
    pub request: Option<RequestId>,
}

/// What happened, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A read of the account as the exporter makes it: if it is the exporter's own, the way
    /// of events works.
    Echo,
    /// A call of IAM: of users, devices, passwords, keys or policies.
    Iam,
    /// A sign-in, or a password that was recovered.
    SignIn,
    /// Something else.
    Other,
}

/// Why a message wakes nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is no JSON.
    NotJson,
    /// It is JSON, and names no account as an event does.
    NotAnEvent,
    /// Amazon SNS has wrapped it up.
    SnsEnvelope,
    /// It looks like an echo, and is of no call that this exporter has made lately, or of
    /// one that has come back before.
    Unasked,
    /// It is of an account that this exporter does not watch.
    Unwatched,
}

// === impl Kind ===

impl Kind {
    /// Every kind, in the order they are exported.
    pub const ALL: [Self; 4] = [Self::Echo, Self::Iam, Self::Other, Self::SignIn];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Iam => "iam",
            Self::SignIn => "sign_in",
            Self::Other => "other",
        }
    }

    /// Only the exporter's own calls of this name are sent by the rule for echoes.
    fn of(source: &str, call: &str) -> Self {
        match (source, call) {
            ("aws.iam", ECHOED) => Self::Echo,
            ("aws.iam", _) => Self::Iam,
            ("aws.signin", _) => Self::SignIn,
            _ => Self::Other,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Every reason, in the order they are exported.
    pub const ALL: [Self; 5] = [Self::NotAnEvent, Self::NotJson, Self::SnsEnvelope, Self::Unasked, Self::Unwatched];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnEvent => "not_an_event",
            Self::SnsEnvelope => "sns_envelope",
            Self::Unasked => "unasked",
            Self::Unwatched => "unwatched",
        }
    }

    /// What a person can do about it; `None` where nothing is wrong.
    #[must_use]
    pub const fn remedy(self) -> Option<&'static str> {
        match self {
            Self::NotJson | Self::NotAnEvent => Some(
                "find out who else sends to this queue: only the rules of EventBridge should be allowed to. If a rule \
                 has an input transformer, remove it",
            ),
            Self::SnsEnvelope => {
                Some("enable raw message delivery in the subscription of the queue to its Amazon SNS topic")
            }
            Self::Unasked | Self::Unwatched => None,
        }
    }
}

/// The call that every heartbeat makes.
const ECHOED: &str = "GetAccountSummary";

/// All that is read of an event. A field that stands twice makes it none.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    detail: Option<Detail<'a>>,
    #[serde(rename = "TopicArn")]
    topic: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow)]
    event_name: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "requestID")]
    request: Option<Cow<'a, str>>,
}

/// What the body of a message says. Whether the account is watched, others know.
///
/// # Errors
/// When it is no event.
pub fn read(body: &str) -> Result<Notice, Refusal> {
    let envelope: Envelope<'_> = serde_json::from_str(body)
        .map_err(|error| if error.is_data() { Refusal::NotAnEvent } else { Refusal::NotJson })?;
    match (envelope.account, envelope.source) {
        (None, _) if envelope.topic.is_some() => Err(Refusal::SnsEnvelope),
        (Some(account), Some(source)) => {
            let account = account.parse().map_err(|_| Refusal::NotAnEvent)?;
            let detail = envelope.detail.unwrap_or_default();
            let kind = Kind::of(&source, &detail.event_name.unwrap_or_default());
            let request = detail.request.as_deref().and_then(RequestId::of);
            Ok(Notice { account, kind, time: envelope.time.and_then(|text| time(&text)), request })
        }
        _ => Err(Refusal::NotAnEvent),
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let since: Duration = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_says_whose_it_is_and_what_it_is_about() {
        let event = |source: &str| {
            let detail = r#"{"eventName":"DeactivateMFADevice","userIdentity":{"type":"Root"}}"#;
            format!(r#"{{"version":"0","id":"x","account":"012345678901","source":"{source}","detail":{detail}}}"#)
        };
        let kinds = ["aws.iam", "aws.signin", "aws.account"].map(|source| read(&event(source)).unwrap().kind);
        assert_eq!(kinds, [Kind::Iam, Kind::SignIn, Kind::Other]);
        let echo = event("aws.iam").replace("DeactivateMFADevice", "GetAccountSummary");
        assert_eq!(read(&echo).unwrap().kind, Kind::Echo);
        assert_eq!(read(&event("aws.iam")).unwrap().time, None);
        let timed = event("aws.iam").replacen('{', r#"{"time":"2026-11-27T05:00:00Z","#, 1);
        assert_eq!(read(&timed).unwrap().time, Some(Timestamp::from_millis(1_795_755_600_000)));
        assert_eq!(read(&event("aws.iam")).unwrap().account.as_str(), "012345678901");
    }

    #[test]
    fn what_is_no_event_is_refused_and_told_by_name() {
        let garbage = "x".repeat(256 * 1024);
        let deep = "[".repeat(10_000);
        for (body, refusal) in [
            ("", Refusal::NotJson),
            (&*garbage, Refusal::NotJson),
            (&*deep, Refusal::NotAnEvent),
            ("{\"account\":\"111111111111\",", Refusal::NotJson),
            ("[]", Refusal::NotAnEvent),
            ("null", Refusal::NotAnEvent),
            ("{}", Refusal::NotAnEvent),
            (r#"{"account":111111111111,"source":"aws.iam"}"#, Refusal::NotAnEvent),
            (r#"{"account":"11111111111","source":"aws.iam"}"#, Refusal::NotAnEvent),
            (r#"{"account":"１１１１１１１１１１１１","source":"aws.iam"}"#, Refusal::NotAnEvent),
            (r#"{"account":"111111111111"}"#, Refusal::NotAnEvent),
            (r#"{"account":"111111111111","account":"222222222222","source":"aws.iam"}"#, Refusal::NotAnEvent),
            (r#"{"Type":"Notification","TopicArn":"arn:x","Message":"{}"}"#, Refusal::SnsEnvelope),
        ] {
            assert_eq!(read(body), Err(refusal), "{}", &body[..body.len().min(80)]);
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in ".*") {
            let _ = read(&body);
        }
    }
}
