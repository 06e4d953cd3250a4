//! An IAM user: what is so, and what follows from it.

use serde::Deserialize;

use crate::state::CREATED;

/// An IAM user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// The `UserId`; where empty, one that follows from the name. Who is deleted and
    /// created again under the same name has another.
    pub id: String,
    /// The user's name.
    pub name: String,
    /// The user's path, `/` when empty.
    pub path: String,
    /// When the user was created, in RFC 3339.
    pub created: String,
    /// Whether the user has a console password.
    pub password: bool,
    /// When the user last signed in with a password, in RFC 3339. The lists go on
    /// telling it when the password is gone.
    pub password_last_used: Option<String>,
    /// When the password was set, in RFC 3339; with the user, if nothing is said.
    pub password_last_changed: Option<String>,
    /// When the password was created, in RFC 3339: `CreateDate` of the login profile;
    /// when it was set, if nothing is said.
    pub password_created: Option<String>,
    /// The user's access keys, by whether they are active; the report shows two.
    pub access_keys: Vec<bool>,
    /// The serial numbers of the user's MFA devices, of any kind.
    pub devices: Vec<String>,
    /// The user's policies.
    pub policies: crate::Policies,
    /// The names of the user's groups.
    pub groups: Vec<String>,
    /// The ARN of the user's permissions boundary.
    pub boundary: Option<String>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            path: String::new(),
            created: CREATED.to_owned(),
            password: false,
            password_last_used: None,
            password_last_changed: None,
            password_created: None,
            access_keys: Vec::new(),
            devices: Vec::new(),
            policies: crate::Policies::default(),
            groups: Vec::new(),
            boundary: None,
        }
    }
}

impl User {
    /// A user who has nothing but a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The user's `UserId`.
    #[must_use]
    pub fn user_id(&self) -> String {
        if self.id.is_empty() { format!("AIDA{}", letters(&self.name, 17)) } else { self.id.clone() }
    }

    /// The user's path, which has slashes at both ends.
    pub(crate) fn path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    /// Where the user stands in lists: names are sorted as if they had no capitals.
    pub(crate) fn sort_key(&self) -> String {
        format!("{}\n{}", self.name.to_lowercase(), self.name)
    }

    /// When the password was set, if there is one.
    pub(crate) fn password_changed(&self) -> Option<&str> {
        self.password.then(|| self.password_last_changed.as_deref().unwrap_or(&self.created))
    }

    /// When the password was created, if there is one.
    pub(crate) fn password_created(&self) -> Option<&str> {
        self.password_changed().map(|changed| self.password_created.as_deref().unwrap_or(changed))
    }

    /// The id of the `n`th access key.
    pub(crate) fn access_key_id(&self, n: usize) -> String {
        format!("AKIA{}", letters(&format!("{} key {n}", self.user_id()), 16))
    }
}

/// Letters and digits as AWS's ids have them, the same for the same text: its
/// 128-bit FNV-1a hash, five bits a character.
fn letters(text: &str, count: usize) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    for byte in text.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
    }
    (0..count).map(|n| char::from(LETTERS[(hash >> (5 * n)) as usize % LETTERS.len()])).collect()
}
