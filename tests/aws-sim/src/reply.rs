//! The operations, in the AWS Query protocol: parameters in, XML out.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    fault::Fault,
    protocol::{Protocol, REQUEST_ID, Reply, halve},
    state::{Account, Owner, Virtual},
};

pub(crate) type Params = BTreeMap<String, String>;

const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
pub(crate) const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const CREATED: &str = "2024-01-02T03:04:05Z";

/// Answers a request of `account`, spoilt by `faults` as far as they touch the
/// document itself.
pub(crate) fn answer(account: &Account, params: &Params, faults: &[Fault]) -> Reply {
    let stale = faults.iter().find_map(|fault| if let Fault::Stale(old) = fault { Some(&**old) } else { None });
    let account = stale.unwrap_or(account);
    let action = params.get("Action").map_or("", String::as_str);
    let (namespace, result) = match action {
        "GetAccountSummary" => (IAM, summary(account, faults)),
        "ListVirtualMFADevices" => (IAM, virtual_devices(account, params, faults)),
        "GetCallerIdentity" => (STS, caller_identity(account, faults)),
        _ => return Protocol::Query.error(400, "InvalidAction", "Could not find operation"),
    };
    document(namespace, action, &result, faults)
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

fn virtual_devices(account: &Account, params: &Params, faults: &[Fault]) -> String {
    let wanted = params.get("AssignmentStatus").map_or("Any", String::as_str);
    let devices: Vec<_> = account.virtual_devices().into_iter().filter(|device| is_wanted(device, wanted)).collect();
    let asked = params.get("MaxItems").and_then(|n| n.parse().ok()).unwrap_or(100usize);
    let size = account.page_size.unwrap_or(usize::MAX).min(asked).max(1);
    let marker = params.get("Marker").map(String::as_str);
    let empty_first = faults.contains(&Fault::EmptyFirstPage) && marker.is_none();
    let from = marker.and_then(|marker| marker.strip_prefix("at-")?.parse().ok()).unwrap_or(0usize).min(devices.len());
    let to = if empty_first { from } else { devices.len().min(from + size) };
    let (truncated, next) = match faults {
        _ if faults.contains(&Fault::MarkerLoop) => ("true", Some(0)),
        _ if faults.contains(&Fault::NoMarker) => ("true", None),
        _ if faults.contains(&Fault::OddTruncation) => ("perhaps", None),
        _ if to < devices.len() || empty_first => ("true", Some(to)),
        _ => ("false", None),
    };
    let mut out = String::from("    <VirtualMFADevices>\n");
    devices[from..to].iter().for_each(|device| member(&mut out, account, device));
    let _ = writeln!(out, "    </VirtualMFADevices>\n    <IsTruncated>{truncated}</IsTruncated>");
    if let Some(next) = next {
        let _ = writeln!(out, "    <Marker>at-{next}</Marker>");
    }
    out
}

fn is_wanted(device: &Virtual<'_>, wanted: &str) -> bool {
    match wanted {
        "Assigned" => device.owner.is_some(),
        "Unassigned" => device.owner.is_none(),
        _ => true,
    }
}

fn member(out: &mut String, account: &Account, device: &Virtual<'_>) {
    let _ = writeln!(out, "      <member>\n        <SerialNumber>{}</SerialNumber>", device.serial);
    let user = match &device.owner {
        None => String::new(),
        // Root has neither a name nor a path, and its id is the account's.
        Some(Owner::Root) => format!(
            "<User><PasswordLastUsed>{CREATED}</PasswordLastUsed><UserId>{0}</UserId><Arn>arn:{1}:iam::{0}:root</Arn>\
             <CreateDate>{CREATED}</CreateDate></User>",
            account.id, account.partition
        ),
        Some(Owner::User(user)) => format!(
            "<User><Path>/</Path><UserName>{0}</UserName><UserId>AIDA{0}</UserId><Arn>{1}</Arn><CreateDate>{CREATED}</CreateDate></User>",
            user.name,
            account.user_arn(user)
        ),
    };
    if !user.is_empty() {
        let _ = writeln!(out, "        {user}\n        <EnableDate>{CREATED}</EnableDate>");
    }
    out.push_str("      </member>\n");
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
