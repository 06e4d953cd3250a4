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
pub mod sign;

use std::{
    borrow::Cow,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, de::IgnoredAny};

use crate::model::{account::AccountId, time::Timestamp};
use asked::RequestId;
use sign::{Caller, Further, Outcome, Sign};

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
    /// What it reports of root, if it is such an event.
    pub sign: Option<Sign>,
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
    error_code: Option<IgnoredAny>,
    user_identity: Option<Lenient<Caller>>,
    response_elements: Option<Lenient<Outcome>>,
    additional_event_data: Option<Lenient<Further>>,
}

/// Something of a form that is known, or of another, which says nothing here.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Known(T),
    Other(IgnoredAny),
}

impl Detail<'_> {
    fn sign(&self, source: &str, call: &str) -> Option<Sign> {
        fn known<T>(field: Option<&Lenient<T>>) -> Option<&T> {
            field.and_then(|field| if let Lenient::Known(known) = field { Some(known) } else { None })
        }
        let none = <(Caller, Outcome, Further)>::default();
        let caller = known(self.user_identity.as_ref()).unwrap_or(&none.0);
        let outcome = known(self.response_elements.as_ref()).unwrap_or(&none.1);
        let further = known(self.additional_event_data.as_ref()).unwrap_or(&none.2);
        let has_failed = self.error_code.is_some();
        Sign::of(source, call, caller, outcome, further).filter(|_| !has_failed)
    }
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
            let call = detail.event_name.as_deref().unwrap_or_default();
            let (kind, time) = (Kind::of(&source, call), envelope.time.and_then(|text| time(&text)));
            let (request, sign) = (detail.request.as_deref().and_then(RequestId::of), detail.sign(&source, call));
            Ok(Notice { account, kind, time, request, sign })
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

    #[test]
    fn what_is_reported_of_root_is_told_by_the_call_and_the_caller() {
        let sign = |source: &str, detail: &str| {
            let body = format!(r#"{{"account":"111111111111","source":"{source}","detail":{{{detail}}}}}"#);
            read(&body).unwrap().sign
        };
        let login = r#""eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Success"}"#;
        let root = r#""userIdentity":{"type":"Root"}"#;
        let used = |used: &str| format!(r#"{login},{root},"additionalEventData":{{"MFAUsed":"{used}","Lines":[1]}}"#);
        for (source, detail, wanted) in [
            ("aws.signin", &*used("Yes"), Some(Sign::SignIn)),
            ("aws.signin", &used("No"), Some(Sign::SignInWithoutMfa)),
            ("aws.signin", &used("Yes").replace("Success", "Failure"), None),
            ("aws.signin", &used("No").replace("Root", "IAMUser"), None),
            ("aws.iam", &used("No"), None),
            ("aws.signin", r#""eventName":"PasswordRecoveryRequested""#, Some(Sign::PasswordRecoveryRequested)),
            ("aws.signin", r#""eventName":"PasswordRecoveryCompleted""#, Some(Sign::PasswordRecoveryCompleted)),
            ("aws.signin", r#""eventName":"EmailUpdated","responseElements":null"#, Some(Sign::EmailChanged)),
            ("aws.iam", &format!(r#""eventName":"CreateLoginProfile",{root}"#), Some(Sign::LoginProfileCreated)),
            ("aws.iam", r#""eventName":"CreateLoginProfile","userIdentity":{"type":"AssumedRole"}"#, None),
            ("aws.iam", &format!(r#""eventName":"CreateLoginProfile","errorCode":"AccessDenied",{root}"#), None),
            ("aws.iam", r#""eventName":"DisableOrganizationsRootSessions""#, Some(Sign::CentralAccessDisabled)),
            ("aws.iam", r#""eventName":"CreateUser","userIdentity":"x","additionalEventData":7"#, None),
            ("aws.signin", &format!(r#"{login},"userIdentity":{{"type":["Root"]}}"#), None),
        ] {
            assert_eq!(sign(source, detail), wanted, "{source} {detail}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in ".*") {
            let _ = read(&body);
        }
    }
}
