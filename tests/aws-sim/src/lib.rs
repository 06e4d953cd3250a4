//! A simulated AWS: IAM, STS and Organizations as far as the exporter asks them, and
//! the places where credentials can be had, over real HTTP on loopback, with every fault that the real one was seen or
//! feared to have. It runs on a thread of its own, so that any test can use it,
//! and it counts what it is asked, for calls are what the exporter's users pay for.

mod clock;
mod cognito;
mod contacts;
mod devices;
mod directory;
mod fault;
mod fleet;
mod history;
mod json;
mod limits;
mod list;
mod organization;
mod policies;
mod protocol;
pub mod queue;
mod record;
mod reply;
mod report;
mod request;
mod roles;
mod root_access;
mod server;
mod shared;
mod sim;
mod sources;
mod state;
#[cfg(test)]
mod tests;
mod user;
mod users;
mod xml;

pub use cognito::Pool;
pub use fault::Fault;
pub use fleet::{Mix, organization, users};
pub use organization::{Member, Organization, ROOT, Unit};
pub use policies::{Group, Managed, Policies};
pub use record::Seen;
pub use roles::Role;
pub use root_access::RootAccess;
pub use sim::{FaultId, Sim};
pub use sources::Sources;
pub use state::{Account, Root, Scenario};
pub use user::User;
