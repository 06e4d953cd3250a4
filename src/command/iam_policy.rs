//! What must be allowed: in each account, and to the exporter itself. The
//! printed policies, the README and the templates in `deploy` are made from, or
//! checked against, this table.

use serde::Serialize;

use crate::{
    cli::{Principal, settings::Settings},
    config::{Access, Config},
    model::snapshot::Collector,
};

/// The IAM actions that `collector` uses. All of them have the access level Read
/// or List; one has an effect, for a new credential report replaces the last one.
#[must_use]
pub const fn actions(collector: Collector) -> &'static [&'static str] {
    match collector {
        Collector::Cognito => &["account:ListRegions", "cognito-idp:DescribeUserPool", "cognito-idp:ListUserPools"],
        Collector::Devices => &["iam:GetAccountSummary", "iam:ListVirtualMFADevices"],
        Collector::Root => &["iam:GetAccountSummary"],
        Collector::Users => &[
            "iam:GenerateCredentialReport",
            "iam:GetAccountSummary",
            "iam:GetCredentialReport",
            "iam:GetLoginProfile",
            "iam:ListMFADevices",
            "iam:ListUsers",
            "iam:ListVirtualMFADevices",
        ],
    }
}

/// What it takes to assume a role. The second is for EKS Pod Identity: it tags the
/// exporter's session, AWS takes the tags over into the next session, and refuses
/// `AssumeRole` to who may not tag. (EKS User Guide, "Grant Pods access to AWS
/// resources based on tags".)
const ASSUME: [&str; 2] = ["sts:AssumeRole", "sts:TagSession"];

/// What it takes to receive events. `sqs:DeleteMessage` is also what deletes several at
/// once. (Service Authorization Reference, "Actions defined by Amazon SQS".)
const QUEUE: [&str; 2] = ["sqs:DeleteMessage", "sqs:ReceiveMessage"];

/// What it takes to ask about centralized root access. (Service Authorization Reference,
/// "Actions defined by AWS Identity and Access Management" and "by AWS Organizations".)
const ROOT_ACCESS: [&str; 2] = ["iam:ListOrganizationsFeatures", "organizations:ListDelegatedAdministrators"];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
}

impl Statement {
    fn allow(sid: &'static str, mut action: Vec<&'static str>, resource: Vec<String>) -> Self {
        action.sort_unstable();
        action.dedup();
        Self { sid, effect: "Allow", action, resource }
    }
}

/// The least that `principal` needs for these settings, as a policy document; `None` if
/// it needs nothing, for a document without a statement is none.
#[must_use]
pub fn policy(principal: Principal, settings: &Settings) -> Option<String> {
    let statement = match principal {
        Principal::Account => {
            let generates = settings.plan.users.is_some_and(|users| users.generate_report);
            let all = settings.plan.collectors().flat_map(actions).copied();
            let chooses = settings.plan.cognito.as_ref().is_some_and(|plan| !plan.regions.is_empty());
            let is_used = |action: &&str| match *action {
                "iam:GenerateCredentialReport" => generates,
                // Only who is not told which Regions to read asks AWS.
                "account:ListRegions" => !chooses,
                _ => true,
            };
            let action = all.filter(is_used).collect();
            let mut statements = vec![Statement::allow("AwsMfaExporterReads", action, vec!["*".to_owned()])];
            // Then the account's credentials are the exporter's own.
            if settings.config.is_single_account() {
                statements.extend(of_queues(&settings.config));
            }
            statements
        }
        Principal::Exporter => of_exporter(&settings.config),
    };
    let is_empty = statement.is_empty();
    let policy = Policy { version: "2012-10-17", statement };
    (!is_empty).then(|| serde_json::to_string_pretty(&policy).expect("a policy of texts has a JSON form"))
}

fn of_exporter(config: &Config) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut roles = Vec::new();
    if let Some(organization) = &config.organization {
        let mut action = vec!["organizations:DescribeOrganization", "organizations:ListAccounts"];
        if organization.asks_for_units() {
            action.extend([
                "organizations:ListAccountsForParent",
                "organizations:ListOrganizationalUnitsForParent",
                "organizations:ListRoots",
            ]);
        }
        if organization.asks_for_tags() {
            action.push("organizations:ListTagsForResource");
        }
        statements.push(Statement::allow("AwsMfaExporterLists", action, vec!["*".to_owned()]));
        if organization.root_access {
            statements.push(Statement::allow("AwsMfaExporterRootAccess", ROOT_ACCESS.to_vec(), vec!["*".to_owned()]));
        }
        roles.push(format!("arn:*:iam::*:role/{}", organization.role_name));
    }
    statements.extend(of_queues(config));
    let queues = config.events.iter().map(|source| &source.access);
    for access in config.accounts.iter().map(|account| &account.access).chain(queues) {
        if let Access::Role { profile: None, role } = access {
            roles.push(role.arn.clone());
        }
    }
    if !roles.is_empty() {
        statements.push(Statement::allow("AwsMfaExporterAssumes", ASSUME.to_vec(), roles));
    }
    statements
}

/// What it takes to receive events with the exporter's own credentials.
fn of_queues(config: &Config) -> Option<Statement> {
    let own = config.events.iter().filter(|source| source.access == Access::Ambient);
    let queues: Vec<_> = own.map(|source| source.queue.arn()).collect();
    (!queues.is_empty()).then(|| Statement::allow("AwsMfaExporterReceives", QUEUE.to_vec(), queues))
}
