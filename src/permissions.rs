//! What each collector must be allowed to do. The printed policy, the README and
//! the templates in `deploy` are made from, or checked against, this table.

use serde::Serialize;

use crate::snapshot::Collector;

/// The IAM actions that `collector` uses. All of them are reads, and none of
/// them can be narrowed to a resource.
#[must_use]
pub const fn actions(collector: Collector) -> &'static [&'static str] {
    match collector {
        Collector::Devices => &["iam:GetAccountSummary", "iam:ListVirtualMFADevices"],
        Collector::Root => &["iam:GetAccountSummary"],
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: &'static str,
}

/// The least that `collectors` need, as a policy document.
#[must_use]
pub fn policy(collectors: impl Iterator<Item = Collector>) -> String {
    let mut action: Vec<_> = collectors.flat_map(actions).copied().collect();
    action.sort_unstable();
    action.dedup();
    let statement = Statement { sid: "AwsMfaExporter", effect: "Allow", action, resource: "*" };
    let policy = Policy { version: "2012-10-17", statement: [statement] };
    serde_json::to_string_pretty(&policy).expect("a policy of texts has a JSON form")
}
