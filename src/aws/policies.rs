//! The read about policies, made of real requests.
//!
//! The reply is the largest there is but a credential report: the SDK does not decode it,
//! and a page is reduced to what matters before the next is asked for.

use aws_sdk_iam::{
    operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput, types::EntityType,
};
use aws_smithy_runtime_api::client::interceptors::context::Output;

use super::{
    iam::AccountIam,
    operation::{Answer, Only, Operation},
    reply,
};
use crate::{
    collect::{
        iam::details::DetailsPage,
        policies::{PageSize, Policies},
    },
    model::facts::Fault,
};

/// What is listed. A marker is good for these alone.
const KINDS: [EntityType; 3] = [EntityType::User, EntityType::Group, EntityType::LocalManagedPolicy];

impl PageSize {
    /// How many users, groups and policies together. A page of the usual size has some
    /// two megabytes; AWS's quotas allow 25, and five where it is small.
    const fn items(self) -> i32 {
        match self {
            Self::Usual => 500,
            Self::Small => 100,
        }
    }
}

impl Policies for AccountIam {
    async fn authorization_details(&self, size: PageSize, marker: Option<String>) -> Result<DetailsPage, Fault> {
        let request = |Only { credentials, tap }: Only| {
            let only = Only { credentials, tap: tap.undecoded(empty) };
            let request = self.client().get_account_authorization_details().set_filter(Some(KINDS.to_vec()));
            request.max_items(size.items()).set_marker(marker.clone()).customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| answer.xml(|result| reply::details::page(result, &self.verified.identity));
        let operation = Operation::iam("GetAccountAuthorizationDetails");
        self.session.caller().ask(&self.verified.credentials, operation, request, read).await
    }
}

/// What the SDK answers with in the place of a page.
fn empty() -> Output {
    Output::erase(GetAccountAuthorizationDetailsOutput::builder().build())
}
