//! The simulation over real sockets, asked by the smallest client that will do.

mod client;
mod fleet;
mod organization;
mod replies;
mod report;
mod roles;
mod scenario;
mod sources;
mod users;
