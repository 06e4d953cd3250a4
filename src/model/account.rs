//! Which AWS account a fact is about, and how sure we are of it.
//!
//! An account id and a partition become values of these types by parsing only,
//! so that no other module ever asks whether a string "looks like" an account.
//! The partition is never configured: it is read from the ARN that STS gave for
//! the very credentials in use, because a rule that is right in one partition
//! (root cannot have MFA in GovCloud) is a false pass in another.

use std::{fmt, sync::Arc};

use super::{facts::Seal, labels::Labels};

/// A twelve-digit AWS account id. Leading zeros are part of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

/// The text is not an account id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an AWS account id: write exactly twelve digits, with leading zeros")]
pub struct ParseAccountIdError(String);

/// An AWS partition: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`, `aws-iso`…
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Arc<str>);

/// Who a set of credentials belongs to, as `sts:GetCallerIdentity` or
/// `sts:AssumeRole` said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account that the credentials act in.
    pub account: AccountId,
    /// The partition of that account.
    pub partition: Partition,
}

/// STS's answer names no account that could be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdentityError {
    /// The ARN is not of the form `arn:partition:service::account:resource`.
    #[error("the caller's ARN has no partition or account")]
    Arn,
    /// The ARN and the `Account` element name different accounts.
    #[error("the caller's ARN and account id contradict each other")]
    Contradiction,
}

/// Whether an account's collectors run, and why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountStatus {
    /// They run.
    #[default]
    Scanned,
    /// Organizations has suspended the account: nothing in it can be used.
    Suspended,
    /// The account is closed; Organizations lists it for 90 days more.
    Closed,
    /// The account is not activated yet.
    Pending,
    /// The configuration excludes it.
    Excluded,
}

/// An account as the exporter knows it before it has read anything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The partition, once credentials have proved it.
    pub partition: Option<Partition>,
    /// Whether its collectors run.
    pub status: AccountStatus,
    /// The name Organizations or the configuration has for it; may be empty.
    pub name: String,
    /// The path of its organizational unit; empty while it is not known.
    pub ou: String,
    /// What else its organization says of it that alerts carry; `None` while that
    /// is not known, or not asked for.
    pub labels: Option<Labels>,
    /// A hash of root's e-mail address, as the organization's list has it; `None` while
    /// that is not known, or not asked for.
    pub email: Option<Seal>,
    /// Whether it is *known* to be its organization's management account, whose
    /// root credentials can never be removed. An account that no discovery has
    /// described is not known to be one.
    pub management: bool,
    /// Whether it is *known* to be a member of the organization, and not its management
    /// account: only such an account's root can be audited from outside.
    pub member: bool,
}

// === impl AccountId ===

impl AccountId {
    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an account id holds ASCII digits only")
    }
}

impl std::str::FromStr for AccountId {
    type Err = ParseAccountIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Option<[u8; 12]> = text.as_bytes().try_into().ok();
        digits
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .map(Self)
            .ok_or_else(|| ParseAccountIdError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Partition ===

impl Partition {
    /// Reads a partition name, or `None` for a text that cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix("aws")?;
        let suffix_ok = name.is_empty() || name.starts_with('-') && name.len() > 1;
        let bytes_ok = name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
        (suffix_ok && bytes_ok).then(|| Self(text.into()))
    }

    /// The name, as ARNs spell it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is AWS GovCloud (US), whose root users have no console
    /// sign-in and cannot have an MFA device (AWS GovCloud user guide; Scout
    /// Suite issue 1132 is the false alarm that follows from not knowing it).
    #[must_use]
    pub fn is_us_gov(&self) -> bool {
        &*self.0 == "aws-us-gov"
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Identity ===

impl Identity {
    /// Reads the `Arn` and `Account` of a `GetCallerIdentity` answer.
    ///
    /// # Errors
    /// When the ARN cannot be taken apart, or contradicts `account`.
    pub fn parse(arn: &str, account: &str) -> Result<Self, ParseIdentityError> {
        let identity = Self::of_arn(arn)?;
        if identity.account.as_str() == account { Ok(identity) } else { Err(ParseIdentityError::Contradiction) }
    }

    /// Reads the partition and the account of an ARN.
    ///
    /// # Errors
    /// When the ARN cannot be taken apart.
    pub fn of_arn(arn: &str) -> Result<Self, ParseIdentityError> {
        let mut fields = arn.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(_), Some(_), Some(owner), Some(_)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(ParseIdentityError::Arn);
        };
        let partition = Partition::parse(partition).ok_or(ParseIdentityError::Arn)?;
        Ok(Self { account: owner.parse().map_err(|_| ParseIdentityError::Arn)?, partition })
    }

    /// The ARN of the account's root user: the one owner that makes a virtual
    /// device root's own, whatever the device is called.
    #[must_use]
    pub fn root_arn(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.account)
    }

    /// Whether `arn` is that of an IAM user of the account, whatever its path.
    #[must_use]
    pub fn is_user_arn(&self, arn: &str) -> bool {
        let start = format!("arn:{}:iam::{}:user/", self.partition, self.account);
        arn.strip_prefix(&start).is_some_and(|name| !name.is_empty() && !name.ends_with('/'))
    }
}

impl Account {
    /// An account of which only its credentials' identity is known.
    #[must_use]
    pub fn ambient(identity: Identity) -> Self {
        Self { partition: Some(identity.partition), ..Self::named(identity.account, String::new()) }
    }

    /// An account that somebody has named, and whose credentials have proved nothing yet.
    #[must_use]
    pub fn named(id: AccountId, name: String) -> Self {
        Self {
            id,
            partition: None,
            status: AccountStatus::Scanned,
            name,
            ou: String::new(),
            labels: None,
            email: None,
            management: false,
            member: false,
        }
    }

    /// Whose its credentials proved to be, once they have.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        Some(Identity { account: self.id, partition: self.partition.clone()? })
    }

    /// Whether a list describes the account as `other` does. The partition is not
    /// a list's to say.
    #[must_use]
    pub fn is_described_as(&self, other: &Self) -> bool {
        let described = |account: &Self| (account.status, account.management, account.member);
        described(self) == described(other)
            && self.name == other.name
            && self.ou == other.ou
            && self.labels == other.labels
    }
}

// === impl AccountStatus ===

impl AccountStatus {
    /// Every state, in the order of the label's values.
    pub const ALL: [Self; 5] = [Self::Closed, Self::Excluded, Self::Pending, Self::Scanned, Self::Suspended];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scanned => "scanned",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
            Self::Pending => "pending",
            Self::Excluded => "excluded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_twelve_digits_and_keep_their_zeros() {
        assert_eq!("012345678901".parse::<AccountId>().unwrap().to_string(), "012345678901");
        for wrong in ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２"] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_identity_is_read_from_the_callers_arn() {
        let role = Identity::parse("arn:aws-cn:sts::123456789012:assumed-role/audit/x:y", "123456789012").unwrap();
        assert_eq!(role.root_arn(), "arn:aws-cn:iam::123456789012:root");
        assert!(
            Identity::parse("arn:aws-us-gov:iam::123456789012:user/a", "123456789012").unwrap().partition.is_us_gov()
        );
    }

    #[test]
    fn users_are_told_by_the_whole_of_their_arn() {
        let identity = Identity::of_arn("arn:aws:sts::123456789012:assumed-role/audit/x").unwrap();
        for arn in ["arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/team/root"] {
            assert!(identity.is_user_arn(arn), "{arn}");
        }
        for arn in [
            "arn:aws:iam::123456789012:root",
            "arn:aws:iam::123456789012:user/",
            "arn:aws:iam::123456789012:user/team/",
            "arn:aws:iam::123456789012:role/ann",
            "arn:aws:iam::999999999999:user/ann",
            "arn:aws-cn:iam::123456789012:user/ann",
            "arn:aws:sts::123456789012:user/ann",
            "",
        ] {
            assert!(!identity.is_user_arn(arn), "{arn}");
        }
    }

    #[test]
    fn an_identity_that_contradicts_itself_is_refused() {
        let arn = "arn:aws:iam::123456789012:root";
        assert_eq!(Identity::parse(arn, "999999999999"), Err(ParseIdentityError::Contradiction));
        for wrong in [
            "",
            "arn:aws:iam",
            "arn:azure:iam::123456789012:root",
            "arn:aws:iam::12:root",
            "aws:aws:iam::123456789012:x",
        ] {
            assert_eq!(Identity::parse(wrong, "123456789012"), Err(ParseIdentityError::Arn), "{wrong}");
        }
    }
}
