//! Amazon Cognito's user pools, Region by Region, and the list of Regions.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    json,
    protocol::{Protocol, Reply},
    reply::Params,
    request::REGION,
    state::Account,
};

pub(crate) const OPERATIONS: [&str; 3] = ["DescribeUserPool", "ListRegions", "ListUserPools"];

/// The most pools that a page may have.
const MOST: usize = 60;

/// Code and message of an error.
type Refusal = (&'static str, &'static str);

/// A user pool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Its id, which begins with the Region that it was made in.
    pub id: String,
    /// `MfaConfiguration`, if the answer has it.
    pub mfa: Option<String>,
    /// `AllowedFirstAuthFactors`, if the answer has them.
    pub factors: Option<Vec<String>>,
    /// The other Regions that it is replicated to.
    pub replicas: Vec<String>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { id: String::new(), mfa: Some("OFF".to_owned()), factors: None, replicas: Vec::new() }
    }
}

impl Pool {
    /// A pool of users with passwords alone.
    #[must_use]
    pub fn new(id: &str, mfa: &str) -> Self {
        Self { id: id.to_owned(), mfa: Some(mfa.to_owned()), ..Self::default() }
    }

    fn is_in(&self, region: &str) -> bool {
        self.id.split('_').next() == Some(region) || self.replicas.iter().any(|replica| replica == region)
    }

    fn describe(&self) -> Value {
        let mut pool = json!({
            "Id": self.id,
            "Name": "customers",
            "Policies": { "PasswordPolicy": { "MinimumLength": 8 } },
            "CreationDate": 1_700_000_000.5,
            "EstimatedNumberOfUsers": 7,
        });
        if let Some(mfa) = &self.mfa {
            pool["MfaConfiguration"] = json!(mfa);
        }
        if let Some(factors) = &self.factors {
            pool["Policies"]["SignInPolicy"] = json!({ "AllowedFirstAuthFactors": factors });
        }
        json!({ "UserPool": pool })
    }
}

/// Answers an operation of `account`'s.
pub(crate) fn answer(account: &Account, operation: &str, params: &Params, faults: &[Fault]) -> Reply {
    let stale = faults.iter().find_map(|fault| if let Fault::Stale(old) = fault { Some(&**old) } else { None });
    let account = stale.unwrap_or(account);
    let found = match operation {
        "ListRegions" => Ok(regions(account)),
        _ if account.disabled_regions.contains(&params[REGION]) => {
            Err(("UnrecognizedClientException", "The security token included in the request is invalid."))
        }
        "ListUserPools" => list(account, params, faults),
        _ => describe(account, params),
    };
    match found {
        Ok(result) => json::document(result, faults),
        Err((code, message)) => Protocol::Json.error(400, code, message),
    }
}

fn regions(account: &Account) -> Value {
    let with = |names: &[String], status: &str| -> Vec<Value> {
        names.iter().map(|name| json!({ "RegionName": name, "RegionOptStatus": status })).collect()
    };
    let all = [with(&account.regions, "ENABLED_BY_DEFAULT"), with(&account.disabled_regions, "DISABLED")].concat();
    json!({ "Regions": all })
}

fn list(account: &Account, params: &Params, faults: &[Fault]) -> Result<Value, Refusal> {
    const INVALID: Refusal = ("InvalidParameterException", "1 validation error detected");
    let asked = params.get("MaxResults").and_then(|size| size.parse().ok());
    let size = asked.filter(|size| (1..=MOST).contains(size)).ok_or(INVALID)?;
    let size = account.page_size.unwrap_or(size).clamp(1, size);
    let token = params.get("NextToken");
    let from: usize =
        token.map_or(Ok(0), |token| token.strip_prefix("at-").and_then(|at| at.parse().ok()).ok_or(INVALID))?;
    let is_empty = token.is_none() && faults.contains(&Fault::EmptyFirstPage);
    let here: Vec<_> = account.pools.iter().filter(|pool| pool.is_in(&params[REGION])).collect();
    let page = here.iter().skip(from).take(if is_empty { 0 } else { size });
    let page: Vec<Value> = page.map(|pool| json!({ "Id": pool.id, "Name": "customers" })).collect();
    let next = match from + page.len() {
        _ if faults.contains(&Fault::MarkerLoop) => Some(0),
        _ if faults.contains(&Fault::MarkerCycle) => Some(usize::from(from == 0)),
        to if to < here.len() || is_empty => Some(to),
        _ => None,
    };
    let mut body = json!({ "UserPools": page });
    if let Some(next) = next {
        body["NextToken"] = json!(format!("at-{next}"));
    }
    Ok(body)
}

fn describe(account: &Account, params: &Params) -> Result<Value, Refusal> {
    let wanted = params.get("UserPoolId");
    let pool = account.pools.iter().find(|pool| Some(&pool.id) == wanted && pool.is_in(&params[REGION]));
    pool.map(Pool::describe).ok_or(("ResourceNotFoundException", "User pool does not exist."))
}
