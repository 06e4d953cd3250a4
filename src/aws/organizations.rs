//! The reads of AWS Organizations: which accounts there are.
//!
//! The protocol is JSON. A reply without its list is refused, as is one whose list
//! has an item that cannot be told, a field that stands twice, and a token that came
//! before: an account that is left out would be an account that nobody watches. An
//! empty page with a token is no end.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    future::Future,
};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Caller,
    operation::{Answer, Only, Operation},
    session::Verified,
    wire::ReplyError,
};
use crate::{
    collect::pages::pages,
    model::{
        account::{AccountId, AccountStatus},
        facts::{Fault, FaultClass},
        organization::{Entry, Unit},
    },
};

/// AWS Organizations, as the exporter's own credentials see it.
#[derive(Clone, Debug)]
pub struct Directory {
    caller: Caller,
    verified: Verified,
}

/// The units of an organization, the root among them, and which of them an account is
/// in.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// All units, also those that no account is in.
    pub units: Vec<Unit>,
    /// The unit of each account.
    pub of: BTreeMap<AccountId, Unit>,
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
struct DelegatedAdministrator {
    id: String,
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

/// An item of a list, and the reply that holds a page of them.
trait Item: Sized {
    type Page: DeserializeOwned;
    const LIST: &str;
    fn parts(page: Self::Page) -> (Option<Vec<Self>>, Option<String>);
}

/// A page's type: serde refuses one with a field that stands twice.
macro_rules! listing {
    ($item:ident, $page:ident, $list:literal) => {
        #[derive(Deserialize)]
        struct $page {
            #[serde(rename = $list)]
            items: Option<Vec<$item>>,
            #[serde(rename = "NextToken")]
            next: Option<String>,
        }

        impl Item for $item {
            type Page = $page;
            const LIST: &str = $list;
            fn parts(page: $page) -> (Option<Vec<Self>>, Option<String>) {
                (page.items, page.next)
            }
        }
    };
}

listing!(Account, Accounts, "Accounts");
listing!(Root, Roots, "Roots");
listing!(OrganizationalUnit, OrganizationalUnits, "OrganizationalUnits");
listing!(Tag, Tags, "Tags");
listing!(DelegatedAdministrator, DelegatedAdministrators, "DelegatedAdministrators");

impl Directory {
    /// Organizations as `verified`'s owner sees it, asked through `caller`.
    #[must_use]
    pub const fn new(caller: Caller, verified: Verified) -> Self {
        Self { caller, verified }
    }

    fn client(&self) -> &aws_sdk_organizations::Client {
        &self.caller.clients.organizations
    }

    /// All accounts of the organization, in whatever state.
    ///
    /// # Errors
    /// When any page could not be read.
    pub async fn accounts(&self) -> Result<Vec<Entry>, Fault> {
        let request = |token, only: Only| {
            let request = self.client().list_accounts().max_results(20).set_next_token(token);
            request.customize().config_override(only).send()
        };
        let entries = self.list("ListAccounts", request, entry).await?;
        let ids: BTreeSet<_> = entries.iter().map(|entry| entry.id).collect();
        match ids.len() {
            0 => Err(Fault::new(FaultClass::IncompleteReply, "ListAccounts: an organization without accounts")),
            different if different < entries.len() => {
                Err(Fault::new(FaultClass::MalformedReply, "ListAccounts: an account is listed twice"))
            }
            _ => Ok(entries),
        }
    }

    /// The organization's management account.
    ///
    /// # Errors
    /// When it could not be asked for, or the reply names none.
    pub async fn management(&self) -> Result<AccountId, Fault> {
        let operation = Operation::organizations("DescribeOrganization");
        let request = |only: Only| self.client().describe_organization().customize().config_override(only).send();
        self.caller.ask(&self.verified.credentials, operation, request, management).await.map_err(advise)
    }

    /// The tree of organizational units.
    ///
    /// # Errors
    /// When any part of it could not be read, or it is no tree.
    pub async fn tree(&self) -> Result<Tree, Fault> {
        let roots = self.roots().await?;
        if roots.is_empty() {
            return Err(Fault::new(FaultClass::IncompleteReply, "ListRoots: an organization without a root"));
        }
        let mut open: Vec<_> = roots.into_iter().map(|id| (id.clone(), Unit::root(id))).collect();
        let mut seen: BTreeSet<_> = open.iter().map(|(id, _)| id.clone()).collect();
        let mut tree = Tree::default();
        while let Some((parent, unit)) = open.pop() {
            for id in self.children(&parent).await? {
                tree.of.insert(id, unit.clone());
            }
            for (id, name) in self.units_below(&parent).await? {
                if !seen.insert(id.clone()) {
                    let detail = "ListOrganizationalUnitsForParent: a unit has two parents, or is its own parent";
                    return Err(Fault::new(FaultClass::MalformedReply, detail));
                }
                let below = unit.below(&id, &name);
                open.push((id, below));
            }
            tree.units.push(unit);
        }
        Ok(tree)
    }

    async fn roots(&self) -> Result<Vec<String>, Fault> {
        let request = |token, only: Only| {
            self.client().list_roots().set_next_token(token).customize().config_override(only).send()
        };
        self.list("ListRoots", request, |root: Root| Ok(root.id)).await
    }

    async fn children(&self, parent: &str) -> Result<Vec<AccountId>, Fault> {
        let request = |token, only: Only| {
            let request = self.client().list_accounts_for_parent().parent_id(parent).set_next_token(token);
            request.customize().config_override(only).send()
        };
        self.list("ListAccountsForParent", request, |account| id(&account)).await
    }

    async fn units_below(&self, parent: &str) -> Result<Vec<(String, String)>, Fault> {
        let request = |token, only: Only| {
            let request = self.client().list_organizational_units_for_parent().parent_id(parent).set_next_token(token);
            request.customize().config_override(only).send()
        };
        let read = |unit: OrganizationalUnit| Ok((unit.id, unit.name));
        self.list("ListOrganizationalUnitsForParent", request, read).await
    }

    /// The tags of one account.
    ///
    /// # Errors
    /// When any page of them could not be read.
    pub async fn tags(&self, account: AccountId) -> Result<BTreeMap<String, String>, Fault> {
        let request = |token, only: Only| {
            let request = self.client().list_tags_for_resource().resource_id(account.as_str()).set_next_token(token);
            request.customize().config_override(only).send()
        };
        let tags = self.list("ListTagsForResource", request, |tag: Tag| Ok((tag.key, tag.value))).await?;
        Ok(tags.into_iter().collect())
    }

    /// The accounts that are delegated administrators for a service, by its principal.
    /// (AWS Organizations API reference, `ListDelegatedAdministrators`.)
    ///
    /// # Errors
    /// When any page of them could not be read.
    pub async fn delegated_administrators(&self, service: &str) -> Result<BTreeSet<AccountId>, Fault> {
        let request = |token, only: Only| {
            let request = self.client().list_delegated_administrators().service_principal(service);
            request.set_next_token(token).customize().config_override(only).send()
        };
        let read = |DelegatedAdministrator { id }| id.parse().map_err(|_| ReplyError::Unreadable("account Id"));
        let all: Vec<AccountId> = self.list("ListDelegatedAdministrators", request, read).await?;
        Ok(all.into_iter().collect())
    }

    /// All items of a list, each as `read` has it.
    async fn list<I: Item, T, O, E, F>(
        &self,
        operation: &'static str,
        request: impl Fn(Option<String>, Only) -> F,
        read: impl Fn(I) -> Result<T, ReplyError>,
    ) -> Result<Vec<T>, Fault>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (request, read, mut all) = (&request, &read, Vec::new());
        let asked = Operation::organizations(operation);
        let next = |token: Option<String>| {
            let request = move |only| request(token.clone(), only);
            self.caller.ask(&self.verified.credentials, asked, request, move |answer| page(answer, read))
        };
        pages(operation, next, |(items, next)| {
            all.extend(items);
            next
        })
        .await
        .map_err(advise)?;
        Ok(all)
    }
}

/// What Organizations refuses, it refuses for reasons of its own.
fn advise(fault: Fault) -> Fault {
    match fault.class {
        FaultClass::AccessDenied => fault.advising(
            "give the exporter credentials of the organization's management account, or of an account that is a delegated \
             administrator: other members may not list accounts. If the credentials are of such an account, allow the \
             actions that `aws-mfa-exporter iam-policy --of exporter` prints",
        ),
        FaultClass::Throttled => fault.advising(
            "wait: the exporter asks again in a minute. AWS Organizations allows only a few calls a second for the \
             whole organization. If it lasts, find out which other program lists accounts, or raise \
             organization.interval",
        ),
        _ => fault,
    }
}

/// The items of a page, each as `read` has it, and the token of the next.
fn page<I: Item, T>(answer: Answer<'_>, read: impl Fn(I) -> Result<T, ReplyError>) -> Result<Page<T>, ReplyError> {
    let (items, next) = I::parts(answer.json()?);
    let items = items.ok_or(ReplyError::Missing(I::LIST))?;
    if next.as_ref().is_some_and(String::is_empty) {
        return Err(ReplyError::Unreadable("NextToken"));
    }
    Ok((items.into_iter().map(read).collect::<Result<_, _>>()?, next))
}

fn management(answer: Answer<'_>) -> Result<AccountId, ReplyError> {
    let organization = answer.json::<Description>()?.organization.ok_or(ReplyError::Missing("Organization"))?;
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
