//! The families about the user pools of Amazon Cognito.

use std::iter::zip;

use super::{Family, View, count, of_account};
use crate::model::facts::pools::{Pool, PoolId, PoolMfa, SignIn};

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_cognito_regions",
        &["account_id", "state"],
        "AWS Regions by whether the exporter has read their Cognito user pools: read, not_read (at least one answer is missing or too old), disabled (switched off in the account, therefore not read: a user pool there is not seen). disabled is absent if the configuration lists the Regions, and while the list of Regions is too old. Absent before the first run.",
        |view, rows| {
            let Some(census) = view.state.pool_census() else { return };
            let [read, missing] = census.regions;
            // There is a Region wherever there is a reading.
            if read + missing == 0 {
                return;
            }
            rows.push_known(&["disabled"], view.seen.regions_switched_off);
            rows.push(&["not_read"], missing);
            rows.push(&["read"], read);
        },
    ),
    of_account(
        "aws_mfa_cognito_user_pool_info",
        &["account_id", "aws_region", "user_pool_id", "sign_in", "mfa"],
        "A Cognito user pool, with how users sign in and its MFA setting, as in aws_mfa_cognito_user_pools. aws_region is the Region in which the pool was made. Only with --collector.cognito.pools=all. Always 1.",
        |view, rows| {
            for (id, pool) in shown(view) {
                rows.push(&[id.home(), id.as_str(), pool.sign_in.as_str(), pool.mfa.as_str()], 1);
            }
        },
    ),
    of_account(
        "aws_mfa_cognito_user_pools",
        &["account_id", "sign_in", "mfa"],
        "Cognito user pools by how users sign in (password; password_or_passkey; mixed: a password or a one-time password; passwordless) and by MFA setting (ON, OPTIONAL, OFF). Cognito.5 fails for password with OPTIONAL or OFF. A replicated pool counts once. Cognito does not ask federated users for MFA. Absent unless every pool of every Region is known.",
        |view, rows| {
            let Some(counts) = view.state.pool_census().and_then(|census| census.counts()) else { return };
            for (sign_in, counts) in zip(SignIn::ALL, counts) {
                for (mfa, pools) in zip(PoolMfa::ALL, counts) {
                    rows.push(&[sign_in.as_str(), mfa.as_str()], pools);
                }
            }
        },
    ),
    of_account(
        "aws_mfa_cognito_user_pools_omitted",
        &["account_id"],
        "Cognito user pools without a series in aws_mfa_cognito_user_pool_info, because of the limit. Absent unless every pool of every Region is known. Only with --collector.cognito.pools=all.",
        |view, rows| {
            let Some(census) = view.state.pool_census().filter(|census| census.counts().is_some()) else { return };
            if view.series().is_some() {
                rows.push(&[], count(census.pools.len() - shown(view).count()));
            }
        },
    ),
];

impl View<'_> {
    /// How many pools of an account have a series, if any has.
    fn series(&self) -> Option<usize> {
        usize::try_from(self.common.plan.cognito.as_ref()?.series?).ok()
    }
}

/// The pools that have a series.
fn shown<'a>(view: &View<'a>) -> impl Iterator<Item = (&'a PoolId, Pool)> + use<'a> {
    let census = view.state.pool_census();
    let pools = census.map(|census| census.by_urgency()).unwrap_or_default();
    pools.into_iter().take(view.series().unwrap_or(0))
}
