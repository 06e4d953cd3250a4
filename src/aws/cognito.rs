//! The reads of Amazon Cognito and of the account's Regions, made of real requests.
//!
//! Both protocols are JSON, read by serde from the bytes: a field that stands twice is
//! refused, and so is a reply without its list, a pool without an id, and a pool that
//! does not say whether MFA is on.

use serde::Deserialize;

use super::{
    iam::AccountIam,
    operation::{Answer, Only, Operation},
    signed::{Json, Service},
    wire::ReplyError,
};
use crate::{
    collect::cognito::{Cognito, PoolPage, RegionPage},
    model::{
        account::Partition,
        facts::{
            Fault, FaultClass,
            pools::{Pool, PoolId, PoolMfa, Region, SignIn},
        },
        time::Moment,
    },
};

/// The most pools that a page has.
const POOLS_A_PAGE: u32 = 60;
/// The most Regions that a page has.
const REGIONS_A_PAGE: u32 = 50;

/// A partition that has user pools: its name, the Region that answers for all of them,
/// and how its hosts are named. (`endpoints.json` and the endpoint rules of botocore:
/// AWS has no user pools in China and in the isolated partitions.)
const PARTITIONS: [(&str, &str, &str, &str); 3] = [
    ("aws", "us-east-1", "amazonaws.com", "api.aws"),
    ("aws-us-gov", "us-gov-west-1", "amazonaws.com", "api.aws"),
    ("aws-eusc", "eusc-de-east-1", "amazonaws.eu", "api.amazonwebservices.eu"),
];

/// Where AWS Account Management is in China, which has no user pools.
const CHINA: (&str, &str, &str) = ("cn-northwest-1", "amazonaws.com.cn", "api.amazonwebservices.com.cn");

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Regions {
    regions: Option<Vec<RegionOpt>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RegionOpt {
    region_name: String,
    region_opt_status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserPools {
    user_pools: Option<Vec<Listed>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    user_pool: Option<UserPool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserPool {
    id: String,
    mfa_configuration: Option<String>,
    policies: Option<Policies>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policies {
    sign_in_policy: Option<SignInPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignInPolicy {
    allowed_first_auth_factors: Option<Vec<String>>,
}

impl Cognito for AccountIam {
    fn now(&self) -> Moment {
        self.session.caller().clock().now()
    }

    async fn regions(&self, token: Option<String>) -> Result<RegionPage, Fault> {
        let (region, suffix, dual_stack_suffix) = hosts(&self.verified.identity.partition)?;
        let service = account_management(region, suffix, dual_stack_suffix);
        let body = serde_json::json!({ "MaxResults": REGIONS_A_PAGE, "NextToken": token });
        let json = || Json {
            path: "/listRegions",
            content_type: "application/json",
            target: None,
            body: without_nulls(body.clone()),
        };
        self.ask_json(&service, Operation::account("ListRegions"), json, |answer| regions(answer.json()?)).await
    }

    async fn user_pools(&self, region: &Region, token: Option<String>) -> Result<PoolPage, Fault> {
        let body = serde_json::json!({ "MaxResults": POOLS_A_PAGE, "NextToken": token });
        self.ask_cognito(region, Operation::cognito("ListUserPools"), body, |answer| user_pools(answer.json()?)).await
    }

    async fn user_pool(&self, region: &Region, id: &PoolId) -> Result<Pool, Fault> {
        let body = serde_json::json!({ "UserPoolId": id.as_str() });
        let read = |answer: Answer<'_>| user_pool(answer.json()?, id);
        self.ask_cognito(region, Operation::cognito("DescribeUserPool"), body, read).await
    }
}

impl AccountIam {
    async fn ask_cognito<T>(
        &self,
        region: &Region,
        operation: Operation,
        body: serde_json::Value,
        read: impl Fn(Answer<'_>) -> Result<T, ReplyError>,
    ) -> Result<T, Fault> {
        let (_, suffix, dual_stack) = hosts(&self.verified.identity.partition)?;
        // In partition aws the usual names have addresses of both kinds.
        let is_aws = self.verified.identity.partition.as_str() == "aws";
        let service = Service {
            signing_name: "cognito-idp",
            id: "Cognito Identity Provider",
            region: region.as_str().to_owned(),
            suffix,
            dual_stack_suffix: if is_aws { suffix } else { dual_stack },
        };
        let json = || Json {
            path: "/",
            content_type: "application/x-amz-json-1.1",
            target: Some(format!("AWSCognitoIdentityProviderService.{}", operation.name)),
            body: without_nulls(body.clone()),
        };
        self.ask_json(&service, operation, json, read).await
    }

    async fn ask_json<T>(
        &self,
        service: &Service,
        operation: Operation,
        json: impl Fn() -> Json,
        read: impl Fn(Answer<'_>) -> Result<T, ReplyError>,
    ) -> Result<T, Fault> {
        let caller = self.session.caller();
        let request = |only: Only| caller.clients.send(service, operation.name, json(), only);
        caller.ask(&self.verified.credentials, operation, request, read).await
    }

    /// Asks AWS Account Management about the account of the credentials.
    pub(super) async fn ask_account<T>(
        &self,
        operation: Operation,
        json: impl Fn() -> Json,
        read: impl Fn(Answer<'_>) -> Result<T, ReplyError>,
    ) -> Result<T, Fault> {
        let partition = &self.verified.identity.partition;
        let (region, suffix, dual_stack_suffix) = match partition.as_str() {
            "aws-cn" => CHINA,
            _ => hosts(partition).map_err(|_| nowhere(operation.name, partition))?,
        };
        self.ask_json(&account_management(region, suffix, dual_stack_suffix), operation, json, read).await
    }
}

/// The service that knows the account's Regions and contacts.
fn account_management(region: &str, suffix: &'static str, dual_stack_suffix: &'static str) -> Service {
    Service { signing_name: "account", id: "Account", region: region.to_owned(), suffix, dual_stack_suffix }
}

fn nowhere(operation: &str, partition: &Partition) -> Fault {
    let detail = format!("{operation}: it is not known where AWS Account Management is in the partition {partition}");
    Fault::new(FaultClass::InvalidConfiguration, detail)
        .advising("disable the contacts collector (--no-collector.contacts) for accounts of this partition")
}

/// The Region that answers for all of a partition, and the ends of its hosts' names.
fn hosts(partition: &Partition) -> Result<(&'static str, &'static str, &'static str), Fault> {
    let known = PARTITIONS.into_iter().find(|(name, ..)| *name == partition.as_str());
    known.map(|(_, region, suffix, dual_stack)| (region, suffix, dual_stack)).ok_or_else(|| {
        let detail = format!("ListUserPools: AWS has no Cognito user pools in the partition {partition}");
        Fault::new(FaultClass::InvalidConfiguration, detail)
            .advising("disable the cognito collector (--no-collector.cognito) for accounts of this partition")
    })
}

/// A member that is null is not the same to AWS as one that is left out.
fn without_nulls(mut body: serde_json::Value) -> String {
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    body.to_string()
}

// === replies ===

fn regions(page: Regions) -> Result<RegionPage, ReplyError> {
    let (mut usable, mut switched_off) = (Vec::new(), 0);
    for RegionOpt { region_name, region_opt_status } in page.regions.ok_or(ReplyError::Missing("Regions"))? {
        let region = Region::parse(&region_name).ok_or(ReplyError::Unreadable("RegionName"))?;
        match region_opt_status.as_str() {
            "DISABLED" => switched_off += 1,
            // Also while it is being switched on or off there may be something in it.
            "ENABLED" | "ENABLED_BY_DEFAULT" | "ENABLING" | "DISABLING" => usable.push(region),
            _ => return Err(ReplyError::Unreadable("RegionOptStatus")),
        }
    }
    Ok(RegionPage { usable, switched_off, next: token(page.next_token) })
}

fn user_pools(page: UserPools) -> Result<PoolPage, ReplyError> {
    let pools = page.user_pools.ok_or(ReplyError::Missing("UserPools"))?;
    let pools = pools.iter().map(|listed| PoolId::parse(&listed.id).ok_or(ReplyError::Unreadable("Id")));
    Ok(PoolPage { pools: pools.collect::<Result<_, _>>()?, next: token(page.next_token) })
}

fn user_pool(described: Described, id: &PoolId) -> Result<Pool, ReplyError> {
    let pool = described.user_pool.ok_or(ReplyError::Missing("UserPool"))?;
    if pool.id != id.as_str() {
        return Err(ReplyError::Unreadable("Id"));
    }
    let mfa = pool.mfa_configuration.ok_or(ReplyError::Missing("MfaConfiguration"))?;
    let mfa = PoolMfa::parse(&mfa).ok_or(ReplyError::Unreadable("MfaConfiguration"))?;
    let policy = pool.policies.and_then(|policies| policies.sign_in_policy);
    // A pool that says nothing of it has passwords alone: so have all that are older than
    // the choice, and those of the Lite tier.
    let sign_in = match policy.and_then(|policy| policy.allowed_first_auth_factors) {
        None => SignIn::Password,
        Some(factors) => SignIn::of_factors(factors.iter().map(String::as_str))
            .ok_or(ReplyError::Unreadable("AllowedFirstAuthFactors"))?,
    };
    Ok(Pool { sign_in, mfa })
}

/// A token that is empty is none.
fn token(token: Option<String>) -> Option<String> {
    token.filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> Result<Pool, ReplyError> {
        let described = serde_json::from_str(text).map_err(|_| ReplyError::Malformed)?;
        user_pool(described, &PoolId::parse("eu-west-1_a").unwrap())
    }

    #[test]
    fn a_pool_that_does_not_say_what_it_must_is_not_read() {
        let read = |more: &str| pool(&format!(r#"{{"UserPool":{{"Id":"eu-west-1_a"{more}}}}}"#));
        let on = Ok(Pool { sign_in: SignIn::Password, mfa: PoolMfa::On });
        assert_eq!(read(r#","MfaConfiguration":"ON""#), on);
        assert_eq!(read(r#","MfaConfiguration":"ON","Policies":{"PasswordPolicy":{}}"#), on);
        assert_eq!(read(r#","MfaConfiguration":"ON","Policies":{"SignInPolicy":{}}"#), on);
        assert_eq!(read(""), Err(ReplyError::Missing("MfaConfiguration")));
        for (more, what) in [
            (r#","MfaConfiguration":"SOMETIMES""#, ReplyError::Unreadable("MfaConfiguration")),
            (r#","MfaConfiguration":"on""#, ReplyError::Unreadable("MfaConfiguration")),
            (r#","MfaConfiguration":true"#, ReplyError::Malformed),
            (r#","MfaConfiguration":"OFF","MfaConfiguration":"ON""#, ReplyError::Malformed),
            (
                r#","MfaConfiguration":"ON","Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":[]}}"#,
                ReplyError::Unreadable("AllowedFirstAuthFactors"),
            ),
            (r#","MfaConfiguration":"ON","Policies":[]"#, ReplyError::Malformed),
        ] {
            assert_eq!(read(more), Err(what), "{more}");
        }
        assert_eq!(pool("{}"), Err(ReplyError::Missing("UserPool")));
        assert_eq!(
            pool(r#"{"UserPool":{"Id":"eu-west-1_b","MfaConfiguration":"ON"}}"#),
            Err(ReplyError::Unreadable("Id")),
            "another's"
        );
    }

    #[test]
    fn a_list_that_is_missing_or_strange_is_not_read() {
        let pools = |text: &str| user_pools(serde_json::from_str(text).unwrap());
        assert_eq!(pools("{}"), Err(ReplyError::Missing("UserPools")));
        assert_eq!(pools(r#"{"UserPools":[{"Id":"../x"}]}"#), Err(ReplyError::Unreadable("Id")));
        assert_eq!(pools(r#"{"UserPools":[],"NextToken":""}"#), Ok(PoolPage { pools: Vec::new(), next: None }));
        let of = |text: &str| regions(serde_json::from_str(text).unwrap());
        assert_eq!(of("{}"), Err(ReplyError::Missing("Regions")));
        let region = |name: &str, status: &str| {
            of(&format!(r#"{{"Regions":[{{"RegionName":"{name}","RegionOptStatus":"{status}"}}]}}"#))
        };
        assert_eq!(region("evil.example.org", "ENABLED"), Err(ReplyError::Unreadable("RegionName")));
        assert_eq!(region("eu-west-1", "PERHAPS"), Err(ReplyError::Unreadable("RegionOptStatus")));
        assert_eq!(region("eu-west-1", "DISABLED").unwrap().switched_off, 1);
        assert_eq!(region("eu-west-1", "DISABLING").unwrap().usable.len(), 1);
    }
}
