//! The two lists of MFA devices: the virtual ones of the whole account, and those of
//! any kind of one user.

use crate::{
    protocol::Reply,
    reply::Inquiry,
    state::{CREATED, Owner, Virtual},
    xml::elements,
};

impl Inquiry<'_> {
    /// `ListVirtualMFADevices`, root's among them.
    pub(crate) fn virtual_devices(&self) -> Result<String, Reply> {
        let wanted = self.params.get("AssignmentStatus").map_or("Any", String::as_str);
        let mut devices = self.account.virtual_devices();
        devices.retain(|device| is_wanted(device, wanted));
        self.list("VirtualMFADevices", devices, |device| device.serial.to_owned(), |device| self.virtual_device(device))
    }

    fn virtual_device(&self, device: &Virtual<'_>) -> String {
        let serial = elements(&[("SerialNumber", device.serial)]);
        let user = match device.owner {
            None => return serial,
            Some(Owner::Root) => self.root(),
            Some(Owner::User(user)) => self.user_elements(user),
        };
        format!("{serial}<User>{user}</User>{}", elements(&[("EnableDate", self.account.enable_date(device.serial))]))
    }

    /// Root, who has neither a name nor a path, and whose id is the account's.
    fn root(&self) -> String {
        let arn = self.account.root_arn();
        let known = elements(&[("UserId", &self.account.id), ("Arn", &arn), ("CreateDate", CREATED)]);
        let last_used = self.account.root.password_last_used.as_ref();
        known + &last_used.map_or_else(String::new, |at| elements(&[("PasswordLastUsed", at)]))
    }

    /// `ListMFADevices` of a user.
    pub(crate) fn devices_of_user(&self) -> Result<String, Reply> {
        let user = self.user()?;
        let serials: Vec<_> = user.devices.iter().collect();
        self.list(
            "MFADevices",
            serials,
            |serial| (*serial).clone(),
            |serial| {
                let enabled = self.account.enable_date(serial);
                elements(&[("UserName", &user.name), ("SerialNumber", serial), ("EnableDate", enabled)])
            },
        )
    }
}

fn is_wanted(device: &Virtual<'_>, wanted: &str) -> bool {
    match wanted {
        "Assigned" => device.owner.is_some(),
        "Unassigned" => device.owner.is_none(),
        _ => true,
    }
}
