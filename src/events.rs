//! What a message of a queue says: which account something happened in, and roughly
//! what.
//!
//! Whoever may send to the queue can write what they like into a message. So nothing
//! else is read of it, nothing of it is kept or logged, and it proves nothing: it only
//! has the account read, which it is sooner or later anyway. The form is that of
//! Amazon EventBridge (EventBridge User Guide, "AWS service event metadata").

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

use crate::model::account::AccountId;

/// That something happened in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The account.
    pub account: AccountId,
    /// What, roughly.
    pub kind: Kind,
}

/// What happened, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
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
    /// It is of an account that this exporter does not watch.
    Unwatched,
}

// === impl Kind ===

impl Kind {
    /// Every kind, in the order they are exported.
    pub const ALL: [Self; 3] = [Self::Iam, Self::Other, Self::SignIn];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::SignIn => "sign_in",
            Self::Other => "other",
        }
    }

    fn of(source: &str) -> Self {
        match source {
            "aws.iam" => Self::Iam,
            "aws.signin" => Self::SignIn,
            _ => Self::Other,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Every reason, in the order they are exported.
    pub const ALL: [Self; 4] = [Self::NotAnEvent, Self::NotJson, Self::SnsEnvelope, Self::Unwatched];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnEvent => "not_an_event",
            Self::SnsEnvelope => "sns_envelope",
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
            Self::Unwatched => None,
        }
    }
}

/// All that is read of an event. A field that stands twice makes it none.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(rename = "TopicArn")]
    topic: Option<IgnoredAny>,
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
            Ok(Notice { account, kind: Kind::of(&source) })
        }
        _ => Err(Refusal::NotAnEvent),
    }
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
