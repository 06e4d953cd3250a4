//! A request as it comes over the wire: the few headers that matter, and the
//! parameters of either protocol.

use crate::{contacts, protocol::Protocol, reply::Params, sources};

/// What is asked, and with whose key.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) access_key: Option<String>,
    /// From the scope of the signature.
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) protocol: Protocol,
    pub(crate) params: Params,
    /// When it was signed, in the one format of `X-Amz-Date`.
    pub(crate) signed: Option<String>,
    /// What it shows in place of a signature: `Authorization`, or a login's token.
    pub(crate) token: Option<String>,
}

const ORGANIZATIONS: &str = "AWSOrganizationsV20161128.";
const COGNITO: &str = "AWSCognitoIdentityProviderService.";

/// The parameter that tells which Region is asked: it is in the scope of the signature.
pub(crate) const REGION: &str = "(Region)";

/// The value of a header.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

impl Request {
    /// Reads a request; that it has the header `X-Amz-Target` tells that it is JSON.
    pub(crate) fn read(head: &str, body: &str) -> Self {
        let signed = header(head, "x-amz-date").map(str::to_owned);
        let token = ["x-amz-sso_bearer_token", "authorization"].iter().find_map(|name| header(head, name));
        let token = token.map(str::to_owned);
        if let Some((operation, params)) = sources::asked(head.lines().next().unwrap_or_default(), body) {
            let (service, protocol) = (String::new(), Protocol::Json);
            return Self { access_key: None, service, operation: operation.into(), protocol, params, signed, token };
        }
        let scope = header(head, "authorization").and_then(|value| value.split_once("Credential=")).map(|(_, s)| s);
        let mut scope =
            scope.into_iter().flat_map(|scope| scope.split([',', ' ']).next().unwrap_or_default().split('/'));
        let access_key = scope.next().map(str::to_owned);
        let region = scope.nth(1).unwrap_or_default().to_owned();
        let service = scope.next().unwrap_or_default().to_owned();
        let target = header(head, "x-amz-target").or_else(|| by_path(head));
        let protocol = if target.is_some() { Protocol::Json } else { Protocol::Query };
        let params = if target.is_some() { members(body) } else { form(body) };
        let operation = match target {
            Some(target) => target.strip_prefix(ORGANIZATIONS).or(target.strip_prefix(COGNITO)).unwrap_or(target),
            None => params.get("Action").map_or("", String::as_str),
        };
        let operation = operation.to_owned();
        let mut params = params;
        if protocol == Protocol::Json {
            params.insert(REGION.to_owned(), region);
        }
        Self { access_key, service, operation, protocol, params, signed, token }
    }
}

/// The operations of AWS Account Management, whose names are their paths.
fn by_path(head: &str) -> Option<&'static str> {
    let path = head.strip_prefix("POST ")?.split(' ').next()?;
    let known = [("ListRegions", "/listRegions")].into_iter().chain(contacts::OPERATIONS);
    known.into_iter().find_map(|(name, known)| (known == path).then_some(name))
}

/// The strings and numbers at the top of a JSON body.
pub(crate) fn members(body: &str) -> Params {
    let body: serde_json::Map<_, _> = serde_json::from_str(body).unwrap_or_default();
    let texts = body.into_iter().filter_map(|(key, value)| match value {
        serde_json::Value::String(text) => Some((key, text)),
        serde_json::Value::Number(number) => Some((key, number.to_string())),
        _ => None,
    });
    texts.collect()
}

pub(crate) fn form(body: &str) -> Params {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (unescape(key), unescape(value))).collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
