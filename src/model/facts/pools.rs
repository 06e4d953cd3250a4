//! What Amazon Cognito says of the user pools of one account, Region by Region.
//!
//! A pool is known by its id, which begins with the Region that it was made in. A
//! pool that is replicated is listed in each of its Regions, with the same id: it is
//! one pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::Known;

/// A Region, by its code: `eu-central-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

/// The id of a user pool: `eu-central-1_AbCdEfGhI`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(Box<str>);

/// `MfaConfiguration`: whether users of the pool have to use MFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolMfa {
    /// They have to.
    On,
    /// Each of them may, and none has to.
    Optional,
    /// They cannot.
    Off,
}

/// `AllowedFirstAuthFactors`: with what users of the pool may begin to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignIn {
    /// A password and nothing else: what a pool has that says nothing of it.
    Password,
    /// A password or a passkey.
    PasswordOrPasskey,
    /// A password or something else, of which not all are passkeys.
    Mixed,
    /// No password.
    Passwordless,
}

/// One user pool, as `DescribeUserPool` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// With what users begin to sign in.
    pub sign_in: SignIn,
    /// Whether they have to use MFA.
    pub mfa: PoolMfa,
}

/// The pools of one Region; `None` for one that is listed and could not be read.
pub type RegionPools = BTreeMap<PoolId, Option<Pool>>;

/// What a run learnt of an account's user pools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolsReading {
    /// The Regions that are to be read; `None` for one that could not be.
    pub regions: BTreeMap<Region, Option<Known<Arc<RegionPools>>>>,
    /// How many Regions are switched off in the account, and are therefore not read;
    /// `None` where the configuration says which are.
    pub switched_off: Option<u32>,
}

// === impl Region ===

impl Region {
    /// Reads the code of a Region. It becomes part of a host's name, so nothing else is
    /// taken for one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.split('-').collect();
        let (number, words) = parts.split_last()?;
        let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_region = (2..=4).contains(&words.len()) && words.iter().all(is_word) && is_number && text.len() <= 32;
        is_region.then(|| Self(text.into()))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl PoolId ===

impl PoolId {
    /// Reads the id of a pool. (Cognito API Reference, `UserPoolIdType`.)
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (region, rest) = text.split_once('_')?;
        let is_rest = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_rest && text.len() <= 55 && Region::parse(region).is_some()).then(|| Self(text.into()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code of the Region that the pool was made in.
    #[must_use]
    pub fn home(&self) -> &str {
        self.0.split_once('_').map_or("", |(region, _)| region)
    }
}

// === impl PoolMfa ===

impl PoolMfa {
    /// Every value, in the order they are exported.
    pub const ALL: [Self; 3] = [Self::Off, Self::On, Self::Optional];

    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "ON",
            Self::Optional => "OPTIONAL",
            Self::Off => "OFF",
        }
    }

    /// Reads AWS's spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mfa| mfa.as_str() == text)
    }
}

// === impl SignIn ===

impl SignIn {
    /// Every value, in the order they are exported.
    pub const ALL: [Self; 4] = [Self::Mixed, Self::Password, Self::PasswordOrPasskey, Self::Passwordless];

    /// The label value. Whether what is beside the password is a passkey matters to the
    /// verdict alone.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::PasswordOrPasskey => "password_or_passkey",
            Self::Mixed => "mixed",
            Self::Passwordless => "passwordless",
        }
    }

    /// What these first factors amount to; `None` for no factor at all, which no pool
    /// has, and for one that is not among those that AWS documents: it may be a password.
    /// (Cognito API Reference, `SignInPolicyType`.)
    #[must_use]
    pub fn of_factors<'a>(factors: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let (mut password, mut passkey, mut other) = (false, false, false);
        for factor in factors {
            match factor {
                "PASSWORD" => password = true,
                "WEB_AUTHN" => passkey = true,
                "EMAIL_OTP" | "SMS_OTP" => other = true,
                _ => return None,
            }
        }
        match (password, passkey, other) {
            (false, false, false) => None,
            (false, ..) => Some(Self::Passwordless),
            (true, false, false) => Some(Self::Password),
            (true, true, false) => Some(Self::PasswordOrPasskey),
            (true, _, true) => Some(Self::Mixed),
        }
    }
}

// === impl PoolsReading ===

impl PoolsReading {
    /// Whether these are the Regions to read: the chosen ones, or those that AWS lists
    /// where none is chosen.
    #[must_use]
    pub fn is_of(&self, chosen: &[Region]) -> bool {
        if chosen.is_empty() {
            return self.switched_off.is_some();
        }
        self.switched_off.is_none() && self.regions.keys().eq(chosen.iter().collect::<BTreeSet<_>>())
    }

    /// What is known after this run: a Region that could not be read is as it was last
    /// read, with the time of then. A Region that is not to be read any more is left out.
    #[must_use]
    pub fn after(&self, before: Option<&Self>) -> Self {
        let old = |region: &Region| before?.regions.get(region)?.clone();
        let regions = self.regions.iter().map(|(region, read)| (region.clone(), read.clone().or_else(|| old(region))));
        Self { regions: regions.collect(), switched_off: self.switched_off }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_regions_code_and_nothing_that_could_lead_elsewhere() {
        for good in ["eu-central-1", "us-gov-west-1", "eusc-de-east-1", "ap-southeast-12", "mx-central-1"] {
            assert_eq!(Region::parse(good).map(|region| region.to_string()).as_deref(), Some(good));
        }
        for bad in ["", "1", "eu-1", "eu-central", "EU-central-1", "eu-central-1.example.org", "eu-central-1/x", "-a-1"]
        {
            assert_eq!(Region::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_pool_knows_the_region_that_it_was_made_in() {
        let pool = PoolId::parse("us-east-1_AbCdEfGhI").unwrap();
        assert_eq!((pool.home(), pool.as_str()), ("us-east-1", "us-east-1_AbCdEfGhI"));
        for bad in ["", "us-east-1", "us-east-1_", "_Ab", "us-east-1_a b", "us-east-1_a\"b", "nowhere_Ab"] {
            assert_eq!(PoolId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reading_is_of_the_regions_that_were_to_be_read_then() {
        let [one, other] = ["eu-west-1", "eu-west-2"].map(|name| Region::parse(name).unwrap());
        let chosen = PoolsReading { regions: BTreeMap::from([(one.clone(), None)]), switched_off: None };
        let listed = PoolsReading { switched_off: Some(17), ..chosen.clone() };
        assert!(chosen.is_of(&[one.clone(), one.clone()]) && listed.is_of(&[]));
        assert!(!chosen.is_of(&[]) && !listed.is_of(std::slice::from_ref(&one)));
        assert!(!chosen.is_of(&[one, other.clone()]) && !chosen.is_of(&[other]));
    }

    #[test]
    fn first_factors_amount_to_one_way_to_sign_in() {
        let of = |factors: &[&'static str]| SignIn::of_factors(factors.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["PASSWORD"]), Some(SignIn::Password));
        assert_eq!(of(&["PASSWORD", "PASSWORD"]), Some(SignIn::Password));
        assert_eq!(of(&["WEB_AUTHN", "PASSWORD"]), Some(SignIn::PasswordOrPasskey));
        assert_eq!(of(&["PASSWORD", "WEB_AUTHN", "EMAIL_OTP"]), Some(SignIn::Mixed));
        assert_eq!(of(&["PASSWORD", "SOMETHING_NEW"]), None, "nobody knows what it is");
        assert_eq!(of(&["SOMETHING_NEW"]), None);
        assert_eq!(of(&["SMS_OTP"]), Some(SignIn::Passwordless));
        assert_eq!(of(&["password"]), None, "it may be one");
    }
}
