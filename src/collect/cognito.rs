//! Collector `cognito`: the user pools of each Region, and of each pool whether its
//! users have to use MFA.
//!
//! Regions answer for themselves. One that cannot be read is told of, and the others
//! are read all the same; a Region that is switched off is not read, which is not the
//! same as a Region without pools. A pool that was listed and then could not be found
//! is not taken for deleted: a replica may not have heard of it yet.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use super::{Finding, pages::pages};
use crate::model::{
    facts::{
        Fault, FaultClass, Known,
        pools::{Pool, PoolId, PoolsReading, Region, RegionPools},
    },
    snapshot::News,
    time::{Moment, Uptime},
};

/// The reads of Cognito that the collector needs, and of the account's Regions.
pub trait Cognito {
    /// The time.
    fn now(&self) -> Moment;

    /// One page of `account:ListRegions`.
    fn regions(&self, token: Option<String>) -> impl Future<Output = Result<RegionPage, Fault>> + Send;

    /// One page of `cognito-idp:ListUserPools` in a Region.
    fn user_pools(
        &self,
        region: &Region,
        token: Option<String>,
    ) -> impl Future<Output = Result<PoolPage, Fault>> + Send;

    /// `cognito-idp:DescribeUserPool`.
    fn user_pool(&self, region: &Region, id: &PoolId) -> impl Future<Output = Result<Pool, Fault>> + Send;
}

/// One page of Regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionPage {
    /// The Regions that can be used, or are about to be or not to be.
    pub usable: Vec<Region>,
    /// How many others there are, which are switched off.
    pub switched_off: u32,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// One page of user pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolPage {
    /// Their ids.
    pub pools: Vec<PoolId>,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// Reads the pools of these Regions, or of all that the account can use; none after
/// `ends_at`.
pub async fn collect(cognito: &impl Cognito, chosen: &[Region], ends_at: Uptime) -> Finding {
    let (regions, switched_off) = match usable(cognito, chosen).await {
        Ok(usable) => usable,
        Err(fault) => return Finding::nothing(fault),
    };
    let mut reading = PoolsReading { regions: BTreeMap::new(), switched_off };
    let mut first = None;
    for region in regions {
        let (read, fault) = read(cognito, &region, ends_at).await;
        first = first.or(fault.map(|fault| of_region(&region, fault)));
        reading.regions.insert(region, read);
    }
    Finding { news: News::Pools(Arc::new(reading)), fault: first }
}

/// The Regions to read, and how many are switched off.
async fn usable(cognito: &impl Cognito, chosen: &[Region]) -> Result<(Vec<Region>, Option<u32>), Fault> {
    if !chosen.is_empty() {
        return Ok((chosen.to_vec(), None));
    }
    let (mut usable, mut switched_off) = (Vec::new(), 0);
    pages(
        "ListRegions",
        |token| cognito.regions(token),
        |page: RegionPage| {
            usable.extend(page.usable);
            switched_off += page.switched_off;
            page.next
        },
    )
    .await?;
    if usable.is_empty() {
        let detail = "ListRegions: AWS lists no Region that the account can use";
        return Err(Fault::new(FaultClass::IncompleteReply, detail));
    }
    Ok((usable, Some(switched_off)))
}

/// The pools of one Region as far as they could be read, and what was wrong.
async fn read(
    cognito: &impl Cognito,
    region: &Region,
    ends_at: Uptime,
) -> (Option<Known<Arc<RegionPools>>>, Option<Fault>) {
    let asked = cognito.now();
    if asked.mono >= ends_at {
        return (None, Some(out_of_time()));
    }
    let mut pools = match listed(cognito, region).await {
        Ok(pools) => pools,
        Err(fault) => return (None, Some(fault)),
    };
    let mut first = None;
    for (id, pool) in &mut pools {
        let described =
            if cognito.now().mono < ends_at { cognito.user_pool(region, id).await } else { Err(out_of_time()) };
        match described {
            Ok(described) => *pool = Some(described),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    (Some(Known::new(Arc::new(pools), asked)), first)
}

/// The pools of a Region, of which nothing is known yet.
async fn listed(cognito: &impl Cognito, region: &Region) -> Result<RegionPools, Fault> {
    let mut pools = RegionPools::new();
    let read = |token| cognito.user_pools(region, token);
    pages("ListUserPools", read, |page: PoolPage| {
        pools.extend(page.pools.into_iter().map(|id| (id, None)));
        page.next
    })
    .await?;
    Ok(pools)
}

/// The fault, with the Region. AWS accepts no credentials in a Region that is switched
/// off, so there this says nothing against the credentials.
fn of_region(region: &Region, fault: Fault) -> Fault {
    if fault.class == FaultClass::InvalidCredentials {
        let fault = Fault::new(FaultClass::RegionDisabled, fault.detail);
        return fault.of_source(region);
    }
    fault.of_source(region)
}

fn out_of_time() -> Fault {
    Fault::new(FaultClass::Timeout, "DescribeUserPool: there was no time for all user pools")
        .advising("list the Regions to read in collectors.cognito.regions, or raise aws.max_rate")
}
