//! The operations, in the AWS Query protocol: parameters in, XML out.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    fault::Fault,
    protocol::{Protocol, REQUEST_ID, Reply, halve},
    report::Reports,
    state::Account,
};

pub(crate) type Params = BTreeMap<String, String>;

pub(crate) const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
pub(crate) const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A request to an account, and what is wrong with its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inquiry<'a> {
    pub(crate) account: &'a Account,
    pub(crate) params: &'a Params,
    pub(crate) faults: &'a [Fault],
}

/// Answers a request of `account`, spoilt by `faults` as far as they touch the
/// document itself.
pub(crate) fn answer(account: &Account, reports: &mut Reports, params: &Params, faults: &[Fault]) -> Reply {
    let stale = faults.iter().find_map(|fault| if let Fault::Stale(old) = fault { Some(&**old) } else { None });
    let asked = Inquiry { account: stale.unwrap_or(account), params, faults };
    let action = params.get("Action").map_or("", String::as_str);
    let result = match action {
        "GetAccountSummary" => Ok(summary(asked.account, faults)),
        "ListVirtualMFADevices" => asked.virtual_devices(),
        "ListUsers" => asked.users(),
        "GetUser" => asked.get_user(),
        "ListMFADevices" => asked.devices_of_user(),
        "GetLoginProfile" => asked.login_profile(),
        "ListAccessKeys" => asked.access_keys(),
        "GenerateCredentialReport" => Ok(reports.of(&account.id).generate(asked.account)),
        "GetCredentialReport" => reports.of(&account.id).get(),
        "GetCallerIdentity" => return document(STS, action, &caller_identity(asked.account, faults), faults),
        _ => Err(Protocol::Query.error(400, "InvalidAction", "Could not find operation")),
    };
    result.map_or_else(|refusal| refusal, |result| document(IAM, action, &result, faults))
}

/// The refusal of a parameter.
pub(crate) fn invalid(message: &str) -> Reply {
    Protocol::Query.error(400, "ValidationError", message)
}

/// The refusal of a parameter that its model rules out.
pub(crate) fn constraint(field: &str, must: &str) -> Reply {
    invalid(&format!(
        "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must {must}"
    ))
}

/// A result in its envelope, spoilt by `faults`.
pub(crate) fn document(namespace: &str, action: &str, result: &str, faults: &[Fault]) -> Reply {
    let mut body = format!(
        "<{action}Response xmlns=\"{namespace}\">\n  <{action}Result>\n{result}  </{action}Result>\n  <ResponseMetadata>\n    \
         <RequestId>{REQUEST_ID}</RequestId>\n  </ResponseMetadata>\n</{action}Response>\n"
    );
    for fault in faults {
        spoil(&mut body, fault);
    }
    Reply { status: 200, content_type: Protocol::Query.content_type(), body }
}

fn spoil(body: &mut String, fault: &Fault) {
    match fault {
        Fault::HalfDocument => halve(body),
        Fault::Malformed => *body = body.replace("</ResponseMetadata>", "</Metadata>"),
        Fault::Oversized(bytes) => {
            body.insert_str(body.find('\n').unwrap_or(0), &format!("<!--{}-->", "x".repeat(*bytes)))
        }
        Fault::Omit(element) => {
            let (open, close) = (format!("<{element}>"), format!("</{element}>"));
            while let (Some(from), Some(to)) = (body.find(&open), body.find(&close)) {
                body.replace_range(from..to + close.len(), "");
            }
        }
        _ => {}
    }
}

fn summary(account: &Account, faults: &[Fault]) -> String {
    let mut entries: Vec<(String, String)> =
        account.summary().into_iter().map(|(key, value)| (key, value.to_string())).collect();
    for fault in faults {
        match fault {
            Fault::NotANumber(word) => {
                entries.iter_mut().filter(|(key, _)| key == word).for_each(|(_, value)| *value = "many".into());
            }
            Fault::DuplicateKey(key, value) => entries.push(((*key).into(), value.to_string())),
            _ => {}
        }
    }
    let mut out = String::from("    <SummaryMap>\n");
    for (key, value) in entries {
        let _ =
            writeln!(out, "      <entry>\n        <key>{key}</key>\n        <value>{value}</value>\n      </entry>");
    }
    out + "    </SummaryMap>\n"
}

fn caller_identity(account: &Account, faults: &[Fault]) -> String {
    let other = faults.iter().find_map(|fault| if let Fault::Identity(id) = fault { Some(*id) } else { None });
    let id = other.unwrap_or(&account.id);
    format!(
        "    <Arn>arn:{}:sts::{id}:assumed-role/audit/exporter</Arn>\n    <UserId>AROAEXAMPLE:exporter</UserId>\n    \
         <Account>{id}</Account>\n",
        account.partition
    )
}
