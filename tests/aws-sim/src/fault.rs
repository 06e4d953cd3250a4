//! What can be wrong with an answer, and when. The codes are those of IAM and STS;
//! Organizations has codes of its own for the same, and statuses.

use std::time::Duration;

use crate::{record::Seen, state::Account};

/// One way in which a request goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 403, code `AccessDenied`.
    AccessDenied,
    /// 400, code `Throttling`.
    Throttled,
    /// 500, code `ServiceFailure`.
    ServerError,
    /// 503 with a page of HTML, as a load balancer sends it.
    Unavailable,
    /// 403, code `ExpiredToken`.
    ExpiredToken,
    /// 400, a code nobody has heard of.
    Rejected,
    /// An error with this status and code, of either protocol.
    Error(u16, &'static str),
    /// The connection is reset before any answer.
    Reset,
    /// The connection is reset in the middle of the answer.
    ResetMidBody,
    /// No answer, ever.
    Hang,
    /// A byte now and then, for ever.
    Drip,
    /// A good beginning, then data without end.
    Endless,
    /// The right answer after this many bytes of padding inside the document.
    Oversized(usize),
    /// Half of the document, as if it were all.
    HalfDocument,
    /// A document that is not well-formed.
    Malformed,
    /// 200 with HTML, to a request for JSON too.
    NotXml,
    /// 200 with nothing.
    EmptyBody,
    /// Every element or key of this name is left out, contents and all.
    Omit(&'static str),
    /// This summary key has a word for a value.
    NotANumber(&'static str),
    /// This summary key stands a second time, with this value.
    DuplicateKey(&'static str, i64),
    /// A list begins with an empty page that says it goes on.
    EmptyFirstPage,
    /// Every page says that it goes on at the same marker.
    MarkerLoop,
    /// Every page says that it goes on, at two markers in turn.
    MarkerCycle,
    /// A list says that it goes on, and not where.
    NoMarker,
    /// `IsTruncated` is neither true nor false.
    OddTruncation,
    /// The first place in the answer that reads like this reads like that; errors are
    /// answers too.
    Rewrite(String, String),
    /// The answer is compressed, as its header says, though nobody asked for that.
    Gzip,
    /// The answer of a replica that still has the account like this.
    Stale(Box<Account>),
    /// The answer of a replica that has the account as it was so long ago. Nobody knows
    /// what was before this was switched on: the account as it was then stands for it.
    Lagging(Duration),
    /// The credentials turn out to be this account's.
    Identity(&'static str),
    /// The answer takes this much longer.
    Slow(Duration),
}

/// A fault, and which requests it strikes.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) id: usize,
    pub(crate) fault: Fault,
    pub(crate) aim: Aim,
    pub(crate) skip: usize,
    pub(crate) times: usize,
}

/// Which requests can be struck.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) account: String,
    pub(crate) operation: Option<&'static str>,
    /// The `UserName` that they ask for.
    pub(crate) user: Option<String>,
}

impl Aim {
    fn is_at(&self, seen: &Seen) -> bool {
        self.account == seen.account
            && self.operation.is_none_or(|wanted| wanted == seen.operation)
            && self.user.as_ref().is_none_or(|wanted| seen.params.get("UserName") == Some(wanted))
    }
}

impl Plot {
    /// Whether it strikes this request; counts it.
    pub(crate) fn strikes(&mut self, seen: &Seen) -> bool {
        if !self.aim.is_at(seen) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let strikes = self.times > 0;
        self.times = self.times.saturating_sub(1);
        strikes
    }
}
