//! The accounts of the simulated AWS: what is so, before anybody asks.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{organization::Organization, roles::Role, user::User};

/// When everything was created and changed of which the state says nothing else.
pub(crate) const CREATED: &str = "2024-01-02T03:04:05Z";

/// Everything a simulation starts with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Which access key id belongs to which account.
    pub credentials: BTreeMap<String, String>,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    /// The organization of the accounts.
    pub organization: Option<Organization>,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// `aws`, `aws-cn`, `aws-us-gov`…
    pub partition: String,
    /// What a person calls it.
    pub name: String,
    /// Its root user.
    pub root: Root,
    /// Its IAM users.
    pub users: Vec<User>,
    /// The roles that others may assume.
    pub roles: Vec<Role>,
    /// Serial numbers of virtual devices that nobody has activated.
    pub unassigned_devices: Vec<String>,
    /// When devices were activated, in RFC 3339, by serial number: `EnableDate`. Of
    /// others it was when everything was.
    pub enabled: BTreeMap<String, String>,
    /// Keys that `GetAccountSummary` leaves out.
    pub summary_omit: Vec<String>,
    /// Keys that `GetAccountSummary` answers otherwise than the state says.
    pub summary_override: BTreeMap<String, i64>,
    /// The longest page of a list, whatever is asked for.
    pub page_size: Option<usize>,
    /// Whether the credential report writes `TRUE` and `FALSE`, as AWS's documentation
    /// does, and not `true` and `false`, as AWS does.
    pub report_upper_case: bool,
    /// Whether the report has the 23rd column, `additional_credentials_info`.
    pub report_extra_column: bool,
    /// Columns that the report leaves out.
    pub report_omit_columns: Vec<String>,
    /// Whether the report says `not_supported` of root's password, as it did until 2024.
    pub report_root_not_supported: bool,
    /// Whether the report has no row for root.
    pub report_without_root: bool,
    /// The groups of its users.
    pub groups: Vec<crate::Group>,
    /// Its managed policies.
    pub policies: Vec<crate::Managed>,
    /// The user pools of Amazon Cognito, in all Regions.
    pub pools: Vec<crate::Pool>,
    /// Whether there is an alternate contact for security.
    pub security_contact: bool,
    /// `VerificationStatus` of the contact telephone, if the answer has it.
    pub phone_verification: Option<String>,
    /// The Regions that are switched on.
    pub regions: Vec<String>,
    /// Those that are not.
    pub disabled_regions: Vec<String>,
}

/// A root user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Root {
    /// Whether it has a console password.
    pub password: bool,
    /// How many access keys it has.
    pub access_keys: u32,
    /// How many signing certificates it has.
    pub signing_certificates: u32,
    /// The serial numbers of its MFA devices, of any kind.
    pub devices: Vec<String>,
    /// When it last signed in with its password, in RFC 3339.
    pub password_last_used: Option<String>,
}

/// A virtual device as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Virtual<'a> {
    pub(crate) serial: &'a str,
    pub(crate) owner: Option<Owner<'a>>,
}

/// Whose device it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner<'a> {
    Root,
    User(&'a User),
}

impl Default for Account {
    fn default() -> Self {
        Self {
            id: String::new(),
            partition: "aws".into(),
            name: String::new(),
            root: Root::default(),
            users: Vec::new(),
            roles: Vec::new(),
            unassigned_devices: Vec::new(),
            enabled: BTreeMap::new(),
            summary_omit: Vec::new(),
            summary_override: BTreeMap::new(),
            page_size: None,
            report_upper_case: false,
            report_extra_column: false,
            report_omit_columns: Vec::new(),
            report_root_not_supported: false,
            report_without_root: false,
            groups: Vec::new(),
            policies: Vec::new(),
            pools: Vec::new(),
            security_contact: true,
            phone_verification: Some("VERIFIED".into()),
            regions: vec!["eu-west-1".into(), "us-east-1".into()],
            disabled_regions: vec!["af-south-1".into()],
        }
    }
}

impl Account {
    /// An account whose root user has a password and these devices.
    #[must_use]
    pub fn with_root_devices(id: &str, devices: &[&str]) -> Self {
        let root = Root { password: true, devices: devices.iter().map(|&d| d.into()).collect(), ..Root::default() };
        Self { id: id.into(), root, ..Self::default() }
    }

    /// The serial of a virtual device of this account.
    #[must_use]
    pub fn virtual_serial(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:mfa/{name}", self.partition, self.id)
    }

    /// The serial of a FIDO key of this account's root user.
    #[must_use]
    pub fn root_fido_serial(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:u2f/root/{name}-ABCDEFGHIJ", self.partition, self.id)
    }

    /// The serial of a FIDO key of this user's.
    #[must_use]
    pub fn user_fido_serial(&self, user: &str, name: &str) -> String {
        format!("arn:{}:iam::{}:u2f/user/{user}/{name}-ABCDEFGHIJ", self.partition, self.id)
    }

    /// The ARN of the root user.
    #[must_use]
    pub fn root_arn(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.id)
    }

    /// The ARN of a user of this account.
    #[must_use]
    pub fn user_arn(&self, user: &User) -> String {
        format!("arn:{}:iam::{}:user{}{}", self.partition, self.id, user.path(), user.name)
    }

    /// The ARN of a managed policy of this account.
    #[must_use]
    pub fn policy_arn(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:policy/{name}", self.partition, self.id)
    }

    /// When a device was activated, in RFC 3339.
    #[must_use]
    pub fn enable_date(&self, serial: &str) -> &str {
        self.enabled.get(serial).map_or(CREATED, String::as_str)
    }

    /// All virtual devices.
    pub(crate) fn virtual_devices(&self) -> Vec<Virtual<'_>> {
        let roots = self.root.devices.iter().map(|serial| (serial, Some(Owner::Root)));
        let users =
            self.users.iter().flat_map(|user| user.devices.iter().map(move |serial| (serial, Some(Owner::User(user)))));
        let nobodys = self.unassigned_devices.iter().map(|serial| (serial, None));
        let all = roots.chain(users).chain(nobodys).filter(|(serial, _)| is_virtual(serial));
        all.map(|(serial, owner)| Virtual { serial, owner }).collect()
    }

    /// `GetAccountSummary`: the keys that a live answer has, in its order of no
    /// particular kind.
    pub(crate) fn summary(&self) -> Vec<(String, i64)> {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let in_use = self.root.devices.len() + self.users.iter().map(|user| user.devices.len()).sum::<usize>();
        let known = [
            ("Users", count(self.users.len())),
            ("MFADevices", count(self.virtual_devices().len())),
            ("MFADevicesInUse", count(in_use)),
            ("AccountMFAEnabled", i64::from(!self.root.devices.is_empty())),
            ("AccountPasswordPresent", i64::from(self.root.password)),
            ("AccountAccessKeysPresent", i64::from(self.root.access_keys > 0)),
            ("AccountSigningCertificatesPresent", i64::from(self.root.signing_certificates > 0)),
        ];
        let quotas = QUOTAS.map(|(key, value)| (key, value));
        let all = known.into_iter().chain(quotas).filter(|(key, _)| !self.summary_omit.iter().any(|omit| omit == key));
        all.map(|(key, value)| (key.to_owned(), *self.summary_override.get(key).unwrap_or(&value))).collect()
    }
}

fn is_virtual(serial: &str) -> bool {
    serial.starts_with("arn:") && serial.split(':').nth(5).is_some_and(|resource| resource.starts_with("mfa/"))
}

const QUOTAS: [(&str, i64); 27] = [
    ("UsersQuota", 5000),
    ("Groups", 0),
    ("GroupsQuota", 300),
    ("ServerCertificates", 0),
    ("ServerCertificatesQuota", 20),
    ("UserPolicySizeQuota", 2048),
    ("GroupPolicySizeQuota", 5120),
    ("RolePolicySizeQuota", 10240),
    ("GroupsPerUserQuota", 10),
    ("SigningCertificatesPerUserQuota", 2),
    ("AccessKeysPerUserQuota", 2),
    ("AttachedPoliciesPerGroupQuota", 10),
    ("AttachedPoliciesPerRoleQuota", 10),
    ("AttachedPoliciesPerUserQuota", 10),
    ("Policies", 3),
    ("PoliciesQuota", 1500),
    ("PolicySizeQuota", 6144),
    ("PolicyVersionsInUse", 12),
    ("PolicyVersionsInUseQuota", 10000),
    ("VersionsPerPolicyQuota", 5),
    ("GlobalEndpointTokenVersion", 1),
    ("AssumeRolePolicySizeQuota", 2048),
    ("InstanceProfiles", 0),
    ("InstanceProfilesQuota", 1000),
    ("Providers", 0),
    ("Roles", 14),
    ("RolesQuota", 1000),
];
