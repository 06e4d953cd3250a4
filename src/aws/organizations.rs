//! The reads of AWS Organizations: which accounts there are.
//!
//! The protocol is JSON, and a list that is not there decodes as an empty one
//! here too. A reply without its list is therefore refused, as is a token that
//! came before: an account that is left out would be an account that nobody
//! watches. An empty page with a token is no end.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use aws_sdk_organizations::types;

use super::{Caller, call::organizations_as, fault, session::Verified, wire::ReplyTap};
use crate::model::{
    account::{AccountId, AccountStatus},
    facts::{Fault, FaultClass},
    organization::{Entry, Unit},
};

const SERVICE: &str = "organizations";

/// No list is longer than so many pages; a token that leads on for ever ends here.
const MOST_PAGES: usize = 10_000;

/// AWS Organizations, as the exporter's own credentials see it.
#[derive(Clone, Debug)]
pub struct Directory {
    caller: Caller,
    verified: Verified,
}

/// One page of some list, and the token of the next.
type Page<T> = (Vec<T>, Option<String>);

/// Sends one operation as `self.verified`, and insists on a field of its reply.
macro_rules! send {
    ($directory:ident, $name:literal, $field:literal, $request:expr) => {{
        let tap = ReplyTap::default();
        let request = || {
            let request = $request.customize().config_override(organizations_as(&$directory.verified.credentials));
            request.interceptor(tap.clone()).send()
        };
        let reply = $directory.caller.send(SERVICE, $name, request).await.map_err(advise)?;
        tap.require_json($field).map_err(|error| fault::of_shape($name, &error))?;
        reply
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
        let listed = pages("ListAccounts", |token| self.accounts_page(token)).await?;
        let entries = listed.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let ids: BTreeSet<_> = entries.iter().map(|entry| entry.id).collect();
        match ids.len() {
            0 => Err(Fault::new(FaultClass::IncompleteReply, "ListAccounts: an organization without accounts")),
            different if different < entries.len() => {
                Err(Fault::new(FaultClass::MalformedReply, "ListAccounts: an account stands there twice"))
            }
            _ => Ok(entries),
        }
    }

    async fn accounts_page(&self, token: Option<String>) -> Result<Page<types::Account>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_accounts().max_results(20).set_next_token(token.clone());
        let reply = send!(self, "ListAccounts", "Accounts", request());
        Ok((reply.accounts.unwrap_or_default(), reply.next_token))
    }

    /// The organization's management account.
    ///
    /// # Errors
    /// When it could not be asked for, or the reply names none.
    pub async fn management(&self) -> Result<AccountId, Fault> {
        let reply = send!(
            self,
            "DescribeOrganization",
            "Organization",
            self.caller.clients.organizations.describe_organization()
        );
        let id = reply.organization().and_then(|organization| organization.master_account_id());
        id.and_then(|id| id.parse().ok()).ok_or_else(|| {
            Fault::new(FaultClass::IncompleteReply, "DescribeOrganization: the reply names no management account")
        })
    }

    /// The organizational unit of every account, by walking the tree.
    ///
    /// # Errors
    /// When any part of it could not be read.
    pub async fn units(&self) -> Result<BTreeMap<AccountId, Unit>, Fault> {
        let mut open: Vec<(String, Unit)> = Vec::new();
        for root in pages("ListRoots", |token| self.roots_page(token)).await? {
            open.push((root, Unit::default()));
        }
        let mut units = BTreeMap::new();
        while let Some((parent, unit)) = open.pop() {
            for id in pages("ListAccountsForParent", |token| self.children_page(&parent, token)).await? {
                units.insert(id, unit.clone());
            }
            for (id, name) in pages("ListOrganizationalUnitsForParent", |token| self.units_page(&parent, token)).await?
            {
                let below = unit.below(&id, &name);
                open.push((id, below));
            }
        }
        Ok(units)
    }

    async fn roots_page(&self, token: Option<String>) -> Result<Page<String>, Fault> {
        let client = &self.caller.clients.organizations;
        let reply = send!(self, "ListRoots", "Roots", client.list_roots().set_next_token(token.clone()));
        Ok((reply.roots().iter().filter_map(|root| root.id().map(str::to_owned)).collect(), reply.next_token))
    }

    async fn children_page(&self, parent: &str, token: Option<String>) -> Result<Page<AccountId>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_accounts_for_parent().parent_id(parent).set_next_token(token.clone());
        let reply = send!(self, "ListAccountsForParent", "Accounts", request());
        let ids = reply.accounts().iter().filter_map(|account| account.id().and_then(|id| id.parse().ok()));
        Ok((ids.collect(), reply.next_token))
    }

    async fn units_page(&self, parent: &str, token: Option<String>) -> Result<Page<(String, String)>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_organizational_units_for_parent().parent_id(parent).set_next_token(token.clone());
        let reply = send!(self, "ListOrganizationalUnitsForParent", "OrganizationalUnits", request());
        let unit = |unit: &types::OrganizationalUnit| {
            Some((unit.id()?.to_owned(), unit.name().unwrap_or_default().to_owned()))
        };
        Ok((reply.organizational_units().iter().filter_map(unit).collect(), reply.next_token))
    }

    /// The tags of one account.
    ///
    /// # Errors
    /// When any page of them could not be read.
    pub async fn tags(&self, account: AccountId) -> Result<BTreeMap<String, String>, Fault> {
        let tags = pages("ListTagsForResource", |token| self.tags_page(account, token)).await?;
        Ok(tags.into_iter().collect())
    }

    async fn tags_page(&self, account: AccountId, token: Option<String>) -> Result<Page<(String, String)>, Fault> {
        let client = &self.caller.clients.organizations;
        let request = || client.list_tags_for_resource().resource_id(account.as_str()).set_next_token(token.clone());
        let reply = send!(self, "ListTagsForResource", "Tags", request());
        let tags = reply.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        Ok((tags, reply.next_token))
    }
}

/// What Organizations refuses, it refuses for reasons of its own.
fn advise(fault: Fault) -> Fault {
    match fault.class {
        FaultClass::AccessDenied => fault.advising(
            "give the exporter credentials of the organization's management account, or of an account that is a delegated \
             administrator: other members may not list accounts. If they are of such an account, allow what \
             `aws-mfa-exporter iam-policy --of exporter` prints",
        ),
        FaultClass::Throttled => fault.advising(
            "nothing, if it passes: Organizations allows few calls a second in the whole organization, and the exporter \
             asks again in a minute. If it lasts, find what else lists accounts, or raise organization.interval",
        ),
        _ => fault,
    }
}

/// All pages of a list.
async fn pages<T, F>(operation: &'static str, page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, Fault>
where
    F: Future<Output = Result<Page<T>, Fault>>,
{
    let mut all = Vec::new();
    let mut tokens = BTreeSet::new();
    let mut token = None;
    loop {
        let (items, next) = page(token).await?;
        all.extend(items);
        let Some(next) = next.filter(|next| !next.is_empty()) else { return Ok(all) };
        if !tokens.insert(next.clone()) || tokens.len() > MOST_PAGES {
            return Err(Fault::new(FaultClass::MalformedReply, format!("{operation}: the list never ends")));
        }
        token = Some(next);
    }
}

fn entry(account: &types::Account) -> Result<Entry, Fault> {
    let id = account.id().and_then(|id| id.parse().ok()).ok_or_else(|| {
        Fault::new(FaultClass::MalformedReply, "ListAccounts: an account has no id, or one that is not twelve digits")
    })?;
    let name = account.name().unwrap_or_default().to_owned();
    Ok(Entry { id, name, status: status(account), unit: None, tags: None })
}

/// `State` has replaced `Status` (retired on 2026-09-09), which an older endpoint
/// may still send alone. Whatever neither of them rules out is scanned: also
/// `PENDING_CLOSURE`, for such an account can still be used.
fn status(account: &types::Account) -> AccountStatus {
    match (account.state(), account.status()) {
        (Some(types::AccountState::Suspended), _) => AccountStatus::Suspended,
        (Some(types::AccountState::Closed), _) => AccountStatus::Closed,
        (Some(types::AccountState::PendingActivation), _) => AccountStatus::Pending,
        (None, Some(types::AccountStatus::Suspended)) => AccountStatus::Suspended,
        _ => AccountStatus::Scanned,
    }
}
