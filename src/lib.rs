//! aws-mfa-exporter: tells within a minute or two when an AWS root user is not
//! protected by multi-factor authentication.
//!
//! Knowledge runs one way through these rooms: facts ← judge ← snapshot ←
//! metrics ← exposition ← http. Only [`app`] sees all of them. The pure rooms
//! are handed the time and what AWS said; they know neither a socket nor a
//! clock, which is why their every edge can be tested.

pub mod account;
pub mod account_run;
pub mod app;
pub mod aws;
pub mod build_info;
pub mod check;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod command;
pub mod config;
pub mod discover;
pub mod exemption;
pub mod exposition;
pub mod facts;
pub mod fleet;
pub mod generate;
pub mod http;
pub mod judge;
pub mod landing;
pub mod limit;
pub mod log;
pub mod metrics;
pub mod orders;
pub mod overview;
pub mod permissions;
pub mod publish;
pub mod schedule;
pub mod shard;
pub mod signals;
pub mod snapshot;
pub mod state;
pub mod supervise;
pub mod transitions;
pub mod web_config;
