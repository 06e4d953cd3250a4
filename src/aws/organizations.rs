//! The reads of AWS Organizations: which accounts there are.
//!
//! The protocol is JSON. A reply without its list is refused, as is one whose list
//! has an item that cannot be told, a field that stands twice, and a token that came
//! before: an account that is left out would be an account that nobody watches. An
//! empty page with a token is no end.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Caller,
    call::organizations_as,
    session::Verified,
    wire::{ReplyError, ReplyTap},
};
use crate::{
    collect::pages::pages,
    model::{
        account::{AccountId, AccountStatus},
        facts::{Fault, FaultClass},
        organization::{Entry, Unit},
    },
};

const SERVICE: &str = "organizations";

/// AWS Organizations, as the exporter's own credentials see it.
#[derive(Clone, Debug)]
pub struct Directory {
    caller: Caller,
    verified: Verified,
}

/// One page of some list, and the token of the next.
type Page<T> = (Vec<T>, Option<String>);

/// An item of a list of accounts, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    id: String,
    name: Option<String>,
    state: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Root {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrganizationalUnit {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    organization: Option<Organization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Organization {
    master_account_id: Option<String>,
}

/// A reply that holds one page of a list.
trait Listing: DeserializeOwned {
    type Item;
    const NAME: &str;
    fn parts(self) -> (Option<Vec<Self::Item>>, Option<String>);
}

/// A page's type: serde refuses one with a field that stands twice.
macro_rules! listing {
    ($page:ident, $list:literal, $item:ty) => {
        #[derive(Deserialize)]
        struct $page {
            #[serde(rename = $list)]
            items: Option<Vec<$item>>,
            #[serde(rename = "NextToken")]
            next: Option<String>,
        }

        impl Listing for $page {
            type Item = $item;
            const NAME: &str = $list;
            fn parts(self) -> (Option<Vec<$item>>, Option<String>) {
                (self.items, self.next)
            }
        }
    };
}

listing!(Accounts, "Accounts", Account);
listing!(Roots, "Roots", Root);
listing!(OrganizationalUnits, "OrganizationalUnits", OrganizationalUnit);
listing!(Tags, "Tags", Tag);

/// Sends one operation as `self.verified`, and reads its reply by `$read`.
macro_rules! send {
    ($directory:ident, $name:literal, $read:expr, $request:expr) => {{
        let tap = ReplyTap::default();
        let request = || {
            let request = $request.customize().config_override(organizations_as(&$directory.verified.credentials));
            request.interceptor(tap.clone()).send()
        };
        $directory.caller.send(SERVICE, $name, request, |_| $read(&tap)).await
    }};
}

impl Directory {
    /// Organizations as `verified`'s owner sees it, asked through `caller`.
    #[must_use]
    pub const fn new(caller: Caller, verified: Verified) -> Self {
        Self { caller, verified }
    }

    /// All accounts of the organization, in whatever state.
    ///
    /// # Errors
    /// When any page could not be read.
    pub async fn accounts(&self) -> Result<Vec<Entry>, Fault> {
        let entries = all("ListAccounts", |token| self.accounts_page(token)).await?;
        let ids: BTreeSet<_> = entries.iter().map(|entry| entry.id).collect();
        match ids.len() {
            0 => Err(Fault::new(FaultClass::IncompleteReply, "ListAccounts: an organization without accounts")),
            different if different < entries.len() => {
                Err(Fault::new(FaultClass::MalformedReply, "ListAccounts: an account stands there twice"))
            }
            _ => Ok(entries),
        }
    }

    async fn accounts_page(&self, token: Option<String>) -> Result<Page<Entry>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_accounts().max_results(20).set_next_token(token.clone());
        send!(self, "ListAccounts", |tap| page::<Accounts, _>(tap, entry), request())
    }

    /// The organization's management account.
    ///
    /// # Errors
    /// When it could not be asked for, or the reply names none.
    pub async fn management(&self) -> Result<AccountId, Fault> {
        send!(self, "DescribeOrganization", management, self.caller.clients.organizations.describe_organization())
    }

    /// The organizational unit of every account, by walking the tree.
    ///
    /// # Errors
    /// When any part of it could not be read.
    pub async fn units(&self) -> Result<BTreeMap<AccountId, Unit>, Fault> {
        let mut open: Vec<(String, Unit)> = Vec::new();
        for root in all("ListRoots", |token| self.roots_page(token)).await? {
            open.push((root, Unit::default()));
        }
        let mut units = BTreeMap::new();
        while let Some((parent, unit)) = open.pop() {
            for id in all("ListAccountsForParent", |token| self.children_page(&parent, token)).await? {
                units.insert(id, unit.clone());
            }
            for (id, name) in all("ListOrganizationalUnitsForParent", |token| self.units_page(&parent, token)).await? {
                let below = unit.below(&id, &name);
                open.push((id, below));
            }
        }
        Ok(units)
    }

    async fn roots_page(&self, token: Option<String>) -> Result<Page<String>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_roots().set_next_token(token.clone());
        send!(self, "ListRoots", |tap| page::<Roots, _>(tap, |root| Ok(root.id)), request())
    }

    async fn children_page(&self, parent: &str, token: Option<String>) -> Result<Page<AccountId>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_accounts_for_parent().parent_id(parent).set_next_token(token.clone());
        send!(self, "ListAccountsForParent", |tap| page::<Accounts, _>(tap, |account| id(&account)), request())
    }

    async fn units_page(&self, parent: &str, token: Option<String>) -> Result<Page<(String, String)>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_organizational_units_for_parent().parent_id(parent).set_next_token(token.clone());
        let read = |tap: &ReplyTap| page::<OrganizationalUnits, _>(tap, |unit| Ok((unit.id, unit.name)));
        send!(self, "ListOrganizationalUnitsForParent", read, request())
    }

    /// The tags of one account.
    ///
    /// # Errors
    /// When any page of them could not be read.
    pub async fn tags(&self, account: AccountId) -> Result<BTreeMap<String, String>, Fault> {
        let tags = all("ListTagsForResource", |token| self.tags_page(account, token)).await?;
        Ok(tags.into_iter().collect())
    }

    async fn tags_page(&self, account: AccountId, token: Option<String>) -> Result<Page<(String, String)>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_tags_for_resource().resource_id(account.as_str()).set_next_token(token.clone());
        send!(self, "ListTagsForResource", |tap| page::<Tags, _>(tap, |tag| Ok((tag.key, tag.value))), request())
    }
}

/// All items of a list.
async fn all<T, F>(operation: &'static str, page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, Fault>
where
    F: Future<Output = Result<Page<T>, Fault>>,
{
    let mut all = Vec::new();
    pages(operation, page, |(items, next)| {
        all.extend(items);
        next
    })
    .await?;
    Ok(all)
}

/// The items of a page, each as `read` has it, and the token of the next.
fn page<L: Listing, T>(tap: &ReplyTap, read: impl Fn(L::Item) -> Result<T, ReplyError>) -> Result<Page<T>, ReplyError> {
    let (items, next) = tap.json::<L>()?.parts();
    let items = items.ok_or(ReplyError::Missing(L::NAME))?;
    if next.as_ref().is_some_and(String::is_empty) {
        return Err(ReplyError::Unreadable("NextToken"));
    }
    Ok((items.into_iter().map(read).collect::<Result<_, _>>()?, next))
}

fn management(tap: &ReplyTap) -> Result<AccountId, ReplyError> {
    let organization = tap.json::<Description>()?.organization.ok_or(ReplyError::Missing("Organization"))?;
    let id = organization.master_account_id.ok_or(ReplyError::Missing("MasterAccountId"))?;
    id.parse().map_err(|_| ReplyError::Unreadable("MasterAccountId"))
}

fn id(account: &Account) -> Result<AccountId, ReplyError> {
    account.id.parse().map_err(|_| ReplyError::Unreadable("account Id"))
}

fn entry(account: Account) -> Result<Entry, ReplyError> {
    let (id, status) = (id(&account)?, status(&account));
    Ok(Entry { id, name: account.name.unwrap_or_default(), status, unit: None, tags: None })
}

/// `State` has replaced `Status` (retired on 2026-09-09), which an older endpoint
/// may still send alone. Whatever neither of them rules out is scanned: also
/// `PENDING_CLOSURE`, for such an account can still be used.
fn status(account: &Account) -> AccountStatus {
    match (account.state.as_deref(), account.status.as_deref()) {
        (Some("SUSPENDED"), _) | (None, Some("SUSPENDED")) => AccountStatus::Suspended,
        (Some("CLOSED"), _) => AccountStatus::Closed,
        (Some("PENDING_ACTIVATION"), _) => AccountStatus::Pending,
        _ => AccountStatus::Scanned,
    }
}
