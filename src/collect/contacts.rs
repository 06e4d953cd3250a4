//! Collector `contacts`: whether an account has a security contact, and whether AWS has
//! verified the telephone of its primary contact.
//!
//! Two calls a run. One that fails does not hide the other's answer.

use std::future::Future;

use super::Finding;
use crate::model::{
    facts::{Fault, Known, contacts::ContactsReading},
    snapshot::News,
    time::Moment,
};

/// The reads of AWS Account Management that the collector needs.
pub trait Contacts {
    /// The time.
    fn now(&self) -> Moment;

    /// `account:GetAlternateContact` of the type `SECURITY`: whether there is one.
    fn security_contact(&self) -> impl Future<Output = Result<bool, Fault>> + Send;

    /// `account:GetContactInformation`: whether the telephone is verified; `None` where AWS
    /// cannot verify it, or does not say.
    fn phone_is_verified(&self) -> impl Future<Output = Result<Option<bool>, Fault>> + Send;
}

/// Reads the contacts of an account once.
pub async fn collect(contacts: &impl Contacts) -> Finding {
    let asked = contacts.now();
    let security = contacts.security_contact().await;
    let later = contacts.now();
    let phone = contacts.phone_is_verified().await;
    let fault = security.as_ref().err().or(phone.as_ref().err()).cloned();
    let reading = ContactsReading {
        security: security.ok().map(|is_set| Known::new(is_set, asked)),
        phone: phone.ok().map(|is_verified| Known::new(is_verified, later)),
    };
    Finding { news: News::Contacts(Box::new(reading)), fault }
}
