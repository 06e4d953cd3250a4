//! The two protocols of the simulated services: AWS Query (IAM, STS), which takes
//! forms and answers XML, and AWS JSON 1.1 (Organizations). They name the same
//! errors differently, and with different statuses.

use serde_json::json;

use crate::{fault::Fault, xml::escape};

/// How a request came, and how its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Query,
    Json,
}

/// A complete HTTP answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// What stands in a reply until the request has an id.
pub(crate) const REQUEST_ID: &str = "11111111-2222-3333-4444-555555555555";
const EXPIRED: Error = ((403, "ExpiredToken"), (400, "ExpiredTokenException"));

/// Status and code of an error, in the one protocol and in the other.
type Error = ((u16, &'static str), (u16, &'static str));

impl Protocol {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Query => "text/xml",
            Self::Json => "application/x-amz-json-1.1",
        }
    }

    /// An error as IAM and STS send it, or as Organizations does.
    pub(crate) fn error(self, status: u16, code: &str, message: &str) -> Reply {
        let body = match self {
            Self::Query => xml_error(status, code, message),
            Self::Json => json!({ "__type": code, "Message": message }).to_string(),
        };
        Reply { status, content_type: self.content_type(), body }
    }

    fn either(self, (query, json): Error, message: &str) -> Reply {
        let (status, code) = if self == Self::Query { query } else { json };
        self.error(status, code, message)
    }

    /// The answer to a request with credentials that nobody has.
    pub(crate) fn refuse(self, has_key: bool) -> Reply {
        if has_key {
            let error = ((403, "InvalidClientTokenId"), (400, "UnrecognizedClientException"));
            return self.either(error, "The security token included in the request is invalid.");
        }
        let error = ((403, "MissingAuthenticationToken"), (400, "MissingAuthenticationTokenException"));
        self.either(error, "Request is missing Authentication Token")
    }

    /// The answer to a request with credentials that were somebody's.
    pub(crate) fn expired(self) -> Reply {
        self.either(EXPIRED, "The security token included in the request is expired")
    }

    /// The answer to a request that was signed at another time than this.
    pub(crate) fn skewed(self) -> Reply {
        let error = ((403, "SignatureDoesNotMatch"), (400, "InvalidSignatureException"));
        self.either(error, "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z")
    }

    /// The answer that a fault puts in place of the real one, if it is such a fault.
    pub(crate) fn instead(self, fault: &Fault) -> Option<Reply> {
        let (error, message) = match fault {
            Fault::AccessDenied => (
                ((403, "AccessDenied"), (400, "AccessDeniedException")),
                "User: arn:aws:iam::1:user/secret-name is not authorized",
            ),
            Fault::Throttled => (((400, "Throttling"), (400, "TooManyRequestsException")), "Rate exceeded"),
            Fault::ServerError => (((500, "ServiceFailure"), (500, "ServiceException")), "An internal error"),
            Fault::Error(status, code) => return Some(self.error(*status, code, "Unknown")),
            Fault::ExpiredToken => return Some(self.expired()),
            Fault::Rejected => (((400, "SomethingNew"), (400, "SomethingNewException")), "Nobody knows"),
            Fault::Unavailable => return Some(html(503)),
            Fault::NotXml => return Some(html(200)),
            Fault::EmptyBody => {
                return Some(Reply { status: 200, content_type: self.content_type(), body: String::new() });
            }
            _ => return None,
        };
        Some(self.either(error, message))
    }
}

fn html(status: u16) -> Reply {
    Reply { status, content_type: "text/html", body: "<html><body><p>Sorry.<br></body>".into() }
}

fn xml_error(status: u16, code: &str, message: &str) -> String {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{IAM}\">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{code}</Code>\n    \
         <Message>{}</Message>\n  </Error>\n  <RequestId>{REQUEST_ID}</RequestId>\n</ErrorResponse>\n",
        escape(message)
    )
}

/// The id of the `n`th request.
pub(crate) fn request_id(n: usize) -> String {
    format!("{n:08x}-aaaa-4bbb-8ccc-{n:012x}")
}

/// Writes the request's id into the reply; a reply in XML has it at its end.
pub(crate) fn identify(reply: &mut Reply, request_id: &str) {
    if let Some(at) = reply.body.rfind(REQUEST_ID) {
        reply.body.replace_range(at..at + REQUEST_ID.len(), request_id);
    }
}

/// Half of a document; a character is not cut in two.
pub(crate) fn halve(body: &mut String) {
    body.truncate(body.floor_char_boundary(body.len() / 2));
}
