//! Asks, about once an hour, which features of centralized root access the organization
//! has on, and who is delegated to manage it.
//!
//! Both are asked with the exporter's own credentials. If shards divide the accounts,
//! the first of them asks, for the answer is of the organization and not of an account.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    aws::{Session, organizations::Directory, organizations_features::organizations_features},
    model::{
        facts::{Fault, FaultClass},
        snapshot::{Event, ROOT_ACCESS_AGAIN, RootAccessReading},
    },
    schedule,
};

/// The service that is delegated. (IAM User Guide, "Centralize root access for member
/// accounts".)
const IAM: &str = "iam.amazonaws.com";

/// A reading that takes longer than this is cut off.
const DEADLINE: Duration = Duration::from_secs(60);

/// Reads it with these credentials for ever.
pub async fn follow(session: Session, interval: Duration, events: mpsc::Sender<Event>) {
    loop {
        let reading = read_in_time(&session).await;
        let is_well = reading.features.is_ok() && reading.delegated.is_ok();
        // Nobody listens only while the program is going down.
        let _ = events.send(Event::RootAccessRead(Box::new(reading))).await;
        sleep(schedule::jittered(if is_well { interval } else { interval.min(ROOT_ACCESS_AGAIN) })).await;
    }
}

/// Reads it once.
pub async fn read_in_time(session: &Session) -> RootAccessReading {
    let at = session.caller().clock().now();
    let late = |_| {
        let fault =
            Fault::new(FaultClass::Timeout, "ListOrganizationsFeatures: the reading was cut off after a minute");
        RootAccessReading { at, features: Err(fault.clone()), delegated: Err(fault) }
    };
    timeout(DEADLINE, read(session)).await.unwrap_or_else(late)
}

async fn read(session: &Session) -> RootAccessReading {
    let at = session.caller().clock().now();
    let verified = match session.verified().await {
        Ok(verified) => verified,
        Err(fault) => return RootAccessReading { at, features: Err(fault.clone()), delegated: Err(fault) },
    };
    let caller = session.caller();
    let features = organizations_features(caller, &verified).await.map_err(advise);
    let delegated = Directory::new(caller.clone(), verified).delegated_administrators(IAM).await.map_err(advise);
    RootAccessReading { at, features, delegated }
}

/// What is denied here is an action of the exporter's own role.
fn advise(fault: Fault) -> Fault {
    match fault.class {
        FaultClass::AccessDenied => fault.advising(
            "allow the actions that `aws-mfa-exporter iam-policy --of exporter` prints to the exporter's own credentials, \
             or set organization.root_access to false",
        ),
        _ => fault,
    }
}
