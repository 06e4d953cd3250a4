//! Centralized root access: which features an organization has on, and who is told.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::{
    fault::Fault,
    organization::Organization,
    protocol::{Protocol, Reply},
    reply::{self, IAM},
};

/// What an organization has on of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RootAccess {
    /// Whether AWS Organizations gives IAM trusted access.
    pub is_trusted: bool,
    /// `RootCredentialsManagement`, `RootSessions`.
    pub features: Vec<String>,
    /// The delegated administrators for IAM.
    pub delegated: Vec<String>,
}

/// Off, as it is in every organization at first.
impl Default for RootAccess {
    fn default() -> Self {
        Self { is_trusted: true, features: Vec::new(), delegated: Vec::new() }
    }
}

impl RootAccess {
    /// All of it on.
    #[must_use]
    pub fn on() -> Self {
        let features = ["RootCredentialsManagement", "RootSessions"].map(str::to_owned).into();
        Self { features, ..Self::default() }
    }
}

impl Organization {
    fn administers_root(&self, account: &str) -> bool {
        self.management == account || self.root_access.delegated.iter().any(|id| id == account)
    }
}

/// `ListOrganizationsFeatures`.
pub(crate) fn features(organization: Option<&Organization>, caller: &str, faults: &[Fault]) -> Reply {
    let refuse = |code: &str, message: &str| Protocol::Query.error(400, code, message);
    let Some(organization) = organization else {
        return refuse("OrganizationNotFoundException", "The organization was not found.");
    };
    if !organization.administers_root(caller) {
        let message = "The account is not a management account or a delegated administrator.";
        return refuse("AccountNotManagementOrDelegatedAdministratorException", message);
    }
    if !organization.root_access.is_trusted {
        return refuse("ServiceAccessNotEnabledException", "Service not enabled for AWS Organizations.");
    }
    let mut result = format!("    <OrganizationId>{}</OrganizationId>\n    <EnabledFeatures>\n", organization.id);
    for feature in &organization.root_access.features {
        let _ = writeln!(result, "      <member>{feature}</member>");
    }
    result.push_str("    </EnabledFeatures>\n");
    reply::document(IAM, "ListOrganizationsFeatures", &result, faults)
}
