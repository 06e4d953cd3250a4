//! What IAM's replies say, each read as the API model has it: whatever a list's
//! member, or a result, must have is there, and about whom was asked, or the whole
//! reply is refused. A device that nobody can name is no device.

pub mod details;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::wire::{
    Dates, ReplyError,
    xml::{Element, Page},
};
use crate::{
    collect::iam::{DevicePage, ListedUser, Making, Owner, ReportReply, RootDevice, UserPage},
    model::{account::Identity, facts::Summary, time::Uptime},
};

/// Devices by serial number, no two alike, and from when on each was there.
pub type Serials = BTreeMap<String, Uptime>;

/// Where a list goes on, as [`Page`] has it.
fn next(result: Element<'_>) -> Result<Option<String>, ReplyError> {
    Ok(match result.page()? {
        Page::Last => None,
        Page::More(marker) => Some(marker),
    })
}

/// `GetAccountSummary`.
///
/// # Errors
/// When the map is not as it must be; a key that is missing is none.
pub fn summary(result: Element<'_>) -> Result<Summary, ReplyError> {
    let map = result.map("SummaryMap")?;
    // The SDK, which does not read this reply, takes none with another value in it.
    if !map.values().all(|value| value.parse::<i32>().is_ok()) {
        return Err(ReplyError::Malformed);
    }
    let number = |key: &'static str| {
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let read = |text: &str| Some(text).filter(is_number)?.parse::<u32>().ok();
        map.get(key).map(|text| read(text).ok_or(ReplyError::Unreadable(key))).transpose()
    };
    let present = |key: &'static str| Ok(number(key)?.map(|value| value > 0));
    Ok(Summary {
        mfa_enabled: present("AccountMFAEnabled")?,
        password: present("AccountPasswordPresent")?,
        access_keys: present("AccountAccessKeysPresent")?,
        signing_certificates: present("AccountSigningCertificatesPresent")?,
        users: number("Users")?,
        mfa_devices: number("MFADevices")?,
        mfa_devices_in_use: number("MFADevicesInUse")?,
    })
}

/// A page of `ListVirtualMFADevices` of this account.
///
/// # Errors
/// When it is not as it must be.
pub fn virtual_devices(result: Element<'_>, identity: &Identity, dates: &Dates) -> Result<DevicePage, ReplyError> {
    let (mut owners, mut roots, mut serials) = (Vec::new(), Vec::new(), Serials::new());
    for device in result.members("VirtualMFADevices")? {
        let enabled = device.optional_instant("EnableDate")?;
        let since = dates.since(enabled);
        serial(device, since, &mut serials)?;
        let owner = match device.optional("User") {
            Some(user) => owner(user, identity, since)?,
            None => None,
        };
        if owner.as_ref().is_some_and(|owner| owner.arn == identity.root_arn()) {
            roots.push(RootDevice { serial: device.text("SerialNumber")?.to_owned(), enabled });
        }
        owners.push(owner);
    }
    Ok(DevicePage { owners, roots, next: next(result)? })
}

/// Adds a device's serial number, which no other has.
fn serial(device: Element<'_>, since: Uptime, serials: &mut Serials) -> Result<(), ReplyError> {
    match serials.entry(device.text("SerialNumber")?.to_owned()) {
        Entry::Vacant(place) => place.insert(since),
        Entry::Occupied(_) => return Err(ReplyError::Ambiguous),
    };
    Ok(())
}

/// Whose a virtual device is, if that can be told: root's by root's very ARN, a
/// user's by the ARN of a user of this account together with an id that is not the
/// account's, as root's is.
fn owner(user: Element<'_>, identity: &Identity, since: Uptime) -> Result<Option<Owner>, ReplyError> {
    let (arn, id) = (user.optional_text("Arn")?.unwrap_or_default(), user.optional_text("UserId")?);
    let is_accounts = |id: &str| id == identity.account.as_str();
    let is_known = if arn == identity.root_arn() {
        id.is_none_or(is_accounts)
    } else {
        let is_named_so = user.optional_text("UserName")?.is_none_or(|name| is_user(arn, name, identity));
        is_named_so && identity.is_user_arn(arn) && id.is_some_and(|id| !is_accounts(id))
    };
    Ok(is_known.then(|| Owner { arn: arn.to_owned(), id: id.unwrap_or(identity.account.as_str()).into(), since }))
}

/// Whether `arn` is that of a user of this name in this account.
fn is_user(arn: &str, name: &str, identity: &Identity) -> bool {
    identity.is_user_arn(arn) && arn.strip_suffix(name).is_some_and(|path| path.ends_with('/'))
}

/// A page of `ListUsers` of this account.
///
/// # Errors
/// When it is not as it must be.
pub fn users(result: Element<'_>, identity: &Identity) -> Result<UserPage, ReplyError> {
    let users = result.members("Users")?.map(|user| listed(user, identity));
    let users = users.collect::<Result<Vec<_>, _>>()?;
    let names: BTreeSet<_> = users.iter().map(|user| &user.name).collect();
    if names.len() < users.len() {
        return Err(ReplyError::Ambiguous);
    }
    Ok(UserPage { users, next: next(result)? })
}

fn listed(user: Element<'_>, identity: &Identity) -> Result<ListedUser, ReplyError> {
    let (id, name, arn) = (user.text("UserId")?, user.text("UserName")?, user.text("Arn")?);
    user.text("Path")?;
    if !is_user(arn, name, identity) {
        return Err(ReplyError::Unreadable("Arn"));
    }
    if id == identity.account.as_str() {
        return Err(ReplyError::Unreadable("UserId"));
    }
    Ok(ListedUser {
        id: id.into(),
        name: name.to_owned(),
        arn: arn.to_owned(),
        created: user.instant("CreateDate")?,
        password_last_used: user.optional_instant("PasswordLastUsed")?,
    })
}

/// A page of `ListMFADevices` of `user`, and where the list goes on.
///
/// # Errors
/// When it is not as it must be, or about somebody else.
pub fn devices(result: Element<'_>, user: &str, dates: &Dates) -> Result<(Serials, Option<String>), ReplyError> {
    let mut serials = Serials::new();
    for device in result.members("MFADevices")? {
        if device.text("UserName")? != user {
            return Err(ReplyError::Unreadable("UserName"));
        }
        let since = dates.since(Some(device.instant("EnableDate")?));
        serial(device, since, &mut serials)?;
    }
    Ok((serials, next(result)?))
}

/// `GetUser` without a name, as root answers it: the ARN of whoever asks. Root has no name
/// and no path, and the id of the account.
///
/// # Errors
/// When it is not as it must be, or its parts are not of one account.
pub fn caller(result: Element<'_>, wanted: &Identity) -> Result<String, ReplyError> {
    let user = result.child("User")?;
    let (arn, id) = (user.text("Arn")?, user.text("UserId")?);
    if arn == wanted.root_arn() && id != wanted.account.as_str() {
        return Err(ReplyError::Unreadable("UserId"));
    }
    Ok(arn.to_owned())
}

/// A page of `ListMFADevices` of root, and where the list goes on. What stands there for
/// the user's name is not documented, so the serial number alone tells whose a device is.
///
/// # Errors
/// When it is not as it must be, or one of the devices cannot be root's of this account.
pub fn root_devices(result: Element<'_>, root: &Identity) -> Result<(Vec<RootDevice>, Option<String>), ReplyError> {
    let mut serials = BTreeSet::new();
    let mut devices = Vec::new();
    for device in result.members("MFADevices")? {
        let serial = device.text("SerialNumber")?;
        if !may_be_roots(serial, root) {
            return Err(ReplyError::Unreadable("SerialNumber"));
        }
        if !serials.insert(serial) {
            return Err(ReplyError::Ambiguous);
        }
        let enabled = device.optional_instant("EnableDate")?;
        devices.push(RootDevice { serial: serial.to_owned(), enabled });
    }
    Ok((devices, next(result)?))
}

/// Whether a device can be root's: a token, or one of this account that is not by its own
/// name a user's.
fn may_be_roots(serial: &str, root: &Identity) -> bool {
    if !serial.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:")) {
        return true;
    }
    let start = format!("arn:{}:iam::{}:", root.partition, root.account);
    serial.strip_prefix(&start).is_some_and(|name| !name.starts_with("u2f/user/"))
}

/// `GetLoginProfile` of `user`: from when on there was the password.
///
/// # Errors
/// When it is not as it must be, or somebody else's.
pub fn login_profile(result: Element<'_>, user: &str, dates: &Dates) -> Result<Uptime, ReplyError> {
    let profile = result.child("LoginProfile")?;
    let created = profile.instant("CreateDate")?;
    if profile.text("UserName")? == user {
        Ok(dates.since(Some(created)))
    } else {
        Err(ReplyError::Unreadable("UserName"))
    }
}

/// `GenerateCredentialReport`.
///
/// # Errors
/// When the state is none that is known.
pub fn making(result: Element<'_>) -> Result<Making, ReplyError> {
    match result.text("State")? {
        "COMPLETE" => Ok(Making::Complete),
        "STARTED" | "INPROGRESS" => Ok(Making::UnderWay),
        _ => Err(ReplyError::Unreadable("State")),
    }
}

/// `GetCredentialReport`.
///
/// # Errors
/// When the text or its time is not as it must be.
pub fn report(result: Element<'_>) -> Result<ReportReply, ReplyError> {
    result.child("Content")?;
    // One that is empty is no report, which is for its reader to say.
    let text = aws_smithy_types::base64::decode(result.optional_text("Content")?.unwrap_or_default());
    let text = text.map_err(|_| ReplyError::Unreadable("Content"))?;
    Ok(ReportReply::Ready { text, generated: result.instant("GeneratedTime")? })
}
