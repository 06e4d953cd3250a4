//! AWS Organizations: who may ask, and the lists, page by page.

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    json,
    organization::Organization,
    protocol::{Protocol, Reply},
    reply::Params,
};

/// Code and message of an error.
type Refusal = (&'static str, &'static str);

const DENIED: Refusal = ("AccessDeniedException", "You don't have permissions to access this resource.");
const NOT_IN_USE: Refusal = ("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.");
const UNKNOWN_OPERATION: Refusal = ("UnknownOperationException", "");
const NO_PARENT: Refusal = ("ParentNotFoundException", "You specified a parent that doesn't exist.");
const NO_TARGET: Refusal = ("TargetNotFoundException", "You specified a target that doesn't exist.");
const BAD_TOKEN: Refusal = ("InvalidInputException", "You provided an invalid pagination token.");
const BAD_SIZE: Refusal = ("InvalidInputException", "You provided a value that is not from 1 to 20.");

/// Answers an operation of `caller`'s.
pub(crate) fn answer(
    organization: Option<&Organization>,
    caller: &str,
    operation: &str,
    params: &Params,
    faults: &[Fault],
) -> Reply {
    let found = organization.ok_or(NOT_IN_USE).and_then(|organization| {
        Inquiry { organization, params, faults, may_list: organization.may_list(caller) }.result(operation)
    });
    match found {
        Ok(result) => json::document(result, faults),
        Err((code, message)) => Protocol::Json.error(400, code, message),
    }
}

/// A request to an organization.
#[derive(Clone, Copy, Debug)]
struct Inquiry<'a> {
    organization: &'a Organization,
    params: &'a Params,
    faults: &'a [Fault],
    may_list: bool,
}

impl<'a> Inquiry<'a> {
    fn result(&self, operation: &str) -> Result<Value, Refusal> {
        let it = self.organization;
        // Any member may ask for it, to find its management account.
        if operation == "DescribeOrganization" {
            return Ok(json!({ "Organization": it.describe() }));
        }
        if !self.may_list {
            return Err(DENIED);
        }
        match operation {
            "ListAccounts" => self.page("Accounts", it.members.iter(), |member| it.describe_member(member)),
            "ListAccountsForParent" => {
                let parent = self.parent()?;
                let members = it.members.iter().filter(|member| member.unit == parent);
                self.page("Accounts", members, |member| it.describe_member(member))
            }
            "ListRoots" => self.page("Roots", [()].into_iter(), |()| it.describe_root()),
            "ListOrganizationalUnitsForParent" => {
                let parent = self.parent()?;
                let units = it.units.iter().filter(|unit| unit.parent == parent);
                self.page("OrganizationalUnits", units, |unit| it.describe_unit(unit))
            }
            "ListTagsForResource" => self.tags(),
            // Only those for IAM are simulated, and those of other services that may list.
            "ListDelegatedAdministrators" => {
                let of_iam = self.param("ServicePrincipal") == Some("iam.amazonaws.com");
                let ids = if of_iam { &it.root_access.delegated } else { &it.delegated };
                let describe = |id: &String| json!({ "Id": id, "Name": id, "DelegationEnabledDate": 1.7e9 });
                self.page("DelegatedAdministrators", ids.iter(), describe)
            }
            _ => Err(UNKNOWN_OPERATION),
        }
    }

    fn param(&self, key: &str) -> Option<&'a str> {
        self.params.get(key).map(String::as_str)
    }

    fn parent(&self) -> Result<&'a str, Refusal> {
        self.param("ParentId").filter(|id| self.organization.has_parent(id)).ok_or(NO_PARENT)
    }

    /// The tags of an account; units and the root have none.
    fn tags(&self) -> Result<Value, Refusal> {
        let id = self.param("ResourceId").unwrap_or_default();
        let member = self.organization.members.iter().find(|member| member.id == id);
        if member.is_none() && !self.organization.has_parent(id) {
            return Err(NO_TARGET);
        }
        let tags = member.into_iter().flat_map(|member| &member.tags);
        self.page("Tags", tags, |(key, value)| json!({ "Key": key, "Value": value }))
    }

    /// The page of a list that is asked for; nothing else of it is looked at.
    fn page<T>(
        &self,
        list: &str,
        items: impl Iterator<Item = T>,
        describe: impl Fn(T) -> Value,
    ) -> Result<Value, Refusal> {
        let token = self.param("NextToken");
        let from =
            token.map_or(Ok(0), |token| token.strip_prefix("at-").and_then(|at| at.parse().ok()).ok_or(BAD_TOKEN))?;
        let is_empty = token.is_none() && self.faults.contains(&Fault::EmptyFirstPage);
        let size = if is_empty { 0 } else { self.size()? };
        let mut rest = items.skip(from);
        let page: Vec<Value> = rest.by_ref().take(size).map(describe).collect();
        let next = match rest.next() {
            _ if self.faults.contains(&Fault::MarkerLoop) => Some(0),
            _ if self.faults.contains(&Fault::MarkerCycle) => Some(usize::from(from == 0)),
            None if !is_empty => None,
            _ => Some(from + page.len()),
        };
        let mut body = json!({ list: page });
        if let Some(next) = next {
            body["NextToken"] = json!(format!("at-{next}"));
        }
        Ok(body)
    }

    fn size(&self) -> Result<usize, Refusal> {
        let longest = self.organization.page_size.max(1);
        let Some(asked) = self.param("MaxResults") else { return Ok(longest) };
        asked.parse().ok().filter(|asked| (1..=20).contains(asked)).map(|asked| longest.min(asked)).ok_or(BAD_SIZE)
    }
}
