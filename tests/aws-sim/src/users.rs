//! What IAM tells about users, one by one and in lists.

use crate::{
    protocol::{Protocol, Reply},
    reply::{Inquiry, invalid},
    user::User,
    xml::elements,
};

impl<'a> Inquiry<'a> {
    /// The user that is asked for by name. Without a name it would be the caller, and
    /// that is a role.
    pub(crate) fn user(&self) -> Result<&'a User, Reply> {
        let Some(name) = self.params.get("UserName") else {
            return Err(invalid("Must specify userName when calling with non-User credentials"));
        };
        let user = self.account.users.iter().find(|user| user.name == *name);
        user.ok_or_else(|| no_such(&format!("The user with name {name} cannot be found.")))
    }

    /// `ListUsers`.
    pub(crate) fn users(&self) -> Result<String, Reply> {
        let users: Vec<_> = self.account.users.iter().collect();
        self.list("Users", users, |user| user.sort_key(), |user| self.full_elements(user))
    }

    /// `GetUser`.
    pub(crate) fn get_user(&self) -> Result<String, Reply> {
        Ok(format!("    <User>{}</User>\n", self.full_elements(self.user()?)))
    }

    /// `GetLoginProfile`. Whether there is no password or no user at all, only the
    /// message tells.
    pub(crate) fn login_profile(&self) -> Result<String, Reply> {
        let user = self.user()?;
        let set = user.password_created();
        let set = set.ok_or_else(|| no_such(&format!("Login Profile for User {} cannot be found.", user.name)))?;
        let profile = elements(&[("UserName", &user.name), ("CreateDate", set), ("PasswordResetRequired", "false")]);
        Ok(format!("    <LoginProfile>{profile}</LoginProfile>\n"))
    }

    /// `ListAccessKeys` of a user.
    pub(crate) fn access_keys(&self) -> Result<String, Reply> {
        let user = self.user()?;
        let keys = user.access_keys.iter().enumerate().map(|(n, active)| (user.access_key_id(n), *active));
        self.list(
            "AccessKeyMetadata",
            keys.collect(),
            |(id, _)| id.clone(),
            |(id, active)| {
                let status = if *active { "Active" } else { "Inactive" };
                elements(&[
                    ("UserName", &user.name),
                    ("AccessKeyId", id),
                    ("Status", status),
                    ("CreateDate", &user.created),
                ])
            },
        )
    }

    /// A user as the list of virtual devices has it.
    pub(crate) fn user_elements(&self, user: &User) -> String {
        elements(&[
            ("Path", user.path()),
            ("UserName", &user.name),
            ("UserId", &user.user_id()),
            ("Arn", &self.account.user_arn(user)),
            ("CreateDate", &user.created),
        ])
    }

    /// A user with what only `GetUser` and `ListUsers` tell.
    fn full_elements(&self, user: &User) -> String {
        let last_used = user.password_last_used.as_ref();
        self.user_elements(user) + &last_used.map_or_else(String::new, |at| elements(&[("PasswordLastUsed", at)]))
    }
}

fn no_such(message: &str) -> Reply {
    Protocol::Query.error(404, "NoSuchEntity", message)
}
